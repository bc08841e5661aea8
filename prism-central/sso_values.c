/* SPDX-License-Identifier: MIT */
#include "sso_values.h"

#include <curl/curl.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "sso_certificate.h"

#define OIDC (1u << SSO_OIDC)
#define SAML (1u << SSO_SAML)

void sso_values_init(struct sso_values *v)
{
	*v = (struct sso_values){
	    .certificates = BUF_INIT(SSO_PEM_MAX),
	    .sp_key = BUF_INIT(SSO_PEM_MAX),
	    .sp_certificate = BUF_INIT(SSO_PEM_MAX),
	};
}

void sso_values_clear(struct sso_values *v)
{
	sso_connection_clear(&v->c);
	buf_free(&v->certificates);
	buf_free(&v->sp_key);
	buf_free(&v->sp_certificate);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void urlp(CURLU **u)
{
	curl_url_cleanup(*u);
}

static void curl_textp(char **s)
{
	curl_free(*s);
}
#define _cleanup_curl_text_ _cleanup_(curl_textp)

static bool loopback(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
	       strcmp(host, "[::1]") == 0;
}

static bool plain_ascii(const char *s)
{
	for (; *s; s++)
		if (*s <= 0x20 || *s >= 0x7f || strchr("\"<>\\^`{|}", *s))
			return false;
	return true;
}

bool sso_url_valid(const char *url, bool query, bool allow_private)
{
	_cleanup_(urlp) CURLU *u = curl_url();
	_cleanup_curl_text_ char *scheme = NULL, *host = NULL, *rest = NULL, *fragment = NULL;

	if (!u || strlen(url) >= SSO_URL_MAX || !plain_ascii(url) ||
	    curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return false;
	if (curl_url_get(u, CURLUPART_FRAGMENT, &fragment, 0) == CURLUE_OK || strchr(url, '#'))
		return false;
	if (!query && strchr(url, '?'))
		return false;
	if (strcmp(scheme, "https") == 0)
		return true;
	return strcmp(scheme, "http") == 0 && allow_private && loopback(host);
}

/* ---- single texts ---------------------------------------------------------------------------- */

static bool name_ok(const struct act *a, const struct sso_connection *c, const char *s)
{
	return s[0] && gecos_valid(s);
}

static bool issuer_ok(const struct act *a, const struct sso_connection *c, const char *s)
{
	if (!s[0])
		return true;
	if (c->type == SSO_SAML)
		return plain_ascii(s);
	return sso_url_valid(s, false, a->rq->central->config.sso_private);
}

static bool client_ok(const struct act *a, const struct sso_connection *c, const char *s)
{
	return text_valid(s, 255);
}

static bool entry_ok(const struct act *a, const struct sso_connection *c, const char *s)
{
	return !s[0] || sso_url_valid(s, true, a->rq->central->config.sso_private);
}

/* RFC 6749 §3.3: tokens, one space between two; one of them is "openid". */
static bool scopes_ok(const struct act *a, const struct sso_connection *c, const char *s)
{
	bool openid = false;

	for (;;) {
		size_t n = strcspn(s, " ");
		if (n == 0)
			return false;
		for (size_t i = 0; i < n; i++)
			if (s[i] <= 0x20 || s[i] >= 0x7f || s[i] == '"' || s[i] == '\\')
				return false;
		openid |= n == 6 && memcmp(s, "openid", 6) == 0;
		if (!s[n])
			return openid;
		s += n + 1;
	}
}

#define AT(member) \
	offsetof(struct sso_connection, member), sizeof(((struct sso_connection *)0)->member)

static const struct text_field {
	const char *name;
	unsigned types;
	size_t at, size;
	bool (*ok)(const struct act *, const struct sso_connection *, const char *);
	const char *none; /* what null makes of it; NULL: it cannot be taken away */
	const char *rule;
} text_fields[] = {
    {"name", OIDC | SAML, AT(name), name_ok, NULL,
	"is one line of at most 128 bytes, without colons."},
    {"issuer", OIDC | SAML, AT(issuer), issuer_ok, "",
	"is an https address without a query (SAML: the provider's entity id), below 512 "
	"characters."},
    {"client_id", OIDC, AT(client_id), client_ok, "", "is one line of at most 255 characters."},
    {"scopes", OIDC, AT(scopes), scopes_ok, SSO_SCOPES_TEXT,
	"is a list of words with one space between, one of them openid."},
    {"entry_point", SAML, AT(entry_point), entry_ok, "",
	"is an https address, below 512 characters."},
};

static int text_apply(struct act *a, struct sso_connection *c, const struct text_field *f)
{
	const char *s;

	if (!json_object_get(a->rq->body, f->name))
		return 0;
	if (!(f->types & 1u << c->type))
		return act_fail(a, API_INVALID_VALUE, "\"%s\" is not for this type.", f->name);
	bool fits = body_string(a->rq, f->name, &s);
	if (fits && !s)
		s = f->none;
	if (!fits || !s || strlen(s) >= f->size || !f->ok(a, c, s))
		return act_fail(a, API_INVALID_VALUE, "\"%s\" %s", f->name, f->rule);
	memcpy((char *)c + f->at, s, strlen(s) + 1);
	return 0;
}

static const struct {
	const char *name;
	size_t at;
} flag_fields[] = {
    {"enabled", offsetof(struct sso_connection, enabled)},
    {"enforce_sso", offsetof(struct sso_connection, enforce_sso)},
    {"auto_provision", offsetof(struct sso_connection, auto_provision)},
};

static int flags_apply(struct act *a, struct sso_connection *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(flag_fields); i++) {
		const json_t *v = json_object_get(a->rq->body, flag_fields[i].name);
		if (v && !json_is_boolean(v))
			return act_fail(
			    a, API_INVALID_VALUE, "\"%s\" is true or false.", flag_fields[i].name);
		if (v)
			*(bool *)((char *)c + flag_fields[i].at) = json_is_true(v);
	}
	return 0;
}

/* ---- the mapping ----------------------------------------------------------------------------- */

static const char *const mapped[] = {"email", "name", "username", "role", "groups"};

static bool word_known(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(mapped); i++)
		if (strcmp(mapped[i], word) == 0)
			return true;
	return false;
}

static int mapping_apply(struct act *a, struct sso_connection *c)
{
	json_t *m = json_object_get(a->rq->body, "mapping"), *v;
	const char *word;

	if (!m)
		return 0;
	if (!json_is_null(m) && !json_is_object(m))
		return act_fail(a, API_INVALID_VALUE, "\"mapping\" is an object.");
	json_object_foreach(m, word, v)
	{
		const char *claim = json_string_value(v);
		size_t n = json_string_length(v);
		if (!word_known(word))
			return act_fail(a, API_INVALID_VALUE,
			    "\"mapping\" knows email, name, username, role and groups.");
		if (n == 0 || n > SSO_CLAIM_MAX || strlen(claim) != n || !plain_ascii(claim))
			return act_fail(a, API_INVALID_VALUE,
			    "\"mapping\": a claim is a word of at most %d characters.",
			    SSO_CLAIM_MAX);
	}
	json_decref(c->mapping);
	c->mapping = json_is_object(m) ? json_deep_copy(m) : json_object();
	return c->mapping ? 0 : -ENOMEM;
}

/* ---- roles ----------------------------------------------------------------------------------- */

static int role_check(struct tx *t, struct act *a, const char *slug, int64_t *ret)
{
	struct role role;
	int r = slug ? sso_role_find(t, a->authz.org, slug, &role) : -ENOENT;

	if (r == -ENOENT)
		return act_fail(a, API_INVALID_VALUE,
		    "There is no role \"%.40s\" in this organization.", slug ? slug : "?");
	if (r == 0 && role.rank > a->authz.rank)
		return act_fail(a, API_ROLE_TOO_HIGH, NULL);
	if (r == 0 && ret)
		*ret = role.id;
	return r;
}

static int default_role_apply(struct tx *t, struct act *a, struct sso_connection *c)
{
	const json_t *v = json_object_get(a->rq->body, "default_role");
	struct role role;

	if (v || !c->default_role)
		return role_check(t, a,
		    v && !json_is_null(v) ? request_str(a->rq, "default_role") : SSO_ROLE_DEFAULT,
		    &c->default_role);
	/* Whoever changes a connection answers for what it gives away. */
	int r = sso_role_by_id(t, c->default_role, &role);
	if (r == 0 && role.rank > a->authz.rank)
		return act_fail(a, API_ROLE_TOO_HIGH, NULL);
	return r;
}

static int allowed_roles_apply(struct tx *t, struct act *a, struct sso_connection *c)
{
	json_t *list = json_object_get(a->rq->body, "allowed_roles");
	const json_t *slug;
	size_t i;
	int r = 0;

	if (list && !json_is_null(list) &&
	    (!json_is_array(list) || json_array_size(list) > SSO_ROLES_MAX))
		return act_fail(a, API_INVALID_VALUE,
		    "\"allowed_roles\" is a list of at most %d roles.", SSO_ROLES_MAX);
	if (list || !c->allowed_roles) {
		json_decref(c->allowed_roles);
		c->allowed_roles = json_is_array(list) ? json_deep_copy(list) : json_array();
	}
	if (!c->allowed_roles)
		return -ENOMEM;
	json_array_foreach(c->allowed_roles, i, slug)
	{
		r = role_check(t, a, json_string_value(slug), NULL);
		if (r < 0)
			break;
	}
	return r;
}

/* ---- secrets and the whole ------------------------------------------------------------------- */

static int read_secret(struct act *a, struct sso_values *v)
{
	v->secret = json_object_get(a->rq->body, "client_secret") != NULL;
	if (!body_string(a->rq, "client_secret", &v->client_secret) ||
	    (v->client_secret &&
		(!v->client_secret[0] || strlen(v->client_secret) > SSO_SECRET_MAX ||
		    !text_valid(v->client_secret, SSO_SECRET_MAX))))
		return act_fail(a, API_INVALID_VALUE,
		    "\"client_secret\" is one line of at most %d bytes.", SSO_SECRET_MAX);
	return 0;
}

int sso_values_prepare(struct act *a, struct sso_values *v, const char *make)
{
	const char *pem;
	char why[160] = "", name[SLUG_MAX + 16];
	int r = read_secret(a, v);

	v->certificate = json_object_get(a->rq->body, "certificate") != NULL;
	if (r == 0 &&
	    (!body_string(a->rq, "certificate", &pem) || (pem && strlen(pem) >= SSO_PEM_MAX)))
		return act_fail(a, API_INVALID_VALUE, "\"certificate\" is text in PEM.");
	if (r == 0 && pem) {
		r = sso_certificates_read(pem, &v->certificates, why, sizeof(why));
		if (r == -EINVAL)
			return act_fail(a, API_INVALID_VALUE, "\"certificate\": %s", why);
	}
	if (r < 0 || !make)
		return r;
	snprintf(name, sizeof(name), "prism %s", make);
	return sso_certificate_make(name, &v->sp_key, &v->sp_certificate);
}

static int complete(struct act *a, const struct sso_values *v, bool has_certificate)
{
	const struct sso_connection *c = &v->c;
	bool certificate = v->certificate ? v->certificates.len > 0 : has_certificate;

	if (!c->enabled)
		return 0;
	if (c->type == SSO_OIDC && (!c->issuer[0] || !c->client_id[0]))
		return act_fail(a, API_INVALID_VALUE,
		    "\"issuer\" and \"client_id\" are needed before it can be enabled.");
	if (c->type == SSO_SAML && (!c->issuer[0] || !c->entry_point[0] || !certificate))
		return act_fail(a, API_INVALID_VALUE,
		    "\"issuer\", \"entry_point\" and \"certificate\" are needed before it can be "
		    "enabled.");
	return 0;
}

static int texts_apply(struct act *a, struct sso_connection *c)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(text_fields); i++)
		r = text_apply(a, c, &text_fields[i]);
	return r;
}

/* What belongs to one type of connection alone. */
static int types_check(struct act *a, const struct sso_values *v)
{
	if (v->secret && v->c.type != SSO_OIDC)
		return act_fail(a, API_INVALID_VALUE, "\"client_secret\" is not for this type.");
	if (v->certificate && v->c.type != SSO_SAML)
		return act_fail(a, API_INVALID_VALUE, "\"certificate\" is not for this type.");
	return 0;
}

static int domains_check(struct act *a, struct sso_values *v)
{
	v->domains = json_object_get(a->rq->body, "domains");
	if (v->domains &&
	    (!json_is_array(v->domains) || json_array_size(v->domains) > SSO_DOMAINS_MAX))
		return act_fail(
		    a, API_INVALID_VALUE, "\"domains\" is a list of at most %d.", SSO_DOMAINS_MAX);
	return 0;
}

int sso_values_apply(struct tx *t, struct act *a, struct sso_values *v, bool has_certificate)
{
	struct sso_connection *c = &v->c;
	int r = texts_apply(a, c);

	if (r == 0)
		r = flags_apply(a, c);
	if (r == 0)
		r = types_check(a, v);
	if (r == 0)
		r = mapping_apply(a, c);
	if (r == 0)
		r = default_role_apply(t, a, c);
	if (r == 0)
		r = allowed_roles_apply(t, a, c);
	if (r == 0)
		r = domains_check(a, v);
	return r ? r : complete(a, v, has_certificate);
}

json_t *sso_values_detail(const struct request *rq)
{
	static const char *const told[] = {"type", "name", "issuer", "client_id", "scopes",
	    "entry_point", "mapping", "enabled", "enforce_sso", "auto_provision", "default_role",
	    "allowed_roles", "domains"};
	static const char *const secret[] = {"client_secret", "certificate"};
	json_t *detail = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		const json_t *v = json_object_get(rq->body, told[i]);
		if (v)
			json_object_set_new(detail, told[i], json_deep_copy(v));
	}
	for (size_t i = 0; i < ARRAY_SIZE(secret); i++) {
		const json_t *v = json_object_get(rq->body, secret[i]);
		if (v)
			json_object_set_new(
			    detail, secret[i], json_string(json_is_null(v) ? "removed" : "set"));
	}
	return detail;
}
