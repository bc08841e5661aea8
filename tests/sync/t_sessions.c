/* SPDX-License-Identifier: MIT */

/* Ending what runs of somebody who lost access; real processes of uids of their own, as root. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include "prism-sync/sessions.h"
#include "test.h"

static struct config config;
static struct local local;
static sd_event *event;
static struct sessions *sessions;
static pid_t made[16];
static size_t nmade;

static void begin(void)
{
	if (geteuid() != 0)
		SKIP("only root may end other people's processes");
	config_defaults(&config);
	config.uid_first = 1900000;
	config.uid_last = 1900999;
	if (event == NULL)
		EXPECT(sd_event_new(&event) >= 0);
	sessions_free(sessions);
	EXPECT_INT(sessions_new(event, &config, &local, &sessions), 0);
	nmade = 0;
}

/* A process of that real uid; a stubborn one does not care for SIGTERM. */
static pid_t process(uint32_t uid, bool stubborn)
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
		if (setresuid(uid, uid, uid) < 0 || write(fds[1], "x", 1) != 1)
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
	uint32_t uid = 1900001;
	int sig = -1;

	begin();
	pid_t theirs = process(uid, false), stubborn = process(uid, true);
	pid_t other = process(1900002, false), outside = process(1899999, false);

	sessions_end(sessions, &uid, 1, NULL, NULL);
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
	uint32_t uids[] = {0, 1, 1899999, 1901000, 1900005};
	uint32_t locals[] = {1900005};
	int sig;

	begin();
	local.uids = locals;
	local.nusers = 1;
	pid_t outside = process(1899999, false), above = process(1901000, false);
	pid_t account = process(1900005, false);

	sessions_end(sessions, uids, 5, NULL, NULL);
	run_ms(2600);
	local.nusers = 0;
	EXPECT(!gone(outside, &sig) && !gone(above, &sig) && !gone(account, &sig));
	clean();
}

static bool only_7(void *arg, uint32_t uid)
{
	return uid != 1900007;
}

TEST("D6 after a start, whoever is refused by now has their processes ended")
{
	int sig;

	begin();
	pid_t refused = process(1900007, false), fine = process(1900008, false);

	sessions_check(sessions, only_7, NULL);
	run_ms(300);
	EXPECT(gone(refused, &sig));
	EXPECT(!gone(fine, &sig));
	clean();
	sessions_free(sessions);
	sessions = NULL;
	sd_event_unref(event);
}

TEST_MAIN()
