/* SPDX-License-Identifier: MIT */

/* Homes: made once, whole, by nobody's leave but the register's; needs root. */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <utime.h>
#include "prism-sync/fault.h"
#include "prism-sync/home.h"
#include "test.h"

#define UID 10001

static char base[128], root[160], skel[160];
static char why[HOME_WHY_MAX];
static int serial;

static struct home_site site(void)
{
	return (struct home_site){
	    .root = root, .mount_point = base, .skel = skel, .host = "h1", .require_mount = false};
}

static void put(const char *dir, const char *name, const char *text, mode_t mode)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	EXPECT(fd >= 0);
	EXPECT(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	EXPECT_INT(fchmod(fd, mode), 0);
	close(fd);
}

static void begin(void)
{
	char path[400];

	if (geteuid() != 0)
		SKIP("only root may make homes");
	snprintf(base, sizeof(base), "%s/h%d", test_tmpdir(), serial++);
	snprintf(root, sizeof(root), "%s/home", base);
	snprintf(skel, sizeof(skel), "%s/skel", base);
	EXPECT_INT(mkdir(base, 0755), 0);
	EXPECT_INT(mkdir(root, 0755), 0);
	EXPECT_INT(mkdir(skel, 0755), 0);
	put(skel, ".bashrc", "# hello\n", 0644);
	put(skel, "tool", "#!/bin/sh\n", 04755);
	snprintf(path, sizeof(path), "%s/.config", skel);
	EXPECT_INT(mkdir(path, 0750), 0);
	put(path, "inside", "x", 0600);
	snprintf(path, sizeof(path), "%s/link", skel);
	EXPECT_INT(symlink("/etc/shadow", path), 0);
}

static int ensure_as(const char *name, uint32_t uid)
{
	char home[300];
	struct home_site s = site();
	struct home_owner o = {.name = name, .home = home, .uid = uid, .gid = uid};

	snprintf(home, sizeof(home), "%s/%s", root, name);
	return home_ensure(&s, &o, why);
}

static int ensure(void)
{
	return ensure_as("alice", UID);
}

static struct stat look(const char *name)
{
	char path[400];
	struct stat st = {.st_uid = 4242};

	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (lstat(path, &st) < 0)
		st.st_mode = 0;
	return st;
}

static size_t count(const char *part)
{
	DIR *d = opendir(root);
	struct dirent *e;
	size_t n = 0;

	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.' || e->d_name[1] == 'a' ? strstr(e->d_name, part) != NULL
								: 0;
	closedir(d);
	return n;
}

static void expect_whole(void)
{
	EXPECT(S_ISDIR(look("alice").st_mode));
	EXPECT_INT(look("alice").st_mode & 07777, 0700);
	EXPECT_INT(look("alice").st_uid, UID);
	EXPECT_INT(look("alice").st_gid, UID);
	EXPECT_INT(look("alice/.bashrc").st_uid, UID);
	EXPECT_INT(look("alice/.bashrc").st_mode & 07777, 0644);
	EXPECT_INT(look("alice/tool").st_mode & 07777, 0755);
	EXPECT_INT(look("alice/.config").st_mode & 07777, 0750);
	EXPECT_INT(look("alice/.config/inside").st_uid, UID);
	EXPECT(S_ISLNK(look("alice/link").st_mode));
	EXPECT_INT(look("alice/link").st_uid, UID);
	EXPECT(S_ISREG(look("alice/" HOME_MARKER).st_mode));
}

TEST("D6 a home is made from the skeleton, whole, 0700, its owner's")
{
	begin();
	EXPECT_INT(ensure(), 0);
	expect_whole();
	EXPECT_INT(count(HOME_NEW_PART), 0);
	EXPECT_INT(ensure(), 0);
}

TEST("D6 what a skeleton's link points to is never touched")
{
	struct stat before, after;

	begin();
	EXPECT_INT(stat("/etc/shadow", &before), 0);
	EXPECT_INT(ensure(), 0);
	EXPECT_INT(stat("/etc/shadow", &after), 0);
	EXPECT(before.st_uid == after.st_uid && before.st_mode == after.st_mode);
	EXPECT(before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
	       before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

TEST("D6 an old home of the right owner is taken as it is")
{
	char path[300];

	begin();
	snprintf(path, sizeof(path), "%s/alice", root);
	EXPECT_INT(mkdir(path, 0755), 0);
	EXPECT_INT(chmod(path, 0755), 0);
	put(path, "thesis", "42", 0640);
	EXPECT_INT(chown(path, UID, UID), 0);
	EXPECT_INT(ensure(), 0);
	EXPECT_INT(look("alice").st_mode & 07777, 0755);
	EXPECT_INT(look("alice/thesis").st_uid, 0);
	EXPECT(look("alice/" HOME_MARKER).st_mode == 0);
	EXPECT(look("alice/.bashrc").st_mode == 0);
}

TEST("D6 a folder of another owner is refused with a sentence and not changed")
{
	char path[300];

	begin();
	snprintf(path, sizeof(path), "%s/alice", root);
	EXPECT_INT(mkdir(path, 0700), 0);
	EXPECT_INT(chown(path, 10077, 10077), 0);
	struct stat before = look("alice");

	EXPECT_INT(ensure(), -EEXIST);
	EXPECT_HAS(why, "belongs to uid 10077");
	EXPECT_INT(look("alice").st_uid, 10077);
	EXPECT_INT(look("alice").st_ctim.tv_nsec, before.st_ctim.tv_nsec);
}

TEST("D6 a symbolic link or a file in the home's place is refused, and not followed")
{
	char path[300], target[300];

	begin();
	snprintf(path, sizeof(path), "%s/alice", root);
	snprintf(target, sizeof(target), "%s/target", base);
	EXPECT_INT(mkdir(target, 0755), 0);
	EXPECT_INT(symlink(target, path), 0);
	EXPECT_INT(ensure(), -EEXIST);
	EXPECT_HAS(why, "is not a directory");
	struct stat st;

	EXPECT_INT(stat(target, &st), 0);
	EXPECT_INT(st.st_uid, 0);
	EXPECT_INT(unlink(path), 0);
	put(root, "alice", "a file", 0600);
	EXPECT_INT(ensure(), -EEXIST);
	EXPECT_INT(look("alice").st_uid, 0);
}

TEST("D6 a link in the path to the homes is not followed")
{
	char moved[200];

	begin();
	snprintf(moved, sizeof(moved), "%s/elsewhere", base);
	EXPECT_INT(rename(root, moved), 0);
	EXPECT_INT(symlink(moved, root), 0);
	EXPECT(ensure() < 0);
	EXPECT(why[0] != '\0');
	EXPECT_INT(unlink(root), 0);
	EXPECT_INT(rename(moved, root), 0);
	EXPECT_INT(count("alice"), 0);
}

TEST("D6 a folder of homes that others may write is refused")
{
	begin();
	EXPECT_INT(chmod(root, 0777), 0);
	EXPECT_INT(ensure(), -ENODEV);
	EXPECT_HAS(why, "may be written by others");
	EXPECT_INT(chmod(root, 01777), 0);
	EXPECT_INT(ensure(), 0);
}

TEST("D6 without the mount nothing is made")
{
	struct home_site s;
	struct home_owner o = {.name = "alice", .uid = UID, .gid = UID};
	char home[300];

	begin();
	s = site();
	s.require_mount = true;
	snprintf(home, sizeof(home), "%s/alice", root);
	o.home = home;
	EXPECT_INT(home_ensure(&s, &o, why), -ENODEV);
	EXPECT_HAS(why, "is not mounted");
	EXPECT_INT(count("alice"), 0);
}

TEST("D6 with the volume mounted, also its folder of homes is made")
{
	struct home_site s;
	struct home_owner o = {.name = "alice", .uid = UID, .gid = UID};
	char home[300];
	int status;

	begin();
	s = site();
	s.require_mount = true;
	snprintf(home, sizeof(home), "%s/alice", root);
	o.home = home;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("tmpfs", base, "tmpfs", 0, "size=1m") < 0)
			_exit(77);
		_exit(home_ensure(&s, &o, why) == 0 && look("alice").st_uid == UID ? 0 : 1);
	}
	EXPECT_INT(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77)
		SKIP("no mount namespace here");
	EXPECT_INT(WEXITSTATUS(status), 0);
	EXPECT_INT(count("alice"), 0);
}

TEST("D6 a home elsewhere, or of a name that is none, is refused")
{
	struct home_site s;
	struct home_owner o = {.name = "alice", .home = "/root", .uid = UID, .gid = UID};

	begin();
	s = site();
	EXPECT_INT(home_ensure(&s, &o, why), -EXDEV);
	o.name = "../x";
	EXPECT_INT(home_ensure(&s, &o, why), -EXDEV);
	EXPECT_INT(ensure_as("root", 0), -EXDEV);
}

/* A server that squashes root: this process is nobody as far as files go. */
static int squashed_ensure(mode_t mode)
{
	int status, fds[2];

	EXPECT_INT(chmod(root, mode), 0);
	EXPECT_INT(pipe(fds), 0);
	pid_t pid = fork();

	if (pid == 0) {
		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		int rc = ensure();

		if (write(fds[1], why, sizeof(why)) < 0)
			_exit(1);
		_exit(-rc);
	}
	EXPECT_INT(waitpid(pid, &status, 0), pid);
	EXPECT_INT(read(fds[0], why, sizeof(why)), sizeof(why));
	close(fds[0]);
	close(fds[1]);
	return -WEXITSTATUS(status);
}

TEST("D6 root_squash gives a clear error and leaves nothing")
{
	begin();
	EXPECT_INT(chmod(test_tmpdir(), 0755), 0);
	EXPECT_INT(squashed_ensure(0755), -EPERM);
	EXPECT_HAS(why, "root is squashed on this file system");
	EXPECT_INT(count("alice"), 0);
	EXPECT_INT(squashed_ensure(01777), -EPERM);
	EXPECT_HAS(why, "root is squashed on this file system");
	EXPECT_INT(count("alice"), 0);
}

static int die_at, step;

static void die(const char *name)
{
	if (++step == die_at)
		_exit(77);
}

TEST("D6 a kill -9 at any step of making a home leaves one whole home after the next try")
{
	bool finished = false;
	int steps = 0;

	for (die_at = 1; !finished; die_at++) {
		int status;

		begin();
		pid_t pid = fork();

		if (pid == 0) {
			step = 0;
			fault_hook = die;
			_exit(ensure() == 0 ? 0 : 1);
		}
		EXPECT_INT(waitpid(pid, &status, 0), pid);
		EXPECT(WEXITSTATUS(status) != 1);
		finished = WEXITSTATUS(status) == 0;
		steps++;
		/* Under its name there is nothing, or all of it. */
		if (look("alice").st_mode != 0)
			expect_whole();
		EXPECT_INT(ensure(), 0);
		expect_whole();
	}
	EXPECT(steps > 8);
}

TEST("D6 of hosts that race for a home one wins and all find it")
{
	enum { RACERS = 8 };
	pid_t pids[RACERS];
	int go[2], status;

	for (int round = 0; round < 10; round++) {
		begin();
		EXPECT_INT(pipe(go), 0);
		for (int i = 0; i < RACERS; i++) {
			pids[i] = fork();
			if (pids[i] == 0) {
				char c;

				close(go[1]);
				if (read(go[0], &c, 1) < 0)
					_exit(1);
				_exit(ensure() == 0 ? 0 : 1);
			}
		}
		close(go[0]);
		close(go[1]);
		for (int i = 0; i < RACERS; i++) {
			EXPECT_INT(waitpid(pids[i], &status, 0), pids[i]);
			EXPECT_INT(WEXITSTATUS(status), 0);
		}
		expect_whole();
		EXPECT_INT(count(HOME_NEW_PART), 0);
		EXPECT_INT(count("alice"), 1);
	}
}

static void leftover(const char *name, uint32_t owner, time_t age)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	EXPECT_INT(mkdir(path, 0700), 0);
	put(path, "file", "x", 0600);
	EXPECT_INT(chown(path, owner, owner), 0);
	struct utimbuf times = {.actime = time(NULL) - age, .modtime = time(NULL) - age};

	EXPECT_INT(utime(path, &times), 0);
}

TEST("D6 only root's own leftovers of our name, an hour old, are swept")
{
	begin();
	leftover(".alice.prism-new.h1.00", 0, 7200);
	leftover(".bob.prism-new.h1.00", 10002, 7200);
	leftover(".notours", 0, 7200);
	leftover("carol.prism-new.h1.00", 0, 7200);
	struct home_site s = site();

	/* The change time cannot be set back, so "now" is an hour ahead. */
	EXPECT_INT(home_sweep(&s, time(NULL)), 0);
	EXPECT_INT(home_sweep(&s, time(NULL) + 3700), 1);
	EXPECT(look(".alice.prism-new.h1.00").st_mode == 0);
	EXPECT(S_ISDIR(look(".bob.prism-new.h1.00").st_mode));
	EXPECT(S_ISREG(look(".notours/file").st_mode));
	EXPECT(S_ISDIR(look("carol.prism-new.h1.00").st_mode));
}

TEST("D6 a skeleton that never ends is refused, and nothing is left")
{
	char path[2000];

	begin();
	int n = snprintf(path, sizeof(path), "%s", skel);

	for (int i = 0; i < 20; i++) {
		n += snprintf(path + n, sizeof(path) - (size_t)n, "/d");
		EXPECT_INT(mkdir(path, 0755), 0);
	}
	EXPECT(ensure() < 0);
	EXPECT(look("alice").st_mode == 0);
	EXPECT_INT(count(HOME_NEW_PART), 0);
}

TEST_MAIN()
