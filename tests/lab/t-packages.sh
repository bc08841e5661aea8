#!/bin/bash
# SPDX-License-Identifier: MIT
# Packages on real hosts: whatever is installed, upgraded, removed or purged, on whatever an administrator
# has made of the files that matter, local users go on logging in (LESSONS 19, 20, 23; issue's row 9).
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
# shellcheck source=tests/lab/tap.sh
. "$(dirname "$0")/tap.sh"

HOST_PACKAGES="libnss-prism libpam-prism prism-sync"

# ---- the local user, and what must always work for them ------------------------------------------

# The same packages with another version: what an upgrade is made of.
make_upgrade()
{
  local deb dir=$LAB_DIR/repack
  mkdir -p "$LAB_DIR/upgrade"
  for deb in "$LAB_DEBS"/*.deb; do
    rm -rf "$dir"
    dpkg-deb -R "$deb" "$dir"
    sed -i "s/0\.1\.0/0.1.1~test/g" "$dir/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$dir" "$LAB_DIR/upgrade/" >/dev/null || return 1
  done
  rm -rf "$dir"
}

add_local_user()
{
  local root=$1
  chroot "$root" useradd -m -s /bin/bash -p "$(openssl passwd -6 secret)" martha
  echo 'martha ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/martha"
  chmod 0440 "$root/etc/sudoers.d/martha"
  install -d -m 0700 "$root/root/.ssh" "$root/home/martha/.ssh"
  ssh-keygen -q -t ed25519 -N '' -f "$root/root/.ssh/id_ed25519"
  cp "$root/root/.ssh/id_ed25519.pub" "$root/home/martha/.ssh/authorized_keys"
  chroot "$root" chown -R martha: /home/martha/.ssh
  # Every way in, one line for each that fails.
  cat >"$root/usr/local/bin/local-logins" <<'X'
#!/bin/sh
[ "$(getent passwd martha | cut -d: -f1)" = martha ] || echo "getent"
[ "$(su martha -c 'id -un')" = martha ] || echo "su"
su martha -c 'sudo -n true' || echo "sudo"
echo secret | pamtester su martha authenticate acct_mgmt >/dev/null || echo "password"
pamtester cron martha acct_mgmt open_session close_session >/dev/null || echo "cron"
pamtester sshd martha acct_mgmt >/dev/null || echo "sshd's account phase"
[ "$1" != ssh ] || for try in 1 2 3 4 5; do
  ! ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o LogLevel=ERROR martha@127.0.0.1 true || exit 0
  [ "$try" -lt 5 ] && sleep 0.2 || echo "ssh"
done
X
  # The quick ones over and over, while something else happens.
  cat >"$root/usr/local/bin/local-logins-watch" <<'X'
#!/bin/sh
while [ ! -e /run/stop-watching ]; do
  local-logins quick >>/run/watch.log 2>>/run/watch.stderr
  echo round >>/run/watch.rounds
done
X
  chmod 0755 "$root"/usr/local/bin/local-logins*
}

# step TEXT COMMAND...: run it on the host while local logins are being tried, then try them all.
step()
{
  local text=$1 rc=0 watcher out
  shift
  host_run box rm -f /run/stop-watching /run/watch.log /run/watch.rounds
  host_run box local-logins-watch &
  watcher=$!
  wait_for 5 host_run box test -s /run/watch.rounds
  "$@" >"$LAB_LOG/step.log" 2>&1 || rc=$?
  host_run box touch /run/stop-watching
  wait $watcher
  [ $rc = 0 ] || sed 's/^/# /' "$LAB_LOG/step.log"
  is "$rc" 0 "S1.1 $text"
  out=$(host_run box cat /run/watch.log; host_run box local-logins ssh 2>"$LAB_LOG/step.stderr")
  is "$out" "" "S1.1 local logins work while and after: $text"
}

on_box() { host_sh box "export DEBIAN_FRONTEND=noninteractive; $1"; }
install_on_box() { on_box 'dpkg --install /var/cache/old/*.deb'; }
upgrade_box() { on_box 'dpkg --install /var/cache/new/*.deb'; }
box_has() { on_box "$1" >/dev/null 2>&1; }

# Everything on the host that we touch, as one text.
fingerprint() { on_box 'cd /etc; for f in nsswitch.conf pam.d/common-* sudoers.d/* ssh/sshd_config ssh/sshd_config.d/*; do echo "== $f"; stat -c "%a %U %G" $f; cat $f; done 2>/dev/null'; }

integrated()
{
  box_has 'grep -Eq "^passwd:.*\<files prism\>" /etc/nsswitch.conf && grep -Eq "^group:.*\<files prism\>" /etc/nsswitch.conf' &&
    box_has 'test "$(grep -cE "^account[[:blank:]]+required[[:blank:]]+pam_prism.so" /etc/pam.d/common-account)" = 1' &&
    box_has 'test "$(grep -cE "^auth[[:blank:]]+.success=2 ignore=ignore module_unknown=ignore default=die.[[:blank:]]+pam_prism.so" /etc/pam.d/common-auth)" = 1' &&
    box_has 'grep -E "^auth" /etc/pam.d/common-auth | head -n 1 | grep -q pam_prism.so' &&
    box_has 'cmp /etc/ssh/sshd_config.d/00-prism.conf /usr/share/prism/sshd.conf' &&
    box_has 'test "$(stat -c %a /etc/sudoers.d/prism)" = 440 && visudo -c'
}

# ---- the story ------------------------------------------------------------------------------------

lifecycle()
{
  local before
  before=$(fingerprint)
  step "install" install_on_box
  check "S1.1 nsswitch, PAM, sshd and sudo know Prism after it" integrated
  check "S1.1 the agent waits for the enrolment, and nothing has failed" box_has \
    'systemctl is-active prism-sync.path && ! systemctl is-active prism-sync && test -z "$(systemctl --failed --no-legend)"'
  check "S1.1 its users exist" box_has 'id prism-sync && id prism-keys'
  check "S1.1 state has the modes of the contract" box_has 'test "$(stat -c "%a %U" /var/lib/prism /var/lib/prism/nss /var/lib/prism/trust /var/lib/prism/net | tr "\n" " ")" = "755 root 755 root 700 root 700 prism-sync "'
  step "install the same again" install_on_box
  check "S1.1 nothing is there twice" integrated
  step "upgrade" upgrade_box
  check "S1.1 nothing is there twice after it" integrated
  check "S1.1 nothing has failed after it" box_has 'systemctl is-active prism-sync.path && test -z "$(systemctl --failed --no-legend)"'
  step "remove" on_box "dpkg --remove $HOST_PACKAGES"
  is "$(fingerprint)" "$before" "S1.1 removal leaves every file as it was before"
  check "S1.1 no agent is left" box_has '! systemctl is-active prism-sync.path && ! pgrep -x prism-sync'
  step "install after removal" install_on_box
  check "S1.1 all is there again" integrated
  step "purge" on_box "dpkg --purge $HOST_PACKAGES"
  is "$(fingerprint)" "$before" "S1.1 purge leaves every file as it was before"
  check "S1.1 purge leaves no state" box_has '! test -e /var/lib/prism && ! test -e /etc/prism && ! test -e /var/lib/libnss-prism'
}

administrators_choices()
{
  local before
  install_on_box >/dev/null 2>&1
  on_box 'sed -i "/^passwd:/s/ prism//" /etc/nsswitch.conf; echo "# mine" >>/etc/ssh/sshd_config.d/00-prism.conf; rm /etc/sudoers.d/prism'
  step "upgrade of a host whose administrator has changed our files" upgrade_box
  check "S1.1 the word that was taken away stays away" box_has '! grep -q "^passwd:.*prism" /etc/nsswitch.conf && grep -q "^group:.*prism" /etc/nsswitch.conf'
  check "S1.1 the changed sshd file is kept" box_has 'grep -q "# mine" /etc/ssh/sshd_config.d/00-prism.conf'
  check "S1.1 the removed sudoers file stays away" box_has '! test -e /etc/sudoers.d/prism'
  step "purge there" on_box "dpkg --purge $HOST_PACKAGES"
  check "S1.1 a changed sshd file is kept where sshd does not read it" box_has '! test -e /etc/ssh/sshd_config.d/00-prism.conf && rm /etc/ssh/sshd_config.d/00-prism.conf.prism-removed'

  on_box 'printf "# ours\npasswd:\tcompat # old ways\ngroup:   files [SUCCESS=merge] systemd ldap\nhosts: files dns\n" >/etc/nsswitch.conf; chmod 640 /etc/nsswitch.conf; chgrp adm /etc/nsswitch.conf'
  before=$(fingerprint)
  step "install where nsswitch.conf has been rewritten" install_on_box
  is "$(on_box 'cat /etc/nsswitch.conf; stat -c "%a %G" /etc/nsswitch.conf')" \
    $'# ours\npasswd:\tcompat prism # old ways\ngroup:   files [SUCCESS=merge] prism systemd ldap\nhosts: files dns\n640 adm' \
    "S1.1 one word each, and nothing else, mode and group kept"
  step "purge where nsswitch.conf has been rewritten" on_box "dpkg --purge $HOST_PACKAGES"
  is "$(fingerprint)" "$before" "S1.1 every file is as it was"
  on_box 'printf "passwd: files systemd\ngroup: files systemd\nshadow: files\nhosts: files dns\n" >/etc/nsswitch.conf; chmod 644 /etc/nsswitch.conf; chgrp root /etc/nsswitch.conf'
}

edited_pam()
{
  install_on_box >/dev/null 2>&1
  on_box 'cp -a /etc/pam.d /root/pam.d; sed -i "/pam_prism.so/s/.*/account\t[success=ok ignore=ignore default=die]\tpam_prism.so debug/; 1i account required pam_permit.so" /etc/pam.d/common-account
    sed -i "s/pam_prism.so/pam_prism.so login_timeout=60/; 1i auth optional pam_permit.so" /etc/pam.d/common-auth
    sed -i "s/pam_deny.so/pam_deny.so debug/" /etc/pam.d/common-account; sed -i "1i account required /lib/x86_64-linux-gnu/security/pam_prism.so" /etc/pam.d/cron'
  step "upgrade where the PAM files have been edited by hand" upgrade_box
  step "purge where the PAM files have been edited by hand" on_box "dpkg --purge $HOST_PACKAGES"
  check "S1.1 no PAM file names a module that is gone" box_has '! grep -rE "^[^#]*pam_prism" /etc/pam.d'
  on_box 'rm -rf /etc/pam.d && mv /root/pam.d /etc/pam.d; sed -i /pam_prism/d /etc/pam.d/common-*'
  on_box 'pam-auth-update --package --force; test -z "$(grep -rl pam_prism /etc/pam.d)"'
}

# What sshd's configuration says of the local user, all of it.
local_user_at_sshd() { on_box 'sshd -T -C user=martha,host=h,addr=127.0.0.1'; }

broken_sshd()
{
  local before
  before=$(local_user_at_sshd)
  on_box 'cp -a /etc/ssh/sshd_config /root/; echo "NoSuchKeyword yes" >>/etc/ssh/sshd_config'
  step "install where sshd's configuration is broken" install_on_box
  check "S1.1 our file is withheld and the reason told" box_has '! test -e /etc/ssh/sshd_config.d/00-prism.conf'
  check "S1.1 the reason names the line" grep -q 'NoSuchKeyword\|Bad configuration' "$LAB_LOG/step.log"
  on_box 'mv /root/sshd_config /etc/ssh/sshd_config'
  step "the command that the message names" on_box '/usr/libexec/prism/host-config enable'
  check "S1.1 now our file is there" integrated
  check "S1.1 what stands in files after ours is still global" box_has 'echo "Port 22
UsePAM yes
MaxStartups 10:30:60" >/etc/ssh/sshd_config.d/99-later.conf; sshd -t && sshd -T | grep -q "maxstartups 10:30:60"; r=$?; rm /etc/ssh/sshd_config.d/99-later.conf; exit $r'
  is "$(local_user_at_sshd)" "$before" "S1.1 sshd treats a local user as before"
  step "purge" on_box "dpkg --purge $HOST_PACKAGES"
}

# dpkg_killed SECONDS ARGUMENTS. timeout does not wait for what it kills, and dpkg may be in the middle of a
# long fsync(): until it is gone it has its lock.
dpkg_killed()
{
  on_box "timeout -s KILL $1 dpkg $2; timeout 60 sh -c 'while pgrep -x dpkg >/dev/null; do sleep 0.05; done'"
}

interrupted_dpkg()
{
  local try before
  before=$(fingerprint)
  step "unpacked and not configured" on_box 'dpkg --unpack /var/cache/old/*.deb'
  is "$(fingerprint)" "$before" "S1.1 unpacking alone touches nothing"
  step "configured later" on_box 'dpkg --configure -a'
  check "S1.1 all is there" integrated
  on_box "dpkg --purge $HOST_PACKAGES" >/dev/null 2>&1
  for try in 0.15 0.4 0.8; do
    step "dpkg killed after $try s" dpkg_killed "$try" '--install /var/cache/old/*.deb'
  done
  step "installed after that" on_box 'dpkg --configure -a; dpkg --install /var/cache/old/*.deb'
  check "S1.1 all is there after interruptions" integrated
  for try in 0.1 0.3; do
    step "removal killed after $try s" dpkg_killed "$try" "--remove $HOST_PACKAGES"
  done
  step "purged after that" on_box "dpkg --configure -a; dpkg --purge $HOST_PACKAGES"
  is "$(fingerprint)" "$before" "S1.1 every file is as it was after interruptions"
}

# An upgrade that was unpacked but never configured, and then taken away. dpkg runs no prerm then, so the
# module is gone for the moment until postrm: only what comes after is tested.
unpacked_then_removed()
{
  local before
  before=$(fingerprint)
  install_on_box >/dev/null 2>&1
  on_box 'dpkg --unpack /var/cache/new/*.deb' >/dev/null 2>&1
  check "S1.1 removal of an upgrade that was never configured" on_box "dpkg --remove $HOST_PACKAGES"
  is "$(host_run box local-logins ssh)" "" "S1.1 local logins work after it"
  is "$(fingerprint)" "$before" "S1.1 every file is as it was after that"
  on_box "dpkg --purge $HOST_PACKAGES" >/dev/null 2>&1
}

# A root that is being made, without systemd running and without sshd: what an image builder does.
chroot_without_systemd()
{
  local root sshd
  host_prepare image
  root=$(host_root image)
  chroot "$root" dpkg --purge openssh-server >/dev/null 2>&1
  mkdir -p "$root/var/cache/old"
  cp "$LAB_DEBS"/{libnss,libpam}-prism_*.deb "$LAB_DEBS"/prism-sync_*.deb "$root/var/cache/old/"
  check "S1.1 chroot: install without systemd and without sshd" \
    chroot "$root" sh -c 'DEBIAN_FRONTEND=noninteractive dpkg --install /var/cache/old/*.deb'
  check "S1.1 chroot: no file for an sshd that is not there" test ! -e "$root/etc/ssh/sshd_config.d/00-prism.conf"
  check "S1.1 chroot: the agent will start at boot" test -L "$root/etc/systemd/system/multi-user.target.wants/prism-sync.service"
  check "S1.1 chroot: a local user's account phase" chroot "$root" su nobody -s /bin/sh -c true
  sshd=$(ls "$LAB_ROOT/cache/debs-$LAB_SUITE"/openssh-server_*.deb 2>/dev/null | tail -n 1)
  if [ -n "$sshd" ]; then
    cp "$sshd" "$root/var/cache/openssh-server.deb"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 0755 "$root/usr/sbin/policy-rc.d"
    mount -t proc proc "$root/proc"
    check "S1.1 chroot: sshd installed later" chroot "$root" sh -c 'DEBIAN_FRONTEND=noninteractive dpkg --install /var/cache/openssh-server.deb'
    umount "$root/proc"
    check "S1.1 chroot: our file is there for it" test -e "$root/etc/ssh/sshd_config.d/00-prism.conf"
    check "S1.1 chroot: sshd takes it" chroot "$root" sh -c 'mkdir -p /run/sshd; sshd -t'
  else
    skip "S1.1 chroot: sshd installed later" "its package is not in the cache"
  fi
  check "S1.1 chroot: purge" chroot "$root" sh -c "dpkg --purge $HOST_PACKAGES"
  check "S1.1 chroot: nothing is left" sh -c "! grep -rq prism '$root/etc/nsswitch.conf' '$root/etc/pam.d' '$root/etc/ssh'"
}

lab_packages
lab_rootfs
make_upgrade || lab_die "the packages for the upgrade could not be made"
lab_network
host_prepare box
add_local_user "$(host_root box)"
for package in $HOST_PACKAGES; do
  install -D -t "$(host_root box)/var/cache/old" "$LAB_DEBS/$package"_*.deb
  install -D -t "$(host_root box)/var/cache/new" "$LAB_DIR/upgrade/$package"_*.deb
done
host_start box $LAB_NET.20 && host_wait box || lab_die "no host"
is "$(host_run box local-logins ssh)" "" "S1.1 local logins work before anything is installed"

lifecycle
administrators_choices
edited_pam
broken_sshd
interrupted_dpkg
unpacked_then_removed
chroot_without_systemd
plan
