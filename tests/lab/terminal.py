#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A terminal that a test looks at and types into: terminal.py FILE COMMAND...

Runs the command on a terminal of its own. What it shows is appended to FILE.screen; what is written into
the pipe FILE.keys is typed; the exit status (128 + signal) stands in FILE.status when it has ended.
"""
import fcntl
import os
import pty
import select
import struct
import sys
import termios

ROWS, COLUMNS = 60, 120


class Terminal:
    """A command on a pseudo terminal: "seen" is all that it has shown."""

    def __init__(self, command):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def type(self, keys):
        os.write(self.fd, keys)

    def pump(self):
        """Read what there is; False at the end."""
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return b""
        self.seen += data
        return data

    def wait(self):
        status = os.waitpid(self.pid, 0)[1]
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def main():
    path, command = sys.argv[1], sys.argv[2:]
    os.mkfifo(path + ".keys", 0o600)
    keys = os.open(path + ".keys", os.O_RDWR | os.O_NONBLOCK)
    terminal = Terminal(command)
    with open(path + ".screen", "wb", buffering=0) as screen:
        while True:
            ready = select.select([terminal.fd, keys], [], [])[0]
            if keys in ready:
                terminal.type(os.read(keys, 4096))
            if terminal.fd in ready:
                data = terminal.pump()
                if not data:
                    break
                screen.write(data)
    with open(path + ".status.new", "w", encoding="ascii") as out:
        out.write(f"{terminal.wait()}\n")
    os.rename(path + ".status.new", path + ".status")


if __name__ == "__main__":
    main()
