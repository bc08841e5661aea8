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
#include "api/http_client.h"
#include "base/buf.h"
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

/* How long a request may take: as long as a report needs, or while somebody stands at the door. */
enum central_pace { CENTRAL_PATIENT, CENTRAL_QUICK };

struct central;

/* "lock" guards *token. 0 or -errno. */
int central_new(const struct config *c, const struct identity *id, struct central_token *token,
    pthread_mutex_t *lock, enum central_pace pace, struct central **ret);
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

/* ---- for fetch_device.c ---------------------------------------------------------------------- */

#define CENTRAL_PATH  "/api/v1/hosts/self/"
#define CENTRAL_SMALL 65536

struct central_request {
	const char *method, *path;
	const json_t *body;
	const char *form; /* instead of a body, posted */
	long extra_ms;
};

/* With the access token; refused, it is tried once more with a new one. 0: there is an answer. */
int central_request(struct central *c, const struct central_request *rq, struct http_response *r,
    struct central_answer *ret);
/* What an answer that is none of those hoped for means, and its explanation. */
int central_status_error(
    const struct http_response *r, const char *what, struct central_answer *ret);

#endif
