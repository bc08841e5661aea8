#!/bin/bash
# SPDX-License-Identifier: MIT
# Several tabs of a real browser, through an OpenID and a SAML provider; sites that would log its
# person in as somebody else, from an origin of their own. t-oidc-tabs.sh has every case, with curl.
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

saml_connect() { # the institution "papers", whose provider speaks SAML
	saml_start papers --domain papers.example || return 1
	curl -sS --noproxy '*' "$SAML_METADATA" >"$T/idp.xml"
	{
		echo "-----BEGIN CERTIFICATE-----"
		grep -o 'X509Certificate>[^<]*' "$T/idp.xml" | head -n 1 | cut -d'>' -f2 | fold -w 64
		echo "-----END CERTIFICATE-----"
	} >"$T/idp.pem"
	as boss prism sso add papers --type saml --name "Papers University" --issuer "$SAML_METADATA" \
		--entry-point "$SAML_URL/sso" --certificate-file "$T/idp.pem" --auto-provision yes &&
		as boss prism sso edit papers --enabled yes &&
		idp_admin "$SAML_ADMIN" PUT /services/ "$(as boss prism sso metadata papers | jq -Rs '{metadata: .}')"
}
central_stop
echo "saml_helper = $B/prism-saml" >>"$T/central.conf"
central_run || tap_bail "the service does not start again"
saml_connect >"$T/saml.log" 2>&1 || { sed 's/^/# /' "$T/saml.log"; tap_bail "there is no SAML provider"; }

at() { # TEXT COMMAND...: of the browser
	local text=$1
	shift
	run browser ann "$@"
	tap "$status" "$text"
}
quiet() { # TEXT
	run browser ann errors
	[ "$status" = 0 ] && [ -z "$out" ]
	tap $? "$1"
}
in_database() { sqlite3 -readonly "$T/central/prism.db" "$1"; }
attempts() { in_database 'SELECT count(*) FROM sso_attempts'; }
fill() { campus_login ann "$1"; } # both providers have the same page
says() { grep -qE -- "$2" "$T/$1.out"; }
# A command line that waits for a browser's yes: $url, $code.
device_begin() { # PERSON
	local person=$1
	(
		as "$person" prism login --server "$CENTRAL_URL" --pin "$CENTRAL_PIN" --device >"$T/$person.out" 2>&1
		echo $? >"$T/$person.status"
	) &
	cli_pids+=($!)
	until_true 20 says "$person" 'user_code='
	url=$(grep -oE "$CENTRAL_URL/device\?user_code=[A-Z-]+" "$T/$person.out" | head -n 1)
	code=${url##*=}
	echo "${code:-no-code-was-shown}" >>"$T/secrets"
}
device_ended() { # PERSON
	until_true 20 test -s "$T/$1.status"
	[ "$(cat "$T/$1.status" 2>/dev/null)" = 0 ]
}

# ---- two codes, two tabs, one person ---------------------------------------------------------------

browser_start ann --pin "$CENTRAL_PIN" || tap_bail "the browser does not start"
device_begin one; first=$url first_code=$code
device_begin two; second=$url second_code=$code
at "I3.1 two codes are opened in two tabs, where nobody is logged in" tab first -- open "$first" -- wait '#login' -- \
	tab second -- open "$second" -- wait '#login' -- tab third -- open "$CENTRAL_URL/login?return=%2Fdevice" -- wait '#login'
for tab in first second; do
	at "I3.2 and lead to the provider, the $tab" tab "$tab" -- type '#login' bob@example.edu -- \
		click 'form[action="/login"] button' -- wait-url "^$OP_URL/" -- wait '#login'
done
fill bob
at "I3.2 the second ends: its code is shown, and approved" wait-text "$second_code" -- click 'button[value=approve]' -- \
	wait-text "The login is approved"
device_ended two; tap $? "I3.1 one command line goes on"
browser ann tab first
fill bob
at "I3.2 then the first ends as well: its code is shown, and approved" wait-text "$first_code" -- \
	click 'button[value=approve]' -- wait-text "The login is approved"
device_ended one; tap $? "I3.1 and the other command line"
at "I3.1 the login page of a third tab leads on to its page, for they are logged in" tab third -- \
	type '#login' bob@example.edu -- click 'form[action="/login"] button' -- wait-url "^$CENTRAL_URL/device$" -- wait-text bob
quiet "I3.2 and nothing was refused on all these ways"

# ---- the same through SAML ---------------------------------------------------------------------------

browser ann forget -- tab first
for tab in first second; do
	at "I3.2 SAML: a login is begun in the $tab tab" tab "$tab" -- \
		open "$CENTRAL_URL/login?connection=papers&return=%2F${tab/first/device}" -- click 'nav a' -- wait-url "^$SAML_URL/" -- wait '#login'
done
fill chen
at "I3.2 SAML: the second ends" wait-url "^$CENTRAL_URL/second$"
browser ann tab first
fill chen
at "I3.2 SAML: and the first" wait-url "^$CENTRAL_URL/device$" -- wait-text chen
browser ann tab second -- errors >/dev/null # there is no page /second
[ "$(in_database "SELECT count(*) FROM audit WHERE action = 'sso.refused'")" = 0 ]
tap $? "I3.2 no login was refused so far"

# ---- begun by another site ---------------------------------------------------------------------------

mkdir "$T/evil"
start="$CENTRAL_URL/sso/campus/start?return=%2Fdevice"
evil() { echo "<link rel=icon href='data:,'>$2" >"$T/evil/$1.html"; } # PAGE HTML
evil script "<meta name=referrer content=no-referrer><script>location = '$start'</script>"
evil refresh "<meta http-equiv=refresh content='0; url=$start'>"
evil link "<a href='$start'>Free coffee</a>"
evil login "<script>location = '$CENTRAL_URL/login?return=%2Fsso%2Fcampus%2Fstart'</script>"
evil form "<form method=post action='$CENTRAL_URL/sso/campus/start'><input name=return value=/></form>
<script>document.forms[0].submit()</script>"
install -m 644 /dev/null "$T/evil/favicon.ico" # asked for all the same, when a page goes before it is read
port=$(free_port)
(cd "$T/evil" && exec python3 -m http.server --bind 127.0.0.1 "$port" >/dev/null 2>&1) &
cli_pids+=($!)
evil=http://localhost:$port
until_true 10 curl -fs "$evil/link.html" -o /dev/null

# The provider knows this browser, and would let it pass without a question.
browser ann forget -- tab first
at "I3.2 the address typed by hand leads to the provider at once" open "$start" -- wait-url "^$OP_URL/" -- wait '#login'
fill bob
at "I3.2 and back, logged in" wait-url "^$CENTRAL_URL/device$" -- wait-text bob
at "I3.1 they log out" click 'form[action="/logout"] button' -- wait 'main a[href="/login"]'
before=$(attempts)
for page in script refresh; do
	at "I3.2 another site's $page begins no login: a page names the institution" open "$evil/$page.html" -- \
		wait-text "Log in through this institution?" -- wait-text "Example University" -- wait-text "$OP_URL"
done
at "I3.2 nor does its link" open "$evil/link.html" -- click a -- wait-text "Log in through this institution?"
[ "$(attempts)" = "$before" ]; tap $? "I3.2 and nothing is begun by the page"
quiet "I3.2 which breaks no rule of its own"
at "I3.2 nor does its form" open "$evil/form.html" -- wait-text "This form is out of date"
browser ann errors >/dev/null
[ "$(attempts)" = "$before" ]; tap $? "I3.2 nothing"
at "I3.2 the page's button goes on to the provider and back" open "$evil/link.html" -- click a -- click 'main form button' -- \
	wait-url "^$CENTRAL_URL/device$" -- wait-text bob
at "I3.2 nor does a way round by our login page, for who is logged in" open "$evil/login.html" -- \
	wait-text "Log in through this institution?" -- wait-text "You are logged in here already, as bob"
at "I3.2 a link of ours leads through the provider without a question" open "$CENTRAL_URL/" -- \
	click 'main li a[href^="/sso/campus/start"]' -- wait-url "^$OP_URL/" -- wait '#login'
fill bob
at "I3.2 and back" wait-text "You are logged in as bob"
quiet "I3.2 nothing was refused on the way"

# ---- another person ----------------------------------------------------------------------------------

at "I3.1 somebody else logs in, by password; the provider still knows bob" click 'form[action="/logout"] button' -- \
	click 'main a[href="/login"]' -- type '#login' boss -- click 'form[action="/login"] button' -- \
	type '#password' boss-password-17 -- click 'main form button' -- wait-text "You are logged in as boss"
at "I3.2 the provider's word does not take the browser from them: a page tells who is who" open "$start" -- \
	wait-text "In this browser you are logged in as boss; to Example University you are bob."
at "I3.2 they stay, and go on" click 'main a.button' -- wait-url "^$CENTRAL_URL/device$" -- wait-text boss
at "I3.2 or log out, and in again as the other" open "$start" -- click 'main form button' -- \
	wait-url "^$CENTRAL_URL/device$" -- wait-text bob
quiet "I3.2 nothing was refused on the way"
browser_stop ann
tap_end
