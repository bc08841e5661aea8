#!/bin/bash
# SPDX-License-Identifier: MIT
# Logins through a real OpenID provider (oidc-provider), curl being the browser that fills in its
# forms: accounts, addresses, keys that change, refresh tokens, back-channel logout.
set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh
# shellcheck source=tests/central/oidc.sh
. tests/central/oidc.sh
# shellcheck source=tests/idp/lib.sh
. tests/idp/lib.sh
out='' err='' status=''
cli_home
{ ca_make IP:127.0.0.1 && master_make; } || tap_bail "there are no certificates"
: >"$T/zone"
python3 tests/idp/dns.py 127.0.0.1:0 "$T/zone" >"$T/dns" 2>&1 &
cli_pids+=($!)
for _ in $(seq 100); do [ -s "$T/dns" ] && break; sleep 0.05; done
central_start "$(printf '[secrets]\nmaster_keys = %s\n[sso]\nca_file = %s\nprivate_addresses = yes\nrefresh = 60s\ndns = 127.0.0.1:%s\n' \
	"$T/master.keys" "$T/ca.pem" "$(cat "$T/dns")")" || tap_bail "the service does not start"
algs=(ES256 RS256 EdDSA)
fields=()
clients=()
for alg in "${algs[@]}"; do
	clients+=(--client "{\"client_id\": \"prism-$alg\", \"client_secret\": \"a secret: $alg/+%\",
		\"redirect_uris\": [\"$CENTRAL_URL/sso/${alg,,}/callback\"], \"id_token_signed_response_alg\": \"$alg\",
		\"backchannel_logout_uri\": \"$CENTRAL_URL/sso/${alg,,}/logout\"}")
done
op_start op --ca "$T/central/tls.crt" --cert "$T/idp.pem" --key "$T/idp.key" "${clients[@]}" ||
	tap_bail "the provider does not start"

connect() { # ALG [JSON]
	api POST /organizations/default/sso-connections "$(jq -n --arg a "$1" --arg s "${1,,}" --arg i "$OP_URL" \
		--argjson m "${2:-{\}}" '{slug: $s, name: "Example University", type: "oidc", issuer: $i, client_id: ("prism-" + $a),
			client_secret: ("a secret: " + $a + "/+%"), auto_provision: true, enabled: true} + $m')"
	[ "$status" = 201 ]
}
# From our redirect by the provider's form and back.
login() { # JAR SLUG PERSON [QUERY]
	b "$1" "/sso/$2/start${4:+?$4}"
	at "$1" "$location"
	case $location in
	/interaction/*)
		local form=$OP_URL$location
		at "$1" "$form" --data-urlencode "username=$3" --data-urlencode "password=$3-at-campus"
		at "$1" "$location"
		# Consent, which it gives by itself.
		[[ $location != /interaction/* ]] || { at "$1" "$OP_URL$location"; at "$1" "$location"; }
		;;
	esac
	b "$1" "${location#"$CENTRAL_URL"}"
}
who() { # JAR
	b "$1" /
	sed -n 's/.*<span>\([^<]*\)<\/span> <button class="quiet">Log out.*/\1/p' <<<"$out"
}

boss_token
for alg in "${algs[@]}"; do
	connect "$alg"
	login "$alg" "${alg,,}" alice
	[ "$status" = 303 ] && [[ $(who "$alg") == alice* ]]; tap $? "S3.16 a login through a real provider, $alg"
done
login again es256 alice
[ "$(who again)" = alice ]; tap $? "S3.17 the same person again"
b again "/sso/es256/start"; at again "$location"
[[ $location == "$CENTRAL_URL/sso/es256/callback?"* ]]; tap $? "S3.16 the provider's own session is enough"
b again "/sso/es256/start?fresh=1"; at again "$location"
[[ $location == /interaction/* ]]; tap $? "I3.4 but not where the login must be fresh: the provider asks"
login again es256 alice fresh=1
[ "$status" = 303 ]; tap $? "I3.4 which is taken"

# ---- addresses -------------------------------------------------------------------------------------

api POST /organizations/default/sso-domains '{"domain": "example.edu", "connection": "rs256"}'
echo "$(get .record_name) $(get .record_value)" >"$T/zone"
api POST /organizations/default/sso-domains/example.edu/verify
[ "$status" = 200 ]; tap $? "S3.18 the domain is proven"
api POST /users '{"username": "robert", "email": "bob@example.edu", "name": "Bob", "password": "bob likes tea a lot"}'
login bob rs256 bob
has "$(shown)" "The Prism account robert has your address"; tap $? "S3.18 its verified address finds the account that has it"
for field in csrf state account seen; do fields+=(--data-urlencode "$field=$(form_field $field)"); done
b bob /sso/rs256/claim "${fields[@]}" --data-urlencode answer=keep
[ "$(who bob)" = robert ]; tap $? "S3.17 which he says is his"
login mallory rs256 mallory
[ -z "$(who mallory)" ] || [ "$(who mallory)" = mallory ]; tap $? "S3.17 an unverified one finds nobody's"
login bob2 es256 bob
[ "$(who bob2)" != robert ]; tap $? "S3.18 nor does another connection's"

# ---- keys ------------------------------------------------------------------------------------------

idp_admin "$OP_ADMIN" POST /keys/drop >/dev/null
login keys es256 alice
[ "$(who keys)" = alice ]; tap $? "S3.16 the provider's keys change, and the new ones are found"

# ---- its end ---------------------------------------------------------------------------------------

told=$(idp_admin "$OP_ADMIN" POST /logout/alice)
[ "$(jq -r '[.[] | select(.client == "prism-ES256") | .status] | unique | join(",")' <<<"$told")" = 200 ]
tap $? "I3.4 the provider's back-channel logout is taken"
[ -z "$(who again)" ] && [ -z "$(who keys)" ]; tap $? "I3.4 and ends the browsers' logins"
[ "$(db "SELECT auth_at FROM sso_identities i JOIN sso_connections c ON c.id = i.connection_id WHERE c.slug = 'es256' AND i.subject = 'sub-alice'")" = 0 ]
tap $? "I3.4 and the login's freshness"

due() { db "PRAGMA busy_timeout = 5000; UPDATE sso_identities SET refresh_due = 1 WHERE refresh_due > 0" >/dev/null; }
settled() {
	for _ in $(seq 200); do
		[ "$(db "SELECT count(*) FROM sso_identities WHERE refresh_due = 1")" = 0 ] && return
		sleep 0.1
	done
	return 1
}
api PATCH /organizations/default/sso-connections/eddsa '{"scopes": "openid profile email offline_access"}'
login chen eddsa chen
[ "$(who chen)" = chen ] && [ "$(db "SELECT count(*) FROM sso_identities WHERE refresh_due > 0")" = 1 ]
tap $? "I3.4 with offline_access there is a refresh token"
for n in 1 2; do
	before=$(db "SELECT refresh_token FROM sso_identities WHERE refresh_due > 0")
	due; settled
	[ "$(who chen)" = chen ] && [ "$(db "SELECT refresh_token FROM sso_identities WHERE refresh_due > 0")" != "$before" ]
	tap $? "I3.4 which works, time $n"
done
idp_admin "$OP_ADMIN" POST /revoke/chen >/dev/null
due; settled
[ -z "$(who chen)" ]; tap $? "I3.4 until the provider has revoked it"
login chen eddsa chen
[ "$(who chen)" = chen ]; tap $? "I3.4 a new login is one"
idp_admin "$OP_ADMIN" PATCH /people/chen '{"disabled": true}' >/dev/null
due; settled
[ -z "$(who chen)" ]; tap $? "I3.4 and ends when the institution shuts the account"
idp_stop "$IDP_PID"
b off /sso/es256/start; tap "$([ "$status" = 303 ]; echo $?)" "S3.16 the metadata is still known while the provider is away"
! grep -qE 'pb[sl]_|eyJ|a secret:' "$T/central.log"; tap $? "STYLE 18 the log has no secret"
central_stop; tap $? "I3 the service ends in good order"
tap_end
