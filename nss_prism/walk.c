/* SPDX-License-Identifier: MIT */
#include "entry.h"
#include "nss_prism.h"

/*
 * Where a walk is. glibc calls the functions of a database under a lock of its own; whoever calls
 * them directly from several threads gets entries that are each whole, in no useful order.
 */
struct walk {
	uint64_t file;	/* the checksum of the header that "next" is about; 0: none yet */
	uint64_t next;	/* position in the list */
	uint64_t last;	/* id given last */
	uint64_t phase; /* of groups: projects' first, then the private ones */
};

static struct walk users_walk, groups_walk;

static void walk_store(struct walk *w, const struct walk *from)
{
	__atomic_store_n(&w->file, from->file, __ATOMIC_RELAXED);
	__atomic_store_n(&w->next, from->next, __ATOMIC_RELAXED);
	__atomic_store_n(&w->last, from->last, __ATOMIC_RELAXED);
	__atomic_store_n(&w->phase, from->phase, __ATOMIC_RELAXED);
}

static void walk_load(const struct walk *w, struct walk *ret)
{
	ret->file = map_load(&w->file);
	ret->next = map_load(&w->next);
	ret->last = map_load(&w->last);
	ret->phase = map_load(&w->phase);
}

/* The records of a kind, by ascending id. */
struct list {
	const uint8_t *numbers;
	uint64_t n;
};

static struct list list_of(const struct map_view *v, enum snap_section which)
{
	const struct snap_header *h = (const struct snap_header *)v->base;
	uint64_t at = snap_load64(&h->section[which].offset);
	uint64_t n = snap_load32(which == SNAP_SEC_USERS ? &h->nusers : &h->ngroups);

	if (at % sizeof(uint32_t) != 0 || at > v->size || n > (v->size - at) / sizeof(uint32_t))
		n = 0;
	return (struct list){.numbers = v->base + at, .n = n};
}

/* The record's offset, 0 if it is not within the file. */
static uint64_t list_at(const struct map_view *v, const struct list *l, uint64_t i)
{
	uint64_t at = (uint64_t)snap_load32(l->numbers + i * sizeof(uint32_t)) * SNAP_ALIGN;

	return at <= v->size - SNAP_ALIGN ? at : 0;
}

/* The first position with an id above "last"; both kinds of record begin with their id. */
static uint64_t list_behind(const struct map_view *v, const struct list *l, uint64_t last)
{
	uint64_t low = 0, high = l->n;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (snap_load32(v->base + list_at(v, l, middle)) > last)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

typedef enum nss_status walk_give(
    const struct map_view *v, uint64_t at, const struct caller *c, void *result);

/* The next entry of one list. Foreign and damaged records are stepped over; NOTFOUND: the end. */
static enum nss_status walk_list(const struct map_view *v, struct walk *w, enum snap_section which,
    const struct caller *c, walk_give *give, void *result)
{
	uint64_t file = snap_load64(v->base + offsetof(struct snap_header, header_sum));
	struct list l = list_of(v, which);

	if (w->file != file)
		w->next = list_behind(v, &l, w->last);
	w->file = file;
	for (; w->next < l.n; w->next++) {
		uint64_t at = list_at(v, &l, w->next);
		enum nss_status status = at == 0 ? NSS_STATUS_NOTFOUND : give(v, at, c, result);

		if (status == NSS_STATUS_TRYAGAIN)
			return status;
		if (status != NSS_STATUS_SUCCESS)
			continue;
		w->next++;
		w->last = snap_load32(v->base + at);
		return status;
	}
	return NSS_STATUS_NOTFOUND;
}

static void walk_reset(struct walk *w)
{
	const struct walk start = {0};

	walk_store(w, &start);
}

static enum nss_status walk_start(struct walk *w)
{
	struct map_view v;

	walk_reset(w);
	return map_begin(&v, SNAP_SEC_NAME) ? NSS_STATUS_SUCCESS : NSS_STATUS_UNAVAIL;
}

/* ---- users ------------------------------------------------------------------------------ */

static enum nss_status give_person(
    const struct map_view *v, uint64_t at, const struct caller *c, void *result)
{
	return person_give(v, at, ANY_ID, c, result);
}

enum nss_status _nss_prism_setpwent(int stayopen)
{
	(void)stayopen;
	return walk_start(&users_walk);
}

enum nss_status _nss_prism_endpwent(void)
{
	walk_reset(&users_walk);
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_prism_getpwent_r(
    struct passwd *result, char *buffer, size_t buflen, int *errnop)
{
	int error = 0;
	const struct caller c = {buffer, buflen, &error};
	enum nss_status status;
	struct map_view v;
	struct walk w;

	do {
		if (!map_begin(&v, SNAP_SEC_NAME))
			return entry_no_data(errnop);
		walk_load(&users_walk, &w);
		status = walk_list(&v, &w, SNAP_SEC_USERS, &c, give_person, result);
	} while (map_changed(&v));
	if (status == NSS_STATUS_TRYAGAIN)
		*errnop = error;
	else
		walk_store(&users_walk, &w);
	return status;
}

/* ---- groups ----------------------------------------------------------------------------- */

static enum nss_status give_team(
    const struct map_view *v, uint64_t at, const struct caller *c, void *result)
{
	return team_give(v, at, ANY_ID, c, result);
}

static enum nss_status give_private(
    const struct map_view *v, uint64_t at, const struct caller *c, void *result)
{
	return private_give(v, at, ANY_ID, c, result);
}

enum nss_status _nss_prism_setgrent(int stayopen)
{
	(void)stayopen;
	return walk_start(&groups_walk);
}

enum nss_status _nss_prism_endgrent(void)
{
	walk_reset(&groups_walk);
	return NSS_STATUS_SUCCESS;
}

static enum nss_status next_group(
    const struct map_view *v, struct walk *w, const struct caller *c, struct group *result)
{
	if (w->phase == 0) {
		enum nss_status status = walk_list(v, w, SNAP_SEC_GROUPS, c, give_team, result);

		if (status != NSS_STATUS_NOTFOUND)
			return status;
		*w = (struct walk){.phase = 1};
	}
	return walk_list(v, w, SNAP_SEC_USERS, c, give_private, result);
}

enum nss_status _nss_prism_getgrent_r(
    struct group *result, char *buffer, size_t buflen, int *errnop)
{
	int error = 0;
	const struct caller c = {buffer, buflen, &error};
	enum nss_status status;
	struct map_view v;
	struct walk w;

	do {
		if (!map_begin(&v, SNAP_SEC_NAME))
			return entry_no_data(errnop);
		walk_load(&groups_walk, &w);
		status = next_group(&v, &w, &c, result);
	} while (map_changed(&v));
	if (status == NSS_STATUS_TRYAGAIN)
		*errnop = error;
	else
		walk_store(&groups_walk, &w);
	return status;
}
