/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/attr.h"
#include "base/encode.h"
#include "base/io.h"
#include "base/name.h"
#include "base/secret.h"
#include "fault.h"
#include "home.h"

#define STALE_SECONDS 3600
#define SQUASHED                                                                                 \
	"root is squashed on this file system; homes can be made only by a host that mounts it " \
	"with root's rights, or by the file server's administrator"

#define say(why, ...) snprintf(why, HOME_WHY_MAX, __VA_ARGS__)

static int squashed(int rc, char *why)
{
	if (rc != -EPERM && rc != -EACCES)
		return rc;
	say(why, SQUASHED);
	return -EPERM;
}

/* ---- the place ------------------------------------------------------------------------------- */

/* No component may be a symbolic link, not even an administrator's. */
static int open_dir(const char *path)
{
	struct open_how how = {
	    .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
	    .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static bool is_mount_point(int fd)
{
	struct statx x, up;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x) < 0)
		return false;
	if (x.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
		return x.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	if (statx(fd, "..", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &up) < 0)
		return false;
	return x.stx_dev_major != up.stx_dev_major || x.stx_dev_minor != up.stx_dev_minor;
}

static int check_mounted(const struct home_site *s, char *why)
{
	_cleanup_close_ int fd = open_dir(s->mount_point);

	if (fd >= 0 && is_mount_point(fd))
		return 0;
	say(why, "the home volume is not mounted on %s", s->mount_point);
	return -ENODEV;
}

/* On a new volume the folder of the homes itself is missing: it alone is made. */
static int open_root(const struct home_site *s, char *why)
{
	struct stat st;
	int fd = open_dir(s->root);

	if (fd == -ENOENT && mkdir(s->root, 0755) == 0)
		fd = open_dir(s->root);
	if (fd < 0) {
		say(why, "%s cannot be opened: %s", s->root, strerror(-fd));
		return -ENODEV;
	}
	if (fstat(fd, &st) == 0 && (!(st.st_mode & (S_IWGRP | S_IWOTH)) || st.st_mode & S_ISVTX))
		return fd;
	close(fd);
	say(why, "%s may be written by others than root: anybody could put a home there", s->root);
	return -ENODEV;
}

/* ---- what is there already ------------------------------------------------------------------- */

/* 1: a home of the right owner; 0: nothing; -EEXIST: something else. */
static int look(int root, const struct home_owner *o, char *why)
{
	struct stat st;

	if (fstatat(root, o->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		int rc = -errno;

		say(why, "%s cannot be looked at: %s", o->home, strerror(-rc));
		return rc;
	}
	if (!S_ISDIR(st.st_mode)) {
		say(why,
		    "%s is there already and is not a directory; an administrator must look at it",
		    o->home);
		return -EEXIST;
	}
	if (st.st_uid != o->uid) {
		say(why,
		    "%s belongs to uid %u, not to %s (uid %u); an administrator must look at it",
		    o->home, (unsigned)st.st_uid, o->name, (unsigned)o->uid);
		return -EEXIST;
	}
	return 1;
}

/* ---- making one ------------------------------------------------------------------------------ */

static int write_marker(int dir, const struct home_site *s, const struct home_owner *o)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "prism-home 1\nname %s\nuid %u\ngid %u\nhost %s\n",
	    o->name, (unsigned)o->uid, (unsigned)o->gid, s->host);
	_cleanup_close_ int fd =
	    openat(dir, HOME_MARKER, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	int rc = io_write_full(fd, text, (size_t)n);

	if (rc < 0)
		return rc;
	if (fchown(fd, o->uid, o->gid) < 0 || fchmod(fd, 0444) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

/* The folder itself changes hands last, so that its owner cannot reach in while it is built. */
static int fill(int root, const char *tmp, const struct home_site *s, const struct home_owner *o)
{
	_cleanup_close_ int dir =
	    openat(root, tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (dir < 0 || fstat(dir, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid())
		return -EPERM; /* the file server has given it to somebody else: root is squashed */
	int rc = tree_copy(s->skel, dir, o->uid, o->gid);

	fault_point("home.filled");
	if (rc == 0)
		rc = write_marker(dir, s, o);
	fault_point("home.marked");
	if (rc < 0)
		return rc;
	if (fchown(dir, o->uid, o->gid) < 0 || fchmod(dir, 0700) < 0 || fsync(dir) < 0)
		return -errno;
	fault_point("home.owned");
	return 0;
}

/*
 * NFS has no RENAME_NOREPLACE. There a plain rename cannot replace a folder with anything in it,
 * nor a file or a link, so that at worst an empty folder of the moment before gives way.
 */
static int move_in(int root, const char *tmp, const char *name)
{
	struct stat st;

	if (renameat2(root, tmp, root, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return -errno;
	if (fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	if (renameat(root, tmp, root, name) == 0)
		return 0;
	return errno == ENOTEMPTY || errno == ENOTDIR ? -EEXIST : -errno;
}

static int make(int root, const struct home_site *s, const struct home_owner *o, char *why)
{
	char tmp[256], hex[17];
	uint8_t random[8];
	int rc = secret_random(random, sizeof(random));

	if (rc < 0)
		return rc;
	hex_encode(random, sizeof(random), hex);
	snprintf(tmp, sizeof(tmp), ".%s" HOME_NEW_PART "%.64s.%s", o->name, s->host, hex);
	fault_point("home.begin");
	if (mkdirat(root, tmp, 0700) < 0)
		return squashed(-errno, why);
	fault_point("home.mkdir");
	rc = fill(root, tmp, s, o);
	if (rc == 0)
		rc = move_in(root, tmp, o->name);
	fault_point("home.renamed");
	if (rc == 0)
		return fsync(root) < 0 && errno != EINVAL ? -errno : 0;
	/* Ours alone, whatever has failed: nobody else has its name. */
	int left = tree_remove(root, tmp);

	if (left < 0 && rc == -EPERM)
		unlinkat(root, tmp, AT_REMOVEDIR);
	return squashed(rc, why);
}

static bool below_root(const struct home_site *s, const struct home_owner *o)
{
	size_t n = strlen(s->root);

	return strncmp(o->home, s->root, n) == 0 && o->home[n] == '/' &&
	       strcmp(o->home + n + 1, o->name) == 0;
}

int home_ensure(
    const struct home_site *s, const struct home_owner *o, char why[static HOME_WHY_MAX])
{
	why[0] = '\0';
	if (!username_valid(o->name) || !below_root(s, o)) {
		say(why, "%s is not %s/%s: this host makes no homes elsewhere", o->home, s->root,
		    o->name);
		return -EXDEV;
	}
	int rc = s->require_mount ? check_mounted(s, why) : 0;

	if (rc < 0)
		return rc;
	int opened = open_root(s, why);

	if (opened < 0)
		return opened;
	_cleanup_close_ int root = opened;

	rc = look(root, o, why);
	if (rc == 0)
		rc = make(root, s, o, why);
	if (rc == -EEXIST && why[0] == '\0')
		rc = look(root, o, why); /* another host was faster */
	if (rc < 0 && why[0] == '\0')
		say(why, "%s cannot be made: %s", o->home, strerror(-rc));
	return rc < 0 ? rc : 0;
}

/* ---- leftovers ------------------------------------------------------------------------------- */

static void closedirp(DIR **d)
{
	if (*d != NULL)
		closedir(*d);
}

/* Root's own, of our name, and old: nobody is working on it any more. */
static bool stale(int root, const char *name, int64_t now)
{
	struct stat st;

	return name[0] == '.' && strstr(name, HOME_NEW_PART) != NULL &&
	       fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == 0 && st.st_mtime < now - STALE_SECONDS &&
	       st.st_ctime < now - STALE_SECONDS;
}

int home_sweep(const struct home_site *s, int64_t now)
{
	char why[HOME_WHY_MAX];
	struct dirent *e;
	int n = 0;

	if (s->require_mount && check_mounted(s, why) < 0)
		return -ENODEV;
	_cleanup_close_ int root = open_dir(s->root);
	int again = root >= 0 ? dup(root) : -1;
	_cleanup_(closedirp) DIR *d = again >= 0 ? fdopendir(again) : NULL;

	if (d == NULL) {
		int rc = root < 0 ? root : -errno;

		if (again >= 0)
			close(again);
		return rc;
	}
	while ((e = readdir(d)) != NULL)
		if (stale(root, e->d_name, now) && tree_remove(root, e->d_name) == 0)
			n++;
	return n;
}
