# SPDX-License-Identifier: MIT
"""Logins through SAML providers. See t-saml.sh and oauth_world.py."""
import base64
import concurrent.futures
import html
import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
import zlib

from oauth_world import (Client, DIR, Person, URL, api, audit, boss_token, end, keep_secret, logged, note, same, say,
                         sql)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "saml"))
import mint  # noqa: E402  pylint: disable=wrong-import-position

CENTRAL_PID, IDP_URL, IDP_ADMIN = int(sys.argv[4]), sys.argv[5], sys.argv[6]
ISSUER = "https://idp.uni.test/saml"
HELPER = os.path.join(DIR, "prism-saml")
boss = boss_token()
numbers = itertools.count(0x010101)


def file(name):
    return os.path.join(DIR, name)


def read(name):
    with open(file(name), encoding="utf-8") as f:
        return f.read()


def browser():
    """Another one, from an address of its own: what is refused is counted by address."""
    i = next(numbers)
    return Client("127.%d.%d.%d" % (i >> 16, i >> 8 & 255, i & 255))


for who in ("idp", "other", "sp"):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", file(who + ".key"), "-out",
                    file(who + ".crt"), "-subj", "/CN=" + who, "-days", "3"], check=True, capture_output=True)

# ---- a connection ----


def connect(slug, **more):
    body = {"slug": slug, "name": "University " + slug, "type": "saml", "issuer": ISSUER,
            "entry_point": "https://idp.uni.test/sso?tenant=1", "certificate": read("idp.crt"), "enabled": True,
            "auto_provision": True}
    body.update(more)
    a = api("POST", "/organizations/default/sso-connections", body, boss)
    if a.status != 201:
        note(a.text)
    return a.json


uni, second = connect("uni"), connect("second")
same((uni["acs_url"], uni["entity_id"]), (URL + "/sso/uni/acs", URL + "/sso/uni/metadata"),
     "S3.17 a SAML connection has addresses of its own")
with open(file("uni.crt"), "w", encoding="utf-8") as out:
    out.write(uni["sp_certificate"])

a = browser().get("/sso/uni/metadata")
same((a.status, a.headers["Content-Type"]), (200, "application/samlmetadata+xml"), "S3.17 its metadata can be downloaded")
say('entityID="%s"' % uni["entity_id"] in a.text and 'AuthnRequestsSigned="true"' in a.text
    and "".join(uni["sp_certificate"].split("\n")[1:-2]) in a.text and "PRIVATE" not in a.text,
    "S3.17 which says who we are, that we sign, and with which certificate")
same(browser().get("/sso/nobody/metadata").status, 404, "S3.17 no connection, no metadata")
off = connect("off", enabled=False)
same((browser().get("/sso/off/metadata").status, browser().get("/sso/off/start").status), (200, 404),
     "S3.17 one that is not enabled yet has metadata, and lets nobody in")

# ---- one login ----


class Login:
    """A browser at the provider: what we asked it is taken apart."""

    def __init__(self, slug="uni", query="", client=None):
        self.client, self.slug = client or browser(), slug
        self.redirect = self.client.get("/sso/%s/start%s" % (slug, query))
        q = urllib.parse.parse_qs(urllib.parse.urlsplit(self.redirect.location).query)
        self.state = q.get("RelayState", [""])[0]
        packed = base64.b64decode(q.get("SAMLRequest", [""])[0])
        self.xml = zlib.decompress(packed, -15).decode() if packed else ""
        self.request = (re.findall(r'<samlp:AuthnRequest[^>]* ID="([^"]+)"', self.xml) or [""])[0]

    def mint(self, case="good", **more):
        p = {"sp": "%s/sso/%s/metadata" % (URL, self.slug), "acs": "%s/sso/%s/acs" % (URL, self.slug), "idp": ISSUER,
             "request_id": self.request, "now": int(time.time()), "key": file("idp.key"), "cert": file("idp.crt"),
             "other_key": file("other.key"), "other_cert": file("other.crt"), "sp_cert": file("uni.crt")}
        p.update(more)
        text = {n: f for n, _, f in mint.CASES}[case](mint.Mint(p))
        return text[7:] if text.startswith("base64:") else base64.b64encode(text.encode()).decode()

    def post(self, response, state=None, slug=None):
        """As the provider's page makes the browser do it: without our cookie."""
        sender = Client(self.client.address)
        form = {"SAMLResponse": response, "RelayState": self.state if state is None else state}
        if state == "":
            del form["RelayState"]
        a = sender.post("/sso/%s/acs" % (slug or self.slug), form,
                        headers={"Origin": "https://idp.uni.test", "Sec-Fetch-Site": "cross-site"})
        self.cookies = sender.cookies
        return a

    def finish(self, a, client=None):
        return (client or self.client).get(a.location)


def logged_in(client):
    m = re.search(r'<form class="who".*?<span>([^<]*)</span>', client.get("/").text, re.S)
    return html.unescape(m.group(1)) if m else None


TOLD = (r"The login did not work Nobody was logged in through University \w+: begin again, and ask your administrator if"
        r" it goes on\. To the beginning Should you ask your administrator, name this request: \w{16}")


def refused(a, word, name):
    """One page without details, and the reason in the audit log."""
    event = audit("sso.refused")
    found = event[2] if event else {}
    page = re.search(r"<main>(.*?)</main>", a.text, re.S)
    page = " ".join(re.sub(r"<[^>]*>", " ", page.group(1) if page else a.text).split())
    plain = re.fullmatch(TOLD, page)
    good = a.status == 403 and found.get("fault") in word.split("|") and plain
    if not good:
        note("%d %s, wanted %s: %s" % (a.status, found, word, page))
    say(good, name)


first = Login()
same(first.redirect.location.split("?")[0], "https://idp.uni.test/sso", "I3.2 the browser is sent to the entry point")
say("&Signature=" in first.redirect.location and "SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256"
    in first.redirect.location, "I3.2 with a signed request")
say(first.request and first.state and sql("SELECT 1 FROM sso_attempts WHERE request_id = ?", first.request),
    "I3.2 which is kept, to compare the answer with")
response = first.mint(subject="alice-id", email="alice@uni.edu")
a = first.post(response)
same((a.status, a.location.split("=")[0]), (303, "/sso/uni/finish?state"), "I3.2 a good response is taken")
same(first.cookies, {}, "I3.2 without touching the browser's cookie")
thief = browser()
thief.get("/")
refused(first.finish(a, thief), "state", "I3.2 another browser cannot fetch what was asserted")
same(logged_in(thief), None, "I3.2 and is nobody")
done = first.finish(a)
same((done.status, done.location), (303, "/"), "I3.2 the browser that began is logged in")
same(logged_in(first.client), "alice", "S3.18 with an account made for the person")
refused(first.finish(a), "state", "I3.2 what was asserted is fetched once")
keep_secret(response[:200])
keep_secret(first.state)

rows = sql("SELECT i.issuer, i.subject, i.email, u.username, u.name FROM sso_identities i JOIN users u ON u.id = i.user_id")
same(rows, [(ISSUER, "alice-id", "alice@uni.edu", "alice", "Alice Archer")], "S3.18 known by (issuer, subject)")
again = Login()
again.finish(again.post(again.mint(subject="alice-id", email="other@uni.edu", name="Alice B.")))
same((logged_in(again.client), sql("SELECT COUNT(*) FROM sso_identities")), ("alice", [(1,)]),
     "S3.18 and found again by it, whatever the address says now")

# ---- several in one browser ----

client = browser()
tabs = [Login(query="?return=/" + name, client=client) for name in ("first", "second")]
ends = [t.finish(t.post(t.mint(subject="alice-id"))) for t in reversed(tabs)]
same([(a.status, a.location) for a in ends], [(303, "/second"), (303, "/first")],
     "I3.2 logins begun in two tabs both end")
t = Login(client=client)
page = t.finish(t.post(t.mint(subject="eve-id", email="eve@uni.edu")))
say(page.status == 200 and page.has("you are logged in as alice; to University uni you are eve, who is new here"),
    "I3.2 another person than who is logged in is told so")
same((logged_in(client), sql("SELECT COUNT(*) FROM sso_identities WHERE subject = 'eve-id'")), ("alice", [(0,)]),
     "I3.2 and nothing is changed")

# ---- forgeries ----



def prepare(case):
    """A login and its answer: made ahead, several at a time, since each takes three programs."""
    name, word, _ = case
    x = Login(query="?fresh=1" if name == "stale-login" else "")
    return name, word, x, x.mint(name, subject="p-" + (name if word == "ok" else "forged"))


pool = concurrent.futures.ThreadPoolExecutor(4)
for case, word, t, response in pool.map(prepare, mint.CASES):
    if word == "ok":
        a = t.post(response)
        same((a.status, t.finish(a).status if a.status == 303 else a.text[:300]), (303, 303), "I3.2 taken: " + case)
        continue
    refused(t.post(response), word, "I3.2 refused: %s (%s)" % (case, word.replace("|", ", ")))
    if sql("SELECT 1 FROM sso_attempts WHERE request_id = ? AND assertion IS NOT NULL", t.request):
        say(False, "I3.2 nothing is kept of: " + case)
same(sql("SELECT COUNT(*) FROM sso_identities WHERE subject LIKE '%forged%' OR subject LIKE '%victim%'"), [(0,)],
     "I3.2 nobody came in by a forgery")

# ---- again and elsewhere ----

t = Login()
response = t.mint(id="_once", subject="bob-id", email="bob@uni.edu")
a = t.post(response)
same(a.status, 303, "I3.2 a response is taken")
refused(t.post(response), "state", "I3.2 the same response again is not")
t.finish(a)
refused(t.post(response), "state", "I3.2 nor after the login")
other = Login()
refused(other.post(response), "wrong_request", "I3.2 nor for another request")
refused(other.post(other.mint(id="_once", subject="bob-id")), "replayed",
        "I3.2 an assertion that was taken is not in another response")
refused(other.post(other.mint(), slug="second"), "state", "I3.2 an attempt at one connection does not count at another")
elsewhere = Login("second")
refused(elsewhere.post(other.mint()), "wrong_destination", "I3.2 a response for another connection")
refused(Login().post(Login().mint(), state=""), "unsolicited", "I3.2 a response without a request (IdP-initiated)")
refused(Login().post(Login().mint(), state="1.nothing"), "state", "I3.2 a state that is none")
refused(Login().post(""), "malformed", "I3.2 a form without a response")
refused(Login().post("A" * 500000), "too_large", "I3.2 a form that is too large")
same(Login("second").client.post("/sso/nobody/acs", {"SAMLResponse": "x", "RelayState": "x"}).status, 404,
     "I3.2 no such connection")

t = Login(query="?fresh=1")
say('ForceAuthn="true"' in t.xml, "I3.4 a fresh login is asked for as such")
a = t.post(t.mint(subject="alice-id"))
same(t.finish(a).status, 303, "I3.4 and one is taken")
same(sql("SELECT auth_at FROM sso_identities WHERE subject = 'alice-id'")[0][0] > time.time() - 60, True,
     "I3.4 when it was is kept")
t = Login(query="?return=/device")
same(t.finish(t.post(t.mint(subject="alice-id"))).location, "/device", "I3.2 the browser goes on where it wanted to")

# ---- attributes ----

api("PATCH", "/organizations/default/sso-connections/second", {
    "mapping": {"username": "login.name", "name": "cn", "email": "e"}, "allowed_roles": ["member"]}, boss)
t = Login("second")
m = mint.Mint(dict(sp=URL + "/sso/second/metadata", acs=URL + "/sso/second/acs", idp=ISSUER,
                   request_id=t.request, key=file("idp.key"), cert=file("idp.crt"), subject="carol-id"))
m.attributes = {"login.name": ["Carol@uni.edu"], "cn": ["Carol &lt;b&gt;"], "mail": ["no@uni.edu"], "e": ["carol@uni.edu"]}
t.finish(t.post(base64.b64encode(m.build().encode()).decode()))
same(sql("SELECT u.username, u.name, i.email FROM sso_identities i JOIN users u ON u.id = i.user_id"
         " WHERE i.subject = 'carol-id'"), [("carol", "Carol <b>", "carol@uni.edu")],
     "S3.17 attributes are taken by the connection's mapping")
say("Carol <b>" not in t.client.get("/").text,
    "S3.17 and escaped where they are shown")

# ---- the provider's certificates ----


def fingerprint(pem):
    done = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256"], input=pem.encode(), check=True,
                          capture_output=True)
    return done.stdout.decode().strip().rpartition("=")[2]


def connection(slug):
    return api("GET", "/organizations/default/sso-connections/" + slug, bearer=boss).json


def change(slug, **fields):
    return api("PATCH", "/organizations/default/sso-connections/" + slug, fields, boss).status


def answered(slug, case="good", **more):
    x = Login(slug)
    return x, x.post(x.mint(case, **more))


def named(slug, word, *texts):
    """The reason of the last refusal, as the owner and the audit have it."""
    last, event = connection(slug)["last_refusal"] or {}, audit("sso.refused")[2]
    good = last.get("fault") == event.get("fault") == word and all(
        t in last["detail"] and t in event["detail"] for t in texts)
    if not good:
        note("%s, %s" % (last, event))
    return good


other = fingerprint(read("other.crt"))
a = answered("second", "foreign-key")[1]
refused(a, "unknown_certificate", "I3.2 signed by a certificate that the connection does not have")
say(named("second", "unknown_certificate", other), "I3.2 its owner is told which, and so is the audit")
same(change("second", certificate=read("idp.crt") + read("other.crt")), 200, "I3.2 it is added beside the other")
for case in ("good", "foreign-key"):
    x, a = answered("second", case, subject="carol-id")
    same(x.finish(a).status, 303, "I3.2 either signs now: " + case)
same(change("second", certificate=read("other.crt")), 200, "I3.2 the former one is taken away")
refused(answered("second")[1], "unknown_certificate", "I3.2 and counts no longer")
subprocess.run("openssl req -new -key idp.key -subj /CN=idp | openssl x509 -req -signkey idp.key -days -1 -out gone.crt",
               shell=True, check=True, capture_output=True, cwd=DIR)
same(change("second", certificate=read("gone.crt")), 200, "I3.2 a certificate that has ended is taken, with a warning")
say("has expired" in connection("second")["warnings"][0], "I3.2 which stays while it is there")
x, a = answered("second", cert=file("gone.crt"), subject="carol-id")
same(x.finish(a).status, 303, "I3.2 its key is the provider's still: nobody is locked out at midnight")
refused(answered("second", "foreign-key")[1], "expired_certificate", "I3.2 but when the provider signs by another one")
say(named("second", "expired_certificate", "expired on", other), "I3.2 the owner is told that it has ended, and which signs")
refused(answered("second", "tampered-name", cert=file("gone.crt"))[1], "expired_certificate",
        "I3.2 and is told so of every signature that does not fit")
same(change("second", certificate=read("idp.crt")), 200, "I3.2 with a good one")
refused(answered("second", "tampered-name")[1], "bad_signature", "I3.2 that is a bad signature")

# ---- our own certificate, and the next ----


def step(name, slug="second", **more):
    a = api("POST", "/organizations/default/sso-connections/%s/certificate" % slug, dict(step=name, **more), boss)
    return {c["use"]: c["pem"] for c in a.json["sp_certificates"]} if a.status == 200 else a.json["error"]["code"]


def published(slug="second"):
    xml = browser().get("/sso/%s/metadata" % slug).text
    return [(use, fingerprint("-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n" % "\n".join(
        re.findall(".{1,64}", text)))) for use, text in
            re.findall(r'use="(\w+)">.*?<ds:X509Certificate>([^<]*)<', xml, re.S)]


def signs(slug="second"):
    """Whose certificate verifies our request: of those given."""
    x = Login(slug)
    signed, _, signature = x.redirect.location.partition("?")[2].rpartition("&Signature=")
    signed = signed[signed.index("SAMLRequest="):]
    with open(file("request.sig"), "wb") as f:
        f.write(base64.b64decode(urllib.parse.unquote(signature)))
    for use, pem in ours.items():
        with open(file("request.crt"), "w", encoding="utf-8") as f:
            f.write(pem)
        subprocess.run("openssl x509 -in request.crt -noout -pubkey >request.pub", shell=True, check=True, cwd=DIR)
        if subprocess.run(["openssl", "dgst", "-sha256", "-verify", file("request.pub"), "-signature",
                           file("request.sig")], input=signed.encode(), capture_output=True, check=False).returncode == 0:
            return use
    return None


def opened(use):
    """Logged in by an assertion that was encrypted for one of ours."""
    with open(file("encrypt.crt"), "w", encoding="utf-8") as f:
        f.write(ours[use])
    x, a = answered("second", "good-encrypted", sp_cert=file("encrypt.crt"), subject="carol-id")
    return a.status == 303 and x.finish(a).status == 303


ours = step("next")
present, following = fingerprint(ours["current"]), fingerprint(ours["next"])
same(published(), [("signing", present), ("signing", following), ("encryption", present)],
     "I3.2 our next certificate is published beside the present one, for signatures")
same(signs(), "current", "I3.2 requests are signed as before")
say(opened("current"), "I3.2 what is encrypted for us is opened as before")
same(step("switch"), "CONFLICT", "I3.2 providers get a day to read it")
begun = Login("second")
ours = step("switch", force=True)
same((fingerprint(ours["current"]), fingerprint(ours["former"])), (following, present), "I3.2 then it is switched to")
same(published(), [("signing", following), ("encryption", following)], "I3.2 and published alone")
same(signs(), "current", "I3.2 requests are signed by it")
same(begun.finish(begun.post(begun.mint(subject="carol-id"))).status, 303, "I3.2 a login that was on its way comes in")
say(opened("current"), "I3.2 what is encrypted for it is opened")
say(opened("former"), "I3.2 and what a provider that has not read it yet encrypts for the former one")
step("drop", force=True)
say(not opened("former"), "I3.2 until that is dropped")

# ---- linking one's own account ----

dana = Person("dana", boss)
ticket = api("POST", "/me/identities", {"connection": "uni"}, dana.token()).json["url"]
t = Login(query="?" + urllib.parse.urlsplit(ticket).query)
page = t.finish(t.post(t.mint(subject="dana-id", email="d@elsewhere.org")))
same((page.status, page.has("Link this login", "dana")), (200, True), "S3.17 linking an account asks first")
done = t.client.send(page, "/sso/uni/link")
same(logged_in(t.client), "dana", "S3.17 then the login is that account's")

# ---- an account that was made before its owner came ----

erin = Person("erin", boss)
session = erin.token()
sql("INSERT INTO sso_domains (id, organization_id, connection_id, domain, challenge, proven_at, created_at, created_by)"
    " SELECT 1, organization_id, id, 'uni.edu', 'x', 1, 1, created_by FROM sso_connections WHERE slug = 'uni'")
t = Login()
page = t.finish(t.post(t.mint(subject="erin-id", email="Erin@uni.edu")))
same((page.status, page.has("Is all of this yours?", "The Prism account erin has your address", "A password of Prism")),
     (200, True), "S3.17 a first login that finds an account by its address asks first")
same((logged_in(t.client), api("GET", "/me", bearer=session).status), (None, 200), "S3.17 and changes nothing by asking")
same(t.post(t.mint(subject="erin-id", email="Erin@uni.edu")).status, 403, "S3.17 the response is good once")
same(t.client.send(page, "/sso/uni/claim", answer="close").status, 200, "S3.17 it was not all hers")
same((logged_in(t.client), api("GET", "/me", bearer=session).status), ("erin", 401), "S3.17 then she gets in, and nobody else")
same(t.client.send(page, "/sso/uni/claim", answer="keep").status, 403, "S3.17 the page is answered once")
sql("DELETE FROM sso_domains WHERE id = 1")

# ---- a provider that others have written ----

if IDP_URL:
    metadata = urllib.request.urlopen(IDP_URL + "/metadata").read().decode()
    certificate = re.search(r"X509Certificate>([^<]*)<", metadata).group(1)
    pem = "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n" % "\n".join(re.findall(".{1,64}", certificate))
    campus = connect("campus", issuer=IDP_URL + "/metadata", entry_point=IDP_URL + "/sso", certificate=pem)
    ours_before = browser().get("/sso/campus/metadata").text
    step("next", "campus")
    both = browser().get("/sso/campus/metadata").text
    step("switch", "campus", force=True)
    after = browser().get("/sso/campus/metadata").text


    def known(metadata):
        body = json.dumps({"metadata": metadata}).encode()
        urllib.request.urlopen(urllib.request.Request(IDP_ADMIN + "/services/", body, method="PUT")).read()


    def asks():
        """Does the provider take our signed request?"""
        try:
            return "Campus login" in urllib.request.urlopen(Login("campus").redirect.location).read().decode()
        except urllib.error.HTTPError:
            return False


    known(both)
    say(asks(), "I3.2 samlify, which has read both our certificates, takes requests signed by the second")
    known(ours_before)
    say(not asks(), "I3.2 and not if it has read the first alone")
    known(after)
    t = Login("campus")
    form = urllib.parse.urlencode({"username": "chen", "password": "chen-at-campus"}).encode()
    page = urllib.request.urlopen(t.redirect.location, form).read().decode()
    fields = {n: html.unescape(v) for n, v in re.findall(r'name="(\w+)" value="([^"]*)"', page)}
    same(re.search(r'action="([^"]*)"', page).group(1), campus["acs_url"], "I3.2 samlify knows us by our metadata")
    a = t.post(fields["SAMLResponse"], fields["RelayState"])
    if a.status != 303:
        note(str(audit("sso.refused")))
    t.finish(a)
    same((logged_in(t.client), sql("SELECT subject FROM sso_identities WHERE connection_id = ?", int(campus["id"]))),
         ("chen", [("saml-chen",)]), "I3.2 and its response, to our signed request, logs chen in")
else:
    say(False, "I3.2 the provider of tests/idp runs")

# ---- the helper ----


def helper(text):
    """Something else in its place; None: nothing."""
    if os.path.lexists(HELPER):
        os.unlink(HELPER)
    if text is not None:
        with open(HELPER, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(HELPER, 0o700)


def children():
    return subprocess.run(["ps", "--ppid", str(CENTRAL_PID), "-o", "pid=,stat=,args="], capture_output=True, check=False,
                          text=True).stdout.splitlines()


def descriptors():
    return len(os.listdir("/proc/%d/fd" % CENTRAL_PID))


time.sleep(0.2)
before = descriptors()
waiting = Login()
good = waiting.mint()
for name, text, word, most in (
        ("is not there", None, "helper_missing", 2), ("dies", "#!/bin/sh\nexit 3\n", "helper_failed", 2),
        ("says nothing", "#!/bin/sh\ncat >/dev/null\n", "helper_failed", 2),
        ("says something else", "#!/bin/sh\ncat >/dev/null; echo '[]'\n", "helper_failed", 2),
        ("says too much", "#!/bin/sh\nexec yes\n", "helper_failed", 2)):
    helper(text)
    began = time.monotonic()
    refused(waiting.post(good), word, "I3.2 prism-saml %s: %s" % (name, word))
    took = time.monotonic() - began
    say(took < most, "I3.2 which takes %.1f s" % took)
# The two that take their time, at once: the first never reads and never ends, the other closes its output and stays.
helper("#!/bin/sh\nmkdir '%s' || exec >&-\nexec sleep 60\n" % file("first"))
began = time.monotonic()
answers = list(pool.map(lambda x: x.post(good), (waiting, waiting)))
took = time.monotonic() - began
for a in answers:
    refused(a, "helper_timeout", "I3.2 prism-saml stays: helper_timeout")
say(5 <= took < 9, "I3.2 which takes %.1f s" % took)
say(any("install the package prism-saml" in line for line in logged("saml_helper")),
    "I3.2 the log says what to do when it is not installed")
same(children(), [], "I3.2 no process stays")
helper("#!/bin/sh\ncat >/dev/null\n(tr '\\0' '\\n' </proc/$$/cmdline; echo --; tr '\\0' '\\n' </proc/$$/environ; echo --;"
       " ls /proc/$$/fd) >'%s'\n" % file("seen"))
waiting.post(good)
args, environ, fds = read("seen").split("--\n")
say("PRIVATE" not in args and waiting.state not in args and args.split("\n")[1:] == [HELPER, ""],
    "I3.2 it gets nothing on its command line")
same([line for line in environ.split("\n") if line], [], "I3.2 and no environment")
# Beside the first three: the shell's own, of the script.
say(set(fds.split()) <= {"0", "1", "2", "10", "255", "3"}, "I3.2 and no descriptors: " + fds.replace("\n", " "))
os.unlink(HELPER)
os.symlink(os.path.join(os.environ.get("B", "build"), "prism-saml"), HELPER)
a = waiting.post(good)
same((a.status, waiting.finish(a).status), (303, 303), "I3.2 the login that waited goes on when it works again")
time.sleep(0.3)
say(descriptors() <= before + 2, "I3.2 no descriptor stays open (%d, %d)" % (before, descriptors()))

# ---- too many ----

flood = Client("127.9.9.9")
t = Login(client=flood)
bad = t.mint("tampered-name")
began = time.monotonic()
answers = [t.post(bad).status for _ in range(90)]
# Every two seconds one more is allowed.
most = 60 + (time.monotonic() - began) / 2
say(answers[0] == 403 and 60 <= answers.count(403) <= most and 429 in answers,
    "I3.2 one address cannot go on with bad responses for ever (%d)" % answers.index(429))
fine = t.mint()
statuses = []
while 429 not in statuses and len(statuses) < 5:
    while t.post(bad).status != 429:
        pass
    # Every two seconds one more is allowed.
    statuses.append(t.post(fine).status)
say(429 in statuses, "I3.2 nor have good ones looked at %s" % statuses)
t = Login()
same(t.post(t.mint()).status, 303, "I3.2 others are not locked out by it")

# ---- at once ----

def many(i):
    x = Login()
    return x, x.mint(subject="many-%d" % i)


ready = list(pool.map(many, range(40)))
results = []


def one(x, r):
    results.append(x.finish(x.post(r)).status)


threads = [threading.Thread(target=one, args=x) for x in ready]
began = time.monotonic()
for x in threads:
    x.start()
for x in threads:
    x.join()
took = time.monotonic() - began
same(results, [303] * 40, "I3.2 forty people log in at once")
note("40 logins at once: %.0f ms each" % (took * 1000 / 40))
same(children(), [], "I3.2 and no process stays")

text = read("central.log") + "".join(str(r) for r in sql("SELECT * FROM audit"))
say(waiting.state not in text and good[:120] not in text and first.state not in text
    and "PRIVATE KEY" not in text, "I3.2 neither states nor responses are in the log or the audit")
database = open(file("central/prism.db"), "rb").read()
say(b"PRIVATE KEY" not in database and waiting.state.encode() not in database,
    "S3.19 our key is sealed in the database, and states are not in it")
end()
