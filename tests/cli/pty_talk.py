#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a command on a terminal of its own: pty_talk.py QUESTION ANSWER [QUESTION ANSWER...] -- COMMAND...

Waits for each question, then types its answer; an answer of "^C" is that key. Prints what the terminal
showed and exits with the command's status (128 + signal).
"""
import os
import pty
import select
import signal
import sys
import time

cut = sys.argv.index("--")
steps, command = sys.argv[1:cut], sys.argv[cut + 1:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
seen, read_to, deadline = b"", 0, time.time() + 20


def pump():
    global seen
    if select.select([fd], [], [], 0.1)[0]:
        try:
            data = os.read(fd, 4096)
        except OSError:
            return False
        seen += data
        return bool(data)
    return time.time() < deadline


alive = True
for question, answer in zip(steps[::2], steps[1::2]):
    while alive and question.encode() not in seen[read_to:]:
        alive = pump()
    at = seen.find(question.encode(), read_to)
    if at < 0:
        sys.stdout.write(seen.decode(errors="replace"))
        print("\npty_talk: was not asked: " + question)
        os.kill(pid, signal.SIGKILL)
        sys.exit(99)
    read_to = at + len(question)
    time.sleep(0.05)
    os.write(fd, b"\x03" if answer == "^C" else answer.encode() + b"\n")
while alive:
    alive = pump()
status = os.waitpid(pid, 0)[1]
sys.stdout.write(seen.decode(errors="replace").replace("\r\n", "\n"))
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
