#!/bin/bash
# SPDX-License-Identifier: MIT
# An owner has entered something wrong, or something is wrong around the service: what they are told,
# and what the person at the browser is. The provider is tests/idp/evil_op.py, curl the browser.
set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh
# shellcheck source=tests/central/evil.sh
. tests/central/evil.sh
out='' err='' status=''
cli_home
# Nobody answers there.
closed=127.0.0.1:$(free_port)
evil_start "dns = $closed" || tap_bail "the service and its provider do not start"
boss_token

# ISSUER: a connection of its own, a login by it in a new browser: $code, $page, and $told, what its owner is
number=0
try() {
	number=$((number + 1))
	api POST /organizations/default/sso-connections "$(jq -n --arg s "c$number" --arg i "$1" '{slug: $s, name: "Uni",
		type: "oidc", issuer: $i, client_id: "prism", client_secret: "one", auto_provision: true, enabled: true}')"
	location=
	b "p$number" "/sso/c$number/start"
	if [ -n "$location" ]; then
		at "p$number" "$location"
		b "p$number" "${location#"$CENTRAL_URL"}"
	fi
	page=$(shown) code=$status
	api GET "/organizations/default/sso-connections/c$number"
	told=$(get '.last_refusal | if . then "\(.fault): \(.detail)" else "none" end')
}
# STATUS PAGE PATTERN TEXT: so the browser, and so the owner
tells() {
	[ "$code" = "$1" ] && has "$page" "$2" && [[ $told =~ ^$3$ ]]
	local ok=$?
	[ $ok = 0 ] || echo "# status $code, page '$page', told '$told'"
	tap $ok "$4"
	! has "$page" "${told#*: }" && ! has "$page" "$OP"
	tap $? "S3.17 and the browser hears none of that"
}
NOT_NOW="Nobody was logged in through Uni: begin again, and ask your administrator"
NO_ANSWER="The login of Uni does not answer. Try again in a few minutes"

evil "" '{"claims": {"preferred_username": "alice"}}' >/dev/null
try "$OP"
[ "$code $location $told" = "303 / none" ]; tap $? "S3.17 where all is well nothing is told"
try "$OP/"
tells 403 "$NOT_NOW" "discovery_issuer: discovery: the document says $OP, not $OP/" "S3.17 an issuer with a slash too many: both are named"
try "$OP/realms/none"
tells 403 "$NOT_NOW" "provider_status: discovery: it answered 404" "S3.17 an issuer that is a page of nothing: the status"
try "https://$closed"
tells 503 "$NO_ANSWER" "provider_unreachable: discovery: The connection was refused by 127.0.0.1.*" "S3.17 an issuer where nobody listens: so it is called"
try "https://no-such-name.invalid"
tells 503 "$NO_ANSWER" "provider_unreachable: discovery: .*no-such-name.invalid.*" "S3.17 an issuer whose name is misspelt: the name"
evil "" '{"fault": "token_client"}' >/dev/null
try "$OP"
tells 403 "$NOT_NOW" "token_refused: token: it answered 401, invalid_client: compare client ID and secret" \
	"S3.17 a wrong client secret: where to look"

# Five minutes off: more than the minute that is borne.
now=$(date +%s)
evil "" "{\"fault\": \"\", \"claims\": {\"preferred_username\": \"alice\", \"iat\": $((now + 300)), \"exp\": $((now + 600))}}" >/dev/null
try "$OP"
tells 403 "$NOT_NOW" "future: .*compare the clocks" "I3.5 a provider's clock five minutes ahead: the clocks"
evil "" "{\"claims\": {\"preferred_username\": \"alice\", \"iat\": $((now - 700)), \"exp\": $((now - 300))}}" >/dev/null
try "$OP"
tells 403 "$NOT_NOW" "expired: .*compare the clocks" "I3.5 five minutes behind as well"
evil "" "{\"claims\": {\"preferred_username\": \"alice\", \"iat\": $(($(date +%s) + 40)), \"exp\": $(($(date +%s) + 600))}}" >/dev/null
try "$OP"
[ "$code $told" = "303 none" ]; tap $? "I3.5 forty seconds are borne"

# ---- the DNS, and the master key -------------------------------------------------------------------

api POST /organizations/default/sso-domains '{"domain": "example.edu", "connection": "c1"}'
[ "$status" = 201 ]; tap $? "S3.18 a domain is claimed"
api POST /organizations/default/sso-domains/example.edu/verify
[ "$(get .error.code)" = DNS_UNAVAILABLE ]; tap $? "S3.18 with the DNS gone nothing is proven, and nothing called unproven"
api GET /organizations/default/sso-domains
[ "$(get '.[0] | "\(.proven) \(.checked_at)"')" = "false null" ]; tap $? "S3.18 nor noted as looked at"
central_stop
mv "$T/master.keys" "$T/elsewhere"
run "$CENTRAL" -c "$T/central.conf" serve
[ "$status" != 0 ] && has "$err" "$T/master.keys: No such file or directory" && has "$err" "SECRETS"
tap $? "S3.19 without its master keys the service does not start, names the file, and says where to read"
mv "$T/elsewhere" "$T/master.keys"
central_run; tap $? "S3.19 with them it does"
evil "" '{"claims": {"preferred_username": "alice"}}' >/dev/null
b somebody /sso/c1/start; at somebody "$location"; b somebody "${location#"$CENTRAL_URL"}"
[ "$status" = 303 ]; tap $? "S3.19 and its secrets open again"
central_stop; tap $? "I3 the service ends in good order"
tap_end
