/* SPDX-License-Identifier: MIT */
/*
 * MUST: return by the deadline whatever the other side does or fails to do; keep no descriptor;
 * accept no descriptor from it (recv() has no room for control messages, the kernel drops them).
 */
#include "agent/agent.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"

#define BACKLOG_RETRY_MS 5
#define REQUEST_MAX	 512

static int left_ms(int64_t end)
{
	const int64_t left = end - clock_mono_ms();

	return left > 0 ? (int)left : 0;
}

/* 0 once fd is ready for "events", or -ETIMEDOUT. A hang-up counts as ready: the call tells. */
static int wait_ready(int fd, short events, int64_t end)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		const int left = left_ms(end);
		const int r = left > 0 ? poll(&p, 1, left) : 0;

		if (r > 0)
			return 0;
		if (r == 0 && left_ms(end) == 0)
			return -ETIMEDOUT;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

/* On a unix socket EAGAIN means that the listener's backlog is full, and poll() cannot wait for it.
 */
static int connect_by(int fd, const struct sockaddr_un *to, int64_t end)
{
	const struct timespec pause = {.tv_nsec = BACKLOG_RETRY_MS * 1000000L};

	while (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (left_ms(end) == 0)
			return -ETIMEDOUT;
		if (errno == EAGAIN)
			nanosleep(&pause, NULL);
	}
	return 0;
}

static int check_peer(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	return peer.uid == 0 || peer.uid == geteuid() ? 0 : -EPERM;
}

static int send_by(int fd, const struct buf *b, int64_t end)
{
	for (;;) {
		const ssize_t n = send(fd, b->data, b->len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (n >= 0)
			return (size_t)n == b->len ? 0 : -EIO;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_ready(fd, POLLOUT, end);
		if (r < 0)
			return r;
	}
}

/* The length of one packet, or -errno. MSG_TRUNC makes the kernel tell the whole length. */
static ssize_t receive_by(int fd, uint8_t *p, size_t size, int64_t end)
{
	for (;;) {
		ssize_t n;
		const int r = wait_ready(fd, POLLIN, end);

		if (r < 0)
			return r;
		n = recv(fd, p, size, MSG_DONTWAIT | MSG_TRUNC);
		if (n == 0)
			return -ECONNRESET;
		if (n > 0)
			return (size_t)n <= size ? n : -EMSGSIZE;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
}

static int64_t end_of(int deadline_ms)
{
	return clock_mono_ms() + (deadline_ms > 0 ? deadline_ms : 0);
}

static int open_by(const char *path, int64_t end)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd, r;

	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect_by(fd, &to, end);
	if (r == 0)
		r = check_peer(fd);
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

static int ask_by(int fd, const struct buf *b, const struct agent_request *rq, int64_t end,
    uint8_t *storage, size_t storage_size, struct agent_reply *ret)
{
	struct agent_reply reply = {0};
	ssize_t n;
	int r = send_by(fd, b, end);

	if (r < 0)
		return r;
	n = receive_by(fd, storage, storage_size, end);
	if (n < 0)
		return (int)n;
	if (rq->verb == AGENT_LOGIN_START)
		reply.login = ret->login;
	if (rq->verb == AGENT_LOGIN_WAIT)
		reply.approval = ret->approval;
	r = agent_parse_reply(storage, (size_t)n, &reply);
	if (r < 0)
		return r;
	if (reply.verb != rq->verb)
		return -EBADMSG;
	*ret = reply;
	return 0;
}

int agent_open(const char *path, int deadline_ms)
{
	return open_by(path, end_of(deadline_ms));
}

int agent_ask(int fd, const struct agent_request *rq, int deadline_ms, uint8_t *storage,
    size_t storage_size, struct agent_reply *ret)
{
	_cleanup_buf_ struct buf b = BUF_INIT(REQUEST_MAX);

	agent_put_request(&b, rq);
	if (buf_error(&b) < 0)
		return buf_error(&b);
	return ask_by(fd, &b, rq, end_of(deadline_ms), storage, storage_size, ret);
}

int agent_call(const char *path, const struct agent_request *rq, int deadline_ms, uint8_t *storage,
    size_t storage_size, struct agent_reply *ret)
{
	const int64_t end = end_of(deadline_ms);
	_cleanup_buf_ struct buf b = BUF_INIT(REQUEST_MAX);
	_cleanup_close_ int fd = -1;

	agent_put_request(&b, rq);
	if (buf_error(&b) < 0)
		return buf_error(&b);
	fd = open_by(path, end);
	return fd < 0 ? fd : ask_by(fd, &b, rq, end, storage, storage_size, ret);
}
