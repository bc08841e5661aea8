#!/bin/bash
# SPDX-License-Identifier: MIT
# Device logins through both halves of the agent and the real central service, with HTTPS and a pin.
set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh
[ "$(id -u)" -eq 0 ] || tap_skip_all "needs root"
[ -x "$CENTRAL" ] || tap_bail "prism-central is not built"
cli_home
central_start || tap_bail "prism-central did not start"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/central B=$B \
  python3 tests/sync/logins_test.py "$T" "$CENTRAL_PLAIN" "$CENTRAL_URL" "$CENTRAL_PID"
status=$?
[ "$status" = 0 ] || tail -n 20 "$T/agent.log" | sed 's/^/# /'
exit "$status"
