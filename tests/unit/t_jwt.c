/* SPDX-License-Identifier: MIT */
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include "api/id_token.h"
#include "test.h"
#include "tests/jwt_forge.h"

#define NOW    1800000000
#define ISSUER "https://idp.uni.edu"
#define CLIENT "prism"

/* ---- one provider with a key of each kind, and a stranger ------------------------------------ */

enum signer { BY_RSA, BY_EC, BY_ED, BY_STRANGER, SIGNERS };

static EVP_PKEY *signers[SIGNERS];
static struct jwks *provider;
static char token[FORGE_TOKEN_MAX], again[FORGE_TOKEN_MAX];

#define RS256 "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"JWT\"}"
#define ES256 "{\"alg\":\"ES256\",\"kid\":\"ec\"}"
#define EDDSA "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}"

static const char *const headers[] = {RS256, ES256, EDDSA, RS256};

static int set_parse(const char *text, struct jwks **ret)
{
	return jwks_parse(text, strlen(text), ret);
}

static void setup(void)
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
static const char *make(enum signer s, const char *header, const char *claims)
{
	setup();
	forge_token_n(signers[s], false, header, strlen(header), claims, strlen(claims), token);
	return token;
}

static struct id_token_expect expected(void)
{
	return (struct id_token_expect){.issuer = ISSUER, .client_id = CLIENT, .now = NOW};
}

static enum jwt_fault open_n(const char *text, size_t n, const struct id_token_expect *want)
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

static enum jwt_fault fault_of(const char *text)
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

/* ---- vectors of the standards ---------------------------------------------------------------- */

#define RFC7515_A2_N                                                                         \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPM" \
	"EzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-" \
	"bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3" \
	"qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9g" \
	"b54h4FRWyuXpoQ"
#define RFC7515_CLAIMS                                                                      \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb" \
	"290Ijp0cnVlfQ"
#define RFC7515_A2                                                                           \
	"eyJhbGciOiJSUzI1NiJ9." RFC7515_CLAIMS                                               \
	".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5" \
	"YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6" \
	"xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc" \
	"6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_" \
	"IoypGlUPQGe77Rw"
#define RFC7515_A3                             \
	"eyJhbGciOiJFUzI1NiJ9." RFC7515_CLAIMS \
	".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define P256_X	  "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define P256_Y	  "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define RFC8037_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define RFC8037_A4                                                         \
	"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"         \
	".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5" \
	"BhVsPt9g7sVvpAr_MuM0KAg"

static const char rfc_set[] = "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RFC7515_A2_N
			      "\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X
			      "\",\"y\":\"" P256_Y "\"},"
			      "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_X "\"}]}";

TEST("S3.16 the tokens of RFC 7515 A.2 and A.3 verify with their keys as a set, and are read")
{
	static const char *const texts[] = {RFC7515_A2, RFC7515_A3};
	struct jwks *set = NULL;

	EXPECT_INT(set_parse(rfc_set, &set), 0);
	EXPECT_INT(jwks_count(set), 3);
	for (size_t i = 0; i < 2; i++) {
		struct jwt t = {0};
		enum jwt_fault f = JWT_FAULTS;
		EXPECT_INT(jwt_open(texts[i], strlen(texts[i]), set, &t, &f), 0);
		EXPECT_FAULT(f, JWT_OK);
		EXPECT_INT(t.alg, i == 0 ? JWK_RS256 : JWK_ES256);
		EXPECT_STR(json_string_value(json_object_get(t.claims, "iss")), "joe");
		EXPECT_INT(json_integer_value(json_object_get(t.claims, "exp")), 1300819380);
		jwt_clear(&t);
	}
	jwks_free(set);
}

TEST("S3.16 the signature of RFC 8037 A.4 verifies; its text is no claims, which shows only then")
{
	char bad[] = RFC8037_A4;
	struct jwks *set = NULL;
	struct jwt t = {0};
	enum jwt_fault f = JWT_OK;

	EXPECT_INT(set_parse(rfc_set, &set), 0);
	EXPECT_INT(jwt_open(RFC8037_A4, strlen(RFC8037_A4), set, &t, &f), -EKEYREJECTED);
	EXPECT_FAULT(f, JWT_FORM);
	*(strrchr(bad, '.') + 1) = 'i';
	EXPECT_INT(jwt_open(bad, strlen(bad), set, &t, &f), -EKEYREJECTED);
	EXPECT_FAULT(f, JWT_SIGNATURE);
	jwks_free(set);
}

/* ---- key sets -------------------------------------------------------------------------------- */

#define P256(more) \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"" more "}"
#define ED(more)   "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_X "\"" more "}"
#define RSA_(n, e) "{\"kty\":\"RSA\",\"n\":\"" n "\",\"e\":\"" e "\"}"

TEST("S3.16 keys of a set that are not understood are skipped, each for its own reason")
{
	static const struct {
		const char *jwk;
		int taken;
	} cases[] = {
	    {P256(""), 1},
	    {P256(",\"alg\":\"ES256\",\"use\":\"sig\",\"key_ops\":[\"verify\"],\"kid\":\"a\""), 1},
	    {P256(",\"key_ops\":[\"verify\",\"sign\"],\"x5c\":[\"AA==\"],\"x5u\":5,\"new\":{}"), 1},
	    {P256(",\"use\":\"enc\""), 0},
	    {P256(",\"use\":null"), 0},
	    {P256(",\"alg\":\"ES384\""), 0},
	    {P256(",\"alg\":\"RS256\""), 0},
	    {P256(",\"alg\":7"), 0},
	    {P256(",\"key_ops\":[\"sign\"]"), 0},
	    {P256(",\"key_ops\":[]"), 0},
	    {P256(",\"key_ops\":\"verify\""), 0},
	    {P256(",\"key_ops\":[\"verify\",\"verify\"]"), 0},
	    {P256(",\"key_ops\":[5,\"verify\"]"), 0},
	    {P256(",\"key_ops\":[\"verify\",5]"), 0},
	    {P256(",\"key_ops\":[\"verify\",\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\","
		  "\"j\",\"k\",\"l\",\"m\",\"n\",\"o\"]"),
		1},
	    {P256(",\"key_ops\":[\"verify\",\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\","
		  "\"j\",\"k\",\"l\",\"m\",\"n\",\"o\",\"p\"]"),
		0},
	    {P256(",\"kid\":\"\""), 0},
	    {P256(",\"kid\":5"), 0},
	    {P256(",\"d\":\"AA\""), 0},
	    /* off the curve; the point at infinity; a coordinate too short, too long, padded */
	    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_X "\"}", 0},
	    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	     "\",\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
		0},
	    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"AA\"}", 0},
	    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "AA\"}", 0},
	    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "=\"}", 0},
	    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\"}", 0},
	    {"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}", 0},
	    {"{\"kty\":\"EC\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}", 0},
	    {ED(""), 1},
	    {ED(",\"alg\":\"EdDSA\""), 1},
	    {ED(",\"alg\":\"HS256\""), 0},
	    {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" RFC8037_X "\"}", 0},
	    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}", 0},
	    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":5}", 0},
	    {RSA_(RFC7515_A2_N, "AQAB"), 1},
	    {RSA_(RFC7515_A2_N, "Aw"), 1},
	    {RSA_(RFC7515_A2_N, "AQ"), 0},	/* one */
	    {RSA_(RFC7515_A2_N, "AQAA"), 0},	/* even */
	    {RSA_(RFC7515_A2_N, "AAEAAQ"), 0},	/* a zero in front */
	    {RSA_(RFC7515_A2_N, "AQAAAAE"), 0}, /* five bytes */
	    {RSA_(RFC7515_A2_N, ""), 0},
	    {RSA_("AQAB", "AQAB"), 0},
	    {RSA_("", "AQAB"), 0},
	    {"{\"kty\":\"oct\",\"k\":\"AAAA\",\"alg\":\"HS256\"}", 0},
	    {"{\"kty\":\"ec\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}", 0},
	    {"{}", 0},
	    {"5", 0},
	    {"null", 0},
	};
	char text[4096];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct jwks *set = NULL;
		snprintf(text, sizeof(text), "{\"keys\":[%s]}", cases[i].jwk);
		EXPECT_INT(set_parse(text, &set), 0);
		if (jwks_count(set) != (size_t)cases[i].taken)
			test_fail(__FILE__, __LINE__, "case %zu: %s", i, cases[i].jwk);
		EXPECT_INT(jwks_skipped(set), 1 - cases[i].taken);
		jwks_free(set);
	}
	EXPECT_INT(ERR_peek_error(), 0);
}

TEST("S3.16 RSA keys have 2048 to 8192 bits, and an odd modulus")
{
	static const struct {
		unsigned bits;
		int taken;
		uint8_t last;
	} cases[] = {{1024, 0, 1}, {2047, 0, 1}, {2048, 1, 1}, {2048, 0, 2}, {8192, 1, 1},
	    {8193, 0, 1}, {8200, 0, 1}};
	uint8_t raw[1025];
	char n[1400], text[2000];

	/* Nothing but the size is looked at: no need of primes. */
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = (cases[i].bits + 7) / 8;
		struct jwks *set = NULL;
		memset(raw, 0xab, sizeof(raw));
		raw[0] = (uint8_t)(1u << ((cases[i].bits - 1) % 8));
		raw[len - 1] = cases[i].last;
		base64url_encode(raw, len, n);
		snprintf(text, sizeof(text), "{\"keys\":[" RSA_("%s", "AQAB") "]}", n);
		EXPECT_INT(set_parse(text, &set), 0);
		EXPECT_INT(jwks_count(set), cases[i].taken);
		jwks_free(set);
	}
}

TEST("S3.16 a set is JSON without doubles, of 32 keys and 64 kB at most")
{
	static const char *const bad[] = {"", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}x",
	    "\"x\"", "{\"keys\":[],\"keys\":[]}", "{\"keys\":[" P256(",\"kty\":\"EC\"") "]}",
	    "{\"keys\":[{\"kid\":\"a\\u0000b\"}]}", "{\"keys\":[{\"a\":99999999999999999999}]}"};
	static char big[JWKS_MAX + 2];
	struct jwks *set = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_INT(set_parse(bad[i], &set), -EBADMSG);
	EXPECT_INT(jwks_parse("{\"keys\":[]}\0", 12, &set), -EBADMSG);
	for (int n = 32; n <= 33; n++) {
		size_t at = (size_t)snprintf(big, sizeof(big), "{\"keys\":[{}");
		for (int i = 1; i < n; i++)
			at += (size_t)snprintf(big + at, sizeof(big) - at, ",{}");
		snprintf(big + at, sizeof(big) - at, "]}");
		EXPECT_INT(set_parse(big, &set), n == 32 ? 0 : -E2BIG);
	}
	EXPECT_INT(jwks_skipped(set), 32);
	jwks_free(set);
	memset(big, ' ', sizeof(big));
	memcpy(big, "{\"keys\":[]}", 11);
	EXPECT_INT(jwks_parse(big, JWKS_MAX + 1, &set), -E2BIG);
	EXPECT_INT(jwks_parse(big, JWKS_MAX, &set), 0);
	jwks_free(set);
}

TEST("S3.16 a key is found by kid and algorithm, without a kid only if one fits")
{
	struct jwks *set = NULL;
	const struct jwk *k = NULL;

	EXPECT_INT(set_parse("{\"keys\":[" P256(",\"kid\":\"a\"") "," ED(",\"kid\":\"a\"") "," ED(
				 ",\"kid\":\"b\"") "," P256("") "]}",
		       &set),
	    0);
	EXPECT_INT(jwks_find(set, "a", JWK_ES256, &k), 0);
	EXPECT(k == jwks_at(set, 0));
	EXPECT_INT(jwks_find(set, "a", JWK_EDDSA, &k), 0);
	EXPECT(k == jwks_at(set, 1));
	EXPECT_INT(jwks_find(set, "a", JWK_RS256, &k), -EKEYREJECTED);
	EXPECT_INT(jwks_find(set, "b", JWK_ES256, &k), -EKEYREJECTED);
	EXPECT_INT(jwks_find(set, "c", JWK_ES256, &k), -ENOENT);
	EXPECT_INT(jwks_find(set, "", JWK_ES256, &k), -ENOENT);
	EXPECT_INT(jwks_find(set, NULL, JWK_ES256, &k), -ENOTUNIQ);
	EXPECT_INT(jwks_find(set, NULL, JWK_EDDSA, &k), -ENOTUNIQ);
	EXPECT_INT(jwks_find(set, NULL, JWK_RS256, &k), -ENOENT);
	EXPECT(jwks_at(set, 4) == NULL);
	jwks_free(set);
}

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

/* ---- the claims ------------------------------------------------------------------------------ */

#define SUB255                                                                                  \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *claims;
	enum jwt_fault fault;
} claim_cases[] = {
    {GOOD, JWT_OK},
    /* issuer */
    {"{\"iss\":\"https://evil.org\"" AUD SUB TIMES "}", JWT_ISSUER},
    {"{\"iss\":\"" ISSUER "/\"" AUD SUB TIMES "}", JWT_ISSUER},
    {"{\"iss\":\"HTTPS://idp.uni.edu\"" AUD SUB TIMES "}", JWT_ISSUER},
    {"{\"iss\":[\"" ISSUER "\"]" AUD SUB TIMES "}", JWT_ISSUER},
    {"{\"x\":1" AUD SUB TIMES "}", JWT_ISSUER},
    {"{\"iss\":\"" ISSUER "\\u0000\"" AUD SUB TIMES "}", JWT_FORM},
    {"{\"iss\":\"" ISSUER "\\u0000.evil.org\"" AUD SUB TIMES "}", JWT_FORM},
    /* audience and authorized party */
    {ISS SUB TIMES "}", JWT_AUDIENCE},
    {ISS ",\"aud\":\"other\"" SUB TIMES "}", JWT_AUDIENCE},
    {ISS ",\"aud\":\"prism2\"" SUB TIMES "}", JWT_AUDIENCE},
    {ISS ",\"aud\":\"\"" SUB TIMES "}", JWT_AUDIENCE},
    {ISS ",\"aud\":[]" SUB TIMES "}", JWT_AUDIENCE},
    {ISS ",\"aud\":[\"other\"]" SUB TIMES "}", JWT_AUDIENCE},
    {ISS ",\"aud\":[\"prism\",5],\"azp\":\"prism\"" SUB TIMES "}", JWT_AUDIENCE},
    {ISS ",\"aud\":{\"prism\":1}" SUB TIMES "}", JWT_AUDIENCE},
    {ISS ",\"aud\":[\"prism\"]" SUB TIMES "}", JWT_OK},
    {ISS ",\"aud\":[\"prism\",\"api\"]" SUB TIMES "}", JWT_PARTY},
    {ISS ",\"aud\":[\"prism\",\"prism\"]" SUB TIMES "}", JWT_PARTY},
    {ISS ",\"aud\":[\"api\",\"prism\"],\"azp\":\"prism\"" SUB TIMES "}", JWT_OK},
    {ISS ",\"aud\":[\"api\",\"prism\"],\"azp\":\"api\"" SUB TIMES "}", JWT_PARTY},
    {ISS ",\"aud\":[\"api\",\"other\"],\"azp\":\"prism\"" SUB TIMES "}", JWT_AUDIENCE},
    {ISS AUD ",\"azp\":\"prism\"" SUB TIMES "}", JWT_OK},
    {ISS AUD ",\"azp\":\"other\"" SUB TIMES "}", JWT_PARTY},
    {ISS AUD ",\"azp\":[\"prism\"]" SUB TIMES "}", JWT_PARTY},
    {ISS AUD ",\"azp\":null" SUB TIMES "}", JWT_PARTY},
    /* subject */
    {ISS AUD TIMES "}", JWT_SUBJECT},
    {ISS AUD ",\"sub\":\"\"" TIMES "}", JWT_SUBJECT},
    {ISS AUD ",\"sub\":5" TIMES "}", JWT_SUBJECT},
    {ISS AUD ",\"sub\":\"" SUB255 "\"" TIMES "}", JWT_OK},
    {ISS AUD ",\"sub\":\"a" SUB255 "\"" TIMES "}", JWT_SUBJECT},
    {ISS AUD ",\"sub\":\"a\\nb\"" TIMES "}", JWT_SUBJECT},
    {ISS AUD ",\"sub\":\"a\\u007f\"" TIMES "}", JWT_SUBJECT},
    {ISS AUD ",\"sub\":\"\xc3\xa9\"" TIMES "}", JWT_SUBJECT},
    {ISS AUD ",\"sub\":\"a\\u0000\"" TIMES "}", JWT_FORM},
    /* times: the leeway is 60, the age 600 */
    {ISS AUD SUB ",\"iat\":1799999990}", JWT_TIME},
    {ISS AUD SUB ",\"exp\":1800000300}", JWT_TIME},
    {ISS AUD SUB ",\"exp\":\"1800000300\",\"iat\":1799999990}", JWT_TIME},
    {ISS AUD SUB ",\"exp\":1800000300.5,\"iat\":1799999990}", JWT_TIME},
    {ISS AUD SUB ",\"exp\":-1,\"iat\":1799999990}", JWT_TIME},
    {ISS AUD SUB ",\"exp\":0,\"iat\":1799999990}", JWT_TIME},
    {ISS AUD SUB ",\"exp\":9223372036854775807,\"iat\":1799999990}", JWT_TIME},
    {ISS AUD SUB ",\"exp\":9007199254740992,\"iat\":1799999990}", JWT_TIME},
    {ISS AUD SUB ",\"exp\":1800000300,\"iat\":-9223372036854775808}", JWT_TIME},
    {ISS AUD SUB ",\"exp\":18446744075509551916,\"iat\":1799999990}", JWT_FORM},
    {ISS AUD SUB ",\"exp\":1e999,\"iat\":1799999990}", JWT_FORM},
    {ISS AUD SUB ",\"exp\":9007199254740991,\"iat\":1799999990}", JWT_OK},
    {ISS AUD SUB ",\"exp\":1799999941,\"iat\":1799999900}", JWT_OK},
    {ISS AUD SUB ",\"exp\":1799999940,\"iat\":1799999900}", JWT_EXPIRED},
    {ISS AUD SUB ",\"exp\":1800000300,\"iat\":1800000060}", JWT_OK},
    {ISS AUD SUB ",\"exp\":1800000300,\"iat\":1800000061}", JWT_FUTURE},
    {ISS AUD SUB ",\"exp\":1800000300,\"iat\":1799999340}", JWT_OK},
    {ISS AUD SUB ",\"exp\":1800000300,\"iat\":1799999339}", JWT_TOO_OLD},
    {ISS AUD SUB TIMES ",\"nbf\":1800000060}", JWT_OK},
    {ISS AUD SUB TIMES ",\"nbf\":1800000061}", JWT_NOT_YET},
    {ISS AUD SUB TIMES ",\"nbf\":\"soon\"}", JWT_TIME},
    {ISS AUD SUB TIMES ",\"nbf\":null}", JWT_TIME},
    {ISS AUD SUB TIMES ",\"auth_time\":1}", JWT_OK},
    {ISS AUD SUB TIMES ",\"auth_time\":\"1\"}", JWT_TIME},
    {ISS AUD SUB TIMES ",\"auth_time\":1800000061}", JWT_AUTH_TIME},
    /* a nonce that nobody sent */
    {ISS AUD SUB TIMES ",\"nonce\":\"n\"}", JWT_NONCE},
    /* doubles and other JSON */
    {ISS AUD SUB TIMES ",\"sub\":\"root\"}", JWT_DUPLICATE},
    {ISS AUD SUB TIMES ",\"s\\u0075b\":\"root\"}", JWT_DUPLICATE},
    {ISS AUD SUB TIMES ",\"address\":{\"a\":1,\"a\":2}}", JWT_DUPLICATE},
    {ISS AUD SUB TIMES ",\"a\\u0000\":1}", JWT_FORM},
    {GOOD "{}", JWT_FORM},
    {GOOD "x", JWT_FORM},
    {"[]", JWT_FORM},
    {"\"x\"", JWT_FORM},
    {"", JWT_FORM},
};

TEST("S3.16 claims that are missing, wrong, of another type or twice there are refused by name")
{
	for (size_t i = 0; i < ARRAY_SIZE(claim_cases); i++) {
		enum jwt_fault f = fault_of(make(BY_ED, EDDSA, claim_cases[i].claims));
		if (f != claim_cases[i].fault)
			test_fail(__FILE__, __LINE__, "%s: %s, not %s", claim_cases[i].claims,
			    jwt_fault_name(f), jwt_fault_name(claim_cases[i].fault));
	}
}

TEST("S3.16 the nonce that was sent must come back, whole")
{
	static const struct {
		const char *claims;
		enum jwt_fault fault;
	} cases[] = {
	    {ISS AUD SUB TIMES ",\"nonce\":\"n-0S6_WzA2Mj\"}", JWT_OK},
	    {GOOD, JWT_NONCE},
	    {ISS AUD SUB TIMES ",\"nonce\":\"n-0S6_WzA2M\"}", JWT_NONCE},
	    {ISS AUD SUB TIMES ",\"nonce\":\"n-0S6_WzA2Mjj\"}", JWT_NONCE},
	    {ISS AUD SUB TIMES ",\"nonce\":\"n-0S6_WzA2MJ\"}", JWT_NONCE},
	    {ISS AUD SUB TIMES ",\"nonce\":\"\"}", JWT_NONCE},
	    {ISS AUD SUB TIMES ",\"nonce\":[\"n-0S6_WzA2Mj\"]}", JWT_NONCE},
	};
	struct id_token_expect want = expected();

	want.nonce = "n-0S6_WzA2Mj";
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		make(BY_EC, ES256, cases[i].claims);
		EXPECT_FAULT(open_n(token, strlen(token), &want), cases[i].fault);
	}
}

TEST("S3.16 a login may be asked to be recent, and a token's age may be set")
{
	struct id_token_expect want = expected();

	want.max_login_age = 3600;
	make(BY_ED, EDDSA, GOOD);
	EXPECT_FAULT(open_n(token, strlen(token), &want), JWT_AUTH_TIME);
	make(BY_ED, EDDSA, ISS AUD SUB TIMES ",\"auth_time\":1799996340}");
	EXPECT_FAULT(open_n(token, strlen(token), &want), JWT_OK);
	make(BY_ED, EDDSA, ISS AUD SUB TIMES ",\"auth_time\":1799996339}");
	EXPECT_FAULT(open_n(token, strlen(token), &want), JWT_AUTH_TIME);
	/* A missing time is not the year 1970, however patient the caller is. */
	want.max_login_age = INT64_C(1) << 40;
	make(BY_ED, EDDSA, GOOD);
	EXPECT_FAULT(open_n(token, strlen(token), &want), JWT_AUTH_TIME);
	want = expected();
	want.max_token_age = 5;
	make(BY_ED, EDDSA, ISS AUD SUB ",\"exp\":1800000300,\"iat\":1799999934}");
	EXPECT_FAULT(open_n(token, strlen(token), &want), JWT_TOO_OLD);
	make(BY_ED, EDDSA, ISS AUD SUB ",\"exp\":1800000300,\"iat\":1799999935}");
	EXPECT_FAULT(open_n(token, strlen(token), &want), JWT_OK);
}

/* at_hash of "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y" by SHA-256: OpenID Connect Core A.3. */
#define ACCESS	"jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
#define AT_HASH "77QmUPtjPfzWtF2AnpK9RQ"

TEST("S3.16 at_hash binds the access token: half of SHA-256, for EdDSA of SHA-512")
{
	struct id_token_expect want = expected();
	uint8_t hash[64];
	char half[64], claims[512];

	want.access_token = ACCESS;
	make(BY_RSA, RS256, ISS AUD SUB TIMES ",\"at_hash\":\"" AT_HASH "\"}");
	EXPECT_FAULT(open_n(token, strlen(token), &want), JWT_OK);
	make(BY_EC, ES256, ISS AUD SUB TIMES ",\"at_hash\":\"" AT_HASH "\"}");
	EXPECT_FAULT(open_n(token, strlen(token), &want), JWT_OK);
	make(BY_ED, EDDSA, ISS AUD SUB TIMES ",\"at_hash\":\"" AT_HASH "\"}");
	EXPECT_FAULT(open_n(token, strlen(token), &want), JWT_ACCESS_TOKEN);
	EVP_Digest(ACCESS, strlen(ACCESS), hash, NULL, EVP_sha512(), NULL);
	base64url_encode(hash, 32, half);
	snprintf(claims, sizeof(claims), ISS AUD SUB TIMES ",\"at_hash\":\"%s\"}", half);
	make(BY_ED, EDDSA, claims);
	EXPECT_FAULT(open_n(token, strlen(token), &want), JWT_OK);
	want.access_token = "another";
	EXPECT_FAULT(open_n(token, strlen(token), &want), JWT_ACCESS_TOKEN);
	make(BY_ED, EDDSA, ISS AUD SUB TIMES ",\"at_hash\":5}");
	EXPECT_FAULT(open_n(token, strlen(token), &want), JWT_ACCESS_TOKEN);
	make(BY_ED, EDDSA, GOOD);
	EXPECT_FAULT(open_n(token, strlen(token), &want), JWT_OK);
}

/* ---- what comes out -------------------------------------------------------------------------- */

static struct id_token read_claims(const char *more, const char *groups_claim)
{
	struct id_token_expect want = expected();
	struct id_token t = {0};
	enum jwt_fault f = JWT_FAULTS;
	char claims[2048];

	want.groups_claim = groups_claim;
	snprintf(claims, sizeof(claims), ISS AUD SUB TIMES "%s}", more);
	make(BY_ED, EDDSA, claims);
	EXPECT_INT(id_token_open(token, strlen(token), provider, &want, &t, &f), 0);
	EXPECT_STR(t.issuer, ISSUER);
	EXPECT_STR(t.subject, "u-1");
	EXPECT_INT(t.issued, 1799999990);
	EXPECT_INT(t.expires, 1800000300);
	return t;
}

TEST("S3.17 the person's claims are read; an address is verified only by the word true")
{
	static const struct {
		const char *more, *email, *name;
		bool verified;
	} cases[] = {
	    {",\"email\":\"alice@uni.edu\",\"email_verified\":true,\"name\":\"Alice \xc3\xa9\"",
		"alice@uni.edu", "Alice \xc3\xa9", true},
	    {"", NULL, NULL, false},
	    {",\"email\":\"alice@uni.edu\"", "alice@uni.edu", NULL, false},
	    {",\"email\":\"alice@uni.edu\",\"email_verified\":\"true\",\"name\":\"\"",
		"alice@uni.edu", "", false},
	    {",\"email\":\"alice@uni.edu\",\"email_verified\":1", "alice@uni.edu", NULL, false},
	    {",\"email\":\"alice@uni.edu\",\"email_verified\":false", "alice@uni.edu", NULL, false},
	    {",\"email\":\"\",\"email_verified\":true", NULL, NULL, false},
	    {",\"email\":\"a@b@uni.edu\",\"email_verified\":true", NULL, NULL, false},
	    {",\"email\":\"a\\r\\n@uni.edu\",\"email_verified\":true", NULL, NULL, false},
	    {",\"email\":[\"alice@uni.edu\"],\"email_verified\":true", NULL, NULL, false},
	    {",\"name\":\"a\\u001b[31m\"", NULL, NULL, false},
	    {",\"name\":\"a" SUB255 "\"", NULL, NULL, false},
	    {",\"name\":5", NULL, NULL, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct id_token t = read_claims(cases[i].more, NULL);
		EXPECT_INT(t.email_verified, cases[i].verified);
		EXPECT((t.email != NULL) == (cases[i].email != NULL));
		EXPECT((t.name != NULL) == (cases[i].name != NULL));
		if (t.email)
			EXPECT_STR(t.email, cases[i].email);
		if (t.name)
			EXPECT_STR(t.name, cases[i].name);
		id_token_clear(&t);
	}
	struct id_token t = read_claims(",\"auth_time\":1799990000", NULL);
	EXPECT_INT(t.auth_time, 1799990000);
	id_token_clear(&t);
	id_token_clear(&t);
}

TEST("S3.16 groups that are missing are not groups that are empty")
{
	static const struct {
		const char *more, *claim;
		enum id_token_groups state;
		size_t n;
	} cases[] = {
	    {"", NULL, ID_TOKEN_GROUPS_MISSING, 0},
	    {",\"groups\":[]", NULL, ID_TOKEN_GROUPS_GIVEN, 0},
	    {",\"groups\":[\"a\",\"b\"]", NULL, ID_TOKEN_GROUPS_GIVEN, 2},
	    {",\"groups\":[\"a\"]", "roles", ID_TOKEN_GROUPS_MISSING, 0},
	    {",\"roles\":[\"a\"]", "roles", ID_TOKEN_GROUPS_GIVEN, 1},
	    {",\"groups\":null", NULL, ID_TOKEN_GROUPS_BAD, 0},
	    {",\"groups\":\"a\"", NULL, ID_TOKEN_GROUPS_BAD, 0},
	    {",\"groups\":[\"a\",5]", NULL, ID_TOKEN_GROUPS_BAD, 0},
	    {",\"groups\":[\"\"]", NULL, ID_TOKEN_GROUPS_BAD, 0},
	    {",\"groups\":[\"a\\nb\"]", NULL, ID_TOKEN_GROUPS_BAD, 0},
	    {",\"groups\":[\"a" SUB255 "\"]", NULL, ID_TOKEN_GROUPS_BAD, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct id_token t = read_claims(cases[i].more, cases[i].claim);
		EXPECT_INT(t.groups_state, cases[i].state);
		EXPECT((t.groups != NULL) == (t.groups_state == ID_TOKEN_GROUPS_GIVEN));
		EXPECT_INT(json_array_size(t.groups), cases[i].n);
		id_token_clear(&t);
	}
}

TEST("S3.16 a caller that expects nothing in particular is refused as a fault of its own")
{
	static const struct id_token_expect bad[] = {
	    {.client_id = CLIENT, .now = NOW},
	    {.issuer = "", .client_id = CLIENT, .now = NOW},
	    {.issuer = ISSUER, .now = NOW},
	    {.issuer = ISSUER, .client_id = "", .now = NOW},
	    {.issuer = ISSUER, .client_id = CLIENT},
	    {.issuer = ISSUER, .client_id = CLIENT, .now = NOW, .nonce = ""},
	    {.issuer = ISSUER, .client_id = CLIENT, .now = NOW, .max_token_age = -1},
	    {.issuer = ISSUER, .client_id = CLIENT, .now = NOW, .max_login_age = -1},
	};

	make(BY_ED, EDDSA, GOOD);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct id_token t = {0};
		enum jwt_fault f = JWT_OK;
		EXPECT_INT(id_token_open(token, strlen(token), provider, &bad[i], &t, &f), -EINVAL);
	}
}

TEST("S3.16 every reason has a word of its own and a sentence for the audit log")
{
	for (int i = 0; i < JWT_FAULTS; i++) {
		const char *name = jwt_fault_name((enum jwt_fault)i);
		EXPECT(
		    name && *name && strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
		EXPECT(strlen(jwt_fault_text((enum jwt_fault)i)) > 10);
		for (int j = 0; j < i; j++)
			EXPECT(strcmp(name, jwt_fault_name((enum jwt_fault)j)) != 0);
	}
	EXPECT_STR(jwt_fault_name(JWT_FAULTS), "unknown");
	EXPECT_HAS(jwt_fault_text(JWT_FAULTS), "refused");
}

TEST_MAIN()
