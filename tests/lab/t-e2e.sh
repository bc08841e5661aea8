#!/bin/bash
# SPDX-License-Identifier: MIT
# End to end on real hosts: the main job, and what goes wrong around it. One boot of the lab for all of it.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
# shellcheck source=tests/lab/world.sh
. "$(dirname "$0")/world.sh"
# shellcheck source=tests/lab/tap.sh
. "$(dirname "$0")/tap.sh"

PROJECT=genomics-lab

# Both workstations let this person in; both refuse.
both_admit() { ssh_to "$1" ws1 true && ssh_to "$1" ws2 true; }
both_refuse() { ! ssh_to "$1" ws1 true && ! ssh_to "$1" ws2 true; }
account() { host_run "$1" timeout 10 pamtester "$3" "$2" acct_mgmt; }
account_says() { case $(account "$1" "$2" sshd 2>&1) in *"$3"*) ;; *) account "$1" "$2" sshd; return 1 ;; esac; }
uid_on() { host_run "$1" id -u "$2" 2>/dev/null; }
member() { as chen prism member "$@" --project $PROJECT --wait; }
# took_less MILLISECONDS COMMAND...
took_less()
{
  local limit=$1 began
  began=$(now_ms)
  shift
  "$@" || return 1
  began=$(($(now_ms) - began))
  [ $began -lt "$limit" ] || { echo "took $began ms"; return 1; }
}
# A user of the host itself, with a key: what must never be disturbed.
local_login() { host_run client ssh -i /root/martha -o BatchMode=yes -o ConnectTimeout=5 -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR "martha@$1" true; }

new_person() # NAME [ROLE]
{
  world_person "$1" && world_join "$1" $PROJECT "${2:-member}" >/dev/null 2>&1
}

local_users()
{
  local host
  host_run client ssh-keygen -q -t ed25519 -N '' -f /root/martha
  for host in ws1 ws2; do
    host_sh $host 'useradd -m -s /bin/bash martha && install -d -m 700 -o martha -g martha /home/martha/.ssh'
    host_put $host "$(host_root client)/root/martha.pub" /home/martha/.ssh/authorized_keys 0600
    host_run $host chown martha: /home/martha/.ssh/authorized_keys
  done
}

# ---- invite, accept, log in ----------------------------------------------------------------------

main_job()
{
  local token out
  check "S1.26 project create" as chen prism project create $PROJECT --name "Genomics Lab" --budget 2000
  check "D6 both workstations enrol with one-time tokens" world_enrol $PROJECT
  check "S1.5 the first person is known on both within seconds" \
    eval 'wait_for 10 knows ws1 chen && wait_for 10 knows ws2 chen'
  is "$(uid_on ws1 chen)" 10001 "S1.5 the first person's uid is 10001"
  world_person alice
  token=$(as chen prism invitation send alice@example.edu --project $PROJECT --role member --json | world_field token)
  refuses "S1.5 nobody is known before acceptance" knows ws1 alice
  out=$(as alice prism invitation accept "$token" --username alice --yes 2>&1)
  is "$(grep -cE 'Invitation Accepted|Research User Provisioned|UID/GID:  10002/10002|/efs/home/alice' <<<"$out")" 4 \
    "S1.5 what acceptance tells"
  check "S1.6 she can log in to both within two seconds" wait_for 2 both_admit alice
  refuses "S1.23 the same token a second time" as alice prism invitation accept "$token" --yes
  is "$(uid_on ws1 alice) $(uid_on ws2 alice)" "10002 10002" "S1.6 the same uid on both"
  is "$(host_run ws1 id alice)" "$(host_run ws2 id alice)" "S1.6 the same groups on both"
  is "$(host_run ws1 stat -c '%a %u %g' /efs/home/alice)" "700 10002 10002" "S1.6 a home of her own, 0700"
  check "S1.6 .bashrc from /etc/skel" host_run ws1 cmp /etc/skel/.bashrc /efs/home/alice/.bashrc
  check "S1.4 workspace connect" as alice prism workspace connect ws1 -- 'echo from-ws1 >~/note'
  is "$(ssh_to alice ws2 'cat note; pwd')" $'from-ws1\n/efs/home/alice' "S1.6 written on ws1, read on ws2"
  is "$(host_run ws1 stat -c %U:%G /efs/home/alice/note)" alice:alice "S1.6 the file is hers"
  refuses "S1.22 a declined invitation" eval 'world_person eve && token=$(as chen prism invitation send eve@example.edu --project $PROJECT --json | world_field token) && as eve prism invitation decline "$token" --yes && as eve prism invitation accept "$token" --username eve --yes'
  refuses "S1.22 and she is nowhere" knows ws1 eve
}

doors()
{
  check "S1.6 su" host_run ws1 su alice -c true
  check "S1.6 cron's account phase" account ws1 alice cron
  host_sh ws1 'echo "* * * * * echo ran >/efs/home/alice/cron-ran" | crontab -u alice -'
  refuses "D6 root of the client has no key to her account" \
    host_run client ssh -i /root/martha -o BatchMode=yes -o StrictHostKeyChecking=accept-new alice@ws1 true
  ssh_to alice ws1 'mkdir -m 700 .ssh; cat >.ssh/authorized_keys' <"$(host_root client)/root/martha.pub"
  refuses "D6 a key planted in the home is not looked at" \
    host_run client ssh -i /root/martha -o BatchMode=yes -o StrictHostKeyChecking=accept-new alice@ws1 true
  check "S1.1 local user: ssh" local_login ws1
  check "S1.1 local user: su and account" host_sh ws1 'su martha -c true && pamtester sshd martha acct_mgmt'
  refuses "S1.30 a member may not sudo" host_run ws1 runuser -u alice -- sudo -n true
  refuses "S1.30 an owner may not sudo where the host does not allow it" host_run ws1 runuser -u chen -- sudo -n true
  host_sh ws1 'sed -i "s/^;allow_sudo = no/allow_sudo = yes/" /etc/prism/prism.conf; systemctl restart prism-sync'
  check "S1.30 an owner may where it does" wait_for 5 host_run ws1 su chen -c 'sudo -n true'
  refuses "S1.30 a member still may not" host_run ws1 su alice -c 'sudo -n true'
  host_sh ws1 'sed -i "s/^allow_sudo = yes/;allow_sudo = no/" /etc/prism/prism.conf; systemctl restart prism-sync'
  refuses "L12 nor the owner, once it does not any more" host_run ws1 su chen -c 'sudo -n true'
}

roles()
{
  check "S1.11 a viewer accepts" new_person vera viewer
  check "S1.11 a viewer logs in" wait_for 3 both_admit vera
  is "$(host_run ws1 id -Gn vera | tr ' ' '\n' | grep -c '^p-.*-ro$'),$(host_run ws1 id -Gn vera | tr ' ' '\n' | grep -c "^p-$PROJECT\$")" \
    1,0 "S1.11 a viewer reads and does not write: p-$PROJECT-ro alone"
}

# ---- suspended, expired, removed -----------------------------------------------------------------

suspension()
{
  local session
  ssh_to alice ws1 'sleep 60' &
  session=$!
  wait_for 5 host_run ws1 pgrep -u alice -x sleep
  check "S1.21 member suspend" member suspend alice
  check "S1.21 both refuse a suspended member" both_refuse alice
  check "S1.21 the refusal tells why" account_says ws1 alice suspended
  check "S1.21 su and cron refuse" eval '! account ws1 alice su && ! account ws1 alice cron'
  check "S1.21 her files still have her name" host_run ws1 getent passwd alice
  check "S1.21 her open session ends" wait_for 6 eval '! kill -0 '$session
  check "S1.21 member resume" member resume alice
  check "S1.21 both admit her again" wait_for 3 both_admit alice
}

expiry()
{
  local until
  until=$(($(date +%s) + 5))
  member role alice --until "$(date -u -d @$until +%FT%TZ)" >/dev/null
  host_run central systemctl stop prism-central
  check "D6 without the central service she is let in" both_admit alice
  check "D6 the agent may restart without it" host_run ws1 systemctl restart prism-sync
  while [ "$(date +%s)" -lt $until ]; do sleep 0.02; done
  check "D6 to the second, offline, ws1 refuses" eval '! account ws1 alice sshd'
  check "D6 and ws2" eval '! account ws2 alice sshd'
  check "D6 ssh too" both_refuse alice
  check "D6 local users do not notice" local_login ws1
  host_run central systemctl start prism-central
  wait_for 10 world_healthy
  member role alice --until never >/dev/null
  check "D6 extended, both admit her again" wait_for 10 both_admit alice
}

removal()
{
  new_person rita
  wait_for 5 both_admit rita
  check "S1.6 member remove" member remove rita
  check "S1.6 both refuse at once" both_refuse rita
  check "S1.6 the refusal tells why" account_says ws1 rita ended
  new_person nora
  wait_for 5 knows ws1 nora
  [ -n "$(uid_on ws1 nora)" ] && [ "$(uid_on ws1 nora)" != "$(uid_on ws1 rita)" ]
  ok $? "L16 her uid is not given to the next"
}

partition()
{
  new_person paul
  wait_for 5 both_admit paul
  host_unplug ws1
  as chen prism member remove paul --project $PROJECT >/dev/null
  check "L1 a host that is cut off does not hold up the others" wait_for 2 eval '! account ws2 paul sshd'
  check "L1 the one that is cut off goes on" account ws1 alice sshd
  host_plug ws1
  check "L1 and refuses once it hears of it" wait_for 30 eval '! account ws1 paul sshd'
}

# ---- collisions and hostile surroundings ---------------------------------------------------------

local_name_clash()
{
  host_sh ws1 'useradd -m -s /bin/bash boris'
  world_person boris
  world_join boris $PROJECT >/dev/null 2>&1
  check "D6 another person of that name logs in where there is no local one" wait_for 5 ssh_to boris ws2 true
  refuses "D6 but not as the local user" ssh_to boris ws1 true
  is "$(host_run ws1 getent passwd boris | cut -d: -f6)" /home/boris "D6 the local account wins"
  check "D6 the local one is not refused" account ws1 boris sshd
  check "D6 status tells of it" eval 'host_run ws1 prism-sync status --json | grep -q boris'
}

agent_killed()
{
  local before
  before=$(host_run ws1 systemctl show -p MainPID --value prism-sync)
  host_run ws1 kill -KILL "$before"
  check "L6 logins while the agent is dead" ssh_to alice ws1 true
  check "L6 it comes back" wait_for 10 host_run ws1 prism-sync status
  member suspend alice >/dev/null
  check "L6 and hears of changes again" both_refuse alice
  member resume alice >/dev/null
  wait_for 5 both_admit alice
}

# ---- the home volume -----------------------------------------------------------------------------

hung_volume()
{
  efs_hang ws1
  check "L9 EFS hangs: who has a home is admitted by account, within the deadline" took_less 6000 account ws1 alice sshd
  check "L9 EFS hangs: a local user logs in" took_less 4000 local_login ws1
  check "L4 EFS hangs: names and ids are answered" took_less 1000 host_run ws1 id alice
  new_person henry
  check "L9 EFS hangs: a new person is known" wait_for 5 knows ws1 henry
  check "L9 EFS hangs: the agent still publishes" eval 'member suspend vera && ! account ws1 vera sshd'
  efs_resume ws1
  check "L9 EFS is back: the new person logs in" wait_for 15 ssh_to henry ws1 true
  member resume vera >/dev/null
}

squashed_root()
{
  local host
  for host in ws1 ws2; do
    host_kill $host
    efs_stop $host
    efs_start $host root_squash
  done
  host_start ws1 $LAB_NET.11 --bind="$(efs_mount ws1)":/efs
  host_start ws2 $LAB_NET.12 --bind="$(efs_mount ws2)":/efs
  host_wait ws1 && host_wait ws2
  check "D6 root squashed: who has a home logs in" wait_for 10 both_admit alice
  new_person sally
  wait_for 5 knows ws1 sally
  refuses "D6 root squashed: a home cannot be made, so no login" ssh_to sally ws1 true
  check "D6 root squashed: a sentence says so" account_says ws1 sally home
  check "D6 root squashed: status says so" eval 'host_run ws1 prism-sync status --json | grep -qi squash'
  check "D6 root squashed: local users do not notice" local_login ws1
}

volume_missing()
{
  host_kill ws2
  efs_stop ws2
  host_start ws2 $LAB_NET.12
  host_wait ws2
  new_person nils
  wait_for 10 knows ws2 nils
  refuses "D6 volume not mounted: nobody gets a home on the root disk" ssh_to nils ws2 true
  check "D6 volume not mounted: nothing is made below /efs" host_sh ws2 '! test -e /efs/home'
  check "D6 volume not mounted: the sentence names it" account_says ws2 nils mounted
  host_kill ws2
  efs_start ws2 no_root_squash
  host_start ws2 $LAB_NET.12 --bind="$(efs_mount ws2)":/efs
  host_wait ws2
  check "D6 mounted again: he logs in" wait_for 15 ssh_to nils ws2 true
}

# ---- boots ---------------------------------------------------------------------------------------

# A unit that asks as early as people may log in, without any network.
reboot_alone()
{
  cat >"$(host_root ws1)/etc/systemd/system/early.service" <<'X'
[Unit]
DefaultDependencies=no
After=local-fs.target systemd-tmpfiles-setup.service
Before=network.target systemd-user-sessions.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'getent passwd alice >/var/early && id alice >>/var/early'
[Install]
WantedBy=sysinit.target
X
  host_run ws1 systemctl enable early.service
  host_run central systemctl stop prism-central
  host_kill ws1
  efs_stop ws1
  efs_start ws1 no_root_squash
  host_start ws1 $LAB_NET.11 --bind="$(efs_mount ws1)":/efs
  check "L6 power failure and reboot without the central service" host_wait ws1
  check "L6 she is known before the network" grep -q '^alice:\*:10002' "$(host_root ws1)/var/early"
  check "L6 she logs in" wait_for 5 ssh_to alice ws1 true
  check "L6 nothing has failed" host_sh ws1 'systemctl --failed --no-legend; test -z "$(systemctl --failed --no-legend)"'
  host_run central systemctl start prism-central
  wait_for 10 world_healthy
  member suspend alice >/dev/null
  check "L6 the host hears of changes again" both_refuse alice
  member resume alice >/dev/null
  wait_for 10 both_admit alice
}

central_reboot()
{
  host_kill central
  host_start central $LAB_NET.2
  host_wait central
  wait_for 10 world_healthy
  check "D6 the central service loses power and comes back: a change reaches both" member suspend alice
  check "D6 both refuse" both_refuse alice
  member resume alice >/dev/null
  check "S3.0 its audit chain is whole" host_run central runuser -u prism-central -- prism-central audit verify
}

cron_ran()
{
  check "S1.6 her cron job has run" wait_for 65 test -e "$(efs_data)/home/alice/cron-ran"
}

purge()
{
  check "S1.1 purge on a host with members" host_run ws2 dpkg --purge prism-sync libpam-prism libnss-prism
  refuses "S1.1 nobody of Prism is known there" knows ws2 alice
  refuses "S1.1 nor let in" ssh_to alice ws2 true
  check "S1.1 local users do not notice" local_login ws2
  is "$(host_run ws2 stat -c %u:%g /efs/home/alice)" 10002:10002 "S1.1 her files are where they were"
  check "S1.1 the other host does not notice" ssh_to alice ws1 true
}

no_secrets_logged()
{
  local host
  for host in central ws1; do
    # Tokens are base64url behind these prefixes; the names alone may be logged.
    refuses "LESSONS no token in the journal of $host" \
      eval "host_run $host journalctl --no-pager | grep -E 'p(st|ht)_[A-Za-z0-9_-]{20}|eyJhbGciOi'"
  done
}

lab_packages
lab_rootfs
world_boot || lab_die "the hosts did not come up"
check "S1.1 packages install" world_install
check "D2 the service starts, and has its first administrator" world_central
check "D2 it is healthy" wait_for 10 world_healthy
world_person chen
check "S3.2 login" world_login chen
local_users

main_job
doors
roles
suspension
expiry
removal
partition
local_name_clash
agent_killed
hung_volume
squashed_root
volume_missing
reboot_alone
central_reboot
cron_ran
no_secrets_logged
purge
plan
