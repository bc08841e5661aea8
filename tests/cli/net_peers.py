#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What stands between a client and the service, for the tests of the way to it (loopback only).

net_peers.py proxy DIR [CERT KEY]: a proxy for CONNECT, with TLS when there is a certificate. It reads
at each request, where they are there: DIR/auth (USER:PASSWORD that it wants), DIR/deny (a status that
it answers), DIR/to (a port of 127.0.0.1 where connections go instead). It connects to 127.0.0.1
whatever the name. Each request is a line of DIR/log: "CONNECT HOST:PORT STATUS" and its headers.

net_peers.py relay DIR CERT KEY PORT: HTTPS in front of http://127.0.0.1:PORT; adds the seconds of
DIR/skew to the Date of its answers.

Both write the port they listen on to DIR/port when they are ready.
"""
import base64
import email.utils
import http.client
import http.server
import os
import select
import socket
import ssl
import sys
import threading
import time

KIND, DIR = sys.argv[1], sys.argv[2]


def setting(name):
    try:
        with open(os.path.join(DIR, name)) as f:
            return f.read().strip()
    except FileNotFoundError:
        return ""


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def verdict(self):
        want = setting("auth")
        got = self.headers.get("Proxy-Authorization", "")
        if want and got != "Basic " + base64.b64encode(want.encode()).decode():
            return 407
        return int(setting("deny") or 200)

    def do_CONNECT(self):
        status = self.verdict()
        names = ",".join(sorted(self.headers.keys())).lower()
        with open(os.path.join(DIR, "log"), "a") as f:
            f.write("CONNECT %s %d %s\n" % (self.path, status, names))
        self.close_connection = True
        if status != 200:
            self.send_response(status)
            if status == 407:
                self.send_header("Proxy-Authenticate", 'Basic realm="test"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        port = int(setting("to") or self.path.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as far:
            self.send_response(200)
            self.end_headers()
            self.pump(self.connection, far)

    @staticmethod
    def pump(a, b):
        while True:
            ready = [a] if isinstance(a, ssl.SSLSocket) and a.pending() else \
                select.select([a, b], [], [])[0]
            for s in ready:
                try:
                    data = s.recv(65536)
                except OSError:
                    data = b""
                if not data:
                    return
                (b if s is a else a).sendall(data)


class Relay(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        near = http.client.HTTPConnection("127.0.0.1", int(sys.argv[5]))
        near.request(self.command, self.path, body, dict(self.headers.items()))
        answer = near.getresponse()
        data = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("date", "content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Date", email.utils.formatdate(time.time() + int(setting("skew") or 0),
                                                        usegmt=True))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        near.close()

    do_GET = do_POST = do_PATCH = do_DELETE = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    context = None

    def finish_request(self, request, client_address):
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass  # a client that does not trust the certificate goes away


server = Server(("127.0.0.1", 0), Proxy if KIND == "proxy" else Relay)
if len(sys.argv) > 4:
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(sys.argv[3], sys.argv[4])
threading.Thread(target=server.serve_forever, daemon=True).start()
with open(os.path.join(DIR, "port.tmp"), "w") as f:
    f.write("%d\n" % server.server_address[1])
os.rename(os.path.join(DIR, "port.tmp"), os.path.join(DIR, "port"))
threading.Event().wait()
