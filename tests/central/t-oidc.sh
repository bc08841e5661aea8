#!/bin/bash
# SPDX-License-Identifier: MIT
# Logins through an OpenID provider, curl being the browser and the provider an adversary
# (tests/idp/evil_op.py): each of its tricks is refused with one sentence for the browser and a word
# in the audit log, and nobody is logged in.
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

count() { sessions=$(db 'SELECT count(*) FROM browser_sessions'); }
ONE="The login did not work Nobody was logged in through Evil &lt;b&gt;University&lt;/b&gt;: begin again, and ask your administrator if it goes on. To the beginning Should you ask your administrator, name this request:"
MORE="To the beginning Should you ask your administrator, name this request:"
WAIT="Try again in a few minutes, and tell your administrator if it goes on. $MORE"
declare -A own=( # words with sentences of their own
	[access_denied]="403 You cancelled the login You cancelled the login at Evil &lt;b&gt;University&lt;/b&gt;, or it did not let you in. Begin again whenever you like; ask there if you are refused. $MORE"
	[provider_timeout]="503 The institution&#39;s login does not answer The login of Evil &lt;b&gt;University&lt;/b&gt; does not answer in time. $WAIT"
	[provider_busy]="503 The institution&#39;s login does not answer The login of Evil &lt;b&gt;University&lt;/b&gt; is slow, and others wait for it. $WAIT"
)
refused() { # WORD TEXT: the page, the audit, no session
	local page code=$status told
	page=$(shown)
	told=$(fault)
	[ "$code ${page% *}" = "${own[$1]:-403 $ONE}" ] && [ "$told" = "sso.refused $1" ] &&
		[ "$(db 'SELECT count(*) FROM browser_sessions')" = "$sessions" ]
	local ok=$?
	[ $ok = 0 ] || echo "# status $code, audit '$told', page '$page'"
	tap $ok "$2"
}

boss_token
connect evil; tap $? "S3.16 an organization connects an OpenID provider"

# ---- the good way ----------------------------------------------------------------------------------

evil "" '{"claims": {"preferred_username": "Alice@uni.edu", "name": "Alice <i>", "email": "alice@example.edu",
	"email_verified": true}}' >/dev/null
b alice "/sso/evil/start?return=/login%3Fx=1"
[ "$status" = 303 ] && [[ $location == "$OP/authorize?"* ]]; tap $? "S3.16 the browser is sent to the provider"
there=$location
grep -qi '^set-cookie: __Host-prism-login=pbl_' "$T/head"; tap $? "S3.16 with the cookie that will show who began"
at alice "$location"
b alice "${location#"$CENTRAL_URL"}"
[ "$status" = 303 ] && [ "$location" = "/login?x=1" ]; tap $? "S3.17 the first login makes the account and leads to where it began"
[ "$(who alice)" = alice ]; tap $? "S3.17 and the page shows the person"
q=$(asked '.[] | select(.path == "/authorize") | .query | [.response_type, .client_id, .code_challenge_method,
	(.code_challenge | length), (.nonce | length), .scope, .redirect_uri] | map(tostring) | join("|")')
[ "$q" = "code|prism|S256|43|43|openid profile email|$CENTRAL_URL/sso/evil/callback" ]
tap $? "S3.16 what was asked: code, PKCE S256, nonce, scopes, our address"
q=$(asked '.[] | select(.path == "/token") | [.form.grant_type, (.form.code_verifier | length), (.form.client_secret // "-"),
	(.auth | ltrimstr("Basic ") | @base64d)] | map(tostring) | join("|")')
[ "$q" = "authorization_code|43|-|prism:s3cret%3A%2F%20%2B%25" ]; tap $? "S3.16 the code is exchanged with the client's secret, encoded as RFC 6749 2.3.1 says"
[ "$(asked '[.[] | select(.path == "/userinfo")] | length')" = 0 ]; tap $? "S3.16 the userinfo endpoint is left alone where the ID token has what is needed"
[[ $there != *"$(jq -rn --arg s "$SECRET" '$s | @uri')"* ]]; tap $? "S3.19 the secret is not in the browser's address"
login alice2 evil
[ "$status" = 303 ] && [ "$(who alice2)" = alice ] && [ "$(db "SELECT count(*) FROM users WHERE username LIKE 'alice%'")" = 1 ]
tap $? "S3.17 the second login finds the same account"
[ "$(asked '[.[] | select(.path == "/jwks")] | length')" = 1 ] && [ "$(asked '[.[] | select(.path | startswith("/.well"))] | length')" = 1 ]
tap $? "S3.16 metadata and keys are kept"
evil "" '{"claims": {"preferred_username": "alice", "email": "alice@example.edu"}, "userinfo": {"name": "Alice"}}' >/dev/null
evil /admin/forget '{}' >/dev/null
evil /forget '{}' >/dev/null
login alice3 evil
[ "$status" = 303 ] && [ "$(asked '[.[] | select(.path == "/userinfo") | .auth] | map(startswith("Bearer ")) | join(",")')" = true ]
tap $? "S3.16 what the ID token lacks comes from the userinfo endpoint"
with audience_good; login good1 evil; [ "$(who good1)" = alice ]; tap $? "S3.16 an audience that is a list of one is taken"
with azp_good; login good2 evil; [ "$(who good2)" = alice ]; tap $? "S3.16 so are two with the authorized party"
with no_auth_time; login good3 evil; [ "$(who good3)" = alice ]; tap $? "S3.16 so is a token without auth_time"
b evilreturn "/sso/evil/start?return=https://evil.example/"
with ""; login away evil "return=//evil.example/x"
[ "$status" = 303 ] && [ "$location" = / ]; tap $? "S3.16 a return address of another site is none"
with ""; begin fresh evil "fresh=1"
[ "$(asked '[.[] | select(.path == "/authorize")] | last | .query | .prompt + " " + .max_age')" = "login 0" ]
tap $? "I3.4 a fresh login is asked for"
b fresh "$back"; [ "$status" = 303 ]; tap $? "I3.4 and taken when it is fresh"
count

# ---- forged ID tokens ------------------------------------------------------------------------------

while read -r word says text; do
	with "$word"
	login bad evil
	refused "$says" "S3.16 refused: $text"
done <<'LIST'
expired expired an ID token that has expired
wrong_issuer wrong_issuer of another issuer
wrong_audience wrong_audience for another client
audience_array wrong_audience for a list of other clients
audience_two wrong_party for two, without the authorized party
azp wrong_party for two, another being the authorized party
azp_alone wrong_party with another authorized party
signature signature with a bit of the signature turned
tampered signature with another subject under the same signature
none algorithm with alg none
hs256 algorithm signed with the public key as a shared secret
embedded_jwk embedded_key that brings its own key
foreign_key signature signed by another key
unknown_kid no_key signed by a key that is not there
crit critical with a critical extension
future future issued in the future
old too_old issued hours ago
not_yet not_yet that is not valid yet
no_sub subject without a subject
number_sub subject with a number for a subject
no_exp time without an end
text_exp time with text for an end
no_iat time without its time
no_nonce wrong_nonce without the nonce
wrong_nonce wrong_nonce with another nonce
at_hash wrong_access_token that belongs to another access token
no_id_token token_form no ID token at all
token_type token_form an access token of another type
token_garbage token_form an answer that is no JSON
token_twice token_form an answer with members that stand there twice
token_deep token_form an answer of sixty thousand brackets
token_broken token_refused an error of the token endpoint
token_redirect provider_redirect a token endpoint that redirects
token_huge provider_too_large an answer of eight megabytes
answer_iss answer_issuer an answer that names another issuer (RFC 9207)
answer_no_iss answer_issuer an answer that names none, where the provider announces it
answer_no_code code an answer without a code
answer_long_code code a code of six thousand characters
answer_error access_denied a refusal with markup in its description
LIST
grep -qF 'access_denied: <script>alert(1)</script>??" onload="x' <<<"$(db "SELECT json_extract(detail, '\$.detail') FROM audit WHERE detail LIKE '%access_denied%'")"
tap $? "S3.16 the audit log has the provider's words, without what a terminal obeys"
with ""; begin esc evil; b esc "$back&error=x&error_description=%1b%5B31m"
[ "$status" = 400 ]; tap $? "S3.16 an answer with an escape character is no request"
evil "" '{"fault": "", "claims": {"preferred_username": "alice"}}' >/dev/null
while read -r word says text; do
	with "$word"
	login bad evil
	refused "$says" "S3.16 refused: $text"
done <<'LIST'
userinfo_sub userinfo_subject userinfo about somebody else
userinfo_no_sub userinfo_subject userinfo about nobody
userinfo_garbage userinfo_form userinfo that is no JSON
userinfo_broken provider_status userinfo that fails
userinfo_redirect provider_redirect userinfo that redirects
userinfo_huge provider_too_large userinfo of eight megabytes
LIST
for word in stale_auth no_auth_time; do
	with $word
	login bad evil "fresh=1"
	refused auth_time "I3.4 refused: a login that should be fresh, with $word"
done
# More of them than there are threads: another organization's people do not wait.
api POST /organizations '{"slug": "abroad"}'
api POST /organizations/abroad/sso-connections "$(jq -n --arg i "$OP" '{slug: "abroad", type: "oidc", issuer: $i,
	client_id: "prism", enabled: true}')"
b abroad /sso/abroad/start
[ "$status" = 303 ]; tap $? "S3.16 another organization has a connection"
with token_slow
behind=() pids=()
for i in $(seq 9); do begin "slow$i" evil; behind+=("$back"); done
begin bad evil
for i in $(seq 9); do
	curl -sS -k -o /dev/null -b "$T/jar.slow$i" --max-time 60 "$CENTRAL_URL${behind[i - 1]}" &
	pids+=($!)
done
sleep 0.5
took=$(curl -sS -k -o /dev/null -w '%{time_total} %{http_code}' --interface 127.0.77.1 -H 'Sec-Fetch-Site: none' \
	"$CENTRAL_URL/sso/abroad/start")
wait "${pids[@]}"
[ "${took#* }" = 303 ] && [ "${took%%.*}" -lt 4 ]
tap $? "S3.16 nine logins at a provider that does not answer leave a thread for another organization ($took)"
began=$SECONDS
b bad "$back"
refused provider_timeout "S3.16 refused: a token endpoint that takes its time"
[ $((SECONDS - began)) -le 14 ]; tap $? "S3.16 within ten seconds"
# While its provider is slow, an organization has one thread at a time; others go on.
begin waits evil
curl -sS -k -o /dev/null -b "$T/jar.waits" --interface "$source_address" "$CENTRAL_URL$back" &
pids=($!)
begin waits2 evil
sleep 0.5
b waits2 "$back"; refused provider_busy "S3.16 who waits for a slow provider does not make others wait"
wait "${pids[@]}"

# ---- documents: each connection asks anew ----------------------------------------------------------

number=0
while read -r word says text; do
	number=$((number + 1))
	with "$word"
	connect "doc-$number" || echo "# $out"
	login bad "doc-$number"
	refused "$says" "S3.16 refused: $text"
done <<'LIST'
discovery_issuer discovery_issuer metadata of another issuer
discovery_garbage discovery_form metadata that is no JSON
discovery_twice discovery_form metadata with members that stand there twice
discovery_deep discovery_form metadata of sixty thousand brackets
discovery_huge provider_too_large metadata of eight megabytes
discovery_redirect provider_redirect metadata that redirects
discovery_broken provider_status metadata that fails
jwks_private no_key a key set that shows its private keys
jwks_garbage keys_form a key set that is no JSON
jwks_twice keys_form a key set with members that stand there twice
jwks_huge provider_too_large a key set of eight megabytes
jwks_redirect provider_redirect a key set that redirects
jwks_broken provider_status a key set that fails
LIST
with ""
login bad doc-1; refused discovery_issuer "S3.16 that there is no metadata is remembered for a while"
why() { # SLUG: what its owner is told: $told
	api GET "/organizations/default/sso-connections/$1"
	told=$(get '.last_refusal | if . then "\(.fault): \(.detail)" else "none" end')
}
why doc-1
[[ $told =~ ^"discovery_issuer: discovery: the document says http"[^\ ]+", not $OP"$ ]]; tap $? "S3.17 the owner is told what was found, and what was expected"
why doc-7
[[ $told =~ ^"provider_status: discovery: it answered 5"..$ ]]; tap $? "S3.17 and what the provider answered"
[ "$(get '.last_refusal.at | fromdate > (now - 600)')" = true ]; tap $? "S3.17 and when"
b bad "/sso/doc-7/callback?state=1.x"
why doc-7
[[ $told == "provider_status: "* ]]; tap $? "S3.17 a page that is loaded again does not hide it"
endpoint() { # JSON WORD TEXT
	number=$((number + 1))
	evil "" "{\"fault\": \"\", \"metadata\": $1}" >/dev/null
	connect "doc-$number"
	login bad "doc-$number"
	refused "$2" "S3.16 refused: $3"
}
endpoint '{"token_endpoint": "http://idp.example.edu/token"}' discovery_endpoint "an endpoint without TLS"
endpoint '{"jwks_uri": "file:///etc/passwd"}' discovery_endpoint "an endpoint that is a file"
endpoint '{"authorization_endpoint": "javascript:alert(1)"}' discovery_endpoint "an endpoint that is a script"
endpoint '{"userinfo_endpoint": "https://user@127.0.0.1/"}' discovery_endpoint "an endpoint with a user"
endpoint '{"token_endpoint_auth_methods_supported": ["private_key_jwt"]}' client_auth "a provider that takes no secret"
evil "" '{"metadata": {"token_endpoint_auth_methods_supported": ["client_secret_post"]}}' >/dev/null
connect post; login post post
somebody post && [ "$(asked '[.[] | select(.path == "/token")] | last | [.form.client_secret, .auth] | join("|")')" = "$SECRET|" ]
tap $? "S3.16 a provider that wants the secret in the form gets it there"
evil "" '{"metadata": {}}' >/dev/null
connect public '{"client_secret": null}'; login public public
somebody public && [ "$(asked '[.[] | select(.path == "/token")] | last | [.form.client_id, .form.client_secret, .auth] | join("|")')" = "prism||" ]
tap $? "S3.16 a client without a secret relies on PKCE"

# ---- keys ------------------------------------------------------------------------------------------

connect keys
for kind in ec ed rsa; do
	login keys keys
	evil /rotate "{\"kind\": \"$kind\"}" >/dev/null
done
count
login keys keys; refused no_key "S3.16 refused: keys that change faster than once a minute"
[ "$(asked '[.[] | select(.path == "/jwks")] | length')" -gt 0 ]
connect keys2
login keys2 keys2; somebody keys2; tap $? "S3.16 a key of its own kind"
evil /rotate '{"kind": "ec"}' >/dev/null
login keys3 keys2; somebody keys3; tap $? "S3.16 an unknown key is looked for, and found: ES256"
connect keys4
evil /rotate '{"kind": "ed"}' >/dev/null
login keys4 keys4; somebody keys4; tap $? "S3.16 EdDSA"
evil /rotate '{"kind": "rsa", "keep": true}' >/dev/null
login keys5 keys4; somebody keys5; tap $? "S3.16 a key beside the old one"
count

# ---- states ----------------------------------------------------------------------------------------

connect other
begin once other
cp "$T/jar.once" "$T/jar.before" # a login changes the cookie, which alone would refuse the second one
b once "$back"
count
b before "$back"; refused state "S3.16 refused: the same answer again"
begin mine other
b theirs "$back"; refused state "S3.16 refused: another browser's answer (login CSRF)"
b mine "${back/other/evil}"; refused state "S3.16 refused: an answer at another connection's address (mix-up)"
b mine "$back"; [ "$status" = 303 ]; tap $? "S3.16 none of which uses it up"
count
elsewhere
for state in "" "state=" "state=1.x" "state=$(printf 'a%.0s' $(seq 900))" "state=%00"; do
	b mine "/sso/other/callback?code=x&$state"
	[ "$state" = "state=%00" ] && { [ "$status" = 400 ]; tap $? "S3.16 refused: a state with a NUL"; continue; }
	refused state "S3.16 refused: a state of ${#state} characters"
done
begin late other
db "PRAGMA busy_timeout = 5000; UPDATE sso_attempts SET expires_at = 1" >/dev/null
b late "$back"; refused state "S3.16 refused: an answer after ten minutes"
begin gone other
api PATCH /organizations/default/sso-connections/other '{"enabled": false}'
b gone "$back"; [ "$status" = 404 ]; tap $? "S3.16 a connection that was switched off meanwhile lets nobody in"

# ---- linking ---------------------------------------------------------------------------------------

connect people
login first people
api POST /users '{"username": "bob", "email": "bob@uni.edu", "name": "Bob", "password": "bob likes tea a lot"}'
boss=$token token=
api POST /sessions '{"login": "bob", "password": "bob likes tea a lot"}'
token=$(get .token)
evil "" '{"sub": "sub-bob", "claims": {"email": "bob@example.edu", "email_verified": true, "name": "B", "preferred_username": "b"}}' >/dev/null
ticket() {
	api POST /me/identities '{"connection": "people"}'
	link=$(get .url)
	link=${link#"$CENTRAL_URL"}
}
ticket
[ "$status" = 201 ]; tap $? "S3.17 an address for linking one's account"
elsewhere
b bob "$link"; at bob "$location"
b bob "${location#"$CENTRAL_URL"}"
[ "$status" = 200 ] && has "$(shown)" "Link your login at Evil &lt;b&gt;University&lt;/b&gt; (bob@example.edu) to the Prism account bob ?"
tap $? "S3.17 before the link, a page says which login and which account"
[ "$(db "SELECT count(*) FROM sso_identities WHERE subject = 'sub-bob'")" = 0 ] && [ -z "$(who bob)" ]
tap $? "S3.17 and nothing is linked yet"
b bob "$link"; [ "$status" = 410 ]; tap $? "S3.17 the address is good once"
ticket; b bob "$link"; at bob "$location"; b bob "${location#"$CENTRAL_URL"}"
csrf=$(form_field csrf) state=$(form_field state)
b mallory / ; b mallory /sso/people/link --data-urlencode "csrf=$csrf" --data-urlencode "state=$state"
[ "$status" = 403 ]; tap $? "S3.17 the answer of another browser is none"
b bob /sso/people/link --data-urlencode "state=$state"; [ "$status" = 403 ]; tap $? "S3.17 nor is one without the page's field"
b bob "/sso/people/callback?code=x&state=$state"; [ "$(fault)" = "sso.refused state" ]
tap $? "S3.17 nor can it be taken for the provider's"
ticket; b bob "$link"; at bob "$location"; b bob "${location#"$CENTRAL_URL"}"
csrf=$(form_field csrf) state=$(form_field state)
cp "$T/jar.bob" "$T/jar.bob0"
b bob /sso/people/link --data-urlencode "csrf=$csrf" --data-urlencode "state=$state"
[ "$status" = 303 ] && [ "$(who bob)" = bob ]; tap $? "S3.17 with the owner's yes it is linked, and they are logged in"
login bob2 people; [ "$(who bob2)" = bob ]; tap $? "S3.17 the next login is that account's"
b bob0 /sso/people/link --data-urlencode "csrf=$csrf" --data-urlencode "state=$state"
[ "$status" = 403 ] && [ "$(fault)" = "sso.refused state" ]; tap $? "S3.17 the answer is good once"
evil "" '{"sub": "sub-alice"}' >/dev/null
ticket; elsewhere; b bob "$link"; at bob "$location"; b bob "${location#"$CENTRAL_URL"}"
csrf=$(form_field csrf) state=$(form_field state)
b bob /sso/people/link --data-urlencode "csrf=$csrf" --data-urlencode "state=$state"
[ "$status" = 409 ] && has "$(shown)" "linked to another account" &&
	has "$(shown)" "prism sso unlink" && has "$(shown)" "name this request: "
tap $? "S3.17 a login that is somebody else's is not linked, and the page says so and what to do"
token=$boss
api PATCH /organizations/default/sso-connections/people '{"auto_provision": false}'
evil "" '{"sub": "sub-zed", "claims": {"email": "zed@uni.edu"}}' >/dev/null
login zed people; [ "$status" = 403 ] && has "$(shown)" "Ask somebody who manages your project for an invitation"
tap $? "S3.16 who has no account is told what to do"
evil "" '{"sub": "sub-eve", "claims": {"email": "bob@uni.edu", "email_verified": true}}' >/dev/null
login eve people; [ "$status" = 409 ] && has "$(shown)" "prism sso link people"; tap $? "S3.17 who has an account's address is told how to link it"
[ "$(db "SELECT count(*) FROM sso_identities WHERE subject = 'sub-eve'")" = 0 ]; tap $? "S3.17 which is not done by the address alone"
# The provider of an organization to which a superadmin has linked their account.
evil "" '{"sub": "sub-boss"}' >/dev/null
ticket; elsewhere; b boss "$link"; at boss "$location"; b boss "${location#"$CENTRAL_URL"}"
csrf=$(form_field csrf) state=$(form_field state)
b boss /sso/people/link --data-urlencode "csrf=$csrf" --data-urlencode "state=$state"
login boss2 people; [ "$(who boss2)" = boss ]; tap $? "S3.17 a superadmin may link a login"
verifier=$(openssl rand -hex 32)
challenge=$(printf %s "$verifier" | openssl dgst -sha256 -binary | basenc --base64url | tr -d =)
ask=(--data-urlencode response_type=code --data-urlencode client_id=prism-cli --data-urlencode state=x
	--data-urlencode redirect_uri=http://127.0.0.1:4444/callback --data-urlencode "code_challenge=$challenge"
	--data-urlencode code_challenge_method=S256)
b boss2 /oauth2/authorize -G "${ask[@]}"
b boss2 /oauth2/authorize "${ask[@]}" --data-urlencode "csrf=$(form_field csrf)" --data-urlencode decision=approve
code=${location#*code=} code=${code%%&*}
b boss2 /oauth2/token -d grant_type=authorization_code -d client_id=prism-cli -d "code=$code" \
	-d "code_verifier=$verifier" --data-urlencode redirect_uri=http://127.0.0.1:4444/callback
token=$(get .access_token)
api GET /me; [ "$status $(get .username)" = "200 boss" ]; tap $? "I3.1 prism login makes a session of it"
api GET /audit; [ "$(get .error.code)" = PROVIDER_LOGIN ]; tap $? "S3.16 which does not read the audit as a superadmin"
for path in /users/bob/suspend /organizations; do
	api POST "$path" '{"slug": "mine"}'
	[ "$(get .error.code)" = PROVIDER_LOGIN ]; tap $? "S3.16 and has no other right of one: $path"
done
token=$boss
api POST /users/bob/suspend
evil "" '{"sub": "sub-bob"}' >/dev/null
login bob3 people; [ "$status" = 403 ] && has "$(shown)" "suspended"; tap $? "L4.11 who is suspended is not let in"
api PATCH /organizations/default/sso-connections/people '{"auto_provision": true}'
evil "" '{"sub": "sub-alice", "claims": {"preferred_username": "alice"}}' >/dev/null

# ---- the provider ends it --------------------------------------------------------------------------

# SLUG JSON: a logout token by these wishes, sent
logout() {
	elsewhere
	jwt=$(evil /logout "$2" | jq -r .logout_token)
	status=$(curl -sS -k -o "$T/out" -D "$T/head" -w '%{http_code}' --interface "$source_address" \
		--data-urlencode "logout_token=$jwt" "$CENTRAL_URL/sso/$1/logout")
	out=$(cat "$T/out")
}
connect out
evil "" '{"claims": {"preferred_username": "alice", "sid": "sid-1"}}' >/dev/null
login out1 out; login out2 out
somebody out1; tap $? "I3.4 logged in"
while read -r wish says text; do
	logout out "$wish"
	[ "$status" = 400 ] && [ "$(fault)" = "sso.refused $says" ] && [ "$out" = '{"error":"invalid_request"}' ]
	tap $? "I3.4 refused: a logout $text"
done <<'LIST'
{"claims":{"sub":"sub-alice","iss":"https://other.example"}} wrong_issuer of another issuer
{"claims":{"sub":"sub-alice","aud":"other"}} wrong_audience for another client
{"claims":{"sub":"sub-alice","iat":1}} too_old of long ago
{"claims":{"sub":"sub-alice","iat":null}} time without its time
{"claims":{"sub":"sub-alice","events":{}}} event without the event
{"claims":{"sub":"sub-alice","jti":null}} token_id without its id
{"claims":{"sub":"sub-alice","nonce":"n"}} wrong_nonce with a nonce
{"claims":{}} session of nobody
{"claims":{"sub":"sub-alice"},"header":{"typ":"at+jwt"}} header of another type
{"claims":{"sub":"sub-alice"},"fault":"signature"} signature with a wrong signature
{"claims":{"sub":"sub-alice"},"fault":"none"} algorithm without a signature
{"claims":{"sub":"sub-alice"},"fault":"foreign_key"} signature signed by another key
LIST
somebody out1; tap $? "I3.4 and nobody is logged out"
logout out '{"claims": {"sub": "sub-nobody"}}'; [ "$status" = 200 ]; tap $? "I3.4 who is not known is logged out already"
logout people '{"claims": {"sub": "sub-alice"}}'; [ "$status" = 200 ] && somebody out1
tap $? "I3.4 one connection's logout is not another's"
logout out '{"claims": {"sub": "sub-alice", "sid": "sid-1"}}'
[ "$status" = 200 ] && [ "$(fault)" = "sso.end " ] && grep -qi '^cache-control: no-store' "$T/head"; tap $? "I3.4 the provider's logout is taken"
[ -z "$(who out1)" ] && [ -z "$(who out2)" ]; tap $? "I3.4 and ends what was opened by it"
[ "$(db "SELECT group_concat(auth_at) FROM sso_identities i JOIN sso_connections c ON c.id = i.connection_id WHERE c.slug = 'out'")" = 0 ]
tap $? "I3.4 the login is not fresh any more"
login out3 out
status=$(curl -sS -k -o "$T/out" -w '%{http_code}' --data-urlencode "logout_token=$jwt" "$CENTRAL_URL/sso/out/logout")
[ "$status" = 400 ] && [ "$(fault)" = "sso.refused replayed" ] && somebody out3; tap $? "I3.4 the same token again is not"
logout out '{"claims": {"sid": "sid-2"}}'; [ "$status" = 200 ] && somebody out3; tap $? "I3.4 nor another session's"
logout out '{"claims": {"sid": "sid-1"}}'; [ "$status" = 200 ] && [ -z "$(who out3)" ]; tap $? "I3.4 a logout by session alone"

connect offline '{"scopes": "openid profile offline_access"}'
login off1 offline
somebody off1 && [ "$(db "SELECT substr(refresh_token, 1, 3) FROM sso_identities WHERE refresh_due > 0")" = "v1." ]
tap $? "S3.19 a refresh token is kept, sealed"
[ "$(asked '[.[] | select(.path == "/authorize")] | last | .query.prompt')" = consent ]; tap $? "I3.4 offline access is asked for with consent"
due() { db "PRAGMA busy_timeout = 5000; UPDATE sso_identities SET refresh_due = 1 WHERE refresh_due > 0" >/dev/null; }
settled() { [ "$(db "SELECT count(*) FROM sso_identities WHERE refresh_due = 1")" = 0 ]; }
evil /forget '{}' >/dev/null
before=$(db "SELECT refresh_token FROM sso_identities WHERE refresh_due > 0")
due; until_true 10 settled
[ "$(asked '[.[] | select(.form.grant_type == "refresh_token")] | length')" = 1 ] &&
	[ "$before" != "$(db "SELECT refresh_token FROM sso_identities WHERE refresh_due > 0")" ] && somebody off1
tap $? "I3.4 it is used when it is due, and its successor kept"
with refresh_broken; due; until_true 10 settled; somebody off1; tap $? "I3.4 a provider in trouble ends nothing"
with token_redirect; due; until_true 10 settled; somebody off1; tap $? "I3.4 nor does one that cannot be spoken to"
with refresh_refused; due; until_true 10 settled; [ -z "$(who off1)" ]; tap $? "I3.4 a refusal ends the login"
[ "$(db "SELECT actor || ' ' || action FROM audit ORDER BY seq DESC LIMIT 1")" = "system sso.end" ] &&
	[ "$(db "SELECT count(*) FROM sso_identities WHERE refresh_token IS NOT NULL")" = 0 ]
tap $? "I3.4 the audit log says so, and the token is gone"
with ""

# ---- limits, traces --------------------------------------------------------------------------------

from 127.0.250.1
limited=0
for _ in $(seq 90); do
	b flood "/sso/evil/callback?code=x&state=y"
	[ "$status" = 429 ] && { limited=1; break; }
done
[ $limited = 1 ] && grep -qi '^retry-after: ' "$T/head"; tap $? "I3 an address that fails too often has to wait"
connect noise
urls=()
for n in $(seq 1 230); do
	urls+=(--next -sS -k -o /dev/null --interface "127.0.$((100 + n / 50)).$((1 + n % 50))" "$CENTRAL_URL/sso/noise/callback?code=x&state=$n")
done
curl "${urls[@]:1}" 2>"$T/err"
noted=$(db "SELECT count(*) FROM audit WHERE action = 'sso.refused' AND object = 'sso-connection:noise'")
[ "$noted" -ge 200 ] && [ "$noted" -le 203 ] && [ "$(grep -c 'sso_refused .*connection="noise"' "$T/central.log")" = 230 ]
tap $? "L4.14 many addresses together do not make the audit log grow; the log has them all"
from 127.0.250.2
login spared people; somebody spared; tap $? "I3 and nobody else"
from 127.0.250.3
limited=0
for i in $(seq 150); do
	b "crowd$i" /sso/people/start
	[ "$status" = 303 ] || limited=1
done
[ $limited = 0 ]; tap $? "I3.2 a hundred and fifty people behind one address may log in at the same time"
verify() { "$CENTRAL" -c "$T/central.conf" audit verify >/dev/null; }
verify; tap $? "L4.14 the audit chain is whole"
asked '.[] | .form.code, .form.code_verifier, .form.refresh_token, .query.state, .query.nonce | select(. != null)' | sort -u >"$T/secrets"
printf '%s\n' "$SECRET" "$jwt" "$(jq -rn --arg s "$SECRET" '$s | @uri')" >>"$T/secrets"
[ "$(wc -l <"$T/secrets")" -gt 5 ] && ! grep -qFf "$T/secrets" "$T/central.log" && ! db "SELECT * FROM audit" | grep -qFf "$T/secrets"
tap $? "STYLE 18 no code, token, state or secret is in the log or the audit"
! grep -qE 'pb[sl]_|eyJ' "$T/central.log"; tap $? "STYLE 18 nor a cookie, nor an ID token"
! grep -aqF "$SECRET" "$T/central/prism.db"*; tap $? "S3.19 the client's secret is not in the database"

# ---- addresses -------------------------------------------------------------------------------------

central_stop
sed -i 's/^private_addresses = yes/private_addresses = no/' "$T/central.conf"
central_run
evil /forget '{}' >/dev/null
count
elsewhere
b ssrf /sso/evil/start; refused provider_address "I3.2 without private_addresses a provider on this machine is not reached"
[ "$(asked length)" = 0 ]; tap $? "I3.2 not even connected to"
central_stop; tap $? "I3 the service ends in good order"
tap_end
