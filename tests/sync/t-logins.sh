#!/bin/bash
# SPDX-License-Identifier: MIT
# Device logins through both halves of the agent, against a service that can be made to misbehave;
# t-logins-central.sh has the same with the real one.
set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/sync/agent.sh
. tests/sync/agent.sh
if [ "$(id -u)" -ne 0 ]; then echo "ok 1 - I3.3 device logins # SKIP needs root"; echo 1..1; exit 0; fi
dir=$(mktemp -d)
chmod 755 "$dir"
cleanup() { agent_stop -KILL; central_stop; tests/keep-logs.sh "$dir"; rm -rf "$dir"; }
trap cleanup EXIT
agent_pid='' central_pid='' port=''

socket=$dir/h/run/prism/agent.sock
login() { "$B/tests/sync/helper_login" "$socket" "$@"; }
begin() { # USER ORIGIN [LIFE]: sets h url complete code side host_name
  read -r rc h url complete code side host_name < <(login start "$1" "$2" "${3:-60000}")
  [ "$rc" = 0 ]
}
says() { case $1 in *"$2"*) ;; *) echo "# got: $1"; false ;; esac; }
not_says() { case $1 in *"$2"*) echo "# got: $1"; false ;; esac; }
logged() { grep -q "$@" "$dir/agent.log"; }
log_lines() { grep -c "$1" "$dir/agent.log"; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
figure() { central logins | sed "s/.*$1 \([0-9]*\).*/\1/"; }
memory_kb() { # PSS of both halves
  cat "/proc/$agent_pid/smaps_rollup" "/proc/$network_pid/smaps_rollup" | awk '/^Pss:/ { n += $2 } END { print n }'
}

central_start
host_enrol
central homes "$dir/efs/home" >"$dir/out"
central fill 210 10001 >"$dir/out"
agent_start
until_true 5 status_is "['users']" 210
network_pid=$(pgrep -P "$agent_pid" -f 'prism-sync' | head -n 1)
sleep 0.5
idle=$(memory_kb)

# ---- the way it goes ----

start=$(now_ms)
check "I3.3 a login begins: the page, the page with the code, the code, a QR code" begin user10001 192.0.2.1
took=$(($(now_ms) - start))
check "I3.3 and at once ($took ms)" [ "$took" -lt 500 ]
check "I3.3 with the pages of the service that the host is enrolled with" \
  [ "$url $complete" = "http://127.0.0.1:$port/device http://127.0.0.1:$port/device?user_code=$code" ]
check "I3.3 and the name that this host was enrolled by" [ "$host_name" = ws1 ]
check "I3.3 the picture is there, and small enough for a terminal" [ "$side" -ge 21 ]
check "I3.3 the status tells how many wait" status_is "['logins']['waiting']" 1
check "I3.3 and so does its text" says "$(agent status)" "Logins           1 waiting for their approval in a browser"
check "I3.3 waiting ends with \"not yet\"" says "$(login wait "$h" 200)" "-11 "
central projects lab nlp >"$dir/out"
login wait "$h" 20000 >"$dir/waited" &
waiter=$!
sleep 0.3
central approve "$code" >"$dir/out"
wait "$waiter"
check "I3.3 an approval ends the wait: who, the uid, the projects" [ "$(cat "$dir/waited")" = "0 user10001 10001 lab nlp" ]
check "I3.3 and is told once" says "$(login wait "$h" 200)" "-2 "
check "I3.3 nobody waits any more" status_is "['logins']['waiting']" 0
check "I3.3 the log has who and from where" logged 'login-approved user="user10001" origin="192.0.2.1"'

# From the approval to the answer, many times.
latency() {
  local i decided ended all=()
  for i in 1 2 3 4 5 6 7 8 9; do
    login crowd $((10020 + i)) 1 60000 >"$dir/crowd" &
    local crowd=$!
    until_true 5 grep -q begun "$dir/crowd" || return 1
    sleep 0.1
    read -r _ _ _ decided < <(central approve all)
    wait "$crowd"
    ended=$(sed -n 's/^result 0 count 1 last //p' "$dir/crowd")
    [ -n "$ended" ] || return 1
    all+=($((ended - decided)))
  done
  median=$(printf '%s\n' "${all[@]}" | sort -n | sed -n 5p)
}
check "I3 nine approvals are told" latency
check "I3 from the approval to the answer: $median ms, median" [ "$median" -lt 200 ]

# ---- denied, expired, given up ----

begin user10002 192.0.2.1
central deny "$code" >"$dir/out"
check "I3.3 a denial is told as one" says "$(login wait "$h" 5000)" "-13 The login was denied in the browser."
check "I3.3 and logged" logged 'login-denied user="user10002"'
begin user10002 192.0.2.1
central expire "$code" >"$dir/out"
check "I3.3 a code that has expired is told as such" says "$(login wait "$h" 5000)" "-110 "
begin user10002 192.0.2.1 5200
check "I3.3 a login whose life is over ends by itself" says "$(login wait "$h" 9000)" "-110 The login was not approved in time"
check "I3.3 and is logged" logged 'login-expired user="user10002"'
hears() { says "$(central login "$1")" "$2"; }
check "I3.3 the service heard for how many whole seconds" hears "$code" "life 5 "
check "I3.3 and of the end" until_true 2 hears "$code" "ended 1"
begin user10003 192.0.2.1
login hold "$h" 200
check "I3.3 whoever closes the connection does not wait any more" until_true 2 status_is "['logins']['waiting']" 0
central approve "$code" >"$dir/out"
check "I3.3 an approval that nobody waits for is not redeemed" bash -c 'sleep 1'
check "I3.3 nor told to anybody" says "$(login wait "$h" 200)" "-2 "
check "I3.3 the service heard that nobody waits" hears "$code" "life 60 ended 1"
ends=$(figure ends)
one_more() { [ "$(($(figure ends) - ends))" = 1 ]; }
told=$(login leave user10003 192.0.2.1)
check "I3.3 somebody begins, and hangs up at the prompt, before Enter" says "$told" "0 "
check "I3.3 nothing is left of that" until_true 3 status_is "['logins']['waiting']" 0
check "I3.3 and the service is told at once" until_true 2 one_more
check "I3.3 and it is logged" logged 'login-given-up user="user10003"'
begin user10003 192.0.2.1
check "I3.3 END forgets a login" [ "$(login end "$h")" = 0 ]
check "I3.3 the service too" until_true 2 hears "$code" "ended 1"
check "I3.3 which is gone then" says "$(login end "$h")" "-2 "
check "I3.3 somebody whom this host does not know is told so" says "$(login start mallory 192.0.2.1)" "-2 This host does not let this person in."

# ---- a service that is slow, asks for patience, or breaks in the middle (RFC 8628 §3.5) ----

central slow 1 >"$dir/out"
begin user10004 192.0.2.1
central approve "$code" >"$dir/out"
start=$(now_ms)
check "I3.3 slow_down delays the redemption" [ "$(login wait "$h" 20000)" = "0 user10004 10004 lab nlp" ]
took=$(($(now_ms) - start))
check "I3.3 by the interval and five seconds ($took ms)" [ "$took" -ge 5900 ] && [ "$took" -lt 9000 ]
central pending 1 >"$dir/out"
begin user10004 192.0.2.1
central approve "$code" >"$dir/out"
start=$(now_ms)
check "I3.3 authorization_pending waits for the interval" says "$(login wait "$h" 9000)" "0 user10004"
took=$(($(now_ms) - start))
check "I3.3 and not less ($took ms)" [ "$took" -ge 900 ]
central broken 2 >"$dir/out"
before=$(figure redeems)
begin user10004 192.0.2.1
central approve "$code" >"$dir/out"
start=$(now_ms)
check "I3.3 errors of the service are borne" says "$(login wait "$h" 20000)" "0 user10004"
took=$(($(now_ms) - start))
check "I3.3 with delays that double ($took ms)" [ "$took" -ge 1400 ]
check "I3.3 the code was redeemed once for all that" [ "$(($(figure redeems) - before))" = 1 ]

# ---- a service that cannot be believed ----

for what in nonce code host user uid old future key signature flipped; do
  central wrong "$what" >"$dir/out"
  begin user10005 192.0.2.1
  central approve "$code" >"$dir/out"
  check "I3.3 a statement with a wrong $what is refused" says "$(login wait "$h" 5000)" "-74 "
done
central wrong no >"$dir/out"
for word in other-login other-code other-host other-user other-uid not-its-time unknown-key bad-signature; do
  check "I3.3 the log says $word" logged "login-refused user=\"user10005\" .*reason=\"$word\""
done
central pages https://evil.example >"$dir/out"
check "I3.3 pages of another site are shown to nobody" says "$(login start user10005 192.0.2.1)" "-74 "
central pages "http://127.0.0.1:$port.evil.example" >"$dir/out"
check "I3.3 nor those of a name that begins like the service's" says "$(login start user10005 192.0.2.1)" "-74 "
central pages own >"$dir/out"

# ---- limits ----

for _ in $(seq 64); do begin user10006 198.51.100.1; done
check "I3 a class of 64 begins from one address, one more is refused" says "$(login start user10006 198.51.100.1)" "-87 Too many logins"
check "I3 another address is not in its way" begin user10006 198.51.100.2
central deny all >"$dir/out"
until_true 5 status_is "['logins']['waiting']" 0

before=$(memory_kb)
[ "$before" -lt "$idle" ] && idle=$before
login crowd 10001 200 60000 >"$dir/crowd" &
crowd=$!
until_true 20 grep -q begun "$dir/crowd"
check "I3 two hundred logins begin, none fails ($(grep begun "$dir/crowd"))" grep -q 'begun 200 failed 0' "$dir/crowd"
check "I3 all of them wait" status_is "['logins']['waiting']" 200
sleep 0.5
grown=$(($(memory_kb) - idle))
# 20 MB, which a sanitizer uses up; far less without.
limit=8192
! grep -q __asan_init "$B/prism-sync" || limit=20480
check "I3 they cost both halves together, threads and all, $grown KB" [ "$grown" -lt $limit ]
polls=$(figure polls)
sleep 1.5
check "I3.3 one poll stands for all of them" [ "$(($(figure polls) - polls))" -le 2 ]
check "I3 the status is still answered" status_is "['users']" 210
check "I3 and others are still answered" says "$("$B/tests/sync/helper_ask" "$socket" ping)" "0 "
central approve all >"$dir/out"
wait "$crowd"
check "I3 all two hundred are let in" grep -q 'result 0 count 200' "$dir/crowd"
check "I3 nobody is left" status_is "['logins']['waiting']" 0

# ---- a service that goes away and comes back ----

begin user10007 192.0.2.1
kill -STOP "$central_pid"
start=$(now_ms)
check "I3.3 a service that does not answer is told within five seconds" says "$(login start user10008 192.0.2.1)" "-101 The login service cannot be reached now"
took=$(($(now_ms) - start))
check "I3.3 which is what it took ($took ms)" [ "$took" -lt 5400 ]
kill -CONT "$central_pid"
central approve "$code" >"$dir/out"
check "I3.3 a login that waited meanwhile is not lost" says "$(login wait "$h" 15000)" "0 user10007"
begin user10007 192.0.2.1
waiting=$h
central_stop
start=$(now_ms)
check "I3.3 a service that is not there is told at once" says "$(login start user10008 192.0.2.1)" "-101 "
took=$(($(now_ms) - start))
check "I3.3 at once ($took ms)" [ "$took" -lt 1000 ]
check "I3.3 and why is in the log" logged 'login-not-begun user="user10008".*reason="[^"]'
check "I3.3 who waits goes on waiting" says "$(login wait "$waiting" 200)" "-11 "
central_start "$port"
central homes "$dir/efs/home" >"$dir/out"
central fill 210 10001 >"$dir/out"
check "I3.3 the first login after that works, whatever was known before" until_true 10 begin user10008 192.0.2.1
central approve "$code" >"$dir/out"
check "I3.3 and is let in" says "$(login wait "$h" 15000)" "0 user10008"
central mode fail >"$dir/out"
check "I3.3 a service that says 503 is told as one that cannot be reached" says "$(login start user10008 192.0.2.1)" "-101 "
central mode ok >"$dir/out"
for i in 1 2 3 4; do begin user10008 "192.0.2.$i"; eval "given_up_$i=$h"; done
central mode hang >"$dir/out"
ends=$(figure ends)
# shellcheck disable=SC2154
for i in "$given_up_1" "$given_up_2" "$given_up_3" "$given_up_4"; do login end "$i" >"$dir/out"; done
check "I3.3 of four that were given up the service is told one after the other" until_true 2 one_more
central mode ok >"$dir/out"
start=$(now_ms)
check "I3.3 that this is not answered is in nobody's way" begin user10008 192.0.2.9
central approve "$code" >"$dir/out"
check "I3.3 neither before nor after the approval" says "$(login wait "$h" 5000)" "0 user10008"
took=$(($(now_ms) - start))
check "I3.3 at all ($took ms)" [ "$took" -lt 1000 ]
central drop-tokens >"$dir/out"
check "I3.3 an access token that has run out is renewed on the way" begin user10008 192.0.2.1
login end "$h" >"$dir/out"
begin user10009 192.0.2.1
login wait "$h" 30000 >"$dir/waited" &
waiter=$!
sleep 0.2
central removed 1 >"$dir/out"
central approve "$code" >"$dir/out"
wait "$waiter"
check "I3.3 a host that was removed lets nobody in" says "$(cat "$dir/waited")" "-101 "
check "I3.3 and begins nothing" says "$(login start user10009 192.0.2.1)" "-101 "
central removed 0 >"$dir/out"

# ---- what must not be ----

check "I3 no code is in the log" not_says "$(cat "$dir/agent.log")" WDJB
check "I3 nor a device code or a token" bash -c "! grep -qE 'pdc_|pdt_|pht_' '$dir/agent.log'"
check "I3.3 the network half is still there, the first one" kill -0 "$network_pid"
check "I3.3 the agent ends in good order" agent_stop

# ---- a host of before ----

sed -i '/^url /d' "$dir/h/var/lib/prism/trust/pins"
agent_start
check "I3.3 a host that has pinned no address offers no login" says "$(login start user10009 192.0.2.1)" "-1 Nobody can log in to this host through a browser until it is enrolled again; log in with your key"
told=$(agent status)
check "I3.3 and its status says with which command that is mended" says "$told" "Enrol it again: prism-sync enroll --force --token TOKEN"
check "I3.3 and what has to follow it" says "$told" "Then: systemctl restart prism-sync"
echo "1..$ok_count"
