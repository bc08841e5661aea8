# SPDX-License-Identifier: MIT
"""A host with its agent, for device logins with the real service: see tests/central/oauth_world.py,
which reads the arguments."""
import json
import os
import subprocess
import time

from oauth_world import DIR, api, keep_secret

B = os.environ["B"]
ROOT = os.path.join(DIR, "h")
SOCKET = os.path.join(ROOT, "run/prism/agent.sock")
LOG = os.path.join(DIR, "agent.log")


def until(seconds, call):
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if call():
            return True
        time.sleep(0.02)
    return False


def agent(*args):
    return subprocess.run([B + "/prism-sync", "--root", ROOT, "--no-drop", *args], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def status():
    try:
        return json.loads(agent("status", "--json").stdout)
    except ValueError:
        return {"users": -1, "logins": {"waiting": -1}}


def host_start(project, name, boss):
    """Enrol the host, and start its agent, which the caller ends."""
    for path, text in (("etc/prism/prism.conf", "[home]\nrequire_mount = no\n"),
                       ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
                       ("etc/group", "root:x:0:\n")):
        path = os.path.join(ROOT, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
    os.makedirs(os.path.join(ROOT, "var/lib"))
    token = api("POST", "/projects/%s/host-tokens" % project, {"name": name}, boss).json["token"]
    out = agent("enroll", "--token", token)
    assert out.returncode == 0, out.stdout
    with open(LOG, "w") as log:
        return subprocess.Popen([B + "/prism-sync", "--root", ROOT, "--no-drop", "run"],
                                stderr=log, stdout=log)


def halves(run):
    """The agent's processes."""
    with open("/proc/%d/task/%d/children" % (run.pid, run.pid)) as f:
        return [run.pid] + [int(p) for p in f.read().split()]


def memory_kb(pids, what="Pss"):
    total = 0
    for pid in pids:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith(what + ":"))
    return total


def login(*args):
    """RESULT and the words after it."""
    out = subprocess.run([B + "/tests/sync/helper_login", SOCKET, *map(str, args)], text=True,
                         stdout=subprocess.PIPE).stdout
    return out.split()


class Started:
    def __init__(self, user, origin="192.0.2.7", life=60000):
        words = login("start", user, origin, life)
        self.result = words[0]
        self.text = " ".join(words[1:])
        if self.result == "0":
            self.handle, self.url, self.complete, self.code = words[1:5]
            keep_secret(self.code)

    def wait(self, ms=10000):
        return login("wait", self.handle, ms)

    @property
    def answer(self):
        return {"user_code": self.code}


class Crowd:
    """So many logins of one person at once, each from an address of its own."""

    def __init__(self, user, n):
        self.run = subprocess.Popen([B + "/tests/sync/helper_login", SOCKET, "crowd", user, str(n),
                                     "120000"], stdout=subprocess.PIPE, text=True)
        self.codes = []
        for line in self.run.stdout:
            self.said = line.split()
            if self.said[0] == "begun":
                break
            self.codes.append(self.said[1])
            keep_secret(self.said[1])

    def end(self):
        out = self.run.stdout.read()
        self.run.wait()
        return out


def memory_limit_kb():
    """What two hundred waiting logins may take: 20 MB, which a sanitizer uses up; far less without."""
    with open(B + "/prism-sync", "rb") as f:
        return 20480 if b"__asan_init" in f.read() else 8192
