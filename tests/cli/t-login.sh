#!/bin/bash
# SPDX-License-Identifier: MIT
# prism login by way of a browser, here (authorization code, PKCE, a loopback address) and elsewhere
# (device code), against a real service.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
cli_home
# shellcheck disable=SC2119
central_start || tap_bail "prism-central does not start"
boss_login >/dev/null 2>&1 || tap_bail "boss cannot log in"

browse() { python3 tests/cli/browse.py "$1" boss boss-password-17 "$2"; }
login=(prism login --server "$CENTRAL_URL" --pin "$CENTRAL_PIN")

# until_line FILE PATTERN: the first match, waiting for it.
until_line() {
	local _ line
	for _ in $(seq 200); do
		line=$(grep -oE "$2" "$1" 2>/dev/null | head -n 1)
		[ -n "$line" ] && echo "$line" && return
		sleep 0.05
	done
	return 1
}

# start WHO ARGUMENT...: prism login of that person, in the background; then shown_url, and finish.
start() {
	local who=$1
	shift
	: >"$T/login.err"
	(as "$who" "${login[@]}" "$@" >"$T/login.out" 2>"$T/login.err"
	echo $? >"$T/login.status") &
	login_pid=$!
}
finish() {
	wait "$login_pid"
	status=$(cat "$T/login.status") out=$(cat "$T/login.out") err=$(cat "$T/login.err")
}

# ---- a browser elsewhere ----
start far --device
url=$(until_line "$T/login.err" 'https://[^ ]*user_code=[^ ]*')
code=${url##*user_code=}
[[ $code =~ ^[A-Z]{4}-[A-Z]{4}$ ]] && has "$(cat "$T/login.err")" "must show the code $code"
tap $? "I3.1 prism login --device shows an address and a code"
browse "$url" approve >"$T/page"
finish
[ "$status" = 0 ] && has "$out" "Logged In" && grep -qE "Username: +boss" <<<"$out"
tap $? "I3.1 and logs in when the browser has approved"
run as far prism whoami --json
[ "$status" = 0 ] && [ "$(jq -r .username <<<"$out")" = boss ]; tap $? "I3.1 the session is that person's"
grep -q '"token": "pst_' "$T/people/far/.prism/credentials.json"
tap $? "I3.1 and is kept as any other"
run as far prism logout
[ "$status" = 0 ]; tap $? "I3.1 and is given back by prism logout"

start far --device --json
url=$(until_line "$T/login.err" 'https://[^ ]*user_code=[^ ]*')
browse "$url" approve >"$T/page"
finish
[ "$status" = 0 ] && [ "$(jq -r .user.username <<<"$out")" = boss ]
tap $? "I3.1 with --json standard output is one document, the address stands on standard error"

start denied --device
url=$(until_line "$T/login.err" 'https://[^ ]*user_code=[^ ]*')
browse "$url" deny >"$T/page"
finish
[ "$status" = 1 ] && has "$err" "refused in the browser"
tap $? "I3.1 a login that is denied ends with 1 and says so"
[ ! -e "$T/people/denied/.prism/credentials.json" ]; tap $? "I3.1 and keeps nothing"

start late --device
url=$(until_line "$T/login.err" 'https://[^ ]*user_code=[^ ]*')
sqlite3 "$T/central/prism.db" "UPDATE device_codes SET expires_at = 1"
central_stop # answers those that wait
central_run
finish
[ "$status" = 1 ] && has "$err" "Nobody approved this login in time"
tap $? "I3.1 one that nobody approved ends with 1"

start restart --device
url=$(until_line "$T/login.err" 'https://[^ ]*user_code=[^ ]*')
central_stop
sleep 0.3
central_run
browse "$url" approve >"$T/page"
finish
[ "$status" = 0 ]; tap $? "I3.1 a service that is restarted meanwhile loses nothing"

# ---- a browser here ----
cat >"$T/browser" <<-END
	#!/bin/sh
	printf '%s' "\$1" >$T/opened
	exec python3 $PWD/tests/cli/browse.py "\$1" boss boss-password-17 "\$(cat $T/decision)" >$T/page
END
chmod +x "$T/browser"
export BROWSER=$T/browser
echo approve >"$T/decision"
start near --browser
finish
[ "$status" = 0 ] && has "$out" "Logged In"; tap $? "I3.1 prism login --browser logs in"
opened=$(cat "$T/opened")
has "$opened" code_challenge_method=S256 && has "$opened" "redirect_uri=http%3A%2F%2F127.0.0.1%3A"
tap $? "I3.1 by PKCE and an address on this machine"
until_line "$T/page" 'Go back to your terminal' >/dev/null
tap $? "I3.1 and the browser is told to go back to the terminal"
run as near prism whoami --json
[ "$status" = 0 ] && [ "$(jq -r .username <<<"$out")" = boss ]; tap $? "I3.1 the session is that person's"

echo deny >"$T/decision"
start denied --browser
finish
[ "$status" = 1 ] && has "$err" "refused in the browser"; tap $? "I3.1 a login denied in the browser ends with 1"

# shellcheck disable=SC2016 # that shell's own argument
printf '#!/bin/sh\nprintf %%s "$1" >%s\n' "$T/opened" >"$T/browser"
start near --browser
until_line "$T/opened" 'state=[^&]*' >/dev/null
port=$(until_line "$T/login.err" '127.0.0.1%3A[0-9]+')
port=${port##*%3A}
stranger=$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/callback?code=mine&state=guessed")
[ "$stranger" = 400 ]; tap $? "I3.1 an answer that nobody asked for is refused"
state=$(grep -oE 'state=[^&]*' "$T/login.err" | head -n 1)
iss=$(jq -rn --arg u https://evil.example '$u|@uri')
curl -s -o /dev/null "http://127.0.0.1:$port/callback?code=mine&$state&iss=$iss"
finish
[ "$status" = 1 ] && has "$err" "did not come from"; tap $? "I3.1 and so is one of another issuer (RFC 9207)"

unset BROWSER
export DISPLAY='' WAYLAND_DISPLAY=''
run as third python3 tests/cli/pty_talk.py "Username (empty" "" "Waiting for the browser" ^C -- "$PRISM" login \
	--server "$CENTRAL_URL" --pin "$CENTRAL_PIN"
has "$out" "must show the code"; tap $? "I3.1 without a display, an empty username means the device code"
run prism login --device --key --server "$CENTRAL_URL"
[ "$status" = 2 ] && has "$err" "exclude each other"; tap $? "I3.1 ways that exclude each other are refused"

! grep -qE 'pst_[A-Za-z0-9_-]{20}' "$T/central.log" "$T/login.err"
tap $? "I3 no token stands in a log"
tap_end
