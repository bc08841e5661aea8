/* SPDX-License-Identifier: MIT */
/* What ties the device logins (logins.h) to the rest of the root half. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "daemon.h"
#include "snapshot/snapshot.h"

enum { SEND_MS = 2000 };

static int64_t host_now(void *arg)
{
	return agent_now(arg);
}

/* Of the projects that know this uid, one is enough that this host does not refuse. */
static bool accepted(struct agent *a, uint32_t uid, const char *name)
{
	for (size_t i = 0; i < a->model.nfeeds; i++) {
		struct record *r = feed_find(&a->model.feeds[i], FEED_MEMBER, uid);

		if (r != NULL && r->size > 0 && strcmp(r->text, name) == 0 &&
		    refuse_member(&a->config, &a->local, r) == VERDICT_OK)
			return true;
	}
	return false;
}

/* By the name that is published: the model is found by uid. */
static int host_person(void *arg, const char *user, uint32_t *ret_uid)
{
	struct agent *a = arg;
	char path[PATHS_MAX + 64];
	struct snap_subject u;
	struct snap s;

	snprintf(path, sizeof(path), "%s/%s", a->paths.nss, SNAPSHOT_ACCESS);
	int rc = snap_open(path, SNAP_ACCESS, 0, &s);

	if (rc < 0)
		return rc;
	rc = snap_subject_by_name(&s, user, &u);
	const uint32_t uid = rc == 0 ? u.uid : 0;

	snap_close(&s);
	if (rc < 0)
		return rc;
	if (uid == 0 || !accepted(a, uid, user))
		return -ENOENT;
	*ret_uid = uid;
	return 0;
}

static bool host_away(void *arg)
{
	const struct agent *a = arg;

	return a->connection.ever && !a->connection.ok;
}

static int host_send(void *arg, enum link_type type, const struct buf *b)
{
	struct agent *a = arg;
	const int rc = link_send(a->link, type, b->data, b->len, SEND_MS);

	/* Half a message would make nonsense of the next. */
	if (rc == -ETIMEDOUT) {
		log_event(LOG_LEVEL_ERROR, "network-half-stuck", NULL);
		sd_event_exit(a->event, 1);
	}
	return rc;
}

static void host_reply(void *arg, uint64_t ticket, const struct agent_reply *r)
{
	struct agent *a = arg;

	agent_server_answer(a->server, ticket, r);
}

int login_start(struct agent *a)
{
	struct logins_host h = {
	    .event = a->event,
	    .trust = &a->trust,
	    .arg = a,
	    .now = host_now,
	    .person = host_person,
	    .away = host_away,
	    .send = host_send,
	    .reply = host_reply,
	};

	return logins_new(&h, &a->logins);
}

int login_call(
    void *arg, const struct agent_request *rq, uint64_t ticket, char text[static AGENT_TEXT_MAX])
{
	struct agent *a = arg;

	if (rq->verb == AGENT_LOGIN_START)
		return logins_start(a->logins, rq, ticket, text);
	if (rq->verb == AGENT_LOGIN_WAIT)
		return logins_wait(a->logins, rq, ticket, text);
	return logins_end(a->logins, rq);
}

void login_gone(void *arg, uint64_t ticket)
{
	struct agent *a = arg;

	logins_gone(a->logins, ticket);
}

void login_left(void *arg, uint64_t handle)
{
	struct agent *a = arg;

	logins_left(a->logins, handle);
}

void login_message(struct agent *a)
{
	if (a->reader.type == LINK_LOGIN_BEGUN)
		logins_begun(a->logins, a->reader.body, a->reader.len);
	if (a->reader.type == LINK_LOGIN_DONE)
		logins_done(a->logins, a->reader.body, a->reader.len);
}
