/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "feed/login.h"
#include "link.h"

static const size_t limits[LINK_TYPES] = {
    [LINK_FRAME] = FEED_MESSAGE_MAX,
    [LINK_POLLED] = 4096,
    [LINK_SYNCED] = 4096,
    [LINK_HAVE] = 16384,
    [LINK_REPORT] = 1u << 20,
    [LINK_SYNC] = 16,
    [LINK_LOGIN_START] = 1024,
    [LINK_LOGIN_END] = 16,
    [LINK_LOGIN_BEGUN] = 4096,
    [LINK_LOGIN_DONE] = LOGIN_MAX + 64,
};

static int head_read(struct link_reader *r)
{
	uint32_t n;

	memcpy(&n, r->head, sizeof(n));
	r->len = le32toh(n);
	r->type = r->head[4];
	if (r->type == 0 || r->type >= LINK_TYPES ||
	    r->len > (r->type == LINK_FRAME ? r->max_frame : limits[r->type]))
		return -EBADMSG;
	r->block = malloc(FEED_HEADROOM + r->len + 1);
	if (r->block == NULL)
		return -ENOMEM;
	r->body = r->block + FEED_HEADROOM;
	r->body[r->len] = '\0';
	r->have = 0;
	return 0;
}

int link_read(struct link_reader *r, int fd)
{
	for (;;) {
		uint8_t *to = r->body ? r->body : r->head;
		size_t want = r->body ? r->len : sizeof(r->head);

		if (r->have == want && r->body != NULL)
			return 1;
		if (r->have == want) {
			int rc = head_read(r);

			if (rc < 0)
				return rc;
			continue;
		}
		ssize_t n = read(fd, to + r->have, want - r->have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			return -EPIPE;
		r->have += (size_t)n;
	}
}

void link_reader_next(struct link_reader *r)
{
	free(r->block);
	*r = (struct link_reader){.max_frame = r->max_frame};
}

void link_text(struct wire *w, char *out, size_t size)
{
	wire_str(w, out, size);
	for (; *out != '\0'; out++)
		if (*out < 0x20 || *out > 0x7e)
			*out = '?';
}

static int send_all(int fd, const uint8_t *p, size_t n, int64_t end)
{
	while (n > 0) {
		ssize_t put = send(fd, p, n, MSG_NOSIGNAL | (end ? MSG_DONTWAIT : 0));

		if (put >= 0) {
			p += put;
			n -= (size_t)put;
			continue;
		}
		if (errno == EINTR)
			continue;
		int64_t left = end - clock_mono_ms();
		struct pollfd pfd = {.fd = fd, .events = POLLOUT};

		if (errno != EAGAIN)
			return -errno;
		if (left <= 0 || poll(&pfd, 1, (int)left) == 0)
			return -ETIMEDOUT;
	}
	return 0;
}

int link_send(int fd, enum link_type type, const void *p, size_t n, int deadline_ms)
{
	uint8_t head[8] = {0};
	uint32_t len = htole32((uint32_t)n);
	int64_t end = deadline_ms < 0 ? 0 : clock_mono_ms() + deadline_ms;

	if (n > limits[type])
		return -EMSGSIZE;
	memcpy(head, &len, sizeof(len));
	head[4] = (uint8_t)type;
	int rc = send_all(fd, head, sizeof(head), end);

	return rc < 0 ? rc : send_all(fd, p, n, end);
}
