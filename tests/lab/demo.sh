#!/bin/bash
# SPDX-License-Identifier: MIT
# make demo: the whole story on this one machine. A researcher is invited, accepts, logs in by real ssh on two
# workstations with the same uid and the same home, also without a key, through her institution's
# login in a real browser; and is refused after removal; then again with the central service
# stopped. Every step says what was run and what came back.
#
# Exit status 0 if every step did what it should.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"

demo_needs()
{
  [ "$(id -u)" = 0 ] || lab_die "the demo starts real machines, which needs root: sudo make demo"
  "$LAB_SOURCE/packaging/install-deps.sh" || exit 1
}

[ -n "${LAB_ID:-}" ] || demo_needs
lab_enter "$@"
# shellcheck source=tests/lab/world.sh
. "$(dirname "$0")/world.sh"

bold='' plain='' red=''
if [ -t 1 ]; then
  bold=$'\e[1m' plain=$'\e[0m' red=$'\e[31m'
fi
demo_began=$(now_ms)
summary=()
all_ok=1

seconds() { awk -v ms="$1" 'BEGIN { printf "%.1f s", ms / 1000 }'; }

# step TITLE FUNCTION
step()
{
  local began rc=0 word=ok
  printf '\n%s== %s%s\n' "$bold" "$1" "$plain"
  began=$(now_ms)
  step_ok=1
  "$2" || step_ok=0
  [ $step_ok = 1 ] || { word=FAILED; all_ok=0; printf '%s   FAILED%s\n' "$red" "$plain"; }
  summary+=("$(printf '%-6s %8s  %s' "$word" "$(seconds $(($(now_ms) - began)))" "$1")")
}

# Tokens are long: their beginning will do.
shorten() { sed -E 's/([A-Za-z0-9_-]{20})[A-Za-z0-9_.-]{60,}/\1.../g'; }

# A command as it would be typed.
typed()
{
  local word line=''
  for word in "$@"; do
    case $word in
    *[!A-Za-z0-9_./:@%+=,-]*) line="$line '$word'" ;;
    *) line="$line $word" ;;
    esac
  done
  printf '%s' "${line# }"
}

# show PROMPT COMMAND...: the command as it would be typed there, and what came back. Sets out and status.
# root@HOST# takes a line for the shell, PERSON@client$ a command of the client machine.
show()
{
  local prompt=$1 host line
  shift
  case $prompt in
  root@*)
    host=${prompt#root@}
    line=$*
    out=$(host_sh "${host%#}" "$line" 2>&1)
    status=$?
    ;;
  *)
    line=$(typed "$@")
    out=$(as "${prompt%@*}" "$@" 2>&1)
    status=$?
    ;;
  esac
  printf '   %s %s%s%s\n' "$prompt" "$bold" "$line" "$plain" | shorten
  [ -z "$out" ] || printf '%s\n' "$out" | sed 's/^/     /' | shorten
}

# must PROMPT COMMAND...: show, and fail the step unless it succeeds; must_not the other way round.
must() { show "$@"; [ "$status" = 0 ] || step_ok=0; }
must_not() { show "$@"; [ "$status" != 0 ] || step_ok=0; }
# That what came back contains this text.
saying() { case $out in *"$1"*) ;; *) step_ok=0; printf '     (expected: %s)\n' "$1" ;; esac; }
note() { printf '   %s\n' "$*"; }

ssh=(ssh -i .prism/ssh_keys/id_ed25519 -o BatchMode=yes -o StrictHostKeyChecking=accept-new)

# ---- the steps -----------------------------------------------------------------------------------

build_packages()
{
  lab_packages
  printf '     %s\n' "$LAB_DEBS"/*.deb
}

start_hosts()
{
  lab_rootfs
  world_boot && world_campus || return 1
  note "central $LAB_NET.2, ws1 $LAB_NET.11, ws2 $LAB_NET.12, client $LAB_NET.50: Debian, systemd, sshd;"
  note "/efs on both workstations is one shared volume; idp $LAB_NET.3 is the institution's login provider"
  must root@ws1# 'findmnt -no TARGET,FSTYPE /efs; systemctl is-system-running'
}

install_packages()
{
  note "root@central# apt install ./prism-central_*.deb"
  note "root@ws1, root@ws2# apt install ./libnss-prism_*.deb ./libpam-prism_*.deb ./prism-sync_*.deb"
  note "root@client# apt install ./prism_*.deb"
  world_install || return 1
  must root@ws1# 'grep -E "^(passwd|group):" /etc/nsswitch.conf; grep pam_prism /etc/pam.d/common-account'
}

first_administrator()
{
  world_central | sed 's/^/     /'
  wait_for 10 world_healthy || return 1
  world_person chen
  world_person alice
  must chen@client$ prism login --server "$WORLD_URL" --pin "$(world_pin)" --user chen --password-file password
  must chen@client$ prism project create genomics-lab --name 'Genomics Lab' --budget 2000
}

enrol_workstations()
{
  local host token
  for host in ws1 ws2; do
    must chen@client$ prism host token --project genomics-lab --name "$host"
    token=$(sed -n 's/.*--token //p' <<<"$out")
    must "root@$host#" "prism-sync enroll --token $token"
  done
  for host in ws1 ws2; do
    wait_for 20 knows "$host" chen || step_ok=0
    must "root@$host#" 'prism-sync status'
  done
}

invite()
{
  must chen@client$ prism invitation send alice@example.edu --project genomics-lab --role member \
    --message 'Welcome to the lab'
  invitation=$(sed -n 's/.*prism invitation accept //p' <<<"$out")
}

accept()
{
  must alice@client$ prism invitation accept "$invitation" --username alice --yes
  saying "Research User Provisioned"
  accepted=$(now_ms)
  wait_for 20 knows ws1 alice && wait_for 20 knows ws2 alice || return 1
  note "both workstations know alice $(($(now_ms) - accepted)) ms after her acceptance"
}

same_identity()
{
  local host line=
  for host in ws1 ws2; do
    must "root@$host#" 'getent passwd chen; getent passwd alice; id alice'
    saying "chen:*:10001:10001:"
    [ -z "$line" ] || [ "$line" = "$out" ] || step_ok=0
    line=$out
  done
  note "the first person of this service has uid 10001, and everybody has the same uid on both hosts"
}

log_in()
{
  must alice@client$ prism workspace list
  must alice@client$ prism workspace connect ws1 -- 'hostname; id; pwd; echo "written on ws1" >notes.txt'
  saying "ws1"
  must alice@client$ "${ssh[@]}" alice@ws2 'hostname; pwd; cat notes.txt'
  saying "written on ws1"
}

connect_institution()
{
  world_op || return 1
  note "a real OpenID provider (oidc-provider) answers at $WORLD_ISSUER; its client secret stays at the service"
  world_sso_secret
  must chen@client$ "${world_sso_add[@]}"
  must chen@client$ prism sso domain add example.edu --connection campus
  as chen prism sso domain list --json | world_sso_record
  note "the institution's name server gets that record"
  must chen@client$ prism sso domain verify example.edu
  must chen@client$ prism sso edit campus --enabled yes
}

institution_login()
{
  local url began
  note "alice@client\$ ${bold}ssh alice@ws1${plain}   (on a machine that has no key of hers)"
  terminal_start door alice ssh -tt -o PubkeyAuthentication=no -o StrictHostKeyChecking=accept-new alice@ws1 \
    'hostname; id -un; pwd'
  terminal_wait door 15 'press Enter here: $|Press Enter here: $' || return 1
  terminal_screen door | sed 's/^/     /'
  printf '\n'
  url=$(terminal_screen door | grep -oE "$WORLD_URL/device\?user_code=[A-Z-]+" | tail -n 1)
  world_browser alice || return 1
  note "in Chromium, on her laptop: opens the address, gives her address at the institution,"
  browser alice open "$url" -- type '#login' alice@example.edu -- click 'form[action="/login"] button' \
    -- wait-url "^$WORLD_ISSUER/" || return 1
  note "is led to the institution's login at $WORLD_ISSUER, logs in there, and comes back to:"
  campus_login alice alice
  note "her account has a key already, from the invitation: is it hers? She knows it, and keeps it"
  browser alice wait-text "Is all of this yours?" -- text main | sed 's/^/     | /'
  campus_keep alice || return 1
  browser alice wait-text "Approve this login?" -- text main | sed 's/^/     | /'
  browser alice click 'button[value=approve]' -- wait-text "The login is approved" || return 1
  [ -z "$(browser alice errors)" ] || { note "the browser's console complains"; step_ok=0; }
  note "she approves, and presses Enter in the terminal"
  began=$(now_ms)
  terminal_type door
  terminal_wait door 10 '/efs/home/alice' || return 1
  note "$(($(now_ms) - began)) ms later:"
  terminal_end door 5 >/dev/null
  terminal_screen door | grep -v '^Connection to' | tail -n 3 | sed 's/^/     /'
  browser_stop alice
  must chen@client$ prism project edit genomics-lab --sso-max-age 8h
  wait_for 10 ssh_to alice ws1 true || step_ok=0
  note "from now on keys need such a login, no older than a working day; hers is, so her key opens the door as well"
}

home()
{
  must root@ws2# 'stat -c "%A %U:%G (%u:%g) %n" /efs/home/alice /efs/home/alice/notes.txt'
  saying "drwx------ alice:alice"
}

other_doors()
{
  must root@ws1# "su - alice -c 'id -un; pwd'"
  must root@ws1# 'pamtester cron alice acct_mgmt'
  must_not root@ws1# 'runuser -u alice -- sudo -n true'
  note "(a member may not sudo here: prism.conf says allow_sudo = no)"
}

# When ssh is refused on a host, in milliseconds of the clock, to a file: run in the background.
watch_refusal()
{
  local end=$(($(now_ms) + 30000))
  while [ "$(now_ms)" -lt $end ]; do
    if ! ssh_to alice "$1" true 2>"$LAB_DIR/refusal-$1.text"; then
      now_ms >"$LAB_DIR/refused-$1"
      return
    fi
  done
}

remove()
{
  local host began done_at watchers=()
  for host in ws1 ws2; do
    ssh_to alice $host true || return 1
    watch_refusal $host &
    watchers+=($!)
  done
  began=$(now_ms)
  must chen@client$ prism member remove alice --project genomics-lab --wait
  done_at=$(now_ms)
  wait "${watchers[@]}"
  for host in ws1 ws2; do
    [ -s "$LAB_DIR/refused-$host" ] || { note "$host still lets her in"; step_ok=0; continue; }
    note "$host refused ssh $(($(cat "$LAB_DIR/refused-$host") - began)) ms after \"member remove\" was started (it took $((done_at - began)) ms)"
  done
  must_not alice@client$ "${ssh[@]}" alice@ws1 true
  saying "ended on"
  must_not root@ws1# 'su alice -c true'
  saying "ended"
  must root@ws2# 'ls -ld /efs/home/alice'
  note "her files stay, with her name on them"
}

offline_end()
{
  local host until began
  must chen@client$ prism invitation send alice@example.edu --project genomics-lab
  invitation=$(sed -n 's/.*prism invitation accept //p' <<<"$out")
  must alice@client$ prism invitation accept "$invitation" --yes
  wait_for 20 ssh_to alice ws1 true && wait_for 20 ssh_to alice ws2 true || return 1
  note "alice is back in on both"
  until=$(($(date +%s) + 8))
  must chen@client$ prism member role alice --project genomics-lab --until "$(date -u -d @$until +%FT%TZ)" --wait
  must root@central# 'systemctl stop prism-central; systemctl is-active prism-central; true'
  saying inactive
  for host in ws1 ws2; do
    must alice@client$ "${ssh[@]}" "alice@$host" 'hostname; date -u +%T'
  done
  note "no central service, and she is still let in; her membership ends at $(date -u -d @$until +%T)"
  while [ "$(date +%s)" -lt $until ]; do
    sleep 0.02
  done
  for host in ws1 ws2; do
    began=$(now_ms)
    must_not "root@$host#" 'pamtester sshd alice acct_mgmt'
    saying "expired"
    note "(asked $((began - until * 1000)) ms after the end)"
    must_not alice@client$ "${ssh[@]}" "alice@$host" true
    saying "expired"
  done
}

lab_at_exit()
{
  local line
  [ ${#summary[@]} -gt 0 ] || return
  printf '\n%s== Summary%s\n' "$bold" "$plain"
  for line in "${summary[@]}"; do
    printf '   %s\n' "$line"
  done
  printf '   %s in all\n' "$(seconds $(($(now_ms) - demo_began)))"
}

step "Build the packages" build_packages
step "Start four machines" start_hosts
step "Install the packages" install_packages
step "Start the central service; its first person makes a project" first_administrator
step "Enrol both workstations" enrol_workstations
step "Invite a researcher" invite
step "She accepts" accept
step "Same person, same uid on both workstations" same_identity
step "She logs in by ssh on both; a file written on one is read on the other" log_in
step "The institution's login is connected" connect_institution
step "She logs in without a key: a code, her browser, her institution" institution_login
step "Her home belongs to her" home
step "su, cron and sudo" other_doors
step "Remove her: both workstations refuse" remove
step "The central service is stopped: her membership ends to the second all the same" offline_end
exit $((1 - all_ok))
