#!/bin/bash
# SPDX-License-Identifier: MIT
# --json of every command: one document, of the shape that prism(1) documents.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
cli_home
central_start || tap_bail "prism-central does not start"
# shape PERSON FILTER COMMAND...: the command succeeds and its document satisfies the jq filter.
shape() {
	local who=$1 filter=$2
	shift 2
	run as "$who" prism --json "$@"
	[ "$status" = 0 ] && [ -z "$err" ] && [ "$(jq -s length <<<"$out")" = 1 ] && [ "$(jq "$filter" <<<"$out")" = true ]
	tap $? "S1.29 --json $(sed "s/eyJ[^ ]*/TOKEN/" <<<"${*:1:3}")"
}
keys() { echo "(keys - [$1] == []) and ([$1] - keys == [])"; }

shape boss '.server and .user.username == "boss" and .expires_at and (.token | not)' login --server "$CENTRAL_URL" \
	--pin "$CENTRAL_PIN" --user boss --password-file "$T/boss.password"
shape boss '.slug == "lab" and .role == "owner" and .budget == 500' project create lab --budget 500
shape boss 'type == "array" and .[0].slug == "lab"' project list
shape boss '.slug == "lab"' project show lab
shape boss "$(keys '"invitation","token","url"')" invitation send alice@uni.edu --project lab
token=$(jq -r .token <<<"$out")
shape alice "$(keys '"invitation","project","research_user","ssh_key","provisioning_status","server"')" invitation accept "$token" --yes
! has "$out" pst_; tap $? "S1.27 no session token is printed"
shape boss '.invitation.state == "pending"' invitation send bob@uni.edu --project lab
shape boss 'has("token")' invitation send carol@uni.edu --project lab --role viewer
shape carol '.invitation.state == "declined"' invitation decline "$(jq -r .token <<<"$out")" --yes
shape boss "$(keys '"invitation","token","url"')" invitation resend carol@uni.edu --project lab
shape boss 'type == "object"' invitation revoke bob@uni.edu --project lab
shape boss 'length == 3 and (map(has("token")) | any | not)' invitation sent --project lab
shape alice 'length == 1 and .[0].state == "accepted"' invitation list
shape boss 'length == 2 and (map(.username) | index("alice") != null)' member list --project lab
shape boss '.member.role == "viewer" and (.revision | type) == "number"' member role alice viewer --project lab --until 2099-01-01
shape boss '.member.not_after == null' member role alice --project lab --until never
shape boss '.member.state == "suspended"' member suspend alice --project lab --reason leave
shape boss '.member.state == "active" and .hosts == []' member resume alice --project lab --wait
shape alice '.username == "alice" and .server' whoami
shape alice '.user.uid >= 10001 and (.workspaces | type) == "array"' user status
shape alice '.key.state == "active" and .made == false and .repaired == []' user provision
shape alice 'length == 1 and .[0].hosts == []' user ssh-key status
ssh-keygen -q -t ed25519 -N '' -f "$T/second"
shape alice '.fingerprint and .state == "active"' user ssh-key add "$T/second"
shape alice "$(keys '"key","old_fingerprint","grace","old_key","everywhere"')" user ssh-key rotate
shape boss "$(keys '"token","expires_at","command","host","id","name","project","url"') or .command" host token --project lab --name ws1
python3 tests/cli/fake_host.py "$T/host" "$CENTRAL_PLAIN" enrol "$(jq -r .token <<<"$out")" ws1 127.0.0.1 "$(cat "$T/second.pub")"
shape boss 'length == 1 and .[0].name == "ws1"' host list --project lab
shape alice 'length == 1 and .[0].can_login' workspace list
shape alice '.argv[0] == "ssh"' workspace connect ws1
shape boss 'type == "object"' host remove ws1 --project lab
shape boss '.member.state == "removed"' member remove alice --project lab
shape boss '.logged_out == true' logout
shape boss 'has("version")' version
tap_end
