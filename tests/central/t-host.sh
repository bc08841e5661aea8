#!/bin/bash
# SPDX-License-Identifier: MIT
# A host's life against the installed program, with nothing of ours on the host's side: curl asks,
# openssl makes the key, the assertion (RFC 7515, RFC 8037) and checks the feed's signature.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/central/api.sh

b64url() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
unb64url() { local s; s=$(tr -- '-_' '+/'); while [ $((${#s} % 4)) -ne 0 ]; do s=$s=; done; printf %s "$s" | base64 -d; }
field() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1])).get(sys.argv[2], ""))' "$dir/out" "$1"; }

# shellcheck disable=SC2119
stage
account alice --name Alice
say $? "S1.26 bootstrap"
start
token=
login() { token=; ask POST /api/v1/sessions '{"login":"alice","password":"correct horse battery"}'; token=$(field token); }
login
is "$status" 201 "S1.26 login"
person=$token
ask POST /api/v1/projects '{"slug":"lab"}'
is "$status" 201 "S1.26 a project"

# ---- enrolment: the token is read as RFC 7515 says
ask POST /api/v1/projects/lab/host-tokens '{"name":"ws1"}'
ticket=$(field token)
printf %s "$ticket" | cut -d. -f2 | unb64url >"$dir/out"
secret=$(field sec) feed_key=$(field fky)
is "$(field url) $(field prj) $(field hst)" "https://prism.test lab ws1" "D6 any JWS reader sees what an enrolment token says"

openssl genpkey -algorithm ed25519 -out "$dir/key.pem" 2>/dev/null
public=$(openssl pkey -in "$dir/key.pem" -pubout -outform DER | tail -c 32 | b64url)
token=
enrol='{"secret":"'$secret'","name":"ws1","public_key":"'$public'","hostname":"ws1.uni.edu","address":"10.0.0.5","ssh_host_keys":[],"local_ids":[1000,10002]}'
ask POST /api/v1/hosts/enrol "$enrol"
is "$status" 201 "D6 a host enrols with its one-time token"
host=$(field host_id)
is "$(field feed_key) $(field uid_range)" "$feed_key 10001-1999999" "D6 it learns the feed's key and the ranges"
ask POST /api/v1/hosts/enrol "$enrol"
is "$status" 403 "D6 the token is used up"

# ---- RFC 7523
assertion() { # SUBJECT AUDIENCE
  local now head claims
  now=$(date +%s)
  head=$(printf '{"alg":"EdDSA"}' | b64url)
  claims=$(printf '{"iss":"%s","sub":"%s","aud":"%s","iat":%d,"exp":%d,"jti":"%s"}' "$1" "$1" "$2" \
    "$now" $((now + 60)) "$(openssl rand -hex 16)" | b64url)
  printf %s "$head.$claims" >"$dir/signed"
  openssl pkeyutl -sign -rawin -inkey "$dir/key.pem" -in "$dir/signed" -out "$dir/sig"
  printf '%s.%s.%s' "$head" "$claims" "$(b64url <"$dir/sig")"
}
exchange() {
  status=$(curl -sS -o "$dir/out" -w '%{http_code}' --unix-socket "$dir/http.sock" \
    --data-urlencode grant_type=client_credentials \
    --data-urlencode client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
    --data-urlencode "client_assertion=$1" http://localhost/oauth2/token)
}
good=$(assertion "$host" https://prism.test/oauth2/token)
exchange "$good"
is "$status" 200 "D2 RFC 7523 an assertion made by openssl is taken"
access=$(field access_token)
exchange "$good"
is "$status $(field error)" "401 invalid_client" "D2 RFC 7523 the same assertion again is refused"
exchange "$(assertion "$host" https://other.test/oauth2/token)"
is "$status" 401 "D2 RFC 7523 an assertion for another service is refused"

# ---- the feed: frames of u32 length and message; the last 64 bytes are the signature
token=$access
feed() { ask GET "/api/v1/hosts/self/feed?manifest=${1:-0}&have=${2:-}&wait=${3:-0}"; }
feed
is "$status" 200 "D2 the host polls its feed"
printf 'prism-feed-v1\0' >"$dir/context"
{ printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'; printf %s "$feed_key" | unb64url; } >"$dir/feed.der"
openssl pkey -pubin -inform DER -in "$dir/feed.der" -out "$dir/feed.pem" 2>/dev/null
python3 - "$dir" <<'EOP'
import struct, sys
d = sys.argv[1]
data, at, kinds = open(d + '/out', 'rb').read(), 0, []
context = open(d + '/context', 'rb').read()
while at < len(data):
    n, = struct.unpack_from('<I', data, at)
    m = data[at + 4:at + 4 + n]
    at += 4 + n
    assert m[:8] == b'PRSMFED1'
    i = len(kinds)
    open(f'{d}/m{i}', 'wb').write(context + m[:-64])
    open(f'{d}/s{i}', 'wb').write(m[-64:])
    kinds.append((m[8], m[28:44].hex(), struct.unpack_from('<QQQ', m, 44)))
assert [k[0] for k in kinds] == [3, 1], kinds
open(d + '/have', 'w').write('%s %s %d %d %d' % (kinds[0][1], kinds[1][1], kinds[1][2][0], kinds[1][2][2], kinds[0][2][2]))
EOP
say $? "D2 a manifest and a full feed come first, framed as feed.h says"
read -r manifest_host feed_id epoch revision manifest <"$dir/have"
is "$manifest_host" "$host" "D6 the manifest is for this host"
openssl pkeyutl -verify -rawin -pubin -inkey "$dir/feed.pem" -in "$dir/m0" -sigfile "$dir/s0" >/dev/null 2>&1
say $? "D6 openssl verifies the manifest's signature with the token's key"
openssl pkeyutl -verify -rawin -pubin -inkey "$dir/feed.pem" -in "$dir/m1" -sigfile "$dir/s1" >/dev/null 2>&1
say $? "D6 and the feed's"
printf x >>"$dir/m1"
! openssl pkeyutl -verify -rawin -pubin -inkey "$dir/feed.pem" -in "$dir/m1" -sigfile "$dir/s1" >/dev/null 2>&1
say $? "D6 and not that of changed bytes"

kind() { od -An -tu1 -j12 -N1 "$dir/out" | tr -d ' '; }
feed "$manifest" "$feed_id:$epoch:$revision"
is "$(kind) $(wc -c <"$dir/out")" "2 188" "D2 a host that has everything gets a heartbeat"

# ---- a change wakes the waiting host
( feed "$manifest" "$feed_id:$epoch:$revision" 20; date +%s%N >"$dir/woken"; cp "$dir/out" "$dir/delta" ) &
waiter=$!
sleep 0.3
start=$(date +%s%N)
curl -sS -o /dev/null --unix-socket "$dir/http.sock" -X PATCH -H "Authorization: Bearer $person" \
  -H 'Content-Type: application/json' -d '{"contact":"Dr. Chen"}' http://localhost/api/v1/projects/lab
wait "$waiter"
ms=$((($(cat "$dir/woken") - start) / 1000000))
echo "# woken after $ms ms, two processes of curl included"
[ "$ms" -lt 500 ] && grep -q 'Dr. Chen' "$dir/delta"
say $? "D2 a waiting host is woken by the change"

# ---- restart, backup and restore
stop
start
feed "$manifest" ""
is "$status" 200 "D2 access tokens survive a restart of the service"
"$central" -c "$dir/central.conf" backup "$dir/backup.db" >>"$dir/log" 2>&1
say $? "D6 backup while the service runs"
stop
"$central" -c "$dir/central.conf" restore "$dir/backup.db" >>"$dir/log" 2>&1
say $? "D6 restore"
start
feed "$manifest" "$feed_id:$epoch:$revision"
is "$status" 401 "D6 after a restore access tokens are gone"
token=
exchange "$(assertion "$host" https://prism.test/oauth2/token)"
is "$status" 200 "D6 after a restore the host's key still holds"
token=$(field access_token)
feed "$manifest" "$feed_id:$epoch:$revision"
new=$(python3 -c 'import struct,sys; d=open(sys.argv[1],"rb").read(); print(struct.unpack_from("<Q", d, 48)[0])' "$dir/out")
[ "$new" -gt "$epoch" ] && [ "$(kind)" = 3 ]
say $? "D6 after a restore a new epoch begins, with the manifest"

# ---- ids, and the end
login
ask POST /api/v1/users '{"username":"bob","email":"bob@uni.edu","name":"Bob","password":"another good one"}'
is "$(field username) $([ "$(field uid)" -gt 11001 ]; echo $?)" "bob 0" "D6 after a restore the register has jumped"
ask GET /api/v1/projects/lab/hosts
id=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[0]["id"])' "$dir/out")
ask DELETE "/api/v1/hosts/$id"
is "$status" 204 "D6 the host is removed"
token=
exchange "$(assertion "$host" https://prism.test/oauth2/token)"
is "$status" 401 "D6 a removed host is refused"
login
ask GET '/api/v1/audit?limit=100'
grep -q host.enrol "$dir/out" && grep -q host.remove "$dir/out" && grep -q host-token.create "$dir/out"
say $? "LESSONS 4.14 what hosts do is in the audit chain"
! grep -qF -e "$secret" -e "$access" "$dir/log"
say $? "STYLE 18 no secret is in the log"
stop
"$central" -c "$dir/central.conf" audit verify >>"$dir/log" 2>&1
say $? "LESSONS 4.14 the audit chain is whole"
[ "$bad" -eq 0 ] || tail -n 30 "$dir/log" | sed 's/^/# /'
echo "1..$n"
exit $bad
