/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/attr.h"
#include "base/io.h"
#include "fault.h"
#include "home.h"

enum { DEPTH_MAX = 16, ENTRIES_MAX = 4096, COPY_STEP = 65536 };
#define BYTES_MAX (64u << 20)

struct copy {
	uint32_t uid, gid;
	size_t entries, bytes;
	unsigned depth;
};

static void closedirp(DIR **d)
{
	if (*d != NULL)
		closedir(*d);
}
#define _cleanup_dir_ _cleanup_(closedirp)

/* A stream of its own over a folder that stays open: reads from its beginning. */
static DIR *list(int fd)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = again >= 0 ? fdopendir(again) : NULL;

	if (d == NULL && again >= 0)
		close(again);
	return d;
}

static bool dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int copy_bytes(int from, int to, struct copy *c)
{
	char block[COPY_STEP];

	for (;;) {
		ssize_t n = read(from, block, sizeof(block));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		c->bytes += (size_t)n;
		if (c->bytes > BYTES_MAX)
			return -EFBIG;
		int rc = io_write_full(to, block, (size_t)n);

		if (rc < 0)
			return rc;
	}
}

static int copy_file(int from_dir, int to_dir, const char *name, struct copy *c)
{
	struct stat st;
	_cleanup_close_ int from =
	    openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	_cleanup_close_ int to =
	    openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (to < 0)
		return -errno;
	int rc = copy_bytes(from, to, c);

	if (rc < 0)
		return rc;
	/* No set-id bits: chown() would drop them, and a skeleton has no business with them. */
	if (fchown(to, c->uid, c->gid) < 0 || fchmod(to, st.st_mode & 0777) < 0 || fsync(to) < 0)
		return -errno;
	return 0;
}

static int copy_link(int from_dir, int to_dir, const char *name, const struct copy *c)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (symlinkat(target, to_dir, name) < 0 ||
	    fchownat(to_dir, name, c->uid, c->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int copy_dir(int from, int to, struct copy *c);

static int copy_subdir(int from_dir, int to_dir, const char *name, struct copy *c)
{
	struct stat st;
	_cleanup_close_ int from =
	    openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (from < 0 || fstat(from, &st) < 0 || mkdirat(to_dir, name, 0700) < 0)
		return -errno;
	_cleanup_close_ int to =
	    openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (to < 0)
		return -errno;
	c->depth++;
	int rc = c->depth > DEPTH_MAX ? -ELOOP : copy_dir(from, to, c);

	c->depth--;
	if (rc < 0)
		return rc;
	if (fchown(to, c->uid, c->gid) < 0 || fchmod(to, st.st_mode & 0777) < 0)
		return -errno;
	return 0;
}

static int copy_entry(int from, int to, const char *name, struct copy *c)
{
	struct stat st;

	if (++c->entries > ENTRIES_MAX)
		return -EMLINK;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	fault_point("home.copy");
	if (S_ISDIR(st.st_mode))
		return copy_subdir(from, to, name, c);
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to, name, c);
	return S_ISREG(st.st_mode) ? copy_file(from, to, name, c) : 0;
}

static int copy_dir(int from, int to, struct copy *c)
{
	_cleanup_dir_ DIR *d = list(from);
	struct dirent *e;
	int rc = 0;

	if (d == NULL)
		return -errno;
	while (rc == 0 && (e = readdir(d)) != NULL)
		if (!dots(e->d_name))
			rc = copy_entry(from, to, e->d_name, c);
	return rc;
}

int tree_copy(const char *skel, int to, uint32_t uid, uint32_t gid)
{
	struct copy c = {.uid = uid, .gid = gid};
	_cleanup_close_ int from = open(skel, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (from < 0)
		return errno == ENOENT ? 0 : -errno;
	return copy_dir(from, to, &c);
}

static int remove_contents(int fd, dev_t dev, unsigned depth)
{
	_cleanup_dir_ DIR *d = list(fd);
	struct dirent *e;
	struct stat st;
	int rc = 0;

	if (d == NULL)
		return -errno;
	while (rc == 0 && (e = readdir(d)) != NULL) {
		if (dots(e->d_name))
			continue;
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		bool dir = S_ISDIR(st.st_mode);

		if (dir && (st.st_dev != dev || depth == 0))
			return -EXDEV;
		_cleanup_close_ int sub =
		    dir ? openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
			: -1;

		if (dir)
			rc = sub < 0 ? -errno : remove_contents(sub, dev, depth - 1);
		if (rc == 0 && unlinkat(fd, e->d_name, dir ? AT_REMOVEDIR : 0) < 0)
			rc = -errno;
	}
	return rc;
}

int tree_remove(int dirfd, const char *name)
{
	struct stat st;
	_cleanup_close_ int fd =
	    openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	int rc = remove_contents(fd, st.st_dev, DEPTH_MAX + 1);

	if (rc < 0)
		return rc;
	return unlinkat(dirfd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}
