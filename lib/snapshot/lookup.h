/* SPDX-License-Identifier: MIT */
#ifndef SNAPSHOT_LOOKUP_H
#define SNAPSHOT_LOOKUP_H

/*
 * The inner loop of every reader, inlined into read.c and the NSS module.
 *
 * The bytes looked at may be hostile, and in the NSS module they may change under the reader (its
 * map.h says how that is noticed). So each number is loaded exactly once, checked, and then used;
 * what is returned is an offset whose bounds have been checked against "size".
 */
#include "format.h"

static inline uint32_t snap_load32(const void *p)
{
	return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
}

static inline uint64_t snap_load64(const void *p)
{
	return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
}

struct snap_table {
	const uint8_t *slots; /* mask + 1 of them lie within the mapping */
	uint32_t mask;
};

/* The slots in one load: tag in the lower half, record in the upper. */
static inline uint64_t snap_slot_load(const struct snap_table *t, uint64_t i)
{
	return snap_load64(t->slots + (i & t->mask) * sizeof(struct snap_slot));
}

/*
 * The offset of the record whose name, at "name_at" in it, is "name", n bytes and a NUL; 0: none.
 * 1 <= n <= SNAP_NAME_MAX. Behind the offset lie at least name_at + n + 1 bytes.
 */
static inline uint64_t snap_find_name(const uint8_t *base, uint64_t size,
    const struct snap_table *t, uint64_t hash, const char *name, size_t n, size_t name_at)
{
	for (uint64_t i = 0; i <= SNAP_PROBE_MAX; i++) {
		uint64_t slot = snap_slot_load(t, hash + i);
		uint64_t at = (slot >> 32) * SNAP_ALIGN;

		if (at == 0)
			return 0;
		if ((uint32_t)slot != (uint32_t)(hash >> 32))
			continue;
		if (at <= size - name_at - n - 1 && memcmp(base + at + name_at, name, n + 1) == 0)
			return at;
	}
	return 0;
}

/* The offset that the table has for this id; 0: none. SNAP_ALIGN bytes of it lie within. */
static inline uint64_t snap_find_id(uint64_t size, const struct snap_table *t, uint32_t id)
{
	uint64_t hash = snap_hash_id(id);

	for (uint64_t i = 0; i <= SNAP_PROBE_MAX; i++) {
		uint64_t slot = snap_slot_load(t, hash + i);
		uint64_t at = (slot >> 32) * SNAP_ALIGN;

		if (at == 0)
			return 0;
		if ((uint32_t)slot == id)
			return at <= size - SNAP_ALIGN ? at : 0;
	}
	return 0;
}

/*
 * Whether these "size" bytes begin with a sound header of this kind: magic, version, its checksum,
 * every section within the file. Returns 0 or -EBADMSG.
 */
int snap_check_header(const uint8_t *base, uint64_t size, uint32_t kind);

#endif
