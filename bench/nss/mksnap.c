/* SPDX-License-Identifier: MIT */
/*
 * mksnap DATA DIR [identity|all] [GENERATION]: publish the data of nssdata as snapshots in DIR, and
 * say what each cost: "publish KIND cpu_ms wall_ms bytes peak_kib".
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "bench/nss/data.h"
#include "snapshot/snapshot.h"

static const struct kind {
	const char *name;
	const char *file;
	enum snap_kind kind;
} kinds[] = {
    {"identity", SNAPSHOT_IDENTITY, SNAP_IDENTITY},
    {"access", SNAPSHOT_ACCESS, SNAP_ACCESS},
    {"keys", SNAPSHOT_KEYS, SNAP_KEYS},
};

static const struct snap_user *user_at(void *arg, size_t i)
{
	static const struct snap_key key = {
	    .line =
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGQw7Yf1y3ZcJm5Dk0ySx0aVw1s2nE5bq8h6t4uPzLxR "
		"someone@laptop"};
	static struct snap_grant grants[DATA_MEMBER_OF];
	static struct snap_user u;
	const struct data_user *from = &((struct data *)arg)->users[i];

	for (size_t g = 0; g < from->ngroups; g++)
		grants[g] = (struct snap_grant){
		    .project = from->groups[g], .perms = SNAP_PERM_LOGIN, .state = SNAP_ACTIVE};
	u = (struct snap_user){
	    .name = from->name,
	    .gecos = from->gecos,
	    .home = from->home,
	    .shell = from->shell,
	    .uid = from->uid,
	    .state = SNAP_ACTIVE,
	    .groups = from->groups,
	    .ngroups = from->ngroups,
	    .grants = grants,
	    .ngrants = from->ngroups,
	    .keys = &key,
	    .nkeys = 1,
	};
	return &u;
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long peak_kib(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_maxrss;
}

static void publish(const char *dir, const struct kind *k, const struct snap_source *src)
{
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd, r;
	struct stat st;
	long peak = peak_kib();

	fd = openat(dirfd, "tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		err(2, "%s/tmp", dir);
	r = snap_write(fd, k->kind, src);
	if (r == 0)
		r = snap_publish(dirfd, "tmp", k->file);
	if (r < 0)
		errx(2, "%s: %s", k->file, strerror(-r));
	fstat(fd, &st);
	printf("publish %s %.1f ms cpu, %.1f ms, %lld bytes, %ld kib more at the peak\n", k->name,
	    1e3 * (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu),
	    1e3 * (seconds(CLOCK_MONOTONIC) - wall), (long long)st.st_size, peak_kib() - peak);
	close(fd);
	close(dirfd);
}

int main(int argc, char **argv)
{
	struct data d;
	struct snap_source src = {
	    .meta = {.generation = 1,
		.issued_at = time(NULL),
		.uid_first = DATA_UID_FIRST,
		.uid_last = DATA_UID_FIRST + 1999999,
		.gid_first = DATA_GID_FIRST - 16,
		.gid_last = DATA_GID_FIRST + 999999},
	    .user = user_at,
	    .arg = &d,
	};
	struct snap_group *groups;
	struct snap_project *projects;
	size_t n = argc > 3 && strcmp(argv[3], "all") == 0 ? 3 : 1;

	if (argc < 3)
		errx(2, "usage: mksnap DATA DIR [identity|all] [GENERATION]");
	if (argc > 4)
		src.meta.generation = strtoull(argv[4], NULL, 10);
	data_load(argv[1], &d);
	groups = calloc(d.ngroups + 1, sizeof(*groups));
	projects = calloc(d.ngroups + 1, sizeof(*projects));
	if (!groups || !projects)
		err(2, "groups");
	for (size_t i = 0; i < d.ngroups; i++) {
		groups[i] = (struct snap_group){.name = d.groups[i].name, .gid = d.groups[i].gid};
		projects[i] = (struct snap_project){.slug = d.groups[i].name,
		    .name = d.groups[i].name,
		    .contact = "Dr. Chen <chen@uni.example>",
		    .state = SNAP_ACTIVE};
	}
	src.groups = groups;
	src.projects = projects;
	src.ngroups = src.nprojects = d.ngroups;
	src.nusers = d.nusers;
	for (size_t i = 0; i < n; i++)
		publish(argv[2], &kinds[i], &src);
	free(groups);
	free(projects);
	data_release(&d);
	return 0;
}
