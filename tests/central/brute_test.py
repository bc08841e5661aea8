# SPDX-License-Identifier: MIT
"""Ten thousand guesses from a few addresses, and somebody who only wants to log in. See
oauth_world.py."""
import hashlib
import random
import secrets
import time
import urllib.parse

from oauth_world import (Client, Host, Person, api, approve, b64, begin_cli, boss_token, end, logged,
                         note, poll_cli, same, say, token, CLI, DEVICE_GRANT)

EACH = 2000
EVIL = "127.0.0.2"
boss = boss_token()
assert api("POST", "/projects", {"slug": "lab"}, boss).status == 201
alice, mallory = (Person(n, boss) for n in ("alice", "mallory"))
alice.join("lab", boss)
ws1 = Host("ws1", "lab", boss)
mine = begin_cli()
theirs = ws1.begin("alice")
good = alice.token()
evil = mallory.browser(EVIL)
api_client = Client(EVIL)
second, third, fourth = (Client("127.0.0.%d" % i) for i in (3, 4, 5))


def user_code():
    return "".join(random.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(8))


form = [None]


def guess_form():
    """The login page, as a browser that is not logged in."""
    if not form[0]:
        form[0] = Client(EVIL)
        form[0].page = form[0].get("/login")
        form[0].field = form[0].csrf(form[0].page)
    return form[0].post("/login", {"csrf": form[0].field, "login": "alice", "return": "/",
                                   "password": secrets.token_hex(8)})


def guess_session():
    return second.ask("POST", "/api/v1/sessions",
                      body={"login": "alice", "password": secrets.token_hex(8)})


# kind, tries, how, what a try gets that is looked at, how many may be, the log's word
KINDS = (
    ("user codes", EACH, lambda: evil.get("/device?user_code=" + user_code()), 404, 25,
     "device-code-refused"),
    ("device codes", EACH, lambda: token(
        api_client, grant_type=DEVICE_GRANT, client_id=CLI,
        device_code="pdc_" + secrets.token_urlsafe(32)), 400, 140, "oauth-refused"),
    ("passwords in the login form", EACH // 2, guess_form, 403, 12, "login_refused"),
    ("passwords at /sessions", EACH // 2, guess_session, 401, 12, "login_refused"),
    ("session tokens", EACH, lambda: second.get(
        "/api/v1/me", bearer="pst_" + secrets.token_urlsafe(32)), 401, 140, "token-refused"),
    ("authorization codes", EACH // 2, lambda: token(
        third, grant_type="authorization_code", client_id=CLI, code_verifier="v" * 43,
        redirect_uri="http://127.0.0.1:1/callback", code="pac_" + secrets.token_urlsafe(32)),
     400, 140, "oauth-refused"),
    ("tokens to revoke", EACH // 2, lambda: fourth.post(
        "/oauth2/revoke", {"token": "pst_" + secrets.token_urlsafe(32)}), 200, 140,
     "oauth-refused"),
)
started = time.monotonic()
for kind, tries, guess, looked_at, limit, event in KINDS:
    before = len(logged(event))
    got = [guess().status for _ in range(tries)]
    say(set(got) <= {looked_at, 429}, "I3.1 %d guesses of %s: none is right" % (tries, kind))
    seen = got.count(looked_at)
    say(seen <= limit and got[-1] == 429, "I3.1 %s: %d were looked at, the others refused" % (kind, seen))
    lines = len(logged(event)) - before
    say(lines >= tries - seen, "I3.1 %s: %d lines in the log" % (kind, lines))
took = time.monotonic() - started
note("%d guesses in %.1f s" % (sum(k[1] for k in KINDS), took))
same(sum(k[1] for k in KINDS), 10000, "I3.1 ten thousand in all")

# ---- alice, elsewhere ----
started = time.monotonic()
same(api("POST", "/sessions", {"login": "alice", "password": alice.password}).status, 201,
     "I3.1 meanwhile the person whose password was guessed logs in, from another address")
browser = alice.browser()
say(True, "I3.1 in a browser as well")
say(approve(browser, mine).has("The login is approved"), "I3.1 she approves her code")
c = Client()
same(poll_cli(c, mine).status, 200, "I3.1 and the command line goes on")
say(approve(browser, theirs).has("The login is approved"), "I3.1 and the one that ws1 shows her")
same(ws1.poll(theirs).status, 200, "I3.1 which redeems it")
note("alice was served in %.1f s" % (time.monotonic() - started))
near = Client(EVIL)
same(near.ask("GET", "/api/v1/me", bearer=good).status, 200,
     "I3.1 a session that is good goes on, from the very address of the guesses too")


def exhaust(client):
    """Guesses until the next one would be refused."""
    for _ in range(200):
        a = token(client, grant_type=DEVICE_GRANT, client_id=CLI,
                  device_code="pdc_" + secrets.token_urlsafe(32))
        if a.status == 429:
            break
    return a.status


for name in ("mallory2", "mallory3"):
    other = Person(name, boss).browser(EVIL)
    got = [other.get("/device?user_code=" + user_code()).status for _ in range(25)]
    same((got[0], got[-1]), (404, 429), "I3.1 %s guesses user codes there as well" % name)
say(alice.sso_browser(0, address=EVIL).get(
    "/device?user_code=" + begin_cli(near)["user_code"]).has("Approve this login?"),
    "I3.1 a few who do leave the others at their address their codes")
d = begin_cli(near)
approve(browser, d)
same(exhaust(Client(EVIL)), 429, "I3.1 at an address whence device codes are guessed")
a = poll_cli(near, d)
same(a.status, 200, "I3.1 a good one goes on")
exhaust(Client(EVIL))
same(near.post("/oauth2/revoke", {"token": a.json["access_token"]}).status, 200,
     "I3.1 and whoever logs out there")
same(api("GET", "/me", bearer=a.json["access_token"]).status, 401, "I3.1 is logged out")
verifier = "v" * 43
page = browser.get("/oauth2/authorize?" + urllib.parse.urlencode({
    "response_type": "code", "client_id": CLI, "redirect_uri": "http://127.0.0.1:1/callback",
    "code_challenge": b64(hashlib.sha256(verifier.encode()).digest()),
    "code_challenge_method": "S256"}))
a = browser.send(page, "/oauth2/authorize", decision="approve")
exhaust(Client(EVIL))
same(token(near, grant_type="authorization_code", client_id=CLI, code_verifier=verifier,
           redirect_uri="http://127.0.0.1:1/callback",
           code=urllib.parse.parse_qs(a.location.split("?")[1])["code"][0]).status, 200,
     "I3.1 nor is a good authorization code refused there")
same(ws1.poll(theirs, client=near).error[1], "invalid_grant",
     "I3.1 a host there is not refused for its neighbour: it has proven who it is")
same(ws1.ask("alice", client=near).status, 200, "I3.1 and gets its codes")
end()
