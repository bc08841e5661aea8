/* SPDX-License-Identifier: MIT */
/* Publication: one complete file under the name, whatever happens, and every older one marked. */
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include "snap_world.h"
#include "snapshot/publish.h"
#include "snapshot/snapshot.h"

static int die_at = -1;

/* In place of the weak one that does nothing. */
void publish_step(enum publish_step step)
{
	if ((int)step == die_at)
		raise(SIGKILL);
}

static const char *fresh_dir(void)
{
	static char dir[128];
	static int n;

	snprintf(dir, sizeof(dir), "%s/d%d", test_tmpdir(), n++);
	if (mkdir(dir, 0755) < 0)
		abort();
	return dir;
}

static const char *in(const char *dir, const char *name)
{
	static char path[2][256];
	static int n;

	n = !n;
	snprintf(path[n], sizeof(path[n]), "%s/%s", dir, name);
	return path[n];
}

static int open_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		abort();
	return fd;
}

static uint64_t generation_of(const struct snap *s)
{
	struct snap_meta m;

	snap_meta(s, &m);
	return m.generation;
}

static unsigned count_files(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return n;
}

TEST("D6 a new generation takes the name and the old one's mapping says so")
{
	const char *dir = fresh_dir();
	struct world *w = world_new(5, 3);
	struct snap old, new;

	EXPECT_INT(world_publish(w, dir, 1), 0);
	EXPECT_INT(snap_open(in(dir, SNAPSHOT_IDENTITY), SNAP_IDENTITY, 0, &old), 0);
	EXPECT(!snap_superseded(&old));
	EXPECT_INT(world_publish(w, dir, 2), 0);
	EXPECT(snap_superseded(&old));
	EXPECT_INT(snap_open(in(dir, SNAPSHOT_IDENTITY), SNAP_IDENTITY, SNAP_VERIFY, &new), 0);
	EXPECT_INT(generation_of(&new), 2);
	EXPECT(!snap_superseded(&new));
	EXPECT_INT(count_files(dir), 1);
	snap_close(&old);
	snap_close(&new);
	world_free(w);
}

TEST("D4 the mark is in no checksum: a superseded file still opens and verifies")
{
	const char *dir = fresh_dir();
	struct world *w = world_new(5, 3);
	struct snap s;

	EXPECT_INT(world_publish(w, dir, 1), 0);
	EXPECT_INT(link(in(dir, SNAPSHOT_IDENTITY), in(dir, "kept")), 0);
	EXPECT_INT(world_publish(w, dir, 2), 0);
	EXPECT_INT(snap_open(in(dir, "kept"), SNAP_IDENTITY, SNAP_VERIFY, &s), 0);
	EXPECT(snap_superseded(&s));
	snap_close(&s);
	world_free(w);
}

/* Kill a publisher behind step k of replacing generation 1 by 2; then recover. */
static void kill_and_recover(int k, bool publish_again)
{
	const char *dir = fresh_dir();
	struct world *w = world_new(5, 3);
	struct snap one, now;
	int dirfd = open_dir(dir), status;
	pid_t pid;

	EXPECT_INT(world_publish(w, dir, 1), 0);
	EXPECT_INT(snap_open(in(dir, SNAPSHOT_IDENTITY), SNAP_IDENTITY, 0, &one), 0);
	pid = fork();
	if (pid == 0) {
		die_at = k;
		world_publish(w, dir, 2);
		_exit(0);
	}
	EXPECT_INT(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

	/* Whoever opens it now finds a complete file. */
	EXPECT_INT(snap_open(in(dir, SNAPSHOT_IDENTITY), SNAP_IDENTITY, SNAP_VERIFY, &now), 0);
	EXPECT_INT(generation_of(&now), k >= PUBLISH_RENAMED ? 2 : 1);
	snap_close(&now);

	if (publish_again)
		EXPECT_INT(world_publish(w, dir, 3), 0);
	else
		EXPECT_INT(snap_publish_recover(dirfd, SNAPSHOT_IDENTITY), 0);
	EXPECT_INT(snap_open(in(dir, SNAPSHOT_IDENTITY), SNAP_IDENTITY, SNAP_VERIFY, &now), 0);
	EXPECT(!snap_superseded(&now));
	EXPECT_INT(snap_superseded(&one), generation_of(&now) != 1);
	if (publish_again || k != PUBLISH_LINKED)
		EXPECT_INT(count_files(dir), 1);
	snap_close(&now);
	snap_close(&one);
	close(dirfd);
	world_free(w);
}

TEST("D6 kill -9 at every step, then recovery: one complete file, older ones marked")
{
	for (int k = PUBLISH_LINKED; k <= PUBLISH_DONE; k++)
		kill_and_recover(k, false);
}

TEST("D6 kill -9 at every step, then the next publication sees to it")
{
	for (int k = PUBLISH_LINKED; k <= PUBLISH_DONE; k++)
		kill_and_recover(k, true);
}

TEST("D6 what is no snapshot is not published, and nothing changes")
{
	const char *dir = fresh_dir();
	struct world *w = world_new(5, 3);
	struct image junk = {(uint8_t *)"junk", 4};
	int dirfd = open_dir(dir);
	struct snap s;

	EXPECT_INT(world_publish(w, dir, 1), 0);
	image_write(&junk, in(dir, "tmp"));
	EXPECT_INT(snap_publish(dirfd, "tmp", SNAPSHOT_IDENTITY), -EBADMSG);
	EXPECT_INT(snap_publish(dirfd, "absent", SNAPSHOT_IDENTITY), -ENOENT);
	EXPECT_INT(snap_open(in(dir, SNAPSHOT_IDENTITY), SNAP_IDENTITY, SNAP_VERIFY, &s), 0);
	EXPECT(!snap_superseded(&s));
	snap_close(&s);
	close(dirfd);
	world_free(w);
}

TEST("D6 junk or a symbolic link under the name is replaced, not followed or marked")
{
	const char *dir = fresh_dir();
	struct world *w = world_new(5, 3);
	struct image junk = {(uint8_t *)"precious", 8}, after;
	struct snap s;

	image_write(&junk, in(dir, "target"));
	EXPECT_INT(symlink("target", in(dir, SNAPSHOT_IDENTITY)), 0);
	EXPECT_INT(world_publish(w, dir, 1), 0);
	after = image_read(in(dir, "target"));
	EXPECT_INT(after.n, 8);
	free(after.p);
	EXPECT_INT(unlink(in(dir, SNAPSHOT_IDENTITY)), 0);
	image_write(&junk, in(dir, SNAPSHOT_IDENTITY));
	EXPECT_INT(world_publish(w, dir, 2), 0);
	EXPECT_INT(snap_open(in(dir, SNAPSHOT_IDENTITY), SNAP_IDENTITY, SNAP_VERIFY, &s), 0);
	snap_close(&s);
	world_free(w);
}

TEST_MAIN()
