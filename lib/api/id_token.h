/* SPDX-License-Identifier: MIT */
#ifndef API_ID_TOKEN_H
#define API_ID_TOKEN_H

/*
 * ID tokens of OpenID Connect Core 1.0, checked as §3.1.3.7 says and, where that leaves a choice,
 * the stricter way. Pure: the caller gives the keys, the time and what the login expected.
 *
 * MUST, besides what api/jwt.h refuses:
 *
 *	typ        absent or "JWT": an access token ("at+jwt", RFC 9068 §4) or a logout token is not
 *	           an ID token, though signed by the same key (RFC 8725 §3.11)
 *	iss        the expected issuer, byte for byte
 *	aud        a text that is the client id, or an array of texts with the client id among them
 *	azp        required when there are several audiences; the client id whenever it is there
 *	sub        1 to 255 printable ASCII characters
 *	exp, iat   required; nbf and auth_time optional: whole numbers, above 0 and below 2^53.
 *	           The clocks may differ by ID_TOKEN_LEEWAY
 *	iat        not older than max_token_age
 *	nonce      what was sent; absent if none was sent, since a token with one answers some other
 *	           login
 *	auth_time  required, and not older, when the login asked for max_login_age
 *	at_hash    when it is there and the access token is given, the token's (§3.1.3.6): the left
 *	           half of SHA-256, or for EdDSA of SHA-512
 *
 * Who a person is stands in (issuer, subject) and in nothing else: an e-mail address, verified or
 * not, is a claim of the provider about somebody, and links no accounts by itself.
 *
 * A claim that is missing is not an empty one: a provider that leaves out the groups has said
 * nothing about them, and nobody may be removed for that.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "api/jwks.h"
#include "api/jwt.h"

#define ID_TOKEN_LEEWAY	     60
#define ID_TOKEN_MAX_AGE     600 /* seconds since it was issued, unless the caller says otherwise */
#define ID_TOKEN_SUBJECT_MAX 255
#define ID_TOKEN_NAME_MAX    255
#define ID_TOKEN_GROUP_MAX   255

struct id_token_expect {
	const char *issuer;	  /* required */
	const char *client_id;	  /* required */
	const char *nonce;	  /* that of the login request; NULL: none was sent */
	const char *access_token; /* that came with it; NULL: none, or not to be compared */
	const char *groups_claim; /* where this provider puts groups; NULL: "groups" */
	int64_t now;		  /* seconds since 1970; required */
	int64_t max_token_age;	  /* seconds; 0: ID_TOKEN_MAX_AGE */
	int64_t max_login_age;	  /* seconds; 0: not asked for */
};

enum id_token_groups {
	ID_TOKEN_GROUPS_MISSING, /* nothing was said */
	ID_TOKEN_GROUPS_BAD,	 /* something was said that cannot be read: as if nothing was */
	ID_TOKEN_GROUPS_GIVEN,	 /* the list, which may be empty */
};

struct id_token {
	json_t *claims; /* owned: all of them; what follows points into it */
	const char *issuer;
	const char *subject;
	const char *email;   /* NULL if missing or not an address */
	bool email_verified; /* true only for an address with the JSON value true */
	const char *name;    /* NULL if missing, too long or with control characters; may be "" */
	enum id_token_groups groups_state;
	const json_t *groups; /* an array of texts of 1 to ID_TOKEN_GROUP_MAX bytes, or NULL */
	int64_t issued;
	int64_t expires;
	int64_t auth_time; /* 0 if missing */
};

/*
 * Check an ID token altogether. Returns 0, -EKEYREJECTED (refused), -EINVAL ("want" lacks what is
 * required or has an empty nonce) or -ENOMEM. *ret_fault says why, unless -EINVAL; *ret is set only
 * on success. Release with id_token_clear().
 */
int id_token_open(const char *text, size_t len, const struct jwks *keys,
    const struct id_token_expect *want, struct id_token *ret, enum jwt_fault *ret_fault);

/* Accepts one that is all zero. */
void id_token_clear(struct id_token *t);
#define _cleanup_id_token_ _cleanup_(id_token_clear)

#endif
