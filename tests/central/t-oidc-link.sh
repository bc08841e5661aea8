#!/bin/bash
# SPDX-License-Identifier: MIT
# A login that is on its way to be linked to an account when the account's owner takes it back: whoever
# began it has no right to it any more, however long their provider has taken.
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
asks() { [ "$(asked '[.[] | select(.form.grant_type == "authorization_code")] | length')" = "$1" ]; }
linked() { [ "$(db "SELECT count(*) FROM sso_identities i JOIN users u ON u.id = i.user_id WHERE u.username = 'bob'")" = "$1" ]; }
enter() { token='' && api POST /sessions "{\"login\": \"bob\", \"password\": \"$password\"}" && token=$(get .token); } # as bob
take_back() { # he has another password from now on: whoever else was logged in is not
	local before=$password
	password="bob likes $1 now"
	api POST /me/password "{\"old\": \"$before\", \"new\": \"$password\"}"
	[ "$status" = 204 ]
}
there() { # JAR: from an address for linking, to the provider and back: $back
	api POST /me/identities '{"connection": "uni"}'
	local link
	link=$(get .url)
	elsewhere
	b "$1" "${link#"$CENTRAL_URL"}"
	at "$1" "$location"
	back=${location#"$CENTRAL_URL"}
}
asked_page() { csrf=$(form_field csrf) state=$(form_field state); }
agree() { # JAR: to what that page asked
	b "$1" /sso/uni/link --data-urlencode "csrf=$csrf" --data-urlencode "state=$state"
}

boss_token
connect uni
password='bob likes tea a lot'
api POST /users "{\"username\": \"bob\", \"email\": \"bob@uni.edu\", \"name\": \"Bob\", \"password\": \"$password\"}"
enter
evil "" '{"fault": "", "sub": "sub-mallory", "claims": {}}' >/dev/null

there mallory
with token_late
curl -sS -k -o "$T/page" -w '%{http_code}' -b "$T/jar.mallory" --max-time 60 -H "Sec-Fetch-Site: cross-site" \
	"$CENTRAL_URL$back" >"$T/late" &
late=$!
until_true 20 asks 1; tap $? "S3.17 a login to be linked is on its way, and its provider takes its time"
take_back coffee; tap $? "S3.17 meanwhile the account's owner takes it back"
with ""
wait "$late"
[ "$(cat "$T/late") $(fault)" = "403 sso.refused state" ]; tap $? "S3.17 then nobody is asked any more whether to link it"
out=$(cat "$T/page"); asked_page; agree mallory
[ "$status" = 403 ] && linked 0; tap $? "S3.17 and nothing is linked"

enter
there mallory
b mallory "$back"
has "$(shown)" "Link your login at"; tap $? "S3.17 with the new password it is asked"
asked_page
take_back water
agree mallory
[ "$status $(fault)" = "403 sso.refused state" ] && linked 0; tap $? "S3.17 what waits for an answer then, waits in vain"

enter
there mallory
b mallory "$back"; asked_page; agree mallory
[ "$status" = 303 ] && linked 1; tap $? "S3.17 without that it is linked"
[ "$(db 'SELECT count(*) FROM sso_attempts')" = 0 ]; tap $? "S3.17 and nothing of it is left"
central_stop; tap $? "I3 the service ends in good order"
tap_end
