/* SPDX-License-Identifier: MIT */
#ifndef API_JWKS_H
#define API_JWKS_H

/*
 * JWK Sets (RFC 7517 §5): the public keys of an identity provider, and signatures checked with
 *them.
 *
 * MUST: bind each key to one algorithm here, where it is read, so that no token can choose another:
 *
 *	kty  crv      algorithm  what is taken
 *	RSA           RS256      n of 2048 to 8192 bits, odd; e odd, 3 or more, 4 bytes at most
 *	EC   P-256    ES256      a point on the curve
 *	OKP  Ed25519  EdDSA      32 bytes (RFC 8037 §2)
 *
 * A key is not understood, and is skipped, when it is anything else, or its "alg" is not that
 * algorithm, its "use" not "sig" (§4.2), its "key_ops" not distinct texts with "verify" among them
 * (§4.3), its "kid" not a text of 1 to JWKS_KID_MAX bytes, a number not in strict base64url in its
 * shortest form (RFC 7518 §2, §6.2, §6.3), or when it shows its private half ("d"): what everybody
 * can sign with proves nothing. x5c, x5t and x5u are not looked at.
 *
 * Nothing here asks the network, the clock or the disk; OpenSSL's error queue is left as it was.
 */
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"

#define JWKS_MAX      65536 /* bytes of a set's text */
#define JWKS_KEYS_MAX 32    /* members of "keys", understood or not */
#define JWKS_KID_MAX  255
#define JWKS_SIG_MAX  1024 /* bytes of the longest signature: RSA of 8192 bits */

enum jwk_alg {
	JWK_ALG_NONE, /* no algorithm that is taken */
	JWK_RS256,    /* RSASSA-PKCS1-v1_5 with SHA-256, RFC 7518 §3.3 */
	JWK_ES256,    /* ECDSA on P-256 with SHA-256, RFC 7518 §3.4 */
	JWK_EDDSA,    /* Ed25519, RFC 8037 §3.1 */
};

struct jwks;
struct jwk;

/*
 * Read a set. A set of which no key is understood is a set without keys, not an error.
 * Returns 0, -EBADMSG (not JSON, duplicate members anywhere, no array "keys"), -E2BIG (over
 * JWKS_MAX or JWKS_KEYS_MAX), or -ENOMEM. Release with jwks_free().
 */
int jwks_parse(const char *text, size_t len, struct jwks **ret);
void jwks_free(struct jwks *set);
static inline void jwks_freep(struct jwks **set)
{
	jwks_free(*set);
}
#define _cleanup_jwks_ _cleanup_(jwks_freep)

/* How many keys were understood, and how many were not. */
size_t jwks_count(const struct jwks *set);
size_t jwks_skipped(const struct jwks *set);

/* The key at place i < jwks_count(). It belongs to the set. */
const struct jwk *jwks_at(const struct jwks *set, size_t i);
enum jwk_alg jwk_algorithm(const struct jwk *k);

/* The algorithm with this name ("alg", case and all), else JWK_ALG_NONE. Accepts NULL. */
enum jwk_alg jwk_alg_named(const char *name);

/*
 * The one key for this algorithm that has this "kid"; with kid NULL, the one for this algorithm
 * whatever its kid. Returns 0; -ENOENT (none), -EKEYREJECTED (the kid is there, for another
 * algorithm), -ENOTUNIQ (several).
 */
int jwks_find(const struct jwks *set, const char *kid, enum jwk_alg alg, const struct jwk **ret);

/*
 * 0 if this key signed these n bytes, by the key's own algorithm; -EKEYREJECTED otherwise. The
 * signature is as JWS has it: for ES256 r and s of 32 bytes each, neither zero (RFC 7518 §3.4).
 */
int jwk_verify(const struct jwk *k, const void *p, size_t n, const uint8_t *sig, size_t sig_len);

#endif
