/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include "survey.h"

#define PROJECT_TEXT_MAX 4096

static_assert(
    sizeof(struct snap_person) + SNAP_ENTRY_MAX + 4 + SNAP_GROUPS_MAX * 4 <= SNAP_SUBJECT_MAX,
    "a person's record is not larger than a subject's may be");

/* ---- text ------------------------------------------------------------------------------- */

/* Sixteen bytes at a time, in whatever vectors the machine has. */
typedef uint8_t bytes16 __attribute__((__vector_size__(16)));
typedef int8_t mask16 __attribute__((__vector_size__(16)));

static mask16 bad_bytes(const char *s, uint8_t forbidden)
{
	bytes16 v;

	memcpy(&v, s, sizeof(v));
	return (mask16)(v < 0x20) | (mask16)(v == 0x7f) | (mask16)(v == forbidden);
}

static bool any(mask16 m)
{
	uint64_t half[2];

	memcpy(half, &m, sizeof(half));
	return (half[0] | half[1]) != 0;
}

/*
 * Text without control characters and without "forbidden" (0: nothing more), of at most "max"
 * bytes. Returns its length, or -EINVAL, also for NULL.
 */
static int text_length(const char *s, size_t max, char forbidden)
{
	mask16 bad = {0};
	size_t n;

	if (!s)
		return -EINVAL;
	n = strnlen(s, max + 1);
	if (n > max)
		return -EINVAL;
	if (n < sizeof(bad)) {
		for (size_t i = 0; i < n; i++)
			if ((uint8_t)s[i] < 0x20 || s[i] == 0x7f || s[i] == forbidden)
				return -EINVAL;
		return (int)n;
	}
	for (size_t i = 0; i + sizeof(bad) <= n; i += sizeof(bad))
		bad |= bad_bytes(s + i, (uint8_t)forbidden);
	bad |= bad_bytes(s + n - sizeof(bad), (uint8_t)forbidden);
	return any(bad) ? -EINVAL : (int)n;
}

/* A name of 1 to SNAP_NAME_MAX printable bytes that no line of passwd or group stumbles over. */
static int name_length(const char *s)
{
	int n;

	if (!s || s[0] == '\0' || s[0] == '-' || s[0] == '+')
		return -EINVAL;
	for (n = 0; s[n] != '\0'; n++) {
		char c = s[n];

		if (c <= ' ' || c > '~' || c == ':' || c == ',' || c == '/' || n >= SNAP_NAME_MAX)
			return -EINVAL;
	}
	return n;
}

/* ---- groups and projects ---------------------------------------------------------------- */

uint64_t survey_project_bytes(const struct snap_project *p)
{
	int slug = text_length(p->slug, PROJECT_TEXT_MAX, 0);
	int name = text_length(p->name, PROJECT_TEXT_MAX, 0);
	int contact = text_length(p->contact, PROJECT_TEXT_MAX, 0);

	if (slug < 1 || name < 0 || contact < 0)
		return 0;
	return sizeof(struct snap_project_record) + (uint64_t)slug + (uint64_t)name +
	       (uint64_t)contact + 3;
}

static void survey_projects(struct snap_survey *s)
{
	for (size_t i = 0; i < s->src->nprojects; i++) {
		uint64_t n = survey_project_bytes(&s->src->projects[i]);

		if (n == 0)
			s->of[SNAP_ACCESS].broken = s->of[SNAP_KEYS].broken = true;
		s->projects_bytes += survey_align(n);
	}
}

static void survey_groups(struct snap_survey *s)
{
	const struct snap_meta *m = &s->src->meta;

	s->split_names = true;
	for (size_t g = 0; g < s->src->ngroups; g++) {
		const char *name = s->src->groups[g].name;
		int n = name_length(name);

		if (n < 0 || !snap_id_allowed(s->src->groups[g].gid, m->gid_first, m->gid_last)) {
			s->of[SNAP_IDENTITY].broken = true;
			return;
		}
		s->teams[g].name_len = (uint32_t)n;
		s->split_names &= snap_name_of_group(name, (size_t)n);
	}
}

/* ---- users ------------------------------------------------------------------------------ */

/* The parts of a user's entry, each with its limits. False: identity cannot have it. */
static bool measure_entry(const struct snap_user *u, struct survey_user *out)
{
	int gecos = text_length(u->gecos, SNAP_ENTRY_MAX, ':');
	int shell = text_length(u->shell, SNAP_ENTRY_MAX, ':');

	if (gecos < 0 || shell < 0 || u->home[0] != '/')
		return false;
	out->gecos = (uint16_t)gecos;
	out->shell = (uint16_t)shell;
	return survey_entry(out) <= SNAP_ENTRY_MAX;
}

static bool count_groups(struct snap_survey *s, const struct snap_user *u, struct survey_user *out)
{
	if (u->ngroups > SNAP_GROUPS_MAX)
		return false;
	for (size_t i = 0; i < u->ngroups; i++) {
		uint32_t g = u->groups[i];

		if (g >= s->src->ngroups || (i > 0 && g <= u->groups[i - 1]))
			return false;
		if (s->src->groups[g].hide_members)
			continue;
		s->teams[g].nmembers++;
		s->teams[g].name_bytes += out->name_len + 1u;
	}
	out->ngroups = (uint32_t)u->ngroups;
	return true;
}

static bool count_grants(
    const struct snap_survey *s, const struct snap_user *u, struct survey_user *out)
{
	if (u->ngrants > SNAP_GRANTS_MAX)
		return false;
	for (size_t i = 0; i < u->ngrants; i++)
		if (u->grants[i].project >= s->src->nprojects)
			return false;
	out->ngrants = (uint32_t)u->ngrants;
	return survey_bytes(out, SNAP_ACCESS) <= SNAP_SUBJECT_MAX;
}

static bool measure_keys(const struct snap_user *u, struct survey_user *out)
{
	uint64_t lines = 0;

	if (u->nkeys > SNAP_KEYS_MAX)
		return false;
	for (size_t i = 0; i < u->nkeys; i++) {
		int n = text_length(u->keys[i].line, SNAP_SUBJECT_MAX, 0);

		if (n < 1)
			return false;
		lines += (uint64_t)n + 1;
		if (lines > SNAP_SUBJECT_MAX)
			return false;
	}
	out->nkeys = (uint32_t)u->nkeys;
	out->lines = (uint32_t)lines;
	return survey_bytes(out, SNAP_KEYS) <= SNAP_SUBJECT_MAX;
}

/* Name, home and id: no kind can do without. */
static bool measure_common(
    const struct snap_survey *s, const struct snap_user *u, struct survey_user *out)
{
	const struct snap_meta *m = &s->src->meta;
	int name = name_length(u->name), home = text_length(u->home, SNAP_ENTRY_MAX, ':');

	if (name < 0 || home < 0)
		return false;
	out->name_len = (uint8_t)name;
	out->home = (uint16_t)home;
	return out->refused || snap_id_allowed(u->uid, m->uid_first, m->uid_last);
}

static void survey_user(struct snap_survey *s, const struct snap_user *u, struct survey_user *out)
{
	bool ok[SNAP_KEYS + 1] = {false};

	*out = (struct survey_user){
	    .uid = u->state == SNAP_REFUSED ? SNAP_ID_NONE : u->uid,
	    .refused = u->state == SNAP_REFUSED,
	    .name = (uint32_t)s->names_len,
	};
	if (measure_common(s, u, out)) {
		ok[SNAP_ACCESS] = count_grants(s, u, out);
		ok[SNAP_KEYS] = ok[SNAP_ACCESS] && measure_keys(u, out);
		ok[SNAP_IDENTITY] =
		    out->refused || (measure_entry(u, out) && count_groups(s, u, out));
		memcpy(s->names + s->names_len, u->name, out->name_len + 1u);
		s->names_len += out->name_len + 1u;
		if (!out->refused)
			s->split_names &= !snap_name_of_group(u->name, out->name_len);
	}
	for (enum snap_kind k = SNAP_IDENTITY; k <= SNAP_KEYS; k++) {
		if (!survey_has(out, k))
			continue;
		s->of[k].broken |= !ok[k];
		s->of[k].nusers++;
		s->of[k].bytes += survey_align(survey_bytes(out, k));
	}
}

/* ---- all of it -------------------------------------------------------------------------- */

void snap_survey_free(struct snap_survey *s)
{
	if (!s)
		return;
	free(s->users);
	free(s->names);
	free(s->teams);
	free(s);
}

int snap_survey_new(const struct snap_source *src, struct snap_survey **ret)
{
	struct snap_survey *s;

	if (src->nusers > UINT32_MAX / (SNAP_NAME_MAX + 1) || src->ngroups > UINT32_MAX / 2 ||
	    src->nprojects > UINT32_MAX / 2)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->src = src;
	s->nusers = src->nusers;
	s->users = malloc((src->nusers + 1) * sizeof(*s->users));
	s->names = malloc(src->nusers * (SNAP_NAME_MAX + 1) + 1);
	s->teams = calloc(src->ngroups + 1, sizeof(*s->teams));
	if (!s->users || !s->names || !s->teams) {
		snap_survey_free(s);
		return -ENOMEM;
	}
	survey_projects(s);
	survey_groups(s);
	for (size_t i = 0; i < src->nusers; i++)
		survey_user(s, src->user(src->arg, i), &s->users[i]);
	*ret = s;
	return 0;
}
