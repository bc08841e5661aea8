#!/bin/bash
# SPDX-License-Identifier: MIT
# prism sso: the owner of an organization connects its login provider, from the command line.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
cli_home
# shellcheck disable=SC2119
central_start || tap_bail "prism-central does not start"
boss_login >/dev/null 2>&1 || tap_bail "boss cannot log in"

echo very-secret-client-word >"$T/secret"
add=(prism sso add uni --type oidc --issuer https://login.uni.edu --client-id prism --client-secret-file "$T/secret")
run as boss "${add[@]}"
[ "$status" = 1 ] && has "$err" "no key to seal secrets" && has "$err" "[secrets]"
tap $? "S3.19 without a master key a secret is refused, and the error says what to do"

central_stop
"$CENTRAL" -c "$T/central.conf" secrets new-key >"$T/master.keys" 2>/dev/null
chmod 600 "$T/master.keys"
printf '[secrets]\nmaster_keys = %s\n[sso]\nsaml_helper = %s\n' "$T/master.keys" "$B/prism-saml" >>"$T/central.conf"
central_run || tap_bail "prism-central does not start again"

run as boss "${add[@]}" --name "University of X" --map email=mail,name=displayName --auto-provision yes
[ "$status" = 0 ] && has "$out" "Connection Made" && has "$out" "$CENTRAL_URL/sso/uni/callback" &&
	has "$out" "$CENTRAL_URL/sso/uni/logout" && has "$out" "sso domain add DOMAIN --connection uni" &&
	has "$out" "--enabled yes" && ! has "$out" "no domain is proven"
tap $? "S3.17 sso add shows what the provider's administrator has to enter there, and what is next"
! has "$out" very-secret && ! grep -aq very-secret "$T/central/prism.db" "$T/central/prism.db-wal" "$T/central.log"
tap $? "S3.19 the client secret is shown nowhere and stored sealed"
run as boss prism sso show uni --json
[ "$(jq -c '[.enabled, .auto_provision, .has_client_secret, .mapping.email, .scopes]' <<<"$out")" = \
	'[false,true,true,"mail","openid profile email"]' ]
tap $? "S3.17 sso show has the settings as JSON"
run as boss prism sso edit uni --enabled yes --allowed-roles member,admin
[ "$status" = 0 ] && has "$out" "Enabled:        Yes"; tap $? "S3.16 sso edit enables it"
has "$out" "no domain is proven"; tap $? "S3.17 and says that it makes accounts before a domain is proven"
run as boss prism sso list
[ "$status" = 0 ] && grep -q 'uni  *University of X  *oidc  *Enabled' <<<"$out"; tap $? "S3.16 sso list"

openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -out "$T/idp.pem" -days 30 -subj /CN=idp 2>/dev/null
run as boss prism sso add uni-saml --type saml --issuer https://idp.uni.edu/metadata --entry-point https://idp.uni.edu/sso \
	--certificate-file "$T/idp.pem"
[ "$status" = 0 ] && has "$out" "$CENTRAL_URL/sso/uni-saml/acs"; tap $? "S3.17 a SAML connection shows entity id and consumer address"
run as boss prism sso metadata uni-saml
[ "$status" = 0 ] && has "$out" "EntityDescriptor" && has "$out" "$CENTRAL_URL/sso/uni-saml/acs"
tap $? "S3.17 sso metadata prints the service provider's metadata"
run as boss prism sso metadata no-such
[ "$status" = 1 ] && has "$err" "status 404" && has "$err" "prism-saml"; tap $? "S3.17 and none for a connection that is not there"
run as boss prism sso metadata uni
[ "$status" = 1 ] && has "$err" "status 404" && has "$err" "of SAML connections"; tap $? "S3.17 nor for one that speaks OpenID Connect"
for text in "" "\\n"; do
	printf '%b' "$text" >"$T/empty"
	run as boss prism sso edit uni --client-secret-file "$T/empty"
	[ "$status" = 5 ] && has "$err" "$T/empty is empty"; tap $? "S3.19 an empty file is no secret"
done
fingerprint=$(openssl x509 -in "$T/idp.pem" -noout -fingerprint -sha256 | sed 's/.*=//')
run as boss prism sso show uni-saml
[ "$status" = 0 ] && has "$out" "The provider signs with:" && has "$out" "$fingerprint" && has "$out" "CN=" &&
	[[ $out =~ "Ends:"\ +[0-9]+" "[A-Z][a-z]+" 20" ]]
tap $? "I3.2 sso show: the provider's certificate, its SHA-256 and its end"
[[ $out == *"Prism signs with:"*"Use:"*Current*"SHA-256:"* ]] && has "$out" "CN=prism uni-saml"; tap $? "I3.2 and our own"
run as boss prism sso list
[ "$status" = 0 ] && [[ $out =~ uni-saml.*"Certificate ends soon" ]]; tap $? "I3.2 sso list tells which ends soon"
run as boss prism sso certificate switch uni-saml
[ "$status" = 1 ] && has "$err" "prism sso certificate next uni-saml"; tap $? "I3.2 without a next certificate there is nothing to switch to"
run as boss prism sso certificate next uni-saml
[ "$status" = 0 ] && has "$out" "Next, published since" && has "$out" "prism sso certificate switch uni-saml" &&
	has "$out" "$CENTRAL_URL/sso/uni-saml/metadata"
tap $? "I3.2 sso certificate next says who has to read what"
is "$(as boss prism sso metadata uni-saml | grep -o 'use="signing"' | wc -l)" 2 "I3.2 the metadata have both"
run as boss prism sso certificate switch uni-saml
[ "$status" = 1 ] && has "$err" "--force"; tap $? "I3.2 switched at once it is refused, but with --force"
run as boss prism sso certificate switch uni-saml --force
[ "$status" = 0 ] && has "$out" "Former, since" && has "$out" "same command again"; tap $? "I3.2 which says how to go back"
run as boss prism sso certificate drop uni-saml --force --json
[ "$status" = 0 ] && [ "$(jq -r '[.sp_certificates[].use] | join(" ")' <<<"$out")" = current ]; tap $? "I3.2 dropped, as JSON"

echo "no certificate" >"$T/bad.pem"
run as boss prism sso edit uni-saml --certificate-file "$T/bad.pem"
[ "$status" = 1 ] && has "$err" "no certificate in PEM"; tap $? "S3.17 a file that is no certificate is refused"

run as boss prism sso domain add uni.edu --connection uni
[ "$status" = 0 ] && has "$out" '_prism-challenge.uni.edu TXT "prism-domain-verification='
tap $? "S3.16 sso domain add shows the record that proves it"
run as boss prism sso domain list --json
[ "$(jq -c '[.[].domain, .[].proven]' <<<"$out")" = '["uni.edu",false]' ]; tap $? "S3.16 and it is not proven"
run as boss prism sso domain add uni.edu --connection uni-saml
[ "$status" = 1 ] && has "$err" "another connection"; tap $? "S3.18 a domain is claimed once"
run as boss prism sso domain remove uni.edu
[ "$status" = 0 ]; tap $? "S3.16 a domain is given up"

out=$(as boss prism sso show uni)
! has "$out" "Last refused"; tap $? "S3.17 sso show: nobody was refused yet"
curl -sS -k -o "$T/page" -H 'Sec-Fetch-Site: none' "$CENTRAL_URL/sso/uni/start"
run as boss prism sso show uni
[ "$status" = 0 ] && [[ $out =~ "Last refused: "[^,]+", provider_"[a-z]+": discovery: "[A-Z] ]]
tap $? "S3.17 sso show says when and why a login was refused last"
[ "$(as boss prism sso show uni --json | jq -r '.last_refusal | keys | join(" ")')" = "at detail fault" ]; tap $? "S3.17 in JSON as well"

run as boss prism sso link uni --json
has "$(jq -r .url <<<"$out")" "$CENTRAL_URL/sso/uni/start?link="; tap $? "I3.2 sso link shows an address that works once"
run as boss prism sso identities
[ "$status" = 0 ] && has "$out" "None."; tap $? "I3.2 sso identities"
run as boss prism sso unlink 12345
[ "$status" = 1 ]; tap $? "I3.2 sso unlink of what is not there is refused"

run as boss prism sso edit uni --enforce maybe
[ "$status" = 2 ] && has "$err" "yes or no"; tap $? "S3.16 a switch is yes or no"
run as boss prism sso edit uni --map email
[ "$status" = 2 ] && has "$err" "WORD=CLAIM"; tap $? "S3.17 a mapping has words and claims"
run as boss prism sso edit uni
[ "$status" = 2 ] && has "$err" "Nothing is said"; tap $? "S3.17 an edit of nothing says so"
run as boss prism sso show no-such
[ "$status" = 1 ] && has "$err" "prism sso list"; tap $? "S3.17 a connection that is not there: what to run"
python3 - "$T/central/prism.db" <<-'END'
	import sqlite3, sys
	d = sqlite3.connect(sys.argv[1], timeout=10)
	d.execute("INSERT INTO sso_identities (id, organization_id, connection_id, user_id, issuer, subject, email,"
	    " created_at) SELECT 77, organization_id, c.id, u.id, c.issuer, 'boss', '', 1 FROM sso_connections c, users u"
	    " WHERE c.slug = 'uni-saml' AND u.username = 'boss'")
	d.commit()
END
run as boss prism sso remove uni-saml
[ "$status" = 1 ] && has "$err" "1 people log in through uni-saml." && has "$err" "sso remove uni-saml --force" &&
	! has "$err" "force=1"
tap $? "S3.16 sso remove of one that people use: in the words of the command line"
run as boss prism sso remove uni-saml --force
[ "$status" = 0 ] && has "$out" "claims of domains" && has "$out" "keep their accounts"; tap $? "S3.16 sso remove"

as boss prism project create lab >/dev/null
run as boss prism project edit lab --sso-max-age 8h
[ "$status" = 0 ] && has "$out" "no older than 8h"; tap $? "S3.16 project edit --sso-max-age asks for fresh logins"
run as boss prism project show lab --json
[ "$(jq .sso_max_age <<<"$out")" = 28800 ]; tap $? "S3.16 and project show has it"
run as boss prism sso edit uni --enabled no
[ "$status" = 1 ] && has "$err" "lab" && has "$err" "--sso-max-age none"; tap $? "S3.16 the last connection is not disabled under it"
run as boss prism sso edit uni --enabled no --force
[ "$status" = 0 ]; tap $? "S3.16 but by --force"
run as boss prism project edit lab --sso-max-age 4h
[ "$status" = 1 ] && has "$err" "prism sso add"; tap $? "S3.16 then nothing is asked for that nobody could renew"
run as boss prism sso edit uni --enabled yes
run as boss prism project edit lab --sso-max-age 2s
[ "$status" = 1 ]; tap $? "S3.16 two seconds are refused"
run as boss prism project edit lab --sso-max-age none --name "The Lab"
[ "$status" = 0 ] && has "$out" "The Lab" && ! has "$out" "no older"; tap $? "S3.16 none asks for no such login"
run as boss prism project edit lab --sso-max-age often
[ "$status" = 2 ] && has "$err" "8h or 7d"; tap $? "S3.16 a duration is explained"

# Somebody without a say in the organization
invite alice@uni.edu lab >"$T/token"
as alice prism invitation accept "$(cat "$T/token")" --username alice --yes >/dev/null 2>&1
token=$(jq -r '.servers[].token' "$T/people/boss/.prism/credentials.json")
curl -fsS -o "$T/answer" -X PUT -H "Authorization: Bearer $token" -H "Content-Type: application/json" \
	-d '{"role":"member"}' "$CENTRAL_PLAIN/api/v1/organizations/default/members/alice"
run as boss prism sso edit uni --enforce yes
[ "$status" = 0 ] && has "$out" "closes nothing to 1 member of the organization"
tap $? "S3.16 enforcing says whom it spares"
run as boss prism sso edit uni --enforce no
[ "$status" = 0 ] && ! has "$out" "closes nothing"; tap $? "S3.16 and nothing of it otherwise"
run as alice prism sso link no-such
[ "$status" = 1 ] && has "$err" "Ask whoever" && ! has "$err" "sso list"; tap $? "I3.2 members are not sent to a list that they may not read"
run as alice prism sso list --organization default
[ "$status" = 1 ] && has "$err" "organization"; tap $? "S3.12 members see no connections"
tap_end
