/* SPDX-License-Identifier: MIT */
#ifndef FETCH_CENTRAL_H
#define FETCH_CENTRAL_H

/*
 * The requests of the network half: one access token, got by a signed assertion (RFC 7523), shared
 * by its threads; each thread has a client, hence a connection, of its own.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include "config.h"
#include "identity.h"

struct central_token {
	char text[256];
	int64_t until_ms; /* monotonic; 0: none */
};

struct central_answer {
	int64_t date;  /* the server's clock, 0: unknown */
	char why[256]; /* what failed, for a person */
};

struct central;

/* "lock" guards *token. 0 or -errno. */
int central_new(const struct config *c, const struct identity *id, struct central_token *token,
    pthread_mutex_t *lock, struct central **ret);
void central_free(struct central *c);

/*
 * One poll; each message goes to "frame". 0, -EACCES (this host is not enrolled any more), -EBADMSG
 * (a broken answer), -EAGAIN (the service said "later"), what "frame" returned, or
 * http_request()'s.
 */
int central_poll(struct central *c, const char *query, long wait_seconds,
    int (*frame)(void *arg, const void *msg, size_t len), void *arg, struct central_answer *ret);

/* 0, -EINVAL (the service does not take this report), or as above. */
int central_report(struct central *c, const void *json, size_t len, struct central_answer *ret);

#endif
