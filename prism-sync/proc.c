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

int64_t proc_uid(int pid)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	char *at = strstr(text, "\nUid:\t"), *end;

	if (at == NULL)
		return -EBADMSG;
	at += strlen("\nUid:\t");
	end = at + strspn(at, "0123456789");
	*end = '\0';
	uint32_t uid;

	return num_parse_u32(at, UINT32_MAX, &uid) < 0 ? -EBADMSG : (int64_t)uid;
}

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

	if (fd < 0 || proc_uid(pid) != (int64_t)uid)
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
