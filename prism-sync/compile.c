/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/attr.h"
#include "compile_work.h"

static void work_release(struct work *w)
{
	free(w->persons);
	free(w->members);
	free(w->by_uid);
	free(w->by_name);
	free(w->of_person);
}

void work_note_change(struct work *w, int64_t when)
{
	if (when > w->now && (w->out->next_change == 0 || when < w->out->next_change))
		w->out->next_change = when;
}

/* Refusals are a report: more of them than memory has room for are counted all the same. */
void work_refuse(struct work *w, uint32_t id, const char *name, enum verdict v)
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

/* As in record.c: neighbours in runs of 64. */
struct slot *work_slot_of_uid(const struct work *w, uint32_t uid)
{
	size_t i = ((uid >> 6) * UINT64_C(0x9e3779b97f4a7c15) >> 32 << 6 | (uid & 63)) & w->mask;

	while (w->by_uid[i].index != NONE && w->by_uid[i].key != uid)
		i = (i + 1) & w->mask;
	return &w->by_uid[i];
}

static struct slot *slot_of_name(const struct work *w, const char *name, uint32_t hash)
{
	size_t i = hash & w->mask;

	while (w->by_name[i].index != NONE &&
	       (w->by_name[i].key != hash ||
		   strcmp(w->out->users[w->by_name[i].index].name, name) != 0))
		i = (i + 1) & w->mask;
	return &w->by_name[i];
}

static uint32_t person_new(struct work *w, const struct record *r, enum verdict v)
{
	uint32_t i = (uint32_t)w->npersons++;

	w->out->users[i] = (struct snap_user){
	    .name = r->text,
	    .gecos = r->text + r->gecos,
	    .home = r->text + r->home,
	    .shell = r->text + r->shell,
	    .uid = r->subject,
	    .state = r->user_state,
	};
	w->persons[i].verdict = (uint8_t)v;
	w->persons[i].identity = r->identity;
	w->persons[i].name_hash = r->name_hash;
	return i;
}

static void add_member(struct work *w, uint32_t feed, struct record *r)
{
	enum verdict v = refuse_member(w->config, w->local, r);

	if (v != VERDICT_OK && v < VERDICT_RESOLVES) {
		if (r->flags & RECORD_ACTIVE)
			model_lose(w->model, r);
		r->flags &= (uint8_t) ~(RECORD_ACTIVE | RECORD_GROUPS);
		work_refuse(w, r->subject, r->size > 0 ? r->text : "", v);
		return;
	}
	struct slot *slot = work_slot_of_uid(w, r->subject);

	if (slot->index == NONE) {
		*slot = (struct slot){.key = r->subject, .index = person_new(w, r, v)};
	} else {
		const struct snap_user *u = &w->out->users[slot->index];
		struct person *p = &w->persons[slot->index];

		if (strcmp(u->name, r->text) != 0 || strcmp(u->home, r->text + r->home) != 0)
			p->verdict = VERDICT_DISAGREE;
		else if (p->verdict == VERDICT_OK)
			p->verdict = (uint8_t)v;
	}
	w->persons[slot->index].ngrants++;
	w->nkeys += r->nkeys;
	w->members[w->nmembers++] =
	    (struct membership){.record = r, .person = slot->index, .feed = feed};
}

/* Whose records disagree has not even one name. */
static void note_duplicate(struct person *p)
{
	if (p->verdict != VERDICT_DISAGREE)
		p->verdict = VERDICT_DUPLICATE;
}

static void find_duplicates(struct work *w)
{
	for (uint32_t i = 0; i < w->npersons; i++) {
		uint32_t hash = w->persons[i].name_hash;
		struct slot *slot = slot_of_name(w, w->out->users[i].name, hash);

		if (i + AHEAD < w->npersons)
			__builtin_prefetch(
			    &w->by_name[w->persons[i + AHEAD].name_hash & w->mask], 1);
		if (slot->index == NONE) {
			*slot = (struct slot){.key = hash, .index = i};
		} else {
			note_duplicate(&w->persons[slot->index]);
			note_duplicate(&w->persons[i]);
		}
	}
}

/* A record of a type or version from the future denies its subject, when that is a person. */
static void deny_unknown(struct work *w, const struct record *r)
{
	const struct slot *slot = work_slot_of_uid(w, r->subject);

	if (r->type != FEED_MEMBER && r->type != FEED_GROUP && r->type != FEED_PROJECT &&
	    slot->index != NONE && w->persons[slot->index].verdict == VERDICT_OK)
		w->persons[slot->index].verdict = VERDICT_BROKEN;
}

void work_each_record(struct work *w, void (*fn)(struct work *w, uint32_t feed, struct record *r))
{
	for (uint32_t k = 0; k < w->model->nfeeds; k++) {
		const struct feed *f = &w->model->feeds[k];

		for (size_t i = 0; i < f->nslots; i++) {
			__builtin_prefetch(f->slots[(i + AHEAD) & (f->nslots - 1)]);
			if (f->slots[i] != NULL)
				fn(w, k, f->slots[i]);
		}
	}
}

static void gather_record(struct work *w, uint32_t feed, struct record *r)
{
	if (r->type == FEED_MEMBER) {
		add_member(w, feed, r);
		return;
	}
	w->nnamed += r->type == FEED_GROUP;
	w->unknown |= (r->flags & RECORD_BROKEN) != 0;
}

static void gather_unknown(struct work *w, uint32_t feed, struct record *r)
{
	if (r->flags & RECORD_BROKEN)
		deny_unknown(w, r);
}

/* Never of no bytes, and not cleared: all that is used of it is written first. */
static void *array_new(size_t n, size_t size)
{
	return reallocarray(NULL, n + 1, size);
}

static int gather(struct work *w)
{
	size_t slots = 64;

	for (size_t k = 0; k < w->model->nfeeds; k++)
		w->total += w->model->feeds[k].nmembers;
	while (slots < w->total * 2)
		slots *= 2;
	w->mask = slots - 1;
	w->out->users = array_new(w->total, sizeof(*w->out->users));
	w->persons = calloc(w->total + 1, sizeof(*w->persons));
	w->members = array_new(w->total, sizeof(*w->members));
	w->by_uid = array_new(slots, sizeof(*w->by_uid));
	w->by_name = array_new(slots, sizeof(*w->by_name));
	if (!w->out->users || !w->persons || !w->members || !w->by_uid || !w->by_name)
		return -ENOMEM;
	memset(w->by_uid, 0xff, slots * sizeof(*w->by_uid));
	memset(w->by_name, 0xff, slots * sizeof(*w->by_name));
	work_each_record(w, gather_record);
	find_duplicates(w);
	if (w->unknown)
		work_each_record(w, gather_unknown);
	return 0;
}

/* ---- grants ---------------------------------------------------------------------------------- */

static bool membership_holds(const struct work *w, const struct membership *ms)
{
	const struct record *r = ms->record;
	const struct feed_view *v = &w->views[ms->feed];

	if (w->persons[ms->person].verdict != VERDICT_OK || !v->usable)
		return false;
	return r->user_state == SNAP_ACTIVE && r->state == SNAP_ACTIVE &&
	       (r->not_after == 0 || w->now < r->not_after) &&
	       w->out->projects[v->project].state == SNAP_ACTIVE;
}

static void judge_membership(struct work *w, struct membership *ms)
{
	struct record *r = ms->record;
	struct person *p = &w->persons[ms->person];
	const struct feed_view *v = &w->views[ms->feed];
	bool now_active = membership_holds(w, ms);
	bool login = now_active && r->perms & SNAP_PERM_LOGIN;

	ms->active = now_active;
	ms->writes = r->perms & SNAP_PERM_WRITE;
	if (r->flags & RECORD_ACTIVE && !login)
		model_lose(w->model, r);
	r->flags &= (uint8_t) ~(RECORD_ACTIVE | RECORD_GROUPS);
	r->flags |= (uint8_t)((login ? RECORD_ACTIVE : 0) | (now_active ? RECORD_GROUPS : 0));
	p->login |= login;
	if (!now_active)
		return;
	work_note_change(w, r->not_after);
	p->sudo |= w->config->allow_sudo && !w->sudo_taken && r->perms & SNAP_PERM_SUDO;
	p->ngroups += v->group_ro != NONE;
	p->ngroups += v->group_rw != NONE && ms->writes;
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
	w->out->grants = array_new(ngrants, sizeof(*w->out->grants));
	w->of_person = array_new(ngrants, sizeof(*w->of_person));
	w->out->group_indexes = array_new(ngroups, sizeof(*w->out->group_indexes));
	w->out->keys = array_new(w->nkeys, sizeof(*w->out->keys));
	if (!w->out->grants || !w->of_person || !w->out->group_indexes || !w->out->keys)
		return -ENOMEM;
	for (size_t i = 0; i < w->npersons; i++) {
		w->out->users[i].groups = w->out->group_indexes + w->persons[i].group_at;
		w->out->users[i].grants = w->out->grants + w->persons[i].grant_at;
	}
	return 0;
}

static void fill_grant(struct work *w, struct membership *ms)
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

static const struct snap_user *user_at(void *arg, size_t i)
{
	return &((const struct snap_user *)arg)[i];
}

static void each_membership(struct work *w, void (*fn)(struct work *w, struct membership *ms))
{
	for (size_t i = 0; i < w->nmembers; i++) {
		if (i + AHEAD < w->nmembers)
			__builtin_prefetch(w->members[i + AHEAD].record);
		fn(w, &w->members[i]);
	}
}

static int compile_work(struct work *w)
{
	int rc = gather(w);

	if (rc == 0)
		rc = work_make_groups(w);
	if (rc < 0)
		return rc;
	each_membership(w, judge_membership);
	work_count_groups(w);
	rc = lay_out(w);
	if (rc < 0)
		return rc;
	each_membership(w, fill_grant);
	work_fill_groups(w);
	work_fill_people(w);
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
