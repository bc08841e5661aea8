#!/bin/bash
# SPDX-License-Identifier: MIT
# The shipped module behind real programs: getent and id of glibc, with an nsswitch.conf of our own
# in a private mount namespace, and under libnss_wrapper.
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-build}
n=0 bad=0
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT

say() { n=$((n + 1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
finish() { echo "1..$n"; exit $bad; }

# A program that publishes one small snapshot; and the module as it is shipped.
cat >"$dir/publish.c" <<'C'
#include "snap_world.h"

int main(int argc, char **argv)
{
	struct world *w = world_new(5, 3);
	int r = world_publish(w, argv[1], 1);

	(void)argc;
	(void)test_run;
	return r < 0;
}
C
module=$B/libnss_prism.so.2
[ -e "$module" ] || { echo "not ok 1 - $module is not built"; echo 1..1; exit 1; }
if readelf -d "$module" | grep -q -e libasan -e libubsan || nm -D "$module" | grep -q __asan; then
  skip "D2a getent and id" "the module is built with a sanitizer"
  finish
fi
${CC:-cc} -std=gnu17 -D_GNU_SOURCE -w -Ilib -Itests -o "$dir/publish" "$dir/publish.c" \
  -Ilib/snapshot lib/snapshot/check.c lib/snapshot/survey.c lib/snapshot/write*.c lib/snapshot/publish.c && "$dir/publish" "$dir/nss"
say $? "D4 a snapshot is published"
mkdir "$dir/lib" && cp "$module" "$dir/lib/libnss_prism.so.2"
printf 'passwd: files prism\ngroup: files prism\n' >"$dir/nsswitch.conf"

# The command sees our nsswitch.conf, and the snapshot where the module looks for it.
inside() {
  unshare -m bash -c '
    dir=$1; shift
    mount --make-rprivate / && mount --bind "$dir/nsswitch.conf" /etc/nsswitch.conf &&
    mount -t tmpfs none /var/lib && mkdir -p /var/lib/prism/nss && cp "$dir"/nss/* /var/lib/prism/nss/ &&
    LD_LIBRARY_PATH=$dir/lib exec "$@"
  ' bash "$dir" "$@"
}

if ! inside true 2>/dev/null; then
  skip "D2a getent and id" "no mount namespaces here"
else
  expect() { # TEXT WANT COMMAND...
    local text=$1 want=$2 got
    shift 2
    got=$(inside "$@" 2>&1)
    [ "$got" = "$want" ] || printf '#   got:  %s\n#   want: %s\n' "$got" "$want"
    say $([ "$got" = "$want" ]; echo $?) "$text"
  }
  expect "D2a getent passwd by name" "user0001:*:10002:10002:User No. 1:/efs/home/user0001:/bin/bash" getent passwd user0001
  expect "D2a getent passwd by uid" "user0002:*:10003:10003:User No. 2:/efs/home/user0002:/bin/bash" getent passwd 10003
  expect "D2a getent group" "p-alpha:*:2000001:user0000,user0001,user0002,user0003,user0004" getent group p-alpha
  expect "D6 the private group" "user0003:*:10004:" getent group 10004
  expect "D6 prism-users lists nobody" "prism-users:*:2000000:" getent group prism-users
  expect "D6 but everybody is in it, as id shows" \
    "uid=10003(user0002) gid=10003(user0002) groups=10003(user0002),2000000(prism-users),2000001(p-alpha),2000002(p-beta-ro)" id user0002
  expect "D2a getent initgroups" "user0002              2000000 2000001 2000002" getent initgroups user0002
  expect "D6 a local account of the same name has its own groups alone" "3000 3001" bash -c '
    cp /etc/passwd /var/lib/passwd && echo "user0002:x:3000:3000::/:/bin/sh" >>/var/lib/passwd &&
    cp /etc/group /var/lib/group && echo "extra:x:3001:user0002" >>/var/lib/group &&
    mount --bind /var/lib/passwd /etc/passwd && mount --bind /var/lib/group /etc/group && id -G user0002'
  expect "D6 local accounts come first and stay" "root:x:0:0:root:/root:$(getent passwd root | cut -d: -f7)" getent passwd root
  expect "D2a nobody of that name" "" getent passwd no-such-person
  expect "D4 enumeration has them all" 5 bash -c 'getent passwd | grep -c "/efs/home/user000"'
  expect "D4 enumeration of groups: three and the private ones" 8 bash -c 'getent group | grep -cE "^(user000|p-|prism-users)"'
  expect "D2a a chown by name works" 10002 bash -c 'touch /var/lib/x && chown user0001 /var/lib/x && stat -c %u /var/lib/x'
  inside bash -c 'rm -r /var/lib/prism; getent passwd root >/dev/null && ! getent passwd user0001 >/dev/null'
  say $? "D2a without a snapshot root is still there"
fi

wrapper=$(find /usr/lib -name 'libnss_wrapper.so*' 2>/dev/null | head -n 1)
if [ -z "$wrapper" ] || ! inside true 2>/dev/null; then
  skip "STYLE 23 under libnss_wrapper" "not installed"
else
  got=$(inside env LD_PRELOAD="$wrapper" NSS_WRAPPER_PASSWD=/dev/null NSS_WRAPPER_GROUP=/dev/null \
    NSS_WRAPPER_MODULE_SO_PATH="$dir/lib/libnss_prism.so.2" NSS_WRAPPER_MODULE_FN_PREFIX=prism \
    getent passwd user0004 2>&1)
  [ "$got" = "user0004:*:10005:10005:User No. 4:/efs/home/user0004:/bin/bash" ] || echo "#   got: $got"
  say $([ "$got" = "user0004:*:10005:10005:User No. 4:/efs/home/user0004:/bin/bash" ]; echo $?) "STYLE 23 under libnss_wrapper"
fi
finish
