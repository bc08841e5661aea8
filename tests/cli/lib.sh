# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For the tests of the CLI: a private home, a real central service on loopback, and TAP.
#
#	cli_home			$T, a private folder; HOME in it
#	central_start			prism-central on a free port; superadmin "root-admin"; $CENTRAL_URL
#	as NAME COMMAND...		run with the home of person NAME (made if missing)
#	run COMMAND...			$out, $err, $status of a command
#	tap STATUS TEXT			one result; tap_end prints the plan
# Everything started here ends with the shell.

B=${B:-build}
B=$(realpath -m "$B")
PRISM=$B/prism
CENTRAL=$B/prism-central
tap_count=0 tap_failed=0
cli_pids=()
export LC_ALL=C.UTF-8
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY

tap() { # STATUS TEXT
	tap_count=$((tap_count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_count - $2"
		return
	fi
	tap_failed=$((tap_failed + 1))
	printf '# status %s\n# out: %s\n# err: %s\n' "${status:-}" "${out//$'\n'/$'\n'#      }" \
		"${err//$'\n'/$'\n'#      }"
	echo "not ok $tap_count - $2"
}

tap_end() {
	echo "1..$tap_count"
	[ "$tap_failed" = 0 ]
}

tap_skip_all() { # WHY
	echo "ok 1 - skipped # SKIP $1"
	echo "1..1"
	exit 0
}

cli_cleanup() {
	local pid
	for pid in "${cli_pids[@]}"; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	[ -z "${T:-}" ] || rm -rf "$T"
}

cli_home() {
	T=$(mktemp -d) || exit 99
	trap cli_cleanup EXIT
	export HOME=$T/home
	mkdir -m 700 "$HOME"
}

prism() { "$PRISM" "$@"; }

run() {
	"$@" >"$T/out" 2>"$T/err"
	status=$?
	out=$(cat "$T/out") err=$(cat "$T/err")
}

as() { # NAME COMMAND...
	local HOME=$T/people/$1
	export HOME
	mkdir -p -m 700 "$HOME"
	shift
	"$@"
}

has() { [[ $1 == *"$2"* ]]; }
# The lines of $1, blanks at line ends dropped, are those of standard input.
same() { [ "$(sed 's/ *$//' <<<"$1")" = "$(cat)" ]; }
mode_of() { stat -c %a "$1"; }
json_ok() { jq -e . >/dev/null <<<"$1"; }

free_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# A second server that notes what it is sent: $PEER_URL, $T/peer/requests.
peer_start() {
	mkdir -p "$T/peer"
	python3 tests/cli/http_peer.py "$T/peer" plain &
	cli_pids+=($!)
	for _ in $(seq 200); do
		[ -s "$T/peer/peer" ] && break
		sleep 0.05
	done
	PEER_URL=http://127.0.0.1:$(cut -d' ' -f1 "$T/peer/peer")
	touch "$T/peer/requests"
}
