/* SPDX-License-Identifier: MIT */
#ifndef API_SAML_H
#define API_SAML_H

/*
 * What prism-central and prism-saml say to each other: this page is the specification.
 *
 * prism-saml is started for one operation, without arguments and with an empty environment. It
 * shuts itself in, reads one JSON object from its standard input until the end, writes one JSON
 * object and a newline to its standard output, and ends with status 0. No answer, or another
 * status, means that it could not work at all. Private keys come in by the pipe and are in no
 * answer.
 *
 *	"sp": {"entity_id", "acs", "key", "certificate"}		ours; PEM
 *		and, while they change, "next_certificate", which only the metadata name beside
 *		the other, and "other_key", which only opens what was encrypted for it
 *	"idp": {"entity_id", "entry_point", "certificates"}		theirs; PEM, one or more
 *
 * {"operation": "authn", "sp", "idp", "relay_state", "force_authn": bool}
 *	A request for a login, signed with RSA-SHA256 in the HTTP-Redirect binding, that asks for
 *	the answer in the HTTP-POST binding: {"url", "request_id"}.
 *
 * {"operation": "consume", "sp", "idp", "response": base64, "request_id", "now",
 *  "fresh_since": 0 or the time from which on the person must have logged in}
 *	What the response asserts: {"subject", "subject_format", "issuer", "attributes": {NAME:
 *	[TEXT, ...]}, "auth_at", "session_index" (or ""), "not_on_or_after", "assertion_id"}.
 *	Times are seconds since 1970; SAML_SKEW seconds of difference are tolerated.
 *	The response answers nothing but this request, and MUST be taken once: that is for the
 *	caller, who notes assertion_id until not_on_or_after.
 *
 * {"operation": "metadata", "sp"} (without its key)
 *	What an identity provider is told of us: {"xml"}.
 *
 * {"operation": "idp-metadata", "xml"}
 *	What an identity provider says of itself: {"entity_id", "entry_point", "certificates"}.
 *	Nothing vouches for it but whoever brought it.
 *
 * What cannot be done, or is refused, is {"fault": WORD, "text": a sentence for an administrator,
 * "value": what was found, or null}. The words:
 *
 *	protocol		the JSON object is not one of these
 *	configuration		our key, or their certificate or addresses, cannot be used
 *	malformed		no XML, or not the XML of a response
 *	too_large, too_deep	more than SAML_RESPONSE_MAX, SAML_DEPTH_MAX
 *	doctype			has a document type or entities
 *	comment			has comments, processing instructions or CDATA sections
 *	duplicate_id		two elements have the same ID
 *	status			the provider says that it did not work
 *	no_assertion, several_assertions, misplaced_assertion
 *	unsigned		neither the response nor the assertion is signed
 *	misplaced_signature	a signature stands where none belongs, or covers something else
 *	weak_algorithm		a method of signing or encrypting that is not, or no longer, good
 *	bad_signature		it is not the configured key's, or something was changed
 *	unknown_certificate	nor does the signature claim to be: the value is the SHA-256 of the
 *				certificate that it names
 *	decryption		it is encrypted, and not for our key
 *	encrypted_part		an encrypted name or attribute inside the assertion
 *	wrong_issuer, wrong_destination, wrong_recipient, wrong_audience
 *	wrong_request		answers another request
 *	unsolicited		answers no request
 *	expired, not_yet	by the conditions, the subject's confirmation or the session
 *	stale_login		a new login was asked for, and this one is older
 *	no_confirmation		nothing says that the bearer is the subject
 *	unknown_condition	a condition that we do not know, so cannot keep
 *	no_authentication	does not say that anybody logged in
 *	no_subject		names nobody
 *	transient_subject	names the person by a name for this one login
 *	foreign_subject		the name belongs to another provider or service
 */

#define SAML_REQUEST_MAX  (512u << 10) /* the JSON that comes in */
#define SAML_ANSWER_MAX	  (256u << 10) /* the JSON that goes out */
#define SAML_RESPONSE_MAX (256u << 10) /* a document, decoded */
#define SAML_DEPTH_MAX	  40	       /* elements within elements */
#define SAML_SUBJECT_MAX  255	       /* bytes of a person's name */
#define SAML_SKEW	  60	       /* seconds */

#endif
