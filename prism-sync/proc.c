/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>
#include "base/attr.h"
#include "base/io.h"
#include "base/num.h"
#include "sessions.h"

enum { TEXT_MAX = 16384 }; /* of a status with more groups than Prism gives anybody */

/* A file of a process, as text. Returns its length, at most TEXT_MAX - 1, or -errno. */
static ssize_t proc_text(const char *pid, const char *file, char out[static TEXT_MAX])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, file);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, out, TEXT_MAX - 1);

	if (n < 0)
		return -errno;
	out[n] = '\0';
	return n;
}

static ssize_t pid_text(int pid, const char *file, char out[static TEXT_MAX])
{
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	return proc_text(name, file, out);
}

/* What follows "\nKEY:" up to the end of its line, cut out of the text; NULL: there is none. */
static char *status_line(char *text, const char *key)
{
	char *at = strstr(text, key), *end = at ? strchr(at + 1, '\n') : NULL;

	if (end == NULL)
		return NULL;
	*end = '\0';
	return at + strlen(key);
}

int64_t proc_uid(int pid)
{
	char text[TEXT_MAX];
	ssize_t n = pid_text(pid, "status", text);
	uint32_t uid;

	if (n <= 0)
		return n < 0 ? n : -ESRCH;
	char *at = status_line(text, "\nUid:"), *real = at ? strsep(&at, "\t") : NULL;

	real = real != NULL && at != NULL ? strsep(&at, "\t") : NULL;
	return real == NULL || num_parse_u32(real, UINT32_MAX, &uid) < 0 ? -EBADMSG : (int64_t)uid;
}

/* ---- whose ----------------------------------------------------------------------------------- */

/* Root put it there, unless the login that it descends from was the person's own. */
static bool login_is(int pid, uint32_t uid)
{
	char text[TEXT_MAX];
	uint32_t login;

	return pid_text(pid, "loginuid", text) > 0 &&
	       num_parse_u32(text, UINT32_MAX, &login) == 0 && login == uid;
}

/*
 * Of another user namespace, which everybody can make: subordinate ids that were lent to somebody
 * come in runs. Who makes one can map their own id only by itself, or not at all.
 */
static bool in_run(char *map, uint32_t uid)
{
	for (char *line; (line = strsep(&map, "\n")) != NULL;) {
		unsigned inside, outside, count;

		if (sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 && count > 1 &&
		    uid - outside < count)
			return true;
	}
	return false;
}

bool proc_theirs(int pid, uint32_t uid)
{
	char map[TEXT_MAX], own[TEXT_MAX], status[TEXT_MAX];

	if (pid_text(pid, "uid_map", map) < 0 || proc_text("self", "uid_map", own) < 0)
		return false;
	if (strcmp(map, own) != 0)
		return !in_run(map, uid) || login_is(pid, uid);
	/* More than one number: it lies in a process namespace below this one. */
	const char *pids =
	    pid_text(pid, "status", status) > 0 ? status_line(status, "\nNSpid:\t") : NULL;

	return pids != NULL && (strchr(pids, '\t') == NULL || login_is(pid, uid));
}

/* ---- groups ---------------------------------------------------------------------------------- */

static bool each_number(char *line, bool (*fn)(void *arg, uint32_t gid), void *arg)
{
	for (char *word; (word = strsep(&line, " \t")) != NULL;) {
		uint32_t gid;

		if (word[0] != '\0' && (num_parse_u32(word, UINT32_MAX, &gid) < 0 || !fn(arg, gid)))
			return false;
	}
	return true;
}

bool proc_groups(int pid, bool (*fn)(void *arg, uint32_t gid), void *arg)
{
	char text[TEXT_MAX];

	if (pid_text(pid, "status", text) <= 0)
		return false;
	/* The later one first: finding a line ends the text there. */
	char *groups = status_line(text, "\nGroups:"), *gids = status_line(text, "\nGid:");

	return groups != NULL && gids != NULL && each_number(groups, fn, arg) &&
	       each_number(gids, fn, arg);
}

/* ---- all, and one ---------------------------------------------------------------------------- */

void proc_each(void (*fn)(void *arg, int pid), void *arg)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	uint32_t pid;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (num_parse_u32(e->d_name, INT32_MAX, &pid) == 0 && pid > 1)
			fn(arg, (int)pid);
	if (d != NULL)
		closedir(d);
}

int proc_signal(int pid, uint32_t uid, int sig)
{
	_cleanup_close_ int fd = pidfd_open(pid, 0);

	if (fd < 0 || proc_uid(pid) != (int64_t)uid || !proc_theirs(pid, uid))
		return 0;
	return pidfd_send_signal(fd, sig, NULL, 0) == 0;
}

int proc_kill_slice(uint32_t uid)
{
	static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	int rc = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/user.slice/user-%u.slice/cgroup.kill", roots[i],
		    (unsigned)uid);
		_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

		if (fd >= 0)
			rc = io_write_full(fd, "1", 1);
	}
	return rc;
}
