/* SPDX-License-Identifier: MIT */

/* A host's access tokens: which assertions give one, and which give none. */
#include <openssl/hmac.h>
#include "hosts.h"

TEST("L4.5 a host that asks for tokens without end hurts itself, none behind the same address")
{
	struct host h, neighbour;
	char error[64];
	int n = 0;

	world();
	enrol(&h, "lab", "busy1");
	enrol(&neighbour, "lab", "busy2");
	while (n < 200 && exchange_claims(&h, claims_of(&h), h.token, error) == 200)
		n++;
	EXPECT_INT(n, 60);
	EXPECT_INT(exchange_claims(&h, claims_of(&h), h.token, error), 429);
	EXPECT_STR(error, "slow_down");
	authenticate(&neighbour);
	/* Who has not its key cannot use up its share, nor who has overheard an assertion. */
	for (int i = 0; i < 80; i++)
		EXPECT_INT(exchange_claims(&h, claims_of(&neighbour), h.token, error), 401);
	struct buf b = BUF_INIT(JWS_MAX);
	json_t *claims = claims_of(&neighbour);

	EXPECT_INT(jws_make("JWT", claims, neighbour.seed, &b), 0);
	json_decref(claims);
	EXPECT_INT(exchange(buf_str(&b), neighbour.token, error), 200);
	for (int i = 0; i < 80; i++)
		EXPECT_INT(exchange(buf_str(&b), neighbour.token, error), 401);
	buf_free(&b);
	authenticate(&neighbour);
}

TEST("D2 RFC 7523 a host gets an access token for an assertion, once")
{
	struct host h;
	struct buf b = BUF_INIT(JWS_MAX);
	char token[128], error[64];

	world();
	enrol(&h, "lab", "auth1");
	json_t *claims = claims_of(&h);
	EXPECT_INT(jws_make("JWT", claims, h.seed, &b), 0);
	EXPECT_INT(exchange(buf_str(&b), token, error), 200);
	EXPECT_INT(exchange(buf_str(&b), token, error), 401);
	EXPECT_STR(error, "invalid_client");
	EXPECT_STR(token, "");
	json_decref(claims);
	buf_free(&b);
}

static void refused(const struct host *h, const char *what, const char *name, json_t *value)
{
	json_t *claims = claims_of(h);
	char token[128], error[64];

	if (value)
		json_object_set_new(claims, name, value);
	else
		json_object_del(claims, name);
	long status = exchange_claims(h, claims, token, error);
	if (status != 401)
		printf("# %s\n", what);
	EXPECT_INT(status, 401);
	EXPECT_STR(error, "invalid_client");
}

TEST("D2 RFC 7523 assertions for others, too old, too long or without an id are refused")
{
	struct host h, other;
	json_int_t now = clock_now();
	char token[128], error[64];

	world();
	enrol(&h, "lab", "auth2");
	enrol(&other, "lab", "auth3");
	refused(&h, "wrong audience", "aud", json_string("https://evil.test/oauth2/token"));
	refused(&h, "audience of the base URL", "aud", json_string("https://prism.test"));
	refused(&h, "no audience", "aud", NULL);
	refused(&h, "issuer is not the subject", "iss", json_string(other.id));
	refused(&h, "subject is not the issuer", "sub", json_string(other.id));
	refused(&h, "no subject", "sub", NULL);
	refused(&h, "ends before it begins", "exp", json_integer(now - 61));
	refused(&h, "lasts too long", "exp", json_integer(now + 400));
	refused(&h, "no end", "exp", NULL);
	refused(&h, "end is text", "exp", json_string("9999999999"));
	refused(&h, "issued in the future", "iat", json_integer(now + 100));
	refused(&h, "no issue date", "iat", NULL);
	refused(&h, "not valid yet", "nbf", json_integer(now + 100));
	refused(&h, "no jti", "jti", NULL);
	refused(&h, "short jti", "jti", json_string("1"));
	/* The right claims, signed by another host's key. */
	EXPECT_INT(exchange_claims(&other, claims_of(&h), token, error), 401);
	EXPECT_STR(error, "invalid_client");
	/* And a host that there is none. */
	struct host nobody = h;
	snprintf(nobody.id, sizeof(nobody.id), "0000000000000000000000000000abcd");
	EXPECT_INT(exchange_claims(&h, claims_of(&nobody), token, error), 401);
	json_t *old = claims_of(&h);
	json_object_set_new(old, "iat", json_integer(now - 200));
	json_object_set_new(old, "exp", json_integer(now - 61));
	EXPECT_INT(exchange_claims(&h, old, token, error), 401);
	/* Within the skew. */
	json_t *claims = claims_of(&h);
	json_object_set_new(claims, "iat", json_integer(now + 50));
	EXPECT_INT(exchange_claims(&h, claims, token, error), 200);
}

static const char *forge(const char *header, const json_t *claims, const uint8_t key[32], bool mac)
{
	static char out[8192];
	char *json = json_dumps(claims, JSON_COMPACT), *p = out;
	uint8_t sig[64] = {0};
	unsigned n = 32;

	base64url_encode(header, strlen(header), p);
	strcat(p, ".");
	p += strlen(p);
	base64url_encode(json, strlen(json), p);
	if (mac)
		HMAC(EVP_sha256(), key, 32, (uint8_t *)out, strlen(out), sig, &n);
	strcat(p, ".");
	p += strlen(p);
	if (mac)
		base64url_encode(sig, n, p);
	free(json);
	return out;
}

TEST("STACK C alg none, HS256 with the public key and an embedded key are refused")
{
	struct host h, evil;
	char token[128], error[64], header[512], x[64];
	struct buf b = BUF_INIT(JWS_MAX);

	world();
	enrol(&h, "lab", "auth4");
	host_keys(&evil);
	json_t *claims = claims_of(&h);
	EXPECT_INT(exchange(forge("{\"alg\":\"none\"}", claims, NULL, false), token, error), 401);
	EXPECT_INT(
	    exchange(forge("{\"alg\":\"HS256\"}", claims, h.public, true), token, error), 401);
	/* Signed well, by the key that it brings along. */
	base64url_encode(evil.public, 32, x);
	snprintf(header, sizeof(header),
	    "{\"alg\":\"EdDSA\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}}", x);
	EXPECT_INT(exchange(forge(header, claims, NULL, false), token, error), 401);
	EXPECT_INT(jws_make("JWT", claims, evil.seed, &b), 0);
	EXPECT_INT(exchange(buf_str(&b), token, error), 401);
	/* Another kind of token by the right key. */
	buf_clear(&b);
	EXPECT_INT(jws_make("prism-enrolment", claims, h.seed, &b), 0);
	EXPECT_INT(exchange(buf_str(&b), token, error), 401);
	EXPECT_INT(exchange("", token, error), 401);
	EXPECT_INT(exchange("a.b.c", token, error), 401);
	/* None of them has used the jti up. */
	buf_clear(&b);
	EXPECT_INT(jws_make("JWT", claims, h.seed, &b), 0);
	EXPECT_INT(exchange(buf_str(&b), token, error), 200);
	json_decref(claims);
	buf_free(&b);
}

TEST("D2 RFC 6749 5.2 errors have their words")
{
	struct http_client *c = client(NULL);
	static const struct {
		const char *form, *error;
		long status;
	} cases[] = {
	    {"grant_type=password&username=a&password=b", "unsupported_grant_type", 400},
	    {"x=y", "invalid_request", 400},
	    {"grant_type=client_credentials", "invalid_client", 401},
	};

	world();
	http_client_free(c);
	c = client(NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_response r;
		http_response_init(&r, 65536);
		EXPECT_INT(http_request_form(c, "/oauth2/token", cases[i].form, &r), 0);
		json_t *o = http_response_json(&r);
		EXPECT_INT(r.status, cases[i].status);
		EXPECT_STR(text_of(o, "error"), cases[i].error);
		json_decref(o);
		http_response_free(&r);
	}
	http_client_free(c);
}

HOSTS_MAIN()
