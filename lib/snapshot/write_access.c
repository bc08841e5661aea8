/* SPDX-License-Identifier: MIT */
#include "write.h"

static void layout(struct writer *w)
{
	size_t nusers = w->survey->of[w->kind].nusers;

	writer_table(w, SNAP_SEC_NAME, nusers);
	writer_table(w, SNAP_SEC_UID, nusers);
	writer_table(w, SNAP_SEC_GRNAM, 0);
	writer_table(w, SNAP_SEC_GID, 0);
	writer_filter(w, SNAP_SEC_FILTER, 0);
	writer_section(w, SNAP_SEC_USERS, 0);
	writer_section(w, SNAP_SEC_GROUPS, 0);
	writer_section(w, SNAP_SEC_PROJECTS, w->src->nprojects * sizeof(uint32_t));
	writer_records(w, w->survey->projects_bytes);
}

/* n + 1 bytes: with its NUL. Returns the offset behind it. */
static uint32_t put_string(uint8_t *record, uint32_t at, const char *s, size_t n)
{
	memcpy(record + at, s, n + 1);
	return at + (uint32_t)n + 1;
}

static void record_seal(const struct writer *w, uint64_t place, uint8_t *record, size_t size)
{
	uint64_t key = snap_record_key(w->src->meta.generation, w->kind, place);
	uint64_t sum = snap_sum(key, record + sizeof(sum), size - sizeof(sum));

	memcpy(record, &sum, sizeof(sum));
}

/* ---- projects --------------------------------------------------------------------------- */

static void put_project(struct writer *w, size_t i)
{
	const struct snap_project *p = &w->src->projects[i];
	uint64_t size = survey_project_bytes(p);
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
	record_seal(w, (uint64_t)number * SNAP_ALIGN, r, size);
	memcpy(w->base + w->section[SNAP_SEC_PROJECTS].offset + 4 * i, &number, sizeof(number));
}

static int put_head(struct writer *w)
{
	for (size_t i = 0; i < w->src->nprojects; i++)
		put_project(w, i);
	return 0;
}

/* ---- subjects --------------------------------------------------------------------------- */

static uint8_t *put_grants(uint8_t *p, const struct snap_user *u, uint32_t n)
{
	for (size_t i = 0; i < n; i++) {
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

static void put_keys(
    uint8_t *record, uint8_t *p, uint32_t at, const struct snap_user *u, uint32_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct snap_key_record r = {
		    .not_after = u->keys[i].not_after,
		    .line = at,
		    .len = (uint32_t)strlen(u->keys[i].line),
		};

		at = put_string(record, at, u->keys[i].line, r.len);
		memcpy(p, &r, sizeof(r));
		p += sizeof(r);
	}
}

static void put_subject(const struct writer *w, const struct snap_user *u,
    const struct survey_user *s, uint64_t place, uint8_t *record)
{
	struct snap_subject_record head = {
	    .size = (uint32_t)survey_bytes(s, w->kind),
	    .uid = s->uid,
	    .ngrants = s->ngrants,
	    .nkeys = w->kind == SNAP_KEYS ? s->nkeys : 0,
	    .name = (uint32_t)survey_strings_at(s, w->kind),
	    .state = u->state,
	};
	uint8_t *p = put_grants(record + sizeof(head), u, head.ngrants);
	uint32_t at;

	head.home = put_string(record, head.name, w->survey->names + s->name, s->name_len);
	at = put_string(record, head.home, u->home, s->home);
	put_keys(record, p, at, u, head.nkeys);
	memcpy(record, &head, sizeof(head));
	record_seal(w, place, record, head.size);
}

const struct writer_content access_content = {layout, put_head, put_subject};
