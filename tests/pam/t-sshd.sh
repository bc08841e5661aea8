#!/bin/bash
# SPDX-License-Identifier: MIT
# Logins through SSO at a real sshd, with the PAM files that pam-auth-update writes and the sshd
# configuration that ships, in namespaces of their own. The agent is the test's; all else is real.
# shellcheck disable=SC2317,SC2016 # what check runs is reached by its name
set -u
cd "$(dirname "$0")/../.." || exit 2
B=$(realpath "${B:-build}")

obstacle() {
  local program
  [ "$(id -u)" = 0 ] || { echo "it needs root"; return; }
  for program in /usr/sbin/sshd ssh ssh-keygen pam-auth-update unshare python3 ip; do
    command -v $program >/dev/null || { echo "$program is not installed"; return; }
  done
  unshare --mount --net --pid --uts --fork true 2>/dev/null || echo "namespaces cannot be made"
}

if [ -z "${T_SSHD:-}" ]; then
  why=$(obstacle)
  [ -z "$why" ] || { echo "ok 1 - I3.3 real sshd # SKIP $why"; echo 1..1; exit 0; }
  T_SSHD=$(mktemp -d) || exit 2
  export T_SSHD
  trap 'rmdir "$T_SSHD"' EXIT
  unshare --mount --net --pid --uts --fork --kill-child=KILL --mount-proc --propagation private -- bash "$0"
  exit
fi

T=$T_SSHD
# A module that was built with sanitizers needs their libraries in the program that loads it, and those
# want to have seen crypt() before they stand in front of it.
preload=$(ldd "$B/pam_prism.so" | awk '/lib(a|ub)san/ { print $3 }' | tr '\n' ' ')
sanitized=(env ${preload:+LD_PRELOAD="$preload libcrypt.so.1"} ASAN_OPTIONS=detect_leaks=0:log_path="$T/asan")
count=0 failed=0
check() { # TEXT COMMAND...
  local text=$1
  shift
  count=$((count + 1))
  if "$@" >"$T/check" 2>&1; then
    echo "ok $count - $text"
  else
    failed=1
    echo "not ok $count - $text"
    tail -n 12 "$T/check" "$T/shown" "$T/sshd.log" 2>/dev/null | sed 's/^/# /'
  fi
}

# own PATH: a copy of it that this test may change
own() {
  local copy
  copy=$T/own$(echo "$1" | tr / -)
  [ -e "$1" ] || { echo "# $1 is not there" >&2; exit 2; }
  cp -a "$1" "$copy" && mount --bind "$copy" "$1"
}

workstation() {
  local security
  security=$(dirname "$(find /lib /usr/lib -name pam_unix.so -print -quit)")
  mount -t tmpfs -o mode=755 tmpfs "$T" && mount -t tmpfs -o mode=755 tmpfs /run || return 1
  mkdir -p /run/sshd /run/prism "$T/prism"
  install -m 755 "$B/prism-keys" /run/prism/keys # sshd wants every folder above it to be root's alone
  ip link set lo up
  hostname ws1
  for path in /etc/pam.d /etc/passwd /etc/group /etc/shadow /etc/nsswitch.conf /usr/share/pam-configs \
    /var/lib/pam /var/cache/debconf "$security"; do
    own "$path"
  done
  cp "$B/pam_prism.so" "$security/"
  cp packaging/pam-configs /usr/share/pam-configs/prism
  cp -a /etc/pam.d "$T/pam.d-before"
  cp -a /var/lib/pam "$T/var-lib-pam-before"
}

# alice, who is Prism's, and martha, who is local.
people() {
  # What nss_prism does is tested elsewhere: here alice comes from a file that is not "local".
  grep -v '^alice:\|^martha:' /etc/passwd >"$T/local"
  echo 'martha:x:1999:1999::/:/bin/sh' >>"$T/local"
  cat "$T/local" >/etc/passwd
  echo 'alice:*:10001:10001::/:/bin/sh' >>/etc/passwd
  echo "martha:$(openssl passwd -6 open-sesame):19000:0:99999:7:::" >>/etc/shadow
  printf 'prism-users:x:2000000:alice\nalice:x:10001:\nmartha:x:1999:\n' >>/etc/group
  printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n' >/etc/nsswitch.conf
  sed -i "s,pam_prism.so,& dir=$T/prism ready=$T/ready passwd=$T/local login_timeout=3," /etc/pam.d/common-*
  ssh-keygen -q -t ed25519 -N '' -f "$T/host" && ssh-keygen -q -t ed25519 -N '' -f "$T/key"
}

pam_update() { DEBIAN_FRONTEND=noninteractive pam-auth-update "$@" </dev/null; }

# What ships, with the two paths of this place. Debian's own settings stand behind it.
sshd_start() { # MORE
  [ ! -e "$T/sshd.pid" ] || { kill "$(cat "$T/sshd.pid")"; wait "$sshd_child" 2>/dev/null; }
  {
    printf 'Port 2222\nListenAddress 127.0.0.1\nHostKey %s\nPidFile none\n' "$T/host"
    sed "s,/usr/libexec/prism/prism-keys,/run/prism/keys -d $T/prism,; s/CommandUser prism-keys/CommandUser root/" config/sshd/prism.conf
    printf 'UsePAM yes\nKbdInteractiveAuthentication no\nAuthorizedKeysFile none\nPrintMotd no\nStrictModes no\n'
    printf '%s\n' "$1"
  } >"$T/sshd_config"
  "${sanitized[@]}" /usr/sbin/sshd -D -e -f "$T/sshd_config" 2>>"$T/sshd.log" &
  sshd_child=$!
  echo $sshd_child >"$T/sshd.pid"
  for _ in $(seq 100); do
    (: </dev/tcp/127.0.0.1/2222) 2>/dev/null && return
    sleep 0.05
  done
  return 1
}

world() { "$B/tests/pam/helper_door" world "$T/prism" "$1" "$(cat "$T/key.pub")"; }

agent_child=
agent() { # ANSWER MS, or none
  [ -z "$agent_child" ] || { kill "$agent_child"; wait "$agent_child" 2>/dev/null; }
  agent_child=
  rm -f /run/prism/agent.sock
  [ $# = 2 ] || return 0
  "$B/tests/pam/helper_door" agent /run/prism/agent.sock "$@" &
  agent_child=$!
  for _ in $(seq 100); do
    [ -S /run/prism/agent.sock ] && return
    sleep 0.02
  done
}

# person USER ANSWERS SSH-OPTIONS...: what is shown goes to $T/shown
person() {
  local user=$1 answers=$2
  shift 2
  env -i PATH=/usr/bin:/bin HOME="$T" LC_ALL="${LOCALE:-C.UTF-8}" TERM=xterm \
    python3 tests/pam/ssh_person.py "${PATIENCE:-30}" "$answers" ssh -p 2222 -F none -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null "$@" "$user@127.0.0.1" 'echo shell of $(id -un)' >"$T/shown" 2>&1
}
sso() { person alice "$1" -o PubkeyAuthentication=no "${@:2}"; }
shows() { grep -qF -- "$1" "$T/shown"; }
shell() { grep -qx "shell of ${1:-alice}" "$T/shown"; }
ms() { echo $(($(date +%s%N) / 1000000)); }
within() { # FROM TO COMMAND...
  local from=$1 to=$2 began took
  shift 2
  began=$(ms)
  "$@"
  took=$(($(ms) - began))
  echo "took $took ms"
  [ "$took" -ge "$from" ] && [ "$took" -le "$to" ]
}
times() { [ "$(grep -cF -- "$1" "$T/shown")" = "$2" ]; }

pam_lines() { grep -hE "^$1[[:blank:]]" "/etc/pam.d/common-$1"; }
control_of() { pam_lines auth | sed -n 's/^auth[[:blank:]]*\(\[[^]]*\]\|[a-z]*\)[[:blank:]]*'"$1"'.*/\1/p'; }
unchanged() { diff -r "$T/pam.d-before" /etc/pam.d; }
lines_that_name_us() { grep -hcE '^[^#]*pam_prism' /etc/pam.d/* | awk '{ n += $1 } END { print n }'; }

workstation || { echo "Bail out! no workstation"; exit 1; }

# ---- what pam-auth-update makes of the profile ---------------------------------------------------

check "S1.1 pam-auth-update takes the profile" pam_update --package
check "D6 PAM auth stands first and ends the stack by itself, for better or worse, for ours alone" \
  test "$(control_of pam_prism.so)" = "[success=2 ignore=ignore module_unknown=ignore default=die]"
check "D6 PAM its jump ends where pam_unix's does" test "$(control_of pam_unix.so)" = "[success=1 default=ignore]"
check "D6 PAM account is required" eval 'pam_lines account | grep -qE "^account[[:blank:]]+required[[:blank:]]+pam_prism.so"'
check "S1.1 once more changes nothing" eval 'cp -a /etc/pam.d "$T/once"; pam_update --package; diff -r "$T/once" /etc/pam.d'
check "LESSONS 20 removed, every file is as before" eval 'pam_update --package --remove prism; unchanged'
pam_update --package
sed -i 's/^auth.*pam_prism.so.*/auth [success=2 ignore=ignore default=die] pam_prism.so qr=no/; 1i auth optional pam_permit.so' /etc/pam.d/common-auth
check "LESSONS 20 removed from files that were edited, no line names it and jumps still count" eval \
  'sh packaging/pam-release && [ "$(lines_that_name_us)" = 0 ] && grep -qxF "auth [default=ignore] pam_permit.so # pam_prism.so was here" /etc/pam.d/common-auth'
cp -a "$T/pam.d-before"/. /etc/pam.d/
cp -a "$T/var-lib-pam-before"/. /var/lib/pam/
pam_update --package || { echo "Bail out! no PAM files"; exit 1; }

people
world 0
sshd_start "" || { cat "$T/sshd.log"; echo "Bail out! no sshd"; exit 1; }

# ---- approved ------------------------------------------------------------------------------------

agent approve 0
check "I3.3 ssh without a key: approved, then Enter, opens the shell" eval 'sso "" && shell'
check "I3.3 the client shows the address, the code and the QR code with the prompt" \
  eval 'shows "user_code=WDJB-MJHT" && shows "the code  WDJB-MJHT" && shows "▀▀▀" && shows "██" && ! shows "\\342"'
check "I3.3 it names the workstation and the user" eval 'shows "the workstation \"ws1\", the user \"alice\""'
check "I3.3 the same with ssh -q" eval 'sso "" -q && shell && shows WDJB-MJHT'
check "I3.3 an approval that comes after Enter opens the shell soon after it" \
  eval 'agent approve 1000; within 1000 2500 sso "" && shell'
agent approve 0
check "I3.3 what is typed by habit is not shown and not used" eval 'sso "hunter2," && shell && ! shows hunter2'
check "I3.3 a client whose locale is not UTF-8 still shows address and code" \
  eval 'LOCALE=C sso "" && shell && shows "user_code=WDJB-MJHT"'

# ---- not approved --------------------------------------------------------------------------------

agent deny 0
check "I3.3 refused in the browser: the client reads so, and may try again with a new code" \
  eval '! sso ",," -o NumberOfPasswordPrompts=2 && times "The login was refused in the browser." 2 && times "Press Enter" 2'
agent expire 0
check "I3.3 nobody approves: a sentence, and no further try in this connection" \
  eval '! sso ",,," && shows "Nobody approved this login within 3 seconds" && times "Press Enter" 1 && ! shell'
agent approve 60000
check "I3.3 the module's own deadline ends the wait" eval 'within 3000 6000 sso "" ; times "Nobody approved this login" 1'
agent unreachable 0
check "I3.3 service unreachable: a sentence at once" \
  eval 'within 0 2500 sso "" ; shows "cannot reach the Prism service" && ! shows "Press Enter" && ! shows assword'
agent
check "I3.3 agent dead: a sentence at once, and no password asked" \
  eval 'within 0 2500 sso "" ; shows "agent does not answer" && ! shows assword && ! shell'
agent other 0
check "I3.3 somebody else's approval opens nothing" eval '! sso ",," && shows "not for the account that asked" && ! shell'

# ---- who goes away at the prompt ------------------------------------------------------------------

# The agent's socket and one for each connection to it.
held() { find "/proc/$agent_child/fd" -lname 'socket:*' | wc -l; }
held_becomes() { for _ in $(seq 40); do [ "$(held)" = "$1" ] && return; sleep 0.05; done; return 1; }
agent approve 60000
PATIENCE=5 sso none &
person_child=$!
check "I3.3 while the code is shown, the connection to the agent is open, which is the login's life" held_becomes 2
kill "$(pgrep -f 'ssh -p 2222 ' | head -n 1)"
wait "$person_child" 2>/dev/null
check "I3.3 a client that hangs up before Enter leaves none behind" held_becomes 1
sshd_start 'LoginGraceTime 2'
check "I3.3 nor does one that LoginGraceTime ends" eval 'PATIENCE=9 within 1500 6000 sso none ; held_becomes 1 && ! shell'
sshd_start ""
agent approve 0

# ---- freshness, keys and both --------------------------------------------------------------------

agent approve 0
check "I3.4 a key alone opens while no freshness is asked" eval 'person alice "" -i "$T/key" && shell && ! shows WDJB'
world 3600
check "I3.4 a key alone is refused when the project asks for a recent login, and the refusal says how to renew" \
  eval '! person alice "" -i "$T/key" -o PreferredAuthentications=publickey && shows "run \"prism login\"" && shows "PubkeyAuthentication=no"'
check "I3.4 signing in within the login makes it good" eval 'sso "" && shell'
check "I3.4 for that login alone" eval '! person alice "" -i "$T/key" -o PreferredAuthentications=publickey'
sshd_start 'Match User alice
AuthenticationMethods publickey,keyboard-interactive
Match all'
check "I3.3 AuthenticationMethods publickey,keyboard-interactive: the key, then the approval" \
  eval 'person alice "" -i "$T/key" && shell && shows WDJB-MJHT'
check "I3.3 without the key there is no code" eval '! sso "" && ! shows WDJB-MJHT'
sshd_start 'Match User alice
AuthenticationMethods publickey,keyboard-interactive:pam
Match all'
check "I3.3 the same with keyboard-interactive:pam" eval 'person alice "" -i "$T/key" && shell && shows WDJB-MJHT'
agent deny 0
check "I3.3 the key and a refusal open nothing" eval '! person alice ",," -i "$T/key" && ! shell && shows "refused in the browser"'

# ---- everybody else ------------------------------------------------------------------------------

world 0
sshd_start ""
agent approve 0
check "LESSONS 20 a local user's password works as before, and shows no code" \
  eval 'person martha "open-sesame" -o PubkeyAuthentication=no && shell martha && ! shows WDJB'
check "LESSONS 20 a local user's wrong password does not" eval '! person martha "wrong,wrong,wrong" -o PubkeyAuthentication=no'
check "I3.3 a client that cannot be asked fails at once" eval '! within 0 3000 sso "" -o BatchMode=yes; ! shell'
sshd_start 'Match User alice
PasswordAuthentication yes
Match all'
# sshd takes the first value: ours says no, whatever comes behind it.
check "D6 sshd: no password is asked of Prism's people, whatever comes later in the configuration" \
  eval '! sso "x,y,z" -o PreferredAuthentications=password && ! shows assword:'
sed -i '/^PasswordAuthentication no/d; s/^[[:blank:]]*PasswordAuthentication no//' "$T/sshd_config"
kill -HUP "$sshd_child"
sleep 0.5
check "I3.3 where the password method is allowed, it neither waits for an approval nor opens anything" \
  eval 'within 0 9000 sso "x,y,z" -o PreferredAuthentications=password ; ! shell'

# ---- other programs ------------------------------------------------------------------------------

# pam SERVICE USER ANSWER CALLS...
pam() { echo "$3" | "${sanitized[@]}" timeout 20 pamtester -I rhost=192.0.2.7 "$1" "$2" "${@:4}" >"$T/shown" 2>&1; }
if command -v pamtester >/dev/null; then
  check "D6 PAM the whole stack: authenticate, setcred and account of one of ours" pam sshd alice "" authenticate "setcred(PAM_ESTABLISH_CRED)" acct_mgmt
  check "D6 PAM a local user's, with a password" pam sshd martha open-sesame authenticate "setcred(PAM_ESTABLISH_CRED)" acct_mgmt
  check "LESSONS 21 login asks one of ours for no approval" eval '! pam login alice "" authenticate && ! shows WDJB'
  check "LESSONS 21 nor does cron" eval '! pam cron alice "" authenticate && ! shows WDJB'
  agent deny 0
  check "D6 PAM who is refused is asked for no password" eval '! pam sshd alice "" authenticate && shows "refused in the browser" && ! shows assword'
fi
check "LESSONS 20 auth's line of a module that is gone keeps nobody out" eval \
  'mv "$(find /lib /usr/lib -name pam_prism.so -print -quit)" "$T/gone.so"; sed -i /pam_prism/d /etc/pam.d/common-account
   person martha "open-sesame" -o PubkeyAuthentication=no && shell martha && ! person martha "x,x,x" -o PubkeyAuthentication=no'
check "STYLE 24 the sanitizers, where the build has them, found nothing" eval '! cat "$T"/asan.*'
agent
kill "$sshd_child"
wait "$sshd_child" 2>/dev/null
echo "1..$count"
exit $failed
