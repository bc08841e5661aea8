/* SPDX-License-Identifier: MIT */
/* What libnss_prism answers, at every size of buffer, and what it refuses to say. */
#include <sys/mman.h>
#include "nss/module.h"

static char buffer[1 << 20];

static struct module load_world(struct world *w)
{
	if (world_publish(w, module_dir(), 1) != 0)
		abort();
	return module_load();
}

static void expect_user(const struct module *m, const struct world_user *u)
{
	struct passwd by_name, by_uid;
	char second[1024];
	int e = 0;

	EXPECT_INT(
	    m->getpwnam(u->u.name, &by_name, buffer, sizeof(buffer), &e), NSS_STATUS_SUCCESS);
	EXPECT_STR(by_name.pw_name, u->u.name);
	EXPECT_STR(by_name.pw_passwd, "*");
	EXPECT_INT(by_name.pw_uid, u->u.uid);
	EXPECT_INT(by_name.pw_gid, u->u.uid);
	EXPECT_STR(by_name.pw_gecos, u->u.gecos);
	EXPECT_STR(by_name.pw_dir, u->u.home);
	EXPECT_STR(by_name.pw_shell, u->u.shell);
	EXPECT_INT(m->getpwuid(u->u.uid, &by_uid, second, sizeof(second), &e), NSS_STATUS_SUCCESS);
	EXPECT_STR(by_uid.pw_name, u->u.name);
	EXPECT_INT(by_uid.pw_uid, u->u.uid);
	EXPECT_STR(by_uid.pw_shell, u->u.shell);
}

TEST("D4 every user is found by name and by uid, with the fields as written")
{
	struct world *w = world_new(2000, 5);
	struct module m = load_world(w);

	for (size_t i = 0; i < 2000; i++)
		expect_user(&m, &w->users[i]);
	world_free(w);
}

TEST("D4 names of every length are found, those beside them are not")
{
	struct world *w = world_new(32, 3);
	struct passwd p;
	struct module m;
	int e = 0;

	for (size_t i = 0; i < 32; i++) {
		memset(w->users[i].name, 'a' + (int)(i % 26), i + 1);
		w->users[i].name[i + 1] = '\0';
		w->users[i].name[i / 2] = 'q';
	}
	m = load_world(w);
	for (size_t i = 0; i < 32; i++) {
		char other[40];

		expect_user(&m, &w->users[i]);
		for (size_t at = 0; at <= i; at++) {
			memcpy(other, w->users[i].name, sizeof(other));
			other[at] = '_';
			EXPECT_INT(
			    m.getpwnam(other, &p, buffer, sizeof(buffer), &e), NSS_STATUS_NOTFOUND);
		}
	}
	EXPECT_INT(m.getpwnam("", &p, buffer, sizeof(buffer), &e), NSS_STATUS_NOTFOUND);
	memset(buffer, 'a', 5000);
	buffer[5000] = '\0';
	EXPECT_INT(m.getpwnam(buffer, &p, buffer + 6000, 6000, &e), NSS_STATUS_NOTFOUND);
	world_free(w);
}

static void expect_members(const struct world *w, uint32_t group, const struct group *g)
{
	size_t n = 0;

	for (size_t i = 0; i < w->src.nusers; i++) {
		if (group == 0 || i % group != 0)
			continue;
		EXPECT_STR(g->gr_mem[n], w->users[i].u.name);
		n++;
	}
	EXPECT(g->gr_mem[n] == NULL);
}

TEST("D4 project groups by name and gid, with members; hidden members stay hidden")
{
	struct world *w = world_new(300, 40);
	struct module m = load_world(w);
	struct group g;
	int e = 0;

	for (uint32_t i = 0; i < 40; i++) {
		EXPECT_INT(m.getgrnam(w->groups[i].name, &g, buffer, sizeof(buffer), &e),
		    NSS_STATUS_SUCCESS);
		EXPECT_STR(g.gr_name, w->groups[i].name);
		EXPECT_STR(g.gr_passwd, "*");
		EXPECT_INT(g.gr_gid, w->groups[i].gid);
		EXPECT(g.gr_mem != NULL);
		expect_members(w, i, &g);
		EXPECT_INT(m.getgrgid(w->groups[i].gid, &g, buffer, sizeof(buffer), &e),
		    NSS_STATUS_SUCCESS);
		EXPECT_STR(g.gr_name, w->groups[i].name);
		expect_members(w, i, &g);
	}
	world_free(w);
}

static void expect_private(const struct module *m, const struct world_user *u)
{
	struct group g;
	int e = 0;

	EXPECT_INT(m->getgrnam(u->u.name, &g, buffer, sizeof(buffer), &e), NSS_STATUS_SUCCESS);
	EXPECT_STR(g.gr_name, u->u.name);
	EXPECT_STR(g.gr_passwd, "*");
	EXPECT_INT(g.gr_gid, u->u.uid);
	EXPECT(g.gr_mem != NULL && g.gr_mem[0] == NULL);
	EXPECT_INT(m->getgrgid(u->u.uid, &g, buffer, sizeof(buffer), &e), NSS_STATUS_SUCCESS);
	EXPECT_STR(g.gr_name, u->u.name);
}

TEST("D6 each user has a private group of the same id and name, nobody listed")
{
	struct world *w = world_new(200, 3);
	struct module m = load_world(w);

	for (size_t i = 0; i < 200; i++)
		expect_private(&m, &w->users[i]);
	world_free(w);
}

TEST("D6 also where users are named like groups and the ranges overlap")
{
	struct world *w = world_new(50, 4);
	struct module m;
	struct group g;
	int e = 0;

	w->users[7].u.name = "p-person";
	w->groups[2].name = "staff-x";
	w->src.meta.gid_first = 10001;
	w->groups[2].gid = 10500;
	m = load_world(w);
	expect_private(&m, &w->users[7]);
	expect_user(&m, &w->users[7]);
	EXPECT_INT(m.getgrnam("staff-x", &g, buffer, sizeof(buffer), &e), NSS_STATUS_SUCCESS);
	EXPECT_INT(g.gr_gid, 10500);
	EXPECT_INT(m.getgrgid(10500, &g, buffer, sizeof(buffer), &e), NSS_STATUS_SUCCESS);
	EXPECT_STR(g.gr_name, "staff-x");
	EXPECT_INT(m.getgrnam("p-absent", &g, buffer, sizeof(buffer), &e), NSS_STATUS_NOTFOUND);
	EXPECT_INT(m.getgrgid(10501, &g, buffer, sizeof(buffer), &e), NSS_STATUS_NOTFOUND);
	world_free(w);
}

TEST("D4 who is not there is NOTFOUND, and errno stays what it was")
{
	struct world *w = world_new(100, 3);
	struct module m = load_world(w);
	static const uint32_t ids[] = {0, 1, 27, 999, 1000, 10101, 60001, 65534, 65535, 1999999,
	    2000003, 3000000, 0xfffffffe, 0xffffffff};
	struct passwd p;
	struct group g;

	errno = 4711;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		EXPECT_INT(
		    m.getpwuid(ids[i], &p, buffer, sizeof(buffer), &errno), NSS_STATUS_NOTFOUND);
		EXPECT_INT(
		    m.getgrgid(ids[i], &g, buffer, sizeof(buffer), &errno), NSS_STATUS_NOTFOUND);
		EXPECT_INT(errno, 4711);
	}
	EXPECT_INT(m.getpwnam("root", &p, buffer, sizeof(buffer), &errno), NSS_STATUS_NOTFOUND);
	EXPECT_INT(m.getpwnam("p-alpha", &p, buffer, sizeof(buffer), &errno), NSS_STATUS_NOTFOUND);
	EXPECT_INT(m.getgrnam("sudo", &g, buffer, sizeof(buffer), &errno), NSS_STATUS_NOTFOUND);
	EXPECT_INT(
	    m.getgrnam("p-alpha-ro", &g, buffer, sizeof(buffer), &errno), NSS_STATUS_NOTFOUND);
	EXPECT_INT(errno, 4711);
	EXPECT_INT(m.getpwnam("user0001", &p, buffer, sizeof(buffer), &errno), NSS_STATUS_SUCCESS);
	EXPECT_INT(errno, 4711);
	world_free(w);
}

/* A buffer that ends at an unreadable page: one byte too many is a crash. */
static char *guarded(size_t size)
{
	static char *p;

	if (!p) {
		p = mmap(NULL, (2 << 20) + 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || mprotect(p + (2 << 20), 4096, PROT_NONE) < 0)
			abort();
	}
	memset(p + (2 << 20) - size, 0xee, size);
	p[(2 << 20) - size - 1] = 0x77;
	return p + (2 << 20) - size;
}

TEST("D2a passwd at every buffer size: ERANGE until it fits, then always the same entry")
{
	struct world *w = world_new(3, 3);
	struct module m = load_world(w);
	bool fitted = false;

	for (size_t size = 0; size < 200; size++) {
		char *b = guarded(size);
		struct passwd p;
		int e = 0;
		enum nss_status s = m.getpwnam("user0001", &p, b, size, &e);

		EXPECT(b[-1] == 0x77);
		if (!fitted && s == NSS_STATUS_TRYAGAIN) {
			EXPECT_INT(e, ERANGE);
			continue;
		}
		EXPECT_INT(s, NSS_STATUS_SUCCESS);
		EXPECT_INT(e, 0);
		EXPECT_STR(p.pw_name, "user0001");
		EXPECT_STR(p.pw_dir, "/efs/home/user0001");
		EXPECT_STR(p.pw_shell, "/bin/bash");
		EXPECT(p.pw_shell + strlen(p.pw_shell) < b + size);
		fitted = true;
	}
	EXPECT(fitted);
	world_free(w);
}

static void groups_at_every_size(
    const struct module *m, const char *name, size_t nmembers, size_t limit, size_t step)
{
	bool fitted = false;

	for (size_t size = 0; size < limit; size += step) {
		char *b = guarded(size);
		struct group g;
		size_t n = 0;
		int e = 0;
		enum nss_status s = m->getgrnam(name, &g, b, size, &e);

		EXPECT(b[-1] == 0x77);
		if (!fitted && s == NSS_STATUS_TRYAGAIN) {
			EXPECT_INT(e, ERANGE);
			continue;
		}
		EXPECT_INT(s, NSS_STATUS_SUCCESS);
		EXPECT_STR(g.gr_name, name);
		EXPECT_INT((uintptr_t)g.gr_mem % sizeof(char *), 0);
		EXPECT((char *)g.gr_mem >= b && (char *)g.gr_mem < b + size);
		while (g.gr_mem[n]) {
			EXPECT(g.gr_mem[n] >= b && g.gr_mem[n] < b + size);
			n++;
		}
		EXPECT_INT(n, nmembers);
		fitted = true;
	}
	EXPECT(fitted);
}

TEST("D2a groups at every buffer size and alignment, private and hidden ones too")
{
	struct world *w = world_new(60, 4);
	struct module m = load_world(w);

	groups_at_every_size(&m, "p-alpha", 60, 1400, 1);
	groups_at_every_size(&m, "p-beta-ro", 30, 1000, 1);
	groups_at_every_size(&m, "prism-users", 0, 100, 1);
	groups_at_every_size(&m, "user0007", 0, 100, 1);
	world_free(w);
}

TEST("D2a a group of 50,000 members: ERANGE at once, then all of them")
{
	struct world *w = world_new(50000, 2);
	struct module m = load_world(w);
	char *big = malloc(8 << 20);
	struct group g;
	size_t n = 0;
	int e = 0;

	for (size_t size = 1024; size < 1 << 19; size *= 2) {
		EXPECT_INT(m.getgrnam("p-alpha", &g, big, size, &e), NSS_STATUS_TRYAGAIN);
		EXPECT_INT(e, ERANGE);
	}
	EXPECT_INT(m.getgrnam("p-alpha", &g, big, 8 << 20, &e), NSS_STATUS_SUCCESS);
	for (; g.gr_mem[n]; n++)
		if (strcmp(g.gr_mem[n], w->users[n].u.name) != 0)
			test_fail(__FILE__, __LINE__, "member %zu is %s", n, g.gr_mem[n]);
	EXPECT_INT(n, 50000);
	free(big);
	world_free(w);
}

/* As glibc does it: the primary group is there already. Returns how many there are then. */
static long groups_of(
    const struct module *m, const char *user, gid_t skip, long size, long limit, gid_t **ret)
{
	long start = 1;
	int e = 0;

	*ret = malloc((size_t)size * sizeof(gid_t));
	(*ret)[0] = skip;
	if (m->initgroups(user, skip, &start, &size, ret, limit, &e) != NSS_STATUS_SUCCESS)
		return -1;
	return start <= size ? start : -2;
}

TEST("D2a initgroups: a user in 500 groups, at every start size and limit")
{
	struct world *w = world_new(2, 500);
	struct module m = load_world(w);
	gid_t *gids;

	for (long size = 1; size < 600; size += 7) {
		EXPECT_INT(groups_of(&m, "user0000", 10001, size, -1, &gids), 501);
		for (uint32_t i = 0; i < 500; i++)
			EXPECT_INT(gids[i + 1], WORLD_GID + i);
		free(gids);
	}
	for (long limit = 1; limit < 600; limit += 13) {
		EXPECT_INT(
		    groups_of(&m, "user0000", 10001, 1, limit, &gids), limit < 501 ? limit : 501);
		free(gids);
	}
	/* prism-users, although it shows no members; and p-alpha. */
	EXPECT_INT(groups_of(&m, "user0001", 10002, 16, -1, &gids), 3);
	free(gids);
	world_free(w);
}

TEST("D2a initgroups knows nobody else, keeps errno, and gives a local namesake nothing")
{
	struct world *w = world_new(10, 3);
	struct module m = load_world(w);
	static const gid_t others[] = {0, 1000, 10002, WORLD_GID, WORLD_GID + 1, 65534};
	long start = 3, size = 4;
	gid_t *gids = calloc(4, sizeof(gid_t));

	errno = 4711;
	EXPECT_INT(m.initgroups("root", 0, &start, &size, &gids, -1, &errno), NSS_STATUS_NOTFOUND);
	EXPECT_INT(start, 3);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		EXPECT_INT(m.initgroups("user0002", others[i], &start, &size, &gids, -1, &errno),
		    NSS_STATUS_NOTFOUND);
		EXPECT_INT(start, 3);
	}
	EXPECT_INT(
	    m.initgroups("user0002", 10003, &start, &size, &gids, -1, &errno), NSS_STATUS_SUCCESS);
	EXPECT_INT(start, 6);
	EXPECT_INT(gids[3], WORLD_GID);
	EXPECT_INT(gids[5], WORLD_GID + 2);
	/* getent(1) */
	EXPECT_INT(m.initgroups("user0002", (gid_t)-1, &start, &size, &gids, -1, &errno),
	    NSS_STATUS_SUCCESS);
	EXPECT_INT(start, 9);
	EXPECT_INT(errno, 4711);
	free(gids);
	world_free(w);
}

TEST("D4 enumeration gives everybody once, by uid, and ERANGE does not skip")
{
	struct world *w = world_new(500, 3);
	struct module m = load_world(w);
	struct passwd p;
	int e = 0;

	for (int round = 0; round < 2; round++) {
		EXPECT_INT(m.setpwent(0), NSS_STATUS_SUCCESS);
		for (size_t i = 0; i < 500; i++) {
			EXPECT_INT(m.getpwent(&p, buffer, 10, &e), NSS_STATUS_TRYAGAIN);
			EXPECT_INT(e, ERANGE);
			EXPECT_INT(m.getpwent(&p, buffer, sizeof(buffer), &e), NSS_STATUS_SUCCESS);
			EXPECT_INT(p.pw_uid, WORLD_UID + i);
		}
		EXPECT_INT(m.getpwent(&p, buffer, sizeof(buffer), &e), NSS_STATUS_NOTFOUND);
		EXPECT_INT(m.getpwent(&p, buffer, sizeof(buffer), &e), NSS_STATUS_NOTFOUND);
		EXPECT_INT(m.endpwent(), NSS_STATUS_SUCCESS);
	}
	world_free(w);
}

TEST("D4 groups are enumerated: projects' first, then the private ones")
{
	struct world *w = world_new(50, 7);
	struct module m = load_world(w);
	struct group g;
	int e = 0;

	m.setgrent(0);
	for (uint32_t i = 0; i < 57; i++) {
		EXPECT_INT(m.getgrent(&g, buffer, 4, &e), NSS_STATUS_TRYAGAIN);
		EXPECT_INT(m.getgrent(&g, buffer, sizeof(buffer), &e), NSS_STATUS_SUCCESS);
		EXPECT_INT(g.gr_gid, i < 7 ? WORLD_GID + i : WORLD_UID + i - 7);
	}
	EXPECT_INT(m.getgrent(&g, buffer, sizeof(buffer), &e), NSS_STATUS_NOTFOUND);
	m.endgrent();
	world_free(w);
}

TEST("D4 a walk that a new generation overtakes neither repeats nor loses anybody")
{
	struct world *w = world_new(100, 3);
	struct module m = load_world(w);
	struct passwd p;
	uint32_t next = WORLD_UID;
	uint64_t generation = 2;
	int e = 0;

	m.setpwent(0);
	while (m.getpwent(&p, buffer, sizeof(buffer), &e) == NSS_STATUS_SUCCESS) {
		EXPECT_INT(p.pw_uid, next++);
		if (next % 10 == 0) {
			/* Somebody before the place where the walk is goes away. */
			w->users[0].u.state = generation % 2 ? SNAP_ACTIVE : SNAP_REFUSED;
			EXPECT_INT(world_publish(w, module_dir(), generation++), 0);
		}
	}
	EXPECT_INT(next, WORLD_UID + 100);
	world_free(w);
}

TEST("D4 no file: UNAVAIL with its errno, never NOTFOUND; nobody's errno is touched")
{
	struct module m;
	struct passwd p;
	struct group g;
	long start = 0, size = 0;
	gid_t *gids = NULL;
	char path[256];
	int e = 0;

	snprintf(path, sizeof(path), "%s/%s", module_dir(), SNAPSHOT_IDENTITY);
	unlink(path);
	m = module_load();
	errno = 4711;
	EXPECT_INT(m.getpwnam("user0001", &p, buffer, sizeof(buffer), &e), NSS_STATUS_UNAVAIL);
	EXPECT_INT(e, ENOENT);
	EXPECT_INT(m.getpwuid(10002, &p, buffer, sizeof(buffer), &e), NSS_STATUS_UNAVAIL);
	EXPECT_INT(m.getgrnam("p-alpha", &g, buffer, sizeof(buffer), &e), NSS_STATUS_UNAVAIL);
	EXPECT_INT(m.getgrgid(10002, &g, buffer, sizeof(buffer), &e), NSS_STATUS_UNAVAIL);
	EXPECT_INT(m.initgroups("user0001", 0, &start, &size, &gids, -1, &e), NSS_STATUS_UNAVAIL);
	EXPECT_INT(m.setpwent(0), NSS_STATUS_UNAVAIL);
	EXPECT_INT(m.getpwent(&p, buffer, sizeof(buffer), &e), NSS_STATUS_UNAVAIL);
	EXPECT_INT(m.getgrent(&g, buffer, sizeof(buffer), &e), NSS_STATUS_UNAVAIL);
	EXPECT_INT(errno, 4711);
}

TEST_MAIN()
