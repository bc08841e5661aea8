#!/bin/sh
# SPDX-License-Identifier: MIT
# Write the style sheet as C: its name, with a hash of its contents, and its bytes.
set -eu

hash=$(sha256sum "$1" | cut -c1-16)
echo '/* Made by embed-asset.sh. */'
echo "#define STYLE_NAME \"style-$hash.css\""
echo 'static const char style[] ='
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/\\t/g' -e 's/^/"/' -e 's/$/\\n"/' "$1"
echo ';'
