/* SPDX-License-Identifier: MIT */
#ifndef BENCH_NSS_FLOOR_H
#define BENCH_NSS_FLOOR_H

/*
 * The least work that a lookup can be: libnss_floor maps a table once and trusts it. No look for
 * newer data, no check of any number, no limit on ids. What a real module adds is measured against
 * it. The table: a header, four open-addressed hash tables, 64-byte aligned records.
 */
#include <stdint.h>
#include <string.h>

#ifndef FLOOR_PATH
#define FLOOR_PATH "/var/lib/nssfloor.db"
#endif
#define FLOOR_GIDS 3

enum floor_table { FLOOR_PWNAM, FLOOR_PWUID, FLOOR_GRNAM, FLOOR_GRGID, FLOOR_TABLES };

struct floor_header {
	uint64_t size;
	uint64_t mask[FLOOR_TABLES];
	uint64_t table[FLOOR_TABLES]; /* offsets */
};

struct floor_slot {
	uint32_t tag;
	uint32_t record; /* offset / 64; 0: empty */
};

/* Then the strings, then the gids, aligned to 4. */
struct floor_user {
	uint32_t uid, gid;
	uint16_t len, passwd, gecos, dir, shell, ngids;
};

/* Then the members' offsets, then the strings: name, password, members. */
struct floor_group {
	uint32_t gid, nmembers, len, passwd;
};

static inline const uint32_t *floor_gids(const struct floor_user *r)
{
	return (const uint32_t *)((const char *)(r + 1) + ((r->len + 3) & ~3));
}

static inline uint64_t floor_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t floor_load(const char *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

static inline uint64_t floor_hash(const char *s, size_t n)
{
	uint64_t h = n * 0x9e3779b97f4a7c15ull, a, b = 0;

	for (; n > 16; s += 16, n -= 16)
		h = floor_mix(floor_load(s, 8) ^ h, floor_load(s + 8, 8) ^ 0xa0761d6478bd642full);
	if (n >= 8) {
		a = floor_load(s, 8);
		b = floor_load(s + n - 8, 8);
	} else if (n >= 4) {
		a = floor_load(s, 4);
		b = floor_load(s + n - 4, 4);
	} else {
		a = (uint64_t)(uint8_t)s[0] << 16 | (uint64_t)(uint8_t)s[n / 2] << 8 |
		    (uint8_t)s[n - 1];
	}
	return floor_mix(floor_mix(a ^ 0xe7037ed1a0b428dbull, b ^ h), 0x8ebc6af09c88c6e3ull);
}

static inline uint64_t floor_hash_id(uint32_t id)
{
	return floor_mix(id ^ 0xe7037ed1a0b428dbull, 0x8ebc6af09c88c6e3ull);
}

#endif
