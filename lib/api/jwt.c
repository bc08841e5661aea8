/* SPDX-License-Identifier: MIT */
#include "api/jwt.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include "base/buf.h"
#include "base/encode.h"

static const struct {
	const char *name, *text;
} faults[JWT_FAULTS] = {
    [JWT_OK] = {"ok", "the token is good"},
    [JWT_NO_MEMORY] = {"no_memory", "there was no memory to check the token"},
    [JWT_SIZE] = {"size", "the token is empty or too long"},
    [JWT_FORM] = {"form", "the token is not three parts of base64url with JSON objects in them"},
    [JWT_DUPLICATE] = {"duplicate_member", "a member of the token's JSON stands there twice"},
    [JWT_ENCRYPTED] = {"encrypted", "the token is encrypted; only signed ones are taken"},
    [JWT_ALGORITHM] = {"algorithm", "the token's algorithm is none of RS256, ES256 and EdDSA"},
    [JWT_CRITICAL] = {"critical", "the token demands an extension that is not known here"},
    [JWT_EMBEDDED_KEY] = {"embedded_key", "the token brings its own key"},
    [JWT_HEADER] = {"header", "the token's header is not that of an ID token"},
    [JWT_NO_KEY] = {"no_key", "the provider's key set has no key for the token"},
    [JWT_KEY_MISFIT] = {"key_misfit", "the key that the token names is for another algorithm"},
    [JWT_KEY_AMBIGUOUS] = {"key_ambiguous", "several keys of the provider fit the token"},
    [JWT_SIGNATURE] = {"signature", "the token's signature is wrong"},
    [JWT_ISSUER] = {"wrong_issuer", "the token is from another issuer"},
    [JWT_AUDIENCE] = {"wrong_audience", "the token is for another client"},
    [JWT_PARTY] = {"wrong_party", "the token's authorized party is missing or another client"},
    [JWT_SUBJECT] = {"subject",
	"the token's subject is missing or not 1 to 255 printable characters"},
    [JWT_TIME] = {"time", "a time in the token is missing or not a whole number of seconds"},
    [JWT_EXPIRED] = {"expired", "the token has expired: compare the clocks"},
    [JWT_FUTURE] = {"future", "the token was issued in the future: compare the clocks"},
    [JWT_TOO_OLD] = {"too_old", "the token was issued too long ago"},
    [JWT_NOT_YET] = {"not_yet", "the token is not valid yet: compare the clocks"},
    [JWT_NONCE] = {"wrong_nonce", "the token answers another login request"},
    [JWT_AUTH_TIME] = {"auth_time",
	"the login at the provider is too long ago, or its time is unknown"},
    [JWT_ACCESS_TOKEN] = {"wrong_access_token", "the token belongs to another access token"},
    [JWT_EVENT] = {"event", "the token does not say that somebody was logged out"},
    [JWT_ID] = {"token_id", "the token's own id is missing or not 1 to 255 printable characters"},
    [JWT_SESSION] = {"session", "the token names no session or one that cannot be read"},
};

const char *jwt_fault_name(enum jwt_fault f)
{
	return (size_t)f < ARRAY_SIZE(faults) ? faults[f].name : "unknown";
}

const char *jwt_fault_text(enum jwt_fault f)
{
	return (size_t)f < ARRAY_SIZE(faults) ? faults[f].text : "the token was refused";
}

/* ---- parts ----------------------------------------------------------------------------------- */

#define PARTS	  3
#define PARTS_JWE 5

struct part {
	const char *p;
	size_t n;
};

static enum jwt_fault token_split(const char *text, size_t len, struct part ret[static PARTS])
{
	struct part parts[PARTS_JWE] = {{text, len}};
	size_t n = 1;

	for (size_t i = 0; i < len; i++) {
		if (text[i] != '.')
			continue;
		if (n == PARTS_JWE)
			return JWT_FORM;
		parts[n - 1].n = (size_t)(text + i - parts[n - 1].p);
		parts[n++] = (struct part){text + i + 1, len - i - 1};
	}
	if (n != PARTS)
		return n == PARTS_JWE ? JWT_ENCRYPTED : JWT_FORM;
	memcpy(ret, parts, PARTS * sizeof(*parts));
	return JWT_OK;
}

static enum jwt_fault part_json(struct part part, json_t **ret)
{
	_cleanup_buf_ struct buf b = BUF_INIT(JWT_MAX);
	json_error_t error;

	if (part.n == 0)
		return JWT_FORM;
	if (!buf_extend(&b, part.n))
		return JWT_NO_MEMORY;
	ssize_t n = base64url_decode(part.p, part.n, b.data, part.n);
	if (n < 0)
		return JWT_FORM;
	/* Without JSON_ALLOW_NUL: a text can be compared as a C string. */
	json_auto_t *json = json_loadb((char *)b.data, (size_t)n, JSON_REJECT_DUPLICATES, &error);
	if (!json) {
		enum json_error_code code = json_error_code(&error);
		if (code == json_error_out_of_memory)
			return JWT_NO_MEMORY;
		return code == json_error_duplicate_key ? JWT_DUPLICATE : JWT_FORM;
	}
	if (!json_is_object(json))
		return JWT_FORM;
	*ret = TAKE_PTR(json);
	return JWT_OK;
}

/* ---- header, key, signature ------------------------------------------------------------------ */

static enum jwt_fault header_check(const json_t *header, enum jwk_alg *ret)
{
	static const struct {
		const char *name;
		enum jwt_fault fault;
	} refused[] = {
	    {"enc", JWT_ENCRYPTED},
	    {"crit", JWT_CRITICAL},
	    {"jwk", JWT_EMBEDDED_KEY},
	    {"cty", JWT_HEADER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		if (json_object_get(header, refused[i].name))
			return refused[i].fault;
	}
	enum jwk_alg alg = jwk_alg_named(json_string_value(json_object_get(header, "alg")));
	if (alg == JWK_ALG_NONE)
		return JWT_ALGORITHM;
	const json_t *kid = json_object_get(header, "kid");
	if (kid && !json_is_string(kid))
		return JWT_HEADER;
	*ret = alg;
	return JWT_OK;
}

static enum jwt_fault key_find(
    const struct jwks *keys, const json_t *header, enum jwk_alg alg, const struct jwk **ret)
{
	const char *kid = json_string_value(json_object_get(header, "kid"));

	switch (jwks_find(keys, kid, alg, ret)) {
	case 0:
		return JWT_OK;
	case -EKEYREJECTED:
		return JWT_KEY_MISFIT;
	case -ENOTUNIQ:
		return JWT_KEY_AMBIGUOUS;
	default:
		return JWT_NO_KEY;
	}
}

static enum jwt_fault signature_check(const struct jwk *key, const struct part parts[static PARTS])
{
	uint8_t sig[JWKS_SIG_MAX];
	ssize_t n = base64url_decode(parts[2].p, parts[2].n, sig, sizeof(sig));

	if (n == -EINVAL)
		return JWT_FORM;
	if (n < 0)
		return JWT_SIGNATURE;
	size_t signed_len = (size_t)(parts[2].p - parts[0].p) - 1;
	return jwk_verify(key, parts[0].p, signed_len, sig, (size_t)n) == 0 ? JWT_OK
									    : JWT_SIGNATURE;
}

static enum jwt_fault token_open(
    const char *text, size_t len, const struct jwks *keys, struct jwt *t)
{
	struct part parts[PARTS];
	const struct jwk *key = NULL;

	if (len == 0 || len > JWT_MAX)
		return JWT_SIZE;
	enum jwt_fault f = token_split(text, len, parts);
	if (!f)
		f = part_json(parts[0], &t->header);
	if (!f)
		f = header_check(t->header, &t->alg);
	if (!f)
		f = key_find(keys, t->header, t->alg, &key);
	if (!f)
		f = signature_check(key, parts);
	if (!f)
		f = part_json(parts[1], &t->claims);
	return f;
}

int jwt_open(const char *text, size_t len, const struct jwks *keys, struct jwt *ret,
    enum jwt_fault *ret_fault)
{
	_cleanup_jwt_ struct jwt t = {0};

	*ret_fault = token_open(text, len, keys, &t);
	if (*ret_fault)
		return *ret_fault == JWT_NO_MEMORY ? -ENOMEM : -EKEYREJECTED;
	*ret = t;
	t = (struct jwt){0};
	return 0;
}

void jwt_clear(struct jwt *t)
{
	json_decref(t->header);
	json_decref(t->claims);
	*t = (struct jwt){0};
}
