/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "http_internal.h"

#define BACKLOG	     1024
#define SPARE_FDS    192 /* the database's, the log's, and a few for everything else */
#define EVHTTP_LIMIT 90	 /* seconds; ours are shorter */
#define DRAIN_MS     50

/* ---- answering ------------------------------------------------------------------------------- */

/* Unless the handler has said it otherwise. */
static void add_default(
    struct evkeyvalq *h, const struct reply *rp, const char *name, const char *v)
{
	if (!reply_header_value(rp, name))
		evhttp_add_header(h, name, v);
}

static bool asks_for_bearer(const struct job *j)
{
	return j->rp.status == 401 && !(j->rq.route && j->rq.route->scope == SCOPE_BROWSER);
}

/* To us, or to the proxy that the plain listener is there for. */
static bool came_by_https(const struct job *j)
{
	const struct config *c = &j->rq.central->config;

	return j->secure_transport || (c->behind_proxy && strncmp(c->url, "https:", 6) == 0);
}

static void add_headers(struct evhttp_request *ev, const struct job *j, bool close)
{
	static const char *const fixed[][2] = {
	    {"Cache-Control", "no-store"},
	    {"X-Content-Type-Options", "nosniff"},
	    {"Referrer-Policy", "no-referrer"},
	};
	struct evkeyvalq *h = evhttp_request_get_output_headers(ev);
	const struct reply *rp = &j->rp;
	char number[16];

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		add_default(h, rp, fixed[i][0], fixed[i][1]);
	evhttp_add_header(h, "X-Request-Id", j->rq.id);
	if (j->out_len || rp->len)
		evhttp_add_header(
		    h, "Content-Type", rp->type ? rp->type : "application/json; charset=utf-8");
	if (came_by_https(j))
		evhttp_add_header(h, "Strict-Transport-Security", "max-age=31536000");
	if (asks_for_bearer(j))
		add_default(h, rp, "WWW-Authenticate", "Bearer");
	if (rp->retry_after) {
		snprintf(number, sizeof(number), "%u", rp->retry_after);
		evhttp_add_header(h, "Retry-After", number);
	}
	for (size_t i = 0; i < rp->nheaders; i++)
		evhttp_add_header(h, rp->headers[i].name, rp->headers[i].value);
	if (close)
		evhttp_add_header(h, "Connection", "close");
}

struct released {
	void (*release)(void *);
	void *arg;
};

static void on_released(const void *data, size_t n, void *arg)
{
	struct released *r = arg;

	r->release(r->arg);
	free(r);
}

/* The bytes leave with the connection, whenever that is; without "release" they are constant. */
static int add_bytes(struct evbuffer *out, struct reply *rp)
{
	_cleanup_free_ struct released *r = NULL;

	if (rp->release) {
		r = malloc(sizeof(*r));
		if (!r)
			return -ENOMEM;
		*r = (struct released){rp->release, rp->release_arg};
	}
	if (evbuffer_add_reference(out, rp->bytes, rp->len, r ? on_released : NULL, r) < 0)
		return -ENOMEM;
	r = NULL;
	rp->release = NULL;
	return 0;
}

static void send_reply(struct loop *l, struct job *j, bool close)
{
	struct evhttp_request *ev = TAKE_PTR(j->ev);
	struct evbuffer *out = evhttp_request_get_output_buffer(ev);
	int status = j->rp.status;

	if (j->out_len && evbuffer_add(out, j->out, j->out_len) < 0)
		status = 500;
	if (j->rp.len && add_bytes(out, &j->rp) < 0)
		status = 500;
	add_headers(ev, j, close || l->draining);
	conn_writing(TAKE_PTR(j->conn), ev, evbuffer_get_length(out));
	evhttp_send_reply(ev, status, NULL, NULL);
}

void loop_answer(struct loop *l, struct job *j)
{
	l->njobs--;
	if (j->conn)
		send_reply(l, j, false);
	job_free(j);
}

void loop_run(struct loop *l, struct job *j, bool must)
{
	/* Nobody would read what it finds out; and a write that was asked for has been done. */
	if (!j->conn) {
		l->njobs--;
		job_free(j);
		return;
	}
	if (workers_submit(l->http->workers, j, must))
		return;
	reply_errno(&j->rp, -EBUSY);
	job_finish(j);
	loop_answer(l, j);
}

/* Refused before it is a request to anybody. The connection ends with it. */
static void refuse(
    struct loop *l, struct conn *c, struct evhttp_request *ev, enum api_error e, const char *why)
{
	struct job *j = job_new(l, c, ev);

	if (!j) {
		evhttp_send_error(ev, 503, NULL);
		return;
	}
	reply_error(&j->rp, e, why ? "%s" : NULL, why);
	job_finish(j);
	send_reply(l, j, true);
	job_free(j);
}

static void on_request(struct evhttp_request *ev, void *arg)
{
	struct listener *listener = arg;
	struct loop *l = listener->loop;
	struct conn *c = conn_of(l, ev);
	const char *why = gate_check(ev);

	if (!c) {
		evhttp_send_error(ev, 503, NULL);
		return;
	}
	if (why) {
		refuse(l, c, ev, API_BAD_REQUEST, why);
		return;
	}
	struct job *j = job_new(l, c, ev);
	if (!j) {
		evhttp_send_error(ev, 503, NULL);
		return;
	}
	if (!j->rq.method) {
		job_free(j);
		refuse(l, c, ev, API_METHOD_NOT_ALLOWED, NULL);
		return;
	}
	conn_busy(c, ev, j);
	l->njobs++;
	loop_run(l, j, false);
}

/* ---- what other threads ask of a loop -------------------------------------------------------- */

void loop_post(struct loop *l, struct job *j)
{
	pthread_mutex_lock(&l->lock);
	bool first = !l->done;
	j->next = l->done;
	l->done = j;
	pthread_mutex_unlock(&l->lock);
	if (first)
		eventfd_write(l->wake_fd, 1);
}

static void take_back(struct loop *l, struct job *j)
{
	if (j->rp.topic && j->conn)
		park_job(l, j);
	else
		loop_answer(l, j);
}

static void begin_draining(struct loop *l)
{
	struct timeval soon = {.tv_usec = DRAIN_MS * 1000};

	l->draining = true;
	for (int i = 0; i < l->nlisteners; i++)
		evhttp_del_accept_socket(l->listeners[i].evhttp, l->listeners[i].bound);
	park_wake_all(l, true);
	event_add(l->sweep, &soon);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	uint64_t topics[HTTP_WAKES_MAX];
	eventfd_t value;

	eventfd_read(l->wake_fd, &value);
	pthread_mutex_lock(&l->lock);
	struct job *done = TAKE_PTR(l->done);
	size_t n = l->nwakes;
	bool all = l->wake_all, stop = l->stop;
	memcpy(topics, l->wakes, n * sizeof(topics[0]));
	l->nwakes = 0;
	l->wake_all = false;
	pthread_mutex_unlock(&l->lock);

	/* First park, then wake: see http_park.c. */
	for (struct job *next; done; done = next) {
		next = done->next;
		take_back(l, done);
	}
	if (all)
		park_wake_all(l, false);
	else
		park_wake(l, topics, n);
	if (stop && !l->draining)
		begin_draining(l);
}

static bool still_writing(const struct loop *l)
{
	for (const struct conn *c = l->conns; c; c = c->next)
		if (c->state == CONN_WRITING)
			return true;
	return false;
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;

	conn_sweep(l);
	if (!l->draining)
		return;
	pthread_mutex_lock(&l->lock);
	bool leave = l->leave;
	pthread_mutex_unlock(&l->lock);
	if (leave || (l->njobs == 0 && !still_writing(l)))
		event_base_loopbreak(l->base);
}

static void on_fresh(evutil_socket_t fd, short what, void *arg)
{
	conn_admit_fresh(arg);
}

static void *loop_main(void *arg)
{
	struct loop *l = arg;

	event_base_dispatch(l->base);
	return NULL;
}

/* ---- listening ------------------------------------------------------------------------------- */

static int listen_failed(const char *where, int error)
{
	log_event(LOG_LEVEL_ERROR, "listen", "address", "%s", where, "reason", "%s",
	    strerror(-error), NULL);
	return error;
}

static int listen_unix(struct http *h, const char *path, int *ret)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return -errno;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	/* The state folder's lock says that no other service is using it. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	snprintf(h->unix_path, sizeof(h->unix_path), "%s", path);
	/* It is no more open than a port on the loopback address would be. */
	if (chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret = fd;
	fd = -1;
	return 0;
}

static int split_address(const char *where, char host[static 64], char port[static 8])
{
	const char *colon = strrchr(where, ':');
	size_t n = colon ? (size_t)(colon - where) : 0;
	bool brackets = n > 2 && where[0] == '[' && where[n - 1] == ']';

	if (!colon || n == 0 || n >= 64 || strlen(colon + 1) >= 8)
		return -EINVAL;
	snprintf(host, 64, "%.*s", (int)(brackets ? n - 2 : n), where + brackets);
	snprintf(port, 8, "%s", colon + 1);
	return 0;
}

static int listen_tcp(const char *where, int *ret, int *ret_port)
{
	struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *ai = NULL;
	char host[64], port[8];
	const int one = 1;

	if (split_address(where, host, port) < 0 || getaddrinfo(host, port, &hints, &ai) != 0)
		return -EINVAL;
	_cleanup_close_ int fd =
	    socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd < 0 ? -errno : 0;
	if (r == 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		/* Inherited by what is accepted; without it a TLS reply waits 40 ms. */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
		if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
			r = -errno;
	}
	freeaddrinfo(ai);
	struct sockaddr_in6 got = {0};
	socklen_t n = sizeof(got);
	if (r == 0 && getsockname(fd, (struct sockaddr *)&got, &n) < 0)
		r = -errno;
	if (r < 0)
		return r;
	*ret_port = ntohs(got.sin6_port); /* in the same place for IPv4 */
	*ret = fd;
	fd = -1;
	return 0;
}

static int listener_add(struct loop *l, int listen_fd, bool tls)
{
	struct listener *s = &l->listeners[l->nlisteners];
	_cleanup_close_ int fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	*s = (struct listener){.loop = l, .tls = tls, .evhttp = evhttp_new(l->base)};
	if (!s->evhttp)
		return -ENOMEM;
	l->nlisteners++;
	evhttp_set_bevcb(s->evhttp, conn_accept, s);
	evhttp_set_gencb(s->evhttp, on_request, s);
	evhttp_set_timeout(s->evhttp, EVHTTP_LIMIT);
	evhttp_set_max_headers_size(s->evhttp, HTTP_HEAD_MAX);
	evhttp_set_max_body_size(s->evhttp, HTTP_BODY_MAX);
	/* All of them, for 405 is ours to say. */
	evhttp_set_allowed_methods(s->evhttp, UINT16_MAX);
	s->bound = evhttp_accept_socket_with_handle(s->evhttp, fd);
	if (!s->bound)
		return -ENOMEM;
	fd = -1;
	return 0;
}

static int listen_everywhere(struct http *h, const char *where, bool tls, int *ret_port)
{
	_cleanup_close_ int fd = -1;
	int r = strncmp(where, "unix:", 5) == 0 ? listen_unix(h, where + 5, &fd)
						: listen_tcp(where, &fd, ret_port);

	for (int i = 0; r == 0 && i < h->nloops; i++)
		r = listener_add(&h->loops[i], fd, tls);
	return r < 0 ? listen_failed(where, r) : 0;
}

/* ---- start and stop -------------------------------------------------------------------------- */

static int loop_init(struct http *h, struct loop *l)
{
	const struct timeval second = {.tv_sec = 1};

	l->http = h;
	pthread_mutex_init(&l->lock, NULL);
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->wake_fd < 0)
		return -errno;
	l->base = event_base_new();
	l->by_fd = calloc(h->max_fd, sizeof(*l->by_fd));
	if (!l->base || !l->by_fd)
		return -ENOMEM;
	l->wake = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
	l->sweep = event_new(l->base, -1, EV_PERSIST, on_sweep, l);
	l->fresh = event_new(l->base, -1, 0, on_fresh, l);
	if (!l->wake || !l->sweep || !l->fresh || event_add(l->wake, NULL) < 0 ||
	    event_add(l->sweep, &second) < 0)
		return -ENOMEM;
	return 0;
}

/* As many descriptors as we may have, and fewer connections than that. */
static void limit_connections(struct http *h)
{
	struct rlimit lim = {.rlim_cur = 1024, .rlim_max = 1024};

	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max < 1048576 ? lim.rlim_max : 1048576;
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
		getrlimit(RLIMIT_NOFILE, &lim);
	h->max_fd = lim.rlim_cur;
	h->max_conns = (int)lim.rlim_cur - SPARE_FDS - h->central->config.workers * 6;
	if (h->max_conns < 16)
		h->max_conns = 16;
}

static int start_threads(struct http *h)
{
	int r = workers_start(h->central, h->central->config.workers, &h->workers);

	for (int i = 0; r == 0 && i < h->nloops; i++) {
		struct loop *l = &h->loops[i];
		r = -pthread_create(&l->thread, NULL, loop_main, l);
		l->started = r == 0;
	}
	return r;
}

static int start(struct http *h, const char *cert, const char *key)
{
	const struct config *cfg = &h->central->config;
	int r = router_check();

	if (r == 0)
		r = conn_init();
	if (r == 0)
		r = peer_table_new(cfg->connections_per_peer, &h->peers);
	limit_connections(h);
	h->loops = calloc((size_t)cfg->loops, sizeof(*h->loops));
	if (!h->loops)
		r = -ENOMEM;
	while (r == 0 && h->nloops < cfg->loops)
		r = loop_init(h, &h->loops[h->nloops++]);
	if (r == 0 && cfg->listen[0])
		r = http_tls_new(cert, key, &h->tls);
	if (r == 0 && cfg->listen[0])
		r = listen_everywhere(h, cfg->listen, true, &h->port);
	if (r == 0 && cfg->listen_plain[0])
		r = listen_everywhere(h, cfg->listen_plain, false, &h->plain_port);
	return r == 0 ? start_threads(h) : r;
}

int http_start(struct central *c, const char *tls_cert, const char *tls_key)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->central = c;
	pthread_mutex_init(&h->tls_lock, NULL);
	c->http = h;
	int r = start(h, tls_cert, tls_key);
	if (r < 0)
		http_stop(c, 0);
	return r;
}

int http_reload_tls(struct central *c, const char *tls_cert, const char *tls_key)
{
	struct http *h = c->http;
	SSL_CTX *fresh = NULL;
	int r = http_tls_new(tls_cert, tls_key, &fresh);

	if (r < 0)
		return r;
	pthread_mutex_lock(&h->tls_lock);
	SSL_CTX *old = h->tls;
	h->tls = fresh;
	pthread_mutex_unlock(&h->tls_lock);
	/* Connections keep what they began with. */
	SSL_CTX_free(old);
	return 0;
}

int http_port(const struct central *c, bool tls)
{
	return tls ? c->http->port : c->http->plain_port;
}

static void tell_all(struct http *h, bool leave)
{
	for (int i = 0; i < h->nloops; i++) {
		struct loop *l = &h->loops[i];
		pthread_mutex_lock(&l->lock);
		l->stop = true;
		l->leave |= leave;
		pthread_mutex_unlock(&l->lock);
		eventfd_write(l->wake_fd, 1);
	}
}

static void join_loops(struct http *h, int64_t grace_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += grace_ms / 1000;
	tell_all(h, grace_ms <= 0);
	for (int i = 0; i < h->nloops; i++) {
		struct loop *l = &h->loops[i];
		if (!l->started)
			continue;
		if (pthread_timedjoin_np(l->thread, NULL, &until) != 0) {
			tell_all(h, true);
			pthread_join(l->thread, NULL);
		}
	}
}

static void loop_free(struct loop *l)
{
	for (struct job *next; l->done; l->done = next) {
		next = l->done->next;
		job_free(l->done);
	}
	park_free_all(l);
	for (int i = 0; i < l->nlisteners; i++)
		evhttp_free(l->listeners[i].evhttp);
	conn_free_all(l);
	struct event *events[] = {l->wake, l->sweep, l->fresh};
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (events[i])
			event_free(events[i]);
	if (l->base)
		event_base_free(l->base);
	free(l->by_fd);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	pthread_mutex_destroy(&l->lock);
}

void http_stop(struct central *c, int64_t grace_ms)
{
	struct http *h = c->http;

	if (!h)
		return;
	join_loops(h, grace_ms);
	/* Workers may still wake topics: the loops stay until those are gone. */
	workers_stop(h->workers);
	c->http = NULL;
	for (int i = 0; i < h->nloops; i++)
		loop_free(&h->loops[i]);
	if (h->unix_path[0])
		unlink(h->unix_path);
	SSL_CTX_free(h->tls);
	pthread_mutex_destroy(&h->tls_lock);
	peer_table_free(h->peers);
	free(h->loops);
	free(h);
}
