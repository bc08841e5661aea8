/* SPDX-License-Identifier: MIT */
#ifndef LOGINS_H
#define LOGINS_H

/*
 * The root half's device logins: who waits for an approval in a browser, and what becomes of it.
 *
 * A login lives for as long as whoever began it said, at most AGENT_LOGIN_MS_MAX, and is forgotten
 * as soon as its end has been told, its life is over, or the connection closes that waits for it or
 * over which it was begun: whoever hangs up at the prompt leaves nothing that counts.
 * The network half hears of it then. The first result counts: a statement that login_check()
 * refuses ends the login as well. Tickets are those of agent_socket.h.
 */
#include <systemd/sd-event.h>
#include "agent/agent.h"
#include "base/buf.h"
#include "link.h"
#include "trust.h"

#define LOGINS_MAX	  512
#define LOGINS_ORIGIN_MAX 64 /* waiting ones from one address: a class behind one router */

struct logins;

struct logins_host {
	sd_event *event;
	const struct trust *trust;
	void *arg;
	int64_t (*now)(void *arg); /* UTC, as the feed counts */
	/* 0 and the uid of whom this host would let in, whatever their state; otherwise -errno. */
	int (*person)(void *arg, const char *user, uint32_t *ret_uid);
	/* The last that was heard of the service is that it does not answer. */
	bool (*away)(void *arg);
	/* To the network half. 0 or -errno. */
	int (*send)(void *arg, enum link_type type, const struct buf *b);
	/* Answer a ticket; the verb is filled in there. */
	void (*reply)(void *arg, uint64_t ticket, const struct agent_reply *r);
};

int logins_new(const struct logins_host *h, struct logins **ret);
void logins_free(struct logins *l);

/*
 * The verbs. 0: the reply comes (or came) by its ticket; -errno: this is the reply, with a sentence
 * in "text". logins_end() always has one.
 */
int logins_start(struct logins *l, const struct agent_request *rq, uint64_t ticket,
    char text[static AGENT_TEXT_MAX]);
int logins_wait(struct logins *l, const struct agent_request *rq, uint64_t ticket,
    char text[static AGENT_TEXT_MAX]);
int logins_end(struct logins *l, const struct agent_request *rq);
/* The connection of a ticket has closed. */
void logins_gone(struct logins *l, uint64_t ticket);
/* The connection over which this login was begun has closed. */
void logins_left(struct logins *l, uint64_t handle);

/* LINK_LOGIN_BEGUN and LINK_LOGIN_DONE. */
void logins_begun(struct logins *l, const void *body, size_t n);
void logins_done(struct logins *l, const void *body, size_t n);

/* How many wait for an approval. */
size_t logins_waiting(const struct logins *l);

#endif
