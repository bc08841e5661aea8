#!/bin/bash
# SPDX-License-Identifier: MIT
# Where a provider's addresses may lead, in a network of our own in which some addresses are public
# and others are what must not be reached: this machine, the campus, a cloud's metadata service.
set -u
cd "$(dirname "$0")/../.." || exit 2
if [ "${1:-}" != inside ]; then
	unshare -mn true 2>/dev/null || { echo "ok 1 - I3.2 # SKIP namespaces cannot be made here"; echo 1..1; exit 0; }
	exec unshare -mn --propagation private bash "$0" inside
fi
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh
# shellcheck source=tests/central/oidc.sh
. tests/central/oidc.sh
# shellcheck source=tests/cli/proxy.sh
. tests/cli/proxy.sh
out='' err='' status=''
cli_home
PUBLIC=93.184.216.34
cat >"$T/hosts" <<END
127.0.0.1 localhost
$PUBLIC idp.example.org
169.254.169.254 metadata.example.org
127.0.0.1 home.example.org
::1 home6.example.org
10.0.0.1 both.example.org
$PUBLIC both.example.org
END
network() {
	local a
	ip link set lo up || return
	for a in $PUBLIC 169.254.169.254 10.0.0.1; do
		ip addr add "$a/32" dev lo || return
	done
	mount --bind "$T/hosts" /etc/hosts
}
network || tap_bail "the network cannot be made"
ca_make "IP:$PUBLIC,DNS:idp.example.org,DNS:both.example.org" && master_make
central_start "$(printf '[secrets]\nmaster_keys = %s\n[sso]\nca_file = %s\n' "$T/master.keys" "$T/ca.pem")" ||
	tap_bail "the service does not start"

# Whoever connects to one of these is noted.
python3 - "$T/caught" <<'END' &
import socket, selectors, sys
s = selectors.DefaultSelector()
for a in ("127.0.0.1", "169.254.169.254", "10.0.0.1", "::1"):
    for p in (80, 443):
        k = socket.socket(socket.AF_INET6 if ":" in a else socket.AF_INET)
        k.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        k.bind((a, p))
        k.listen()
        s.register(k, selectors.EVENT_READ, f"{a} {p}")
open(sys.argv[1], "w").close()
while True:
    for key, _ in s.select():
        key.fileobj.accept()[0].close()
        with open(sys.argv[1], "a") as f:
            f.write(key.data + "\n")
END
cli_pids+=($!)
op() { # NAME PORT [ADDRESS]: the adversary under that name, at the public address or another one
	mkdir -p "$T/$1"
	python3 tests/idp/evil_op.py --listen "${3:-$PUBLIC}" --name "$1" --port "$2" --cert "$T/idp.pem" --key "$T/idp.key" \
		--dir "$T/$1" >"$T/$1/ready" 2>"$T/$1/log" &
	cli_pids+=($!)
	for _ in $(seq 200); do [ -s "$T/$1/ready" ] && return; sleep 0.05; done
}
op idp.example.org 443
op both.example.org 8443
evil() { curl -sS --cacert "$T/ca.pem" --noproxy '*' -X POST --data "$1" https://idp.example.org/admin >/dev/null; }
for _ in $(seq 100); do [ -e "$T/caught" ] && break; sleep 0.05; done
caught() { [ -s "$T/caught" ]; }

connect() { # SLUG ISSUER
	api POST /organizations/default/sso-connections "$(jq -n --arg s "$1" --arg i "$2" '{slug: $s, name: "X", type: "oidc",
		issuer: $i, client_id: "prism", client_secret: "x", auto_provision: true, enabled: true}')"
}
login() { # SLUG
	b "$1" "/sso/$1/start"
	[ -n "$location" ] && at "$1" "$location" && b "$1" "${location#"$CENTRAL_URL"}"
}
boss_token
connect good https://idp.example.org:443
login good
[ "$status" = 303 ]; tap $? "I3.2 a provider at a public address is reached"
connect both https://both.example.org:8443
login both
[ "$status" = 303 ] && ! caught; tap $? "I3.2 of a name with several addresses, only the public one is connected to"

n=0
for host in 169.254.169.254 metadata.example.org 10.0.0.1 127.0.0.1 localhost home.example.org home6.example.org \
	"[::1]" "[::ffff:169.254.169.254]" "[::ffff:7f00:1]" 0x7f000001 2130706433 127.1 0251.0376.0251.0376 0.0.0.0 "[::]"; do
	n=$((n + 1))
	connect "no-$n" "https://$host"
	if [ "$status" = 201 ]; then
		b x "/sso/no-$n/start"
		[ "$status" = 403 ] && [ "$(fault)" = "sso.refused provider_address" ]
	else
		[ "$status" = 400 ]
	fi
	tap $? "I3.2 an issuer at $host is not connected to"
done
connect http http://169.254.169.254
[ "$status" = 400 ]; tap $? "I3.2 nor is one without TLS taken"
for endpoint in token_endpoint jwks_uri userinfo_endpoint; do
	for host in 169.254.169.254 metadata.example.org home.example.org; do
		n=$((n + 1))
		evil "{\"metadata\": {\"$endpoint\": \"https://$host/x\"}}"
		connect "no-$n" https://idp.example.org:443
		login "no-$n"
		[ "$status" = 403 ] && [ "$(fault)" = "sso.refused provider_address" ]
		tap $? "I3.2 a $endpoint at $host is not connected to"
	done
done
evil '{"metadata": {}}'
! caught; tap $? "I3.2 nobody in there has heard anything"
[ ! -s "$T/caught" ] || sort "$T/caught" | uniq -c | sed 's/^/# /'

# ---- by a proxy ------------------------------------------------------------------------------------

# This one connects to ports of this machine, whatever name it is asked for.
peer proxy way && WAY=$port
op idp.example.org 9443 127.0.0.1
connect behind https://idp.example.org:9443
b x /sso/behind/start
[ "$status" = 503 ] && [ "$(fault)" = "sso.refused provider_unreachable" ]; tap $? "I3.5 a provider that nobody reaches directly"
central_stop
printf 'proxy = http://127.0.0.1:%s\n' "$WAY" >>"$T/central.conf"
export no_proxy='*' NO_PROXY='*'
central_run
b good /sso/behind/start
[ "$status" = 303 ] && [ "$(connects way 200)" = 1 ]; tap $? "I3.5 a provider is reached by the proxy, whatever no_proxy says"
b x /sso/no-1/start
[ "$status" = 403 ] && [ "$(connects way)" = 1 ]; tap $? "I3.2 which is not asked for an address of the own network"
unset no_proxy NO_PROXY
central_stop; tap $? "I3 the service ends in good order"
tap_end
