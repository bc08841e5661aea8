# SPDX-License-Identifier: MIT
"""The device authorization grant (RFC 8628), of the command line and of hosts. See oauth_world.py."""
import hashlib
import statistics
import time

from oauth_world import (Client, Host, Later, Person, URL, api, approve, audit, begin_cli, boss_token,
                         connection, end, identity, keep_secret, logged, note, poll_cli, same, say,
                         sha, sql, token, CLI, DEVICE_GRANT)

boss = boss_token()
for slug in ("lab", "other", "strict"):
    assert api("POST", "/projects", {"slug": slug}, boss).status == 201
alice, bob, eve = (Person(n, boss) for n in ("alice", "bob", "eve"))
alice.join("lab", boss)
bob.join("lab", boss)
ws1 = Host("ws1", "lab", boss)
ws2 = Host("ws2", "other", boss)
a_browser = alice.browser()
b_browser = bob.browser()

# ---- the command line ----
c = Client()
d = begin_cli(c)
same(sorted(d), ["device_code", "expires_in", "interval", "user_code", "verification_uri",
                 "verification_uri_complete"], "I3.1 RFC 8628 §3.2: what a device gets")
same((d["expires_in"], d["interval"]), (300, 5), "I3.1 for how long, and how often it may ask")
same((d["verification_uri"], d["verification_uri_complete"]),
     (URL + "/device", URL + "/device?user_code=" + d["user_code"]), "I3.1 where the person goes")
code = d["user_code"]
say(len(code) == 9 and code[4] == "-" and set(code) - {"-"} <= set("BCDFGHJKLMNPQRSTVWXZ"),
    "I3.1 §6.1: the user code is eight letters without vowels")
say(sql("SELECT COUNT(*) FROM device_codes WHERE device_hash = ? AND user_hash = ?",
        sha(d["device_code"]), sha(code.replace("-", "")))[0][0] == 1,
    "I3.1 the database has hashes of both")
keep_secret(d["device_code"])
same(poll_cli(c, d).error, (400, "authorization_pending"), "I3.1 §3.5 authorization_pending")
same(poll_cli(c, d).error, (400, "slow_down"), "I3.1 §3.5 slow_down for a client in a hurry")
interval = "SELECT interval_s FROM device_codes WHERE device_hash = ?"
same(sql(interval, sha(d["device_code"]))[0][0], 10, "I3.1 §3.5 the interval grows by five")
same(poll_cli(c, d).error, (400, "slow_down"), "I3.1 again too early")
same(sql(interval, sha(d["device_code"]))[0][0], 15, "I3.1 §3.5 and by five more")
sql("UPDATE device_codes SET polled_at = polled_at - 9 WHERE device_hash = ?",
    sha(d["device_code"]))
same(poll_cli(c, d).error, (400, "slow_down"), "I3.1 the new interval is what counts")
sql("UPDATE device_codes SET polled_at = polled_at - 20 WHERE device_hash = ?",
    sha(d["device_code"]))
same(poll_cli(c, d).error, (400, "authorization_pending"), "I3.1 whoever waited is not refused")
page = a_browser.get("/device?user_code=" + d["user_code"])
say(page.has("Approve this login?", "command line as alice", code, "minutes",
             "Approve only if you have just typed prism login"),
    "I3.1 the review page tells what, who, the code and the time left, and warns")
say("no-store" in page.headers["Cache-Control"] and page.headers["X-Frame-Options"] == "DENY" and
    "frame-ancestors 'none'" in page.headers["Content-Security-Policy"],
    "I3.1 no other page can frame it")
page = approve(a_browser, d)
say(page.status == 200 and page.has("The login is approved"), "I3.1 approved")
same(audit("device.approve"), ("user:alice", "user:alice", {"client": CLI, "origin": "127.0.0.1"}),
     "I3.1 and in the audit log")
a = poll_cli(c, d)
t = a.json
say(a.status == 200 and t["token_type"] == "Bearer" and t["username"] == "alice" and
    t["access_token"].startswith("pst_") and 0 < t["expires_in"] <= 12 * 3600,
    "I3.1 §3.5 the token, though it came early: a decision is never slowed down")
keep_secret(t["access_token"])
say("no-store" in a.headers["Cache-Control"], "I3.1 RFC 6749 §5.1 nobody keeps it")
same(api("GET", "/me", bearer=t["access_token"]).json["username"], "alice", "I3.1 it is a session")
same(sql("SELECT how FROM sessions WHERE token_hash = ?", sha(t["access_token"]))[0][0], "browser",
     "I3.1 which knows how it came about")
same(poll_cli(c, d).error, (400, "invalid_grant"), "I3.1 a redeemed code is good once")
same(audit("device.redeem")[0], "user:alice", "I3.1 the audit log has who redeemed it")

d = begin_cli(c)
page = approve(b_browser, d, "deny")
say(page.has("The login is denied"), "I3.1 denied")
same(poll_cli(c, d).error, (400, "access_denied"), "I3.1 §3.5 access_denied")
same(audit("device.deny")[0], "user:bob", "I3.1 a denial is in the audit log")
d = begin_cli(c)
sql("UPDATE device_codes SET expires_at = ? WHERE device_hash = ?", int(time.time()),
    sha(d["device_code"]))
same(poll_cli(c, d).error, (400, "expired_token"), "I3.1 §3.5 expired_token")
page = a_browser.get("/device?user_code=" + d["user_code"])
say(page.status == 404 and page.has("This code is not known"), "I3.1 its user code is over as well")
d = begin_cli(c)
page = a_browser.get("/device?user_code=" + d["user_code"])
sql("UPDATE device_codes SET expires_at = ? WHERE device_hash = ?", int(time.time()),
    sha(d["device_code"]))
page = a_browser.send(page, "/device/decide", decision="approve")
same((page.status, poll_cli(c, d).error), (404, (400, "expired_token")),
     "I3.1 a page that was open too long approves nothing")
for what, form in (("no code", {"client_id": CLI}),
                   ("no client", {"device_code": "pdc_x"}),
                   ("wait no number", {"client_id": CLI, "device_code": "x", "wait": "soon"})):
    same(token(c, grant_type=DEVICE_GRANT, **form).error, (400, "invalid_request"),
         "I3.1 a request with %s is none" % what)
same(token(c, grant_type=DEVICE_GRANT, client_id="other", device_code="x").error,
     (401, "invalid_client"), "I3.1 an unknown client")
same(token(c, grant_type=DEVICE_GRANT, client_id=CLI, device_code="pdc_" + "A" * 43).error,
     (400, "invalid_grant"), "I3.1 an unknown device code")
same(c.post("/oauth2/device_authorization", {"client_id": "x"}).error, (401, "invalid_client"),
     "I3.1 no codes for an unknown client")
same(c.post("/oauth2/device_authorization", {"a": "b"}).error, (400, "invalid_request"),
     "I3.1 nor for none")
same(token(c, grant_type="password", username="alice", password=alice.password).error,
     (400, "unsupported_grant_type"), "I3.1 there is no password grant")

# ---- the page where a code is typed ----
d = begin_cli(c)
page = a_browser.get("/device")
say(page.has("The code that your terminal shows"), "I3.1 the page that asks for a code")
a = a_browser.send(page, "/device", user_code=" " + code.lower().replace("-", " ") + " ")
same((a.status, a.location), (303, "/device?user_code=" + code),
     "I3.1 case, blanks and hyphens do not count")
a = a_browser.send(page, "/device", user_code="12345")
say(a.status == 400 and a.has("looks like WDJB-MJHT: eight letters, never A, E, I, O, U or Y"),
    "I3.1 what cannot be a code is told at once, and what one looks like")
lower = d["user_code"].lower().replace("-", "")
say(a_browser.get("/device?user_code=" + lower).has("Approve this login?"),
    "I3.1 in the address as well")
stranger = Client()
a = stranger.get("/device?user_code=" + lower)
same((a.status, a.location), (303, "/login?return=%2Fdevice%3Fuser_code%3D" + d["user_code"]),
     "I3.1 whoever is not logged in does that first, and comes back")
a = stranger.login("alice", alice.password, "/device?user_code=" + d["user_code"])
same((a.status, a.location), (303, "/device?user_code=" + d["user_code"]), "I3.1 as promised")
same(stranger.get("/device?user_code=%3Cscript%3E").status, 404, "I3.1 markup is no code")

# ---- forged forms ----
page = a_browser.get("/device?user_code=" + d["user_code"])
form = {"user_code": d["user_code"], "decision": "approve"}
state = "SELECT state FROM device_codes WHERE device_hash = ?"
a = a_browser.post("/device/decide", form)
same(a.status, 403, "I3.1 CSRF: a form without our field is refused")
a = a_browser.post("/device/decide", dict(form, csrf=b_browser.csrf(page)[::-1]))
same(a.status, 403, "I3.1 CSRF: or with another value")
theirs = b_browser.get("/device")
a = a_browser.post("/device/decide", dict(form, csrf=b_browser.csrf(theirs)))
same(a.status, 403, "I3.1 CSRF: or with another browser's")
a = a_browser.post("/device/decide", dict(form, csrf=a_browser.csrf(page)),
                   headers={"Origin": "https://evil.test"})
same(a.status, 403, "I3.1 CSRF: or from another origin")
a = a_browser.post("/device/decide", dict(form, csrf=a_browser.csrf(page)),
                   headers={"Sec-Fetch-Site": "cross-site"})
same(a.status, 403, "I3.1 CSRF: or from another site")
a = a_browser.get("/device/decide?user_code=%s&decision=approve" % d["user_code"])
same(a.status, 405, "I3.1 an address that is opened approves nothing")
same(sql(state, sha(d["device_code"]))[0][0], "pending", "I3.1 CSRF: nothing was approved")
a = a_browser.send(page, "/device/decide", decision="maybe")
same((a.status, sql(state, sha(d["device_code"]))[0][0]), (400, "pending"),
     "I3.1 a decision that is none")

# ---- hosts ----
h = ws1.begin("alice", origin="192.0.2.7")
keep_secret(h["device_code"])
same(audit("device.begin"), ("host:ws1", "user:alice",
                             {"host": "ws1", "origin": "192.0.2.7", "service": "sshd"}),
     "I3.3 the audit log has what a host asked for")
page = a_browser.get("/device?user_code=" + h["user_code"])
say(page.has("log in to ws1 as alice", "ws1", "alice", "sshd", "192.0.2.7", h["user_code"],
             "Approve only if you have just typed ssh yourself. Somebody who sends you this code "
             "wants to log in as you."), "I3.1 the page tells host, user, service, origin and code")
say(page.has("This browser has another address: 127.0.0.1.") and page.has("192.0.2.7"),
    "I3.1 and that the browser is elsewhere")
n = ws1.begin("alice", origin="127.0.0.1")
page = a_browser.get("/device?user_code=" + n["user_code"])
say("another address" not in page.text, "I3.1 which it does not say where it is not so")
page = b_browser.get("/device?user_code=" + h["user_code"])
say(page.status == 403 and page.has("This login is for alice; you are logged in as bob",
                                    "Log out, and in again"),
    "I3.1 the code is bound to the username: another person is told so")
say("/device/decide" not in page.text, "I3.1 and has nothing to approve")
same(audit("device.wrong-person")[:2], ("user:bob", "user:alice"), "I3.1 in the audit log as well")
two = bob.browser()
a = two.send(two.get("/device?user_code=" + h["user_code"]), "/logout")
same((a.status, a.location), (303, "/device?user_code=" + h["user_code"]),
     "I3.1 who logs out there comes back to the code")
say(two.get(a.location).location.startswith("/login?return=%2Fdevice"), "I3.1 and logs in for it")
theirs = b_browser.get("/device")
page = b_browser.post("/device/decide", {"csrf": b_browser.csrf(theirs), "decision": "approve",
                                         "user_code": h["user_code"]})
same((page.status, sql(state, sha(h["device_code"]))[0][0]), (403, "pending"),
     "I3.1 a form made by hand does not help another person")
page = b_browser.post("/device/decide", {"csrf": b_browser.csrf(theirs), "decision": "deny",
                                         "user_code": h["user_code"]})
same((page.status, sql(state, sha(h["device_code"]))[0][0]), (403, "pending"),
     "I3.1 nor may they deny it")
same(ws1.poll(h).error, (400, "authorization_pending"), "I3.3 pending")
approve(a_browser, h)
same(audit("device.approve")[1:], ("user:alice", {"host": "ws1", "origin": "192.0.2.7",
                                                  "service": "sshd"}), "I3.3 approved")
same(ws2.poll(h).error, (400, "invalid_grant"), "I3.3 another host cannot redeem it")
same(poll_cli(c, h).error, (400, "invalid_grant"), "I3.3 nor can the command line")
same(ws1.poll(h, bearer=t["access_token"]).error, (401, "invalid_client"),
     "I3.3 nor somebody who is no host")
a = ws1.poll(h)
same((a.status, sorted(a.json)), (200, ["access_token", "expires_in", "prism_login", "token_type"]),
     "I3.3 its own host can")
pdt = a.json["access_token"]
keep_secret(pdt)
s = ws1.statement(a.json["prism_login"])
same((s["host"], s["nonce"], s["username"], s["uid"], s["projects"]),
     (ws1.id, h["nonce"], "alice", alice.uid, []),
     "I3.3 the signed statement names host, nonce and person; a password is no login through SSO")
same(s["code"], hashlib.sha256(h["user_code"].replace("-", "").encode()).digest(),
     "I3.3 and for which code, so that another one that was shown instead lets nobody in")
say(abs(s["issued_at"] - time.time()) < 10, "I3.3 and says when")
same(ws1.poll(h).error, (400, "invalid_grant"), "I3.3 good once")
say(pdt.startswith("pdt_"), "I3.3 the access token has a kind of its own")
with open("prism-central/routes.c") as f:
    table = f.read()
gets = [p for p in ("/me", "/projects", "/users/alice", "/workspaces", "/audit", "/organizations",
                    "/hosts/self/feed", "/hosts/self/logins", "/projects/lab/members") if p in table
        or "/" in p]
same([api("GET", p, bearer=pdt).status for p in gets], [401] * len(gets),
     "I3.3 a host's device token opens no route of the API")
same(ws1.ask("alice", origin=None).status, 200, "I3.3 an origin may be unknown")
same(Client().post("/oauth2/device_authorization", {
    "client_id": "prism-host", "login_hint": "alice", "service": "sshd", "nonce": "0" * 64}).error,
    (401, "invalid_client"), "I3.3 a host has to say who it is")
same(ws1.ask("eve").error, (400, "access_denied"), "I3.3 no codes for people of no project of its")
same(ws1.ask("nobody1").error, (400, "access_denied"), "I3.3 nor for those who are not there")
for what, more in (("no name", {"login_hint": None}), ("a name that is none", {"login_hint": "A B"}),
                   ("no service", {"service": None}), ("a strange service", {"service": "a b"}),
                   ("a short nonce", {"nonce": "00"}), ("no nonce", {"nonce": None}),
                   ("markup in its origin", {"origin": "<b>"})):
    same(ws1.ask("alice", **more).error, (400, "invalid_request"), "I3.3 refused with " + what)
h = ws1.begin("bob")
page = approve(b_browser, h, "deny")
same(ws1.poll(h).error, (400, "access_denied"), "I3.3 denied")

# ---- for how long the terminal waits ----
for life, want in (("90", 90), ("10", 10), ("1", 10), ("-5", 10), ("300", 300), ("100000", 300),
                   (None, 300)):
    h = ws1.begin("alice", life=life, origin="198.51.100.1")
    left = sql("SELECT expires_at - created_at FROM device_codes WHERE device_hash = ?",
               sha(h["device_code"]))[0][0]
    same((h["expires_in"], left), (want, want), "I3.3 a code lives as its terminal: life=%s" % life)
for life in ("soon", "1.5", ""):
    same(ws1.ask("alice", life=life, origin="198.51.100.1").error, (400, "invalid_request"),
         "I3.3 no life: %r" % life)
same(begin_cli(c)["expires_in"], 300, "I3.1 the command line's live as before")
h = ws1.begin("alice", life="90", origin="198.51.100.2")
page = a_browser.get("/device?user_code=" + h["user_code"])
say(page.has("seconds") and "minutes" not in page.text, "I3.3 the page's time left is the terminal's")
sql("UPDATE device_codes SET expires_at = ? WHERE device_hash = ?", int(time.time()),
    sha(h["device_code"]))
late = a_browser.send(page, "/device/decide", decision="approve")
say(late.status == 404 and late.has("your terminal does not wait any more", "Begin again there") and
    "The login is approved" not in late.text, "I3.3 a late approval is not called one")
same(ws1.poll(h).error, (400, "expired_token"), "I3.3 nor is it one")


def give_up(host, started, **more):
    return host.client.post("/oauth2/revoke", dict({"token": started["device_code"]}, **more),
                            bearer=host.bearer)


h = ws1.begin("alice", life="90", origin="198.51.100.2")
page = a_browser.get("/device?user_code=" + h["user_code"])
same((give_up(ws2, h).status, ws1.poll(h).error), (200, (400, "authorization_pending")),
     "I3.3 RFC 7009: another host ends nothing, and cannot tell")
Client().post("/oauth2/revoke", {"token": h["device_code"]})
say(a_browser.get("/device?user_code=" + h["user_code"]).has("Approve this login?"),
    "I3.3 nor does somebody who is no host")
d = begin_cli(c)
same((give_up(ws1, d).status, poll_cli(c, d).error), (200, (400, "authorization_pending")),
     "I3.3 a host ends no code of the command line")
sql("UPDATE device_codes SET polled_at = 0 WHERE device_hash = ?", sha(h["device_code"]))
parked = Later(ws1.poll, h, client=Client(), wait="20")
time.sleep(0.3)
same(give_up(ws1, h, client_id="prism-host").status, 200, "I3.3 its own host ends a code")
same(parked.result().error, (400, "expired_token"), "I3.3 whoever waits for it is told at once")
same(audit("device.end"), ("host:ws1", "user:alice",
                           {"host": "ws1", "origin": "198.51.100.2", "service": "sshd"}),
     "I3.3 the audit log has it")
late = a_browser.send(page, "/device/decide", decision="approve")
say(late.status == 404 and late.has("your terminal does not wait any more"),
    "I3.3 a code that was given up cannot be approved, and the page says why")
same(ws1.poll(h).error, (400, "expired_token"), "I3.3 nor redeemed")
h = ws1.begin("alice", life="90", origin="198.51.100.2")
approve(a_browser, h)
same((give_up(ws1, h).status, ws1.poll(h).error), (200, (400, "expired_token")),
     "I3.3 one that was approved already is void as well")
h = ws1.begin("alice", origin="198.51.100.2")
approve(a_browser, h)
ws1.poll(h)
same((give_up(ws1, h).status, give_up(ws1, h).status, sql(state, sha(h["device_code"]))[0][0]),
     (200, 200, "redeemed"), "I3.3 what was redeemed stays so, and the answer is the same")
same(give_up(ws1, {"device_code": "pdc_" + "A" * 43}).status, 200, "I3.3 as for none at all")
same(give_up(ws1, h, client_id=CLI).error, (401, "invalid_client"), "I3.3 a host is not another client")

# ---- rights that end between approval and redemption ----
h = ws1.begin("bob")
approve(b_browser, h)
waiting = ws1.begin("bob")
same(api("DELETE", "/projects/lab/members/bob", bearer=boss).status, 200, "I3.3 bob is removed")
same(ws1.poll(h).error, (400, "access_denied"), "I3.3 who is no member any more is refused")
page = b_browser.get("/device?user_code=" + waiting["user_code"])
say(page.status == 403 and page.has("You are no member there"), "I3.3 and is told so")
same(ws1.ask("bob").error, (400, "access_denied"), "I3.3 nor is there a code for them any more")
bob.join("lab", boss)
h = ws1.begin("bob")
approve(b_browser, h)
d = begin_cli(c)
approve(b_browser, d)
api("POST", "/users/bob/suspend", bearer=boss)
same((ws1.poll(h).error, poll_cli(c, d).error), ((400, "access_denied"), (400, "access_denied")),
     "I3.3 a suspended account is refused, whatever was approved")
same(ws1.ask("bob").error, (400, "access_denied"), "I3.3 and gets no codes")
api("POST", "/users/bob/resume", bearer=boss)
b_browser = bob.browser()
h = ws1.begin("bob")
d = begin_cli(c)
approve(b_browser, h)
approve(b_browser, d)
new = "bob likes longer passwords"
keep_secret(new)
same(api("POST", "/me/password", {"old": bob.password, "new": new}, bob.token()).status, 204,
     "I3.1 a new password")
bob.password = new
same((ws1.poll(h).error, poll_cli(c, d).error), ((400, "access_denied"), (400, "access_denied")),
     "I3.1 takes back what the old one's browsers have approved")
b_browser = bob.browser()

# ---- logins through the organization ----
uni = connection("uni")
hers = identity(alice, uni)
sso = alice.sso_browser(hers)
h = ws1.begin("alice")
approve(sso, h)
same(ws1.statement(ws1.poll(h).json["prism_login"])["projects"], ["lab"],
     "I3.4 a login by the organization's connection is told to the host")
sql("UPDATE projects SET sso_max_age = 600 WHERE slug = 'lab'")
h = ws1.begin("alice")
a = a_browser.get("/device?user_code=" + h["user_code"])
say("0; url=/sso/uni/start?fresh=1&return=%2Fdevice%3Fuser_code%3D" + h["user_code"] in
    a.headers.get("Refresh", ""), "I3.4 a project that asks for SSO: by password one is sent there")
a = a_browser.get("/device?user_code=%s&renewed=1" % h["user_code"])
say(a.status == 403 and a.has("not recent enough"), "I3.4 once, not in a circle")
theirs = a_browser.get("/device")
a_browser.post("/device/decide", {"csrf": a_browser.csrf(theirs), "decision": "approve",
                                  "user_code": h["user_code"]})
same(sql(state, sha(h["device_code"]))[0][0], "pending", "I3.4 and the form is not passed over")
old = alice.sso_browser(hers, auth_at=int(time.time()) - 700)
say("/sso/uni/start?fresh=1" in old.get("/device?user_code=" + h["user_code"]).headers.get(
    "Refresh", ""), "I3.4 a login that is too old: again")
approve(sso, h)
same(ws1.statement(ws1.poll(h).json["prism_login"])["projects"], ["lab"], "I3.4 a fresh one counts")
mine = begin_cli()["user_code"]
say(sso.get("/device?user_code=" + mine).has("Approve this login?"),
    "I3.4 for the command line as well: nobody is sent away whose login is fresh")
sql("UPDATE sso_identities SET auth_at = ? WHERE id = ?", int(time.time()) - 700, hers)
say("0; url=/sso/uni/start?fresh=1&return=%2Fdevice%3Fuser_code%3D" + mine + "%26renewed%3D1" in
    sso.get("/device?user_code=" + mine).headers.get("Refresh", ""),
    "I3.4 whose keys are refused is sent there by prism login, though the browser is logged in")
say(sso.get("/device?user_code=%s&renewed=1" % mine).has("Approve this login?"),
    "I3.4 once, not in a circle")
say(a_browser.get("/device?user_code=" + mine).has("Approve this login?"),
    "I3.4 who has logged in by password is not sent there for the command line")
sql("UPDATE sso_identities SET auth_at = ? WHERE id = ?", int(time.time()), hers)
api("PUT", "/projects/strict/hosts/ws1", {}, boss)
alice.join("strict", boss)
h = ws1.begin("alice")
page = approve(a_browser, h)
same(ws1.statement(ws1.poll(h).json["prism_login"])["projects"], [],
     "I3.4 where another project asks for none, a password will do, and is told as what it is")
approve(old, h2 := ws1.begin("alice"))
same(ws1.statement(ws1.poll(h2).json["prism_login"])["projects"], ["strict"],
     "I3.4 an old login counts for the project that asks for no age")
h = ws1.begin("alice")
approve(sso, h)
sql("UPDATE sso_identities SET auth_at = 0 WHERE id = ?", hers)
same(ws1.poll(h).error, (400, "access_denied"), "I3.4 a login that its provider has ended is none")
say(sso.get("/device?user_code=" + ws1.begin("alice")["user_code"]).has("Your login has ended"),
    "I3.4 and approves nothing")
sql("UPDATE sso_identities SET auth_at = ? WHERE id = ?", int(time.time()), hers)
sql("UPDATE sso_connections SET enabled = 0")
h = ws1.begin("alice")
say(sso.get("/device?user_code=" + h["user_code"]).status == 403,
    "I3.4 nor does one by a connection that was disabled")
sql("UPDATE projects SET sso_max_age = 600 WHERE slug = 'strict'")
say(a_browser.get("/device?user_code=" + h["user_code"]).has("There is no login to use"),
    "I3.4 where SSO is asked for and there is none, the page says so")
sql("UPDATE projects SET sso_max_age = 0")
d = begin_cli(c)
approve(a_browser, d)
sql("UPDATE sso_connections SET enabled = 1, enforce_sso = 1")
same(poll_cli(c, d).error, (400, "access_denied"),
     "S3.12 what a password approved before SSO was enforced gives no session after it")
a = a_browser.get("/device?user_code=" + begin_cli(c)["user_code"])
say("/sso/uni/start?return=" in a.headers.get("Refresh", ""),
    "S3.12 an organization that enforces SSO: a browser logged in by password is sent there")
sql("UPDATE sso_connections SET enforce_sso = 0")

# ---- limits ----
many = [ws1.begin("alice", origin="198.51.100.9") for _ in range(7)]
same([ws1.poll(m).error[1] for m in many], ["invalid_grant"] * 2 + ["authorization_pending"] * 5,
     "I3.3 five at most are pending for one person from one address: the oldest are dropped")
answers = [ws1.ask("bob", origin="203.0.113.5") for _ in range(25)]
same([a.status for a in answers], [200] * 20 + [429] * 5, "I3.3 too many are refused")
same((answers[-1].error[1], int(answers[-1].headers["Retry-After"]) > 0), ("slow_down", True),
     "I3.3 with a time to come back")
same(ws1.ask("bob", origin="203.0.113.6").status, 200, "I3.3 from another address bob goes on")
same(ws1.ask("alice", origin="203.0.113.5").status, 200, "I3.3 and another person from that one")
same(sql("SELECT COUNT(*) FROM device_codes WHERE origin = '203.0.113.5' AND username = 'bob'")[0][0],
     5, "I3.3 the rows are bounded")
say(any("too many device codes" in line for line in logged("oauth-refused")), "I3.3 in the log too")
led = {"Sec-Fetch-Site": "cross-site"}
d = begin_cli(Client("127.0.0.8"))
victim = alice.sso_browser(0, address="127.0.0.8")
page = "/device?user_code=" + d["user_code"]
got = [victim.get("/device?user_code=BBBB-BB%s%s" % (x, y), headers=led).status
       for x in "BCDF" for y in "GHJKLMN"]
same((got[0], victim.get(page).has("Approve this login?")), (404, True),
     "I3.1 pages elsewhere that open wrong codes do not use up a person's guesses")
a = victim.get(page, headers=led)
say("Approve this login?" not in a.text and d["user_code"] in a.text,
    "I3.1 but then whoever is led to a code confirms it first")
a = victim.follow(victim.send(a, "/device", user_code=d["user_code"]))
say(a.has("Approve this login?"), "I3.1 and goes on")
same(victim.get("/device?user_code=%3Cb%3E", headers=led).status, 429, "I3.1 what is none is refused")
far = Client("127.0.0.9")
events = sql("SELECT COUNT(*) FROM audit")
answers = [far.post("/oauth2/device_authorization", {"client_id": CLI}).status for _ in range(40)]
same(sql("SELECT COUNT(*) FROM audit"), events, "I3.1 strangers do not make the audit log grow")
same((answers.count(200), answers[-1]), (30, 429), "I3.1 so are codes of the command line")
row = ("INSERT INTO device_codes (id, device_hash, user_hash, host_id, user_id, username, origin,"
       " state, interval_s, created_at, expires_at) VALUES (?, ?, ?, ?, ?, 'alice', ?, 'pending', 5,"
       " ?, ?)")
now = int(time.time())
host_id = sql("SELECT id FROM hosts WHERE name = 'ws1'")[0][0]
for i in range(520):
    sql(row, i + 1, "d%d" % i, "u%d" % i, host_id, alice.id, "10.0.0.%d" % (i % 2), now, now + 300)
pending = "SELECT COUNT(*) FROM device_codes WHERE state = 'pending' AND host_id = ?"
before = sql(pending, host_id)[0][0]
fair = ws1.begin("bob", origin="203.0.113.77")
say(sql(pending, host_id)[0][0] < before, "I3.3 a host has a bounded number of them")
for i in range(20):
    ws1.begin("alice", origin="203.0.113.%d" % (100 + i))
same(ws1.poll(fair).error, (400, "authorization_pending"),
     "I3.3 the origin that has most makes room, not the others")
sql("UPDATE device_codes SET expires_at = ? WHERE origin LIKE '10.0.0.%'", now - 700)
begin_cli(c)
same(sql("SELECT COUNT(*) FROM device_codes WHERE origin LIKE '10.0.0.%'")[0][0], 0,
     "I3.1 codes whose time is over are swept")

# ---- waiting ----
d = begin_cli(c)
waiting = Later(poll_cli, Client(), d, wait="1")
started = time.monotonic()
same(waiting.result().error, (400, "authorization_pending"), "I3.1 a long poll ends as pending")
say(0.9 < time.monotonic() - started < 8, "I3.1 after the time that was asked for")
took = []
for _ in range(11):
    d = begin_cli(c)
    page = a_browser.get("/device?user_code=" + d["user_code"])
    waiting = Later(poll_cli, Client(), d, wait="30")
    time.sleep(0.05)
    started = time.monotonic()
    a_browser.send(page, "/device/decide", decision="approve")
    a = waiting.result()
    took.append(waiting.at - started)
    if a.status != 200:
        note(a.text)
same(a.status, 200, "I3.1 a long poll answers when there is a decision")
note("approval to token: median %.1f ms, worst %.1f ms" % (
    1000 * statistics.median(took), 1000 * max(took)))
say(statistics.median(took) < 0.3, "I3.1 at once")
d = begin_cli(c)
waiting = Later(poll_cli, Client(), d, wait="30")
time.sleep(0.1)
same(poll_cli(Client(), d).error, (400, "slow_down"), "I3.1 a second poll beside it is too early")
approve(b_browser, d, "deny")
same(waiting.result().error, (400, "access_denied"), "I3.1 a denial wakes as well")

after = ws1.logins(0).json["now"]
same(ws1.logins(after).json["answered"], [], "I3.3 a host hears of what was answered since")
hs = [ws1.begin("alice") for _ in range(4)]
took = []
for h in hs[:3]:
    page = a_browser.get("/device?user_code=" + h["user_code"])
    waiting = Later(ws1.logins, after, 20, Client())
    time.sleep(0.05)
    started = time.monotonic()
    a_browser.send(page, "/device/decide", decision="deny" if h is hs[1] else "approve")
    j = waiting.result().json
    took.append(waiting.at - started)
    same(j["answered"], [sha(h["device_code"])], "I3.3 as soon as there is an answer")
    say(j["now"] > after, "I3.3 and each only once, several in one second too")
    after = j["now"]
note("approval to host: median %.1f ms, worst %.1f ms" % (
    1000 * statistics.median(took), 1000 * max(took)))
same(ws1.poll(hs[0]).status, 200, "I3.3 it redeems that")
all_ = ws1.logins(0).json["answered"]
say(sha(hs[0]["device_code"]) not in all_ and sha(hs[2]["device_code"]) in all_,
    "I3.3 from the beginning: what is answered and not redeemed")
same(ws2.logins(0).json["answered"], [], "I3.3 nothing of another host's")
same(ws1.logins(after, 1).json["answered"], [], "I3.3 its time is up without news")
same(ws1.client.get("/api/v1/hosts/self/logins?after=x", bearer=ws1.bearer).status, 400,
     "I3.3 a question that is none")
same(api("GET", "/hosts/self/logins", bearer=boss).status, 401, "I3.3 and only hosts may ask")
waiting = Later(ws1.poll, hs[3], Client(), wait="20")
time.sleep(0.1)
approve(a_browser, hs[3])
same(waiting.result().status, 200, "I3.3 a host may also wait for one code")
h = ws1.begin("alice")
approve(a_browser, h)
api("DELETE", "/hosts/ws1", bearer=boss)
sql("UPDATE hosts SET state = 'removed' WHERE name = 'ws1'")
same(ws1.poll(h).error[0], 401, "I3.3 a host that was removed redeems nothing")
end()
