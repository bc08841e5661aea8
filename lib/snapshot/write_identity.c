/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include "format.h"
#include "snapshot.h"
#include "write.h"

/* What the first pass learns of a group, and where the second one puts its members. */
struct writer_team {
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
	int name = name_length(u->name), gecos = text_length(u->gecos, SNAP_ENTRY_MAX, ':');
	int home = text_length(u->home, SNAP_ENTRY_MAX, ':');
	int shell = text_length(u->shell, SNAP_ENTRY_MAX, ':');

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

static bool count_members(struct writer *w, const struct snap_user *u, size_t name)
{
	if (u->ngroups > SNAP_GROUPS_MAX)
		return false;
	for (size_t i = 0; i < u->ngroups; i++) {
		uint32_t g = u->groups[i];

		if (g >= w->src->ngroups || (i > 0 && g <= u->groups[i - 1]))
			return false;
		if (w->src->groups[g].hide_members)
			continue;
		w->teams[g].nmembers++;
		w->teams[g].name_bytes += name + 1;
	}
	return true;
}

static uint64_t team_strings(const struct writer_team *t)
{
	return t->name_len + 1 + 2 + t->name_bytes;
}

static uint64_t team_bytes(const struct writer_team *t)
{
	uint64_t n = sizeof(struct snap_team) + team_strings(t) + t->nmembers;

	return (n + SNAP_ALIGN - 1) & ~(uint64_t)(SNAP_ALIGN - 1);
}

static int begin(struct writer *w)
{
	const struct snap_source *src = w->src;

	w->teams = calloc(src->ngroups + 1, sizeof(*w->teams));
	if (!w->teams)
		return -ENOMEM;
	w->split_names = true;
	for (size_t g = 0; g < src->ngroups; g++) {
		int n = name_length(src->groups[g].name);

		if (n < 0 ||
		    !snap_id_allowed(src->groups[g].gid, src->meta.gid_first, src->meta.gid_last))
			return -EINVAL;
		w->teams[g].name_len = (uint32_t)n;
		w->split_names &= snap_name_of_group(src->groups[g].name, (size_t)n);
	}
	return 0;
}

static bool measure_user(struct writer *w, const struct snap_user *u)
{
	struct strings s;

	if (!measure_strings(u, &s) || !count_members(w, u, s.name))
		return false;
	w->records += person_bytes(u, s.all);
	w->split_names &= !snap_name_of_group(u->name, s.name);
	return true;
}

static void layout(struct writer *w)
{
	uint64_t records = w->records;

	for (size_t g = 0; g < w->src->ngroups; g++)
		records += team_bytes(&w->teams[g]);
	writer_table(w, SNAP_SEC_NAME, w->nusers);
	writer_table(w, SNAP_SEC_UID, w->nusers);
	writer_table(w, SNAP_SEC_GRNAM, w->src->ngroups);
	writer_table(w, SNAP_SEC_GID, w->src->ngroups);
	writer_filter(w, SNAP_SEC_FILTER, w->nusers);
	writer_section(w, SNAP_SEC_USERS, w->nusers * sizeof(uint32_t));
	writer_section(w, SNAP_SEC_GROUPS, w->src->ngroups * sizeof(uint32_t));
	writer_section(w, SNAP_SEC_PROJECTS, 0);
	writer_section(w, SNAP_SEC_RECORDS, records);
}

static uint8_t *put(uint8_t *p, const char *s, size_t n)
{
	memcpy(p, s, n + 1);
	return p + n + 1;
}

static int put_team(struct writer *w, const struct snap_group *g, struct writer_team *t)
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

static int put_person(struct writer *w, const struct snap_user *u, uint32_t *ret_number)
{
	struct snap_person head = {.uid = u->uid, .ngids = (uint32_t)u->ngroups};
	size_t name = strlen(u->name), gecos = strlen(u->gecos);
	size_t home = strlen(u->home), shell = strlen(u->shell);
	uint8_t *r, *p;
	int e;

	writer_expect(w, u->name, name, u->uid);
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
		struct writer_team *t = &w->teams[u->groups[i]];

		memcpy(p + i * sizeof(g->gid), &g->gid, sizeof(g->gid));
		if (g->hide_members)
			continue;
		t->next_name = put(t->next_name, u->name, name);
		*t->next_len++ = (uint8_t)(name + 1);
	}
	*ret_number = writer_number(w, r);
	writer_filter_add(w, SNAP_SEC_FILTER, u->name, name);
	e = writer_enter_name(w, SNAP_SEC_NAME, u->name, name, r, sizeof(head));
	return e < 0 ? e : writer_enter_id(w, SNAP_SEC_UID, u->uid, r);
}

static int put_groups(struct writer *w, struct writer_pair *pairs)
{
	const struct snap_source *src = w->src;
	int r = 0;

	for (size_t g = 0; g < src->ngroups && r == 0; g++) {
		r = put_team(w, &src->groups[g], &w->teams[g]);
		pairs[g] =
		    (struct writer_pair){src->groups[g].gid, writer_number(w, w->teams[g].record)};
	}
	return r < 0 ? r : writer_order(w, SNAP_SEC_GROUPS, pairs, src->ngroups);
}

static int put_people(struct writer *w, struct writer_pair *pairs)
{
	const struct snap_source *src = w->src;
	int r = 0;

	for (size_t i = 0; i < w->nusers && r == 0; i++) {
		pairs[i].id = w->users[i].uid;
		r = put_person(w, src->user(src->arg, w->users[i].index), &pairs[i].number);
	}
	return r < 0 ? r : writer_order(w, SNAP_SEC_USERS, pairs, w->nusers);
}

/* A user's private group has the user's name and id: no other group may. */
static int check_private(const struct writer *w)
{
	for (size_t i = 0; i < w->src->ngroups; i++) {
		const struct snap_group *g = &w->src->groups[i];

		if (writer_has_name(w, SNAP_SEC_NAME, g->name, w->teams[i].name_len,
			sizeof(struct snap_person)) ||
		    writer_has_id(w, SNAP_SEC_UID, g->gid))
			return -EINVAL;
	}
	return 0;
}

static int put_all(struct writer *w)
{
	size_t most = w->nusers > w->src->ngroups ? w->nusers : w->src->ngroups;
	struct writer_pair *pairs = malloc((most + 1) * sizeof(*pairs));
	int r = pairs ? put_groups(w, pairs) : -ENOMEM;

	if (r == 0)
		r = put_people(w, pairs);
	if (r == 0)
		r = check_private(w);
	free(pairs);
	return r;
}

const struct writer_content identity_content = {begin, measure_user, layout, put_all};
