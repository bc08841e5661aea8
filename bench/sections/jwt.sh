#!/bin/bash
# SPDX-License-Identifier: MIT
# What checking one ID token costs the central service, everything included: key set in memory,
# signature, claims. The reference is OpenSSL's verification of the same signature and nothing else.
# Prints rows: section, name, ours, reference, unit, target, verdict, separated by tabs.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
rounds=${JWT_ROUNDS:-21}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

make --no-print-directory -s B="$B" "$B/obj/bench/jwt/jwt_bench.o" "$B/libapi.a" "$B/libbase.a" >&2
${CC:-cc} -o "$dir/jwt_bench" "$B/obj/bench/jwt/jwt_bench.o" "$B/libapi.a" "$B/libbase.a" -ljansson -lcrypto
"$dir/jwt_bench" "$rounds" >"$dir/out"

row() { # KEY TARGET NAME
  awk -v OFS='\t' -v k="$1" -v t="$2" -v n="$3" '$1 == k {
    print "jwt", n, $2, ($3 > 0 ? $3 : "-"), "us", "<= " t, ($2 <= t ? "ok" : "missed"); found = 1 }
    END { exit !found }' "$dir/out"
}

row ES256 200 "an ID token by ES256, CPU (reference: the bare signature)"
row RS256 200 "an ID token by RS256 of 2048 bits, CPU (reference: the bare signature)"
row EdDSA 400 "an ID token by EdDSA, CPU (reference: the bare signature)"
row set 20000 "reading a key set of 32 P-256 keys, CPU"
