/* SPDX-License-Identifier: MIT */
/*
 * Connections, watched from the moment they are accepted. evhttp only knows time-outs between two
 * bytes, so a client that sends one byte now and then would hold its connection for ever; and it
 * has no limit on how many one address may open.
 *
 * A TLS connection's record lives as long as its SSL. A plain one has no such companion: its record
 * goes when evhttp closes the connection, or, if that never asked anything, when the descriptor
 * turns out to be another socket.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <arpa/inet.h>
#include <event2/bufferevent_ssl.h>
#include "base/clock.h"
#include "ratelimit.h"
#include "http_internal.h"

static int ssl_index = -1;

/* ---- how many of one address ----------------------------------------------------------------- */

#define PEER_BUCKETS 1024

struct peer {
	struct peer *next;
	int n;
	char key[RATELIMIT_KEY_MAX];
};

struct peer_table {
	pthread_mutex_t lock;
	int limit;
	struct peer *buckets[PEER_BUCKETS];
};

int peer_table_new(int limit, struct peer_table **ret)
{
	struct peer_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	t->limit = limit;
	*ret = t;
	return 0;
}

void peer_table_free(struct peer_table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < PEER_BUCKETS; i++)
		while (t->buckets[i]) {
			struct peer *p = t->buckets[i];
			t->buckets[i] = p->next;
			free(p);
		}
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct peer **peer_place(struct peer_table *t, const char *key)
{
	uint32_t h = 2166136261u;

	for (const char *s = key; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	struct peer **p = &t->buckets[h % PEER_BUCKETS];
	while (*p && strcmp((*p)->key, key) != 0)
		p = &(*p)->next;
	return p;
}

/* NULL when this address has its share already. */
static struct peer *peer_enter(struct peer_table *t, const char *address)
{
	char key[RATELIMIT_KEY_MAX];

	ratelimit_peer(address, key);
	pthread_mutex_lock(&t->lock);
	struct peer **place = peer_place(t, key), *p = *place;
	if (!p) {
		p = *place = calloc(1, sizeof(*p));
		if (p)
			memcpy(p->key, key, sizeof(key));
	}
	if (p && p->n >= t->limit)
		p = NULL;
	if (p)
		p->n++;
	pthread_mutex_unlock(&t->lock);
	return p;
}

static void peer_leave(struct peer_table *t, struct peer *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&t->lock);
	if (--p->n == 0) {
		struct peer **place = peer_place(t, p->key);
		*place = p->next;
		free(p);
	}
	pthread_mutex_unlock(&t->lock);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void conn_link(struct loop *l, struct conn *c)
{
	c->loop = l;
	c->next = l->conns;
	c->prev = &l->conns;
	if (c->next)
		c->next->prev = &c->next;
	l->conns = c;
	atomic_fetch_add(&l->http->nconns, 1);
}

/* A request that is being worked on goes on without its client; a parked one ends here. */
static void conn_orphan_job(struct conn *c)
{
	struct job *j = TAKE_PTR(c->job);

	if (!j)
		return;
	j->conn = NULL;
	j->ev = NULL;
	if (!j->timer)
		return;
	park_remove(j);
	c->loop->njobs--;
	job_free(j);
}

static void conn_free(struct conn *c)
{
	struct http *h = c->loop->http;

	conn_orphan_job(c);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	if (c->fd >= 0 && c->loop->by_fd[c->fd] == c)
		c->loop->by_fd[c->fd] = NULL;
	atomic_fetch_sub(&h->nconns, 1);
	atomic_fetch_sub(&h->held, (int64_t)c->held);
	peer_leave(h->peers, c->peer);
	free(c);
}

static void on_ssl_free(
    void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	struct conn *c = ptr;

	if (c)
		conn_free(c);
}

int conn_init(void)
{
	if (ssl_index < 0)
		ssl_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
	return ssl_index < 0 ? -ENOMEM : 0;
}

struct bufferevent *conn_accept(struct event_base *base, void *arg)
{
	struct listener *listener = arg;
	struct loop *l = listener->loop;
	_cleanup_free_ struct conn *c = calloc(1, sizeof(*c));
	struct bufferevent *bev = NULL;

	if (!c)
		return NULL;
	c->fd = -1;
	c->fresh = true;
	c->state = CONN_READING;
	c->deadline = clock_mono_ms() + HTTP_READ_MS;
	if (listener->tls) {
		pthread_mutex_lock(&l->http->tls_lock);
		SSL *ssl = SSL_new(l->http->tls);
		pthread_mutex_unlock(&l->http->tls_lock);
		if (!ssl)
			return NULL;
		bev = bufferevent_openssl_socket_new(
		    base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
		if (!bev) {
			SSL_free(ssl);
			return NULL;
		}
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
		SSL_set_ex_data(ssl, ssl_index, c);
		c->ssl = ssl;
	} else {
		bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
		if (!bev)
			return NULL;
	}
	c->bev = bev;
	conn_link(l, TAKE_PTR(c));
	event_active(l->fresh, EV_TIMEOUT, 1);
	return bev;
}

static void hang_up(struct conn *c)
{
	c->deadline = 0;
	shutdown(c->fd, SHUT_RDWR);
}

/* A first byte after a pause begins a request; its whole length counts against what we hold. */
static void on_input(struct evbuffer *b, const struct evbuffer_cb_info *info, void *arg)
{
	struct conn *c = arg;
	struct http *h = c->loop->http;

	if (info->n_added == 0)
		return;
	if (c->state == CONN_IDLE) {
		c->state = CONN_READING;
		c->deadline = clock_mono_ms() + HTTP_READ_MS;
	}
	c->held += info->n_added;
	int64_t all = atomic_fetch_add(&h->held, (int64_t)info->n_added) + (int64_t)info->n_added;
	if (all > HTTP_HELD_MAX && c->held > HTTP_HELD_FREE)
		hang_up(c);
}

static void conn_address(struct conn *c)
{
	struct sockaddr_storage ss = {0};
	socklen_t n = sizeof(ss);
	const void *from = NULL;

	snprintf(c->address, sizeof(c->address), "unknown");
	if (getpeername(c->fd, (struct sockaddr *)&ss, &n) < 0)
		return;
	if (ss.ss_family == AF_UNIX)
		snprintf(c->address, sizeof(c->address), "unix");
	else if (ss.ss_family == AF_INET)
		from = &((struct sockaddr_in *)&ss)->sin_addr;
	else if (ss.ss_family == AF_INET6)
		from = &((struct sockaddr_in6 *)&ss)->sin6_addr;
	if (from)
		inet_ntop(ss.ss_family, from, c->address, sizeof(c->address));
	if (strncmp(c->address, "::ffff:", 7) == 0 && strchr(c->address, '.'))
		memmove(c->address, c->address + 7, strlen(c->address + 7) + 1);
}

static bool inode_of(int fd, ino_t *ret)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	*ret = st.st_ino;
	return true;
}

static void conn_admit(struct loop *l, struct conn *c)
{
	struct http *h = l->http;

	c->fresh = false;
	c->fd = bufferevent_getfd(c->bev);
	if (c->fd < 0 || (size_t)c->fd >= h->max_fd || !inode_of(c->fd, &c->inode)) {
		c->fd = -1;
		return;
	}
	/* A plain connection that ended unseen: its number has come back. The sweep frees it. */
	if (l->by_fd[c->fd] && !l->by_fd[c->fd]->ssl)
		l->by_fd[c->fd]->deadline = 1;
	l->by_fd[c->fd] = c;
	conn_address(c);
	if (c->ssl)
		c->peer = peer_enter(h->peers, c->address);
	if (atomic_load(&h->nconns) > h->max_conns || (c->ssl && !c->peer)) {
		hang_up(c);
		return;
	}
	evbuffer_add_cb(bufferevent_get_input(c->bev), on_input, c);
}

void conn_admit_fresh(struct loop *l)
{
	/* The newest stand first. */
	for (struct conn *c = l->conns, *next; c && c->fresh; c = next) {
		next = c->next;
		conn_admit(l, c);
	}
}

struct conn *conn_of(struct loop *l, struct evhttp_request *ev)
{
	int fd =
	    bufferevent_getfd(evhttp_connection_get_bufferevent(evhttp_request_get_connection(ev)));

	return fd >= 0 && (size_t)fd < l->http->max_fd ? l->by_fd[fd] : NULL;
}

/* ---- states ---------------------------------------------------------------------------------- */

static void on_close(struct evhttp_connection *evcon, void *arg)
{
	struct conn *c = arg;

	/* The SSL outlives this for a moment, and takes its record along. */
	if (c->ssl) {
		conn_orphan_job(c);
		c->deadline = 0;
		return;
	}
	conn_free(c);
}

void conn_busy(struct conn *c, struct evhttp_request *ev, struct job *j)
{
	c->state = CONN_BUSY;
	c->deadline = 0;
	c->job = j;
	evhttp_connection_set_closecb(evhttp_request_get_connection(ev), on_close, c);
}

static void on_sent(struct evhttp_request *ev, void *arg)
{
	struct conn *c = arg;
	bool more = evbuffer_get_length(bufferevent_get_input(c->bev)) > 0;

	c->state = more ? CONN_READING : CONN_IDLE;
	c->deadline = clock_mono_ms() + (more ? HTTP_READ_MS : HTTP_IDLE_MS);
}

void conn_writing(struct conn *c, struct evhttp_request *ev, size_t len)
{
	c->job = NULL;
	c->state = CONN_WRITING;
	c->deadline = clock_mono_ms() + HTTP_WRITE_MS + (int64_t)len / HTTP_WRITE_RATE;
	atomic_fetch_sub(&c->loop->http->held, (int64_t)c->held);
	c->held = 0;
	evhttp_connection_set_closecb(evhttp_request_get_connection(ev), on_close, c);
	evhttp_request_set_on_complete_cb(ev, on_sent, c);
}

void conn_sweep(struct loop *l)
{
	int64_t now = clock_mono_ms();

	for (struct conn *c = l->conns, *next; c; c = next) {
		ino_t inode = 0;
		next = c->next;
		if (!c->deadline || now < c->deadline || c->fd < 0)
			continue;
		if (inode_of(c->fd, &inode) && inode == c->inode)
			hang_up(c);
		else if (!c->ssl)
			conn_free(c);
	}
}

void conn_free_all(struct loop *l)
{
	for (struct conn *c = l->conns, *next; c; c = next) {
		next = c->next;
		if (!c->ssl)
			conn_free(c);
	}
}
