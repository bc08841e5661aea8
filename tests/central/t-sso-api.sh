#!/bin/bash
# SPDX-License-Identifier: MIT
# Login connections, domains and identities over the API of a real service, with a name server of our
# own: what is stored and how, who may, what is refused; and the local ways once they are closed.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/central/api.sh
sql() { sqlite3 -cmd '.timeout 5000' "$dir/state/prism.db" "$1"; }
in_database() { grep -qa -- "$1" "$dir"/state/prism.db*; }
v=/api/v1 c=$v/organizations/acme/sso-connections d=$v/organizations/acme/sso-domains

# ---- the stage ----
mkdir -m 700 "$dir/dns"
echo '{}' >"$dir/dns/zone.json"
echo hush-in-plain-sight >"$dir/secrets" # for tests/secrets.sh
python3 tests/central/dns_server.py "$dir/dns" 2>"$dir/dns/errors" &
pids+=($!)
for _ in $(seq 100); do [ -s "$dir/dns/port" ] && break; sleep 0.05; done
[ -s "$dir/dns/port" ]; say $? "S3.18 the name server of the test runs"
stage '[sso]' "dns = 127.0.0.1:$(cat "$dir/dns/port")"
account chief
start
is "$status" 200 "I3.2 the service runs"
login() { # NAME: sets $token
  token=
  ask POST $v/sessions "{\"login\":\"$1\",\"password\":\"correct horse battery\"}"
  token=$(get .token)
}
login chief; chief=$token
for name in olga adam mia out; do
  ask POST $v/users "{\"username\":\"$name\",\"email\":\"$name@uni.edu\",\"password\":\"correct horse battery\"}"
done
for org in acme rival; do ask POST $v/organizations "{\"slug\":\"$org\"}"; done
ask PUT $v/organizations/acme/members/olga '{"role":"owner"}'
ask PUT $v/organizations/acme/members/adam '{"role":"admin"}'
ask PUT $v/organizations/acme/members/mia '{"role":"member"}'
ask PUT $v/organizations/rival/members/out '{"role":"owner"}'
login olga; olga=$token
login adam; adam=$token
login mia; mia=$token
login out; rival=$token

# ---- without a master key ----
token=$olga
oidc='{"slug":"acme-oidc","type":"oidc","name":"Acme","issuer":"https://idp.acme.com/","client_id":"prism","client_secret":"hush-in-plain-sight"}'
wants NO_MASTER_KEY "S3.19 without a master key a secret is refused" POST $c "$oidc"
wants NO_MASTER_KEY "S3.19 and so is a key of our own" POST $c '{"slug":"acme-saml","type":"saml"}'
wants 200 "S3.19 nothing of it" GET $c
is "$(get length)" 0 "S3.19 is stored"
wants 201 "S3.17 a public client needs none" POST $c "$(jq 'del(.client_secret) | .slug = "public"' <<<"$oidc")"
wants NO_MASTER_KEY "S3.19 nor can one get a secret" PATCH $c/public '{"client_secret":"hush-in-plain-sight","name":"Other"}'
wants 200 "S3.19 the request" GET $c/public
is "$(get '[.name, .has_client_secret] | join(" ")')" "Acme false" "S3.19 changed nothing at all"
wants 204 "S3.17 deleted" DELETE $c/public
! in_database hush-in-plain-sight; say $? "S3.19 the secret is nowhere in the database"
stop
"$central" -c "$dir/central.conf" secrets new-key >"$dir/master.keys" 2>>"$dir/log" && chmod 600 "$dir/master.keys"
printf '[secrets]\nmaster_keys = %s\n' "$dir/master.keys" >>"$dir/central.conf"
start
is "$status" 200 "S3.19 the service starts with a master key"

# ---- OIDC ----
wants 201 "S3.17 an OIDC connection" POST $c "$oidc"
is "$(get '[.slug, .name, .organization, .type, .enabled, .issuer, .client_id, .has_client_secret, .scopes, .default_role,
  .enforce_sso, .auto_provision, .has_certificate, .entry_point] | map(tostring) | join("|")')" \
  "acme-oidc|Acme|acme|oidc|false|https://idp.acme.com/|prism|true|openid profile email|member|false|false|false|null" "S3.17 as asked, with the defaults"
is "$(get '[.redirect_uri, .logout_url, .metadata_url] | map(tostring) | join("|")')" \
  "https://prism.test/sso/acme-oidc/callback|https://prism.test/sso/acme-oidc/logout|null" "S3.17 with what the provider wants to know"
[[ $out != *hush* ]]; say $? "S3.19 the answer has no secret"
id=$(get .id)
wants 200 "S3.17 by its id as well" GET "$c/$id"
[[ $out != *hush* ]]; say $? "S3.19 nor has it when it is shown"
! in_database hush-in-plain-sight; say $? "S3.19 in the database it is sealed"
sealed() { sql "SELECT COALESCE(client_secret, 'none') FROM sso_connections WHERE slug = 'acme-oidc'"; }
before=$(sealed)
[[ $before == v1.* ]]; say $? "S3.19 with the data key"
wants 200 "S3.17 changed" PATCH $c/acme-oidc '{"scopes":"openid email groups","mapping":{"role":"realm.roles","email":"mail"},"enabled":true}'
is "$(get '[.scopes, .mapping.role, .mapping.email, .enabled, .has_client_secret] | map(tostring) | join("|")')" "openid email groups|realm.roles|mail|true|true" "S3.17 as asked"
is "$(sealed)" "$before" "S3.19 a secret that is left out stays"
wants 200 "S3.19 null" PATCH $c/acme-oidc '{"client_secret":null}'
is "$(sealed) $(get .has_client_secret)" "none false" "S3.19 takes it away"
wants 200 "S3.19 another one" PATCH $c/acme-oidc '{"client_secret":"hush-in-plain-sight"}'
[ "$(sealed)" != "$before" ]; say $? "S3.19 is sealed anew"
wants NAME_TAKEN "S3.17 slugs are unique" POST $c "$oidc"
token=$rival
wants NAME_TAKEN "S3.17 across organizations" POST $v/organizations/rival/sso-connections "$oidc"
token=$olga

refused() { # TEST JSON [CODE]: of a PATCH
  wants "${3:-INVALID_VALUE}" "S3.17 refused: $1" PATCH $c/acme-oidc "$2"
}
for issuer in http://idp.acme.com http://127.0.0.1:1 ftp://x.org idp.acme.com 'https://x.org/?a=1' 'https://x.org/#a' 'https://me:pw@x.org' 'https://x.org/a b' 'https://'; do
  refused "issuer $issuer" "$(jq -n --arg i "$issuer" '{issuer: $i}')"
done
refused "an issuer that is too long" "$(jq -n '{issuer: ("https://x.org/" + ("a" * 600))}')"
for scopes in '' profile 'openid  email' ' openid' 'openid ' 'openid"'; do
  refused "scopes '$scopes'" "$(jq -n --arg s "$scopes" '{scopes: $s}')"
done
refused "a mapping of other words" '{"mapping":{"password":"x"}}'
refused "a claim with blanks" '{"mapping":{"email":"a b"}}'
refused "a claim that is too long" "$(jq -n '{mapping: {email: ("a" * 129)}}')"
refused "a mapping that is none" '{"mapping":["email"]}'
refused "a role that is not there" '{"default_role":"emperor"}'
refused "a project's role" '{"default_role":"viewer"}'
refused "allowed roles that are none" '{"allowed_roles":["member","emperor"]}'
refused "an empty secret" '{"client_secret":""}'
refused "a secret of two lines" '{"client_secret":"a\nb"}'
refused "a flag that is none" '{"enabled":"yes"}'
refused "another slug" '{"slug":"other"}'
refused "another type" '{"type":"saml"}'
refused "what SAML has" '{"entry_point":"https://idp.acme.com/sso"}'
refused "a certificate" '{"certificate":null}'
refused "enabled without a client" '{"client_id":null}'
wants INVALID_VALUE "S3.17 refused: a slug that is none" POST $c '{"slug":"Acme","type":"oidc"}'
wants INVALID_VALUE "S3.17 refused: a type that is none" POST $c '{"slug":"acme-x","type":"ldap"}'
wants INVALID_VALUE "S3.17 refused: enabled with nothing" POST $c '{"slug":"acme-x","type":"oidc","enabled":true}'

# ---- SAML ----
cert() { # NAME DAYS ARGS...: a certificate of a provider
  openssl req -x509 -nodes -subj /CN=idp -days "$2" -keyout "$dir/$1.key" -out "$dir/$1.pem" "${@:3}" 2>/dev/null
}
cert good 400 -newkey rsa:2048
cert other 400 -newkey rsa:3072
cert curve 400 -newkey ec -pkeyopt ec_paramgen_curve:P-256
cert weak 400 -newkey rsa:1024
cert soon 2 -newkey rsa:2048
openssl req -new -key "$dir/soon.key" -subj /CN=gone 2>/dev/null |
  openssl x509 -req -signkey "$dir/soon.key" -days -1 -out "$dir/gone.pem" 2>/dev/null
with() { jq -n --rawfile c "$1" "${@:2}"; }
wants 201 "S3.17 a SAML connection, before its provider is known" POST $c '{"slug":"acme-saml","type":"saml"}'
is "$(get '[.metadata_url, .acs_url, .entity_id, .client_id] | map(tostring) | join("|")')" \
  "https://prism.test/sso/acme-saml/metadata|https://prism.test/sso/acme-saml/acs|https://prism.test/sso/acme-saml/metadata|null" "S3.17 with what the provider wants to know"
get .sp_certificate >"$dir/sp.pem"
openssl x509 -in "$dir/sp.pem" -noout -text 2>/dev/null | grep -q 'Public-Key: (2048 bit)' &&
  openssl verify -CAfile "$dir/sp.pem" "$dir/sp.pem" >/dev/null 2>&1
say $? "S3.17 and a certificate of our own key"
wants INVALID_VALUE "S3.17 it is not enabled before it is complete" PATCH $c/acme-saml '{"enabled":true}'
wants 200 "S3.17 certificate, entry point, issuer" PATCH $c/acme-saml \
  "$(with "$dir/good.pem" '{certificate: $c, entry_point: "https://idp.acme.com/sso?x=1", issuer: "urn:acme:idp", enabled: true}')"
is "$(get '[.has_certificate, .entry_point, .issuer, .enabled, .warnings] | map(tostring) | join("|")')" "true|https://idp.acme.com/sso?x=1|urn:acme:idp|true|null" "S3.17 enable it"
[[ $out != *"$(sed -n 3p "$dir/good.pem")"* ]]; say $? "S3.19 the answer has no provider's certificate"
! in_database "$(sed -n 3p "$dir/good.pem")" && ! in_database 'PRIVATE KEY'; say $? "S3.19 certificate and key are sealed"
cat "$dir/good.pem" "$dir/other.pem" >"$dir/two.pem"
wants 200 "S3.17 two certificates, while a provider changes its key" PATCH $c/acme-saml "$(with "$dir/two.pem" '{certificate: $c}')"
seen() { get "[.certificates[] | [.fingerprint, .subject, .state] | join(\" \")] | join(\"|\")"; }
fingerprint() { openssl x509 -noout -fingerprint -sha256 | sed 's/.*=//'; }
is "$(seen)" "$(fingerprint <"$dir/good.pem") CN=idp good|$(fingerprint <"$dir/other.pem") CN=idp good" "I3.2 the owner sees both: fingerprint, subject, state"
is "$(get '.certificates[0].not_after')" "$(date -u -d "$(openssl x509 -in "$dir/good.pem" -noout -enddate | sed 's/.*=//')" +%FT%TZ)" "I3.2 and when each ends"
wants 200 "I3.2 the same" GET $c
is "$(get '[.[] | [.slug, (.certificates | length), .warnings] | map(tostring) | join(" ")] | join("|")')" "acme-oidc 0 null|acme-saml 2 null" "I3.2 in the list"
is "$(get '.[0].certificates')" null "I3.2 an OIDC connection has none"
cat "$dir/good.pem" "$dir/gone.pem" >"$dir/one-gone.pem"
wants 200 "I3.2 one that has ended, beside a good one" PATCH $c/acme-saml "$(with "$dir/one-gone.pem" '{certificate: $c}')"
is "$(get '.certificates[].state' | paste -sd' ') $(get '.warnings | length')" "good expired 1" "I3.2 is told as such"
[[ $(get '.warnings[0]') == *"has expired"*"$(fingerprint <"$dir/gone.pem")"* ]]; say $? "I3.2 with the fingerprint that tells which"
wants 200 "S3.17 one that ends soon" PATCH $c/acme-saml "$(with "$dir/soon.pem" '{certificate: $c}')"
[[ $(get '.warnings[0]') == *"within a month"* ]]; say $? "S3.17 is taken with a warning"
is "$(seen)" "$(fingerprint <"$dir/soon.pem") CN=idp ends_soon" "I3.2 and shown with it"
stop
mv "$dir/log" "$dir/log.before"
start
told() { grep -c " sso_certificate connection=\"acme-saml\" .*whose=\"provider\" status=\"ends_soon\" .*$(fingerprint <"$dir/soon.pem")" "$dir/log"; }
for _ in $(seq 100); do [ "$(told)" -gt 0 ] && break; sleep 0.05; done
is "$(told)" 1 "I3.2 the service's log tells of it once, when it starts"
is "$(grep -c ' sso_certificate ' "$dir/log")" 1 "I3.2 and of no other"
for file in weak.pem curve.pem good.key password; do
  wants INVALID_VALUE "S3.17 refused as a certificate: $file" PATCH $c/acme-saml "$(with "$dir/$file" '{certificate: $c}')"
done
wants INVALID_VALUE "S3.17 refused: a certificate that breaks off" PATCH $c/acme-saml "$(head -n 5 "$dir/good.pem" | jq -Rs '{certificate: .}')"
wants INVALID_VALUE "S3.17 refused: no certificate while it is enabled" PATCH $c/acme-saml '{"certificate":null}'
wants INVALID_VALUE "S3.17 refused: a client secret" PATCH $c/acme-saml '{"client_secret":"x"}'
wants INVALID_VALUE "S3.17 refused: an entry point without TLS" PATCH $c/acme-saml '{"entry_point":"http://idp.acme.com/"}'

# ---- our own key, and the next ----
step() { ask POST "$c/${2:-acme-saml}/certificate" "{\"step\":\"$1\"${3-}}"; }
ours() { get '[.sp_certificates[].use] | join(" ")'; }
of() { get ".sp_certificates[] | select(.use == \"$1\") | .fingerprint"; }
ask GET $c/acme-saml
first=$(of current)
is "$(ours) $first" "current $(get .sp_certificate | fingerprint)" "I3.2 our own certificate is shown as well"
is "$(get '.sp_certificates[0].subject')" "CN=prism acme-saml" "I3.2 with its subject"
for text in switch drop; do step $text; is "$(code)" CONFLICT "I3.2 there is none to $text yet"; done
step forward; is "$(code)" INVALID_VALUE "I3.2 refused: a step that is none"
step next acme-oidc; is "$(code)" INVALID_VALUE "I3.2 refused: for OpenID Connect"
step next nobody; is "$(code)" SSO_NOT_FOUND "I3.2 refused: for a connection that is none"
step next; is "$status $(ours)" "200 current next" "I3.2 the next one is made"
second=$(of next)
[ -n "$second" ] && [ "$second" != "$first" ] && [ "$(of current)" = "$first" ]; say $? "I3.2 beside the present one, which is still that"
is "$(get '.sp_certificates[] | select(.use == "next") | .pem' | fingerprint)" "$second" "I3.2 it can be given to the provider"
step next; is "$(code)" CONFLICT "I3.2 one next is enough"
step switch; is "$(code)" CONFLICT "I3.2 the provider has a day to read it"
[[ $(get .error.message) == *"from 20"*force* ]]; say $? "I3.2 and the answer says until when"
sql "UPDATE sso_connections SET sp_other_at = sp_other_at - 86400 WHERE slug = 'acme-saml'"
step switch; is "$status $(of current) $(of former)" "200 $second $first" "I3.2 after that it is switched to"
is "$(get .sp_certificate | fingerprint)" "$second" "I3.2 it is our certificate now"
step next; is "$(code)" CONFLICT "I3.2 no third one"
step drop; is "$(code)" CONFLICT "I3.2 the former one stays a day for what is encrypted for it"
step switch; is "$status $(of current) $(of next)" "200 $first $second" "I3.2 the way back is open at once"
"$central" -c "$dir/central.conf" secrets rotate --data acme >>"$dir/log" 2>&1; say $? "S3.19 the organization gets a new data key"
step switch acme-saml ',"force":true'; is "$status $(of current)" "200 $second" "I3.2 --force does not wait, and the keys are found again"
step drop acme-saml ',"force":true'; is "$status $(ours)" "200 current" "I3.2 the former one is dropped"
is "$(sql "SELECT sp_other, sp_other_key IS NULL, sp_other_certificate FROM sso_connections WHERE slug = 'acme-saml'")" "|1|" "I3.2 and nothing is left of it"
! in_database 'PRIVATE KEY'; say $? "S3.19 none of the keys stands there unsealed"
is "$(sql "SELECT group_concat(substr(action, 17), ' ') FROM audit WHERE action LIKE 'sso.certificate.%' AND object = 'sso-connection:acme-saml'")" \
  "next switch switch switch drop" "I3.2 each step is in the audit"
is "$(sql "SELECT json_extract(detail, '\$.fingerprint') FROM audit WHERE action = 'sso.certificate.next'")" "$second" "I3.2 with the fingerprint"
token=$adam; step next; is "$(code)" ORG_FORBIDDEN "S3.12 no admin takes such a step"
token=$rival; ask POST $v/organizations/rival/sso-connections/acme-saml/certificate '{"step":"next"}'
is "$(code)" SSO_NOT_FOUND "S3.16 nor another organization's owner"
token=$olga

# ---- who may ----
for who in adam mia rival; do
  token=${!who}
  wants ORG_FORBIDDEN "S3.12 $who may not look" GET $c
  wants ORG_FORBIDDEN "S3.12 $who may not make one" POST $c '{"slug":"mine","type":"oidc"}'
  wants ORG_FORBIDDEN "S3.12 $who may not change one" PATCH $c/acme-oidc '{"issuer":"https://evil.org"}'
  wants ORG_FORBIDDEN "S3.12 $who may not delete one" DELETE $c/acme-oidc
  wants ORG_FORBIDDEN "S3.12 $who may not claim domains" POST $d '{"domain":"acme.com","connection":"acme-oidc"}'
done
token=$rival
wants SSO_NOT_FOUND "S3.16 another organization's owner does not find it" PATCH $v/organizations/rival/sso-connections/acme-oidc '{"issuer":"https://evil.org"}'
wants SSO_NOT_FOUND "S3.16 nor by its id" DELETE "$v/organizations/rival/sso-connections/$id"
wants SSO_NOT_FOUND "S3.18 nor hangs a domain on it" POST $v/organizations/rival/sso-domains '{"domain":"rival.org","connection":"acme-oidc"}'
# a role that may manage logins, below owner
sql "INSERT INTO roles SELECT 77, id, 'organization', 'sso-admin', 'x', 25, 0 FROM organizations WHERE slug = 'acme';
  INSERT INTO role_permissions VALUES (77, 'orgs:sso:manage');
  UPDATE organization_members SET role_id = 77 WHERE user_id = (SELECT id FROM users WHERE username = 'mia')"
token=$mia
wants 200 "S3.12 a role of their own may" PATCH $c/acme-oidc '{"default_role":"sso-admin"}'
wants ROLE_TOO_HIGH "S3.16 but give no role above it" PATCH $c/acme-oidc '{"default_role":"owner"}'
wants ROLE_TOO_HIGH "S3.16 nor allow one" PATCH $c/acme-oidc '{"allowed_roles":["member","admin"]}'
token=$olga
wants 200 "S3.16 an owner may" PATCH $c/acme-oidc '{"default_role":"member","allowed_roles":["admin","member"]}'
is "$(get '[.default_role, (.allowed_roles | join(","))] | join(" ")')" "member admin,member" "S3.16 roles are shown"
token=$mia
wants ROLE_TOO_HIGH "S3.16 whoever changes it answers for what it gives" PATCH $c/acme-oidc '{"issuer":"https://evil.org"}'

# ---- domains ----
token=$olga
claim() { ask POST $d "{\"domain\":\"$1\",\"connection\":\"${2:-acme-oidc}\"}"; }
claim @Acme.COM
is "$status" 201 "S3.18 a domain is claimed"
is "$(get '[.domain, .connection, .proven, .proven_at, .record_name] | map(tostring) | join("|")')" "acme.com|acme-oidc|false|null|_prism-challenge.acme.com" "S3.18 and has to be proven"
value=$(get .record_value)
[[ $value =~ ^prism-domain-verification=[A-Za-z0-9_-]{43}$ ]]; say $? "S3.18 by a text that nobody guesses"
claim acme.com; is "$status $(get .record_value)" "200 $value" "S3.18 claimed again it is the same claim"
claim acme.com acme-saml; is "$(code)" DOMAIN_ALREADY_USED "S3.18 one connection has it"
for name in gmail.com OUTLOOK.com com localhost 192.0.2.1 'acme..com' '*.acme.com'; do
  claim "$name"; is "$(code)" INVALID_VALUE "S3.18 refused: $name"
done
token=$rival
ask POST $v/organizations/rival/sso-connections '{"slug":"rival","type":"oidc"}'
r=$v/organizations/rival/sso-domains
wants DOMAIN_ALREADY_USED "S3.18 another organization cannot claim it" POST $r '{"domain":"acme.com","connection":"rival"}'
wants DOMAIN_ALREADY_USED "S3.18 nor with a connection" POST $v/organizations/rival/sso-connections '{"slug":"rival2","type":"oidc","domains":["@acme.com"]}'
wants SSO_NOT_FOUND "S3.18 and then there is no such connection" GET $v/organizations/rival/sso-connections/rival2
wants NOT_FOUND "S3.18 nor prove it" POST $r/acme.com/verify
wants NOT_FOUND "S3.18 nor give it up" DELETE $r/acme.com
token=$olga
zone() { # HOW [TEXT]
  jq -n --arg h "$1" --arg t "${2-$value}" '{"_prism-challenge.acme.com": {how: $h, txt: [$t]}}' >"$dir/dns/zone.new" && mv "$dir/dns/zone.new" "$dir/dns/zone.json"
}
answers() { # CODE HOW [TEXT]
  zone "$2" "${3-$value}"
  wants "$1" "S3.18 the DNS answers $2${3+ with another text}: $1" POST $d/acme.com/verify
}
answers DOMAIN_NOT_PROVEN nxdomain
[[ $(get .error.message) == *"$value"*_prism-challenge.acme.com* ]]; say $? "S3.18 and the answer says what to publish"
answers DOMAIN_NOT_PROVEN nodata
answers DOMAIN_NOT_PROVEN ok "prism-domain-verification=x"
answers DOMAIN_NOT_PROVEN other-name
for how in servfail refused short lying-length loop; do answers DNS_UNAVAILABLE $how; done
# What is no answer is waited out: both kinds at once.
claim slow.acme.com
jq -n '{"_prism-challenge.acme.com": {how: "garbage"}, "_prism-challenge.slow.acme.com": {how: "wrong-id"}}' >"$dir/dns/zone.new" &&
  mv "$dir/dns/zone.new" "$dir/dns/zone.json"
curl -sS --unix-socket "$dir/http.sock" -X POST -H "Authorization: Bearer $token" "http://localhost$d/slow.acme.com/verify" >"$dir/slow" &
slow=$!
wants DNS_UNAVAILABLE "S3.18 the DNS answers garbage: DNS_UNAVAILABLE" POST $d/acme.com/verify
wait "$slow"
is "$(jq -r .error.code "$dir/slow")" DNS_UNAVAILABLE "S3.18 the DNS answers with a wrong id: DNS_UNAVAILABLE"
ask DELETE $d/slow.acme.com
is "$(sql "SELECT proven_at FROM sso_domains WHERE domain = 'acme.com'")" 0 "S3.18 none of these proves it"
: >"$dir/dns/asked"
answers 200 tcp
grep -q '^tcp _prism-challenge.acme.com 16' "$dir/dns/asked"; say $? "S3.18 a truncated answer is asked for again over TCP"
is "$(get '[.proven, (.proven_at | type)] | map(tostring) | join(" ")')" "true string" "S3.18 now it is proven"
answers 200 ok
answers 200 cname
answers DOMAIN_NOT_PROVEN nxdomain
is "$(sql "SELECT proven_at > 0 FROM sso_domains WHERE domain = 'acme.com'")" 1 "S3.18 one denial ends no proof"
sql "UPDATE sso_domains SET missing_at = missing_at - 8 * 86400"
answers DNS_UNAVAILABLE servfail
is "$(sql "SELECT proven_at > 0 FROM sso_domains WHERE domain = 'acme.com'")" 1 "S3.18 a DNS that does not answer changes nothing"
answers DOMAIN_NOT_PROVEN nxdomain
is "$(sql "SELECT proven_at FROM sso_domains WHERE domain = 'acme.com'")" 0 "S3.18 a week of denials does"
answers 200 ok
sql "UPDATE sso_domains SET created_at = created_at - 4 * 86400"
token=$rival
wants DOMAIN_ALREADY_USED "S3.18 a proven domain stays whoever's it is" POST $r '{"domain":"acme.com","connection":"rival"}'
token=$olga
claim acme.org; claim acme.net
sql "UPDATE sso_domains SET created_at = created_at - 4 * 86400 WHERE domain = 'acme.org'"
token=$rival
wants 201 "S3.18 a claim that was not proven in three days yields" POST $r '{"domain":"acme.org","connection":"rival"}'
wants DOMAIN_ALREADY_USED "S3.18 a younger one does not" POST $r '{"domain":"acme.net","connection":"rival"}'
token=$olga
wants NOT_FOUND "S3.18 and the first has it no more" POST $d/acme.org/verify
wants 200 "S3.18 the list" GET $d
is "$(get 'map(.domain) | join(" ")')" "acme.com acme.net" "S3.18 has what is left"
wants 200 "S3.18 a connection's domains, as a whole" PATCH $c/acme-oidc '{"domains":["acme.com","@acme.info"]}'
is "$(get '[.domains[] | .domain + " " + (.proven | tostring)] | join(", ")')" "acme.com true, acme.info false" "S3.18 what stays keeps its proof"
wants INVALID_VALUE "S3.18 a list with a wrong one" PATCH $c/acme-oidc '{"domains":["acme.biz","x"]}'
wants 204 "S3.18 given up" DELETE $d/acme.info
wants 200 "S3.18 the rest" GET $d
is "$(get 'map(.domain) | join(" ")')" "acme.com" "S3.18 stays"

# What everybody shares is not one organization's: names of connections, and domains for three days.
sql "INSERT INTO sso_domains (id, organization_id, connection_id, domain, challenge, created_at, created_by)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
  SELECT i, c.organization_id, c.id, 'd' || i || '.test', 'x', 1, c.created_by FROM n, sso_connections c WHERE c.slug = 'acme-oidc'"
claim more.example; is "$(code)" CONFLICT "S3.18 an organization does not claim domains without end"
claim acme.com; is "$status" 200 "S3.18 those that it has are its own"
sql "DELETE FROM sso_domains WHERE id <= 500"
sql "INSERT INTO sso_connections (id, organization_id, slug, name, type, issuer, default_role_id, created_at, created_by, updated_at)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
  SELECT i, c.organization_id, 'many-' || i, 'x', 'oidc', '', c.default_role_id, 1, c.created_by, 1 FROM n, sso_connections c WHERE c.slug = 'acme-oidc'"
wants CONFLICT "S3.17 nor does it make connections without end" POST $c '{"slug":"more","type":"oidc"}'
sql "DELETE FROM sso_connections WHERE id <= 50"

for _ in $(seq 60); do ask POST $d/acme.com/verify; [ "$status" = 429 ] && break; done
is "$(code)" TOO_MANY_REQUESTS "S3.18 nobody asks the DNS without end"

# ---- the local ways ----
proof() { # KEYFILE NONCE
  local sig; sig=$(printf 'prism-key-proof-v1\nhttps://prism.test\n%s\n' "$2" | ssh-keygen -q -Y sign -n prism-key -f "$1" 2>/dev/null)
  jq -n --arg k "$(cat "$1.pub")" --arg s "$sig" --arg n "$2" '{public_key: $k, signature: $s, nonce: $n, origin: "generated"}'
}
ssh-keygen -q -t ed25519 -N '' -f "$dir/adam"
token=$adam
ask POST $v/me/ssh-keys/challenge
wants 201 "S3.16 adam has a key" POST $v/me/ssh-keys "$(proof "$dir/adam" "$(get .nonce)")"
key_login() {
  token=
  ask POST $v/sessions/key/challenge '{"username":"adam"}'
  ask POST $v/sessions/key "$(proof "$dir/adam" "$(get .nonce)" | jq '. + {username: "adam"}')"
}
key_login; is "$(code)" 201 "S3.16 which opens a session"
# A session of the superadmin that a provider has vouched for.
token=$olga
ask POST $v/projects '{"slug":"annex","organization":"acme"}'
ask POST $v/projects/annex/invitations '{"email":"chief@uni.edu","role":"member"}'; own=$(get .token)
login chief
sql "UPDATE sessions SET identity_id = 7 WHERE id = (SELECT MAX(id) FROM sessions)"
wants PROVIDER_LOGIN "S3.16 a provider's word has no rights of a superadmin" GET $v/audit
[[ $(get .error.hint) == *"prism login --user"* ]]; say $? "S3.16 and the answer tells what to do"
wants PROVIDER_LOGIN "S3.16 nor those over organizations" POST $v/organizations '{"slug":"more"}'
wants PROVIDER_LOGIN "S3.16 nor over other people's projects" GET $v/projects/annex
wants PROVIDER_LOGIN "S3.16 nor over accounts" POST $v/users/adam/suspend
wants 200 "S3.16 it is the superadmin's own account" GET $v/me
is "$(get .superadmin)" true "S3.16 as it says"
wants PROVIDER_LOGIN "S3.16 it sets no password" POST $v/me/password '{"old":"correct horse battery","new":"another horse battery"}'
ssh-keygen -q -t ed25519 -N '' -f "$dir/chief"
ask POST $v/me/ssh-keys/challenge
wants PROVIDER_LOGIN "S3.16 and adds no key" POST $v/me/ssh-keys "$(proof "$dir/chief" "$(get .nonce)")"
# The hash in the database is what the key's proof of an invitation is made over.
wants PROVIDER_LOGIN "S3.16 nor by accepting an invitation" POST $v/invitations/accept \
  "$(jq -n --arg t "$own" --argjson k "$(proof "$dir/chief" "$(sql "SELECT token_hash FROM invitations ORDER BY id DESC LIMIT 1")")" '{token: $t, ssh_key: $k}')"
is "$(sql "SELECT COUNT(*) FROM ssh_keys k JOIN users u ON u.id = k.user_id WHERE u.username = 'chief'")" 0 "S3.16 there is none"
token=$chief
ask POST $v/projects '{"slug":"lab","organization":"acme"}'
ask POST $v/projects/lab/invitations '{"email":"new@acme.com","role":"member"}'; inside=$(get .token)
ask POST $v/projects/lab/invitations '{"email":"new@uni.edu","role":"member"}'; outside=$(get .token)
token=$olga
sql "INSERT INTO sso_identities (id, organization_id, connection_id, issuer, subject, user_id, created_at)
  SELECT 899, c.organization_id, c.id, c.issuer, 'adam', u.id, 1 FROM sso_connections c, users u
  WHERE c.slug = 'acme-oidc' AND u.username = 'adam'"
wants 200 "S3.16 enforce_sso" PATCH $c/acme-oidc '{"enforce_sso":true}'
is "$(get .unlinked_members)" 2 "S3.16 the answer tells how many have no way through the provider"
key_login; is "$(code)" SSO_REQUIRED "S3.16 keys open nothing any more"
[[ $(get .error.message) == *https://prism.test/sso/acme-oidc/start* ]]; say $? "S3.16 and the answer tells where to go"
login adam; is "$(code)" SSO_REQUIRED "S3.16 nor do passwords"
login chief; is "$status" 201 "S3.16 but a superadmin's does"
login mia; is "$status" 201 "S3.16 and those of members whom nothing else would let in"
login out; is "$status" 201 "S3.16 and those of other organizations"
token=
wants SSO_REQUIRED "S3.16 an invited address of a proven domain gets no account here" POST $v/invitations/accept "{\"token\":\"$inside\",\"username\":\"newbie\"}"
wants 200 "S3.16 another one does" POST $v/invitations/accept "{\"token\":\"$outside\",\"username\":\"newbie\"}"
token=$olga
wants 200 "S3.16 who is logged in stays" PATCH $c/acme-oidc '{"enabled":false}'
login adam; is "$status" 201 "S3.16 a disabled connection enforces nothing"
token=$olga
wants 200 "S3.16 open again" PATCH $c/acme-oidc '{"enabled":true,"enforce_sso":false}'
sql "DELETE FROM sso_identities WHERE id = 899"

# ---- identities ----
token=$adam
wants 200 "S3.17 my logins" GET $v/me/identities
is "$(get length)" 0 "S3.17 none"
wants 201 "S3.17 to link one" POST $v/me/identities '{"connection":"acme-oidc"}'
[[ $(get .url) =~ ^https://prism.test/sso/acme-oidc/start\?link=[A-Za-z0-9_-]{43}$ ]]; say $? "S3.17 there is an address"
ticket=$(get .url); ticket=${ticket##*=}
! in_database "$ticket"; say $? "S3.17 which is stored as a hash"
wants SSO_NOT_FOUND "S3.17 not for a connection that is not there" POST $v/me/identities '{"connection":"nope"}'
wants SSO_NOT_FOUND "S3.17 nor one that is not enabled" POST $v/me/identities '{"connection":"rival"}'
identity() { # ID USER: as a login would have left it
  sql "INSERT INTO sso_identities (id, organization_id, connection_id, issuer, subject, user_id, email, auth_at, created_at, last_login_at)
    SELECT $1, c.organization_id, c.id, c.issuer, 'subject-$1', u.id, '', 1, 1, 1800000000 FROM sso_connections c, users u
    WHERE c.slug = 'acme-oidc' AND u.username = '$2'"
}
identity 900 adam
wants 200 "S3.17 a linked one" GET $v/me/identities
is "$(get '.[0] | [.id, .connection, .connection_name, .issuer, .subject] | join("|")')" "900|acme-oidc|Acme|https://idp.acme.com/|subject-900" "S3.17 is shown"
token=$mia
wants NOT_FOUND "S3.17 not to be unlinked by others" DELETE $v/me/identities/900
token=$adam
sql "UPDATE sessions SET identity_id = 900 WHERE id = (SELECT MAX(id) FROM sessions WHERE user_id = (SELECT id FROM users WHERE username = 'adam'))"
wants 204 "S3.17 unlinked" DELETE $v/me/identities/900
is "$(sql "SELECT COUNT(*) FROM sessions WHERE identity_id = 900 AND revoked_at = 0")" 0 "S3.17 what it opened ends"
identity 903 adam
sql "UPDATE sso_identities SET refresh_token = 'sealed', refresh_due = 1, auth_at = 5 WHERE id = 903;
  UPDATE sessions SET identity_id = 903 WHERE id = (SELECT MAX(id) FROM sessions WHERE user_id = (SELECT id FROM users WHERE username = 'out'))"
token=$olga
wants INVALID_VALUE "S3.19 another provider does not get the first one's secret" PATCH $c/acme-oidc '{"issuer":"https://evil.org"}'
is "$(sql "SELECT issuer FROM sso_connections WHERE slug = 'acme-oidc'")" https://idp.acme.com/ "S3.19 nothing is changed"
wants 200 "S3.17 with a secret of its own" PATCH $c/acme-oidc '{"issuer":"https://login.acme.com","client_secret":"hush-in-plain-sight"}'
is "$(sql "SELECT COALESCE(refresh_token, 'none') || auth_at || refresh_due || (SELECT COUNT(*) FROM sessions WHERE identity_id = 903 AND revoked_at = 0)
  FROM sso_identities WHERE id = 903")" none000 "S3.17 it gets no refresh token, and what the first one has said is over"
wants 200 "S3.17 back again" PATCH $c/acme-oidc '{"issuer":"https://idp.acme.com/","client_secret":"hush-in-plain-sight"}'
sql "DELETE FROM sso_identities WHERE id = 903"
token=$adam
identity 901 adam
sql "UPDATE users SET password = NULL WHERE username = 'adam'; UPDATE ssh_keys SET state = 'revoked'"
wants CONFLICT "S3.17 the only way in stays" DELETE $v/me/identities/901

# ---- how old a login may be ----
token=$chief
age() { wants "$1" "I3.4 sso_max_age $2" PATCH $v/projects/lab "{\"sso_max_age\":$2}"; }
ask GET $v/projects/lab; is "$(get .sso_max_age)" null "I3.4 no age is asked for at first"
age 200 28800; is "$(get .sso_max_age)" 28800 "I3.4 now it is"
for wrong in 59 -1 31622401 '"8h"' 28800.5 true; do age INVALID_VALUE "$wrong"; done
age 200 0; is "$(get .sso_max_age)" null "I3.4 none"
age 200 31622400; age 200 null; is "$(get .sso_max_age)" null "I3.4 none again"
wants 201 "I3.4 from the beginning" POST $v/projects '{"slug":"late","organization":"acme","sso_max_age":3600}'
is "$(get .sso_max_age)" 3600 "I3.4 as asked"

# ---- nobody asks for logins that nobody can renew ----
token=$olga
others=$(sql "SELECT group_concat(slug, ' ') FROM sso_connections WHERE enabled = 1 AND slug <> 'acme-oidc'
  AND organization_id = (SELECT id FROM organizations WHERE slug = 'acme')")
for other in $others; do wants 200 "I3.4 not the last one" PATCH "$c/$other" '{"enabled":false}'; done
wants CONFLICT "I3.4 the last enabled connection is not disabled under a project that asks" PATCH $c/acme-oidc '{"enabled":false}'
[[ $(get .error.message) == *late*"--sso-max-age none"* ]]; say $? "I3.4 which is named, with what to do"
is "$(sql "SELECT enabled FROM sso_connections WHERE slug = 'acme-oidc'")" 1 "I3.4 it stays as it was"
wants 201 "I3.4 another enabled one" POST $c '{"slug":"second","type":"oidc","issuer":"https://second.acme.com","client_id":"p","enabled":true}'
wants 200 "I3.4 is enough" PATCH $c/acme-oidc '{"enabled":false}'
wants CONFLICT "I3.4 then that is the last one, and is not deleted" DELETE $c/second
wants 200 "I3.4 enabled" PATCH $c/acme-oidc '{"enabled":true}'
wants 204 "I3.4 it is not the last one" DELETE $c/second
wants 200 "I3.4 by force" PATCH "$c/acme-oidc?force=1" '{"enabled":false}'
token=$chief
age CONFLICT 3600
[[ $(get .error.message) == *"no enabled login connection"*"prism sso add" ]]; say $? "I3.4 the answer says why"
wants CONFLICT "I3.4 nor from the beginning" POST $v/projects '{"slug":"never","organization":"acme","sso_max_age":3600}'
wants 200 "I3.4 archived" DELETE $v/projects/late
wants CONFLICT "I3.4 nor does one come back that asks" PATCH $v/projects/late '{"state":"active"}'
wants 200 "I3.4 but without" PATCH $v/projects/late '{"state":"active","sso_max_age":null}'
age 200 null
token=$olga
wants 200 "I3.4 enabled again" PATCH $c/acme-oidc '{"enabled":true}'
token=$chief

# ---- the end of a connection ----
identity 902 newbie
age 200 3600
revision() { sql "SELECT MAX(r.revision) FROM feed_records r JOIN projects p ON p.id = r.project_id JOIN users u ON u.uid = r.subject
  WHERE p.slug = 'lab' AND u.username = 'newbie'"; }
before=$(revision)
token=$olga
sql "UPDATE sessions SET identity_id = 901 WHERE id = (SELECT MAX(id) FROM sessions WHERE user_id = (SELECT id FROM users WHERE username = 'adam'))"
wants CONFLICT "S3.17 a connection that people use is not deleted" DELETE $c/acme-oidc
[[ $(get .error.message) == *"2 people"* ]]; say $? "S3.17 the answer says how many"
wants 204 "S3.17 but by force" DELETE "$c/acme-oidc?force=1"
wants SSO_NOT_FOUND "S3.17 it is gone" GET $c/acme-oidc
is "$(sql "SELECT (SELECT COUNT(*) FROM sso_identities) || (SELECT COUNT(*) FROM sso_domains WHERE domain = 'acme.com') ||
  (SELECT COUNT(*) FROM sessions WHERE identity_id = 901 AND revoked_at = 0) || (SELECT COUNT(*) FROM users WHERE username = 'adam')")" 0001 \
  "S3.17 with its identities, domains and sessions; people stay"
[ "$(revision)" -gt "$before" ]; say $? "I3.4 and hosts are told that its logins count no more"

# ---- what is noted ----
token=$chief
ask GET "$v/audit?limit=500"
for action in sso.connection.create sso.connection.update sso.connection.delete sso.domain.claim sso.domain.prove sso.domain.lapse sso.domain.delete sso.unlink project.change; do
  [[ $(get 'if type == "array" then .[].action else .events[].action end') == *"$action"* ]]; say $? "I3.2 the audit has $action"
done
is "$(sql "SELECT COUNT(*) FROM audit WHERE detail LIKE '%hush%' OR detail LIKE '%BEGIN%' OR detail LIKE '%$ticket%'")" 0 "S3.19 and no secret"
! grep -qE "hush-in-plain-sight|$ticket|PRIVATE KEY" "$dir/log"; say $? "S3.19 nor has the log"
"$central" -c "$dir/central.conf" secrets status >"$dir/status" 2>&1; grep -q 'current' "$dir/status"; say $? "S3.19 the master key is in use"
"$central" -c "$dir/central.conf" audit verify >>"$dir/log" 2>&1; say $? "I3.2 the chain of the audit is whole"
kill "$server"; wait "$server"
is $? 0 "I3.2 the service ends in good order"
server=
echo "1..$n"
exit "$bad"
