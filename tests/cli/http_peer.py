#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A peer for the tests of the HTTP client and of the CLI: says and notes what a server might.

http_peer.py DIR [tls|plain]: makes DIR/ca.pem and a certificate for localhost, listens on a free port
of 127.0.0.1, writes DIR/peer ("PORT PIN") when it is ready, and appends each request to DIR/requests.
"""
import base64
import hashlib
import http.server
import json
import os
import ssl
import subprocess
import sys
import time

DIR = sys.argv[1]
TLS = len(sys.argv) < 3 or sys.argv[2] == "tls"


def openssl(*args):
    return subprocess.run(("openssl",) + args, cwd=DIR, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def certificates():
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(*new, "-x509", "-days", "2", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out",
            "ca.pem")
    openssl(*new, "-subj", "/CN=localhost", "-keyout", "peer.key", "-out", "peer.csr")
    with open(os.path.join(DIR, "ext"), "w") as f:
        f.write("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", "peer.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", "peer.pem")
    spki = openssl("pkey", "-in", "peer.key", "-pubout", "-outform", "DER")
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, body):
        with open(os.path.join(DIR, "requests"), "a") as f:
            f.write(json.dumps({"method": self.command, "path": self.path, "body": body,
                                "headers": dict(self.headers.items())}) + "\n")

    def answer(self, status, body, headers=()):
        data = body.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.note(body)
        path = self.path.split("?")[0]
        if path == "/ok":
            self.answer(200, json.dumps({"method": self.command, "body": body, "path": self.path,
                                         "auth": self.headers.get("Authorization", "none"),
                                         "type": self.headers.get("Content-Type", "none"),
                                         "agent": self.headers.get("User-Agent", "none")}))
        elif path == "/redirect":
            self.answer(302, "", [("Location", "/ok")])
        elif path == "/big":
            self.answer(200, "x" * 3000000)
        elif path == "/busy":
            self.answer(429, "{}", [("Retry-After", "7")])
        elif path == "/twice":
            self.answer(200, '{"a": 1, "a": 2}')
        elif path == "/hang":
            time.sleep(5)
            self.close_connection = True
        elif path == "/slow":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.wfile.flush()
            time.sleep(5)
            self.close_connection = True
        elif path == "/broken":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        else:
            self.answer(404, '{"error": {"code": "NOT_FOUND", "message": "There is no such '
                             'thing here.", "hint": "Check the name."}}')

    do_GET = do_POST = do_PATCH = do_DELETE = serve


pin = certificates() if TLS else "-"
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
if TLS:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(DIR, "peer.pem"), os.path.join(DIR, "peer.key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(os.path.join(DIR, "peer.tmp"), "w") as f:
    f.write("%d %s\n" % (server.server_address[1], pin))
os.rename(os.path.join(DIR, "peer.tmp"), os.path.join(DIR, "peer"))
server.serve_forever()
