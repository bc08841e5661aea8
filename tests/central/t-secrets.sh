#!/bin/bash
# SPDX-License-Identifier: MIT
# Master keys, with the real service and its commands: made, needed, replaced; nothing in the log.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
out= err= status=
cli_home
unset SECRETS_MASTER_KEYS
central_start || tap_skip_all "prism-central does not start"
secrets() { "$CENTRAL" -c "$T/central.conf" secrets "$@"; }
helper() { "$B/tests/central/helper_secrets" "$T/central.conf" "$@"; }
file=$T/master.keys
check() { "$CENTRAL" -c "$T/central.conf" check-config; }
# The service in the foreground, which must not start.
starts_not() { timeout 20 "$CENTRAL" -c "$T/central.conf" serve; }
lines() { install -m 600 /dev/null "$file" && printf '%s\n' "$@" >"$file"; }

run secrets status
[ "$status" = 0 ] && has "$out" "No master key is configured"; tap $? "S3.19 without a master key the service runs, and secrets status says so"
run secrets rotate
[ "$status" = 1 ] && has "$err" "no master key is configured"; tap $? "S3.19 there is nothing to rotate to"
run helper fill 1
[ "$status" = 1 ] && has "$err" "the master key is not configured"; tap $? "S3.19 a secret is refused without one"
! grep -rqa in-plain-sight "$T/central"; tap $? "S3.19 and is not in the database"
central_stop

printf '[secrets]\nmaster_keys = %s\n' "$file" >>"$T/central.conf"
run starts_not
[ "$status" = 1 ] && has "$err" "$file: No such file"; tap $? "S3.19 a configured file that is missing stops the start"
run check
[ "$status" = 1 ] && has "$err" "$file: No such file" && has "$err" "man prism-central, SECRETS"
tap $? "S3.19 check-config finds that too, and says where to read on"
run secrets new-key
one=$out
[ "$status" = 0 ] && [[ $out =~ ^20[0-9-]+-[0-9a-f]{6}\ [A-Za-z0-9+/]{43}=$ ]] && has "$err" "top of $file"
tap $? "S3.19 secrets new-key prints a line for the file"
run secrets new-key
two=$out
[ "$one" != "$two" ]; tap $? "S3.19 another each time"
id1=${one% *} id2=${two% *}
lines "$one"
chmod 640 "$file"
run secrets status
[ "$status" = 1 ] && has "$err" "closed to all others"; tap $? "S3.19 a file that others may read is not used"
run check
[ "$status" = 1 ] && has "$err" "closed to all others; see man"; tap $? "S3.19 nor does check-config pass it"
lines "$one" "broken line"
run secrets status
[ "$status" = 1 ] && has "$err" "$file: line 2: it must be ID BASE64" && ! has "$err" broken; tap $? "S3.19 a wrong line is named and not repeated"
lines "$one"
run helper fill 600
[ "$status" = 0 ] && [ "$(helper check)" = 600 ]; tap $? "S3.19 with a master key 600 organizations have a secret"
run secrets status
[ "$status" = 0 ] && grep -qE "^$id1 +600 organizations +current" <<<"$out"; tap $? "S3.19 status counts them"
central_run; tap $? "S3.19 the service starts"
run check
[ "$status" = 0 ] && has "$out" "url = "; tap $? "S3.19 check-config agrees while it runs"
printf '[sso]\nsaml_helper = %s/no-helper\n' "$T" >>"$T/central.conf"
run check
[ "$status" = 0 ] && has "$err" "$T/no-helper: No such file" && has "$err" "install the package prism-saml"
tap $? "S3.17 check-config warns where SAML has no helper"
sed -i '/^\[sso\]/,$d' "$T/central.conf"
central_stop

# Missing, or another one
lines "$two"
run starts_not
[ "$status" = 1 ] && has "$err" "the master key $id1 is missing: it opens the secrets of 600 organizations, among them org1"
tap $? "S3.19 without the master key in use the service does not start, and names it"
run check
[ "$status" = 1 ] && has "$err" "the master key $id1 is missing" && has "$err" "man prism-central, SECRETS"
tap $? "S3.19 check-config knows that it would not"
run secrets status
[ "$status" = 1 ] && grep -qE "^$id1 +600 organizations +MISSING" <<<"$out"; tap $? "S3.19 status shows it as missing"
run secrets rotate
[ "$status" = 1 ] && has "$err" "600 organizations were left as they were"; tap $? "S3.19 rotate leaves what it cannot open"
lines "$id1 ${two#* }"
run starts_not
[ "$status" = 1 ] && has "$err" "the master key $id1 is another one"; tap $? "S3.19 another key under its id does not pass for it"
run check
[ "$status" = 1 ] && has "$err" "the master key $id1 is another one"; tap $? "S3.19 nor in check-config"
sed -i '/^\[secrets\]/,$d' "$T/central.conf"
run starts_not
[ "$status" = 1 ] && has "$err" "the master key $id1 is missing"; tap $? "S3.19 nor does it start without the file, where secrets exist"

# The environment
export SECRETS_MASTER_KEYS="$id1:${one#* }"
central_run; tap $? "S3.19 SECRETS_MASTER_KEYS takes the place of the file"
! grep -qa "${one#* }" "/proc/$CENTRAL_PID/environ"; tap $? "S3.19 and is wiped from what /proc shows"
central_stop
printf '[secrets]\nmaster_keys = %s\n' "$file" >>"$T/central.conf"
run secrets status
[ "$status" = 1 ] && has "$err" "have one of them"; tap $? "S3.19 both at once are an error"
unset SECRETS_MASTER_KEYS

# Replaced, by commands that are killed on the way
lines "$two" "$one"
run secrets status
has "$out" "prism-central secrets rotate"; tap $? "S3.19 status tells what is to be done"
cut=0
for ms in 08 10 12 14 17 20 25 30 35 40; do
	"$CENTRAL" -c "$T/central.conf" secrets rotate >/dev/null 2>&1 &
	pid=$!
	sleep "0.0$ms"
	kill -9 "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	left=$(secrets status | awk -v id="$id1" '$1 == id { print $2 }')
	[ "$left" -gt 0 ] && [ "$left" -lt 600 ] && cut=$((cut + 1))
	[ "$(helper check)" = 600 ] || break
done
echo "# $cut of 10 were cut on the way, $left organizations left"
[ "$(helper check)" = 600 ]; tap $? "S3.19 rotations that were killed lose nothing"
run secrets rotate
[ "$status" = 0 ] && has "$out" "$left organizations are sealed with $id2 now" && has "$out" "$id1 is not needed any more"
tap $? "S3.19 the last one goes on where they ended, and tells which key can go"
run secrets status
grep -qE "^$id2 +600 organizations +current" <<<"$out" && grep -qE "^$id1 +0 organizations +can be removed" <<<"$out"
tap $? "S3.19 so does status"
lines "$two"
[ "$(helper check)" = 600 ] && central_run; tap $? "S3.19 without the old key all is read, and the service starts"

# Another data key. The test's own table is not among the program's, so only an organization without
# values is given one here; t_secrets_rotation.c has the values.
run secrets rotate --data nobody
[ "$status" = 1 ] && has "$err" "there is no organization nobody"; tap $? "S3.19 rotate --data wants an organization"
run secrets rotate --data default
[ "$status" = 1 ] && has "$err" "has no data key"; tap $? "S3.19 with something sealed"
run secrets rotate --data org600
[ "$status" = 0 ] && has "$out" "org600 has a new data key; 0 values"; tap $? "S3.19 and gives it another data key"
run helper check
[ "$status" = 1 ] && has "$err" "was not sealed for this place"; tap $? "S3.19 with which the old one opens nothing"
for words in "" "frobnicate" "status now" "rotate --data" "rotate org1" "new-key 2"; do
	# shellcheck disable=SC2086 # words
	run secrets $words
	[ "$status" = 2 ] && has "$err" "usage: prism-central"; tap $? "S3.19 secrets $words: used wrongly"
done

# Backup and restore
run "$CENTRAL" -c "$T/central.conf" backup "$T/copy.db"
[ "$status" = 0 ] && ! grep -qa -e in-plain-sight -e "${two#* }" "$T/copy.db"; tap $? "S3.19 a backup holds neither secrets nor master keys"
run "$CENTRAL" -c "$T/central.conf" audit verify
[ "$status" = 0 ]; tap $? "S3.19 the audit is whole"
central_stop
plain=$(grep -rlaE -e in-plain-sight -e "${one#* }" -e "${two#* }" "$T/central" "$T/central.log" "$T/bootstrap.log")
[ -z "$plain" ]; tap $? "S3.19 no secret and no master key in the state folder or the log"
tap_end
