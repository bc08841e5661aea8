#!/bin/bash
# SPDX-License-Identifier: MIT
# What others do with the same people: NSS modules and caches that Debian packages. Nothing is
# installed: packages are unpacked under DIR, and each peer runs in name spaces of its own, with
# DIR's /usr over the machine's and an /etc, /run, /var/lib and /var/log that nobody else sees.
#
#   peers.sh fetch DIR                   download and unpack what can be had
#   peers.sh run DIR PEER DATA ARG...    nssbench ARG... -u KEYS -g KEYS MODULE, served DATA
#   peers.sh sizes PEER                  how many users it is asked to serve
#
# What does not work says so in one line and fails; it takes no other peer with it.
set -uo pipefail
packages="libnss-extrausers libnss-db libnss-cache libnss-systemd nscd sssd-common sssd-proxy"
peers="files extrausers db cache nscd systemd sss"

fail() { echo "$*" >&2; exit 1; }

# ---- packages ----------------------------------------------------------------------------------

fetch() { # DIR
  local dir=$1 list deb
  mkdir -p "$dir/root/usr/lib" "$dir/root/usr/bin" "$dir/root/usr/sbin" "$dir/deb"
  ln -sfn usr/lib "$dir/root/lib"
  # shellcheck disable=SC2086
  list=$(apt-get -s install --no-install-recommends $packages 2>/dev/null | awk '$1 == "Inst" { print $2 }')
  cd "$dir/deb" || exit 1
  # shellcheck disable=SC2086
  apt-get download ${list:-$packages} >/dev/null 2>&1 || fail "not every peer's package is to be had"
  for deb in *.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$dir/root" || exit 1
  done
}

# ---- a world of its own ------------------------------------------------------------------------

world() { # DIR
  mount --make-rprivate / || return 1
  mount -t overlay -o "lowerdir=$1/root/usr:/usr" none /usr || return 1
  mkdir "$1/etc" 2>/dev/null
  mount -t tmpfs none "$1/etc" && cp -a /etc/. "$1/etc/" && mount --move "$1/etc" /etc || return 1
  for d in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 none $d || return 1; done
  printf 'passwd: files\ngroup: files\n' >/etc/nsswitch.conf
}

module() { # NAME: where it is
  local f
  for f in /usr/lib/*/libnss_"$1".so.2 /usr/lib/libnss_"$1".so.2; do
    [ -e "$f" ] && echo "$f" && return
  done
  echo "no libnss_$1" >&2
  return 1
}

wait_for() { # SECONDS COMMAND...
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.05
  done
}

text() { # the machine's own few lines, then the data
  cat /etc/passwd "$1/passwd" >/etc/passwd.new && mv /etc/passwd.new /etc/passwd &&
    cat /etc/group "$1/group" >/etc/group.new && mv /etc/group.new /etc/group
}

# Each of these leaves the module's name in $module and, where it wants some, options in $options.
start_files() { text "$1" && module=libc; }

start_extrausers() {
  mkdir /var/lib/extrausers && cp "$1/passwd" "$1/group" /var/lib/extrausers/ && module=$(module extrausers)
}

start_db() {
  local f
  mkdir -p /var/lib/misc
  for f in passwd group; do
    awk -F: '{ printf "0%u ", n++; print; printf ".%s ", $1; print; printf "=%s ", $3; print }' "$1/$f" |
      makedb -o /var/lib/misc/$f.db - || return 1
  done
  module=$(module db)
}

# libnss-cache: lines by the name's or the id's order, each "KEY NUL OFFSET NUL", all of one length.
index_of() { # FILE COLUMN
  LC_ALL=C awk -F: -v column="$2" '{ print $column "\t" at + 0; at += length($0) + 1 }' "$1" |
    LC_ALL=C sort -t "$(printf '\t')" -k 1,1 |
    LC_ALL=C awk -F'\t' '{ line[NR] = $0; if (length($0) > most) most = length($0) }
      END { for (i = 1; i <= NR; i++) {
        printf "%s", line[i]
        for (n = length(line[i]); n <= most; n++) printf "\r"
        print "" } }' | tr '\t\r' '\0\0'
}

start_cache() {
  cp "$1/passwd" /etc/passwd.cache && cp "$1/group" /etc/group.cache &&
    index_of /etc/passwd.cache 1 >/etc/passwd.cache.ixname && index_of /etc/passwd.cache 3 >/etc/passwd.cache.ixuid &&
    index_of /etc/group.cache 1 >/etc/group.cache.ixname && index_of /etc/group.cache 3 >/etc/group.cache.ixgid &&
    module=$(module cache)
}

start_systemd() {
  mkdir -p /etc/userdb /run/systemd/userdb && cd /etc/userdb || return 1
  awk -F: '{
    json = sprintf("{\"userName\":\"%s\",\"uid\":%d,\"gid\":%d,\"realName\":\"%s\",\"homeDirectory\":\"%s\",\"shell\":\"%s\",\"disposition\":\"regular\"}", $1, $3, $4, $5, $6, $7)
    print json >($1 ".user"); close($1 ".user"); print json >($3 ".user"); close($3 ".user") }' "$1/passwd"
  awk -F: '{
    json = sprintf("{\"groupName\":\"%s\",\"gid\":%d,\"disposition\":\"regular\"}", $1, $3)
    print json >($1 ".group"); close($1 ".group"); print json >($3 ".group"); close($3 ".group")
    n = split($4, m, ","); for (i = 1; i <= n; i++) { f = m[i] ":" $1 ".membership"; printf "" >f; close(f) } }' "$1/group"
  module=$(module systemd)
}

# With an index behind it, or filling its cache would take minutes.
start_nscd() {
  start_db "$1" || return 1
  printf 'passwd: db\ngroup: db\n' >/etc/nsswitch.conf
  for t in passwd group; do
    printf '%s %s %s\n' enable-cache $t yes positive-time-to-live $t 3600 negative-time-to-live $t 3600 \
      suggested-size $t 200003 check-files $t no persistent $t no shared $t yes max-db-size $t 268435456
  done >/etc/nscd.conf
  mkdir -p /run/nscd /var/lib/nscd
  nscd -F -f /etc/nscd.conf >/dev/null 2>&1 &
  wait_for 10 test -S /run/nscd/socket || return 1
  # Its cache of everybody's groups would take half an hour to fill: without an index it is a walk.
  [ "$(wc -l <"$1/passwd")" -le 5000 ] ||
    options="-o pwnam,pwnam_miss,pwuid,pwuid_miss,grnam,grnam_miss,grnam_none,grgid,grgid_miss"
  module=glibc:nscd options="-p $options"
}

start_sss() {
  text "$1" || return 1
  mkdir -p /var/lib/sss/{db,mc,pipes/private,pubconf,keytabs,secrets,gpo_cache,deskprofile} /var/log/sssd /etc/sssd
  printf '%s\n' '[sssd]' 'services = nss' 'domains = bench' '[nss]' 'filter_users =' 'filter_groups =' \
    '[domain/bench]' 'id_provider = proxy' 'proxy_lib_name = files' 'auth_provider = none' 'access_provider = permit' >/etc/sssd/sssd.conf
  chmod 600 /etc/sssd/sssd.conf
  sssd -i >/var/log/sssd/out 2>&1 &
  wait_for 20 test -S /var/lib/sss/pipes/nss || return 1
  # The backend comes a little later than the socket. Then a few people, so that all are cached.
  head -n 50 "$1/users.keys" >/run/users.keys && head -n 20 "$1/groups.keys" >/run/groups.keys
  wait_for 20 getent -s sss passwd "$(head -n 1 /run/users.keys | cut -d: -f1)" || return 1
  keys=/run module=$(module sss) options=-p
}

# In the new name spaces.
inside() { # BENCH DIR PEER DATA ARG...
  local bench=$1 dir=$2 peer=$3 data=$4 keys=$4 module='' options=''
  shift 4
  world "$dir" >/dev/null 2>&1 || fail "$peer: no mounts of its own here"
  "start_$peer" "$data" >/var/log/peer 2>&1 && [ -n "$module" ] || fail "$peer: does not start: $(tail -n 1 /var/log/peer)"
  # shellcheck disable=SC2086
  "$bench" "$@" $options -u "$keys/users.keys" -g "$keys/groups.keys" "$module"
}

case ${1:-} in
  fetch) fetch "$2" ;;
  list) echo "$peers" ;;
  sizes)
    case $2 in
      files | extrausers | db | cache | nscd) echo 1000 100000 ;;
      *) echo 1000 ;;
    esac ;;
  run) # DIR PEER DATA ARG...
    shift
    dir=$1
    exec timeout 60 unshare --mount --pid --fork --kill-child --mount-proc \
      bash "$0" inside "${dir%/*}/bin/nssbench" "$@" ;;
  inside) shift && inside "$@" ;;
  *) exit 2 ;;
esac
