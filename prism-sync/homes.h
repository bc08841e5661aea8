/* SPDX-License-Identifier: MIT */
#ifndef HOMES_H
#define HOMES_H

/*
 * Homes, from the root half's side: a worker process does the work, so that a file server that
 * hangs holds up neither publication nor the socket. One home at a time, with a deadline; a worker
 * that misses it is abandoned and the host says so.
 *
 * Which people: those whom homes_want() was told of (new members, after each publication), and
 * whoever is asked for over the socket. Names and paths come from the published access snapshot.
 */
#include <systemd/sd-event.h>
#include "base/buf.h"
#include "config.h"
#include "paths.h"

struct homes;

/* "result" 0: the home is ready. */
typedef void (*homes_done)(void *arg, uint64_t ticket, int result, const char *why);

int homes_new(sd_event *e, const struct config *c, const struct paths *p, struct homes **ret);
void homes_free(struct homes *h);

/* Make sure of this one in the background, unless it is known to be ready. */
void homes_want(struct homes *h, uint32_t uid);
/* Begin with what homes_want() has put in the queue. */
void homes_run(struct homes *h);

/* Ask for this person's home now; "done" is called once, at the latest after deadline_ms. */
int homes_ask(struct homes *h, const char *user, int deadline_ms, homes_done done, void *arg,
    uint64_t ticket);

/* Once a minute: try again what has failed. */
void homes_retry(struct homes *h);

struct homes_state {
	size_t ready, waiting, failed;
	const char *trouble; /* with the volume as a whole; "" if none */
};
void homes_state(const struct homes *h, struct homes_state *ret);
/* Append `{"user":"x","uid":1,"reason":"..."},...` of at most "max" failures. */
void homes_put_failed(const struct homes *h, struct buf *b, size_t max);

#endif
