/* SPDX-License-Identifier: MIT */
/*
 * The reader of access and keys snapshots on arbitrary bytes. The fuzzer cannot guess checksums, so
 * the first byte says which of them are made right before the file is read.
 */
#include <stdlib.h>
#include <string.h>
#include "snapshot/format.h"
#include "snapshot/lookup.h"
#include "snapshot/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink;

static void read_subject(const struct snap *s, const struct snap_subject *u)
{
	struct snap_project p;
	struct snap_grant g;
	struct snap_key k;

	if (u->uid != SNAP_ID_NONE && !snap_id_allowed(u->uid, 0, UINT32_MAX))
		abort();
	sink += strlen(u->name) + strlen(u->home);
	for (uint32_t i = 0; i < u->ngrants && i < 100; i++)
		if (snap_subject_grant(s, u, i, &g, &p) == 0)
			sink += strlen(p.slug) + strlen(p.name) + strlen(p.contact);
	for (uint32_t i = 0; i < u->nkeys && i < 100; i++)
		if (snap_subject_key(s, u, i, &k) == 0)
			sink += strlen(k.line);
}

static void seal_records(uint8_t *p, size_t n)
{
	const struct snap_header *h = (const struct snap_header *)p;

	for (size_t at = SNAP_HEADER_SIZE; at + SNAP_ALIGN <= n; at += SNAP_ALIGN) {
		uint64_t sum;
		uint32_t size;

		memcpy(&size, p + at + 8, sizeof(size));
		if (size < 32 || size > n - at)
			continue;
		sum = snap_sum(snap_record_key(h->generation, h->kind, at), p + at + 8, size - 8);
		memcpy(p + at, &sum, sizeof(sum));
	}
}

static void seal_header(uint8_t *p, size_t n)
{
	struct snap_header *h = (struct snap_header *)p;

	memcpy(h->magic, SNAP_MAGIC, sizeof(h->magic));
	h->version = SNAP_VERSION;
	h->kind = h->kind % 2 == 0 ? SNAP_ACCESS : SNAP_KEYS;
	h->size = n;
	h->header_sum = snap_sum(h->kind, h, offsetof(struct snap_header, header_sum));
}

static void read_all(const struct snap *s)
{
	const struct snap_header *h = (const struct snap_header *)s->base;
	static const char *const names[] = {"user0000", "user0001", "root", "a"};
	struct snap_subject u;
	struct snap_meta m;

	snap_meta(s, &m);
	sink += snap_superseded(s) + snap_count_users(s);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (snap_subject_by_name(s, names[i], &u) == 0)
			read_subject(s, &u);
	for (uint32_t uid = h->uid_first, i = 0; i < 64; i++, uid++)
		if (snap_subject_by_uid(s, uid, &u) == 0)
			read_subject(s, &u);
	if (snap_subject_by_uid(s, 0, &u) == 0 || snap_subject_by_uid(s, 27, &u) == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct snap s = {.size = size > 0 ? (size - 1) & ~(size_t)(SNAP_ALIGN - 1) : 0};
	uint8_t *p;

	if (s.size < SNAP_HEADER_SIZE)
		return 0;
	p = aligned_alloc(SNAP_ALIGN, s.size);
	if (!p)
		return 0;
	memcpy(p, data + 1, s.size);
	if (data[0] & 1)
		seal_records(p, s.size);
	if (data[0] & 2)
		seal_header(p, s.size);
	s.base = p;
	if (snap_check_header(p, s.size, SNAP_ACCESS) == 0 ||
	    snap_check_header(p, s.size, SNAP_KEYS) == 0)
		read_all(&s);
	free(p);
	return 0;
}
