#!/bin/bash
# SPDX-License-Identifier: MIT
# A host behind a proxy, with a service whose certificate a private authority signed, and a wrong clock.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
. tests/cli/proxy.sh
unset no_proxy NO_PROXY
[ "$(id -u)" = 0 ] || tap_skip_all "needs root"
out= err= status=
cli_home
. tests/central/host.sh
authority_make || tap_bail "openssl makes no certificates"
site_start || tap_bail "prism-central does not start"
peer proxy way && WAY=$port
host_prepare
CONF=$T/h/etc/prism/prism.conf
cp "$CONF" "$T/plain.conf"
as boss prism login --server "$CENTRAL_URL" --user boss --password-file "$T/boss.password" \
	--ca-file "$T/ca.crt" >/dev/null
as boss prism project create lab >/dev/null
token() { as boss prism host token --project lab --json | jq -r .token; }
with() { # VARIABLE=VALUE COMMAND...
	local -x "${1?}"
	shift
	"$@"
}
configure() { # LINE...: of [central]
	{ cat "$T/plain.conf"; printf '[sync]\npoll_seconds = 1\n[central]\n'; printf '%s\n' "$@"; } >"$CONF"
	chmod 600 "$CONF"
}
agent_status() { agent status --json 2>/dev/null | jq -r "$1"; }
status_is() { [ "$(agent_status "$1")" = "$2" ]; }
status_has() { has "$(agent_status "$1")" "$2"; }
logged() { grep -c "$1" "$T/agent.log"; }
restart() { agent_stop; rm -f "$T/h/run/prism/agent.sock"; agent_start; }
one=$(token)

# ---- enrolment -------------------------------------------------------------------------------------
run agent enroll --name ws1 --token "$one"
[ "$status" = 1 ] && has "$err" "is not trusted" && has "$err" "--ca-file FILE"
tap $? "S2.4 enrolment, private authority: the error tells the option"
echo nothing >"$T/empty.crt"
run agent enroll --name ws1 --token "$one" --ca-file "$T/empty.crt"
[ "$status" = 1 ] && has "$err" "empty.crt has no certificate in PEM form"
tap $? "S2.4 a CA file without certificates is named"
run agent enroll --name ws1 --token "$one" --ca-file "$T/missing.crt"
[ "$status" = 1 ] && has "$err" "missing.crt: No such file"
tap $? "S2.4 a CA file that is not there is named"
echo 'host:s3cret' >"$T/way/auth"
run with "https_proxy=http://127.0.0.1:$WAY" agent enroll --name ws1 --token "$one" --ca-file "$T/ca.crt"
[ "$status" = 1 ] && has "$err" "127.0.0.1:$WAY wants a username and a password" && has "$err" "proxy_file"
tap $? "S2.4 enrolment through a proxy that wants a password: said, and where it belongs"
[ ! -e "$T/h/var/lib/prism/net/ca.crt" ] && [ ! -e "$T/h/var/lib/prism/net/ca.crt.new" ]
tap $? "S2.4 what has failed leaves nothing behind"
peer relay late "$T/site.crt" "$T/site.key" "$PLAIN_PORT" && LATE=$port
echo "$LATE" >"$T/way/to"
echo 420 >"$T/late/skew"
run with "https_proxy=http://host:s3cret@127.0.0.1:$WAY" agent enroll --name ws1 --token "$one" --ca-file "$T/ca.crt"
[ "$status" = 0 ] && [ "$(connects way 200)" = 1 ]
tap $? "S2.4 enrolment through the proxy, with --ca-file"
has "$err" "this machine's clock is 7 minutes behind the service's: set it (timedatectl set-ntp true)"
tap $? "S2.4 a wrong clock is named at enrolment"
has "$out" "set proxy or proxy_file in $CONF" && ! has "$out$err" s3cret
tap $? "S2.4 that the agent does not see the proxy of this shell is said"
cmp -s "$T/ca.crt" "$T/h/var/lib/prism/net/ca.crt"
tap $? "S2.4 the authority's certificates are kept where the network half reads them"
rm "$T/way/to" "$T/late/skew"

# ---- the agent -------------------------------------------------------------------------------------
: >"$T/way/log"
agent_start
until_true 10 status_is .connection.state connected && [ "$(connects way)" = 0 ]
tap $? "D6 the agent connects straight, by the kept authority"
cp "$T/other.crt" "$T/wrong.crt"
configure "ca_file = $T/wrong.crt"
restart
until_true 10 status_has .connection.reason "ca_file in prism.conf(5)"
tap $? "D6 ca_file of prism.conf goes first, and an authority that did not sign is named in the status"
configure "ca_file = $T/ca.crt" "proxy_file = $T/h/etc/prism/proxy"
run agent check-config
[ "$status" = 78 ] && has "$err" "etc/prism/proxy: No such file"
tap $? "D6 check-config names a proxy_file that is not there"
echo "http://host:s3cret@127.0.0.1:$WAY" >"$T/h/etc/prism/proxy"
chmod 644 "$T/h/etc/prism/proxy"
run agent check-config
[ "$status" = 78 ] && has "$err" "chmod 600" && ! has "$err" s3cret
tap $? "D6 check-config refuses a proxy_file that others can read"
chmod 600 "$T/h/etc/prism/proxy"
chmod 600 "$T/ca.crt"
run agent check-config
[ "$status" = 78 ] && has "$err" "the user prism-sync must be able to read $T/ca.crt"
tap $? "D6 check-config names a ca_file that the network half could not read"
chmod 644 "$T/ca.crt"
run agent check-config
[ "$status" = 0 ]
tap $? "D6 check-config: a good proxy_file and ca_file"
: >"$T/way/log"
restart
until_true 10 status_is .connection.state connected && [ "$(connects way 200)" -ge 1 ]
tap $? "D6 the agent connects through the proxy of proxy_file, with its password"
run agent sync
[ "$status" = 0 ]
tap $? "D6 and syncs through it"
! grep -q authorization "$T/way/log" || ! grep "authorization" "$T/way/log" | grep -qv "proxy-authorization"
tap $? "D6 the proxy sees its own password and no token of the host"
rm "$T/way/auth"
configure "ca_file = $T/ca.crt" "proxy = http://127.0.0.1:$WAY"
: >"$T/way/log"
export no_proxy=prism.localhost
restart
unset no_proxy
until_true 10 status_is .connection.state connected && [ "$(connects way)" = 0 ]
tap $? "D6 no_proxy counts for the agent's proxy as well"
configure "ca_file = $T/ca.crt"
export HTTPS_PROXY=http://127.0.0.1:$WAY
restart
until_true 10 status_is .connection.state connected && [ "$(connects way 200)" -ge 1 ]
tap $? "D6 without a proxy in prism.conf that of the environment is used"
configure "ca_file = $T/ca.crt" "proxy ="
: >"$T/way/log"
restart
unset HTTPS_PROXY
until_true 10 status_is .connection.state connected && [ "$(connects way)" = 0 ]
tap $? "D6 an empty proxy in prism.conf: none, whatever the environment says"

# ---- what can go wrong -----------------------------------------------------------------------------
configure "ca_file = $T/ca.crt" "proxy = http://127.0.0.1:$WAY"
echo 403 >"$T/way/deny"
restart
until_true 10 status_has .connection.reason "The proxy 127.0.0.1:$WAY does not let us through"
tap $? "D6 a proxy that forbids is named in the status"
run agent status
has "$out" "Whoever runs the proxy can allow it."
tap $? "D6 with what can be done about it"
rm "$T/way/deny"
peer relay early "$T/early.crt" "$T/early.key" "$PLAIN_PORT" && echo "$port" >"$T/way/to"
restart
until_true 10 status_has .connection.reason "is not valid yet by this machine's clock ($(date -u +%Y-)"
tap $? "D6 a certificate that is not valid yet: the clock is suspected in the status"
label=$(printf 'a%.0s' $(seq 70))
configure "ca_file = $T/ca.crt" "proxy = http://host:s3cret@$label.invalid:3128"
restart
until_true 10 status_has .connection.reason "$label.invalid:3128, is not known" &&
	status_has .connection.reason "Correct the proxy in prism.conf"
tap $? "D6 a proxy whose name is unknown is named in the status"

# ---- clocks ----------------------------------------------------------------------------------------
echo "$LATE" >"$T/way/to"
echo 45 >"$T/late/skew"
configure "ca_file = $T/ca.crt" "proxy = http://127.0.0.1:$WAY"
restart
until_true 10 status_is .connection.state connected
run agent status
[ "$status" = 0 ] && ! has "$out" CLOCK && [ "$(logged clock-wrong)" = 0 ]
tap $? "D6 up to a minute between the clocks is nobody's business"
echo 420 >"$T/late/skew"
agent_status_clock() { agent sync >/dev/null; agent status >"$T/status.out"; grep -q "^CLOCK .*$1" "$T/status.out"; }
until_true 20 agent_status_clock "this machine's clock is 7 minutes behind the service's: set it (timedatectl set-ntp true)"
tap $? "D6 a clock that is 7 minutes behind is named in the status"
for _ in 1 2 3; do agent sync; done >/dev/null
[ "$(logged clock-wrong)" = 1 ] && grep -q "clock-wrong.*7 minutes behind" "$T/agent.log"
tap $? "D6 and in the log, once"
reported() { as boss prism host list --project lab --json | jq -e '.[0].report.clock_skew > 400 and .[0].report.clock_skew < 440' >/dev/null; }
restart
until_true 20 reported
tap $? "D6 and in the report to the service"
echo -7300 >"$T/late/skew"
until_true 20 agent_status_clock "2 hours ahead of"
tap $? "D6 another difference is said as such"
until_true 5 test "$(logged clock-wrong)" -ge 3
tap $? "D6 and logged again"
rm "$T/late/skew"
right() { agent sync >/dev/null; [ "$(logged clock-right)" = 1 ]; }
until_true 20 right
tap $? "D6 that it is right again is logged once"
agent_stop
! grep -rq s3cret "$T/agent.log" "$T/central.log"
tap $? "D6 no password of a proxy in any log"

# ---- a new enrolment -------------------------------------------------------------------------------
configure
run agent enroll --name ws1b --token "$(token)" --force --ca-file "$T/ca.crt"
[ "$status" = 0 ] && cmp -s "$T/ca.crt" "$T/h/var/lib/prism/net/ca.crt" &&
	[ -z "$err" ]
tap $? "S2.4 enrolling again with the authority's file, right clock: not a word about clocks"
tap_end
