#!/bin/bash
# SPDX-License-Identifier: MIT
# What `make deps` does: install what the build and the tests need. The list is Build-Depends in
# debian/control beside this script, and stands nowhere else. Says nothing when all is there.
set -u
cd "$(dirname "$0")" || exit 1
export DEBIAN_FRONTEND=noninteractive

# Without dpkg-dev (a new machine) nothing is satisfied.
satisfied() { dpkg-checkbuilddeps debian/control >/dev/null 2>&1; }

# apt's own wait covers only dpkg's lock, not that of the lists.
update() {
  local try
  for try in 1 2 3 4 5; do
    apt-get -q -o DPkg::Lock::Timeout=300 update && return
    sleep $((try * 3))
  done
  return 1
}

install_all() {
  apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 --no-install-recommends build-dep ./ &&
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 --no-install-recommends install dpkg-dev
}

! satisfied || exit 0
if ! command -v apt-get >/dev/null; then
  echo "this machine has no apt: install what packaging/debian/control names in Build-Depends" >&2
  exit 1
fi
if [ "$(id -u)" != 0 ]; then
  echo "packages are missing, and installing them needs root: sudo make deps" >&2
  dpkg-checkbuilddeps debian/control >&2
  exit 1
fi
echo "installing what the build and the tests need"
if ! apt-get -s -q --no-install-recommends build-dep ./ >/dev/null 2>&1; then
  update || { echo "apt could not fetch its lists" >&2; exit 1; }
fi
# A list that is out of date names files that are gone: once more with a fresh one.
install_all || { update && install_all; } || { echo "apt could not install the packages" >&2; exit 1; }
satisfied
