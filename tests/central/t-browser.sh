#!/bin/bash
# SPDX-License-Identifier: MIT
# A person at a real browser: login through a real OpenID provider, approval of a terminal's code,
# consent to the command line, and pages of others that try to use theirs. What the browser's
# console says is a result too: it tells of everything that the content security policy has refused.
set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh
out='' err='' status=''
# shellcheck source=tests/central/campus.sh
. tests/central/campus.sh
command -v chromedriver >/dev/null || tap_bail "I3.1 there is no chromedriver: make deps installs it"
cli_home
# shellcheck disable=SC2119
campus_start || tap_bail "the service with its provider does not start"

quiet() { # BROWSER TEXT: the console has said nothing
	run browser "$1" errors
	[ "$status" = 0 ] && [ -z "$out" ]
	tap $? "$2"
}
at() { # BROWSER TEXT COMMAND...
	local who=$1 text=$2
	shift 2
	run browser "$who" "$@"
	tap "$status" "$text"
}
in_database() { sqlite3 -readonly "$T/central/prism.db" "$1"; }
# prism, on a terminal of nobody's, in the background: its words are in $T/cli.out.
cli_begin() { # PERSON COMMAND...
	local person=$1
	shift
	rm -f "$T/cli.status"
	(
		as "$person" "$@" >"$T/cli.out" 2>&1
		echo $? >"$T/cli.status"
	) &
	cli_pids+=($!)
}
cli_says() { grep -qE -- "$1" "$T/cli.out"; }
cli_ended() { # PATTERN: how it came out, within ten seconds
	until_true 10 test -s "$T/cli.status"
	status=$(cat "$T/cli.status" 2>/dev/null) out=$(cat "$T/cli.out") err=''
	[ "$status" = "$1" ]
}

# ---- login through the institution ---------------------------------------------------------------

browser_start alice --pin "$CENTRAL_PIN" || tap_bail "the browser does not start"
at alice "I3.1 the first page, by itself" open "$CENTRAL_URL/" -- wait-text "Log in"
quiet alice "I3.1 and without a word on the console"
at alice "I3.2 an address of the institution's leads to its provider" open "$CENTRAL_URL/login" -- \
	type '#login' alice@example.edu -- click 'form[action="/login"] button' -- wait-url "^$OP_URL/"
at alice "I3.2 a wrong password there" set '[name=username]' alice -- type '[name=password]' wrong -- \
	click '#login' -- wait '#failed'
browser alice errors >/dev/null
run campus_login alice alice
tap "$status" "I3.2 the right one"
at alice "I3.2 leads back to us, logged in" wait-url "^$CENTRAL_URL/" -- wait-text alice
quiet alice "I3.2 nothing was refused on the way through two origins"
[ "$(in_database "SELECT username FROM users JOIN sso_identities ON user_id = users.id WHERE subject = 'sub-alice'")" = alice ]
tap $? "I3.2 her account was made, and is hers by issuer and subject"
[ "$(browser alice cookies | jq -r '[.[] | select(.name == "__Host-prism") | .httpOnly, .secure, .sameSite, .path] | join(" ")')" = "true true Lax /" ]
tap $? "I3.1 the cookie is out of reach for scripts and for other sites' forms"

# ---- the command line, by device code ------------------------------------------------------------

cli_begin alice prism login --server "$CENTRAL_URL" --pin "$CENTRAL_PIN" --device
until_true 10 cli_says 'user_code=' ; tap $? "I3.1 prism login --device shows an address"
url=$(grep -oE "$CENTRAL_URL/device\?user_code=[A-Z-]+" "$T/cli.out" | head -n 1)
code=${url##*=}
echo "${code:-no-code-was-shown}" >>"$T/secrets"
at alice "I3.1 which asks whether to approve, and shows the code to compare" open "$url" -- \
	wait-text "Approve this login?" -- wait-text "$code"
at alice "I3.1 it warns of whoever has sent the code" wait-text "Somebody who sends you this code wants to log in as you"
at alice "I3.1 she approves" click 'button[value=approve]' -- wait-text "The login is approved"
cli_ended 0; tap $? "I3.1 and the command line is logged in"
quiet alice "I3.1 nothing was refused on the approval pages"
run as alice prism whoami
[ "$status" = 0 ] && has "$out" alice; tap $? "I3.1 as alice"

cli_begin alice prism login --server "$CENTRAL_URL" --device
until_true 10 cli_says 'user_code='
code=$(grep -oE "user_code=[A-Z-]+" "$T/cli.out" | head -n 1 | cut -d= -f2)
echo "${code:-no-code-was-shown}" >>"$T/secrets"
at alice "I3.1 the code typed by hand, in small letters and without its hyphen" open "$CENTRAL_URL/device" -- \
	type '#user_code' "$(tr 'A-Z-' 'a-z ' <<<"$code")" -- click 'form[action="/device"] button' -- wait-text "Approve this login?"
at alice "I3.1 she denies" click 'button[value=deny]' -- wait-text "The login is denied"
cli_ended 0; [ "$status" != 0 ]; tap $? "I3.1 and the command line is told"
quiet alice "I3.1 nothing was refused there"

# ---- the command line, in the browser ------------------------------------------------------------

cat >"$T/opener" <<END
#!/bin/bash
exec python3 "$PWD/tests/browser/browser.py" act "$T/browser-alice" open "\$1"
END
chmod 755 "$T/opener"
cli_begin alice env DISPLAY=:77 BROWSER="$T/opener" "$PRISM" login --server "$CENTRAL_URL" --browser
at alice "I3.1 prism login opens the browser, which asks for consent" wait-text "Log in on this computer"
at alice "I3.1 she agrees, and the answer reaches the command line" click 'button[value=approve]' -- \
	wait-url '^http://127.0.0.1:[0-9]+/'
cli_ended 0; tap $? "I3.1 which is logged in"
quiet alice "I3.1 the policy allows the way to the loopback address and nothing was refused"

# ---- others' pages -------------------------------------------------------------------------------

cli_begin alice prism login --server "$CENTRAL_URL" --device
until_true 10 cli_says 'user_code='
code=$(grep -oE "user_code=[A-Z-]+" "$T/cli.out" | head -n 1 | cut -d= -f2)
echo "${code:-no-code-was-shown}" >>"$T/secrets"
mkdir "$T/evil"
for page in / /login "/device?user_code=$code"; do
	echo "<iframe src='$CENTRAL_URL$page'></iframe>"
done >"$T/evil/frame.html"
cat >"$T/evil/form.html" <<END
<form method=post action="$CENTRAL_URL/device/decide"><input name=user_code value="$code">
<input name=csrf value=""><input name=decision value=approve></form><script>document.forms[0].submit()</script>
END
port=$(free_port)
(cd "$T/evil" && exec python3 -m http.server --bind 127.0.0.1 "$port" >/dev/null 2>&1) &
cli_pids+=($!)
until_true 10 curl -fs "http://127.0.0.1:$port/frame.html" -o /dev/null
run browser alice open "http://127.0.0.1:$port/frame.html" -- errors
[ "$(grep -c "frame-ancestors 'none'\|X-Frame-Options" <<<"$out")" -ge 3 ]
tap $? "I3.1 clickjacking: the browser refuses to show our pages in another's frame"
run browser alice open "http://127.0.0.1:$port/form.html" -- wait-url "^$CENTRAL_URL/device/decide"
[ "$(in_database "SELECT state FROM device_codes ORDER BY id DESC LIMIT 1")" = pending ]
tap $? "I3.1 CSRF: another page's form approves nothing"
browser alice errors >/dev/null
at alice "I3.1 and she can still deny it herself" open "$CENTRAL_URL/device?user_code=$code" -- click 'button[value=deny]' -- \
	wait-text "The login is denied"
cli_ended 0

# ---- the end -------------------------------------------------------------------------------------

at alice "I3.1 she logs out" open "$CENTRAL_URL/" -- click 'form[action="/logout"] button' -- wait-text "Log in"
[ "$(in_database 'SELECT count(*) FROM browser_sessions WHERE revoked_at = 0')" = 0 ]
tap $? "I3.1 and no browser is logged in any more"
quiet alice "I3.1 without a word on the console"
at alice "I3.3 the page works on a telephone's screen" viewport 380 700 -- open "$CENTRAL_URL/device" -- wait '#login'
[ "$(browser alice script 'return document.documentElement.scrollWidth <= window.innerWidth')" = true ]
tap $? "I3.3 without scrolling sideways"
browser_stop alice
tap_end
