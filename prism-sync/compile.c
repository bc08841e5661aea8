/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/attr.h"
#include "compile.h"

#define NONE UINT32_MAX

/* One record that counts: of a person who is served, in a feed. */
struct membership {
	struct record *record;
	uint32_t person, feed;
	bool active;
};

struct person {
	uint32_t ngrants, ngroups, grant_at, group_at;
	uint32_t last_group; /* counted last: a list may name somebody twice */
	uint8_t verdict;
	bool sudo, login;
};

struct feed_view {
	bool usable; /* its project is known, understood, active, and the feed is valid */
	uint32_t group_rw, group_ro; /* indexes, or NONE */
	uint32_t project;
};

struct work {
	struct model *model;
	const struct config *config;
	const struct local *local;
	struct compiled *out;
	int64_t now;
	struct person *persons;
	struct membership *members;
	size_t npersons, nmembers, total;
	uint32_t *by_uid, *by_name; /* open addressing into persons */
	size_t mask;
	struct record **of_person; /* records in the order of the grants */
	struct feed_view views[FEED_MANIFEST_MAX];
	size_t ngroups, max_groups, nkeys;
};

static void work_release(struct work *w)
{
	free(w->persons);
	free(w->members);
	free(w->by_uid);
	free(w->by_name);
	free(w->of_person);
}

static void note_change(struct work *w, int64_t when)
{
	if (when > w->now && (w->out->next_change == 0 || when < w->out->next_change))
		w->out->next_change = when;
}

/* Refusals are a report: more of them than memory has room for are counted all the same. */
static void refuse(struct work *w, uint32_t id, const char *name, enum verdict v)
{
	struct refusal *more =
	    reallocarray(w->out->refused, w->out->nrefused + 1, sizeof(*w->out->refused));

	if (more == NULL)
		return;
	w->out->refused = more;
	struct refusal *r = &more[w->out->nrefused++];

	r->id = id;
	r->verdict = (uint8_t)v;
	snprintf(r->name, sizeof(r->name), "%s", name);
}

/* ---- people ---------------------------------------------------------------------------------- */

static size_t hash_name(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 32);
}

static uint32_t *slot_of_uid(const struct work *w, uint32_t uid)
{
	size_t i = (uid * UINT64_C(0x9e3779b97f4a7c15) >> 32) & w->mask;

	while (w->by_uid[i] != NONE && w->out->users[w->by_uid[i]].uid != uid)
		i = (i + 1) & w->mask;
	return &w->by_uid[i];
}

static uint32_t *slot_of_name(const struct work *w, const char *name)
{
	size_t i = hash_name(name) & w->mask;

	while (w->by_name[i] != NONE && strcmp(w->out->users[w->by_name[i]].name, name) != 0)
		i = (i + 1) & w->mask;
	return &w->by_name[i];
}

static uint32_t person_new(struct work *w, const struct record *r, enum verdict v)
{
	uint32_t i = (uint32_t)w->npersons++, *slot = slot_of_name(w, r->text);

	w->out->users[i] = (struct snap_user){
	    .name = r->text,
	    .gecos = r->text + r->gecos,
	    .home = r->text + r->home,
	    .shell = r->text + r->shell,
	    .uid = r->subject,
	    .state = r->user_state,
	};
	w->persons[i].verdict = (uint8_t)v;
	if (*slot == NONE) {
		*slot = i;
	} else {
		w->persons[*slot].verdict = VERDICT_DUPLICATE;
		w->persons[i].verdict = VERDICT_DUPLICATE;
	}
	return i;
}

static void add_member(struct work *w, uint32_t feed, struct record *r)
{
	enum verdict v = refuse_member(w->config, w->local, r);

	if (v != VERDICT_OK && v < VERDICT_RESOLVES) {
		if (r->flags & RECORD_ACTIVE)
			model_lose(w->model, r->subject);
		r->flags &= (uint8_t)~RECORD_ACTIVE;
		refuse(w, r->subject, r->size > 0 ? r->text : "", v);
		return;
	}
	uint32_t *slot = slot_of_uid(w, r->subject);

	if (*slot == NONE) {
		uint32_t new = person_new(w, r, v);

		*slot = new;
	} else {
		const struct snap_user *u = &w->out->users[*slot];

		if (strcmp(u->name, r->text) != 0 || strcmp(u->home, r->text + r->home) != 0)
			w->persons[*slot].verdict = VERDICT_DISAGREE;
		else if (w->persons[*slot].verdict == VERDICT_OK)
			w->persons[*slot].verdict = (uint8_t)v;
	}
	w->persons[*slot].ngrants++;
	w->nkeys += r->nkeys;
	w->members[w->nmembers++] = (struct membership){.record = r, .person = *slot, .feed = feed};
}

/* A record of a type or version from the future denies its subject, when that is a person. */
static void deny_unknown(struct work *w, const struct record *r)
{
	uint32_t *slot = slot_of_uid(w, r->subject);

	if (r->type != FEED_MEMBER && r->type != FEED_GROUP && r->type != FEED_PROJECT &&
	    *slot != NONE && w->persons[*slot].verdict == VERDICT_OK)
		w->persons[*slot].verdict = VERDICT_BROKEN;
}

static void each_record(struct work *w, void (*fn)(struct work *w, uint32_t feed, struct record *r))
{
	for (uint32_t k = 0; k < w->model->nfeeds; k++) {
		const struct feed *f = &w->model->feeds[k];

		for (size_t i = 0; i < f->nslots; i++)
			if (f->slots[i] != NULL)
				fn(w, k, f->slots[i]);
	}
}

static void gather_member(struct work *w, uint32_t feed, struct record *r)
{
	if (r->type == FEED_MEMBER)
		add_member(w, feed, r);
}

static void gather_unknown(struct work *w, uint32_t feed, struct record *r)
{
	if (r->flags & RECORD_BROKEN)
		deny_unknown(w, r);
}

static int gather(struct work *w)
{
	size_t slots = 16;
	bool unknown = false;

	for (size_t k = 0; k < w->model->nfeeds; k++) {
		w->total += w->model->feeds[k].nmembers;
		unknown |= w->model->feeds[k].nrecords > w->model->feeds[k].nmembers;
	}
	while (slots < w->total * 2)
		slots *= 2;
	w->mask = slots - 1;
	w->out->users = calloc(w->total + 1, sizeof(*w->out->users));
	w->persons = calloc(w->total + 1, sizeof(*w->persons));
	w->members = calloc(w->total + 1, sizeof(*w->members));
	w->by_uid = malloc(slots * sizeof(*w->by_uid));
	w->by_name = malloc(slots * sizeof(*w->by_name));
	if (!w->out->users || !w->persons || !w->members || !w->by_uid || !w->by_name)
		return -ENOMEM;
	memset(w->by_uid, 0xff, slots * sizeof(*w->by_uid));
	memset(w->by_name, 0xff, slots * sizeof(*w->by_name));
	each_record(w, gather_member);
	if (unknown)
		each_record(w, gather_unknown);
	return 0;
}

/* ---- projects and their groups --------------------------------------------------------------- */

static uint32_t group_new(struct work *w, const char *prefix, const char *slug, const char *suffix,
    uint32_t gid, bool checked)
{
	char *name = w->out->group_names[w->ngroups];

	snprintf(name, sizeof(w->out->group_names[0]), "%s%s%s", prefix, slug, suffix);
	enum verdict v = checked ? refuse_group(w->config, w->local, name, gid) : VERDICT_OK;

	for (size_t i = 0; v == VERDICT_OK && i < w->ngroups; i++)
		if (w->out->groups[i].gid == gid || strcmp(w->out->groups[i].name, name) == 0)
			v = VERDICT_DUPLICATE;
	if (v != VERDICT_OK) {
		refuse(w, gid, name, v);
		return NONE;
	}
	w->out->groups[w->ngroups] = (struct snap_group){.name = name, .gid = gid};
	return (uint32_t)w->ngroups++;
}

static int count_groups(struct work *w)
{
	w->max_groups = 2 + 2 * w->model->nfeeds;
	for (size_t k = 0; k < w->model->nfeeds; k++) {
		const struct feed *f = &w->model->feeds[k];

		for (size_t i = 0; f->nrecords > f->nmembers && i < f->nslots; i++)
			w->max_groups += f->slots[i] != NULL && f->slots[i]->type == FEED_GROUP;
	}
	w->out->groups = calloc(w->max_groups, sizeof(*w->out->groups));
	w->out->group_names = calloc(w->max_groups, sizeof(*w->out->group_names));
	w->out->projects = calloc(w->model->nfeeds + 1, sizeof(*w->out->projects));
	return w->out->groups && w->out->group_names && w->out->projects ? 0 : -ENOMEM;
}

/* One validity for the file: of what is still valid, the first to end; else the last that ended. */
static void find_validity(struct work *w)
{
	const struct model *m = w->model;
	int64_t live = 0, past = 0;
	struct snap_meta *meta = &w->out->source.meta;

	meta->issued_at = m->manifest_issued_at;
	for (size_t k = 0; k < m->nfeeds; k++) {
		int64_t v = m->feeds[k].valid_until;

		if (m->feeds[k].issued_at > meta->issued_at)
			meta->issued_at = m->feeds[k].issued_at;
		if (v > w->now && (live == 0 || v < live))
			live = v;
		if (v <= w->now && v > past)
			past = v;
		note_change(w, v);
	}
	meta->valid_until = live ? live : past;
	if (meta->valid_until == 0 || m->manifest_valid_until < meta->valid_until)
		meta->valid_until = m->manifest_valid_until;
	if (meta->valid_until == 0)
		meta->valid_until = w->now; /* 0 would mean: for ever */
	for (size_t k = 0; k < m->nfeeds; k++)
		w->views[k].usable = live == 0 || m->feeds[k].valid_until > w->now;
}

static void make_projects(struct work *w)
{
	group_new(w, GROUP_PRISM_USERS, "", "", w->config->gid_first + GID_PRISM_USERS, false);
	group_new(w, GROUP_PRISM_SUDO, "", "", w->config->gid_first + GID_PRISM_SUDO, false);
	w->out->groups[0].hide_members = true;
	for (size_t k = 0; k < w->model->nfeeds; k++) {
		const struct feed *f = &w->model->feeds[k];
		struct feed_view *v = &w->views[k];

		v->project = (uint32_t)k;
		v->group_rw = v->group_ro = NONE;
		w->out->projects[k] = (struct snap_project){
		    .slug = f->project_known ? f->project.slug : f->slug,
		    .name = f->project_known ? f->project.name : f->slug,
		    .contact = f->project.contact,
		    .state = f->project_known ? f->project.state : SNAP_REFUSED,
		    .sso_max_age = f->project.sso_max_age,
		};
		if (!f->project_known || f->project_broken) {
			v->usable = false;
			if (f->revision > 0)
				refuse(w, 0, f->slug, VERDICT_NO_DATA);
			continue;
		}
		v->group_rw = group_new(w, "p-", f->project.slug, "", f->project.gid_rw, true);
		v->group_ro = group_new(w, "p-", f->project.slug, "-ro", f->project.gid_ro, true);
	}
}

/* ---- grants ---------------------------------------------------------------------------------- */

static void judge_membership(struct work *w, struct membership *ms)
{
	struct record *r = ms->record;
	struct person *p = &w->persons[ms->person];
	const struct feed_view *v = &w->views[ms->feed];
	bool now_active = p->verdict == VERDICT_OK && v->usable && r->user_state == SNAP_ACTIVE &&
			  r->state == SNAP_ACTIVE && (r->not_after == 0 || w->now < r->not_after) &&
			  w->out->projects[v->project].state == SNAP_ACTIVE;
	bool login = now_active && r->perms & SNAP_PERM_LOGIN;

	ms->active = now_active;
	if (r->flags & RECORD_ACTIVE && !login)
		model_lose(w->model, r->subject);
	r->flags = (uint8_t)((r->flags & ~RECORD_ACTIVE) | (login ? RECORD_ACTIVE : 0));
	p->login |= login;
	if (!now_active)
		return;
	note_change(w, r->not_after);
	p->sudo |= w->config->allow_sudo && r->perms & SNAP_PERM_SUDO;
	p->ngroups += v->group_ro != NONE;
	p->ngroups += v->group_rw != NONE && r->perms & SNAP_PERM_WRITE;
}

static void each_group_member(
    struct work *w, void (*fn)(struct work *w, struct person *p, uint32_t uid, uint32_t group));

static void count_member_of_group(struct work *w, struct person *p, uint32_t uid, uint32_t group)
{
	p->ngroups += p->last_group != group;
	p->last_group = group;
}

static void put_group(struct work *w, uint32_t person, uint32_t group)
{
	struct snap_user *u = &w->out->users[person];

	w->out->group_indexes[w->persons[person].group_at + u->ngroups++] = group;
}

static void fill_member_of_group(struct work *w, struct person *p, uint32_t uid, uint32_t group)
{
	uint32_t i = (uint32_t)(p - w->persons);
	const struct snap_user *u = &w->out->users[i];

	if (u->groups[u->ngroups - 1] != group)
		put_group(w, i, group);
}

/* Whether this person is let into the project of this feed now. */
static bool active_in(const struct feed *f, uint32_t uid)
{
	const struct record *r = feed_find(f, FEED_MEMBER, uid);

	return r != NULL && r->flags & RECORD_ACTIVE;
}

static void each_group_member(
    struct work *w, void (*fn)(struct work *w, struct person *p, uint32_t uid, uint32_t group))
{
	for (uint32_t g = 2; g < w->ngroups; g++) {
		if (w->out->groups[g].name[0] != 'g')
			continue;
		for (size_t k = 0; k < w->model->nfeeds; k++) {
			const struct feed *f = &w->model->feeds[k];
			const struct record *r = feed_find(f, FEED_GROUP, w->out->groups[g].gid);

			if (r == NULL || r->flags & RECORD_BROKEN ||
			    strcmp(r->text, w->out->groups[g].name + 2) != 0)
				continue;
			for (size_t i = 0; i < r->nmembers; i++) {
				uint32_t uid = record_group_uid(r, i), *slot = slot_of_uid(w, uid);

				if (*slot != NONE && active_in(f, uid))
					fn(w, &w->persons[*slot], uid, g);
			}
			break; /* a group belongs to one feed */
		}
	}
}

static void make_named_group(struct work *w, uint32_t feed, struct record *r)
{
	if (r->type == FEED_GROUP && !(r->flags & RECORD_BROKEN))
		group_new(w, "g-", r->text, "", r->subject, true);
}

static int lay_out(struct work *w)
{
	size_t ngrants = 0, ngroups = 0;

	for (size_t i = 0; i < w->npersons; i++) {
		struct person *p = &w->persons[i];

		p->ngroups += 1 + p->sudo;
		p->grant_at = (uint32_t)ngrants;
		p->group_at = (uint32_t)ngroups;
		ngrants += p->ngrants;
		ngroups += p->ngroups;
		w->out->nactive += p->login;
	}
	w->out->grants = calloc(ngrants + 1, sizeof(*w->out->grants));
	w->of_person = calloc(ngrants + 1, sizeof(*w->of_person));
	w->out->group_indexes = calloc(ngroups + 1, sizeof(*w->out->group_indexes));
	w->out->keys = calloc(w->nkeys + 1, sizeof(*w->out->keys));
	if (!w->out->grants || !w->of_person || !w->out->group_indexes || !w->out->keys)
		return -ENOMEM;
	for (size_t i = 0; i < w->npersons; i++) {
		w->out->users[i].groups = w->out->group_indexes + w->persons[i].group_at;
		w->out->users[i].grants = w->out->grants + w->persons[i].grant_at;
	}
	return 0;
}

static void fill_grant(struct work *w, const struct membership *ms)
{
	const struct record *r = ms->record;
	struct snap_user *u = &w->out->users[ms->person];
	const struct feed_view *v = &w->views[ms->feed];
	size_t at = w->persons[ms->person].grant_at + u->ngrants++;

	w->of_person[at] = ms->record;
	w->out->grants[at] = (struct snap_grant){
	    .project = v->project,
	    .perms = r->perms,
	    .state =
		v->usable && w->persons[ms->person].verdict == VERDICT_OK ? r->state : SNAP_REFUSED,
	    .not_after = r->not_after,
	    .ended_at = r->ended_at,
	    .sso_at = r->sso_at,
	};
}

/* Ascending for each person, because the groups are visited in their order. */
static void fill_groups(struct work *w)
{
	for (uint32_t i = 0; i < w->npersons; i++) {
		put_group(w, i, 0);
		if (w->persons[i].sudo)
			put_group(w, i, 1);
	}
	for (size_t i = 0; i < w->nmembers; i++) {
		const struct membership *ms = &w->members[i];
		const struct feed_view *v = &w->views[ms->feed];

		if (ms->active && v->group_rw != NONE && ms->record->perms & SNAP_PERM_WRITE)
			put_group(w, ms->person, v->group_rw);
		if (ms->active && v->group_ro != NONE)
			put_group(w, ms->person, v->group_ro);
	}
	each_group_member(w, fill_member_of_group);
}

/* ---- keys, and people of several projects ---------------------------------------------------- */

static bool names_key(const struct record *r, const char *line, int64_t *not_after)
{
	for (size_t i = 0; i < r->nkeys; i++) {
		int64_t end;

		if (strcmp(record_key(r, i, &end), line) != 0)
			continue;
		if (end != 0 && (*not_after == 0 || end < *not_after))
			*not_after = end;
		return true;
	}
	return false;
}

/*
 * Feeds are updated one after the other, so two of them may differ for a moment. Then the stricter
 * one holds: the worse state, and only the keys that all active memberships name.
 */
static void fill_person(struct work *w, uint32_t i, size_t *keys_at)
{
	struct snap_user *u = &w->out->users[i];
	struct record *const *of = w->of_person + w->persons[i].grant_at;
	const struct record *base = of[0];

	for (size_t k = 0; k < u->ngrants && base->state != SNAP_ACTIVE; k++)
		if (of[k]->state == SNAP_ACTIVE)
			base = of[k];
	u->state = base->user_state;
	u->keys = w->out->keys + *keys_at;
	for (size_t n = 0; n < base->nkeys; n++) {
		struct snap_key key;
		bool all = true;

		key.line = record_key(base, n, &key.not_after);
		for (size_t k = 0; k < u->ngrants && all; k++)
			if (of[k] != base && of[k]->state == SNAP_ACTIVE)
				all = names_key(of[k], key.line, &key.not_after);
		if (all) {
			w->out->keys[(*keys_at)++] = key;
			u->nkeys++;
		}
	}
	for (size_t k = 0; k < u->ngrants; k++)
		if (of[k]->state == SNAP_ACTIVE && of[k]->user_state > u->state)
			u->state = of[k]->user_state;
}

/* People who may not be served at all leave the list; the others move up. */
static void drop_refused(struct work *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->npersons; i++) {
		uint8_t v = w->persons[i].verdict;

		if (v != VERDICT_OK)
			refuse(w, w->out->users[i].uid, w->out->users[i].name, v);
		if (v == VERDICT_OK || v >= VERDICT_RESOLVES)
			w->out->users[n++] = w->out->users[i];
	}
	w->out->source.nusers = n;
}

static const struct snap_user *user_at(void *arg, size_t i)
{
	return &((const struct snap_user *)arg)[i];
}

static int compile_work(struct work *w)
{
	size_t keys_at = 0;
	int rc = gather(w);

	if (rc == 0)
		rc = count_groups(w);
	if (rc < 0)
		return rc;
	find_validity(w);
	make_projects(w);
	if (w->max_groups > 2 + 2 * w->model->nfeeds)
		each_record(w, make_named_group);
	for (size_t i = 0; i < w->nmembers; i++)
		judge_membership(w, &w->members[i]);
	each_group_member(w, count_member_of_group);
	rc = lay_out(w);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < w->nmembers; i++)
		fill_grant(w, &w->members[i]);
	fill_groups(w);
	for (uint32_t i = 0; i < w->npersons; i++)
		fill_person(w, i, &keys_at);
	drop_refused(w);
	return 0;
}

int compile(struct model *m, const struct config *c, const struct local *l, uint64_t generation,
    int64_t now, struct compiled *ret)
{
	struct compiled out = {.next_change = 0};
	_cleanup_(work_release) struct work w = {
	    .model = m, .config = c, .local = l, .out = &out, .now = now};

	out.source.meta.generation = generation;
	out.source.meta.uid_first = c->uid_first;
	out.source.meta.uid_last = c->uid_last;
	out.source.meta.gid_first = c->gid_first;
	out.source.meta.gid_last = c->gid_last;
	int rc = compile_work(&w);

	if (rc < 0) {
		compiled_release(&out);
		return rc;
	}
	out.source.projects = out.projects;
	out.source.nprojects = m->nfeeds;
	out.source.groups = out.groups;
	out.source.ngroups = w.ngroups;
	out.source.user = user_at;
	out.source.arg = out.users;
	*ret = out;
	return 0;
}
