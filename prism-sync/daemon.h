/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_H
#define DAEMON_H

/*
 * The root half's state, shared by the files that make it up: daemon.c starts it and listens,
 * schedule.c decides when to publish, status.c and report.c tell about it.
 */
#include <systemd/sd-event.h>
#include "agent_socket.h"
#include "compile.h"
#include "config.h"
#include "homes.h"
#include "intake.h"
#include "link.h"
#include "logins.h"
#include "paths.h"
#include "refuse.h"
#include "sessions.h"

#define SYNC_WAITERS 32

struct published {
	uint64_t generation;
	int64_t at, valid_until, issued_at;
	size_t users, active;
	struct refusal *refused;
	size_t nrefused;
	int took_ms;
};

struct connection_state {
	bool ever, ok;
	int64_t since;	 /* of the present state */
	int64_t last_ok; /* UTC of the last answer */
	int64_t skew;	 /* the service's clock less ours, seconds */
	char why[256];	 /* what failed last */
};

struct agent {
	struct paths paths;
	struct config config;
	struct trust trust;
	struct model model;
	struct intake intake;
	struct local local;
	sd_event *event;
	struct homes *homes;
	struct sessions *sessions;
	struct logins *logins;
	struct agent_server *server;

	int link;
	pid_t network;
	struct link_reader reader;
	uint64_t have_seq;
	bool progress; /* something was accepted since the last LINK_HAVE */

	bool dirty;	    /* memory differs from what is published */
	int64_t not_before; /* monotonic ms: the earliest next publication */
	int64_t patience;   /* monotonic ms: until then publication waits for missing feeds */
	sd_event_source *publish_timer, *change_timer, *trim_timer, *minute;
	int publish_error;
	bool first_done;
	struct published published;
	uint64_t identity; /* what the identity snapshot says: compiled_publish() */
	struct connection_state connection;
	uint64_t syncs[SYNC_WAITERS]; /* tickets; 0: free */
};

int64_t agent_now(const struct agent *a); /* never before the newest issued_at */

/* schedule.c */
int schedule_start(struct agent *a);
/* Make a->sessions, which asks what the generation published last says. */
int schedule_sessions(struct agent *a);
void schedule_stop(struct agent *a);
/* Publish if something differs and nothing speaks against it; otherwise later. */
void schedule_publish(struct agent *a);

/* login.c: make a->logins; the verbs of the socket; the messages of the network half. */
int login_start(struct agent *a);
int login_call(
    void *arg, const struct agent_request *rq, uint64_t ticket, char text[static AGENT_TEXT_MAX]);
void login_gone(void *arg, uint64_t ticket);
void login_left(void *arg, uint64_t handle);
void login_message(struct agent *a);

/* status.c */
void status_json(const struct agent *a, struct buf *b);
void status_notify(const struct agent *a);

/* report.c: append the report for the central service. */
void report_json(const struct agent *a, struct buf *b);
void report_send(struct agent *a);
/* Append whom the shrink guard holds, at most so many. */
void report_put_held(const struct agent *a, struct buf *b, size_t max);

struct run_options {
	const char *root; /* --root */
	bool no_drop;	  /* --no-drop */
};

/* Runs until SIGTERM. Returns an exit status. */
int daemon_run(const struct run_options *o);

#endif
