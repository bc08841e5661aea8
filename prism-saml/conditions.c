/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "api/saml.h"
#include "operation.h"

#define BEARER "urn:oasis:names:tc:SAML:2.0:cm:bearer"

/* NotBefore and NotOnOrAfter of an element: 1 if it has an end, 0 if not. */
static int check_times(const xmlNode *n, const struct expected *e, struct fault *f, int64_t *end)
{
	int64_t from = 0, until = 0;
	int rc = tree_attr_time(n, "NotBefore", f, &from);

	if (rc < 0)
		return rc;
	if (rc > 0 && from > e->now + SAML_SKEW)
		return fault_set(f, FAULT_NOT_YET, NULL);
	rc = tree_attr_time(n, "NotOnOrAfter", f, &until);
	if (rc <= 0)
		return rc;
	if (until <= e->now - SAML_SKEW)
		return fault_set(f, FAULT_EXPIRED, NULL);
	if (*end == 0 || until < *end)
		*end = until;
	return 1;
}

static int check_audience(const xmlNode *restriction, const struct expected *e, struct fault *f)
{
	_cleanup_xml_ xmlChar *other = NULL;
	const xmlNode *a = tree_first(restriction, NS_ASSERTION, "Audience");

	other = tree_text(a);
	for (; a; a = tree_next(a, NS_ASSERTION, "Audience"))
		if (tree_text_is(a, e->audience))
			return 0;
	return fault_set(f, FAULT_WRONG_AUDIENCE, (char *)other);
}

/* Every restriction must name us; OneTimeUse is kept for every assertion anyway. */
static int check_condition(const xmlNode *c, const struct expected *e, struct fault *f)
{
	if (tree_is(c, NS_ASSERTION, "AudienceRestriction"))
		return check_audience(c, e, f);
	if (tree_is(c, NS_ASSERTION, "OneTimeUse") || tree_is(c, NS_ASSERTION, "ProxyRestriction"))
		return 0;
	return fault_set(f, FAULT_UNKNOWN_CONDITION, (const char *)c->name);
}

int conditions_check(
    const xmlNode *assertion, const struct expected *e, struct fault *f, int64_t *end)
{
	const xmlNode *conditions = tree_first(assertion, NS_ASSERTION, "Conditions");
	int rc;

	if (tree_count(assertion, NS_ASSERTION, "Conditions") > 1)
		return fault_set(f, FAULT_MALFORMED, "Conditions");
	if (!tree_first(conditions, NS_ASSERTION, "AudienceRestriction"))
		return fault_set(f, FAULT_WRONG_AUDIENCE, NULL);
	rc = check_times(conditions, e, f, end);
	for (const xmlNode *c = tree_first(conditions, NULL, NULL); c && rc >= 0;
	     c = tree_next(c, NULL, NULL))
		rc = check_condition(c, e, f);
	return rc < 0 ? rc : 0;
}

static int check_bearer(
    const xmlNode *confirmation, const struct expected *e, struct fault *f, int64_t *end)
{
	const xmlNode *data = tree_first(confirmation, NS_ASSERTION, "SubjectConfirmationData");
	_cleanup_xml_ xmlChar *recipient = tree_attr(data, "Recipient");
	_cleanup_xml_ xmlChar *request = tree_attr(data, "InResponseTo");
	int rc;

	if (!data || tree_count(confirmation, NS_ASSERTION, "SubjectConfirmationData") != 1)
		return fault_set(f, FAULT_NO_CONFIRMATION, NULL);
	if (!recipient || strcmp((char *)recipient, e->acs) != 0)
		return fault_set(f, FAULT_WRONG_RECIPIENT, (char *)recipient);
	if (!request)
		return fault_set(f, FAULT_UNSOLICITED, NULL);
	if (strcmp((char *)request, e->request_id) != 0)
		return fault_set(f, FAULT_WRONG_REQUEST, NULL);
	rc = check_times(data, e, f, end);
	/* A bearer's confirmation must end some time. */
	return rc == 0 ? fault_set(f, FAULT_NO_CONFIRMATION, "NotOnOrAfter") : rc < 0 ? rc : 0;
}

int confirmation_check(
    const xmlNode *subject, const struct expected *e, struct fault *f, int64_t *end)
{
	const xmlNode *c = tree_first(subject, NS_ASSERTION, "SubjectConfirmation");

	if (tree_count(subject, NS_ASSERTION, "SubjectConfirmation") != 1 ||
	    !tree_attr_is(c, "Method", BEARER))
		return fault_set(f, FAULT_NO_CONFIRMATION, NULL);
	return check_bearer(c, e, f, end);
}
