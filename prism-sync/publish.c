/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/attr.h"
#include "compile.h"
#include "fault.h"

static const struct {
	const char *name;
	enum snap_kind kind;
	mode_t mode;
} files[] = {
    {SNAPSHOT_ACCESS, SNAP_ACCESS, 0600},
    {SNAPSHOT_KEYS, SNAP_KEYS, 0640},
    {SNAPSHOT_IDENTITY, SNAP_IDENTITY, 0644},
};

void compiled_release(struct compiled *c)
{
	free(c->projects);
	free(c->groups);
	free(c->group_names);
	free(c->users);
	free(c->group_indexes);
	free(c->grants);
	free(c->keys);
	free(c->refused);
	memset(c, 0, sizeof(*c));
}

static int write_one(
    int dirfd, const char *tmp, size_t i, const struct snap_survey *survey, int64_t gid)
{
	if (unlinkat(dirfd, tmp, 0) < 0 && errno != ENOENT)
		return -errno;
	_cleanup_close_ int fd =
	    openat(dirfd, tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	fault_point("publish.created");
	int rc = snap_write_surveyed(fd, files[i].kind, survey);

	if (rc < 0)
		return rc;
	fault_point("publish.written");
	mode_t mode = files[i].mode;

	if (files[i].kind == SNAP_KEYS && (gid < 0 || fchown(fd, (uid_t)-1, (gid_t)gid) < 0))
		mode = 0600;
	return fchmod(fd, mode) < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int publish_one(int dirfd, size_t i, const struct snap_survey *survey, int64_t keys_gid)
{
	char tmp[64];

	snprintf(tmp, sizeof(tmp), ".%s.new", files[i].name);
	int rc = write_one(dirfd, tmp, i, survey, keys_gid);

	fault_point("publish.complete");
	if (rc == 0)
		rc = snap_publish(dirfd, tmp, files[i].name);
	if (rc < 0)
		unlinkat(dirfd, tmp, 0);
	return rc;
}

static void survey_freep(struct snap_survey **s)
{
	snap_survey_free(*s);
}

int compiled_publish(
    const struct compiled *c, const char *dir, int64_t keys_gid, uint64_t *identity)
{
	_cleanup_(survey_freep) struct snap_survey *survey = NULL;
	_cleanup_close_ int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (dirfd < 0)
		return -errno;
	int rc = snap_survey_new(&c->source, &survey);

	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(files); i++) {
		if (files[i].kind == SNAP_IDENTITY && *identity == c->identity)
			continue;
		rc = publish_one(dirfd, i, survey, keys_gid);
		if (rc == 0)
			fault_point("publish.renamed");
	}
	if (rc == 0)
		*identity = c->identity;
	return rc;
}

int compiled_recover(const char *dir, uint64_t *ret_generation)
{
	_cleanup_close_ int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	uint64_t newest = 0;

	if (dirfd < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[600];
		struct snap s;
		struct snap_meta meta;
		int rc = snap_publish_recover(dirfd, files[i].name);

		if (rc < 0 && rc != -ENOENT)
			return rc;
		snprintf(path, sizeof(path), "%s/%s", dir, files[i].name);
		if (snap_open(path, files[i].kind, 0, &s) < 0)
			continue;
		snap_meta(&s, &meta);
		if (meta.generation > newest)
			newest = meta.generation;
		snap_close(&s);
	}
	*ret_generation = newest;
	return 0;
}
