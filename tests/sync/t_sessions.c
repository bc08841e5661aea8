/* SPDX-License-Identifier: MIT */

/* Ending what runs of somebody who lost access; real processes of uids of their own, as root. */
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "prism-sync/sessions.h"
#include "test.h"

/* Uids of this process alone: tests that run at once must not end each other's. */
static uint32_t base;
static struct config config;
static struct local local;
static sd_event *event;
static struct sessions *sessions;
static pid_t made[16];
static size_t nmade;
static uint32_t let_in;	  /* the one whom some project lets in */
static uint32_t has_left; /* a group that nobody has any longer */

static const char *name_of(void *arg, uint32_t uid)
{
	return uid == base + 9 ? NULL : "carol";
}

static bool is_let_in(void *arg, uint32_t uid)
{
	return uid == let_in;
}

static bool is_in_group(void *arg, uint32_t uid, uint32_t gid)
{
	return gid != has_left;
}

static void begin(void)
{
	struct sessions_host h = {.config = &config,
	    .local = &local,
	    .linger = test_tmpdir(),
	    .name = name_of,
	    .let_in = is_let_in,
	    .in_group = is_in_group};

	let_in = has_left = 0;
	if (geteuid() != 0)
		SKIP("only root may end other people's processes");
	config_defaults(&config);
	config.uid_first = base;
	config.uid_last = base + 999;
	if (event == NULL)
		EXPECT(sd_event_new(&event) >= 0);
	sessions_free(sessions);
	EXPECT_INT(sessions_new(event, &h, &sessions), 0);
	nmade = 0;
}

static void become(uint32_t uid, const void *arg)
{
	if (setresuid(uid, uid, uid) < 0)
		_exit(1);
}

/* A process that "how" makes one of that real uid; a stubborn one does not care for SIGTERM. */
static pid_t process_by(
    void (*how)(uint32_t uid, const void *arg), const void *arg, uint32_t uid, bool stubborn)
{
	int fds[2];
	char c;

	EXPECT_INT(pipe(fds), 0);
	pid_t pid = fork();

	if (pid == 0) {
		if (stubborn) {
			signal(SIGTERM, SIG_IGN);
			signal(SIGHUP, SIG_IGN);
		}
		how(uid, arg);
		if (write(fds[1], "x", 1) != 1)
			_exit(1);
		alarm(60);
		for (;;)
			pause();
	}
	EXPECT_INT(read(fds[0], &c, 1), 1);
	close(fds[0]);
	close(fds[1]);
	made[nmade++] = pid;
	return pid;
}

static pid_t process(uint32_t uid, bool stubborn)
{
	return process_by(become, NULL, uid, stubborn);
}

static bool gone(pid_t pid, int *ret_signal)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) != pid)
		return false;
	*ret_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	return true;
}

static void run_ms(int ms)
{
	struct timespec end, now;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += ms / 1000;
	end.tv_nsec += ms % 1000 * 1000000;
	do {
		sd_event_run(event, 20000);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (
	    now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
}

static void clean(void)
{
	for (size_t i = 0; i < nmade; i++) {
		kill(made[i], SIGKILL);
		waitpid(made[i], NULL, 0);
	}
}

TEST("D6 whoever loses access has their processes ended, nobody else's")
{
	struct lost lost = {.uid = base + 1};
	int sig = -1;

	begin();
	pid_t theirs = process(lost.uid, false), stubborn = process(lost.uid, true);
	pid_t other = process(base + 2, false), outside = process(base - 1, false);

	sessions_end(sessions, &lost, 1);
	run_ms(300);
	EXPECT(gone(theirs, &sig));
	EXPECT(sig == SIGTERM || sig == SIGHUP);
	EXPECT(!gone(stubborn, &sig));
	run_ms(2500);
	EXPECT(gone(stubborn, &sig));
	EXPECT_INT(sig, SIGKILL);
	EXPECT(!gone(other, &sig) && !gone(outside, &sig));
	clean();
}

TEST("D6 uids outside the range and local accounts are never touched")
{
	struct lost lost[] = {{0}, {1}, {base - 1}, {base + 1000}, {base + 5}};
	uint32_t locals[] = {base + 5};
	int sig;

	begin();
	local.uids = locals;
	local.nusers = 1;
	pid_t outside = process(base - 1, false), above = process(base + 1000, false);
	pid_t account = process(base + 5, false);

	sessions_end(sessions, lost, 5);
	run_ms(2600);
	local.nusers = 0;
	EXPECT(!gone(outside, &sig) && !gone(above, &sig) && !gone(account, &sig));
	clean();
}

TEST("D6 after a start, whoever is refused by now has their processes ended")
{
	int sig;

	begin();
	let_in = base + 8;
	pid_t refused = process(base + 7, false), fine = process(base + 8, false);
	pid_t unknown = process(base + 9, false);

	sessions_check(sessions);
	run_ms(300);
	EXPECT(gone(refused, &sig));
	EXPECT(!gone(fine, &sig));
	EXPECT(!gone(unknown, &sig));
	clean();
}

/* ---- who comes back -------------------------------------------------------------------------- */

static void become_in(uint32_t uid, const void *gid)
{
	if (setgroups(1, gid) < 0)
		_exit(1);
	become(uid, NULL);
}

TEST("D6 who is let in again while they are ended keeps what runs, but for groups that are lost")
{
	static const gid_t kept = 2000020, left = 2000030;
	struct lost lost = {.uid = base + 1};
	int sig = 0;

	begin();
	has_left = left;
	pid_t before = process_by(become_in, &left, lost.uid, true);

	sessions_end(sessions, &lost, 1);
	run_ms(300);
	let_in = lost.uid;
	pid_t after = process_by(become_in, &kept, lost.uid, true);

	run_ms(3000);
	EXPECT(!gone(after, &sig));
	EXPECT(gone(before, &sig));
	EXPECT_INT(sig, SIGKILL);
	clean();
}

TEST("D6 lingering goes with the access, also when no record is left to ask for the name")
{
	struct lost lost[] = {{base + 1, "alice"}, {base + 2, "../passwd"}, {base + 3, ""}};
	char path[128];

	begin();
	snprintf(path, sizeof(path), "%s/alice", test_tmpdir());
	close(open(path, O_CREAT | O_WRONLY, 0644));
	sessions_end(sessions, lost, 3);
	EXPECT(access(path, F_OK) < 0);
}

/* ---- containers ------------------------------------------------------------------------------ */

static void write_map(pid_t pid, const char *file, const char *map)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, map, strlen(map)) != (ssize_t)strlen(map))
		_exit(1);
	close(fd);
}

/* As `unshare -U` does; whoever made the namespace may map themselves, and nobody else. */
static void in_own_namespace(uint32_t uid, const void *map)
{
	become(uid, NULL);
	if (unshare(CLONE_NEWUSER) < 0)
		_exit(1);
	prctl(PR_SET_DUMPABLE, 1);
	if (map != NULL)
		write_map(getpid(), "uid_map", map);
}

/* As a rootless container of somebody else's: the uid is one of a long run of subordinate ones. */
static void in_a_container(uint32_t uid, const void *map)
{
	int fds[2];
	char c;

	if (pipe(fds) < 0)
		_exit(1);
	pid_t parent = getpid(), helper = fork();

	if (helper == 0) {
		if (read(fds[0], &c, 1) != 1)
			_exit(1);
		write_map(parent, "uid_map", map);
		_exit(0);
	}
	int status;

	if (unshare(CLONE_NEWUSER) < 0 || write(fds[1], "x", 1) != 1 ||
	    waitpid(helper, &status, 0) != helper || status != 0)
		_exit(1);
	become(uid - base, NULL);
}

/* As what root's container service starts: a process namespace of its own, this host's ids. */
static void in_a_service(uint32_t uid, const void *arg)
{
	if (unshare(CLONE_NEWPID) < 0)
		_exit(1);
	pid_t inner = fork();
	int status;

	if (inner == 0) {
		become(uid, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return;
	}
	/* Ends as the inner one did. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (waitpid(inner, &status, 0) == inner && WIFSIGNALED(status))
		_exit(WTERMSIG(status));
	_exit(0);
}

TEST("D6 a user namespace of their own saves nobody from being ended")
{
	struct lost lost = {.uid = base + 1};
	int sig;
	char map[64];

	begin();
	pid_t unmapped = process_by(in_own_namespace, NULL, lost.uid, false);
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)lost.uid);
	pid_t root_there = process_by(in_own_namespace, map, lost.uid, true);

	EXPECT_INT(proc_uid(unmapped), lost.uid);
	sessions_end(sessions, &lost, 1);
	run_ms(2800);
	EXPECT(gone(unmapped, &sig));
	EXPECT(gone(root_there, &sig));
	clean();
}

TEST("D6 containers of others, in which the number means somebody else, are left alone")
{
	struct lost lost = {.uid = base + 1};
	int sig;
	char map[64];

	begin();
	snprintf(map, sizeof(map), "0 %u 65536", (unsigned)base);
	pid_t rootless = process_by(in_a_container, map, lost.uid, false);
	pid_t service = process_by(in_a_service, NULL, lost.uid, false);
	pid_t plain = process(lost.uid, false);

	EXPECT_INT(proc_uid(rootless), lost.uid);
	sessions_end(sessions, &lost, 1);
	run_ms(2800);
	EXPECT(gone(plain, &sig));
	EXPECT(!gone(rootless, &sig));
	EXPECT(!gone(service, &sig));
	clean();
}

int main(int argc, char **argv)
{
	base = 70000000 + (uint32_t)getpid() % 200000 * 10000;
	int rc = test_run(argc, argv);

	sessions_free(sessions);
	sd_event_unref(event);
	return rc;
}
