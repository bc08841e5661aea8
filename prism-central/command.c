/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/io.h"
#include "command.h"

int command_failed(const char *fmt, ...)
{
	va_list ap;

	fputs("prism-central: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EXIT_FAILED;
}

int command_usage(const char *synopsis)
{
	fprintf(stderr, "usage: prism-central [-c FILE] %s\n", synopsis);
	return EXIT_USAGE;
}

int state_owner(const struct config *cfg, uid_t *ret_uid, gid_t *ret_gid)
{
	struct stat st;

	if (stat(cfg->state_dir, &st) < 0)
		return -errno;
	*ret_uid = st.st_uid;
	*ret_gid = st.st_gid;
	return 0;
}

int state_become_owner(const struct config *cfg)
{
	uid_t uid = 0;
	gid_t gid = 0;
	int r = io_make_dirs(cfg->state_dir, 0700);

	if (r == 0)
		r = state_owner(cfg, &uid, &gid);
	if (r < 0 || geteuid() != 0 || uid == 0)
		return r;
	if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		return -errno;
	return 0;
}

int state_lock(const struct config *cfg)
{
	char path[512];
	int r = io_make_dirs(cfg->state_dir, 0700);

	if (r == 0)
		r = config_state_path(cfg, "lock", path, sizeof(path));
	if (r < 0)
		return r;
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	uid_t uid = 0;
	gid_t gid = 0;
	if (geteuid() == 0 && (state_owner(cfg, &uid, &gid) < 0 || fchown(fd, uid, gid) < 0))
		return -errno;
	r = fd;
	fd = -1;
	return r;
}

const char *state_error(int error)
{
	switch (-error) {
	case EPROTONOSUPPORT:
		return "PostgreSQL is not in this build: use sqlite:/PATH";
	case EINVAL:
		return "the database's address must be sqlite:/PATH";
	case EMEDIUMTYPE:
		return "the file is not a database of Prism";
	case EOVERFLOW:
		return "the database belongs to a later version of Prism";
	case EBADMSG:
		return "the file is damaged";
	case EWOULDBLOCK:
		return "the service is running: stop it first";
	default:
		return strerror(-error);
	}
}

int state_open_store(const struct config *cfg, struct store **ret)
{
	_cleanup_store_ struct store *s = NULL;
	int r = state_become_owner(cfg);

	if (r < 0)
		return command_failed("%s: %s", cfg->state_dir, strerror(-r));
	r = store_open(cfg->database, &s);
	if (r == 0)
		r = migrate_run(s);
	if (r < 0)
		return command_failed("%s: %s", cfg->database, state_error(r));
	*ret = TAKE_PTR(s);
	return 0;
}
