/* SPDX-License-Identifier: MIT */
#ifndef JWT_FORGE_H
#define JWT_FORGE_H

/*
 * An identity provider's signing half, and a forger's: keys of the three kinds, their JWKs, and
 * tokens with any header and any claims whatever. For tests, fuzz targets and benchmarks.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include "base/encode.h"

#define FORGE_TOKEN_MAX 65536

__attribute__((unused)) static EVP_PKEY *forge_rsa(unsigned bits)
{
	return EVP_RSA_gen(bits);
}

__attribute__((unused)) static EVP_PKEY *forge_ec(const char *curve)
{
	return EVP_EC_gen(curve);
}

/* Always the same key. */
__attribute__((unused)) static EVP_PKEY *forge_ed(uint8_t seed)
{
	uint8_t raw[32];

	memset(raw, seed, sizeof(raw));
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw));
}

static void forge_number(EVP_PKEY *k, const char *param, char *out)
{
	uint8_t raw[2048];
	BIGNUM *b = NULL;

	EVP_PKEY_get_bn_param(k, param, &b);
	base64url_encode(raw, (size_t)BN_bn2bin(b, raw), out);
	BN_free(b);
}

/* The key as a JWK with these further members (", \"kid\":\"a\"" or ""). */
__attribute__((unused)) static void forge_jwk(EVP_PKEY *k, const char *more, char *out, size_t size)
{
	char a[3000], b[3000];
	uint8_t raw[256];
	size_t n = sizeof(raw);

	switch (EVP_PKEY_get_base_id(k)) {
	case EVP_PKEY_RSA:
		forge_number(k, OSSL_PKEY_PARAM_RSA_N, a);
		forge_number(k, OSSL_PKEY_PARAM_RSA_E, b);
		snprintf(out, size, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", a, b, more);
		break;
	case EVP_PKEY_EC:
		EVP_PKEY_get_octet_string_param(k, OSSL_PKEY_PARAM_PUB_KEY, raw, sizeof(raw), &n);
		base64url_encode(raw + 1, n / 2, a);
		base64url_encode(raw + 1 + n / 2, n / 2, b);
		snprintf(out, size,
		    "{\"kty\":\"EC\",\"crv\":\"P-%zu\",\"x\":\"%s\",\"y\":\"%s\"%s}", n / 2 * 8, a,
		    b, more);
		break;
	default:
		EVP_PKEY_get_raw_public_key(k, raw, &n);
		base64url_encode(raw, n, a);
		snprintf(
		    out, size, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"%s}", a, more);
	}
}

/* r and s of a DER signature, side by side. */
static size_t forge_pair(uint8_t *sig, size_t n)
{
	const uint8_t *from = sig;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &from, (long)n);
	uint8_t raw[64];

	BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32);
	ECDSA_SIG_free(pair);
	memcpy(sig, raw, 64);
	return 64;
}

/* Sign as JWS does with a key of this kind; "pss" makes it PS256 for RSA. */
static size_t forge_signature(EVP_PKEY *k, bool pss, const char *text, uint8_t sig[1024])
{
	int kind = EVP_PKEY_get_base_id(k);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pc = NULL;
	size_t n = 1024;

	EVP_DigestSignInit(c, &pc, kind == EVP_PKEY_ED25519 ? NULL : EVP_sha256(), NULL, k);
	if (pss) {
		EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(pc, 32);
	}
	if (EVP_DigestSign(c, sig, &n, (const uint8_t *)text, strlen(text)) != 1)
		abort();
	EVP_MD_CTX_free(c);
	return kind == EVP_PKEY_EC ? forge_pair(sig, n) : n;
}

/* "HEADER.CLAIMS" in out[FORGE_TOKEN_MAX]; the length. */
static size_t forge_input(
    const void *header, size_t header_len, const void *claims, size_t claims_len, char *out)
{
	if (BASE64URL_LEN(header_len) + BASE64URL_LEN(claims_len) + 1400 > FORGE_TOKEN_MAX)
		abort();
	base64url_encode(header, header_len, out);
	size_t n = strlen(out);
	out[n++] = '.';
	base64url_encode(claims, claims_len, out + n);
	return n + strlen(out + n);
}

__attribute__((unused)) static void forge_append(char *token, const void *sig, size_t n)
{
	size_t len = strlen(token);

	token[len++] = '.';
	base64url_encode(sig, n, token + len);
}

/* A whole token of n bytes in out[FORGE_TOKEN_MAX], the pieces given by length. */
__attribute__((unused)) static size_t forge_token_n(EVP_PKEY *k, bool pss, const void *header,
    size_t header_len, const void *claims, size_t claims_len, char *out)
{
	uint8_t sig[1024];

	forge_input(header, header_len, claims, claims_len, out);
	forge_append(out, sig, forge_signature(k, pss, out, sig));
	return strlen(out);
}

#endif
