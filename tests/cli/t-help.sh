#!/bin/bash
# SPDX-License-Identifier: MIT
# The help of every command, the manual and the table of commands agree; mistakes end with usage.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
cli_home

synopses=$(mandoc -Tascii -O width=1000 man/prism.1 | sed 's/.\x08//g' | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' |
	sed -n 's/^ *\(prism .*\)$/\1/p' | sed 's/[[:space:]]*$//')
commands=$("$PRISM" help | sed -n 's/^  prism \(.\{24\}\) .*/\1/p' | sed 's/ *$//')

[ "$(wc -l <<<"$commands")" -ge 30 ]; tap $? "S25 help lists the commands"
while read -r command; do
	# shellcheck disable=SC2086 # the words of the command
	usage=$("$PRISM" $command --help | sed -n '1s/^usage: //p')
	[ -n "$usage" ] && grep -qxF -- "$usage" <<<"$synopses"
	tap $? "S25 prism $command --help agrees with the manual"
done <<<"$commands"
[ "$(wc -l <<<"$commands")" = "$(wc -l <<<"$synopses")" ]
tap $? "S25 the manual has no command that is not there"
mandoc -Tlint -W warning man/prism.1 >"$T/lint" 2>&1; tap $? "S25 mandoc finds nothing in prism(1)"

run prism invitation send a@uni.edu --project p --colour red
[ "$status" = 2 ] && has "$err" "There is no option --colour" && has "$err" "usage: prism invitation send EMAIL"
tap $? "S1.9 an unknown option ends with 2 and the usage of that command"
run prism invitation send a@uni.edu
[ "$status" = 2 ] && has "$err" "--project PROJECT is needed"
tap $? "S1.9 a missing option is named"
run prism invitation send --project p
[ "$status" = 2 ] && has "$err" "missing: EMAIL"
tap $? "S1.9 a missing argument is named"
run prism invitation send a@uni.edu b@uni.edu --project p
[ "$status" = 2 ] && has "$err" "one word too many: b@uni.edu"
tap $? "S1.9 an argument too many is named"
run prism project show x --json=yes
[ "$status" = 2 ] && has "$err" "--json takes no value"
tap $? "S25 a flag takes no value"
run prism invitation sent --project
[ "$status" = 2 ] && has "$err" "--project needs a value"
tap $? "S25 an option that needs a value says so"
run prism invitation sent --project a --project b
[ "$status" = 2 ] && has "$err" "given twice"
tap $? "S25 an option given twice is refused"
run prism frobnicate
[ "$status" = 2 ] && has "$err" 'There is no command "frobnicate"'
tap $? "S25 an unknown command ends with 2"
[ "$(wc -l <<<"$err")" = 2 ] && has "$err" "prism help"
tap $? "S25 and does not scroll away: the list is one command further"
run prism sso domain
[ "$status" = 2 ] && has "$err" "sso domain is said with another word" && has "$err" "sso domain add" && ! has "$err" "sso list"
tap $? "S25 the beginning of commands lists those"
run prism sso domain --help
[ "$status" = 0 ] && has "$out" "sso domain verify" && ! has "$out" "sso list"; tap $? "S25 and so does its --help"
run prism sso domain frobnicate
[ "$status" = 2 ] && has "$err" 'There is no command "sso domain frobnicate"'; tap $? "S25 what is unknown behind it is named"
run prism --version
[ "$status" = 0 ] && has "$out" "prism "
tap $? "S25 --version is version"
run prism invitation
[ "$status" = 2 ] && has "$err" "prism invitation accept" && ! has "$err" "prism member"
tap $? "S25 a noun alone lists its commands"
run prism
[ "$status" = 2 ] && has "$err" "usage: prism COMMAND"
tap $? "S25 no command ends with 2 and the list"
run prism --help
[ "$status" = 0 ] && has "$out" "prism workspace connect"
tap $? "S25 --help lists the commands"
run prism --json version
[ "$status" = 0 ] && [ "$(jq -r .version <<<"$out")" != null ]
tap $? "S25 common options may stand before the command"
run prism version
[ "$status" = 0 ] && [[ $out =~ ^prism\ [0-9] ]]
tap $? "S25 version"
tap_end
