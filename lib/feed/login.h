/* SPDX-License-Identifier: MIT */
#ifndef FEED_LOGIN_H
#define FEED_LOGIN_H

/*
 * The statement that somebody has approved a login: this header is its specification.
 *
 * It travels through the network half of the agent, which must not be able to make one: it is
 * signed with the feed's key, and answers a nonce that the root half has just made.
 *
 *	8 bytes	magic "PRSMLGN1"
 *	u8[16]	key id, as in feed.h
 *	u8[16]	host id
 *	u8[32]	nonce
 *	i64	issued_at, UTC seconds
 *	u32	uid
 *	str	username
 *	u16	number of projects
 *	str...	their slugs: those for which this login is one through their organization's SSO, no
 *		older than they ask for (sso_max_age)
 *	u8[32]	login_code_hash() of the user code that was approved: the root half compares it with
 *		what it let be shown, so that nobody approves another's login by a code that was
 *		exchanged on the way to the prompt
 *	u8[64]	Ed25519 signature over "prism-login-v1\0" || all bytes before
 */
#include "feed/feed.h"

#define LOGIN_MAGIC	   "PRSMLGN1"
#define LOGIN_CONTEXT	   "prism-login-v1" /* with its NUL */
#define LOGIN_NONCE_LEN	   32
#define LOGIN_PROJECTS_MAX FEED_MANIFEST_MAX
#define LOGIN_MAX	   4096
#define LOGIN_LIFE	   120 /* seconds; and at most 60 of the future */

struct login_statement {
	uint8_t host[FEED_ID_LEN];
	uint8_t nonce[LOGIN_NONCE_LEN];
	int64_t issued_at;
	uint32_t uid;
	char username[USERNAME_MAX + 1];
	char projects[LOGIN_PROJECTS_MAX][SLUG_MAX + 1];
	size_t nprojects;
	uint8_t code[FEED_DIGEST_LEN];
};

/* SHA-256 of a user code as it is shown, without hyphens. */
void login_code_hash(const char *code, uint8_t out[static FEED_DIGEST_LEN]);

/* Append the signed statement. 0, -EINVAL (what parsing would refuse) or -errno. */
int login_sign(struct feed_signer *s, const struct login_statement *l, struct buf *out);

/*
 * Check the signature by the pinned keys, then read. Whose it is, for which nonce and when, is the
 * caller's to compare. 0, -EBADMSG (malformed), -ENOKEY (no pinned key), -EKEYREJECTED.
 */
int login_open(
    const struct feed_trust *trust, const void *p, size_t n, struct login_statement *ret);

#endif
