/* SPDX-License-Identifier: MIT */
#ifndef SSO_INTERNAL_H
#define SSO_INTERNAL_H

/* What the files of sso.h share among themselves. */
#include "base/clock.h"
#include "role.h"
#include "sso.h"

#define SSO_CONNECTIONS_MAX 50	/* of an organization: slugs are everybody's */
#define SSO_CLAIMS_MAX	    500 /* domains of an organization: so are they, for a while */

#define SSO_DOMAIN_MAX 236 /* with "_prism-challenge." before it, 253 */

/*
 * Seal text for "TABLE.COLUMN" and this row: secret_seal() with the service's keys, -ENOKEY where
 * it has none.
 */
int sso_seal(struct tx *t, const struct request *rq, int64_t org, const char *column, int64_t row,
    const char *text, struct buf *ret);

/*
 * Store one of the connection's sealed values, named as for sso_secret(); NULL takes it away. 0,
 * -ECANCELED (act_fail()ed: no master key) or -errno.
 */
int sso_secret_put(struct tx *t, struct act *a, const struct sso_connection *c, const char *column,
    const char *text);

/* "", "next" or "former". */
const char *sso_other_word(enum sso_other other);

/* The connection that the path names, by slug or id, if it is the caller's organization's. 0,
 * -ECANCELED (act_fail()ed) or -errno. */
int sso_connection_of(struct tx *t, struct act *a, struct sso_connection *ret);
/* sso_show.c: how the API shows one. 0 or -errno. */
int sso_connection_json(
    struct tx *t, const struct act *a, const struct sso_connection *c, json_t **ret);
/*
 * sso_expiry.c: add to it "certificates", the provider's, "sp_certificates", ours, and, if there is
 * anything to be told, "warnings". For SAML. 0 or -errno.
 */
int sso_expiry_json(
    struct tx *t, const struct request *rq, const struct sso_connection *c, json_t *into);
/* Whether the last of these has ended, and on which day. */
bool sso_certificates_expired(const char *pem, int64_t now, char day[CLOCK_TEXT]);

/* Behind the "@", in lowercase; NULL: not an address. */
const char *sso_domain_of(const char *email, char out[EMAIL_MAX + 1]);

/*
 * Hosts learn how fresh this person's login is: their records in the organization's projects that
 * ask for it. 0 or -errno.
 */
int sso_touch(struct tx *t, int64_t org, int64_t user);

/*
 * Before an enabled connection goes, or is disabled: does a project ask for fresh logins that only
 * this one renews? 0, -ECANCELED (act_fail()ed) or -errno.
 */
int sso_last_way(struct tx *t, struct act *a, const struct sso_connection *c);

/* An organization's own role before the built-in one of that slug. 0, -ENOENT or -errno. */
int sso_role_find(struct tx *t, int64_t org, const char *slug, struct role *ret);
int sso_role_by_id(struct tx *t, int64_t id, struct role *ret);
/*
 * sso_role.c: the organization's role for somebody new, of whom the provider claims "claimed" ("":
 * nothing). *ret is "member", and *ret_withheld what it would have been, where whoever answers for
 * the connection's roles could not give that one now; else *ret_withheld has id 0. 0 or -errno.
 */
int sso_role_given(struct tx *t, const struct sso_connection *c, const char *claimed,
    struct role *ret, struct role *ret_withheld);

/*
 * End what this identity, or all of a connection's, has opened: sessions, browsers, answers that
 * were approved and not fetched. The identities' rows stay as they are. 0 or -errno.
 */
int sso_end_identity(struct tx *t, int64_t identity, int64_t now);
int sso_end_connection(struct tx *t, int64_t connection, int64_t now);

/* ---- domains: sso_domain.c ------------------------------------------------------------------- */

/*
 * Claim a domain for this connection of the caller's organization: 1 new, 0 it had it, -ECANCELED
 * (act_fail()ed), -errno.
 */
int sso_domain_claim(struct tx *t, struct act *a, const struct sso_connection *c, const char *text);
/* Take those of a connection away that are not in the list, claim the others. 0, -ECANCELED... */
int sso_domain_set(struct tx *t, struct act *a, const struct sso_connection *c, const json_t *list);
/* All of an organization (connection 0) or of a connection, as the API shows them. 0 or -errno. */
int sso_domain_all(struct tx *t, int64_t org, int64_t connection, json_t *into);

/* ---- the DNS: sso_dns.c ---------------------------------------------------------------------- */

/* Lowercase, without "@" in front or a dot at the end; false: no domain that can be proven. */
bool sso_domain_canonical(const char *text, char out[SSO_DOMAIN_MAX + 1]);
/*
 * Whether an answer (RFC 1035) has a TXT record of this text at "name", or where CNAME records of
 * the same answer lead from there. 1, 0, or -EBADMSG for bytes that are no answer.
 */
int sso_dns_match(const uint8_t *answer, size_t n, const char *name, const char *text);

#endif
