/* SPDX-License-Identifier: MIT */
#include "api/id_token.h"

#include <errno.h>
#include <string.h>
#include <openssl/evp.h>
#include "api/claims.h"
#include "base/encode.h"
#include "base/name.h"
#include "base/secret.h"

/* What the checks look at, and what they find out. */
struct context {
	const json_t *claims;
	const struct id_token_expect *want;
	enum jwk_alg alg;
	struct id_token *found;
};

static const char *claim_text(const struct context *c, const char *name)
{
	return json_string_value(json_object_get(c->claims, name));
}

static bool text_equal(const char *a, const char *b)
{
	size_t n = strlen(b);
	return a && strlen(a) == n && secret_equal(a, b, n);
}

/* ---- who, and for whom ----------------------------------------------------------------------- */

static enum jwt_fault issuer_check(struct context *c)
{
	const char *iss = claim_text(c, "iss");
	if (!iss || strcmp(iss, c->want->issuer) != 0)
		return JWT_ISSUER;
	c->found->issuer = iss;
	return JWT_OK;
}

static enum jwt_fault audience_check(struct context *c)
{
	size_t n = claims_audience(c->claims, c->want->client_id);
	if (n == 0)
		return JWT_AUDIENCE;
	if (!json_object_get(c->claims, "azp"))
		return n == 1 ? JWT_OK : JWT_PARTY;
	const char *azp = claim_text(c, "azp");
	return azp && strcmp(azp, c->want->client_id) == 0 ? JWT_OK : JWT_PARTY;
}

static enum jwt_fault subject_check(struct context *c)
{
	const char *sub = claim_text(c, "sub");

	if (!claims_subject_ok(sub))
		return JWT_SUBJECT;
	c->found->subject = sub;
	return JWT_OK;
}

/* ---- when ------------------------------------------------------------------------------------ */

static enum jwt_fault times_check(struct context *c)
{
	const struct id_token_expect *want = c->want;
	int64_t exp = 0, iat = 0, nbf = 0;
	int64_t max_age = want->max_token_age ? want->max_token_age : ID_TOKEN_MAX_AGE;

	if (claims_time(c->claims, "exp", true, &exp) ||
	    claims_time(c->claims, "iat", true, &iat) || claims_time(c->claims, "nbf", false, &nbf))
		return JWT_TIME;
	if (want->now >= exp + ID_TOKEN_LEEWAY)
		return JWT_EXPIRED;
	if (iat - ID_TOKEN_LEEWAY > want->now)
		return JWT_FUTURE;
	if (want->now - iat - ID_TOKEN_LEEWAY > max_age)
		return JWT_TOO_OLD;
	if (nbf - ID_TOKEN_LEEWAY > want->now)
		return JWT_NOT_YET;
	c->found->expires = exp;
	c->found->issued = iat;
	return JWT_OK;
}

static enum jwt_fault login_check(struct context *c)
{
	int64_t at = 0, max_age = c->want->max_login_age;

	if (claims_time(c->claims, "auth_time", false, &at))
		return JWT_TIME;
	if (at - ID_TOKEN_LEEWAY > c->want->now)
		return JWT_AUTH_TIME;
	if (max_age && (!at || c->want->now - at - ID_TOKEN_LEEWAY > max_age))
		return JWT_AUTH_TIME;
	c->found->auth_time = at;
	return JWT_OK;
}

/* ---- for which login ------------------------------------------------------------------------- */

static enum jwt_fault nonce_check(struct context *c)
{
	if (!c->want->nonce)
		return json_object_get(c->claims, "nonce") ? JWT_NONCE : JWT_OK;
	return text_equal(claim_text(c, "nonce"), c->want->nonce) ? JWT_OK : JWT_NONCE;
}

static enum jwt_fault access_token_check(struct context *c)
{
	const EVP_MD *md = c->alg == JWK_EDDSA ? EVP_sha512() : EVP_sha256();
	uint8_t hash[EVP_MAX_MD_SIZE];
	char text[BASE64URL_LEN(EVP_MAX_MD_SIZE) + 1];
	const char *access = c->want->access_token;
	unsigned n = 0;

	if (!access || !json_object_get(c->claims, "at_hash"))
		return JWT_OK;
	if (EVP_Digest(access, strlen(access), hash, &n, md, NULL) != 1)
		return JWT_NO_MEMORY;
	base64url_encode(hash, n / 2, text);
	return text_equal(claim_text(c, "at_hash"), text) ? JWT_OK : JWT_ACCESS_TOKEN;
}

/* ---- what it says about the person ----------------------------------------------------------- */

static bool line_ok(const char *s, size_t max)
{
	if (!s || strlen(s) > max)
		return false;
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	}
	return true;
}

static bool groups_ok(const json_t *groups)
{
	if (!json_is_array(groups))
		return false;
	for (size_t i = 0; i < json_array_size(groups); i++) {
		const char *g = json_string_value(json_array_get(groups, i));
		if (!line_ok(g, ID_TOKEN_GROUP_MAX) || !*g)
			return false;
	}
	return true;
}

static void person_read(const struct context *c)
{
	const char *email = claim_text(c, "email"), *name = claim_text(c, "name");
	const json_t *groups =
	    json_object_get(c->claims, c->want->groups_claim ? c->want->groups_claim : "groups");
	struct id_token *t = c->found;

	t->email = email && email_valid(email) ? email : NULL;
	t->email_verified = t->email && json_is_true(json_object_get(c->claims, "email_verified"));
	t->name = line_ok(name, ID_TOKEN_NAME_MAX) ? name : NULL;
	if (!groups)
		return;
	t->groups_state = groups_ok(groups) ? ID_TOKEN_GROUPS_GIVEN : ID_TOKEN_GROUPS_BAD;
	t->groups = t->groups_state == ID_TOKEN_GROUPS_GIVEN ? groups : NULL;
}

/* ---- altogether ------------------------------------------------------------------------------ */

static enum jwt_fault claims_check(struct context *c)
{
	static enum jwt_fault (*const checks[])(struct context *) = {issuer_check, audience_check,
	    subject_check, times_check, nonce_check, login_check, access_token_check};

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		enum jwt_fault f = checks[i](c);
		if (f)
			return f;
	}
	person_read(c);
	return JWT_OK;
}

static bool expect_ok(const struct id_token_expect *want)
{
	return want->issuer && *want->issuer && want->client_id && *want->client_id &&
	       (!want->nonce || *want->nonce) && want->now > 0 && want->now < CLAIMS_TIME_MAX &&
	       want->max_token_age >= 0 && want->max_login_age >= 0;
}

int id_token_open(const char *text, size_t len, const struct jwks *keys,
    const struct id_token_expect *want, struct id_token *ret, enum jwt_fault *ret_fault)
{
	_cleanup_jwt_ struct jwt jwt = {0};
	struct id_token found = {0};

	if (!expect_ok(want))
		return -EINVAL;
	int r = jwt_open(text, len, keys, &jwt, ret_fault);
	if (r < 0)
		return r;
	struct context c = {jwt.claims, want, jwt.alg, &found};
	*ret_fault = claims_typ_is(jwt.header, NULL) ? JWT_OK : JWT_HEADER;
	if (!*ret_fault)
		*ret_fault = claims_check(&c);
	if (*ret_fault)
		return *ret_fault == JWT_NO_MEMORY ? -ENOMEM : -EKEYREJECTED;
	found.claims = TAKE_PTR(jwt.claims);
	*ret = found;
	return 0;
}

void id_token_clear(struct id_token *t)
{
	json_decref(t->claims);
	*t = (struct id_token){0};
}
