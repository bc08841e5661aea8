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

/* Not a hint: with its parts kept in registers a lookup takes two thirds of the time. */
#define _hot_ static inline __attribute__((__always_inline__))

_hot_ uint32_t snap_load32(const void *p)
{
	return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
}

_hot_ uint64_t snap_load64(const void *p)
{
	return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
}

struct snap_table {
	const uint8_t *slots; /* mask + 1 of them lie within the mapping */
	uint32_t mask;
};

/* A slot in one load: tag in the lower half, record in the upper. */
_hot_ uint64_t snap_slot_load(const struct snap_table *t, uint64_t i)
{
	return snap_load64(t->slots + (i & t->mask) * sizeof(struct snap_slot));
}

/* Whether n bytes, 1 to SNAP_NAME_MAX of them, are the same and a NUL follows in the record. */
_hot_ bool snap_same_name(const uint8_t *record, const char *name, size_t n)
{
	uint64_t differ = record[n];

	if (n >= 8) {
		differ |= snap_bytes8(record) ^ snap_bytes8(name);
		differ |= snap_bytes8(record + n - 8) ^ snap_bytes8(name + n - 8);
		if (n > 16) {
			differ |= snap_bytes8(record + 8) ^ snap_bytes8(name + 8);
			differ |= snap_bytes8(record + n - 16) ^ snap_bytes8(name + n - 16);
		}
	} else if (n >= 4) {
		differ |= snap_bytes4(record) ^ snap_bytes4(name);
		differ |= snap_bytes4(record + n - 4) ^ snap_bytes4(name + n - 4);
	} else {
		differ |= record[0] ^ (uint64_t)(uint8_t)name[0];
		differ |= record[n / 2] ^ (uint64_t)(uint8_t)name[n / 2];
		differ |= record[n - 1] ^ (uint64_t)(uint8_t)name[n - 1];
	}
	return differ == 0;
}

/*
 * The offset of the record whose name, at "name_at" in it, is "name", n bytes and a NUL; 0: none.
 * 1 <= n <= SNAP_NAME_MAX, name_at <= 16. SNAP_ALIGN bytes of the record lie within the file.
 * Most records take two cache lines; the second is asked for before the first has come.
 */
_hot_ uint64_t snap_find_name(const uint8_t *base, uint64_t size, const struct snap_table *t,
    uint64_t hash, const char *name, size_t n, size_t name_at)
{
	for (uint64_t i = hash; i != hash + SNAP_PROBE_MAX + 1; i++) {
		uint64_t slot = snap_slot_load(t, i);
		uint64_t at = (slot >> 32) * SNAP_ALIGN;

		if (at == 0)
			return 0;
		if ((uint32_t)slot != (uint32_t)(hash >> 32) || at > size - SNAP_ALIGN)
			continue;
		__builtin_prefetch(base + at + SNAP_ALIGN);
		if (snap_same_name(base + at + name_at, name, n))
			return at;
	}
	return 0;
}

/* The offset that the table has for this id; 0: none. SNAP_ALIGN bytes of it lie within. */
_hot_ uint64_t snap_find_id(
    const uint8_t *base, uint64_t size, const struct snap_table *t, uint32_t id)
{
	uint64_t hash = snap_hash_id(id);

	for (uint64_t i = hash; i != hash + SNAP_PROBE_MAX + 1; i++) {
		uint64_t slot = snap_slot_load(t, i);
		uint64_t at = (slot >> 32) * SNAP_ALIGN;

		if (at == 0)
			return 0;
		if ((uint32_t)slot != id)
			continue;
		__builtin_prefetch(base + at + SNAP_ALIGN);
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
