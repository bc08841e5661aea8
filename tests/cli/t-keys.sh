#!/bin/bash
# SPDX-License-Identifier: MIT
# Keys, credentials and files: made once, kept private, never overwritten, never sent elsewhere.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/lib.sh
cli_home
central_start || tap_bail "prism-central does not start"
boss_login >/dev/null
as boss prism project create lab >/dev/null
A=$T/people/alice/.prism
token=$(invite alice@uni.edu lab)
run as alice prism invitation accept "$token" --yes
[ "$status" = 0 ] && [ -s "$A/ssh_keys/id_ed25519" ] && [ -s "$A/ssh_keys/id_ed25519.pub" ]
tap $? "S1.6 accepting makes the key pair"
modes=$(for f in . ssh_keys ssh_keys/id_ed25519 config.json credentials.json; do mode_of "$A/$f"; done | xargs)
[ "$modes" = "700 700 600 600 600" ]; tap $? "S1.27 folders 0700, private key, configuration and credentials 0600"
[ "$(find "$A/ssh_keys" -mindepth 1 | wc -l)" = 2 ]; tap $? "S1.27 nothing else is left in the folder"
ssh-keygen -l -f "$A/ssh_keys/id_ed25519.pub" | grep -q ED25519; tap $? "S1.5 the key is Ed25519"
print=$(ssh-keygen -l -f "$A/ssh_keys/id_ed25519.pub" | cut -d' ' -f2)
run as alice prism user ssh-key status --json
[ "$(jq -r '.[0].fingerprint + " " + .[0].state + " " + .[0].origin' <<<"$out")" = "$print active generated" ]
tap $? "S1.6 its public half is registered"
grep -rq "$(sed -n 2p "$A/ssh_keys/id_ed25519")" "$T/central" "$T/central.log"; [ $? = 1 ]
tap $? "S1.27 the private half never reaches the service"
! grep -q pst_ "$T/central.log"; tap $? "S1.27 no token in the service's log"

# A key that is there already
mkdir -p -m 700 "$T/people/bob/.prism/ssh_keys"
chmod 700 "$T/people/bob" "$T/people/bob/.prism"
ssh-keygen -q -t ed25519 -N '' -C mine -f "$T/people/bob/.prism/ssh_keys/id_ed25519"
before=$(sha256sum <"$T/people/bob/.prism/ssh_keys/id_ed25519")
token=$(invite bob@uni.edu lab)
run as bob prism invitation accept "$token" --yes
[ "$status" = 0 ] && [ "$before" = "$(sha256sum <"$T/people/bob/.prism/ssh_keys/id_ed25519")" ]
tap $? "S1.5 a key that is there is used, never overwritten"
rm "$T/people/bob/.prism/ssh_keys/id_ed25519.pub"
run as bob prism user provision
[ "$status" = 0 ] && [ -s "$T/people/bob/.prism/ssh_keys/id_ed25519.pub" ] && has "$out" "Was registered already"
tap $? "S1.23 a missing public half is made from the private one"

# Modes
chmod 644 "$A/ssh_keys/id_ed25519"
run as alice prism user provision
[ "$status" = 5 ] && has "$err" "--fix-keys"; tap $? "S1.23 a private key that others can read is refused: exit 5"
chmod 755 "$A" "$A/ssh_keys" && chmod 644 "$A/credentials.json"
run as alice prism whoami
[ "$status" = 5 ] && has "$err" "credentials.json" && has "$err" "prism user provision --fix-keys"
tap $? "S1.23 so are credentials"
run as alice prism user provision --fix-keys
modes=$(for f in . ssh_keys ssh_keys/id_ed25519 credentials.json; do mode_of "$A/$f"; done | xargs)
[ "$status" = 0 ] && [ "$modes" = "700 700 600 600" ] && has "$out" "Repaired: ~/.prism/ssh_keys/id_ed25519 is 0600 now"
tap $? "S1.23 user provision --fix-keys repairs them"
mv "$A/ssh_keys/id_ed25519" "$T/lost" && mv "$A/ssh_keys/id_ed25519.pub" "$T/lost.pub"
run as alice prism user provision --fix-keys
[ "$status" = 0 ] && has "$out" "Made and registered" && [ "$(mode_of "$A/ssh_keys/id_ed25519")" = 600 ]
tap $? "S1.23 a missing key is made anew and registered"

# Links
rm -rf "$T/people/link" && mkdir -m 700 "$T/people/link" "$T/elsewhere"
ln -s "$T/elsewhere" "$T/people/link/.prism"
token=$(invite link@uni.edu lab)
run as link prism invitation accept "$token" --yes
[ "$status" = 5 ] && [ -z "$(ls -A "$T/elsewhere")" ]; tap $? "S1.27 a ~/.prism that is a link is refused: exit 5"
rm "$T/people/link/.prism" && mkdir -m 700 "$T/people/link/.prism" "$T/people/link/.prism/ssh_keys"
echo kept >"$T/victim" && ln -s "$T/victim" "$T/people/link/.prism/ssh_keys/id_ed25519"
run as link prism invitation accept "$token" --yes
[ "$status" = 5 ] && [ "$(cat "$T/victim")" = kept ]; tap $? "S1.27 a key that is a link is refused"
rm "$T/people/link/.prism/ssh_keys/id_ed25519"
echo '{"version": 1, "servers": {}}' >"$T/victim" && chmod 600 "$T/victim"
ln -s "$T/victim" "$T/people/link/.prism/credentials.json"
run as link prism invitation accept "$token" --yes
[ "$status" = 5 ] && ! grep -q pst_ "$T/victim"; tap $? "S1.27 credentials that are a link are refused"
rm "$T/people/link/.prism/credentials.json"
run as link prism invitation accept "$token" --yes
[ "$status" = 0 ]; tap $? "S1.27 and without the links all is well"
echo '{' >"$T/people/link/.prism/config.json"
run as link prism whoami
[ "$status" = 5 ] && has "$err" "config.json"; tap $? "S1.27 a damaged configuration is named: exit 5"

# Rotation
old=$(sha256sum <"$A/ssh_keys/id_ed25519")
run as alice prism user ssh-key rotate --json
kept=$A/ssh_keys/$(jq -r .old_key <<<"$out")
[ "$status" = 0 ] && [ "$old" = "$(sha256sum <"$kept")" ] && [ "$(mode_of "$kept")" = 600 ] &&
	[[ $kept =~ id_ed25519\.old-[0-9]{4}-[0-9]{2}-[0-9]{2}$ ]]
tap $? "S1.27 rotate renames the old key and deletes none"
run as alice prism user ssh-key status --json
[ "$(jq -r '[.[] | select(.state == "retiring")] | length' <<<"$out")" = 1 ]
tap $? "S3.21 the old key retires with a day's grace"
run as alice prism user ssh-key rotate --grace 0
[ "$status" = 0 ] && has "$out" "Old key ends: now" && [ "$(ls "$A/ssh_keys" | grep -c 'old.*[0-9]$')" = 2 ]
tap $? "S3.21 --grace 0 ends it at once; a second one of the day gets a name of its own"
run as alice prism login --key --user alice
[ "$status" = 0 ]; tap $? "S1.27 the new key logs in"
cp "$A/ssh_keys/id_ed25519" "$T/good" && cp "$A/ssh_keys/id_ed25519.pub" "$T/good.pub"
cp "$(ls -d "$A"/ssh_keys/id_ed25519.old-*.2)" "$A/ssh_keys/id_ed25519" && rm "$A/ssh_keys/id_ed25519.pub"
run as alice prism user provision
[ "$status" = 1 ] && has "$err" "retired or revoked" && has "$err" "--fix-keys"; tap $? "S1.23 a revoked key does not come back"
run as alice prism user provision --fix-keys
[ "$status" = 0 ] && has "$out" "Made and registered" && has "$out" "Old key:     id_ed25519.old-"
tap $? "S1.23 --fix-keys puts a new key in its place and keeps the file"
run as alice prism user ssh-key rotate --grace sometime
[ "$status" = 2 ]; tap $? "S1.27 --grace takes a duration"
ssh-keygen -q -t ed25519 -N '' -f "$T/second"
run as alice prism user ssh-key add "$T/second"
[ "$status" = 0 ] && has "$out" "$(ssh-keygen -l -f "$T/second.pub" | cut -d' ' -f2)"
tap $? "S1.32 ssh-key add registers a key of one's own"
run as boss prism user ssh-key add "$T/second"
[ "$status" = 1 ] && has "$err" "registered already"; tap $? "S1.32 and nobody else can register it"
run as alice prism user ssh-key add "$T/second.nothing"
[ "$status" = 5 ]; tap $? "S1.32 a file that is not there: exit 5"
cp "$T/second.pub" "$T/people/alice/only.pub"
run as alice env -u SSH_AUTH_SOCK "$PRISM" user ssh-key add "$T/people/alice/only.pub"
[ "$status" = 5 ]; tap $? "S1.6 without the private half there is no proof"
run as alice env PATH=/nonexistent "$PRISM" user ssh-key add "$T/second"
[ "$status" = 5 ] && has "$err" "openssh-client"; tap $? "S1.32 without ssh-keygen the package is named"

# Revoking one key: the lost laptop
token=$(invite carol@uni.edu lab)
run as carol prism invitation accept "$token" --yes
here=$(ssh-keygen -l -f "$T/people/carol/.prism/ssh_keys/id_ed25519.pub" | cut -d' ' -f2)
run as carol prism user ssh-key revoke "$here"
[ "$status" = 2 ] && has "$err" "last active key" && has "$err" "--yes"
tap $? "S3.21 the last active key is not revoked without --yes: exit 2"
ssh-keygen -q -t ed25519 -N '' -f "$T/laptop"
lost=$(ssh-keygen -l -f "$T/laptop.pub" | cut -d' ' -f2)
run as carol prism user ssh-key add "$T/laptop"
run as carol prism user ssh-key revoke "$here" --json
[ "$status" = 2 ] && [ "$(jq -r .error.code <<<"$out")" = CONFIRM ]
tap $? "S3.21 nor is the key of this machine"
run as carol prism user ssh-key revoke "$lost" --grace sometime
[ "$status" = 2 ]; tap $? "S3.21 revoke --grace takes a duration"
run as carol prism user ssh-key revoke SHA256:nothing
[ "$status" = 1 ] && has "$err" "You have no key SHA256:nothing"; tap $? "S3.21 a key that is not there is named: exit 1"
run as boss prism user ssh-key revoke "$lost" --yes
[ "$status" = 1 ]; tap $? "S3.21 nobody revokes the key of another"
run as carol prism user ssh-key revoke "$lost" --grace 2h --json
[ "$status" = 0 ] && [ "$(jq -r '.key.state + (.hosts | type)' <<<"$out")" = retiringarray ]
tap $? "S3.21 revoke --grace lets a key stay for a while"
run as carol prism user ssh-key revoke "${lost#SHA256:}"
[ "$status" = 0 ] && has "$out" "SSH Key Revoked" && has "$out" "$lost" && ! has "$out" "For a new key"
tap $? "S3.21 revoke by fingerprint ends another key at once and asks nothing"
run as carol prism user ssh-key status --json
[ "$(jq -r 'map(.fingerprint) | join(" ")' <<<"$out")" = "$here" ]; tap $? "S3.21 and only that one"
id=$(jq -r '.[0].id' <<<"$out")
run as carol python3 tests/cli/pty_talk.py "Revoke it? [y/N]" n -- "$PRISM" user ssh-key revoke "$id"
[ "$status" = 5 ] && has "$out" "Nothing was revoked"; tap $? "S3.21 no means no"
run as carol python3 tests/cli/pty_talk.py "Revoke it? [y/N]" y -- "$PRISM" user ssh-key revoke "$id"
[ "$status" = 0 ] && has "$out" "user provision --fix-keys"; tap $? "S3.21 revoke by ID, after yes, tells how to get a new key"
run as carol prism user provision --fix-keys
[ "$status" = 0 ] && has "$out" "Made and registered"; tap $? "S3.21 and that is so"

# Halves that do not belong together
K=$T/people/carol/.prism/ssh_keys/id_ed25519
mine=$(cut -d' ' -f1,2 "$K.pub") private=$(sha256sum <"$K")
cp "$T/laptop.pub" "$K.pub"
run as carol prism user provision
[ "$status" = 5 ] && has "$err" "does not belong to the private key" && has "$err" "--fix-keys" && cmp -s "$T/laptop.pub" "$K.pub"
tap $? "S1.23 a public half of another key is noticed, and left alone: exit 5"
run as carol prism user provision --fix-keys
[ "$status" = 0 ] && [ "$mine" = "$(cut -d' ' -f1,2 "$K.pub")" ] && [ "$private" = "$(sha256sum <"$K")" ] &&
	has "$out" "Was registered already" && has "$out" "Repaired: ~/.prism/ssh_keys/id_ed25519.pub"
tap $? "S1.23 --fix-keys makes it anew from the private one"
echo garbage >"$K.pub"
run as carol prism user provision --fix-keys
[ "$status" = 0 ] && [ "$mine" = "$(cut -d' ' -f1,2 "$K.pub")" ]; tap $? "S1.23 and one that is no key"
: >"$K.pub"
run as carol prism user provision --fix-keys
[ "$status" = 0 ] && [ "$mine" = "$(cut -d' ' -f1,2 "$K.pub")" ]; tap $? "S1.23 and an empty one"
sed -i "s/ [^ ]*$/ another comment/" "$K.pub"
run as carol prism user provision
[ "$status" = 0 ] && has "$(cat "$K.pub")" "another comment"; tap $? "S1.23 a comment is one's own affair"
cp "$K" "$T/whole" && head -c 200 "$T/whole" >"$K"
damaged=$(sha256sum <"$K") print=$(ssh-keygen -l -f "$K.pub" | cut -d' ' -f2)
run as carol prism user provision
[ "$status" = 5 ] && has "$err" "cannot be read as a private key" && [ "$damaged" = "$(sha256sum <"$K")" ]
tap $? "S1.23 a damaged private key beside an intact public half is noticed: exit 5"
run as carol prism user provision --fix-keys
broken=$(ls "$K".broken-*[0-9])
[ "$status" = 0 ] && has "$out" "Made and registered" && [ "$damaged" = "$(sha256sum <"$broken")" ] &&
	[[ $broken =~ id_ed25519\.broken-[0-9]{4}-[0-9]{2}-[0-9]{2}$ ]] && has "$out" "prism user ssh-key revoke $print"
tap $? "S1.23 --fix-keys sets it aside, makes a new key and tells how to end the old one"
run as carol prism login --key --user carol
[ "$status" = 0 ]; tap $? "S1.23 and the new key logs in"
: >"$K" && rm "$K.pub"
run as carol prism user provision --fix-keys
[ "$status" = 0 ] && has "$out" "Made and registered" && [ -e "$broken.2" ]
tap $? "S1.23 an empty private key without a public half too; the second of the day has a name of its own"
ssh-keygen -q -p -P '' -N secret -f "$K" >/dev/null
run as carol prism user provision
[ "$status" = 0 ] && has "$out" "Was registered already" && ! has "$err" passphrase
tap $? "S1.23 a key with a passphrase cannot be compared: nothing is said, nothing is asked"
tap_end
