#!/bin/bash
# SPDX-License-Identifier: MIT
# Install what the providers here need, once for each package-lock.json, into build/idp, and print
# that directory: the providers run from there, because node looks for packages beside a program.
# Only this step needs the network.
set -eu
cd "$(dirname "$0")"
dir=${IDP_DIR:-../../build/idp}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
exec 7>>"$dir.lock"
flock 7

fetch() {
  rm -rf "$dir/node_modules" "$dir/installed"
  cp package.json package-lock.json "$dir/"
  (cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error \
    --cache="$dir/cache") >"$dir/log" 2>&1 7>&-
}

key=$(cat package.json package-lock.json | sha256sum)
if [ "$(cat "$dir/installed" 2>/dev/null)" != "$key" ]; then
  # A registry that is busy for a moment is no reason to give up.
  if ! fetch && ! { sleep 5; fetch; }; then
    tail -n 20 "$dir/log" >&2
    echo "the identity providers' packages could not be installed" >&2
    exit 1
  fi
  rm -rf "$dir/cache"
  echo "$key" >"$dir/installed"
fi
for file in *.mjs; do
  cmp -s "$file" "$dir/$file" || { cp "$file" "$dir/$file.new" && mv "$dir/$file.new" "$dir/$file"; }
done
echo "$dir"
