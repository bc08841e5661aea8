/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "saml.h"

#define CLAIMS	     "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
#define NAMES_MAX    6
#define FORMAT_EMAIL "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"

/* Where the mapping says nothing: the names that providers use, the first that is there. */
static const struct {
	const char *word;
	const char *names[NAMES_MAX];
} defaults[] = {
    {"email", {"mail", "urn:oid:0.9.2342.19200300.100.1.3", CLAIMS "emailaddress", "email",
		  "emailAddress"}},
    {"name", {"displayName", "urn:oid:2.16.840.1.113730.3.1.241",
		 "http://schemas.microsoft.com/identity/claims/displayname"}},
    {"username", {"uid", "urn:oid:0.9.2342.19200300.100.1.1"}},
};

/* The values of one of our words, or NULL. */
static const json_t *values_of(
    const struct sso_connection *c, const char *word, const json_t *attributes)
{
	const char *mapped = json_string_value(json_object_get(c->mapping, word));

	if (mapped)
		return json_object_get(attributes, mapped);
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		if (strcmp(defaults[i].word, word) != 0)
			continue;
		for (size_t n = 0; n < NAMES_MAX && defaults[i].names[n]; n++) {
			const json_t *v = json_object_get(attributes, defaults[i].names[n]);
			if (v)
				return v;
		}
	}
	return NULL;
}

static const char *first_of(
    const struct sso_connection *c, const char *word, const json_t *attributes)
{
	return json_string_value(json_array_get(values_of(c, word, attributes), 0));
}

/* A provider speaks for its own people: whose address counts is for the proven domains to say. */
static void map_email(const struct sso_connection *c, const json_t *answer,
    const json_t *attributes, struct sso_assertion *ret)
{
	const char *s = first_of(c, "email", attributes);
	const char *format = json_string_value(json_object_get(answer, "subject_format"));

	if (!s && format && !strcmp(format, FORMAT_EMAIL) && !json_object_get(c->mapping, "email"))
		s = ret->subject;
	if (!s || !email_valid(s))
		return;
	snprintf(ret->email, sizeof(ret->email), "%s", s);
	ret->email_verified = true;
}

static int copy(const json_t *answer, const char *name, char *out, size_t size)
{
	const char *s = json_string_value(json_object_get(answer, name));

	if (!s || strlen(s) >= size)
		return -EPROTO;
	memcpy(out, s, strlen(s) + 1);
	return 0;
}

int saml_person(const struct sso_connection *c, const json_t *answer, struct sso_assertion *ret,
    struct saml_fault *f)
{
	const json_t *attributes = json_object_get(answer, "attributes");
	struct sso_assertion a = {.connection = c->id};
	const char *s;

	a.auth_at = json_integer_value(json_object_get(answer, "auth_at"));
	if (copy(answer, "issuer", a.issuer, sizeof(a.issuer)) < 0 ||
	    copy(answer, "subject", a.subject, sizeof(a.subject)) < 0 ||
	    copy(answer, "session_index", a.sid, sizeof(a.sid)) < 0 || !a.subject[0] ||
	    a.auth_at <= 0 || strcmp(a.issuer, c->issuer) != 0)
		return saml_fail(f, "helper_failed", "prism-saml answered something else.");
	map_email(c, answer, attributes, &a);
	s = first_of(c, "name", attributes);
	if (s && gecos_valid(s))
		snprintf(a.name, sizeof(a.name), "%s", s);
	s = first_of(c, "username", attributes);
	if (s)
		sso_assertion_username(&a, s);
	sso_assertion_role(&a, c, values_of(c, "role", attributes));
	*ret = a;
	return 0;
}
