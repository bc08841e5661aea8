/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "api/logout_token.h"
#include "test.h"
#include "tests/jwt_forge.h"

#define NOW    1800000000
#define ISSUER "https://idp.uni.edu"
#define HEAD   "{\"alg\":\"EdDSA\",\"kid\":\"k\",\"typ\":\"logout+jwt\"}"
#define EVENT  ",\"events\":{\"" LOGOUT_TOKEN_EVENT "\":{}}"
#define PARTY  "{\"iss\":\"" ISSUER "\",\"aud\":\"prism\""
#define TIMES  ",\"iat\":1799999990,\"exp\":1800000120"
#define ID     ",\"jti\":\"j-1\""
#define SUB    ",\"sub\":\"u-1\""
#define SID    ",\"sid\":\"s-1\""
#define GOOD   PARTY TIMES ID EVENT SUB

static EVP_PKEY *signer;
static struct jwks *keys;
static char token[FORGE_TOKEN_MAX];

static void setup(void)
{
	char jwk[512], set[600];

	if (keys)
		return;
	signer = forge_ed(9);
	forge_jwk(signer, ",\"kid\":\"k\"", jwk, sizeof(jwk));
	snprintf(set, sizeof(set), "{\"keys\":[%s]}", jwk);
	EXPECT_INT(jwks_parse(set, strlen(set), &keys), 0);
}

__attribute__((destructor)) static void teardown(void)
{
	EVP_PKEY_free(signer);
	jwks_free(keys);
}

static const char *fault_of(const char *header, const char *claims, struct logout_token *t)
{
	enum jwt_fault f = JWT_FAULTS;

	setup();
	forge_token_n(signer, false, header, strlen(header), claims, strlen(claims), token);
	int r = logout_token_open(token, strlen(token), keys, ISSUER, "prism", NOW, t, &f);
	EXPECT_INT(r, f == JWT_OK ? 0 : -EKEYREJECTED);
	return jwt_fault_name(f);
}

TEST("I3.4 a logout token names a subject, a session, or both")
{
	_cleanup_logout_token_ struct logout_token a = {NULL}, b = {NULL}, c = {NULL};

	EXPECT_STR(fault_of(HEAD, GOOD "}", &a), "ok");
	EXPECT_STR(a.subject, "u-1");
	EXPECT(!a.sid);
	EXPECT_STR(a.id, "j-1");
	EXPECT(a.forget_at >= NOW - 10 + LOGOUT_TOKEN_MAX_AGE + ID_TOKEN_LEEWAY);
	EXPECT_STR(fault_of(HEAD, PARTY TIMES ID EVENT SID "}", &b), "ok");
	EXPECT_STR(b.sid, "s-1");
	EXPECT(!b.subject);
	EXPECT_STR(fault_of(HEAD, GOOD SID "}", &c), "ok");
	EXPECT(c.subject && c.sid);
}

TEST("I3.4 other headers and audiences that the specification allows")
{
	static const char *const heads[] = {"{\"alg\":\"EdDSA\"}",
	    "{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}", "{\"alg\":\"EdDSA\",\"typ\":\"Logout+JWT\"}"};

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		_cleanup_logout_token_ struct logout_token t = {NULL};
		EXPECT_STR(fault_of(heads[i], GOOD "}", &t), "ok");
	}
	_cleanup_logout_token_ struct logout_token t = {NULL}, u = {NULL};
	EXPECT_STR(
	    fault_of(HEAD,
		"{\"iss\":\"" ISSUER "\",\"aud\":[\"x\",\"prism\"]" TIMES ID EVENT SUB "}", &t),
	    "ok");
	EXPECT_STR(fault_of(HEAD, PARTY ",\"iat\":1799999990" ID EVENT SUB "}", &u), "ok");
}

TEST("I3.4 whatever is not a logout of ours, now, is refused")
{
	static const struct {
		const char *claims, *fault;
	} cases[] = {
	    {"{\"iss\":\"https://other\",\"aud\":\"prism\"" TIMES ID EVENT SUB "}", "wrong_issuer"},
	    {"{\"aud\":\"prism\"" TIMES ID EVENT SUB "}", "wrong_issuer"},
	    {"{\"iss\":\"" ISSUER "\",\"aud\":\"x\"" TIMES ID EVENT SUB "}", "wrong_audience"},
	    {"{\"iss\":\"" ISSUER "\"" TIMES ID EVENT SUB "}", "wrong_audience"},
	    {"{\"iss\":\"" ISSUER "\",\"aud\":[\"prism\",1]" TIMES ID EVENT SUB "}",
		"wrong_audience"},
	    {PARTY ID EVENT SUB "}", "time"},
	    {PARTY ",\"iat\":\"1799999990\"" ID EVENT SUB "}", "time"},
	    {PARTY ",\"iat\":1799999990,\"exp\":1.5" ID EVENT SUB "}", "time"},
	    {PARTY ",\"iat\":1800000061" ID EVENT SUB "}", "future"},
	    {PARTY ",\"iat\":1799999639" ID EVENT SUB "}", "too_old"},
	    {PARTY ",\"iat\":1799999900,\"exp\":1799999940" ID EVENT SUB "}", "expired"},
	    {PARTY TIMES ID SUB "}", "event"},
	    {PARTY TIMES ID SUB ",\"events\":{}}", "event"},
	    {PARTY TIMES ID SUB ",\"events\":[\"" LOGOUT_TOKEN_EVENT "\"]}", "event"},
	    {PARTY TIMES ID SUB ",\"events\":{\"" LOGOUT_TOKEN_EVENT "\":1}}", "event"},
	    {PARTY TIMES EVENT SUB "}", "token_id"},
	    {PARTY TIMES EVENT SUB ",\"jti\":\"\"}", "token_id"},
	    {PARTY TIMES EVENT SUB ",\"jti\":7}", "token_id"},
	    {PARTY TIMES ID EVENT "}", "session"},
	    {PARTY TIMES ID EVENT ",\"sub\":7}", "subject"},
	    {PARTY TIMES ID EVENT SUB ",\"sid\":7}", "session"},
	    {PARTY TIMES ID EVENT SUB ",\"sid\":\"\"}", "session"},
	    {GOOD ",\"nonce\":\"n\"}", "wrong_nonce"},
	    {GOOD SUB "}", "duplicate_member"},
	};
	static const char *const heads[] = {"{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\"}",
	    "{\"alg\":\"EdDSA\",\"typ\":\"id+jwt\"}", "{\"alg\":\"EdDSA\",\"typ\":1}"};
	struct logout_token t = {NULL};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_STR(fault_of(HEAD, cases[i].claims, &t), cases[i].fault);
		EXPECT(!t.claims);
	}
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		EXPECT_STR(fault_of(heads[i], GOOD "}", &t), "header");
	EXPECT_STR(fault_of("{\"alg\":\"none\"}", GOOD "}", &t), "algorithm");
	EXPECT_STR(fault_of("{\"alg\":\"HS256\"}", GOOD "}", &t), "algorithm");
}

TEST("I3.4 an ID token is no logout token, and the other way round")
{
	static const char id[] = PARTY TIMES SUB ",\"nonce\":\"n\"}";
	struct logout_token t = {NULL};
	struct id_token u = {NULL};
	enum jwt_fault f = JWT_FAULTS;
	struct id_token_expect want = {.issuer = ISSUER, .client_id = "prism", .now = NOW};

	EXPECT_STR(fault_of("{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}", id, &t), "event");
	EXPECT_STR(fault_of(HEAD, GOOD "}", &t), "ok");
	logout_token_clear(&t);
	EXPECT_INT(id_token_open(token, strlen(token), keys, &want, &u, &f), -EKEYREJECTED);
	EXPECT_STR(jwt_fault_name(f), "header");
}

TEST("I3.4 nothing to compare with is an error of the caller")
{
	struct logout_token t = {NULL};
	enum jwt_fault f = JWT_FAULTS;

	setup();
	EXPECT_INT(logout_token_open("x", 1, keys, "", "prism", NOW, &t, &f), -EINVAL);
	EXPECT_INT(logout_token_open("x", 1, keys, ISSUER, "", NOW, &t, &f), -EINVAL);
	EXPECT_INT(logout_token_open("x", 1, keys, ISSUER, "prism", 0, &t, &f), -EINVAL);
}

TEST_MAIN()
