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
run as again talk "Username:" asmith "Password (empty: by SSH key):" secret-word-17 -- \
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
token=$(invite "root@uni.edu" lab)
run as root1 prism invitation accept "$token" --yes
[ "$status" = 2 ] && has "$err" "--username"; tap $? "D6 an address that suggests a reserved name needs --username"
run as root1 prism invitation accept "$token" --yes --username r-smith --name "R. Smith" --password-file - <<<"long-enough-password"
[ "$status" = 0 ] && has "$out" "Username: r-smith"; tap $? "S1.5 username, name and password from the command line"
run as root1 prism login --user r-smith --password-file - <<<"long-enough-password"
[ "$status" = 0 ] && has "$out" "R. Smith"; tap $? "S3.2 and they are good for a login"
tap_end
