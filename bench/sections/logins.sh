#!/bin/bash
# SPDX-License-Identifier: MIT
# Device logins: what two hundred that wait at once cost the agent's two halves, and how long it takes
# from the click in the browser until the agent answers; with the real service, HTTPS and a pin.
# Prints rows: section, name, ours, reference, unit, target, verdict, separated by tabs.
set -eu
cd "$(dirname "$0")/../.."
export B=${B:-build}
make --no-print-directory -s B="$B" "$B/prism-sync" "$B/prism-central" "$B/tests/sync/helper_login" >&2
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh
cli_home
central_start >&2
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/central:tests/sync python3 bench/logins/measure.py "$T" "$CENTRAL_PLAIN" "$CENTRAL_URL"
