/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include "format.h"
#include "snapshot.h"
#include "write.h"

/* What the first pass learns of a group, and where the second one puts its members. */
struct team {
	uint64_t name_bytes; /* of the members, each with its NUL */
	uint32_t nmembers;
	uint32_t name_len;
	uint8_t *record;
	uint8_t *next_name;
	uint8_t *next_len;
};

struct strings {
	size_t name, gecos, home, shell; /* lengths */
	size_t all;			 /* of the entry, with the NULs and the "*" */
};

static bool measure_strings(const struct snap_user *u, struct strings *ret)
{
	int name = name_length(u->name), gecos = text_length(u->gecos, SNAP_ENTRY_MAX);
	int home = text_length(u->home, SNAP_ENTRY_MAX);
	int shell = text_length(u->shell, SNAP_ENTRY_MAX);

	if (name < 0 || gecos < 0 || home < 1 || shell < 0 || u->home[0] != '/')
		return false;
	*ret = (struct strings){
	    .name = (size_t)name,
	    .gecos = (size_t)gecos,
	    .home = (size_t)home,
	    .shell = (size_t)shell,
	    .all = (size_t)name + (size_t)gecos + (size_t)home + (size_t)shell + 6,
	};
	return ret->all <= SNAP_ENTRY_MAX;
}

static uint64_t gids_at(size_t strings)
{
	return sizeof(struct snap_person) + ((strings + 3) & ~(size_t)3);
}

static uint64_t person_bytes(const struct snap_user *u, size_t strings)
{
	uint64_t n = gids_at(strings) + u->ngroups * sizeof(uint32_t);

	return (n + SNAP_ALIGN - 1) & ~(uint64_t)(SNAP_ALIGN - 1);
}

static bool count_members(
    const struct writer *w, const struct snap_user *u, size_t name, struct team *teams)
{
	if (u->ngroups > SNAP_GROUPS_MAX)
		return false;
	for (size_t i = 0; i < u->ngroups; i++) {
		uint32_t g = u->groups[i];

		if (g >= w->src->ngroups || (i > 0 && g <= u->groups[i - 1]))
			return false;
		if (w->src->groups[g].hide_members)
			continue;
		teams[g].nmembers++;
		teams[g].name_bytes += name + 1;
	}
	return true;
}

static uint64_t team_strings(const struct team *t)
{
	return t->name_len + 1 + 2 + t->name_bytes;
}

static uint64_t team_bytes(const struct team *t)
{
	uint64_t n = sizeof(struct snap_team) + team_strings(t) + t->nmembers;

	return (n + SNAP_ALIGN - 1) & ~(uint64_t)(SNAP_ALIGN - 1);
}

static int measure(struct writer *w, struct team *teams)
{
	const struct snap_source *src = w->src;
	uint64_t records = 0;
	struct strings s;

	w->split_names = true;
	for (size_t i = 0; i < w->nusers; i++) {
		const struct snap_user *u = src->user(src->arg, w->users[i].index);

		if (!measure_strings(u, &s) || !count_members(w, u, s.name, teams))
			return -EINVAL;
		records += person_bytes(u, s.all);
		w->split_names &= !snap_name_of_group(u->name, s.name);
	}
	for (size_t g = 0; g < src->ngroups; g++) {
		int n = name_length(src->groups[g].name);

		if (n < 0 ||
		    !snap_id_allowed(src->groups[g].gid, src->meta.gid_first, src->meta.gid_last))
			return -EINVAL;
		teams[g].name_len = (uint32_t)n;
		if (team_strings(&teams[g]) > UINT32_MAX)
			return -EINVAL;
		records += team_bytes(&teams[g]);
		w->split_names &= snap_name_of_group(src->groups[g].name, (size_t)n);
	}
	writer_table(w, SNAP_SEC_NAME, w->nusers);
	writer_table(w, SNAP_SEC_UID, w->nusers);
	writer_table(w, SNAP_SEC_GRNAM, src->ngroups);
	writer_table(w, SNAP_SEC_GID, src->ngroups);
	writer_section(w, SNAP_SEC_USERS, w->nusers * sizeof(uint32_t));
	writer_section(w, SNAP_SEC_GROUPS, src->ngroups * sizeof(uint32_t));
	writer_section(w, SNAP_SEC_PROJECTS, 0);
	writer_section(w, SNAP_SEC_RECORDS, records);
	return 0;
}

static uint8_t *put(uint8_t *p, const char *s, size_t n)
{
	memcpy(p, s, n + 1);
	return p + n + 1;
}

static int put_team(struct writer *w, const struct snap_group *g, struct team *t)
{
	uint8_t *r = writer_record(w, team_bytes(t)), *p = r + sizeof(struct snap_team);
	struct snap_team head = {
	    .gid = g->gid,
	    .nmembers = t->nmembers,
	    .len = (uint32_t)team_strings(t),
	    .name_len = t->name_len,
	};
	int e;

	memcpy(r, &head, sizeof(head));
	t->record = r;
	t->next_name = put(put(p, g->name, t->name_len), "*", 1);
	t->next_len = p + head.len;
	e = writer_enter_name(w, SNAP_SEC_GRNAM, g->name, t->name_len, r, sizeof(struct snap_team));
	return e < 0 ? e : writer_enter_id(w, SNAP_SEC_GID, g->gid, r);
}

static int put_person(
    struct writer *w, const struct snap_user *u, struct team *teams, uint32_t *ret_number)
{
	struct snap_person head = {.uid = u->uid, .ngids = (uint32_t)u->ngroups};
	size_t name = strlen(u->name), gecos = strlen(u->gecos);
	size_t home = strlen(u->home), shell = strlen(u->shell);
	uint8_t *r, *p;
	int e;

	head.gecos = (uint16_t)(name + 3);
	head.home = (uint16_t)(head.gecos + gecos + 1);
	head.shell = (uint16_t)(head.home + home + 1);
	head.len = (uint16_t)(head.shell + shell + 1);
	r = writer_record(w, person_bytes(u, head.len));
	memcpy(r, &head, sizeof(head));
	p = put(put(r + sizeof(head), u->name, name), "*", 1);
	put(put(put(p, u->gecos, gecos), u->home, home), u->shell, shell);
	p = r + gids_at(head.len);
	for (size_t i = 0; i < u->ngroups; i++) {
		const struct snap_group *g = &w->src->groups[u->groups[i]];
		struct team *t = &teams[u->groups[i]];

		memcpy(p + i * sizeof(g->gid), &g->gid, sizeof(g->gid));
		if (g->hide_members)
			continue;
		t->next_name = put(t->next_name, u->name, name);
		*t->next_len++ = (uint8_t)(name + 1);
	}
	*ret_number = writer_number(w, r);
	/* A user's private group has the same name and id: no other group may. */
	if (writer_has_name(w, SNAP_SEC_GRNAM, u->name, name, sizeof(struct snap_team)) ||
	    writer_has_id(w, SNAP_SEC_GID, u->uid))
		return -EINVAL;
	e = writer_enter_name(w, SNAP_SEC_NAME, u->name, name, r, sizeof(head));
	return e < 0 ? e : writer_enter_id(w, SNAP_SEC_UID, u->uid, r);
}

struct by_gid {
	uint32_t gid;
	uint32_t number;
};

static int compare_gids(const void *a, const void *b)
{
	uint32_t x = ((const struct by_gid *)a)->gid, y = ((const struct by_gid *)b)->gid;

	return (x > y) - (x < y);
}

static int put_group_order(struct writer *w, const struct team *teams)
{
	uint8_t *order = w->base + w->section[SNAP_SEC_GROUPS].offset;
	size_t n = w->src->ngroups;
	struct by_gid *all = malloc((n + 1) * sizeof(*all));

	if (!all)
		return -ENOMEM;
	for (size_t g = 0; g < n; g++)
		all[g] = (struct by_gid){w->src->groups[g].gid, writer_number(w, teams[g].record)};
	qsort(all, n, sizeof(*all), compare_gids);
	for (size_t g = 0; g < n; g++)
		memcpy(order + 4 * g, &all[g].number, sizeof(all[g].number));
	free(all);
	return 0;
}

static int put_all(struct writer *w, struct team *teams)
{
	const struct snap_source *src = w->src;
	uint8_t *order = w->base + w->section[SNAP_SEC_USERS].offset;
	uint32_t number;
	int r = 0;

	for (size_t g = 0; g < src->ngroups && r == 0; g++)
		r = put_team(w, &src->groups[g], &teams[g]);
	for (size_t i = 0; i < w->nusers && r == 0; i++) {
		r = put_person(w, src->user(src->arg, w->users[i].index), teams, &number);
		memcpy(order + 4 * i, &number, sizeof(number));
	}
	return r < 0 ? r : put_group_order(w, teams);
}

int identity_fill(struct writer *w)
{
	struct team *teams = calloc(w->src->ngroups + 1, sizeof(*teams));
	int r;

	if (!teams)
		return -ENOMEM;
	r = measure(w, teams);
	if (r == 0)
		r = writer_allocate(w);
	if (r == 0)
		r = put_all(w, teams);
	free(teams);
	return r;
}
