/* SPDX-License-Identifier: MIT */
/*
 * Damaged and hostile identity files behind the NSS module. Whatever they say: no crash, no read or
 * write outside, no id that is the system's.
 */
#include "nss/module.h"

static uint64_t seed = 7;

static uint64_t random_next(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 20;
}

static const char *file(void)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", module_dir(), SNAPSHOT_IDENTITY);
	return path;
}

static struct image make(void)
{
	struct world *w = world_new(30, 5);
	struct image i;

	if (world_publish(w, module_dir(), 1) != 0)
		abort();
	i = image_read(file());
	world_free(w);
	return i;
}

/*
 * Put these bytes in place as a new file, and mark the one before, so that one module meets file
 * after file as a long-lived process does.
 */
static void replace(const struct image *i)
{
	const uint32_t yes = 1;
	char tmp[256];
	int fd = open(file(), O_WRONLY | O_CLOEXEC);

	snprintf(tmp, sizeof(tmp), "%s/tmp", module_dir());
	image_write(i, tmp);
	if (rename(tmp, file()) < 0)
		abort();
	if (fd >= 0) {
		if (pwrite(fd, &yes, 4, SNAP_SUPERSEDED_AT) != 4)
			abort();
		close(fd);
	}
}

static bool id_ours(uint32_t id)
{
	return id >= 1000 && (id < 60000 || id > 65535) && id < 0xfffffffe;
}

static void expect_passwd(enum nss_status s, const struct passwd *p)
{
	if (s != NSS_STATUS_SUCCESS)
		return;
	EXPECT(id_ours(p->pw_uid) && p->pw_gid == p->pw_uid);
	EXPECT_STR(p->pw_passwd, "*");
	EXPECT(strlen(p->pw_name) + strlen(p->pw_gecos) + strlen(p->pw_dir) + strlen(p->pw_shell) <
	       70000);
}

static void expect_group(enum nss_status s, const struct group *g)
{
	if (s != NSS_STATUS_SUCCESS)
		return;
	EXPECT(id_ours(g->gr_gid));
	EXPECT_STR(g->gr_passwd, "*");
	for (char **p = g->gr_mem; *p; p++)
		EXPECT(strlen(*p) < 65536);
}

/* Ask for everything there could be, and more. */
static void ask_all(const struct module *m)
{
	static const char *const groups[] = {
	    "p-alpha", "p-beta-ro", "prism-users", "p-x0003", "sudo"};
	static const uint32_t ids[] = {
	    0, 27, 999, 60000, 65534, 0xffffffff, 0xfffffffe, 10001, 10020, 2000000, 2000001};
	static char b[1 << 16];
	struct passwd p;
	struct group g;
	int e = 0;

	for (unsigned i = 0; i < 32; i++) {
		long start = 0, size = 4;
		gid_t *gids = malloc(4 * sizeof(gid_t));
		char name[40];

		snprintf(name, sizeof(name), "user%04u", i);
		expect_passwd(m->getpwnam(name, &p, b, sizeof(b), &e), &p);
		expect_group(m->getgrnam(name, &g, b, sizeof(b), &e), &g);
		if (m->initgroups(name, (gid_t)-1, &start, &size, &gids, -1, &e) ==
		    NSS_STATUS_SUCCESS)
			for (long k = 0; k < start; k++)
				EXPECT(id_ours(gids[k]));
		free(gids);
	}
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		enum nss_status s = m->getpwuid(ids[i], &p, b, sizeof(b), &e);

		expect_passwd(s, &p);
		EXPECT(s != NSS_STATUS_SUCCESS || p.pw_uid == ids[i]);
		s = m->getgrgid(ids[i], &g, b, sizeof(b), &e);
		expect_group(s, &g);
		EXPECT(s != NSS_STATUS_SUCCESS || g.gr_gid == ids[i]);
	}
	for (size_t i = 0; i < 5; i++)
		expect_group(m->getgrnam(groups[i], &g, b, sizeof(b), &e), &g);
	m->setpwent(0);
	for (unsigned n = 0; n < 100; n++)
		expect_passwd(m->getpwent(&p, b, sizeof(b), &e), &p);
	m->setgrent(0);
	for (unsigned n = 0; n < 100; n++)
		expect_group(m->getgrent(&g, b, sizeof(b), &e), &g);
}

TEST("D4 a cut, flipped or foreign file at first use is UNAVAIL, EBADMSG")
{
	struct image good = make();
	struct passwd p;
	char b[1024];

	for (unsigned i = 0; i < 12; i++) {
		struct image bad = {malloc(good.n), good.n};
		struct module m;
		int e = 0;

		memcpy(bad.p, good.p, good.n);
		if (i < 6)
			bad.n = i * i * 160;
		else
			bad.p[random_next() % sizeof(struct snap_header)] ^= 4;
		unlink(file());
		replace(&bad);
		m = module_load();
		EXPECT_INT(m.getpwnam("user0001", &p, b, sizeof(b), &e), NSS_STATUS_UNAVAIL);
		EXPECT_INT(e, EBADMSG);
		free(bad.p);
	}
	free(good.p);
}

TEST("D4 flipped bits in the body never crash it, never show an id of the system")
{
	struct image i = make();
	struct module m = module_load();

	for (unsigned n = 0; n < 2000; n++) {
		size_t bit[4];

		for (unsigned k = 0; k < 4; k++) {
			bit[k] =
			    8 * SNAP_HEADER_SIZE + random_next() % (8 * (i.n - SNAP_HEADER_SIZE));
			i.p[bit[k] / 8] ^= (uint8_t)(1u << bit[k] % 8);
		}
		replace(&i);
		ask_all(&m);
		for (unsigned k = 0; k < 4; k++)
			i.p[bit[k] / 8] ^= (uint8_t)(1u << bit[k] % 8);
	}
	free(i.p);
}

TEST("D4 wild offsets, lengths and counts behind valid checksums")
{
	static const uint32_t wild[] = {
	    0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0, 65535, 0xffff0000, 16};
	struct image good = make(), i = {malloc(good.n), good.n};
	size_t from = ((struct snap_header *)good.p)->section[SNAP_SEC_NAME].offset;
	struct module m = module_load();

	for (size_t at = from; at + 4 <= good.n; at += 4 * (1 + random_next() % 4)) {
		memcpy(i.p, good.p, good.n);
		memcpy(i.p + at, &wild[random_next() % 10], 4);
		image_seal(&i);
		replace(&i);
		ask_all(&m);
	}
	free(i.p);
	free(good.p);
}

/* Change the id of every record and slot that has "from", and the ranges to let it through. */
static void plant(struct image *i, uint32_t from, uint32_t to)
{
	struct snap_header *h = (struct snap_header *)i->p;

	for (size_t at = SNAP_HEADER_SIZE; at + 4 <= i->n; at += 4)
		if (memcmp(i->p + at, &from, 4) == 0)
			memcpy(i->p + at, &to, 4);
	h->uid_first = h->gid_first = 0;
	h->uid_last = h->gid_last = UINT32_MAX;
	h->flags = 0;
	image_seal(i);
}

TEST("D6 uid 0, gid 27 and their like, planted with valid checksums, never come out")
{
	static const uint32_t planted[] = {
	    0, 1, 27, 999, 60000, 65534, 65535, 0xfffffffe, 0xffffffff};
	struct image good = make(), i = {malloc(good.n), good.n};
	struct module m = module_load();

	for (size_t n = 0; n < sizeof(planted) / sizeof(planted[0]); n++) {
		static char b[65536];
		struct passwd p;
		struct group g;
		int e = 0;

		memcpy(i.p, good.p, good.n);
		plant(&i, WORLD_UID + 1, planted[n]);
		plant(&i, WORLD_GID + 1, planted[n]);
		replace(&i);
		EXPECT_INT(m.getpwnam("user0001", &p, b, sizeof(b), &e), NSS_STATUS_NOTFOUND);
		EXPECT_INT(m.getgrnam("p-alpha", &g, b, sizeof(b), &e), NSS_STATUS_NOTFOUND);
		EXPECT_INT(m.getgrnam("user0001", &g, b, sizeof(b), &e), NSS_STATUS_NOTFOUND);
		EXPECT_INT(m.getpwuid(planted[n], &p, b, sizeof(b), &e), NSS_STATUS_NOTFOUND);
		EXPECT_INT(m.getgrgid(planted[n], &g, b, sizeof(b), &e), NSS_STATUS_NOTFOUND);
		EXPECT_INT(m.getpwnam("user0002", &p, b, sizeof(b), &e), NSS_STATUS_SUCCESS);
		ask_all(&m);
	}
	free(i.p);
	free(good.p);
}

TEST("D4 a bad new file leaves a running process with the old data")
{
	struct image good = make(), bad = {malloc(good.n), good.n};
	struct module m = module_load();
	struct passwd p;
	char b[1024];
	int e = 0;

	EXPECT_INT(m.getpwnam("user0001", &p, b, sizeof(b), &e), NSS_STATUS_SUCCESS);
	memcpy(bad.p, good.p, good.n);
	bad.p[9] ^= 1;
	replace(&bad);
	EXPECT_INT(m.getpwnam("user0001", &p, b, sizeof(b), &e), NSS_STATUS_SUCCESS);
	EXPECT_STR(p.pw_dir, "/efs/home/user0001");
	free(bad.p);
	free(good.p);
}

TEST_MAIN()
