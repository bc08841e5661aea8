#!/bin/bash
# SPDX-License-Identifier: MIT
# Several logins in one browser, curl being it: begun in several tabs they all come to an end, and
# nobody is logged in as somebody else unawares (login CSRF). t-browser.sh has the same with a real one.
set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh
# shellcheck source=tests/central/evil.sh
. tests/central/evil.sh
out='' err='' status=''
cli_home
command -v sqlite3 >/dev/null || tap_bail "sqlite3 is not installed"
evil_start || tap_bail "the service and its provider do not start"
boss_token
connect uni
connect second
is() { [ "$1" = "$2" ] || echo "# got '$1', not '$2'"; [ "$1" = "$2" ]; tap $? "$3"; }
person() { evil "" "{\"fault\": \"\", \"sub\": \"sub-$1\", \"claims\": {\"preferred_username\": \"$1\"}}" >/dev/null; }
attempts() { db 'SELECT count(*) FROM sso_attempts'; }
logged_in() { db 'SELECT count(*) FROM browser_sessions WHERE revoked_at = 0'; }
field() { grep -qF "<input type=\"hidden\" name=\"$1\" value=\"$2\">" <<<"$out"; }
refreshed() { sed -n 's/^[Rr]efresh: 0; url=\(.*\)\r$/\1/p' "$T/head"; }

# ---- two tabs --------------------------------------------------------------------------------------

person ann
begin tabs uni return=/device%3Fuser_code%3DFIRST; first=$back
begin tabs second return=/; other=$back
begin tabs uni return=/device%3Fuser_code%3DSECOND; second=$back
cp "$T/jar.tabs" "$T/jar.before"
b tabs "$second"
is "$status $location" "303 /device?user_code=SECOND" "I3.2 of logins begun in several tabs, one ends"
is "$(who tabs)" ann "I3.2 and logs the browser in"
begin tabs uni return=/login; third=$back
b tabs "$first"
is "$status $location" "303 /device?user_code=FIRST" "I3.2 the one begun before it ends as well, where it was meant for"
is "$(who tabs) $(logged_in)" "ann 1" "I3.2 the same person is logged in, once"
b tabs "$third"
is "$status $location" "303 /login" "I3.2 so does one begun between the two"
b tabs "$first"
is "$status $(fault)" "403 sso.refused state" "I3.2 each is good once"
awk '$6 == "__Host-prism"' "$T/jar.tabs" >"$T/jar.session"
awk '$6 == "__Host-prism-login"' "$T/jar.tabs" >"$T/jar.begun"
[ -s "$T/jar.session" ] && [ -s "$T/jar.begun" ]; tap $? "I3.1 the browser has a cookie for its login, and one for those it has begun"
begin tabs uni; again=$back
b session "$again"
is "$status $(fault)" "403 sso.refused state" "I3.2 the cookie of who is logged in does not end a login that was begun"
b stranger /; b stranger "$again"
is "$status $(fault)" "403 sso.refused state" "I3.2 nor does another browser"
b begun /; ! has "$out" "You are logged in as"; tap $? "I3.1 the other one does not say who is logged in"
b tabs "$again"
is "$status $(who tabs)" "303 ann" "I3.2 both together do"
[ "$(awk '$6 == "__Host-prism-login" { print $7 }' "$T/jar.before")" = "$(awk '$6 == "__Host-prism-login" { print $7 }' "$T/jar.tabs")" ] &&
	[ "$(awk '$6 == "__Host-prism" { print $7 }' "$T/jar.before")" != "$(awk '$6 == "__Host-prism" { print $7 }' "$T/jar.tabs")" ]
tap $? "I3.1 logging in gives the first another value, and leaves the second"
begin tabs uni; late=$back
b tabs /; b tabs /logout --data-urlencode "csrf=$(form_field csrf)"
[ "$(awk '$6 == "__Host-prism-login" { print $7 }' "$T/jar.before")" != "$(awk '$6 == "__Host-prism-login" { print $7 }' "$T/jar.tabs")" ]
tap $? "I3.1 logging out gives the second another value too"
b tabs "$late"
is "$status $(fault) $(who tabs)" "403 sso.refused state " "I3.2 what was begun before a logout logs nobody in after it"

# ---- forms that stand in other tabs ------------------------------------------------------------------

b forms "/login?return=/device%3Fuser_code%3DWDJB-MJHT"
stale=$(form_field csrf)
form() { # PATH [FIELD=VALUE...]: as the page that has become stale would send it
	local path=$1 fields=()
	shift
	for f in "csrf=$stale" "$@"; do fields+=(--data-urlencode "$f"); done
	b forms "$path" -H "Origin: $CENTRAL_URL" "${fields[@]}"
}
login forms uni
form /login login=ann@uni.edu return=/device?user_code=WDJB-MJHT
is "$status $location" "303 /login?return=%2Fdevice%3Fuser_code%3DWDJB-MJHT&hint=ann%40uni.edu" \
	"I3.1 a login page of another tab leads to itself"
b forms "$location"
is "$status $location" "303 /device?user_code=WDJB-MJHT" "I3.1 and, the browser being logged in, to where it was meant for"
form /login login=ann password=secret-passphrase-1 return=/
is "$status $location" "303 /login?return=%2F&hint=ann" "I3.1 a password that was typed there is not passed on"
form /device user_code=WDJB-MJHT
is "$status $location" "303 /device?user_code=WDJB-MJHT" "I3.1 a code that was typed in another tab is looked at"
form /device/decide user_code=WDJB-MJHT decision=approve
[ "$status" = 403 ] && has "$(shown)" "Nothing was changed" && has "$out" 'href="/device?user_code=WDJB-MJHT">Show the page again'
tap $? "I3.1 an answer given in another tab does nothing, and leads to its page"
form /oauth2/authorize response_type=code client_id=prism-cli redirect_uri=http://127.0.0.1:1/callback code_challenge=x \
	code_challenge_method=S256 state=y decision=approve
[ "$status" = 403 ] && has "$out" 'href="/oauth2/authorize?response_type=code&amp;client_id=prism-cli&amp;redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback&amp;code_challenge=x&amp;code_challenge_method=S256&amp;state=y"'
tap $? "I3.1 so does a consent given in another tab"
form /logout
[ "$status" = 403 ] && ! has "$out" "Show the page again" && [ "$(who forms)" = ann ]; tap $? "I3.1 a logout of another tab logs nobody out"
for from_site in cross-site same-site none; do
	site=$from_site form /login login=ann return=/device
	is "$status" 403 "I3.1 such a form of another page ($from_site) leads nowhere"
done
b forms /login -H 'Origin: https://evil.test' -d "csrf=$stale&login=ann"
is "$status" 403 "I3.1 nor does one of another origin"

# ---- begun by another site ---------------------------------------------------------------------------

b led /
before=$(attempts)
while read -r came referer text; do
	[ "$came" != - ] || came=''
	args=()
	[ "$referer" = - ] || args=(-H "Referer: ${referer/OURS/$CENTRAL_URL}")
	elsewhere
	site=$came b led "/sso/uni/start?return=/device&fresh=1" "${args[@]}"
	[ "$status" = 200 ] && has "$(shown)" "Log in through this institution?" && [ -z "$(refreshed)" ] && [ "$(attempts)" = "$before" ]
	tap $? "I3.2 nobody is sent to a provider by $text"
done <<'LIST'
cross-site - another site
cross-site OURS/ another site, whatever the referer says
same-site - a neighbour
- - whoever hides, where the browser does not say
- https://evil.test/ another site, where the browser does not say
- OURS.evil.test/ a site whose name begins like ours
- OURS@evil.test/ a site with our name before it
LIST
out=$(shown)
has "$out" "Evil &lt;b&gt;University&lt;/b&gt;" && has "$out" "default" && has "$out" "$OP"
tap $? "I3.2 the page names the institution, its organization and its login"
! has "$out" "You are logged in"; tap $? "I3.2 and nobody, where nobody is logged in"
while read -r came referer text; do
	[ "$came" != - ] || came=''
	args=()
	[ "$referer" = - ] || args=(-H "Referer: ${referer/OURS/$CENTRAL_URL}")
	elsewhere
	site=$came b itself "/sso/uni/start?return=/device" "${args[@]}"
	[ "$status" = 303 ] && [[ $location == "$OP/authorize?"* ]]; tap $? "I3.2 $text is sent on at once"
done <<'LIST'
none - whoever typed the address, or has a program open it,
same-origin OURS/login whoever comes from a page of ours
- OURS/login whoever comes from a page of ours, where the browser does not say,
LIST
site=cross-site b led "/sso/uni/start?return=/device&fresh=1"
field return /device && field fresh 1 && ! field link ''; tap $? "I3.2 what was asked for goes along with the button"
before=$(attempts)
b led /sso/uni/start -d "csrf=x&return=/device"
is "$status $(attempts)" "403 $before" "I3.2 a form that is not ours begins nothing"
site=cross-site b led "/sso/uni/start?return=/device&fresh=1"
b led /sso/uni/start --data-urlencode "csrf=$(form_field csrf)" -d "return=/device&fresh=1"
there=$(refreshed)
[ "$status" = 200 ] && [[ $there == "$OP/authorize?"*"prompt=login"* ]] && ! has "$(cat "$T/head")" Location
tap $? "I3.2 the button leads to the provider, by a page, since a form's redirect may not"
at led "$there"; b led "${location#"$CENTRAL_URL"}"
is "$status $location $(who led)" "303 /device ann" "I3.2 and the login ends where it was meant for"
site=cross-site b led /sso/uni/start; has "$(shown)" "You are logged in here already, as ann"
tap $? "I3.2 who is logged in already is told so"
site=cross-site b led /sso/nobody/start
is "$status" 404 "I3.2 of a connection that is not there nothing is shown"
api POST /users '{"username": "bob", "email": "bob@uni.edu", "name": "Bob", "password": "bob likes tea a lot"}'
boss=$token token=
api POST /sessions '{"login": "bob", "password": "bob likes tea a lot"}'
token=$(get .token)
api POST /me/identities '{"connection": "uni"}'
link=$(get .url) token=$boss
site=cross-site b bob "${link#"$CENTRAL_URL"}"
field link "${link#*link=}" && [ "$(db 'SELECT count(*) FROM sso_link_tickets')" = 1 ]
tap $? "I3.2 an address for linking an account is not used up by the page"
person bob-at-uni
b bob /sso/uni/start --data-urlencode "csrf=$(form_field csrf)" --data-urlencode "link=${link#*link=}"
at bob "$(refreshed)"; b bob "${location#"$CENTRAL_URL"}"
has "$(shown)" "to the Prism account bob ?"; tap $? "I3.2 and goes on by its button"

# ---- another person ----------------------------------------------------------------------------------

person ann
login both uni
is "$(who both)" ann "I3.2 somebody is logged in"
people=$(db 'SELECT count(*) FROM users') ids=$(db 'SELECT count(*) FROM sso_identities') open=$(logged_in)
person mallory
login both uni return=/device
[ "$status" = 200 ] && has "$(shown)" "you are logged in as ann ; to Evil &lt;b&gt;University&lt;/b&gt; you are mallory , who is new here"
tap $? "I3.2 a provider that names another person logs nobody in, and a page says so"
page=$out
is "$(who both) $(db 'SELECT count(*) FROM users') $(db 'SELECT count(*) FROM sso_identities') $(logged_in)" "ann $people $ids $open" \
	"I3.2 who was logged in stays so, and nothing is made or ended"
is "$(db "SELECT actor || ' ' || action || ' ' || json_extract(detail, '\$.fault') || ' ' || json_extract(detail, '\$.detail') FROM audit ORDER BY seq DESC LIMIT 1")" \
	"user:ann sso.refused other_logged_in mallory" "I3.2 the audit log tells of it"
has "$page" 'href="/device">Stay ann'; tap $? "I3.2 they may stay who they are, and go on"
out=$page
b both /logout --data-urlencode "csrf=$(form_field csrf)" --data-urlencode "return=$(form_field return)"
is "$(refreshed)" "/sso/uni/start?return=%2Fdevice" "I3.2 or log out and in again as the other"
b both "$(refreshed)"; at both "$location"; b both "${location#"$CENTRAL_URL"}"
is "$status $location $(who both)" "303 /device mallory" "I3.2 which ends where it was meant for"
login both uni
is "$status $(who both)" "303 mallory" "I3.2 the same person again is not asked"
person ann
login both second "return=/$(printf 'a%.0s' $(seq 1020))"
out=$(grep -o 'name="return" value="[^"]*"' <<<"$out")
is "$out" 'name="return" value="/sso/second/start"' "I3.2 an address that is too long to go along is left out"
token=$boss
api POST /sessions '{"login": "bob", "password": "bob likes tea a lot"}'
token=$(get .token)
api POST /me/identities '{"connection": "second"}'
link=$(get .url) token=$boss
person bob-at-second
elsewhere
b both "${link#"$CENTRAL_URL"}"; at both "$location"; b both "${location#"$CENTRAL_URL"}"
has "$(shown)" "You are logged in here as mallory , and will be as bob then."
tap $? "I3.2 who links a login to another account is told before"
b both /sso/second/link --data-urlencode "csrf=$(form_field csrf)" --data-urlencode "state=$(form_field state)"
is "$status $(who both)" "303 bob" "I3.2 and is not asked again"
! grep -qE 'pb[sl]_|eyJ' "$T/central.log"; tap $? "STYLE 18 no cookie and no token is in the log"
central_stop; tap $? "I3 the service ends in good order"
tap_end
