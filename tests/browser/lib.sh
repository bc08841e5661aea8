# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by tests: real browsers, each with a name.
#
#	browser_start NAME [OPTION...]	options of browser.py serve; its pid joins the array cli_pids
#	browser NAME COMMAND...		what it does, commands separated by "--" (browser.py)
#	browser_stop NAME
# $T is the test's folder. BROWSER_RUN, an array, is put before the program: in which network it runs.

BROWSER_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
declare -A browser_pids=()
declare -a BROWSER_RUN=()

browser_start() { # NAME [OPTION...]
	local name=$1 state=$T/browser-$1
	shift
	rm -f "$state"
	"${BROWSER_RUN[@]}" python3 "$BROWSER_SOURCE/browser.py" serve "$@" "$state" >"$state.log" 2>&1 &
	browser_pids[$name]=$!
	cli_pids+=("${browser_pids[$name]}")
	for _ in $(seq 600); do
		[ ! -s "$state" ] || return 0
		kill -0 "${browser_pids[$name]}" 2>/dev/null || break
		sleep 0.05
	done
	sed 's/^/# /' "$state.log"
	return 1
}

browser() { # NAME COMMAND...
	local name=$1
	shift
	"${BROWSER_RUN[@]}" python3 "$BROWSER_SOURCE/browser.py" act "$T/browser-$name" "$@"
}

browser_stop() { kill "${browser_pids[$1]}" 2>/dev/null && wait "${browser_pids[$1]}" 2>/dev/null; }
