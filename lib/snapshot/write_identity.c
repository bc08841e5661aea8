/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include "write.h"

/* Where the next member of a group goes. */
struct cursor {
	uint8_t *name, *len;
};

static uint64_t team_strings(const struct survey_team *t)
{
	return t->name_len + 1 + 2 + t->name_bytes;
}

static uint64_t team_bytes(const struct survey_team *t)
{
	return sizeof(struct snap_team) + team_strings(t) + t->nmembers;
}

static void layout(struct writer *w)
{
	size_t nusers = w->survey->of[SNAP_IDENTITY].nusers, ngroups = w->src->ngroups;
	uint64_t teams = 0;

	for (size_t g = 0; g < ngroups; g++)
		teams += survey_align(team_bytes(&w->survey->teams[g]));
	writer_table(w, SNAP_SEC_NAME, nusers);
	writer_table(w, SNAP_SEC_UID, nusers);
	writer_table(w, SNAP_SEC_GRNAM, ngroups);
	writer_table(w, SNAP_SEC_GID, ngroups);
	writer_filter(w, SNAP_SEC_FILTER, nusers);
	writer_section(w, SNAP_SEC_USERS, nusers * sizeof(uint32_t));
	writer_section(w, SNAP_SEC_GROUPS, ngroups * sizeof(uint32_t));
	writer_section(w, SNAP_SEC_PROJECTS, 0);
	writer_records(w, teams);
}

/* n + 1 bytes: with its NUL. */
static uint8_t *put(uint8_t *p, const char *s, size_t n)
{
	memcpy(p, s, n + 1);
	return p + n + 1;
}

/* ---- groups ----------------------------------------------------------------------------- */

static int put_team(struct writer *w, size_t g, struct cursor *ret_members, uint32_t *ret_number)
{
	const struct snap_group *from = &w->src->groups[g];
	const struct survey_team *t = &w->survey->teams[g];
	uint8_t *r = writer_record(w, team_bytes(t)), *p = r + sizeof(struct snap_team);
	struct snap_team head = {
	    .gid = from->gid,
	    .nmembers = t->nmembers,
	    .len = (uint32_t)team_strings(t),
	    .name_len = t->name_len,
	};

	/* A user's private group has the user's name and id: no other group may. */
	if (writer_has_user(w, from->name, t->name_len, from->gid))
		return -EINVAL;
	memcpy(r, &head, sizeof(head));
	ret_members->name = put(put(p, from->name, t->name_len), "*", 1);
	ret_members->len = p + head.len;
	*ret_number = writer_number(w, r);
	return writer_enter_group(w, from->name, t->name_len, from->gid, r);
}

static int put_teams(struct writer *w, struct cursor *members, struct writer_pair *pairs)
{
	size_t n = w->src->ngroups;
	int r = 0;

	for (size_t g = 0; g < n && r == 0; g++) {
		pairs[g].id = w->src->groups[g].gid;
		r = put_team(w, g, &members[g], &pairs[g].number);
	}
	return r < 0 ? r : writer_order(w, SNAP_SEC_GROUPS, pairs, n);
}

static void put_members(const struct writer *w, struct cursor *members)
{
	for (size_t i = 0; i < w->survey->nusers; i++) {
		const struct survey_user *s = &w->survey->users[i];
		const struct snap_user *u;

		if (s->ngroups == 0)
			continue;
		u = w->src->user(w->src->arg, i);
		for (size_t k = 0; k < s->ngroups; k++) {
			struct cursor *c = &members[u->groups[k]];

			if (w->src->groups[u->groups[k]].hide_members)
				continue;
			c->name = put(c->name, w->survey->names + s->name, s->name_len);
			*c->len++ = (uint8_t)(s->name_len + 1);
		}
	}
}

/* ---- users ------------------------------------------------------------------------------ */

static int order_people(struct writer *w, struct writer_pair *pairs)
{
	size_t n = 0;

	for (size_t i = 0; i < w->survey->nusers; i++)
		if (survey_has(&w->survey->users[i], SNAP_IDENTITY))
			pairs[n++] = (struct writer_pair){w->survey->users[i].uid, w->numbers[i]};
	return writer_order(w, SNAP_SEC_USERS, pairs, n);
}

static void put_person(const struct writer *w, const struct snap_user *u,
    const struct survey_user *s, uint64_t place, uint8_t *record)
{
	struct snap_person head = {.uid = s->uid, .ngids = s->ngroups};
	uint8_t *p = record + sizeof(head);

	(void)place;
	head.gecos = (uint16_t)(s->name_len + 3);
	head.home = (uint16_t)(head.gecos + s->gecos + 1);
	head.shell = (uint16_t)(head.home + s->home + 1);
	head.len = (uint16_t)survey_entry(s);
	memcpy(record, &head, sizeof(head));
	p = put(put(p, w->survey->names + s->name, s->name_len), "*", 1);
	put(put(put(p, u->gecos, s->gecos), u->home, s->home), u->shell, s->shell);
	p = record + survey_gids_at(s);
	for (size_t i = 0; i < s->ngroups; i++)
		memcpy(
		    p + i * sizeof(uint32_t), &w->src->groups[u->groups[i]].gid, sizeof(uint32_t));
}

static int put_head(struct writer *w)
{
	size_t nusers = w->survey->nusers, ngroups = w->src->ngroups;
	struct writer_pair *pairs =
	    malloc(((nusers > ngroups ? nusers : ngroups) + 1) * sizeof(*pairs));
	struct cursor *members = malloc((ngroups + 1) * sizeof(*members));
	int r = pairs && members ? put_teams(w, members, pairs) : -ENOMEM;

	if (r == 0)
		r = order_people(w, pairs);
	if (r == 0)
		put_members(w, members);
	free(pairs);
	free(members);
	return r;
}

const struct writer_content identity_content = {layout, put_head, put_person};
