#!/bin/bash
# SPDX-License-Identifier: MIT
# The REST API of people, against the real service over HTTP: curl asks, ssh-keygen proves.
# Every route of routes.c is asked at least once; the end of this file sees to that.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/central/api.sh
v=/api/v1

# shellcheck disable=SC2119
stage
account chief --name 'Dr. Chief'
say $? "I2.3 bootstrap of the first superadmin"
! account other; say $? "I2.3 there is no second bootstrap"
start
is "$status" 200 "I2.3 healthz"

# ---- people and sessions ----
wants BAD_CREDENTIALS "L4.5 a wrong password" POST $v/sessions '{"login":"chief","password":"wrong horse battery"}'
wants 201 "D6 login" POST $v/sessions '{"login":"chief@uni.edu","password":"correct horse battery"}'
chief=$(get .token)
is "$(get '.user | [.username, .uid, .gid, .home, .state, .superadmin] | join(" ")')" \
  "chief 10001 10001 /efs/home/chief active true" "S1.5 the first person"
[[ $chief == pst_* ]]; say $? "D6 a session token has its prefix"
wants NOT_LOGGED_IN "L4.11 without a session" GET $v/me
token=$chief
wants 200 "S3.7 me" GET $v/me
wants 200 "S3.7 my name changes" PATCH $v/me '{"name":"Prof. Chief"}'
is "$(get .name)" "Prof. Chief" "S3.7 and is shown"
wants 201 "I2.3 a superadmin makes an account" POST $v/users \
  '{"username":"pi","email":"pi@uni.edu","name":"The PI","password":"pi likes tea a lot"}'
wants 200 "I2.3 and looks at it" GET $v/users/pi
wants USER_NOT_FOUND "I2.3 nobody" GET $v/users/nobody
wants 200 "L4.11 suspended" POST $v/users/pi/suspend
wants 200 "L4.11 and resumed" POST $v/users/pi/resume
wants 200 "S3.1 organizations" GET $v/organizations
is "$(get '.[0].slug')" default "S3.1 the default one"
wants 201 "S3.1 another one" POST $v/organizations '{"slug":"bio","name":"Biology"}'
wants 200 "S3.1 its members" PUT $v/organizations/bio/members/pi '{"role":"member"}'
token=
ask POST $v/sessions '{"login":"pi","password":"pi likes tea a lot"}'
pi=$(get .token) token=$pi
wants 204 "D6 a new password" POST $v/me/password '{"old":"pi likes tea a lot","new":"pi likes coffee"}'
wants FORBIDDEN "L4.7 the audit chain is not for everybody" GET $v/audit

# ---- projects ----
wants 201 "S1.26 project create with a budget" POST $v/projects '{"slug":"ml-research","name":"ML Research Lab","budget":500}'
is "$(get '[.slug, .name, .organization, .state, .budget, .role, .members, .contact] | map(tostring) | join("|")')" \
  "ml-research|ML Research Lab|default|active|500|owner|1|The PI <pi@uni.edu>" "S1.26 as asked"
[ "$(get .gid)" -ge 2000016 ]; say $? "D6 its group is from the register"
wants 200 "S1.26 list" GET $v/projects
is "$(get length)" 1 "S1.26 one"
wants 200 "S1.26 show" GET $v/projects/ml-research
wants PROJECT_NOT_FOUND "S1.26 no such project" GET $v/projects/nope
wants 200 "S1.26 change" PATCH $v/projects/ml-research '{"state":"active","contact":"Dr. Chen <chen@uni.edu>"}'

# ---- invitations ----
invite() { # EMAIL ROLE: sets $invitation and $id
  ask POST $v/projects/ml-research/invitations "{\"email\":\"$1\",\"role\":\"$2\",\"message\":\"Welcome!\"}"
  invitation=$(get .token) id=$(get .invitation.id)
}
secret_hash() { # of a token: what the key proof signs
  local p; p=$(cut -d. -f2 <<<"$1" | tr -- '-_' '+/'); while [ $((${#p} % 4)) -ne 0 ]; do p=$p=; done
  local s; s=$(base64 -d <<<"$p" | jq -r .sec | tr -- '-_' '+/'); while [ $((${#s} % 4)) -ne 0 ]; do s=$s=; done
  base64 -d <<<"$s" | sha256sum | cut -d' ' -f1
}
proof() { # KEYFILE NONCE [ADDRESS]: JSON members of a proof
  local sig; sig=$(printf 'prism-key-proof-v1\n%s\n%s\n' "${3-https://prism.test}" "$2" | ssh-keygen -q -Y sign -n prism-key -f "$1" 2>/dev/null)
  jq -n --arg k "$(cat "$1.pub")" --arg s "$sig" '{public_key: $k, signature: $s, origin: "generated"}'
}
invite alice@uni.edu member
is "$status" 201 "S1.9 an owner invites"
is "$(get '.invitation | [.project, .project_name, .role, .state, .message, .invited_by] | join("|")')" \
  "ml-research|ML Research Lab|member|pending|Welcome!|The PI" "S1.9 the invitation"
days=$(get '((.invitation.expires_at | fromdate) - (.invitation.created_at | fromdate)) / 86400')
is "$days" 7 "S1.9 seven days"
is "$(get .url)" "https://prism.test/invite#$invitation" "L4.3 the link is made of the configured URL"
wants ALREADY_INVITED "S1.29 one pending for an address" POST $v/projects/ml-research/invitations '{"email":"alice@uni.edu"}'
wants 200 "S1.21 sent" GET "$v/projects/ml-research/invitations?state=pending"
is "$(get length)" 1 "S1.21 one is pending"
wants INVALID_VALUE "S1.21 a filter that is none" GET "$v/projects/ml-research/invitations?state=gone"
token=
wants 200 "S1.7 look-up by token" POST $v/invitations/lookup "{\"token\":\"$invitation\"}"
is "$(get .account_exists)" false "S1.7 no account yet"
wants 200 "S1.29 GET invitations/TOKEN" GET "$v/invitations/$invitation"
wants INVITATION_NOT_FOUND "S1.23 not found" POST $v/invitations/lookup "{\"token\":\"${invitation%????}\"}"

ssh-keygen -q -t ed25519 -N '' -C alice@laptop -f "$dir/alice"
ssh-keygen -q -t rsa -b 2048 -N '' -C alice@old -f "$dir/alice-rsa"
wrong=$(jq -n --arg t "$invitation" --argjson k "$(proof "$dir/alice" 00)" '{token: $t, username: "alice", ssh_key: $k}')
wants KEY_PROOF "S1.6 a wrong proof of the key uses nothing up" POST $v/invitations/accept "$wrong"
elsewhere=$(jq -n --arg t "$invitation" --argjson k "$(proof "$dir/alice" "$(secret_hash "$invitation")" https://evil.test)" \
  '{token: $t, username: "alice", ssh_key: $k}')
wants KEY_PROOF "D6 nor is a proof that was made for another service one" POST $v/invitations/accept "$elsewhere"
right=$(jq -n --arg t "$invitation" --argjson k "$(proof "$dir/alice" "$(secret_hash "$invitation")")" \
  '{token: $t, username: "alice", name: "Alice", ssh_key: $k}')
wants 200 "S1.5 accept" POST $v/invitations/accept "$right"
is "$(get '.research_user | [.username, .uid, .gid, .home] | join(" ")')" \
  "alice 10003 10003 /efs/home/alice" "S1.5 the research user"
is "$(get '[.project.slug, .invitation.role, .invitation.state, .provisioning_status] | join(" ")')" \
  "ml-research member accepted provisioned" "S1.5 project, role, status"
is "$(get .ssh_key.fingerprint)" "$(ssh-keygen -lf "$dir/alice.pub" | cut -d' ' -f2)" "S1.6 the key's fingerprint is ssh-keygen's"
alice=$(get .session.token)
wants INVITATION_ACCEPTED "S1.23 accepted already" POST $v/invitations/accept "$right"
token=$alice
wants 200 "S1.20 my invitations" GET $v/invitations/my
is "$(get '.[0].state')" accepted "S1.20 accepted"
wants 200 "S1.4 workspaces" GET $v/workspaces
wants HOST_NOT_FOUND "S1.4 no such workspace" GET $v/workspaces/ws1
wants FORBIDDEN "S1.8 a member does not invite" POST $v/projects/ml-research/invitations '{"email":"x@uni.edu"}'

token=$pi
invite bob@uni.edu viewer
token=
wants 200 "S1.22 decline" POST $v/invitations/decline "{\"token\":\"$invitation\",\"reason\":\"no time\"}"
wants INVITATION_DECLINED "S1.23 declined" POST "$v/invitations/$invitation/accept" '{"username":"bob"}'
token=$pi
wants 200 "S2.13 resend" POST "$v/invitations/$id/resend"
invitation=$(get .token)
wants 200 "S1.22 revoke" DELETE "$v/invitations/$id"
is "$(get .state)" revoked "S1.22 the row is kept"
token=
wants INVITATION_REVOKED "S1.23 revoked" POST "$v/invitations/$invitation/decline" '{}'
token=$pi
wants 200 "S2.8 the filter by state" GET "$v/projects/ml-research/invitations?state=revoked"
is "$(get length)" 1 "S2.8 one"
wants 200 "S1.4 hosts" GET $v/projects/ml-research/hosts
wants 201 "S1.26 a token for a host" POST $v/projects/ml-research/host-tokens '{}'
wants HOST_NOT_FOUND "S1.26 no such host" DELETE $v/hosts/1

# ---- keys ----
token=$alice
wants 200 "S1.23 ssh-key status" GET $v/me/ssh-keys
is "$(get '.[0] | [.state, .origin, (.hosts | length)] | map(tostring) | join(" ")')" "active generated 0" "S1.23 as registered"
old=$(get '.[0].id')
wants 200 "S1.27 a nonce for the next key" POST $v/me/ssh-keys/challenge
nonce=$(get .nonce)
body=$(jq -n --arg n "$nonce" --argjson k "$(proof "$dir/alice-rsa" "$nonce")" '$k + {nonce: $n}')
wants 201 "S1.27 rotate: add" POST $v/me/ssh-keys "$body"
wants KEY_PROOF "S1.27 a nonce is good once" POST $v/me/ssh-keys "$body"
wants 200 "S1.27 rotate: retire the old one" DELETE "$v/me/ssh-keys/$old?grace=86400"
is "$(get .state)" retiring "S1.27 with its grace"
wants 200 "S1.27 both" GET $v/me/ssh-keys
is "$(get length)" 2 "S1.27 two keys"
token=$pi
ask POST $v/me/ssh-keys/challenge; nonce=$(get .nonce)
body=$(jq -n --arg n "$nonce" --argjson k "$(proof "$dir/alice" "$nonce")" '$k + {nonce: $n}')
wants KEY_TAKEN "S1.27 a key belongs to one person" POST $v/me/ssh-keys "$body"
wants NOT_FOUND "L4.6 another person's key" DELETE "$v/me/ssh-keys/$old"
token=

key_login() { # USER KEYFILE: sets $status and $out
  ask POST $v/sessions/key/challenge "{\"username\":\"$1\"}"
  nonce=$(get .nonce)
  ask POST $v/sessions/key "$(jq -n --arg u "$1" --arg n "$nonce" --argjson k "$(proof "$2" "$nonce")" '$k + {nonce: $n, username: $u}')"
}
key_login alice "$dir/alice-rsa"
is "$status" 201 "S1.6 login with the new key"
key_login alice "$dir/alice"
is "$status" 201 "S1.27 and with the old one in its grace"
token=$alice
wants 200 "S1.27 the old key goes at once" DELETE "$v/me/ssh-keys/$old?grace=0"
token=
key_login alice "$dir/alice"
is "$(code)" BAD_CREDENTIALS "S1.27 and opens nothing any more"
key_login pi "$dir/alice-rsa"
is "$(code)" BAD_CREDENTIALS "L4.6 a key opens its owner's account only"
key_login zed "$dir/alice-rsa"
is "$(code)" BAD_CREDENTIALS "L4.5 nobody's account answers the same"
ask POST $v/sessions/key/challenge '{"username":"alice"}'; nonce=$(get .nonce)
body=$(jq -n --arg n "$nonce" --argjson k "$(proof "$dir/alice-rsa" "$nonce")" '$k + {nonce: $n, username: "alice"}')
wants 201 "D6 a login proof is good" POST $v/sessions/key "$body"
wants BAD_CREDENTIALS "D6 once" POST $v/sessions/key "$body"

# ---- members ----
token=$pi
wants 200 "S1.28 members" GET $v/projects/ml-research/members
is "$(get '[.[] | .username + ":" + .role] | join(" ")')" "pi:owner alice:member" "S1.28 who they are"
wants 200 "S3.5 change a role" PATCH $v/projects/ml-research/members/alice '{"role":"viewer","not_after":"2099-12-31"}'
is "$(get '.member | .role + " " + .not_after')" "viewer 2099-12-31T00:00:00Z" "S3.5 changed"
wants 200 "S3.5 suspend" POST $v/projects/ml-research/members/alice/suspend '{"reason":"leave"}'
wants 200 "S3.5 resume" POST $v/projects/ml-research/members/alice/resume
wants 200 "S3.5 remove" DELETE $v/projects/ml-research/members/alice '{"reason":"left"}'
revision=$(get .revision)
wants 200 "S1.23 who has applied what" GET $v/projects/ml-research/revision
is "$(get .revision)" "$revision" "S1.23 the revision of the change"
wants LAST_OWNER "L4.7 the last owner stays" DELETE $v/projects/ml-research/members/pi
token=$alice
wants PROJECT_NOT_FOUND "S3.5 who was removed sees it no more" GET $v/projects/ml-research
token=$pi
wants 200 "S1.11 archive" DELETE $v/projects/ml-research

# ---- twenty accept at once ----
ask POST $v/projects '{"slug":"race"}'
ask POST $v/projects/race/invitations '{"email":"race@uni.edu"}'
invitation=$(get .token)
for i in $(seq 20); do
  curl -sS -o "$dir/race$i" --unix-socket "$dir/http.sock" -H 'Content-Type: application/json' \
    --data-binary "{\"token\":\"$invitation\",\"username\":\"racer$i\"}" "http://localhost$v/invitations/accept" &
  pids[i]=$!
done
wait "${pids[@]}"
is "$(cat "$dir"/race* | jq -r 'select(.research_user) | .research_user.username' | wc -l)" 1 "L4.2 of twenty, one wins"
is "$(cat "$dir"/race* | jq -r '.error.code // empty' | sort -u)" INVITATION_ACCEPTED "L4.2 the others hear why"

# ---- the audit chain, the log ----
wants 204 "D6 logout" DELETE $v/sessions/current
wants NOT_LOGGED_IN "D6 it holds at once" GET $v/me
token=$chief
wants 200 "D2 the audit chain" GET "$v/audit?limit=500"
is "$(get '[.[] | select(.action == "member.remove")] | length')" 1 "D2 the removal is in it"
is "$(get '[.[].request | select(length < 8)] | unique | join(",")')" "" "D2 every event but the bootstrap names its request"
seq=$(get '.[-1].seq')
wants 200 "D2 after=" GET "$v/audit?after=$((seq - 2))"
is "$(get length)" 2 "D2 the last two"
"$central" -c "$dir/central.conf" audit verify >>"$dir/log" 2>&1
say $? "L4.14 the chain verifies"
! grep -qE 'pst_|eyJ|correct horse|pi likes|BEGIN SSH|ssh-ed25519 AAAA' "$dir/log"
say $? "STYLE 18 no token, password or key in the log, at debug level"

# ---- an address that somebody else took ----
token=$chief
wants 201 "D6 an account with another's address" POST $v/users '{"username":"mallory","email":"vip+1@uni.edu"}'
wants 200 "D6 which is set free" DELETE $v/users/mallory/emails/vip%2B1@uni.edu
is "$(get '[.username, .email] | join("|")')" "mallory|" "D6 and the account stays"

# ---- machines: theirs is t-host.sh; here they are only refused ----
token=
wants ENROL_TOKEN "D6 an enrolment needs its token" POST $v/hosts/enrol "$(jq -n '{secret: ("A" * 43), name: "ws1",
  public_key: ("A" * 43), hostname: "ws1", ssh_host_keys: [], local_ids: []}')"
ask POST /oauth2/token
[ "$status" = 400 ] || [ "$status" = 401 ]; say $? "D6 a host proves who it is"
for path in /oauth2/device_authorization /oauth2/revoke; do
  ask POST $path; is "$status" 400 "I3.1 POST $path wants a form"
done
ask GET /.well-known/oauth-authorization-server
is "$(get .issuer)" https://prism.test "I3.1 the authorization server's metadata"
wants NOT_LOGGED_IN "I3.3 answered logins are for hosts" GET $v/hosts/self/logins
wants NOT_LOGGED_IN "D6 the feed is for hosts" GET $v/hosts/self/feed
wants NOT_LOGGED_IN "D6 reports are from hosts" POST $v/hosts/self/report '{}'
wants NOT_LOGGED_IN "D6 nobody's project takes a host" PUT $v/projects/race/hosts/ws1
wants NOT_LOGGED_IN "D6 nor gives one up" DELETE $v/projects/race/hosts/ws1

# ---- logins of institutions: theirs is t-sso-api.sh; here they are only refused ----
o=$v/organizations/default
wants NOT_LOGGED_IN "S3.12 connections are for owners" GET $o/sso-connections
wants NOT_LOGGED_IN "S3.12 nobody makes one" POST $o/sso-connections '{"slug":"idp","type":"oidc"}'
wants NOT_LOGGED_IN "S3.12 nor looks at one" GET $o/sso-connections/idp
wants NOT_LOGGED_IN "S3.12 nor changes one" PATCH $o/sso-connections/idp '{"enabled":true}'
wants NOT_LOGGED_IN "S3.12 nor deletes one" DELETE $o/sso-connections/idp
wants NOT_LOGGED_IN "S3.12 nor makes it another certificate" POST $o/sso-connections/idp/certificate '{"step":"next"}'
wants NOT_LOGGED_IN "S3.18 domains are for owners" GET $o/sso-domains
wants NOT_LOGGED_IN "S3.18 nobody claims one" POST $o/sso-domains '{"domain":"acme.com","connection":"idp"}'
wants NOT_LOGGED_IN "S3.18 nor proves one" POST $o/sso-domains/acme.com/verify
wants NOT_LOGGED_IN "S3.18 nor gives one up" DELETE $o/sso-domains/acme.com
wants NOT_LOGGED_IN "S3.17 identities are one's own" GET $v/me/identities
wants NOT_LOGGED_IN "S3.17 nobody links one" POST $v/me/identities '{"connection":"idp"}'
wants NOT_LOGGED_IN "S3.17 nor unlinks one" DELETE $v/me/identities/1

# ---- pages: theirs is t-web.sh; here forms that are not ours are refused ----
for page in / /login; do
  ask GET $page; is "$status" 200 "I3.1 GET $page is a page for everybody"
done
ask GET "$(grep -o '/assets/[^"]*' <<<"$out" | head -n1)"
is "$status" 200 "I3.1 with its style sheet"
ask GET /device; is "$status" 303 "I3.1 a code is typed by who is logged in"
ask GET /oauth2/authorize; is "$status" 400 "I3.1 a request without a client goes nowhere"
for page in /login /logout /device /device/decide /oauth2/authorize; do
  ask POST $page; is "$status" 403 "I3.1 POST $page without the field of our own form"
done
for page in start callback; do
  ask GET /sso/idp/$page; is "$status" 404 "S3.16 GET /sso/idp/$page of no connection"
done
ask POST /sso/idp/start; is "$status" 403 "S3.17 nobody is sent to a login by a form that is not ours"
ask POST /sso/idp/link; is "$status" 403 "S3.17 nothing is linked by a form that is not ours"
ask POST /sso/idp/claim; is "$status" 403 "S3.17 nor is an account taken by one"
ask GET /sso/idp/finish; is "$status" 404 "S3.17 GET /sso/idp/finish of no connection"
ask GET /sso/idp/metadata; is "$status" 404 "S3.17 nor is there metadata"
ask POST /sso/idp/acs; is "$status" 404 "S3.17 nor anywhere to send a response to"
ask POST /sso/idp/logout; is "$status" 400 "I3.4 a logout needs its token"

# ---- every route was asked ----
missing=0
while read -r method path; do
  pattern="^$method ${path//\{\}/[^\/]+}\$"
  grep -qE "$pattern" "$dir/asked" || { echo "# not asked: $method $path"; missing=1; }
done < <(tr -d '\n' <prism-central/routes.c | grep -oE '\{HTTP_[A-Z]+, *(V1 )?"[^"]+"' |
  sed -E 's,\{HTTP_([A-Z]+)\, *V1 "([^"]+)",\1 /api/v1\2,; s,\{HTTP_([A-Z]+)\, *"([^"]+)",\1 \2,')
say "$missing" "STYLE 6 every route of the table was asked"

kill "$server"
wait "$server"
is $? 0 "I2.3 the service ends in good order"
server=
echo "1..$n"
exit "$bad"
