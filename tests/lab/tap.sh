# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the lab's tests say their results with. To be sourced.

tap_count=0
tap_failed=0

ok() # RC TEXT
{
  tap_count=$((tap_count + 1))
  if [ "$1" = 0 ]; then
    echo "ok $tap_count - $2"
  else
    echo "not ok $tap_count - $2"
    tap_failed=$((tap_failed + 1))
  fi
}

is() # GOT WANTED TEXT
{
  if [ "$1" = "$2" ]; then
    ok 0 "$3"
    return
  fi
  diff <(printf '%s\n' "$2") <(printf '%s\n' "$1") | sed 's/^/# /' | head -n 30
  ok 1 "$3"
}

check() # TEXT COMMAND...
{
  local text=$1 out rc=0
  shift
  out=$("$@" 2>&1) || rc=$?
  [ $rc = 0 ] || printf '%s\n' "$out" | tail -n 15 | sed 's/^/# /'
  ok $rc "$text"
}

refuses() # TEXT COMMAND...: the command must fail
{
  local text=$1 out rc=0
  shift
  out=$("$@" 2>&1) || rc=$?
  [ $rc != 0 ] || printf '%s\n' "$out" | tail -n 5 | sed 's/^/# /'
  ok $((rc == 0)) "$text"
}

skip() # TEXT WHY
{
  tap_count=$((tap_count + 1))
  echo "ok $tap_count - $1 # SKIP $2"
}

plan()
{
  echo "1..$tap_count"
  exit $((tap_failed > 0))
}
