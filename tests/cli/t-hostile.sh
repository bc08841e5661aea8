#!/bin/bash
# SPDX-License-Identifier: MIT
# A person who uses two services, of which one means harm.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
cli_home
central_start || tap_bail "prism-central does not start"
evil_start() { # starts the hostile service: $EVIL_URL
	mkdir -p "$T/evil"
	python3 tests/cli/evil_peer.py "$T/evil" "$CENTRAL_PLAIN" alice &
	cli_pids+=($!)
	for _ in $(seq 200); do
		[ -s "$T/evil/port" ] && break
		sleep 0.05
	done
	EVIL_URL=http://127.0.0.1:$(cat "$T/evil/port")
}
# The proof that the hostile service got, used at the good one: the status of the answer.
replay() { # PATH
	curl -s -o "$T/replayed" -w '%{http_code}' -H 'Content-Type: application/json' \
		--data-binary @"$T/evil/proof.json" "$CENTRAL_PLAIN/api/v1$1"
}

boss_login >/dev/null
as boss prism project create lab >/dev/null
run as alice prism invitation accept "$(invite alice@uni.edu lab)" --yes --username alice
[ "$status" = 0 ]; tap $? "D6 a person of the good service"
evil_start

run as alice prism login --key --user alice --server "$EVIL_URL"
[ "$status" = 0 ] && [ -s "$T/evil/proof.json" ]
tap $? "D6 who logs in to another service by key gives it a proof"
status=$(replay /sessions/key) out=$(cat "$T/replayed")
[ "$status" = 401 ] && ! has "$out" pst_
tap $? "D6 which opens nothing at the good one, whose challenge it passed on"
rm "$T/evil/proof.json"
run as alice prism user ssh-key add --server "$EVIL_URL"
[ -s "$T/evil/proof.json" ]; tap $? "D6 so does who registers a key there"
status=$(replay /sessions/key) out=$(cat "$T/replayed")
[ "$status" = 401 ] && ! has "$out" pst_; tap $? "D6 and that opens nothing either"
run as alice prism login --key --user alice --server "$CENTRAL_URL"
[ "$status" = 0 ]; tap $? "D6 the good service takes a proof that was made for it"
run as alice prism login --key --user alice --server "${CENTRAL_URL/https/HTTPS}/"
[ "$status" = 0 ]; tap $? "D6 however its address is written"
run as alice prism login --key --user alice --server "$CENTRAL_PLAIN"
[ "$status" = 0 ]; tap $? "D6 and at its address on this machine"

# What a service calls a person
run as alice prism login --key --user alice --server "$EVIL_URL"
run python3 tests/cli/pty_talk.py 'Username' alice 'Password' '^C' -- \
	env HOME="$T/people/alice" "$PRISM" login --server "$EVIL_URL"
! grep -q $'\e]0;owned' "$T/out"; tap $? "D6 a name that a service gives cannot steer the terminal"
rm -f "$T/people/alice/.prism/ssh_keys/"*
run as alice prism user provision --server "$EVIL_URL"
run as alice prism user ssh-key rotate --timeout 1s --server "$EVIL_URL"
pubs=("$T/people/alice/.prism/ssh_keys/"*.pub)
[ "$status" = 0 ] && [ "$(cat "${pubs[@]}" | wc -l)" = ${#pubs[@]} ]; tap $? "D6 nor put a line of its own into a key's file"
tap_end
