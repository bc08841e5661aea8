# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced after tests/cli/lib.sh, for the tests of the way to the service: an authority of our own, a
# service whose certificate it signed, a proxy that counts, a relay that sets another time.
#
#	authority_make			$T/ca.crt; $T/site.{crt,key} for prism.localhost, and others
#	site_start			the service at $CENTRAL_URL, https://prism.localhost:PORT
#	peer KIND NAME ARGUMENT...	net_peers.py with $T/NAME; its port in $port
#	connects NAME [STATUS]		how many CONNECT requests $T/NAME has seen
# libcurl knows names below "localhost" by itself; for us they are not this machine, so a proxy is used.

certificate() { # NAME SUBJECT [START END]
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$2" \
		-keyout "$T/$1.key" -out "$T/$1.csr" 2>/dev/null || return
	printf '[v3]\nsubjectAltName=DNS:%s\n[ca]\ndefault_ca=own\n[own]\ndatabase=%s/ca.db\nserial=%s/ca.srl\nnew_certs_dir=%s\nunique_subject=no\ndefault_md=sha256\npolicy=any\nx509_extensions=v3\n[any]\ncommonName=supplied\n' \
		"$2" "$T" "$T" "$T" >"$T/ca.conf"
	openssl ca -batch -notext -config "$T/ca.conf" -cert "$T/ca.crt" -keyfile "$T/ca.key" -rand_serial \
		-startdate "${3:-20200101000000Z}" -enddate "${4:-20400101000000Z}" \
		-in "$T/$1.csr" -out "$T/$1.crt" 2>"$T/ca.log" || { sed 's/^/# /' "$T/ca.log"; return 1; }
}

authority_make() {
	: >"$T/ca.db"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
		-subj "/CN=Campus Authority" -keyout "$T/ca.key" -out "$T/ca.crt" 2>/dev/null &&
		certificate site prism.localhost &&
		certificate old prism.localhost 20200101000000Z 20210101000000Z &&
		certificate early prism.localhost 20390101000000Z 20400101000000Z &&
		certificate other other.localhost &&
		certificate way way.localhost
}

site_start() {
	local port plain
	port=$(free_port) plain=$(free_port)
	CENTRAL_URL=https://prism.localhost:$port CENTRAL_PLAIN=http://127.0.0.1:$plain
	PLAIN_PORT=$plain
	mkdir -p -m 700 "$T/central"
	cat >"$T/central.conf" <<-END
		[server]
		url = $CENTRAL_URL
		listen = 127.0.0.1:$port
		listen_plain = 127.0.0.1:$plain
		state_dir = $T/central
		[tls]
		certificate = $T/site.crt
		key = $T/site.key
	END
	chmod 600 "$T/central.conf" "$T/site.key"
	echo boss-password-17 >"$T/boss.password"
	"$CENTRAL" -c "$T/central.conf" bootstrap --username boss --email boss@uni.edu \
		--name "The Boss" --password-file "$T/boss.password" >"$T/bootstrap.log" 2>&1 || {
		sed 's/^/# /' "$T/bootstrap.log"
		return 1
	}
	central_run
}

peer() { # KIND NAME [ARGUMENT...]
	local kind=$1 name=$2
	shift 2
	mkdir -p "$T/$name"
	: >"$T/$name/log"
	python3 tests/cli/net_peers.py "$kind" "$T/$name" "$@" &
	cli_pids+=($!)
	for _ in $(seq 200); do
		[ -s "$T/$name/port" ] && break
		sleep 0.05
	done
	port=$(cat "$T/$name/port")
}

connects() { # NAME [STATUS]
	grep -c "^CONNECT [^ ]* ${2:-}" "$T/$1/log"
}
