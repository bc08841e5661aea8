#!/bin/bash
# SPDX-License-Identifier: MIT
# Homes and the socket, through the running agent: made before the first login, asked for by PAM, and
# a file server that hangs.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/sync/agent.sh
if [ "$(id -u)" -ne 0 ]; then echo "ok 1 - D6 homes # SKIP needs root"; echo 1..1; exit 0; fi
dir=$(mktemp -d)
chmod 755 "$dir"
agent_pid= central_pid=
cleanup() { agent_stop -KILL; central_stop; tests/keep-logs.sh "$dir"; rm -rf "$dir"; }
trap cleanup EXIT
home=$dir/efs/home ready=$dir/h/var/lib/prism/ready sock=$dir/h/run/prism/agent.sock
ask() { "$B/tests/sync/helper_ask" "$sock" "$@"; }
owner_is() { [ "$(stat -c '%u:%g %a' "$1" 2>/dev/null)" = "$2" ]; }
starts() { case $1 in "$2"*) ;; *) echo "# got: $1"; false ;; esac; }
worker() { for p in $(pgrep -P "$agent_pid"); do [ "$(cat "/proc/$p/comm")" = prism-home ] && echo "$p"; done; }

central_start
host_enrol
sed -i "s,^root = .*,root = $home," "$dir/h/etc/prism/prism.conf"
echo hello >"$dir/skel/.profile"
central homes "$home" >/dev/null
central fill 3 10001 >/dev/null
agent_start
check "D6 homes are made before anybody logs in" until_true 5 owner_is "$home/user10003" "10003:10003 700"
check "D6 from the skeleton" owner_is "$home/user10003/.profile" "10003:10003 644"
check "D6 and noted as ready" until_true 3 test -f "$ready/10003"
central member 10005 dora >/dev/null
check "D6 a new member's home is made when the membership is published" until_true 3 owner_is "$home/dora" "10005:10005 700"

rm -rf "$home/dora"
check "D6 PAM's question makes a home that is gone" starts "$(ask home dora)" "0"
check "D6 which is there then" owner_is "$home/dora" "10005:10005 700"
check "D6 somebody who is unknown gets none" starts "$(ask home nobody-such)" "-2 this host does not let this person in"
central suspend 10005 >/dev/null
until_true 3 status_is "['active']" 3
check "D6 somebody who is suspended gets none" starts "$(ask home dora)" "-13 this host does not let this person in"

rm -rf "$home/user10001"
mkdir "$home/user10001" && chown 4711 "$home/user10001"
check "D6 another owner's folder is refused with a sentence" starts "$(ask home user10001)" "-17 $home/user10001 belongs to uid 4711"
check "D6 it is left alone" owner_is "$home/user10001" "4711:0 755"
check "D6 and no longer noted as ready" test ! -e "$ready/10001"

check "D4 the socket is root's alone" [ "$(stat -c '%u %a' "$sock")" = "0 600" ]
chmod 666 "$sock"
check "D4 and asks who is calling" starts "$("$B/tests/sync/helper_ask" as 65534 "$sock" ping)" "none"
chmod 600 "$sock"
check "D4 root is answered" starts "$(ask ping)" "0"

# A file server that hangs: its worker stands still.
w=$(worker)
kill -STOP "$w"
start=$(date +%s%N)
central member 10006 eve >/dev/null
check "D6 with the file server hanging, publication goes on" until_true 3 status_is "['users']" 5
check "D6 and the socket answers" starts "$(ask ping)" "0"
check "D6 who asks for a home gets a sentence in time" starts "$(ask home user10002)" "-110 the home volume does not answer"
check "D6 the worker is given up" until_true 15 bash -c "! kill -0 $w 2>/dev/null || [ \"\$(cut -d' ' -f3 /proc/$w/stat)\" = Z ]"
check "D6 and another one does the work" until_true 25 owner_is "$home/eve" "10006:10006 700"

# An agent that is gone leaves its memory.
agent_stop -KILL
check "D6 what was ready is still noted without the agent" test -f "$ready/10002"
echo "1..$ok_count"
