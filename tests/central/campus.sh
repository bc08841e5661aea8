# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced after tests/cli/lib.sh: the real service with an institution beside it, on loopback.
#
#	campus_start [OPTION...]	after cli_home: a name server, the service, and an OpenID provider
#					(options are the provider's) that the superadmin "boss" has connected
#					as "campus": example.edu is proven, first logins make accounts
#	campus_login BROWSER PERSON	fill in the provider's page
#	campus_keep BROWSER		say that all ways into the account are one's own
#	until_true SECONDS COMMAND...

# shellcheck source=tests/idp/lib.sh
. tests/idp/lib.sh
# shellcheck source=tests/browser/lib.sh
. tests/browser/lib.sh
CAMPUS_SECRET=campus-client-secret-4711

until_true() {
	local end=$(($(date +%s%N) + $1 * 1000000000))
	shift
	while ! "$@"; do
		[ "$(date +%s%N)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

campus_dns() {
	: >"$T/zone"
	python3 tests/idp/dns.py 127.0.0.1:0 "$T/zone" >"$T/dns" 2>&1 &
	cli_pids+=($!)
	until_true 5 test -s "$T/dns"
}

campus_central() {
	central_start "$(
		cat <<-END
			[secrets]
			master_keys = $T/master.keys
			[sso]
			private_addresses = yes
			dns = 127.0.0.1:$(cat "$T/dns")
		END
	)" || return 1
}

campus_connect() {
	local shown
	echo "$CAMPUS_SECRET" >"$T/client.password"
	boss_login >/dev/null &&
		as boss prism sso add campus --type oidc --name "Example University" --issuer "$OP_URL" \
			--client-id prism --client-secret-file "$T/client.password" \
			--scopes "openid email profile groups" --auto-provision yes &&
		shown=$(as boss prism sso domain add example.edu --connection campus --json) &&
		jq -r '"\(.record_name) \(.record_value)"' <<<"$shown" >"$T/zone" &&
		as boss prism sso domain verify example.edu &&
		as boss prism sso edit campus --enabled yes
}

campus_start() {
	campus_dns || return 1
	install -m 600 /dev/null "$T/master.keys"
	echo "campus-1 $(openssl rand -base64 32)" >"$T/master.keys"
	campus_central || return 1
	op_start op --ca "$T/central/tls.crt" --client "{\"client_id\": \"prism\", \"client_secret\": \"$CAMPUS_SECRET\",
		\"redirect_uris\": [\"$CENTRAL_URL/sso/campus/callback\"],
		\"backchannel_logout_uri\": \"$CENTRAL_URL/sso/campus/logout\"}" "$@" || return 1
	campus_connect >"$T/campus.log" 2>&1 && return
	sed 's/^/# /' "$T/campus.log"
	return 1
}

campus_login() {
	browser "$1" set '[name=username]' "$2" -- type '[name=password]' "$2-at-campus" -- click '#login'
}

campus_keep() {
	browser "$1" wait-text "Is all of this yours?" -- click 'button[value=keep]'
}
