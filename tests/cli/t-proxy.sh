#!/bin/bash
# SPDX-License-Identifier: MIT
# The way to the service from a campus: a proxy, a private authority, a wrong clock.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
. tests/cli/proxy.sh
unset no_proxy NO_PROXY
out= err= status=
cli_home
authority_make || tap_bail "openssl makes no certificates"
site_start || tap_bail "prism-central does not start"
peer proxy way && WAY=$port
peer proxy safe "$T/way.crt" "$T/way.key" && SAFE=$port
login() { as boss prism login --server "$CENTRAL_URL" --user boss --password-file "$T/boss.password" "$@"; }
forget() { rm -rf "$T/people"; }
with() { # VARIABLE=VALUE COMMAND...
	local -x "${1?}"
	shift
	"$@"
}

run login --ca-file "$T/ca.crt"
[ "$status" = 0 ] && [ "$(connects way)" = 0 ]
tap $? "D6 without a proxy: straight there, by the authority's file"
run as boss prism whoami
[ "$status" = 0 ] && has "$out" boss
tap $? "D6 --ca-file is remembered for the server"
mkdir -p "$T/elsewhere" && cp "$T/ca.crt" "$T/elsewhere/campus.crt"
forget
(cd "$T/elsewhere" && as boss "$PRISM" login --server "$CENTRAL_URL" --user boss \
	--password-file "$T/boss.password" --ca-file campus.crt) >"$T/out" 2>&1
run as boss prism whoami
[ "$status" = 0 ]
tap $? "D6 a relative --ca-file works in the next folder as well"
run login --ca-file "$T/missing.crt"
[ "$status" = 5 ] && has "$err" "missing.crt: No such file"
tap $? "D6 a CA file that is not there is named"
forget
run login
[ "$status" = 3 ] && has "$err" "is not trusted: unable to get local issuer certificate" &&
	has "$err" "--ca-file FILE"
tap $? "D6 a private authority is unknown until its file is given: the error tells the option"
echo "no certificate" >"$T/empty.crt"
run login --ca-file "$T/empty.crt"
[ "$status" = 3 ] && has "$err" "$T/empty.crt cannot be read" && has "$err" "PEM"
tap $? "D6 a CA file without certificates is named"

# ---- proxies of the environment -------------------------------------------------------------------
for name in https_proxy HTTPS_PROXY all_proxy; do
	: >"$T/way/log"
	run with "$name=http://127.0.0.1:$WAY" login --ca-file "$T/ca.crt"
	[ "$status" = 0 ] && [ "$(connects way 200)" -ge 1 ] &&
		grep -q "^CONNECT ${CENTRAL_URL#https://} 200" "$T/way/log"
	tap $? "D6 the proxy of $name is used, by CONNECT to the service's name"
done
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 0 ] && ! grep -qi "authorization\|cookie" "$T/way/log"
tap $? "D6 the proxy sees neither the session's token nor anything else that is secret"
for value in prism.localhost .localhost "*"; do
	: >"$T/way/log"
	export NO_PROXY=$value
	run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
	unset NO_PROXY
	[ "$status" = 0 ] && [ "$(connects way)" = 0 ]
	tap $? "D6 NO_PROXY=$value is honoured: the proxy is not asked"
done
export NO_PROXY=elsewhere.localhost
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
unset NO_PROXY
[ "$status" = 0 ] && [ "$(connects way)" = 1 ]
tap $? "D6 NO_PROXY of another host changes nothing"

# ---- a proxy that is kept for the server -----------------------------------------------------------
: >"$T/way/log"
run login --proxy "http://127.0.0.1:$WAY"
run as boss prism whoami
[ "$status" = 0 ] && [ "$(connects way 200)" = 2 ]
tap $? "D6 login --proxy is used and remembered for the server"
[ "$(mode_of "$T/people/boss/.prism/config.json")" = 600 ]
tap $? "D6 the file that remembers it is its owner's alone"
: >"$T/way/log"
run with "https_proxy=http://127.0.0.1:1" as boss prism whoami
[ "$status" = 0 ] && [ "$(connects way 200)" = 1 ]
tap $? "D6 what is kept goes before the environment"
: >"$T/way/log"
run with "https_proxy=http://127.0.0.1:$WAY" login --proxy none
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 0 ] && [ "$(connects way)" = 0 ]
tap $? "D6 --proxy none: without one, whatever the environment says"
run with "https_proxy=http://127.0.0.1:$WAY" login --proxy env
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 0 ] && [ "$(connects way 200)" = 2 ]
tap $? "D6 --proxy env: as the environment says, again"
run login --proxy "socks5://u:hunter2@127.0.0.1:1"
[ "$status" = 2 ] && has "$err" "USER:PASSWORD@" && ! has "$err" hunter2
tap $? "D6 what is no proxy is refused, and not repeated: it may have a password"

# ---- passwords --------------------------------------------------------------------------------------
echo 'anna:s3cret word' >"$T/way/auth"
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 3 ] && has "$err" "127.0.0.1:$WAY wants a username and a password" &&
	has "$err" "USER:PASSWORD@"
tap $? "D6 a proxy that wants a password: said, and how to give it"
run with "https_proxy=http://anna:wr0ng@127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 3 ] && has "$err" "does not accept the username and password" && ! has "$err" wr0ng &&
	! has "$err" anna
tap $? "D6 a wrong password of a proxy is said without showing it"
: >"$T/way/log"
run with "https_proxy=http://anna:s3cret%20word@127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 0 ] && [ "$(connects way 200)" = 1 ]
tap $? "D6 USER:PASSWORD in the proxy's address logs in there"
rm "$T/way/auth"
echo 403 >"$T/way/deny"
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 3 ] && has "$err" "does not let us through to prism.localhost (it answered 403)" &&
	has "$err" "Whoever runs the proxy"
tap $? "D6 a proxy that forbids: said, with whom to ask"
echo 502 >"$T/way/deny"
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 3 ] && has "$err" "The proxy 127.0.0.1:$WAY cannot reach prism.localhost"
tap $? "D6 a proxy that does not get there itself is told apart"
rm "$T/way/deny"
label=$(printf 'a%.0s' $(seq 70))
run with "https_proxy=http://anna:hunter2@$label.invalid:3128" as boss prism whoami
[ "$status" = 3 ] && has "$err" "The name of the proxy, $label.invalid:3128, is not known" &&
	has "$err" "https_proxy" && ! has "$err" hunter2
tap $? "D6 a proxy whose name is unknown is named, without its password"
run with "https_proxy=http://anna:hunter2@127.0.0.1:1" as boss prism whoami
[ "$status" = 3 ] && has "$err" "refused by the proxy 127.0.0.1:1" && ! has "$err" hunter2
tap $? "D6 a proxy that does not run is told apart from a service that does not"

# ---- a proxy with TLS --------------------------------------------------------------------------------
run with "https_proxy=https://way.localhost:$SAFE" as boss prism whoami
[ "$status" = 0 ] && [ "$(connects safe 200)" = 1 ]
tap $? "D6 a proxy with https:// and a certificate of the same authority"
forget
: >"$T/safe/log"
run with "https_proxy=https://way.localhost:$SAFE" login
[ "$status" = 3 ] && has "$err" "The certificate of the proxy way.localhost:$SAFE is not trusted" &&
	[ "$(connects safe)" = 0 ]
tap $? "D6 the certificate of a proxy is verified, and nothing is sent before"
run login --ca-file "$T/ca.crt"

# ---- certificates and clocks ------------------------------------------------------------------------
peer relay old "$T/old.crt" "$T/old.key" "$PLAIN_PORT" && echo "$port" >"$T/way/to"
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 3 ] && has "$err" "it has expired by this machine's clock ($(date -u +%Y-)" &&
	has "$err" "tell the administrator"
tap $? "D6 an expired certificate: with the time that this machine believes"
peer relay early "$T/early.crt" "$T/early.key" "$PLAIN_PORT" && echo "$port" >"$T/way/to"
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 3 ] && has "$err" "it is not valid yet by this machine's clock ($(date -u +%Y-)" &&
	has "$err" "timedatectl set-ntp true"
tap $? "D6 a certificate that is not valid yet: the clock is suspected"
peer relay other "$T/other.crt" "$T/other.key" "$PLAIN_PORT" && echo "$port" >"$T/way/to"
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 3 ] && has "$err" "it is for another name"
tap $? "D6 a certificate for another name"
peer relay late "$T/site.crt" "$T/site.key" "$PLAIN_PORT" && echo "$port" >"$T/way/to"
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 0 ] && [ -z "$err" ]
tap $? "D6 the relay with the right certificate is the service (what follows depends on it)"
session_end() { as boss prism logout >/dev/null; cp "$T/kept" "$T/people/boss/.prism/credentials.json"; }
cp "$T/people/boss/.prism/credentials.json" "$T/kept"
session_end
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 4 ] && ! has "$err" clock
tap $? "D6 a session that is not accepted, right clock: nothing about clocks"
echo 50 >"$T/late/skew"
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 4 ] && ! has "$err" clock
tap $? "D6 nor up to a minute of difference"
echo 420 >"$T/late/skew"
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 4 ] &&
	has "$err" "this machine's clock is 7 minutes behind the service's: set it (timedatectl set-ntp true)"
tap $? "D6 a session that is not accepted, and a clock that is 7 minutes behind: both are said"
echo -7300 >"$T/late/skew"
run with "https_proxy=http://127.0.0.1:$WAY" as boss prism whoami
[ "$status" = 4 ] && has "$err" "2 hours ahead of the service's"
tap $? "D6 the same for a clock that is ahead"

# ---- invitations --------------------------------------------------------------------------------------
rm "$T/way/to"
run login --ca-file "$T/ca.crt"
as boss prism project create lab >/dev/null
token=$(invite carol@uni.edu lab)
: >"$T/way/log"
run with "https_proxy=http://127.0.0.1:$WAY" as carol prism invitation accept "$token" --yes --username carol
[ "$status" = 3 ] && has "$err" "is not trusted" && has "$err" "--ca-file"
tap $? "S2.1 an invitation of a service with a private authority: the option is told"
run with "https_proxy=http://127.0.0.1:$WAY" as carol prism invitation accept "$token" --yes \
	--username carol --ca-file "$T/ca.crt"
[ "$status" = 0 ] && [ "$(connects way 200)" -ge 2 ]
tap $? "S2.1 invitation accept --ca-file, through the proxy"
run with "https_proxy=http://127.0.0.1:$WAY" as carol prism whoami
[ "$status" = 0 ] && has "$out" carol
tap $? "S2.1 and it is remembered"
tap_end
