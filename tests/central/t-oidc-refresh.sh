#!/bin/bash
# SPDX-License-Identifier: MIT
# A provider that refuses to renew a login while its person logs in once more: what it says of the
# older login ends nothing of the newer one. The provider is tests/idp/evil_op.py, curl the browser.
set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh
# shellcheck source=tests/central/evil.sh
. tests/central/evil.sh
out='' err='' status=''
cli_home
command -v sqlite3 >/dev/null || tap_bail "sqlite3 is not installed"
evil_start || tap_bail "the service and its provider do not start"
login() { # JAR
	b "$1" /sso/uni/start
	at "$1" "$location"
	b "$1" "${location#"$CENTRAL_URL"}"
	[ "$status" = 303 ]
}
inside() { b "$1" / && has "$out" "Log out"; }
refreshes() { [ "$(asked '[.[] | select(.form.grant_type == "refresh_token")] | length')" -ge "$1" ]; }
due() { db "PRAGMA busy_timeout = 5000; UPDATE sso_identities SET refresh_due = 1 WHERE refresh_due > 0" >/dev/null; }
settled() { [ "$(db "SELECT COUNT(*) FROM sso_identities WHERE refresh_due = 1")" = 0 ]; }
ends() { db "SELECT COUNT(*) FROM audit WHERE action = 'sso.end'"; }

boss_token
api POST /organizations/default/sso-connections "$(jq -n --arg i "$OP" '{slug: "uni", type: "oidc", issuer: $i,
	client_id: "prism", client_secret: "one", scopes: "openid profile offline_access", auto_provision: true, enabled: true}')"
[ "$status" = 201 ] || tap_bail "the connection is not made: $out"
evil "" '{"claims": {"preferred_username": "alice"}}' >/dev/null
login first; tap $? "I3.4 alice is logged in, with a refresh token"

evil "" '{"fault": "refresh_late"}' >/dev/null
due
until_true 20 refreshes 1; tap $? "I3.4 her login is to be renewed, and the provider takes its time"
login second; tap $? "I3.4 meanwhile she logs in once more"
evil "" '{"fault": ""}' >/dev/null # now it refuses the older one
# One is asked about after the other: when this one is settled, the refusal has been heard.
due
until_true 20 settled && refreshes 2; tap $? "I3.4 the login that is new is renewed"
[ "$(ends)" = 0 ]; tap $? "I3.4 the refusal of the older one has ended nothing"
inside second; tap $? "I3.4 she is logged in still"
[ "$(db "SELECT COUNT(*) FROM sso_identities WHERE auth_at > 0 AND refresh_token IS NOT NULL")" = 1 ]
tap $? "I3.4 and her login is as fresh as it was"

evil "" '{"fault": "refresh_refused"}' >/dev/null
due
until_true 20 settled && [ "$(ends)" = 1 ] && ! inside second; tap $? "I3.4 a refusal of this one ends it"
central_stop; tap $? "I3 the service ends in good order"
tap_end
