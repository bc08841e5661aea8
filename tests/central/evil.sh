# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # what is set is for the tests
# Sourced after tests/cli/lib.sh: the service, and an OpenID provider that does wrong what it is told
# to (tests/idp/evil_op.py). Has tests/central/oidc.sh.
#
#	evil_start [LINES]	both, after cli_home; $OP is the provider, LINES more of [sso] in central.conf
#	until_true SECONDS COMMAND...
#	evil PATH JSON		to its door for tests; with FAULT: what it does wrong; asked FILTER: what it was asked
#	connect SLUG [JSON]	an organization's connection to it, as the superadmin
#	elsewhere		the next requests come from another address
#	begin JAR SLUG [QUERY]	from our redirect to the provider's: $back is the callback
#	login JAR SLUG [QUERY]	and back
#	who JAR			who is logged in; somebody JAR: whether anybody is

# shellcheck source=tests/central/oidc.sh
. tests/central/oidc.sh
SECRET='s3cret:/ +%'
host=0 back=''

evil_start() {
	ca_make IP:127.0.0.1,DNS:localhost && master_make || return 1
	central_start "$(printf '[secrets]\nmaster_keys = %s\n[sso]\nca_file = %s\nprivate_addresses = yes\nrefresh = 60s\n%s\n' \
		"$T/master.keys" "$T/ca.pem" "${1:-}")" || return 1
	mkdir "$T/op"
	python3 tests/idp/evil_op.py --cert "$T/idp.pem" --key "$T/idp.key" --dir "$T/op" >"$T/op/ready" 2>"$T/op/log" &
	cli_pids+=($!)
	for _ in $(seq 400); do [ -s "$T/op/ready" ] && break; sleep 0.05; done
	OP=$(jq -r .url "$T/op/ready")
}

until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}

evil() { curl -sS --cacert "$T/ca.pem" --noproxy '*' -X POST --data "$2" "$OP/admin$1"; }
with() { evil "" "{\"fault\": \"$1\"}" >/dev/null; }
asked() { curl -sS --cacert "$T/ca.pem" --noproxy '*' "$OP/admin" | jq -r "$1"; }

connect() {
	api POST /organizations/default/sso-connections "$(jq -n --arg s "$1" --arg i "$OP" --arg k "$SECRET" \
		--argjson m "${2:-{\}}" '{slug: $s, name: "Evil <b>University</b>", type: "oidc", issuer: $i,
			client_id: "prism", client_secret: $k, auto_provision: true, enabled: true} + $m')"
	[ "$status" = 201 ]
}

elsewhere() { host=$((host + 1)); from "127.0.$((1 + host / 250)).$((1 + host % 250))"; }

begin() {
	elsewhere
	b "$1" "/sso/$2/start${3:+?$3}"
	back=
	[ -n "$location" ] || return 1
	at "$1" "$location"
	back=${location#"$CENTRAL_URL"}
}

login() { begin "$@" && b "$1" "$back"; }

who() {
	b "$1" /
	sed -n 's/.*<span>\([^<]*\)<\/span> <button class="quiet">Log out.*/\1/p' <<<"$out"
}

somebody() { [ -n "$(who "$1")" ]; } # each connection has people of its own
