/* SPDX-License-Identifier: MIT */
/* The listener for a browser's answer: what it reads, and whom it believes (I3.1, RFC 8252). */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "prism/loopback.h"
#include "test.h"

static int parse(const char *request, struct loopback_answer *a)
{
	*a = (struct loopback_answer){.code = "before"};
	return loopback_parse(request, strlen(request), a);
}

TEST("I3.1 the browser's answer is read")
{
	struct loopback_answer a;

	EXPECT(
	    parse("GET /callback?code=ab-c&state=x%2Fy&iss=https%3A%2F%2Fp.edu HTTP/1.1\r\nHost: "
		  "x\r\n\r\n",
		&a) == 0);
	EXPECT(strcmp(a.code, "ab-c") == 0);
	EXPECT(strcmp(a.state, "x/y") == 0);
	EXPECT(strcmp(a.iss, "https://p.edu") == 0);
	EXPECT(a.error[0] == '\0');
	EXPECT(parse("GET /callback?error=access_denied&state=s HTTP/1.0\r\n\r\n", &a) == 0);
	EXPECT(strcmp(a.error, "access_denied") == 0 && a.code[0] == '\0');
	EXPECT(parse("GET /callback?other=1&code=c&&x HTTP/1.1\r\n", &a) == 0);
	EXPECT(strcmp(a.code, "c") == 0);
}

TEST("I3.1 what is no such answer is refused, and nothing is kept of it")
{
	static const struct {
		const char *request;
		int error;
	} bad[] = {
	    {"", -EBADMSG},
	    {"GET /callback?code=c&state=s", -EBADMSG},
	    {"POST /callback?code=c HTTP/1.1\r\n", -EBADMSG},
	    {"GET /callback?code=c HTTP/2\r\n", -EBADMSG},
	    {"GET /callback?code=c\r\n", -EBADMSG},
	    {"GET /callback?code=a&code=b HTTP/1.1\r\n", -EBADMSG},
	    {"GET /callback?code HTTP/1.1\r\n", -EBADMSG},
	    {"GET /callback?code=%0d%0a HTTP/1.1\r\n", -EBADMSG},
	    {"GET /callback?code=%4 HTTP/1.1\r\n", -EBADMSG},
	    {"GET /callback?code=%zz HTTP/1.1\r\n", -EBADMSG},
	    {"GET /favicon.ico HTTP/1.1\r\n", -ENOENT},
	    {"GET /callbackx?code=c HTTP/1.1\r\n", -ENOENT},
	    {"GET /?code=c HTTP/1.1\r\n", -ENOENT},
	    {"GET http://127.0.0.1/callback?code=c HTTP/1.1\r\n", -ENOENT},
	};
	struct loopback_answer a;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT(parse(bad[i].request, &a) == bad[i].error);
		EXPECT(strcmp(a.code, "before") == 0);
	}
}

TEST("I3.1 values have a limit")
{
	char request[LOOPBACK_VALUE_MAX + 64];
	struct loopback_answer a;
	int n = snprintf(request, sizeof(request), "GET /callback?code=");

	memset(request + n, 'a', LOOPBACK_VALUE_MAX);
	snprintf(request + n + LOOPBACK_VALUE_MAX, 32, " HTTP/1.1\r\n");
	EXPECT(parse(request, &a) == -EBADMSG);
	snprintf(request + n + LOOPBACK_VALUE_MAX - 1, 32, " HTTP/1.1\r\n");
	EXPECT(parse(request, &a) == 0);
}

struct visits {
	uint16_t port;
	char replies[4][512];
};

static void visit(uint16_t port, const char *request, char reply[512])
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = 0;
	ssize_t got;

	reply[0] = '\0';
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
	    send(fd, request, strlen(request), MSG_NOSIGNAL) > 0)
		while (n < 511 && (got = recv(fd, reply + n, 511 - n, 0)) > 0)
			n += (size_t)got;
	reply[n] = '\0';
	close(fd);
}

static void *visitor(void *arg)
{
	struct visits *v = arg;

	visit(v->port, "GET /favicon.ico HTTP/1.1\r\n\r\n", v->replies[0]);
	visit(v->port, "GET /callback?code=evil&state=guessed HTTP/1.1\r\n\r\n", v->replies[1]);
	visit(v->port, "GET /callback?state=right HTTP/1.1\r\n\r\n", v->replies[2]);
	visit(v->port, "GET /callback?code=good&state=right HTTP/1.1\r\n\r\n", v->replies[3]);
	return NULL;
}

TEST("I3.1 only the answer with the right state ends the wait")
{
	struct loopback l;
	struct loopback_answer a;
	struct visits v = {0};
	pthread_t t;

	EXPECT(loopback_open(&l) == 0 && l.port > 0);
	v.port = l.port;
	EXPECT(pthread_create(&t, NULL, visitor, &v) == 0);
	EXPECT(loopback_wait(&l, "right", clock_mono_ms() + 10000, &a) == 0);
	pthread_join(t, NULL);
	EXPECT(strcmp(a.code, "good") == 0);
	EXPECT(strncmp(v.replies[0], "HTTP/1.1 404", 12) == 0);
	EXPECT(strncmp(v.replies[1], "HTTP/1.1 400", 12) == 0);
	EXPECT(strncmp(v.replies[2], "HTTP/1.1 400", 12) == 0);
	EXPECT(strncmp(v.replies[3], "HTTP/1.1 200", 12) == 0);
	EXPECT(strstr(v.replies[3], "default-src 'none'") != NULL);
	EXPECT(loopback_wait(&l, "right", clock_mono_ms() + 50, &a) == -ETIMEDOUT);
	close(l.fd);
}

TEST_MAIN()
