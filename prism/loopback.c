/* SPDX-License-Identifier: MIT */
#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/secret.h"

#define CLIENT_MS 3000 /* a connection that says nothing must not keep the browser's from us */

/* ---- reading ----------------------------------------------------------------------------------*/

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decode n bytes of a query. Printable ASCII only: nothing else stands in what we asked for. */
static int value_decode(const char *p, size_t n, char out[static LOOPBACK_VALUE_MAX])
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int c = (unsigned char)p[i];

		if (c == '%') {
			if (n - i < 3 || hex_digit(p[i + 1]) < 0 || hex_digit(p[i + 2]) < 0)
				return -EBADMSG;
			c = hex_digit(p[i + 1]) * 16 + hex_digit(p[i + 2]);
			i += 2;
		}
		if (c <= 0x20 || c >= 0x7f || len + 1 >= LOOPBACK_VALUE_MAX)
			return -EBADMSG;
		out[len++] = (char)c;
	}
	out[len] = '\0';
	return 0;
}

static int parameter(struct loopback_answer *a, const char *p, size_t n)
{
	const struct {
		const char *name;
		char *out;
	} known[] = {{"code", a->code}, {"state", a->state}, {"iss", a->iss}, {"error", a->error}};
	const char *eq = memchr(p, '=', n);
	size_t len = eq ? (size_t)(eq - p) : n;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strlen(known[i].name) != len || memcmp(known[i].name, p, len) != 0)
			continue;
		if (!eq || known[i].out[0])
			return -EBADMSG;
		return value_decode(eq + 1, n - len - 1, known[i].out);
	}
	return 0;
}

static int query_parse(const char *p, size_t n, struct loopback_answer *a)
{
	while (n > 0) {
		const char *amp = memchr(p, '&', n);
		size_t len = amp ? (size_t)(amp - p) : n;
		int r = parameter(a, p, len);

		if (r < 0)
			return r;
		len += amp != NULL;
		p += len;
		n -= len;
	}
	return 0;
}

int loopback_parse(const char *p, size_t n, struct loopback_answer *ret)
{
	static const char get[] = "GET ", version[] = " HTTP/1.", path[] = LOOPBACK_PATH;
	struct loopback_answer a = {.code = ""};
	const char *end = memchr(p, '\r', n), *space, *query;
	size_t len = end ? (size_t)(end - p) : 0;
	int r;

	if (len < sizeof(get) - 1 || memcmp(p, get, sizeof(get) - 1) != 0)
		return -EBADMSG;
	p += sizeof(get) - 1;
	len -= sizeof(get) - 1;
	space = memchr(p, ' ', len);
	if (!space || len - (size_t)(space - p) != sizeof(version) ||
	    memcmp(space, version, sizeof(version) - 1) != 0)
		return -EBADMSG;
	len = (size_t)(space - p);
	query = memchr(p, '?', len);
	if ((query ? (size_t)(query - p) : len) != sizeof(path) - 1 ||
	    memcmp(p, path, sizeof(path) - 1) != 0)
		return -ENOENT;
	r = query ? query_parse(query + 1, len - (size_t)(query + 1 - p), &a) : 0;
	if (r == 0)
		*ret = a;
	explicit_bzero(&a, sizeof(a));
	return r;
}

/* ---- the listener -----------------------------------------------------------------------------*/

int loopback_open(struct loopback *ret)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return -errno;
	*ret = (struct loopback){.fd = fd, .port = ntohs(a.sin_port)};
	fd = -1;
	return 0;
}

static int wait_readable(int fd, int64_t until_ms)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = until_ms - clock_mono_ms();
		int r = left > 0 ? poll(&p, 1, left > 60000 ? 60000 : (int)left) : 0;

		if (r > 0)
			return 0;
		if (left <= 0)
			return -ETIMEDOUT;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

/* The head of a request, or as much of it as there is in time. */
static size_t request_read(int fd, char *out, size_t size, int64_t until_ms)
{
	size_t n = 0;

	while (n < size && !memmem(out, n, "\r\n\r\n", 4)) {
		ssize_t got = wait_readable(fd, until_ms) == 0 ? recv(fd, out + n, size - n, 0) : 0;

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	return n;
}

static void page_send(int fd, const char *status, const char *text)
{
	char page[1024];
	int n = snprintf(page, sizeof(page),
	    "HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n"
	    "Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'\r\n"
	    "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\r\n"
	    "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Prism</title>"
	    "<h1>%s</h1><p>You can close this window.</p></html>\n",
	    status, text);

	/* Nobody depends on whether the page arrives. */
	if (n > 0 && send(fd, page, (size_t)n, MSG_NOSIGNAL) > 0)
		shutdown(fd, SHUT_WR);
}

/* One connection. 0: it brought our answer. */
static int client_serve(int fd, const char *state, int64_t until_ms, struct loopback_answer *ret)
{
	char request[LOOPBACK_REQUEST_MAX];
	int64_t end = clock_mono_ms() + CLIENT_MS;
	size_t n = request_read(fd, request, sizeof(request), end < until_ms ? end : until_ms);
	int r = loopback_parse(request, n, ret);

	explicit_bzero(request, sizeof(request));
	if (r == 0 && (strlen(ret->state) != strlen(state) ||
			  !secret_equal(ret->state, state, strlen(state))))
		r = -EBADMSG;
	if (r == -ENOENT)
		page_send(fd, "404 Not Found", "There is nothing here.");
	else if (r < 0 || (!ret->code[0] && !ret->error[0]))
		page_send(fd, "400 Bad Request", "This is not the login that prism waits for.");
	else
		page_send(fd, "200 OK",
		    ret->error[0] ? "You are not logged in." : "Go back to your terminal.");
	return r == 0 && (ret->code[0] || ret->error[0]) ? 0 : -EBADMSG;
}

int loopback_wait(
    const struct loopback *l, const char *state, int64_t until_ms, struct loopback_answer *ret)
{
	for (;;) {
		int r = wait_readable(l->fd, until_ms);
		_cleanup_close_ int fd = -1;

		if (r < 0)
			return r;
		fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0 && client_serve(fd, state, until_ms, ret) == 0)
			return 0;
	}
}
