/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include "write.h"

#define AHEAD 16 /* users whose slots are fetched while others are entered; a power of two */

/* ---- hash tables ------------------------------------------------------------------------ */

static struct snap_slot *table_slots(
    const struct writer *w, enum snap_section which, uint64_t *ret_mask)
{
	*ret_mask = w->section[which].size / sizeof(struct snap_slot) - 1;
	return (struct snap_slot *)(w->base + w->section[which].offset);
}

static void table_expect(const struct writer *w, enum snap_section which, uint64_t hash)
{
	uint64_t mask;
	struct snap_slot *slots = table_slots(w, which, &mask);

	__builtin_prefetch(&slots[hash & mask], 1);
}

static const char *name_of_user(const struct writer *w, uint32_t number)
{
	size_t first = 0, behind = w->survey->nusers;

	/* The last with this number: those before it are not in this kind. */
	while (behind - first > 1) {
		size_t middle = first + (behind - first) / 2;

		if (w->numbers[middle] <= number)
			first = middle;
		else
			behind = middle;
	}
	return w->survey->names + w->survey->users[first].name;
}

static const char *name_of_group(const struct writer *w, uint32_t number)
{
	return (const char *)w->base + (uint64_t)number * SNAP_ALIGN + sizeof(struct snap_team);
}

/* The slot that has this name, or the empty one where it belongs; NULL: too far away. */
static struct snap_slot *slot_of_name(
    const struct writer *w, enum snap_section which, const char *name, uint64_t hash)
{
	uint64_t mask;
	struct snap_slot *slots = table_slots(w, which, &mask);

	for (uint64_t i = 0; i <= SNAP_PROBE_MAX; i++) {
		struct snap_slot *s = &slots[(hash + i) & mask];

		if (s->record == 0)
			return s;
		if (s->tag != (uint32_t)(hash >> 32))
			continue;
		if (strcmp(which == SNAP_SEC_NAME ? name_of_user(w, s->record)
						  : name_of_group(w, s->record),
			name) == 0)
			return s;
	}
	return NULL;
}

static struct snap_slot *slot_of_id(const struct writer *w, enum snap_section which, uint32_t id)
{
	uint64_t mask, hash = snap_hash_id(id);
	struct snap_slot *slots = table_slots(w, which, &mask);

	for (uint64_t i = 0; i <= SNAP_PROBE_MAX; i++) {
		struct snap_slot *s = &slots[(hash + i) & mask];

		if (s->record == 0 || s->tag == id)
			return s;
	}
	return NULL;
}

static int slot_fill(struct snap_slot *s, uint32_t tag, uint32_t number)
{
	if (!s)
		return -EAGAIN;
	if (s->record != 0)
		return -EINVAL;
	*s = (struct snap_slot){.tag = tag, .record = number};
	return 0;
}

static int enter_name(
    struct writer *w, enum snap_section which, const char *name, uint64_t hash, uint32_t number)
{
	return slot_fill(slot_of_name(w, which, name, hash), (uint32_t)(hash >> 32), number);
}

static int enter_id(struct writer *w, enum snap_section which, uint32_t id, uint32_t number)
{
	int r = slot_fill(slot_of_id(w, which, id), id, number);

	/* Ids are hashed without a seed: another one would not help. */
	return r == -EAGAIN ? -EINVAL : r;
}

/* ---- users ------------------------------------------------------------------------------ */

static void filter_add(struct writer *w, uint64_t hash)
{
	const struct snap_extent *x = &w->section[SNAP_SEC_FILTER];
	uint64_t *words = (uint64_t *)(w->base + x->offset);

	words[hash & (x->size / sizeof(*words) - 1)] |= snap_filter_bits(hash);
}

static void number_users(struct writer *w)
{
	uint64_t place = w->head;

	for (size_t i = 0; i < w->survey->nusers; i++) {
		const struct survey_user *u = &w->survey->users[i];

		w->numbers[i] = (uint32_t)(place / SNAP_ALIGN);
		if (survey_has(u, w->kind))
			place += survey_align(survey_bytes(u, w->kind));
	}
}

/* The hash of the user's name; the slots are on their way from here on. */
static uint64_t expect_user(const struct writer *w, size_t i)
{
	const struct survey_user *u = &w->survey->users[i];
	uint64_t hash;

	if (!survey_has(u, w->kind))
		return 0;
	hash = snap_hash_name(w->seed, w->survey->names + u->name, u->name_len);
	table_expect(w, SNAP_SEC_NAME, hash);
	table_expect(w, SNAP_SEC_UID, snap_hash_id(u->uid));
	return hash;
}

static int enter_user(struct writer *w, size_t i, uint64_t hash)
{
	const struct survey_user *u = &w->survey->users[i];
	int r;

	if (!survey_has(u, w->kind))
		return 0;
	if (w->kind == SNAP_IDENTITY)
		filter_add(w, hash);
	r = enter_name(w, SNAP_SEC_NAME, w->survey->names + u->name, hash, w->numbers[i]);
	if (r < 0 || u->refused)
		return r;
	return enter_id(w, SNAP_SEC_UID, u->uid, w->numbers[i]);
}

int writer_enter_users(struct writer *w)
{
	size_t n = w->survey->nusers;
	uint64_t hashes[AHEAD];
	int r = 0;

	number_users(w);
	for (size_t i = 0; i < n + AHEAD && r == 0; i++) {
		if (i >= AHEAD)
			r = enter_user(w, i - AHEAD, hashes[i % AHEAD]);
		if (i < n)
			hashes[i % AHEAD] = expect_user(w, i);
	}
	return r;
}

/* ---- groups ----------------------------------------------------------------------------- */

int writer_enter_group(struct writer *w, const char *name, size_t n, uint32_t gid, const void *r)
{
	uint32_t number = writer_number(w, r);
	int e = enter_name(w, SNAP_SEC_GRNAM, name, snap_hash_name(w->seed, name, n), number);

	return e < 0 ? e : enter_id(w, SNAP_SEC_GID, gid, number);
}

bool writer_has_user(const struct writer *w, const char *name, size_t n, uint32_t gid)
{
	const struct snap_slot *by_name =
	    slot_of_name(w, SNAP_SEC_NAME, name, snap_hash_name(w->seed, name, n));
	const struct snap_slot *by_id = slot_of_id(w, SNAP_SEC_UID, gid);

	return (by_name && by_name->record != 0) || (by_id && by_id->record != 0);
}

/* ---- orders ----------------------------------------------------------------------------- */

/* By ascending id. Radix sort in three passes: there may be a million. */
static int sort_pairs(struct writer_pair *pairs, size_t n)
{
	struct writer_pair *from = pairs, *to, *other;
	bool sorted = true;

	for (size_t i = 1; i < n && sorted; i++)
		sorted = pairs[i - 1].id <= pairs[i].id;
	if (sorted)
		return 0;
	other = malloc(n * sizeof(*other));
	if (!other)
		return -ENOMEM;
	to = other;
	for (unsigned shift = 0; shift < 33; shift += 11) {
		size_t count[2048] = {0}, sum = 0;
		struct writer_pair *t = from;

		for (size_t i = 0; i < n; i++)
			count[from[i].id >> shift & 2047]++;
		for (size_t b = 0; b < 2048; b++) {
			size_t c = count[b];

			count[b] = sum;
			sum += c;
		}
		for (size_t i = 0; i < n; i++)
			to[count[from[i].id >> shift & 2047]++] = from[i];
		from = to;
		to = t;
	}
	memcpy(pairs, from, n * sizeof(*pairs));
	free(other);
	return 0;
}

int writer_order(struct writer *w, enum snap_section which, struct writer_pair *pairs, size_t n)
{
	uint8_t *order = w->base + w->section[which].offset;
	int r = sort_pairs(pairs, n);

	for (size_t i = 0; r == 0 && i < n; i++)
		memcpy(order + i * sizeof(uint32_t), &pairs[i].number, sizeof(uint32_t));
	return r;
}
