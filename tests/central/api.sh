# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For tests of prism-central's API by curl: a private folder, the service on a socket in it, and TAP.
# To be sourced in the root of the tree.
#
#	stage [LINE...]		the configuration, with more lines of it: $dir/central.conf
#	account NAME [OPTION...]	the first superadmin, whose password is in $dir/password
#	start, stop		the service; its log is $dir/log
#	ask METHOD PATH [JSON]	as the owner of $token: $status, $out and $dir/out
#	get FILTER		of $out, by jq
#	wants CODE TEST METHOD PATH [JSON]	a result: the status of a success, the code of an error
#	say STATUS TEST		a result; is GOT WANT TEST; $n counts them, $bad is 1 after a failure
# The service and the processes of "pids" end with the shell.

B=${B:-build}
central=$B/prism-central
[ -x "$central" ] || { echo "not ok 1 - prism-central is not built"; echo 1..1; exit 1; }
dir=$(mktemp -d) || exit 2
n=0 bad=0 server='' pids=()
token='' status='' out=''

stop() { [ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; server=; }; }
finish() {
	stop
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
	tests/keep-logs.sh "$dir"
	rm -rf "$dir"
}
trap finish EXIT

# shellcheck disable=SC2034 # scripts end with "exit $bad"
say() { n=$((n + 1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
is() { [ "$1" = "$2" ] || echo "# got '$1', not '$2'; $status $out"; [ "$1" = "$2" ]; say $? "$3"; }

ask() {
	local args=(-sS -o "$dir/out" -w '%{http_code}' --unix-socket "$dir/http.sock" -X "$1")
	echo "$1 ${2%%\?*}" >>"$dir/asked"
	[ -z "$token" ] || args+=(-H "Authorization: Bearer $token")
	[ $# -lt 3 ] || args+=(-H 'Content-Type: application/json' --data-binary "$3")
	: >"$dir/out"
	status=$(curl "${args[@]}" "http://localhost$2")
	out=$(tr -d '\0' <"$dir/out")
}
get() { jq -r "$1" <<<"$out"; }
code() { if [ "$status" -lt 300 ]; then echo "$status"; else get .error.code; fi; }
wants() {
	local want=$1 text=$2
	shift 2
	ask "$@"
	is "$(code)" "$want" "$text"
}

stage() {
	mkdir -m 700 "$dir/state"
	cat >"$dir/central.conf" <<-END
		[server]
		url = https://prism.test
		listen = none
		listen_plain = unix:$dir/http.sock
		state_dir = $dir/state
	END
	printf '%s\n' "$@" '[log]' 'level = debug' >>"$dir/central.conf"
	echo 'correct horse battery' >"$dir/password"
}
account() {
	"$central" -c "$dir/central.conf" bootstrap --username "$1" --email "$1@uni.edu" \
		--password-file "$dir/password" "${@:2}" >>"$dir/log" 2>&1
}

start() {
	"$central" -c "$dir/central.conf" serve >>"$dir/log" 2>&1 &
	server=$!
	for _ in $(seq 200); do
		ask GET /healthz 2>/dev/null && [ "$status" = 200 ] && return
		sleep 0.05
	done
	echo "# the service did not start"
	sed 's/^/# /' "$dir/log"
}
