/* SPDX-License-Identifier: MIT */
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/attr.h"

#define CHUNK	 8192
#define FILE_MAX (64 * 1024 * 1024)
#define DIGITS	 10

/* The decimal number at *p, ended by ':' or, where it may be the last field, by the line's end. */
static bool skip_id(const char **p, const char *end, bool may_end)
{
	const char *q = *p;

	while (q < end && *q >= '0' && *q <= '9')
		q++;
	if (q == *p || q - *p > DIGITS)
		return false;
	if (q == end)
		return may_end;
	if (*q != ':')
		return false;
	*p = q + 1;
	return true;
}

static bool line_matches(const char *line, size_t len, const char *name, size_t name_len)
{
	const char *end = line + len;
	const char *p = line + name_len + 1;

	if (len <= name_len || memcmp(line, name, name_len) != 0 || line[name_len] != ':')
		return false;
	if (memchr(line, '\0', len))
		return false;
	p = memchr(p, ':', (size_t)(end - p));
	if (!p)
		return false;
	p++;
	return skip_id(&p, end, false) && skip_id(&p, end, true);
}

/* What the file could not hold as a name, or holds with another meaning. */
static bool name_searchable(const char *name)
{
	return name[0] && !strchr("#+-", name[0]) && !strpbrk(name, ":\n");
}

static int scan(int fd, const char *name)
{
	const size_t name_len = strlen(name);
	char buf[CHUNK];
	size_t have = 0, total = 0;
	bool skipping = false;

	for (;;) {
		const ssize_t n = read(fd, buf + have, sizeof(buf) - have);
		const char *line = buf, *nl;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return !skipping && line_matches(buf, have, name, name_len) ? 0 : -ENOENT;
		total += (size_t)n;
		if (total > FILE_MAX)
			return -EFBIG;
		have += (size_t)n;
		while ((nl = memchr(line, '\n', (size_t)(buf + have - line)))) {
			if (!skipping && line_matches(line, (size_t)(nl - line), name, name_len))
				return 0;
			skipping = false;
			line = nl + 1;
		}
		have -= (size_t)(line - buf);
		memmove(buf, line, have);
		if (have < sizeof(buf))
			continue;
		/* A line longer than the buffer: its beginning has all that matters. */
		if (!skipping && line_matches(buf, have, name, name_len))
			return 0;
		skipping = true;
		have = 0;
	}
}

int local_find(const char *path, const char *name)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!name_searchable(name))
		return -ENOENT;
	/* O_NONBLOCK: whatever stands there instead of a file must not make the login wait. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno == -ENOENT ? -EIO : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EIO;
	return scan(fd, name);
}
