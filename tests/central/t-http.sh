#!/bin/bash
# SPDX-License-Identifier: MIT
# The HTTP server of prism-central as its clients meet it, hostile ones included: helper_http serves
# routes made for this on ports of its own.
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-build}
[ -x "$B/tests/central/helper_http" ] || { echo "not ok 1 - helper_http is not built"; echo 1..1; exit 1; }
exec python3 tests/central/http_client.py "$B/tests/central/helper_http"
