# SPDX-License-Identifier: MIT
# Sourced by the tests and the benchmark of the agent: a host below $dir/h whose central service is
# helper_central, spoken to through `central WORDS`, which prints its one line of answer.

B=${B:-build}
ok_count=0
ok() { ok_count=$((ok_count + 1)); echo "ok $ok_count - $1"; }
not_ok() { ok_count=$((ok_count + 1)); echo "not ok $ok_count - $1"; shift; [ $# -eq 0 ] || printf '# %s\n' "$@"; }
check() { # NAME COMMAND...
  local name=$1; shift
  if "$@"; then ok "$name"; else not_ok "$name" "failed: $*"; fi
}
# until_true SECONDS COMMAND...
until_true() {
  local end=$(($(date +%s%N) + $1 * 1000000000)); shift
  while ! "$@"; do
    [ "$(date +%s%N)" -lt "$end" ] || return 1
    sleep 0.05
  done
}

central_start() { # [PORT]
  coproc CENTRAL { exec "$B/tests/sync/helper_central" "$@"; }
  central_pid=$CENTRAL_PID
  exec {central_in}>&"${CENTRAL[1]}" {central_out}<&"${CENTRAL[0]}"
  read -r _ port <&"$central_out"
}
central() { echo "$*" >&"$central_in"; read -r answer <&"$central_out"; echo "$answer"; }
central_stop() { kill "$central_pid" 2>/dev/null || true; wait "$central_pid" 2>/dev/null || true; }

# What `prism-sync enroll` would have written.
host_enrol() {
  read -r key host recovery < <(central keys)
  mkdir -p "$dir/h/etc/prism" "$dir/h/var/lib/prism" "$dir/efs/home" "$dir/skel"
  mkdir -m 700 -p "$dir/h/var/lib/prism/trust" "$dir/h/var/lib/prism/net"
  printf 'issued 0\n' >"$dir/h/var/lib/prism/trust/floors"
  printf 'host %s\nrecovery %s\nurl http://127.0.0.1:%s\nname ws1\nkey current %s 0\n' "$host" "$recovery" "$port" "$key" >"$dir/h/var/lib/prism/trust/pins"
  head -c 32 /dev/urandom >"$dir/h/var/lib/prism/net/host.key"
  printf '{"url":"http://127.0.0.1:%s","pin":"","host_id":"%s","name":"h1"}' "$port" "$host" \
    >"$dir/h/var/lib/prism/net/host.json"
  chmod 600 "$dir"/h/var/lib/prism/trust/* "$dir"/h/var/lib/prism/net/*
  printf '[home]\nroot = /efs/home\nmount_point = %s\nrequire_mount = no\nskel = %s/skel\n' \
    "$dir/efs" "$dir" >"$dir/h/etc/prism/prism.conf"
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$dir/h/etc/passwd"
  printf 'root:x:0:\n' >"$dir/h/etc/group"
}

agent() { "$B/prism-sync" --root "$dir/h" --no-drop "$@"; }
agent_start() {
  "$B/prism-sync" --root "$dir/h" --no-drop run >>"$dir/agent.log" 2>&1 &
  agent_pid=$!
  until_true 5 test -S "$dir/h/run/prism/agent.sock"
}
agent_stop() { kill "${1:--TERM}" "$agent_pid" 2>/dev/null || true; wait "$agent_pid" 2>/dev/null || true; }
status() { # "['users']": that part of the agent's status
  agent status --json 2>/dev/null |
    python3 -c 'import json,sys; j = json.load(sys.stdin); print(eval("j" + sys.argv[1]))' "$1" 2>/dev/null
}
status_is() { [ "$(status "$1")" = "$2" ]; }
