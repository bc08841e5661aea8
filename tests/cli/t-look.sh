#!/bin/bash
# SPDX-License-Identifier: MIT
# The words and the look of the guide's examples, against a real central service.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
cli_home
central_start || tap_bail "prism-central does not start"
RULE=━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━

run boss_login
[ "$status" = 0 ] && same "$out" <<END
✅ Logged In
$RULE
Server:   $CENTRAL_URL
Username: boss
Name:     The Boss
Until:    $(LC_ALL=C date -u -d '+12 hours' '+%-d %B %Y') (12 hours)
END
tap $? "S1 login, in the look of the guide"

run as boss prism project create ml-research --name "ML Research Lab" --budget 500
[ "$status" = 0 ] && has "$out" "✅ Project Created
$RULE
Project:      ml-research
Name:         ML Research Lab" && has "$out" "Budget:       500"
tap $? "S1.26 project create NAME --budget 500"
run as boss prism project create cents --budget 499.50
[ "$status" = 0 ] && has "$out" "Budget:       499.50"
tap $? "S1.26 a budget may have cents"

run as boss prism invitation send alice@uni.edu --project ml-research --role member --message "Welcome!"
token=$(sed -n 's/^prism invitation accept //p' <<<"$out")
[ "$status" = 0 ] && [[ $token =~ ^eyJ ]] && same "$(sed 's/^ID: .*/ID:      N/; s/ eyJ.*/ TOKEN/' <<<"$out")" <<END
✅ Invitation Sent
$RULE
Email:   alice@uni.edu
Project: ML Research Lab
Role:    Member
Expires: $(LC_ALL=C date -u -d '+7 days' '+%-d %B %Y') (7 days)
Message: Welcome!
ID:      N

Give them this command; its token works once and is not shown again:
prism invitation accept TOKEN
END
tap $? "S1.9 invitation send: seven days by default, the token begins as a JWT does"

run as alice prism invitation accept "$token" --yes
[ "$status" = 0 ] && same "$(sed '1,/^Expires:/d' <<<"$out" | sed '1d; s#10[0-9]*/10[0-9]*#N/N#')" <<END
✅ Invitation Accepted
$RULE
Project: ML Research Lab
Role:    Member
Status:  Active

🎉 Research User Provisioned
$RULE
Username: alice
UID/GID:  N/N
SSH Key:  ~/.prism/ssh_keys/id_ed25519
Home Dir: /efs/home/alice

You now have access to all project workspaces!
Try: prism workspace list
END
tap $? "S1.5 invitation accept: the guide's two blocks, line by line"
ids=$(sed -n 's/^UID.GID: *//p' <<<"$out")
[ "${ids%/*}" = "${ids#*/}" ] && [ "${ids%/*}" -ge 10001 ]; tap $? "S1.5 UID and GID are one number from 10001"
has "$out" "Server:  $CENTRAL_URL" && has "$out" "Project: ML Research Lab"
tap $? "D6 a service that is new is shown before anything is sent"

run as alice prism workspace list
[ "$status" = 0 ] && has "$out" "Workspaces
$RULE"
tap $? "S1.4 workspace list works right after accepting"

invite bob@uni.edu ml-research --role admin >/dev/null
declined=$(invite carol@uni.edu ml-research --role viewer)
as carol prism invitation decline "$declined" --yes --reason "No time" >/dev/null
invite dave@uni.edu ml-research >/dev/null
as boss prism invitation revoke dave@uni.edu --project ml-research >/dev/null
run as boss prism invitation sent --project ml-research
[ "$status" = 0 ] && has "$out" "Sent Invitations for \"ML Research Lab\"
$RULE" && grep -qx 'alice@uni.edu  *Member  Accepted  just now' <<<"$out" &&
	grep -qx 'bob@uni.edu  *Admin   Pending   7 days remaining' <<<"$out" &&
	grep -qx 'carol@uni.edu  *Viewer  Declined  Declined just now' <<<"$out" &&
	grep -qx 'dave@uni.edu  *Member  Revoked .*' <<<"$out"
tap $? "S1.21 invitation sent: address, role, state and relative time"
run as alice prism invitation list
[ "$status" = 0 ] && same "$out" <<END
My Invitations
$RULE
ML Research Lab  Member  Accepted  Joined just now
END
tap $? "S1.20 invitation list: project, role, state, Joined"

run as boss prism invitation sent --project ml-research --state pending --ids
[ "$status" = 0 ] && has "$out" bob@uni.edu && ! has "$out" alice@uni.edu && [[ $out =~ [0-9]{6,}$ ]]
tap $? "S1.21 filtered by state, with IDs"
run as boss prism invitation sent --project ml-research --state rejected
[ "$status" = 0 ] && has "$out" carol@uni.edu && ! has "$out" bob@uni.edu
tap $? "S2.12 rejected is another word for declined"
run as boss prism invitation sent --project ml-research --state lost
[ "$status" = 2 ]; tap $? "S1.20 an unknown state is refused"

run as alice env LC_ALL=C "$PRISM" invitation list
[ "$status" = 0 ] && [ -z "$(LC_ALL=C tr -d '\n -~' <<<"$out")" ] && has "$out" "----------------------------------------"
tap $? "S1 outside UTF-8 the output is plain ASCII"
as boss prism project create evil --name $'Bell\xe2\x80\xaeReversed' >/dev/null 2>&1
run as boss prism project list
! LC_ALL=C grep -q $'\xe2\x80\xae' <<<"$out" && has "$out" 'ML Research Lab'
tap $? "S1 no character that reorders a line reaches the terminal"

run as boss prism member list --project ml-research
[ "$status" = 0 ] && grep -qE '^alice +[0-9]+ +alice@uni.edu +Member +Active +Joined just now$' <<<"$out"
tap $? "S1.28 member list"
run as alice prism user status
[ "$status" = 0 ] && has "$out" "User Status
$RULE
Username: alice
UID/GID:  $ids
Status:   Active
Home Dir: /efs/home/alice"
tap $? "S1.23 user status shows UID and GID"
run as boss prism host token --project ml-research --name ws1
[ "$status" = 0 ] && has "$out" "Host:    ws1" && has "$out" "sudo prism-sync enroll --token eyJ"
tap $? "S1.4 host token prints the command to run there"
run as alice prism whoami
[ "$status" = 0 ] && has "$out" "Email:    alice@uni.edu" && has "$out" "UID/GID:  $ids"
tap $? "S1 whoami"
tap_end
