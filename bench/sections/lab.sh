#!/bin/bash
# SPDX-License-Identifier: MIT
# What people feel, on the lab's real hosts: how soon a removed member is refused everywhere, and what Prism
# adds to an ssh login. Prints rows: section, name, ours, reference, unit, target, verdict, between tabs.
# LAB_TRIES removals (50) and LAB_LOGINS pairs of logins (100).
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/../../tests/lab/lib.sh"
lab_enter "$@"
# shellcheck source=tests/lab/world.sh
. "$LAB_SOURCE/tests/lab/world.sh"

tries=${LAB_TRIES:-50}
logins=${LAB_LOGINS:-100}
project=genomics-lab
watchers=()

row() # NAME OURS REFERENCE UNIT LIMIT
{
  local verdict
  verdict=$(awk -v ours="$2" -v limit="$5" 'BEGIN { print ours < limit ? "ok" : "missed" }')
  printf 'lab\t%s\t%s\t%s\t%s\t< %s\t%s\n' "$1" "$2" "$3" "$4" "$5" "$verdict"
}

# percentile P: of the numbers on standard input, one a line.
percentile() { sort -n | awk -v p="$1" '{ v[NR] = $1 } END { i = int(NR * p / 100 + 0.999999); print v[i < 1 ? 1 : i] }'; }

# On both hosts: ask the account phase over and over, and write down when it first refuses.
watch_refusals()
{
  local host
  watchers=()
  for host in ws1 ws2; do
    host_sh $host 'while pamtester sshd alice acct_mgmt >/dev/null 2>&1; do :; done; date +%s%3N' >"$LAB_DIR/refused-$host" &
    watchers+=($!)
  done
}

removals()
{
  local i began done_at last host
  for ((i = 0; i < tries; i++)); do
    watch_refusals
    sleep 0.1
    began=$(now_ms)
    as chen prism member remove alice --project $project >/dev/null || return 1
    done_at=$(now_ms)
    wait "${watchers[@]}"
    last=0
    for host in ws1 ws2; do
      [ "$(cat "$LAB_DIR/refused-$host")" -le $last ] || last=$(cat "$LAB_DIR/refused-$host")
    done
    echo $((last - began)) >>"$LAB_DIR/removal"
    echo $((done_at - began)) >>"$LAB_DIR/removal-command"
    world_join alice $project >/dev/null 2>&1
    wait_for 10 host_run ws1 pamtester sshd alice acct_mgmt && wait_for 10 host_run ws2 pamtester sshd alice acct_mgmt
  done
}

# A local user like her in everything but Prism: key on the local disk, home on the same volume.
local_twin()
{
  host_sh ws1 'useradd -M -d /efs/martha -s /bin/bash martha && cp -r /etc/skel /efs/martha &&
    chmod 700 /efs/martha && chown -R martha: /efs/martha &&
    printf "Match User martha\n\tAuthorizedKeysFile /etc/ssh/martha.keys\nMatch all\n" >/etc/ssh/sshd_config.d/50-martha.conf'
  host_put ws1 "$(host_root client)/home/alice/.prism/ssh_keys/id_ed25519.pub" /etc/ssh/martha.keys
  host_run ws1 systemctl reload ssh
}

martha_logs_in()
{
  as alice ssh -i .prism/ssh_keys/id_ed25519 -o BatchMode=yes -o StrictHostKeyChecking=accept-new martha@ws1 true
}

# Both by turns, timed on the client itself; "microseconds-martha microseconds-alice" a line.
pairs_of_logins()
{
  cat >"$(host_root client)/home/alice/logins" <<'X'
login() {
  local t=${EPOCHREALTIME/./}
  ssh -i .prism/ssh_keys/id_ed25519 -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR \
    "$1@ws1" true || exit 1
  took=$((${EPOCHREALTIME/./} - t))
}
login martha; login alice
for ((i = 0; i < $1; i++)); do
  if ((i % 2)); then
    login martha; a=$took; login alice; b=$took
  else
    login alice; b=$took; login martha; a=$took
  fi
  echo "$a $b"
done
X
  as alice bash logins "$logins" >"$LAB_DIR/logins"
}

{
  lab_packages
  lab_rootfs
  world_boot && world_install && world_central && wait_for 10 world_healthy || lab_die "the hosts did not come up"
  world_person chen
  world_person alice
  world_login chen && as chen prism project create $project && world_enrol $project && world_join alice $project
  wait_for 10 ssh_to alice ws1 true && wait_for 10 ssh_to alice ws2 true || lab_die "she cannot log in"
  local_twin
  wait_for 10 martha_logs_in
} >"$LAB_LOG/setup.log" 2>&1 || { tail -n 20 "$LAB_LOG/setup.log" >&2; exit 1; }

pairs_of_logins || lab_die "logins failed"
removals || lab_die "removals failed"

row "removal to refusal on both hosts, p99 of $tries (reference: the command alone, p99)" \
  "$(percentile 99 <"$LAB_DIR/removal")" "$(percentile 99 <"$LAB_DIR/removal-command")" ms 1000
row "removal to refusal on both hosts, median (reference: the command alone)" \
  "$(percentile 50 <"$LAB_DIR/removal")" "$(percentile 50 <"$LAB_DIR/removal-command")" ms 1000
row "what Prism adds to an ssh login, median of $logins pairs (reference: a local user's login)" \
  "$(awk '{ printf "%.2f\n", ($2 - $1) / 1000 }' "$LAB_DIR/logins" | percentile 50)" \
  "$(awk '{ printf "%.2f\n", $1 / 1000 }' "$LAB_DIR/logins" | percentile 50)" ms 5
