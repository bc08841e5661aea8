#!/bin/bash
# SPDX-License-Identifier: MIT
# The module, its readers and a publisher under ThreadSanitizer: no report at all. Built here, by
# itself, because it cannot be mixed with the other sanitizers.
set -u
cd "$(dirname "$0")/../.." || exit 2
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
name="D6 threads, publisher and module are clean under ThreadSanitizer"

skip() { echo "ok 1 - $name # SKIP $1"; echo 1..1; exit 0; }

echo 'int main(void) { return 0; }' >"$dir/probe.c"
${CC:-cc} -fsanitize=thread -o "$dir/probe" "$dir/probe.c" 2>/dev/null && "$dir/probe" 2>/dev/null ||
  skip "no ThreadSanitizer here"
if ! ${CC:-cc} -std=gnu17 -D_GNU_SOURCE -O1 -g -Wno-tsan -fsanitize=thread -pthread \
  -Ilib -Itests -Ilib/snapshot -o "$dir/threads" tests/nss/t_nss_threads.c \
  lib/snapshot/check.c lib/snapshot/survey.c lib/snapshot/write*.c lib/snapshot/publish.c -ldl; then
  echo "not ok 1 - $name"; echo 1..1; exit 1
fi
if TSAN_OPTIONS="halt_on_error=0 exitcode=66" "$dir/threads" >"$dir/out" 2>&1; then
  echo "ok 1 - $name"
  status=0
else
  sed 's/^/# /' "$dir/out" | head -n 60
  echo "not ok 1 - $name"
  status=1
fi
grep '^#' "$dir/out"
echo 1..1
exit $status
