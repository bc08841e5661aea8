# SPDX-License-Identifier: MIT
"""Device logins from the agent's socket to the browser and back. Started by t-logins-central.sh, which
has started the central service; see tests/central/oauth_world.py."""
import os
import signal
import statistics
import subprocess
import sys
import time

from logins_world import (B, LOG, ROOT, Crowd, Started, halves, host_start, login, memory_kb,
                          memory_limit_kb, status, until)
from oauth_world import (Client, DIR, Later, Person, URL, api, approve, boss_token, connection, end,
                         identity, same, say, sql)

central = int(sys.argv[4])


def ended(pid):
    """Our shell's child: it is a zombie once it has ended."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def logged(*texts):
    with open(LOG) as f:
        return any(all(t in line for t in texts) for line in f)


boss = boss_token()
assert api("POST", "/projects", {"slug": "lab", "name": "The lab"}, boss).status == 201
alice, bob = Person("alice", boss), Person("bob", boss)
alice.join("lab", boss)
bob.join("lab", boss)
run = host_start("lab", "ws1", boss)
try:
    say(until(10, lambda: status()["users"] == 3), "I3.3 a host that has enrolled, and its agent")
    with open(os.path.join(ROOT, "var/lib/prism/trust/pins")) as f:
        say("\nurl %s\nname ws1\n" % URL in f.read(),
            "I3.3 enrolment pins the service's address, and the name of this host there")
    browser = alice.browser()

    # ---- approve ----
    began = time.monotonic()
    s = Started("alice")
    took = time.monotonic() - began
    same((s.result, s.url, s.complete), ("0", URL + "/device", URL + "/device?user_code=" + s.code),
         "I3.3 a login begins with pages of the service")
    say(took < 1, "I3.3 at once, with the token still to be got: %d ms" % (took * 1000))
    page = browser.get("/device?user_code=" + s.code)
    say(page.has("alice", "ws1", "192.0.2.7"), "I3.3 the page shows the host, the person, the origin")
    waiting = Later(s.wait)
    time.sleep(0.2)
    approve(browser, s.answer)
    same(waiting.result(), ["0", "alice", str(alice.uid)], "I3.3 approved in the browser, let in here")
    say(logged("login-approved", 'user="alice"'), "I3.3 and logged")

    # ---- through the institution ----
    through = alice.sso_browser(identity(alice, connection("uni")))
    s = Started("alice")
    approve(through, s.answer)
    same(s.wait(), ["0", "alice", str(alice.uid), "lab"],
         "I3.4 an approval with the institution's login lists the project")

    # ---- how long ----
    times = []
    for _ in range(9):
        s = Started("alice")
        waiting = Later(s.wait)
        time.sleep(0.1)
        page = browser.get("/device?user_code=" + s.code)
        before = time.monotonic()
        browser.send(page, "/device/decide", decision="approve")
        assert waiting.result()[0] == "0"
        times.append((waiting.at - before) * 1000)
    median = statistics.median(times)
    say(median < 500, "I3 from the click to the answer, with the agent, HTTPS and the database: "
        "%d ms, median of 9" % median)

    # ---- not approved ----
    s = Started("alice")
    approve(browser, s.answer, "deny")
    same(s.wait()[:1], ["-13"], "I3.3 denied in the browser")
    s = Started("alice")
    page = bob.browser().get("/device?user_code=" + s.code)
    say("/device/decide" not in page.text, "I3.1 somebody else gets no page to approve it with")
    same(s.wait(700)[:1], ["-11"], "I3.1 nobody else can approve it")
    login("end", s.handle)
    s = Started("alice")
    waiting = Later(s.wait)
    time.sleep(0.2)
    sql("UPDATE device_codes SET expires_at = 1 WHERE state = 'pending'")
    page = browser.get("/device?user_code=" + s.code)
    say("/device/decide" not in page.text, "I3.3 a code that has expired cannot be approved")
    same(Started("alice", life=60000).result, "0", "I3.3 another begins meanwhile")
    same(waiting.result()[:1], ["-11"], "I3.3 and lets nobody in")
    login("end", s.handle)
    same(Started("mallory").result, "-2", "I3.3 nobody of this host's projects")
    sql("UPDATE users SET state = 'suspended' WHERE username = 'bob'")
    s = Started("bob")
    same((s.result, "does not know" in s.text), ("-2", True),
         "I3.3 whom the service suspended it gives no code, also when this host has not heard yet")
    sql("UPDATE users SET state = 'active' WHERE username = 'bob'")

    # ---- nobody waits any more ----
    s = Started("alice", life=90000)
    page = browser.get("/device?user_code=" + s.code)
    say(page.has("seconds") and "minutes" not in page.text,
        "I3.3 the page's time left is that of the terminal")
    login("end", s.handle)
    # Not by has(): that prints a page that is not right yet, with the code in it.
    say(until(5, lambda: browser.get("/device?user_code=" + s.code).status == 404) and
        browser.get("/device?user_code=" + s.code).has("your terminal does not wait any more"),
        "I3.3 a login that was given up is so on the page")
    late = browser.send(page, "/device/decide", decision="approve")
    say(late.status == 404 and "The login is approved" not in late.text,
        "I3.3 and cannot be approved by a page that was open before")

    # ---- many ----
    pids = halves(run)
    idle = memory_kb(pids)
    crowd = Crowd("alice", 200)
    same(crowd.said[:4], ["begun", "200", "failed", "0"],
         "I3 two hundred logins begin: " + " ".join(crowd.said))
    same(status()["logins"]["waiting"], 200 + 1, "I3 and wait")
    grown = memory_kb(pids) - idle
    say(grown < memory_limit_kb(), "I3 for %d KB of memory" % grown)
    for code in crowd.codes:
        approve(browser, {"user_code": code})
    say("result 0 count 200" in crowd.end(), "I3 and all of them are let in")

    # ---- the service goes and comes ----
    s = Started("alice")
    waiting = Later(s.wait, 40000)
    time.sleep(0.3)
    os.kill(central, signal.SIGTERM)
    say(until(20, lambda: ended(central)), "I3.3 the service is restarted while somebody waits")
    began = time.monotonic()
    t = Started("alice")
    took = time.monotonic() - began
    same((t.result, "cannot be reached now" in t.text), ("-101", True),
         "I3.3 meanwhile the others are told that it cannot be reached")
    say(took < 1, "I3.3 at once: %d ms" % (took * 1000))
    with open(os.path.join(DIR, "central.log"), "a") as f:
        again = subprocess.Popen([B + "/prism-central", "-c", os.path.join(DIR, "central.conf"),
                                  "serve"], stdout=f, stderr=f)
    say(until(15, lambda: Started("bob", life=5000).result == "0"), "I3.3 it is back, and used at once")
    browser = Client()
    browser.login("alice", alice.password)
    approve(browser, s.answer)
    same(waiting.result()[:2], ["0", "alice"], "I3.3 who waited through the restart is let in")

    # ---- the host is removed ----
    s = Started("alice")
    waiting = Later(s.wait, 40000)
    time.sleep(0.3)
    host = sql("SELECT id FROM hosts WHERE name = 'ws1'")[0][0]
    r = api("DELETE", "/hosts/%d" % host, bearer=boss)
    say(r.status == 204, "I3.3 the host is removed while somebody waits")
    page = browser.get("/device?user_code=" + s.code)
    say("/device/decide" not in page.text, "I3.3 its codes cannot be approved any more")
    same(waiting.result()[:1], ["-101"], "I3.3 who waits is told that the service is none for it")
    same(Started("alice").result, "-101", "I3.3 and nobody else begins")

    with open(LOG) as f:
        text = f.read()
    say(not any(w in text for w in ["pdc_", "pdt_", "pht_"] + crowd.codes), "I3 no code is in its log")
finally:
    run.terminate()
    run.wait()
    if "again" in globals():
        again.terminate()
        again.wait()
end()
