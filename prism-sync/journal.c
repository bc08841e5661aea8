/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/encode.h"
#include "base/io.h"
#include "fault.h"
#include "journal.h"

#define NAME_MAX_ (HEX_LEN(FEED_ID_LEN) + 16)

static void journal_name(const uint8_t *id, const char *suffix, char out[static NAME_MAX_])
{
	hex_encode(id, FEED_ID_LEN, out);
	snprintf(out + HEX_LEN(FEED_ID_LEN), NAME_MAX_ - HEX_LEN(FEED_ID_LEN), "%s", suffix);
}

static int put_frame(int fd, const void *msg, size_t len)
{
	uint32_t n = htole32((uint32_t)len);
	int rc = io_write_full(fd, &n, sizeof(n));

	fault_point("journal.length");
	return rc < 0 ? rc : io_write_full(fd, msg, len);
}

int journal_append(
    int dirfd, const uint8_t id[static FEED_ID_LEN], const void *msg, size_t len, size_t *ret_size)
{
	char name[NAME_MAX_];
	struct stat st;

	journal_name(id, ".journal", name);
	_cleanup_close_ int fd = openat(dirfd, name, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	int rc = put_frame(fd, msg, len);

	fault_point("journal.append");
	if (rc == 0 && fdatasync(fd) < 0)
		rc = -errno;
	if (rc < 0) {
		/* A full disk: what follows must not stand behind half a frame. */
		if (ftruncate(fd, st.st_size) < 0)
			return -EIO;
		return rc;
	}
	*ret_size = (size_t)st.st_size + 4 + len;
	return 0;
}

static int write_beside(int dirfd, const char *tmp, const void *msg, size_t len)
{
	_cleanup_close_ int fd =
	    openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	int rc = put_frame(fd, msg, len);

	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	return rc;
}

int journal_replace(
    int dirfd, const uint8_t id[static FEED_ID_LEN], const void *msg, size_t len, size_t *ret_size)
{
	char name[NAME_MAX_], tmp[NAME_MAX_];

	journal_name(id, ".journal", name);
	journal_name(id, ".new", tmp);
	if (unlinkat(dirfd, tmp, 0) < 0 && errno != ENOENT)
		return -errno;
	int rc = write_beside(dirfd, tmp, msg, len);

	fault_point("journal.beside");
	if (rc == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
		rc = -errno;
	if (rc < 0) {
		unlinkat(dirfd, tmp, 0);
		return rc;
	}
	fault_point("journal.renamed");
	*ret_size = 4 + len;
	return fsync(dirfd) < 0 ? -errno : 0;
}

/* *ret_good is the length of what was accepted. Returns the count, or -ENOMEM: that judges nothing.
 */
static int replay(const uint8_t *p, size_t size,
    int (*accept)(void *arg, const void *msg, size_t len), void *arg, size_t *ret_good)
{
	size_t at = 0;
	int count = 0;

	while (size - at >= 4) {
		uint32_t n;

		memcpy(&n, p + at, sizeof(n));
		n = le32toh(n);
		if (n > size - at - 4)
			break;
		int rc = accept(arg, p + at + 4, n);

		if (rc == -ENOMEM)
			return rc;
		if (rc < 0)
			break;
		at += 4 + n;
		count++;
	}
	*ret_good = at;
	return count;
}

int journal_replay(int dirfd, const uint8_t id[static FEED_ID_LEN],
    int (*accept)(void *arg, const void *msg, size_t len), void *arg, size_t *ret_size)
{
	char name[NAME_MAX_];
	struct stat st;
	size_t good = 0;

	journal_name(id, ".journal", name);
	_cleanup_close_ int fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	*ret_size = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size == 0)
		return 0;
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	int count = replay(p, (size_t)st.st_size, accept, arg, &good);

	munmap(p, (size_t)st.st_size);
	if (count < 0)
		return count;
	if (good < (size_t)st.st_size && (ftruncate(fd, (off_t)good) < 0 || fsync(fd) < 0))
		return -errno;
	*ret_size = good;
	return count;
}

int journal_remove(int dirfd, const uint8_t id[static FEED_ID_LEN])
{
	char name[NAME_MAX_];

	journal_name(id, ".journal", name);
	return unlinkat(dirfd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}
