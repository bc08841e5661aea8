#!/bin/bash
# SPDX-License-Identifier: MIT
# Workstations: enrolling, listing, waiting for them, connecting to them.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
cli_home
central_start || tap_bail "prism-central does not start"
boss_login >/dev/null
as boss prism project create lab --name "The Lab" >/dev/null
as alice prism invitation accept "$(invite alice@uni.edu lab)" --yes >/dev/null
host() { # NAME COMMAND...
	local name=$1
	shift
	python3 tests/cli/fake_host.py "$T/host-$name" "$CENTRAL_PLAIN" "$@"
}
revision() { # of the project now
	curl -fsS -H "Authorization: Bearer $(jq -r '.servers[].token' "$T/people/boss/.prism/credentials.json")" \
		"$CENTRAL_PLAIN/api/v1/projects/lab/revision" | jq .revision
}

for key in one two; do ssh-keygen -q -t ed25519 -N '' -C '' -f "$T/$key"; done
token=$(as boss prism host token --project lab --name ws1 --json | jq -r .token)
run host ws1 enrol "$token" ws1 127.0.0.1 "$(cat "$T/one.pub")"
[ "$status" = 0 ]; tap $? "S1.4 the token of host token enrols a workstation"
run host again enrol "$token" ws1 127.0.0.1 "$(cat "$T/one.pub")"
[ "$status" != 0 ]; tap $? "S1.4 once"
host ws2 enrol "$(as boss prism host token --project lab --json | jq -r .token)" ws2 127.0.0.1 "$(cat "$T/two.pub")"
run as boss prism host list --project lab
[ "$status" = 0 ] && grep -qE '^ws1 +127.0.0.1 +Enrolled +just now +revision [0-9]+ +[0-9a-f]+$' <<<"$out" && has "$out" ws2
tap $? "S1.4 host list: name, address, state, last seen, revision, ID"

# A workstation for two projects
as boss prism project create bio >/dev/null
run as boss prism host drop ws2 --project lab
[ "$status" = 1 ] && has "$err" "ws2 serves no other project" && has "$err" "prism host remove"
tap $? "DESIGN 2 host drop: the last project stays, and what to run instead"
run as boss prism host add ws2 --project bio
[ "$status" = 0 ] && has "$out" "Host Added" && grep -qE '^Project: +bio$' <<<"$out" && grep -qE 'revision [0-9]+' <<<"$out"
tap $? "DESIGN 2 host add: an enrolled workstation serves a second project"
[ "$(as boss prism host list --project bio --json | jq -r '.[].name')" = ws2 ]; tap $? "DESIGN 2 and is in its list"
run as alice prism host add ws1 --project lab
[ "$status" = 1 ] && has "$err" "do not have permission"; tap $? "DESIGN 2 host add: a member may not"
run as boss prism host add ws9 --project bio
[ "$status" = 1 ] && has "$err" "Host not found"; tap $? "DESIGN 2 host add: no such workstation"
run as boss prism host add ws1
[ "$status" = 2 ] && has "$err" "--project PROJECT is needed"; tap $? "DESIGN 2 host add names the project"
run as boss prism host drop ws2 --project bio
[ "$status" = 0 ] && has "$out" "Host Dropped" && [ "$(as boss prism host list --project bio --json)" = "[]" ]
tap $? "DESIGN 2 host drop takes it away again"
run as boss prism --json host add "$(as boss prism host list --project lab --json | jq -r '.[] | select(.name == "ws2").id')" --project bio
[ "$status" = 0 ] && [ "$(jq -r '.name + " " + .project' <<<"$out")" = "ws2 bio" ] && [ "$(jq .revision <<<"$out")" -gt 0 ]
tap $? "DESIGN 2 host add by ID, as JSON"
run as boss prism --json host drop ws2 --project bio
[ "$status" = 0 ] && [ "$(jq -r '"\(.host) \(.project) \(.dropped)"' <<<"$out")" = "ws2 bio true" ]
tap $? "DESIGN 2 host drop as JSON"
run as boss prism --json host drop ws2 --project bio
[ "$status" = 1 ] && [ "$(jq -r .error.code <<<"$out")" = HOST_NOT_FOUND ]; tap $? "DESIGN 2 host drop: what it does not serve"

run as alice prism workspace list
[ "$status" = 0 ] && grep -qE '^ws1 +lab +127.0.0.1 +Ready +Seen just now$' <<<"$out" && has "$out" "prism workspace connect NAME"
tap $? "S1.4 workspace list"
run as alice prism workspace list --project lab --json
[ "$(jq -r '[.[].name] | join(" ")' <<<"$out")" = "ws1 ws2" ]; tap $? "S1.4 of one project, as JSON"

# Waiting
run as alice prism user ssh-key status
has "$out" "Not yet"; tap $? "S1.23 ssh-key status: a workstation that has not applied the key"
now=$(revision)
host ws1 report "$now"; host ws2 report "$now"
run as alice prism user ssh-key status
has "$out" "Present" && ! has "$out" "Not yet"; tap $? "S1.23 and that it has, once it says so"
run as boss prism member suspend alice --project lab --wait --timeout 1s
[ "$status" = 3 ] && has "$out" "Member Suspended" && has "$err" "not every workstation" && has "$err" "prism host list"
tap $? "S3.5 --wait ends at its limit with 3; the change stands"
(for _ in 1 2 3 4 5 6 7 8; do sleep 0.3; host ws1 report "$(revision)"; host ws2 report "$(revision)"; done) &
reporter=$!
run as boss prism member resume alice --project lab --wait
[ "$status" = 0 ] && grep -qE '^ws1 +applied after [0-9]\.[0-9]{2} s$' <<<"$out" && has "$out" "Every workstation has applied it."
tap $? "S3.5 --wait shows the time of each workstation"
run as boss prism member role alice viewer --project lab --wait --json
[ "$status" = 0 ] && [ "$(jq '[.hosts[].seconds | numbers] | length' <<<"$out")" = 2 ] && [ "$(jq .revision <<<"$out")" -gt "$now" ]
tap $? "S3.5 the times as JSON"
run as alice prism user ssh-key rotate --grace 0
[ "$status" = 0 ] && has "$out" "Old key ends: now"
tap $? "S1.27 rotate waits for the workstations before it retires the old key"
wait "$reporter"
before=$(sha256sum <"$T/people/alice/.prism/ssh_keys/id_ed25519")
run as alice prism user ssh-key rotate --grace 0 --timeout 1s
[ "$status" = 3 ] && [ "$before" = "$(sha256sum <"$T/people/alice/.prism/ssh_keys/id_ed25519")" ] &&
	[ "$(as alice prism user ssh-key status --json | jq '[.[] | select(.state == "active")] | length')" = 2 ]
tap $? "S3.21 --grace 0 never retires a key before its successor is everywhere"
host ws1 report "$(revision)"; host ws2 report "$(revision)"
run as alice prism user ssh-key rotate --grace 0
[ "$status" = 0 ] && [ "$(as alice prism user ssh-key status --json | jq '[.[] | select(.state == "active")] | length')" = 1 ]
tap $? "S3.21 run again, it takes up the key that it had made"
ssh-keygen -q -t ed25519 -N '' -f "$T/laptop"
lost=$(as alice prism user ssh-key add "$T/laptop" --json | jq -r .fingerprint)
host ws1 report "$(revision)"; host ws2 report "$(revision)"
run as alice prism user ssh-key revoke "$lost"
[ "$status" = 0 ] && grep -qE '^ *ws1 +lab +Not yet' <<<"$out" && has "$out" "ws2"
tap $? "S3.21 revoke shows the workstations that have not applied it"
host ws1 report "$(revision)"; host ws2 report "$(revision)"
run as alice prism user status
ids=$(sed -n 's/^UID.GID: *//p' <<<"$out")
[ "$status" = 0 ] && grep -qE "^ws1 +$ids +Same +Seen just now$" <<<"$out" && ! has "$out" mismatch
tap $? "S1.23 user status: UID and GID here, and beside them each workstation's"
host ws2 report "$(revision)" alice "a local account has this uid"
run as alice prism user ssh-key status
[ "$status" = 0 ] && grep -qE "^ *ws2 +lab +Refused +revision [0-9]+ +a local account has this uid$" <<<"$out" &&
	grep -qE "^ *ws1 +lab +Present +revision [0-9]+$" <<<"$out"
tap $? "S1.23 ssh-key status: a workstation that refuses the person, and why"
run as alice prism user ssh-key status --json
[ "$(jq -c '.[0].hosts[] | [.host, .applied, .present, .reason]' <<<"$out" | sort | tr '\n' ' ')" = \
	'["ws1",true,true,null] ["ws2",true,false,"a local account has this uid"] ' ]
tap $? "S1.23 the same as JSON"
run as alice prism user status
[ "$status" = 0 ] && grep -qE "^ws2 +- +Refused +Seen just now +a local account has this uid$" <<<"$out" &&
	has "$out" "UID/GID mismatch: ask the administrator"
tap $? "S1.23 a workstation that refuses the person, and why"
host ws2 report "$(revision)" bob "secret of bob"
run as alice prism user status
! has "$out" bob; tap $? "S1.23 nobody sees what is refused about others"

# Connecting
mkdir -p "$T/bin"
printf '#!/bin/sh\nprintf "%%s\\n" "$@" >%s\nexit 7\n' "$T/ssh.args" >"$T/bin/ssh"
chmod 755 "$T/bin/ssh"
A=$T/people/alice/.prism
run as alice env PATH="$T/bin:$PATH" "$PRISM" workspace connect ws1 -- -p 2222 uname -a
[ "$status" = 7 ] && same "$(sed "s#$T#T#" "$T/ssh.args")" <<END
-i
T/people/alice/.prism/ssh_keys/id_ed25519
-o
IdentitiesOnly=yes
-o
UserKnownHostsFile="T/people/alice/.prism/known_hosts"
-o
GlobalKnownHostsFile=/dev/null
-o
StrictHostKeyChecking=yes
-o
CheckHostIP=no
-o
UpdateHostKeys=no
-o
HostKeyAlias=ws1.prism.127.0.0.1-${CENTRAL_URL##*:}
-l
alice
127.0.0.1
-p
2222
uname
-a
END
tap $? "S1.4 connect: the key, the recorded host keys, and what follows -- ; ssh's own exit status"
alias=ws1.prism.127.0.0.1-${CENTRAL_URL##*:}
grep -qxF "$alias $(cut -d' ' -f1,2 "$T/one.pub")" "$A/known_hosts" && [ "$(mode_of "$A/known_hosts")" = 600 ]
tap $? "S1.4 the host key comes from the service"
as alice env PATH="$T/bin:$PATH" "$PRISM" workspace connect ws2
as alice env PATH="$T/bin:$PATH" "$PRISM" workspace connect ws1
out=$(cat "$A/known_hosts")
[ "$(wc -l <"$A/known_hosts")" = 2 ]; tap $? "S1.4 one line for each, however often"
run as alice prism workspace connect ws1 --print
[ "$status" = 0 ] && has "$out" "StrictHostKeyChecking=yes" && has "$out" "-l alice 127.0.0.1"
tap $? "S1.4 --print shows the command"
run as alice prism workspace connect ws1 --json -- true
[ "$status" = 0 ] && [ "$(jq -r '.argv[0] + " " + .argv[-1]' <<<"$out")" = "ssh true" ]
tap $? "S1.4 --json too"
run as alice env PATH=/nonexistent "$PRISM" workspace connect ws1
[ "$status" = 5 ] && has "$err" "openssh-client"; tap $? "S1.4 without ssh: exit 5, and the package"
mkdir -p "$T/people/odd dir%h" && cp -a "$A" "$T/people/odd dir%h/.prism"
run as "odd dir%h" prism workspace connect ws1 --print
has "$out" 'people/odd dir%%h/.prism/known_hosts"'; tap $? "S1.4 a home with blanks and % is quoted for ssh"

# A real sshd that holds the recorded key, and one that does not
sshd_start() { # KEY
	PORT=$(free_port)
	cat >"$T/sshd_config" <<-END
		ListenAddress 127.0.0.1:$PORT
		HostKey $1
		PidFile none
		UsePAM no
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		StrictModes no
	END
	# In a mount namespace of its own, so that its /run/sshd is nowhere else.
	unshare -m sh -c 'mount -t tmpfs none /run && mkdir -m 755 /run/sshd &&
		exec /usr/sbin/sshd -D -e -f "$1"' - "$T/sshd_config" 2>"$T/sshd.log" &
	cli_pids+=($!)
	for _ in $(seq 100); do
		ssh-keyscan -p "$PORT" 127.0.0.1 2>/dev/null | grep -q ssh- && return 0
		sleep 0.05
	done
	return 1
}
if [ -x /usr/sbin/sshd ] && [ "$(id -u)" = 0 ] && sshd_start "$T/one"; then
	run as alice prism workspace connect ws1 -- -p "$PORT" -o BatchMode=yes true
	[ "$status" = 255 ] && has "$err" "Permission denied" && has "$err" "Permission denied (publickey): run prism user provision" &&
		has "$err" "prism user ssh-key status" && has "$err" "UID/GID mismatch: run prism user status"
	tap $? "S1.23 ssh refuses the key: what to run next"
	sshd_start "$T/two"
	run as alice prism workspace connect ws1 -- -p "$PORT" -o BatchMode=yes true
	[ "$status" = 255 ] && has "$err" "Host key verification failed" && ! has "$err" "Permission denied (publickey)."
	tap $? "D6 another host in its place is refused before any login"
else
	tap 0 "S1.23 real sshd # SKIP no sshd that could run here"
fi

as boss prism member remove alice --project lab >/dev/null
run as alice prism workspace connect ws1
[ "$status" = 1 ]; tap $? "S3.5 after removal there is no workspace to connect to"
run as boss prism host remove ws2 --project lab
[ "$status" = 0 ] && has "$out" "Host Removed" && ! as boss prism host list --project lab | grep -q ws2
tap $? "S1.4 host remove by name"
run as boss prism host remove "$(as boss prism host list --project lab --json | jq -r '.[0].id')"
[ "$status" = 0 ]; tap $? "S1.4 host remove by ID"
tap_end
