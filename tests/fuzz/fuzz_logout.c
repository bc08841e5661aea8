/* SPDX-License-Identifier: MIT */
/*
 * Logout tokens: "HEADER NUL CLAIMS", signed here with a fixed key, so that the fuzzer reaches the
 * claims; what a token looks like is fuzz_jwt's.
 */
#include <stdlib.h>
#include <string.h>
#include "api/logout_token.h"
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

/* What was taken is a logout of ours, now. */
static void check_taken(const struct logout_token *t)
{
	const json_t *events = json_object_get(t->claims, "events");
	int64_t iat = json_integer_value(json_object_get(t->claims, "iat"));

	if (!json_is_object(json_object_get(events, LOGOUT_TOKEN_EVENT)) ||
	    json_object_get(t->claims, "nonce") || !t->id || !*t->id || (!t->subject && !t->sid) ||
	    iat > NOW + ID_TOKEN_LEEWAY || t->forget_at <= NOW)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char token[FORGE_TOKEN_MAX];
	struct logout_token t = {NULL};
	enum jwt_fault fault = JWT_FAULTS;
	const uint8_t *nul = memchr(data, '\0', size);

	if (!keys)
		keys_make();
	if (!nul || size > FORGE_TOKEN_MAX / 2)
		return 0;
	size_t n = forge_token_n(signer, false, data, (size_t)(nul - data), nul + 1,
	    size - (size_t)(nul + 1 - data), token);
	int r = logout_token_open(token, n, keys, "https://i", "c", NOW, &t, &fault);
	if ((r == 0) != (fault == JWT_OK) || fault >= JWT_FAULTS)
		abort();
	if (r == 0)
		check_taken(&t);
	logout_token_clear(&t);
	return 0;
}
