/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SNAP_WORLD_H
#define TESTS_SNAP_WORLD_H

/*
 * People, groups and projects for tests of snapshots: "user0000" with uid 10001 and so on; groups
 * prism-users (everybody, hidden), p-alpha, p-beta-ro, then p-x0003...; group g has the users whose
 * number is a multiple of g. Fields may be changed before it is written.
 */
#include <errno.h>
#include <sys/stat.h>
#include "snapshot/format.h"
#include "snapshot/snapshot.h"
#include "test.h"

#define WORLD_UID 10001u
#define WORLD_GID 2000000u

struct world_user {
	struct snap_user u;
	char name[40], gecos[64], home[80];
	uint32_t groups[600];
	struct snap_grant grants[2];
	struct snap_key keys[2];
};

struct world {
	struct snap_source src;
	struct world_user *users;
	struct snap_group *groups;
	char (*group_names)[40];
	struct snap_project projects[2];
};

__attribute__((unused)) static const struct snap_user *world_user(void *arg, size_t i)
{
	return &((struct world *)arg)->users[i].u;
}

static inline void world_make_user(struct world *w, size_t i, size_t ngroups)
{
	struct world_user *u = &w->users[i];

	snprintf(u->name, sizeof(u->name), "user%04zu", i);
	snprintf(u->gecos, sizeof(u->gecos), "User No. %zu", i);
	snprintf(u->home, sizeof(u->home), "/efs/home/%s", u->name);
	u->grants[0] = (struct snap_grant){
	    .project = i % 2, .perms = SNAP_PERM_LOGIN, .state = SNAP_ACTIVE, .not_after = 5000};
	u->grants[1] = (struct snap_grant){.project = (i + 1) % 2,
	    .perms = SNAP_PERM_LOGIN | SNAP_PERM_SUDO,
	    .state = SNAP_SUSPENDED,
	    .ended_at = 77,
	    .sso_at = 99};
	u->keys[0] = (struct snap_key){"ssh-ed25519 AAAAfirst one", 0};
	u->keys[1] = (struct snap_key){"ssh-ed25519 AAAAsecond two", 1234};
	u->u = (struct snap_user){
	    .name = u->name,
	    .gecos = u->gecos,
	    .home = u->home,
	    .shell = "/bin/bash",
	    /* Over the ids that nobody may have. */
	    .uid = WORLD_UID + (uint32_t)i + (i < 49000 ? 0 : 10000),
	    .state = SNAP_ACTIVE,
	    .groups = u->groups,
	    .grants = u->grants,
	    .ngrants = 1 + i % 2,
	    .keys = u->keys,
	    .nkeys = i % 3,
	};
	for (uint32_t g = 0; g < ngroups && u->u.ngroups < 600; g++)
		if (g == 0 || i % g == 0)
			u->groups[u->u.ngroups++] = g;
}

__attribute__((unused)) static struct world *world_new(size_t nusers, size_t ngroups)
{
	static const char *const first[] = {"prism-users", "p-alpha", "p-beta-ro"};
	struct world *w = calloc(1, sizeof(*w));

	w->users = calloc(nusers + 1, sizeof(*w->users));
	w->groups = calloc(ngroups + 1, sizeof(*w->groups));
	w->group_names = calloc(ngroups + 1, sizeof(*w->group_names));
	for (size_t g = 0; g < ngroups; g++) {
		if (g < 3)
			snprintf(w->group_names[g], 40, "%s", first[g]);
		else
			snprintf(w->group_names[g], 40, "p-x%04zu", g);
		w->groups[g] = (struct snap_group){.name = w->group_names[g],
		    .gid = WORLD_GID + (uint32_t)g,
		    .hide_members = g == 0};
	}
	for (size_t i = 0; i < nusers; i++)
		world_make_user(w, i, ngroups);
	w->projects[0] =
	    (struct snap_project){"alpha", "Alpha Lab", "Dr. A <a@x.org>", SNAP_ACTIVE, 0};
	w->projects[1] = (struct snap_project){"beta", "Beta", "", SNAP_SUSPENDED, 3600};
	w->src = (struct snap_source){
	    .meta = {.generation = 1,
		.issued_at = 1000,
		.valid_until = 2000,
		.uid_first = 10001,
		.uid_last = 1999999,
		.gid_first = WORLD_GID,
		.gid_last = 2999999},
	    .projects = w->projects,
	    .nprojects = 2,
	    .groups = w->groups,
	    .ngroups = ngroups,
	    .nusers = nusers,
	    .user = world_user,
	    .arg = w,
	};
	return w;
}

__attribute__((unused)) static void world_free(struct world *w)
{
	free(w->users);
	free(w->groups);
	free(w->group_names);
	free(w);
}

/* Write one kind to a new file. 0 or -errno, as snap_write(). */
__attribute__((unused)) static int world_write(
    const struct world *w, enum snap_kind kind, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), r;

	if (fd < 0)
		return -errno;
	r = snap_write(fd, kind, &w->src);
	close(fd);
	return r;
}

/* Publish the identity snapshot of this generation in a folder, which is made if need be. */
__attribute__((unused)) static int world_publish(
    struct world *w, const char *dir, uint64_t generation)
{
	char path[256];
	int dirfd, r;

	mkdir(dir, 0755);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	w->src.meta.generation = generation;
	snprintf(path, sizeof(path), "%s/tmp", dir);
	r = world_write(w, SNAP_IDENTITY, path);
	if (r == 0)
		r = snap_publish(dirfd, "tmp", SNAPSHOT_IDENTITY);
	close(dirfd);
	return r;
}

/* A whole file in memory, for a test to damage. */
struct image {
	uint8_t *p;
	size_t n;
};

__attribute__((unused)) static struct image image_read(const char *path)
{
	struct image i = {0};
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		abort();
	i.n = (size_t)st.st_size;
	i.p = malloc(i.n + 1);
	if (!i.p || read(fd, i.p, i.n) != (ssize_t)i.n)
		abort();
	close(fd);
	return i;
}

__attribute__((unused)) static void image_write(const struct image *i, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, i->p, i->n) != (ssize_t)i->n)
		abort();
	close(fd);
}

/* Make the header's checksums right again, as an attacker who can write the file would. */
__attribute__((unused)) static void image_seal(struct image *i)
{
	struct snap_header *h = (struct snap_header *)i->p;

	h->body_sum = snap_sum(h->generation, i->p + SNAP_HEADER_SIZE, i->n - SNAP_HEADER_SIZE);
	h->header_sum = snap_sum(h->kind, h, offsetof(struct snap_header, header_sum));
}

#endif
