#!/bin/bash
# SPDX-License-Identifier: MIT
# What a change of one user costs a host that knows 100,000: the real agent, both halves and its home
# worker, fed by a central service of the tests over HTTP. The reference is one straight rewrite: the
# same data, compiled and written as three snapshots, with nothing around it.
# Prints rows: section, name, ours, reference, unit, target, verdict, separated by tabs.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
users=${PUBLISH_USERS:-100000} changes=${PUBLISH_CHANGES:-20}
make --no-print-directory -s B="$B" "$B/prism-sync" "$B/tests/sync/helper_central" "$B/tests/sync/helper_rewrite" >&2
dir=$(mktemp -d)
. tests/sync/agent.sh
trap 'agent_stop -KILL; central_stop; rm -rf "$dir"' EXIT

ticks=$(getconf CLK_TCK)
pids() { echo "$agent_pid" $(pgrep -P "$agent_pid"); }
cpu_ms() { # of all its processes, user and system
  for p in $(pids); do sed 's/.*) //' "/proc/$p/stat"; done | awk -v t="$ticks" '{ s += $12 + $13 } END { print s * 1000 / t }'
}
peak_mb() { for p in $(pids); do awk '$1 == "VmHWM:" { print $2 }' "/proc/$p/status"; done | awk '{ s += $1 } END { printf "%.1f", s / 1024 }'; }

central_start
host_enrol
# Nobody's home is to be made: that is not what is measured.
sed -i 's/^require_mount = no/require_mount = yes/; s,^mount_point.*,mount_point = /efs,' "$dir/h/etc/prism/prism.conf"
central fill "$users" 100001 >/dev/null
start=$(date +%s%N)
agent_start
until_true 60 status_is "['users']" "$users"
first=$((($(date +%s%N) - start) / 1000000))
sleep 1

before=$(cpu_ms)
latest=
for i in $(seq "$changes"); do
  want=$(central $([ $((i % 2)) = 1 ] && echo suspend || echo resume) $((100001 + (i + 1) / 2 * 37)) | awk '{ print $2 }')
  t0=$(date +%s%N)
  until_true 10 status_is "['feeds'][0]['revision']" "$want"
  latest="$latest $((($(date +%s%N) - t0) / 1000000))"
done
after=$(cpu_ms)
each=$(awk -v a="$after" -v b="$before" -v n="$changes" 'BEGIN { printf "%.1f", (a - b) / n }')
peak=$(peak_mb)
rewrite=$("$B/tests/sync/helper_rewrite" "$users" "$changes")

row() { # NAME OURS REFERENCE UNIT TARGET
  verdict=$(awk -v o="$2" -v t="$5" 'BEGIN { print (t == "" || o <= t) ? "ok" : "missed" }')
  printf 'publish\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${5:+<= $5}" "$verdict"
}
row "one user of $users changes: CPU of both halves (reference: a straight rewrite)" "$each" "$rewrite" ms 150
row "peak memory of prism-sync, all its processes together" "$peak" "" MB 200
row "from the start to $users people published" "$first" "" ms ""
