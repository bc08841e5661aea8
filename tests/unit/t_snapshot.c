/* SPDX-License-Identifier: MIT */
/* What the writer writes the reader reads; what breaks a limit is refused. */
#include "snap_world.h"
#include "snapshot/snapshot.h"

static const char *file(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", test_tmpdir(), name);
	return path;
}

static int try_write(enum snap_kind kind, const struct world *w)
{
	return world_write(w, kind, file("try"));
}

static void expect_subject(const struct snap *s, const struct world_user *want, bool keys)
{
	struct snap_subject by_name, by_uid;
	struct snap_project p;
	struct snap_grant g;
	struct snap_key k;

	EXPECT_INT(snap_subject_by_name(s, want->u.name, &by_name), 0);
	EXPECT_INT(snap_subject_by_uid(s, want->u.uid, &by_uid), 0);
	EXPECT(by_name.record_ == by_uid.record_);
	EXPECT_STR(by_name.name, want->u.name);
	EXPECT_STR(by_name.home, want->u.home);
	EXPECT_INT(by_name.uid, want->u.uid);
	EXPECT_INT(by_name.state, want->u.state);
	EXPECT_INT(by_name.ngrants, want->u.ngrants);
	EXPECT_INT(by_name.nkeys, keys ? want->u.nkeys : 0);
	for (uint32_t i = 0; i < by_name.ngrants; i++) {
		EXPECT_INT(snap_subject_grant(s, &by_name, i, &g, &p), 0);
		EXPECT_INT(g.project, want->grants[i].project);
		EXPECT_INT(g.perms, want->grants[i].perms);
		EXPECT_INT(g.state, want->grants[i].state);
		EXPECT_INT(g.not_after, want->grants[i].not_after);
		EXPECT_INT(g.ended_at, want->grants[i].ended_at);
		EXPECT_INT(g.sso_at, want->grants[i].sso_at);
		EXPECT_STR(p.slug, g.project == 0 ? "alpha" : "beta");
		EXPECT_STR(p.contact, g.project == 0 ? "Dr. A <a@x.org>" : "");
		EXPECT_INT(p.state, g.project == 0 ? SNAP_ACTIVE : SNAP_SUSPENDED);
		EXPECT_INT(p.sso_max_age, g.project == 0 ? 0 : 3600);
	}
	EXPECT_INT(snap_subject_grant(s, &by_name, by_name.ngrants, &g, &p), -EBADMSG);
	for (uint32_t i = 0; i < by_name.nkeys; i++) {
		EXPECT_INT(snap_subject_key(s, &by_name, i, &k), 0);
		EXPECT_STR(k.line, want->keys[i].line);
		EXPECT_INT(k.not_after, want->keys[i].not_after);
	}
	EXPECT_INT(snap_subject_key(s, &by_name, by_name.nkeys, &k), -EBADMSG);
}

TEST("D4 access and keys snapshots give back what was written")
{
	for (enum snap_kind kind = SNAP_ACCESS; kind <= SNAP_KEYS; kind++) {
		struct world *w = world_new(500, 3);
		struct snap_subject u;
		struct snap_meta m;
		struct snap s;

		EXPECT_INT(world_write(w, kind, file("rt")), 0);
		EXPECT_INT(snap_open(file("rt"), kind, SNAP_ROOT_OWNED | SNAP_VERIFY, &s), 0);
		snap_meta(&s, &m);
		EXPECT(memcmp(&m, &w->src.meta, sizeof(m)) == 0);
		EXPECT_INT(snap_count_users(&s), 500);
		EXPECT(!snap_superseded(&s));
		for (size_t i = 0; i < 500; i++)
			expect_subject(&s, &w->users[i], kind == SNAP_KEYS);
		EXPECT_INT(snap_subject_by_name(&s, "nobody-here", &u), -ENOENT);
		EXPECT_INT(snap_subject_by_name(&s, "user", &u), -ENOENT);
		EXPECT_INT(snap_subject_by_name(&s, "", &u), -ENOENT);
		EXPECT_INT(
		    snap_subject_by_name(&s, "a-name-that-is-longer-than-any-name-may-be", &u),
		    -ENOENT);
		EXPECT_INT(snap_subject_by_uid(&s, 0, &u), -ENOENT);
		EXPECT_INT(snap_subject_by_uid(&s, 10501, &u), -ENOENT);
		snap_close(&s);
		EXPECT(s.base == NULL);
		world_free(w);
	}
}

TEST("D4 users may come in any order, and none at all is a snapshot too")
{
	for (size_t n = 0; n < 4; n++) {
		struct world *w = world_new(n * 333, 3);
		struct snap_subject u;
		struct snap s;

		for (size_t i = 0; i < n * 333; i++)
			w->users[i].u.uid = WORLD_UID + (uint32_t)(i * 7919 % (n * 333));
		EXPECT_INT(world_write(w, SNAP_ACCESS, file("any")), 0);
		EXPECT_INT(world_write(w, SNAP_IDENTITY, file("any.id")), 0);
		EXPECT_INT(snap_open(file("any"), SNAP_ACCESS, SNAP_VERIFY, &s), 0);
		for (size_t i = 0; i < n * 333; i++) {
			EXPECT_INT(snap_subject_by_uid(&s, w->users[i].u.uid, &u), 0);
			EXPECT_STR(u.name, w->users[i].name);
		}
		snap_close(&s);
		world_free(w);
	}
}

TEST("D4 a file of another kind, or not there, or not root's, is refused")
{
	struct world *w = world_new(3, 3);
	struct snap s = {0};

	EXPECT_INT(snap_open(file("absent"), SNAP_ACCESS, 0, &s), -ENOENT);
	EXPECT_INT(world_write(w, SNAP_ACCESS, file("kind")), 0);
	EXPECT_INT(snap_open(file("kind"), SNAP_KEYS, 0, &s), -EBADMSG);
	EXPECT_INT(snap_open(test_tmpdir(), SNAP_KEYS, 0, &s), -EBADMSG);
	EXPECT_INT(snap_open("/dev/null", SNAP_KEYS, 0, &s), -EBADMSG);
	EXPECT_INT(chmod(file("kind"), 0664), 0);
	EXPECT_INT(snap_open(file("kind"), SNAP_ACCESS, SNAP_ROOT_OWNED, &s), -EPERM);
	EXPECT_INT(snap_open(file("kind"), SNAP_ACCESS, 0, &s), 0);
	snap_close(&s);
	EXPECT_INT(chmod(file("kind"), 0600), 0);
	if (chown(file("kind"), 1, 1) == 0)
		EXPECT_INT(snap_open(file("kind"), SNAP_ACCESS, SNAP_ROOT_OWNED, &s), -EPERM);
	EXPECT(s.base == NULL);
	world_free(w);
}

/* Each changes one thing; the writer must refuse, for the kinds in the mask. */
struct breakage {
	const char *what;
	void (*break_it)(struct world *w);
	unsigned kinds;
};

#define ALL	 (1u << SNAP_IDENTITY | 1u << SNAP_ACCESS | 1u << SNAP_KEYS)
#define IDENTITY (1u << SNAP_IDENTITY)
#define SUBJECTS (1u << SNAP_ACCESS | 1u << SNAP_KEYS)

static char long_text[20000];

#define BREAK(id, statement)                    \
	static void break_##id(struct world *w) \
	{                                       \
		memset(long_text, 'x', 19999);  \
		long_text[0] = '/';             \
		statement;                      \
	}

BREAK(same_name, w->users[4].u.name = "user0002")
BREAK(same_uid, w->users[4].u.uid = w->users[2].u.uid)
BREAK(uid_0, w->users[1].u.uid = 0)
BREAK(uid_system, w->users[1].u.uid = 999; w->src.meta.uid_first = 1)
BREAK(uid_nobody, w->users[1].u.uid = 65534; w->src.meta.uid_first = 1)
BREAK(uid_minus_1, w->users[1].u.uid = UINT32_MAX; w->src.meta.uid_last = UINT32_MAX)
BREAK(uid_range, w->users[1].u.uid = 2000000)
BREAK(gid_27, w->groups[1].gid = 27; w->src.meta.gid_first = 0)
BREAK(gid_range, w->groups[1].gid = 3000000)
BREAK(same_gid, w->groups[1].gid = w->groups[2].gid)
BREAK(same_group, w->groups[1].name = "p-beta-ro")
BREAK(group_as_user, w->groups[1].name = "user0003")
BREAK(gid_as_uid, w->groups[1].gid = WORLD_UID + 1; w->src.meta.gid_first = 10000)
BREAK(name_empty, w->users[1].u.name = "")
BREAK(name_long, w->users[1].u.name = "a23456789012345678901234567890123")
BREAK(name_colon, w->users[1].u.name = "a:b")
BREAK(name_newline, w->users[1].u.name = "a\nroot")
BREAK(name_slash, w->users[1].u.name = "../../etc")
BREAK(name_comma, w->users[1].u.name = "a,b")
BREAK(name_dash, w->users[1].u.name = "-rf")
BREAK(name_null, w->users[1].u.name = NULL)
BREAK(gecos_newline, w->users[1].u.gecos = "x\nroot::0:0::/:/bin/sh")
BREAK(gecos_colon, w->users[1].u.gecos = "a:b")
BREAK(home_relative, w->users[1].u.home = "home")
BREAK(entry_big, w->users[1].u.home = long_text)
BREAK(group_index, w->users[1].groups[0] = 99)
BREAK(group_order, w->users[0].groups[0] = 1; w->users[0].groups[1] = 0)
BREAK(group_twice, w->users[0].groups[1] = 0)
BREAK(project_index, w->users[1].grants[0].project = 2)
BREAK(project_text, w->projects[0].name = "a\nb")
BREAK(key_newline, w->users[1].keys[0].line = "ssh-ed25519 AAAA\nssh-ed25519 BBBB")
BREAK(key_empty, w->users[1].keys[0].line = "")

static const struct breakage breakages[] = {
    {"same name", break_same_name, ALL},
    {"same uid", break_same_uid, ALL},
    {"uid 0", break_uid_0, ALL},
    {"uid 999", break_uid_system, ALL},
    {"uid 65534", break_uid_nobody, ALL},
    {"uid -1", break_uid_minus_1, ALL},
    {"uid outside the range", break_uid_range, ALL},
    {"gid 27", break_gid_27, IDENTITY},
    {"gid outside the range", break_gid_range, IDENTITY},
    {"same gid", break_same_gid, IDENTITY},
    {"same group name", break_same_group, IDENTITY},
    {"a group like a private one", break_group_as_user, IDENTITY},
    {"a gid like a private one", break_gid_as_uid, IDENTITY},
    {"empty name", break_name_empty, ALL},
    {"name of 33", break_name_long, ALL},
    {"colon in a name", break_name_colon, ALL},
    {"newline in a name", break_name_newline, ALL},
    {"slash in a name", break_name_slash, ALL},
    {"comma in a name", break_name_comma, ALL},
    {"dash before a name", break_name_dash, ALL},
    {"no name", break_name_null, ALL},
    {"newline in gecos", break_gecos_newline, IDENTITY},
    {"colon in gecos", break_gecos_colon, IDENTITY},
    {"relative home", break_home_relative, IDENTITY},
    {"entry over 16 kB", break_entry_big, ALL},
    {"unknown group", break_group_index, IDENTITY},
    {"groups not ascending", break_group_order, IDENTITY},
    {"a group twice", break_group_twice, IDENTITY},
    {"unknown project", break_project_index, SUBJECTS},
    {"newline in a project", break_project_text, SUBJECTS},
    {"newline in a key", break_key_newline, 1u << SNAP_KEYS},
    {"empty key", break_key_empty, 1u << SNAP_KEYS},
};

TEST("D6 the writer refuses what breaks a limit: names, ids, duplicates, text, indexes")
{
	for (size_t i = 0; i < sizeof(breakages) / sizeof(breakages[0]); i++) {
		for (enum snap_kind kind = SNAP_IDENTITY; kind <= SNAP_KEYS; kind++) {
			struct world *w = world_new(6, 3);
			int want = (breakages[i].kinds >> kind & 1) != 0 ? -EINVAL : 0, got;

			EXPECT_INT(try_write(kind, w), 0);
			breakages[i].break_it(w);
			got = try_write(kind, w);
			if (got != want)
				test_fail(__FILE__, __LINE__, "%s, kind %d: %d, not %d",
				    breakages[i].what, (int)kind, got, want);
			world_free(w);
		}
	}
}

TEST("D6 a refused user is not in identity; elsewhere by name only, whatever the uid")
{
	struct world *w = world_new(10, 3);
	struct snap_subject u;
	struct snap s;

	w->users[3].u.state = SNAP_REFUSED;
	w->users[3].u.uid = 0;
	w->users[4].u.state = SNAP_REFUSED;
	w->users[4].u.uid = w->users[5].u.uid;
	EXPECT_INT(world_write(w, SNAP_ACCESS, file("ref")), 0);
	EXPECT_INT(snap_open(file("ref"), SNAP_ACCESS, SNAP_VERIFY, &s), 0);
	EXPECT_INT(snap_subject_by_name(&s, "user0003", &u), 0);
	EXPECT_INT(u.state, SNAP_REFUSED);
	EXPECT_INT(u.uid, SNAP_ID_NONE);
	EXPECT_INT(snap_subject_by_name(&s, "user0004", &u), 0);
	EXPECT_INT(u.uid, SNAP_ID_NONE);
	EXPECT_INT(snap_subject_by_uid(&s, 0, &u), -ENOENT);
	EXPECT_INT(snap_subject_by_uid(&s, w->users[5].u.uid, &u), 0);
	EXPECT_STR(u.name, "user0005");
	snap_close(&s);
	EXPECT_INT(world_write(w, SNAP_IDENTITY, file("ref")), 0);
	EXPECT_INT(snap_open(file("ref"), SNAP_IDENTITY, SNAP_VERIFY, &s), 0);
	EXPECT_INT(snap_count_users(&s), 8);
	snap_close(&s);
	world_free(w);
}

TEST("D4 an identity snapshot has no subjects")
{
	struct world *w = world_new(10, 3);
	struct snap_subject u;
	struct snap s;

	EXPECT_INT(world_write(w, SNAP_IDENTITY, file("id")), 0);
	EXPECT_INT(snap_open(file("id"), SNAP_IDENTITY, 0, &s), 0);
	EXPECT_INT(snap_subject_by_name(&s, "user0003", &u), -ENOENT);
	EXPECT_INT(snap_subject_by_uid(&s, WORLD_UID, &u), -ENOENT);
	snap_close(&s);
	world_free(w);
}

TEST("D4 a full disk is an error, not half a file")
{
	struct world *w = world_new(10, 3);
	int fd = open("/dev/full", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		SKIP("no /dev/full");
	EXPECT_INT(snap_write(fd, SNAP_ACCESS, &w->src), -ENOSPC);
	close(fd);
	world_free(w);
}

TEST_MAIN()
