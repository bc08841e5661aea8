/* SPDX-License-Identifier: MIT */
#ifndef AGENT_SOCKET_H
#define AGENT_SOCKET_H

/*
 * The server's side of lib/agent: who may ask (uid 0 by SO_PEERCRED), how long a connection may
 * last, and the table of verbs. Every request gets exactly one reply.
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
};

int agent_server_new(
    sd_event *e, const char *path, const struct agent_calls *calls, struct agent_server **ret);
void agent_server_free(struct agent_server *s);

/* Answer a kept ticket; one whose connection is gone is ignored. */
void agent_server_reply(struct agent_server *s, uint64_t ticket, int result, const char *text);

#endif
