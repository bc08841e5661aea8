/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "oidc.h"

static const struct {
	const char *word;
	const char *claim; /* where the mapping says nothing; NULL: nowhere */
} words[] = {
    {"email", "email"},
    {"name", "name"},
    {"username", "preferred_username"},
    {"role", NULL},
};

static const char *path_of(const struct sso_connection *c, const char *word)
{
	const char *path = json_string_value(json_object_get(c->mapping, word));

	for (size_t i = 0; !path && i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].word, word) == 0)
			path = words[i].claim;
	return path && *path ? path : NULL;
}

/* The first that has it. A claim that is missing here may stand there; one that is empty may not.
 */
static const json_t *value_of(
    const struct sso_connection *c, const char *word, const json_t *claims, const json_t **more)
{
	const char *path = path_of(c, word);
	const json_t *v = path ? oidc_claim(claims, path) : NULL;

	if (!path || v || !*more) {
		*more = claims;
		return v;
	}
	return oidc_claim(*more, path);
}

bool oidc_map_lacks(const struct sso_connection *c, const json_t *claims)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const char *path = path_of(c, words[i].word);
		if (path && !oidc_claim(claims, path))
			return true;
	}
	return false;
}

/*
 * The provider's word on an address stands beside it, in the same document. Where the mapping takes
 * the address from another claim than "email", nobody has said anything about it.
 */
static bool email_verified(const struct sso_connection *c, const json_t *from)
{
	const char *path = path_of(c, "email"), *dot = path ? strrchr(path, '.') : NULL;
	int before = dot ? (int)(dot + 1 - path) : 0;
	char beside[256];

	if (!path || strcmp(path + before, "email") != 0)
		return false;
	int n = snprintf(beside, sizeof(beside), "%.*semail_verified", before, path);
	return n > 0 && (size_t)n < sizeof(beside) && json_is_true(oidc_claim(from, beside));
}

static void map_email(const struct sso_connection *c, const json_t *claims, const json_t *more,
    struct sso_assertion *ret)
{
	const json_t *from = more;
	const char *s = json_string_value(value_of(c, "email", claims, &from));

	if (!s || !email_valid(s))
		return;
	snprintf(ret->email, sizeof(ret->email), "%s", s);
	ret->email_verified = email_verified(c, from);
}

void oidc_map(const struct sso_connection *c, const json_t *claims, const json_t *more,
    struct sso_assertion *ret)
{
	const json_t *from = more;
	const char *s = json_string_value(value_of(c, "name", claims, &from));

	map_email(c, claims, more, ret);
	if (s && gecos_valid(s))
		snprintf(ret->name, sizeof(ret->name), "%s", s);
	from = more;
	s = json_string_value(value_of(c, "username", claims, &from));
	if (s)
		sso_assertion_username(ret, s);
	from = more;
	sso_assertion_role(ret, c, value_of(c, "role", claims, &from));
}

bool oidc_scope_has(const struct sso_connection *c, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = c->scopes; *p;) {
		size_t n = strcspn(p, " ");
		if (n == len && strncmp(p, word, n) == 0)
			return true;
		p += n;
		p += strspn(p, " ");
	}
	return false;
}
