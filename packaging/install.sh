#!/bin/sh
# SPDX-License-Identifier: MIT
# What `make install` does: every file to its place under DESTDIR. The Makefile gives the variables.
# A configuration that is already there is kept.
set -eu
cd "$(dirname "$0")/.."
: "${B:=build}" "${DESTDIR:=}" "${PREFIX:=/usr}" "${SYSCONFDIR:=/etc}"
: "${LIBDIR:=$PREFIX/lib}" "${PAMDIR:=$LIBDIR/security}" "${UNITDIR:=/lib/systemd/system}"

put() { # MODE FILE PATH
  install -D -m "$1" "$2" "$DESTDIR$3"
}

put_config() { # FILE PATH
  [ -e "$DESTDIR$2" ] || put 0644 "$1" "$2"
}

put 0644 "$B/libnss_prism.so.2" "$LIBDIR/libnss_prism.so.2"
put 0644 "$B/pam_prism.so" "$PAMDIR/pam_prism.so"
put 0755 "$B/prism-keys" "$PREFIX/libexec/prism/prism-keys"
put 0755 "$B/prism-sync" "$PREFIX/sbin/prism-sync"
put 0755 "$B/prism-central" "$PREFIX/sbin/prism-central"
put 0755 "$B/prism-saml" "$PREFIX/libexec/prism/prism-saml"
put 0755 "$B/prism" "$PREFIX/bin/prism"
put 0755 packaging/nsswitch "$PREFIX/libexec/prism/nsswitch"
put 0755 packaging/pam-release "$PREFIX/libexec/prism/pam-release"
put 0755 packaging/host-config "$PREFIX/libexec/prism/host-config"

put_config config/prism.conf "$SYSCONFDIR/prism/prism.conf"
put_config config/central.conf "$SYSCONFDIR/prism/central.conf"
put 0644 config/sshd/prism.conf "$PREFIX/share/prism/sshd.conf"
put 0644 config/sudoers/prism "$PREFIX/share/prism/sudoers"
put 0644 packaging/pam-configs "$PREFIX/share/pam-configs/prism"

for service in prism-sync prism-central; do
  put 0644 "packaging/systemd/$service.service" "$UNITDIR/$service.service"
  put 0644 "packaging/systemd/$service.sysusers" "$PREFIX/lib/sysusers.d/$service.conf"
  put 0644 "packaging/systemd/$service.tmpfiles" "$PREFIX/lib/tmpfiles.d/$service.conf"
done

put 0644 packaging/systemd/prism-sync.path "$UNITDIR/prism-sync.path"

for page in man/*.[1-8]; do
  put 0644 "$page" "$PREFIX/share/man/man${page##*.}/${page##*/}"
done
