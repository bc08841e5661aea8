/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"

/* Whatever we ignore, the child has by default. */
static int attributes_init(posix_spawnattr_t *attr, short flags)
{
	sigset_t defaults;
	int r = posix_spawnattr_init(attr);

	if (r)
		return r;
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGINT);
	sigaddset(&defaults, SIGQUIT);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_setsigdefault(attr, &defaults);
	posix_spawnattr_setflags(attr, (short)(POSIX_SPAWN_SETSIGDEF | flags));
	return 0;
}

static int child_spawn(
    const char *const argv[], int in, int out, int error, short flags, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return -r;
	r = attributes_init(&attr, flags);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	if (in >= 0)
		r = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (!r && out >= 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!r && error >= 0)
		r = posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO);
	if (!r)
		r = posix_spawnp(
		    ret, argv[0], &actions, &attr, (char *const *)(void *)argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int child_start(const char *const argv[], int in, int out, int error, pid_t *ret)
{
	return child_spawn(argv, in, out, error, 0, ret);
}

static int child_wait(pid_t pid, int flags, int *ret)
{
	while (waitpid(pid, ret, flags) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int child_result(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Everything that comes, into "out"; what does not fit is read and dropped. */
static int drain(int fd, struct buf *out)
{
	for (;;) {
		char chunk[4096];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return out ? buf_error(out) : 0;
		if (out)
			buf_add(out, chunk, (size_t)n);
	}
}

static int input_open(const char *input, size_t len)
{
	int p[2], r;

	if (!input || !len) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		return fd < 0 ? -errno : fd;
	}
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	/* It fits into the pipe, so nobody has to be reading yet. */
	r = io_write_full(p[1], input, len);
	close(p[1]);
	if (r < 0) {
		close(p[0]);
		return r;
	}
	return p[0];
}

static int run_piped(
    const char *const argv[], const char *input, size_t len, bool quiet, struct buf *out)
{
	_cleanup_close_ int in = input_open(input, len), from = -1, to = -1;
	int p[2], status, r;
	pid_t pid;

	if (in < 0)
		return in;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	from = p[0];
	to = p[1];
	r = child_start(argv, in, to, quiet ? to : -1, &pid);
	if (r < 0)
		return r;
	close(to);
	to = -1;
	r = drain(from, out);
	if (child_wait(pid, 0, &status) < 0)
		return -ECHILD;
	return r < 0 ? r : child_result(status);
}

int tool_run(const char *const argv[], const char *input, size_t len, struct buf *out)
{
	return run_piped(argv, input, len, false, out);
}

int tool_run_quiet(const char *const argv[], struct buf *out)
{
	return run_piped(argv, NULL, 0, true, out);
}

int tool_start(const char *const argv[])
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid;

	if (null < 0)
		return -errno;
	return child_spawn(argv, null, null, null, POSIX_SPAWN_SETSID, &pid);
}

int tool_run_foreground(const char *const argv[])
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old_int, old_quit;
	int status = 0, r;
	pid_t pid;

	sigaction(SIGINT, &ignore, &old_int);
	sigaction(SIGQUIT, &ignore, &old_quit);
	r = child_start(argv, -1, -1, -1, &pid);
	while (r == 0 && (r = child_wait(pid, WUNTRACED, &status)) == 0 && WIFSTOPPED(status))
		raise(SIGSTOP);
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGQUIT, &old_quit, NULL);
	return r < 0 ? r : child_result(status);
}
