#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An OpenID provider that does wrong what it is told to: for tests of who relies on one.

    evil_op.py [--listen ADDRESS] [--port N] [--name HOST] [--cert FILE --key FILE] --dir DIR

Needs nothing but Python and the openssl command. Prints one line of JSON when it is ready:
{"url": ISSUER}. Logs nobody in by a form: whoever asks is "sub", at once. The tests' door:

    POST /admin {...}   any of: fault (a word from below; "" none), sub, claims (of the ID token),
                        userinfo (claims there), metadata (members of the discovery document), alg
    POST /admin/rotate {"keep": bool}   another signing key, beside the old one or instead of it
    POST /admin/logout {...}            makes a logout token: claims, header, fault
    GET  /admin         what was asked: a list of {path, query, form, auth}; POST /admin/forget
"""
import argparse
import base64
import hashlib
import hmac
import http.server
import json
import os
import secrets
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

LOCK = threading.RLock()
FORM = "application/x-www-form-urlencoded"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*args, data=b""):
    return subprocess.run(["openssl", *args], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=True).stdout


def der_ints(sig):
    """r and s of an ECDSA signature in DER, 32 bytes each."""
    at, out = 2, b""
    for _ in range(2):
        n = sig[at + 1]
        out += sig[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + n
    return out


class Key:
    """A signing key: "rsa", "ec" (P-256) or "ed" (Ed25519), in a file of "folder"."""
    made = 0

    def __init__(self, kind, folder):
        Key.made += 1
        self.kind, self.kid = kind, f"k{Key.made}"
        self.path = os.path.join(folder, f"{self.kid}.pem")
        args = {"rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                "ec": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "ed": ["ED25519"]}[kind]
        openssl("genpkey", "-algorithm", *args, "-out", self.path)
        self.alg = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}[kind]
        self.pem = openssl("pkey", "-in", self.path, "-pubout")

    def jwk(self, private=False):
        der = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")
        out = {"kid": self.kid, "use": "sig", "alg": self.alg}
        if self.kind == "rsa":
            hexed = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip()
            out.update(kty="RSA", n=b64(bytes.fromhex(hexed.split("=")[1])), e="AQAB")
        elif self.kind == "ec":
            out.update(kty="EC", crv="P-256", x=b64(der[-64:-32]), y=b64(der[-32:]))
        else:
            out.update(kty="OKP", crv="Ed25519", x=b64(der[-32:]))
        if private:
            out["d"] = b64(secrets.token_bytes(32))
        return out

    def sign(self, data):
        if self.kind == "ed":
            path = self.path + ".in"
            with open(path, "wb") as f:
                f.write(data)
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", path)
        sig = openssl("dgst", "-sha256", "-sign", self.path, data=data)
        return der_ints(sig) if self.kind == "ec" else sig


class Provider:
    def __init__(self, url, folder):
        self.url, self.folder = url, folder
        self.keys = [Key("rsa", folder)]
        self.stranger = Key("rsa", folder)
        self.codes, self.refresh, self.requests = {}, {}, []
        self.told = {"fault": "", "sub": "sub-alice", "claims": {}, "userinfo": {},
                     "metadata": {}}

    def fault(self, *words):
        return self.told["fault"] in words

    # ---- documents -----------------------------------------------------------------------------

    def metadata(self):
        out = {
            "issuer": self.url, "authorization_endpoint": self.url + "/authorize",
            "token_endpoint": self.url + "/token", "jwks_uri": self.url + "/jwks",
            "userinfo_endpoint": self.url + "/userinfo", "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
        }
        if self.fault("discovery_issuer"):
            out["issuer"] += "/"
        out.update(self.told["metadata"])
        return {k: v for k, v in out.items() if v is not None}

    def jwks(self):
        return {"keys": [k.jwk(self.fault("jwks_private")) for k in self.keys]}

    # ---- tokens --------------------------------------------------------------------------------

    def token(self, header, claims, key=None):
        """A signed token; the faults of signatures and headers happen here."""
        key = key or self.keys[-1]
        head = {"alg": key.alg, "kid": key.kid, "typ": "JWT"}
        if self.fault("none", "hs256"):
            head["alg"] = {"none": "none", "hs256": "HS256"}[self.told["fault"]]
        if self.fault("embedded_jwk"):
            key = self.stranger
            head["jwk"] = key.jwk()
        if self.fault("crit"):
            head["crit"] = ["exp"]
        if self.fault("unknown_kid"):
            head["kid"] = "nobody"
        head.update(header)
        text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
        if self.fault("none"):
            return text + "."
        if self.fault("hs256"):
            return text + "." + b64(hmac.new(key.pem, text.encode(), hashlib.sha256).digest())
        if self.fault("foreign_key"):
            key = self.stranger
        sig = key.sign(text.encode())
        if self.fault("signature"):
            sig = sig[:-1] + bytes([sig[-1] ^ 1])
        if self.fault("tampered"):
            claims = dict(claims, sub="sub-admin")
            text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
        return text + "." + b64(sig)

    def linger(self, fault):
        """Until it is told to do something else, or for eight seconds."""
        for _ in range(160):
            if not self.fault(fault):
                break
            time.sleep(0.05)

    def refuse_late(self):
        self.linger("refresh_late")
        return 400, {"error": "invalid_grant"}

    def id_claims(self, code):
        now, client = int(time.time()), code["client_id"]
        claims = {"iss": self.url, "sub": self.told["sub"], "aud": client, "iat": now,
                  "exp": now + 300, "auth_time": now}
        if code.get("nonce"):
            claims["nonce"] = code["nonce"]
        changes = {
            "expired": {"exp": now - 120, "iat": now - 400},
            "wrong_issuer": {"iss": "https://other.example"},
            "wrong_audience": {"aud": "somebody-else"},
            "audience_array": {"aud": ["somebody-else", "another"]},
            "audience_two": {"aud": [client, "somebody-else"]},
            "azp": {"aud": [client, "somebody-else"], "azp": "somebody-else"},
            "azp_alone": {"azp": "somebody-else"},
            "audience_good": {"aud": [client]},
            "azp_good": {"aud": [client, "somebody-else"], "azp": client},
            "future": {"iat": now + 600, "exp": now + 900},
            "old": {"iat": now - 7200},
            "not_yet": {"nbf": now + 600},
            "no_sub": {"sub": None}, "no_exp": {"exp": None}, "no_iat": {"iat": None},
            "no_nonce": {"nonce": None}, "wrong_nonce": {"nonce": "A" * 43},
            "text_exp": {"exp": str(now + 300)}, "number_sub": {"sub": 7},
            "stale_auth": {"auth_time": now - 9000}, "no_auth_time": {"auth_time": None},
            "at_hash": {"at_hash": "A" * 22},
        }
        claims.update(self.told["claims"])
        claims.update(changes.get(self.told["fault"], {}))
        return {k: v for k, v in claims.items() if v is not None}

    def grant(self, code):
        access = secrets.token_urlsafe(24)
        out = {"access_token": access, "token_type": "Bearer", "expires_in": 300,
               "id_token": self.token({}, self.id_claims(code))}
        if "offline_access" in code.get("scope", ""):
            out["refresh_token"] = secrets.token_urlsafe(24)
            self.refresh[out["refresh_token"]] = code
        if self.fault("no_id_token"):
            del out["id_token"]
        if self.fault("token_type"):
            out["token_type"] = "mac"
        return 200, out

    def exchange(self, form, client):
        if self.fault("token_client"):
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") == "refresh_token":
            if self.fault("refresh_refused"):
                return 400, {"error": "invalid_grant"}
            if self.fault("refresh_broken"):
                return 503, {"error": "temporarily_unavailable"}
            code = self.refresh.pop(form.get("refresh_token"), None)
            return self.grant(code) if code else (400, {"error": "invalid_grant"})
        code = self.codes.pop(form.get("code"), None)
        if not code or client != code["client_id"] or form.get("redirect_uri") != code["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        digest = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if digest != code["code_challenge"]:
            return 400, {"error": "invalid_grant", "error_description": "PKCE"}
        return self.grant(code)

    def logout_token(self, asked):
        now = int(time.time())
        claims = {"iss": self.url, "aud": "prism", "iat": now, "jti": secrets.token_hex(8),
                  "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}
        claims.update(asked.get("claims", {}))
        before, self.told["fault"] = self.told["fault"], asked.get("fault", "")
        try:
            return self.token({"typ": "logout+jwt", **asked.get("header", {})},
                              {k: v for k, v in claims.items() if v is not None})
        finally:
            self.told["fault"] = before


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider = None

    def log_message(self, *_):
        pass

    def send(self, status, body=b"", kind="application/json", **headers):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def spoil(self, what):
        """The faults that every document can have; True when it was one."""
        p = self.provider
        p.linger(what + "_late")
        if p.fault(what + "_slow"):
            time.sleep(15)
        elif p.fault(what + "_redirect"):
            self.send(302, Location=p.url + "/secret/" + what)
        elif p.fault(what + "_huge"):
            self.send(200, b'{"issuer": "' + b"x" * (8 << 20) + b'"}')
        elif p.fault(what + "_deep"):
            self.send(200, b"[" * 60000)
        elif p.fault(what + "_twice"):
            self.send(200, b'{"issuer": "a", "issuer": "b", "keys": [], "keys": []}')
        elif p.fault(what + "_garbage"):
            self.send(200, b"\xff\xfe\0<html>")
        elif p.fault(what + "_broken"):
            self.send(500, {"error": "server_error"})
        else:
            return False
        return True

    def note(self, path, query, form):
        self.provider.requests.append({"path": path, "query": query, "form": form,
                                       "auth": self.headers.get("Authorization", "")})

    def client(self, form):
        auth = self.headers.get("Authorization", "")
        if not auth.startswith("Basic "):
            return form.get("client_id")
        name, _, secret = base64.b64decode(auth[6:]).decode().partition(":")
        return urllib.parse.unquote_plus(name) if secret else None

    # ---- the provider --------------------------------------------------------------------------

    def authorize(self, query):
        p = self.provider
        answer = {"state": query.get("state", ""), "iss": p.url}
        if p.fault("answer_error"):
            answer.update(error="access_denied",
                          error_description="<script>alert(1)</script>\u00e9\" onload=\"x")
        else:
            code = secrets.token_urlsafe(24)
            p.codes[code] = query
            answer["code"] = code
        if p.fault("answer_iss"):
            answer["iss"] = "https://other.example"
        if p.fault("answer_no_iss"):
            del answer["iss"]
        if p.fault("answer_no_code"):
            del answer["code"]
        if p.fault("answer_long_code"):
            answer["code"] = "c" * 6000
        self.send(302, Location=query["redirect_uri"] + "?" + urllib.parse.urlencode(answer))

    def userinfo(self):
        p = self.provider
        claims = {"sub": p.told["sub"], **p.told["userinfo"]}
        if p.fault("userinfo_sub"):
            claims["sub"] = "sub-mallory"
        if p.fault("userinfo_no_sub"):
            del claims["sub"]
        if not self.spoil("userinfo"):
            self.send(200, claims)

    def document(self, what, make):
        if not self.spoil(what):
            with LOCK:
                out = make()
            self.send(200, out)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(query))
        p = self.provider
        if path == "/admin":
            self.send(200, p.requests)
            return
        self.note(path, query, {})
        if path == "/.well-known/openid-configuration":
            self.document("discovery", p.metadata)
        elif path == "/jwks":
            self.document("jwks", p.jwks)
        elif path == "/authorize":
            self.authorize(query)
        elif path == "/userinfo":
            self.userinfo()
        else:
            self.send(404, {"error": "not_found"})

    def admin(self, path, body):
        p = self.provider
        if path == "/admin/rotate":
            p.keys = (p.keys if body.get("keep") else []) + [Key(body.get("kind", "rsa"), p.folder)]
            self.send(200, {"kid": p.keys[-1].kid})
        elif path == "/admin/logout":
            self.send(200, {"logout_token": p.logout_token(body)})
        elif path == "/admin/forget":
            p.requests.clear()
            self.send(200, {})
        else:
            p.told.update(body)
            self.send(200, {})

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path.startswith("/admin"):
            with LOCK:
                self.admin(self.path, json.loads(data or b"{}"))
            return
        form = dict(urllib.parse.parse_qsl(data.decode()))
        self.note(self.path, {}, form)
        if self.path != "/token":
            self.send(404, {"error": "not_found"})
        elif self.provider.fault("refresh_late") and "refresh_token" in form:
            self.send(*self.provider.refuse_late())
        elif not self.spoil("token"):
            with LOCK:
                status, out = self.provider.exchange(form, self.client(form))
            self.send(status, out)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--listen", default="127.0.0.1")
    a.add_argument("--port", type=int, default=0)
    a.add_argument("--name")
    a.add_argument("--cert")
    a.add_argument("--key")
    a.add_argument("--dir", required=True)
    o = a.parse_args()
    server = Server((o.listen, o.port), Handler)
    if o.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(o.cert, o.key)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    url = f"{'https' if o.cert else 'http'}://{o.name or o.listen}:{server.server_address[1]}"
    Handler.provider = Provider(url, o.dir)
    print(json.dumps({"url": url}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
