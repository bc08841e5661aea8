# SPDX-License-Identifier: MIT
"""Authorization codes with PKCE, metadata and revocation. See oauth_world.py."""
import hashlib
import secrets
import time
import urllib.parse

from oauth_world import (Client, Person, URL, api, audit, b64, boss_token, connection, end, identity,
                         keep_secret, logged, same, say, sha, sql, token, CLI)

boss = boss_token()
alice, bob = (Person(n, boss) for n in ("alice", "bob"))
REDIRECT = "http://127.0.0.1:43123/callback"
c = Client()

# ---- metadata ----
a = c.get("/.well-known/oauth-authorization-server")
m = a.json
same((a.status, a.headers["Content-Type"].split(";")[0], m["issuer"]),
     (200, "application/json", URL), "I3.1 RFC 8414: metadata, and its issuer")
ends = {k: m[k] for k in m if k.endswith("_endpoint")}
same(sorted(ends), ["authorization_endpoint", "device_authorization_endpoint",
                    "revocation_endpoint", "token_endpoint"], "I3.1 RFC 8414: the endpoints")
say(all(v.startswith(URL + "/oauth2/") for v in ends.values()), "I3.1 at the configured address")
methods = {"authorization_endpoint": "GET"}
found = {k: c.ask(methods.get(k, "POST"), v[len(URL):], **({} if k in methods else {"form": {"a": "b"}})
                  ).status for k, v in ends.items()}
say(not any(s in (404, 405) for s in found.values()), "I3.1 each endpoint is there: %s" % found)
same(m["code_challenge_methods_supported"], ["S256"], "I3.1 RFC 7636: S256 only")
same((m["response_types_supported"], m["authorization_response_iss_parameter_supported"]),
     (["code"], True), "I3.1 codes only, and RFC 9207")
errors = {g: token(c, grant_type=g).error[1] for g in m["grant_types_supported"]}
say(len(errors) == 3 and "unsupported_grant_type" not in errors.values(),
    "I3.1 each grant type is known: %s" % errors)
same(token(c, grant_type="implicit").error, (400, "unsupported_grant_type"), "I3.1 and no other")
say("none" in m["token_endpoint_auth_methods_supported"] and
    m["token_endpoint_auth_signing_alg_values_supported"] == ["EdDSA"], "I3.1 how clients prove themselves")

form = {"Content-Type": "application/x-www-form-urlencoded"}
for path in ("token", "revoke", "device_authorization"):
    for what, kind, text in (("a parameter that stands twice", form, "token=a&token=b&client_id=x"),
                             ("broken encoding", form, "token=%f"), ("no type", {}, "token=a"),
                             ("broken JSON", {"Content-Type": "application/json"}, "{"),
                             ("JSON", {"Content-Type": "application/json"}, "{}")):
        a = c.ask("POST", "/oauth2/" + path, raw=text, headers=kind)
        same(a.error, (400, "invalid_request"), "I3.1 RFC 6749 §5.2: %s gets %s" % (path, what))
typist = Client()
a = typist.send(typist.get("/login"), "/login", login="a" * 300000)
say(a.status == 400 and a.has("Type your email address") and len(a.text) < 10000,
    "I3.1 what is too long for a name is neither taken nor shown again")
a = c.ask("POST", "/device", raw="a=%f", headers=form)
say(a.status == 400 and a.has("This request is not understood"), "I3.1 a page tells it as a page")

# ---- asking ----


def pkce():
    v = secrets.token_urlsafe(48)
    return v, b64(hashlib.sha256(v.encode()).digest())


def query(challenge, **more):
    q = {"response_type": "code", "client_id": CLI, "redirect_uri": REDIRECT,
         "code_challenge": challenge, "code_challenge_method": "S256", "state": "xy z/1"}
    q.update(more)
    return "/oauth2/authorize?" + urllib.parse.urlencode({k: v for k, v in q.items() if v is not None})


def answer(location, redirect=REDIRECT):
    """The parameters of a redirect to the program."""
    where, _, text = location.partition("?")
    return dict(urllib.parse.parse_qsl(text)) if where == redirect else {"where": location}


def agree(browser, challenge, decision="approve", **more):
    page = browser.get(query(challenge, **more))
    return browser.send(page, "/oauth2/authorize", decision=decision)


def redeem(code, verifier, **more):
    form = {"grant_type": "authorization_code", "client_id": CLI, "code": code,
            "redirect_uri": REDIRECT, "code_verifier": verifier}
    form.update(more)
    return token(Client(), **{k: v for k, v in form.items() if v is not None})


verifier, challenge = pkce()
stranger = Client()
a = stranger.get(query(challenge))
path = query(challenge)
say(a.status == 303 and a.location.startswith("/login?return=%2Foauth2%2Fauthorize%3F"),
    "I3.1 whoever is not logged in does that first")
back = urllib.parse.unquote(a.location.split("return=")[1])
same(urllib.parse.parse_qs(back), urllib.parse.parse_qs(path), "I3.1 and comes back with everything")
a = stranger.login("alice", alice.password, back)
page = stranger.get(a.location)
say(a.status == 303 and page.has("Log in on this computer", "as alice",
                                 "Agree only if you have just typed prism login yourself"),
    "I3.1 the page asks for consent")
csp = page.headers["Content-Security-Policy"]
say("form-action 'self' http://127.0.0.1:43123;" in csp and "frame-ancestors 'none'" in csp,
    "I3.1 its form may lead to the program and nowhere else, and nobody can frame it")
say("'self' http:;" in stranger.get(query(
    challenge, redirect_uri="http://[::1]:43123/callback")).headers["Content-Security-Policy"],
    "I3.1 to ::1 as well")
browser = stranger
same(sql("SELECT COUNT(*) FROM authorization_codes")[0][0], 0, "I3.1 no code without consent")
a = browser.send(page, "/oauth2/authorize", decision="approve")
r = answer(a.location)
same((a.status, r.get("state"), r.get("iss"), sorted(r)), (303, "xy z/1", URL, ["code", "iss", "state"]),
     "I3.1 RFC 9207: the redirect has code, state and iss")
keep_secret(r["code"])
same(audit("oauth.approve"), ("user:alice", "user:alice", {"client": CLI}), "I3.1 in the audit log")
a = redeem(r["code"], verifier)
t = a.json
keep_secret(t["access_token"])
same((a.status, t["token_type"], t["username"]), (200, "Bearer", "alice"), "I3.1 a token for it")
same(api("GET", "/me", bearer=t["access_token"]).json["username"], "alice", "I3.1 it is a session")
row = sql("SELECT how, identity_id FROM sessions WHERE token_hash = ?", sha(t["access_token"]))[0]
same(row, ("browser", 0), "I3.1 which knows how it came about")

# ---- a code that is used twice ----
same(redeem(r["code"], verifier).error, (400, "invalid_grant"), "I3.1 a code is good once")
same(api("GET", "/me", bearer=t["access_token"]).status, 401,
     "I3.1 RFC 6749 §4.1.2: its second use ends the session it gave")
same(audit("oauth.code-misused"), ("anonymous", "user:alice", {"why": "used before"}),
     "I3.1 and is in the audit log")

# ---- PKCE ----
for what, more in (("plain", {"code_challenge_method": "plain"}),
                   ("no method", {"code_challenge_method": None}),
                   ("no challenge", {"code_challenge": None}),
                   ("a short challenge", {"code_challenge": challenge[:-1]}),
                   ("a challenge of other letters", {"code_challenge": "+" + challenge[1:]})):
    a = browser.get(query(challenge, **more))
    same((a.status, answer(a.location).get("error"), answer(a.location).get("state")),
         (303, "invalid_request", "xy z/1"), "I3.1 RFC 7636: refused with " + what)
same(answer(browser.get(query(challenge, response_type="token")).location).get("error"),
     "unsupported_response_type", "I3.1 no implicit grant")
same(answer(browser.get(query(challenge, response_type=None)).location).get("error"),
     "invalid_request", "I3.1 nor none")
a = answer(browser.get(query(challenge, state="s" * 300)).location)
same((a.get("error"), "state" in a, a.get("iss")), ("invalid_request", False, URL),
     "I3.1 a state that is too long is not sent back")


def fresh():
    v, ch = pkce()
    return answer(agree(browser, ch).location)["code"], v


for what, change in (("another verifier", lambda v: pkce()[0]), ("one letter changed", lambda v:
                     ("a" if v[0] != "a" else "b") + v[1:])):
    code, v = fresh()
    same(redeem(code, change(v)).error, (400, "invalid_grant"), "I3.1 RFC 7636: " + what)
    same(redeem(code, v).error, (400, "invalid_grant"), "I3.1 the code is void after that")
code, v = fresh()
for what, change in (("no verifier", None), ("a short verifier", v[:42]), ("a long one", v * 3),
                     ("one of other letters", v[:-1] + "é")):
    same(redeem(code, change).error, (400, "invalid_request"), "I3.1 RFC 7636: " + what)
same(redeem(code, v, client_id="other").error, (401, "invalid_client"), "I3.1 another client")
same(redeem(code, v, redirect_uri=None).error, (400, "invalid_request"), "I3.1 no redirect_uri")
same(redeem(code, v).status, 200, "I3.1 none of which used it up")
code, v = fresh()
same(redeem(code, v, redirect_uri="http://127.0.0.1:43124/callback").error,
     (400, "invalid_grant"), "I3.1 another redirect_uri")
same(redeem(code, v).error, (400, "invalid_grant"), "I3.1 voids it")
code, v = fresh()
sql("UPDATE authorization_codes SET expires_at = ? WHERE code_hash = ?", int(time.time()), sha(code))
same(redeem(code, v).error, (400, "invalid_grant"), "I3.1 a code lasts no longer than its time")
code, v = fresh()
left = sql("SELECT expires_at FROM authorization_codes WHERE code_hash = ?", sha(code))[0][0]
say(50 < left - time.time() <= 61, "I3.1 which is 60 seconds")
same(redeem("pac_" + "A" * 43, v).error, (400, "invalid_grant"), "I3.1 a code that is none")
say(logged("oauth-refused"), "I3.1 what was refused is in the log")

# ---- redirect_uri ----
for uri in ("https://127.0.0.1:43123/callback", "http://localhost:43123/callback",
            "http://127.0.0.1/callback", "http://127.0.0.1:0/callback",
            "http://127.0.0.1:65536/callback", "http://127.0.0.1:043/callback",
            "http://127.0.0.1:43123/callback/", "http://127.0.0.1:43123/callback?x=1",
            "http://127.0.0.1:43123/callback#x", "http://127.0.0.1:43123/",
            "http://127.0.0.1:43123@evil.test/callback", "http://127.0.0.1:43123.evil.test/callback",
            "http://evil.test/callback", "http://127.0.0.2:43123/callback",
            "http://user@127.0.0.1:43123/callback", "HTTP://127.0.0.1:43123/callback",
            "http://[::1]/callback", "http://[::2]:43123/callback", "http://::1:43123/callback",
            "//127.0.0.1:43123/callback", "javascript:alert(1)", "", None):
    a = browser.get(query(challenge, redirect_uri=uri))
    same((a.status, a.location, a.has("This login cannot go on")), (400, "", True),
         "I3.1 RFC 8252: %r is no place to send anybody" % uri)
a = browser.get(query(challenge, client_id="other"))
same((a.status, a.location), (400, ""), "I3.1 nor is anybody sent for an unknown client")
v, ch = pkce()
six = "http://[::1]:43123/callback"
code = answer(agree(browser, ch, redirect_uri=six).location, six).get("code")
same(redeem(code, v, redirect_uri=six).status, 200, "I3.1 RFC 8252: ::1 is one")

# ---- consent ----
a = agree(browser, challenge, "deny")
r = answer(a.location)
same((r.get("error"), r.get("state"), r.get("iss"), "code" in r),
     ("access_denied", "xy z/1", URL, False), "I3.1 denied")
same(audit("oauth.deny")[0], "user:alice", "I3.1 in the audit log")
page = browser.get(query(challenge))
fields = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(query(challenge)).query),
              decision="approve")
before = sql("SELECT COUNT(*) FROM authorization_codes")[0][0]
same(browser.post("/oauth2/authorize", fields).status, 403, "I3.1 CSRF: no consent without our field")
same(browser.post("/oauth2/authorize", dict(fields, csrf=browser.csrf(page)),
                  headers={"Origin": "http://127.0.0.1:43123"}).status, 403,
     "I3.1 CSRF: nor from another origin")
a = browser.post("/oauth2/authorize", dict(fields, csrf=browser.csrf(page),
                                           redirect_uri="http://evil.test/callback"))
same((a.status, a.location), (400, ""), "I3.1 the form's address is looked at again")
same(sql("SELECT COUNT(*) FROM authorization_codes")[0][0], before, "I3.1 none of which made a code")
a = agree(browser, challenge, state=None)
say("state" not in answer(a.location) and "code" in answer(a.location), "I3.1 state is optional")
other = bob.browser()
page = other.get(query(challenge))
sql("UPDATE browser_sessions SET revoked_at = 1 WHERE user_id = ?", bob.id)
a = other.send(page, "/oauth2/authorize", decision="approve")
say(a.status in (303, 403) and "code=" not in a.location, "I3.1 who was logged out since agrees to nothing")

# ---- what is taken back ----
browser = alice.browser()
code, v = fresh()
new = "alice likes longer passwords"
keep_secret(new)
same(api("POST", "/me/password", {"old": alice.password, "new": new}, alice.token()).status, 204,
     "I3.1 a new password")
alice.password = new
same(redeem(code, v).error, (400, "invalid_grant"), "I3.1 voids codes that nobody has used")
uni = connection("uni")
hers = identity(alice, uni)
browser = alice.sso_browser(hers)
code, v = fresh()
t = redeem(code, v).json["access_token"]
same(sql("SELECT identity_id FROM sessions WHERE token_hash = ?", sha(t))[0][0], hers,
     "I3.2 a session knows the identity behind it")
api("POST", "/projects", {"slug": "aging", "sso_max_age": 600}, boss)
alice.join("aging", boss)
say(browser.get(query(challenge)).has("Log in on this computer"), "I3.4 a fresh login is asked nothing more")
sql("UPDATE sso_identities SET auth_at = ? WHERE id = ?", int(time.time()) - 700, hers)
a = browser.get(query(challenge))
say("/sso/uni/start?fresh=1&return=%2Foauth2%2Fauthorize%3F" in a.headers.get("Refresh", "") and
    "%26renewed%3D1" in a.headers.get("Refresh", ""),
    "I3.4 whose keys are refused is sent there by prism login, though the browser is logged in")
say(browser.get(query(challenge, renewed="1")).has("Log in on this computer"), "I3.4 once, not in a circle")
sql("UPDATE sso_identities SET auth_at = ? WHERE id = ?", int(time.time()), hers)
code, v = fresh()
sql("UPDATE sso_identities SET auth_at = 0 WHERE id = ?", hers)
same(redeem(code, v).error, (400, "invalid_grant"), "I3.4 a login that its provider has ended gives nothing")
say(browser.get(query(challenge)).location.startswith("/login?"), "I3.4 and agrees to nothing")
identity(bob, uni)
browser = bob.sso_browser(0)
code, v = fresh()
sql("UPDATE sso_connections SET enforce_sso = 1")
same(redeem(code, v).error, (400, "invalid_grant"),
     "S3.12 a code that a password gave before SSO was enforced gives no session after it")
a = browser.get(query(challenge))
say("/sso/uni/start?return=%2Foauth2%2Fauthorize%3F" in a.headers.get("Refresh", ""),
    "S3.12 an organization that enforces SSO: a browser logged in by password is sent there")
sql("UPDATE sso_connections SET enforce_sso = 0")

# ---- revocation ----
code, v = fresh()
t = redeem(code, v).json["access_token"]
a = c.post("/oauth2/revoke", {"token": t, "token_type_hint": "refresh_token", "client_id": CLI})
same((a.status, api("GET", "/me", bearer=t).status), (200, 401), "I3.1 RFC 7009: a session is revoked")
same(audit("session.close")[0], "user:bob", "I3.1 in the audit log")
for what, value in (("again", t), ("a token that is none", "pst_" + "A" * 43), ("nonsense", "x y"),
                    ("a host's token", "pht_" + "A" * 43)):
    same(c.post("/oauth2/revoke", {"token": value}).status, 200, "I3.1 RFC 7009: 200 for " + what)
same(c.post("/oauth2/revoke", {"client_id": CLI}).error, (400, "invalid_request"), "I3.1 without a token")
same(c.post("/oauth2/revoke", {"token": t, "client_id": "x"}).error, (401, "invalid_client"),
     "I3.1 by an unknown client")
password = api("POST", "/sessions", {"login": "alice", "password": alice.password}).json["token"]
c.post("/oauth2/revoke", {"token": password})
same(api("GET", "/me", bearer=password).status, 401, "I3.1 however the session was opened")
end()
