# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The lab's usual inhabitants: the central service, two workstations with one home volume, and a client
# machine with the people's own accounts. To be sourced after lib.sh.
#
#	world_boot [EFS-OPTIONS]	# central, ws1, ws2, client: booted, nothing installed
#	world_install			# our packages on them
#	world_central			# the service configured, its first superadmin "chen"
#	world_person chen		# an account of that name on the client machine
#	as chen prism whoami		# run as that person there
#	world_enrol PROJECT		# both workstations into that project

WORLD_PASSWORD=correct-horse-battery-9
WORLD_URL=https://central:8443

world_boot()
{
  local host
  efs_build
  lab_network
  efs_start ws1 "${1:-no_root_squash}"
  efs_start ws2 "${1:-no_root_squash}"
  host_start central $LAB_NET.2
  host_start client $LAB_NET.50
  host_start ws1 $LAB_NET.11 --bind="$(efs_mount ws1)":/efs
  host_start ws2 $LAB_NET.12 --bind="$(efs_mount ws2)":/efs
  for host in central client ws1 ws2; do
    host_wait $host || return 1
  done
}

world_install()
{
  local host pids=() pid rc=0
  for host in ws1 ws2; do
    host_install $host libnss-prism libpam-prism prism-sync >"$LAB_LOG/install-$host.log" 2>&1 &
    pids+=($!)
  done
  host_install central prism-central >"$LAB_LOG/install-central.log" 2>&1 &
  pids+=($!)
  host_install client prism >"$LAB_LOG/install-client.log" 2>&1 &
  pids+=($!)
  for pid in "${pids[@]}"; do
    wait "$pid" || rc=1
  done
  [ $rc = 0 ] || tail -n 20 "$LAB_LOG"/install-*.log >&2
  return $rc
}

world_healthy() { host_run central curl -fsS --unix-socket /run/prism-central/http.sock http://local/healthz; }

world_central()
{
  printf '[server]\nurl = %s\n' "$WORLD_URL" >"$(host_root central)/etc/prism/central.conf"
  host_run central systemctl restart prism-central || return 1
  echo "$WORLD_PASSWORD" >"$(host_root central)/run-password"
  host_sh central 'prism_password=$(cat /run-password); rm /run-password
    echo "$prism_password" | runuser -u prism-central -- prism-central bootstrap \
      --username chen --email chen@example.edu --name "Mei Chen" --password-file -'
}

# What recognises the service: SHA-256 of its public key, as its administrator would tell it.
world_pin()
{
  openssl x509 -in "$(host_root central)/var/lib/prism-central/tls.crt" -noout -pubkey |
    openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64
}

world_person()
{
  host_run client useradd -m -s /bin/bash "$1"
  printf '%s\n' "$WORLD_PASSWORD" >"$(host_root client)/home/$1/password"
}

# as PERSON COMMAND...: on the client machine
as()
{
  local person=$1
  shift
  host_run client runuser -u "$person" -- env -C "/home/$person" HOME="/home/$person" USER="$person" "$@"
}

# world_field NAME <JSON: the first member of that name with a string.
world_field() { tr -d '\n' | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }

world_login() { as "$1" prism login --server "$WORLD_URL" --pin "$(world_pin)" --user "$1" --password-file password; }

# world_join PERSON PROJECT [ROLE]: invited by chen, accepted on the client machine
world_join()
{
  local token
  token=$(as chen prism invitation send "$1@example.edu" --project "$2" --role "${3:-member}" --json | world_field token)
  [ -n "$token" ] || return 1
  as "$1" prism invitation accept "$token" --username "$1" --yes
}

world_enrol()
{
  local host token
  for host in ws1 ws2; do
    token=$(as chen prism host token --project "$1" --name $host --json | world_field token)
    [ -n "$token" ] && host_run $host prism-sync enroll --token "$token" --name $host || return 1
  done
}

# ssh as somebody with their prism key; plain ssh, no prism command in it.
ssh_to() # PERSON HOST COMMAND...
{
  local person=$1 host=$2
  shift 2
  as "$person" ssh -i "/home/$person/.prism/ssh_keys/id_ed25519" -o BatchMode=yes -o ConnectTimeout=5 \
    -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR "$person@$host" "$@"
}

knows() { host_run "$1" getent passwd "$2"; }
