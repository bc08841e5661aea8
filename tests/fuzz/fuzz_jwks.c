/* SPDX-License-Identifier: MIT */
/* What an identity provider publishes: a JWK Set; no key in it may verify nonsense. */
#include <stdlib.h>
#include <string.h>
#include "api/jwks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever key the fuzzer makes up, signatures that anybody can write down are wrong. */
static void check_key(const struct jwk *k)
{
	static const uint8_t fills[] = {0x00, 0x01, 0xff};
	static const size_t sizes[] = {0, 64, 256, 1024};
	uint8_t sig[JWKS_SIG_MAX];

	for (size_t f = 0; f < sizeof(fills); f++) {
		memset(sig, fills[f], sizeof(sig));
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			/* A point of small order is a key for which much is a signature. */
			if (jwk_algorithm(k) == JWK_EDDSA)
				continue;
			if (jwk_verify(k, "text", 4, sig, sizes[s]) == 0)
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct jwk *found = NULL;
	struct jwks *set = NULL;

	if (jwks_parse((const char *)data, size, &set) < 0)
		return 0;
	if (jwks_count(set) + jwks_skipped(set) > JWKS_KEYS_MAX)
		abort();
	for (size_t i = 0; i < jwks_count(set); i++) {
		enum jwk_alg alg = jwk_algorithm(jwks_at(set, i));
		if (alg == JWK_ALG_NONE)
			abort();
		if (jwks_find(set, NULL, alg, &found) == 0 && found != jwks_at(set, i))
			abort();
		check_key(jwks_at(set, i));
	}
	jwks_free(set);
	return 0;
}
