/* SPDX-License-Identifier: MIT */
/*
 * efs BACKING MOUNTPOINT [-o root_squash|no_root_squash,delay_ms=N]: what a host of the lab sees as
 * its EFS mount. One instance for each host, all over one backing directory.
 *
 * As on NFS with AUTH_SYS, the "server" decides: every request is made with the caller's uid, gid
 * and first 16 groups, and a capability that the caller has on its own host means nothing here.
 * With root_squash (the default) uid 0 arrives as 65534. Unlike a local file system it knows no
 * rename flags, no ACL and no extended attribute. SIGSTOP is a hung server, SIGKILL a dead one.
 * It stays in the foreground, and wants to be started with umask 0: callers' masks are applied
 * by the kernel.
 */
#define FUSE_USE_VERSION 35
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY	    65534u
#define GROUPS_WIRE 16 /* RFC 5531: AUTH_SYS carries no more */
#define GROUPS_MAX  1024

struct options {
	int root_squash;
	int delay_ms;
};

static struct options options = {.root_squash = 1};
static int backing = -1;

static const struct fuse_opt option_table[] = {
    {"root_squash", offsetof(struct options, root_squash), 1},
    {"no_root_squash", offsetof(struct options, root_squash), 0},
    {"delay_ms=%d", offsetof(struct options, delay_ms), 0},
    FUSE_OPT_END,
};

/*
 * Take on the caller's identity in this thread alone: the libc's setgroups() would change them all.
 * Returns the path relative to the backing directory.
 */
static const char *become_caller(const char *path)
{
	const struct fuse_context *context = fuse_get_context();
	gid_t groups[GROUPS_MAX], gid = context->gid;
	uid_t uid = context->uid;
	int count = fuse_getgroups(GROUPS_MAX, groups);

	if (options.delay_ms > 0)
		usleep((useconds_t)options.delay_ms * 1000);
	if (count < 0)
		count = 0;
	if (count > GROUPS_WIRE)
		count = GROUPS_WIRE;
	if (options.root_squash && uid == 0) {
		uid = gid = NOBODY;
		count = 0;
	}
	setfsuid(0);
	if (syscall(SYS_setgroups, (size_t)count, groups) < 0)
		uid = gid = NOBODY;
	setfsgid(gid);
	setfsuid(uid);
	return path && path[1] ? path + 1 : ".";
}

static int result_of(int rc)
{
	return rc < 0 ? -errno : 0;
}

static int efs_getattr(const char *path, struct stat *ret, struct fuse_file_info *file)
{
	path = become_caller(path);
	if (file)
		return result_of(fstat((int)file->fh, ret));
	return result_of(fstatat(backing, path, ret, AT_SYMLINK_NOFOLLOW));
}

static int efs_access(const char *path, int mode)
{
	path = become_caller(path);
	return result_of((int)syscall(SYS_faccessat2, backing, path, mode, AT_EACCESS));
}

static int efs_readlink(const char *path, char *buf, size_t size)
{
	ssize_t n;

	path = become_caller(path);
	n = readlinkat(backing, path, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

static int efs_mknod(const char *path, mode_t mode, dev_t dev)
{
	path = become_caller(path);
	return result_of(mknodat(backing, path, mode, dev));
}

static int efs_mkdir(const char *path, mode_t mode)
{
	path = become_caller(path);
	return result_of(mkdirat(backing, path, mode));
}

static int efs_unlink(const char *path)
{
	path = become_caller(path);
	return result_of(unlinkat(backing, path, 0));
}

static int efs_rmdir(const char *path)
{
	path = become_caller(path);
	return result_of(unlinkat(backing, path, AT_REMOVEDIR));
}

static int efs_symlink(const char *target, const char *path)
{
	path = become_caller(path);
	return result_of(symlinkat(target, backing, path));
}

static int efs_rename(const char *from, const char *to, unsigned int flags)
{
	if (flags)
		return -EINVAL;
	from = become_caller(from);
	return result_of(renameat(backing, from, backing, to + 1));
}

static int efs_link(const char *from, const char *to)
{
	from = become_caller(from);
	return result_of(linkat(backing, from, backing, to + 1, 0));
}

static int efs_chmod(const char *path, mode_t mode, struct fuse_file_info *file)
{
	path = become_caller(path);
	if (file)
		return result_of(fchmod((int)file->fh, mode));
	return result_of(fchmodat(backing, path, mode, 0));
}

static int efs_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *file)
{
	path = become_caller(path);
	if (file)
		return result_of(fchown((int)file->fh, uid, gid));
	return result_of(fchownat(backing, path, uid, gid, AT_SYMLINK_NOFOLLOW));
}

static int efs_truncate(const char *path, off_t size, struct fuse_file_info *file)
{
	int fd, rc;

	path = become_caller(path);
	if (file)
		return result_of(ftruncate((int)file->fh, size));
	fd = openat(backing, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = result_of(ftruncate(fd, size));
	close(fd);
	return rc;
}

static int efs_utimens(
    const char *path, const struct timespec times[2], struct fuse_file_info *file)
{
	path = become_caller(path);
	if (file)
		return result_of(futimens((int)file->fh, times));
	return result_of(utimensat(backing, path, times, AT_SYMLINK_NOFOLLOW));
}

static int open_as_caller(const char *path, int flags, mode_t mode, struct fuse_file_info *file)
{
	int fd;

	path = become_caller(path);
	fd = openat(backing, path, flags | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	file->fh = (uint64_t)fd;
	return 0;
}

static int efs_open(const char *path, struct fuse_file_info *file)
{
	return open_as_caller(path, file->flags, 0, file);
}

static int efs_create(const char *path, mode_t mode, struct fuse_file_info *file)
{
	return open_as_caller(path, file->flags | O_CREAT, mode, file);
}

static int efs_read(const char *path, char *buf, size_t size, off_t at, struct fuse_file_info *file)
{
	ssize_t n = pread((int)file->fh, buf, size, at);

	return n < 0 ? -errno : (int)n;
}

static int efs_write(
    const char *path, const char *buf, size_t size, off_t at, struct fuse_file_info *file)
{
	ssize_t n = pwrite((int)file->fh, buf, size, at);

	return n < 0 ? -errno : (int)n;
}

static int efs_statfs(const char *path, struct statvfs *ret)
{
	return result_of(fstatvfs(backing, ret));
}

static int efs_release(const char *path, struct fuse_file_info *file)
{
	close((int)file->fh);
	return 0;
}

static int efs_fsync(const char *path, int data_only, struct fuse_file_info *file)
{
	return result_of(data_only ? fdatasync((int)file->fh) : fsync((int)file->fh));
}

static int efs_flock(const char *path, struct fuse_file_info *file, int operation)
{
	return result_of(flock((int)file->fh, operation));
}

static int efs_lock(const char *path, struct fuse_file_info *file, int command, struct flock *lock)
{
	int open_file_command = F_OFD_SETLKW;

	if (command == F_GETLK)
		open_file_command = F_OFD_GETLK;
	else if (command == F_SETLK)
		open_file_command = F_OFD_SETLK;
	lock->l_pid = 0;
	return result_of(fcntl((int)file->fh, open_file_command, lock));
}

static int efs_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t offset,
    struct fuse_file_info *file, enum fuse_readdir_flags flags)
{
	const struct dirent *entry;
	DIR *dir;
	int fd;

	path = become_caller(path);
	fd = openat(backing, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir))) {
		struct stat st = {.st_ino = entry->d_ino, .st_mode = DTTOIF(entry->d_type)};

		if (fill(buf, entry->d_name, &st, 0, 0))
			break;
	}
	closedir(dir);
	return 0;
}

/* Two hosts must see each other's changes at once: nothing is cached. */
static void *efs_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
	config->use_ino = 1;
	config->attr_timeout = 0;
	config->entry_timeout = 0;
	config->negative_timeout = 0;
	return NULL;
}

static const struct fuse_operations operations = {
    .init = efs_init,
    .getattr = efs_getattr,
    .access = efs_access,
    .readlink = efs_readlink,
    .mknod = efs_mknod,
    .mkdir = efs_mkdir,
    .unlink = efs_unlink,
    .rmdir = efs_rmdir,
    .symlink = efs_symlink,
    .rename = efs_rename,
    .link = efs_link,
    .chmod = efs_chmod,
    .chown = efs_chown,
    .truncate = efs_truncate,
    .utimens = efs_utimens,
    .open = efs_open,
    .create = efs_create,
    .read = efs_read,
    .write = efs_write,
    .statfs = efs_statfs,
    .release = efs_release,
    .fsync = efs_fsync,
    .flock = efs_flock,
    .lock = efs_lock,
    .readdir = efs_readdir,
};

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int i, rc;

	if (argc < 3) {
		fprintf(stderr, "usage: efs BACKING MOUNTPOINT [-o OPTIONS]\n");
		return 2;
	}
	backing = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (backing < 0) {
		fprintf(stderr, "efs: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	fuse_opt_add_arg(&args, argv[0]);
	for (i = 2; i < argc; i++)
		fuse_opt_add_arg(&args, argv[i]);
	fuse_opt_add_arg(&args, "-f");
	fuse_opt_add_arg(&args, "-oallow_other,fsname=efs,subtype=efs");
	if (fuse_opt_parse(&args, &options, option_table, NULL) < 0)
		return 2;
	rc = fuse_main(args.argc, args.argv, &operations, NULL);
	fuse_opt_free_args(&args);
	return rc;
}
