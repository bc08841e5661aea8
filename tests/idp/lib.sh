# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by tests: identity providers on loopback, in a folder of the test's own.
#
#	op_start NAME [OPTION...]	an OpenID provider: $OP_URL, $OP_ADMIN, $IDP_PID
#	saml_start NAME [OPTION...]	a SAML provider: $SAML_URL, $SAML_METADATA, $SAML_ADMIN, $IDP_PID
#	idp_admin ADMIN METHOD /PATH [JSON]
#	idp_stop PID
# NAME names its log, $T/NAME.idp. $T is the test's folder; pids are added to the array cli_pids, whose
# owner ends them (tests/cli/lib.sh does). IDP_RUN, an array, is put before the programs: in which network.

declare -a IDP_RUN=()
IDP_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

idp_field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# idp_start PROGRAM NAME OPTION...: its one line of JSON is in $idp_ready.
idp_start() {
	local dir program=$1 out=$T/$2.ready log=$T/$2.idp
	shift 2
	dir=$("$IDP_SOURCE/install.sh") || return 1
	: >"$out"
	"${IDP_RUN[@]}" node "$dir/$program" "$@" >"$out" 2>"$log" &
	IDP_PID=$!
	cli_pids+=("$IDP_PID")
	for _ in $(seq 400); do
		[ ! -s "$out" ] || break
		kill -0 "$IDP_PID" 2>/dev/null || break
		sleep 0.05
	done
	idp_ready=$(cat "$out")
	[ -n "$idp_ready" ] || { sed 's/^/# /' "$log"; return 1; }
}

op_start() { # NAME OPTION...
	idp_start op.mjs "$@" || return 1
	# shellcheck disable=SC2034 # for the tests
	OP_URL=$(idp_field url <<<"$idp_ready") OP_ADMIN=$(idp_field admin <<<"$idp_ready")
}

saml_start() { # NAME OPTION...
	idp_start saml_idp.mjs "$@" || return 1
	# shellcheck disable=SC2034 # for the tests
	SAML_URL=$(idp_field url <<<"$idp_ready") SAML_METADATA=$(idp_field metadata <<<"$idp_ready") \
		SAML_ADMIN=$(idp_field admin <<<"$idp_ready")
}

idp_admin() { # ADMIN METHOD /PATH [JSON]
	"${IDP_RUN[@]}" curl -sS --noproxy '*' -X "$2" ${4:+--data "$4"} "$1$3"
}

idp_stop() { kill "$1" 2>/dev/null && wait "$1" 2>/dev/null; }
