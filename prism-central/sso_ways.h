/* SPDX-License-Identifier: MIT */
#ifndef SSO_WAYS_H
#define SSO_WAYS_H

/*
 * The ways into an account, for whoever is about to get one more: somebody else may have made the
 * account, and whatever opens it then goes on to do so.
 *
 * Ways are its password, its SSH keys, logins of institutions that are linked to it (of connections
 * that are switched off, too), and sessions that are open: the command line's and browsers'.
 */
#include "user.h"

/*
 * *ret, owned by the caller:
 *	{"username", "email", "made_at", "invited_by", "project", "connection", "ways": [...]}
 * where invited_by and project, or connection, say how it was made, as far as the database still
 * knows, and are null otherwise; each way is {"kind", "what", "how", "at"}:
 *	password	"", "", set when (0: not known)
 *	key		fingerprint, "generated" or "imported", added when
 *	login		name of the connection, whom it calls so, linked when
 *	session		from which address, by what it was opened, when
 *	browser		the same
 * 0 or -errno.
 */
int sso_ways_read(struct tx *t, const struct user *u, int64_t now, json_t **ret);

/* SHA-256 of all that: whoever saw the one has seen the other. 0 or -ENOMEM. */
int sso_ways_digest(const json_t *ways, char out[65]);

/*
 * For the audit: {"password": true, "keys": [fingerprint...], "logins": [...], "sessions": N,
 * "browsers": N}. NULL without memory.
 */
json_t *sso_ways_summary(const json_t *ways);

/*
 * Close them all: keys are revoked (hosts follow), the password and the linked logins taken away,
 * sessions ended with all that they have begun. In a write transaction. 0 or -errno.
 */
int sso_ways_close(struct tx *t, int64_t user, int64_t now);

#endif
