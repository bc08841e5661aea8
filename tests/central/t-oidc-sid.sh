#!/bin/bash
# SPDX-License-Identifier: MIT
# A provider's back-channel logout that names nothing but its session, after our own logout: what
# that session has opened and is left ends with it, and nothing else.
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

# JAR SID: logged in as carla in the provider's session of that name
login() {
	evil "" "{\"sub\": \"sub-carla\", \"claims\": {\"preferred_username\": \"carla\", \"sid\": \"$2\"}}" >/dev/null
	b "$1" /sso/out/start
	at "$1" "$location"
	b "$1" "${location#"$CENTRAL_URL"}"
}
in_browser() { # JAR
	b "$1" /
	has "$out" "<span>carla</span>"
}
our_logout() { # JAR
	b "$1" /
	b "$1" /logout --data-urlencode "csrf=$(form_field csrf)"
	! in_browser "$1"
}
prism_login() { # JAR: the command line's, in that browser; $token
	local verifier challenge ask
	verifier=$(openssl rand -hex 32)
	challenge=$(printf %s "$verifier" | openssl dgst -sha256 -binary | basenc --base64url | tr -d =)
	ask=(--data-urlencode response_type=code --data-urlencode client_id=prism-cli --data-urlencode state=x
		--data-urlencode redirect_uri=http://127.0.0.1:4444/callback --data-urlencode "code_challenge=$challenge"
		--data-urlencode code_challenge_method=S256)
	b "$1" /oauth2/authorize -G "${ask[@]}"
	b "$1" /oauth2/authorize "${ask[@]}" --data-urlencode "csrf=$(form_field csrf)" --data-urlencode decision=approve
	local code=${location#*code=}
	b "$1" /oauth2/token -d grant_type=authorization_code -d client_id=prism-cli -d "code=${code%%&*}" \
		-d "code_verifier=$verifier" --data-urlencode redirect_uri=http://127.0.0.1:4444/callback
	token=$(get .access_token)
}
cli_works() { api GET /me; [ "$status $(get .username)" = "200 carla" ]; }
logout() { # SID: says the provider
	local jwt
	jwt=$(evil /logout "{\"claims\": {\"sid\": \"$1\"}}" | jq -r .logout_token)
	status=$(curl -sS -k -o /dev/null -w '%{http_code}' --data-urlencode "logout_token=$jwt" "$CENTRAL_URL/sso/${2:-out}/logout")
	[ "$status" = 200 ]
}
fresh() { [ "$(db "SELECT auth_at > 0 FROM sso_identities")" = 1 ]; }
ends() { db "SELECT count(*) FROM audit WHERE action = 'sso.end'"; }

boss_token
for slug in out other; do
	api POST /organizations/default/sso-connections "{\"slug\": \"$slug\", \"type\": \"oidc\", \"issuer\": \"$OP\",
		\"client_id\": \"prism\", \"auto_provision\": true, \"enabled\": true}"
	[ "$status" = 201 ] || tap_bail "the connection is not made"
done

login one sid-1
in_browser one && fresh; tap $? "I3.4 logged in, which is fresh"
our_logout one && fresh; tap $? "I3.4 our own logout ends the browser's login, and leaves the freshness on hosts"
logout sid-x && fresh && [ "$(ends)" = 0 ]; tap $? "I3.4 the end of another session is none of this one"
logout sid-1 other && fresh && [ "$(ends)" = 0 ]; tap $? "I3.4 nor is what another connection's provider says"
logout sid-1 && ! fresh && [ "$(ends)" = 1 ]; tap $? "I3.4 the provider's session ends after our logout: the freshness ends as well"
logout sid-1 && [ "$(ends)" = 1 ]; tap $? "I3.4 and once: nothing is left to end"

login two sid-2
prism_login two
our_logout two && cli_works; tap $? "I3.4 the command line's session goes on after the logout in the browser"
login three sid-3
logout sid-2 && ! cli_works && ! fresh && [ "$(ends)" = 2 ]
tap $? "I3.4 it ends with the provider's session, though there was a login in another since"
logout sid-3 && [ "$(ends)" = 2 ]; tap $? "I3.4 with everything of that identity, so that nothing is left here either"

login four sid-4
our_logout four
login five sid-5
logout sid-4 && in_browser five && fresh && [ "$(ends)" = 2 ]
tap $? "I3.4 of a session that was left and whose place another took, nothing is left to end"
logout sid-5 && ! in_browser five && ! fresh; tap $? "I3.4 the other's end counts"

login six sid-6
our_logout six
login six sid-6
our_logout six
logout sid-6 && ! fresh; tap $? "I3.4 the same session, logged in by twice"

login seven sid-7
our_logout seven
db "PRAGMA busy_timeout = 5000; UPDATE browser_sessions SET expires_at = 1 WHERE provider_sid = 'sid-7'" >/dev/null
login eight sid-8
[ "$(db "SELECT count(*) FROM browser_sessions WHERE provider_sid = 'sid-7'")" = 0 ]
tap $? "I3.4 sessions are not remembered for ever: a month after their end the row goes"
before=$(ends)
logout sid-7 && fresh && [ "$(ends)" = "$before" ]; tap $? "I3.4 and what it names is known no more"
db "EXPLAIN QUERY PLAN SELECT 1 FROM browser_sessions WHERE provider_sid = 'x'" | grep -q browser_sessions_by_provider_sid
tap $? "D2 sessions of providers are found by an index"
central_stop; tap $? "I3 the service ends in good order"
tap_end
