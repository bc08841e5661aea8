/* SPDX-License-Identifier: MIT */
#ifndef API_JWS_H
#define API_JWS_H

/*
 * Compact JWS (RFC 7515 §7.1) with Ed25519 (RFC 8037), and nothing else of JOSE.
 *
 * MUST: accept no algorithm but EdDSA, whatever the header says; take the key from the caller,
 * never from the token; refuse every header member but alg, typ and kid (so crit, jwk, jku, x5c,
 * b64 and zip), duplicate members anywhere, base64 that is not strict base64url, and anything that
 * is not exactly three parts; believe no claim before jws_check() has returned 0, unless the
 * caller's use of it needs no trust.
 */
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "base/buf.h"

#define JWS_MAX	    8192 /* characters of a whole token */
#define JWS_KEY_LEN 32
#define JWS_SIG_LEN 64

struct jws {
	json_t *header;	   /* owned: {alg, typ?, kid?}, strings */
	json_t *claims;	   /* owned: an object */
	const char *text;  /* the caller's, which must outlive this */
	size_t signed_len; /* how much of it the signature covers */
	uint8_t sig[JWS_SIG_LEN];
};

/*
 * Append the compact form of "claims" (an object) with the header {"alg":"EdDSA","typ":typ};
 * "sign" signs n bytes and returns 0 or -errno.
 * Returns 0, -EINVAL, -EMSGSIZE (over JWS_MAX), -ENOMEM, or what "sign" returned.
 */
int jws_sign(const char *typ, const json_t *claims,
    int (*sign)(void *arg, const void *p, size_t n, uint8_t sig[64]), void *arg, struct buf *out);

/* The same, signed with the Ed25519 private key "seed" (RFC 8032 §5.1.5). */
int jws_make(
    const char *typ, const json_t *claims, const uint8_t seed[static JWS_KEY_LEN], struct buf *out);

/* Take apart, without checking the signature. 0, -EBADMSG or -ENOMEM; release with jws_clear(). */
int jws_parse(const char *text, size_t len, struct jws *ret);

/* 0 if "key" (a raw Ed25519 public key) signed it, -EKEYREJECTED otherwise. */
int jws_check(const struct jws *j, const uint8_t key[static JWS_KEY_LEN]);

/* Release; strings of the claims are wiped. Accepts one that is all zero. */
void jws_clear(struct jws *j);
#define _cleanup_jws_ __attribute__((__cleanup__(jws_clear)))

/* The claim of this name if it is a string of 1 to max bytes, else NULL. */
const char *jws_str(const struct jws *j, const char *name, size_t max);

/* The claim of this name if it is an integer. 0, or -EBADMSG. */
int jws_int(const struct jws *j, const char *name, int64_t *ret);

#endif
