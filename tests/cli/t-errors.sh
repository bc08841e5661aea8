#!/bin/bash
# SPDX-License-Identifier: MIT
# Every error of the guide's troubleshooting: what it says, what to do next, and the exit status.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
cli_home
central_start || tap_bail "prism-central does not start"
boss_login >/dev/null
as boss prism project create ml-research >/dev/null
sql() { python3 -c 'import sqlite3, sys
d = sqlite3.connect(sys.argv[1], timeout=10)
d.execute(sys.argv[2])
d.commit()' "$T/central/prism.db" "$1"; }
# says STATUS MESSAGE HINT: both on standard error, in two lines, nothing on standard output.
says() {
	[ "$status" = "$1" ] && [ "$(wc -l <<<"$err")" = 2 ] && has "${err%%$'\n'*}" "prism: $2" &&
		has "${err#*$'\n'}" "$3"
}

run as eve prism invitation accept eyJhbGciOiJFZERTQSJ9.garbled --yes
says 1 "Invitation not found" "copied whole, without spaces or line breaks" && [ -z "$out" ]
tap $? "S1.23 a damaged token: not found, and what to check"
token=$(invite alice@uni.edu ml-research)
folded=$(fold -w 60 <<<"$token" | sed 's/^/   /')
run as alice prism invitation accept "$folded" --yes
[ "$status" = 0 ]; tap $? "S1.23 spaces and line breaks in a token are forgiven"
run as alice prism invitation accept "$token" --yes
says 1 "Invitation already accepted" "prism workspace list"
tap $? "S1.23 already accepted"
run as eve prism invitation accept "$token" --yes
says 1 "Invitation already accepted" "prism workspace list"
tap $? "S1.23 already accepted, by somebody else too"

token=$(invite late@uni.edu ml-research)
sql "UPDATE invitations SET created_at = created_at - 691200, sent_at = sent_at - 691200,
	expires_at = expires_at - 691200 WHERE email = 'late@uni.edu'"
run as late prism invitation accept "$token" --yes
says 1 "This invitation has expired" "Ask the person who invited you to send a new one"
tap $? "S1.23 expired"
[ ! -e "$T/people/late/.prism/ssh_keys" ]; tap $? "S1.23 an expired invitation makes no key"
run as boss prism invitation resend late@uni.edu --project ml-research --json
again=$(jq -r .token <<<"$out")
run as late prism invitation accept "$token" --yes
says 1 "Invitation not found" "ask the person who invited you"
tap $? "S2.13 after a resend the old token is unknown"
run as late prism invitation accept "$again" --yes
[ "$status" = 0 ]; tap $? "S2.13 and the new one works"

token=$(invite gone@uni.edu ml-research)
as boss prism invitation revoke gone@uni.edu --project ml-research >/dev/null
run as gone prism invitation accept "$token" --yes
says 1 "This invitation has been revoked" "Ask the person who invited you"
tap $? "S1.22 revoked"
token=$(invite no@uni.edu ml-research)
run as no prism invitation decline "$token" --yes --reason "Busy"
[ "$status" = 0 ] && has "$out" "Invitation Declined"; tap $? "S1.22 decline with a reason"
run as no prism invitation accept "$token" --yes
says 1 "You declined this invitation" "Ask the person who invited you to send a new one"
tap $? "S1.22 declined"

as boss prism project create second >/dev/null
token=$(invite alice@uni.edu second)
run as other prism invitation accept "$token" --yes
says 4 "The invited address has an account already" "prism login --server $CENTRAL_URL"
tap $? "D6 an address with an account asks for its login: exit 4"
run as late prism invitation accept "$token" --yes
says 1 "This invitation is for another address" "Log in as the person it was sent to"
tap $? "S1.23 another person's invitation"
run as alice prism invitation accept "$token" --yes
[ "$status" = 0 ]; tap $? "D6 and its owner, logged in, accepts with the same key"
run as boss prism invitation send alice@uni.edu --project second
says 1 "Already a member" "prism member list"; tap $? "S1.14 a member is not invited again"
invite twice@uni.edu second >/dev/null
run as boss prism invitation send twice@uni.edu --project second
says 1 "This address has a pending invitation" "prism invitation resend EMAIL"; tap $? "S1.29 one pending invitation an address"
run as boss prism invitation revoke 12345
says 1 "Invitation not found" "Check the ID: prism invitation sent --project PROJECT --ids"
tap $? "S1.29 an unknown ID is not called a token"
run as boss prism invitation send reserved@uni.edu --project second --role chief
says 1 "There is no role called chief: give owner, admin, member or viewer" "Correct it"; tap $? "S1.14 the roles that there are"
token=$(invite reserved@uni.edu second)
run as new prism invitation accept "$token" --username daemon --yes
says 2 "The username daemon is reserved" "Choose another one"; tap $? "S1.23 a reserved username is called so"
run as boss prism host remove ws1
says 1 "There is no host with the ID ws1" "add --project PROJECT"; tap $? "S1.9 a host's name needs its project"
run as new prism login --server "$CENTRAL_URL" --pin "$CENTRAL_PIN" --user new --key
says 5 "There is no SSH key on this machine" "Log in with a password"; tap $? "S1.9 login by a key that is not there"

run as alice prism invitation send x@uni.edu --project second
says 1 "You do not have permission" "Ask an owner or admin"; tap $? "S1.8 a member cannot invite"
run as alice prism user release-email late@uni.edu
says 1 "You do not have permission" "the administrator of Prism"; tap $? "D6 an address is released by a superadmin"
run as boss prism user release-email nobody@uni.edu
says 1 "User not found" ""; tap $? "D6 an address that nobody has"
run as boss prism user release-email late@uni.edu
[ "$status" = 0 ] && has "$out" "Username: late" && has "$out" "late@uni.edu"
tap $? "D6 user release-email sets an address free, and says whose it was"
token=$(invite late@uni.edu second)
run as real prism invitation accept "$token" --username late2 --yes
[ "$status" = 0 ]; tap $? "D6 and its owner accepts an invitation to it"
run as late prism whoami
[ "$status" = 0 ]; tap $? "D6 the account that had it stays logged in"
run as boss prism --json user release-email late@uni.edu
[ "$(jq -r '"\(.username) \(.email)"' <<<"$out")" = "late2 " ]; tap $? "D6 user release-email as JSON"
run as alice prism project create alices
says 1 "You may not do this in this organization" "Ask an owner of the organization"
tap $? "S1.26 who is in no organization makes no project: whom to ask"
! has "$err" "of the project"; tap $? "S1.26 and no project is spoken of"
run as boss prism invitation send x@uni.edu --project nowhere
says 1 "Project not found" "prism project list"; tap $? "S1.8 the project must exist"
run as boss prism invitation send not-an-address --project second
[ "$status" = 1 ]; tap $? "S1.14 an address that is none"
run as boss prism invitation send x@uni.edu --project second --expires soon
[ "$status" = 2 ] && has "$err" "is not a duration"; tap $? "S1.9 --expires takes a duration"
run as boss prism invitation revoke 123 --project second
says 1 "Invitation not found" "" ; tap $? "S1.22 revoking what is not there"
run as boss prism invitation revoke nobody@uni.edu --project second
[ "$status" = 1 ] && has "$err" "no open invitation"; tap $? "S1.22 revoking by an address that was not invited"
run as boss prism invitation revoke twice@uni.edu
[ "$status" = 2 ] && has "$err" "--project"; tap $? "S1.22 an address needs its project"
run as boss prism member remove boss --project second
says 1 "A project keeps at least one" "another member owner first"; tap $? "S1.11 the last owner stays"
run as boss prism member remove nobody --project second
says 1 "There is no such member" "prism member list"; tap $? "S3.5 no such member"
run as boss prism member role alice emperor --project second
[ "$status" = 1 ]; tap $? "S3.5 no such role"
run as boss prism member role alice --project second
[ "$status" = 2 ]; tap $? "S3.5 nothing to change"
run as boss prism member role alice --project second --until someday
[ "$status" = 2 ] && has "$err" "is not a time"; tap $? "S3.5 --until takes a time"
run as boss prism project show ..
[ "$status" = 2 ] && has "$err" "cannot be"; tap $? "S1.26 a name cannot step out of its path"
run as boss prism project show 'a/b?c#d'
[ "$status" = 1 ]; tap $? "S1.26 a name is one part of a path, whatever it holds"
run as boss prism host remove ws9 --project second
[ "$status" = 1 ] && has "$err" "no host ws9"; tap $? "S1.4 no such host"
run as alice prism workspace connect ws9
says 1 "Host not found" "prism"; tap $? "S1.4 no such workspace"

run as nobody prism workspace list
says 4 "No Prism service is known here yet" "prism login --server URL"; tap $? "S1.4 nobody is logged in: exit 4"
run as alice prism logout
[ "$status" = 0 ]
run as alice prism workspace list
says 4 "You are not logged in" "prism login"; tap $? "S1.4 after logout: exit 4"
echo wrong-password >"$T/wrong"
run as alice prism login --user alice --password-file "$T/wrong"
says 1 "Wrong username or password" ""; tap $? "S3.2 a wrong password: exit 1"
run as alice prism login --user alice --password-file "$T/missing"
[ "$status" = 5 ] && has "$err" "$T/missing"; tap $? "S3.2 a password file that is not there: exit 5"

run as boss prism --json project show nowhere
[ "$status" = 1 ] && [ -z "$err" ] && [ "$(jq -r .error.code <<<"$out")" = PROJECT_NOT_FOUND ] &&
	[ "$(jq -r .error.hint <<<"$out")" != null ]
tap $? "S1.29 with --json an error is JSON on standard output, with the same exit status"
run as nobody prism --json workspace list
[ "$status" = 4 ] && [ "$(jq -r .error.code <<<"$out")" = NOT_LOGGED_IN ]
tap $? "S1.29 so is a local one"

central_stop
run as boss prism project list
says 3 "The connection was refused by 127.0.0.1" "that the service runs"
tap $? "S1.23 the service is down: exit 3, and what to check"
tap_end
