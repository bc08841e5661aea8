/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "sso_flow.h"

char *sso_assertion_pack(const struct sso_assertion *a)
{
	json_auto_t *o = json_pack("{s:I, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:I, s:s}",
	    "connection", (json_int_t)a->connection, "issuer", a->issuer, "subject", a->subject,
	    "email", a->email, "email_verified", a->email_verified, "name", a->name, "username",
	    a->username, "role", a->role, "auth_at", (json_int_t)a->auth_at, "sid", a->sid);

	return o ? json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
}

static bool text_fits(const json_t *o, const char *name, char *out, size_t size)
{
	const char *s = json_string_value(json_object_get(o, name));

	if (!s || strlen(s) >= size)
		return false;
	memcpy(out, s, strlen(s) + 1);
	return true;
}

int sso_assertion_unpack(const char *text, struct sso_assertion *ret)
{
	json_auto_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	struct sso_assertion a = {
	    .connection = json_integer_value(json_object_get(o, "connection")),
	    .auth_at = json_integer_value(json_object_get(o, "auth_at")),
	    .email_verified = json_is_true(json_object_get(o, "email_verified")),
	};
	const struct {
		const char *name;
		char *out;
		size_t size;
	} texts[] = {
	    {"issuer", a.issuer, sizeof(a.issuer)},
	    {"subject", a.subject, sizeof(a.subject)},
	    {"email", a.email, sizeof(a.email)},
	    {"name", a.name, sizeof(a.name)},
	    {"username", a.username, sizeof(a.username)},
	    {"role", a.role, sizeof(a.role)},
	    {"sid", a.sid, sizeof(a.sid)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!text_fits(o, texts[i].name, texts[i].out, texts[i].size))
			return -EBADMSG;
	if (a.connection <= 0 || !a.issuer[0] || !a.subject[0])
		return -EBADMSG;
	*ret = a;
	return 0;
}

/* ---- what providers call things -------------------------------------------------------------- */

void sso_assertion_username(struct sso_assertion *a, const char *s)
{
	char name[USERNAME_MAX + 1];
	size_t n = strcspn(s, "@");

	if (n >= sizeof(name))
		return;
	for (size_t i = 0; i < n; i++)
		name[i] = (char)(isascii(s[i]) ? tolower((unsigned char)s[i]) : '?');
	name[n] = '\0';
	if (username_valid(name))
		memcpy(a->username, name, n + 1);
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

void sso_assertion_role(
    struct sso_assertion *a, const struct sso_connection *c, const json_t *value)
{
	const char *role = json_string_value(value);

	for (size_t i = 0; !role && i < json_array_size(value); i++) {
		const char *s = json_string_value(json_array_get(value, i));
		if (s && role_allowed(c, s))
			role = s;
	}
	if (role && strlen(role) < sizeof(a->role))
		snprintf(a->role, sizeof(a->role), "%s", role);
}
