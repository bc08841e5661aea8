/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "format.h"
#include "publish.h"
#include "snapshot.h"

#define ASIDE_SUFFIX ".old"
#define ASIDE_MAX    256

/* Overridden by a test that dies here. */
__attribute__((weak)) void publish_step(enum publish_step step)
{
	(void)step;
}

static int aside_name(const char *name, char out[static ASIDE_MAX])
{
	int n = snprintf(out, ASIDE_MAX, ".%s" ASIDE_SUFFIX, name);

	return n < 0 || n >= ASIDE_MAX ? -ENAMETOOLONG : 0;
}

/* Open for marking. -ENOENT, -EBADMSG (no snapshot: nobody can have it mapped) or another -errno.
 */
static int open_snapshot(int dirfd, const char *name)
{
	char magic[sizeof(SNAP_MAGIC) - 1];
	struct stat st;
	int fd, r = 0;

	fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? -EBADMSG : -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size < SNAP_HEADER_SIZE ||
		 pread(fd, magic, sizeof(magic), 0) != (ssize_t)sizeof(magic) ||
		 memcmp(magic, SNAP_MAGIC, sizeof(magic)) != 0)
		r = -EBADMSG;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* Readers see the word through their mappings as soon as it is in the page cache. */
static int mark_superseded(int fd)
{
	const uint32_t yes = 1;

	if (pwrite(fd, &yes, sizeof(yes), SNAP_SUPERSEDED_AT) != (ssize_t)sizeof(yes))
		return errno != 0 ? -errno : -EIO;
	return 0;
}

static bool same_file(int fd, int dirfd, const char *name)
{
	struct stat a, b;

	if (fstat(fd, &a) < 0 || fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int snap_publish_recover(int dirfd, const char *name)
{
	char aside[ASIDE_MAX];
	int fd, r = aside_name(name, aside);

	if (r < 0)
		return r;
	fd = open_snapshot(dirfd, aside);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0 && fd != -EBADMSG)
		return fd;
	if (fd >= 0) {
		/* Died before the rename: what was put aside is still the published one. */
		if (!same_file(fd, dirfd, name))
			r = mark_superseded(fd);
		close(fd);
	}
	if (r == 0 && unlinkat(dirfd, aside, 0) < 0)
		r = -errno;
	return r;
}

/* Give the name back to the old file; who has already seen the new one must come back too. */
static void roll_back(int dirfd, const char *aside, const char *name, int new_fd)
{
	if (renameat(dirfd, aside, dirfd, name) == 0)
		(void)mark_superseded(new_fd);
	(void)fsync(dirfd);
}

static int replace(
    int dirfd, const char *tmpname, const char *name, const char *aside, int new_fd, int old_fd)
{
	int r = 0;

	if (old_fd >= 0) {
		if (linkat(dirfd, name, dirfd, aside, 0) < 0)
			return -errno;
		publish_step(PUBLISH_LINKED);
	}
	if (renameat(dirfd, tmpname, dirfd, name) < 0) {
		r = -errno;
		if (old_fd >= 0)
			(void)unlinkat(dirfd, aside, 0);
		return r;
	}
	publish_step(PUBLISH_RENAMED);
	if (fsync(dirfd) < 0)
		r = -errno;
	publish_step(PUBLISH_SYNCED);
	if (old_fd < 0)
		return r;
	if (r == 0)
		r = mark_superseded(old_fd);
	if (r < 0) {
		roll_back(dirfd, aside, name, new_fd);
		return r;
	}
	publish_step(PUBLISH_MARKED);
	/* If this fails the next publication's recovery does it. */
	(void)unlinkat(dirfd, aside, 0);
	publish_step(PUBLISH_DONE);
	return 0;
}

int snap_publish(int dirfd, const char *tmpname, const char *name)
{
	char aside[ASIDE_MAX];
	int new_fd, old_fd, r = aside_name(name, aside);

	if (r < 0)
		return r;
	r = snap_publish_recover(dirfd, name);
	if (r < 0)
		return r;
	new_fd = open_snapshot(dirfd, tmpname);
	if (new_fd < 0)
		return new_fd;
	old_fd = open_snapshot(dirfd, name);
	if (old_fd >= 0 || old_fd == -ENOENT || old_fd == -EBADMSG)
		r = replace(dirfd, tmpname, name, aside, new_fd, old_fd);
	else
		r = old_fd;
	if (old_fd >= 0)
		close(old_fd);
	close(new_fd);
	return r;
}
