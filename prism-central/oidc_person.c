/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "oidc.h"

/* ---- the mapping ----------------------------------------------------------------------------- */

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

/* "Alice@uni.edu" is alice: what cannot be a username here is left out. */
static void map_username(const char *s, struct sso_assertion *ret)
{
	char name[USERNAME_MAX + 1];
	size_t n = strcspn(s, "@");

	if (n >= sizeof(name))
		return;
	for (size_t i = 0; i < n; i++)
		name[i] = (char)(isascii(s[i]) ? tolower((unsigned char)s[i]) : '?');
	name[n] = '\0';
	if (username_valid(name))
		memcpy(ret->username, name, n + 1);
}

static bool role_allowed(const struct sso_connection *c, const char *role)
{
	for (size_t i = 0; i < json_array_size(c->allowed_roles); i++) {
		const char *s = json_string_value(json_array_get(c->allowed_roles, i));
		if (s && strcmp(s, role) == 0)
			return true;
	}
	return false;
}

/* Of several, the first that the connection allows. */
static void map_role(const struct sso_connection *c, const json_t *v, struct sso_assertion *ret)
{
	const char *role = json_string_value(v);

	for (size_t i = 0; !role && i < json_array_size(v); i++) {
		const char *s = json_string_value(json_array_get(v, i));
		if (s && role_allowed(c, s))
			role = s;
	}
	if (role && strlen(role) < sizeof(ret->role))
		snprintf(ret->role, sizeof(ret->role), "%s", role);
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
		map_username(s, ret);
	from = more;
	map_role(c, value_of(c, "role", claims, &from), ret);
}

/* ---- the userinfo endpoint ------------------------------------------------------------------- */

static int userinfo(struct request *rq, const struct sso_connection *c,
    const struct oidc_metadata *m, const char *access_token, const char *subject, json_t **ret,
    struct oidc_fault *f)
{
	_cleanup_(http_response_free) struct http_response res;
	struct oidc_query q = {
	    .what = "userinfo", .url = m->userinfo_endpoint, .bearer = access_token};

	http_response_init(&res, OIDC_DOCUMENT_MAX);
	int r = oidc_fetch(rq->central, c, &q, &res, f);
	if (r < 0)
		return r;
	if (res.status != 200)
		return oidc_fail(f, "provider_status", "userinfo: it answered %ld", res.status);
	json_auto_t *o = http_response_json(&res);
	const char *sub = json_string_value(json_object_get(o, "sub"));
	if (!json_is_object(o))
		return oidc_fail(f, "userinfo_form", "userinfo: not a JSON object");
	/* OpenID Connect Core section 5.3.2: another person's answer must not be used. */
	if (!sub || strcmp(sub, subject) != 0)
		return oidc_fail(f, "userinfo_subject", "userinfo: it is about somebody else");
	*ret = TAKE_PTR(o);
	return 0;
}

int oidc_person(struct request *rq, const struct sso_connection *c, const struct oidc_metadata *m,
    const struct id_token *id, const char *access_token, struct sso_assertion *ret,
    struct oidc_fault *f)
{
	json_auto_t *more = NULL;
	int r = 0;

	if (m->userinfo_endpoint[0] && access_token && oidc_map_lacks(c, id->claims))
		r = userinfo(rq, c, m, access_token, id->subject, &more, f);
	if (r < 0)
		return r;
	oidc_map(c, id->claims, more, ret);
	return 0;
}
