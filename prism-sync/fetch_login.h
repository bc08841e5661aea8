/* SPDX-License-Identifier: MIT */
#ifndef FETCH_LOGIN_H
#define FETCH_LOGIN_H

/*
 * The network half's device logins. One thread is parked in a long poll that tells which of this
 * host's codes have been answered, however many wait; up to two others begin logins and redeem what
 * has been answered, so that nobody stands behind that poll. They are started with the first login.
 *
 * Redeeming follows RFC 8628 §3.5: authorization_pending waits for the interval, slow_down adds
 * five seconds to it, and where there is no answer the delay doubles from one second to thirty.
 *
 * The service hears how long a login lives, and of one that ends before, so that nobody approves
 * what nobody waits for: once, by one thread at a time, when nothing else is to be done.
 */
#include <pthread.h>
#include <stddef.h>
#include "fetch_central.h"
#include "link.h"

struct fetch_login_site {
	const struct config *config;
	const struct identity *identity;
	struct central_token *token;
	pthread_mutex_t *token_lock;
	/* To the root half; called by any thread. */
	int (*send)(void *arg, enum link_type type, const struct buf *b);
	void *arg;
};

struct fetch_login;

/* 0 or -ENOMEM. It lives as long as the process. */
int fetch_login_new(const struct fetch_login_site *site, struct fetch_login **ret);

/* LINK_LOGIN_START and LINK_LOGIN_END. */
void fetch_login_message(struct fetch_login *f, enum link_type type, const void *body, size_t n);

#endif
