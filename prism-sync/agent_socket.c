/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "agent_socket.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/log.h"

enum { CONNECTIONS_MAX = 640, BACKLOG = 256, IDLE_MS = 30000, TICK_USEC = 1000000 };

struct connection {
	struct agent_server *server;
	struct connection *next;
	int fd; /* -1: closed, and freed when nobody can be looking at it */
	sd_event_source *io;
	int64_t end;
	uint64_t ticket; /* of the request that waits for its reply; 0: none */
	uint64_t login;	 /* the one that was begun over it; 0: none */
	int64_t hold;	 /* monotonic ms: until its life is over */
	uint16_t verb;
};

struct agent_server {
	sd_event *event;
	sd_event_source *io, *timer;
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct agent_calls calls;
	uint64_t next_ticket;
	struct connection *connections;
	size_t n; /* of those that are open */
};

/* Its login ends by a time of its own, which logins.c keeps. */
static bool waits_for_login(const struct connection *c)
{
	return c->ticket != 0 && (c->verb == AGENT_LOGIN_START || c->verb == AGENT_LOGIN_WAIT);
}

static void drop(struct connection *c)
{
	const struct agent_server *s = c->server;
	const uint64_t gone = waits_for_login(c) ? c->ticket : 0;

	if (c->fd < 0)
		return;
	c->io = sd_event_source_disable_unref(c->io);
	close(c->fd);
	c->fd = -1;
	c->ticket = 0;
	c->server->n--;
	if (gone != 0)
		s->calls.gone(s->calls.arg, gone);
}

/* What was begun over it ends. */
static void leave(struct connection *c)
{
	const struct agent_server *s = c->server;

	if (c->login != 0)
		s->calls.left(s->calls.arg, c->login);
	c->login = 0;
}

/* Where no function has a connection in its hands. */
static void sweep(struct agent_server *s)
{
	for (struct connection **at = &s->connections; *at != NULL;) {
		struct connection *c = *at;

		if (c->fd >= 0) {
			at = &c->next;
			continue;
		}
		leave(c);
		*at = c->next;
		free(c);
	}
}

/* Whoever has begun a login and looks at its prompt is silent for as long as that may take. */
static int64_t end_of(const struct connection *c)
{
	const int64_t now = clock_mono_ms();

	return (c->hold > now ? c->hold : now) + IDLE_MS;
}

static void reply(struct connection *c, const struct agent_reply *r)
{
	_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);

	agent_put_reply(&b, r);
	c->ticket = 0;
	c->end = end_of(c);
	if (buf_error(&b) != 0 ||
	    send(c->fd, b.data, b.len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)b.len)
		drop(c);
}

static void reply_result(struct connection *c, int result, const char *text)
{
	struct agent_reply r = {.verb = c->verb, .result = result};

	snprintf(r.text, sizeof(r.text), "%s", text);
	reply(c, &r);
}

/* ---- verbs ----------------------------------------------------------------------------------- */

static void do_ping(struct connection *c, const struct agent_request *rq)
{
	reply_result(c, 0, "");
}

static void do_status(struct connection *c, const struct agent_request *rq)
{
	_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX - AGENT_TEXT_MAX - 64);
	struct agent_reply r = {.verb = c->verb};

	c->server->calls.status(c->server->calls.arg, &b);
	r.result = buf_error(&b);
	r.json = r.result == 0 ? buf_str(&b) : "{}";
	r.json_len = r.result == 0 ? b.len : 2;
	reply(c, &r);
}

static void later(struct connection *c, int rc, const char *what)
{
	if (rc < 0)
		reply_result(c, rc, what);
}

static void do_home(struct connection *c, const struct agent_request *rq)
{
	struct agent_server *s = c->server;

	c->ticket = ++s->next_ticket;
	int rc = s->calls.ensure_home(s->calls.arg, rq->user, c->ticket);

	later(c, rc,
	    rc == -ENOENT || rc == -EACCES ? "this host does not let this person in"
					   : "the host cannot make homes now");
}

static void do_sync(struct connection *c, const struct agent_request *rq)
{
	struct agent_server *s = c->server;

	c->ticket = ++s->next_ticket;
	later(c, s->calls.sync(s->calls.arg, c->ticket), "a poll is under way already");
}

static void do_release(struct connection *c, const struct agent_request *rq)
{
	char text[AGENT_TEXT_MAX] = "";
	int rc = c->server->calls.release(c->server->calls.arg, rq->user, text);

	reply_result(c, rc, text);
}

static void do_login(struct connection *c, const struct agent_request *rq)
{
	struct agent_server *s = c->server;
	char text[AGENT_TEXT_MAX] = "";

	c->ticket = ++s->next_ticket;
	if (rq->verb == AGENT_LOGIN_START) {
		leave(c);
		c->hold = clock_mono_ms() + rq->ms;
	}
	later(c, s->calls.login(s->calls.arg, rq, c->ticket, text), text);
}

static void do_login_end(struct connection *c, const struct agent_request *rq)
{
	char text[AGENT_TEXT_MAX] = "";

	reply_result(c, c->server->calls.login(c->server->calls.arg, rq, 0, text), text);
}

static const struct {
	uint16_t verb;
	void (*run)(struct connection *c, const struct agent_request *rq);
} verbs[] = {
    {AGENT_PING, do_ping},
    {AGENT_STATUS, do_status},
    {AGENT_ENSURE_HOME, do_home},
    {AGENT_SYNC, do_sync},
    {AGENT_RELEASE, do_release},
    {AGENT_LOGIN_START, do_login},
    {AGENT_LOGIN_WAIT, do_login},
    {AGENT_LOGIN_END, do_login_end},
};

static void run(struct connection *c, const void *packet, size_t n)
{
	struct agent_request rq;

	/* One request at a time: whoever does not wait for the reply is not one of ours. */
	if (c->ticket != 0 || agent_parse_request(packet, n, &rq) < 0) {
		drop(c);
		return;
	}
	c->verb = rq.verb;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (verbs[i].verb == rq.verb) {
			verbs[i].run(c, &rq);
			return;
		}
	}
	drop(c);
}

/* ---- the socket ------------------------------------------------------------------------------ */

static int on_packet(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct connection *c = arg;
	uint8_t packet[4096];
	ssize_t n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0 || (size_t)n > sizeof(packet))
		drop(c);
	else
		run(c, packet, (size_t)n);
	return 0;
}

static bool is_root(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == 0;
}

/* Make room: the one that goes first. Those of logins stay, and are fewer than there is room. */
static void drop_oldest(struct agent_server *s)
{
	struct connection *oldest = NULL;

	for (struct connection *c = s->connections; c != NULL; c = c->next)
		if (c->fd >= 0 && !waits_for_login(c) && (oldest == NULL || c->end < oldest->end))
			oldest = c;
	if (oldest != NULL)
		drop(oldest);
}

static struct connection *connection_new(struct agent_server *s, int fd)
{
	struct connection *c;

	if (s->n >= CONNECTIONS_MAX)
		drop_oldest(s);
	c = s->n < CONNECTIONS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (c == NULL)
		return NULL;
	c->server = s;
	c->fd = fd;
	c->end = clock_mono_ms() + IDLE_MS;
	c->next = s->connections;
	s->connections = c;
	s->n++;
	return c;
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct agent_server *s = arg;
	int new = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (new < 0)
		return 0;
	if (!is_root(new)) {
		log_event(LOG_LEVEL_WARN, "socket-refused", "reason", "%s", "not root", NULL);
		close(new);
		return 0;
	}
	struct connection *c = connection_new(s, new);

	if (c == NULL)
		close(new);
	else if (sd_event_add_io(s->event, &c->io, new, EPOLLIN, on_packet, c) < 0)
		drop(c);
	return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct agent_server *s = arg;

	sweep(s);
	for (struct connection *c = s->connections; c != NULL; c = c->next)
		if (!waits_for_login(c) && clock_mono_ms() > c->end)
			drop(c);
	sd_event_source_set_time_relative(source, TICK_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static struct connection *find_ticket(struct agent_server *s, uint64_t ticket)
{
	for (struct connection *c = s->connections; c != NULL && ticket != 0; c = c->next)
		if (c->fd >= 0 && c->ticket == ticket)
			return c;
	return NULL;
}

void agent_server_reply(struct agent_server *s, uint64_t ticket, int result, const char *text)
{
	struct connection *c = find_ticket(s, ticket);

	if (c != NULL)
		reply_result(c, result, text);
}

void agent_server_answer(struct agent_server *s, uint64_t ticket, const struct agent_reply *r)
{
	struct connection *c = find_ticket(s, ticket);
	struct agent_reply whole = *r;

	if (c == NULL)
		return;
	whole.verb = c->verb;
	if (c->verb == AGENT_LOGIN_START && r->result == 0)
		c->login = r->login->handle;
	reply(c, &whole);
}

/*
 * Bound under a name of its own and renamed, so that the name never answers "connection refused"
 * and never has a wider mode than 0600.
 */
static int listen_at(struct agent_server *s)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s.%d", s->path, (int)getpid());

	if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	unlink(addr.sun_path);
	if (fchmod(s->fd, 0600) < 0 || bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    chmod(addr.sun_path, 0600) < 0 || listen(s->fd, BACKLOG) < 0 ||
	    rename(addr.sun_path, s->path) < 0) {
		int rc = -errno;

		unlink(addr.sun_path);
		return rc;
	}
	return 0;
}

int agent_server_new(
    sd_event *e, const char *path, const struct agent_calls *calls, struct agent_server **ret)
{
	struct agent_server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->event = e;
	s->calls = *calls;
	s->fd = -1;
	int n = snprintf(s->path, sizeof(s->path), "%s", path);
	int rc = n < 0 || (size_t)n >= sizeof(s->path) ? -ENAMETOOLONG : listen_at(s);

	if (rc == 0)
		rc = sd_event_add_io(e, &s->io, s->fd, EPOLLIN, on_connect, s);
	if (rc == 0)
		rc = sd_event_add_time_relative(
		    e, &s->timer, CLOCK_MONOTONIC, TICK_USEC, 0, on_tick, s);
	if (rc < 0) {
		agent_server_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void agent_server_free(struct agent_server *s)
{
	if (s == NULL)
		return;
	for (struct connection *c = s->connections; c != NULL; c = c->next)
		drop(c);
	sweep(s);
	sd_event_source_disable_unref(s->io);
	sd_event_source_disable_unref(s->timer);
	if (s->fd >= 0) {
		unlink(s->path);
		close(s->fd);
	}
	free(s);
}
