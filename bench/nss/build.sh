#!/bin/bash
# SPDX-License-Identifier: MIT
# build.sh OUT DATA: build the harness, libnss_floor and a libnss_prism whose files lie under DATA
# (snap/) instead of /var/lib/prism/nss. The module is compiled from the same sources with the same
# flags as the shipped one.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$1 data=$2
CC=${CC:-cc}
flags="-std=gnu17 -D_GNU_SOURCE -O2 -g -fPIC -Wall -Wextra"
harden="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection"
link="-shared -Wl,--no-undefined,-z,relro,-z,now,-z,nodelete"
mkdir -p "$out"
for p in nssdata mkfloor mksnap; do
  $CC $flags -Ilib -I. -o "$out/$p" "bench/nss/$p.c" bench/nss/data.c \
    lib/snapshot/check.c lib/snapshot/survey.c lib/snapshot/write*.c lib/snapshot/publish.c -Ilib/snapshot
done
$CC $flags -Ilib -I. -o "$out/nssbench" bench/nss/nssbench.c bench/nss/ops.c -ldl -lpthread
$CC $flags -o "$out/nsscold" bench/nss/nsscold.c
$CC $flags -I. -DFLOOR_PATH="\"$data/floor.db\"" $link -Wl,-soname,libnss_floor.so.2 \
  -o "$out/libnss_floor.so.2" bench/nss/floor.c
$CC $flags $harden -Ilib/snapshot -DSNAPSHOT_DIR_OVERRIDE="\"$data/snap\"" $link \
  -Wl,-soname,libnss_prism.so.2,--version-script=nss_prism/nss_prism.map \
  -o "$out/libnss_prism.so.2" nss_prism/*.c lib/snapshot/check.c
