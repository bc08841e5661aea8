#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A workstation as the service sees it, for the tests of the CLI.

fake_host.py DIR URL enrol TOKEN NAME ADDRESS [HOST-KEY-LINE]
fake_host.py DIR URL report REVISION [SUBJECT REASON]
"""
import base64
import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request

DIR, URL, WHAT = sys.argv[1:4]
KEY = os.path.join(DIR, "host.key")
STATE = os.path.join(DIR, "host.json")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def openssl(*args):
    return subprocess.run(("openssl",) + args, check=True, stdout=subprocess.PIPE).stdout


def post(path, body, token=None, form=False):
    data = (urllib.parse.urlencode(body) if form else json.dumps(body)).encode()
    request = urllib.request.Request(URL + path, data, {
        "Content-Type": "application/x-www-form-urlencoded" if form else "application/json"})
    if token:
        request.add_header("Authorization", "Bearer " + token)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def access_token(host):
    now = int(time.time())
    head = b64(json.dumps({"alg": "EdDSA", "typ": "JWT"}).encode())
    body = b64(json.dumps({"iss": host["host_id"], "sub": host["host_id"], "iat": now,
                           "aud": host["url"] + "/oauth2/token", "exp": now + 60,
                           "jti": b64(os.urandom(16))}).encode())
    text = os.path.join(DIR, "assertion")
    with open(text, "w") as f:
        f.write(head + "." + body)
    signature = b64(openssl("pkeyutl", "-sign", "-inkey", KEY, "-rawin", "-in", text))
    return post("/oauth2/token", {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": head + "." + body + "." + signature}, form=True)["access_token"]


def enrol(token, name, address, *keys):
    claims = json.loads(unb64(token.split(".")[1]))
    openssl("genpkey", "-algorithm", "ed25519", "-out", KEY)
    public = openssl("pkey", "-in", KEY, "-pubout", "-outform", "DER")[-32:]
    host = post("/api/v1/hosts/enrol", {
        "secret": claims["sec"], "name": name, "public_key": b64(public), "hostname": name,
        "address": address, "ssh_host_keys": list(keys), "local_ids": []})
    with open(STATE, "w") as f:
        json.dump(host, f)


def report(revision, *refused):
    with open(STATE) as f:
        host = json.load(f)
    feeds = [{"id": p["id"], "epoch": 1, "revision": int(revision)} for p in host["projects"]]
    body = {"generation": int(revision), "feeds": feeds, "clock": int(time.time()),
            "version": "test"}
    if refused:
        body["refused"] = [{"subject": refused[0], "reason": refused[1]}]
    post("/api/v1/hosts/self/report", body, access_token(host))


os.makedirs(DIR, exist_ok=True)
{"enrol": enrol, "report": report}[WHAT](*sys.argv[4:])
