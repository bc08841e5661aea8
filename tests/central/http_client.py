# SPDX-License-Identifier: MIT
"""Drives helper_http by raw sockets, and speaks TAP. Started by t-http.sh."""
import base64, hashlib, json, os, re, resource, shutil, signal, socket, ssl, subprocess, sys
import tempfile, threading, time

HELPER = sys.argv[1]
TMP = tempfile.mkdtemp(prefix="prism-test-")
count = 0
failed = 0


def say(ok, name):
    global count, failed
    count += 1
    failed += not ok
    print("%s %d - %s" % ("ok" if ok else "not ok", count, name), flush=True)


def note(text):
    print("# " + text, flush=True)


SERVERS = []


def tell_logs():
    """What the servers had to say that is not a request."""
    for s in SERVERS:
        lines = [l for l in s.log_text().splitlines() if " info request " not in l]
        sys.stdout.write("".join("# %s: %s\n" % (s.dir, l) for l in lines[-60:]))


class Server:
    def __init__(self, name, extra=""):
        self.dir = os.path.join(TMP, name)
        os.mkdir(self.dir)
        self.unix = os.path.join(self.dir, "http.sock")
        conf = os.path.join(self.dir, "conf")
        with open(conf, "w") as f:
            f.write("[server]\nurl = https://localhost:1\nlisten = 127.0.0.1:0\n"
                    "state_dir = %s\n%s\n" % (self.dir, extra or "listen_plain = 127.0.0.1:0"))
        self.log = open(os.path.join(self.dir, "log"), "w+")
        self.p = subprocess.Popen([HELPER, conf], stdout=subprocess.PIPE, stderr=self.log,
                                  text=True)
        line = self.p.stdout.readline().split()
        SERVERS.append(self)
        self.tls, self.plain, self.pin = int(line[0]), int(line[1]), line[2]

    def log_text(self):
        with open(self.log.name) as f:
            return f.read()

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        started = time.time()
        try:
            status = self.p.wait(15)
        except subprocess.TimeoutExpired:
            self.p.kill()
            status = -1
        return status, time.time() - started

    def fds(self):
        return len(os.listdir("/proc/%d/fd" % self.p.pid))

    def memory(self):
        with open("/proc/%d/status" % self.p.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) * 1024

    def cpu(self):
        with open("/proc/%d/stat" % self.p.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE


def dial(s, tls=False, timeout=5):
    k = socket.create_connection(("127.0.0.1", s.tls if tls else s.plain), timeout)
    k.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return CONTEXT.wrap_socket(k) if tls else k


def read_reply(k):
    """(status, headers, body), or (0, {}, b"") at the end."""
    b = b""
    try:
        while b"\r\n\r\n" not in b:
            x = k.recv(65536)
            if not x:
                return 0, {}, b
            b += x
        head, body = b.split(b"\r\n\r\n", 1)
        lines = head.decode("latin1").split("\r\n")
        headers = {n.lower(): v.strip() for n, v in (l.split(":", 1) for l in lines[1:])}
        want = int(headers.get("content-length", 0))
        while len(body) < want:
            x = k.recv(65536)
            if not x:
                break
            body += x
        return int(lines[0].split()[1]), headers, body
    except (ConnectionError, socket.timeout, ssl.SSLError):
        return 0, {}, b


def head(method, path, extra=""):
    return ("%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (method, path, extra)).encode()


def ask(s, method, path, body=None, kind="application/json", extra="", tls=False):
    k = dial(s, tls)
    data = b"" if body is None else body if isinstance(body, bytes) else body.encode()
    if body is not None:
        extra += "Content-Type: %s\r\nContent-Length: %d\r\n" % (kind, len(data))
    k.sendall(head(method, path, extra) + data)
    reply = read_reply(k)
    k.close()
    return reply


def closed(k, timeout=2):
    """Whether the other side ends the connection by then."""
    k.settimeout(timeout)
    try:
        while True:
            if not k.recv(65536):
                return True
    except (socket.timeout, BlockingIOError):
        return False
    except (ConnectionError, ssl.SSLError, OSError):
        return True


# ---- slow clients, which need their time: begun first, judged last -------------------------------

def drip(s, tls, n, out):
    silent = [socket.create_connection(("127.0.0.1", s.tls if tls else s.plain)) for _ in range(n)]
    dripping = []
    for i in range(n):
        k = dial(s, tls)
        body = i % 2 == 0
        k.sendall(b"POST /echo/a HTTP/1.1\r\nHost: x\r\n" +
                  (b"Content-Length: 1000\r\n\r\n" if body else b""))
        dripping.append((k, body))
    dead = set()
    for _ in range(44):
        for i, (k, body) in enumerate(dripping):
            if i in dead:
                continue
            try:
                k.send(b"x" if body else b"X-A: b\r\n")
            except OSError:
                dead.add(i)
        time.sleep(0.4)
    alive = sum(1 for k in silent if not closed(k, 0.01))
    left = sum(1 for i, (k, _) in enumerate(dripping) if i not in dead and not closed(k, 0.01))
    out[tls] = (left, alive)
    for k in silent + [k for k, _ in dripping]:
        k.close()


# ---- tests ---------------------------------------------------------------------------------------

def test_gate(s):
    post = b"POST /echo/a HTTP/1.1\r\n"
    get = b"GET /echo/a HTTP/1.1\r\n"
    h = b"Host: x\r\n"
    cases = {
        "two Content-Length that differ":
            post + h + b"Content-Length: 5\r\nContent-Length: 0\r\n\r\nABCDE",
        "two equal Content-Length": post + h + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "Content-Length and Transfer-Encoding":
            post + h + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "a chunked body": post + h + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding twice":
            post + h + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "an unknown Transfer-Encoding": post + h + b"Transfer-Encoding: xchunked\r\n\r\nABCDE",
        "a list of encodings": post + h + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: +5": post + h + b"Content-Length: +5\r\n\r\nABCDE",
        "Content-Length: 5, 5": post + h + b"Content-Length: 5, 5\r\n\r\nABCDE",
        "Content-Length: 0x5": post + h + b"Content-Length: 0x5\r\n\r\nABCDE",
        "a space before the colon": get + b"Host : x\r\nHost: x\r\n\r\n",
        "a header without a name": get + h + b": x\r\n\r\n",
        "two Host": get + h + b"Host: y\r\n\r\n",
        "no Host": get + b"\r\n",
        "two Authorization": get + h + b"Authorization: a\r\nAuthorization: b\r\n\r\n",
        "a body behind GET": get + h + b"Content-Length: 5\r\n\r\nABCDE",
        "an address of another host": b"GET http://evil/echo/a HTTP/1.1\r\n" + h + b"\r\n",
        "an address with two slashes": b"GET //echo/a HTTP/1.1\r\n" + h + b"\r\n",
        "an encoded NUL": b"GET /echo/a%00b HTTP/1.1\r\n" + h + b"\r\n",
        "a broken escape": b"GET /echo/a%zz HTTP/1.1\r\n" + h + b"\r\n",
        "an encoded slash": b"GET /echo/a%2Fb HTTP/1.1\r\n" + h + b"\r\n",
        "an overlong UTF-8 sequence": b"GET /echo/a%c0%af HTTP/1.1\r\n" + h + b"\r\n",
        "an encoded line break": b"GET /echo/a%0d%0ab HTTP/1.1\r\n" + h + b"\r\n",
        "a query parameter twice": b"GET /echo/a?q=1&q=2 HTTP/1.1\r\n" + h + b"\r\n",
        "HTTP/2.0": b"GET /echo/a HTTP/2.0\r\n" + h + b"\r\n",
        "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        "20 kB of headers": get + h + b"X-A: " + b"a" * 20000 + b"\r\n\r\n",
    }
    for name, data in cases.items():
        k = dial(s)
        k.sendall(data + get + h + b"\r\n")
        status, _, _ = read_reply(k)
        good = status == 400
        if "escape" not in name and "encoded" not in name and "UTF-8" not in name and \
           "parameter" not in name:
            good = good and closed(k)
        if not good:
            note("status %d" % status)
        say(good, "D2 the gate refuses %s" % name)
        k.close()


def test_good(s):
    k = dial(s)
    k.sendall(head("GET", "/echo/one") + head("GET", "/echo/a%20b%C3%A9?q=x+y%26"))
    first, second = read_reply(k), None
    # both replies may have come in one piece: ask again on the same connection
    k.sendall(head("GET", "/who"))
    second = read_reply(k)
    say(first[0] == 200 and second[0] in (200,), "D2 a connection serves several requests")
    k.close()
    st, h, b = ask(s, "GET", "/echo/a%20b%C3%A9?q=x+y%26")
    say(st == 200 and json.loads(b) == {"arg": "a b\u00e9", "q": "x y&"},
        "D2 path and query are decoded")
    say(h.get("cache-control") == "no-store" and h.get("x-content-type-options") == "nosniff" and
        "server" not in h and re.fullmatch("[0-9a-f]{16}", h.get("x-request-id", "")) is not None,
        "D2 every reply has the security headers and a request id")
    for m in ("PUT", "PATCH", "DELETE"):
        st, _, b = ask(s, m, "/echo/m", '{"reason":"x"}')
        say(st == 200 and json.loads(b)["body"] == {"reason": "x"}, "D2 %s takes a body" % m)
    st, _, b = ask(s, "POST", "/form", "a=1%2B1&b=", "application/x-www-form-urlencoded")
    say(st == 200 and json.loads(b) == {"a": "1+1", "body": False}, "D2 forms are decoded")
    st, h, _ = ask(s, "GET", "/self")
    say(st == 401 and h.get("www-authenticate") == "Bearer", "D2 nobody is refused with 401")
    st, _, _ = ask(s, "GET", "/self", extra="Authorization: Bearer bad\r\n")
    st2, _, b = ask(s, "GET", "/self", extra="Authorization: Bearer good\r\n")
    st3, _, _ = ask(s, "GET", "/who", extra="Authorization: Bearer bad\r\n")
    say(st == 401 and st2 == 200 and json.loads(b)["who"] == "somebody" and st3 == 200,
        "D2 the bearer token decides, but for public routes a dead one does not matter")


def test_refused(s):
    for method, path, want in (("BREW", "/who", 405), ("OPTIONS", "/who", 405),
                               ("DELETE", "/who", 405), ("POST", "/who", 405),
                               ("GET", "/nothing", 404), ("GET", "/echo", 404),
                               ("GET", "/echo/", 404), ("GET", "/echo/a/b", 404),
                               ("GET", "/who/", 404), ("GET", "/silent", 500)):
        st, _, b = ask(s, method, path)
        say(st == want and b'"code"' in b, "D2 %s %s is %d" % (method, path, want))
    deep = '{"a":' * 17 + "1" + "}" * 17
    for name, body, kind in (("a repeated member", '{"a":1,"a":2}', "application/json"),
                             ("an array", "[1]", "application/json"),
                             ("broken JSON", '{"a":', "application/json"),
                             ("17 levels", deep, "application/json"),
                             ("too many values", '{"a":[' + "0," * 140000 + "0]}", "application/json"),
                             ("a million brackets", "[" * 1000000, "application/json"),
                             ("bad UTF-8", b'{"a":"\xff"}', "application/json"),
                             ("another type", '{"a":1}', "text/plain"),
                             ("a repeated field", "a=1&a=2", "application/x-www-form-urlencoded")):
        st, _, _ = ask(s, "POST", "/echo/x", body, kind)
        say(st == 400, "D2 a body with %s is refused" % name)
    k = dial(s)
    k.sendall(head("POST", "/echo/x", "Content-Type: application/json\r\n"
                   "Content-Length: 4194305\r\n"))
    st, _, _ = read_reply(k)
    say(st == 413 and closed(k), "D2 a body over 4 MiB is refused before it is sent")
    k.close()


def test_log(s):
    ask(s, "GET", "/echo/pst_secret?q=alsosecret", extra="Authorization: Bearer verysecret\r\n")
    ask(s, "POST", "/echo/x", '{"password":"bodysecret"}')
    ask(s, "GET", "/nowhere/lostsecret")
    time.sleep(0.1)
    text = s.log_text()
    say("secret" not in text and 'route="/echo/{}"' in text and "status=404" in text,
        "STYLE 18 the log has routes, never paths, tokens or bodies")


def test_tls(s):
    k = dial(s, tls=True)
    der = k.getpeercert(binary_form=True)
    k.close()
    spki = subprocess.run(["openssl", "x509", "-inform", "der", "-pubkey", "-noout"], input=der,
                          capture_output=True).stdout
    spki = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=spki,
                          capture_output=True).stdout
    pin = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    say(pin == s.pin, "D6 the pin that tokens carry is that of the server's key")
    st, h, _ = ask(s, "GET", "/who", tls=True)
    say(st == 200 and "strict-transport-security" in h, "D2 HTTPS works, with HSTS")
    strict = ssl.create_default_context(cafile=os.path.join(s.dir, "tls.crt"))
    k = strict.wrap_socket(socket.create_connection(("127.0.0.1", s.tls)),
                           server_hostname="localhost")
    say(k.version() == "TLSv1.3", "D2 the certificate is good for localhost; TLS 1.3 is spoken")
    k.close()
    r = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % s.tls, "-tls1_1",
                        "-cipher", "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True)
    say("Cipher    : 0000" in r.stdout or "(NONE)" in r.stdout, "D2 TLS 1.1 is refused")
    times = []
    k = dial(s, tls=True)
    for _ in range(20):
        t = time.time()
        k.sendall(head("GET", "/who"))
        read_reply(k)
        times.append(time.time() - t)
    k.close()
    say(sorted(times)[10] < 0.02, "D2 a request over HTTPS does not wait for a delayed ACK")


def test_park(s):
    t = time.time()
    st, _, b = ask(s, "GET", "/park/t?ms=400&since=1000000")
    took = time.time() - t
    say(st == 200 and json.loads(b)["last"] and 0.3 < took < 1.5,
        "D2 a parked request is answered when its time is up")
    now = json.loads(ask(s, "GET", "/park/x?ms=1&since=1000000")[2])["woken"]
    k = dial(s)
    k.sendall(head("GET", "/park/t?ms=20000&since=%d" % now))
    time.sleep(0.2)
    ask(s, "POST", "/wake/other")
    time.sleep(0.1)
    t = time.time()
    ask(s, "POST", "/wake/t")
    st, _, b = read_reply(k)
    say(st == 200 and not json.loads(b)["last"] and time.time() - t < 0.5,
        "D2 a wake of its topic answers a parked request at once")
    k.close()
    now += 2
    k = dial(s)
    k.sendall(head("GET", "/park/gap?ms=20000&gap=400&since=%d" % now))
    time.sleep(0.15)
    ask(s, "POST", "/wake/gap")
    t = time.time()
    st, _, b = read_reply(k)
    say(st == 200 and not json.loads(b)["last"] and time.time() - t < 2,
        "D2 a wake between a handler's look and its parking is not lost")
    k.close()


def test_many_parked(s, tls, n):
    now = json.loads(ask(s, "GET", "/park/x?ms=1&since=1000000")[2])["woken"]
    idle_fds, before = s.fds(), s.memory()
    socks = [dial(s, tls, 30) for _ in range(n)]
    for k in socks:
        k.sendall(head("GET", "/park/many?ms=50000&since=%d" % now))
    time.sleep(1.5)
    per = (s.memory() - before) / n
    t = time.time()
    ask(s, "POST", "/wake/many")
    good = sum(1 for k in socks if read_reply(k)[0] == 200)
    took = time.time() - t
    note("%d parked (%s): %.1f kB each, woken and answered in %.2f s (this client included)" %
         (n, "TLS" if tls else "plain", per / 1024, took))
    say(good == n and took < (1.0 if not SANITIZED else 6),
        "D2 %d parked connections (%s) are woken in under a second" % (n, "TLS" if tls else "plain"))
    # park them again, and vanish
    for k in socks:
        k.sendall(head("GET", "/park/many?ms=50000&since=1000000"))
    time.sleep(1)
    full = s.fds()
    for k in socks:
        k.close()
    end = time.time() + 5
    while s.fds() > idle_fds + 2 and time.time() < end:
        time.sleep(0.1)
    say(full >= n and s.fds() <= idle_fds + 2,
        "D2 parked clients that vanish (%s) are noticed and their descriptors come back" %
        ("TLS" if tls else "plain"))


def test_flood_while_parked(s):
    k = dial(s)
    k.sendall(head("GET", "/park/flood?ms=3000&since=1000000"))
    time.sleep(0.2)
    before = s.memory()
    k.settimeout(0.5)
    sent = 0
    try:
        while sent < 64 << 20:
            sent += k.send(b"x" * 65536)
    except (socket.timeout, OSError):
        pass
    grown = s.memory() - before
    say(grown < 8 << 20, "D2 what is sent behind a parked request does not fill the memory")
    k.close()


def test_bytes(s):
    before = json.loads(ask(s, "GET", "/stats")[2])["released"]
    st, h, b = ask(s, "GET", "/bytes?n=5000000", tls=True)
    say(st == 200 and len(b) == 5000000 and h["content-type"] == "application/octet-stream",
        "D2 five megabytes arrive whole over HTTPS")
    for _ in range(5):
        k = dial(s)
        k.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        k.sendall(head("GET", "/bytes?n=20000000"))
        k.recv(1000)
        k.close()
    for _ in range(5):
        k = dial(s, tls=True)
        k.sendall(head("GET", "/slow?ms=300"))
        k.close()
    end = time.time() + 5
    while time.time() < end:
        if json.loads(ask(s, "GET", "/stats")[2])["released"] == before + 6:
            break
        time.sleep(0.1)
    say(json.loads(ask(s, "GET", "/stats")[2])["released"] == before + 6,
        "D2 a reply's memory is released, read or not")


def test_lanes(s):
    socks = []
    for _ in range(150):
        k = dial(s, timeout=20)
        k.sendall(head("GET", "/hash?ms=60"))
        socks.append(k)
    time.sleep(0.2)
    t = time.time()
    st, _, _ = ask(s, "GET", "/who")
    took = time.time() - t
    got = [read_reply(k)[0] for k in socks]
    say(st == 200 and took < 0.05, "D2 150 logins at once keep nobody else waiting")
    say(got.count(200) >= 128 and got.count(503) == 150 - got.count(200),
        "D2 what the queue of logins does not hold is told to come back")
    socks = []
    for _ in range(300):
        k = dial(s, timeout=20)
        k.sendall(head("GET", "/out?ms=100"))
        socks.append(k)
    time.sleep(0.2)
    t = time.time()
    st, _, _ = ask(s, "GET", "/who")
    login, _, _ = ask(s, "GET", "/hash?ms=1")
    took = time.time() - t
    for k in socks[:3]:
        k.close()
    got = [read_reply(k)[0] for k in socks[3:]]
    say(st == 200 and login == 200 and took < 0.1,
        "I3.2 300 that wait for a slow provider keep nobody else waiting")
    say(got.count(200) >= 250 and got.count(503) == 297 - got.count(200) and 503 in got,
        "I3.2 what the queue for providers does not hold is told to come back")


def test_headers(s):
    st, h, b = ask(s, "GET", "/header?n=3")
    say(st == 303 and h["location"] == "/who" and h["x-test"] in ("0", "2") and b == b"",
        "I3.1 a redirect has its address and its headers")
    st, h, b = ask(s, "GET", "/header?bytes=1&cache=1")
    say(st == 200 and h["cache-control"] == "max-age=60" and b == b"x",
        "I3.1 a handler's header stands in the place of the usual one")
    st, h, b = ask(s, "GET", "/header?n=2&error=1")
    say(st == 409 and "x-test" not in h, "I3.1 an error goes without the headers that came before")
    for query in ("evil=1", "evil=1&bytes=1", "n=9&bytes=1"):
        st, h, b = ask(s, "GET", "/header?" + query)
        say(st == 500 and "x-evil" not in h and "x-test" not in h,
            "I3.1 a header that cannot be sent makes an internal error: " + query)
    for name in ("Cookie", "Origin", "Sec-Fetch-Site"):
        k = dial(s)
        k.sendall(head("GET", "/who", "%s: a=1\r\n%s: a=2\r\n" % (name, name)))
        say(read_reply(k)[0] == 400, "I3.1 %s stands there once" % name)
        k.close()


def test_unix():
    s = Server("unix", "listen_plain = unix:%s/http.sock\nworkers = 2\nloops = 1" %
               os.path.join(TMP, "unix"))
    k = socket.socket(socket.AF_UNIX)
    k.settimeout(5)
    k.connect(s.unix)
    k.sendall(head("GET", "/who"))
    st, h, b = read_reply(k)
    say(st == 200 and json.loads(b)["peer"] == "unix" and "strict-transport-security" not in h,
        "D2 plain HTTP is served on a unix socket")
    k.close()
    k = socket.socket(socket.AF_UNIX)
    k.settimeout(5)
    k.connect(s.unix)
    k.sendall(head("GET", "/who", "X-Forwarded-For: 198.51.100.9\r\n"))
    say(json.loads(read_reply(k)[2])["peer"] == "unix",
        "D2 nobody's X-Forwarded-For is believed unless the configuration says so")
    k.close()
    status, _ = s.stop()
    say(status == 0 and not os.path.exists(s.unix), "D2 the socket's file goes with the service")


def test_limits():
    s = Server("limits", "listen_plain = 127.0.0.1:0\nconnections_per_peer = 5")
    socks, good = [], 0
    for _ in range(8):
        try:
            k = dial(s, tls=True)
            k.sendall(head("GET", "/who"))
            good += read_reply(k)[0] == 200
            socks.append(k)
        except OSError:
            pass
    say(good == 5, "D2 one address holds no more connections than it may")
    for k in socks:
        k.close()
    time.sleep(0.3)
    say(ask(s, "GET", "/who", tls=True)[0] == 200, "D2 and gets its share back when they end")
    say(s.stop()[0] == 0, "D2 the server ends in order after that")


def test_proxy():
    s = Server("proxy", "listen_plain = 127.0.0.1:0\nbehind_proxy = yes")
    for value, peer, tls in (("198.51.100.9", "198.51.100.9", False),
                             ("203.0.113.1, 2001:db8::7", "2001:db8::7", False),
                             ("203.0.113.1, nonsense", "127.0.0.1", False),
                             ("198.51.100.9", "127.0.0.1", True)):
        _, _, b = ask(s, "GET", "/who", extra="X-Forwarded-For: %s\r\n" % value, tls=tls)
        say(json.loads(b)["peer"] == peer, "D2 behind a proxy, %s (%s) is %s" %
            (value, "TLS" if tls else "plain", peer))
    two = "X-Forwarded-For: 203.0.113.1\r\nX-Forwarded-For: 198.51.100.9\r\n"
    _, _, b = ask(s, "GET", "/who", extra=two)
    say(json.loads(b)["peer"] == "198.51.100.9", "D2 of two such headers, the proxy's is the last")
    s.stop()


def test_shutdown():
    s = Server("shutdown")
    parked, running = [], []
    for _ in range(200):
        k = dial(s, timeout=10)
        k.sendall(head("GET", "/park/p?ms=50000&since=1000000"))
        parked.append(k)
    for _ in range(8):
        k = dial(s, timeout=10)
        k.sendall(head("GET", "/slow?ms=700"))
        running.append(k)
    idle = dial(s)
    time.sleep(0.3)
    s.p.send_signal(signal.SIGTERM)
    t = time.time()
    answers = [read_reply(k) for k in running]
    last = [read_reply(k) for k in parked]
    say(all(a[0] == 200 for a in answers), "D2 running requests are finished before the end")
    say(all(a[0] == 200 and json.loads(a[2])["last"] for a in last),
        "D2 parked requests are answered for the last time before the end")
    status = s.p.wait(10)
    say(status == 0 and time.time() - t < 6, "D2 SIGTERM ends the server in good order")
    idle.close()
    s = Server("hurry")
    k = dial(s)
    k.sendall(head("GET", "/slow?ms=8000"))
    time.sleep(0.2)
    status, took = s.stop()
    say(status == 0 and took < 10, "D2 a handler that hangs does not keep the service for ever")
    k.close()


def measure(s, tls):
    for n in (1, 64):
        socks = [dial(s, tls) for _ in range(n)]
        rounds = 3000 // n
        cpu = s.cpu()
        for _ in range(rounds):
            for k in socks:
                k.sendall(head("GET", "/who"))
            for k in socks:
                read_reply(k)
        note("%.0f us of CPU for a request (%s, %d connections, its log line included)" %
             ((s.cpu() - cpu) / (rounds * n) * 1e6, "TLS" if tls else "plain", n))
        for k in socks:
            k.close()


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # The slow ones have a server of their own, so that they do not disturb the counting of others.
    lazy, out = Server("lazy"), {}
    threads = [threading.Thread(target=drip, args=(lazy, tls, 50, out)) for tls in (False, True)]
    for t in threads:
        t.start()
    s = Server("main", "listen_plain = 127.0.0.1:0\nconnections_per_peer = 5000")
    test_gate(s)
    test_good(s)
    test_refused(s)
    test_log(s)
    test_tls(s)
    test_park(s)
    test_flood_while_parked(s)
    test_bytes(s)
    test_lanes(s)
    test_headers(s)
    measure(s, False)
    measure(s, True)
    for tls, n in ((False, 2000), (True, 1000)):
        many = Server("many-%d" % tls, "listen_plain = 127.0.0.1:0\nconnections_per_peer = 5000")
        test_many_parked(many, tls, n)
        say(many.stop()[0] == 0, "D2 the server that parked %d ends in order" % n)
    say(ask(s, "GET", "/who")[0] == 200, "D2 the server is well after all that")
    status, _ = s.stop()
    say(status == 0, "D2 and ends with status 0, nothing leaked where that is looked for")
    test_unix()
    test_limits()
    test_proxy()
    test_shutdown()
    for t in threads:
        t.join()
    for tls in (False, True):
        left, alive = out.get(tls, (-1, -1))
        say(left == 0 and alive == 0, "D2 50 dripping and 50 silent clients (%s) are cut off" %
            ("TLS" if tls else "plain"))
    say(lazy.stop()[0] == 0, "D2 the server that met the slow clients ends in order")


SANITIZED = "/san" in HELPER or b"__asan_init" in open(HELPER, "rb").read()
try:
    main()
except BaseException as e:
    say(False, "the tests ran to their end: %r" % e)
finally:
    if failed:
        tell_logs()
    for s in SERVERS:
        s.p.kill()
        s.p.wait()
    print("1..%d" % count)
    shutil.rmtree(TMP, ignore_errors=True)
sys.exit(1 if failed else 0)
