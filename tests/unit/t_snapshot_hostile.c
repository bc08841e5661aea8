/* SPDX-License-Identifier: MIT */
/*
 * Damaged and hostile files: no byte of one may make a reader crash, loop, or grant. Run under
 * AddressSanitizer this also shows that nothing outside of the file is read.
 */
#include "snap_world.h"
#include "snapshot/snapshot.h"

static uint64_t seed = 42;

static uint64_t random_next(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 20;
}

static const char *file(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", test_tmpdir(), name);
	return path;
}

static struct image make(enum snap_kind kind)
{
	struct world *w = world_new(40, 3);
	struct image i;

	if (world_write(w, kind, file("good")) != 0)
		abort();
	i = image_read(file("good"));
	world_free(w);
	return i;
}

static int open_image(const struct image *i, enum snap_kind kind, unsigned flags, struct snap *ret)
{
	image_write(i, file("bad"));
	return snap_open(file("bad"), kind, flags, ret);
}

static size_t grants_of(const struct snap *s, const struct snap_subject *u, uint32_t perms)
{
	struct snap_project p;
	struct snap_grant g;
	struct snap_key k;
	size_t n = 0;

	for (uint32_t i = 0; i < u->ngrants; i++)
		if (snap_subject_grant(s, u, i, &g, &p) == 0) {
			n += (g.perms & perms) != 0 && g.state == SNAP_ACTIVE;
			if (strlen(p.slug) + strlen(p.name) + strlen(p.contact) == 0)
				abort();
		}
	for (uint32_t i = 0; i < u->nkeys; i++)
		if (snap_subject_key(s, u, i, &k) == 0 && k.line[0] == '\0')
			abort();
	return n;
}

/* Ask for everybody. Nobody has an active grant of sudo, so one found is one made up. */
static void expect_nothing_made_up(const struct snap *s)
{
	struct snap_subject u;
	char name[40];

	for (unsigned i = 0; i < 45; i++) {
		snprintf(name, sizeof(name), "user%04u", i);
		if (snap_subject_by_name(s, name, &u) == 0) {
			EXPECT_STR(u.name, name);
			EXPECT_INT(u.uid, WORLD_UID + i);
			EXPECT_INT(grants_of(s, &u, SNAP_PERM_SUDO), 0);
		}
		if (snap_subject_by_uid(s, WORLD_UID + i, &u) == 0) {
			EXPECT_STR(u.name, name);
			EXPECT_INT(grants_of(s, &u, SNAP_PERM_SUDO), 0);
		}
	}
	EXPECT_INT(snap_subject_by_uid(s, 0, &u), -ENOENT);
}

TEST("D4 a file cut off at any length is not opened")
{
	struct image good = make(SNAP_KEYS);
	struct snap s;

	for (size_t n = 0; n < good.n; n += n < 2048 ? 1 : 61) {
		struct image cut = {good.p, n};

		EXPECT_INT(open_image(&cut, SNAP_KEYS, 0, &s), -EBADMSG);
	}
	free(good.p);
}

TEST("D4 a file with something behind it is not opened")
{
	struct image good = make(SNAP_KEYS), more = {calloc(1, good.n + 64), good.n + 64};
	struct snap s;

	memcpy(more.p, good.p, good.n);
	EXPECT_INT(open_image(&more, SNAP_KEYS, 0, &s), -EBADMSG);
	free(more.p);
	free(good.p);
}

TEST("D4 every bit of the header counts")
{
	struct image i = make(SNAP_ACCESS);
	struct snap s;

	for (size_t bit = 0; bit < 8 * sizeof(struct snap_header); bit++) {
		/* The sum of the body is looked at only where it is asked for. */
		i.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		EXPECT_INT(open_image(&i, SNAP_ACCESS, SNAP_VERIFY, &s), -EBADMSG);
		i.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	EXPECT_INT(open_image(&i, SNAP_ACCESS, SNAP_VERIFY, &s), 0);
	snap_close(&s);
	free(i.p);
}

TEST("D4 SNAP_VERIFY sees a flipped bit anywhere in the body")
{
	struct image i = make(SNAP_ACCESS);
	struct snap s;

	for (unsigned n = 0; n < 3000; n++) {
		size_t bit = 8 * SNAP_HEADER_SIZE + random_next() % (8 * (i.n - SNAP_HEADER_SIZE));

		i.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		EXPECT_INT(open_image(&i, SNAP_ACCESS, SNAP_VERIFY, &s), -EBADMSG);
		i.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	free(i.p);
}

TEST("D4 without it no flipped bit grants, shows another person, or crashes")
{
	struct image i = make(SNAP_KEYS);

	for (unsigned n = 0; n < 4000; n++) {
		size_t bit[3];
		struct snap s;

		for (unsigned k = 0; k < 3; k++) {
			bit[k] =
			    8 * SNAP_HEADER_SIZE + random_next() % (8 * (i.n - SNAP_HEADER_SIZE));
			i.p[bit[k] / 8] ^= (uint8_t)(1u << bit[k] % 8);
		}
		EXPECT_INT(open_image(&i, SNAP_KEYS, 0, &s), 0);
		expect_nothing_made_up(&s);
		snap_close(&s);
		for (unsigned k = 0; k < 3; k++)
			i.p[bit[k] / 8] ^= (uint8_t)(1u << bit[k] % 8);
	}
	free(i.p);
}

/* Numbers that attackers like, in place of every aligned word of every record, sums made right. */
static const uint32_t wild[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0, 1024, 65536};

static void reseal_records(struct image *i)
{
	const struct snap_header *h = (const struct snap_header *)i->p;
	const struct snap_slot *slot =
	    (const struct snap_slot *)(i->p + h->section[SNAP_SEC_NAME].offset);

	for (size_t n = h->section[SNAP_SEC_NAME].size / sizeof(*slot); n > 0; n--, slot++) {
		uint64_t at = (uint64_t)slot->record * SNAP_ALIGN, sum;
		uint32_t size;

		if (at < SNAP_HEADER_SIZE || at + SNAP_ALIGN > i->n)
			continue;
		memcpy(&size, i->p + at + 8, sizeof(size));
		if (size < 8 || size > i->n - at)
			continue;
		sum =
		    snap_sum(snap_record_key(h->generation, h->kind, at), i->p + at + 8, size - 8);
		memcpy(i->p + at, &sum, sizeof(sum));
	}
	image_seal(i);
}

TEST("D4 wild numbers behind valid checksums stay within the file")
{
	struct image good = make(SNAP_KEYS), i = {malloc(good.n), good.n};
	const struct snap_header *h = (const struct snap_header *)good.p;
	size_t from = h->section[SNAP_SEC_NAME].offset;
	struct snap_subject u;

	for (size_t at = from; at + 4 <= good.n; at += 4 * (1 + random_next() % 5)) {
		struct snap s;

		memcpy(i.p, good.p, good.n);
		memcpy(i.p + at, &wild[random_next() % 8], 4);
		reseal_records(&i);
		if (open_image(&i, SNAP_KEYS, SNAP_VERIFY, &s) != 0)
			continue;
		for (unsigned n = 0; n < 40; n++) {
			char name[40];

			snprintf(name, sizeof(name), "user%04u", n);
			if (snap_subject_by_name(&s, name, &u) == 0)
				grants_of(&s, &u, ~0u);
			if (snap_subject_by_uid(&s, WORLD_UID + n, &u) == 0)
				grants_of(&s, &u, ~0u);
		}
		snap_close(&s);
	}
	free(i.p);
	free(good.p);
}

TEST("D6 a uid of 0 planted behind valid checksums is refused")
{
	struct image i = make(SNAP_KEYS);
	struct snap_header *h = (struct snap_header *)i.p;
	struct snap_subject_record *r;
	struct snap_subject u;
	struct snap_slot *slot;
	struct snap s;

	h->uid_first = 0;
	slot = (struct snap_slot *)(i.p + h->section[SNAP_SEC_NAME].offset);
	while (slot->record == 0)
		slot++;
	r = (struct snap_subject_record *)(i.p + (uint64_t)slot->record * SNAP_ALIGN);
	r->uid = 0;
	/* And its entry by uid. */
	slot = (struct snap_slot *)(i.p + h->section[SNAP_SEC_UID].offset);
	for (uint64_t n = h->section[SNAP_SEC_UID].size / sizeof(*slot); n > 0; n--, slot++)
		slot->tag = 0;
	reseal_records(&i);
	EXPECT_INT(open_image(&i, SNAP_KEYS, SNAP_VERIFY, &s), 0);
	EXPECT_INT(snap_subject_by_uid(&s, 0, &u), -ENOENT);
	EXPECT_INT(snap_subject_by_name(&s, (const char *)r + r->name, &u), -EBADMSG);
	snap_close(&s);
	free(i.p);
}

TEST("D4 a table without an empty slot ends the search")
{
	struct image i = make(SNAP_ACCESS);
	struct snap_header *h = (struct snap_header *)i.p;
	struct snap_subject u;
	struct snap s;

	memset(i.p + h->section[SNAP_SEC_NAME].offset, 0xff, h->section[SNAP_SEC_NAME].size);
	memset(i.p + h->section[SNAP_SEC_UID].offset, 0xff, h->section[SNAP_SEC_UID].size);
	image_seal(&i);
	EXPECT_INT(open_image(&i, SNAP_ACCESS, SNAP_VERIFY, &s), 0);
	EXPECT(snap_subject_by_name(&s, "user0001", &u) != 0);
	EXPECT(snap_subject_by_uid(&s, WORLD_UID, &u) != 0);
	snap_close(&s);
	free(i.p);
}

TEST_MAIN()
