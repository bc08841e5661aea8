#!/bin/bash
# SPDX-License-Identifier: MIT
# The agent as a whole, in its two halves, against a central service of the tests on loopback.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/sync/agent.sh
if [ "$(id -u)" -ne 0 ]; then echo "ok 1 - S1 the agent # SKIP needs root"; echo 1..1; exit 0; fi
dir=$(mktemp -d)
chmod 755 "$dir"
cleanup() { agent_stop -KILL; central_stop; tests/keep-logs.sh "$dir"; rm -rf "$dir"; }
trap cleanup EXIT
agent_pid= central_pid=

nss="$dir/h/var/lib/prism/nss"
generation() { status "['generation']"; }
revision_is() { status_is "['feeds'][0]['revision']" "$1"; }
stat_of() { central stat | sed -n "s/.*$1 \([0-9]*\).*/\1/p"; }
applied() { [ "$(stat_of applied)" = "$1" ]; }
children() { pgrep -P "$agent_pid"; }
gone() { ! kill -0 "$1" 2>/dev/null; }

check "S2.5 without an agent, status says so" bash -c "$B/prism-sync --root $dir/none status 2>&1 | grep -q 'The agent is not running'"
check "S2.5 and on a host that is not enrolled how to enrol it" bash -c "$B/prism-sync --root $dir/none status 2>&1 | grep -q '^Enrol it: prism-sync enroll'"
check "S2.5 a host that is not enrolled says how to enrol" bash -c "$B/prism-sync --root $dir/none --no-drop run 2>&1 | grep -q 'prism-sync enroll --token'"

central_start
host_enrol
sed -i "s,^root = .*,root = $dir/efs/home," "$dir/h/etc/prism/prism.conf"
central fill 3 10001 >/dev/null
agent_start

check "D6 the first full feed is published" until_true 5 status_is "['users']" 3
check "D6 what is applied is reported" until_true 5 applied 2
check "RFC 7523 one assertion got one access token" [ "$(stat_of tokens)" = 1 ]
check "D6 the network half has no capability and a filter" bash -c "
  for p in $(children | tr '\n' ' '); do grep -q '^Name:.prism-sync-net' /proc/\$p/status || continue
    grep -q '^CapEff:.0*\$' /proc/\$p/status && grep -q '^Seccomp:.2' /proc/\$p/status && grep -q '^NoNewPrivs:.1' /proc/\$p/status; exit; done; exit 1"
check "D6 the root half has a filter and few capabilities" grep -Eq '^CapEff:.*000000000000003b|^CapEff:.*00000000000000[0-3][0-9a-b]' "/proc/$agent_pid/status"

central suspend 10002 >/dev/null
check "D6 a change comes by the parked poll, as a delta" until_true 3 revision_is 3
check "D6 and was sent as one" [ "$(stat_of delta)" = 1 ]
check "D6 who is suspended still resolves, and may not log in" status_is "['active']" 2

check "S2.5 sync polls at once" test "$(agent sync)" = "This host is up to date."
central drop-tokens >/dev/null
central member 10010 newcomer >/dev/null
check "RFC 7523 a token that is refused is replaced by a new assertion" until_true 5 revision_is 4
check "RFC 7523 by one" [ "$(stat_of tokens)" -le 3 ]

# A record that the host refuses itself.
echo 'localone:x:10011:10011::/:/bin/sh' >>"$dir/h/etc/passwd"
central member 10011 someone >/dev/null
check "D6 a collision with a local account is refused, the rest is served" until_true 3 status_is "['refused'][0]['reason']" "has the id of a local account in /etc/passwd"
check "D6 and the report says so" until_true 3 bash -c "true; [ -n \"\$1\" ]" _ "$(central report | grep -o 'has the id of a local')"

# Homes: the forge's people live in /efs/home, this host's homes elsewhere; so it says why not.
check "D6 a home that is not below this host's root is refused with a sentence" until_true 3 status_is "['homes']['failed'][0]['reason'][-36:]" ": this host makes no homes elsewhere"

# ---- the central service goes away, comes back, and misbehaves
central mode fail >/dev/null
central member 10012 one >/dev/null
check "D6 errors of the service are survived" until_true 5 status_is "['connection']['state']" disconnected
central mode ok >/dev/null
check "D6 and made up for" until_true 8 revision_is 6
central mode cut >/dev/null
central member 10013 two >/dev/null
sleep 0.5
check "D6 an answer that is cut off changes nothing" revision_is 6
central mode ok >/dev/null
check "D6 and is asked for again" until_true 8 revision_is 7

old_port=$port
central_stop
check "D6 the service's absence is noticed" until_true 5 status_is "['connection']['state']" disconnected
check "D6 and what was published stays" status_is "['users']" 6
central_start "$old_port"
central fill 3 10001 >/dev/null
for i in 1 2 3 4 5 6 7; do central member 10020 back >/dev/null; done
check "D6 a service that comes back is found again" until_true 15 revision_is 9

# ---- its own end
before=$(generation)
kids=$(children | tr '\n' ' ')
agent_stop -KILL
for p in $kids; do until_true 3 gone "$p"; done
check "D6 kill -9 ends both halves and the home worker" bash -c "for p in $kids; do kill -0 \$p 2>/dev/null && exit 1; done; exit 0"
check "D6 the published files stay" test -s "$nss/identity.v1.snap"
central_stop
agent_start
check "D6 it starts from its journals, without the service" until_true 5 status_is "['feeds'][0]['revision']" 9
check "D6 with a newer generation" bash -c "[ \$1 -gt $before ]" _ "$(generation)"
check "D6 and says that it is not connected" until_true 3 status_is "['connection']['state']" disconnected

agent_stop -TERM
check "D6 SIGTERM ends it cleanly" bash -c "! test -e $dir/h/run/prism/agent.sock"

for j in "$dir"/h/var/lib/prism/trust/*.journal; do : >"$j"; done
size=$(stat -c %i "$nss/identity.v1.snap")
agent_start
sleep 0.3
check "D6 with its journals lost, what was published stays until the service answers" [ "$(stat -c %i "$nss/identity.v1.snap")" = "$size" ]
central_start "$old_port"
central fill 3 10001 >/dev/null
for i in 1 2 3 4 5 6 7 8; do central member 10020 back >/dev/null; done
check "D6 and is then asked for whole" until_true 15 revision_is 10

mkdir -p "$dir/h/var/lib/systemd/linger"
touch "$dir/h/var/lib/systemd/linger/back"
central remove 10020 >/dev/null
check "D6 whoever is removed without a trace lingers no longer" until_true 3 bash -c "! test -e $dir/h/var/lib/systemd/linger/back"

agent_stop -TERM
agent_start
check "D6 after a start with nothing new it knows at once that it is connected" until_true 5 status_is "['connection']['state']" connected

# ---- people who vanish without a word
central vanish 10001 10002 >/dev/null
check "D6 shrink guard: status names whom it holds" until_true 5 status_is "['held'] and str(sorted(h['subject'] for h in j['held']))" "['user10001', 'user10002']"
check "D6 nobody lets go of somebody who is not held" bash -c "! $B/prism-sync --root $dir/h release user10003 2>/dev/null"
check "D6 release wants a name, or to be told that it means everybody" bash -c "$B/prism-sync --root $dir/h release 2>/dev/null; [ \$? = 2 ]"
check "D6 root lets go of one of them" agent release user10001
check "D6 who is gone then" until_true 3 status_is "['users']" 2
check "D6 it is in the log" grep -q 'released.*user10001' "$dir/agent.log"
agent_stop -TERM
agent_start
check "D6 a restart holds the other one alone" status_is "['feeds'][0]['held']" 1
check "D6 all may be let go of at once" agent release --all
check "D6 and are gone" until_true 3 status_is "['users']" 1

# ---- a full disk: the snapshots stay, and are published when there is room again
if unshare -m true 2>/dev/null; then
  agent_stop -TERM
  mkdir "$dir/small"
  cp -a "$nss" "$dir/nss.keep"
  unshare -m --propagation private bash -c "
    B=$B; dir=$dir; . tests/sync/agent.sh
    mount -t tmpfs -o size=64k tmpfs '$nss' && cp -a '$dir/nss.keep/.' '$nss/' || exit 77
    head -c 70000 /dev/zero >'$nss/filler' 2>/dev/null
    agent_start
    until_true 5 bash -c '[ -n \"\$(agent 2>/dev/null)\" ] || true'
    until_true 5 grep -q publish-failed '$dir/agent.log' || exit 1
    cmp -s '$nss/identity.v1.snap' '$dir/nss.keep/identity.v1.snap' || exit 2
    rm '$nss/filler'
    until_true 10 status_is \"['publish_error']\" '' || exit 3
    agent_stop -TERM
    exit 0"
  case $? in
    0) ok "D6 a full disk keeps the old generation, and room makes up for it" ;;
    77) ok "D6 a full disk keeps the old generation # SKIP no tmpfs here" ;;
    *) not_ok "D6 a full disk keeps the old generation, and room makes up for it" ;;
  esac
fi

echo "1..$ok_count"
