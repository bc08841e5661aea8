/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <errno.h>
#include <stdio.h>
#include "base/attr.h"

static const struct {
	const char *word, *text;
} faults[FAULTS] = {
    [FAULT_NONE] = {"protocol", "Nothing went wrong."},
    [FAULT_PROTOCOL] = {"protocol", "The request to prism-saml is not one that it knows."},
    [FAULT_CONFIGURATION] = {"configuration", "The connection's key, certificate or addresses "
					      "cannot be used. Certificates must be PEM, with "
					      "an RSA key of 2048 bits or more."},
    [FAULT_MALFORMED] = {"malformed", "The document is not what the SAML 2.0 protocol describes."},
    [FAULT_TOO_LARGE] = {"too_large", "The document, or a part of it, is too large."},
    [FAULT_TOO_DEEP] = {"too_deep", "The document's elements are nested too deeply."},
    [FAULT_DOCTYPE] = {"doctype", "The document has a document type or entities."},
    [FAULT_COMMENT] = {"comment", "The document has comments, processing instructions or CDATA "
				  "sections, which providers do not "
				  "write."},
    [FAULT_DUPLICATE_ID] = {"duplicate_id", "Two elements of the document have the same ID."},
    [FAULT_STATUS] = {"status", "The provider says that the login did not succeed."},
    [FAULT_NO_ASSERTION] = {"no_assertion", "The response has no assertion."},
    [FAULT_SEVERAL_ASSERTIONS] = {"several_assertions",
	"The response has more than one assertion."},
    [FAULT_MISPLACED_ASSERTION] = {"misplaced_assertion",
	"There is an assertion or response where none belongs."},
    [FAULT_UNSIGNED] = {"unsigned", "Neither the response nor the assertion is signed."},
    [FAULT_MISPLACED_SIGNATURE] = {"misplaced_signature",
	"A signature stands where none belongs, or covers something else than where it stands."},
    [FAULT_WEAK_ALGORITHM] = {"weak_algorithm", "Signed or encrypted with a method that is not "
						"accepted. RSA with SHA-256, SHA-384 or SHA-512 "
						"is, and for encryption AES with RSA-OAEP."},
    [FAULT_BAD_SIGNATURE] = {"bad_signature",
	"The signature is not by the connection's certificate, or something was changed."},
    [FAULT_UNKNOWN_CERTIFICATE] = {"unknown_certificate",
	"Signed by a certificate that the connection does not have. If it is the provider's new "
	"one, "
	"add it beside the other."},
    [FAULT_DECRYPTION] = {"decryption", "The assertion is encrypted, and not for our key."},
    [FAULT_ENCRYPTED_PART] = {"encrypted_part",
	"Parts of the assertion are encrypted. Have the provider encrypt the whole assertion, or "
	"nothing."},
    [FAULT_WRONG_ISSUER] = {"wrong_issuer",
	"Issued by somebody else than the connection's provider."},
    [FAULT_WRONG_DESTINATION] = {"wrong_destination", "The response was sent to another address."},
    [FAULT_WRONG_RECIPIENT] = {"wrong_recipient", "The assertion is for another recipient."},
    [FAULT_WRONG_AUDIENCE] = {"wrong_audience", "The assertion is for another audience."},
    [FAULT_WRONG_REQUEST] = {"wrong_request", "This answers another request."},
    [FAULT_UNSOLICITED] = {"unsolicited",
	"This answers no request. Logins begin here, not at the provider."},
    [FAULT_EXPIRED] = {"expired",
	"The assertion has expired: compare the clocks, and begin again."},
    [FAULT_NOT_YET] = {"not_yet", "The assertion is not valid yet: compare the clocks."},
    [FAULT_STALE_LOGIN] = {"stale_login",
	"A new login was asked for, and the provider tells of an older one."},
    [FAULT_NO_CONFIRMATION] = {"no_confirmation",
	"The assertion does not say that its bearer is the subject."},
    [FAULT_UNKNOWN_CONDITION] = {"unknown_condition",
	"The assertion has a condition that is not known here."},
    [FAULT_NO_AUTHENTICATION] = {"no_authentication",
	"The assertion does not say that the person has logged in."},
    [FAULT_NO_SUBJECT] = {"no_subject",
	"The assertion names nobody, or confirms it in several ways."},
    [FAULT_TRANSIENT_SUBJECT] = {"transient_subject",
	"The provider names the person by a name for this one login only, so that nobody can be "
	"known "
	"again. Have it send a persistent NameID, or an address."},
    [FAULT_FOREIGN_SUBJECT] = {"foreign_subject",
	"The person's name belongs to another provider or another service."},
};

int fault_set(struct fault *f, enum fault_code code, const char *value)
{
	size_t n = 0;

	f->code = code;
	for (const char *p = value ? value : ""; *p && n < sizeof(f->value) - 1; p++)
		f->value[n++] = *p >= 0x20 && *p < 0x7f ? *p : '?';
	f->value[n] = '\0';
	return -EBADMSG;
}

json_t *fault_json(const struct fault *f)
{
	return json_pack("{s:s, s:s, s:s?}", "fault", faults[f->code].word, "text",
	    faults[f->code].text, "value", f->value[0] ? f->value : NULL);
}
