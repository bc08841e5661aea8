/* SPDX-License-Identifier: MIT */
/*
 * jwt_bench ROUNDS: processor time of checking one ID token, beside OpenSSL's bare verification of
 * the same signature. Prints "ALGORITHM ours floor" in microseconds, the median of the rounds each.
 */
#include <time.h>
#include "api/id_token.h"
#include "tests/jwt_forge.h"

#define NOW    1800000000
#define BATCH  200
#define ROUNDS 1001

struct subject {
	const char *alg;
	EVP_PKEY *key;
	struct jwks *set;
	char token[FORGE_TOKEN_MAX];
	size_t len;
	uint8_t sig[1024]; /* as OpenSSL has it */
	size_t sig_len;
};

static const char claims[] =
    "{\"iss\":\"https://idp.uni.edu\",\"sub\":\"248289761001\",\"aud\":\"prism\","
    "\"exp\":1800000300,\"iat\":1799999990,\"auth_time\":1799999980,\"nonce\":\"n-0S6_WzA2Mj\","
    "\"email\":\"alice@uni.edu\",\"email_verified\":true,\"name\":\"Alice Liddell\","
    "\"groups\":[\"lab-a\",\"lab-b\",\"lab-c\"]}";

static const struct id_token_expect want = {
    .issuer = "https://idp.uni.edu", .client_id = "prism", .nonce = "n-0S6_WzA2Mj", .now = NOW};

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static size_t signed_len(const struct subject *s)
{
	return s->len - strlen(strrchr(s->token, '.'));
}

static const EVP_MD *digest(const struct subject *s)
{
	return EVP_PKEY_get_base_id(s->key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
}

static void ours(const struct subject *s)
{
	struct id_token t = {0};
	enum jwt_fault f = JWT_FAULTS;

	if (id_token_open(s->token, s->len, s->set, &want, &t, &f) < 0) {
		fprintf(stderr, "%s: %s\n", s->alg, jwt_fault_text(f));
		exit(1);
	}
	id_token_clear(&t);
}

static void bare(const struct subject *s)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (EVP_DigestVerifyInit(c, NULL, digest(s), NULL, s->key) != 1 ||
	    EVP_DigestVerify(c, s->sig, s->sig_len, (const uint8_t *)s->token, signed_len(s)) != 1)
		exit(1);
	EVP_MD_CTX_free(c);
}

static void parse(const struct subject *s)
{
	struct jwks *set = NULL;

	if (jwks_parse(s->token, s->len, &set) < 0)
		exit(1);
	jwks_free(set);
}

static void subject_make(struct subject *s)
{
	char header[64], jwk[2048], set[2100];
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"k\"}", s->alg);
	s->len =
	    forge_token_n(s->key, false, header, strlen(header), claims, strlen(claims), s->token);
	forge_jwk(s->key, ",\"kid\":\"k\"", jwk, sizeof(jwk));
	snprintf(set, sizeof(set), "{\"keys\":[%s]}", jwk);
	s->sig_len = sizeof(s->sig);
	if (jwks_parse(set, strlen(set), &s->set) < 0 ||
	    EVP_DigestSignInit(c, NULL, digest(s), NULL, s->key) != 1 ||
	    EVP_DigestSign(c, s->sig, &s->sig_len, (const uint8_t *)s->token, signed_len(s)) != 1)
		exit(1);
	EVP_MD_CTX_free(c);
}

static double batch(const struct subject *s, void (*fn)(const struct subject *))
{
	double start = cpu_us();

	for (int i = 0; i < BATCH; i++)
		fn(s);
	return (cpu_us() - start) / BATCH;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void measure(const struct subject *s, void (*one)(const struct subject *),
    void (*other)(const struct subject *), size_t rounds)
{
	static double a[ROUNDS], b[ROUNDS];

	for (size_t i = 0; i < rounds; i++) {
		a[i] = batch(s, one);
		b[i] = other ? batch(s, other) : 0;
	}
	qsort(a, rounds, sizeof(*a), compare);
	qsort(b, rounds, sizeof(*b), compare);
	printf("%s %.1f %.1f\n", s->alg, a[rounds / 2], b[rounds / 2]);
}

/* The key sets of big providers have a handful of RSA keys; an elliptic one costs most to check. */
static void measure_set(EVP_PKEY *ec, size_t rounds)
{
	static struct subject s = {.alg = "set"};
	char jwk[512];

	forge_jwk(ec, "", jwk, sizeof(jwk));
	s.len = (size_t)snprintf(s.token, sizeof(s.token), "{\"keys\":[%s", jwk);
	for (int i = 1; i < JWKS_KEYS_MAX; i++)
		s.len += (size_t)snprintf(s.token + s.len, sizeof(s.token) - s.len, ",%s", jwk);
	s.len += (size_t)snprintf(s.token + s.len, sizeof(s.token) - s.len, "]}");
	measure(&s, parse, NULL, rounds / 10 + 1);
}

int main(int argc, char **argv)
{
	static struct subject subjects[] = {{.alg = "ES256"}, {.alg = "RS256"}, {.alg = "EdDSA"}};
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 21;

	if (rounds < 1 || rounds > ROUNDS)
		return 2;
	subjects[0].key = forge_ec("P-256");
	subjects[1].key = forge_rsa(2048);
	subjects[2].key = forge_ed(1);
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		subject_make(&subjects[i]);
		measure(&subjects[i], ours, bare, rounds);
	}
	measure_set(subjects[0].key, rounds);
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		EVP_PKEY_free(subjects[i].key);
		jwks_free(subjects[i].set);
	}
	return 0;
}
