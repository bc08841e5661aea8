/* SPDX-License-Identifier: MIT */
#ifndef WORLD_H
#define WORLD_H

/*
 * A small world for tests: people, projects and grants by name, written as real snapshots.
 *
 *	static struct world w;
 *
 *	world_init(&w);
 *	struct world_person *alice = world_person(&w, "alice", 10001);
 *	world_grant(alice, world_project(&w, "genomics-lab", "Dr. Chen <chen@uni.edu>"));
 *	world_write(&w, dir, SNAP_ACCESS);
 *
 * A grant begins active, with hosts:login, without an end; change it before writing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/name.h"
#include "snapshot/snapshot.h"
#include "test.h"

#define WORLD_PEOPLE   64
#define WORLD_PROJECTS 16
#define WORLD_GRANTS   16
#define WORLD_KEYS     8

struct world_person {
	struct snap_user user;
	struct snap_grant grants[WORLD_GRANTS];
	struct snap_key keys[WORLD_KEYS];
	char home[64];
};

struct world {
	struct snap_meta meta;
	struct snap_project projects[WORLD_PROJECTS];
	size_t nprojects;
	struct world_person people[WORLD_PEOPLE];
	size_t npeople;
};

__attribute__((unused)) static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->meta.generation = 1;
	w->meta.uid_first = UID_FIRST;
	w->meta.uid_last = UID_LAST;
	w->meta.gid_first = GID_FIRST;
	w->meta.gid_last = GID_LAST;
}

__attribute__((unused)) static uint32_t world_project(
    struct world *w, const char *slug, const char *contact)
{
	w->projects[w->nprojects] = (struct snap_project){
	    .slug = slug, .name = slug, .contact = contact, .state = SNAP_ACTIVE};
	return (uint32_t)w->nprojects++;
}

__attribute__((unused)) static struct world_person *world_person(
    struct world *w, const char *name, uint32_t uid)
{
	struct world_person *p = &w->people[w->npeople++];

	memset(p, 0, sizeof(*p));
	snprintf(p->home, sizeof(p->home), "/efs/home/%s", name);
	p->user = (struct snap_user){.name = name,
	    .gecos = name,
	    .home = p->home,
	    .shell = "/bin/bash",
	    .uid = uid,
	    .state = SNAP_ACTIVE,
	    .grants = p->grants,
	    .keys = p->keys};
	return p;
}

__attribute__((unused)) static struct snap_grant *world_grant(
    struct world_person *p, uint32_t project)
{
	struct snap_grant *g = &p->grants[p->user.ngrants++];

	*g =
	    (struct snap_grant){.project = project, .perms = SNAP_PERM_LOGIN, .state = SNAP_ACTIVE};
	return g;
}

__attribute__((unused)) static void world_key(
    struct world_person *p, const char *line, int64_t not_after)
{
	p->keys[p->user.nkeys++] = (struct snap_key){.line = line, .not_after = not_after};
}

static inline const struct snap_user *world_user(void *arg, size_t i)
{
	return &((struct world *)arg)->people[i].user;
}

/* Under the file name that this kind has. Returns 0 or -errno. */
__attribute__((unused)) static int world_write(
    struct world *w, const char *dir, enum snap_kind kind)
{
	static const char *const names[] = {[SNAP_IDENTITY] = SNAPSHOT_IDENTITY,
	    [SNAP_ACCESS] = SNAPSHOT_ACCESS,
	    [SNAP_KEYS] = SNAPSHOT_KEYS};
	const struct snap_source src = {.meta = w->meta,
	    .projects = w->projects,
	    .nprojects = w->nprojects,
	    .nusers = w->npeople,
	    .user = world_user,
	    .arg = w};
	char path[256];
	int fd, r;

	snprintf(path, sizeof(path), "%s/%s", dir, names[kind]);
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
	    kind == SNAP_IDENTITY ? 0644
	    : kind == SNAP_ACCESS ? 0600
				  : 0640);
	if (fd < 0)
		return -errno;
	r = snap_write(fd, kind, &src);
	close(fd);
	return r;
}

/* The same, opened for reading; ends the test on failure. */
__attribute__((unused)) static void world_open(
    struct world *w, enum snap_kind kind, struct snap *ret)
{
	char path[256];

	EXPECT_INT(world_write(w, test_tmpdir(), kind), 0);
	snprintf(path, sizeof(path), "%s/%s", test_tmpdir(),
	    kind == SNAP_KEYS ? SNAPSHOT_KEYS : SNAPSHOT_ACCESS);
	EXPECT_INT(snap_open(path, kind, 0, ret), 0);
}

#endif
