#!/bin/bash
# SPDX-License-Identifier: MIT
# SSO at the door, on real hosts: ssh without a key, approved in a real browser through the institution's own
# OpenID provider; denied, expired, by the wrong person, too often; and keys that need a recent login.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
# shellcheck source=tests/lab/world.sh
. "$(dirname "$0")/world.sh"
# shellcheck source=tests/lab/tap.sh
. "$(dirname "$0")/tap.sh"

PROJECT=genomics-lab
LOGINS=${LOGINS:-12}
MEDIAN_MS=1000

# ssh without a key, on a terminal.
ssh_without_key() # NAME PERSON HOST [OPTION...] COMMAND
{
  local name=$1 person=$2 host=$3
  shift 3
  terminal_start "$name" "$person" ssh -tt -o PubkeyAuthentication=no -o StrictHostKeyChecking=accept-new \
    -o NumberOfPasswordPrompts=1 "$person@$host" "$@"
}
# The address with the code that a terminal shows; the code alone.
shown_url() { terminal_screen "$1" | grep -oE "$WORLD_URL/device\?user_code=[A-Z-]+" | tail -n 1; }
shown_code() { shown_url "$1" | sed 's/.*=//' | tee -a "$LAB_LOG/secrets"; }
# NAME: until it asks for Enter
asked() { terminal_wait "$1" 15 'press Enter here: $|Press Enter here: $' && [ -n "$(shown_code "$1")" ]; }
approve() { browser "$1" open "$2" -- click 'button[value=approve]' -- wait-text "The login is approved"; } # BROWSER URL
deny() { browser "$1" open "$2" -- click 'button[value=deny]' -- wait-text "The login is denied"; }
refused_with() { # NAME STATUS PATTERN: the terminal's command has ended like this
  local status
  status=$(terminal_end "$1" 15)
  [ "$status" = "$2" ] && terminal_shows "$1" "$3" && return
  echo "status $status"
  terminal_screen "$1" | tail -n 12
  return 1
}
key_login() { ssh_to "$1" "$2" true; }
key_of() { as "$1" ssh-keygen -lf ".prism/ssh_keys/id_ed25519.pub" | cut -d' ' -f2; } # PERSON
key_refused_with() # PERSON HOST PATTERN
{
  local out
  # What PAM says is shown with the usual log level only.
  out=$(as "$1" ssh -i "/home/$1/.prism/ssh_keys/id_ed25519" -o BatchMode=yes "$1@$2" true 2>&1) &&
    { echo "was let in"; return 1; }
  grep -qE -- "$3" <<<"$out" || { echo "$out"; return 1; }
}
account() { host_run "$1" timeout 10 pamtester "$3" "$2" acct_mgmt; }
database() { sqlite3 -cmd '.timeout 5000' "$(host_root central)/var/lib/prism-central/prism.db" "$1"; }

setup()
{
  check "D2 the service starts" world_central
  check "D2 it is healthy" wait_for 10 world_healthy
  world_op
  check "I3.2 a real OpenID provider beside it" [ -n "${OP_ADMIN:-}" ]
  world_person chen
  world_login chen || lab_die "chen cannot log in"
  as chen prism project create $PROJECT --name "Genomics Lab" --budget 2000 >/dev/null || lab_die "no project"
  check "I3.2 chen connects the institution's provider and proves its domain" world_sso
  check "D6 both workstations enrol" world_enrol $PROJECT
  world_person alice
  world_person mallory
  check "S1.5 alice is invited and accepts" world_join alice $PROJECT
  check "S1.5 so does mallory, with a password" world_join mallory $PROJECT member --password-file password
  check "S1.5 both know her" eval 'wait_for 10 knows ws1 alice && wait_for 10 knows ws2 alice'
  world_browser alice || lab_die "the browser does not start"
}

# ---- without a key -------------------------------------------------------------------------------

first_login()
{
  ssh_without_key a alice ws1 'echo shell-of-$(id -un); read -r line; echo "heard $line"'
  check "I3.3 ssh without a key shows an address and a code, and asks for Enter" asked a
  check "I3.3 with a QR code of half blocks" terminal_shows a '▀|▄|█'
  check "I3.3 it names the workstation and the person" terminal_shows a 'ws1.*alice'
  browser alice open "$(shown_url a)" -- set '#login' alice@example.edu -- click 'form[action="/login"] button' \
    -- wait-url "^$WORLD_ISSUER/" >/dev/null
  check "I3.2 the browser is led to the institution's login" browser alice wait '[name=password]'
  campus_login alice alice
  check "S3.17 her account was made before: she is shown her key, and who had invited her" browser alice \
    wait-text "Is all of this yours?" -- wait-text "$(key_of alice)" -- wait-text chen
  check "S3.17 it is all hers" campus_keep alice
  check "I3.1 and back to the question, which names host, user and origin" browser alice wait-text "Approve this login?" \
    -- wait-text ws1 -- wait-text alice -- wait-text $LAB_NET.50
  check "I3.1 it shows the code of the terminal" browser alice wait-text "$(shown_code a)"
  check "I3.1 she approves" browser alice click 'button[value=approve]' -- wait-text "The login is approved"
  check "I3.3 nothing was refused by the content security policy" eval '[ -z "$(browser alice errors)" ]'
  terminal_type a
  check "I3.3 Enter, and the shell is there" terminal_wait a 10 'shell-of-alice'
  terminal_type a hello
  check "I3.3 it is a terminal like any other" eval '[ "$(terminal_end a 10)" = 0 ] && terminal_shows a "heard hello"'
  is "$(database "SELECT count(*) FROM sso_identities JOIN users ON users.id = user_id WHERE username = 'alice'")" 1 \
    "I3.2 her login was linked to the account of the address that the institution has verified"
}

early_enter()
{
  ssh_without_key b alice ws1 'echo shell-of-$(id -un)'
  asked b
  terminal_type b
  sleep 0.5
  refuses "I3.3 Enter alone lets nobody in" terminal_shows b shell-of
  check "I3.1 approved after Enter" approve alice "$(shown_url b)"
  check "I3.3 early Enter: the shell comes with the approval" terminal_wait b 5 'shell-of-alice'
  terminal_end b 5 >/dev/null
}

denied()
{
  ssh_without_key c alice ws1 true
  asked c
  check "I3.1 she denies" deny alice "$(shown_url c)"
  terminal_type c
  check "I3.3 a denied login is told, and lets nobody in" refused_with c 255 '[Dd]enied|refused'
}

wrong_person()
{
  local url
  world_browser mallory
  check "I3.1 mallory, a member too, has a browser of his own" browser mallory open "$WORLD_URL/"
  ssh_without_key d alice ws1 'echo shell-of-$(id -un)'
  asked d
  url=$(shown_url d)
  browser mallory open "$url" -- type '#login' alice@example.edu -- click 'form[action="/login"] button' \
    -- wait-url "^$WORLD_ISSUER/" >/dev/null
  campus_login mallory mallory
  check "I3.2 at the institution he claims alice's address, unverified: that makes him nobody here" \
    eval 'browser mallory wait-url "^$WORLD_URL/" && browser mallory open "$WORLD_URL/" -- wait "a[href^=\"/login\"]"'
  browser mallory open "$url" -- type '#login' mallory -- click 'form[action="/login"] button' \
    -- type '[type=password]' "$WORLD_PASSWORD" -- click 'form[action="/login"] button' >/dev/null
  check "I3.1 logged in as himself, he is told that it is somebody else's login" \
    browser mallory wait-text "This login is for somebody else"
  refuses "I3.1 and there is nothing to approve" browser mallory has 'button[value=approve]'
  terminal_type d
  sleep 1
  refuses "I3.3 nobody was let in" terminal_shows d shell-of
  is "$(database "SELECT count(*) > 0 FROM audit WHERE action = 'device.wrong-person' AND actor = 'user:mallory'")" 1 \
    "I3.1 it stands in the audit"
  browser_stop mallory
  approve alice "$url" >/dev/null
  check "I3.1 alice herself may approve it still" terminal_wait d 5 shell-of-alice
  terminal_end d 5 >/dev/null
}

expired()
{
  local url
  host_sh ws1 'sed -i.before "s/pam_prism.so.*/pam_prism.so login_timeout=5/" /etc/pam.d/common-auth'
  ssh_without_key e alice ws1 'echo shell-of-$(id -un)'
  asked e
  url=$(shown_url e)
  database "UPDATE device_codes SET expires_at = CAST(strftime('%s') AS INTEGER) WHERE state = 'pending'"
  browser alice open "$url" >/dev/null
  check "I3.1 a code whose time is over cannot be approved" browser alice wait-text "This code is not known"
  terminal_type e
  check "I3.3 and the terminal does not wait for ever" refused_with e 255 'Nobody approved this login'
  refuses "I3.3 nobody was let in" terminal_shows e shell-of
  host_sh ws1 'mv /etc/pam.d/common-auth.before /etc/pam.d/common-auth'
}

too_eager()
{
  local device answer
  device=$(host_run client curl -sk "$WORLD_URL/oauth2/device_authorization" -d client_id=prism-cli | world_field device_code)
  echo "$device" >>"$LAB_LOG/secrets"
  for answer in authorization_pending slow_down; do
    is "$(host_run client curl -sk "$WORLD_URL/oauth2/token" -d client_id=prism-cli -d "device_code=$device" \
      -d grant_type=urn:ietf:params:oauth:grant-type:device_code | world_field error)" $answer "I3.1 asked too soon: $answer"
  done
}

# ---- the other kind of provider ------------------------------------------------------------------

# The browser named is led from our login form to the hospital's, and back.
clinic_login() # PERSON
{
  browser "$1" set '#login' "$1@clinic.example.org" -- click 'form[action="/login"] button' \
    -- wait-url "^$SAML_URL/" -- wait '[name=password]' >/dev/null && campus_login "$1" "$1"
}

saml_login()
{
  local token
  world_saml_op
  check "I3.2 a hospital's SAML provider is connected, by the metadata of the packaged prism-saml" world_saml
  world_person bob
  world_browser bob
  token=$(as chen prism invitation send bob@clinic.example.org --project $PROJECT --json | world_field token)
  echo "$token" >>"$LAB_LOG/secrets"
  terminal_start p bob prism login --server "$WORLD_URL" --pin "$(world_pin)" --device
  check "I3.2 prism login shows an address" terminal_wait p 10 user_code=
  browser bob open "$(shown_url p)" >/dev/null
  check "I3.2 bob, who has no account, logs in at the hospital" clinic_login bob
  check "I3.2 and is known: the service's sandbox lets prism-saml work" browser bob wait 'button[value=approve]'
  check "I3.1 he approves" browser bob click 'button[value=approve]' -- wait-text "The login is approved"
  is "$(terminal_end p 15)" 0 "I3.1 and his command line is logged in"
  check "S1.5 he accepts the invitation with it" as bob prism invitation accept "$token" --yes
  check "S1.5 the workstation knows him" wait_for 10 knows ws1 bob
  browser bob forget
  ssh_without_key q bob ws1 'echo shell-of-$(id -un)'
  check "I3.3 ssh without a key shows him a code" asked q
  browser bob open "$(shown_url q)" >/dev/null
  check "I3.2 he logs in at the hospital again" clinic_login bob
  check "I3.1 sees which login it is" browser bob wait-text "Approve this login?" -- wait-text ws1 -- wait-text bob
  check "I3.1 approves it" browser bob click 'button[value=approve]' -- wait-text "The login is approved"
  terminal_type q
  check "I3.3 and the shell is there" terminal_wait q 10 'shell-of-bob'
  terminal_end q 5 >/dev/null
  check "I3.3 nothing was refused by the content security policy" eval '[ -z "$(browser bob errors)" ]'
  is "$(database "SELECT count(*) FROM sso_identities WHERE subject = 'saml-bob' AND last_login_at > 0")" 1 \
    "I3.2 known by what the hospital calls him"
  refuses "I3.2 the unit's hardening was in nobody's way" \
    eval 'host_run central journalctl --no-pager -u prism-central | grep -E "saml_helper|SIGSYS"'
  browser_stop bob
}

# ---- how long it takes ---------------------------------------------------------------------------

speed()
{
  local times median
  on_client alice ssh -tt -o PubkeyAuthentication=no -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR \
    alice@ws1 'echo READY'
  times=$("${BROWSER_RUN[@]}" python3 "$LAB_SOURCE/tests/lab/sso_logins.py" "$T/browser-alice" "$LOGINS" "${on_client[@]}")
  is "$(grep -c . <<<"$times")" "$LOGINS" "I3.3 $LOGINS logins one after the other"
  median=$(sort -n <<<"$times" | awk '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)] }')
  echo "# from the later of approval and Enter to the shell, ms: $(paste -sd' ' <<<"$times"); median $median"
  check "I3 the shell is there in under $MEDIAN_MS ms (median ${median:-none})" [ "${median:-9999}" -lt $MEDIAN_MS ]
}

# ---- a key and a login ---------------------------------------------------------------------------

key_and_login()
{
  local key="-o PubkeyAuthentication=yes -o IdentitiesOnly=yes"
  host_sh ws2 'printf "Match Group prism-users\n\tAuthenticationMethods publickey,keyboard-interactive\n" >>/etc/ssh/sshd_config
    systemctl restart ssh'
  wait_for 5 host_run ws2 sh -c 'sshd -t && : </dev/tcp/127.0.0.1/22' 2>/dev/null
  refuses "I3.3 publickey,keyboard-interactive: a key alone is not enough" key_login alice ws2
  ssh_without_key f alice ws2 true
  check "I3.3 nor is a login without a key, which is not even asked" refused_with f 255 ''
  refuses "I3.3 no code was shown" terminal_shows f user_code
  # shellcheck disable=SC2086 # options
  terminal_start g alice ssh -tt $key -i .prism/ssh_keys/id_ed25519 -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR \
    alice@ws2 'echo shell-of-$(id -un)'
  check "I3.3 with the key the code is shown" asked g
  approve alice "$(shown_url g)" >/dev/null
  terminal_type g
  check "I3.3 and both together open the shell" terminal_wait g 10 shell-of-alice
  terminal_end g 5 >/dev/null
  host_sh ws2 'sed -i "/^Match Group prism-users/,\$d" /etc/ssh/sshd_config; systemctl restart ssh'
}

service_down()
{
  local began
  host_run central systemctl stop prism-central
  began=$(now_ms)
  ssh_without_key h alice ws1 true
  check "I3.3 the service is down: a sentence, and no waiting" refused_with h 255 'cannot be reached|not be reached|unreachable'
  began=$(($(now_ms) - began))
  check "I3.3 within 5 s ($began ms)" [ $began -lt 5000 ]
  check "D6 her key opens the shell as before" wait_for 5 key_login alice ws1
  host_run central systemctl start prism-central
  wait_for 10 world_healthy
}

# ---- how old a login may be ----------------------------------------------------------------------

# As if alice had logged in that long ago.
login_was()
{
  database "UPDATE sso_identities SET auth_at = CAST(strftime('%s') AS INTEGER) - $1 WHERE subject = 'sub-alice';
    UPDATE browser_sessions SET auth_at = CAST(strftime('%s') AS INTEGER) - $1 WHERE identity_id > 0"
}
max_age() { as chen prism project edit $PROJECT --sso-max-age "$1" >/dev/null; }
renew() # by prism login, in the browser
{
  local url
  terminal_start r alice prism login --server "$WORLD_URL" --device
  terminal_wait r 10 user_code= || return 1
  url=$(shown_url r)
  shown_code r >/dev/null
  browser alice forget -- open "$url" -- type '#login' alice@example.edu -- click 'form[action="/login"] button' \
    -- wait-url "^$WORLD_ISSUER/" || return 1
  campus_login alice alice && browser alice click 'button[value=approve]' -- wait-text "The login is approved" &&
    [ "$(terminal_end r 15)" = 0 ]
}

freshness()
{
  local renewed
  login_was 7200
  check "I3.4 the project asks for a login of the last hour" max_age 1h
  check "I3.4 her key alone is refused, and told how to renew" \
    wait_for 10 key_refused_with alice ws1 'prism login'
  check "I3.4 on both workstations" wait_for 5 key_refused_with alice ws2 'prism login'
  check "I3.4 not su, not cron, not sudo" eval 'host_run ws1 su alice -c true && account ws1 alice cron && account ws1 alice sudo'
  ssh_without_key i alice ws1 'echo shell-of-$(id -un)'
  asked i
  browser alice open "$(shown_url i)" -- wait-url "^$WORLD_ISSUER/" >/dev/null
  check "I3.4 to approve, she must log in at the institution anew" browser alice has '[name=password]'
  campus_login alice alice
  browser alice click 'button[value=approve]' >/dev/null
  terminal_type i
  check "I3.4 such a login needs no other" terminal_wait i 10 shell-of-alice
  terminal_end i 5 >/dev/null
  check "I3.4 and her key is good again" wait_for 10 key_login alice ws2
  max_age none
  login_was 7200
  max_age 1h
  check "I3.4 too old again" wait_for 10 key_refused_with alice ws1 'prism login'
  check "I3.4 prism login renews it" renew
  renewed=$(date +%s)
  check "I3.4 her key opens both" wait_for 10 eval 'key_login alice ws1 && key_login alice ws2'
  check "I3.4 the project asks for one of the last minute" max_age 1m
  wait_for 10 key_login alice ws1
  host_run central systemctl stop prism-central
  check "I3.4 without the service her key is still good" key_login alice ws1
  while [ "$(date +%s)" -le $((renewed + 61)) ]; do sleep 0.2; done
  check "I3.4 until the minute is over: the host refuses by itself" key_refused_with alice ws1 'prism login'
  host_run central systemctl start prism-central
  wait_for 10 world_healthy
  host_run ws1 systemctl restart prism-sync # which would try again within half a minute
}

# The institution ends her session: it tells the service, and that tells the hosts.
logout_at_institution()
{
  check "I3.4 the project asks for a login of the last day" max_age 24h
  check "I3.4 which hers is, once the host has heard of it" wait_for 90 key_login alice ws1
  check "I3.4 her session at the institution ends, and it tells the service so" \
    eval 'idp_admin "$OP_ADMIN" POST /logout/alice | tee -a /dev/stderr | grep -q "\"status\":200"'
  check "I3.4 her key is refused at once" wait_for 5 key_refused_with alice ws1 'prism login'
  refuses "I3.4 her browser is logged out here as well" eval \
    'browser alice open "$WORLD_URL/" && browser alice has "form[action=\"/logout\"]"'
  refuses "I3.4 and her command line" as alice prism whoami
  max_age none
  check "I3.4 without a limit keys are enough" wait_for 10 key_login alice ws1
}

lab_packages
lab_rootfs
world_boot || lab_die "the hosts did not come up"
world_campus || lab_die "the institution's network cannot be made"
check "S1.1 packages install" world_install

setup
first_login
early_enter
denied
wrong_person
expired
too_eager
saml_login
speed
key_and_login
service_down
freshness
logout_at_institution
plan
