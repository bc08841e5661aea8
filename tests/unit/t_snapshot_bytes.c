/* SPDX-License-Identifier: MIT */
/*
 * The bytes that the writer writes: hosts that are updated at different times read each other's
 * files, so they must not change by accident. The seed of the names' hash is the tests' own here.
 */
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include "snap_world.h"
#include "snapshot/snapshot.h"

static uint64_t seeds[16]; /* what the writer draws next */
static size_t drawn;

ssize_t getrandom(void *p, size_t n, unsigned flags)
{
	(void)flags;
	if (n != sizeof(seeds[0]))
		return -1;
	memcpy(p, &seeds[drawn++ % 16], n);
	return (ssize_t)n;
}

static void all_seeds(uint64_t seed)
{
	for (size_t i = 0; i < 16; i++)
		seeds[i] = seed;
	drawn = 0;
}

static const char *file(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", test_tmpdir(), name);
	return path;
}

/* Refused people, people in no group, a name of 32 bytes, and records larger than any buffer. */
static struct world *varied_world(size_t n, char *long_line, size_t line_len)
{
	struct world *w = world_new(n, 40);

	memset(long_line, 'k', line_len);
	long_line[line_len] = '\0';
	for (size_t i = 0; i < n; i++) {
		struct world_user *u = &w->users[i];

		if (i % 10 == 3) {
			u->u.state = SNAP_REFUSED;
			u->u.uid = (uint32_t)i % 4;
		}
		if (i % 7 == 0)
			u->u.ngroups = 0;
		if (i % 500 == 499) {
			u->keys[0] = (struct snap_key){long_line, 99};
			u->u.nkeys = 1;
		}
		if (i == 11)
			u->u.name = "a-name-of-thirty-two-bytes-in-a1";
	}
	return w;
}

static uint64_t sum_of_file(const char *path)
{
	struct image f = image_read(path);
	uint64_t sum = snap_sum(0, f.p, f.n);

	free(f.p);
	return sum;
}

TEST("D4 the bytes of each kind are those of version 1")
{
	static const struct {
		enum snap_kind kind;
		size_t nusers;
		uint64_t sum;
	} files[] = {
	    {SNAP_IDENTITY, 0, 0x8c9a1a4db32a782eull},
	    {SNAP_IDENTITY, 4000, 0xd70a0a8d0c2f2e8bull},
	    {SNAP_IDENTITY, 12000, 0x26c01f929424583aull},
	    {SNAP_ACCESS, 0, 0xfaa4d55cafc5e4deull},
	    {SNAP_ACCESS, 4000, 0xa1f258550ea7c3ccull},
	    {SNAP_ACCESS, 12000, 0xbbd264b3f6bc0c88ull},
	    {SNAP_KEYS, 0, 0xec376898e833a188ull},
	    {SNAP_KEYS, 4000, 0x5980f1608d04fc00ull},
	    {SNAP_KEYS, 12000, 0xcc839f33d21a2bebull},
	};
	static char line[400001];

	all_seeds(0x0123456789abcdefull);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct world *w = varied_world(files[i].nusers, line, sizeof(line) - 1);
		uint64_t sum;

		EXPECT_INT(world_write(w, files[i].kind, file("bytes")), 0);
		sum = sum_of_file(file("bytes"));
		if (sum != files[i].sum)
			test_fail(__FILE__, __LINE__, "kind %d, %zu users: %#llx",
			    (int)files[i].kind, files[i].nusers, (unsigned long long)sum);
		world_free(w);
	}
}

/* A source that has room for one answer only, and spoils it before the next. */
static const struct snap_user *one_at_a_time(void *arg, size_t i)
{
	static struct world_user u;

	memset(&u, 0xee, sizeof(u));
	u = ((struct world *)arg)->users[i];
	u.u.name = u.name;
	u.u.gecos = u.gecos;
	u.u.home = u.home;
	u.u.groups = u.groups;
	u.u.grants = u.grants;
	u.u.keys = u.keys;
	return &u.u;
}

TEST("D4 an answer of the source need only hold until the next one")
{
	struct world *w = world_new(1000, 20);

	all_seeds(5);
	for (enum snap_kind kind = SNAP_IDENTITY; kind <= SNAP_KEYS; kind++) {
		uint64_t want;

		w->src.user = world_user;
		EXPECT_INT(world_write(w, kind, file("all")), 0);
		want = sum_of_file(file("all"));
		w->src.user = one_at_a_time;
		EXPECT_INT(world_write(w, kind, file("one")), 0);
		EXPECT(sum_of_file(file("one")) == want);
	}
	world_free(w);
}

static int write_surveyed(const struct snap_survey *survey, enum snap_kind kind, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), r;

	r = snap_write_surveyed(fd, kind, survey);
	close(fd);
	return r;
}

TEST("D6 one survey serves all kinds, and what breaks one of them leaves the others")
{
	struct world *w = world_new(300, 5);
	struct snap_survey *sound = NULL, *broken = NULL;

	all_seeds(7);
	EXPECT_INT(snap_survey_new(&w->src, &sound), 0);
	for (enum snap_kind kind = SNAP_IDENTITY; kind <= SNAP_KEYS; kind++) {
		uint64_t alone;

		EXPECT_INT(world_write(w, kind, file("alone")), 0);
		alone = sum_of_file(file("alone"));
		EXPECT_INT(write_surveyed(sound, kind, file("surveyed")), 0);
		EXPECT(sum_of_file(file("surveyed")) == alone);
	}
	snap_survey_free(sound);
	w->users[200].u.shell = "/bin/\nbash";
	EXPECT_INT(snap_survey_new(&w->src, &broken), 0);
	EXPECT_INT(write_surveyed(broken, SNAP_IDENTITY, file("broken")), -EINVAL);
	EXPECT_INT(write_surveyed(broken, SNAP_ACCESS, file("broken")), 0);
	EXPECT_INT(write_surveyed(broken, SNAP_KEYS, file("broken")), 0);
	snap_survey_free(broken);
	world_free(w);
}

/* What was written until the disk was full must not pass for a snapshot. */
static void expect_none(struct world *w, enum snap_kind kind, uint64_t room)
{
	struct rlimit before, less;
	struct snap s;
	int r;

	EXPECT_INT(getrlimit(RLIMIT_FSIZE, &before), 0);
	less = before;
	less.rlim_cur = room;
	EXPECT_INT(setrlimit(RLIMIT_FSIZE, &less), 0);
	r = world_write(w, kind, file("cut"));
	EXPECT_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
	EXPECT_INT(r, -EFBIG);
	EXPECT_INT(snap_open(file("cut"), kind, 0, &s), -EBADMSG);
}

TEST("D6 a file that the disk has no room for is none, wherever it ends")
{
	struct world *w = world_new(4000, 20);
	void (*was)(int) = signal(SIGXFSZ, SIG_IGN);

	all_seeds(3);
	for (enum snap_kind kind = SNAP_IDENTITY; kind <= SNAP_KEYS; kind++) {
		struct image f;

		EXPECT_INT(world_write(w, kind, file("whole")), 0);
		f = image_read(file("whole"));
		free(f.p);
		for (uint64_t part = 0; part < 16; part++)
			expect_none(w, kind, f.n * part / 16);
		expect_none(w, kind, f.n - 1);
	}
	signal(SIGXFSZ, was);
	world_free(w);
}

/* Names that with this seed all want the same few of 1024 slots. */
static void crowd(struct world *w, size_t n, uint64_t seed)
{
	unsigned k = 0;

	for (size_t i = 0; i < n; k++) {
		char *name = w->users[i].name;
		int len = snprintf(name, sizeof(w->users[i].name), "crowd%u", k);

		if (snap_hash_name(seed, name, (size_t)len) % 1024 < 8)
			i++;
	}
}

TEST("D6 names that fall together with one seed are written with another")
{
	enum { PEOPLE = 300 };
	struct world *w = world_new(PEOPLE, 3);
	struct snap_header h;
	struct image f;

	crowd(w, PEOPLE, 77);
	for (enum snap_kind kind = SNAP_IDENTITY; kind <= SNAP_KEYS; kind++) {
		struct snap_subject u;
		struct snap s;

		all_seeds(77);
		EXPECT_INT(world_write(w, kind, file("crowd")), -EINVAL);
		EXPECT(drawn > 1);
		all_seeds(77);
		seeds[2] = 78;
		EXPECT_INT(world_write(w, kind, file("crowd")), 0);
		EXPECT_INT(drawn, 3);
		f = image_read(file("crowd"));
		memcpy(&h, f.p, sizeof(h));
		free(f.p);
		EXPECT_INT(h.seed, 78);
		EXPECT_INT(snap_open(file("crowd"), kind, SNAP_VERIFY, &s), 0);
		for (size_t i = 0; i < PEOPLE && kind != SNAP_IDENTITY; i++)
			EXPECT_INT(snap_subject_by_name(&s, w->users[i].name, &u), 0);
		snap_close(&s);
	}
	world_free(w);
}

TEST_MAIN()
