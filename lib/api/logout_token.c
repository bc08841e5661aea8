/* SPDX-License-Identifier: MIT */
#include "api/logout_token.h"

#include <errno.h>
#include <string.h>
#include "api/claims.h"

struct context {
	const json_t *claims;
	const char *issuer, *client_id;
	int64_t now;
	struct logout_token *found;
};

static const char *claim_text(const struct context *c, const char *name)
{
	return json_string_value(json_object_get(c->claims, name));
}

static enum jwt_fault parties_check(struct context *c)
{
	const char *iss = claim_text(c, "iss");

	if (!iss || strcmp(iss, c->issuer) != 0)
		return JWT_ISSUER;
	return claims_audience(c->claims, c->client_id) ? JWT_OK : JWT_AUDIENCE;
}

static enum jwt_fault times_check(struct context *c)
{
	int64_t iat = 0, exp = 0;

	if (claims_time(c->claims, "iat", true, &iat) || claims_time(c->claims, "exp", false, &exp))
		return JWT_TIME;
	if (iat - ID_TOKEN_LEEWAY > c->now)
		return JWT_FUTURE;
	if (c->now - iat - ID_TOKEN_LEEWAY > LOGOUT_TOKEN_MAX_AGE)
		return JWT_TOO_OLD;
	if (exp && c->now >= exp + ID_TOKEN_LEEWAY)
		return JWT_EXPIRED;
	c->found->forget_at = iat + LOGOUT_TOKEN_MAX_AGE + 2 * ID_TOKEN_LEEWAY;
	return JWT_OK;
}

static enum jwt_fault event_check(struct context *c)
{
	const json_t *events = json_object_get(c->claims, "events");

	return json_is_object(json_object_get(events, LOGOUT_TOKEN_EVENT)) ? JWT_OK : JWT_EVENT;
}

static enum jwt_fault id_check(struct context *c)
{
	c->found->id = claim_text(c, "jti");
	return claims_subject_ok(c->found->id) ? JWT_OK : JWT_ID;
}

/* A claim that is there must be readable: what it names must not stay logged in unnoticed. */
static enum jwt_fault whom_check(struct context *c)
{
	struct logout_token *t = c->found;

	t->subject = claim_text(c, "sub");
	t->sid = claim_text(c, "sid");
	if (json_object_get(c->claims, "sub") && !claims_subject_ok(t->subject))
		return JWT_SUBJECT;
	if (json_object_get(c->claims, "sid") && !claims_subject_ok(t->sid))
		return JWT_SESSION;
	return t->subject || t->sid ? JWT_OK : JWT_SESSION;
}

static enum jwt_fault nonce_check(struct context *c)
{
	return json_object_get(c->claims, "nonce") ? JWT_NONCE : JWT_OK;
}

static enum jwt_fault claims_check(struct context *c)
{
	static enum jwt_fault (*const checks[])(struct context *) = {
	    parties_check, times_check, event_check, id_check, whom_check, nonce_check};

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		enum jwt_fault f = checks[i](c);
		if (f)
			return f;
	}
	return JWT_OK;
}

int logout_token_open(const char *text, size_t len, const struct jwks *keys, const char *issuer,
    const char *client_id, int64_t now, struct logout_token *ret, enum jwt_fault *ret_fault)
{
	_cleanup_jwt_ struct jwt jwt = {0};
	struct logout_token found = {0};

	if (!issuer || !*issuer || !client_id || !*client_id || now <= 0 || now >= CLAIMS_TIME_MAX)
		return -EINVAL;
	int r = jwt_open(text, len, keys, &jwt, ret_fault);
	if (r < 0)
		return r;
	struct context c = {jwt.claims, issuer, client_id, now, &found};
	*ret_fault = claims_typ_is(jwt.header, "logout+jwt") ? claims_check(&c) : JWT_HEADER;
	if (*ret_fault)
		return -EKEYREJECTED;
	found.claims = TAKE_PTR(jwt.claims);
	*ret = found;
	return 0;
}

void logout_token_clear(struct logout_token *t)
{
	json_decref(t->claims);
	*t = (struct logout_token){0};
}
