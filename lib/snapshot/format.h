/* SPDX-License-Identifier: MIT */
#ifndef SNAPSHOT_FORMAT_H
#define SNAPSHOT_FORMAT_H

/*
 * The bytes of a snapshot, version 1. This header is the specification; snapshot.h says what the
 * files are for.
 *
 * Integers are little-endian and naturally aligned, offsets count from the start of the file. A
 * file is a header of SNAP_HEADER_SIZE bytes, then sections, each aligned to SNAP_ALIGN. Bytes that
 * nothing names are zero.
 *
 *   section             identity              access and keys
 *   SNAP_SEC_NAME       slots, users by name  slots, subjects by name
 *   SNAP_SEC_UID        slots, users by uid   slots, subjects by uid (not the refused ones)
 *   SNAP_SEC_GRNAM      slots, groups         (empty)
 *   SNAP_SEC_GID        slots, groups         (empty)
 *   SNAP_SEC_FILTER     u64 words             (empty)
 *   SNAP_SEC_USERS      u32 record numbers    (empty)
 *                       by ascending uid
 *   SNAP_SEC_GROUPS     the same, by gid      (empty)
 *   SNAP_SEC_PROJECTS   (empty)               u32 record numbers, by project index
 *   SNAP_SEC_RECORDS    all records           all records
 *
 * A record number is the record's offset / SNAP_ALIGN.
 *
 * Hash tables. A slot is {tag, record}; record 0 is an empty slot. The number of slots is a power
 * of two, at most half of them used. A key's slot is found by linear probing from hash % slots and
 * lies at most SNAP_PROBE_MAX steps away. In the tables by name the tag is the upper half of the
 * hash; in the tables by id it is the id itself.
 *
 * Private groups. Every user has a group of the same id and name without listed members. It has no
 * record: it is served from the user's. SNAP_SPLIT_NAMES and SNAP_SPLIT_IDS say that one look at a
 * key tells which of the two tables can have it, so that it is one probe and not two.
 *
 * The filter. Who asks for a group means seldom a private one, and the table of users is large: so
 * there is a filter of their names, a power of two of 64-bit words. A name's word is hash % words,
 * and a user is only looked for if all of snap_filter_bits(hash) are set in it.
 *
 * Checksums find damage, not malice: whoever can write the file is root. The header's covers the
 * header before it; the body's covers everything behind the header; records of subjects and
 * projects each carry one of their own, keyed by generation, kind and place, which a reader checks
 * before it believes the record. The superseded word is in none of them.
 */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "snapshots are read in place: little-endian machines only"
#endif

#define SNAP_MAGIC	 "PRISMSNP"
#define SNAP_VERSION	 1
#define SNAP_HEADER_SIZE 1024
#define SNAP_SUPERSEDED_AT                                                     \
	960 /* u32, on a cache line of its own: not 0 once a newer file is out \
	     */
#define SNAP_ALIGN    64
#define SNAP_SIZE_MAX ((uint64_t)UINT32_MAX * SNAP_ALIGN)

#define SNAP_NAME_MAX	 32    /* of users and groups, without the NUL */
#define SNAP_ENTRY_MAX	 16000 /* strings of a passwd entry: su has a fixed buffer of 16384 */
#define SNAP_PROBE_MAX	 256
#define SNAP_GROUPS_MAX	 65536 /* of one user: the kernel's NGROUPS_MAX */
#define SNAP_GRANTS_MAX	 65536
#define SNAP_KEYS_MAX	 65536
#define SNAP_SUBJECT_MAX (1u << 20) /* bytes of one subject's record */

/* Ids that no file can make a reader give away, whatever ranges its header has. */
#define SNAP_ID_FLOOR	1000u
#define SNAP_HOLE_FIRST 60000u /* systemd's dynamic users, nobody, 16-bit -1 */
#define SNAP_HOLE_LAST	65535u
#define SNAP_ID_LAST	0xfffffffdu
#define SNAP_ID_NONE	0xffffffffu

enum snap_section {
	SNAP_SEC_NAME,
	SNAP_SEC_UID,
	SNAP_SEC_GRNAM,
	SNAP_SEC_GID,
	SNAP_SEC_FILTER,
	SNAP_SEC_USERS,
	SNAP_SEC_GROUPS,
	SNAP_SEC_PROJECTS,
	SNAP_SEC_RECORDS,
	SNAP_NSECTIONS
};

enum snap_flag {
	/* Every group's name begins with "p-", "g-" or "prism-", and no user's does. */
	SNAP_SPLIT_NAMES = 1u << 0,
	/* The range of uids and the range of gids have no id in common. */
	SNAP_SPLIT_IDS = 1u << 1,
};

struct snap_extent {
	uint64_t offset;
	uint64_t size; /* bytes */
};

struct snap_header {
	char magic[8];
	uint32_t version;
	uint32_t kind;
	uint64_t size; /* of the file */
	uint64_t generation;
	int64_t issued_at;
	int64_t valid_until;
	uint32_t uid_first, uid_last;
	uint32_t gid_first, gid_last;
	uint32_t nusers; /* in identity, without those whom the host refuses */
	uint32_t ngroups;
	uint32_t nprojects;
	uint32_t flags;
	uint64_t
	    seed; /* of the names' hash; random, so that nobody can choose names that collide */
	struct snap_extent section[SNAP_NSECTIONS];
	uint64_t body_sum;   /* snap_sum(generation, everything behind the header) */
	uint64_t header_sum; /* snap_sum(kind, everything before this field) */
};

struct snap_slot {
	uint32_t tag;
	uint32_t record;
};

/*
 * A user of the identity snapshot. Strings follow, one after another, each with its NUL: name, "*",
 * gecos, home, shell; then, aligned to 4, the gids of the supplementary groups, ascending by group
 * index. The offsets count from the first string, so a passwd entry is one copy of "len" bytes.
 */
struct snap_person {
	uint32_t uid;
	uint32_t ngids;
	uint16_t len;
	uint16_t gecos; /* name: 0; "*": gecos - 2 */
	uint16_t home;
	uint16_t shell;
};

/*
 * A group. Strings follow: name, "*", then the members' names; then one byte for
 * each member: the length of its name with the NUL. Hidden members are not there at all.
 */
struct snap_team {
	uint32_t gid;
	uint32_t nmembers;
	uint32_t len; /* bytes of all strings */
	uint32_t name_len;
};

/*
 * A subject of the access and keys snapshots: grants, then keys (keys snapshot only), then the
 * strings name, home, and the key lines. String offsets count from the start of the record.
 */
struct snap_subject_record {
	uint64_t sum;  /* snap_sum(snap_record_key(), bytes 8..size) */
	uint32_t size; /* of the record, without the padding behind it */
	uint32_t uid;  /* SNAP_ID_NONE if the host refuses the subject for its id */
	uint32_t ngrants;
	uint32_t nkeys;
	uint32_t name; /* offset */
	uint32_t home; /* offset */
	uint32_t state;
	uint32_t zero;
};

struct snap_grant_record {
	int64_t not_after;
	int64_t ended_at;
	int64_t sso_at;
	uint32_t project;
	uint32_t perms;
	uint32_t state;
	uint32_t zero;
};

struct snap_key_record {
	int64_t not_after;
	uint32_t line; /* offset */
	uint32_t len;  /* without the NUL */
};

/* A project, then its strings: slug, name, contact. */
struct snap_project_record {
	uint64_t sum;
	uint32_t size;
	uint32_t state;
	uint32_t sso_max_age;
	uint32_t slug, name, contact; /* offsets */
};

static_assert(sizeof(struct snap_header) == 248, "layout");
static_assert(sizeof(struct snap_header) <= SNAP_SUPERSEDED_AT, "layout");
static_assert(sizeof(struct snap_person) == 16 && sizeof(struct snap_team) == 16, "layout");
static_assert(sizeof(struct snap_subject_record) == 40, "layout");
static_assert(sizeof(struct snap_grant_record) == 40, "layout");
static_assert(sizeof(struct snap_key_record) == 16, "layout");
static_assert(sizeof(struct snap_project_record) == 32, "layout");

/* ---- the functions that are part of the format ------------------------------------------ */

#define SNAP_K0 0x9fb21c651e98df25ull
#define SNAP_K1 0xd6e8feb86659fd93ull
#define SNAP_K2 0xa24baed4963ee407ull
#define SNAP_K3 0xc2b2ae3d27d4eb4full
#define SNAP_K4 0xe7037ed1a0b428dbull /* spreads runs of ids most evenly of these */

/* Both halves of the 128-bit product, folded. */
static inline uint64_t snap_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t snap_bytes8(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t snap_bytes4(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Of a name of 1 to SNAP_NAME_MAX bytes: every byte is in one of the words taken. */
static inline uint64_t snap_hash_name(uint64_t seed, const char *s, size_t n)
{
	uint64_t a, b;

	if (n > 16) {
		seed ^= snap_fold(snap_bytes8(s + 8) ^ SNAP_K2, snap_bytes8(s + n - 16) ^ seed);
		a = snap_bytes8(s);
		b = snap_bytes8(s + n - 8);
	} else if (n >= 8) {
		a = snap_bytes8(s);
		b = snap_bytes8(s + n - 8);
	} else if (n >= 4) {
		a = snap_bytes4(s);
		b = snap_bytes4(s + n - 4);
	} else {
		a = (uint64_t)(uint8_t)s[0] | (uint64_t)(uint8_t)s[n / 2] << 8;
		b = (uint8_t)s[n - 1];
	}
	return snap_fold(snap_fold(a ^ seed, b ^ SNAP_K0) ^ n, SNAP_K1);
}

/* The bits that a name sets in its word of the filter. */
static inline uint64_t snap_filter_bits(uint64_t hash)
{
	return 1ull << (hash >> 58) | 1ull << (hash >> 52 & 63) | 1ull << (hash >> 46 & 63);
}

static inline uint64_t snap_hash_id(uint32_t id)
{
	return snap_fold(id ^ SNAP_K2, SNAP_K4);
}

/*
 * Checksum: four lanes of 16 bytes a round; what is left goes into zero-padded blocks. A changed
 * bit stays unseen with a chance of about 2^-64. snap_sum() is all of it; who has the bytes piece
 * by piece begins, adds whole blocks of SNAP_ALIGN bytes, and ends with the number of all bytes.
 */
struct snap_lanes {
	uint64_t h0, h1, h2, h3;
};

static inline struct snap_lanes snap_sum_begin(uint64_t key)
{
	return (struct snap_lanes){key ^ SNAP_K0, key ^ SNAP_K1, key ^ SNAP_K2, key ^ SNAP_K3};
}

static inline struct snap_lanes snap_sum_blocks(struct snap_lanes l, const void *data, size_t n)
{
	for (const uint8_t *p = data; n >= SNAP_ALIGN; p += SNAP_ALIGN, n -= SNAP_ALIGN) {
		l.h0 = snap_fold(snap_bytes8(p) ^ l.h0, snap_bytes8(p + 8) ^ SNAP_K3) + SNAP_K0;
		l.h1 =
		    snap_fold(snap_bytes8(p + 16) ^ l.h1, snap_bytes8(p + 24) ^ SNAP_K0) + SNAP_K1;
		l.h2 =
		    snap_fold(snap_bytes8(p + 32) ^ l.h2, snap_bytes8(p + 40) ^ SNAP_K1) + SNAP_K2;
		l.h3 =
		    snap_fold(snap_bytes8(p + 48) ^ l.h3, snap_bytes8(p + 56) ^ SNAP_K2) + SNAP_K3;
	}
	return l;
}

static inline uint64_t snap_sum_end(struct snap_lanes l, uint64_t n)
{
	l.h0 = snap_fold(l.h0 ^ n, l.h1 ^ SNAP_K2);
	return snap_fold(l.h0 ^ snap_fold(l.h2, l.h3 ^ SNAP_K1), SNAP_K0);
}

static inline uint64_t snap_sum(uint64_t key, const void *data, size_t n)
{
	struct snap_lanes l = snap_sum_blocks(snap_sum_begin(key), data, n);
	uint8_t tail[SNAP_ALIGN] = {0};

	if (n % SNAP_ALIGN != 0) {
		memcpy(tail, (const uint8_t *)data + (n - n % SNAP_ALIGN), n % SNAP_ALIGN);
		l = snap_sum_blocks(l, tail, SNAP_ALIGN);
	}
	return snap_sum_end(l, n);
}

/* The key of one record's checksum: a record in another place, file or generation is no record. */
static inline uint64_t snap_record_key(uint64_t generation, uint32_t kind, uint64_t offset)
{
	return snap_fold(generation ^ SNAP_K1, (offset << 8 | kind) ^ SNAP_K3);
}

static inline bool snap_id_allowed(uint32_t id, uint32_t first, uint32_t last)
{
	if (id < SNAP_ID_FLOOR || id > SNAP_ID_LAST)
		return false;
	if (id >= SNAP_HOLE_FIRST && id <= SNAP_HOLE_LAST)
		return false;
	return id >= first && id <= last;
}

/* The names that only groups have, where SNAP_SPLIT_NAMES is set. */
static inline bool snap_name_of_group(const char *name, size_t n)
{
	if (n >= 2 && name[1] == '-' && (name[0] == 'p' || name[0] == 'g'))
		return true;
	return n >= 6 && memcmp(name, "prism-", 6) == 0;
}

#endif
