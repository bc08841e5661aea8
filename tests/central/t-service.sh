#!/bin/bash
# SPDX-License-Identifier: MIT
# prism-central as its administrator meets it: first start, backup and restore, its keys, and what
# happens when it is killed.
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-build}
central=$B/prism-central
dir=$(mktemp -d /tmp/prism-test-XXXXXX) || exit 2
n=0 bad=0 pid=
trap '[ -z "$pid" ] || { kill -9 "$pid"; wait "$pid"; } 2>/dev/null; tests/keep-logs.sh "$dir"; rm -rf "$dir"' EXIT

say() { n=$((n + 1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
is() { [ "$1" = "$2" ] || echo "# \"$1\" is not \"$2\""; [ "$1" = "$2" ]; say $? "$3"; }
has() { case $1 in *"$2"*) true ;; *) echo "# \"$1\" lacks \"$2\""; false ;; esac; say $? "$3"; }
mode() { stat -c %a "$1"; }

conf() { # NAME [LINE...]: write NAME's configuration
  local name=$1
  shift
  mkdir -p "$dir/$name"
  printf '%s\n' "[server]" "url = https://localhost:8443" "listen = 127.0.0.1:0" \
    "listen_plain = unix:$dir/$name/sock" "state_dir = $dir/$name/state" "$@" >"$dir/$name/conf"
}
run() { local name=$1; shift; "$central" -c "$dir/$name/conf" "$@" 2>>"$dir/$name/err"; }
start() { # NAME: returns when it answers
  "$central" -c "$dir/$1/conf" serve >>"$dir/$1/log" 2>&1 &
  pid=$!
  for _ in $(seq 100); do
    curl -s --unix-socket "$dir/$1/sock" http://x/healthz | grep -q '"ok"' && return 0
    kill -0 "$pid" 2>/dev/null || { wait "$pid"; pid=; return 1; }
    sleep 0.05
  done
  return 1
}
stop() { kill "$pid"; wait "$pid"; local status=$?; pid=; return $status; }
api() { # NAME METHOD PATH [TOKEN [BODY]]
  curl -s --unix-socket "$dir/$1/sock" -X "$2" ${4:+-H "Authorization: Bearer $4"} \
    ${5:+-H 'Content-Type: application/json' -d "$5"} "http://x$3"
}
field() { python3 -c 'import json,sys
v = json.load(sys.stdin)
for k in sys.argv[1].split("."): v = v.get(k) if isinstance(v, dict) else None
print("" if v is None else v)' "$1"; }
login() { api "$1" POST /api/v1/sessions "" '{"login":"root1","password":"correct horse battery"}' | field token; }
sql() { python3 -c 'import sqlite3,sys
c = sqlite3.connect(sys.argv[1])
for r in c.execute(sys.argv[2]): print("|".join(str(v) for v in r))
c.commit()' "$1" "$2"; }

# ---- first start ---------------------------------------------------------------------------------
conf a
echo "correct horse battery" >"$dir/password"
out=$(run a bootstrap --username root1 --email root1@example.edu --name "First" --password-file "$dir/password")
say $? "D2 bootstrap makes the first superadmin"
is "$(printf '%s\n' "$out" | grep -c '^Log in with: prism login --server https.* --pin [A-Za-z0-9+/]*= --user root1$')" 1 "D2 and tells how to log in"
is "$(run a check-config | sed -n 's/^pin = //p')" "$(printf '%s\n' "$out" | sed -n 's/.*--pin \([^ ]*\) .*/\1/p')" "D2 check-config tells the same pin"
refused() { "$central" -c "$dir/a/conf" bootstrap "$@" --password-file "$dir/password" 2>&1 | grep -c "$why"; }
why="root is reserved"; is "$(refused --username root --email r@example.edu)" 1 "D2 bootstrap says which name is reserved"
why="username Root is not acceptable"; is "$(refused --username Root --email r@example.edu)" 1 "D2 bootstrap says that the username is not acceptable"
why="nobody is not an email address"; is "$(refused --username other --email nobody)" 1 "D2 bootstrap says that the address is none"
is "$("$central" --help | head -n 1 | cut -c1-20)" "usage: prism-central" "D2 --help is help"
run a bootstrap --username root2 --email root2@example.edu --password-file "$dir/password" >/dev/null
is $? 1 "D2 a second bootstrap is refused"
is "$(mode "$dir/a/state")" 700 "D2 the state folder is private"
is "$(mode "$dir/a/state/prism.db")" 600 "D2 the database is private"
start a
say $? "D2 the service starts and is healthy"
for f in feed.key recovery.key.offline tls.key; do is "$(mode "$dir/a/state/$f")" 600 "D6 $f is made on first start, private"; done
is "$(stat -c %s "$dir/a/state/feed.key")" 32 "D6 the feed's key is 32 raw bytes"
has "$(cat "$dir/a/log")" "move this file off the machine" "D6 the log tells the admin to move the recovery key away"
token=$(login a)
has "$token" "pst_" "D2 the superadmin logs in with the password of the file"
is "$(api a GET /api/v1/me "$token" | field username)" root1 "D2 and is known by the token"
"$central" -c "$dir/a/conf" serve >"$dir/second" 2>&1
is $? 1 "D2 a second service on the same state does not start"
has "$(cat "$dir/second")" "another prism-central" "D2 and says why"
grep -q "correct horse" "$dir/a/log" "$dir/a/err"
is $? 1 "STYLE 18 no password is in the log"
grep -q "$token" "$dir/a/log"
is $? 1 "STYLE 18 no token is in the log"

# ---- a lost password -----------------------------------------------------------------------------
echo "staple battery horse" >"$dir/password2"
enter() { api a POST /api/v1/sessions "" "{\"login\":\"$1\",\"password\":\"$2\"}"; }
fails() { "$central" -c "$dir/a/conf" password "$@" 2>&1 >/dev/null; } # what it says
api a POST /api/v1/users "$token" '{"username":"other1","email":"other1@example.edu","password":"correct horse battery"}' >/dev/null
other=$(enter other1 "correct horse battery" | field token)
out=$(run a password root1 --password-file "$dir/password2")
is $? 0 "L4.5 a lost password is set anew while the service runs"
has "$out" "root1 has a new password" "L4.5 and whose it is is told"
is "$(enter root1 "correct horse battery" | field error.code)" BAD_CREDENTIALS "L4.5 the old password is refused"
is "$(api a GET /api/v1/me "$token" | field error.code)" NOT_LOGGED_IN "L4.5 the sessions from before are refused"
is "$(api a GET /api/v1/me "$other" | field username)" other1 "L4.5 those of others go on"
token=$(enter root1 "staple battery horse" | field token)
has "$token" "pst_" "L4.5 the new password logs in"
made=$(run a password Other1@example.edu | sed -n 's/^Password, shown only now: //p')
has "$(enter other1 "$made" | field token)" "pst_" "L4.5 an address does as well, and a password is made"
is "$(sql "$dir/a/state/prism.db" "SELECT actor, object FROM audit WHERE action = 'user.password' ORDER BY seq" | tr '\n' ' ')" \
  "system|user:root1 system|user:other1 " "L4.5 both are in the audit"
run a audit verify >/dev/null
is $? 0 "L4.5 whose chain is whole"
has "$(fails nobody1)" "there is no user nobody1" "L4.5 a wrong username is told"
has "$(fails no@example.edu)" "there is no user no@example.edu" "L4.5 a wrong address as well"
echo short >"$dir/short"
has "$(fails root1 --password-file "$dir/short")" "at least 10 characters" "L4.5 a short password is refused"
api a POST /api/v1/users/other1/suspend "$token" >/dev/null
has "$(fails other1)" "the account of other1 is suspended" "L4.5 so is a suspended account"
is "$(sql "$dir/a/state/prism.db" "SELECT count(*) FROM audit WHERE action = 'user.password'")" 2 "L4.5 and nothing was changed by these"
run a password root1 --password-file - <"$dir/password" >/dev/null
is $? 0 "L4.5 the password is read from standard input"
token=$(login a)
has "$token" "pst_" "L4.5 and logs in"

# ---- backup and restore --------------------------------------------------------------------------
api a POST /api/v1/projects "$token" '{"slug":"before"}' >/dev/null
run a backup "$dir/backup.db" >"$dir/out"
say $? "D2 a backup is taken while the service runs"
has "$(cat "$dir/out")" "feed.key" "D6 it says which keys belong to it"
is "$(mode "$dir/backup.db")" 600 "D2 the backup is private"
run a backup "$dir/backup.db" >/dev/null
is $? 1 "D2 a backup replaces no file"
api a POST /api/v1/projects "$token" '{"slug":"after"}' >/dev/null
run a restore "$dir/backup.db" >/dev/null
is $? 1 "D2 restore is refused while the service runs"
epoch=$(sql "$dir/a/state/prism.db" "SELECT epoch FROM feed_epoch")
stop
is $? 0 "D2 SIGTERM ends the service with status 0"
head -c 20000 /dev/urandom >"$dir/noise"
run a restore "$dir/noise" >/dev/null
is $? 1 "D2 restore refuses what is no database"
python3 -c 'import sqlite3,sys; c = sqlite3.connect(sys.argv[1]); c.execute("CREATE TABLE t (a)"); c.commit()' "$dir/foreign.db"
run a restore "$dir/foreign.db" >/dev/null
is $? 1 "D2 restore refuses a database of something else"
run a restore "$dir/backup.db" >"$dir/out"
say $? "D2 restore puts the backup in place"
has "$(cat "$dir/out")" "before-restore-" "D2 and keeps what was there"
kept=$(ls "$dir"/a/state/*before-restore*[0-9Z])
has "$(sql "$kept" "SELECT slug FROM projects")" after "D2 the kept database is whole"
new=$(sql "$dir/a/state/prism.db" "SELECT epoch FROM feed_epoch")
say $([ "$new" -gt "$epoch" ]; echo $?) "D6 a restored backup starts a new epoch"
start a
say $? "D2 the service starts on the restored database"
token=$(login a)
list=$(api a GET /api/v1/projects "$token")
has "$list" before "D2 what the backup had is back"
case $list in *'"after"'*) false ;; *) true ;; esac
say $? "D2 what came after it is not"
out=$(run a audit verify)
is $? 0 "D2 audit verify finds the chain whole, the restore included"
has "$out" "events, whole" "D2 and says so"
stop
sql "$dir/a/state/prism.db" "UPDATE audit SET action = 'nothing.happened' WHERE seq = 2"
run a audit verify >/dev/null
is $? 1 "D2 audit verify notices an event that was changed"

# ---- schema --------------------------------------------------------------------------------------
conf m
run m migrate >/dev/null
is $? 0 "D2 migrate makes the schema"
sql "$dir/m/state/prism.db" "INSERT INTO schema_migrations VALUES (9999, 'later', 0)"
run m migrate >/dev/null
is $? 1 "D2 a database of a later version is refused"
has "$(tail -n 1 "$dir/m/err")" "later version" "D2 in words"

# Of a service that has been in use since before migration 5: two people, a SAML connection, a login.
conf u
mkdir -p -m 700 "$dir/u/state"
{
  echo 'PRAGMA application_id = 0x50525331; PRAGMA foreign_keys = ON;'
  echo 'CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL);'
  for f in prism-central/migrations/000[1-4]_*.sql; do
    cat "$f"
    v=$(basename "$f" .sql)
    echo "INSERT INTO schema_migrations VALUES (${v:3:1}, '$v', 1);"
  done
  cat <<'SQL'
INSERT INTO users (id, username, name, uid, home, shell, state, superadmin, password, created_at) VALUES
  (1, 'ann', 'Ann', 200001, '/home/ann', '/bin/sh', 'active', 0, 'encoded', 7),
  (2, 'ben', 'Ben', 200002, '/home/ben', '/bin/sh', 'active', 0, NULL, 8);
INSERT INTO organizations (id, slug, name, state, created_at) VALUES (3, 'uni', 'Uni', 'active', 1);
INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer, sp_key, sp_certificate,
  default_role_id, created_at, created_by, updated_at)
  SELECT 4, 3, 'campus', 'Campus', 'saml', 1, 'https://idp.test', 'sealed', 'PEM', MIN(id), 1, 1, 1
  FROM roles WHERE scope = 'organization';
INSERT INTO sso_identities (id, organization_id, connection_id, issuer, subject, user_id, created_at)
  VALUES (5, 3, 4, 'https://idp.test', 'sub-ann', 1, 1);
INSERT INTO browser_sessions (id, token_hash, user_id, identity_id, auth_at, peer, created_at, expires_at)
  VALUES (6, 'hash', 1, 5, 1, '192.0.2.1', 1, 9999999999);
SQL
} >"$dir/u/old.sql"
sqlite3 -bail "$dir/u/state/prism.db" <"$dir/u/old.sql" && chmod 600 "$dir/u/state/prism.db"
is $? 0 "D2 a database of an earlier version, in use"
run u migrate >/dev/null
is $? 0 "D2 is brought up to date"
is "$(sqlite3 "$dir/u/state/prism.db" "SELECT MAX(version) = COUNT(*) FROM schema_migrations;
  SELECT username, password, password_at FROM users ORDER BY id;
  SELECT slug, sp_key, sp_certificate, sp_other, sp_other_at, sp_other_key IS NULL, sp_other_certificate, roles_by FROM sso_connections;
  SELECT s.user_id, i.subject FROM browser_sessions s JOIN sso_identities i ON i.id = s.identity_id;
  PRAGMA foreign_key_check; PRAGMA integrity_check" | tr '\n' ' ')" \
  "1 ann|encoded|0 ben||0 campus|sealed|PEM||0|1||0 1|sub-ann ok " "D2 and says of what is there what it said before"

# ---- keys ----------------------------------------------------------------------------------------
conf k
run k migrate >/dev/null
start k && stop
pin1=$(openssl x509 -in "$dir/k/state/tls.crt" -pubkey -noout)
rm "$dir/k/state/tls.crt"
start k && stop
pin2=$(openssl x509 -in "$dir/k/state/tls.crt" -pubkey -noout)
is "$pin1" "$pin2" "D6 a certificate that is made anew keeps its key, so pins hold"
has "$(openssl x509 -in "$dir/k/state/tls.crt" -noout -ext subjectAltName)" "DNS:localhost" "D6 the certificate is for the host of the URL"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca \
  -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
issue() { # SERIAL
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
    -keyout "$dir/cert.key" 2>/dev/null |
    openssl x509 -req -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -days 1 -set_serial "$1" -out "$dir/cert.crt" 2>/dev/null
}
serial() { # of the certificate that the service shows
  local port
  port=$(sed -n 's/.* ready .* port=\([0-9]*\).*/\1/p' "$dir/h/log" | tail -n 1)
  openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -serial
}
conf h "[tls]" "certificate = $dir/cert.crt" "key = $dir/cert.key"
issue 1
start h
say $? "D2 the service takes the certificate of an authority"
is "$(serial)" serial=01 "D2 and shows it"
issue 2
kill -HUP "$pid"
for _ in $(seq 40); do [ "$(serial)" = serial=02 ] && break; sleep 0.05; done
is "$(serial)" serial=02 "D2 SIGHUP takes a renewed certificate"
echo nonsense >"$dir/cert.crt"
kill -HUP "$pid"
sleep 0.3
is "$(serial)" serial=02 "D2 a broken one leaves the old one in place"
stop
is $? 0 "D2 and the service ends in order"
chmod 644 "$dir/k/state/feed.key"
start k
is $? 1 "D6 a feed key that others may read stops the service"
chmod 600 "$dir/k/state/feed.key"
truncate -s 31 "$dir/k/state/feed.key"
start k
is $? 1 "D6 a cut feed key stops the service"
rm "$dir/k/state/feed.key"
columns=$(sql "$dir/k/state/prism.db" "SELECT group_concat(name) FROM pragma_table_info('hosts')")
values=$(sql "$dir/k/state/prism.db" "SELECT group_concat(CASE WHEN type LIKE '%INT%' THEN '7' ELSE '''x''' END) FROM pragma_table_info('hosts')")
python3 - "$dir/k/state/prism.db" "$columns" "$values" <<'PY'
import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.execute("PRAGMA foreign_keys = OFF")
c.execute("PRAGMA ignore_check_constraints = ON")
c.execute("INSERT INTO hosts (%s) VALUES (%s)" % (sys.argv[2], sys.argv[3]))
c.commit()
PY
start k
is $? 1 "D6 a missing feed key is not made anew where hosts trust the old one"
has "$(cat "$dir/k/log")" "bring it back" "D6 and the log says what to do"
is "$([ -e "$dir/k/state/feed.key" ] && echo made)" "" "D6 nothing was made"

# ---- configuration -------------------------------------------------------------------------------
conf c "worker = 3"
run c check-config >/dev/null
is $? 1 "D2 check-config refuses an unknown key"
has "$(cat "$dir/c/err")" "conf:6: there is no key worker" "D2 with its line"
conf p "[database]" "url = postgresql://db/prism"
run p migrate >/dev/null
is $? 1 "D2 PostgreSQL is refused"
has "$(cat "$dir/p/err")" "not in this build" "D2 in words"
has "$("$central" version)" "prism-central 0." "D2 version"
"$central" nonsense 2>/dev/null
is $? 2 "D2 an unknown command is a usage error"
for c in bootstrap password backup restore audit; do
  run a $c >/dev/null
  is $? 2 "D2 $c without arguments is a usage error"
done

# ---- killed under load ---------------------------------------------------------------------------
conf l "workers = 4"
run l bootstrap --username root1 --email root1@example.edu --password-file "$dir/password" >/dev/null
told=$dir/told
for round in 1 2 3; do
  start l || { say 1 "D2 the service starts after kill -9 ($round)"; break; }
  token=$(login l)
  for w in 1 2 3; do
    ( for i in $(seq 1000); do
        slug="r$round-w$w-$i"
        api l POST /api/v1/projects "$token" "{\"slug\":\"$slug\"}" | grep -q "\"$slug\"" || break
        echo "$slug" >>"$told"
      done ) &
  done
  sleep 1
  kill -9 "$pid"
  { wait; } 2>/dev/null
  pid=
done
sort "$told" >"$told.sorted"
sql "$dir/l/state/prism.db" "SELECT slug FROM projects" | sort >"$dir/there"
lost=$(comm -23 "$told.sorted" "$dir/there" | wc -l)
echo "# $(wc -l <"$told") projects acknowledged in three lives"
is "$lost" 0 "D2 kill -9 under load loses nothing that was acknowledged"
start l
say $? "D2 the service starts again after three kills"
stop
out=$(run l audit verify)
is $? 0 "D2 the audit is whole after three kills"
is "$(sql "$dir/l/state/prism.db" "PRAGMA integrity_check")" ok "D2 the database is whole after three kills"

echo "1..$n"
exit $bad
