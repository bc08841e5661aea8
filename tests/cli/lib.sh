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

CLI_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
B=${B:-build}
B=$(realpath -m "$B")
PRISM=$B/prism
CENTRAL=$B/prism-central
tap_count=0 tap_failed=0
out='' err='' status=''
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

tap_bail() { # WHY: nothing can be tested, which is a failure
	echo "not ok 1 - $1"
	echo "1..1"
	exit 1
}

cli_cleanup() {
	local pid
	for pid in "${cli_pids[@]}"; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	[ -z "${T:-}" ] || { "$CLI_SOURCE/../keep-logs.sh" "$T"; rm -rf "$T"; }
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

# prism-central with HTTPS and a certificate of its own making.
# $CENTRAL_URL, $CENTRAL_PIN, $CENTRAL_PLAIN; its superadmin is "boss".
central_start() { # [LINES of configuration]
	local port plain
	port=$(free_port) plain=$(free_port)
	CENTRAL_URL=https://127.0.0.1:$port CENTRAL_PLAIN=http://127.0.0.1:$plain
	mkdir -p -m 700 "$T/central"
	cat >"$T/central.conf" <<-END
		[server]
		url = $CENTRAL_URL
		listen = 127.0.0.1:$port
		listen_plain = 127.0.0.1:$plain
		state_dir = $T/central
	END
	[ $# = 0 ] || printf '%s\n' "$1" >>"$T/central.conf"
	echo boss-password-17 >"$T/boss.password"
	"$CENTRAL" -c "$T/central.conf" bootstrap --username boss --email boss@uni.edu \
		--name "The Boss" --password-file "$T/boss.password" >"$T/bootstrap.log" 2>&1 || {
		sed 's/^/# /' "$T/bootstrap.log"
		return 1
	}
	central_run || return 1
	CENTRAL_PIN=$(openssl x509 -in "$T/central/tls.crt" -noout -pubkey |
		openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64)
}

central_run() {
	"$CENTRAL" -c "$T/central.conf" serve >>"$T/central.log" 2>&1 &
	CENTRAL_PID=$!
	cli_pids+=("$CENTRAL_PID")
	for _ in $(seq 200); do
		curl -fsS "$CENTRAL_PLAIN/healthz" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	sed 's/^/# /' "$T/central.log"
	return 1
}

central_stop() {
	kill "$CENTRAL_PID" && wait "$CENTRAL_PID" 2>/dev/null
}

# The rest of a script: a program whose results are the script's. What the service has to say goes
# along when it fails.
central_python() { # FILE [ARGUMENT...]
	PYTHONDONTWRITEBYTECODE=1 python3 "$1" "$T" "$CENTRAL_PLAIN" "$CENTRAL_URL" "${@:2}"
	status=$?
	[ "$status" = 0 ] || grep -vE ' (info|debug) request ' "$T/central.log" | tail -n 20 | sed 's/^/# /'
	exit "$status"
}

# Log in as the superadmin, who has a home of their own.
boss_login() {
	as boss prism login --server "$CENTRAL_URL" --pin "$CENTRAL_PIN" --user boss \
		--password-file "$T/boss.password"
}

# Invite EMAIL to PROJECT (further arguments: options) and print the token.
invite() { # EMAIL PROJECT [OPTION...]
	local email=$1 project=$2
	shift 2
	as boss prism invitation send "$email" --project "$project" --json "$@" | jq -r .token
}
