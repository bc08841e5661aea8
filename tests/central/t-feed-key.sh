#!/bin/bash
# SPDX-License-Identifier: MIT
# The feed key's successor, with the real service and the real agent: announced, pinned, confirmed,
# switched to; and what is refused on the way.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
[ "$(id -u)" = 0 ] || tap_skip_all "the agent needs root"
out= err= status=
cli_home
. tests/central/host.sh
central_start || tap_bail "prism-central does not start"
boss_login >/dev/null
host_prepare
S=$T/central # its state
pins=$T/h/var/lib/prism/trust/pins
key() { "$CENTRAL" -c "$T/central.conf" feed-key "$@"; }
id() { key status | awk -v w="$1" '$1 == w { print $2 }'; }
# Whether the host has this key, of this id, in this role.
pinned() { # ROLE ID
	awk -v r="$1" '$1 == "key" && $2 == r { print $3 }' "$pins" |
		python3 -c 'import hashlib,sys; print(*(hashlib.sha256(bytes.fromhex(l.strip())).hexdigest()[:32] for l in sys.stdin))' |
		grep -qx "$2"
}
agent_sync() { agent sync >/dev/null; }
confirmed() { key status | grep -qE "^  ws1 +confirmed"; }
central_restart() { central_stop; central_run; }

as boss prism project create lab >/dev/null
as ann prism invitation accept "$(invite ann@uni.edu lab)" --yes >/dev/null
host_enrol lab && agent_start && until_true 10 look_is ann "allow lab"
tap $? "D6 a workstation follows the feed of the first key"
first=$(id current)
[ ${#first} = 32 ] && pinned current "$first"; tap $? "D6 feed-key status shows the id of the key that the host has pinned"
run key status
[ "$status" = 0 ] && has "$out" "none; make one" && has "$out" "1 of 1 have confirmed"; tap $? "D6 and that there is no next one"
run key status --json
[ "$status" = 0 ] && [ "$(jq -c '[.current, .next, .confirmed, (.hosts[] | .name, .confirmed, .must_enrol)]' <<<"$out")" = \
	"[\"$first\",null,1,\"ws1\",true,false]" ] && [ -n "$(date -d "$(jq -r '.hosts[0].last_seen' <<<"$out")")" ]
tap $? "D6 feed-key status --json says the same"
run key switch
[ "$status" = 1 ] && has "$err" "there is no next key"; tap $? "D6 there is nothing to switch to"

# Announced
run key next
[ "$status" = 0 ] && has "$out" "systemctl reload"; tap $? "D6 feed-key next makes one"
[ "$(mode_of "$S/feed.next.key")" = 600 ]; tap $? "D6 which is private"
days=$((($(date -d "$(key status | awk '$1 == "next" { print $4 }')" +%s) - $(date +%s) + 60) / 86400))
[ "$days" = 8 ]; tap $? "D6 it signs from a day beyond the validity on, which is eight days"
run key next
[ "$status" = 1 ] && has "$err" "announced already"; tap $? "D6 there is one next key at a time"
run key switch
[ "$status" = 1 ] && has "$err" "every host refuses the next key"; tap $? "D6 no switch before its time"
run key switch --force
[ "$status" = 1 ] && [ -e "$S/feed.next.key" ]; tap $? "D6 nor by force: every host would refuse it"
rm "$S/feed.next.key"
run key next --in 4s
[ "$status" = 0 ] && has "$out" "have to enrol again"; tap $? "D6 --in shortens the time, and says what that means"
sleep 4
run key switch
[ "$status" = 1 ] && has "$err" "1 of 1 hosts have not confirmed" && has "$err" ws1; tap $? "D6 no switch before the hosts have it"
[ "$(id current)" = "$first" ]; tap $? "D6 nothing was changed by that"
next=$(id next)
run key status --json
[ "$(jq -r '.current + " " + .next.id' <<<"$out")" = "$first $next" ] && [ "$(jq .confirmed <<<"$out")" = 0 ] &&
	[ "$(jq -r .next.not_before <<<"$out")" = "$(key status | awk '$1 == "next" { print $4 }')" ] &&
	[ "$(jq -c '[.hosts[] | .name, .confirmed, .must_enrol]' <<<"$out")" = '["ws1",false,false]' ]
tap $? "D6 status --json has the next key, and who has not confirmed it"
kill -HUP "$CENTRAL_PID"
until_true 5 grep -q "next_key announced=\"$next\"" "$T/central.log"; tap $? "D6 SIGHUP announces it"
begin=$(date +%s%N)
agent_sync
until_true 5 pinned next "$next"; tap $? "D6 the host pins what the current key announced"
until_true 5 confirmed; tap $? "D6 and reports it at once"
echo "# confirmed after $((($(date +%s%N) - begin) / 1000000)) ms"
told() { # when the host was last sent a manifest
	python3 -c 'import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT manifest_at FROM hosts").fetchone()[0])' "$S/prism.db"
}
sleep 1.2; agent_sync; at=$(told); sleep 1.1; agent_sync
[ "$at" = "$(told)" ]; tap $? "D6 told once, it is not told over and over"
run key status
has "$out" "1 of 1 have confirmed it."; tap $? "D6 feed-key status counts"

# Switched
token=$(as boss prism host token --project lab --json | jq -r .token)
run key switch
[ "$status" = 0 ] && has "$out" "$next" && has "$out" "systemctl restart"; tap $? "D6 feed-key switch"
[ "$(id current)" = "$next" ] && [ ! -e "$S/feed.next.key" ] && [ "$(mode_of "$S/feed.key")" = 600 ] &&
	[ "$(stat -c %s "$S/feed.key")" = 32 ] && [ "$(mode_of "$S/feed.key.old")" = 600 ]
tap $? "D6 the next key is the current one, the old one is kept, both private"
kill -HUP "$CENTRAL_PID"
until_true 5 grep -q "restart the service to sign with it" "$T/central.log"; tap $? "D6 a service that still signs with the old one says so"
central_restart; tap $? "D6 the service starts with it"
agent_sync
until_true 5 pinned current "$next" && pinned retired "$first"; tap $? "D6 the host takes its first message and retires the old key"
as boss prism member suspend ann --project lab >/dev/null
until_true 5 look_is ann deny; tap $? "D6 what the new key signs is applied"
as boss prism member resume ann --project lab >/dev/null
until_true 5 look_is ann "allow lab"; tap $? "D6 one thing after the other"
until_true 5 confirmed; tap $? "D6 status shows who follows the new key"
agent_stop && agent_start && agent_sync && look_is ann "allow lab" && pinned current "$next"
tap $? "D6 a restart of the agent keeps it"
mkdir -p "$T/h2/etc" && printf 'root:x:0:0:root:/root:/bin/sh\n' >"$T/h2/etc/passwd" && printf 'root:x:0:\n' >"$T/h2/etc/group"
run "$B/prism-sync" --root "$T/h2" --no-drop enroll --name ws2 --token "$token"
[ "$status" = 1 ] && has "$err" "Make a new one"; tap $? "D6 an enrolment token that names the old key has ended"
token=$(as boss prism host token --project lab --json | jq -r .token)
run "$B/prism-sync" --root "$T/h2" --no-drop enroll --name ws2 --token "$token"
[ "$status" = 0 ]; tap $? "D6 a new one enrols"

# The old key again: what it signs is refused from now on.
cp "$S/feed.key" "$T/new.key"
cp "$S/feed.key.old" "$S/feed.key"
central_restart
as boss prism member suspend ann --project lab >/dev/null
agent_sync
until_true 5 grep -q "message-refused.*unknown-key" "$T/agent.log" && look_is ann "allow lab"
tap $? "D6 the retired key signs nothing new any more"
cp "$T/new.key" "$S/feed.key"
central_restart
agent_sync
until_true 5 look_is ann deny; tap $? "D6 and the host goes on with the right one"

# A key that is announced by nobody whom the host believes
cp "$S/feed.key" "$T/new.key"
head -c 32 /dev/urandom >"$S/feed.key"
key next --in 1s >/dev/null
false_next=$(id next)
before=$(sha256sum <"$pins")
central_restart
agent_sync
sleep 0.5
[ -n "$false_next" ] && ! pinned next "$false_next" && [ "$before" = "$(sha256sum <"$pins")" ]
tap $? "D6 a key that a foreign key announces is not pinned"
rm "$S/feed.next.key"
cp "$T/new.key" "$S/feed.key"

# A switch that was interrupted
head -c 32 "$S/feed.key" >"$S/feed.next.key"; printf '\0\0\0\0\0\0\0\0' >>"$S/feed.next.key"; chmod 600 "$S/feed.next.key"
run key status
has "$out" "none; make one"; tap $? "D6 a switch that ended before its last step has happened"
run key next
[ "$status" = 0 ]; tap $? "D6 and the next one can follow"

# Hosts that cannot confirm any more do not stop a switch
agent_stop
rm "$S/feed.next.key"; key next --in 1s >/dev/null; sleep 1.1
run key switch
[ "$status" = 1 ] && has "$err" "have not confirmed"; tap $? "D6 hosts that were seen lately count"
db() { python3 -c 'import sqlite3,sys; c = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None); c.execute(sys.argv[2])' "$S/prism.db" "$1"; }
db "UPDATE hosts SET last_seen = last_seen - 8 * 86400"
[ "$(key status --json | jq '.hosts[] | select(.name == "ws1").must_enrol')" = true ] && has "$(key status)" "seen 1 week ago; too long ago: it has to enrol again"
tap $? "D6 status tells who would have to enrol again"
db "UPDATE hosts SET last_seen = last_seen + 8 * 86400"
run key switch --force
[ "$status" = 0 ] && has "$out" "have to enrol again"; tap $? "D6 --force goes on without them, and says what becomes of them"
chmod 644 "$S/feed.key"
run key status
[ "$status" = 1 ]; tap $? "D6 a key that others may read is not used"
chmod 600 "$S/feed.key"
for words in "" "frobnicate" "status --force" "next --force" "switch --in 3d" "next 3d" "next --json" "switch --json"; do
	# shellcheck disable=SC2086 # words
	run key $words
	[ "$status" = 2 ] && has "$err" "usage: prism-central"; tap $? "D6 feed-key $words: used wrongly"
done
run key next --in soon
[ "$status" = 1 ] && has "$err" "is not a duration"; tap $? "D6 feed-key next --in takes a duration"
run "$CENTRAL" -c "$T/central.conf" audit verify
[ "$status" = 0 ]; tap $? "D6 the audit is whole"
python3 - "$S/prism.db" <<'PY' | same "$(printf '%s\n' feed-key.next feed-key.next feed-key.switch)"
import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
for r in list(c.execute("SELECT action FROM audit WHERE action LIKE 'feed-key.%' ORDER BY seq"))[:3]:
    print(r[0])
PY
tap $? "D6 and tells of the keys"
tap_end
