#!/bin/bash
# SPDX-License-Identifier: MIT
# prism-api(7) and the program say the same: routes with their permissions, codes of errors, roles.
set -u
cd "$(dirname "$0")/../.." || exit 2
page=man/prism-api.7
n=0 bad=0
say() { n=$((n + 1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
# same LEFT RIGHT TEST: two lists of lines
same() {
  local out; out=$(diff <(sort <<<"$1") <(sort <<<"$2"))
  [ -z "$out" ] || sed 's/^/# /' <<<"$out"
  [ -z "$out" ] && [ "$(wc -l <<<"$1")" -gt 3 ]
  say $? "$3"
}

code=$(tr -d '\n\t' <prism-central/routes.c | grep -oE '\{HTTP_[A-Z]+, *(V1 )?"[^"]+", *"[^"]+"' |
  sed -E 's,\{HTTP_([A-Z]+)\, *(V1 )?"([^"]+)"\, *"([^"]+)",\1 \3 \4,')
manual=$(sed -nE 's,^\.It Cm ([A-Z]+) Pa ([^ ]+) Pq (.*)$,\1 \2 \3,p' "$page" | sed -E 's,\{[^}]*\},{},g')
same "$code" "$manual" "STYLE 25 every route, with its permission, is in prism-api(7), and no other"

code=$(sed -nE 's/^	X\(([A-Z_]+), ([0-9]+),.*/\1 \2/p' lib/api/error.h)
manual=$(sed -nE 's/^\.It ([A-Z_]+) Ta ([0-9]+)$/\1 \2/p' "$page")
same "$code" "$manual" "STYLE 25 every error's code and status is in prism-api(7), and no other"

# What the page says of each role, against the rows of the migration.
roles() {
  sqlite3 :memory: ".read prism-central/migrations/0001_domain.sql" \
    "SELECT r.slug || ' ' || p.permission FROM roles r JOIN role_permissions p ON p.role_id = r.id
     WHERE r.scope = 'project'"
}
manual=$(awk '/^\.It (owner|admin|member|viewer) \(/ { role = $2; noun = "" }
  /^\.El/ { role = "" }
  role && /^\.Li/ { sub(/^\.Li /, ""); gsub(/ *, */, " "); sub(/ *\.$/, "")
    n = split($0, w, " ")
    for (i = 1; i <= n; i++) { if (w[i] == "hosts") noun = "hosts:"; else print role, (noun != "" ? noun : "") w[i] } }' "$page")
if command -v sqlite3 >/dev/null; then
  same "$(roles)" "$manual" "S1.30 what the roles allow is told in prism-api(7) as it is"
else
  echo "ok $((n += 1)) - S1.30 what the roles allow # SKIP sqlite3 is not installed"
fi
echo "1..$n"
exit "$bad"
