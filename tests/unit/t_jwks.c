/* SPDX-License-Identifier: MIT */

/* Key sets: what is taken of them, and the standards' own keys and tokens. */
#include "jwt.h"

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

TEST_MAIN()
