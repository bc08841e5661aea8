/* SPDX-License-Identifier: MIT */
#ifndef OAUTH_INTERNAL_H
#define OAUTH_INTERNAL_H

/*
 * What the parts of the authorization server share; nobody else includes this.
 *
 *	oauth.c			errors, secrets, metadata, POST /oauth2/token by grant_type
 *	oauth_code.c		authorization codes: made, redeemed, used twice
 *	oauth_authorize.c	the page that asks before one is made
 *	oauth_revoke.c		revocation
 *	device.c		device codes as rows
 *	device_start.c		device authorization requests
 *	device_rule.c		who may answer a code, and what their login is worth
 *	device_token.c		device codes redeemed, and hosts' list of answered ones
 *	device_page.c		the pages that a person answers on
 *
 * Threat model. Codes and tokens are 256 random bits, kept as hashes, and good once; a code MUST be
 * redeemed by whom it was made for only. Nothing is approved but by a form of ours, in the
 * transaction that looks again at everything the page has shown. Nobody is redirected before
 * client and address are known to be good. At the token endpoint somebody else's code MUST NOT be
 * told apart from none at all.
 */
#include <string.h>
#include "audit.h"
#include "base/encode.h"
#include "base/name.h"
#include "feed/login.h"
#include "html.h"
#include "oauth.h"
#include "session.h"

#define OAUTH_HOST "prism-host"

/* RFC 6749 §5.2, RFC 8628 §3.5, RFC 6749 §4.1.2.1 */
enum oauth_error {
	OAUTH_INVALID_REQUEST = 1,
	OAUTH_INVALID_CLIENT,
	OAUTH_INVALID_GRANT,
	OAUTH_UNSUPPORTED_GRANT_TYPE,
	OAUTH_ACCESS_DENIED,
	OAUTH_PENDING,
	OAUTH_SLOW_DOWN,
	OAUTH_TOO_MANY, /* slow_down as well, with status 429 */
	OAUTH_EXPIRED,
	OAUTH_BUSY,
	OAUTH_FAILED,
};
/* Answer with it. "why", where it is not NULL, goes to the log, never to the client. */
void oauth_error(const struct request *rq, struct reply *rp, enum oauth_error e, const char *why);
/* The errors that a transaction can end in. */
void oauth_errno(const struct request *rq, struct reply *rp, int error);

/*
 * The same for codes and tokens that are none, which are counted: whoever has sent too many is told
 * to wait instead. A good one is never refused for those that came from the same address, so it
 * MUST be looked up first, without a write.
 */
void oauth_bad(const struct request *rq, struct reply *rp, enum oauth_error e, const char *why);

/* A fresh secret, a prefix of four letters and 256 bits; its hash is what the database keeps. */
#define OAUTH_SECRET_LEN (4 + BASE64URL_LEN(32))
struct oauth_secret {
	char text[OAUTH_SECRET_LEN + 1];
	char hash[65];
};
int oauth_secret_make(const char prefix[static 4], struct oauth_secret *ret);
static inline void oauth_secret_wipe(struct oauth_secret *s)
{
	explicit_bzero(s, sizeof(*s));
}
#define _cleanup_oauth_secret_ _cleanup_(oauth_secret_wipe)

/*
 * Open a session for somebody who has agreed to it in a browser. 0, -EACCES (suspended, or their
 * login was ended by the provider since, or is not enough any more), or -errno.
 */
int oauth_session(struct tx *t, const struct request *rq, int64_t user, int64_t identity,
    struct session_token *ret, struct user *ret_user);
void oauth_session_reply(const struct request *rq, struct reply *rp, const struct session_token *s,
    const struct user *u);
/* Whether a login by this identity (0: by password) still counts: 1, 0 or -errno. */
int oauth_identity_holds(struct tx *t, int64_t user, int64_t identity);
/*
 * Whether a login by this identity is not enough, because their organization wants its own login: 1
 * and the slug of a connection, 0 or -errno.
 */
int oauth_must_use_sso(
    struct tx *t, int64_t user, int64_t identity, char ret_slug[static SLUG_MAX + 1]);
/*
 * Whether one of their projects asks for a later login than the last one by this browser's
 * identity, so that their keys are refused: 1 and the slug of its connection, 0 or -errno.
 */
int oauth_login_old(struct tx *t, const struct request *rq, char ret_slug[static SLUG_MAX + 1]);

/* Redirect to the login page, which leads back to this path (with its query). */
void oauth_login_first(struct reply *rp, const char *path);
/* Lead to a provider's login, and back; "fresh": the person must log in there again. */
void oauth_sso_first(
    struct request *rq, struct reply *rp, const char *slug, bool fresh, const char *path);

/* An authorization code for whoever is logged in, in the caller's transaction. 0 or -errno. */
#define OAUTH_REDIRECT_MAX  63
#define OAUTH_CHALLENGE_LEN 43
int oauth_code_make(struct tx *t, const struct request *rq, const char *redirect_uri,
    const char *challenge, struct oauth_secret *ret);

/* Grants, by oauth_token(). */
void oauth_code_token(struct request *rq, struct reply *rp);
void device_token(struct request *rq, struct reply *rp);

/* ---- device codes ---------------------------------------------------------------------------- */

#define DEVICE_ORIGIN_MAX  253
#define DEVICE_SERVICE_MAX 32
/* Codes whose time is over are kept so long, to be told apart from those that never were. */
#define DEVICE_KEEP	   600
#define DEVICE_CLI_MAX	   4096 /* pending ones of the command line */
#define DEVICE_LOGIN_MAX   5	/* of one username, from one origin, on one host */

enum device_state { DEVICE_PENDING = 1, DEVICE_APPROVED, DEVICE_DENIED, DEVICE_REDEEMED };

struct device {
	int64_t id;
	int64_t host, user; /* 0: the command line's, and anybody's */
	int64_t answered_by, identity, auth_at;
	int64_t interval, polled_at, expires_at;
	enum device_state state;
	char device_hash[65];
	char host_name[64]; /* "": none, or removed since */
	char username[USERNAME_MAX + 1];
	char service[DEVICE_SERVICE_MAX + 1];
	char origin[DEVICE_ORIGIN_MAX + 1];
	uint8_t nonce[LOGIN_NONCE_LEN], user_hash[FEED_DIGEST_LEN];
};

/* By the device code, the user code as typed, or the id. 0, -ENOENT or -errno. */
int device_by_code(struct tx *t, const char *code, struct device *ret);
int device_by_user_code(struct tx *t, const char *typed, struct device *ret);
int device_by_id(struct tx *t, int64_t id, struct device *ret);
/* What reply_park() waits for. */
void device_topic(const struct device *d, char out[static 64]);

/*
 * User codes: eight of twenty letters, shown as "WDJB-MJHT"; case, blanks and hyphens do not count
 * when one is typed. False: it cannot be one. The hash is of the eight letters.
 */
#define DEVICE_SHOWN (DEVICE_USER_CODE + 1)
bool device_user_code_read(const char *typed, char out[static DEVICE_USER_CODE + 1]);
void device_user_code_show(const char *letters, char out[static DEVICE_SHOWN + 1]);
int device_user_code_make(char out[static DEVICE_USER_CODE + 1]);

/* 1 while the host of this request is enrolled and its token good, 0, or -errno. */
int device_host_holds(struct tx *t, const struct request *rq);

enum device_verdict {
	DEVICE_MAY = 1,
	DEVICE_UNKNOWN,	     /* not there, over, answered, or its host is gone */
	DEVICE_WRONG_PERSON, /* it is for d->username */
	DEVICE_SUSPENDED,
	DEVICE_NO_MEMBER,
	DEVICE_NEEDS_SSO,   /* w->connection: through that, and now if w->fresh */
	DEVICE_NO_PROVIDER, /* a login there is asked for, and none is to be had */
};

/* What a login in a browser is worth on the host of a code. */
struct device_worth {
	uint32_t uid;
	bool fresh;
	char connection[SLUG_MAX + 1];
	char projects[LOGIN_PROJECTS_MAX][SLUG_MAX + 1]; /* where it counts as their SSO */
	size_t nprojects;
};

/* Somebody who logged in by this identity (0: by password) then. */
struct device_person {
	int64_t user, identity, auth_at;
};
/*
 * May they answer this code, or did they rightly? Whether it is pending is the caller's to look at.
 * Returns an enum device_verdict or -errno.
 */
int device_judge(struct tx *t, const struct device *d, const struct device_person *who, int64_t now,
    struct device_worth *ret);

#endif
