#!/bin/bash
# SPDX-License-Identifier: MIT
# The authorization server: codes with PKCE, revocation, metadata.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
[ -x "$CENTRAL" ] || tap_bail "prism-central is not built"
cli_home
central_start || tap_bail "prism-central did not start"
central_python tests/central/oauth_test.py
