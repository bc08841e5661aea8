/* SPDX-License-Identifier: MIT */
#ifndef API_JWT_H
#define API_JWT_H

/*
 * JSON Web Tokens of others (RFC 7519) as compact JWS (RFC 7515 §7.1). Prism's own tokens are
 * api/jws.h, which takes less.
 *
 * MUST: take no algorithm but RS256, ES256 and EdDSA, so neither "none" (RFC 8725 §3.2) nor any
 * that works with a shared secret; take the key from the caller's set (api/jwks.h), by "kid" and
 * algorithm, never from the token; refuse a token that brings its own key ("jwk", RFC 7515 §4.1.3)
 * and look at no jku, x5u or x5c; refuse "crit" whatever it lists (§4.1.11: nothing critical is
 * understood), "cty" (a token inside, RFC 7519 §5.2), encryption (RFC 7516), duplicate members
 * anywhere, a NUL in any text, base64 that is not strict base64url, and more or less than three
 * parts; read the claims only after the signature.
 *
 * A token without "kid" is taken only if exactly one key of the set has its algorithm.
 */
#include <stddef.h>
#include <jansson.h>
#include "api/jwks.h"

#define JWT_MAX 16384 /* characters of a whole token */

/*
 * Why a token was refused: for the audit log and the administrator. Who sent the token is told only
 * that it was refused. Those from JWT_ISSUER on are api/id_token.h's and api/logout_token.h's.
 */
enum jwt_fault {
	JWT_OK,
	JWT_NO_MEMORY, /* no verdict */
	JWT_SIZE,
	JWT_FORM,
	JWT_DUPLICATE,
	JWT_ENCRYPTED,
	JWT_ALGORITHM,
	JWT_CRITICAL,
	JWT_EMBEDDED_KEY,
	JWT_HEADER,
	JWT_NO_KEY,
	JWT_KEY_MISFIT,
	JWT_KEY_AMBIGUOUS,
	JWT_SIGNATURE,
	JWT_ISSUER,
	JWT_AUDIENCE,
	JWT_PARTY,
	JWT_SUBJECT,
	JWT_TIME,
	JWT_EXPIRED,
	JWT_FUTURE,
	JWT_TOO_OLD,
	JWT_NOT_YET,
	JWT_NONCE,
	JWT_AUTH_TIME,
	JWT_ACCESS_TOKEN,
	JWT_EVENT,
	JWT_ID,
	JWT_SESSION,
	JWT_FAULTS, /* how many there are */
};

/* A word that stays the same for ever ("wrong_audience"), and the sentence. Never NULL. */
const char *jwt_fault_name(enum jwt_fault f);
const char *jwt_fault_text(enum jwt_fault f);

/* A token whose signature was right. Nothing else about it was checked. */
struct jwt {
	json_t *header; /* owned: an object */
	json_t *claims; /* owned: an object */
	enum jwk_alg alg;
};

/*
 * Check the signature of a token with the keys of "keys", and read it.
 * Returns 0, -EKEYREJECTED or -ENOMEM. *ret_fault is always set; *ret only on success. Release with
 * jwt_clear().
 */
int jwt_open(const char *text, size_t len, const struct jwks *keys, struct jwt *ret,
    enum jwt_fault *ret_fault);

/* Accepts one that is all zero. */
void jwt_clear(struct jwt *t);
#define _cleanup_jwt_ _cleanup_(jwt_clear)

#endif
