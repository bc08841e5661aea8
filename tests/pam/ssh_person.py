#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""ssh_person.py SECONDS ANSWERS COMMAND...: a person at a terminal.

Runs the command in a terminal of its own, writes all that is shown to standard output, and gives
one of the answers (separated by commas; an empty one is Enter alone) to each prompt, which is text
that ends in ": " with nothing behind it; "none" is somebody who goes away: the first prompt stays unanswered. Exits as the command does; 124 if it takes longer.
"""
import os
import pty
import select
import sys
import time


def main():
    limit = time.monotonic() + float(sys.argv[1])
    answers = [] if sys.argv[2] == "none" else sys.argv[2].split(",")
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(sys.argv[3], sys.argv[3:])
    shown = b""
    while time.monotonic() < limit:
        if not select.select([terminal], [], [], 0.1)[0]:
            if shown.endswith(b": ") and answers:
                shown = b""
                os.write(terminal, answers.pop(0).encode() + b"\n")
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            piece = b""
        if not piece:
            break
        shown += piece
        sys.stdout.buffer.write(piece.replace(b"\r\n", b"\n"))
        sys.stdout.buffer.flush()
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        sys.exit(124)
    status = os.waitpid(child, 0)[1]
    sys.exit(os.waitstatus_to_exitcode(status))


main()
