/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "saml.h"

struct child {
	pid_t pid;
	int in, out;	  /* our ends; -1: closed */
	int their[2];	  /* its ends, until it has them */
	int64_t deadline; /* of CLOCK_MONOTONIC */
};

static void end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Whatever happened: no process and no descriptor stays. */
static void child_release(struct child *c)
{
	end(&c->in);
	end(&c->out);
	end(&c->their[0]);
	end(&c->their[1]);
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
}
#define _cleanup_child_ _cleanup_(child_release)

static int child_pipes(struct child *c)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) < 0)
		return -errno;
	c->their[0] = in[0];
	c->in = in[1];
	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	c->out = out[0];
	c->their[1] = out[1];
	if (fcntl(c->in, F_SETFL, O_NONBLOCK) < 0 || fcntl(c->out, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int spawn_actions(posix_spawn_file_actions_t *a, const struct child *c)
{
	int r = posix_spawn_file_actions_adddup2(a, c->their[0], STDIN_FILENO);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(a, c->their[1], STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(a, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(a, STDERR_FILENO + 1);
	return r;
}

/* Signals as a new program expects them: the service ignores and blocks some. */
static int spawn_signals(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	return r;
}

static int child_spawn(struct child *c, const char *program)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char *argv[] = {(char *)"prism-saml", NULL}, *envp[] = {NULL};
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r == 0) {
		r = spawn_actions(&actions, c);
		if (r == 0)
			r = spawn_signals(&attr);
		if (r == 0)
			r = posix_spawn(&c->pid, program, &actions, &attr, argv, envp);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		c->pid = 0;
	end(&c->their[0]);
	end(&c->their[1]);
	return -r;
}

/* One that has died reads nothing: what it has said until then tells why. */
static int give(struct child *c, const struct buf *input, size_t *done)
{
	ssize_t n = write(c->in, input->data + *done, input->len - *done);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : errno == EPIPE ? -EIO : -errno;
	*done += (size_t)n;
	if (*done == input->len)
		end(&c->in);
	return 0;
}

static int take(struct child *c, struct buf *ret)
{
	char part[16384];
	ssize_t n = read(c->out, part, sizeof(part));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		end(&c->out);
	buf_add(ret, part, (size_t)n);
	explicit_bzero(part, (size_t)n);
	return buf_error(ret);
}

static int talk(struct child *c, const struct buf *input, struct buf *ret)
{
	size_t done = 0;
	int r = 0;

	while (r == 0 && c->out >= 0) {
		struct pollfd p[] = {
		    {.fd = c->out, .events = POLLIN}, {.fd = c->in, .events = POLLOUT}};
		int64_t left = c->deadline - clock_mono_ms();

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(p, 2, (int)left) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents)
			r = give(c, input, &done);
		if (r == 0 && p[0].revents)
			r = take(c, ret);
	}
	return r;
}

/* It has closed its output, which is all but its end. */
static int ended_well(struct child *c)
{
	int fd = (int)syscall(SYS_pidfd_open, c->pid, 0), status = -1;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left = c->deadline - clock_mono_ms();

	if (fd < 0)
		return -errno;
	while (left > 0 && poll(&p, 1, (int)left) < 0 && errno == EINTR)
		left = c->deadline - clock_mono_ms();
	close(fd);
	if (waitpid(c->pid, &status, WNOHANG) != c->pid)
		return -ETIMEDOUT;
	c->pid = 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

int saml_run(const char *program, const struct buf *input, int64_t timeout_ms, struct buf *ret)
{
	_cleanup_child_ struct child c = {
	    .in = -1, .out = -1, .their = {-1, -1}, .deadline = clock_mono_ms() + timeout_ms};
	int r = child_pipes(&c);

	if (r == 0)
		r = child_spawn(&c, program);
	if (r == 0)
		r = talk(&c, input, ret);
	return r < 0 ? r : ended_well(&c);
}
