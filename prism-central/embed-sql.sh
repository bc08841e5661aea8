#!/bin/sh
# SPDX-License-Identifier: MIT
# Write the migrations as C: {version, "name", "text"} for each file VERSION_NAME.sql, in the order
# given, and an empty one at the end.
set -eu

echo '/* Made by embed-sql.sh. */'
echo 'static const struct migration migrations[] = {'
for f in "$@"; do
	name=$(basename "$f" .sql)
	version=$(expr "$name" : '0*\([1-9][0-9]*\)_.') || {
		echo "$f: not VERSION_NAME.sql" >&2
		exit 1
	}
	printf '{%s, "%s",\n' "$version" "$name"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/\\t/g' -e 's/^/"/' -e 's/$/\\n"/' "$f"
	echo '},'
done
echo '{0, NULL, NULL},'
echo '};'
