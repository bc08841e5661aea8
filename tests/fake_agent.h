/* SPDX-License-Identifier: MIT */
#ifndef FAKE_AGENT_H
#define FAKE_AGENT_H

/*
 * Agents that behave badly in one way each, as child processes of a test, for the client's side of
 * the protocol. Each answers AGENT_ENSURE_HOME, if it answers at all.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "agent/agent.h"
#include "base/attr.h"
#include "test.h"

enum behaviour {
	ANSWERS, /* the home is ready */
	REFUSES,
	WRONG_VERB,
	WRONG_MAGIC,
	HALF,
	OVERSIZE,
	CLOSES_AT_ONCE,
	CLOSES_AFTER_READ,
	NEVER_READS,
	NEVER_ACCEPTS,
	SILENT,
	LATE,
	PASSES_FDS,
};

static struct agent_reply kind_reply(enum behaviour how)
{
	struct agent_reply p = {.verb = how == WRONG_VERB ? AGENT_PING : AGENT_ENSURE_HOME};

	if (how == REFUSES) {
		p.result = -EIO;
		snprintf(p.text, sizeof(p.text), "The home volume does not answer.");
	}
	return p;
}

static void send_with_fd(int fd, const struct buf *b)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec io = {.iov_base = b->data, .iov_len = b->len};
	struct msghdr m = {.msg_iov = &io,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	sendmsg(fd, &m, MSG_NOSIGNAL);
}

static void serve(int fd, enum behaviour how)
{
	static char junk[4096];
	const struct agent_reply p = kind_reply(how);
	struct buf b = BUF_INIT(AGENT_PACKET_MAX);

	if (how == CLOSES_AT_ONCE)
		return;
	if (how == NEVER_READS || how == SILENT)
		pause();
	recv(fd, junk, sizeof(junk), 0);
	if (how == CLOSES_AFTER_READ)
		return;
	if (how == LATE)
		usleep(600000);
	agent_put_reply(&b, &p);
	if (how == WRONG_MAGIC)
		b.data[0] ^= 1;
	if (how == PASSES_FDS)
		send_with_fd(fd, &b);
	else if (how == OVERSIZE)
		send(fd, junk, sizeof(junk), MSG_NOSIGNAL);
	else
		send(fd, b.data, how == HALF ? b.len - 1 : b.len, MSG_NOSIGNAL);
	buf_free(&b);
	pause();
}

/* A child that listens at "path" and behaves so. The caller ends it with agent_end(). */
__attribute__((unused)) static pid_t agent_start(const char *path, enum behaviour how)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	pid_t pid;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(fd, how == NEVER_ACCEPTS ? 0 : 8) < 0)
		test_fail(__FILE__, __LINE__, "cannot listen at %s", path);
	pid = fork();
	if (pid == 0) {
		alarm(30);
		if (how == NEVER_ACCEPTS)
			pause();
		for (;;) {
			const int c = accept(fd, NULL, NULL);

			serve(c, how);
			close(c);
		}
	}
	close(fd);
	return pid;
}

__attribute__((unused)) static void agent_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Open descriptors of this process. */
__attribute__((unused)) static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

#endif
