/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "api/jws.h"
#include "api/token.h"
#include "base/encode.h"
#include "test.h"

static const uint8_t seed[32] = {1, 2, 3, 4, 5};

static void public_of(const uint8_t s[32], uint8_t out[32])
{
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, s, 32);
	size_t n = 32;

	EVP_PKEY_get_raw_public_key(k, out, &n);
	EVP_PKEY_free(k);
}

static int sign_seed(void *arg, const void *p, size_t n, uint8_t sig[64])
{
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, arg, 32);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t len = 64;
	int ok = EVP_DigestSignInit(c, NULL, NULL, NULL, k) == 1 &&
		 EVP_DigestSign(c, sig, &len, p, n) == 1;

	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
	return ok ? 0 : -EIO;
}

static struct token invitation(void)
{
	struct token t = {.kind = TOKEN_INVITATION, .expires = 1800000000};

	snprintf(t.url, sizeof(t.url), "https://prism.uni.edu:8443");
	snprintf(t.pin, sizeof(t.pin), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
	snprintf(t.project, sizeof(t.project), "genomics-lab");
	snprintf(t.project_name, sizeof(t.project_name), "Genomics “α” Lab");
	snprintf(t.role, sizeof(t.role), "member");
	memset(t.secret, 0xa5, sizeof(t.secret));
	return t;
}

static struct token enrolment(void)
{
	struct token t = invitation();

	t.kind = TOKEN_ENROLMENT;
	snprintf(t.host, sizeof(t.host), "ws1");
	memset(t.feed_key, 7, sizeof(t.feed_key));
	memset(t.recovery_key_id, 9, sizeof(t.recovery_key_id));
	return t;
}

/* "HEADER.CLAIMS.SIGNATURE" from JSON texts, with any signature. */
static const char *compact(const char *header, const char *claims, const void *sig, size_t n)
{
	static char out[16384];
	char *p = out;

	base64url_encode(header, strlen(header), p);
	p += strlen(p);
	*p++ = '.';
	base64url_encode(claims, strlen(claims), p);
	p += strlen(p);
	*p++ = '.';
	base64url_encode(sig, n, p);
	return out;
}

static const uint8_t zero_sig[64];

#define HEADER "{\"alg\":\"EdDSA\",\"typ\":\"prism-invitation\"}"
#define SEC    "\"sec\":\"paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU\""
#define CLAIMS(more)                                                             \
	"{\"url\":\"https://p.org\"," SEC ",\"exp\":1800000000,\"prj\":\"lab\"," \
	"\"rol\":\"member\"" more "}"

TEST("S1.3 an invitation token says what is offered, whole")
{
	struct token t = invitation(), got = {0};
	struct buf b = BUF_INIT(TOKEN_MAX);

	EXPECT_INT(token_make(&t, sign_seed, (void *)seed, &b), 0);
	EXPECT(strncmp(buf_str(&b), "eyJhbGciOiJFZERTQSI", 19) == 0);
	EXPECT_INT(token_parse(buf_str(&b), &got), 0);
	EXPECT_INT(got.kind, TOKEN_INVITATION);
	EXPECT_STR(got.url, t.url);
	EXPECT_STR(got.pin, t.pin);
	EXPECT_STR(got.project, t.project);
	EXPECT_STR(got.project_name, t.project_name);
	EXPECT_STR(got.role, t.role);
	EXPECT_INT(got.expires, t.expires);
	EXPECT(memcmp(got.secret, t.secret, 32) == 0);
	buf_free(&b);
}

TEST("D6 an enrolment token carries the URL, the pin and the feed key")
{
	struct token t = enrolment(), got = {0};
	struct buf b = BUF_INIT(TOKEN_MAX);

	EXPECT_INT(token_make(&t, sign_seed, (void *)seed, &b), 0);
	EXPECT_INT(token_parse(buf_str(&b), &got), 0);
	EXPECT_INT(got.kind, TOKEN_ENROLMENT);
	EXPECT_STR(got.host, "ws1");
	EXPECT_STR(got.role, "");
	EXPECT(memcmp(got.feed_key, t.feed_key, 32) == 0);
	EXPECT(memcmp(got.recovery_key_id, t.recovery_key_id, 16) == 0);
	buf_clear(&b);
	t.host[0] = t.pin[0] = '\0';
	EXPECT_INT(token_make(&t, sign_seed, (void *)seed, &b), 0);
	EXPECT_INT(token_parse(buf_str(&b), &got), 0);
	EXPECT_STR(got.host, "");
	EXPECT_STR(got.pin, "");
	buf_free(&b);
}

TEST("S1.23 line breaks and spaces from a mail do not hurt a token")
{
	struct token t = invitation(), got = {0};
	struct buf b = BUF_INIT(TOKEN_MAX), broken = BUF_INIT(2 * TOKEN_MAX);

	EXPECT_INT(token_make(&t, sign_seed, (void *)seed, &b), 0);
	buf_add_str(&broken, "  \n");
	for (size_t i = 0; i < b.len; i++) {
		buf_add_char(&broken, (char)b.data[i]);
		if (i % 60 == 59)
			buf_add_str(&broken, "\r\n ");
	}
	buf_add_str(&broken, "\t\n");
	EXPECT_INT(token_parse(buf_str(&broken), &got), 0);
	EXPECT_STR(got.project, "genomics-lab");
	buf_free(&b);
	buf_free(&broken);
}

TEST("LESSONS 4.1 a token that cannot be made right is not made")
{
	struct buf b = BUF_INIT(TOKEN_MAX);
	struct token t = invitation();

	snprintf(t.url, sizeof(t.url), "ftp://x");
	EXPECT_INT(token_make(&t, sign_seed, (void *)seed, &b), -EINVAL);
	t = invitation();
	t.project[0] = '\0';
	EXPECT_INT(token_make(&t, sign_seed, (void *)seed, &b), -EINVAL);
	t = invitation();
	t.expires = 0;
	EXPECT_INT(token_make(&t, sign_seed, (void *)seed, &b), -EINVAL);
	t = invitation();
	t.kind = 0;
	EXPECT_INT(token_make(&t, sign_seed, (void *)seed, &b), -EINVAL);
	EXPECT_INT(b.len, 0);
	buf_free(&b);
}

TEST("S1.23 a token that is cut, mixed up or of another kind is refused, and leaves no trace")
{
	static const struct {
		const char *header, *claims;
	} bad[] = {
	    {"{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}", CLAIMS("")},
	    {"{\"alg\":\"EdDSA\"}", CLAIMS("")},
	    {"{\"alg\":\"HS256\",\"typ\":\"prism-invitation\"}", CLAIMS("")},
	    {"{\"alg\":\"none\",\"typ\":\"prism-invitation\"}", CLAIMS("")},
	    {"{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\",\"typ\":\"prism-invitation\"}", CLAIMS("")},
	    {"{\"alg\":\"EdDSA\",\"typ\":\"prism-invitation\",\"crit\":[\"x\"]}", CLAIMS("")},
	    {"{\"alg\":\"EdDSA\",\"typ\":\"prism-invitation\",\"jwk\":{}}", CLAIMS("")},
	    {"[]", CLAIMS("")},
	    {HEADER, CLAIMS(",\"exp\":1900000000")},
	    {HEADER, CLAIMS(",\"pin\":\"short\"")},
	    {HEADER, CLAIMS(",\"pin\":5")},
	    {HEADER, CLAIMS(",\"prn\":\"two\\nlines\"")},
	    {HEADER, CLAIMS(",\"prn\":\"esc \\u001b[2J\"")},
	    {HEADER, CLAIMS(",\"prn\":\"nul \\u0000 inside\"")},
	    {HEADER, "{" SEC ",\"exp\":1,\"prj\":\"lab\",\"rol\":\"member\"}"},
	    {HEADER, "{\"url\":\"https://p.org\",\"exp\":1,\"prj\":\"lab\",\"rol\":\"member\"}"},
	    {HEADER,
		"{\"url\":\"https://p.org\"," SEC ",\"exp\":1.5,\"prj\":\"lab\",\"rol\":\"m\"}"},
	    {HEADER, "{\"url\":\"https://p.org\"," SEC ",\"exp\":0,\"prj\":\"lab\",\"rol\":\"m\"}"},
	    {HEADER, "{\"url\":\"https://p.org\"," SEC ",\"exp\":1,\"prj\":\"Lab\",\"rol\":\"m\"}"},
	    {HEADER,
		"{\"url\":\"https://a@p.org\"," SEC ",\"exp\":1,\"prj\":\"la\",\"rol\":\"m\"}"},
	    {HEADER, "{\"url\":\"javascript:x\"," SEC ",\"exp\":1,\"prj\":\"la\",\"rol\":\"m\"}"},
	};
	struct token t = {.expires = 77};

	EXPECT_INT(token_parse(compact(HEADER, CLAIMS(""), zero_sig, 64), &t), 0);
	t = (struct token){.expires = 77};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int r = token_parse(compact(bad[i].header, bad[i].claims, zero_sig, 64), &t);
		if (r != -EBADMSG)
			printf("# case %zu\n", i);
		EXPECT_INT(r, -EBADMSG);
	}
	EXPECT_INT(token_parse("", &t), -EBADMSG);
	EXPECT_INT(token_parse("a.b", &t), -EBADMSG);
	EXPECT_INT(token_parse("..", &t), -EBADMSG);
	EXPECT_INT(token_parse(compact(HEADER, CLAIMS(""), zero_sig, 63), &t), -EBADMSG);
	char *padded = strdup(compact(HEADER, CLAIMS(""), zero_sig, 64));
	padded[5] = '=';
	EXPECT_INT(token_parse(padded, &t), -EBADMSG);
	free(padded);
	EXPECT_INT(t.expires, 77);
}

TEST("STYLE 19 a token longer than the limit is refused before it is read")
{
	struct token t;
	char *big = malloc(20000);

	memset(big, 'a', 19999);
	big[19999] = '\0';
	EXPECT_INT(token_parse(big, &t), -EBADMSG);
	/* White space does not count. */
	memset(big, ' ', 10000);
	snprintf(big + 10000, 9000, "%s", compact(HEADER, CLAIMS(""), zero_sig, 64));
	EXPECT_INT(token_parse(big, &t), 0);
	free(big);
}

/* ---- assertions ------------------------------------------------------------------------------ */

TEST("D2 RFC 8037 A.4: the vector's signature is verified, and a changed one is not")
{
	static const uint8_t d[32] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84,
	    0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19,
	    0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
	/* The RFC's payload is no JSON, so the vector is checked on the signature alone. */
	static const char text[] = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
	static const char sig64[] =
	    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5"
	    "BhVsPt9g7sVvpAr_MuM0KAg";
	uint8_t key[32];
	struct jws j = {.text = text, .signed_len = strlen(text)};

	public_of(d, key);
	EXPECT_INT(base64url_decode(sig64, strlen(sig64), j.sig, 64), 64);
	EXPECT_INT(jws_check(&j, key), 0);
	j.sig[0] ^= 1;
	EXPECT_INT(jws_check(&j, key), -EKEYREJECTED);
}

TEST("D2 an assertion is verified by its key, and by no other")
{
	json_t *claims = json_pack("{s:s, s:I}", "iss", "host", "iat", (json_int_t)5);
	struct buf b = BUF_INIT(JWS_MAX);
	uint8_t key[32], other[32], seed2[32] = {9};
	struct jws j = {0};
	int64_t v = 0;

	public_of(seed, key);
	public_of(seed2, other);
	EXPECT_INT(jws_make("JWT", claims, seed, &b), 0);
	EXPECT_INT(jws_parse(buf_str(&b), b.len, &j), 0);
	EXPECT_INT(jws_check(&j, key), 0);
	EXPECT_INT(jws_check(&j, other), -EKEYREJECTED);
	EXPECT_STR(jws_str(&j, "iss", 10), "host");
	EXPECT(jws_str(&j, "iss", 3) == NULL);
	EXPECT(jws_str(&j, "iat", 10) == NULL);
	EXPECT_INT(jws_int(&j, "iat", &v), 0);
	EXPECT_INT(v, 5);
	EXPECT_INT(jws_int(&j, "iss", &v), -EBADMSG);
	jws_clear(&j);
	json_decref(claims);
	buf_free(&b);
}

TEST("CVE-2025-4658 every changed character of an assertion is noticed")
{
	json_t *claims = json_pack("{s:s, s:I}", "iss", "host", "iat", (json_int_t)5);
	struct buf b = BUF_INIT(JWS_MAX);
	uint8_t key[32];

	public_of(seed, key);
	EXPECT_INT(jws_make("JWT", claims, seed, &b), 0);
	for (size_t i = 0; i < b.len; i++) {
		struct jws j = {0};
		char was = (char)b.data[i];

		b.data[i] = was == 'A' ? 'B' : 'A';
		if (jws_parse(buf_str(&b), b.len, &j) == 0)
			EXPECT_INT(jws_check(&j, key), -EKEYREJECTED);
		jws_clear(&j);
		b.data[i] = (uint8_t)was;
	}
	json_decref(claims);
	buf_free(&b);
}

TEST("STACK C the forgeries that libraries took are refused: none, HS256 by the public key, jwk, "
     "crit")
{
	static const char *const headers[] = {
	    "{\"alg\":\"none\"}",
	    "{\"alg\":\"None\"}",
	    "{\"alg\":\"\"}",
	    "{\"alg\":null}",
	    "{\"typ\":\"JWT\"}",
	    "{\"alg\":\"HS256\"}",
	    "{\"alg\":\"RS256\"}",
	    "{\"alg\":\"ES256\"}",
	    "{\"alg\":\"EdDSA\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}}",
	    "{\"alg\":\"EdDSA\",\"jku\":\"https://evil\"}",
	    "{\"alg\":\"EdDSA\",\"crit\":[\"b64\"],\"b64\":false}",
	    "{\"alg\":\"EdDSA\",\"zip\":\"DEF\"}",
	    "{\"alg\":\"EdDSA\",\"kid\":5}",
	    "{\"alg\":\"EdDSA\",\"alg\":\"none\"}",
	};
	uint8_t key[32], mac[64] = {0};
	unsigned n = 32;

	public_of(seed, key);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct jws j = {0};
		const char *text = compact(headers[i], "{\"iss\":\"h\"}", zero_sig, 64);
		EXPECT_INT(jws_parse(text, strlen(text), &j), -EBADMSG);
		text = compact(headers[i], "{\"iss\":\"h\"}", "", 0);
		EXPECT_INT(jws_parse(text, strlen(text), &j), -EBADMSG);
		HMAC(EVP_sha256(), key, 32, (const uint8_t *)text, strrchr(text, '.') - text, mac,
		    &n);
		text = compact(headers[i], "{\"iss\":\"h\"}", mac, 64);
		EXPECT_INT(jws_parse(text, strlen(text), &j), -EBADMSG);
	}
	/* The same with an honest header is parsed, and fails on its signature. */
	struct jws j = {0};
	const char *text = compact("{\"alg\":\"EdDSA\"}", "{\"iss\":\"h\"}", mac, 64);
	EXPECT_INT(jws_parse(text, strlen(text), &j), 0);
	EXPECT_INT(jws_check(&j, key), -EKEYREJECTED);
	jws_clear(&j);
}

TEST("STACK C duplicate members and foreign payloads are refused")
{
	static const char *const claims[] = {"{\"iss\":\"a\",\"iss\":\"b\"}", "[]", "\"x\"", "5",
	    "{}x", "", "{\"a\":{\"b\":1,\"b\":2}}", "{\"a\":\"\xff\"}"};

	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		struct jws j = {0};
		const char *text = compact("{\"alg\":\"EdDSA\"}", claims[i], zero_sig, 64);
		EXPECT_INT(jws_parse(text, strlen(text), &j), -EBADMSG);
	}
}

TEST_MAIN()
