#!/bin/bash
# SPDX-License-Identifier: MIT
# What the change feed costs the central service: one project of 100,000 members.
# Prints rows: section, name, ours, reference, unit, target, verdict, separated by tabs.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
members=${FEED_MEMBERS:-100000}
libs="-levent -levent_pthreads -levent_openssl -ljansson -lssl -lcrypto -lcurl -lsqlite3 -linih -lsystemd -lresolv -lpthread"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

make --no-print-directory -s B="$B" "$B/obj/bench/feed/feed_bench.o" "$B/prism-central.a" \
  "$B/libapi.a" "$B/libfeed.a" "$B/libaccess.a" "$B/libsnapshot.a" "$B/libbase.a" >&2
# shellcheck disable=SC2086
${CC:-cc} -o "$dir/feed_bench" "$B/obj/bench/feed/feed_bench.o" "$B/prism-central.a" "$B/libapi.a" \
  "$B/libfeed.a" "$B/libaccess.a" "$B/libsnapshot.a" "$B/libbase.a" $libs

"$dir/feed_bench" setup "$dir/db" "$members" >"$dir/out" 2>"$dir/log"
"$dir/feed_bench" full "$dir/db" >>"$dir/out" 2>>"$dir/log"
"$dir/feed_bench" change "$dir/db" >>"$dir/out" 2>>"$dir/log"

value() { awk -F '\t' -v n="$1" '$1 == n { print $2 }' "$dir/out"; }
row() { # NAME OURS REFERENCE UNIT TARGET
  verdict=$(awk -v o="$2" -v t="$5" 'BEGIN { print (o <= t) ? "ok" : "missed" }')
  printf 'feed\t%s\t%s\t%s\t%s\t<= %s\t%s\n' "$1" "$2" "$3" "$4" "$5" "$verdict"
}

row "full feed of $members members (reference: read the rows, sign once)" "$(value full.wall)" "$(value full.floor)" ms 2000
row "peak memory of that (reference: the answer's size)" "$(value full.peak)" "$(value full.size)" MB 100
row "delta after one change, CPU (reference: one Ed25519 signature)" "$(value change.delta)" "$(value change.floor)" ms 5
row "the change itself with its stamp, CPU (reference: one Ed25519 signature)" "$(value change.write)" "$(value change.floor)" ms 5
row "each of 5,000 hosts that ask for it, CPU (reference: one Ed25519 signature)" "$(value hosts.each)" "$(value change.floor)" ms 0.05
row "signatures for 5,000 hosts and one change" "$(value hosts.signatures)" 5000 "" 1

# ---- the whole service: so many hosts wait for one project's feed, then a member's project changes
make --no-print-directory -s B="$B" "$B/prism-central" >&2
mkdir -m 700 "$dir/state"
printf '[server]\nurl = https://prism.test\nlisten = none\nlisten_plain = unix:%s\nstate_dir = %s\n[database]\nurl = sqlite:%s\n' \
  "$dir/socket" "$dir/state" "$dir/state/prism.db" >"$dir/central.conf"
echo 'correct horse battery' >"$dir/password"
"$B/prism-central" -c "$dir/central.conf" bootstrap --username alice --email alice@uni.edu \
  --password-file "$dir/password" >/dev/null 2>>"$dir/log"
ulimit -n 16384
"$B/prism-central" -c "$dir/central.conf" serve 2>>"$dir/log" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -S "$dir/socket" ] && break; sleep 0.05; done

ask() { # TOKEN PATH JSON MEMBER: that member of the answer
  curl -sS --unix-socket "$dir/socket" -H "Authorization: Bearer $1" -H 'Content-Type: application/json' \
    --data-binary "$3" "http://localhost$2" | python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$4"
}
person=$(ask '' /api/v1/sessions '{"login":"alice","password":"correct horse battery"}' token)
ask "$person" /api/v1/projects '{"slug":"lab"}' id >/dev/null
secret=$(ask "$person" /api/v1/projects/lab/host-tokens '{}' token |
  python3 -c 'import base64,json,sys; print(json.loads(base64.urlsafe_b64decode(sys.stdin.read().split(".")[1] + "=="))["sec"])')
openssl genpkey -algorithm ed25519 -out "$dir/key.pem" 2>/dev/null
b64url() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
public=$(openssl pkey -in "$dir/key.pem" -pubout -outform DER | tail -c 32 | b64url)
host=$(ask '' /api/v1/hosts/enrol '{"secret":"'"$secret"'","name":"ws1","hostname":"ws1","public_key":"'"$public"'"}' host_id)
now=$(date +%s)
printf '{"alg":"EdDSA"}' | b64url >"$dir/head"
printf '{"iss":"%s","sub":"%s","aud":"https://prism.test/oauth2/token","iat":%d,"exp":%d,"jti":"%s"}' \
  "$host" "$host" "$now" $((now + 60)) "$(openssl rand -hex 16)" | b64url >"$dir/claims"
printf '%s.%s' "$(cat "$dir/head")" "$(cat "$dir/claims")" >"$dir/signed"
openssl pkeyutl -sign -rawin -inkey "$dir/key.pem" -in "$dir/signed" -out "$dir/sig"
access=$(curl -sS --unix-socket "$dir/socket" -d grant_type=client_credentials \
  -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
  -d "client_assertion=$(cat "$dir/signed").$(b64url <"$dir/sig")" http://localhost/oauth2/token |
  python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')

read -r _ _ one < <(python3 bench/feed/many_hosts.py "$dir/socket" "$access" "$person" lab 1)
for hosts in 100 5000; do
  read -r _ middle last < <(python3 bench/feed/many_hosts.py "$dir/socket" "$access" "$person" lab "$hosts")
  row "$hosts waiting hosts, change sent to the middle one's answer (reference: one host)" "$middle" "$one" ms 1000
  row "$hosts waiting hosts, change sent to the last one's answer (reference: one host)" "$last" "$one" ms 1000
done
peak=$(awk '$1 == "VmHWM:" { printf "%.1f", $2 / 1024 }' "/proc/$server/status")
row "peak memory of the service with 5,000 waiting hosts" "$peak" "" MB 200
