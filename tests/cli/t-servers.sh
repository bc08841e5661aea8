#!/bin/bash
# SPDX-License-Identifier: MIT
# Which server is spoken to, how it is recognized, and what it gets to know.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
cli_home
central_start || tap_bail "prism-central does not start"
peer_start
talk() { python3 tests/cli/pty_talk.py "$@"; }
WRONG=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
# A token as anybody can write it, naming the server they like.
forge() { # URL PIN
	python3 - "$1" "$2" <<-'END'
		import base64, json, os, sys, time
		b = lambda x: base64.urlsafe_b64encode(x).rstrip(b"=").decode()
		c = {"url": sys.argv[1], "sec": b(os.urandom(32)), "exp": int(time.time()) + 3600,
		     "prj": "lab", "prn": "Lab", "rol": "member"}
		if sys.argv[2]:
		    c["pin"] = sys.argv[2]
		h = {"alg": "EdDSA", "typ": "prism-invitation"}
		print(".".join([b(json.dumps(h).encode()), b(json.dumps(c).encode()), b(os.urandom(64))]))
	END
}

run as boss prism login --server "$CENTRAL_URL" --user boss --password-file "$T/boss.password"
[ "$status" = 3 ] && has "$err" "is not trusted" && has "$err" "--pin PIN"
tap $? "D6 a certificate that nobody vouches for is refused: exit 3, and --pin is the way"
run as boss prism login --server "$CENTRAL_URL" --pin $WRONG --user boss --password-file "$T/boss.password"
[ "$status" = 3 ] && has "$err" "not the pinned one"; tap $? "D6 a wrong pin is refused: exit 3"
[ ! -e "$T/people/boss/.prism/config.json" ]; tap $? "D6 and nothing is kept of it"
run as boss prism login --server "$CENTRAL_URL" --pin short --user boss --password-file "$T/boss.password"
[ "$status" = 2 ]; tap $? "D6 a pin that is none: exit 2"
run boss_login
[ "$status" = 0 ]; tap $? "D6 the right pin lets in"
run as boss prism login --server "$CENTRAL_URL" --user boss --password-file "$T/boss.password"
[ "$status" = 0 ]; tap $? "D6 the pin is remembered"
run as boss prism login --server "sha256//x" --user boss --password-file "$T/boss.password"
[ "$status" != 0 ]; tap $? "D6 what is no address is refused"
run as boss prism login --server http://prism.example.org --user boss --password-file "$T/boss.password"
[ "$status" = 2 ] && has "$err" "plain http only works on this machine"; tap $? "D6 plain http to elsewhere is refused: exit 2"
has "$err" "http://prism.example.org is not encrypted: https is needed"; tap $? "D6 and the sentence says why"
run as cafile prism login --server "$CENTRAL_URL" --ca-file "$T/central/tls.crt" --user boss --password-file "$T/boss.password"
[ "$status" = 0 ] || has "$err" "it is for another name"; tap $? "D6 --ca-file verifies by that file"
run as plain prism login --server "$CENTRAL_PLAIN" --user boss --password-file "$T/boss.password"
[ "$status" = 0 ]; tap $? "D6 plain http to this machine works"
run as capital prism login --server "HTTP${CENTRAL_PLAIN#http}" --user boss --password-file "$T/boss.password"
[ "$status" = 0 ]; tap $? "D6 in capital letters as well"

as boss prism project create lab >/dev/null
run as boss prism project list --server "$PEER_URL"
[ "$status" = 4 ] && has "$err" "not logged in" && [ ! -s "$T/peer/requests" ]
tap $? "D6 another server gets no request with a login that it did not give"
token=$(forge "$PEER_URL" "")
run as boss prism invitation accept "$token"
[ "$status" = 2 ] && has "$err" "$PEER_URL" && has "$err" "--yes" && [ ! -s "$T/peer/requests" ]
tap $? "D6 a token for a new server sends nothing unasked: exit 2 without a terminal"
run as boss prism invitation accept "$token" --yes
[ "$status" = 1 ] && [ -s "$T/peer/requests" ]; tap $? "D6 with --yes it is asked"
! grep -qi authorization "$T/peer/requests" && ! grep -q pst_ "$T/peer/requests"
tap $? "D6 and gets no credentials of the other server"
[ "$(jq -r .current "$T/people/boss/.prism/config.json")" = "$CENTRAL_URL" ] &&
	! grep -q "$PEER_URL" "$T/people/boss/.prism/config.json"
tap $? "D6 a server that does not know its token is not kept"
run as boss prism whoami
[ "$status" = 0 ] && has "$out" "$CENTRAL_URL"; tap $? "D6 the current server stays"

run as boss prism invitation accept "$(forge "$CENTRAL_URL" $WRONG)" --yes
[ "$status" = 1 ] && has "$err" "Invitation not found"
tap $? "D6 a token's pin does not replace the one that is known"
run as new talk "x" "x" -- "$PRISM" --json invitation accept "$(forge "$PEER_URL" "")"
[ "$(grep -c lookup "$T/peer/requests")" = 1 ] && has "$out" NOBODY_TO_ASK
tap $? "D6 with --json a new server needs --yes: what is not shown is not agreed to"
run as new prism invitation accept "$(forge "$CENTRAL_URL" $WRONG)" --yes
[ "$status" = 3 ] && has "$err" "not the pinned one"; tap $? "D6 for a new server the token's pin counts"
[ ! -e "$T/people/new/.prism/ssh_keys" ]; tap $? "D6 no key is made before the server has answered"

token=$(invite alice@uni.edu lab)
run as alice prism invitation accept "$CENTRAL_URL/invite#$token" --yes
[ "$status" = 0 ]; tap $? "S1.17 the whole address is as good as the token"
token=$(invite carol@uni.edu lab)
run as carol prism invitation accept - --yes <<<"$token"
[ "$status" = 0 ] && has "$out" "Username: carol"; tap $? "S1.3 - reads the token from standard input"
run as alice prism logout --server "$PEER_URL"
run as alice prism whoami
[ "$status" = 0 ]; tap $? "D6 logging out of one server leaves the other"
printf '%s' '{"version":1,"servers":{"'"$PEER_URL"'":{"token":"pst_peer","username":"x","expires_at":""}}}' >"$T/people/carol/.prism/credentials.json"
: >"$T/peer/requests"
run as carol prism whoami --server "$PEER_URL"
[ "$status" = 1 ] && [ "$(jq -r '.headers.Authorization' "$T/peer/requests")" = "Bearer pst_peer" ]
tap $? "D6 each server gets its own token"
run as carol prism whoami
[ "$status" = 4 ]; tap $? "D6 and only its own"

mkdir -m 700 "$T/other"
cat >"$T/other.conf" <<END
[server]
url = https://prism.example.org
listen = none
listen_plain = unix:$T/other/http.sock
state_dir = $T/other
END
"$CENTRAL" -c "$T/other.conf" bootstrap --username chief --email chief@uni.edu --password-file "$T/boss.password" >/dev/null 2>&1
"$CENTRAL" -c "$T/other.conf" serve >"$T/other.log" 2>&1 &
cli_pids+=($!)
for _ in $(seq 100); do [ -S "$T/other/http.sock" ] && break; sleep 0.05; done
run as boss prism login --server "unix:$T/other/http.sock" --user chief --password-file "$T/boss.password"
[ "$status" = 0 ] && as boss prism whoami | grep -qx 'Server: *unix:.*'; tap $? "D6 an administrator reaches the service by its socket"

for c in "tls" "garbage"; do
	run as boss prism project list --server "$([ $c = tls ] && echo "${PEER_URL/http:/https:}" || echo "$PEER_URL/x/..")"
	[ "$status" = 4 ] || [ "$status" = 2 ]; tap $? "D6 a strange address ($c) gets nothing"
done
tap_end
