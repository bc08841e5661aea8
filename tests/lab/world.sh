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
#
# The institution's login, after lab_network and before world_central:
#	world_campus			# a network "idp" with a certificate and a name server
#	world_op			# (after world_central) an OpenID provider there
#	world_sso			# chen connects it: the connection "campus"
#	world_saml_op			# (after world_op) a hospital's SAML provider there
#	world_saml			# chen connects it: the connection "clinic"
#	world_browser NAME		# a real browser on the client machine: browser NAME COMMAND...
#	campus_login NAME PERSON	# fills in the institution's login page in that browser
#	campus_keep NAME		# says there that all ways into the account are one's own
#	idp_admin "$OP_ADMIN" ...	# what the institution's administrator does (tests/idp/README.md)

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
  host_install central prism-central prism-saml >"$LAB_LOG/install-central.log" 2>&1 &
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
  [ -z "${WORLD_CAMPUS:-}" ] || world_central_campus || return 1
  host_run central systemctl restart prism-central || return 1
  echo "$WORLD_PASSWORD" >"$(host_root central)/run-password"
  host_sh central 'prism_password=$(cat /run-password); rm /run-password
    echo "$prism_password" | runuser -u prism-central -- prism-central bootstrap \
      --username chen --email chen@example.edu --name "Mei Chen" --password-file -'
}

# What recognises the service: SHA-256 of its public key, as its administrator would tell it.
world_pin() { certificate_pin "$(host_root central)/var/lib/prism-central/tls.crt"; }

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

# world_join PERSON PROJECT [ROLE [OPTION...]]: invited by chen, accepted on the client machine
world_join()
{
  local token
  token=$(as chen prism invitation send "$1@example.edu" --project "$2" --role "${3:-member}" --json | world_field token)
  [ -n "$token" ] || return 1
  as "$1" prism invitation accept "$token" --username "$1" --yes "${@:4}"
}

world_enrol()
{
  local host token
  for host in ws1 ws2; do
    token=$(as chen prism host token --project "$1" --name $host --json | world_field token)
    [ -n "$token" ] && host_run $host prism-sync enroll --token "$token" --name $host || return 1
  done
}

# ---- the institution -----------------------------------------------------------------------------

WORLD_ISSUER=https://idp:8443
WORLD_CLIENT_SECRET=campus-client-secret-4711

# The lab's folder is what the libraries call $T; its process namespace ends what they start.
# shellcheck disable=SC2034
T=$LAB_DIR cli_pids=()
# shellcheck source=tests/idp/lib.sh
. "$LAB_SOURCE/tests/idp/lib.sh"
# shellcheck source=tests/browser/lib.sh
. "$LAB_SOURCE/tests/browser/lib.sh"

certificate_pin() # FILE: SHA-256 of its public key
{
  openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64
}

world_campus()
{
  local dir=$LAB_DIR/campus
  mkdir -p "$dir"
  host_network idp $LAB_NET.3
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=idp \
    -addext subjectAltName=DNS:idp -keyout "$dir/key" -out "$dir/certificate" 2>/dev/null || return 1
  : >"$dir/zone"
  net_run idp python3 "$LAB_SOURCE/tests/idp/dns.py" $LAB_NET.3:53 "$dir/zone" >"$dir/dns" 2>&1 &
  WORLD_CAMPUS=$dir
}

# What the service must know of it: whom to trust, whom to ask, and a key to seal secrets with.
world_central_campus()
{
  host_put central "$WORLD_CAMPUS/certificate" /etc/prism/campus.crt
  host_sh central 'prism-central secrets new-key >/etc/prism/master.keys 2>/dev/null &&
    chmod 600 /etc/prism/master.keys && chown prism-central: /etc/prism/master.keys' || return 1
  cat >>"$(host_root central)/etc/prism/central.conf" <<X
[secrets]
master_keys = /etc/prism/master.keys
[sso]
ca_file = /etc/prism/campus.crt
private_addresses = yes
dns = $LAB_NET.3
X
}

# The provider, which knows the service, whose certificate it trusts when it tells of a logout.
world_op()
{
  local client
  client=$(printf '{"client_id": "prism", "client_secret": "%s", "redirect_uris": ["%s/sso/campus/callback"],
    "backchannel_logout_uri": "%s/sso/campus/logout"}' "$WORLD_CLIENT_SECRET" "$WORLD_URL" "$WORLD_URL")
  # What "central" and "idp" are, for the programs of this machine that run in the lab's networks.
  printf '127.0.0.1 localhost\n%s.2 central\n%s.3 idp\n' $LAB_NET $LAB_NET >"$WORLD_CAMPUS/hosts"
  mount --bind "$WORLD_CAMPUS/hosts" /etc/hosts
  # shellcheck disable=SC2034 # for tests/idp/lib.sh
  IDP_RUN=(nsenter --net="/run/netns/$(net_name idp)" --)
  op_start op --listen $LAB_NET.3:8443 --name idp --cert "$WORLD_CAMPUS/certificate" --key "$WORLD_CAMPUS/key" \
    --ca "$(host_root central)/var/lib/prism-central/tls.crt" --client "$client"
}

# The command of chen that connects it.
world_sso_add=(prism sso add campus --type oidc --name "Example University" --issuer "$WORLD_ISSUER" --client-id prism
  --client-secret-file client.password --scopes "openid email profile groups")
world_sso_secret() { echo "$WORLD_CLIENT_SECRET" >"$(host_root client)/home/chen/client.password"; }
# The record that "prism sso domain add --json" asks for, read from standard input.
world_sso_record()
{
  local shown
  shown=$(cat)
  printf '%s %s\n' "$(world_field record_name <<<"$shown")" "$(world_field record_value <<<"$shown")" >>"$WORLD_CAMPUS/zone"
}

world_sso()
{
  world_sso_secret
  as chen "${world_sso_add[@]}" &&
    as chen prism sso domain add example.edu --connection campus --json | world_sso_record &&
    as chen prism sso domain verify example.edu &&
    as chen prism sso edit campus --enabled yes
}

# A provider beside it that speaks SAML, of a domain of its own.
world_saml_op()
{
  local dir=$WORLD_CAMPUS
  openssl req -x509 -newkey rsa:2048 -nodes -days 60 -subj "/CN=City Clinic" \
    -keyout "$dir/saml.key" -out "$dir/saml.crt" 2>/dev/null &&
    saml_start clinic --listen $LAB_NET.3:9443 --name idp --cert "$dir/certificate" --key "$dir/key" \
      --domain clinic.example.org --signing-cert "$dir/saml.crt" --signing-key "$dir/saml.key"
}

# Either side knows the other by what it publishes.
world_saml()
{
  local metadata
  cp "$WORLD_CAMPUS/saml.crt" "$(host_root client)/home/chen/clinic.crt"
  as chen prism sso add clinic --type saml --name "City Clinic" --issuer "$SAML_METADATA" --entry-point "$SAML_URL/sso" \
    --certificate-file clinic.crt &&
    as chen prism sso domain add clinic.example.org --connection clinic --json | world_sso_record &&
    as chen prism sso domain verify clinic.example.org &&
    as chen prism sso edit clinic --enabled yes &&
    metadata=$(as chen prism sso metadata clinic --json) &&
    idp_admin "$SAML_ADMIN" PUT /services/ "$metadata" | grep -q '"entity"'
}

# shellcheck disable=SC2034 # for tests/browser/lib.sh
world_browser() # NAME
{
  BROWSER_RUN=(env TMPDIR=/run nsenter --net="/run/netns/$(net_name client)" --)
  browser_start "$1" --pin "$(world_pin)" --pin "$(certificate_pin "$WORLD_CAMPUS/certificate")" \
    --map central=$LAB_NET.2 --map idp=$LAB_NET.3
}

campus_login() # BROWSER PERSON
{
  browser "$1" set '[name=username]' "$2" -- type '[name=password]' "$2-at-campus" -- click '#login'
}

campus_keep() # BROWSER
{
  browser "$1" wait-text "Is all of this yours?" -- click 'button[value=keep]'
}

# ---- terminals -----------------------------------------------------------------------------------

# on_client PERSON COMMAND...: the words that run it on the client machine, in the array on_client
on_client()
{
  local person=$1
  shift
  on_client=(setpriv --bounding-set=-sys_time -- nsenter --target "$(host_init client)"
    --mount --uts --ipc --net --pid --cgroup -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="/home/$person" USER="$person"
    TERM=xterm LANG=C.UTF-8 runuser -u "$person" -- env -C "/home/$person" "$@")
}

# terminal_start NAME PERSON COMMAND...: on the client machine, on a terminal of its own
terminal_start()
{
  local name=$1
  shift
  rm -f "$LAB_DIR/terminal-$name".*
  on_client "$@"
  python3 "$LAB_SOURCE/tests/lab/terminal.py" "$LAB_DIR/terminal-$name" "${on_client[@]}" 9>&- &
}
terminal_screen() { tr -d '\r' <"$LAB_DIR/terminal-$1.screen" 2>/dev/null; }
terminal_shows() { terminal_screen "$1" | grep -qE -- "$2"; } # NAME PATTERN
terminal_wait() { wait_for "$2" terminal_shows "$1" "$3"; }   # NAME SECONDS PATTERN
# NAME [TEXT]: and Enter; nobody may be there any more
terminal_type() { timeout 2 sh -c 'printf "%s\n" "$2" >"$1"' _ "$LAB_DIR/terminal-$1.keys" "${2:-}"; }
# NAME SECONDS: its command's exit status
terminal_end() { wait_for "$2" test -s "$LAB_DIR/terminal-$1.status" && cat "$LAB_DIR/terminal-$1.status"; }

# ---- logins --------------------------------------------------------------------------------------

# ssh as somebody with their prism key; plain ssh, no prism command in it.
ssh_to() # PERSON HOST COMMAND...
{
  local person=$1 host=$2
  shift 2
  as "$person" ssh -i "/home/$person/.prism/ssh_keys/id_ed25519" -o BatchMode=yes -o ConnectTimeout=5 \
    -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR "$person@$host" "$@"
}

knows() { host_run "$1" getent passwd "$2"; }
