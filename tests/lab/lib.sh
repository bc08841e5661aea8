# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The lab: real hosts with systemd and sshd on one machine, as systemd-nspawn containers on overlays
# over one Debian root, in a network of their own, with one shared home volume. To be sourced.
#
#	. tests/lab/lib.sh
#	lab_enter "$@"			# from here on in the lab's own mount and process namespaces
#	lab_packages			# our own, in LAB_DEBS
#	lab_rootfs			# the Debian root, cached in build/lab/cache
#	lab_network			# a bridge without any way out
#	efs_start ws1 [OPTIONS]		# the home volume as host ws1 sees it
#	host_start ws1 10.77.0.11 --bind="$(efs_mount ws1)":/efs
#	host_wait ws1
#	host_run ws1 COMMAND...
#
# All of it ends with the script, even if that is killed: processes and mounts live in namespaces that
# die with it; directories and cgroups are removed at the end, or by the next run, or by clean.sh.
# State is under build/lab (LAB_ROOT); a root file system that cannot carry overlays makes it
# /var/tmp/prism-lab-UID instead.
#
# LAB_SUITE in the environment names another release of Debian for the hosts (make check-debian13). Where
# that is not this machine's own, the packages are built in a root of that release, into build/deb-SUITE.

LAB_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LAB_ROOT=${LAB_ROOT:-$LAB_SOURCE/build/lab}
LAB_NET=10.77.0
LAB_SUITE=${LAB_SUITE:-bookworm}
LAB_MACHINE_SUITE=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# What every host has beside Debian's minimal system. Hosts install nothing from the network.
LAB_PACKAGES="systemd-sysv dbus libpam-systemd libnss-systemd openssh-server openssh-client iproute2
  sudo cron procps pamtester curl ca-certificates"
# The name service of systemd, which Debian 13 offers beside libnss-systemd.
[ "$LAB_SUITE" = bookworm ] || LAB_PACKAGES="$LAB_PACKAGES systemd-userdbd"

lab_say() { printf '%s\n' "lab: $*" >&2; }
lab_die() { lab_say "$*"; exit 1; }

# Milliseconds of the clock.
now_ms() { local t=${EPOCHREALTIME/[.,]/}; printf '%s' $((t / 1000)); }

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for()
{
  local end=$(($(now_ms) + $1 * 1000))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(now_ms)" -lt "$end" ] || return 1
    sleep 0.05
  done
}

# ---- what the machine must offer -----------------------------------------------------------------

# The cgroup2 hierarchy: on its own, or beside the v1 controllers.
lab_cgroup2()
{
  local dir
  for dir in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    [ -e $dir/cgroup.procs ] && [ "$(stat -fc %T $dir)" = cgroup2fs ] && echo $dir && return
  done
  return 1
}

lab_cgroup_roots()
{
  lab_cgroup2
  [ ! -e /sys/fs/cgroup/systemd/cgroup.procs ] || echo /sys/fs/cgroup/systemd
}

# Why the lab cannot run here, in one sentence, or nothing.
lab_obstacle()
{
  local program why missing=
  [ "$(id -u)" = 0 ] || { echo "it needs root: run it with sudo"; return; }
  for program in systemd-nspawn debootstrap ip nsenter unshare flock ssh-keygen pgrep; do
    command -v $program >/dev/null || missing="$missing $program"
  done
  [ -z "$missing" ] || { echo "these programs are missing:$missing (make deps installs them)"; return; }
  lab_cgroup2 >/dev/null || { echo "no cgroup2 hierarchy is mounted under /sys/fs/cgroup"; return; }
  mkdir "$(lab_cgroup2)/prism-lab-probe.$$" 2>/dev/null ||
    { echo "this machine does not let root make a cgroup (a container without privileges?)"; return; }
  rmdir "$(lab_cgroup2)/prism-lab-probe.$$"
  [ -c /dev/fuse ] || { echo "there is no /dev/fuse, and the home volume needs it"; return; }
  why=$(unshare --mount --net --pid --fork true 2>&1) ||
    { echo "namespaces cannot be made (${why:-unshare failed})"; return; }
  grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null ||
    echo "the kernel has no overlay file system"
}

lab_overlay_works()
{
  mkdir -p "$1/probe/lower" "$1/probe/upper" "$1/probe/work" "$1/probe/merged" || return 1
  unshare --mount mount -t overlay probe -o \
    "lowerdir=$1/probe/lower,upperdir=$1/probe/upper,workdir=$1/probe/work" \
    "$1/probe/merged" 2>/dev/null
  local rc=$?
  rm -rf "$1/probe"
  return $rc
}

# ---- entering and leaving ------------------------------------------------------------------------

# Remove what a run has left: called when no process of it can be alive.
lab_sweep()
{
  local id=$1 root
  for root in $(lab_cgroup_roots); do
    [ ! -d "$root/prism-lab-$id" ] ||
      wait_for 5 eval "find '$root/prism-lab-$id' -depth -type d -exec rmdir {} ';' ; [ ! -d '$root/prism-lab-$id' ]"
  done
  rm -rf --one-file-system "${LAB_ROOT:?}/run-$id"
}

# Runs are named by the process that leads them; those whose leader is gone are over.
lab_sweep_stale()
{
  local dir id
  for dir in "$LAB_ROOT"/run-* $(printf '%s/prism-lab-* ' $(lab_cgroup_roots)); do
    id=${dir##*-}
    [ ! -d "$dir" ] || kill -0 "$id" 2>/dev/null || lab_sweep "$id"
  done
}

lab_lock()
{
  mkdir -p "$LAB_ROOT"
  exec 9>>"$LAB_ROOT/lock"
  flock -n 9 && return
  lab_say "another lab of this checkout is running; waiting for its end"
  flock -w 1800 9 || lab_die "it did not end within half an hour"
}

# Ask politely; what hangs then dies with the namespaces.
lab_interrupt()
{
  pkill -TERM -P "$1"
  ( sleep 3; kill -KILL "$1" 2>/dev/null ) 9>&- &
}

# Run the calling script again in its own mount and process namespaces, and return only there.
lab_enter()
{
  local obstacle child rc=0
  if [ -n "${LAB_ID:-}" ]; then
    lab_inside
    return
  fi
  obstacle=$(lab_obstacle)
  [ -z "$obstacle" ] || lab_die "the lab cannot run here: $obstacle"
  if ! mkdir -p "$LAB_ROOT" || ! lab_overlay_works "$LAB_ROOT"; then
    LAB_ROOT=/var/tmp/prism-lab-$(id -u)
    if ! mkdir -p "$LAB_ROOT" || ! chmod 0700 "$LAB_ROOT" || ! lab_overlay_works "$LAB_ROOT"; then
      lab_die "the lab cannot run here: no file system that carries an overlay"
    fi
    lab_say "$LAB_SOURCE/build cannot carry overlays: using $LAB_ROOT"
  fi
  export LAB_ROOT
  lab_lock
  lab_sweep_stale
  export LAB_ID=$$
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL --propagation private \
    --mount-proc -- "$BASH" "$0" "$@" <&0 &
  child=$!
  trap 'lab_interrupt $child' INT TERM HUP
  wait $child || rc=$?
  while kill -0 $child 2>/dev/null; do
    rc=0
    wait $child || rc=$?
  done
  lab_sweep $LAB_ID
  [ "$LAB_ROOT" = "$LAB_SOURCE/build/lab" ] || [ -n "${LAB_KEEP_CACHE:-}" ] || rm -rf "$LAB_ROOT"
  exit $rc
}

lab_inside()
{
  local root
  umask 022
  LAB_DIR=$LAB_ROOT/run-$LAB_ID
  LAB_LOG=$LAB_DIR/log
  mkdir -p "$LAB_DIR/host" "$LAB_LOG" "$LAB_DIR/efs/data/home"
  for root in $(lab_cgroup_roots); do
    mkdir -p "$root/prism-lab-$LAB_ID"
  done
  trap 'exit 130' INT TERM HUP
  trap 'lab_leave $?' EXIT
}

# For tests/secrets.sh: a host's journal, the audit table, and which values are secret.
lab_keep_logs()
{
  local root
  root=$(host_root "$1")
  [ -n "${TEST_LOGS:-}" ] && [ -n "$(host_init "$1")" ] || return 0
  host_run "$1" journalctl --no-pager --output=short-precise >"$LAB_LOG/journal-$1.log" 2>/dev/null
  "$LAB_SOURCE/tests/keep-logs.sh" "$root/var/lib/prism-central"
  "$LAB_SOURCE/tests/keep-logs.sh" "$root/var/lib/prism"
  "$LAB_SOURCE/tests/keep-logs.sh" "$root/etc/ssh"
  "$LAB_SOURCE/tests/keep-logs.sh" "$root/home"
}

# A script may define lab_at_exit RC to say its last words while the hosts still live.
lab_leave()
{
  local name
  trap - EXIT
  trap '' INT TERM HUP
  if declare -F lab_at_exit >/dev/null; then
    lab_at_exit "$1"
  fi
  for name in $(host_names); do
    lab_keep_logs "$name"
    host_kill "$name"
  done
  [ -z "${TEST_LOGS:-}" ] || "$LAB_SOURCE/tests/keep-logs.sh" "$LAB_LOG"
  for name in "$LAB_DIR"/efs/*.pid; do
    [ ! -e "$name" ] || efs_stop "$(basename "$name" .pid)"
  done
  exit "$1"
}

# ---- the packages --------------------------------------------------------------------------------

lab_packages_stale()
{
  local newest
  newest=$(find "$LAB_DEBS" -name 'prism_*.deb' -print -quit 2>/dev/null)
  [ -n "$newest" ] || return 0
  cd "$LAB_SOURCE" || return 0
  [ -n "$(find Makefile config lib man nss_prism packaging pam_prism prism prism-central prism-keys \
    prism-saml prism-sync -type f -newer "$newest" -print -quit)" ]
}

# What the build needs and the tests do not, by debian/control.
lab_build_depends()
{
  sed -n '/^Build-Depends:/,/^$/s/^ \([^ ,]*\)[^<]*$/\1/p' "$LAB_SOURCE/packaging/debian/control"
  echo build-essential git
}

# In a root of the hosts' release, which has this tree as /src.
lab_packages_foreign()
{
  # shellcheck disable=SC2046 # a list of words
  lab_root_make "build-$LAB_SUITE" $(lab_build_depends)
  lab_in_root "$LAB_ROOT_MADE" "$LAB_SOURCE" /src env -C /src PRISM_DEB_OUT="build/deb-$LAB_SUITE" \
    packaging/build-deb.sh
}

# Build the packages if a source is newer than they are. LAB_DEBS in the environment names others.
lab_packages()
{
  local build=$LAB_SOURCE/packaging/build-deb.sh
  [ -z "${LAB_DEBS:-}" ] || return 0
  LAB_DEBS=$LAB_SOURCE/build/deb
  [ "$LAB_SUITE" = "$LAB_MACHINE_SUITE" ] || { LAB_DEBS=$LAB_DEBS-$LAB_SUITE; build=lab_packages_foreign; }
  ! lab_packages_stale || "$build" >&2 || lab_die "no packages for $LAB_SUITE, no lab"
}

# What they depend on beside each other, for the root.
lab_package_depends()
{
  local deb
  for deb in "$LAB_DEBS"/*.deb; do
    dpkg-deb -f "$deb" Depends
  done | tr ',' '\n' | sed 's/|.*//; s/(.*//; s/ //g' | grep -v prism | sort -u
}

# host_install HOST PACKAGE...
host_install()
{
  local host=$1 package files=()
  shift
  mkdir -p "$(host_root "$host")/var/cache/prism"
  for package in "$@"; do
    cp "$LAB_DEBS/$package"_*.deb "$(host_root "$host")/var/cache/prism/"
    files+=(/var/cache/prism/"$package"_*.deb)
  done
  # shellcheck disable=SC2016,SC2086 # the host expands the pattern
  host_run "$host" env DEBIAN_FRONTEND=noninteractive sh -c 'exec dpkg --install $1' _ "${files[*]}"
}

# ---- the Debian root -----------------------------------------------------------------------------

# "URI SUITE COMPONENT" of every Debian source that this machine's apt is configured with; of another
# release, what stands there for this machine's own.
lab_apt_sources()
{
  # shellcheck disable=SC2016 # apt expands these
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
    "Created-By: Packages" 2>/dev/null |
    while read -r uri suite component; do
      case $suite in
      "$LAB_SUITE"|"$LAB_SUITE"-updates|"$LAB_SUITE"-security) ;;
      "$LAB_MACHINE_SUITE"|"$LAB_MACHINE_SUITE"-updates|"$LAB_MACHINE_SUITE"-security)
        suite=$LAB_SUITE${suite#"$LAB_MACHINE_SUITE"} ;;
      *) continue ;;
      esac
      case $uri in
      # A list of mirrors in a file, as Debian's cloud images have it: the first one.
      mirror+file:*) uri=$(awk '$1 !~ /^#/ && NF { print $1; exit }' "${uri#mirror+file:}") ;;
      esac
      echo "$uri $suite $component"
    done | sort -u
}

lab_mirror() { lab_apt_sources | awk -v suite="$LAB_SUITE" '$2 == suite && $3 == "main" { print $1; exit }'; }

lab_proxy() { apt-config shell proxy Acquire::http::Proxy | sed -n "s/^proxy='\(.*\)'$/\1/p"; }

# lab_in_root ROOT DIRECTORY PLACE COMMAND...: there, with a directory of this machine at that place.
lab_in_root()
{
  # shellcheck disable=SC2016 # for the shell inside
  unshare --mount --pid --uts --ipc --fork --kill-child=KILL bash -c '
    root=$1 directory=$2 place=$3; shift 3
    mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" || exit 1
    mount -t tmpfs tmpfs "$root/run" && mkdir -p "$root$place" || exit 1
    mount --bind "$directory" "$root$place" || exit 1
    exec env DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"' _ "$@"
}

lab_apt_in_root()
{
  local root=$1 archives=$LAB_ROOT/cache/debs-$LAB_SUITE
  shift
  mkdir -p "$archives/partial"
  lab_in_root "$root" "$archives" /var/cache/apt/archives apt-get -q -o APT::Keep-Downloaded-Packages=true "$@"
}

lab_rootfs_build()
{
  local root=$1 mirror
  shift
  mirror=$(lab_mirror)
  [ -n "$mirror" ] || lab_die "apt on this machine has no source for Debian $LAB_SUITE"
  http_proxy=${http_proxy:-$(lab_proxy)} debootstrap --variant=minbase \
    --cache-dir="$LAB_ROOT/cache/debs-$LAB_SUITE" --include=ca-certificates "$LAB_SUITE" "$root" "$mirror" || return 1
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 0755 "$root/usr/sbin/policy-rc.d"
  lab_apt_sources | sed 's/^/deb /' >"$root/etc/apt/sources.list"
  apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/99lab"
  rm -f "$root/etc/resolv.conf"
  cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  lab_apt_in_root "$root" update &&
    lab_apt_in_root "$root" install -y --no-install-recommends "$@" || return 1
  rm -rf "$root/etc/apt/apt.conf.d/99lab" "$root"/etc/ssh/ssh_host_* "$root"/var/lib/apt/lists/*
  : >"$root/etc/machine-id"
  : >"$root/etc/resolv.conf"
}

# lab_root_make NAME PACKAGE...: build a root, once for each list of packages; sets LAB_ROOT_MADE.
lab_root_make()
{
  local name=$1 packages key log=$LAB_LOG/root-$1.log
  shift
  packages=$(printf '%s\n' "$@" | sort -u | tr '\n' ' ')
  key=$({ echo "$packages"; declare -f lab_rootfs_build; } | sha256sum | cut -c1-12)
  LAB_ROOT_MADE=$LAB_ROOT/cache/$name-$key
  mkdir -p "$LAB_ROOT/cache/debs-$LAB_SUITE"
  [ ! -d "$LAB_ROOT_MADE" ] || return 0
  rm -rf "$LAB_ROOT/cache/$name"-*
  lab_say "building the Debian root $name (once, about a minute)"
  # shellcheck disable=SC2086
  if ! lab_rootfs_build "$LAB_ROOT_MADE.new" $packages >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    lab_die "the root could not be built"
  fi
  mv "$LAB_ROOT_MADE.new" "$LAB_ROOT_MADE"
}

# The hosts' root, with what our packages depend on; sets LAB_ROOTFS.
# Ends by hiding the machine's /run: nothing below needs it, and nothing is left in it.
lab_rootfs()
{
  # shellcheck disable=SC2046,SC2086 # lists of words
  lab_root_make "$LAB_SUITE" $LAB_PACKAGES $(lab_package_depends)
  LAB_ROOTFS=$LAB_ROOT_MADE
  mount -t tmpfs -o mode=0755 tmpfs /run
  mkdir -p /run/netns
}

# ---- network -------------------------------------------------------------------------------------

net_name() { echo "prism-$LAB_ID-$1"; }

lab_network()
{
  ip netns add "$(net_name switch)"
  ip -n "$(net_name switch)" link set lo up
  ip -n "$(net_name switch)" link add bridge type bridge
  ip -n "$(net_name switch)" link set bridge up
}

host_network()
{
  local name=$1 address=$2 switch
  switch=$(net_name switch)
  ip -n "$switch" link del "to-$name" 2>/dev/null
  ip netns del "$(net_name "$name")" 2>/dev/null
  ip netns add "$(net_name "$name")"
  ip -n "$(net_name "$name")" link set lo up
  # The same hardware address after a reboot, so that the others' neighbour tables stay right.
  ip -n "$(net_name "$name")" link add eth0 address "02:00:0a:4d:00:$(printf '%02x' "${address##*.}")" \
    type veth peer name "to-$name" netns "$switch"
  ip -n "$switch" link set "to-$name" master bridge up
  ip -n "$(net_name "$name")" addr add "$address/24" dev eth0
  ip -n "$(net_name "$name")" link set eth0 up
}

# net_run NAME COMMAND...: a program of this machine in that host's network, or in a network that
# host_network has made for nobody else.
net_run()
{
  local name=$1
  shift
  nsenter --net="/run/netns/$(net_name "$name")" -- "$@" 9>&-
}

# host_unplug NAME, host_plug NAME: pull its cable, put it back.
host_unplug() { ip -n "$(net_name switch)" link set "to-$1" down; }
host_plug() { ip -n "$(net_name switch)" link set "to-$1" up; }

# ---- hosts ---------------------------------------------------------------------------------------

host_dir() { echo "$LAB_DIR/host/$1"; }
host_root() { echo "$LAB_DIR/host/$1/root"; }
host_names() { ls "$LAB_DIR/host" 2>/dev/null; }

# host_prepare NAME: its root, without starting anything; also good for chroot alone.
host_prepare()
{
  local dir
  dir=$(host_dir "$1")
  mkdir -p "$dir/upper" "$dir/work" "$dir/root"
  mount -t overlay "lab-$1" \
    -o "lowerdir=$LAB_ROOTFS,upperdir=$dir/upper,workdir=$dir/work" "$dir/root" || return 1
  echo "$1" >"$dir/root/etc/hostname"
  cat >"$dir/root/etc/hosts" <<X
127.0.0.1 localhost $1
$LAB_NET.2 central
$LAB_NET.3 idp
$LAB_NET.11 ws1
$LAB_NET.12 ws2
$LAB_NET.50 client
X
  rm -f "$dir/root/usr/sbin/policy-rc.d"
  # The tests are refused more often than any person: from OpenSSH 9.8 on, sshd would shut out their address.
  [ "$LAB_SUITE" = bookworm ] ||
    echo "PerSourcePenaltyExemptList $LAB_NET.0/24" >"$dir/root/etc/ssh/sshd_config.d/50-lab.conf"
  mkdir -p "$dir/root/efs"
  # One key, not three: making RSA keys for every host would cost seconds.
  ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$dir/root/etc/ssh/ssh_host_ed25519_key"
}

# host_start NAME ADDRESS [NSPAWN-OPTION...]: boot it; also after host_kill, with the same disk.
host_start()
{
  local name=$1 address=$2 dir root
  shift 2
  dir=$(host_dir "$name")
  [ -d "$dir/root/etc" ] || host_prepare "$name" || return 1
  host_network "$name" "$address"
  (
    for root in $(lab_cgroup_roots); do
      mkdir -p "$root/prism-lab-$LAB_ID/$name"
      echo $BASHPID >"$root/prism-lab-$LAB_ID/$name/cgroup.procs"
    done
    exec 9>&-
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec systemd-nspawn --quiet --boot --directory="$dir/root" \
      --machine="prism-$LAB_ID-$name" --hostname="$name" --register=no --keep-unit \
      --network-namespace-path="/run/netns/$(net_name "$name")" --console=pipe \
      --resolv-conf=off --timezone=off --link-journal=no \
      --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" "$@"
  ) </dev/null >>"$LAB_LOG/$name.log" 2>&1 &
  echo $! >"$dir/pid"
}

# The pid of a host's init.
host_init() { pgrep -P "$(cat "$(host_dir "$1")/pid")" 2>/dev/null | head -n 1; }

# host_run NAME COMMAND...: as root on that host. Not to set the clock, which is the machine's own.
host_run()
{
  local init
  init=$(host_init "$1")
  [ -n "$init" ] || { lab_say "host $1 is not running"; return 125; }
  shift
  setpriv --bounding-set=-sys_time -- \
    nsenter --target "$init" --mount --uts --ipc --net --pid --cgroup -- \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    TERM=dumb LANG=C.UTF-8 "$@" 9>&-
}

# host_sh NAME TEXT: a shell command there.
host_sh() { host_run "$1" sh -c "$2"; }

# host_put NAME FILE PATH [MODE]
host_put() { install -D -m "${4:-0644}" "$2" "$(host_root "$1")$3"; }

host_is_up()
{
  case $(host_run "$1" systemctl is-system-running 2>/dev/null) in
  running|degraded) ;;
  *) return 1 ;;
  esac
}

# Until the host has finished booting; says which units failed, if any.
host_wait()
{
  if ! wait_for 60 host_is_up "$1"; then
    lab_say "host $1 did not come up:"
    tail -n 20 "$LAB_LOG/$1.log" >&2
    return 1
  fi
  host_run "$1" systemctl --failed --no-legend --no-pager --plain | sed "s/^/lab: $1: failed unit: /" >&2
}

# Power off without warning.
host_kill()
{
  local dir pid init
  dir=$(host_dir "$1")
  pid=$(cat "$dir/pid" 2>/dev/null) || return 0
  init=$(host_init "$1")
  [ -z "$init" ] || kill -KILL "$init" 2>/dev/null
  while kill -0 "$pid" 2>/dev/null; do
    [ -n "$init" ] || kill -TERM "$pid" 2>/dev/null
    sleep 0.02
  done
  rm -f "$dir/pid"
}

# ---- the home volume -----------------------------------------------------------------------------

efs_data() { echo "$LAB_DIR/efs/data"; }
efs_mount() { echo "$LAB_DIR/efs/$1"; }
efs_pid() { cat "$LAB_DIR/efs/$1.pid"; }

efs_build()
{
  local program=$LAB_ROOT/cache/efs source=$LAB_SOURCE/tests/lab/efs.c
  [ "$program" -nt "$source" ] && return
  mkdir -p "$LAB_ROOT/cache"
  # shellcheck disable=SC2046
  gcc -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -Wno-unused-parameter -o "$program" "$source" \
    $(pkg-config --cflags --libs fuse3) || lab_die "the home volume's program does not compile"
}

# efs_start HOST [OPTIONS], again after efs_stop: root_squash (the default), no_root_squash, delay_ms=N
efs_start()
{
  mkdir -p "$(efs_mount "$1")"
  ( exec 9>&-; umask 0; exec "$LAB_ROOT/cache/efs" "$(efs_data)" "$(efs_mount "$1")" ${2:+-o "$2"} ) \
    </dev/null >>"$LAB_LOG/efs-$1.log" 2>&1 &
  echo $! >"$LAB_DIR/efs/$1.pid"
  wait_for 5 mountpoint -q "$(efs_mount "$1")" && return
  cat "$LAB_LOG/efs-$1.log" >&2
  lab_die "the home volume of $1 does not come up"
}

efs_hang() { kill -STOP "$(efs_pid "$1")"; }
efs_resume() { kill -CONT "$(efs_pid "$1")"; }

efs_stop()
{
  local pid
  pid=$(efs_pid "$1")
  umount -l "$(efs_mount "$1")" 2>/dev/null
  kill -KILL "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  rm -f "$LAB_DIR/efs/$1.pid"
}
