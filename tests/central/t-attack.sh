#!/bin/bash
# SPDX-License-Identifier: MIT
# Strangers behind a proxy: who they say they are, whom they can lock out, what they can find out.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/central/api.sh

stage 'behind_proxy = yes'
account chief
start

curl -sS -D - -o /dev/null --unix-socket "$dir/http.sock" http://localhost/login |
  grep -qi '^Strict-Transport-Security: max-age=31536000'
say $? "I3.1 behind a proxy too, browsers are told to come by HTTPS alone"

login() { # FROM PASSWORD: the status
  curl -sS -o /dev/null -w '%{http_code}' --unix-socket "$dir/http.sock" -H "X-Forwarded-For: $1" \
    -H 'Content-Type: application/json' -d "{\"login\":\"chief\",\"password\":\"$2\"}" http://localhost/api/v1/sessions
}
for _ in $(seq 11); do last=$(login 198.51.100.7 'wrong horse battery'); done
[ "$last" = 429 ]; say $? "L4.5 who guesses passwords is made to wait"
[ "$(login 198.51.100.7 'correct horse battery')" = 429 ]; say $? "L4.5 whatever they try next"
[ "$(login 203.0.113.5 'correct horse battery')" = 201 ]; say $? "L4.5 and the owner, from elsewhere, is not locked out by it"

python3 - "$dir/http.sock" <<'EOP'
import socket, sys, time, json

def ask(user, host):
    k = socket.socket(socket.AF_UNIX)
    k.connect(sys.argv[1])
    body = json.dumps({"username": user})
    t = time.perf_counter()
    k.sendall(("POST /api/v1/sessions/key/challenge HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.0.%d.%d\r\n"
               "Content-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
               % (host // 250, host % 250 + 1, len(body), body)).encode())
    got = b""
    while True:
        d = k.recv(4096)
        if not d:
            break
        got += d
    t = time.perf_counter() - t
    assert b" 200 " in got.split(b"\r\n")[0], got
    return t

times = {"chief": [], "nobody-here": []}
for i in range(300):
    for user in times:
        times[user].append(ask(user, 2 * i + (user == "chief")))
median = {u: sorted(v)[len(v) // 2] for u, v in times.items()}
print("# a challenge takes %.3f ms for somebody, %.3f ms for nobody" %
      (median["chief"] * 1e3, median["nobody-here"] * 1e3))
sys.exit(not 0.5 < median["nobody-here"] / median["chief"] < 2)
EOP
say $? "L4.5 the time of a challenge does not tell who has an account"
stop
echo "1..$n"
exit "$bad"
