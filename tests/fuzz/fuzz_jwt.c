/* SPDX-License-Identifier: MIT */
/*
 * ID tokens. The first byte chooses: odd, and the rest is a token as it comes; even, and the rest
 * is "HEADER NUL CLAIMS", signed here with a fixed key, so that the fuzzer reaches the claims.
 */
#include <stdlib.h>
#include <string.h>
#include "api/id_token.h"
#include "tests/jwt_forge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1800000000

static struct jwks *keys;
static EVP_PKEY *signer;

static void keys_make(void)
{
	char jwk[512], set[600];

	signer = forge_ed(7);
	forge_jwk(signer, ",\"kid\":\"k\"", jwk, sizeof(jwk));
	snprintf(set, sizeof(set), "{\"keys\":[%s]}", jwk);
	if (jwks_parse(set, strlen(set), &keys) < 0)
		abort();
}

static const char *text(const json_t *claims, const char *name)
{
	const char *s = json_string_value(json_object_get(claims, name));
	return s ? s : "";
}

/* What was taken is what was asked for, whatever way it came. */
static void check_taken(const struct id_token *t, const struct id_token_expect *want)
{
	if (strcmp(text(t->claims, "iss"), want->issuer) != 0 || !*t->subject ||
	    strlen(t->subject) > ID_TOKEN_SUBJECT_MAX || t->expires + ID_TOKEN_LEEWAY <= NOW ||
	    t->issued > NOW + ID_TOKEN_LEEWAY ||
	    strcmp(text(t->claims, "nonce"), want->nonce ? want->nonce : "") != 0)
		abort();
	const json_t *aud = json_object_get(t->claims, "aud");
	const json_t *azp = json_object_get(t->claims, "azp");
	if ((azp && strcmp(text(t->claims, "azp"), want->client_id) != 0) ||
	    (json_array_size(aud) > 1 && !azp) || (json_is_array(aud) && !json_array_size(aud)) ||
	    (json_is_string(aud) && strcmp(text(t->claims, "aud"), want->client_id) != 0))
		abort();
	if ((t->groups_state == ID_TOKEN_GROUPS_GIVEN) != (t->groups != NULL) ||
	    (t->email_verified && !t->email))
		abort();
}

static void open_one(const char *token, size_t len, const struct id_token_expect *want)
{
	struct id_token t = {0};
	enum jwt_fault fault = JWT_FAULTS;
	int r = id_token_open(token, len, keys, want, &t, &fault);

	if ((r == 0) != (fault == JWT_OK) || fault >= JWT_FAULTS)
		abort();
	if (r == 0)
		check_taken(&t, want);
	id_token_clear(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct id_token_expect want = {.issuer = "https://i", .client_id = "c", .now = NOW};
	static char token[FORGE_TOKEN_MAX];

	if (!keys)
		keys_make();
	if (size < 1)
		return 0;
	if (data[0] & 2)
		want.nonce = "n";
	if (data[0] & 4)
		want.access_token = "a";
	if (data[0] & 8)
		want.max_login_age = 3600;
	if (data[0] & 1) {
		open_one((const char *)data + 1, size - 1, &want);
		return 0;
	}
	const uint8_t *header = data + 1, *nul = memchr(header, '\0', size - 1);
	if (!nul || size > FORGE_TOKEN_MAX / 2)
		return 0;
	size_t n = forge_token_n(signer, false, header, (size_t)(nul - header), nul + 1,
	    size - (size_t)(nul + 1 - data), token);
	open_one(token, n, &want);
	return 0;
}
