#!/bin/bash
# SPDX-License-Identifier: MIT
# What is asked on the terminal, and that secrets are not shown there.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
cli_home
central_start || tap_bail "prism-central does not start"
boss_login >/dev/null
as boss prism project create lab --name "The Lab" >/dev/null
talk() { python3 tests/cli/pty_talk.py "$@"; }
NEW="Do you know this service and want to go on? [y/N]"

token=$(invite Alice.Smith@uni.edu lab --message "Hello there")
run as alice talk "$NEW" n -- "$PRISM" invitation accept "$token"
[ "$status" = 5 ] && has "$out" "Nothing was sent to $CENTRAL_URL" && has "$out" "$CENTRAL_URL" && has "$out" "The Lab"
tap $? "D6 a new service is shown and asked about; no means no"
[ ! -e "$T/people/alice/.prism/config.json" ]; tap $? "D6 and leaves nothing"
run as alice talk "$NEW" "" -- "$PRISM" invitation accept "$token"
[ "$status" = 5 ]; tap $? "D6 an empty answer is no"
run as alice talk "$NEW" y "Username [alice-smith]:" "" "Password (empty" secret-word-1 "The same again:" secret-word-2 -- \
	"$PRISM" invitation accept "$token"
[ "$status" = 2 ] && has "$out" "The two passwords differ" && ! has "$out" secret-word
tap $? "S1.5 passwords that differ are refused and never shown"
run as alice talk "Accept? [y/N]" y "Username [alice-smith]:" asmith "Password (empty" secret-word-17 "The same again:" secret-word-17 -- \
	"$PRISM" invitation accept "$token"
[ "$status" = 0 ] && has "$out" "Username: asmith" && ! has "$out" secret-word && has "$out" "Message:    Hello there"
tap $? "S1.5 on a known service the invitation is shown, then name and password are asked for"
run as again talk "Username (empty" asmith "Password (empty: by SSH key):" secret-word-17 -- \
	"$PRISM" login --server "$CENTRAL_URL" --pin "$CENTRAL_PIN"
[ "$status" = 0 ] && has "$out" "Logged In" && ! has "$out" secret-word; tap $? "S3.2 login asks for both, the password unseen"
run as again talk "Username [asmith]:" "" "Password (empty: by SSH key):" wrong-word-99 -- "$PRISM" login
[ "$status" = 1 ] && has "$out" "Wrong username or password"; tap $? "S3.2 the last username is suggested"
run as alice talk "Username [asmith]:" "" "Password (empty: by SSH key):" "" -- "$PRISM" login
[ "$status" = 0 ]; tap $? "S3.2 an empty password logs in by the key"
run as alice talk "Username" "" "Password (empty" "^C" -- bash -c 'trap : INT; stty -a >"$0.before"; "$1" login; s=$?; stty -a >"$0.after"; exit $s' "$T/stty" "$PRISM"
[ "$status" != 0 ] && cmp -s "$T/stty.before" "$T/stty.after" && has "$(cat "$T/stty.after")" " echo "
tap $? "S3.2 an interrupt puts the terminal back"

token=$(invite bob@uni.edu lab)
run as bob talk "$NEW" yes "Username [bob]:" "" "Password (empty" "" -- "$PRISM" invitation accept "$token"
[ "$status" = 0 ] && has "$out" "Username: bob"; tap $? "S1.5 no password is needed"
run as bob prism login --user bob
[ "$status" = 2 ] && has "$err" "there is no terminal"; tap $? "S3.2 without a terminal nothing is asked: exit 2"
has "$err" "prism login --device"; tap $? "I3.1 and the way without one is named"
run as boss prism login --server "$CENTRAL_URL" --pin "$CENTRAL_PIN" --user boss --password-file /dev/null
[ "$status" = 5 ] && has "$err" "/dev/null is empty"; tap $? "S3.2 a file without a password is called empty"
token=$(invite "root@uni.edu" lab)
run as root1 prism invitation accept "$token" --yes
[ "$status" = 2 ] && has "$err" "--username"; tap $? "D6 an address that suggests a reserved name needs --username"
run as root1 prism invitation accept "$token" --yes --username r-smith --name "R. Smith" --password-file - <<<"long-enough-password"
[ "$status" = 0 ] && has "$out" "Username: r-smith"; tap $? "S1.5 username, name and password from the command line"
run as root1 prism login --user r-smith --password-file - <<<"long-enough-password"
[ "$status" = 0 ] && has "$out" "R. Smith"; tap $? "S3.2 and they are good for a login"

# One's own password
login_with() { run as else prism login --server "$CENTRAL_URL" --pin "$CENTRAL_PIN" --user "$1" --password-file - <<<"$2"; }
run as alice talk "Old password" secret-word-17 "New password:" secret-word-18 "The same again:" secret-word-19 -- "$PRISM" user password
[ "$status" = 2 ] && has "$out" "The two passwords differ" && ! has "$out" secret-word
tap $? "S3.2 user password: new passwords that differ are refused and never shown"
run as alice talk "Old password" wrong-word-17 "New password:" secret-word-18 "The same again:" secret-word-18 -- "$PRISM" user password
[ "$status" = 1 ] && has "$out" "The old password is wrong" && ! has "$out" -word-; tap $? "S3.2 the old one has to be right"
run as alice talk "Old password" secret-word-17 "New password:" short "The same again:" short -- "$PRISM" user password
[ "$status" = 1 ] && has "$out" "10"; tap $? "S3.2 and the new one long enough"
run as alice talk "Old password" secret-word-17 "New password:" secret-word-18 "The same again:" secret-word-18 -- "$PRISM" user password
[ "$status" = 0 ] && has "$out" "Password Changed" && ! has "$out" secret-word; tap $? "S3.2 then it is changed, unseen"
run as again prism whoami
[ "$status" = 4 ]; tap $? "S3.2 the other session has ended"
run as alice prism whoami
[ "$status" = 0 ]; tap $? "S3.2 this one goes on"
login_with asmith secret-word-17
[ "$status" = 1 ]; tap $? "S3.2 the old password is good for nothing"
login_with asmith secret-word-18
[ "$status" = 0 ]; tap $? "S3.2 and the new one for a login"
run as alice prism user password --password-file - --new-password-file - --json <<<$'secret-word-18\nsecret-word-20'
[ "$status" = 0 ] && [ "$(jq -r .changed <<<"$out")" = true ] && ! has "$out$err" secret-word
tap $? "S3.2 both from one standard input"
echo "first-word-10" >"$T/new"
run as bob prism user password --new-password-file "$T/new"
[ "$status" = 2 ] && has "$err" "there is no terminal"; tap $? "S3.2 without a terminal the old one is not guessed: exit 2"
run as bob prism user password --password-file - --new-password-file "$T/new" <<<""
[ "$status" = 0 ]; tap $? "S3.2 an account without a password gets its first one"
login_with bob first-word-10
[ "$status" = 0 ]; tap $? "S3.2 which is good for a login"
run as bob prism user password --password-file "$T/none" --new-password-file "$T/new"
[ "$status" = 5 ] && has "$err" "$T/none"; tap $? "S3.2 a password file that is not there is named: exit 5"
! grep -q -e secret-word -e first-word "$T/central.log"; tap $? "S3.2 no password in the service's log"
tap_end
