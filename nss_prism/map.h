/* SPDX-License-Identifier: MIT */
#ifndef NSS_PRISM_MAP_H
#define NSS_PRISM_MAP_H

/*
 * The mapped snapshot: how a lookup gets at it, and how it stays fresh without a system call.
 *
 * A lookup is  do { map_begin(); read and copy out } while (map_changed());  and MUST load each
 * number it uses as a bound or an offset once, with snap_load32() or snap_load64(), and check it
 * against view.size. Then nothing that happens to the mapping meanwhile can make it touch memory
 * outside of it, and map_changed() tells it to throw the result away.
 *
 * There are two regions of address space. map_current points to the one that has the newest
 * snapshot; the other is empty or has the one before. When the publisher has marked the current
 * file as superseded (a word of its mapped header, so seeing that is one load), one thread maps the
 * new file into the other region and then moves map_current. Meanwhile everyone goes on reading the
 * old one, whole and untouched: nobody waits, and a thread that dies or forks half-way leaves
 * nothing broken. A region is overwritten (its seq is odd then, and different afterwards) only one
 * generation after its readers were sent elsewhere; a reader so slow that it is still in there
 * reads bytes of another file, within bounds, and starts again.
 *
 * Nothing is ever unmapped. A region that is too small for a new file is laid over with zero pages
 * and replaced by one of at least twice the size, so all that is ever left behind is smaller than
 * what is in use. Where address space is limited the new region is made without slack; if even that
 * fails the old data stay.
 *
 * Shared fields are accessed with __atomic builtins only. There is no lock that a reader takes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "format.h"
#include "lookup.h"

struct map_region {
	uint64_t seq; /* odd while the rest changes */
	const uint8_t *base;
	uint64_t size;	/* of the file, checked against its header */
	uint64_t flags; /* enum snap_flag */
	uint64_t
	    table[SNAP_SEC_FILTER + 1]; /* first slot, in units of SNAP_ALIGN, and mask << 32 */
	uint64_t uids, gids; /* first | last << 32: the header's ranges, within the reader's own */
	uint64_t seed;

	/* Of the thread that maps; readers do not look. */
	size_t length; /* of the region, at least that of the file */
	uint64_t dev, ino;
} __attribute__((aligned(64)));

struct map_view {
	const struct map_region *region;
	uint64_t seq;
	const uint8_t *base;
	uint64_t size;
	struct snap_table table; /* the one that map_begin() was asked for */
};

extern struct map_region *map_current __attribute__((visibility("hidden")));

/* No snapshot is mapped yet: try, at most once a second. NULL: there is none; see map_error(). */
struct map_region *map_first(void) __attribute__((visibility("hidden"), cold));
/* This one is superseded: true if another is current by now. Never waits, at most once a second. */
bool map_refresh(const struct map_region *old) __attribute__((visibility("hidden"), cold));
/* Why there is none: ENOENT, EBADMSG, ... */
int map_error(void) __attribute__((visibility("hidden"), cold));

_hot_ uint64_t map_load(const uint64_t *field)
{
	return __atomic_load_n(field, __ATOMIC_RELAXED);
}

/* False: no data; nothing may be read, and the answer is NSS_STATUS_UNAVAIL. */
_hot_ bool map_begin(struct map_view *v, enum snap_section which)
{
	for (;;) {
		const struct map_region *r = __atomic_load_n(&map_current, __ATOMIC_ACQUIRE);
		uint64_t table;

		if (__builtin_expect(!r, 0)) {
			r = map_first();
			if (!r)
				return false;
		}
		v->region = r;
		/* An odd one is none: what is compared with it below is then different. */
		v->seq = __atomic_load_n(&r->seq, __ATOMIC_ACQUIRE) & ~1ull;
		v->base = __atomic_load_n(&r->base, __ATOMIC_RELAXED);
		v->size = map_load(&r->size);
		table = map_load(&r->table[which]);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		/* All of these belong together; or the region was given away: look again. */
		if (__builtin_expect(map_load(&r->seq) != v->seq, 0))
			continue;
		v->table.slots = v->base + (table & UINT32_MAX) * SNAP_ALIGN;
		v->table.mask = (uint32_t)(table >> 32);
		if (__builtin_expect(snap_load32(v->base + SNAP_SUPERSEDED_AT) == 0, 1) ||
		    !map_refresh(r))
			return true;
	}
}

/* What has been read since map_begin() may be a mixture: start again. */
_hot_ bool map_changed(const struct map_view *v)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __builtin_expect(map_load(&v->region->seq) != v->seq, 0);
}

/* Another table; false only if the view is about to be found changed. */
_hot_ bool map_table(const struct map_view *v, enum snap_section which, struct snap_table *ret)
{
	uint64_t t = map_load(&v->region->table[which]);
	uint64_t at = (t & UINT32_MAX) * SNAP_ALIGN, mask = t >> 32;

	if (at + (mask + 1) * sizeof(struct snap_slot) > v->size)
		return false;
	*ret = (struct snap_table){.slots = v->base + at, .mask = (uint32_t)mask};
	return true;
}

/* "range" is map_load() of a region's uids or gids. */
_hot_ bool map_id_allowed(uint64_t range, uint32_t id)
{
	return id >= (uint32_t)range && id <= (uint32_t)(range >> 32) &&
	       id - SNAP_HOLE_FIRST > SNAP_HOLE_LAST - SNAP_HOLE_FIRST;
}

#endif
