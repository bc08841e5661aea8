#!/bin/bash
# SPDX-License-Identifier: MIT
# Somebody makes the accounts of others' addresses, whom he has invited himself: what each of them sees
# at the first login through the institution, and what is left of him afterwards.
set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh
out='' err='' status=''
# shellcheck source=tests/central/oidc.sh
. tests/central/oidc.sh
# shellcheck source=tests/central/campus.sh
. tests/central/campus.sh
command -v chromedriver >/dev/null || tap_bail "S3.17 there is no chromedriver: make deps installs it"
cli_home
ca_make IP:127.0.0.1 # for curl's options, which name one
# shellcheck disable=SC2119
campus_start || tap_bail "the service with its provider does not start"

# NAME FOLDER: mallory invites that person's address and accepts, in a home of his own.
premake() {
	local token
	token=$(as mallory prism invitation send "$1@example.edu" --project lab --json | jq -r .token)
	echo "${token:-no-token}" >>"$T/secrets"
	echo "mallorys-choice-$1" >"$T/$1.password"
	as "$2" prism invitation accept "$token" --username "$1" --password-file "$T/$1.password" --yes
}
key_of() { as "$1" ssh-keygen -lf "$T/people/$1/.prism/ssh_keys/id_ed25519.pub" | cut -d' ' -f2; } # FOLDER
login() { # JAR PERSON [PATH]: through the provider, with curl
	b "$1" "${3:-/sso/campus/start}"
	at "$1" "$location"
	case $location in
	/interaction/*)
		at "$1" "$OP_URL$location" --data-urlencode "username=$2" --data-urlencode "password=$2-at-campus"
		at "$1" "$location"
		[[ $location != /interaction/* ]] || { at "$1" "$OP_URL$location"; at "$1" "$location"; }
		;;
	esac
	b "$1" "${location#"$CENTRAL_URL"}"
	state=$(form_field state) seen=$(form_field seen) csrf=$(form_field csrf)
	echo "${state:-no-state}" >>"$T/secrets"
}
answer() { # JAR ANSWER [VERB]: with the last page's fields
	b "$1" "/sso/campus/${3:-claim}" --data-urlencode "csrf=$csrf" --data-urlencode "state=$state" \
		--data-urlencode "account=bob" --data-urlencode "seen=$seen" --data-urlencode "answer=$2"
}
who() { # JAR
	b "$1" /
	sed -n 's/.*<span>\([^<]*\)<\/span> <button class="quiet">Log out.*/\1/p' <<<"$out"
}
linked() { [ "$(db "SELECT count(*) FROM sso_identities WHERE subject = 'sub-$1'")" = 1 ]; } # PERSON

as boss prism project create lab >/dev/null
token=$(as boss prism invitation send mallory@uni.edu --project lab --role admin --json | jq -r .token)
as mallory prism invitation accept "$token" --username mallory --yes >/dev/null
for person in alice bob; do
	run premake $person false-$person
	tap "$status" "S3.17 mallory makes the account of $person's address, with a key and a password"
done
run as false-alice prism whoami
[ "$status" = 0 ] && has "$out" alice; tap $? "S3.17 and works as alice"

# ---- in a browser: not hers ----------------------------------------------------------------------

browser_start alice --pin "$CENTRAL_PIN" || tap_bail "the browser does not start"
browser alice viewport 390 844 -- open "$CENTRAL_URL/login?return=/device" -- type '#login' alice@example.edu -- \
	click 'form[action="/login"] button' -- wait-url "^$OP_URL/" >/dev/null
campus_login alice alice
run browser alice wait-text "Is all of this yours?" -- text main
[ "$status" = 0 ]; tap $? "S3.17 alice's first login ends at a question"
[[ $out == *"account alice has your address, alice@example.edu"*"accepting an invitation to the project lab that mallory had sent"* ]]
tap $? "S3.17 which names the account, and how it was made"
[[ $out == *"A password of Prism"*"An SSH key: $(key_of false-alice)"*"A command line that is logged in, from 127.0.0.1"* ]]
tap $? "S3.17 and the password, the key's fingerprint, the session"
[[ $out == *"so does what runs on workstations: if somebody else has used the account there, tell your administrator"* ]]
tap $? "S3.17 and what removing them does not reach"
[[ $out == *"ssh-keygen -lf"* ]]; tap $? "S3.17 and how to tell a key of one's own"
! linked alice; tap $? "S3.17 nothing is linked"
run as false-alice prism whoami; tap "$status" "S3.17 nor is anything closed yet"
run browser alice click 'button[value=close]' -- wait-url "^$CENTRAL_URL/device" -- wait-text alice
tap "$status" "S3.17 she has it all removed, and comes to where she was going, logged in"
run browser alice errors
[ "$status" = 0 ] && [ -z "$out" ]; tap $? "S3.17 the content security policy was in nobody's way"
linked alice; tap $? "S3.17 the account is linked"
run as false-alice prism whoami; [ "$status" != 0 ]; tap $? "S3.17 mallory's session is over"
run as false-alice prism login --key --user alice
[ "$status" = 1 ] && has "$err" "Wrong username or password"; tap $? "S3.17 his key logs nobody in"
run as false-alice prism login --user alice --password-file "$T/alice.password"
[ "$status" = 1 ] && has "$err" "Wrong username or password"; tap $? "S3.17 nor does his password"
[ "$(db "SELECT state FROM ssh_keys WHERE fingerprint = '$(key_of false-alice)'")" = revoked ]
tap $? "S3.17 the key is revoked for good"
[ "$(db "SELECT count(*) FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.username = 'alice' AND m.state = 'active'")" = 1 ]
tap $? "S3.17 what she is a member of stays"
[ "$(db "SELECT count(*) FROM audit WHERE action IN ('sso.ask', 'sso.claim') AND object = 'user:alice'")" = 2 ] &&
	[ "$(db "SELECT count(*) FROM audit WHERE action = 'sso.claim' AND actor = 'user:alice' AND
		json_extract(detail, '\$.answer') = 'closed' AND json_extract(detail, '\$.ways.keys[0]') = '$(key_of false-alice)'")" = 1 ]
tap $? "S3.17 the question and the answer stand in the audit"
browser alice forget -- open "$CENTRAL_URL/login" -- type '#login' alice@example.edu -- click 'form[action="/login"] button' -- \
	wait-url "^$OP_URL/" >/dev/null
campus_login alice alice
run browser alice wait-url "^$CENTRAL_URL/" -- wait-text alice
tap "$status" "S3.17 the next login asks nothing"

# ---- the form, and who may send it ---------------------------------------------------------------

bobs_key=$(key_of false-bob)
login bob bob
[ "$status" = 200 ] && has "$(shown)" "$bobs_key"; tap $? "S3.17 bob is asked as well"
[ -z "$(who bob)" ] && ! linked bob; tap $? "S3.17 and is nobody yet"
bobs=$csrf
b mallory /login; csrf=$(form_field csrf)
answer mallory keep; [ "$status" = 403 ] && [ "$(fault)" = "sso.refused state" ]; tap $? "S3.17 another browser's answer is none"
csrf=; answer bob keep; [ "$status" = 403 ]; tap $? "S3.17 nor one without the page's field"
csrf=$bobs; b bob /sso/campus/claim; [ "$status" = 405 ]; tap $? "S3.17 nor an address to click on"
answer bob keep link; [ "$status" = 403 ] && [ "$(fault)" = "sso.refused state" ]; tap $? "S3.17 nor an answer to another question"
! linked bob; tap $? "S3.17 nothing came of those"
login bob bob; db "UPDATE sso_attempts SET expires_at = 1"
answer bob keep; [ "$status" = 403 ] && [ "$(fault)" = "sso.refused state" ]; tap $? "S3.17 nor after ten minutes"
for word in cancel nonsense; do
	login bob bob
	answer bob $word
	[ "$status" = 403 ] && has "$(shown)" "Nothing was linked" && [ "$(fault)" = "sso.refused claim_cancelled" ] && ! linked bob
	tap $? "S3.17 with \"$word\" nothing is linked, and the page says what to do"
done
answer bob keep; [ "$status" = 403 ] && ! linked bob; tap $? "S3.17 a page is answered once"
login bob bob
run as false-bob prism login --key --user bob; tap "$status" "S3.17 while he reads, mallory logs in once more"
answer bob keep; state=$(form_field state) seen=$(form_field seen)
[ "$status" = 200 ] && has "$(shown)" "Is all of this yours?" && ! linked bob; tap $? "S3.17 what the page did not show is not kept: it asks again"
answer bob keep
[ "$status" = 200 ] && has "$(shown)" "You are logged in" && linked bob; tap $? "S3.17 bob keeps all of it, as it is now"
[ "$(who bob)" = bob ]; tap $? "S3.17 and is logged in"
run as false-bob prism whoami; tap "$status" "S3.17 and so does everything go on that he has called his own"
login bob bob; [ "$status" = 303 ]; tap $? "S3.17 once answered, the question is not asked again"

# ---- an account that nothing opens ---------------------------------------------------------------

boss_token
api POST /users '{"username": "chen-li", "email": "chen@example.edu", "name": "Chen"}'
login chen chen
[ "$status" = 303 ] && [ "$(who chen)" = chen-li ]; tap $? "S3.18 an account without a way in is linked at once"

# ---- one answer is not another -------------------------------------------------------------------

api POST /me/identities '{"connection": "campus"}'
link=$(get .url)
login boss bob "${link#"$CENTRAL_URL"}"
has "$(shown)" "Link this login to your account?"; tap $? "S3.17 the owner of an account links it by their own page"
answer boss close; [ "$status" = 403 ] && [ "$(fault)" = "sso.refused state" ]; tap $? "S3.17 whose form is no answer to the other question"

! grep -qE 'pb[sl]_|eyJ' "$T/central.log" && ! grep -qFf "$T/secrets" "$T/central.log"; tap $? "STYLE 18 the log has no secret"
tap_end
