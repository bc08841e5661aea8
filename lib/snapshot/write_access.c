/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "format.h"
#include "snapshot.h"
#include "write.h"

#define PROJECT_TEXT_MAX 4096
#define NAME_OFFSET_AT	 ((int)offsetof(struct snap_subject_record, name))

static bool has_keys(const struct writer *w)
{
	return w->kind == SNAP_KEYS;
}

static uint64_t aligned(uint64_t n)
{
	return (n + SNAP_ALIGN - 1) & ~(uint64_t)(SNAP_ALIGN - 1);
}

/* ---- projects --------------------------------------------------------------------------- */

/* The size of a project's record, or 0 if it breaks a limit. */
static uint64_t project_bytes(const struct snap_project *p)
{
	int slug = text_length(p->slug, PROJECT_TEXT_MAX, 0);
	int name = text_length(p->name, PROJECT_TEXT_MAX, 0);
	int contact = text_length(p->contact, PROJECT_TEXT_MAX, 0);

	if (slug < 1 || name < 0 || contact < 0)
		return 0;
	return sizeof(struct snap_project_record) + (uint64_t)slug + (uint64_t)name +
	       (uint64_t)contact + 3;
}

static uint32_t put_string(uint8_t *record, uint32_t at, const char *s, size_t n)
{
	memcpy(record + at, s, n + 1);
	return at + (uint32_t)n + 1;
}

static void record_seal(const struct writer *w, uint8_t *record, size_t size)
{
	uint64_t key =
	    snap_record_key(w->src->meta.generation, w->kind, (uint64_t)(record - w->base));
	uint64_t sum = snap_sum(key, record + sizeof(sum), size - sizeof(sum));

	memcpy(record, &sum, sizeof(sum));
}

static void put_project(struct writer *w, size_t i)
{
	const struct snap_project *p = &w->src->projects[i];
	uint64_t size = sizeof(struct snap_project_record) + strlen(p->slug) + strlen(p->name) +
			strlen(p->contact) + 3;
	uint8_t *r = writer_record(w, size);
	uint32_t number = writer_number(w, r);
	struct snap_project_record head = {
	    .size = (uint32_t)size,
	    .state = p->state,
	    .sso_max_age = p->sso_max_age,
	    .slug = sizeof(head),
	};

	head.name = put_string(r, head.slug, p->slug, strlen(p->slug));
	head.contact = put_string(r, head.name, p->name, strlen(p->name));
	put_string(r, head.contact, p->contact, strlen(p->contact));
	memcpy(r, &head, sizeof(head));
	record_seal(w, r, size);
	memcpy(w->base + w->section[SNAP_SEC_PROJECTS].offset + 4 * i, &number, sizeof(number));
}

/* ---- subjects --------------------------------------------------------------------------- */

static bool grants_sound(const struct writer *w, const struct snap_user *u)
{
	if (u->ngrants > SNAP_GRANTS_MAX)
		return false;
	for (size_t i = 0; i < u->ngrants; i++)
		if (u->grants[i].project >= w->src->nprojects)
			return false;
	return true;
}

/* The size of a subject's record, or 0 if it breaks a limit. */
static uint64_t subject_bytes(const struct writer *w, const struct snap_user *u)
{
	int name = name_length(u->name), home = text_length(u->home, SNAP_ENTRY_MAX, ':');
	uint64_t size = sizeof(struct snap_subject_record);

	if (name < 0 || home < 0 || !grants_sound(w, u))
		return 0;
	size += u->ngrants * sizeof(struct snap_grant_record) + (uint64_t)name + (uint64_t)home + 2;
	if (!has_keys(w))
		return size <= SNAP_SUBJECT_MAX ? size : 0;
	if (u->nkeys > SNAP_KEYS_MAX)
		return 0;
	for (size_t i = 0; i < u->nkeys; i++) {
		int n = text_length(u->keys[i].line, SNAP_SUBJECT_MAX, 0);

		if (n < 1)
			return 0;
		size += sizeof(struct snap_key_record) + (uint64_t)n + 1;
	}
	return size <= SNAP_SUBJECT_MAX ? size : 0;
}

static uint8_t *put_grants(uint8_t *p, const struct snap_user *u)
{
	for (size_t i = 0; i < u->ngrants; i++) {
		const struct snap_grant *g = &u->grants[i];
		struct snap_grant_record r = {
		    .not_after = g->not_after,
		    .ended_at = g->ended_at,
		    .sso_at = g->sso_at,
		    .project = g->project,
		    .perms = g->perms,
		    .state = g->state,
		};

		memcpy(p, &r, sizeof(r));
		p += sizeof(r);
	}
	return p;
}

static uint32_t put_keys(uint8_t *record, uint8_t *p, uint32_t at, const struct snap_user *u)
{
	for (size_t i = 0; i < u->nkeys; i++) {
		struct snap_key_record r = {
		    .not_after = u->keys[i].not_after,
		    .line = at,
		    .len = (uint32_t)strlen(u->keys[i].line),
		};

		at = put_string(record, at, u->keys[i].line, r.len);
		memcpy(p, &r, sizeof(r));
		p += sizeof(r);
	}
	return at;
}

static int put_subject(struct writer *w, const struct writer_user *listed)
{
	const struct snap_user *u = w->src->user(w->src->arg, listed->index);
	size_t nkeys = has_keys(w) ? u->nkeys : 0, name = strlen(u->name);
	struct snap_subject_record head = {
	    .uid = listed->uid,
	    .ngrants = (uint32_t)u->ngrants,
	    .nkeys = (uint32_t)nkeys,
	    .state = u->state,
	};
	uint8_t *r = w->base + w->at, *p = put_grants(r + sizeof(head), u);
	uint32_t at;
	int e;

	writer_expect(w, u->name, name, listed->uid);
	head.name = (uint32_t)(p - r) + (uint32_t)(nkeys * sizeof(struct snap_key_record));
	head.home = put_string(r, head.name, u->name, name);
	at = put_string(r, head.home, u->home, strlen(u->home));
	if (nkeys > 0)
		at = put_keys(r, p, at, u);
	head.size = at;
	memcpy(r, &head, sizeof(head));
	writer_record(w, at);
	record_seal(w, r, at);
	e = writer_enter_name(w, SNAP_SEC_NAME, u->name, name, r, -NAME_OFFSET_AT);
	if (e < 0 || listed->uid == SNAP_ID_NONE)
		return e;
	return writer_enter_id(w, SNAP_SEC_UID, listed->uid, r);
}

static int begin(struct writer *w)
{
	for (size_t i = 0; i < w->src->nprojects; i++) {
		uint64_t n = project_bytes(&w->src->projects[i]);

		if (n == 0)
			return -EINVAL;
		w->records += aligned(n);
	}
	return 0;
}

static bool measure_user(struct writer *w, const struct snap_user *u)
{
	uint64_t n = subject_bytes(w, u);

	w->records += aligned(n);
	return n > 0;
}

static void layout(struct writer *w)
{
	writer_table(w, SNAP_SEC_NAME, w->nusers);
	writer_table(w, SNAP_SEC_UID, w->nusers);
	writer_table(w, SNAP_SEC_GRNAM, 0);
	writer_table(w, SNAP_SEC_GID, 0);
	writer_filter(w, SNAP_SEC_FILTER, 0);
	writer_section(w, SNAP_SEC_USERS, 0);
	writer_section(w, SNAP_SEC_GROUPS, 0);
	writer_section(w, SNAP_SEC_PROJECTS, w->src->nprojects * sizeof(uint32_t));
	writer_section(w, SNAP_SEC_RECORDS, w->records);
}

static int put_all(struct writer *w)
{
	int r = 0;

	for (size_t i = 0; i < w->src->nprojects; i++)
		put_project(w, i);
	for (size_t i = 0; r == 0 && i < w->nusers; i++)
		r = put_subject(w, &w->users[i]);
	return r;
}

const struct writer_content access_content = {begin, measure_user, layout, put_all};
