#!/bin/bash
# SPDX-License-Identifier: MIT
# plot.sh TABLE.tsv OUT.svg: nanoseconds of a lookup, by operation, one group of bars for a size.
set -euo pipefail
table=$1 out=$2
points=$(mktemp)
trap 'rm -f "$points"' EXIT
awk -F'\t' '
  ($1 == "nss warm" || $1 ~ /^peer /) && $2 !~ /threads/ && $3 + 0 > 0 {
    split($2, n, ", ")
    if (n[1] !~ /^(pwnam|pwnam_miss|pwuid|grnam|grgid|initgr)$/) next
    sub(/ users/, "", n[2])
    who = $1 == "nss warm" ? "prism" : substr($1, 6)
    v[n[1] "@" n[2], who] = $3; if (who == "prism") v[n[1] "@" n[2], "floor"] = $4
    if (!((n[1] "@" n[2]) in seen)) { seen[n[1] "@" n[2]] = ++k; name[k] = n[1] "@" n[2] }
  }
  END {
    all = "floor prism"
    for (x in v) { split(x, y, SUBSEP); if (index(" " all " ", " " y[2] " ") == 0) all = all " " y[2] }
    print "op " all
    columns = split(all, w, " ")
    for (i = 1; i <= k; i++) {
      line = "\"" name[i] "\""
      for (j = 1; j <= columns; j++) line = line " " ((name[i], w[j]) in v ? v[name[i], w[j]] : "nan")
      print line
    }
  }' "$table" >"$points"
gnuplot <<END
set terminal svg size 1400,620 dynamic background "white"
set output "$out"
set title "NSS lookups, warm, one thread: operation@users, logarithmic" noenhanced
set linetype 9 linecolor rgb "#8a6d3b"
set bmargin 8
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.8
set logscale y
set ylabel "ns a lookup"
set yrange [5:*]
set grid ytics
set xtics rotate by -50 noenhanced
set key outside right top noenhanced
plot for [i=2:$(head -n 1 "$points" | wc -w)] "$points" using i:xtic(1) title columnheader(i)
END
