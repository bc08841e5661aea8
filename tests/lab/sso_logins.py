#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long somebody waits for their shell: sso_logins.py STATE COUNT COMMAND...

Runs the command (an ssh that prints READY when it is in) on a terminal COUNT times, with the browser of STATE
logged in already. Every other time Enter is pressed before the approval. Prints for each login the
milliseconds from the later of the two to READY; approval is the click, so its way to the service counts.
"""
import json
import os
import re
import select
import sys
import threading
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "browser")]

from browser import Browser, Driver  # noqa: E402
from terminal import Terminal  # noqa: E402


def wait_for(terminal, pattern, patience=20):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = re.search(pattern, terminal.seen)
        if found:
            return found
        if select.select([terminal.fd], [], [], 0.05)[0] and not terminal.pump():
            break
    raise SystemExit(f"sso_logins: {pattern!r} was not shown:\n" + terminal.seen.decode(errors="replace")[-2000:])


def one(browser, command, enter_first):
    terminal = Terminal(command)
    url = wait_for(terminal, rb"(https://\S+user_code=[A-Z-]+)").group(1).decode()
    wait_for(terminal, rb"Enter here: $")
    browser.open(url)
    browser.wait("button[value=approve]")
    if enter_first:
        terminal.type(b"\n")
        time.sleep(0.3)
        began = time.monotonic()
        click = threading.Thread(target=browser.click, args=("button[value=approve]",))
        click.start()
    else:
        browser.click("button[value=approve]")
        browser.wait_text("The login is approved")
        began = time.monotonic()
        terminal.type(b"\n")
    wait_for(terminal, rb"READY")
    took = time.monotonic() - began
    if enter_first:
        click.join()
    while terminal.pump():
        pass
    terminal.wait()
    return took


def main():
    with open(sys.argv[1], encoding="utf-8") as source:
        state = json.load(source)
    browser = Browser(Driver(state["url"], state["session"]))
    for number in range(int(sys.argv[2])):
        print(round(one(browser, sys.argv[3:], number % 2 == 1) * 1000), flush=True)


if __name__ == "__main__":
    main()
