/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <lasso/xml/saml-2.0/saml2_assertion.h>
#include "api/saml.h"
#include "base/buf.h"
#include "base/encode.h"
#include "operation.h"
#include "shape.h"
#include "signer.h"

static int get_expected(
    const json_t *in, const struct parties *p, struct fault *f, struct expected *e)
{
	const json_t *now = json_object_get(in, "now");

	e->issuer = p->idp.entity_id;
	e->acs = p->sp.address;
	e->audience = p->sp.entity_id;
	e->request_id = operation_string(in, "request_id", f);
	e->now = json_integer_value(now);
	e->fresh_since = json_integer_value(json_object_get(in, "fresh_since"));
	if (e->request_id && json_is_integer(now))
		return 0;
	return fault_set(f, FAULT_PROTOCOL, "request_id, now");
}

/* A form's base64 comes in lines as well. */
static int decode(const char *text, struct fault *f, struct buf *xml)
{
	_cleanup_buf_ struct buf joined = BUF_INIT(BASE64_LEN(SAML_RESPONSE_MAX));
	ssize_t n = 0;
	char *out;

	for (; *text && buf_error(&joined) == 0; text += n) {
		text += strspn(text, " \t\r\n");
		n = (ssize_t)strcspn(text, " \t\r\n");
		buf_add(&joined, text, (size_t)n);
	}
	out = buf_extend(xml, SAML_RESPONSE_MAX);
	if (buf_error(&joined) < 0 || !out)
		return fault_set(f, FAULT_TOO_LARGE, NULL);
	n = base64_decode(buf_str(&joined), joined.len, out, SAML_RESPONSE_MAX);
	if (n < 0)
		return fault_set(f, n == -ENOBUFS ? FAULT_TOO_LARGE : FAULT_MALFORMED, NULL);
	xml->len = (size_t)n;
	xml->data[n] = '\0';
	return 0;
}

static const struct {
	int error;
	enum fault_code code;
} lasso_errors[] = {
    {LASSO_DS_ERROR_SIGNATURE_NOT_FOUND, FAULT_UNSIGNED},
    {LASSO_PROFILE_ERROR_MISSING_ASSERTION, FAULT_DECRYPTION},
    {LASSO_DS_ERROR_DECRYPTION_FAILED, FAULT_DECRYPTION},
    {LASSO_PROFILE_ERROR_INVALID_ISSUER, FAULT_WRONG_ISSUER},
    {LASSO_PROFILE_ERROR_MISSING_ISSUER, FAULT_WRONG_ISSUER},
    {LASSO_SERVER_ERROR_PROVIDER_NOT_FOUND, FAULT_WRONG_ISSUER},
    {LASSO_PROFILE_ERROR_MISSING_SUBJECT, FAULT_NO_SUBJECT},
    {LASSO_PROFILE_ERROR_INVALID_MSG, FAULT_MALFORMED},
};

/*
 * lasso gets exactly the bytes that were looked at. It checks the response's signature if there is
 * one, decrypts, and checks the assertion's, which must be there unless the response's is.
 */
static int verify(struct parties *p, const struct buf *xml, struct fault *f)
{
	_cleanup_free_ char *text = malloc(BASE64_LEN(xml->len) + 1);
	int error;

	if (!text)
		return fault_set(f, FAULT_TOO_LARGE, NULL);
	base64_encode(xml->data, xml->len, text);
	lasso_profile_set_signature_verify_hint(
	    LASSO_PROFILE(p->login), LASSO_PROFILE_SIGNATURE_VERIFY_HINT_MAYBE);
	error = lasso_login_process_authn_response_msg(p->login, text);
	if (error == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(lasso_errors); i++)
		if (lasso_errors[i].error == error)
			return fault_set(f, lasso_errors[i].code, NULL);
	return fault_set(f, FAULT_BAD_SIGNATURE, NULL);
}

/* The very nodes that the signature was checked on, or that came out of the decryption. */
static int verified(struct parties *p, const struct shape *outer, struct fault *f, xmlNode **ret)
{
	LassoNode *a = lasso_login_get_assertion(p->login);
	xmlNode *node = a ? lasso_node_get_original_xmlnode(a) : NULL;
	struct shape inner;
	int rc =
	    node ? shape_check_assertion(node, f, &inner) : fault_set(f, FAULT_NO_ASSERTION, NULL);

	if (rc == 0 && !outer->response_signature && !inner.assertion_signature)
		rc = fault_set(f, FAULT_UNSIGNED, NULL);
	if (a)
		g_object_unref(a); /* the login keeps it */
	if (rc == 0)
		*ret = node;
	return rc;
}

static int consume(struct parties *p, const struct buf *xml, const struct expected *e,
    struct fault *f, json_t **ret_answer)
{
	_cleanup_doc_ xmlDoc *doc = NULL;
	struct shape outer;
	xmlNode *assertion = NULL;
	int rc = tree_parse(buf_str(xml), xml->len, f, &doc);

	if (rc == 0)
		rc = shape_check(doc, f, &outer);
	if (rc == 0)
		rc = claims_check_response(outer.response, e, f);
	if (rc == 0 && !outer.assertion && !outer.encrypted)
		rc = fault_set(f, FAULT_NO_ASSERTION, NULL);
	if (rc == 0 && !outer.response_signature && !outer.assertion_signature && !outer.encrypted)
		rc = fault_set(f, FAULT_UNSIGNED, NULL);
	if (rc == 0)
		rc = verify(p, xml, f);
	if (rc < 0 && f->code == FAULT_BAD_SIGNATURE)
		rc = signer_fault(&outer, p->idp.pem, f);
	if (rc == 0)
		rc = verified(p, &outer, f, &assertion);
	return rc < 0 ? rc : claims_read(assertion, e, f, ret_answer);
}

int operation_consume(const json_t *in, struct fault *f, json_t **ret_answer)
{
	_cleanup_parties_ struct parties p = {0};
	_cleanup_buf_ struct buf xml = BUF_INIT(SAML_RESPONSE_MAX);
	struct expected e;
	const char *response = operation_string(in, "response", f);
	int rc = response ? party_open(in, f, &p) : -EBADMSG;

	if (rc == 0)
		rc = get_expected(in, &p, f, &e);
	if (rc == 0)
		rc = decode(response, f, &xml);
	return rc < 0 ? rc : consume(&p, &xml, &e, f, ret_answer);
}
