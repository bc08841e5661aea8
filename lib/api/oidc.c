/* SPDX-License-Identifier: MIT */
#include "api/oidc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/secret.h"

/* ---- addresses ------------------------------------------------------------------------------- */

static bool host_ends(char c)
{
	return c == '\0' || c == '/' || c == '?' || c == ':';
}

static bool is_loopback(const char *host)
{
	static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i]);
		if (strncmp(host, names[i], n) == 0 && host_ends(host[n]))
			return true;
	}
	return false;
}

/* [HOST or address][:PORT], and nothing else before the path. */
static bool authority_ok(const char *p)
{
	static const char name[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	size_t n = *p == '[' ? strcspn(p, "]/?") : strspn(p, name);

	if (*p == '[' ? p[n] != ']' || strspn(p + 1, "0123456789abcdefABCDEF:.") != n - 1 : n == 0)
		return false;
	p += n + (*p == '[');
	if (*p == ':') {
		n = strspn(p + 1, "0123456789");
		if (n < 1 || n > 5)
			return false;
		p += 1 + n;
	}
	return *p == '\0' || *p == '/' || *p == '?';
}

bool oidc_url_ok(const char *url, bool loopback)
{
	const char *host = NULL;

	if (!url || strlen(url) >= OIDC_URL_MAX)
		return false;
	if (strncmp(url, "https://", 8) == 0)
		host = url + 8;
	else if (loopback && strncmp(url, "http://", 7) == 0 && is_loopback(url + 7))
		host = url + 7;
	if (!host || !authority_ok(host))
		return false;
	for (const char *p = url; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f || strchr("\"'<>\\^`{|}#", *p))
			return false;
	return true;
}

/* ---- metadata -------------------------------------------------------------------------------- */

static int object_load(const char *text, size_t len, json_t **ret)
{
	json_error_t error;

	if (len > OIDC_DOCUMENT_MAX)
		return -EBADMSG;
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!o)
		return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
	if (!json_is_object(o)) {
		json_decref(o);
		return -EBADMSG;
	}
	*ret = o;
	return 0;
}

static bool list_has(const json_t *list, const char *word)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));
		if (s && strcmp(s, word) == 0)
			return true;
	}
	return false;
}

static bool url_copy(const json_t *o, const char *name, bool loopback, char out[OIDC_URL_MAX])
{
	const char *s = json_string_value(json_object_get(o, name));

	if (!oidc_url_ok(s, loopback))
		return false;
	memcpy(out, s, strlen(s) + 1);
	return true;
}

static const char *metadata_read(
    const json_t *o, const char *issuer, bool loopback, struct oidc_metadata *m)
{
	const char *named = json_string_value(json_object_get(o, "issuer"));
	const json_t *auth = json_object_get(o, "token_endpoint_auth_methods_supported");

	if (!named || strcmp(named, issuer) != 0)
		return "discovery_issuer";
	if (!url_copy(o, "authorization_endpoint", loopback, m->authorization_endpoint) ||
	    !url_copy(o, "token_endpoint", loopback, m->token_endpoint) ||
	    !url_copy(o, "jwks_uri", loopback, m->jwks_uri))
		return "discovery_endpoint";
	if (json_object_get(o, "userinfo_endpoint") &&
	    !url_copy(o, "userinfo_endpoint", loopback, m->userinfo_endpoint))
		return "discovery_endpoint";
	m->secret_basic = !auth || list_has(auth, "client_secret_basic");
	m->secret_post = list_has(auth, "client_secret_post");
	m->names_issuer =
	    json_is_true(json_object_get(o, "authorization_response_iss_parameter_supported"));
	return NULL;
}

int oidc_metadata_parse(const char *text, size_t len, const char *issuer, bool loopback,
    struct oidc_metadata *ret, const char **ret_fault)
{
	json_auto_t *o = NULL;
	struct oidc_metadata m = {.userinfo_endpoint = ""};
	int r = object_load(text, len, &o);

	if (r < 0) {
		*ret_fault = "discovery_form";
		return r;
	}
	const char *fault = metadata_read(o, issuer, loopback, &m);
	if (fault) {
		*ret_fault = fault;
		return -EBADMSG;
	}
	*ret = m;
	return 0;
}

int oidc_metadata_issuer(const char *text, size_t len, char *out, size_t size)
{
	json_auto_t *o = NULL;
	int r = object_load(text, len, &o);
	const char *named = json_string_value(json_object_get(o, "issuer"));

	if (r < 0 || !named)
		return r < 0 ? r : -EBADMSG;
	snprintf(out, size, "%s", named);
	return 0;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

void oidc_tokens_clear(struct oidc_tokens *t)
{
	secret_free(t->id_token);
	secret_free(t->access_token);
	secret_free(t->refresh_token);
	*t = (struct oidc_tokens){NULL};
}

/* Absent is fine. Printable, since it goes into a header or a form. */
static int token_copy(const json_t *o, const char *name, char **ret)
{
	const json_t *v = json_object_get(o, name);
	const char *s = json_string_value(v);

	if (!v || json_is_null(v))
		return 0;
	if (!s || !*s || strlen(s) > OIDC_TOKEN_MAX)
		return -EBADMSG;
	for (const char *p = s; *p; p++)
		if (*p < 0x20 || *p >= 0x7f)
			return -EBADMSG;
	*ret = strdup(s);
	return *ret ? 0 : -ENOMEM;
}

int oidc_tokens_parse(const char *text, size_t len, struct oidc_tokens *ret)
{
	json_auto_t *o = NULL;
	_cleanup_oidc_tokens_ struct oidc_tokens t = {NULL};
	int r = object_load(text, len, &o);

	if (r == 0)
		r = token_copy(o, "id_token", &t.id_token);
	if (r == 0)
		r = token_copy(o, "access_token", &t.access_token);
	if (r == 0)
		r = token_copy(o, "refresh_token", &t.refresh_token);
	if (r < 0)
		return r;
	const char *type = json_string_value(json_object_get(o, "token_type"));
	if (!t.access_token || !type || strcasecmp(type, "bearer") != 0)
		return -EBADMSG;
	*ret = t;
	t = (struct oidc_tokens){NULL};
	return 0;
}

const char *oidc_error_word(const char *error)
{
	static const char *const words[] = {"access_denied", "account_selection_required",
	    "consent_required", "interaction_required", "invalid_client", "invalid_grant",
	    "invalid_request", "invalid_scope", "login_required", "server_error",
	    "temporarily_unavailable", "unauthorized_client", "unsupported_grant_type",
	    "unsupported_response_type"};

	for (size_t i = 0; error && i < ARRAY_SIZE(words); i++)
		if (strcmp(error, words[i]) == 0)
			return words[i];
	return "other";
}

const char *oidc_error_parse(const char *text, size_t len)
{
	json_auto_t *o = NULL;

	if (object_load(text, len, &o) < 0)
		return "other";
	return oidc_error_word(json_string_value(json_object_get(o, "error")));
}

/* ---- claims ---------------------------------------------------------------------------------- */

const json_t *oidc_claim(const json_t *claims, const char *path)
{
	while (json_is_object(claims)) {
		const json_t *v = json_object_get(claims, path);
		size_t n = strcspn(path, ".");

		if (v || !path[n])
			return v;
		char name[256];
		if (n >= sizeof(name))
			return NULL;
		memcpy(name, path, n);
		name[n] = '\0';
		claims = json_object_get(claims, name);
		path += n + 1;
	}
	return NULL;
}
