/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "compile_work.h"

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

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/* All that the identity snapshot says, but for its dates, which nobody decides by. */
static uint64_t identity_of(const struct work *w, const struct person *p, const struct snap_user *u)
{
	uint64_t h = mix(p->identity, u->uid);

	for (size_t i = 0; i < u->ngroups; i++)
		h = mix(h, u->groups[i]);
	return h;
}

static uint64_t identity_of_groups(const struct work *w)
{
	uint64_t key = w->model->hash_key, h = mix(key, w->config->uid_first);

	for (size_t g = 0; g < w->ngroups; g++)
		h = mix(
		    mix(h, record_hash_name(key, w->out->groups[g].name)), w->out->groups[g].gid);
	return h | 1;
}

/* People who may not be served at all leave the list; the others move up. */
static void drop_refused(struct work *w)
{
	size_t n = 0;

	w->out->identity = identity_of_groups(w);

	for (size_t i = 0; i < w->npersons; i++) {
		uint8_t v = w->persons[i].verdict;

		if (v != VERDICT_OK)
			work_refuse(w, w->out->users[i].uid, w->out->users[i].name, v);
		if (v != VERDICT_OK && v < VERDICT_RESOLVES)
			continue;
		w->out->identity =
		    mix(w->out->identity, identity_of(w, &w->persons[i], &w->out->users[i]));
		if (n < i)
			w->out->users[n] = w->out->users[i];
		n++;
	}
	w->out->source.nusers = n;
}

void work_fill_people(struct work *w)
{
	size_t keys_at = 0;

	for (uint32_t i = 0; i < w->npersons; i++) {
		size_t ahead = w->persons[i].grant_at + AHEAD;

		if (ahead < w->nmembers)
			__builtin_prefetch(w->of_person[ahead]->text);
		fill_person(w, i, &keys_at);
	}
	drop_refused(w);
}
