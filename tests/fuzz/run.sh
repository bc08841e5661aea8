#!/bin/bash
# SPDX-License-Identifier: MIT
# Build every fuzz target with libFuzzer, ASan and UBSan, and run each for FUZZ_SECONDS over its
# corpus. A planted fault must be found first, or the harness itself is broken. Speaks TAP.
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-build}
seconds=${FUZZ_SECONDS:-10}
n=0 bad=0
out=$B/fuzz
flags=$(pkg-config --cflags lasso)
libs="-ljansson -lcrypto -lssl -lcurl -linih -levent -lsqlite3 -lsystemd -lseccomp -lresolv -lqrencode $(pkg-config --libs lasso libxml-2.0 gobject-2.0)"

say() { n=$((n + 1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }

mkdir -p "$out"
if ! echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n){return 0;}' |
  clang -x c - -fsanitize=fuzzer,address -o "$out/probe" 2>"$out/probe.log"; then
  echo "ok 1 - fuzzing # SKIP clang has no libFuzzer here: $(tail -n 1 "$out/probe.log")"
  echo 1..1
  exit 0
fi

make --no-print-directory -j2 -s B="$out" CC=clang FUZZ=1 CFLAGS='-O1 -g -w' V=1 fuzz-objects >"$out/build.log" 2>&1
status=$?
[ "$status" -eq 0 ] || tail -n 20 "$out/build.log" | sed 's/^/# /'
say "$status" "STYLE 24 everything compiles for libFuzzer"

archives=("$out"/libapi.a "$out"/libfeed.a "$out"/libagent.a "$out"/libaccess.a "$out"/libsnapshot.a "$out"/libbase.a)

# Build one target and run it: leaves NAME.verdict, "STATUS TEXT", and NAME.log.
fuzz() { # TARGET
  local name work with seeds status runs
  name=$(basename "$1" .c) work=$out/corpus-$(basename "$1" .c)
  # A target that tests a part of a program names its archive: /* with: prism-sync.a */
  with=$(sed -n 's,^/\* with: \(.*\) \*/$,\1,p' "$1")
  if ! clang -std=gnu17 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
    -Ilib -I. $flags -o "$out/$name" "$1" ${with:+"$out/$with"} "${archives[@]}" $libs 2>"$out/$name.log"; then
    echo "1 STYLE 24 $name builds" >"$out/$name.verdict"
    return
  fi
  mkdir -p "$work"
  seeds=tests/fuzz/corpus/${name#fuzz_}
  [ -d "$seeds" ] || seeds=
  "$out/$name" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 -timeout=10 \
    -artifact_prefix="$out/crash-$name-" "$work" $seeds >"$out/$name.log" 2>&1
  status=$?
  runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$out/$name.log")
  if [ "$name" = canary ]; then
    echo "$([ "$status" -ne 0 ]; echo $?) STYLE 24 the fuzzer finds the planted fault" >"$out/$name.verdict"
  else
    echo "$status STYLE 24 $name: ${runs:-0} runs in $seconds s without a fault" >"$out/$name.verdict"
  fi
}

rm -f "$out"/*.verdict
jobs=$(nproc) running=0
targets=(tests/fuzz/canary.c tests/fuzz/fuzz_*.c)
for target in "${targets[@]}"; do
  fuzz "$target" &
  running=$((running + 1))
  [ "$running" -lt "$jobs" ] || { wait -n; running=$((running - 1)); }
done
wait

for target in "${targets[@]}"; do
  name=$(basename "$target" .c) status=1 text="STYLE 24 $name ran"
  [ ! -s "$out/$name.verdict" ] || read -r status text <"$out/$name.verdict"
  [ "$status" -eq 0 ] || tail -n 30 "$out/$name.log" | sed 's/^/# /'
  say "$status" "$text"
done
echo "1..$n"
exit $bad
