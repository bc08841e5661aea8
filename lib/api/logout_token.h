/* SPDX-License-Identifier: MIT */
#ifndef API_LOGOUT_TOKEN_H
#define API_LOGOUT_TOKEN_H

/*
 * Logout tokens of OpenID Connect Back-Channel Logout 1.0, checked as section 2.6 says. Pure: the
 * caller gives the keys and the time, and remembers which tokens were taken.
 *
 * MUST, besides what api/jwt.h refuses:
 *
 *	typ        absent, "logout+jwt" or "JWT"
 *	iss, aud   as api/id_token.h has them; there is no azp
 *	iat        required, not in the future and at most LOGOUT_TOKEN_MAX_AGE old; exp, when it is
 *	           there, not over. The clocks may differ by ID_TOKEN_LEEWAY
 *	jti        1 to 255 printable ASCII characters: good once
 *	events     an object with the member of a logout, which is an object
 *	sub, sid   one of them at least, each 1 to 255 printable ASCII characters
 *	nonce      absent: a token with one is an ID token (section 2.4)
 */
#include <stddef.h>
#include <stdint.h>
#include "api/id_token.h"
#include "api/jwks.h"
#include "api/jwt.h"

#define LOGOUT_TOKEN_MAX_AGE 300
#define LOGOUT_TOKEN_EVENT   "http://schemas.openid.net/event/backchannel-logout"

struct logout_token {
	json_t *claims; /* owned; what follows points into it */
	const char *id;
	const char *subject, *sid; /* NULL: not named */
	int64_t forget_at;	   /* until then the id must be remembered */
};

/*
 * Check a logout token altogether. Returns 0, -EKEYREJECTED (refused), -EINVAL (nothing to compare
 * with) or -ENOMEM. *ret_fault says why, unless -EINVAL; *ret is set only on success. Release with
 * logout_token_clear().
 */
int logout_token_open(const char *text, size_t len, const struct jwks *keys, const char *issuer,
    const char *client_id, int64_t now, struct logout_token *ret, enum jwt_fault *ret_fault);

/* Accepts one that is all zero. */
void logout_token_clear(struct logout_token *t);
#define _cleanup_logout_token_ _cleanup_(logout_token_clear)

#endif
