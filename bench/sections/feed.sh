#!/bin/bash
# SPDX-License-Identifier: MIT
# What the change feed costs the central service: one project of 100,000 members.
# Prints rows: section, name, ours, reference, unit, target, verdict, separated by tabs.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
members=${FEED_MEMBERS:-100000}
libs="-levent -levent_pthreads -levent_openssl -ljansson -lssl -lcrypto -lcurl -lsqlite3 -linih -lsystemd -lpthread"
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
