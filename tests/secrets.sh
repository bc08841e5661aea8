#!/bin/bash
# SPDX-License-Identifier: MIT
# secrets.sh [DIR]: no secret stands in any log that the suites have left in DIR or $SECRETS_IN (see
# keep-logs.sh). Speaks TAP.
# Looked for are the exact values in DIR.secrets, and whatever looks like a secret: our tokens' prefixes,
# private keys, signed tokens, the parameters of logins, user codes, and any long random text. What is
# found is shown with its place and without its value.
set -u
dir=${1:-$SECRETS_IN}
n=0 bad=0
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

say() { # STATUS TEXT
  n=$((n + 1))
  if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}

# NAME, then a pattern (PCRE). The letters of user codes are those of RFC 8628.
patterns='session and device tokens	\bp(st|ht|bs|bl|dt|dc|ac)_[A-Za-z0-9_-]{16}
API keys	\biak_[A-Za-z0-9_-]{16}
private keys	-----BEGIN [A-Z ]*PRIVATE KEY|b3BlbnNzaC1rZXktdjEAAAAA
signed tokens	eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}
bearer tokens	[Bb]earer [A-Za-z0-9_.-]{16}
cookies	(?i)\b(set-)?cookie: \S+=\S{8}
parameters of logins	(?i)\b(code|state|device_code|user_code|code_verifier|client_secret|refresh_token|access_token|id_token|logout_token|nonce|link|RelayState|SAMLRe(sponse|quest)|password)=["'"'"']?[A-Za-z0-9%+/._~-]{8}
SAML responses	PHNhbWxwO|PD94bWwg|<(saml2?p?:)?(Response|Assertion)\b
user codes	(?<![A-Za-z0-9-])[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}(?![A-Za-z0-9-])'

# Long random text: at least 40 characters of base64url with capitals, small letters and digits. Not
# secret: fingerprints and pins, which say so, public keys, file names.
random='(?<![A-Za-z0-9_+\/=-])(?=[A-Za-z0-9_-]*[A-Z])(?=[A-Za-z0-9_-]*[a-z])(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{40,}'
public='SHA256:[A-Za-z0-9+/]{43}|pin[:= "]*[A-Za-z0-9+/]{43}=|AAAAC3NzaC1lZDI1NTE5[A-Za-z0-9+/=]*|AAAAB3NzaC1[A-Za-z0-9+/=]*'

# FILE:LINE of each hit, and no more of it.
places() { sed -E "s|^$1/||" | cut -d: -f1,2 | sort -u; }

findings() { # DIR SECRETS
  local name pattern
  while IFS=$'\t' read -r name pattern; do
    grep -rnaP -- "$pattern" "$1" | places "$1" | sed "s/$/: $name/"
  done <<<"$patterns"
  if [ -s "$2" ]; then
    sort -u "$2" >"$work/exact"
    grep -rnaF -f "$work/exact" "$1" | places "$1" | sed 's/$/: a value that a test noted as secret/'
  fi
  grep -rnaP -- "$random" "$1" | sed -E "s#$public##g" | grep -aP -- "^[^:]*:[0-9]+:.*$random" |
    places "$1" | sed 's/$/: long random text/'
}

# ---- that it finds what it looks for -------------------------------------------------------------

mkdir "$work/canary"
while IFS= read -r line; do
  printf 'harmless\n%s\n' "$line" >"$work/canary/a.log"
  printf 'exactly-this-one\n' >"$work/canary.secrets"
  [ "$(findings "$work/canary" "$work/canary.secrets" | cut -d: -f1,2 | sort -u)" = a.log:2 ]
  say $? "LESSONS 18 a log with this would be found: ${line:0:20}..."
done <<'END'
session=pst_0123456789abcdefghijklmnopqrstuvwxyz
api key iak_0123456789abcdefghijklmn
-----BEGIN PRIVATE KEY-----
token eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbGljZSJ9.c2ln
GET /sso/uni/callback?code=SplxlOBeZQQYbYS6
the password was exactly-this-one
code WDJB-MJHT shown
device 3pJ0aQ9ZkqX1yBvT7mHsLw2RfCd8NgEuAoKi4PxYjVb
Cookie: __Host-prism=pbs_012345678901234567890
Cookie: __Host-prism-login=pbl_012345678901234567890
answer PHNhbWxwOlJlc3BvbnNlIHhtbG5z
END
printf 'key SHA256:3pJ0aQ9ZkqX1yBvT7mHsLw2RfCd8NgEuAoKi4PxYjVb of ws1\nGET /device 200\nstate pending, code 400\n' >"$work/canary/a.log"
[ -z "$(findings "$work/canary" /dev/null)" ]; say $? "LESSONS 18 a log without a secret passes"

# ---- the logs ------------------------------------------------------------------------------------

files=$(find "$dir" -type f | wc -l)
[ "$files" -gt 0 ]; say $? "LESSONS 18 the suites have left logs ($files files, $(du -sk "$dir" | cut -f1) kB)"
[ -s "$dir.secrets" ]; say $? "LESSONS 18 and $(sort -u "$dir.secrets" 2>/dev/null | wc -l) exact values that must not be there"
found=$(findings "$dir" "$dir.secrets")
[ -z "$found" ] || printf '%s\n' "$found" | head -n 40 | sed 's/^/# /'
[ -z "$found" ]; say $? "LESSONS 18 no secret stands in any log or audit table"
echo "1..$n"
exit $bad
