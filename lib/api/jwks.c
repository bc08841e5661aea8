/* SPDX-License-Identifier: MIT */
#include "api/jwks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include "base/encode.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define RSA_E_MAX    4 /* bytes */
#define P256_LEN     32
#define KEY_OPS_MAX  16
#define ED25519_LEN  32
#define ES256_DER    72 /* two INTEGERs of up to 33 bytes in a SEQUENCE */

struct algorithm {
	enum jwk_alg alg;
	const char *name, *kty, *crv;
	size_t sig_len; /* 0: as long as the key */
	bool sha256;	/* hashed by the caller of the signature scheme, not inside it */
	EVP_PKEY *(*load)(const json_t *jwk);
};

struct jwk {
	const struct algorithm *algorithm;
	char *kid; /* owned; NULL if it has none */
	EVP_PKEY *pkey;
};

struct jwks {
	struct jwk keys[JWKS_KEYS_MAX];
	size_t count, skipped;
};

static void pkey_freep(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
}

static void pkey_ctx_freep(EVP_PKEY_CTX **c)
{
	EVP_PKEY_CTX_free(*c);
}

static void md_ctx_freep(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

static void bn_freep(BIGNUM **b)
{
	BN_free(*b);
}

static void bld_freep(OSSL_PARAM_BLD **b)
{
	OSSL_PARAM_BLD_free(*b);
}

static void param_freep(OSSL_PARAM **p)
{
	OSSL_PARAM_free(*p);
}

static void ecdsa_sig_freep(ECDSA_SIG **s)
{
	ECDSA_SIG_free(*s);
}

/* ---- the three kinds of keys ----------------------------------------------------------------- */

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM *params)
{
	_cleanup_(pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return NULL;
	return key;
}

static ssize_t member_bytes(const json_t *jwk, const char *name, uint8_t *out, size_t max)
{
	const json_t *v = json_object_get(jwk, name);
	return json_is_string(v)
		   ? base64url_decode(json_string_value(v), json_string_length(v), out, max)
		   : -EINVAL;
}

/* A positive number in its shortest form. */
static BIGNUM *member_number(const json_t *jwk, const char *name, size_t max)
{
	uint8_t raw[RSA_BITS_MAX / 8];
	ssize_t n = member_bytes(jwk, name, raw, max);
	return n > 0 && raw[0] ? BN_bin2bn(raw, (int)n, NULL) : NULL;
}

static EVP_PKEY *rsa_load(const json_t *jwk)
{
	_cleanup_(bn_freep) BIGNUM *n = member_number(jwk, "n", RSA_BITS_MAX / 8);
	_cleanup_(bn_freep) BIGNUM *e = member_number(jwk, "e", RSA_E_MAX);
	_cleanup_(bld_freep) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();

	/* With e = 1 the padded hash would be its own signature. */
	if (!n || !e || !bld || BN_num_bits(n) < RSA_BITS_MIN || !BN_is_odd(n) || !BN_is_odd(e) ||
	    BN_is_one(e) || OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) != 1)
		return NULL;
	_cleanup_(param_freep) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	return pkey_from("RSA", params);
}

static EVP_PKEY *p256_load(const json_t *jwk)
{
	uint8_t point[1 + 2 * P256_LEN] = {0x04};
	char group[] = "P-256";

	if (member_bytes(jwk, "x", point + 1, P256_LEN) != P256_LEN ||
	    member_bytes(jwk, "y", point + 1 + P256_LEN, P256_LEN) != P256_LEN)
		return NULL;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
	    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
	    OSSL_PARAM_construct_end(),
	};
	_cleanup_(pkey_freep) EVP_PKEY *key = pkey_from("EC", params);
	_cleanup_(pkey_ctx_freep) EVP_PKEY_CTX *ctx =
	    key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
	return ctx && EVP_PKEY_public_check(ctx) == 1 ? TAKE_PTR(key) : NULL;
}

static EVP_PKEY *ed25519_load(const json_t *jwk)
{
	uint8_t raw[ED25519_LEN];
	if (member_bytes(jwk, "x", raw, sizeof(raw)) != sizeof(raw))
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw));
}

static const struct algorithm algorithms[] = {
    {JWK_RS256, "RS256", "RSA", NULL, 0, true, rsa_load},
    {JWK_ES256, "ES256", "EC", "P-256", 64, true, p256_load},
    {JWK_EDDSA, "EdDSA", "OKP", "Ed25519", 64, false, ed25519_load},
};

/* ---- reading a set --------------------------------------------------------------------------- */

static bool member_is(const json_t *jwk, const char *name, const char *text)
{
	const char *s = json_string_value(json_object_get(jwk, name));
	return s && strcmp(s, text) == 0;
}

static bool member_absent_or(const json_t *jwk, const char *name, const char *text)
{
	return !json_object_get(jwk, name) || member_is(jwk, name, text);
}

static bool key_ops_ok(const json_t *ops)
{
	bool verify = false;

	if (!ops)
		return true;
	if (!json_is_array(ops) || json_array_size(ops) > KEY_OPS_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(ops); i++) {
		const char *op = json_string_value(json_array_get(ops, i));
		if (!op)
			return false;
		for (size_t j = 0; j < i; j++) {
			if (strcmp(op, json_string_value(json_array_get(ops, j))) == 0)
				return false;
		}
		verify |= strcmp(op, "verify") == 0;
	}
	return verify;
}

static const struct algorithm *algorithm_of(const json_t *jwk)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
		const struct algorithm *a = &algorithms[i];
		if (member_is(jwk, "kty", a->kty) && (!a->crv || member_is(jwk, "crv", a->crv)) &&
		    member_absent_or(jwk, "alg", a->name))
			return a;
	}
	return NULL;
}

static bool kid_ok(const json_t *kid)
{
	size_t n = json_string_length(kid);
	return !kid || (json_is_string(kid) && n >= 1 && n <= JWKS_KID_MAX);
}

/* 0, -EBADMSG (to be skipped) or -ENOMEM. */
static int jwk_read(const json_t *jwk, struct jwk *ret)
{
	const json_t *kid = json_object_get(jwk, "kid");
	const struct algorithm *a = algorithm_of(jwk);
	_cleanup_free_ char *copy = NULL;

	if (!a || !kid_ok(kid) || json_object_get(jwk, "d") ||
	    !member_absent_or(jwk, "use", "sig") || !key_ops_ok(json_object_get(jwk, "key_ops")))
		return -EBADMSG;
	if (kid) {
		copy = strdup(json_string_value(kid));
		if (!copy)
			return -ENOMEM;
	}
	EVP_PKEY *pkey = a->load(jwk);
	if (!pkey)
		return -EBADMSG;
	*ret = (struct jwk){.algorithm = a, .kid = TAKE_PTR(copy), .pkey = pkey};
	return 0;
}

static int keys_read(const json_t *keys, struct jwks *set)
{
	if (!json_is_array(keys))
		return -EBADMSG;
	if (json_array_size(keys) > JWKS_KEYS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < json_array_size(keys); i++) {
		int r = jwk_read(json_array_get(keys, i), &set->keys[set->count]);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			set->skipped++;
		else
			set->count++;
	}
	return 0;
}

int jwks_parse(const char *text, size_t len, struct jwks **ret)
{
	if (len > JWKS_MAX)
		return -E2BIG;
	json_error_t error;
	json_auto_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
	_cleanup_jwks_ struct jwks *set = calloc(1, sizeof(*set));
	if (!set)
		return -ENOMEM;

	ERR_set_mark();
	int r = keys_read(json_object_get(json, "keys"), set);
	ERR_pop_to_mark();
	if (r < 0)
		return r;
	*ret = TAKE_PTR(set);
	return 0;
}

void jwks_free(struct jwks *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->count; i++) {
		EVP_PKEY_free(set->keys[i].pkey);
		free(set->keys[i].kid);
	}
	free(set);
}

size_t jwks_count(const struct jwks *set)
{
	return set->count;
}

size_t jwks_skipped(const struct jwks *set)
{
	return set->skipped;
}

const struct jwk *jwks_at(const struct jwks *set, size_t i)
{
	return i < set->count ? &set->keys[i] : NULL;
}

enum jwk_alg jwk_algorithm(const struct jwk *k)
{
	return k->algorithm->alg;
}

enum jwk_alg jwk_alg_named(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(algorithms); i++) {
		if (strcmp(name, algorithms[i].name) == 0)
			return algorithms[i].alg;
	}
	return JWK_ALG_NONE;
}

int jwks_find(const struct jwks *set, const char *kid, enum jwk_alg alg, const struct jwk **ret)
{
	const struct jwk *found = NULL;
	bool named = false;

	for (size_t i = 0; i < set->count; i++) {
		const struct jwk *k = &set->keys[i];
		if (kid && (!k->kid || strcmp(k->kid, kid) != 0))
			continue;
		named |= kid != NULL;
		if (k->algorithm->alg != alg)
			continue;
		if (found)
			return -ENOTUNIQ;
		found = k;
	}
	if (!found)
		return named ? -EKEYREJECTED : -ENOENT;
	*ret = found;
	return 0;
}

/* ---- checking a signature -------------------------------------------------------------------- */

/* r and s side by side, into the DER that OpenSSL reads. The length, or 0. */
static size_t es256_der(const uint8_t *sig, uint8_t der[static ES256_DER])
{
	_cleanup_(bn_freep) BIGNUM *r = BN_bin2bn(sig, P256_LEN, NULL);
	_cleanup_(bn_freep) BIGNUM *s = BN_bin2bn(sig + P256_LEN, P256_LEN, NULL);
	_cleanup_(ecdsa_sig_freep) ECDSA_SIG *pair = ECDSA_SIG_new();
	uint8_t *to = der;

	if (!r || !s || !pair || BN_is_zero(r) || BN_is_zero(s) || ECDSA_SIG_set0(pair, r, s) != 1)
		return 0;
	r = s = NULL;
	int n = i2d_ECDSA_SIG(pair, NULL);
	if (n <= 0 || n > ES256_DER)
		return 0;
	return i2d_ECDSA_SIG(pair, &to) == n ? (size_t)n : 0;
}

static bool pkey_verify(
    const struct jwk *k, const void *p, size_t n, const uint8_t *sig, size_t sig_len)
{
	_cleanup_(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = k->algorithm->sha256 ? EVP_sha256() : NULL;

	return ctx && EVP_DigestVerifyInit(ctx, NULL, md, NULL, k->pkey) == 1 &&
	       EVP_DigestVerify(ctx, sig, sig_len, p, n) == 1;
}

int jwk_verify(const struct jwk *k, const void *p, size_t n, const uint8_t *sig, size_t sig_len)
{
	const struct algorithm *a = k->algorithm;
	uint8_t der[ES256_DER];

	if (sig_len != (a->sig_len ? a->sig_len : (size_t)EVP_PKEY_get_size(k->pkey)))
		return -EKEYREJECTED;
	ERR_set_mark();
	if (a->alg == JWK_ES256) {
		sig_len = es256_der(sig, der);
		sig = der;
	}
	bool ok = sig_len > 0 && pkey_verify(k, p, n, sig, sig_len);
	ERR_pop_to_mark();
	return ok ? 0 : -EKEYREJECTED;
}
