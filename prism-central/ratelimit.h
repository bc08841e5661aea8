/* SPDX-License-Identifier: MIT */
#ifndef RATELIMIT_H
#define RATELIMIT_H

/*
 * Token buckets by key, in bounded memory: what is refused, and when to come back.
 *
 * Each kind has a rule {burst, seconds until one more is allowed} in ratelimit.c. The key is any
 * text: an address (ratelimit_peer() below makes IPv6 count by its /64), a username, a token's
 * hash. Keys share a table of fixed size under a secret hash; when it is full, the bucket that is
 * nearest to full again is forgotten. Any thread.
 */
#include <stddef.h>
#include <stdint.h>

enum ratelimit {
	RATELIMIT_LOGIN_PEER = 1, /* logins and proofs from one address */
	RATELIMIT_LOGIN_ACCOUNT,  /* failed logins for one account from one address */
	RATELIMIT_LOGIN_SPREAD,	  /* and from all together: many are needed to lock its owner out */
	RATELIMIT_TOKEN_PEER,	  /* look-ups of invitations by their secret, from one address */
	RATELIMIT_ENROL_PEER,	  /* enrolments from one address */
	RATELIMIT_MAIL_PEER,	  /* requests that send something to somebody, by one person */
	RATELIMIT_PROJECT_USER,	  /* projects, each with two group ids for ever, by one person */
	RATELIMIT_ACCESS_HOST,	  /* access tokens of one host, which has proven who it is */
	RATELIMIT_CODE_PEER,	/* user codes that are not there, from one address: many people's */
	RATELIMIT_CODE_USER,	/* the same by one person: what bounds whoever guesses */
	RATELIMIT_DEVICE_PEER,	/* device codes of the command line, from one address */
	RATELIMIT_DEVICE_LOGIN, /* of a host, for one username from one origin */
	RATELIMIT_HOST_NOTED,	/* of what a host begins, those that the audit log gets */
	RATELIMIT_HOST_CEILING, /* and says that there were more */
	RATELIMIT_HOST_CHANGE,	/* other names, addresses and keys of one host */
	RATELIMIT_OAUTH_PEER, /* refused codes and tokens at the token endpoint, from one address */
	RATELIMIT_SSO_START,  /* logins begun at a provider and not ended well, from one address */
	RATELIMIT_SSO_PEER,   /* answers of providers that were refused, from one address */
	RATELIMIT_DNS_USER,   /* proofs of domains that are asked for, by one person */
	RATELIMIT_SSO_NOTED,  /* of a connection's refused logins, those that the audit log gets */
	RATELIMIT_NEW_ORG,    /* accounts, each with an id for ever, made for one organization */
	RATELIMIT_KINDS,
};

/* The text to count an address by. "unix" and loopback are counted like any other. */
#define RATELIMIT_KEY_MAX 64
void ratelimit_peer(const char *peer, char out[static RATELIMIT_KEY_MAX]);

/*
 * Take one. 0 when allowed; otherwise the number of seconds to wait, for reply_error()'s
 * TOO_MANY_REQUESTS and rp->retry_after.
 */
unsigned ratelimit_take(enum ratelimit kind, const char *key);
/* Whether one could be taken, without taking it: 0 or seconds. */
unsigned ratelimit_check(enum ratelimit kind, const char *key);
/* Give one back: the attempt turned out to be a good one. */
void ratelimit_return(enum ratelimit kind, const char *key);

/* Forget everything and take the time from "now_ms" (NULL: the monotonic clock): for tests. */
void ratelimit_reset(int64_t (*now_ms)(void));

#endif
