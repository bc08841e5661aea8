/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"

enum { MINUTE_USEC = 60000000, RETRY_MS = 5000, PATIENCE_MS = 30000, TRIM_USEC = 20000000 };

int64_t agent_now(const struct agent *a)
{
	int64_t now = clock_now();

	return now > a->trust.issued_at ? now : a->trust.issued_at;
}

/*
 * After a start, a feed whose journal was lost must not look like an empty project: what is
 * published stays until the full feed is there, for a while.
 */
static bool must_wait(struct agent *a)
{
	bool missing = !a->model.manifest_known;

	for (size_t i = 0; i < a->model.nfeeds; i++) {
		const struct feed *f = &a->model.feeds[i];

		missing |= f->revision == 0 && trust_check(&a->trust, f->id, 0, 0) < 0;
	}
	if (!a->model.manifest_known)
		return a->published.generation > 0;
	return missing && a->published.generation > 0 &&
	       (a->patience == 0 || clock_mono_ms() < a->patience);
}

static bool let_in(const struct compiled *c, const struct snap_user *u, int64_t now)
{
	for (size_t i = 0; u->state == SNAP_ACTIVE && i < u->ngrants; i++) {
		const struct snap_grant *g = &u->grants[i];

		if (g->state == SNAP_ACTIVE && g->perms & SNAP_PERM_LOGIN &&
		    (g->not_after == 0 || now < g->not_after) &&
		    c->projects[g->project].state == SNAP_ACTIVE)
			return true;
	}
	return false;
}

static void want_homes(struct agent *a, const struct compiled *c, int64_t now)
{
	for (size_t i = 0; i < c->source.nusers; i++)
		if (let_in(c, &c->users[i], now))
			homes_want(a->homes, c->users[i].uid);
	homes_run(a->homes);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static const char *name_of(void *arg, uint32_t uid)
{
	const struct agent *a = arg;
	const char *name = NULL;

	for (size_t i = 0; i < a->model.nfeeds; i++) {
		const struct record *r = feed_find(&a->model.feeds[i], FEED_MEMBER, uid);

		if (r != NULL && r->size > 0)
			return r->text;
		name = r != NULL ? "" : name;
	}
	return name;
}

static bool is_let_in(void *arg, uint32_t uid)
{
	const struct agent *a = arg;

	for (size_t i = 0; i < a->model.nfeeds; i++) {
		const struct record *r = feed_find(&a->model.feeds[i], FEED_MEMBER, uid);

		if (r != NULL && r->flags & RECORD_ACTIVE)
			return true;
	}
	return false;
}

static bool is_in_group(void *arg, uint32_t uid, uint32_t gid)
{
	const struct agent *a = arg;

	return compiled_in_group(&a->model, &a->config, uid, gid);
}

int schedule_sessions(struct agent *a)
{
	struct sessions_host h = {
	    .config = &a->config,
	    .local = &a->local,
	    .linger = a->paths.linger,
	    .arg = a,
	    .name = name_of,
	    .let_in = is_let_in,
	    .in_group = is_in_group,
	};

	return sessions_new(a->event, &h, &a->sessions);
}

static void end_sessions(struct agent *a)
{
	if (a->config.end_sessions && !a->first_done)
		sessions_check(a->sessions);
	if (a->config.end_sessions && a->model.nlost > 0)
		sessions_end(a->sessions, a->model.lost, a->model.nlost);
	free(a->model.lost);
	a->model.lost = NULL;
	a->model.nlost = 0;
}

/* ---- publishing ------------------------------------------------------------------------------ */

static void set_change_timer(struct agent *a, int64_t when)
{
	sd_event_source_set_enabled(a->change_timer, SD_EVENT_OFF);
	if (when <= 0)
		return;
	sd_event_source_set_time(a->change_timer, (uint64_t)when * 1000000);
	sd_event_source_set_enabled(a->change_timer, SD_EVENT_ONESHOT);
}

static void log_refusals(const struct agent *a, const struct compiled *c)
{
	if (c->nrefused == a->published.nrefused &&
	    (c->nrefused == 0 ||
		memcmp(c->refused, a->published.refused, c->nrefused * sizeof(*c->refused)) == 0))
		return;
	for (size_t i = 0; i < c->nrefused && i < 100; i++)
		log_event(LOG_LEVEL_WARN, "refused", "subject", "%s", c->refused[i].name, "id",
		    "%u", c->refused[i].id, "reason", "%s", verdict_text(c->refused[i].verdict),
		    NULL);
}

static void note_published(struct agent *a, struct compiled *c, int64_t started)
{
	struct published *p = &a->published;

	log_refusals(a, c);
	free(p->refused);
	*p = (struct published){
	    .generation = c->source.meta.generation,
	    .at = clock_now(),
	    .valid_until = c->source.meta.valid_until,
	    .issued_at = c->source.meta.issued_at,
	    .users = c->source.nusers,
	    .active = c->nactive,
	    .refused = c->refused,
	    .nrefused = c->nrefused,
	    .took_ms = (int)(clock_mono_ms() - started),
	};
	c->refused = NULL;
	log_event(LOG_LEVEL_INFO, "published", "generation", "%llu",
	    (unsigned long long)p->generation, "users", "%lu", (unsigned long)p->users, "active",
	    "%lu", (unsigned long)p->active, "took_ms", "%d", p->took_ms, NULL);
}

static int publish(struct agent *a)
{
	struct compiled c;
	int64_t started = clock_mono_ms(), now = agent_now(a);
	int64_t keys_gid = local_group_gid(a->paths.group, "prism-keys");
	int rc = local_refresh(&a->local, a->paths.passwd, a->paths.group);

	if (rc < 0)
		return rc;
	rc = compile(&a->model, &a->config, &a->local, a->published.generation + 1, now, &c);
	if (rc < 0)
		return rc;
	rc = compiled_publish(&c, a->paths.nss, keys_gid, &a->identity);
	if (rc == 0) {
		note_published(a, &c, started);
		end_sessions(a);
		want_homes(a, &c, now);
		set_change_timer(a, c.next_change);
	}
	compiled_release(&c);
	/* The next change of a burst finds its memory where it was; then it goes back. */
	sd_event_source_set_time_relative(a->trim_timer, TRIM_USEC);
	sd_event_source_set_enabled(a->trim_timer, SD_EVENT_ONESHOT);
	return rc;
}

static void arm(struct agent *a, int64_t ms)
{
	sd_event_source_set_time_relative(a->publish_timer, (uint64_t)(ms > 0 ? ms : 1) * 1000);
	sd_event_source_set_enabled(a->publish_timer, SD_EVENT_ONESHOT);
}

static void publish_now(struct agent *a)
{
	int rc = publish(a);

	a->not_before = clock_mono_ms() + a->config.publish_ms;
	if (rc < 0) {
		if (rc != a->publish_error)
			log_msg(LOG_LEVEL_ERROR, "publish-failed",
			    "the snapshots stay as they were: %s", strerror(-rc));
		a->publish_error = rc;
		arm(a, RETRY_MS);
		return;
	}
	a->publish_error = 0;
	a->dirty = false;
	a->first_done = true;
	if (a->trust.floors_dirty && (rc = trust_save_floors(&a->trust)) < 0)
		log_msg(LOG_LEVEL_ERROR, "floors-failed", "%s", strerror(-rc));
	status_notify(a);
	report_send(a);
}

void schedule_publish(struct agent *a)
{
	int64_t wait = a->not_before - clock_mono_ms();

	if (!a->dirty)
		return;
	if (must_wait(a)) {
		/* The clock of patience runs from the first answer on. */
		if (a->patience == 0 && a->connection.ok)
			a->patience = clock_mono_ms() + PATIENCE_MS;
		if (a->patience > 0)
			arm(a, a->patience - clock_mono_ms());
	} else if (wait > 0) {
		arm(a, wait);
	} else {
		publish_now(a);
	}
}

/* ---- time ------------------------------------------------------------------------------------ */

static int on_publish_timer(sd_event_source *s, uint64_t usec, void *arg)
{
	schedule_publish(arg);
	return 0;
}

static int on_trim(sd_event_source *s, uint64_t usec, void *arg)
{
	malloc_trim(0);
	return 0;
}

static int on_change(sd_event_source *s, uint64_t usec, void *arg)
{
	struct agent *a = arg;

	a->dirty = true;
	schedule_publish(a);
	return 0;
}

static int on_minute(sd_event_source *s, uint64_t usec, void *arg)
{
	struct agent *a = arg;

	if (local_refresh(&a->local, a->paths.passwd, a->paths.group) > 0)
		a->dirty = true;
	schedule_publish(a);
	homes_retry(a->homes);
	report_send(a);
	status_notify(a);
	sd_event_source_set_time_relative(s, MINUTE_USEC);
	return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

int schedule_start(struct agent *a)
{
	int rc = sd_event_add_time_relative(
	    a->event, &a->publish_timer, CLOCK_MONOTONIC, 0, 1000, on_publish_timer, a);

	if (rc == 0)
		rc = sd_event_source_set_enabled(a->publish_timer, SD_EVENT_OFF);
	if (rc == 0)
		rc = sd_event_add_time_relative(
		    a->event, &a->trim_timer, CLOCK_MONOTONIC, TRIM_USEC, 1000000, on_trim, a);
	if (rc == 0)
		rc = sd_event_add_time(
		    a->event, &a->change_timer, CLOCK_REALTIME, UINT64_MAX - 1, 1000, on_change, a);
	if (rc == 0)
		rc = sd_event_source_set_enabled(a->change_timer, SD_EVENT_OFF);
	if (rc == 0)
		rc = sd_event_add_time_relative(
		    a->event, &a->minute, CLOCK_MONOTONIC, MINUTE_USEC, 1000000, on_minute, a);
	return rc;
}

void schedule_stop(struct agent *a)
{
	sd_event_source_disable_unref(a->publish_timer);
	sd_event_source_disable_unref(a->change_timer);
	sd_event_source_disable_unref(a->trim_timer);
	sd_event_source_disable_unref(a->minute);
	free(a->published.refused);
}
