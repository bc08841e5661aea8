/* SPDX-License-Identifier: MIT */
#include "access/access.h"

#include <errno.h>
#include <string.h>
#include "base/name.h"

#define PERMS_KNOWN ((uint32_t)(SNAP_PERM_LOGIN | SNAP_PERM_SUDO | SNAP_PERM_WRITE))

/*
 * Of several refusals the person hears the one they can do most about: the higher rank, and within
 * a rank the more recent one. SSO_STALE is above all, because nothing but a fresh login is missing.
 */
static const uint8_t REASON_RANK[] = {
    [ACCESS_NOT_LISTED] = 0,
    [ACCESS_BAD_RECORD] = 1,
    [ACCESS_REFUSED_LOCALLY] = 2,
    [ACCESS_SUSPENDED] = 3,
    [ACCESS_ENDED] = 3,
    [ACCESS_EXPIRED] = 3,
    [ACCESS_PROJECT_INACTIVE] = 4,
    [ACCESS_NO_LOGIN] = 5,
    [ACCESS_SSO_STALE] = 6,
};

/* What is asked of every grant alike. */
struct question {
	const char *service;
	int64_t now;
	const char *const *fresh; /* slugs, ended by NULL; NULL: none */
};

/* What one grant says by itself. */
struct opinion {
	enum access_reason reason;
	int64_t when;
	uint32_t perms;
	const char *project, *contact;
};

static bool sso_applies(const char *service)
{
	return service && strcmp(service, "sshd") == 0;
}

/* Recorded as ended because its date had passed: say so, it is another sentence. */
static enum access_reason reason_of_end(const struct snap_grant *g, int64_t now, int64_t *ret_when)
{
	if (g->not_after != 0 && now >= g->not_after &&
	    (g->ended_at == 0 || g->ended_at >= g->not_after)) {
		*ret_when = g->not_after;
		return ACCESS_EXPIRED;
	}
	*ret_when = g->ended_at;
	return ACCESS_ENDED;
}

static enum access_reason judge_state(const struct snap_grant *g, int64_t now, int64_t *ret_when)
{
	switch (g->state) {
	case SNAP_ACTIVE:
		if (g->not_after == 0 || now < g->not_after)
			return ACCESS_OK;
		*ret_when = g->not_after;
		return ACCESS_EXPIRED;
	case SNAP_SUSPENDED:
		*ret_when = g->ended_at;
		return ACCESS_SUSPENDED;
	case SNAP_ENDED:
		return reason_of_end(g, now, ret_when);
	case SNAP_REFUSED:
		return ACCESS_REFUSED_LOCALLY;
	default:
		return ACCESS_BAD_RECORD;
	}
}

static enum access_reason judge_project(const struct snap_project *p)
{
	switch (p->state) {
	case SNAP_ACTIVE:
		return ACCESS_OK;
	case SNAP_SUSPENDED:
	case SNAP_ENDED:
		return ACCESS_PROJECT_INACTIVE;
	case SNAP_REFUSED:
		return ACCESS_REFUSED_LOCALLY;
	default:
		return ACCESS_BAD_RECORD;
	}
}

static bool is_fresh(const char *const *fresh, const char *slug)
{
	for (; fresh && *fresh; fresh++)
		if (slug[0] && strcmp(*fresh, slug) == 0)
			return true;
	return false;
}

/* now and sso_at are not negative here, so the difference cannot overflow. */
static enum access_reason judge_sso(const struct snap_grant *g, const struct snap_project *p,
    const struct question *q, int64_t *ret_when)
{
	if (p->sso_max_age == 0 || !sso_applies(q->service) || is_fresh(q->fresh, p->slug))
		return ACCESS_OK;
	if (g->sso_at <= 0)
		return ACCESS_SSO_STALE;
	if (q->now - g->sso_at < (int64_t)p->sso_max_age)
		return ACCESS_OK;
	*ret_when = g->sso_at + (int64_t)p->sso_max_age;
	return ACCESS_SSO_STALE;
}

static struct opinion judge_grant(
    const struct snap_grant *g, const struct snap_project *p, const struct question *q)
{
	struct opinion o = {.reason = ACCESS_OK, .project = p->slug, .contact = p->contact};

	o.reason = judge_state(g, q->now, &o.when);
	if (o.reason == ACCESS_OK)
		o.reason = judge_project(p);
	if (o.reason == ACCESS_OK && !(g->perms & SNAP_PERM_LOGIN))
		o.reason = ACCESS_NO_LOGIN;
	if (o.reason == ACCESS_OK)
		o.reason = judge_sso(g, p, q, &o.when);
	if (o.reason == ACCESS_OK)
		o.perms = g->perms & PERMS_KNOWN;
	return o;
}

/* Whether a tells more than b. The first one that holds stays the one that decides. */
static bool opinion_better(const struct opinion *a, const struct opinion *b)
{
	if (b->reason == ACCESS_OK)
		return false;
	if (a->reason == ACCESS_OK)
		return true;
	if (REASON_RANK[a->reason] != REASON_RANK[b->reason])
		return REASON_RANK[a->reason] > REASON_RANK[b->reason];
	return a->when > b->when;
}

static struct opinion judge_grants(
    const struct snap *s, const struct snap_subject *u, const struct question *q)
{
	const struct opinion damaged = {.reason = ACCESS_BAD_RECORD};
	struct opinion best = {.reason = ACCESS_NOT_LISTED, .when = INT64_MIN};
	uint32_t perms = 0;

	for (uint32_t i = 0; i < u->ngrants; i++) {
		struct snap_grant g;
		struct snap_project p;
		struct opinion o;

		if (snap_subject_grant(s, u, i, &g, &p) < 0)
			return damaged;
		o = judge_grant(&g, &p, q);
		perms |= o.perms;
		if (opinion_better(&o, &best))
			best = o;
	}
	if (best.reason == ACCESS_NOT_LISTED)
		best.when = 0;
	best.perms = perms;
	return best;
}

static bool identity_ok(const struct snap_subject *u, const struct snap_meta *meta)
{
	return username_valid(u->name) && id_allowed(u->uid, meta->uid_first, meta->uid_last);
}

/* A refused record may well have a name or an id that nobody may have: that is why it is refused.
 */
static enum access_reason judge_person(
    const struct snap_subject *u, const char *user, const struct snap_meta *meta)
{
	if (strcmp(u->name, user) != 0)
		return ACCESS_BAD_RECORD;
	if (u->state == SNAP_REFUSED)
		return ACCESS_REFUSED_LOCALLY;
	if (!identity_ok(u, meta))
		return ACCESS_BAD_RECORD;
	switch (u->state) {
	case SNAP_ACTIVE:
		return ACCESS_OK;
	case SNAP_SUSPENDED:
		return ACCESS_USER_SUSPENDED;
	case SNAP_ENDED:
		return ACCESS_USER_ENDED;
	default:
		return ACCESS_BAD_RECORD;
	}
}

/*
 * A known revocation is told even when the snapshot is too old to admit anybody. SSO_STALE is not
 * one: prism-keys lets it pass, so staleness must come before it.
 */
static void apply_staleness(const struct snap_meta *meta, int64_t now, struct access_result *r)
{
	if (meta->valid_until == 0 || now < meta->valid_until)
		return;
	if (r->reason != ACCESS_OK && r->reason != ACCESS_SSO_STALE)
		return;
	r->reason = ACCESS_STALE;
	r->when = meta->valid_until;
	r->perms = 0;
	r->project = NULL;
	r->contact = NULL;
}

static void decide_grants(const struct snap *s, const struct snap_subject *u,
    const struct question *q, struct access_result *r)
{
	const struct opinion o = judge_grants(s, u, q);

	r->reason = o.reason;
	r->when = o.when;
	r->perms = o.reason == ACCESS_OK ? o.perms : 0;
	r->project = o.project;
	r->contact = o.contact;
}

void access_decide_fresh(const struct snap *s, const char *user, const char *service, int64_t now,
    const char *const *fresh, struct access_result *ret)
{
	struct question q = {.service = service, .now = now, .fresh = fresh};
	struct access_result r = {.verdict = ACCESS_UNKNOWN, .reason = ACCESS_NOT_LISTED};
	struct snap_subject u;
	struct snap_meta meta;
	int err = snap_subject_by_name(s, user, &u);

	if (err == -ENOENT) {
		*ret = r;
		return;
	}
	r.verdict = ACCESS_DENY;
	r.reason = ACCESS_BAD_RECORD;
	if (err < 0) {
		*ret = r;
		return;
	}
	snap_meta(s, &meta);
	if (q.now < meta.issued_at)
		q.now = meta.issued_at;
	if (q.now < 0)
		q.now = 0;
	r.reason = judge_person(&u, user, &meta);
	if (r.reason != ACCESS_BAD_RECORD) {
		r.uid = identity_ok(&u, &meta) ? u.uid : 0;
		r.name = u.name;
		r.home = u.home;
	}
	if (r.reason == ACCESS_OK) {
		decide_grants(s, &u, &q, &r);
		apply_staleness(&meta, q.now, &r);
	}
	if (r.reason == ACCESS_OK)
		r.verdict = ACCESS_ALLOW;
	*ret = r;
}

void access_decide(const struct snap *s, const char *user, const char *service, int64_t now,
    struct access_result *ret)
{
	access_decide_fresh(s, user, service, now, NULL, ret);
}
