/* SPDX-License-Identifier: MIT */
#ifndef API_TOKEN_H
#define API_TOKEN_H

/*
 * Tokens that people and machines carry from one place to another: invitations and host enrolment.
 *
 * A token is a compact JWS (RFC 7515 §7.1), EdDSA (RFC 8037), signed by the service's feed key,
 *around 256 random bits. The claims tell the holder's program which server to reach, how to
 *recognize it and what is offered. They are trusted for nothing else: the row found by the SHA-256
 *of the random part ("sec") decides. So a holder parses a token without checking its signature.
 *
 * Header {"alg":"EdDSA","typ":"prism-invitation" | "prism-enrolment"}. Claims:
 *	url   base URL of the service	    pin  base64 of SHA-256 of its TLS key (SPKI), optional
 *	sec   base64url of 32 random bytes  exp  UTC seconds
 *	prj, prn, rol   project slug, its name, role (invitation)
 *	prj, hst, fky, rky   project slug, host name ("" free), feed key and recovery key id in
 *	      base64url (enrolment)
 * Duplicate members, unknown typ, wrong types and lengths are refused. Unknown claims are ignored.
 */
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/name.h"

#define TOKEN_MAX	 4096
#define TOKEN_SECRET_LEN 32

enum token_kind { TOKEN_INVITATION = 1, TOKEN_ENROLMENT = 2 };

struct token {
	enum token_kind kind;
	char url[512];
	char pin[64]; /* "" if none */
	uint8_t secret[TOKEN_SECRET_LEN];
	int64_t expires;
	char project[SLUG_MAX + 1];
	char project_name[GECOS_MAX + 1];
	char role[32];
	char host[64];
	uint8_t feed_key[32];
	uint8_t recovery_key_id[16];
};

/*
 * Parse; white space around and line breaks inside are dropped first (people copy from mails).
 * 0 or -EBADMSG. The caller wipes *ret.
 */
int token_parse(const char *text, struct token *ret);

/* Sign "claims" with a callback (the service's key). 0 or -errno. */
int token_make(const struct token *t,
    int (*sign)(void *arg, const void *p, size_t n, uint8_t sig[64]), void *arg, struct buf *out);

/* SHA-256 of the secret part: what the database keeps. */
void token_hash(const uint8_t secret[static TOKEN_SECRET_LEN], uint8_t out[32]);

#endif
