#!/bin/bash
# SPDX-License-Identifier: MIT
# Row S1.1, issue's packages: sudo's file is put in place only where its number means nobody else.
set -u
cd "$(dirname "$0")/../.." || exit 2
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
count=0
check() { # TEXT COMMAND...
  local text=$1
  shift
  count=$((count + 1))
  if "$@"; then echo "ok $count - $text"; else echo "not ok $count - $text"; sed 's/^/# /' "$dir/said"; fi
}

mkdir -p "$dir/etc/sudoers.d" "$dir/usr/sbin" "$dir/usr/share/prism"
cp config/sudoers/prism "$dir/usr/share/prism/sudoers"
printf '#!/bin/sh\nexit 0\n' >"$dir/usr/sbin/visudo"
chmod 755 "$dir/usr/sbin/visudo"
file=$dir/etc/sudoers.d/prism

host() { # GROUPLINE PASSWDLINE ACTION
  printf 'root:x:0:\n%s' "$1" >"$dir/etc/group"
  printf 'root:x:0:0:root:/root:/bin/sh\n%s' "$2" >"$dir/etc/passwd"
  DPKG_ROOT=$dir sh packaging/host-config "$3" >"$dir/said" 2>&1
}
refused() { host "$@" && ! test -e "$file" && grep -q 'is not installed' "$dir/said"; }
installed() { host "$@" && cmp -s "$file" config/sudoers/prism; }
said() { grep -q "$1" "$dir/said"; }

check "S1.1 a local group with the number that sudo knows: not installed" refused $'boat:x:2000001:eve\n' '' enable
check "S1.1 and it says which" said "boat"
check "S1.1 a local group named prism-sudo: not installed" refused $'prism-sudo:x:900:\n' '' enable
check "S1.1 an account with that primary group: not installed" refused '' $'eve:x:1000:2000001::/:/bin/sh\n' refresh
check "S1.1 neighbours are no clash" installed $'boat:x:200000:\nprism-sudoers:x:901:\n' $'eve:x:2000001:1000::/:/bin/sh\n' enable
check "S1.1 it stays with an upgrade" installed '' '' refresh
check "S1.1 a clash that comes later takes it away with the next upgrade" refused $'boat:x:2000001:\n' '' refresh
check "S1.1 and its end brings it back" installed '' '' refresh
echo "1..$count"
