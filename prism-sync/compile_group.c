/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "compile_work.h"

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
		work_refuse(w, gid, name, v);
		return NONE;
	}
	w->out->groups[w->ngroups] = (struct snap_group){.name = name, .gid = gid};
	return (uint32_t)w->ngroups++;
}

static int count_groups(struct work *w)
{
	w->max_groups = 2 + 2 * w->model->nfeeds + w->nnamed;
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
		work_note_change(w, v);
	}
	work_note_change(w, m->manifest_valid_until);
	meta->valid_until = live ? live : past;
	/* A manifest is renewed less often than the feeds, so it counts only once it has run out.
	 */
	if (meta->valid_until == 0 || m->manifest_valid_until <= w->now)
		meta->valid_until = m->manifest_valid_until;
	if (meta->valid_until == 0)
		meta->valid_until = w->now; /* 0 would mean: for ever */
	for (size_t k = 0; k < m->nfeeds; k++)
		w->views[k].usable = live == 0 || m->feeds[k].valid_until > w->now;
}

/* Every host has this one. True: it is a local group's name or id too. */
static bool make_own_group(struct work *w, const char *name, uint32_t gid)
{
	group_new(w, name, "", "", gid, false);
	if (!local_has_group(w->local, name) && !local_has_gid(w->local, gid))
		return false;
	work_refuse(w, gid, name, VERDICT_LOCAL_GROUP);
	return true;
}

static void make_projects(struct work *w)
{
	make_own_group(w, GROUP_PRISM_USERS, w->config->gid_first + GID_PRISM_USERS);
	w->sudo_taken = make_own_group(w, GROUP_PRISM_SUDO, w->config->gid_first + GID_PRISM_SUDO);
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
				work_refuse(w, 0, f->slug, VERDICT_NO_DATA);
			continue;
		}
		v->group_rw = group_new(w, "p-", f->project.slug, "", f->project.gid_rw, true);
		v->group_ro = group_new(w, "p-", f->project.slug, "-ro", f->project.gid_ro, true);
	}
}

static void make_named_group(struct work *w, uint32_t feed, struct record *r)
{
	if (r->type == FEED_GROUP && !(r->flags & RECORD_BROKEN))
		group_new(w, "g-", r->text, "", r->subject, true);
}

int work_make_groups(struct work *w)
{
	int rc = count_groups(w);

	if (rc < 0)
		return rc;
	find_validity(w);
	make_projects(w);
	if (w->nnamed > 0)
		work_each_record(w, make_named_group);
	return 0;
}

/* ---- who is in which ------------------------------------------------------------------------- */

static void count_member_of_group(struct work *w, struct person *p, uint32_t group)
{
	p->ngroups += p->last_group != group;
	p->last_group = group;
}

static void put_group(struct work *w, uint32_t person, uint32_t group)
{
	struct snap_user *u = &w->out->users[person];

	w->out->group_indexes[w->persons[person].group_at + u->ngroups++] = group;
}

static void fill_member_of_group(struct work *w, struct person *p, uint32_t group)
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
    struct work *w, void (*fn)(struct work *w, struct person *p, uint32_t group))
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
				uint32_t uid = record_group_uid(r, i);
				const struct slot *slot = work_slot_of_uid(w, uid);

				if (slot->index != NONE && active_in(f, uid))
					fn(w, &w->persons[slot->index], g);
			}
			break; /* a group belongs to one feed */
		}
	}
}

void work_count_groups(struct work *w)
{
	each_group_member(w, count_member_of_group);
}

static bool names_uid(const struct record *group, uint32_t uid)
{
	for (size_t i = 0; i < group->nmembers; i++)
		if (record_group_uid(group, i) == uid)
			return true;
	return false;
}

static bool gives_group(
    const struct feed *f, const struct record *member, const struct config *c, uint32_t gid)
{
	const struct record *g = feed_find(f, FEED_GROUP, gid);

	if (gid == c->gid_first + GID_PRISM_SUDO)
		return c->allow_sudo && member->perms & SNAP_PERM_SUDO;
	if (gid == f->project.gid_rw && member->perms & SNAP_PERM_WRITE)
		return true;
	return gid == f->project.gid_ro ||
	       (g != NULL && !(g->flags & RECORD_BROKEN) && names_uid(g, member->subject));
}

bool compiled_in_group(const struct model *m, const struct config *c, uint32_t uid, uint32_t gid)
{
	if (gid < c->gid_first || gid > c->gid_last || gid == c->gid_first + GID_PRISM_USERS)
		return true;
	for (size_t k = 0; k < m->nfeeds; k++) {
		const struct record *r = feed_find(&m->feeds[k], FEED_MEMBER, uid);

		if (r != NULL && r->flags & RECORD_GROUPS && gives_group(&m->feeds[k], r, c, gid))
			return true;
	}
	return false;
}

/* Ascending for each person, because the groups are visited in their order. */
void work_fill_groups(struct work *w)
{
	for (uint32_t i = 0; i < w->npersons; i++) {
		put_group(w, i, 0);
		if (w->persons[i].sudo)
			put_group(w, i, 1);
	}
	for (size_t i = 0; i < w->nmembers; i++) {
		const struct membership *ms = &w->members[i];
		const struct feed_view *v = &w->views[ms->feed];

		if (ms->active && v->group_rw != NONE && ms->writes)
			put_group(w, ms->person, v->group_rw);
		if (ms->active && v->group_ro != NONE)
			put_group(w, ms->person, v->group_ro);
	}
	each_group_member(w, fill_member_of_group);
}
