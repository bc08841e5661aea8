/* SPDX-License-Identifier: MIT */

/*
 * The agent's socket as pam_prism uses it for device logins.
 *
 *	helper_login SOCKET start USER ORIGIN LIFE_MS [DEADLINE_MS]
 *				"0 HANDLE URL COMPLETE CODE SIDE HOST", or "RESULT TEXT", or
 *				"none ERROR"
 *				(a process stays behind, which holds the connection)
 *	helper_login SOCKET leave USER ORIGIN	begin, and close the connection
 *	helper_login SOCKET wait HANDLE MS	"0 USER UID SLUG...", or "RESULT TEXT"
 *	helper_login SOCKET end HANDLE
 *	helper_login SOCKET hold HANDLE MS	begin to wait, and close without the reply
 *	helper_login SOCKET qr USER ORIGIN	begin, and print the QR code as lines of # and .
 *	helper_login SOCKET crowd FIRST|USER N LIFE_MS
 *			logins of userFIRST..., or N of one user, each from an address of its
 *			own and on a connection that stays open. Says "code CODE" of each,
 *			"begun N failed M ms T" (until the last had begun), waits for all, and
 *			says "result R count C last MS" for each kind of answer (when the last
 *			one came, CLOCK_MONOTONIC)
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "agent/agent.h"
#include "base/clock.h"

#define CROWD_MAX 600

static uint8_t storage[AGENT_PACKET_MAX];
static struct agent_login login;
static struct agent_approval approval;
static struct agent_reply reply = {.login = &login, .approval = &approval};

static int ask_over(int fd, const struct agent_request *rq, int ms)
{
	const int rc = fd < 0 ? fd : agent_ask(fd, rq, ms, storage, sizeof(storage), &reply);

	if (rc < 0)
		printf("none %s\n", strerror(-rc));
	else if (reply.result < 0)
		printf("%d %s\n", reply.result, reply.text);
	return rc < 0 ? rc : reply.result;
}

static int ask(const char *path, const struct agent_request *rq, int ms)
{
	const int fd = agent_open(path, ms);
	const int rc = ask_over(fd, rq, ms);

	if (fd >= 0)
		close(fd);
	return rc;
}

static void print_qr(void)
{
	for (size_t y = 0; y < login.qr_side; y++) {
		for (size_t x = 0; x < login.qr_side; x++)
			putchar(login.qr[y * ((login.qr_side + 7u) / 8) + x / 8] & 0x80 >> x % 8
				    ? '#'
				    : '.');
		putchar('\n');
	}
}

/* The login ends with the connection: for as long as it may last, somebody is there. */
static void stay(int fd, uint32_t ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	fflush(stdout);
	if (fork() != 0)
		return;
	for (int i = 0; i < 3; i++)
		close(i);
	poll(&p, 1, (int)ms + 1000);
	_exit(0);
}

static int start(const char *path, int argc, char **argv, bool stays)
{
	struct agent_request rq = {.verb = AGENT_LOGIN_START, .service = "sshd", .ms = 60000};

	snprintf(rq.user, sizeof(rq.user), "%s", argv[0]);
	snprintf(rq.origin, sizeof(rq.origin), "%s", argv[1]);
	if (argc > 2)
		rq.ms = (uint32_t)strtoul(argv[2], NULL, 10);
	const int fd = agent_open(path, 2000);

	if (ask_over(fd, &rq, argc > 3 ? (int)strtol(argv[3], NULL, 10) : 8000) != 0)
		return 0;
	if (stays)
		stay(fd, rq.ms);
	if (*argv[-1] == 'q')
		print_qr();
	else
		printf("0 %" PRIu64 " %s %s %s %u %s\n", login.handle, login.url,
		    login.url_complete, login.code, login.qr_side, login.host);
	return 0;
}

static int wait_for(const char *path, char **argv)
{
	struct agent_request rq = {.verb = AGENT_LOGIN_WAIT,
	    .handle = strtoull(argv[0], NULL, 10),
	    .ms = (uint32_t)strtoul(argv[1], NULL, 10)};

	if (ask(path, &rq, (int)rq.ms + 5000) != 0)
		return 0;
	printf("0 %s %u", approval.user, (unsigned)approval.uid);
	for (size_t i = 0; i < approval.nprojects; i++)
		printf(" %s", approval.projects[i]);
	printf("\n");
	return 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

static void send_request(int fd, const struct agent_request *rq)
{
	struct buf b = BUF_INIT(1024);

	agent_put_request(&b, rq);
	if (buf_error(&b) < 0 || send(fd, b.data, b.len, MSG_NOSIGNAL) != (ssize_t)b.len) {
		perror("send");
		exit(1);
	}
	buf_free(&b);
}

static int hold(const char *path, char **argv)
{
	const struct agent_request rq = {
	    .verb = AGENT_LOGIN_WAIT, .handle = strtoull(argv[0], NULL, 10), .ms = 60000};
	const int fd = connect_to(path);

	send_request(fd, &rq);
	usleep((useconds_t)strtoul(argv[1], NULL, 10) * 1000);
	close(fd);
	return 0;
}

/* ---- a crowd --------------------------------------------------------------------------------- */

struct tally {
	int result;
	size_t n;
	int64_t last;
};

static struct pollfd fds[CROWD_MAX];
static struct tally tallies[16];

static void count(int result)
{
	for (size_t i = 0; i < sizeof(tallies) / sizeof(tallies[0]); i++) {
		if (tallies[i].n > 0 && tallies[i].result != result)
			continue;
		tallies[i].result = result;
		tallies[i].n++;
		tallies[i].last = clock_mono_ms();
		return;
	}
}

/* The reply on a connection, or -errno. */
static int take(int fd)
{
	const ssize_t n = recv(fd, storage, sizeof(storage), 0);
	const int rc = n > 0 ? agent_parse_reply(storage, (size_t)n, &reply) : -EPIPE;

	return rc < 0 ? rc : reply.result;
}

static size_t begin_crowd(const char *path, const char *who, size_t n, uint32_t life)
{
	const unsigned long first = strtoul(who, NULL, 10);
	const int64_t began = clock_mono_ms();
	size_t begun = 0;

	for (size_t i = 0; i < n; i++) {
		struct agent_request rq = {
		    .verb = AGENT_LOGIN_START, .service = "sshd", .ms = life};

		if (first > 0)
			snprintf(rq.user, sizeof(rq.user), "user%lu", first + i);
		else
			snprintf(rq.user, sizeof(rq.user), "%s", who);
		snprintf(rq.origin, sizeof(rq.origin), "192.0.%zu.%zu", i / 250, i % 250);
		fds[i] = (struct pollfd){.fd = connect_to(path), .events = POLLIN};
		send_request(fds[i].fd, &rq);
	}
	for (size_t i = 0; i < n; i++) {
		if (take(fds[i].fd) == 0) {
			const struct agent_request rq = {
			    .verb = AGENT_LOGIN_WAIT, .handle = login.handle, .ms = life};

			printf("code %s\n", login.code);
			begun++;
			send_request(fds[i].fd, &rq);
			continue;
		}
		close(fds[i].fd);
		fds[i].fd = -1;
	}
	printf("begun %zu failed %zu ms %" PRId64 "\n", begun, n - begun, clock_mono_ms() - began);
	return begun;
}

static int crowd(const char *path, char **argv)
{
	const size_t n = strtoul(argv[1], NULL, 10);
	size_t left;

	if (n > CROWD_MAX)
		return 2;
	left = begin_crowd(path, argv[0], n, (uint32_t)strtoul(argv[2], NULL, 10));
	while (left > 0 && poll(fds, n, -1) > 0) {
		for (size_t i = 0; i < n; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			count(take(fds[i].fd));
			close(fds[i].fd);
			fds[i].fd = -1;
			left--;
		}
	}
	for (size_t i = 0; tallies[i].n > 0; i++)
		printf("result %d count %zu last %" PRId64 "\n", tallies[i].result, tallies[i].n,
		    tallies[i].last);
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 4 && (strcmp(argv[2], "start") == 0 || strcmp(argv[2], "qr") == 0 ||
			    strcmp(argv[2], "leave") == 0))
		return start(argv[1], argc - 3, argv + 3, argv[2][0] != 'l');
	if (argc > 4 && strcmp(argv[2], "wait") == 0)
		return wait_for(argv[1], argv + 3);
	if (argc > 4 && strcmp(argv[2], "hold") == 0)
		return hold(argv[1], argv + 3);
	if (argc > 5 && strcmp(argv[2], "crowd") == 0)
		return crowd(argv[1], argv + 3);
	if (argc > 3 && strcmp(argv[2], "end") == 0) {
		const struct agent_request rq = {
		    .verb = AGENT_LOGIN_END, .handle = strtoull(argv[3], NULL, 10)};

		if (ask(argv[1], &rq, 5000) == 0)
			printf("0\n");
		return 0;
	}
	return 2;
}
