#!/bin/bash
# SPDX-License-Identifier: MIT
# Pages over HTTPS: what curl sees on the wire, and what a real browser makes of them, with another
# site that would like to use its login.
set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh
# shellcheck source=tests/browser/lib.sh
. tests/browser/lib.sh
out='' err=''
command -v chromedriver >/dev/null || tap_bail "I3.1 there is no chromedriver: make deps installs it"
cli_home
# shellcheck disable=SC2119
central_start || tap_bail "prism-central does not start"
is() { [ "$1" = "$2" ] || echo "# got '$1', not '$2'"; [ "$1" = "$2" ]; tap $? "$3"; }

jar=$T/jar csrf=
# page METHOD PATH [CURL OPTION...]: $status, $out the body, $T/head its headers; keeps cookies
page() {
	local method=$1 path=$2
	shift 2
	status=$(curl -sk --pinnedpubkey "sha256//$CENTRAL_PIN" -o "$T/out" -D "$T/head" -w '%{http_code}' \
		-H 'Accept: text/html' -b "$jar" -c "$jar" -X "$method" "$@" "$CENTRAL_URL$path")
	out=$(cat "$T/out")
	local field
	field=$(grep -o 'name="csrf" value="[^"]*' "$T/out" | head -n1 | cut -d'"' -f4)
	csrf=${field:-$csrf}
}
form() { # PATH [FIELD=VALUE...]
	local path=$1 args=()
	shift
	for field in "$@"; do args+=(--data-urlencode "$field"); done
	page POST "$path" --data-urlencode "csrf=$csrf" "${args[@]}"
}
header() { tr -d '\r' <"$T/head" | sed -n "s/^$1: //Ip"; }
cookie() { awk '$6 == "__Host-prism" { print $7 }' "$jar"; }
log_in() { # NAME PASSWORD
	page GET /login
	form /login "login=$1" "password=$2"
}
logged_in() {
	page GET /
	has "$out" "You are logged in as"
}
wants_page() { # TEST: the last answer is a page, with all that keeps it safe
	local bad=0
	[ "$(header Content-Type)" = "text/html; charset=utf-8" ] || bad=1
	has "$(header Content-Security-Policy)" "default-src 'none'; style-src 'self'" || bad=2
	has "$(header Content-Security-Policy)" "frame-ancestors 'none'" || bad=3
	[ "$(header X-Frame-Options)" = DENY ] || bad=4
	[ "$(header X-Content-Type-Options)" = nosniff ] || bad=5
	[ "$(header Referrer-Policy)" = same-origin ] || bad=6
	[ "$(header Cache-Control)" = no-store ] || bad=7
	[ "$(header Cross-Origin-Opener-Policy)" = same-origin ] || bad=8
	[ "$(header Strict-Transport-Security)" = max-age=31536000 ] || bad=9
	[ -z "$(header WWW-Authenticate)" ] || bad=10
	has "$out" "<!doctype html>" || bad=11
	! has "$out" "<script" || bad=12
	[ "$bad" = 0 ] || echo "# what is missing: $bad"
	return "$bad"
}

# ---- curl --------------------------------------------------------------------------------------

page GET /login
wants_page && [ "$status" = 200 ]
tap $? "I3.1 the login page cannot be framed, runs no script, is kept nowhere"
value='[A-Za-z0-9_-]{43}; Path=/; HttpOnly; SameSite=Lax; Secure'
[[ $(header Set-Cookie) =~ ^__Host-prism=pbs_$value$'\n'__Host-prism-login=pbl_$value$ ]]
tap $? "I3.1 the cookies are HttpOnly, Secure, SameSite, of this host alone and of this session"
for path in / /nothing/at/all; do
	page GET "$path"
	wants_page
	tap $? "I3.1 and so it is with $path ($status)"
done
style=$(grep -o '/assets/[^"]*' <<<"$out")
page GET "$style"
[ "$status" = 200 ] && [ "$(header Content-Type)" = "text/css; charset=utf-8" ] &&
	has "$(header Cache-Control)" immutable && [ -z "$(header Set-Cookie)" ]
tap $? "I3.1 the style sheet may be kept"

before=$(cookie)
log_in boss boss-password-18
wants_page && [ "$status" = 403 ] && has "$out" 'role="alert"'
tap $? "I3.1 a wrong password is told on the page"
is "$(cookie)" "$before" "I3.1 and changes nothing"
log_in boss boss-password-17
[ "$status" = 303 ] && [ "$(header Location)" = / ] && [ "$(cookie)" != "$before" ]
tap $? "I3.1 the right one gives the browser another value"
logged_in && wants_page
tap $? "I3.1 and the first page knows who it is"

# refused NAME [CURL OPTION...]: a form that is not ours
refused() {
	local name=$1
	shift
	page POST /logout "$@"
	[ "$status" = 403 ] && wants_page && [ -z "$(header Set-Cookie)" ] && logged_in
	tap $? "I3.1 refused, and nothing changed: $name"
}
good=$csrf
refused "a form without its field" -d a=b
refused "a form with a guessed field" -d csrf="$(tr 'A-Za-z' 'B-ZAb-za' <<<"$good")"
refused "a form of another origin" -d "csrf=$good" -H 'Origin: https://evil.test'
refused "a form of an origin that hides" -d "csrf=$good" -H 'Origin: null'
refused "a form of another site" -d "csrf=$good" -H 'Sec-Fetch-Site: cross-site'
refused "a form of a neighbour" -d "csrf=$good" -H 'Sec-Fetch-Site: same-site'
refused "JSON instead of a form" -H 'Content-Type: application/json' -d "{\"csrf\":\"$good\"}"
refused "a field in the address" -G -d "csrf=$good" -X POST -H 'Content-Length: 0'
page POST /logout -F "csrf=$good"
[ "$status" = 400 ] && logged_in
tap $? "I3.1 refused: a form of another kind"
page GET / -H "Cookie: __Host-prism=$before" -H "Cookie: __Host-prism=$before"
is "$status" 400 "I3.1 there is one Cookie header"

value=$(cookie)
status=$(curl -sk -o /dev/null -w '%{http_code}' -b "$jar" "$CENTRAL_URL/api/v1/me")
is "$status" 401 "I3.1 the cookie opens nothing of the API"
status=$(curl -sk -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $value" "$CENTRAL_URL/api/v1/me")
is "$status" 401 "I3.1 nor does its value as a token"
token=$(curl -sk -H 'Content-Type: application/json' -d '{"login":"boss","password":"boss-password-17"}' \
	"$CENTRAL_URL/api/v1/sessions" | jq -r .token)
mv "$jar" "$T/jar.boss"
page GET / -H "Authorization: Bearer $token"
[ "$status" = 200 ] && ! has "$out" "You are logged in as"
tap $? "I3.1 a token opens no page"

api() { # METHOD PATH JSON, as boss
	curl -sk -o "$T/api" -w '%{http_code}' -X "$1" -H "Authorization: Bearer $token" \
		-H 'Content-Type: application/json' -d "$3" "$CENTRAL_URL/api/v1$2"
}
api POST /users '{"username":"ann","email":"ann@uni.edu","name":"<script>alert(1)</script>","password":"ann likes tea a lot"}' >/dev/null
rm -f "$jar"
log_in ann@uni.edu "ann likes tea a lot"
logged_in && has "$out" "&lt;script&gt;alert(1)&lt;/script&gt;" && ! has "$out" "<script"
tap $? "I3.1 a name with a script in it is shown, not run"
is "$(api POST /users/ann/suspend '')" 200 "L4.11 a suspension"
logged_in
is $? 1 "L4.11 ends the browser's login at once"
log_in ann "ann likes tea a lot"
[ "$status" = 403 ] && wants_page && has "$out" suspended
tap $? "L4.11 which cannot be had again"

for evil in //evil.test '/\evil.test' https://evil.test 'https:evil.test' 'javascript:alert(1)' '/%09/evil.test'; do
	rm -f "$jar"
	page GET /login
	form /login login=boss password=boss-password-17 "return=$evil"
	[ "$status" = 303 ] && [[ $(header Location) =~ ^/[^/\\]*$ || $(header Location) = "/%09/evil.test" ]]
	tap $? "I3.1 nobody is sent to $evil"
done
page GET "/login?return=/%0d%0aSet-Cookie:%20a=b"
[ "$status" = 400 ] && [ -z "$(header Set-Cookie)" ]
tap $? "I3.1 nor does a line break pass"

rm -f "$jar"
page GET /login
codes=$(for i in $(seq 40); do
	form /login login=ann "password=not the right one $i"
	echo "$status"
done | sort | uniq -c | tr -s ' \n' ' ')
[[ $codes =~ ^\ ?([0-9]+)\ 403\ ([0-9]+)\ 429 ]] && [ "${BASH_REMATCH[2]}" -ge 20 ]
tap $? "I3.1 whoever goes on guessing at the form is refused:$codes"
for _ in $(seq 40); do # one more may have become free meanwhile
	form /login login=ann password=x
	[ "$status" != 429 ] || break
done
[ "$(header Retry-After)" -gt 0 ] && wants_page
tap $? "I3.1 and told how long to wait"
grep -q 'login_refused.*peer="127.0.0.1"' "$T/central.log"
tap $? "I3.1 the log tells of it"

mv "$T/jar.boss" "$jar"
logged_in
tap $? "I3.1 whoever is logged in stays so meanwhile"
value=$(cookie)
form /logout
[ "$status" = 303 ] && [ "$(cookie)" != "$value" ]
tap $? "I3.1 logging out gives another value again"
page GET / -b "__Host-prism=$value"
! has "$out" "You are logged in as"
tap $? "I3.1 and the old one is nobody's"
! grep -qE "pb[sl]_|$good|boss-password" "$T/central.log"
tap $? "STYLE 18 no cookie, form field or password is in the log"

# ---- a browser ---------------------------------------------------------------------------------

mkdir "$T/evil"
cat >"$T/evil/index.html" <<END
<!doctype html><title>evil</title><form method="post" action="$CENTRAL_URL/logout"><input name="csrf" value="$good"><button>Win</button></form>
<iframe src="$CENTRAL_URL/login"></iframe>
END
evil_port=$(free_port)
python3 -m http.server --bind 127.0.0.1 --directory "$T/evil" "$evil_port" >"$T/evil.log" 2>&1 &
cli_pids+=($!)
# The guesses above count against this address: another service has forgotten them.
central_stop
central_run || tap_bail "prism-central does not start again"
browser_start chief --pin "$CENTRAL_PIN" || tap_bail "no browser"
browser chief viewport 390 844 -- open "$CENTRAL_URL/" -- click 'main a[href="/login"]' -- type '#login' boss -- \
	click 'main button' -- type '#password' boss-password-17 -- click 'main button' -- wait .facts -- \
	wait-text "The Boss" >"$T/steps" 2>&1
tap $? "I3.1 a person logs in in a browser on a telephone"
out=$(browser chief errors)
is "$out" "" "I3.1 whose pages break no rule of their own"
[ "$(browser chief script 'return document.documentElement.scrollWidth <= window.innerWidth')" = true ]
tap $? "I3.1 and are no wider than its screen"
[ "$(browser chief script 'return document.cookie')" = "" ]
tap $? "I3.1 no script would see the cookie"
host_code() { # LETTERS ORIGIN: a host with a long name, of a project of boss's, and its code for boss
	local now hash
	now=$(date +%s)
	hash=$(printf %s "$1" | sha256sum | cut -d' ' -f1)
	sqlite3 -cmd ".timeout 5000" "$T/central/prism.db" <<-END
				INSERT INTO projects (id, organization_id, slug, name, state, contact, gid_rw, gid_ro, created_by, created_at)
			SELECT 901, o.id, 'fold', 'Fold', 'active', '', 990001, 990002, u.id, 1 FROM organizations o, users u WHERE u.username = 'boss' LIMIT 1;
		INSERT INTO memberships (id, project_id, user_id, role_id, state, joined_at, joined_via)
			SELECT 902, 901, u.id, r.id, 'active', 1, 'created' FROM users u, roles r WHERE u.username = 'boss' AND r.slug = 'owner' AND r.scope = 'project';
		INSERT INTO hosts (id, organization_id, name, public_key, hostname, address, ssh_host_keys, state, manifest, enrolled_at, last_seen)
			SELECT 903, organization_id, 'gpu-1.example.edu', 'k', '', '', '[]', 'enrolled', 1, 1, 1 FROM projects WHERE id = 901;
		INSERT INTO host_projects VALUES (903, 901);
		INSERT INTO device_codes (id, device_hash, user_hash, host_id, user_id, username, service, origin, nonce, state, interval_s, created_at, expires_at)
			SELECT 904, 'd', '$hash', 903, id, 'boss', 'sshd', '$2', '$(printf 'ab%.0s' $(seq 32))', 'pending', 5, $now, $now + 600 FROM users WHERE username = 'boss';
	END
}

host_code WDJBMJHT 2001:db8:1234:5678:9abc:def0:1234:5678
browser chief viewport 390 844 -- open "$CENTRAL_URL/device?user_code=WDJB-MJHT" -- \
	wait-text "This browser has another address" >"$T/steps" 2>&1
bottom=$(browser chief script 'return Math.ceil(document.querySelector("[value=deny]").getBoundingClientRect().bottom)')
[ "${bottom:-9999}" -le 700 ] || echo "# it ends at ${bottom:-nowhere}"
[ "${bottom:-9999}" -le 700 ]
tap $? "I3.1 a telephone shows both answers to a code without scrolling, with all that is to be known"
browser chief open "$CENTRAL_URL/device" -- type '#user_code' xxxx-yyyy -- click 'form[action="/device"] button' -- \
	wait-text "A code looks like WDJB-MJHT" >"$T/steps" 2>&1
tap $? "I3.1 what is no code is told what one looks like"
browser chief errors >/dev/null
browser chief open "http://localhost:$evil_port/" -- click button -- wait-text "This form is out of date" -- \
	open "$CENTRAL_URL/" -- wait .facts >"$T/steps" 2>&1
tap $? "I3.1 another site's form is refused, and the login is still there"
browser chief open "http://localhost:$evil_port/" >"$T/steps" 2>&1
until_refused() {
	for _ in $(seq 50); do
		browser chief errors >"$T/said"
		grep -qE "frame-ancestors|X-Frame-Options" "$T/said" && return 0
		sleep 0.1
	done
	cat "$T/said"
	return 1
}
until_refused
tap $? "I3.1 nor does another site frame the page"
browser chief open "$CENTRAL_URL/" -- click 'header button' -- wait 'main a[href="/login"]' >"$T/steps" 2>&1
tap $? "I3.1 and logs out"
browser_stop chief
tap_end
