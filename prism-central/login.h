/* SPDX-License-Identifier: MIT */
#ifndef LOGIN_H
#define LOGIN_H

/*
 * Proving with a password who one is: the one implementation, for sessions and for browsers.
 *
 * Attempts are counted by address and account before anything is looked at; those of one account
 * from everywhere together hold up nobody who comes from an address where its owner has logged in
 * before, so that strangers with many addresses cannot lock an owner out. The answer takes
 * the same time and says the same for an account that is not there, has no password, or has another
 * one. The password is verified outside a transaction; inside the one that opens something, only
 * the very same encoding counts.
 */
#include "password.h"
#include "ratelimit.h"
#include "user.h"

/* What an attempt is counted by. */
struct login_count {
	const char *login; /* as it was typed, or NULL */
	char peer[RATELIMIT_KEY_MAX];
	char account[65]; /* "": one with a key, which nobody guesses */
	char both[65 + RATELIMIT_KEY_MAX];
};
/* "login" as it was typed: bounded, and the same for all spellings of one; NULL: none. */
void login_count_init(const struct request *rq, const char *login, struct login_count *ret);
/* Count one. 0, or the seconds to wait: then act_fail()ed with TOO_MANY_REQUESTS. */
unsigned login_count_take(struct act *a, const struct login_count *n);

struct login {
	struct act act;
	const char *name; /* username or address */
	/* Open what the proof is for, in the write transaction. */
	int (*open)(struct tx *t, struct login *l);
	unsigned wait; /* out: seconds, with TOO_MANY_REQUESTS */
	char encoded[PASSWORD_ENCODED_MAX];
	struct user user; /* out */
};
/*
 * Run in LANE_HASH. 0 when open() has; -ECANCELED: act.error says why (TOO_MANY_REQUESTS,
 * BAD_CREDENTIALS, or what login_allowed() or open() found); -errno. Logs refusals. The caller
 * wipes *l.
 */
int login_password(struct login *l, const char *password);

/* Fail the act where this person may not log in with a password or key of ours: suspended, or
 * SSO_REQUIRED. */
int login_allowed(struct tx *t, struct act *a, const struct user *u);

#endif
