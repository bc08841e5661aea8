# SPDX-License-Identifier: MIT
"""Started by bench/sections/logins.sh."""
import statistics
import sys
import time

from logins_world import Crowd, Started, halves, host_start, memory_kb, status, until
from oauth_world import Later, Person, api, approve, boss_token

CROWD, ROUNDS = 200, 30
SETTLE = 22  # the agent gives memory back twenty seconds after it has published


def row(name, ours, unit, target=None):
    verdict = "ok" if target is None or float(ours) <= target else "missed"
    print("logins", name, ours, "", unit, "" if target is None else "<= %d" % target, verdict,
          sep="\t")


boss = boss_token()
assert api("POST", "/projects", {"slug": "lab", "name": "The lab"}, boss).status == 201
alice = Person("alice", boss)
alice.join("lab", boss)
run = host_start("lab", "ws1", boss)
try:
    if not until(10, lambda: status()["users"] == 2):
        sys.exit("the agent does not publish")
    time.sleep(SETTLE)
    pids = halves(run)
    before = {what: memory_kb(pids, what) for what in ("Pss", "Rss")}
    browser = alice.browser()
    starts, answers = [], []
    for i in range(ROUNDS):
        t = time.monotonic()
        s = Started("alice", "198.51.100.%d" % i)
        starts.append((time.monotonic() - t) * 1000)
        waiting = Later(s.wait)
        time.sleep(0.05)
        page = browser.get("/device?user_code=" + s.code)
        t = time.monotonic()
        browser.send(page, "/device/decide", decision="approve")
        assert waiting.result()[0] == "0"
        answers.append((waiting.at - t) * 1000)
    crowd = Crowd("alice", CROWD)
    assert crowd.said[:4] == ["begun", str(CROWD), "failed", "0"], crowd.said
    peak = {what: memory_kb(pids, what) - before[what] for what in before}
    for code in crowd.codes:
        approve(browser, {"user_code": code})
    assert "result 0 count %d" % CROWD in crowd.end()
finally:
    run.terminate()
    run.wait()
row("memory that %d waiting logins add to prism-sync, both halves (PSS)" % CROWD,
    "%.2f" % (peak["Pss"] / 1024), "MB", 20)
row("the same as resident size (RSS)", "%.2f" % (peak["Rss"] / 1024), "MB", 20)
row("from the click to the agent's answer, median of %d" % ROUNDS,
    "%.1f" % statistics.median(answers), "ms", 1000)
row("from asking for a login to its code, median of %d" % ROUNDS, "%.1f" % statistics.median(starts),
    "ms")
row("%d logins asked for at once: until the last has its code" % CROWD, crowd.said[5], "ms", 5000)
