/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "home_worker.h"

static void serve(int fd, const struct home_site *s)
{
	struct home_request rq;

	for (;;) {
		ssize_t n = recv(fd, &rq, sizeof(rq), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(rq))
			return;
		rq.name[sizeof(rq.name) - 1] = rq.home[sizeof(rq.home) - 1] = '\0';
		if (rq.seq == 0) {
			home_sweep(s, clock_now());
			continue;
		}
		struct home_owner o = {
		    .name = rq.name, .home = rq.home, .uid = rq.uid, .gid = rq.gid};
		struct home_reply rp = {.seq = rq.seq};

		rp.result = home_ensure(s, &o, rp.why);
		if (send(fd, &rp, sizeof(rp), MSG_NOSIGNAL) < 0)
			return;
	}
}

static void close_others(int keep)
{
	if (keep > 3)
		close_range(3, (unsigned)keep - 1, 0);
	close_range((unsigned)keep + 1, ~0u, 0);
}

pid_t home_worker_start(const struct config *c, int *ret_fd)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	pid_t pid = fork();

	if (pid < 0) {
		int rc = -errno;

		close(fds[0]);
		close(fds[1]);
		return rc;
	}
	if (pid == 0) {
		char host[65] = "";
		sigset_t none;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "prism-home");
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		close_others(fds[1]);
		gethostname(host, sizeof(host) - 1);
		for (char *p = host; *p != '\0'; p++)
			if (*p == '/')
				*p = '_';
		struct home_site s = {
		    .root = c->home_root,
		    .mount_point = c->mount_point,
		    .skel = c->skel,
		    .host = host,
		    .require_mount = c->require_mount,
		};

		serve(fds[1], &s);
		_exit(0);
	}
	close(fds[1]);
	*ret_fd = fds[0];
	return pid;
}
