/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <string.h>
#include "api/saml.h"
#include "operation.h"

#define SUCCESS		 "urn:oasis:names:tc:SAML:2.0:status:Success"
#define FORMAT		 "urn:oasis:names:tc:SAML:2.0:nameid-format:"
#define FORMAT_NONE	 "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
#define FORMAT_ENTITY	 FORMAT "entity"
#define VALUES_MAX	 1024
#define SESSION_MAX	 255
#define ASSERTION_ID_MAX 255

static int check_version(const xmlNode *n, struct fault *f)
{
	return tree_attr_is(n, "Version", "2.0") ? 0 : fault_set(f, FAULT_MALFORMED, "Version");
}

static int check_issuer(const xmlNode *n, const struct expected *e, struct fault *f)
{
	const xmlNode *issuer = tree_first(n, NS_ASSERTION, "Issuer");
	_cleanup_xml_ xmlChar *text = tree_text(issuer);
	_cleanup_xml_ xmlChar *format = tree_attr(issuer, "Format");

	if (tree_count(n, NS_ASSERTION, "Issuer") != 1 || !text ||
	    strcmp((char *)text, e->issuer) != 0 ||
	    (format && strcmp((char *)format, FORMAT_ENTITY) != 0))
		return fault_set(f, FAULT_WRONG_ISSUER, (char *)text);
	return 0;
}

/* The innermost code says most: "urn:...:status:AuthnFailed". */
static int check_status(const xmlNode *response, struct fault *f)
{
	const xmlNode *status = tree_first(response, NS_PROTOCOL, "Status");
	const xmlNode *code = tree_first(status, NS_PROTOCOL, "StatusCode");
	const xmlNode *inner = tree_first(code, NS_PROTOCOL, "StatusCode");
	_cleanup_xml_ xmlChar *value = tree_attr(inner ? inner : code, "Value");

	if (tree_count(response, NS_PROTOCOL, "Status") != 1 || !value)
		return fault_set(f, FAULT_MALFORMED, "Status");
	return tree_attr_is(code, "Value", SUCCESS) ? 0 : fault_set(f, FAULT_STATUS, (char *)value);
}

int claims_check_response(const xmlNode *response, const struct expected *e, struct fault *f)
{
	_cleanup_xml_ xmlChar *destination = tree_attr(response, "Destination");
	_cleanup_xml_ xmlChar *request = tree_attr(response, "InResponseTo");
	int rc = check_version(response, f);

	if (rc == 0)
		rc = check_issuer(response, e, f);
	if (rc < 0)
		return rc;
	if (!destination || strcmp((char *)destination, e->acs) != 0)
		return fault_set(f, FAULT_WRONG_DESTINATION, (char *)destination);
	if (!request)
		return fault_set(f, FAULT_UNSOLICITED, NULL);
	if (strcmp((char *)request, e->request_id) != 0)
		return fault_set(f, FAULT_WRONG_REQUEST, NULL);
	return check_status(response, f);
}

/* ---- who ------------------------------------------------------------------------------------- */

/* Compared byte by byte for ever: nothing that a page or a log would show as something else. */
static bool subject_plain(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return s[0] != ' ' && s[n - 1] != ' ';
}

/* A qualifier that is there must name the provider, or us. */
static bool qualified(const xmlNode *name, const char *attr, const char *expected)
{
	_cleanup_xml_ xmlChar *is = tree_attr(name, attr);

	return !is || !is[0] || !strcmp((char *)is, expected);
}

static int read_name(
    const xmlNode *subject, const struct expected *e, struct fault *f, json_t *answer)
{
	const xmlNode *name = tree_first(subject, NS_ASSERTION, "NameID");
	_cleanup_xml_ xmlChar *text = tree_text(name);
	_cleanup_xml_ xmlChar *format = tree_attr(name, "Format");
	const char *kind = format ? (char *)format : FORMAT_NONE;

	if (tree_count(subject, NS_ASSERTION, "NameID") != 1 || !text || !text[0])
		return fault_set(f, FAULT_NO_SUBJECT, NULL);
	if (!strcmp(kind, FORMAT "transient"))
		return fault_set(f, FAULT_TRANSIENT_SUBJECT, NULL);
	if (!strcmp(kind, FORMAT "persistent") &&
	    (!qualified(name, "NameQualifier", e->issuer) ||
		!qualified(name, "SPNameQualifier", e->audience)))
		return fault_set(f, FAULT_FOREIGN_SUBJECT, NULL);
	if (strlen((char *)text) > SAML_SUBJECT_MAX)
		return fault_set(f, FAULT_TOO_LARGE, "NameID");
	if (!subject_plain((char *)text))
		return fault_set(f, FAULT_MALFORMED, "NameID");
	if (json_object_set_new(answer, "subject", json_string((char *)text)) < 0 ||
	    json_object_set_new(answer, "subject_format", json_string(kind)) < 0)
		return fault_set(f, FAULT_MALFORMED, "NameID");
	return 0;
}

static int read_subject(const xmlNode *assertion, const struct expected *e, struct fault *f,
    json_t *answer, int64_t *end)
{
	const xmlNode *subject = tree_first(assertion, NS_ASSERTION, "Subject");
	int rc;

	if (tree_count(assertion, NS_ASSERTION, "Subject") != 1)
		return fault_set(f, FAULT_NO_SUBJECT, NULL);
	rc = confirmation_check(subject, e, f, end);
	return rc < 0 ? rc : read_name(subject, e, f, answer);
}

/* ---- how and when they logged in ------------------------------------------------------------- */

static int read_statement(
    const xmlNode *statement, const struct expected *e, struct fault *f, int64_t *at)
{
	int64_t instant = 0, end = 0;
	int rc = tree_attr_time(statement, "AuthnInstant", f, &instant);

	if (rc <= 0)
		return rc < 0 ? rc : fault_set(f, FAULT_NO_AUTHENTICATION, "AuthnInstant");
	if (instant > e->now + SAML_SKEW)
		return fault_set(f, FAULT_NOT_YET, NULL);
	if (e->fresh_since > 0 && instant < e->fresh_since - SAML_SKEW)
		return fault_set(f, FAULT_STALE_LOGIN, NULL);
	rc = tree_attr_time(statement, "SessionNotOnOrAfter", f, &end);
	if (rc < 0)
		return rc;
	if (rc > 0 && end <= e->now - SAML_SKEW)
		return fault_set(f, FAULT_EXPIRED, NULL);
	if (*at == 0 || instant < *at)
		*at = instant;
	return 0;
}

static int read_authentication(
    const xmlNode *assertion, const struct expected *e, struct fault *f, json_t *answer)
{
	const xmlNode *s = tree_first(assertion, NS_ASSERTION, "AuthnStatement");
	_cleanup_xml_ xmlChar *session = tree_attr(s, "SessionIndex");
	int64_t at = 0;
	int rc = s ? 0 : fault_set(f, FAULT_NO_AUTHENTICATION, NULL);

	for (; s && rc == 0; s = tree_next(s, NS_ASSERTION, "AuthnStatement"))
		rc = read_statement(s, e, f, &at);
	if (rc < 0)
		return rc;
	if (session && strlen((char *)session) > SESSION_MAX)
		return fault_set(f, FAULT_TOO_LARGE, "SessionIndex");
	if (json_object_set_new(answer, "auth_at", json_integer(at)) < 0 ||
	    json_object_set_new(
		answer, "session_index", json_string(session ? (char *)session : "")) < 0)
		return fault_set(f, FAULT_MALFORMED, "SessionIndex");
	return 0;
}

/* ---- what else is said of them --------------------------------------------------------------- */

/* Values that are not plain text, such as nested names, are left out. */
static int read_attribute(const xmlNode *attribute, struct fault *f, json_t *all, unsigned *count)
{
	_cleanup_xml_ xmlChar *name = tree_attr(attribute, "Name");
	json_t *values = name ? json_object_get(all, (char *)name) : NULL;
	int rc = name && name[0] ? 0 : -1;

	if (rc == 0 && !values) {
		values = json_array();
		rc = json_object_set_new(all, (char *)name, values);
	}
	for (const xmlNode *v = tree_first(attribute, NS_ASSERTION, "AttributeValue"); v && rc == 0;
	     v = tree_next(v, NS_ASSERTION, "AttributeValue")) {
		_cleanup_xml_ xmlChar *text = tree_text(v);

		if (++*count > VALUES_MAX)
			return fault_set(f, FAULT_TOO_LARGE, "AttributeStatement");
		if (text)
			rc = json_array_append_new(values, json_string((char *)text));
	}
	return rc < 0 ? fault_set(f, FAULT_MALFORMED, "Attribute") : 0;
}

static int read_attributes(const xmlNode *assertion, struct fault *f, json_t *answer)
{
	json_t *all = json_object();
	unsigned count = 0;
	int rc = json_object_set_new(answer, "attributes", all);

	for (const xmlNode *s = tree_first(assertion, NS_ASSERTION, "AttributeStatement");
	     s && rc == 0; s = tree_next(s, NS_ASSERTION, "AttributeStatement"))
		for (const xmlNode *a = tree_first(s, NS_ASSERTION, "Attribute"); a && rc == 0;
		     a = tree_next(a, NS_ASSERTION, "Attribute"))
			rc = read_attribute(a, f, all, &count);
	return rc;
}

static int read_head(
    const xmlNode *assertion, const struct expected *e, struct fault *f, json_t *answer)
{
	_cleanup_xml_ xmlChar *id = tree_attr(assertion, "ID");
	int64_t issued = 0;
	int rc = check_version(assertion, f);

	if (rc == 0)
		rc = check_issuer(assertion, e, f);
	if (rc == 0)
		rc = tree_attr_time(assertion, "IssueInstant", f, &issued);
	if (rc < 0)
		return rc;
	if (issued > e->now + SAML_SKEW)
		return fault_set(f, FAULT_NOT_YET, NULL);
	if (rc == 0 || !id || strlen((char *)id) > ASSERTION_ID_MAX)
		return fault_set(f, FAULT_MALFORMED, "Assertion");
	if (json_object_set_new(answer, "assertion_id", json_string((char *)id)) < 0 ||
	    json_object_set_new(answer, "issuer", json_string(e->issuer)) < 0)
		return fault_set(f, FAULT_MALFORMED, "Assertion");
	return 0;
}

int claims_read(const xmlNode *assertion, const struct expected *e, struct fault *f, json_t **ret)
{
	json_t *answer = json_object();
	int64_t end = 0;
	int rc = read_head(assertion, e, f, answer);

	if (rc == 0)
		rc = conditions_check(assertion, e, f, &end);
	if (rc == 0)
		rc = read_subject(assertion, e, f, answer, &end);
	if (rc == 0)
		rc = read_authentication(assertion, e, f, answer);
	if (rc == 0)
		rc = read_attributes(assertion, f, answer);
	if (rc == 0 && json_object_set_new(answer, "not_on_or_after", json_integer(end)) < 0)
		rc = fault_set(f, FAULT_MALFORMED, NULL);
	if (rc < 0) {
		json_decref(answer);
		return rc;
	}
	f->code = FAULT_NONE;
	*ret = answer;
	return 0;
}
