/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/attr.h"
#include "base/log.h"
#include "base/name.h"
#include "sessions.h"

enum { GRACE_USEC = 2000000, AGAIN_USEC = 200000, ROUNDS = 15 };

struct ending {
	uint32_t uid;
	int rounds; /* of SIGKILL */
	bool begun; /* has had its SIGTERM */
};

struct sessions {
	sd_event *event;
	sd_event_source *timer;
	struct sessions_host host;
	struct ending *list;
	size_t n;
};

static bool ours(const struct sessions *s, uint32_t uid)
{
	return id_allowed(uid, s->host.config->uid_first, s->host.config->uid_last) &&
	       !local_has_uid(s->host.local, uid);
}

static struct ending *find(struct sessions *s, uint32_t uid)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].uid == uid)
			return &s->list[i];
	return NULL;
}

/* ---- one walk over all processes ------------------------------------------------------------- */

struct walk {
	struct sessions *sessions;
	bool first;   /* SIGHUP and SIGTERM to those who have had none, else SIGKILL */
	size_t count; /* processes that were signalled */
};

struct holder {
	const struct sessions *sessions;
	uint32_t uid;
};

static bool may_hold(void *arg, uint32_t gid)
{
	const struct holder *h = arg;

	return h->sessions->host.in_group(h->sessions->host.arg, h->uid, gid);
}

static bool is_let_in(const struct sessions *s, uint32_t uid)
{
	return s->host.let_in(s->host.arg, uid);
}

/*
 * Somebody who is let in, again or by another project, may have come back since the SIGTERM: what
 * they run now has no group that they have lost.
 */
static bool came_back(const struct sessions *s, uint32_t uid, int pid)
{
	struct holder h = {.sessions = s, .uid = uid};

	return is_let_in(s, uid) && proc_groups(pid, may_hold, &h);
}

static void signal_one(void *arg, int pid)
{
	struct walk *w = arg;
	int64_t uid = proc_uid(pid);
	const struct ending *e = uid > 0 ? find(w->sessions, (uint32_t)uid) : NULL;

	if (e == NULL || e->begun == w->first || !ours(w->sessions, e->uid))
		return;
	if (!w->first && came_back(w->sessions, e->uid, pid))
		return;
	if (w->first) {
		proc_signal(pid, e->uid, SIGHUP);
		w->count += (size_t)proc_signal(pid, e->uid, SIGTERM);
		/* A stopped process takes its SIGTERM only when it goes on. */
		proc_signal(pid, e->uid, SIGCONT);
	} else {
		w->count += (size_t)proc_signal(pid, e->uid, SIGKILL);
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct sessions *s = arg;
	struct walk w = {.sessions = s};

	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].begun && !is_let_in(s, s->list[i].uid))
			proc_kill_slice(s->list[i].uid);
	proc_each(signal_one, &w);

	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct ending *e = &s->list[i];

		/* Once more after a round that found nothing: a fork may have slipped through. */
		e->rounds = w.count > 0 ? e->rounds + 1 : ROUNDS + e->rounds;
		if (e->rounds <= ROUNDS)
			s->list[kept++] = *e;
	}
	s->n = kept;
	if (s->n == 0)
		return 0;
	sd_event_source_set_time_relative(source, AGAIN_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void begin(struct sessions *s)
{
	struct walk w = {.sessions = s, .first = true};

	proc_each(signal_one, &w);
	for (size_t i = 0; i < s->n; i++)
		s->list[i].begun = true;
	if (w.count > 0)
		log_event(LOG_LEVEL_INFO, "sessions-ended", "processes", "%lu",
		    (unsigned long)w.count, NULL);
	sd_event_source_set_time_relative(s->timer, GRACE_USEC);
	sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static bool add(struct sessions *s, uint32_t uid)
{
	struct ending *e = find(s, uid);

	if (!ours(s, uid))
		return false;
	if (e != NULL) {
		*e = (struct ending){.uid = uid};
		return true;
	}
	e = reallocarray(s->list, s->n + 1, sizeof(*e));
	if (e == NULL)
		return false;
	s->list = e;
	s->list[s->n++] = (struct ending){.uid = uid};
	return true;
}

static void linger_off(const struct sessions *s, const char *name)
{
	char path[PATHS_MAX + USERNAME_MAX + 2];

	if (!username_valid(name))
		return;
	snprintf(path, sizeof(path), "%s/%s", s->host.linger, name);
	unlink(path);
}

void sessions_end(struct sessions *s, const struct lost *lost, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (!add(s, lost[i].uid))
			continue;
		any = true;
		linger_off(s, lost[i].name);
	}
	if (any)
		begin(s);
}

struct check {
	struct sessions *sessions;
	bool any;
};

static void check_one(void *arg, int pid)
{
	struct check *c = arg;
	struct sessions *s = c->sessions;
	int64_t uid = proc_uid(pid);
	const char *name;

	if (uid <= 0 || !ours(s, (uint32_t)uid) || find(s, (uint32_t)uid) != NULL ||
	    is_let_in(s, (uint32_t)uid))
		return;
	name = s->host.name(s->host.arg, (uint32_t)uid);
	if (name != NULL && add(s, (uint32_t)uid)) {
		c->any = true;
		linger_off(s, name);
	}
}

void sessions_check(struct sessions *s)
{
	struct check c = {.sessions = s};

	proc_each(check_one, &c);
	if (c.any)
		begin(s);
}

int sessions_new(sd_event *e, const struct sessions_host *h, struct sessions **ret)
{
	struct sessions *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->event = e;
	s->host = *h;
	int rc = sd_event_add_time_relative(e, &s->timer, CLOCK_MONOTONIC, 0, 0, on_timer, s);

	if (rc == 0)
		rc = sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	if (rc < 0) {
		sessions_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void sessions_free(struct sessions *s)
{
	if (s == NULL)
		return;
	sd_event_source_disable_unref(s->timer);
	free(s->list);
	free(s);
}
