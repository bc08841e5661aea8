/* SPDX-License-Identifier: MIT */
#ifndef SSO_INTERNAL_H
#define SSO_INTERNAL_H

/* What the files of sso.h share among themselves. */
#include "role.h"
#include "sso.h"

/*
 * Seal text for "TABLE.COLUMN" and this row: secret_seal() with the service's keys, -ENOKEY where
 * it has none.
 */
int sso_seal(struct tx *t, const struct request *rq, int64_t org, const char *column, int64_t row,
    const char *text, struct buf *ret);

/* Behind the "@", in lowercase; NULL: not an address. */
const char *sso_domain_of(const char *email, char out[EMAIL_MAX + 1]);

/*
 * Hosts learn how fresh this person's login is: their records in the organization's projects that
 * ask for it. 0 or -errno.
 */
int sso_touch(struct tx *t, int64_t org, int64_t user);

/* An organization's own role before the built-in one of that slug. 0, -ENOENT or -errno. */
int sso_role_find(struct tx *t, int64_t org, const char *slug, struct role *ret);
int sso_role_by_id(struct tx *t, int64_t id, struct role *ret);

/*
 * End what this identity, or all of a connection's, has opened: sessions, browsers, answers that
 * were approved and not fetched. The identities' rows stay as they are. 0 or -errno.
 */
int sso_end_identity(struct tx *t, int64_t identity, int64_t now);
int sso_end_connection(struct tx *t, int64_t connection, int64_t now);

#endif
