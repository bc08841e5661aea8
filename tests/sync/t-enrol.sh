#!/bin/bash
# SPDX-License-Identifier: MIT
# Enrolment, and the agent, with the real central service on loopback.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/sync/agent.sh
if [ "$(id -u)" -ne 0 ]; then echo "ok 1 - S2.4 enrolment # SKIP needs root"; echo 1..1; exit 0; fi
dir=$(mktemp -d)
chmod 755 "$dir"
agent_pid= server=
stop_server() { [ -z "$server" ] || { kill "$server"; wait "$server"; } 2>/dev/null; server=; }
cleanup() { agent_stop -KILL; stop_server; tests/keep-logs.sh "$dir"; rm -rf "$dir"; }
trap cleanup EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -m 700 "$dir/c"
mkdir -p "$dir/h/etc/prism" "$dir/h/etc/ssh" "$dir/h/var/lib"
cat >"$dir/central.conf" <<EOF
[server]
url = http://127.0.0.1:$port
listen = none
listen_plain = 127.0.0.1:$port
state_dir = $dir/c
[database]
url = sqlite:$dir/c/prism.db
EOF
echo 'correct horse battery' >"$dir/password"
chmod 600 "$dir/central.conf" "$dir/password"
printf '[home]\nrequire_mount = no\n' >"$dir/h/etc/prism/prism.conf"
echo 'root:x:0:0:root:/root:/bin/sh' >"$dir/h/etc/passwd"
echo 'root:x:0:' >"$dir/h/etc/group"
ssh-keygen -q -t ed25519 -N '' -C 'root@secret-name' -f "$dir/h/etc/ssh/ssh_host_ed25519_key" 2>/dev/null

service() { "$B/prism-central" -c "$dir/central.conf" "$@" 2>>"$dir/central.log"; }
start_server() {
  "$B/prism-central" -c "$dir/central.conf" serve 2>>"$dir/central.log" &
  server=$!
  until_true 10 curl -sf -o "$dir/out" "http://127.0.0.1:$port/healthz"
}
api() { # METHOD PATH [JSON]
  curl -sS -X "$1" -H "Authorization: Bearer ${session:-}" ${3:+-H 'Content-Type: application/json' --data-binary "$3"} \
    "http://127.0.0.1:$port/api/v1$2"
}
member_of() { python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
enrol() { agent enroll "$@" 2>&1; }
says() { case $1 in *"$2"*) ;; *) echo "# got: $1"; false ;; esac; }

service bootstrap --username chen --email chen@uni.edu --password-file "$dir/password" >"$dir/out"
start_server
session=$(api POST /sessions '{"login":"chen","password":"correct horse battery"}' | member_of token)
api POST /projects '{"slug":"lab","name":"The lab"}' >"$dir/out"
token=$(api POST /projects/lab/host-tokens '{"name":"h1"}' | member_of token)

check "S2.4 something that is no token is told so" says "$(enrol --token nonsense)" "this is not an enrolment token"
check "S2.4 the token is needed" says "$(enrol)" "usage: prism-sync enroll"
check "S2.4 a token that was cut gives no half enrolment" bash -c "[ ! -e $dir/h/var/lib/prism/trust/pins ]"

# The same token, but for another feed key: what answers is not what the token promised.
forged=$(python3 - "$token" <<'EOF'
import base64, json, sys
head, claims, sig = sys.argv[1].split('.')
pad = lambda s: base64.urlsafe_b64decode(s + '=' * (-len(s) % 4))
c = json.loads(pad(claims))
c['fky'] = base64.urlsafe_b64encode(bytes(32)).decode().rstrip('=')
c['sec'] = c['sec']
print('.'.join([head, base64.urlsafe_b64encode(json.dumps(c).encode()).decode().rstrip('='), sig]))
EOF
)
check "D6 a service with another feed key than the token's is refused" says "$(enrol --token "$forged")" "the service's keys are not those of the token"
check "D6 and nothing is written" bash -c "[ ! -e $dir/h/var/lib/prism/trust/pins ] && [ ! -e $dir/h/var/lib/prism/net/host.key ]"

check "S2.4 a token that is used up is told so" says "$(enrol --token "$token")" "This enrolment token is unknown, used or expired"
token=$(api POST /projects/lab/host-tokens '{"name":"h2"}' | member_of token)
check "S2.4 a good one enrols" says "$(enrol --token "$token")" "This host is enrolled as h2"
check "S2.4 the host's key is its own" [ "$(stat -c '%a %s' "$dir/h/var/lib/prism/net/host.key")" = "600 32" ]
check "S2.4 the pins are root's" [ "$(stat -c '%a' "$dir/h/var/lib/prism/trust/pins")" = 600 ]
token=$(api POST /projects/lab/host-tokens '{}' | member_of token)
check "S2.4 twice needs --force" says "$(enrol --token "$token")" "this host is enrolled already"

agent_start
check "D6 the agent gets the people of its project" until_true 5 status_is "['active']" 1
check "D6 the service knows what it has applied" until_true 5 bash -c "[ \"\$1\" != '' ]" _ "$(api GET /projects/lab/revision | grep -o '"applied":[1-9]')"
key=$(cut -d' ' -f1,2 "$dir/h/etc/ssh/ssh_host_ed25519_key.pub")
check "S2.4 the service knows its host key, without the comment" says "$(api GET /projects/lab/hosts)" "$key\""
agent_stop -TERM
check "S2.4 with --force it enrols anew" says "$(enrol --token "$token" --name h3 --force)" "This host is enrolled as h3"
agent_start
check "D6 and works" until_true 5 status_is "['active']" 1

# The whole service restarts while the agent waits.
stop_server
until_true 5 status_is "['connection']['state']" disconnected
start_server
check "D6 a service that restarts is found again" until_true 15 status_is "['connection']['state']" connected

id=$(api GET /projects/lab/hosts | python3 -c 'import json,sys; print([h["id"] for h in json.load(sys.stdin) if h["name"] == "h3"][0])')
api DELETE "/hosts/$id" >"$dir/out"
check "S2.4 a host that was removed says so" until_true 15 bash -c "$B/prism-sync --root $dir/h status | grep -q 'enrol it again'"
check "D6 and its people stay as they are until their validity ends" status_is "['users']" 1
echo "1..$ok_count"
