/* SPDX-License-Identifier: MIT */
#ifndef OIDC_H
#define OIDC_H

/*
 * OpenID Connect, as the party that relies on a provider: what the files oidc*.c share.
 *
 *	oidc.c		where the browser is sent, and what it comes back with
 *	oidc_fetch.c	requests to providers: limits, and which addresses they may have
 *	oidc_cache.c	providers' metadata and keys, kept for an hour
 *	oidc_token.c	the token endpoint, and ID tokens
 *	oidc_map.c	claims to what Prism calls them
 *	oidc_person.c	and where they come from
 *	oidc_logout.c	back-channel logout
 *	oidc_refresh.c	the thread that asks whether people may still log in
 *
 * A provider's address is the word of an organization's owner. MUST: follow no redirect; have a
 * limit on bytes and time for each answer; connect to public addresses only, unless [sso]
 * private_addresses says otherwise; take no key but from the metadata's jwks_uri, for at most
 * OIDC_TTL; and tell the browser nothing of what went wrong.
 */
#include "api/http_client.h"
#include "api/id_token.h"
#include "api/oidc.h"
#include "sso_flow_internal.h"

#define OIDC_TTL	 3600  /* seconds for which metadata and keys are believed */
#define OIDC_NEGATIVE	 30    /* and that there was no metadata */
#define OIDC_KEYS_AGAIN	 60    /* between two looks for a key that was not there */
#define OIDC_TIMEOUT_MS	 10000 /* of one request */
#define OIDC_SLOW_MS	 3000  /* who takes longer, gets one thread at a time for a while */
#define OIDC_ENTRIES	 256   /* connections that are remembered */
#define OIDC_REFRESH_MAX 8192  /* bytes of a refresh token that is kept */

/* Why something was refused: a word for the audit, and a sentence for the administrator. */
struct oidc_fault {
	const char *word; /* static */
	char detail[256];
};
/* Sets both; returns -EPROTO, for "return oidc_fail(...)". */
int oidc_fail(struct oidc_fault *f, const char *word, const char *fmt, ...) _printf_(3, 4);

/* ---- requests -------------------------------------------------------------------------------- */

struct oidc_query {
	const char *what; /* for sentences: "discovery" */
	const char *url;
	const char *form;	 /* NULL: GET */
	const char *bearer;	 /* NULL: none, or */
	const char *id, *secret; /* Basic */
};
/*
 * 0 with an answer of any status but a redirect; -EPROTO with a fault for everything else. *ret
 * belongs to the caller, who has initialized it with the limit.
 */
int oidc_fetch(struct central *central, const struct sso_connection *c, const struct oidc_query *q,
    struct http_response *ret, struct oidc_fault *f);

/* ---- metadata and keys ----------------------------------------------------------------------- */

/* 0, -EPROTO with a fault, or -errno. */
int oidc_metadata(struct central *central, const struct sso_connection *c,
    struct oidc_metadata *ret, struct oidc_fault *f);

struct oidc_keys {
	struct jwks *set;
	int refs; /* the cache's own lock guards it */
};
/*
 * The provider's keys. With "newer" those that are not *ret any more, which is let go: -EAGAIN when
 * they were looked for too lately. 0, -EPROTO with a fault, or -errno. Let go with oidc_keys_put().
 */
int oidc_keys(struct central *central, const struct sso_connection *c,
    const struct oidc_metadata *m, bool newer, struct oidc_keys **ret, struct oidc_fault *f);
void oidc_keys_put(struct central *central, struct oidc_keys *k);

/*
 * Whether this connection's organization may have one more thread wait for its providers; then
 * oidc_leave() with the time it took.
 */
bool oidc_enter(struct central *central, const struct sso_connection *c);
void oidc_leave(struct central *central, const struct sso_connection *c, int64_t took_ms);

int oidc_cache_new(struct oidc **ret);
void oidc_cache_free(struct oidc *o);

/* ---- tokens ---------------------------------------------------------------------------------- */

/*
 * Send a form to the token endpoint, with the client's secret if it has one. 0; -EKEYREJECTED when
 * the provider says invalid_grant; -EPROTO; both with a fault; or -errno. The form is added to.
 */
int oidc_grant(struct request *rq, const struct sso_connection *c, const struct oidc_metadata *m,
    struct buf *form, struct oidc_tokens *ret, struct oidc_fault *f);

/* Check a token with the provider's keys, and once more with newer ones where that may help. */
struct oidc_check {
	const struct sso_connection *c;
	const struct oidc_metadata *m;
	const char *text;
	/* Calls id_token_open() or its like. */
	int (*open)(struct oidc_check *k, const struct jwks *keys, enum jwt_fault *ret_fault);
	void *arg;
};
/* 0; -EPROTO with a fault, the word of api/jwt.h; or -errno. */
int oidc_check(struct request *rq, struct oidc_check *k, struct oidc_fault *f);

/* ---- people ---------------------------------------------------------------------------------- */

/*
 * What the connection's mapping makes of the ID token's claims and, where it needs more, of the
 * userinfo endpoint's. Fills email, email_verified, name, username and role. 0, -EPROTO with a
 * fault, or -errno.
 */
int oidc_person(struct request *rq, const struct sso_connection *c, const struct oidc_metadata *m,
    const struct id_token *id, const char *access_token, struct sso_assertion *ret,
    struct oidc_fault *f);
/* The pure part; "more" may be NULL. */
void oidc_map(const struct sso_connection *c, const json_t *claims, const json_t *more,
    struct sso_assertion *ret);
/* Whether the mapping names a claim that is not there. */
bool oidc_map_lacks(const struct sso_connection *c, const json_t *claims);

/* Whether a word is among those of the connection's scopes. */
bool oidc_scope_has(const struct sso_connection *c, const char *word);

#endif
