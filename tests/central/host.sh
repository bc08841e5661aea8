# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced after tests/cli/lib.sh: a workstation below $T/h whose agent is the real one, enrolled with
# the real service, and what sshd, PAM and NSS would make of its snapshots.
#
#	host_prepare			its folders and configuration
#	nss_build			the NSS module that reads its snapshots
#	host_enrol PROJECT		as ws1
#	agent_start, agent_stop, agent COMMAND...
#	until_true SECONDS COMMAND...

NSS_DIR=$T/h/var/lib/prism/nss

until_true() {
	local end=$(($(date +%s%N) + $1 * 1000000000))
	shift
	while ! "$@"; do
		[ "$(date +%s%N)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

host_prepare() {
	mkdir -p "$T/h/etc/prism" "$T/h/etc/ssh" "$T/h/var/lib" "$T/h/run" "$T/efs/home" "$T/skel"
	printf '[home]\nroot = /efs/home\nmount_point = %s\nrequire_mount = no\nskel = %s\n' \
		"$T/efs" "$T/skel" >"$T/h/etc/prism/prism.conf"
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$T/h/etc/passwd"
	printf 'root:x:0:\n' >"$T/h/etc/group"
}

nss_build() {
	mkdir -p "$T/nss"
	${CC:-cc} -std=gnu17 -D_GNU_SOURCE -O1 -fPIC -shared -Ilib/snapshot -Ilib -DSNAPSHOT_DIR_OVERRIDE="\"$NSS_DIR\"" \
		-o "$T/nss/libnss_prism.so.2" nss_prism/*.c lib/snapshot/check.c 2>"$T/nss/log" || {
		sed 's/^/# /' "$T/nss/log"
		return 1
	}
}

agent() { "$B/prism-sync" --root "$T/h" --no-drop "$@"; }

host_enrol() { # PROJECT
	agent enroll --name ws1 --token "$(as boss prism host token --project "$1" --json | jq -r .token)" \
		>>"$T/agent.log" 2>&1
}

# The agent's sandbox refuses ptrace, by which a build with ASan would look for leaks at the end.
agent_start() {
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 "$B/prism-sync" --root "$T/h" --no-drop run >>"$T/agent.log" 2>&1 &
	agent_pid=$!
	cli_pids+=("$agent_pid")
	until_true 10 test -S "$T/h/run/prism/agent.sock"
}

agent_stop() {
	kill "$agent_pid" && wait "$agent_pid"
}

gone() { ! kill -0 "$1" 2>/dev/null; }
# What PAM's account check would say of a person, and their active grants.
look_is() { [ "$("$B/tests/sync/helper_look" "$NSS_DIR/access.v1.snap" "$1" 2>/dev/null)" = "$2" ]; }
# Whether sshd is given a key of theirs.
lets_in() {
	local uid
	uid=$(nss passwd "$1" | cut -d: -f3)
	[ -n "$uid" ] && "$B/prism-keys" -d "$NSS_DIR" "$1" "$uid" | grep -q "^ssh-"
}
nss() { LD_LIBRARY_PATH=$T/nss getent -s prism "$@"; }
groups_of() { # PERSON: their groups' names but the private one, sorted
	local gid
	nss initgroups "$1" | cut -s -d' ' -f2- | tr -s ' ' '\n' | while read -r gid; do
		[ -z "$gid" ] || nss group "$gid" | cut -d: -f1
	done | grep -vx "$1" | sort | paste -sd' '
}
groups_are() { [ "$(groups_of "$1")" = "$2" ]; }
