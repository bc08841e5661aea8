#!/bin/bash
# SPDX-License-Identifier: MIT
# Style that a machine can judge (CONTRIBUTING.md). Speaks TAP.
set -u
cd "$(dirname "$0")/.." || exit 2
n=0 bad=0
max_lines=60 max_complexity=15 max_file=600

say() { # STATUS TEXT
  n=$((n + 1))
  if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}
show() { [ -z "$1" ] || printf '%s\n' "$1" | head -n 30 | sed 's/^/#   /'; }
verdict() { show "$1"; say $([ -z "$1" ]; echo $?) "$2"; }

product=$(git ls-files '*.c' | grep -v '^tests/')
sources=$(git ls-files '*.c' '*.h')

out=$(for f in $sources; do clang-format --dry-run -Werror "$f" >/dev/null 2>&1 || echo "$f"; done)
verdict "$out" "STYLE 25 clang-format has nothing to change"

# pmccabe: modified complexity, complexity, statements, first line, lines, file(line): function
out=$(pmccabe $product 2>/dev/null | awk -v l=$max_lines -v c=$max_complexity '$5 > l || $1 > c { print $1, $5, $6, $7 }' |
  while read -r c l at name; do grep -qxF "${at%(*} ${name}" tests/lint-exceptions.txt || echo "complexity $c, lines $l: $at $name"; done)
verdict "$out" "STYLE 4 functions have at most $max_lines lines and a complexity of $max_complexity"

out=$(wc -l $product | awk -v m=$max_file '$2 != "total" && $1 > m { print $1, $2 }')
verdict "$out" "STYLE 3 no source file has more than $max_file lines"

out=$(grep -nE '(^|[^a-zA-Z0-9_.>])(strcpy|strncpy|strcat|strncat|sprintf|vsprintf|strtok|strtok_r|atoi|atol|atoll|system|popen|umask|getenv|alloca|gets|mktemp|tmpnam)[[:space:]]*\(' \
  $product $(git ls-files 'lib/*.h' 'prism*/*.h' '*_prism/*.h') | grep -vE '^[^:]+:[0-9]+:[[:space:]]*(/?\*|//)')
verdict "$out" "STYLE 21 no banned function is called"

out=$(for f in $sources; do head -n 1 "$f" | grep -q 'SPDX-License-Identifier: MIT' || echo "$f"; done)
verdict "$out" "every source begins with its licence"

out=$(for f in $(git ls-files 'lib/*.h' 'prism*/*.h' '*_prism/*.h'); do
  inc=-Ilib; case $f in lib/snapshot/*|nss_prism/*) inc='-Ilib/snapshot -Ilib' ;; prism-central/*) inc='-Ilib -Iprism-central' ;;
    prism-saml/*) inc="-Ilib $(pkg-config --cflags lasso)" ;; esac
  ${CC:-cc} -std=gnu17 -D_GNU_SOURCE $inc -fsyntax-only -x c "$f" 2>/dev/null || echo "$f"; done)
verdict "$out" "STYLE 8 headers are self-contained"

out=$(for f in $(git ls-files 'man/*.[1-9]'); do mandoc -Tlint -W warning "$f" 2>&1; done)
verdict "$out" "STYLE 25 mandoc finds no fault in the manual pages"

out=$(git grep -nE '\b(TODO|FIXME|XXX)\b' -- '*.c' '*.h' '*.sh' Makefile ':!tests/lint.sh')
verdict "$out" "nothing is marked unfinished"

out=$(for f in $(git ls-files '*.sh' tests/run .ci/run packaging); do
  head -n 1 "$f" | grep -qE '^#!.*\bbash' && { bash -n "$f" 2>&1; continue; }
  head -n 1 "$f" | grep -qE '^#!.*\bsh' && sh -n "$f" 2>&1; done)
verdict "$out" "every shell script parses"

echo "1..$n"
exit $bad
