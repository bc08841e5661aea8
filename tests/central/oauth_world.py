# SPDX-License-Identifier: MIT
"""For the tests of the authorization server: TAP, clients with cookies and addresses of their own,
people, a host, and the database behind the service's back. Started by a script that has sourced
tests/cli/lib.sh and called central_start: oauth_world.py is imported by what it runs as
    python3 tests/central/NAME.py DIR PLAIN_URL URL
"""
import base64
import hashlib
import html
import http.client
import json
import os
import re
import secrets
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.parse

DIR, PLAIN, URL = sys.argv[1:4]
ADDRESS = urllib.parse.urlsplit(PLAIN)
CLI = "prism-cli"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
count = 0
failed = 0


def say(ok, name):
    global count, failed
    count += 1
    failed += not ok
    print("%s %d - %s" % ("ok" if ok else "not ok", count, name), flush=True)


def same(got, want, name):
    if got != want:
        print("# got %r, not %r" % (got, want))
    say(got == want, name)


def note(text):
    print("# " + text, flush=True)


def end():
    print("1..%d" % count)
    sys.exit(failed != 0)


# ---- clients -------------------------------------------------------------------------------------


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers = status, headers
        self.text = body.decode(errors="replace")
        self.location = headers.get("Location", "")

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def error(self):
        """(status, OAuth error)"""
        return self.status, self.json.get("error")

    def has(self, *texts):
        page = html.unescape(re.sub(r"<[^>]*>", "", self.text))
        page = re.sub(r"\s+", " ", page)
        missing = [t for t in texts if t not in page]
        if missing:
            note("%d, lacks %r: %.600s" % (self.status, missing, page))
        return not missing


class Client:
    """One connection that is kept, from one address, with the cookies that it was given."""

    def __init__(self, address="127.0.0.1"):
        self.address, self.cookies, self.connection = address, {}, None

    def ask(self, method, path, form=None, body=None, bearer=None, headers=None, raw=None):
        # A page that is asked for by itself was typed.
        head = {"Sec-Fetch-Site": "none"} if method == "GET" else {}
        head.update(headers or {})
        data = raw
        if form is not None:
            data = urllib.parse.urlencode(form)
            head["Content-Type"] = "application/x-www-form-urlencoded"
        if body is not None:
            data = json.dumps(body)
            head["Content-Type"] = "application/json"
        if bearer:
            head["Authorization"] = "Bearer " + bearer
        if self.cookies:
            head["Cookie"] = "; ".join("%s=%s" % c for c in self.cookies.items())
        for last in (False, True):
            try:
                if not self.connection:
                    self.connection = http.client.HTTPConnection(
                        ADDRESS.hostname, ADDRESS.port, timeout=60,
                        source_address=(self.address, 0))
                self.connection.request(method, path, data, head)
                r = self.connection.getresponse()
                answer = Answer(r.status, r.headers, r.read())
                break
            except (http.client.HTTPException, ConnectionError):
                self.connection = None
                if last:
                    raise
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            self.cookies[name] = value
        return answer

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def post(self, path, form, **more):
        return self.ask("POST", path, form=form, **more)

    def follow(self, answer):
        """Redirects to paths of the service."""
        while answer.status == 303 and answer.location.startswith("/"):
            answer = self.get(answer.location)
        return answer

    def csrf(self, page):
        return re.search(r'name="csrf" value="([^"]+)"', page.text).group(1)

    def send(self, page, action, **fields):
        """The last form of that action, as a browser sends it, with these fields as well."""
        form = re.findall(r'<form[^>]*action="%s"[^>]*>(.*?)</form>' % re.escape(action), page.text,
                          re.S)[-1]
        values = {n: html.unescape(v) for n, v in
                  re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)}
        values.update(fields)
        return self.post(action, values, headers={"Origin": URL, "Sec-Fetch-Site": "same-origin"})

    def login(self, name, password, back="/device"):
        page = self.get("/login?return=" + urllib.parse.quote(back, safe=""))
        page = self.send(page, "/login", login=name)
        return self.send(page, "/login", login=name, password=password)


def api(method, path, body=None, bearer=None):
    return Client().ask(method, "/api/v1" + path, body=body, bearer=bearer)


def token(client, **form):
    return client.post("/oauth2/token", form)


def begin_cli(client=None):
    return (client or Client()).post("/oauth2/device_authorization", {"client_id": CLI}).json


def poll_cli(client, started, **more):
    return token(client, grant_type=DEVICE_GRANT, client_id=CLI,
                 device_code=started["device_code"], **more)


# ---- the database --------------------------------------------------------------------------------


def sql(text, *args):
    with sqlite3.connect(os.path.join(DIR, "central", "prism.db"), timeout=20) as db:
        return db.execute(text, args).fetchall()


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def audit(action):
    """The latest event of that kind: actor, object, detail."""
    rows = sql("SELECT actor, object, detail FROM audit WHERE action = ? ORDER BY seq DESC LIMIT 1",
               action)
    return (rows[0][0], rows[0][1], json.loads(rows[0][2])) if rows else None


def logged(event):
    """Lines of the service's log."""
    with open(os.path.join(DIR, "central.log")) as f:
        return [line for line in f if " %s " % event in line]


# ---- people and hosts ----------------------------------------------------------------------------

BOSS_PASSWORD = "boss-password-17"


def boss_token():
    return api("POST", "/sessions", {"login": "boss", "password": BOSS_PASSWORD}).json["token"]


def keep_secret(text):
    """For the test that looks for secrets in logs."""
    with open(os.path.join(DIR, "secrets"), "a") as f:
        f.write(text + "\n")


class Person:
    def __init__(self, name, boss):
        self.name, self.password = name, "%s likes long passwords" % name
        keep_secret(self.password)
        a = api("POST", "/users", {"username": name, "email": name + "@uni.edu", "name": name,
                                   "password": self.password}, boss)
        assert a.status == 201, a.text
        self.id = int(a.json["id"])
        self.uid = a.json["uid"]

    def token(self):
        return api("POST", "/sessions", {"login": self.name, "password": self.password}).json[
            "token"]

    def browser(self, address="127.0.0.1"):
        c = Client(address)
        a = c.login(self.name, self.password)
        assert a.status == 303 and a.location == "/device", (a.status, a.location, a.text)
        return c

    def sso_browser(self, identity, auth_at=None, address="127.0.0.1"):
        """A browser whose login came by an identity, as the provider's answer would make it."""
        c = Client(address)
        cookie = "pbs_" + secrets.token_urlsafe(32)
        now = int(time.time())
        sql("INSERT INTO browser_sessions (id, token_hash, user_id, identity_id, auth_at, peer,"
            " created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", secrets.randbits(62),
            sha(cookie), self.id, identity, now if auth_at is None else auth_at, address, now,
            now + 3600)
        c.cookies["__Host-prism"] = cookie
        return c

    def join(self, project, boss, role="member"):
        a = api("POST", "/projects/%s/invitations" % project,
                {"email": self.name + "@uni.edu", "role": role}, boss)
        assert a.status == 201, a.text
        a = api("POST", "/invitations/accept", {"token": a.json["token"]}, self.token())
        assert a.status == 200, a.text


def connection(slug, org=None):
    """A connection of the organization, enabled, and its id."""
    org = org or sql("SELECT id FROM organizations WHERE slug = 'default'")[0][0]
    identity = secrets.randbits(62)
    sql("INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer,"
        " default_role_id, created_at, created_by, updated_at) VALUES (?, ?, ?, ?, 'oidc', 1,"
        " 'https://op.test', 13, 1, (SELECT MIN(id) FROM users), 1)", identity, org, slug, slug)
    return identity


def identity(person, connection_id, auth_at=None):
    i = secrets.randbits(62)
    sql("INSERT INTO sso_identities (id, organization_id, connection_id, issuer, subject, user_id,"
        " auth_at, created_at) SELECT ?, organization_id, id, issuer, ?, ?, ?, 1"
        " FROM sso_connections WHERE id = ?", i, person.name, person.id,
        int(time.time()) if auth_at is None else auth_at, connection_id)
    return i


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def openssl(*args):
    return subprocess.run(("openssl",) + args, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


class Host:
    def __init__(self, name, project, boss):
        self.name, self.key = name, os.path.join(DIR, name + ".key")
        a = api("POST", "/projects/%s/host-tokens" % project, {"name": name}, boss)
        claims = json.loads(unb64(a.json["token"].split(".")[1]))
        self.feed_key = unb64(claims["fky"])
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.key)
        public = openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")[-32:]
        a = api("POST", "/hosts/enrol", {
            "secret": claims["sec"], "name": name, "public_key": b64(public), "hostname": name,
            "address": "127.0.0.1", "ssh_host_keys": [], "local_ids": []})
        assert a.status == 201, a.text
        self.id = a.json["host_id"]
        self.bearer = self.access_token()
        self.client = Client()

    def access_token(self):
        now = int(time.time())
        text = b64(json.dumps({"alg": "EdDSA", "typ": "JWT"}).encode()) + "." + b64(json.dumps({
            "iss": self.id, "sub": self.id, "iat": now, "aud": URL + "/oauth2/token",
            "exp": now + 60, "jti": secrets.token_hex(16)}).encode())
        path = os.path.join(DIR, "assertion")
        with open(path, "w") as f:
            f.write(text)
        signature = b64(openssl("pkeyutl", "-sign", "-inkey", self.key, "-rawin", "-in", path))
        a = token(Client(), grant_type="client_credentials", client_assertion=text + "." + signature,
                  client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        return a.json["access_token"]

    def ask(self, person, client=None, **more):
        form = {"client_id": "prism-host", "login_hint": person, "service": "sshd",
                "origin": "127.0.0.1", "nonce": secrets.token_hex(32)}
        form.update(more)
        a = (client or self.client).post("/oauth2/device_authorization",
                                         {k: v for k, v in form.items() if v is not None},
                                         bearer=self.bearer)
        a.nonce = form["nonce"]
        return a

    def begin(self, person, **more):
        a = self.ask(person, **more)
        assert a.status == 200, a.text
        return dict(a.json, nonce=a.nonce)

    def poll(self, started, client=None, bearer=None, **more):
        return (client or self.client).post("/oauth2/token", dict(
            {"grant_type": DEVICE_GRANT, "client_id": "prism-host",
             "device_code": started["device_code"]}, **more), bearer=bearer or self.bearer)

    def logins(self, after, wait=0, client=None):
        return (client or self.client).get("/api/v1/hosts/self/logins?after=%d&wait=%d" %
                                           (after, wait), bearer=self.bearer)

    def statement(self, text):
        """The signed statement, checked and taken apart as feed/login.h has it."""
        raw = unb64(text)
        paths = [os.path.join(DIR, "statement" + s) for s in (".pub", ".sig", ".txt")]
        prefix = bytes.fromhex("302a300506032b6570032100")
        for path, data in zip(paths, (prefix + self.feed_key, raw[-64:],
                                      b"prism-login-v1\0" + raw[:-64])):
            with open(path, "wb") as f:
                f.write(data)
        openssl("pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths[0], "-rawin",
                "-sigfile", paths[1], "-in", paths[2])
        at = [84]

        def string():
            n = int.from_bytes(raw[at[0]:at[0] + 2], "little")
            at[0] += 2 + n
            return raw[at[0] - n:at[0]].decode()
        name = string()
        n = int.from_bytes(raw[at[0]:at[0] + 2], "little")
        at[0] += 2
        projects = [string() for _ in range(n)]
        assert at[0] == len(raw) - 64 - 32 and raw[:8] == b"PRSMLGN1"
        assert raw[8:24] == hashlib.sha256(self.feed_key).digest()[:16]
        return {"host": raw[24:40].hex(), "nonce": raw[40:72].hex(),
                "issued_at": int.from_bytes(raw[72:80], "little"),
                "uid": int.from_bytes(raw[80:84], "little"), "username": name,
                "projects": projects, "code": raw[-96:-64]}


def approve(browser, started, decision="approve"):
    page = browser.get("/device?user_code=" + started["user_code"])
    return browser.send(page, "/device/decide", decision=decision)


class Later(threading.Thread):
    """Runs a call on a thread of its own; .result() is what it gave, .at when."""

    def __init__(self, call, *args, **more):
        super().__init__(daemon=True)
        self.call, self.args, self.more, self.value, self.at = call, args, more, None, 0
        self.start()

    def run(self):
        self.value = self.call(*self.args, **self.more)
        self.at = time.monotonic()

    def result(self):
        self.join(90)
        return self.value
