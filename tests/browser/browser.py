#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real browser for the tests: headless Chromium, spoken to by WebDriver. Nothing but the standard library.

    browser.py serve STATE [--pin PIN]... [--map HOST=ADDRESS]...
        start one, write to the file STATE how to reach it, and end it when this process is ended
    browser.py act STATE COMMAND [ARGUMENT...] [-- COMMAND [ARGUMENT...]]...
        let that one do something; exit status 1 with a sentence if it could not
    browser.py run SCRIPT [ARGUMENT...]
        a Python script that finds a Browser in the variable "browser"

Commands: open URL, click CSS, type CSS TEXT, set CSS TEXT (typed after clearing), wait CSS, wait-gone CSS,
wait-url REGEX, wait-text TEXT; has CSS, text [CSS], value CSS NAME, url, title, source, errors [PREFIX],
script JS, screenshot FILE, forget (all cookies), viewport WIDTH HEIGHT, tab NAME (the first is "first"; one
that is not there is opened).

"errors" prints what the console has been told at level SEVERE since it was last asked, one line each:
exceptions, violations of a content security policy, resources that did not load. PREFIX keeps those
of one origin. A PIN is SHA-256 of a server's public key in base64: its certificate needs no other
proof. Everything lives in a temporary folder that goes away with the browser.
"""
import argparse
import base64
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
PATIENCE = 15.0

# How chromedriver says that a page has been replaced under a command, by its release and the moment.
# Each comes from looking an element or its frame up, before anything is done to it: asking again is safe.
REPLACED = ("stale element", "no such element", "does not belong to the document", "No node with given id found",
            "Could not find node with given id", "Cannot find context with specified id", "no such execution context",
            "Execution context was destroyed", "aborted by navigation")

FLAGS = """--headless --disable-gpu --disable-quic --no-first-run --no-default-browser-check --no-proxy-server
    --disable-background-networking --disable-component-update --disable-sync --disable-extensions
    --disable-default-apps --disable-domain-reliability --disable-dev-shm-usage --metrics-recording-only
    --disable-client-side-phishing-detection --password-store=basic --use-mock-keychain --mute-audio
    --disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,AutofillServerCommunication
    --window-size=1000,900""".split()


class BrowserError(Exception):
    """A sentence that tells what the browser could not do."""


class Driver:
    """One WebDriver session over HTTP."""

    def __init__(self, url, session=None):
        self.url, self.session = url, session
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, method, path, body=None):
        data = None if method == "GET" or method == "DELETE" else json.dumps(body or {}).encode()
        base = f"/session/{self.session}" if self.session else ""
        request = urllib.request.Request(self.url + base + path, data=data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with self.opener.open(request, timeout=60) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise BrowserError(f"{value['error']}: {value['message'].splitlines()[0]}") from None
        except OSError as error:
            raise BrowserError(f"the browser cannot be reached: {error}") from None


class Browser:
    """What a person does at a browser. Everything waits up to PATIENCE seconds for what it needs."""

    def __init__(self, driver, tabs=None):
        self.driver, self.tabs = driver, {} if tabs is None else tabs

    def _until(self, what, probe, patience=PATIENCE):
        end = time.monotonic() + patience
        while True:
            try:
                found = probe()
            except BrowserError as error:
                if not any(words in str(error) for words in REPLACED):
                    raise
                found = None
            if found:
                return found
            if time.monotonic() > end:
                raise BrowserError(f"{what}: not within {patience:.0f} s at {self.url()}\n{self._last_text()[:1000]}")
            time.sleep(0.03)

    def _all(self, css):
        found = self.driver.ask("POST", "/elements", {"using": "css selector", "value": css})
        return [item[ELEMENT] for item in found]

    def _find(self, css):
        return self._until(f"no {css}", lambda: self._all(css))[0]

    def _on(self, css, act):
        """Do something with an element, again if the page has been replaced meanwhile."""
        return self._until(f"no {css}", lambda: [act(self._find(css))])[0]

    def open(self, url):
        self.driver.ask("POST", "/url", {"url": url})

    def click(self, css):
        self._on(css, lambda e: self.driver.ask("POST", f"/element/{e}/click"))

    def type(self, css, text):
        self._on(css, lambda e: self.driver.ask("POST", f"/element/{e}/value", {"text": text}))

    def set(self, css, text):
        self._on(css, lambda e: self.driver.ask("POST", f"/element/{e}/clear"))
        self.type(css, text)

    def wait(self, css):
        self._find(css)

    def wait_gone(self, css):
        self._until(f"still {css}", lambda: not self._all(css))

    def wait_url(self, regex):
        self._until(f"address {regex}", lambda: re.search(regex, self.url()))

    def wait_text(self, text):
        self._until(f'"{text}"', lambda: text in self._text("body"))

    def has(self, css):
        return bool(self._all(css))

    def _text(self, css):
        return "\n".join(self.driver.ask("GET", f"/element/{item}/text") for item in self._all(css))

    def _last_text(self):
        try:
            return self._text("body")
        except BrowserError:
            return "(a page that is being replaced)"

    def text(self, css="body"):
        return self._until(f"text of {css}", lambda: [self._text(css)])[0]

    def value(self, css, name):
        return self._on(css, lambda e: self.driver.ask("GET", f"/element/{e}/property/{name}"))

    def url(self):
        return self.driver.ask("GET", "/url")

    def title(self):
        return self.driver.ask("GET", "/title")

    def source(self):
        return self.driver.ask("GET", "/source")

    def script(self, text, *arguments):
        return self.driver.ask("POST", "/execute/sync", {"script": text, "args": list(arguments)})

    def errors(self, prefix=""):
        entries = self.driver.ask("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries
                if entry["level"] == "SEVERE" and entry["message"].startswith(prefix)]

    def screenshot(self, path):
        data = base64.b64decode(self.driver.ask("GET", "/screenshot"))
        with open(path, "wb") as out:
            out.write(data)

    def forget(self):
        """All cookies, not only this page's."""
        self.driver.ask("POST", "/goog/cdp/execute", {"cmd": "Network.clearBrowserCookies", "params": {}})

    def cookies(self):
        answer = self.driver.ask("POST", "/goog/cdp/execute", {"cmd": "Network.getAllCookies", "params": {}})
        return answer["cookies"]

    def tab(self, name):
        if not self.tabs:
            self.tabs["first"] = self.driver.ask("GET", "/window")
        if name not in self.tabs:
            self.tabs[name] = self.driver.ask("POST", "/window/new", {"type": "tab"})["handle"]
        self.driver.ask("POST", "/window", {"handle": self.tabs[name]})

    def viewport(self, width, height):
        self.driver.ask("POST", "/window/rect", {"width": int(width), "height": int(height)})


class Chromium:
    """A browser's life: a context manager that starts it and ends all of it."""

    def __init__(self, pins=(), hosts=()):
        self.pins, self.hosts = list(pins), list(hosts)
        self.process = self.folder = self.driver = None

    def _options(self):
        flags = FLAGS + [f"--user-data-dir={self.folder}/profile"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        if self.pins:
            flags.append("--ignore-certificate-errors-spki-list=" + ",".join(self.pins))
        if self.hosts:
            rules = ",".join("MAP {} {}".format(*pair.split("=", 1)) for pair in self.hosts)
            flags.append(f"--host-resolver-rules={rules}")
        return {"args": flags, "binary": shutil.which("chromium") or "/usr/bin/chromium"}

    def _port(self):
        for line in self.process.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                return int(found.group(1))
        raise BrowserError("chromedriver did not start")

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="browser-")
        try:
            environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.folder, "TMPDIR": self.folder,
                           "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": self.folder}
            self.process = subprocess.Popen(["chromedriver", "--port=0", "--log-level=SEVERE"],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, text=True, env=environment,
                                            start_new_session=True)
            self.driver = Driver(f"http://127.0.0.1:{self._port()}")
            answer = self.driver.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": self._options(),
                "goog:loggingPrefs": {"browser": "ALL"},
                "timeouts": {"pageLoad": 30000}}}})
            self.driver.session = answer["sessionId"]
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return Browser(self.driver)

    def _end(self):
        """All processes of the session that chromedriver leads, until none is left."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            end = time.monotonic() + 3
            try:
                os.killpg(self.process.pid, number)
                while time.monotonic() < end:
                    self.process.poll()
                    os.killpg(self.process.pid, 0)
                    time.sleep(0.02)
            except ProcessLookupError:
                break
        self.process.wait()

    def __exit__(self, *_):
        if self.driver and self.driver.session:
            try:
                self.driver.ask("DELETE", "")
            except BrowserError:
                pass
        if self.process:
            self._end()
            self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def write_state(path, state):
    with open(path + ".new", "w", encoding="utf-8") as out:
        json.dump(state, out)
    os.rename(path + ".new", path)


def serve(options):
    def end(*_):
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with Chromium(options.pin, options.map) as browser:
        write_state(options.state, {"url": browser.driver.url, "session": browser.driver.session})
        parent = os.getppid()
        while os.getppid() == parent:
            time.sleep(0.5)


PRINTING = {"text", "value", "url", "title", "source", "script", "errors", "cookies"}


def do_one(browser, words):
    name = words[0].replace("-", "_")
    method = getattr(Browser, name, None)
    if name.startswith("_") or method is None:
        raise BrowserError(f"no such command: {words[0]}")
    answer = method(browser, *words[1:])
    if name == "has":
        if not answer:
            raise BrowserError(f"no {words[1]} at {browser.url()}")
    elif name == "errors":
        print("\n".join(answer), end="\n" if answer else "")
    elif name in PRINTING:
        print(answer if isinstance(answer, str) else json.dumps(answer))


def act(options):
    with open(options.state, encoding="utf-8") as source:
        state = json.load(source)
    browser = Browser(Driver(state["url"], state["session"]), state.setdefault("tabs", {}))
    words = []
    for word in options.words + ["--"]:
        if word != "--":
            words.append(word)
        elif words:
            do_one(browser, words)
            if words[0] == "tab":
                write_state(options.state, state)
            words = []


def run(options):
    with Chromium(options.pin, options.map) as browser:
        sys.argv = [options.script] + options.arguments
        runpy.run_path(options.script, {"browser": browser, "BrowserError": BrowserError}, "__main__")


def main():
    parser = argparse.ArgumentParser()
    parts = parser.add_subparsers(required=True)
    for name, function in (("serve", serve), ("run", run)):
        part = parts.add_parser(name)
        part.set_defaults(function=function)
        part.add_argument("--pin", action="append", default=[])
        part.add_argument("--map", action="append", default=[])
        part.add_argument("state" if name == "serve" else "script")
    part.add_argument("arguments", nargs=argparse.REMAINDER)
    part = parts.add_parser("act")
    part.set_defaults(function=act)
    part.add_argument("state")
    part.add_argument("words", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    try:
        options.function(options)
    except BrowserError as error:
        print(f"browser: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
