#!/bin/bash
# SPDX-License-Identifier: MIT
# What `make deb` does: build/deb/*.deb. dpkg wants debian/ at the top of a source tree, so this builds in
# a copy of what git knows here, changes included. It needs no network. PRISM_DEB_VERSION=X gives the
# packages another version, PRISM_DEB_OUT=DIR another place.
set -eu
cd "$(dirname "$0")/.."
out=${PRISM_DEB_OUT:-build/deb}
work=build/deb-work
log=$work.log

sources() {
  if [ -e .git ]; then
    git -c safe.directory="$PWD" ls-files -z --cached --others --exclude-standard
  else
    find . -path ./build -prune -o -type f -print0
  fi
}

mkdir -p build "$out"
exec 8>>"$work.lock"
flock 8
rm -rf "$work"
mkdir -p "$work/src"
trap 'rm -rf "$work"' EXIT

# A file that git knows and that has been deleted since is no error.
sources | while IFS= read -r -d '' file; do [ ! -f "$file" ] || printf '%s\0' "$file"; done |
  tar -c --null -T - | tar -x -C "$work/src"
mv "$work/src/packaging/debian" "$work/src/debian"
if [ -n "${PRISM_DEB_VERSION:-}" ]; then
  sed -i "1s/(.*)/($PRISM_DEB_VERSION)/" "$work/src/debian/changelog"
fi

echo "  DEB     building the packages (log: $log)"
if ! (cd "$work/src" && env -u MAKEFLAGS -u MAKELEVEL -u B \
  DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=$(nproc)" DEB_BUILD_PROFILES=nocheck \
  dpkg-buildpackage -b -us -uc) >"$log" 2>&1 8>&-; then
  tail -n 40 "$log" >&2
  echo "the packages could not be built; the whole log is $log" >&2
  exit 1
fi
rm -f "$out"/*.deb
mv "$work"/*.deb "$out/"
for deb in "$out"/*.deb; do
  echo "  DEB     $deb"
done
