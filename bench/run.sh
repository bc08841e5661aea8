#!/bin/bash
# SPDX-License-Identifier: MIT
# bench/run.sh [-s "SIZES"] [-r ROUNDS] [-q]: the figures of this machine, in one table.
#
# NSS lookups of libnss_prism beside the floor (bench/nss/floor.h: the least a lookup can be), taking
# turns; the same lookups of what Debian packages for this (bench/nss/peers.sh); then the first
# lookup of a process, system calls, memory, publication; then what bench/sections/*.sh measure.
# Prints a table, and leaves in bench/results: table.txt, table.tsv, nss.tsv (every series), nss.svg.
#
#   -s  numbers of users (default "1000 100000 1000000"; peers serve up to 100000 of them)
#   -r  rounds; each publishes anew, because the pages' places decide much (3; of a million, 2). A
#       round's figure is the median of its batches; of the rounds the best counts, for the floor as
#       for the others
#   -q  quick: 1000 and 100000 users, one round, no peers; prints the table and keeps nothing
#
# A line of the table: section, name, ours, reference, unit, target, verdict, separated by tabs.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
sizes="1000 100000 1000000" rounds=3 peers=yes
while getopts s:r:q option; do
  case $option in
    s) sizes=$OPTARG ;;
    r) rounds=$OPTARG ;;
    q) sizes="1000 100000" rounds=1 peers= ;;
    *) exit 2 ;;
  esac
done
work=$(mktemp -d "${TMPDIR:-/var/tmp}/prism-bench-XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
bin=$work/bin results=$work/results
[ -z "$peers" ] || results=bench/results
mkdir -p "$results" "$work/snap"
table=$results/table.tsv series=$work/series.tsv
: >"$table"
: >"$series"

row() { printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$table"; }
note() { echo "# $*" >&2; }

bench/nss/build.sh "$bin" "$work" || exit 1

# ---- peers --------------------------------------------------------------------------------------

if [ -n "$peers" ]; then
  peers=$(bash bench/nss/peers.sh list)
  (bash bench/nss/peers.sh fetch "$work/peers") || { note "no peers but the files that are there"; peers=files; }
fi

measure_peers() { # SIZE
  local peer
  for peer in $peers; do
    case " $(bash bench/nss/peers.sh sizes "$peer") " in *" $1 "*) ;; *) continue ;; esac
    bash bench/nss/peers.sh run "$work/peers" "$peer" "$work/$1" -t 1 -b 3 -m 10 -s 20 2>"$work/peer.err" |
      sed "s/^/$1\t1\t/" >>"$series"
    [ "${PIPESTATUS[0]}" -eq 0 ] || note "peer $peer, $1 users: $(tail -n 1 "$work/peer.err")"
  done
}

# ---- warm lookups ------------------------------------------------------------------------------

measure() { # SIZE THREADS ROUND
  local data=$work/$1 modules=("$bin/libnss_floor.so.2" "$bin/libnss_prism.so.2")
  local options=(-u "$data/users.keys" -g "$data/groups.keys" -t "$2" -b 11 -m 10)
  "$bin/nssbench" "${options[@]}" "${modules[@]}" 2>>"$work/err" | sed "s/^/$1\t$3\t/" >>"$series"
}

publish() { # SIZE: both tables anew
  rm -f "$work/floor.db"
  "$bin/mkfloor" "$work/$1" "$work/floor.db"
  "$bin/mksnap" "$work/$1" "$work/snap" identity >/dev/null
}

for n in $sizes; do
  mkdir -p "$work/$n"
  note "$n users: $("$bin/nssdata" "$n" "$work/$n" | cut -d, -f2-)"
  for ((round = 1; round <= rounds && (round < 3 || n < 1000000); round++)); do
    publish "$n"
    measure "$n" 1 "$round"
    measure "$n" 2 "$round"
  done
  measure_peers "$n"
  [ ! -s "$work/err" ] || { sed 's/^/# /' "$work/err" >&2; : >"$work/err"; }

  if [ "$n" = 100000 ]; then
    # The first lookup of a process: dlopen, open, map, look up.
    uid=$(awk -F: 'NR == 5000 { print $2 }' "$work/$n/users.keys")
    LD_LIBRARY_PATH=$bin "$bin/nsscold" floor,prism "$uid" 300 >"$work/cold.tsv"
    awk -F'\t' -v OFS='\t' '{ v[$1] = $2 } END {
      print "nss cold", "first lookup of a process, 100k users", v["prism"], v["floor"], "us",
        "floor + 10", v["prism"] <= v["floor"] + 10 ? "ok" : "OVER" }' "$work/cold.tsv" >>"$table"

    # System calls and memory, warm.
    for op in pwnam pwnam_miss pwuid grnam grnam_miss grgid initgr; do
      run=("$bin/nssbench" -u "$work/$n/users.keys" -g "$work/$n/groups.keys" -o "$op" -n 10000 "$bin/libnss_prism.so.2")
      if command -v strace >/dev/null; then
        strace -f -o "$work/strace" "${run[@]}" >"$work/loop"
        calls=$(awk '/write\(-1, "BEGIN"/ { on = 1; next } /write\(-1, "END"/ { on = 0 } on { n++ } END { print n + 0 }' "$work/strace")
        row "nss calls" "system calls of 10000 x $op" "$calls" 0 calls 0 "$([ "$calls" = 0 ] && echo ok || echo OVER)"
      else
        "${run[@]}" >"$work/loop"
      fi
      [ "$op" != pwnam ] ||
        row "nss memory" "private memory after 10000 lookups" "$(sed 's/.*RssAnon +\(-*[0-9]*\).*/\1/' "$work/loop")" 0 KiB 64 \
          "$([ "$(sed 's/.*RssAnon +\(-*[0-9]*\).*/\1/' "$work/loop")" -le 64 ] && echo ok || echo OVER)"
    done

    # Publication of all three files; as above the least disturbed counts.
    for ((i = 0; i < 5; i++)); do "$bin/mksnap" "$work/$n" "$work/snap" all $((i + 2)); done >"$work/publish"
    awk -v OFS='\t' '
      /^publish/ { c[$2, ++k[$2]] = $3; w[$2, k[$2]] = $6; size += k[$2] == 1 ? $8 : 0; if ($10 > peak) peak = $10 }
      function best(a, kind,   i, v) {
        for (i = 1; i <= 5; i++) if (i == 1 || a[kind, i] + 0 < v) v = a[kind, i] + 0
        return v
      }
      END {
        cpu = best(c, "identity") + best(c, "access") + best(c, "keys")
        wall = best(w, "identity") + best(w, "access") + best(w, "keys")
        print "publish", "processor time, three files, 100k users, best of 5", cpu, "-", "ms", "-", "-"
        print "publish", "until it is on the disk and has the name, best of 5", wall, "-", "ms", "-", "-"
        print "publish", "bytes of the three files", size, "-", "bytes", "-", "-"
        print "publish", "memory of the writer, largest file", peak, "-", "KiB", 102400, peak < 102400 ? "ok" : "OVER"
      }' "$work/publish" >>"$table"
  fi
  rm -rf "${work:?}/$n"
done

# ---- the least disturbed round of each ---------------------------------------------------------

cp "$series" "$results/nss.tsv"
awk -f bench/nss/summary.awk "$series" >"$work/warm.tsv"
cat "$work/warm.tsv" "$table" >"$work/all.tsv" && mv "$work/all.tsv" "$table"

# ---- what others measure -----------------------------------------------------------------------

for section in bench/sections/*.sh; do
  [ -e "$section" ] || continue
  note "$section"
  WORK=$work timeout 120 bash "$section" >>"$table" || row "$(basename "$section" .sh)" failed - - - - BAD
done

# ---- table and plot ----------------------------------------------------------------------------

awk -f bench/nss/table.awk "$table" | tee "$results/table.txt"
if [ -n "$peers" ] && command -v gnuplot >/dev/null; then
  bench/nss/plot.sh "$table" "$results/nss.svg" || note "no plot"
fi
! grep -qE $'\t(OVER|BAD|missed)$' "$table"
