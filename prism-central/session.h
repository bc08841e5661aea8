/* SPDX-License-Identifier: MIT */
#ifndef SESSION_H
#define SESSION_H

/*
 * Sessions of people. The token, "pst_" and 256 random bits in base64url, is shown once; the
 * database keeps its SHA-256. A session ends after SESSION_SECONDS, at logout, at a change of the
 * password, and with the account's suspension; one that a key opened also when a key is revoked.
 */
#include "user.h"

#define SESSION_PREFIX	  "pst_"
#define SESSION_TOKEN_LEN 47 /* prefix and 43 characters */
#define SESSION_SECONDS	  (12 * 3600)

struct session_token {
	int64_t id; /* the session's */
	char text[SESSION_TOKEN_LEN + 1];
	int64_t expires;
};

/*
 * "how": password, key, invitation or browser. "identity", of sso_identities: by which the person
 * had logged in; 0: none. 0 or -errno.
 */
int session_create(struct tx *t, const struct request *rq, int64_t user, const char *how,
    int64_t identity, struct session_token *ret);
/* End one; tx_changes() says whether it had not ended before. 0 or -errno. */
int session_close(struct tx *t, int64_t id, int64_t now);
/*
 * End all of a person's but "keep" (0: all), the browsers where they are logged in, and what they
 * have begun to link to the account.
 */
int session_revoke_all(struct tx *t, int64_t user, int64_t keep, int64_t now);
/*
 * The same of the sessions that a key opened, whichever: a row does not tell. Nor does one of what
 * was begun to be linked, so all of that goes.
 */
int session_revoke_keys(struct tx *t, int64_t user, int64_t keep, int64_t now);
/* {token, expires_at, user}; user may be NULL. */
json_t *session_json(const struct session_token *s, const struct user *u);

/* The person behind a session token, for principal.c. 0, or -EACCES, or -errno. */
int session_principal_load(struct request *rq, const char *bearer);
/* 1 while the session may be used, 0 if not any more, -errno. */
int session_holds(struct tx *t, const struct principal *who, int64_t now);

/* Handlers. */
void session_post(struct request *rq, struct reply *rp);
void session_delete(struct request *rq, struct reply *rp);
void session_key_challenge(struct request *rq, struct reply *rp);
void session_key_post(struct request *rq, struct reply *rp);

#endif
