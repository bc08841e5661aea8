/* SPDX-License-Identifier: MIT */

/* A token's signature and form. */
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include "jwt.h"

static char again[FORGE_TOKEN_MAX];
static const char *const headers[] = {RS256, ES256, EDDSA, RS256};

/* ---- forgeries ------------------------------------------------------------------------------- */

TEST("S3.16 honest tokens of the three algorithms are taken, with and without a kid")
{
	static const char *const bare[] = {
	    "{\"alg\":\"RS256\"}", "{\"alg\":\"ES256\"}", "{\"alg\":\"EdDSA\",\"typ\":\"jwt\"}"};

	for (size_t i = BY_RSA; i <= BY_ED; i++) {
		EXPECT_FAULT(fault_of(make((enum signer)i, headers[i], GOOD)), JWT_OK);
		EXPECT_FAULT(fault_of(make((enum signer)i, bare[i], GOOD)), JWT_OK);
	}
}

TEST("S3.16 every changed byte of a token makes it void")
{
	for (size_t s = BY_RSA; s <= BY_ED; s++) {
		size_t n = strlen(make((enum signer)s, headers[s], GOOD));
		for (size_t i = 0; i < n; i++) {
			memcpy(again, token, n + 1);
			again[i] = again[i] == 'A' ? 'B' : 'A';
			EXPECT(fault_of(again) != JWT_OK);
		}
	}
}

static void claims_replace(const char *claims)
{
	const char *dot = strchr(token, '.'), *sig = strrchr(token, '.');
	size_t n = (size_t)(dot + 1 - token);

	memcpy(again, token, n);
	base64url_encode(claims, strlen(claims), again + n);
	n = strlen(again);
	snprintf(again + n, sizeof(again) - n, "%s", sig);
}

TEST("S3.16 other claims under an honest signature, and a stranger's signature, are refused")
{
	for (size_t s = BY_RSA; s <= BY_ED; s++) {
		make((enum signer)s, headers[s], GOOD);
		claims_replace(GOOD);
		EXPECT_FAULT(fault_of(again), JWT_OK);
		claims_replace(ISS AUD ",\"sub\":\"root\"" TIMES "}");
		EXPECT_FAULT(fault_of(again), JWT_SIGNATURE);
	}
	EXPECT_FAULT(fault_of(make(BY_STRANGER, RS256, GOOD)), JWT_SIGNATURE);
}

TEST("S3.16 HS256 with the public key as the secret, as PEM and as JWK, is refused")
{
	static const char *const hs[] = {
	    "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", "{\"alg\":\"HS256\"}"};
	uint8_t mac[32], *pem = NULL;
	char jwk[2048];
	unsigned n = 0;

	setup();
	BIO *bio = BIO_new(BIO_s_mem());
	EXPECT_INT(PEM_write_bio_PUBKEY(bio, signers[BY_RSA]), 1);
	int pem_len = (int)BIO_get_mem_data(bio, (char **)&pem);
	forge_jwk(signers[BY_RSA], "", jwk, sizeof(jwk));
	for (size_t i = 0; i < 4; i++) {
		forge_input(hs[i / 2], strlen(hs[i / 2]), GOOD, strlen(GOOD), token);
		HMAC(EVP_sha256(), i % 2 ? (void *)jwk : pem, i % 2 ? (int)strlen(jwk) : pem_len,
		    (const uint8_t *)token, strlen(token), mac, &n);
		forge_append(token, mac, n);
		EXPECT_FAULT(fault_of(token), JWT_ALGORITHM);
	}
	BIO_free(bio);
}

TEST("S3.16 no algorithm but the three is taken, whatever the signature")
{
	static const char *const algs[] = {"none", "None", "NONE", "", "HS256", "HS384", "HS512",
	    "RS384", "RS512", "RS1", "PS256", "PS384", "PS512", "ES384", "ES512", "ES256K", "rs256",
	    "eddsa", "Ed25519", "RS256 ", "RSA1_5", "dir"};
	char header[128];

	for (size_t i = 0; i < ARRAY_SIZE(algs); i++) {
		snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"rsa\"}", algs[i]);
		EXPECT_FAULT(fault_of(make(BY_RSA, header, GOOD)), JWT_ALGORITHM);
		/* and without any signature at all */
		*(strrchr(token, '.') + 1) = '\0';
		EXPECT_FAULT(fault_of(token), JWT_ALGORITHM);
	}
	EXPECT_FAULT(fault_of(make(BY_RSA, "{\"kid\":\"rsa\"}", GOOD)), JWT_ALGORITHM);
	EXPECT_FAULT(fault_of(make(BY_RSA, "{\"alg\":5}", GOOD)), JWT_ALGORITHM);
	EXPECT_FAULT(fault_of(make(BY_RSA, "{\"alg\":[\"RS256\"]}", GOOD)), JWT_ALGORITHM);
	make(BY_RSA, RS256, GOOD);
	*(strrchr(token, '.') + 1) = '\0';
	EXPECT_FAULT(fault_of(token), JWT_SIGNATURE);
}

TEST("S3.16 a PSS signature under the name RS256 is refused, and RS256 under the name PS256")
{
	setup();
	forge_token_n(signers[BY_RSA], true, RS256, strlen(RS256), GOOD, strlen(GOOD), token);
	EXPECT_FAULT(fault_of(token), JWT_SIGNATURE);
	EXPECT_FAULT(
	    fault_of(make(BY_RSA, "{\"alg\":\"PS256\",\"kid\":\"rsa\"}", GOOD)), JWT_ALGORITHM);
}

TEST("S3.16 a key in the token is refused; references to keys are never followed")
{
	static const char *const places[] = {"\"jku\":\"http://127.0.0.1:1/\"",
	    "\"x5u\":\"http://127.0.0.1:1/\"", "\"x5c\":[\"AA==\"]", "\"x5t\":\"AA\""};
	char jwk[2048], header[4096];

	setup();
	forge_jwk(signers[BY_STRANGER], "", jwk, sizeof(jwk));
	snprintf(header, sizeof(header), "{\"alg\":\"RS256\",\"jwk\":%s}", jwk);
	EXPECT_FAULT(fault_of(make(BY_STRANGER, header, GOOD)), JWT_EMBEDDED_KEY);
	EXPECT_FAULT(fault_of(make(BY_RSA, header, GOOD)), JWT_EMBEDDED_KEY);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(
		    header, sizeof(header), "{\"alg\":\"RS256\",\"kid\":\"rsa\",%s}", places[i]);
		EXPECT_FAULT(fault_of(make(BY_STRANGER, header, GOOD)), JWT_SIGNATURE);
		EXPECT_FAULT(fault_of(make(BY_RSA, header, GOOD)), JWT_OK);
	}
}

TEST("S3.16 headers that demand, contain or claim to be something else are refused")
{
	static const struct {
		const char *more;
		enum jwt_fault fault;
	} cases[] = {
	    {",\"crit\":[\"exp\"]", JWT_CRITICAL},
	    {",\"crit\":[\"b64\"],\"b64\":false", JWT_CRITICAL},
	    {",\"crit\":[]", JWT_CRITICAL},
	    {",\"crit\":null", JWT_CRITICAL},
	    {",\"enc\":\"A256GCM\"", JWT_ENCRYPTED},
	    {",\"cty\":\"JWT\"", JWT_HEADER},
	    {",\"typ\":\"at+jwt\"", JWT_HEADER},
	    {",\"typ\":\"logout+jwt\"", JWT_HEADER},
	    {",\"typ\":\"\"", JWT_HEADER},
	    {",\"typ\":5", JWT_HEADER},
	    {",\"typ\":\"JWT\"", JWT_OK},
	    {",\"new\":{\"a\":[1]}", JWT_OK},
	    {",\"alg\":\"RS256\"", JWT_DUPLICATE},
	    {",\"\\u0061lg\":\"none\"", JWT_DUPLICATE},
	    {",\"new\":{\"a\":1,\"a\":2}", JWT_DUPLICATE},
	    {",\"new\":\"a\\u0000\"", JWT_FORM},
	    {",\"new\":99999999999999999999", JWT_FORM},
	    {",\"new\":\"\xff\"", JWT_FORM},
	    {"}{", JWT_FORM},
	};
	char header[256];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(
		    header, sizeof(header), "{\"alg\":\"RS256\",\"kid\":\"rsa\"%s}", cases[i].more);
		EXPECT_FAULT(fault_of(make(BY_RSA, header, GOOD)), cases[i].fault);
	}
	EXPECT_FAULT(fault_of(make(BY_RSA, "[]", GOOD)), JWT_FORM);
	EXPECT_FAULT(fault_of(make(BY_RSA, "", GOOD)), JWT_FORM);
}

TEST("S3.16 a key serves its own algorithm and kid only")
{
	static const struct {
		enum signer signer;
		const char *header;
		enum jwt_fault fault;
	} cases[] = {
	    {BY_RSA, "{\"alg\":\"ES256\",\"kid\":\"rsa\"}", JWT_KEY_MISFIT},
	    {BY_RSA, "{\"alg\":\"EdDSA\",\"kid\":\"rsa\"}", JWT_KEY_MISFIT},
	    {BY_EC, "{\"alg\":\"RS256\",\"kid\":\"ec\"}", JWT_KEY_MISFIT},
	    {BY_EC, "{\"alg\":\"EdDSA\",\"kid\":\"ec\"}", JWT_KEY_MISFIT},
	    {BY_ED, "{\"alg\":\"ES256\",\"kid\":\"ed\"}", JWT_KEY_MISFIT},
	    {BY_RSA, "{\"alg\":\"RS256\",\"kid\":\"ec\"}", JWT_KEY_MISFIT},
	    {BY_RSA, "{\"alg\":\"RS256\",\"kid\":\"RSA\"}", JWT_NO_KEY},
	    {BY_RSA, "{\"alg\":\"RS256\",\"kid\":\"\"}", JWT_NO_KEY},
	    {BY_RSA, "{\"alg\":\"RS256\",\"kid\":5}", JWT_HEADER},
	    {BY_RSA, "{\"alg\":\"RS256\",\"kid\":null}", JWT_HEADER},
	    {BY_RSA, ES256, JWT_SIGNATURE},
	    {BY_RSA, EDDSA, JWT_SIGNATURE},
	    {BY_EC, EDDSA, JWT_SIGNATURE},
	    {BY_ED, ES256, JWT_SIGNATURE},
	    {BY_ED, RS256, JWT_SIGNATURE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		EXPECT_FAULT(
		    fault_of(make(cases[i].signer, cases[i].header, GOOD)), cases[i].fault);
}

/* The fault of an honest RS256 token when the set is this. */
static enum jwt_fault fault_with_set(const char *more1, const char *more2)
{
	char a[2048], b[2048], text[4200];
	struct jwks *set = NULL;
	struct jwt t = {0};
	enum jwt_fault f = JWT_FAULTS;

	setup();
	forge_jwk(signers[BY_RSA], more1, a, sizeof(a));
	forge_jwk(signers[BY_STRANGER], more2, b, sizeof(b));
	snprintf(text, sizeof(text), "{\"keys\":[%s,%s]}", a, b);
	EXPECT_INT(set_parse(text, &set), 0);
	jwt_open(token, strlen(token), set, &t, &f);
	jwt_clear(&t);
	jwks_free(set);
	return f;
}

TEST("S3.16 a key for encryption, for another algorithm or one of two that fit serves no token")
{
	make(BY_RSA, "{\"alg\":\"RS256\"}", GOOD);
	EXPECT_FAULT(fault_with_set("", ",\"use\":\"enc\""), JWT_OK);
	EXPECT_FAULT(fault_with_set("", ""), JWT_KEY_AMBIGUOUS);
	EXPECT_FAULT(fault_with_set(",\"use\":\"enc\"", ",\"use\":\"enc\""), JWT_NO_KEY);
	EXPECT_FAULT(fault_with_set(",\"use\":\"enc\"", ""), JWT_SIGNATURE);
	make(BY_RSA, RS256, GOOD);
	EXPECT_FAULT(fault_with_set(",\"kid\":\"rsa\"", ""), JWT_OK);
	EXPECT_FAULT(fault_with_set(",\"kid\":\"rsa\",\"alg\":\"PS256\"", ""), JWT_NO_KEY);
	EXPECT_FAULT(fault_with_set(",\"kid\":\"rsa\",\"alg\":\"RS512\"", ""), JWT_NO_KEY);
	EXPECT_FAULT(fault_with_set(",\"kid\":\"rsa\"", ",\"kid\":\"rsa\""), JWT_KEY_AMBIGUOUS);
	EXPECT_FAULT(fault_with_set("", ",\"kid\":\"rsa\""), JWT_SIGNATURE);
	EXPECT_FAULT(fault_with_set("", ""), JWT_NO_KEY);
}

TEST("S3.16 an ES256 signature is r and s of 32 bytes, neither zero nor beyond the order")
{
	static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3,
	    0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
	uint8_t good[1024], sig[80];
	size_t n = strlen(make(BY_EC, ES256, GOOD));

	n -= strlen(strrchr(token, '.'));
	token[n] = '\0';
	EXPECT_INT(forge_signature(signers[BY_EC], false, token, good), 64);
	for (int i = 0; i < 9; i++) {
		size_t len = 64;
		memset(sig, 0, sizeof(sig));
		memcpy(sig, good, 64);
		switch (i) {
		case 1:
			memset(sig, 0, 64);
			break;
		case 2:
			memset(sig, 0, 32);
			break;
		case 3:
			memset(sig + 32, 0, 32);
			break;
		case 4:
			memcpy(sig, order, 32);
			break;
		case 5:
			memcpy(sig + 32, order, 32);
			break;
		case 6:
			len = 63;
			break;
		case 7:
			len = 65;
			break;
		case 8:
			memset(sig, 0xff, 64);
			break;
		}
		token[n] = '\0';
		forge_append(token, sig, len);
		EXPECT_FAULT(fault_of(token), i ? JWT_SIGNATURE : JWT_OK);
	}
	/* DER, as other protocols have it */
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t len = sizeof(sig);
	token[n] = '\0';
	EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, signers[BY_EC]);
	EXPECT_INT(EVP_DigestSign(c, sig, &len, (const uint8_t *)token, n), 1);
	EVP_MD_CTX_free(c);
	forge_append(token, sig, len);
	EXPECT_FAULT(fault_of(token), JWT_SIGNATURE);
}

/* ---- the form -------------------------------------------------------------------------------- */

TEST("S3.16 a token is three parts of strict base64url and nothing around them")
{
	static const char *const tails[] = {
	    "\n", " ", "=", ".", "A.A", "..", "\r\n", "+", "/", "%3D"};
	struct id_token_expect want = expected();
	size_t n = strlen(make(BY_ED, EDDSA, GOOD));

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		snprintf(again, sizeof(again), "%s%s", token, tails[i]);
		enum jwt_fault f = fault_of(again);
		EXPECT_FAULT(f, strcmp(tails[i], "..") == 0 ? JWT_ENCRYPTED : JWT_FORM);
		snprintf(again, sizeof(again), "%s%s", tails[i], token);
		EXPECT(fault_of(again) != JWT_OK);
	}
	EXPECT_FAULT(open_n(token, n + 1, &want), JWT_FORM); /* with its NUL */
	EXPECT_FAULT(open_n(token, n, &want), JWT_OK);
	EXPECT_FAULT(fault_of("a.b.c.d.e.f"), JWT_FORM);
	EXPECT_FAULT(fault_of("a.b.c.d.e"), JWT_ENCRYPTED);
	EXPECT_FAULT(fault_of(".."), JWT_FORM);
	EXPECT_FAULT(fault_of("abc"), JWT_FORM);
	EXPECT_FAULT(fault_of(""), JWT_SIZE);
	/* The last character of 64 bytes has four bits that mean nothing: another spelling of it.
	 */
	snprintf(again, sizeof(again), "%s", token);
	again[n - 1]++;
	EXPECT_FAULT(fault_of(again), JWT_FORM);
}

TEST("S3.16 a token has 16 kB at most")
{
	static char claims[JWT_MAX + 1];
	struct id_token_expect want = expected();
	size_t n = 0;

	for (int pad = 11000; pad < JWT_MAX && n <= JWT_MAX; pad++) {
		snprintf(claims, sizeof(claims), ISS AUD SUB TIMES ",\"x\":\"%0*d\"}", pad, 0);
		n = strlen(make(BY_ED, EDDSA, claims));
		EXPECT_FAULT(open_n(token, n, &want), n <= JWT_MAX ? JWT_OK : JWT_SIZE);
		if (n < JWT_MAX - 100)
			pad += (int)(JWT_MAX - n) / 2;
	}
	EXPECT(n > JWT_MAX);
}

TEST_MAIN()
