/* SPDX-License-Identifier: MIT */

/* What a token says, once its signature is right. */
#include "jwt.h"

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
