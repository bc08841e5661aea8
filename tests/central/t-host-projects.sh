#!/bin/bash
# SPDX-License-Identifier: MIT
# A host that serves two projects: the real service, the real command line, the real agent, and what
# PAM, sshd's keys command and NSS make of it.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
[ "$(id -u)" = 0 ] || tap_skip_all "the agent needs root"
out= err= status=
cli_home
. tests/central/host.sh
central_start || tap_bail "prism-central does not start"
boss_login >/dev/null
host_prepare
nss_build || tap_bail "the NSS module does not compile"

for p in lab bio; do as boss prism project create $p >/dev/null; done
join() { as "$1" prism invitation accept "$(invite "$1@uni.edu" "$2")" --yes >/dev/null; } # PERSON PROJECT
join ann lab && join ben bio && join mia lab && join mia bio
tap $? "S1.3 people join: ann in lab, ben in bio, mia in both"

host_enrol lab && agent_start
tap $? "DESIGN 2 a workstation is enrolled into lab, and its agent runs"
until_true 10 look_is ann "allow lab"; tap $? "DESIGN 2 who is in lab gets in"
look_is ben unknown && ! lets_in ben; tap $? "DESIGN 2 who is in bio does not: the host does not know them"
look_is mia "allow lab" && until_true 5 groups_are mia "p-lab p-lab-ro prism-users"
tap $? "DESIGN 2 who is in both has the grant and the groups of lab"

# The agent's poll waits at the service: it must not take until the next one.
begin=$(date +%s%N)
run as boss prism host add ws1 --project bio
[ "$status" = 0 ] && until_true 5 look_is ben "allow bio"; tap $? "DESIGN 2 host add: who is in bio alone gets in"
echo "# let in $((($(date +%s%N) - begin) / 1000000)) ms after prism host add began"
until_true 5 lets_in ben && lets_in ann && lets_in mia; tap $? "DESIGN 2 and sshd gets the keys of all three"
look_is mia "allow lab bio" || look_is mia "allow bio lab"; tap $? "DESIGN 2 who is in both has two grants"
until_true 5 groups_are mia "p-bio p-bio-ro p-lab p-lab-ro prism-users"; tap $? "DESIGN 2 and the groups of both"
groups_are ben "p-bio p-bio-ro prism-users"; tap $? "DESIGN 2 who is in one has those of one"
applied() { [ "$(as boss prism host list --project "$1" --json | jq ".[] | select(.name == \"ws1\").applied.$1 // 0")" -gt 0 ]; }
until_true 5 applied bio && applied lab; tap $? "DESIGN 2 the host reports both as applied"

# Removing mia from one leaves the other.
as boss prism member remove mia --project lab >/dev/null
until_true 5 look_is mia "allow bio"; tap $? "S3.5 who leaves one of two still gets in by the other"
until_true 5 groups_are mia "p-bio p-bio-ro prism-users"; tap $? "S3.5 without the groups of the one"

uid=$(as boss prism member list --project bio --json | jq '.[] | select(.username == "ben").uid')
setpriv --reuid="$uid" --regid="$uid" --clear-groups sleep 300 2>/dev/null &
session=$!
cli_pids+=("$session")
agent_stop && agent_start && agent sync >/dev/null && until_true 5 look_is ben "allow bio" && look_is ann "allow lab"
tap $? "D6 a restart of the agent keeps both, from its own disk"
kill -0 "$session"; tap $? "D6 and no session of theirs"

begin=$(date +%s%N)
run as boss prism host drop ws1 --project bio
[ "$status" = 0 ] && until_true 5 look_is ben unknown; tap $? "DESIGN 2 host drop: who is in bio alone is refused"
echo "# refused $((($(date +%s%N) - begin) / 1000000)) ms after prism host drop began"
until_true 5 groups_are ben "" && ! lets_in ben; tap $? "DESIGN 2 no key of theirs is given to sshd, no group is left"
until_true 10 gone "$session"; tap $? "DESIGN 2 and what ran as them has ended"
look_is ann "allow lab" && lets_in ann; tap $? "DESIGN 2 who is in lab stays"
look_is mia deny; tap $? "DESIGN 2 who has left lab is refused with the reason of lab"
run as boss prism host drop ws1 --project lab
[ "$status" = 1 ] && has "$err" "prism host remove"; tap $? "DESIGN 2 the last project is not dropped"
run as boss prism host add ws1 --project bio
until_true 5 look_is ben "allow bio"; tap $? "DESIGN 2 added again, it is served again"
agent_stop
tap $? "D6 the agent ends in order"
tap_end
