#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every case of mint.py through prism-saml itself, in TAP. Arguments: the program, a private folder."""
import json
import os
import resource
import subprocess
import sys
import time
import xml.dom.minidom

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import mint  # noqa: E402  pylint: disable=wrong-import-position

SP, ACS = "https://prism.test/sso/uni/metadata", "https://prism.test/sso/uni/acs"
IDP, ENTRY = "https://idp.uni.test/saml", "https://idp.uni.test/sso?tenant=1&x=2"


class Tap:
    n, bad = 0, 0

    def say(self, good, text, *why):
        self.n += 1
        self.bad += not good
        print("%sok %d - %s" % ("" if good else "not ", self.n, text))
        if not good:
            for line in why:
                print("#  ", str(line)[:400])


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


class World:
    def __init__(self, program, folder):
        self.program = program
        self.file = lambda name: os.path.join(folder, name)
        for name in ("sp", "idp", "other"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                            self.file(name + ".key"), "-out", self.file(name + ".crt"), "-subj", "/CN=" + name,
                            "-days", "3"], check=True, capture_output=True)

    def request(self, operation, **more):
        q = {"operation": operation,
             "sp": {"entity_id": SP, "acs": ACS, "key": read(self.file("sp.key")),
                    "certificate": read(self.file("sp.crt"))},
             "idp": {"entity_id": IDP, "entry_point": ENTRY, "certificates": read(self.file("idp.crt"))}}
        q.update(more)
        return q

    def ask(self, q, raw=False):
        done = subprocess.run([self.program], input=(q if raw else json.dumps(q).encode()), capture_output=True,
                              check=False, env={}, timeout=20)
        if done.returncode != 0:
            return {"fault": "status %d" % done.returncode, "text": done.stderr.decode()}
        return json.loads(done.stdout)

    def parameters(self, **more):
        p = {"sp": SP, "acs": ACS, "idp": IDP, "request_id": "_req", "now": int(time.time()),
             "key": self.file("idp.key"), "cert": self.file("idp.crt"), "other_key": self.file("other.key"),
             "other_cert": self.file("other.crt"), "sp_cert": self.file("sp.crt")}
        p.update(more)
        return p

    def mint(self, name, **more):
        p = self.parameters(**more)
        text = {n: f for n, _, f in mint.CASES}[name](mint.Mint(p))
        return text[7:] if text.startswith("base64:") else mint.base64.b64encode(text.encode()).decode()

    def consume(self, response, **more):
        return self.ask(self.request("consume", **{"response": response, "request_id": "_req", "now": int(time.time()),
                                                   **more}))


def every_case(w, tap):
    for name, word, _ in mint.CASES:
        fresh = {"fresh_since": int(time.time()) - 600} if name == "stale-login" else {}
        a = w.consume(w.mint(name), **fresh)
        if word == "ok":
            tap.say("fault" not in a and a.get("assertion_id", "").startswith("_a") and bool(a.get("subject")),
                    "I3.2 prism-saml takes: " + name, a)
        else:
            tap.say(a.get("fault") in word.split("|") and a.get("text") and "subject" not in a,
                    "I3.2 prism-saml refuses: %s (%s)" % (name, word.replace("|", ", ")), a)


def what_is_read(w, tap):
    now = int(time.time())
    a = w.consume(w.mint("good", subject="s&amp;1", auth_at=now - 77, id="_the-id"))
    want = {"subject": "s&1", "subject_format": mint.FORMAT + "persistent", "issuer": IDP, "auth_at": now - 77,
            "session_index": "_s1", "assertion_id": "_the-id", "attributes": {
                "urn:oid:0.9.2342.19200300.100.1.3": ["alice@uni.edu"], "displayName": ["Alice Archer"],
                "uid": ["alice"], "eduPersonAffiliation": ["staff", "member"]}}
    tap.say(all(a.get(k) == v for k, v in want.items()), "I3.2 what is asserted is read in full", a, want)
    tap.say(abs(a.get("not_on_or_after", 0) - now - 300) < 5, "I3.2 the assertion's end is told", a)
    two = read(w.file("other.crt")) + read(w.file("idp.crt"))
    q = w.request("consume", response=w.mint("good"), request_id="_req", now=now)
    q["idp"]["certificates"] = two
    a = w.ask(q)
    tap.say("fault" not in a, "I3.2 of two certificates the second counts as well (a change of keys)", a)
    a = w.consume(w.mint("good"), now=now + 3600)
    tap.say(a.get("fault") == "expired", "I3.2 the time is the caller's", a)
    a = w.consume(w.mint("good"), request_id="_other")
    tap.say(a.get("fault") == "wrong_request", "I3.2 an answer fits one request", a)
    a = w.consume(w.mint("good", idp="https://else.test/"))
    tap.say(a.get("fault") == "wrong_issuer", "I3.2 another connection's response is refused", a)


def fingerprint(path):
    done = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256"], check=True,
                          capture_output=True)
    return done.stdout.decode().strip().rpartition("=")[2]


def which_certificate(w, tap):
    """Whose signature it is not: what the provider's administrator can compare."""
    a = w.consume(w.mint("foreign-key"))
    tap.say(a.get("value") == fingerprint(w.file("other.crt")), "I3.2 the certificate that signed is named", a)
    now = int(time.time())
    q = w.request("consume", response=w.mint("foreign-key"), request_id="_req", now=now)
    q["idp"]["certificates"] += read(w.file("other.crt"))
    tap.say("fault" not in w.ask(q), "I3.2 and once it is configured, its signature counts")
    good = mint.base64.b64decode(w.mint("foreign-key")).decode()
    start, end = good.index("<ds:X509Certificate>") + 20, good.index("</ds:X509Certificate>")
    for name, text, word in (("nothing", "", "bad_signature"), ("no base64", "?", "bad_signature"),
                             ("no certificate", "AAAA", "unknown_certificate"),
                             ("much too much", "A" * 60000, "bad_signature")):
        a = w.consume(mint.base64.b64encode((good[:start] + text + good[end:]).encode()).decode())
        tap.say(a.get("fault") == word, "I3.2 %s in its place: %s" % (name, word), a)


def our_next_key(w, tap):
    """While our key changes: both in the metadata, and what was encrypted for the other is opened."""
    pem = "".join(read(w.file("sp.crt")).splitlines()[1:-1])
    other = "".join(read(w.file("other.crt")).splitlines()[1:-1])
    q = w.request("metadata")
    q["sp"]["next_certificate"] = read(w.file("other.crt"))
    uses = [(k.getAttribute("use"), "other" if other in k.toxml() else "sp" if pem in k.toxml() else "?")
            for k in xml_dom(w.ask(q)["xml"]).getElementsByTagName("md:KeyDescriptor")]
    tap.say(uses == [("signing", "sp"), ("signing", "other"), ("encryption", "sp")],
            "S3.17 our next certificate is published beside the present one, to verify by only", uses)
    for case in ("good-encrypted", "good-encrypted-cbc"):
        q = w.request("consume", response=w.mint(case, sp_cert=w.file("other.crt")), request_id="_req", now=int(time.time()))
        a = w.ask(q)
        tap.say(a.get("fault") == "decryption", "I3.2 what was encrypted for another key is not opened: " + case, a)
        q["sp"]["other_key"] = read(w.file("other.key"))
        a = w.ask(q)
        tap.say("fault" not in a, "I3.2 unless that is our other key", a)
        q["response"] = w.mint(case)
        tap.say("fault" not in w.ask(q), "I3.2 beside which our first still opens what is its")
    q["sp"]["other_key"] = "no key"
    tap.say(w.ask(q).get("fault") == "configuration", "I3.2 another key that is none is refused")


def configuration(w, tap):
    for name, args in (("small", ["rsa:1024"]), ("curve", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])):
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-keyout", w.file(name + ".key"), "-out",
                        w.file(name + ".crt"), "-subj", "/CN=x", "-newkey"] + args, check=True, capture_output=True)
        q = w.request("authn", relay_state="1.x")
        q["idp"]["certificates"] = read(w.file(name + ".crt"))
        a = w.ask(q)
        tap.say(a.get("fault") == "configuration", "I3.2 a provider's certificate that is too weak: " + name, a)
    for what, value in (("certificates", "no certificate"), ("certificates", read(w.file("idp.key")))):
        q = w.request("authn", relay_state="1.x")
        q["idp"][what] = value
        tap.say(w.ask(q).get("fault") == "configuration", "I3.2 what is no certificate is refused")
    q = w.request("authn", relay_state="1.x")
    q["sp"]["key"] = "no key"
    tap.say(w.ask(q).get("fault") == "configuration", "I3.2 what is no key is refused")


def requests(w, tap):
    import urllib.parse
    import zlib
    a = w.ask(w.request("authn", relay_state="12.ab-_", force_authn=True))
    url, _, query = a.get("url", "?").rpartition("&SAMLRequest=")
    fields = urllib.parse.parse_qs("SAMLRequest=" + query)
    tap.say(url == ENTRY and fields.get("RelayState") == ["12.ab-_"], "I3.2 a request goes to the entry point", a)
    xml = zlib.decompress(mint.base64.b64decode(fields["SAMLRequest"][0]), -15).decode()
    q = xml_dom(xml)
    tap.say(q.getAttribute("ID") == a["request_id"] and len(a["request_id"]) == 33, "I3.2 its ID has 128 random bits")
    tap.say(q.getAttribute("ForceAuthn") == "true" and q.getAttribute("AssertionConsumerServiceURL") == ACS
            and q.getAttribute("ProtocolBinding").endswith("HTTP-POST") and q.getAttribute("Destination") == ENTRY,
            "I3.2 it asks for a new login, by POST, to our address", xml)
    tap.say("Format=" not in xml and SP in xml, "I3.2 it says who asks, and asks for no format of names", xml)
    signed, _, sig = ("SAMLRequest=" + query).rpartition("&Signature=")
    with open(w.file("sig"), "wb") as f:
        f.write(mint.base64.b64decode(urllib.parse.unquote(sig)))
    subprocess.run("openssl x509 -in sp.crt -pubkey -noout > sp.pub", shell=True, check=True, cwd=w.file("."))
    done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", w.file("sp.pub"), "-signature", w.file("sig")],
                          input=signed.encode(), capture_output=True, check=False)
    tap.say(done.returncode == 0 and "rsa-sha256" in query, "I3.2 it is signed with RSA-SHA256 by our key", done)
    b = w.ask(w.request("authn", relay_state="12.ab-_"))
    tap.say(b["request_id"] != a["request_id"] and "SAMLRequest" in b["url"], "I3.2 each request has an ID of its own")


def xml_dom(text):
    return xml.dom.minidom.parseString(text).documentElement


def metadata(w, tap):
    q = w.request("metadata")
    del q["sp"]["key"]
    a = w.ask(q)
    e = xml_dom(a["xml"])
    s = e.getElementsByTagName("md:SPSSODescriptor")[0]
    acs = e.getElementsByTagName("md:AssertionConsumerService")[0]
    tap.say(e.getAttribute("entityID") == SP and acs.getAttribute("Location") == ACS
            and s.getAttribute("AuthnRequestsSigned") == "true", "S3.17 our metadata names us and our address", a)
    pem = "".join(read(w.file("sp.crt")).splitlines()[1:-1])
    tap.say(a["xml"].count(pem) == 2 and "PRIVATE" not in a["xml"], "S3.17 it has our certificate, for both uses")
    q["sp"]["entity_id"] = 'https://x/"><evil/>&'
    tap.say(xml_dom(w.ask(q)["xml"]).getAttribute("entityID") == q["sp"]["entity_id"],
            "S3.17 what stands in it is escaped")
    cert = "".join(read(w.file("idp.crt")).splitlines()[1:-1])
    text = ('<EntityDescriptor xmlns="%s" entityID="%s"><IDPSSODescriptor protocolSupportEnumeration="%s">'
            '<KeyDescriptor><KeyInfo xmlns="%s"><X509Data><X509Certificate>\n%s\n</X509Certificate></X509Data></KeyInfo>'
            '</KeyDescriptor><SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location='
            '"https://no/"/><SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
            'Location="https://yes/"/></IDPSSODescriptor></EntityDescriptor>'
            % ("urn:oasis:names:tc:SAML:2.0:metadata", IDP, mint.SAMLP, mint.DSIG, cert))
    a = w.ask({"operation": "idp-metadata", "xml": text})
    tap.say(a.get("entity_id") == IDP and a.get("entry_point") == "https://yes/"
            and a.get("certificates") == read(w.file("idp.crt")), "S3.17 a provider's metadata is read", a)
    for name, change, word in (("without a provider", lambda t: t.replace("IDPSSODescriptor", "X"), "malformed"),
                               ("with a bad certificate", lambda t: t.replace(cert, "AAAA"), "configuration"),
                               ("with a document type", lambda t: "<!DOCTYPE x>" + t, "doctype")):
        a = w.ask({"operation": "idp-metadata", "xml": change(text)})
        tap.say(a.get("fault") == word, "S3.17 metadata %s is refused" % name, a)


def protocol(w, tap):
    for name, raw in (("nothing", b""), ("no JSON", b"{"), ("no object", b"[]"), ("no operation", b"{}"),
                      ("unknown operation", b'{"operation": "x"}'), ("a name twice", b'{"operation":"metadata","operation":"x"}'),
                      ("no parties", b'{"operation": "consume", "response": "x"}'),
                      ("a number for a text", b'{"operation": 3}'), ("a NUL", b'{"operation": "x\\u0000"}'),
                      ("deep", b"[" * 100000)):
        tap.say(w.ask(raw, raw=True).get("fault") == "protocol", "I3.2 the protocol refuses: " + name)
    a = w.ask(b'{"operation":"' + b"x" * (600 << 10) + b'"}', raw=True)
    tap.say(a.get("fault") == "status 1", "I3.2 more than it takes ends it", a)


def figures(w):
    text = json.dumps(w.request("consume", response=w.mint("good"), request_id="_req", now=int(time.time()))).encode()
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(50):
        subprocess.run([w.program], input=text, capture_output=True, check=True, env={})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print("# one response: %.1f ms, %.1f ms of them CPU" % ((time.monotonic() - start) * 20, cpu * 20))


def main():
    w, tap = World(sys.argv[1], sys.argv[2]), Tap()
    every_case(w, tap)
    for part in (what_is_read, which_certificate, our_next_key, configuration, requests, metadata, protocol):
        part(w, tap)
    figures(w)
    print("1..%d" % tap.n)
    sys.exit(tap.bad > 0)


if __name__ == "__main__":
    main()
