/* SPDX-License-Identifier: MIT */

/* The journal, torn, flipped, killed and grown. */
#include <sys/wait.h>
#include "intake_host.h"
#include "prism-sync/fault.h"

static size_t journal_path(char path[256])
{
	struct stat st;
	char hex[33];

	for (int i = 0; i < FEED_ID_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", forge.id[i]);
	snprintf(path, 256, "%s/%s.journal", host.dir, hex);
	return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

TEST("D6 a journal that is torn at any byte gives the state before the tear")
{
	char path[256];
	static uint8_t whole[65536];
	size_t first, size;

	begin();
	first = journal_path(path);
	forge_member(&forge, 10003, "carol");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	size = journal_path(path);
	EXPECT(size > first && size < sizeof(whole));
	int fd = open(path, O_RDWR | O_CLOEXEC);

	EXPECT_INT(read(fd, whole, size), size);
	for (size_t n = 0; n < size; n++) {
		EXPECT_INT(ftruncate(fd, 0), 0);
		EXPECT_INT(pwrite(fd, whole, n, 0), n);
		restart();
		EXPECT_INT(feed()->revision, n < first ? 0 : 1);
		EXPECT_INT(journal_path(path), n < first ? 0 : first);
	}
	close(fd);
	/* And what follows the cut goes on from there. */
	EXPECT_INT(give(), APPLY_CHANGED);
	restart();
	EXPECT_INT(feed()->revision, 2);
}

TEST("D6 a flipped bit in a journal cuts it there")
{
	char path[256];
	uint8_t byte;

	begin();
	size_t first = journal_path(path);

	forge_member(&forge, 10003, "carol");
	forge_delta(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	int fd = open(path, O_RDWR | O_CLOEXEC);

	EXPECT_INT(pread(fd, &byte, 1, (off_t)first + 100), 1);
	byte ^= 4;
	EXPECT_INT(pwrite(fd, &byte, 1, (off_t)first + 100), 1);
	close(fd);
	restart();
	EXPECT_INT(feed()->revision, 1);
	EXPECT_INT(journal_path(path), first);
}

static int die_at, step;

static void die(const char *name)
{
	if (++step == die_at)
		_exit(77);
}

TEST("D6 a kill -9 at any step of the journal loses at most the message under way")
{
	int steps = 0;

	for (die_at = 1; steps == 0; die_at++) {
		begin();
		forge_member(&forge, 10003, "carol");
		forge_delta(&forge, &msg);
		pid_t pid = fork();

		if (pid == 0) {
			step = 0;
			fault_hook = die;
			give();
			forge.revision = 7;
			forge_full(&forge, &msg);
			give();
			_exit(0);
		}
		int status;

		EXPECT_INT(waitpid(pid, &status, 0), pid);
		restart();
		uint64_t rev = feed()->revision;

		EXPECT(rev == 1 || rev == 2 || rev == 7);
		if (WEXITSTATUS(status) == 0) {
			EXPECT_INT(rev, 7);
			steps = die_at - 1;
		}
		/* Whatever was lost, the host goes on. */
		forge.revision = 8;
		forge_full(&forge, &msg);
		EXPECT_INT(give(), APPLY_CHANGED);
		EXPECT_INT(feed()->nmembers, 3);
	}
	EXPECT(steps >= 4);
}

TEST("D6 a journal that grows past twice its size asks for a full feed")
{
	struct feed_member m = forge_person("alice");

	begin();
	for (int i = 0; i < 3000 && !feed()->want_full; i++) {
		m.perms ^= SNAP_PERM_SUDO;
		forge_put(&forge, 10001, &m);
		forge_delta(&forge, &msg);
		EXPECT_INT(give(), APPLY_CHANGED);
	}
	EXPECT(feed()->want_full);
	size_t grown = feed()->journal_size;

	EXPECT(grown > 1 << 20);
	forge_full(&forge, &msg);
	EXPECT_INT(give(), APPLY_CHANGED);
	EXPECT(feed()->journal_size < 4096);
}

TEST_MAIN()
