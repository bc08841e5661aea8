/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "api/oidc.h"
#include "test.h"

#define ISSUER "https://idp.uni.edu/realms/x"

/* ---- addresses ------------------------------------------------------------------------------- */

TEST("I3.2 endpoints are https, without a user, a fragment or what could end a header")
{
	static const char *const good[] = {"https://idp.uni.edu", "https://idp.uni.edu/a/b?c=d&e",
	    "https://idp.uni.edu:8443/x", "https://192.0.2.1/", "https://[2001:db8::1]:443/x",
	    "https://a_b.uni.edu/%20"};
	static const char *const bad[] = {"", "http://idp.uni.edu/", "ftp://idp.uni.edu/",
	    "HTTPS://idp.uni.edu", "https://", "https:///x", "https://user@idp.uni.edu/",
	    "https://u:p@idp/", "https://idp.uni.edu/#x", "https://idp.uni.edu/a b",
	    "https://idp.uni.edu/\r\nX: 1", "https://idp.uni.edu/\x7f", "https://idp.uni.edu/\"",
	    "https://idp.uni.edu/<", "https://idp.uni.edu\\@evil/", "https://idp.uni.edu:x/",
	    "https://idp.uni.edu:123456/", "https://idp.uni.edu:/", "https://[::1/",
	    "https://[::1%25lo]/", "https://[idp]/", "https://idp\xc3\xa4.edu/",
	    "file:///etc/passwd", "http://127.0.0.1/", "https:idp.uni.edu", "//idp.uni.edu/"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		EXPECT(oidc_url_ok(good[i], false));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT(!oidc_url_ok(bad[i], false));
	EXPECT(!oidc_url_ok(NULL, false));
}

TEST("I3.2 http is for loopback only, and only where that is allowed")
{
	static const char *const loopback[] = {"http://127.0.0.1:4601/x", "http://localhost",
	    "http://[::1]:80/", "http://127.0.0.1?a"};
	static const char *const others[] = {"http://127.0.0.1.evil.edu/", "http://localhost.evil/",
	    "http://127.0.0.2/", "http://idp.uni.edu/", "http://127.0.0.1@evil/"};
	char text[OIDC_URL_MAX + 8] = "https://a/";

	for (size_t i = 0; i < ARRAY_SIZE(loopback); i++) {
		EXPECT(oidc_url_ok(loopback[i], true));
		EXPECT(!oidc_url_ok(loopback[i], false));
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		EXPECT(!oidc_url_ok(others[i], true));
	memset(text + 10, 'a', OIDC_URL_MAX - 11);
	EXPECT(oidc_url_ok(text, false));
	text[OIDC_URL_MAX - 1] = 'a';
	EXPECT(!oidc_url_ok(text, false));
}

/* ---- metadata -------------------------------------------------------------------------------- */

#define NAMED "{\"issuer\":\"" ISSUER "\""
#define ENDPOINTS                                                                      \
	",\"authorization_endpoint\":\"https://idp.uni.edu/auth\",\"token_endpoint\":" \
	"\"https://idp.uni.edu/token\",\"jwks_uri\":\"https://keys.uni.edu/jwks\""

static int metadata(const char *text, struct oidc_metadata *m, const char **fault)
{
	*fault = "";
	return oidc_metadata_parse(text, strlen(text), ISSUER, false, m, fault);
}

TEST("S3.16 a provider's metadata is read")
{
	struct oidc_metadata m;
	const char *fault;

	EXPECT_INT(metadata(NAMED ENDPOINTS "}", &m, &fault), 0);
	EXPECT_STR(m.authorization_endpoint, "https://idp.uni.edu/auth");
	EXPECT_STR(m.token_endpoint, "https://idp.uni.edu/token");
	EXPECT_STR(m.jwks_uri, "https://keys.uni.edu/jwks");
	EXPECT_STR(m.userinfo_endpoint, "");
	EXPECT(m.secret_basic && !m.secret_post && !m.names_issuer);
	EXPECT_INT(metadata(NAMED ENDPOINTS
		       ",\"userinfo_endpoint\":\"https://idp.uni.edu/me\","
		       "\"token_endpoint_auth_methods_supported\":[\"client_secret_post\",1],"
		       "\"authorization_response_iss_parameter_supported\":true}",
		       &m, &fault),
	    0);
	EXPECT_STR(m.userinfo_endpoint, "https://idp.uni.edu/me");
	EXPECT(!m.secret_basic && m.secret_post && m.names_issuer);
}

TEST("S3.16 another issuer's metadata, or with an endpoint that is none, is refused")
{
	static const struct {
		const char *text, *fault;
	} cases[] = {
	    {"{\"issuer\":\"" ISSUER "/\"" ENDPOINTS "}", "discovery_issuer"},
	    {"{\"issuer\":\"https://idp.uni.edu/realms/X\"" ENDPOINTS "}", "discovery_issuer"},
	    {"{\"issuer\":7" ENDPOINTS "}", "discovery_issuer"},
	    {"{\"a\":1" ENDPOINTS "}", "discovery_issuer"},
	    {NAMED "}", "discovery_endpoint"},
	    {NAMED ENDPOINTS ",\"userinfo_endpoint\":\"http://idp.uni.edu/me\"}",
		"discovery_endpoint"},
	    {NAMED ENDPOINTS ",\"userinfo_endpoint\":7}", "discovery_endpoint"},
	    {NAMED ENDPOINTS ",\"issuer\":\"" ISSUER "\"}", "discovery_form"},
	    {"[]", "discovery_form"},
	    {"", "discovery_form"},
	    {"<html>", "discovery_form"},
	    {NAMED ENDPOINTS "} x", "discovery_form"},
	};
	struct oidc_metadata m = {.jwks_uri = "untouched"};
	const char *fault;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_INT(metadata(cases[i].text, &m, &fault), -EBADMSG);
		EXPECT_STR(fault, cases[i].fault);
		EXPECT_STR(m.jwks_uri, "untouched");
	}
	EXPECT_INT(oidc_metadata_parse(
		       NAMED ENDPOINTS "}", OIDC_DOCUMENT_MAX + 1, ISSUER, false, &m, &fault),
	    -EBADMSG);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static int tokens(const char *text, struct oidc_tokens *t)
{
	return oidc_tokens_parse(text, strlen(text), t);
}

TEST("S3.16 the token endpoint's answer is read")
{
	_cleanup_oidc_tokens_ struct oidc_tokens t = {NULL}, u = {NULL};

	EXPECT_INT(tokens("{\"access_token\":\"a\",\"token_type\":\"bearer\",\"id_token\":\"i\","
			  "\"refresh_token\":\"r\",\"expires_in\":1e9}",
		       &t),
	    0);
	EXPECT_STR(t.access_token, "a");
	EXPECT_STR(t.id_token, "i");
	EXPECT_STR(t.refresh_token, "r");
	EXPECT_INT(
	    tokens("{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"id_token\":null}", &u), 0);
	EXPECT(!u.id_token && !u.refresh_token);
}

TEST("S3.16 tokens that could forge a header, of another kind or of no text are refused")
{
	static const char *const bad[] = {"{}", "[]", "", "{\"access_token\":\"a\"}",
	    "{\"access_token\":\"a\",\"token_type\":\"mac\"}",
	    "{\"token_type\":\"Bearer\",\"id_token\":\"i\"}",
	    "{\"access_token\":\"a\\r\\nX: 1\",\"token_type\":\"Bearer\"}",
	    "{\"access_token\":\"\xc3\xa4\",\"token_type\":\"Bearer\"}",
	    "{\"access_token\":\"\",\"token_type\":\"Bearer\"}",
	    "{\"access_token\":\"a\\u0000b\",\"token_type\":\"Bearer\"}",
	    "{\"access_token\":7,\"token_type\":\"Bearer\"}",
	    "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"id_token\":{}}",
	    "{\"access_token\":\"a\",\"access_token\":\"b\",\"token_type\":\"Bearer\"}"};
	struct oidc_tokens t = {NULL};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_INT(tokens(bad[i], &t), -EBADMSG);
		EXPECT(!t.access_token && !t.id_token);
	}
}

TEST("S3.16 what a provider calls an error is a word of ours, whatever it sends")
{
	static const char denied[] = "{\"error\":\"access_denied\"}", odd[] = "{\"error\":\"<b>\"}";

	EXPECT_STR(oidc_error_word("invalid_grant"), "invalid_grant");
	EXPECT_STR(oidc_error_word("<script>"), "other");
	EXPECT_STR(oidc_error_word(NULL), "other");
	EXPECT_STR(oidc_error_parse(denied, strlen(denied)), "access_denied");
	EXPECT_STR(oidc_error_parse(odd, strlen(odd)), "other");
	EXPECT_STR(oidc_error_parse("", 0), "other");
}

/* ---- claims ---------------------------------------------------------------------------------- */

TEST("L4.9 a claim is found by its path; one that is missing is not an empty one")
{
	json_t *o = json_loads("{\"mail\":\"\",\"a\":{\"b\":{\"c\":1},\"b.c\":2},"
			       "\"https://x.edu/role\":\"r\",\"n\":null}",
	    0, NULL);

	EXPECT_STR(json_string_value(oidc_claim(o, "mail")), "");
	EXPECT(!oidc_claim(o, "email"));
	EXPECT_INT(json_integer_value(oidc_claim(o, "a.b.c")), 2);
	EXPECT(json_is_object(oidc_claim(o, "a.b")));
	EXPECT(!oidc_claim(o, "a.b.d"));
	EXPECT(!oidc_claim(o, "mail.x"));
	EXPECT(!oidc_claim(o, "..."));
	EXPECT(!oidc_claim(o, ""));
	EXPECT_STR(json_string_value(oidc_claim(o, "https://x.edu/role")), "r");
	EXPECT(json_is_null(oidc_claim(o, "n")));
	EXPECT(!oidc_claim(NULL, "a"));
	json_decref(o);
}

TEST_MAIN()
