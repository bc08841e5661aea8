#!/bin/bash
# SPDX-License-Identifier: MIT
# keep-logs.sh DIR: called by tests before they remove their folder. If $TEST_LOGS names a folder, what
# our programs have written there is kept in it for tests/secrets.sh: every *.log and "log", and the
# audit table of every database. In $TEST_LOGS.secrets it notes which exact values are secret, one a line:
# what stands in files called "secrets", "password" or *.password, tokens in credentials.json, private keys.
set -u
dir=$1
[ -n "${TEST_LOGS:-}" ] && [ -d "$dir" ] || exit 0
into=$(mktemp -d "$TEST_LOGS/${TEST_NAME:-test}.XXXXXX") || exit 1
secrets=$TEST_LOGS.secrets

find "$dir" -xdev -type f \( -name '*.log' -o -name log \) -size -32M -print0 2>/dev/null |
  while IFS= read -r -d '' file; do
    part=${file#"$dir"/}
    cp "$file" "$into/${part//\//,}"
  done
find "$dir" -xdev -type f -name '*.db' -print0 2>/dev/null |
  while IFS= read -r -d '' file; do
    part=${file#"$dir"/}
    sqlite3 -readonly "$file" 'SELECT seq, actor, action, object, peer, detail FROM audit' \
      >"$into/${part//\//,}.audit" 2>/dev/null
  done
{
  find "$dir" -xdev -type f \( -name secrets -o -name '*.password' -o -name password \) -exec cat {} +
  find "$dir" -xdev -type f -name credentials.json -exec grep -ohE '"p[a-z]{2}_[^"]{20,}"' {} + | tr -d '"'
  find "$dir" -xdev -type f -size -16k -exec grep -lE -- '-----BEGIN [A-Z ]*PRIVATE KEY-----' {} + |
    while IFS= read -r file; do
      sed -n '/PRIVATE KEY-----/,/-----END/p' "$file" | grep -vE -- '-----|^b3BlbnNzaC1rZXktdjEAAAAA' | grep -E '.{40}'
    done
} 2>/dev/null | grep -E '.{8}' >>"$secrets"
rmdir "$into" 2>/dev/null || true
