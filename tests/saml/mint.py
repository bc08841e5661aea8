#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An identity provider that lies: SAML responses, good and forged, signed by xmlsec1.

    mint.py --list                 every case: NAME, the word it must be refused with ("ok": taken)
    mint.py NAME < parameters      one response, in base64

The parameters are a JSON object: sp, acs, idp, request_id, now, key and cert (the provider's, files),
other_key and other_cert (an attacker's), sp_cert, and optionally subject, email, id, auth_at.
"""
import base64
import calendar
import json
import os
import subprocess
import sys
import tempfile
import time

SAML, SAMLP = "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:protocol"
DSIG, ENC = "http://www.w3.org/2000/09/xmldsig#", "http://www.w3.org/2001/04/xmlenc#"
C14N, MORE = "http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/2001/04/xmldsig-more#"
FORMAT = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
STATUS = "urn:oasis:names:tc:SAML:2.0:status:"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"


def instant(t):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(t))


class Mint:
    """One response. The fields are what a case changes before it is built."""

    def __init__(self, p):
        self.p = p
        self.now = int(p.get("now") or calendar.timegm(time.gmtime()))
        self.key, self.cert, self.hmac = p["key"], p["cert"], None
        self.issuer = self.assertion_issuer = p["idp"]
        self.destination = self.recipient = p["acs"]
        self.audience = p["sp"]
        self.request = self.subject_request = p["request_id"]
        self.not_before, self.not_after = self.now - 30, self.now + 300
        self.confirmed_until = self.now + 300
        self.auth_at = int(p.get("auth_at") or self.now - 5)
        self.session_end = self.now + 36000
        self.subject = p.get("subject", "p-4711")
        self.format, self.qualifiers = FORMAT + "persistent", ""
        self.status = STATUS + "Success"
        self.id = p.get("id", "_a" + os.urandom(12).hex())
        self.response_id = "_r" + os.urandom(12).hex()
        self.method, self.digest = MORE + "rsa-sha256", ENC + "sha256"
        self.c14n, self.reference_c14n = C14N, C14N
        self.sign_assertion, self.sign_response = True, False
        self.key_info = "<ds:X509Data/>"
        self.attributes = {
            "urn:oid:0.9.2342.19200300.100.1.3": [p.get("email", "alice@uni.edu")],
            "displayName": [p.get("name", "Alice Archer")],
            "uid": ["alice"],
            "eduPersonAffiliation": ["staff", "member"],
        }
        self.conditions, self.confirmation_extra, self.statement_extra = "", "", ""
        self.advice, self.extensions, self.prolog = "", "", ""
        self.version = "2.0"
        self.subject_xml = None

    # ---- text ---------------------------------------------------------------------------------

    def signature(self, ref):
        transforms = ('<ds:Transform Algorithm="%senveloped-signature"/>'
                      '<ds:Transform Algorithm="%s"/>' % (DSIG, self.reference_c14n))
        return ('<ds:Signature xmlns:ds="%s"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="%s"/>'
                '<ds:SignatureMethod Algorithm="%s"/><ds:Reference URI="#%s"><ds:Transforms>%s</ds:Transforms>'
                '<ds:DigestMethod Algorithm="%s"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>'
                '<ds:SignatureValue/><ds:KeyInfo>%s</ds:KeyInfo></ds:Signature>'
                % (DSIG, self.c14n, self.method, ref, transforms, self.digest, self.key_info))

    def name_id(self):
        if self.subject_xml is not None:
            return self.subject_xml
        return '<saml:NameID%s%s>%s</saml:NameID>' % (
            ' Format="%s"' % self.format if self.format else "", self.qualifiers, self.subject)

    def confirmation(self):
        request = ' InResponseTo="%s"' % self.subject_request if self.subject_request else ""
        until = ' NotOnOrAfter="%s"' % instant(self.confirmed_until) if self.confirmed_until else ""
        return ('<saml:SubjectConfirmation Method="%s"><saml:SubjectConfirmationData%s%s%s Recipient="%s"/>'
                '</saml:SubjectConfirmation>' % (BEARER, request, until, self.confirmation_extra, self.recipient))

    def statements(self):
        out = ('<saml:AuthnStatement AuthnInstant="%s" SessionIndex="_s1" SessionNotOnOrAfter="%s">'
               '<saml:AuthnContext><saml:AuthnContextClassRef>%s</saml:AuthnContextClassRef>'
               '</saml:AuthnContext></saml:AuthnStatement>'
               % (instant(self.auth_at), instant(self.session_end), PASSWORD))
        out += "<saml:AttributeStatement>"
        for name, values in self.attributes.items():
            out += '<saml:Attribute Name="%s">' % name
            out += "".join("<saml:AttributeValue>%s</saml:AttributeValue>" % v for v in values)
            out += "</saml:Attribute>"
        return out + "</saml:AttributeStatement>" + self.statement_extra

    def assertion(self):
        audience = ("<saml:AudienceRestriction><saml:Audience>%s</saml:Audience></saml:AudienceRestriction>"
                    % self.audience if self.audience else "")
        return ('<saml:Assertion xmlns:saml="%s" ID="%s" Version="%s" IssueInstant="%s">'
                "<saml:Issuer>%s</saml:Issuer>%s<saml:Subject>%s%s</saml:Subject>"
                '<saml:Conditions NotBefore="%s" NotOnOrAfter="%s">%s%s</saml:Conditions>%s%s</saml:Assertion>'
                % (SAML, self.id, self.version, instant(self.now), self.assertion_issuer,
                   self.signature(self.id) if self.sign_assertion else "", self.name_id(), self.confirmation(),
                   instant(self.not_before), instant(self.not_after), audience, self.conditions, self.advice,
                   self.statements()))

    def response(self, inside):
        request = ' InResponseTo="%s"' % self.request if self.request else ""
        destination = ' Destination="%s"' % self.destination if self.destination else ""
        return ('%s<samlp:Response xmlns:samlp="%s" xmlns:saml="%s" ID="%s" Version="2.0" IssueInstant="%s"%s%s>'
                "<saml:Issuer>%s</saml:Issuer>%s%s<samlp:Status><samlp:StatusCode Value=\"%s\"/></samlp:Status>"
                "%s</samlp:Response>"
                % (self.prolog, SAMLP, SAML, self.response_id, instant(self.now), destination, request, self.issuer,
                   self.signature(self.response_id) if self.sign_response else "", self.extensions, self.status,
                   inside))

    # ---- xmlsec1 ------------------------------------------------------------------------------

    def run(self, args, xml):
        with tempfile.TemporaryDirectory() as d:
            src, out = os.path.join(d, "in.xml"), os.path.join(d, "out.xml")
            with open(src, "w", encoding="utf-8") as f:
                f.write(xml)
            done = subprocess.run(["xmlsec1"] + args + ["--output", out, src], capture_output=True, check=False)
            if done.returncode != 0:
                sys.exit("xmlsec1: " + done.stderr.decode())
            with open(out, encoding="utf-8") as f:
                return f.read().replace('<?xml version="1.0"?>\n', "").rstrip("\n")

    def sign(self, xml, element):
        key = ["--hmackey", self.hmac] if self.hmac else ["--privkey-pem", self.key + "," + self.cert]
        return self.run(["--sign"] + key + [
            "--id-attr:ID", SAML + ":Assertion", "--id-attr:ID", SAMLP + ":Response", "--node-xpath",
            "//*[local-name()='%s']/*[local-name()='Signature']" % element], xml)

    def encrypt(self, xml, data="http://www.w3.org/2009/xmlenc11#aes256-gcm", key=ENC + "rsa-oaep-mgf1p"):
        template = ('<xenc:EncryptedData xmlns:xenc="%s" Type="%sElement"><xenc:EncryptionMethod Algorithm="%s"/>'
                    '<ds:KeyInfo xmlns:ds="%s"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="%s"/>'
                    "<ds:KeyInfo><ds:KeyName/></ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData>"
                    "</xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData>"
                    "</xenc:EncryptedData>" % (ENC, ENC, data, DSIG, key))
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as t:
            t.write(template)
            t.flush()
            with tempfile.NamedTemporaryFile("w", suffix=".xml") as x:
                x.write(xml)
                x.flush()
                size = "aes-256" if "256" in data else "aes-128"
                if "tripledes" in data:
                    size = "des-192"
                done = subprocess.run(
                    ["xmlsec1", "--encrypt", "--pubkey-cert-pem", self.p["sp_cert"], "--session-key", size,
                     "--xml-data", x.name, t.name], capture_output=True, check=False)
        if done.returncode != 0:
            sys.exit("xmlsec1: " + done.stderr.decode())
        return done.stdout.decode().replace('<?xml version="1.0"?>\n', "").strip()

    def signed_assertion(self):
        return self.sign(self.assertion(), "Assertion") if self.sign_assertion else self.assertion()

    def build(self):
        xml = self.response(self.signed_assertion())
        return self.sign(xml, "Response") if self.sign_response else xml


# ---- pieces of signed text --------------------------------------------------------------------

def cut_signature(xml):
    start = xml.index("<ds:Signature")
    end = xml.index("</ds:Signature>") + len("</ds:Signature>")
    return xml[:start] + xml[end:], xml[start:end]


def evil(m, xml, old_id, new_id="_evil"):
    """The same, without signature, naming somebody else, under another ID."""
    bare = cut_signature(xml)[0] if "<ds:Signature" in xml else xml
    return bare.replace(m.subject, "victim").replace('ID="%s"' % old_id, 'ID="%s"' % new_id, 1)


def into_object(signature, xml):
    return signature.replace("</ds:Signature>", "<ds:Object>%s</ds:Object></ds:Signature>" % xml)


def after_issuer(xml, what):
    at = xml.index("</saml:Issuer>") + len("</saml:Issuer>")
    return xml[:at] + what + xml[at:]


CASES = []


def case(word, name=None):
    def add(fn):
        CASES.append((name or fn.__name__.replace("_", "-"), word, fn))
        return fn
    return add


def change(word, name, **fields):
    """A case that sets fields, some computed from the response."""
    def fn(m):
        for key, value in fields.items():
            setattr(m, key, value(m) if callable(value) else value)
        return m.build()
    CASES.append((name, word, fn))


# ---- taken ------------------------------------------------------------------------------------

change("ok", "good")
change("ok", "good-response-signed", sign_assertion=False, sign_response=True)
change("ok", "good-both-signed", sign_response=True)
change("ok", "good-rsa-sha512", method=MORE + "rsa-sha512", digest=ENC + "sha512")
change("ok", "good-rsa-sha384", method=MORE + "rsa-sha384", digest=MORE + "sha384")
change("ok", "good-email-format", format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
       subject="alice@uni.edu")
change("ok", "good-no-format", format="")
change("ok", "good-clock-50s-ahead", not_before=lambda m: m.now + 50, auth_at=lambda m: m.now + 50)
change("ok", "good-clock-50s-behind", not_after=lambda m: m.now - 50, confirmed_until=lambda m: m.now - 50)
change("ok", "good-escapes", subject="a&amp;b&lt;c&#233;&gt;")
change("ok", "good-qualified", qualifiers=lambda m: ' NameQualifier="%s" SPNameQualifier="%s"' % (m.issuer, m.audience))
change("ok", "good-one-time-use", conditions="<saml:OneTimeUse/>")
change("ok", "good-two-audiences", audience=lambda m: "https://x.test/</saml:Audience><saml:Audience>" + m.audience)


@case("ok")
def good_lines(m):
    text = base64.b64encode(m.build().encode()).decode()
    return "base64:" + "\r\n".join(text[i:i + 76] for i in range(0, len(text), 76)) + "\r\n"


@case("ok")
def good_encrypted(m):
    return m.response("<saml:EncryptedAssertion>%s</saml:EncryptedAssertion>" % m.encrypt(m.signed_assertion()))


@case("ok")
def good_encrypted_cbc(m):
    return m.response("<saml:EncryptedAssertion>%s</saml:EncryptedAssertion>"
                      % m.encrypt(m.signed_assertion(), ENC + "aes128-cbc"))


# ---- who, where, when -------------------------------------------------------------------------

change("expired", "expired", not_after=lambda m: m.now - 61)
change("expired", "expired-confirmation", confirmed_until=lambda m: m.now - 61)
change("expired", "expired-session", session_end=lambda m: m.now - 61)
change("not_yet", "not-yet-valid", not_before=lambda m: m.now + 75)
change("not_yet", "login-in-the-future", auth_at=lambda m: m.now + 75)
change("wrong_audience", "wrong-audience", audience="https://other.test/metadata")
change("wrong_audience", "audience-prefix", audience=lambda m: m.audience + "x")
change("wrong_audience", "no-audience", audience="")
change("wrong_audience", "second-restriction-without-us",
       conditions="<saml:AudienceRestriction><saml:Audience>https://o.test/</saml:Audience></saml:AudienceRestriction>")
change("wrong_recipient", "wrong-recipient", recipient="https://other.test/acs")
change("wrong_destination", "wrong-destination", destination="https://other.test/acs")
change("wrong_destination", "no-destination", destination="")
change("wrong_request", "wrong-in-response-to", request="_other", subject_request="_other")
change("wrong_request", "wrong-in-response-to-subject", subject_request="_other")
change("wrong_request", "wrong-in-response-to-response", request="_other")
change("unsolicited", "idp-initiated", request="", subject_request="")
change("unsolicited", "idp-initiated-subject", subject_request="")
change("unsolicited", "idp-initiated-response", request="")
change("wrong_issuer", "wrong-issuer", issuer="https://other.test/", assertion_issuer="https://other.test/")
change("wrong_issuer", "wrong-issuer-assertion", assertion_issuer="https://other.test/")
change("wrong_issuer", "wrong-issuer-response", issuer="https://other.test/")
change("no_confirmation", "confirmation-without-end", confirmed_until=None)
change("unknown_condition", "unknown-condition",
       conditions='<saml:Condition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="x"/>')
change("malformed", "saml-1", version="1.1")
change("malformed", "time-without-zone", confirmation_extra=' NotBefore="2026-01-01T00:00:00"')


@case("stale_login")
def stale_login(m):
    m.auth_at = m.now - 7200
    return m.build()


@case("not_yet")
def issued_in_the_future(m):
    return m.sign(m.response(m.assertion().replace('IssueInstant="%s"' % instant(m.now),
                                                   'IssueInstant="%s"' % instant(m.now + 75))), "Assertion")


@case("no_confirmation")
def holder_of_key(m):
    return m.sign(m.response(m.assertion().replace(BEARER, BEARER.replace("bearer", "holder-of-key"))), "Assertion")


@case("no_authentication")
def no_authentication(m):
    text = m.assertion()
    start, end = text.index("<saml:AuthnStatement"), text.index("</saml:AuthnStatement>") + 22
    return m.response(m.sign(text[:start] + text[end:], "Assertion"))


@case("status")
def status_not_success(m):
    m.status = STATUS + "Responder"
    return m.build()


@case("status")
def status_without_assertion(m):
    m.status, m.sign_assertion = STATUS + "AuthnFailed", False
    return m.response("")


@case("no_assertion")
def no_assertion(m):
    m.sign_response = True
    return m.sign(m.response(""), "Response")


@case("no_subject|no_confirmation")
def two_confirmations(m):
    m.subject_xml = m.name_id() + ('<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
                                   '<saml:SubjectConfirmationData Recipient="https://x.test/"/></saml:SubjectConfirmation>')
    return m.build()


# ---- the person -------------------------------------------------------------------------------

change("transient_subject", "transient", format=FORMAT + "transient")
change("no_subject", "empty-name", subject="")
change("no_subject", "no-name", subject_xml="")
change("no_subject", "two-names", subject_xml="<saml:NameID>a</saml:NameID><saml:NameID>b</saml:NameID>")
change("no_subject", "name-with-elements", subject_xml="<saml:NameID>admin<b xmlns='urn:x'/>@x</saml:NameID>")
change("foreign_subject", "foreign-qualifier", qualifiers=' NameQualifier="https://other.test/"')
change("foreign_subject", "foreign-sp-qualifier", qualifiers=' SPNameQualifier="https://other.test/"')
change("too_large", "long-name", subject="x" * 256)
change("malformed", "name-with-newline", subject="alice&#10;bob")
change("malformed", "name-with-space", subject="alice ")
change("comment", "comment-in-name", subject="admin@uni.edu<!-- x -->.evil.test")
change("comment", "comment-in-attribute", attributes={"mail": ["admin@uni.edu<!---->.evil.test"]})
change("comment", "processing-instruction-in-name", subject="admin@uni.edu<?x y?>.evil.test")
change("comment", "cdata-in-name", subject="<![CDATA[admin]]>@uni.edu")
change("encrypted_part", "encrypted-name",
       subject_xml='<saml:EncryptedID><xenc:EncryptedData xmlns:xenc="%s"/></saml:EncryptedID>' % ENC)


@case("comment")
def comment_added_later(m):
    return m.build().replace(m.subject, m.subject[:2] + "<!-- -->" + m.subject[2:])


# ---- signatures -------------------------------------------------------------------------------

change("unsigned", "unsigned", sign_assertion=False)
change("unknown_certificate", "foreign-key", key=lambda m: m.p["other_key"], cert=lambda m: m.p["other_cert"])
change("unknown_certificate", "foreign-key-response", key=lambda m: m.p["other_key"],
       cert=lambda m: m.p["other_cert"], sign_assertion=False, sign_response=True)
change("bad_signature", "attackers-key-value", key=lambda m: m.p["other_key"], cert=lambda m: m.p["other_cert"],
       key_info="<ds:KeyValue/>")
change("weak_algorithm", "sha1", method=DSIG + "rsa-sha1", digest=DSIG + "sha1")
change("weak_algorithm", "sha1-digest", digest=DSIG + "sha1")
change("weak_algorithm", "sha1-method", method=DSIG + "rsa-sha1")
change("weak_algorithm", "hmac-with-certificate", method=MORE + "hmac-sha256", hmac=lambda m: m.p["cert"], key_info="")
change("weak_algorithm", "inclusive-c14n", c14n="http://www.w3.org/TR/2001/REC-xml-c14n-20010315")
change("weak_algorithm", "c14n-with-comments", reference_c14n=C14N + "WithComments")


@case("bad_signature")
def tampered_attribute(m):
    return m.build().replace("Alice Archer", "Mallory")


@case("bad_signature")
def tampered_name(m):
    return m.build().replace(m.subject, "victim")


@case("bad_signature")
def tampered_value(m):
    xml = m.build()
    at = xml.index("<ds:SignatureValue>") + 30
    return xml[:at] + ("A" if xml[at] != "A" else "B") + xml[at + 1:]


@case("bad_signature")
def tampered_assertion_in_signed_response(m):
    m.sign_assertion, m.sign_response = False, True
    return m.build().replace(m.subject, "victim")


@case("unknown_certificate")
def good_response_signature_bad_assertion_signature(m):
    m.key, m.cert = m.p["other_key"], m.p["other_cert"]
    inside = m.signed_assertion()
    m.key, m.cert, m.sign_response = m.p["key"], m.p["cert"], True
    return m.sign(m.response(inside), "Response")


@case("unknown_certificate")
def bad_response_signature_good_assertion_signature(m):
    inside = m.signed_assertion()
    m.key, m.cert, m.sign_response = m.p["other_key"], m.p["other_cert"], True
    return m.sign(m.response(inside), "Response")


@case("misplaced_signature")
def signature_on_another_element(m):
    text = cut_signature(m.signed_assertion())
    return m.response(text[0].replace("<saml:Conditions", text[1] + "<saml:Conditions", 1)
                      .replace("<saml:Subject>", "<saml:Subject>" + text[1], 1))


@case("misplaced_signature")
def signature_over_the_status(m):
    bare, sig = cut_signature(m.signed_assertion())
    return m.response(after_issuer(bare, sig.replace('URI="#%s"' % m.id, 'URI="#_status"')))


@case("misplaced_signature")
def signature_over_everything(m):
    return m.build().replace('URI="#%s"' % m.id, 'URI=""')


@case("misplaced_signature")
def two_references(m):
    xml = m.build()
    start, end = xml.index("<ds:Reference"), xml.index("</ds:Reference>") + 15
    return xml[:end] + xml[start:end] + xml[end:]


@case("misplaced_signature")
def xpath_transform(m):
    return m.build().replace("<ds:Transforms>", "<ds:Transforms><ds:Transform Algorithm="
                             '"http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>false()</ds:XPath>'
                             "</ds:Transform>", 1)


@case("weak_algorithm")
def xslt_transform(m):
    return m.build().replace(DSIG + "enveloped-signature", "http://www.w3.org/TR/1999/REC-xslt-19991116", 1)


# ---- wrapping ---------------------------------------------------------------------------------

def signed_response_parts(m):
    m.sign_assertion, m.sign_response = False, True
    whole = m.build()
    return (whole,) + cut_signature(whole)


@case("misplaced_assertion|misplaced_signature")
def xsw1(m):
    whole, bare, sig = signed_response_parts(m)
    return after_issuer(evil(m, whole, m.response_id), into_object(sig, bare)).replace(m.id, "_evil2", 1)


@case("misplaced_assertion|misplaced_signature")
def xsw2(m):
    whole, bare, sig = signed_response_parts(m)
    return after_issuer(evil(m, whole, m.response_id), bare + sig).replace(m.id, "_evil2", 1)


@case("several_assertions")
def xsw3(m):
    a = m.signed_assertion()
    return m.response(evil(m, a, m.id) + a)


@case("misplaced_assertion")
def xsw4(m):
    a = m.signed_assertion()
    return m.response(evil(m, a, m.id).replace("</saml:Assertion>", a + "</saml:Assertion>"))


@case("several_assertions|misplaced_signature")
def xsw5(m):
    a = m.signed_assertion()
    bare = cut_signature(a)[0]
    return m.response(a.replace(m.subject, "victim").replace('ID="%s"' % m.id, 'ID="_evil"', 1) + bare)


@case("misplaced_signature|misplaced_assertion")
def xsw6(m):
    a = m.signed_assertion()
    bare, sig = cut_signature(a)
    return m.response(after_issuer(evil(m, a, m.id), into_object(sig, bare)))


@case("misplaced_assertion")
def xsw7(m):
    a = m.signed_assertion()
    m.extensions = "<samlp:Extensions>%s</samlp:Extensions>" % evil(m, a, m.id)
    return m.response(a)


@case("misplaced_signature|misplaced_assertion")
def xsw8(m):
    a = m.signed_assertion()
    bare, sig = cut_signature(a)
    return m.response(after_issuer(evil(m, a, m.id), sig.replace(
        "</ds:Signature>", "<ds:Object>" + bare + "</ds:Object></ds:Signature>")))


@case("several_assertions|duplicate_id")
def xsw_same_id(m):
    a = m.signed_assertion()
    return m.response(evil(m, a, m.id, m.id) + a)


@case("several_assertions|duplicate_id")
def xsw_same_id_after(m):
    a = m.signed_assertion()
    return m.response(a + evil(m, a, m.id, m.id))


@case("misplaced_assertion")
def xsw_in_advice(m):
    a = m.signed_assertion()
    return m.response(after_issuer(evil(m, a, m.id), "<saml:Advice>%s</saml:Advice>" % a))


@case("misplaced_assertion")
def xsw_in_status_detail(m):
    a = m.signed_assertion()
    return m.response(evil(m, a, m.id)).replace(
        "</samlp:Status>", "<samlp:StatusDetail>%s</samlp:StatusDetail></samlp:Status>" % a)


@case("misplaced_assertion")
def xsw_in_attribute_value(m):
    a = m.signed_assertion()
    return m.response(evil(m, a, m.id).replace("<saml:AttributeValue>", "<saml:AttributeValue>" + a, 1))


@case("malformed")
def xsw_xml_id(m):
    return m.build().replace("<samlp:Status>", '<samlp:Status xml:id="%s">' % m.id)


@case("duplicate_id")
def xsw_other_id_attribute(m):
    return m.build().replace("<samlp:Status>", '<samlp:Status Id="%s">' % m.id)


@case("several_assertions")
def two_assertions(m):
    first = m.signed_assertion()
    m.id = "_second"
    return m.response(first + m.signed_assertion())


@case("several_assertions")
def two_assertions_in_signed_response(m):
    m.sign_response = True
    first = m.signed_assertion()
    m.id = "_second"
    return m.sign(m.response(first + m.signed_assertion()), "Response")


@case("several_assertions")
def encrypted_and_plain(m):
    a = m.signed_assertion()
    return m.response(evil(m, a, m.id)
                      + "<saml:EncryptedAssertion>%s</saml:EncryptedAssertion>" % m.encrypt(a))


# ---- encryption -------------------------------------------------------------------------------

def encrypted(m, inside, **method):
    return m.response("<saml:EncryptedAssertion>%s</saml:EncryptedAssertion>" % m.encrypt(inside, **method))


@case("unsigned")
def encrypted_unsigned(m):
    m.sign_assertion = False
    return encrypted(m, m.assertion())


@case("bad_signature")
def encrypted_tampered(m):
    return encrypted(m, m.signed_assertion().replace(m.subject, "victim"))


@case("comment")
def encrypted_comment(m):
    m.subject = "admin<!-- -->.evil"
    return encrypted(m, m.signed_assertion())


@case("weak_algorithm")
def encrypted_sha1(m):
    m.method = DSIG + "rsa-sha1"
    return encrypted(m, m.signed_assertion())


@case("weak_algorithm")
def encrypted_rsa_1_5(m):
    return encrypted(m, m.signed_assertion(), key=ENC + "rsa-1_5")


@case("weak_algorithm")
def encrypted_tripledes(m):
    return encrypted(m, m.signed_assertion(), data=ENC + "tripledes-cbc")


@case("decryption")
def encrypted_for_another_key(m):
    m.p = dict(m.p, sp_cert=m.p["other_cert"])
    return encrypted(m, m.signed_assertion())


@case("decryption|bad_signature|malformed|no_assertion")
def encrypted_something_else(m):
    return encrypted(m, "<x/>")


@case("unsigned|misplaced_assertion|decryption")
def encrypted_wrapping(m):
    a = m.signed_assertion()
    return encrypted(m, after_issuer(evil(m, a, m.id), "<saml:Advice>%s</saml:Advice>" % a))


@case("bad_signature|misplaced_signature")
def encrypted_with_a_signature_moved(m):
    a = m.signed_assertion()
    return encrypted(m, after_issuer(evil(m, a, m.id), cut_signature(a)[1]))


# ---- the parser -------------------------------------------------------------------------------

change("doctype", "doctype", prolog='<!DOCTYPE Response>')
change("doctype", "xxe", prolog='<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>', subject="&x;",
       sign_assertion=False)
change("doctype", "xxe-parameter", sign_assertion=False,
       prolog='<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]>')


@case("doctype")
def billion_laughs(m):
    m.sign_assertion, m.subject = False, "&i;"
    entities = '<!ENTITY a "ha">'
    for a, b in zip("abcdefgh", "bcdefghi"):
        entities += '<!ENTITY %s "%s">' % (b, ("&%s;" % a) * 10)
    m.prolog = "<!DOCTYPE r [%s]>" % entities
    return m.build()


@case("malformed|doctype")
def doctype_in_utf16(m):
    m.prolog, m.sign_assertion = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE Response>', False
    return "base64:" + base64.b64encode(m.build().encode("utf-16")).decode()


@case("malformed")
def other_encoding(m):
    return '<?xml version="1.0" encoding="ISO-8859-1"?>' + m.build()


@case("malformed")
def undefined_entity(m):
    m.sign_assertion, m.subject = False, "&x;"
    return m.build()


@case("too_large")
def huge(m):
    m.attributes["x"] = ["y" * 300000]
    return m.build()


@case("too_large")
def many_elements(m):
    m.sign_assertion = False
    m.attributes["x"] = [""] * 4100
    return m.build()


@case("too_deep|malformed")
def deep(m):
    m.sign_assertion = False
    m.attributes["x"] = ["<a>" * 200 + "</a>" * 200]
    return m.build()


@case("too_deep|malformed")
def very_deep(m):
    m.sign_assertion = False
    m.attributes["x"] = ["<a>" * 20000 + "</a>" * 20000]
    return m.build()


@case("malformed")
def many_ids(m):
    m.sign_assertion = False
    m.attributes["x"] = ['<a ID="i%d"/>' % i for i in range(100)]
    return m.build()


@case("malformed")
def not_xml(_):
    return "no XML"


@case("malformed")
def cut_off(m):
    return m.build()[:-9]


@case("malformed")
def not_base64(_):
    return "base64:%%%"


@case("malformed")
def with_nul(m):
    return "base64:" + base64.b64encode(m.build().replace(m.subject, "ali\0ce").encode()).decode()


@case("malformed")
def another_message(_):
    return '<samlp:LogoutResponse xmlns:samlp="%s" ID="_x" Version="2.0"/>' % SAMLP


@case("malformed")
def wrapped_in_soap(m):
    return ('<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>%s</S:Body></S:Envelope>'
            % m.build())


def main():
    if sys.argv[1:] == ["--list"]:
        for name, word, _ in CASES:
            print(name, word)
        return
    p = json.load(sys.stdin)
    fn = {name: fn for name, _, fn in CASES}[sys.argv[1]]
    text = fn(Mint(p))
    print(text[7:] if text.startswith("base64:") else base64.b64encode(text.encode()).decode())


if __name__ == "__main__":
    main()
