#!/bin/bash
# SPDX-License-Identifier: MIT
# Row S1.1, issue's packages: the edit of nsswitch.conf changes one word and nothing else.
set -u
cd "$(dirname "$0")/../.." || exit 2
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
count=0

ok() { # RC TEXT
  count=$((count + 1))
  [ "$1" = 0 ] && echo "ok $count - $2" || echo "not ok $count - $2"
}

# case NAME BEFORE AFTER: add gives AFTER; add again changes nothing; remove gives BEFORE back.
roundtrip() {
  local rc=0
  printf '%b' "$2" >"$dir/before"
  printf '%b' "$3" >"$dir/after"
  cp "$dir/before" "$dir/nsswitch.conf"
  packaging/nsswitch add "$dir/nsswitch.conf" && cmp "$dir/nsswitch.conf" "$dir/after" &&
    packaging/nsswitch add "$dir/nsswitch.conf" && cmp "$dir/nsswitch.conf" "$dir/after" &&
    packaging/nsswitch remove "$dir/nsswitch.conf" && cmp "$dir/nsswitch.conf" "$dir/before" || rc=1
  [ $rc = 0 ] || sed 's/^/# /' "$dir/nsswitch.conf"
  ok $rc "S1.1 nsswitch: $1"
}

rest='shadow:         files systemd\nhosts:          files dns # files\n\n# the end\n'
roundtrip "Debian's own file" \
  "# /etc/nsswitch.conf\n\npasswd:         files systemd\ngroup:          files systemd\n$rest" \
  "# /etc/nsswitch.conf\n\npasswd:         files prism systemd\ngroup:          files prism systemd\n$rest"
roundtrip "comments and odd blanks are kept" \
  "passwd: \t files\tsystemd   # files first!\ngroup:files #x\n$rest" \
  "passwd: \t files prism\tsystemd   # files first!\ngroup:files prism #x\n$rest"
roundtrip "compat" "passwd: compat\ngroup: compat\n$rest" "passwd: compat prism\ngroup: compat prism\n$rest"
roundtrip "an administrator's ldap stays last" \
  "passwd: files ldap\ngroup: files ldap\n$rest" "passwd: files prism ldap\ngroup: files prism ldap\n$rest"
roundtrip "an action stays with its service" \
  "passwd: files [NOTFOUND=continue SUCCESS=return] ldap [UNAVAIL=return]\ngroup: files [SUCCESS=merge] systemd\n" \
  "passwd: files [NOTFOUND=continue SUCCESS=return] prism ldap [UNAVAIL=return]\ngroup: files [SUCCESS=merge] prism systemd\n"
roundtrip "neither files nor compat: last" \
  "passwd: db systemd\ngroup: db systemd  # c\n" "passwd: db systemd prism\ngroup: db systemd prism  # c\n"
roundtrip "a database without a line gets one, which goes again" \
  "group: files\n$rest" "group: files prism\n${rest}passwd:         files prism\n"
roundtrip "other words that contain ours" \
  "passwd: files prismatic\ngroup: files xprism\n" "passwd: files prism prismatic\ngroup: files prism xprism\n"
roundtrip "commented lines are no lines" \
  "#passwd: files\npasswd: files\ngroup: files\n#group: files\n" "#passwd: files\npasswd: files prism\ngroup: files prism\n#group: files\n"
roundtrip "other databases are left alone" \
  "passwd_compat: files\npasswd: files\ngroup: files\ngshadow: files\nnetgroup: files\ninitgroups: files\n" \
  "passwd_compat: files\npasswd: files prism\ngroup: files prism\ngshadow: files\nnetgroup: files\ninitgroups: files\n"

printf 'passwd: files\ngroup: files\n' >"$dir/real"
chmod 0640 "$dir/real"
ln -sf real "$dir/link"
packaging/nsswitch add "$dir/link"
[ -L "$dir/link" ] && [ "$(stat -c %a "$dir/real")" = 640 ] && grep -q 'files prism' "$dir/real"
ok $? "S1.1 nsswitch: a link stays a link, the mode stays"

before=$(stat -c %i "$dir/real")
packaging/nsswitch add "$dir/real"
[ "$before" = "$(stat -c %i "$dir/real")" ]
ok $? "S1.1 nsswitch: nothing to do leaves the file alone"

printf 'passwd: files ldap prism\ngroup: prism files\n' >"$dir/own"
packaging/nsswitch add "$dir/own"
[ "$(cat "$dir/own")" = $'passwd: files ldap prism\ngroup: prism files' ]
ok $? "S1.1 nsswitch: an administrator's own place for the word is kept"

packaging/nsswitch add "$dir/none" && [ "$(grep -c prism "$dir/none")" = 2 ]
ok $? "S1.1 nsswitch: no file at all"

! ls "$dir"/*.prism-* >/dev/null 2>&1
ok $? "S1.1 nsswitch: no temporary file is left"
echo "1..$count"
