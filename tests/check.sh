#!/bin/bash
# SPDX-License-Identifier: MIT
# make check: every test there is, with its own set-up, and one count at the end.
# Parts may be chosen by name: tests/check.sh unit lab
set -u
cd "$(dirname "$0")/.." || exit 2
B=${B:-build}
TEST_TALLY=$(mktemp) || exit 2
TEST_LOGS=$(mktemp -d) || exit 2
export B TEST_TALLY TEST_LOGS
trap 'rm -rf "$TEST_TALLY" "$TEST_LOGS" "$TEST_LOGS.secrets"' EXIT
began=$(date +%s)
jobs=$(nproc)
parts=${*:-deps build quick links lint asan fuzz lab secrets}

part() { # NAME TEXT COMMAND...: run it if it was asked for
  local name=$1 text=$2
  shift 2
  case " $parts " in *" $name "*) ;; *) return 0 ;; esac
  printf '\n== %s (%s, at %d s)\n' "$text" "$name" $(($(date +%s) - began))
  "$@"
}

must() { # a step whose failure makes the rest meaningless
  "$@" && return
  echo "stopped: $* failed"
  echo "0 passed, 1 failed"
  exit 1
}

quick_tests() { echo tests/{unit,nss,pam,sync,central,saml,cli}/t_*.c tests/{unit,nss,pam,sync,central,saml,cli,packages}/t-*.sh; }

# Most tests wait for something most of the time: one more at once than there are processors.
many() { TEST_JOBS=$((jobs + 1)) run "$@"; }

run() { tests/run $(for f in "$@"; do [ -e "$f" ] && echo "$f"; done) | sed '$d'; }

asan() {
  must make --no-print-directory -j"$jobs" B="$B/san" SAN=1 WERROR=1 CFLAGS='-O1 -g' tests
  ASAN_OPTIONS=${ASAN_OPTIONS:-} B=$B/san many $(quick_tests)
}

no_secrets() {
  SECRETS_IN=$TEST_LOGS TEST_LOGS='' run tests/secrets.sh
}

lab() {
  TEST_TIMEOUT=1200 run tests/lab/t-*.sh
}

part deps "what the build and the tests need" must packaging/install-deps.sh
part build "everything, warnings are errors" must make --no-print-directory -j"$jobs" WERROR=1 tests
part quick "unit, NSS, PAM, agent, service and command line" many $(quick_tests)
part links "what each artefact links and exports" run tests/check-links.sh
part lint "style" run tests/lint.sh
part asan "the same under ASan and UBSan" asan
part fuzz "every parser, fuzzed for ${FUZZ_SECONDS:-10} s" env FUZZ_SECONDS="${FUZZ_SECONDS:-10}" TEST_TIMEOUT=1200 bash -c 'tests/run tests/fuzz/run.sh | sed "\$d"'
part lab "real hosts: packages, logins, end to end" lab
part secrets "no secret in the logs of all that" no_secrets

printf '\n%d s\n' $(($(date +%s) - began))
awk '{ p += $1; f += $2; s += $3 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 || p == 0 }' "$TEST_TALLY"
