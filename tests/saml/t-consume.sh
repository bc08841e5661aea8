#!/bin/bash
# SPDX-License-Identifier: MIT
# prism-saml by itself: good responses, every forgery of mint.py, its own messages and metadata.
set -u
cd "$(dirname "$0")/../.." || exit 2
command -v xmlsec1 >/dev/null || { echo "not ok 1 - I3.2 xmlsec1 signs what is tested"; echo 1..1; exit 1; }
T=$(mktemp -d) || exit 99
trap 'rm -rf "$T"' EXIT
PYTHONDONTWRITEBYTECODE=1 python3 tests/saml/consume.py "${B:-build}/prism-saml" "$T"
