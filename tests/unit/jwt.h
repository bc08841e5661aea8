/* SPDX-License-Identifier: MIT */
#ifndef UNIT_JWT_H
#define UNIT_JWT_H

/*
 * Tokens of a provider that has a key of each kind, and of a stranger: make() signs one, fault_of()
 * says what id_token_open() finds wrong with it.
 */
#include <openssl/err.h>
#include "api/id_token.h"
#include "test.h"
#include "tests/jwt_forge.h"

#define NOW    1800000000
#define ISSUER "https://idp.uni.edu"
#define CLIENT "prism"

enum signer { BY_RSA, BY_EC, BY_ED, BY_STRANGER, SIGNERS };

static EVP_PKEY *signers[SIGNERS];
static struct jwks *provider;
static char token[FORGE_TOKEN_MAX];

#define RS256 "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"JWT\"}"
#define ES256 "{\"alg\":\"ES256\",\"kid\":\"ec\"}"
#define EDDSA "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}"

static inline int set_parse(const char *text, struct jwks **ret)
{
	return jwks_parse(text, strlen(text), ret);
}

static inline void setup(void)
{
	char rsa[2048], ec[512], ed[512], set[4096];

	if (provider)
		return;
	signers[BY_RSA] = forge_rsa(2048);
	signers[BY_EC] = forge_ec("P-256");
	signers[BY_ED] = forge_ed(1);
	signers[BY_STRANGER] = forge_rsa(2048);
	forge_jwk(signers[BY_RSA], ",\"kid\":\"rsa\",\"use\":\"sig\",\"alg\":\"RS256\"", rsa,
	    sizeof(rsa));
	forge_jwk(signers[BY_EC], ",\"kid\":\"ec\",\"key_ops\":[\"verify\"]", ec, sizeof(ec));
	forge_jwk(signers[BY_ED], ",\"kid\":\"ed\"", ed, sizeof(ed));
	snprintf(
	    set, sizeof(set), "{\"keys\":[%s,%s,%s,{\"kty\":\"new\"}],\"more\":1}", rsa, ec, ed);
	EXPECT_INT(set_parse(set, &provider), 0);
	EXPECT_INT(jwks_count(provider), 3);
	EXPECT_INT(jwks_skipped(provider), 1);
}

__attribute__((destructor)) static void teardown(void)
{
	for (size_t i = 0; i < SIGNERS; i++)
		EVP_PKEY_free(signers[i]);
	jwks_free(provider);
}

/* A signed token in token[]. */
static inline const char *make(enum signer s, const char *header, const char *claims)
{
	setup();
	forge_token_n(signers[s], false, header, strlen(header), claims, strlen(claims), token);
	return token;
}

static inline struct id_token_expect expected(void)
{
	return (struct id_token_expect){.issuer = ISSUER, .client_id = CLIENT, .now = NOW};
}

static inline enum jwt_fault open_n(const char *text, size_t n, const struct id_token_expect *want)
{
	struct id_token t = {0};
	enum jwt_fault f = JWT_FAULTS;
	int r = id_token_open(text, n, provider, want, &t, &f);

	EXPECT_INT(r, f == JWT_OK ? 0 : -EKEYREJECTED);
	EXPECT((t.claims != NULL) == (r == 0));
	EXPECT_INT(ERR_peek_error(), 0);
	id_token_clear(&t);
	return f;
}

static inline enum jwt_fault fault_of(const char *text)
{
	struct id_token_expect want = expected();

	setup();
	return open_n(text, strlen(text), &want);
}

#define EXPECT_FAULT(got, want) EXPECT_STR(jwt_fault_name(got), jwt_fault_name(want))

#define SUB   ",\"sub\":\"u-1\""
#define TIMES ",\"exp\":1800000300,\"iat\":1799999990"
#define AUD   ",\"aud\":\"prism\""
#define ISS   "{\"iss\":\"" ISSUER "\""
#define GOOD  ISS AUD SUB TIMES "}"

#endif
