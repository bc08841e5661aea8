/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/encode.h"
#include "base/io.h"
#include "base/secret.h"

#define READ_STEP 65536

int io_read_full(int fd, void *p, size_t n)
{
	uint8_t *at = p;

	while (n > 0) {
		ssize_t got = read(fd, at, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

int io_write_full(int fd, const void *p, size_t n)
{
	const uint8_t *at = p;

	while (n > 0) {
		ssize_t put = write(fd, at, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		at += put;
		n -= (size_t)put;
	}
	return 0;
}

/* Asks for one byte more than may come, so that a file that is too long is noticed. */
static int read_all(int fd, struct buf *out)
{
	for (;;) {
		size_t room = out->max - out->len;
		size_t want = room < READ_STEP ? room : READ_STEP;
		uint8_t spare;
		uint8_t *to = want ? buf_extend(out, want) : &spare;

		if (!to)
			return buf_error(out);
		ssize_t got = read(fd, to, want ? want : 1);

		if (want) {
			out->len -= want - (got > 0 ? (size_t)got : 0);
			out->data[out->len] = '\0';
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return 0;
		if (!want)
			return out->error = -EMSGSIZE;
	}
}

static int open_regular(const char *path, struct stat *st)
{
	/* O_NONBLOCK: a fifo in the file's place must not hang the opener. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

int io_read_file(const char *path, struct buf *out)
{
	struct stat st;
	_cleanup_close_ int fd = open_regular(path, &st);

	return fd < 0 ? fd : read_all(fd, out);
}

int io_read_private(const char *path, uid_t owner, mode_t forbidden, struct buf *out)
{
	struct stat st;
	_cleanup_close_ int fd = open_regular(path, &st);

	if (fd < 0)
		return fd;
	if ((st.st_uid != owner && st.st_uid != 0) || (st.st_mode & forbidden))
		return -EPERM;
	return read_all(fd, out);
}

/* Splits "dir/name": opens dir, points *name at the rest. */
static int open_parent(const char *path, const char **ret_name)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	if (n >= sizeof(dir))
		return -ENAMETOOLONG;
	if (slash && n > 0)
		memcpy(dir, path, n);
	else
		dir[n++] = slash ? '/' : '.';
	dir[n] = '\0';
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_name = slash ? slash + 1 : path;
	return fd;
}

static int sync_dir(int dirfd)
{
	_cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int io_sync_parent(const char *path)
{
	const char *name;
	_cleanup_close_ int dir = open_parent(path, &name);

	return dir < 0 ? dir : sync_dir(dir);
}

static int fill_file(int fd, const void *p, size_t n, mode_t mode, uid_t uid, gid_t gid)
{
	int r = io_write_full(fd, p, n);

	if (r < 0)
		return r;
	if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) < 0)
		return -errno;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int io_replace_file(const char *path, const void *p, size_t n, mode_t mode, uid_t uid, gid_t gid)
{
	uint8_t random[8];
	char suffix[HEX_LEN(8) + 1], tmp[NAME_MAX + 1];
	const char *name;
	_cleanup_close_ int dir = open_parent(path, &name);
	int r = dir < 0 ? dir : secret_random(random, sizeof(random));

	if (r < 0)
		return r;
	hex_encode(random, sizeof(random), suffix);
	if ((size_t)snprintf(tmp, sizeof(tmp), ".%s.%s", name, suffix) >= sizeof(tmp))
		return -ENAMETOOLONG;
	_cleanup_close_ int fd =
	    openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	r = fill_file(fd, p, n, mode, uid, gid);
	if (r == 0 && renameat(dir, tmp, dir, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dir, tmp, 0);
		return r;
	}
	return sync_dir(dir);
}

int io_make_dirs(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		char c = part[i];

		part[i] = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return -errno;
		part[i] = c;
	}
	return 0;
}
