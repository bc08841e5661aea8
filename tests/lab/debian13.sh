#!/bin/bash
# SPDX-License-Identifier: MIT
# What is new on Debian 13, by make check-debian13: systemd's own user database beside ours, sshd in several
# programs and on a local socket, and the packages of Debian 12, which are to work there as they are: ws1 has
# those that were built for Debian 13, ws2 those that were built for Debian 12.
LAB_SUITE=trixie
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
# shellcheck source=tests/lab/world.sh
. "$(dirname "$0")/world.sh"
# shellcheck source=tests/lab/tap.sh
. "$(dirname "$0")/tap.sh"

PROJECT=genomics-lab
KEY=.prism/ssh_keys/id_ed25519
member() { as chen prism member "$@" --project $PROJECT --wait; }
admits() { ssh_to "$1" "$2" true; } # PERSON HOST
refused_saying() # PATTERN COMMAND...: it fails, and says so
{
  local pattern=$1 out
  shift
  out=$("$@" 2>&1) && { echo "was let in"; return 1; }
  grep -qE -- "$pattern" <<<"$out" || { echo "$out"; return 1; }
}
with_key() # PERSON HOST COMMAND...: as anybody's ssh would say what PAM says
{
  local person=$1 host=$2
  shift 2
  as "$person" ssh -i "/home/$person/$KEY" -o BatchMode=yes -o StrictHostKeyChecking=accept-new "$person@$host" "$@"
}

releases()
{
  local host
  for host in ws1 ws2; do
    is "$(host_run $host sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" trixie "S1.1 $host is Debian 13"
  done
  check "S1.1 its sshd is 10 or newer, in several programs" host_sh ws1 \
    'sshd -V 2>&1 | grep -E "^OpenSSH_[1-9][0-9]" && test -x /usr/lib/openssh/sshd-session && test -x /usr/lib/openssh/sshd-auth'
  check "S1.1 its systemd is 257 or newer" host_sh ws1 \
    'test "$(systemctl --version | sed -n "1s/^systemd \([0-9]*\).*/\1/p")" -ge 257'
}

older_packages() { (LAB_SUITE=bookworm && unset LAB_DEBS && lab_packages && echo "$LAB_DEBS"); }

# What prism-sync on ws2 was built for: Debian 13 calls the same library libcurl4t64.
built_for() { host_sh ws2 "dpkg-query -W -f '\${Depends}' prism-sync | grep -q '\b$1 '"; }

install_all()
{
  check "S1.1 packages built for Debian 13 install" eval 'host_install ws1 libnss-prism libpam-prism prism-sync &&
    host_install central prism-central prism-saml && host_install client prism'
  check "S1.1 packages built for Debian 12 install" eval "LAB_DEBS='$OLDER'; host_install ws2 libnss-prism libpam-prism prism-sync"
  check "S1.1 and are those of Debian 12, by the libraries that they name" built_for libcurl4
  check "S1.1 no library is missing" host_sh ws2 '! ldd /usr/sbin/prism-sync /usr/libexec/prism/prism-keys | grep "not found"'
  check "S1.1 nothing has failed" host_sh ws2 'test -z "$(systemctl --failed --no-legend)"'
}

# What systemd's programs make of our people, asked through its user database.
user_database()
{
  local host
  for host in ws1 ws2; do
    check "S1.6 $host: systemd's user database runs" host_run $host systemctl start systemd-userdbd.socket
    is "$(host_run $host userdbctl user alice --output=classic --no-legend --no-pager | cut -d: -f1,3,4,6)" \
      "$(host_run $host getent passwd alice | cut -d: -f1,3,4,6)" "S1.6 $host: and knows alice as getpwnam() does"
    check "S1.6 $host: and her groups" eval "host_run $host userdbctl groups-of-user alice --no-legend --no-pager | grep -q p-$PROJECT"
    refuses "L4 $host: and nobody else" host_run $host userdbctl user nobody-of-that-name
    is "$(host_run $host getent passwd alice)" "$(host_run $host getent -s prism passwd alice)" \
      "S1.6 $host: what a program gets is our answer"
    check "S1.6 $host: a service of hers" host_run $host systemd-run --quiet --wait --uid=alice -p Environment=HOME=/efs/home/alice test -O /efs/home/alice
  done
  is "$(host_run ws1 id alice)" "$(host_run ws2 id alice)" "S1.6 the same ids on both"
}

doors()
{
  local host
  for host in ws1 ws2; do
    check "S1.6 $host: a key opens the shell" wait_for 10 admits alice $host
    check "S1.6 $host: with a user manager and a runtime folder" eval \
      "wait_for 10 ssh_to alice $host 'test -O /run/user/\$(id -u) && systemctl --user is-system-running --wait'"
    check "D6 $host: sshd asks our command for keys, also beside the user database's" eval \
      "host_run $host sshd -T -C user=alice,host=h,addr=127.0.0.1 | grep '^authorizedkeyscommand /usr/libexec/prism/prism-keys'"
    check "S1.6 $host: su" host_run $host su alice -c true
  done
  refuses "D6 without her key nobody is let in" as chen ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new alice@ws1 true
}

# systemd lets sshd listen on a socket of the host itself, for "ssh .host".
local_socket()
{
  local over=(ssh -i "/root/alice" -o BatchMode=yes -o StrictHostKeyChecking=accept-new alice@.host)
  if ! host_sh ws1 'systemctl is-active sshd-unix-local.socket' >/dev/null; then
    skip "D6 sshd on the local socket" "systemd has not made one"
    return
  fi
  host_put ws1 "$(host_root client)/home/alice/$KEY" /root/alice 0600
  check "D6 sshd on the local socket lets her in by key" host_run ws1 "${over[@]}" true
  member suspend alice >/dev/null
  check "D6 and refuses her there when she is suspended, and says why" wait_for 5 refused_saying suspended host_run ws1 "${over[@]}" true
  member resume alice >/dev/null
  check "D6 and lets her in again" wait_for 5 host_run ws1 "${over[@]}" true
}

removed()
{
  local host
  check "S1.6 alice is removed" member remove alice
  for host in ws1 ws2; do
    check "S1.6 $host refuses her key, and the sentence says why" refused_saying ended with_key alice $host true
    check "S1.6 $host: her files still have her name" host_run $host getent passwd alice
    check "S1.6 $host: systemd's user database has no more of her than that" eval \
      "! host_run $host userdbctl groups-of-user alice --no-legend --no-pager | grep p-$PROJECT"
  done
}

# ws2 goes from the packages of Debian 12 to those of 13, as it does when the host itself is upgraded.
exchange()
{
  check "S1.1 the packages of Debian 13 over those of 12" host_install ws2 libnss-prism libpam-prism prism-sync
  check "S1.1 it has those now" built_for libcurl4t64
  check "S1.1 members go on logging in" wait_for 10 admits bela ws2
  check "S1.1 the agent runs" host_run ws2 prism-sync status
  check "S1.1 purge" host_run ws2 dpkg --purge prism-sync libpam-prism libnss-prism
  refuses "S1.1 nobody of Prism is known there" knows ws2 bela
  check "S1.1 nor to the user database" eval '! host_run ws2 userdbctl user bela'
  check "S1.1 nothing of ours is left" host_sh ws2 \
    '! grep -rq prism /etc/nsswitch.conf /etc/pam.d /etc/ssh /etc/sudoers.d && ! test -e /var/lib/prism && sshd -t'
  check "S1.1 nothing has failed" host_sh ws2 'test -z "$(systemctl --failed --no-legend)"'
}

OLDER=$(older_packages) || lab_die "no packages of Debian 12"
lab_packages
lab_rootfs
world_boot || lab_die "the hosts did not come up"
releases
install_all
check "D2 the service starts, and has its first administrator" world_central
check "D2 it is healthy" wait_for 10 world_healthy
world_person chen
check "S3.2 login" world_login chen
as chen prism project create $PROJECT --name "Genomics Lab" --budget 2000 >/dev/null || lab_die "no project"
check "D6 both workstations enrol" world_enrol $PROJECT
for person in alice bela; do
  world_person $person
  check "S1.5 $person is invited and accepts" world_join $person $PROJECT
  check "S1.5 both know $person" eval "wait_for 10 knows ws1 $person && wait_for 10 knows ws2 $person"
done

doors
user_database
local_socket
removed
exchange
plan
