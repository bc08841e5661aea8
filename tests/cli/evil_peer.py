#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A hostile service for the tests of the CLI: evil_peer.py DIR CENTRAL USERNAME.

Listens on a free port of 127.0.0.1 and writes it to DIR/port. Every challenge that it is asked for, it
gets from the service at CENTRAL, as if it were USERNAME; the proof that comes back is kept in
DIR/proof.json. The names in its answers carry what a terminal would obey.
"""
import http.server
import json
import os
import sys
import urllib.request

DIR, CENTRAL, USERNAME = sys.argv[1:4]
NAME = "mallory\x1b]0;owned\x07\nssh-ed25519 AAAA mallory"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        me = {"username": NAME, "name": NAME, "uid": 1, "gid": 1, "home": "/"}
        self.answer([] if self.path.endswith("/ssh-keys") else me)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.path.endswith("/challenge"):
            ask = urllib.request.Request(
                CENTRAL + "/api/v1/sessions/key/challenge",
                json.dumps({"username": USERNAME}).encode(), {"Content-Type": "application/json"})
            answer = json.load(urllib.request.urlopen(ask, timeout=10))
        else:
            if "signature" in body:
                with open(os.path.join(DIR, "proof.json"), "w") as f:
                    f.write(json.dumps(dict(json.loads(body), username=USERNAME)))
            answer = {"token": "pst_x", "expires_at": "2099-01-01T00:00:00Z",
                      "user": {"username": NAME, "name": NAME}}
        self.answer(answer)

    def answer(self, answer):
        data = json.dumps(answer).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(os.path.join(DIR, "port.new"), "w") as f:
    f.write(str(server.server_port))
os.rename(os.path.join(DIR, "port.new"), os.path.join(DIR, "port"))
server.serve_forever()
