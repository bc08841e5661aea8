/* SPDX-License-Identifier: MIT */
#ifndef AGENT_SOCKET_H
#define AGENT_SOCKET_H

/*
 * The server's side of lib/agent: who may ask (uid 0 by SO_PEERCRED), how long a connection may
 * last, and the table of verbs. Every request gets exactly one reply. When there are too many
 * connections the oldest goes, but none that waits for a device login.
 */
#include <systemd/sd-event.h>
#include "agent/agent.h"

struct agent_server;

/* What the daemon does for a verb: reply now, or keep the ticket and reply later. */
struct agent_calls {
	void *arg;
	/* Append the status as JSON. */
	void (*status)(void *arg, struct buf *b);
	/* 0: agent_server_reply() comes later; -errno now. */
	int (*ensure_home)(void *arg, const char *user, uint64_t ticket);
	int (*sync)(void *arg, uint64_t ticket);
	/* 0 or -errno, and a sentence for the person. */
	int (*release)(void *arg, const char *user, char text[static AGENT_TEXT_MAX]);
	/* Device logins (logins.h). 0: the reply comes by the ticket; -errno now, with a sentence.
	 */
	int (*login)(void *arg, const struct agent_request *rq, uint64_t ticket,
	    char text[static AGENT_TEXT_MAX]);
	/* The connection of such a ticket has closed before its reply. */
	void (*gone)(void *arg, uint64_t ticket);
	/* The connection over which this login was begun has closed: within a second after it. */
	void (*left)(void *arg, uint64_t handle);
};

int agent_server_new(
    sd_event *e, const char *path, const struct agent_calls *calls, struct agent_server **ret);
void agent_server_free(struct agent_server *s);

/* Answer a kept ticket; one whose connection is gone is ignored. */
void agent_server_reply(struct agent_server *s, uint64_t ticket, int result, const char *text);
/* The same with all that a reply has; its verb is filled in. */
void agent_server_answer(struct agent_server *s, uint64_t ticket, const struct agent_reply *r);

#endif
