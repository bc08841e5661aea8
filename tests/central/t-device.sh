#!/bin/bash
# SPDX-License-Identifier: MIT
# Logins by device code against the real service: the command line's, and those of a host.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
[ -x "$CENTRAL" ] || tap_bail "prism-central is not built"
cli_home
central_start || tap_bail "prism-central did not start"
central_python tests/central/device_test.py
