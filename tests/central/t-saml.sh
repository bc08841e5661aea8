#!/bin/bash
# SPDX-License-Identifier: MIT
# Logins through SAML providers: every forgery of tests/saml/mint.py, and a provider that others have
# written (tests/idp), against the real service with the real prism-saml.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
. tests/idp/lib.sh
for program in "$CENTRAL" "$B/prism-saml"; do [ -x "$program" ] || tap_bail "$program is not built"; done
command -v xmlsec1 >/dev/null || tap_bail "xmlsec1, which signs what is tested, is not installed"
cli_home
install -m 600 /dev/null "$T/master.keys"
echo "2026-01-01-0000aa $(openssl rand -base64 32)" >"$T/master.keys"
# What runs as the helper can be another program: tests of what happens without it.
ln -s "$B/prism-saml" "$T/prism-saml"
central_start "[secrets]
master_keys = $T/master.keys
[sso]
private_addresses = yes
saml_helper = $T/prism-saml" || tap_bail "prism-central did not start"
saml_start campus --domain uni.edu || SAML_URL=
central_python tests/central/saml_test.py "$CENTRAL_PID" "$SAML_URL" "${SAML_ADMIN:-}"
