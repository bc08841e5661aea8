/* SPDX-License-Identifier: MIT */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

/*
 * What the parts of the HTTP server share; nobody else includes this.
 *
 *	http_server.c	threads, listeners, replies, start and stop
 *	http_conn.c	connections: limits by address, deadlines, what happens when they end
 *	http_gate.c	the strict reading of a request's head
 *	http_request.c	a request as a job, with memory of its own
 *	http_park.c	jobs that wait for a topic
 *	worker.c	threads that run jobs
 *	router.c	from a path to a handler
 *
 * Threads. Each loop owns its connections, evhttp requests and parked jobs; nothing of those is
 * touched elsewhere, for evhttp is not thread-safe. A job travels: its loop makes it, a worker runs
 * it, and gives it back through loop_post(), an eventfd. Meanwhile the client may be gone: then
 * job->conn is NULL and the result is dropped.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <openssl/ssl.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include "central.h"
#include "http.h"

#define HTTP_READ_MS	  15000 /* from a request's first byte to its last */
#define HTTP_IDLE_MS	  75000 /* between two requests */
#define HTTP_WRITE_MS	  30000 /* for a reply, and more for a long one: */
#define HTTP_WRITE_RATE	  16	/* bytes a millisecond, at least */
#define HTTP_HEAD_MAX	  16384
#define HTTP_HELD_MAX	  (256 << 20) /* bytes of unfinished requests, all together */
#define HTTP_HELD_FREE	  (64 << 10)  /* what one request may have even then */
#define HTTP_QUEUE_MAX	  8192
#define HTTP_HASHES_MAX	  128  /* waiting to hash a password: some six seconds */
#define HTTP_OUT_MAX	  256  /* waiting for somebody else's server */
#define HTTP_PARK_BUCKETS 1024 /* a power of two */
#define HTTP_PARK_MS	  60000
#define HTTP_WAKES_MAX	  256
#define HTTP_PAIRS_MAX	  64
#define HTTP_SEGMENTS_MAX 12

struct loop;
struct job;

struct pair {
	const char *name, *value;
	bool lines; /* of a form: the value has line ends */
};

struct pairs {
	struct pair *v;
	size_t n;
};

/* ---- connections: http_conn.c ---------------------------------------------------------------- */

enum conn_state { CONN_READING, CONN_BUSY, CONN_WRITING, CONN_IDLE };

struct conn {
	struct conn *next, **prev;
	struct loop *loop;
	struct bufferevent *bev;
	SSL *ssl; /* NULL: a plain connection */
	int fd;
	ino_t inode; /* of the socket: a descriptor's number may have a new owner */
	bool fresh;
	enum conn_state state;
	int64_t deadline; /* 0: none */
	size_t held;
	struct job *job;
	struct peer *peer;
	char address[INET6_ADDRSTRLEN];
};

struct peer_table;

int peer_table_new(int limit, struct peer_table **ret);
void peer_table_free(struct peer_table *t);

/* evhttp's callback: a bufferevent for the connection that it is accepting. arg: struct listener */
struct bufferevent *conn_accept(struct event_base *base, void *arg);
/* The descriptors of those accepted are known now. */
void conn_admit_fresh(struct loop *l);
struct conn *conn_of(struct loop *l, struct evhttp_request *ev);
/* A request has come in whole, a reply goes out. */
void conn_busy(struct conn *c, struct evhttp_request *ev, struct job *j);
void conn_writing(struct conn *c, struct evhttp_request *ev, size_t len);
void conn_sweep(struct loop *l);
void conn_free_all(struct loop *l);
/* Once in a process. */
int conn_init(void);

/* ---- loops: http_server.c -------------------------------------------------------------------- */

struct listener {
	struct loop *loop;
	struct evhttp *evhttp;
	struct evhttp_bound_socket *bound;
	bool tls;
};

struct loop {
	struct http *http;
	pthread_t thread;
	bool started;
	struct event_base *base;
	struct listener listeners[2];
	int nlisteners;
	int wake_fd;
	struct event *wake, *fresh, *sweep;
	struct conn *conns;
	struct conn **by_fd;
	struct job *parked[HTTP_PARK_BUCKETS];
	size_t njobs; /* that belong to this loop and are not answered yet */
	bool draining;

	pthread_mutex_t lock; /* guards what follows: other threads put it there */
	struct job *done;
	uint64_t wakes[HTTP_WAKES_MAX];
	size_t nwakes;
	bool wake_all, stop, leave;
};

struct http {
	struct central *central;
	pthread_mutex_t tls_lock; /* guards tls, which a reload replaces */
	SSL_CTX *tls;
	struct loop *loops;
	int nloops;
	struct workers *workers;
	struct peer_table *peers;
	size_t max_fd;
	int max_conns;
	_Atomic int nconns;
	_Atomic int64_t held;
	char unix_path[108];
	int port, plain_port;
};

/* From any thread: the job has run. */
void loop_post(struct loop *l, struct job *j);
/* On the loop's thread: give a job to the workers, answer it, or drop it. */
void loop_run(struct loop *l, struct job *j, bool must);
void loop_answer(struct loop *l, struct job *j);

/* ---- requests: http_gate.c, http_request.c --------------------------------------------------- */

/* NULL when the head of this request can be read in one way only; otherwise what is wrong. */
const char *gate_check(struct evhttp_request *ev);

struct job {
	struct job *next;
	struct loop *loop;
	struct conn *conn;	   /* loop's thread only; NULL: the client has gone */
	struct evhttp_request *ev; /* likewise */
	struct request rq;
	struct reply rp;
	char *out; /* rp.json as text */
	size_t out_len;
	char *uri; /* the path, then the query; both decoded in place */
	char *segments[HTTP_SEGMENTS_MAX];
	int nsegments;
	struct pairs query, form, headers;
	char *head; /* what headers points into */
	char *body;
	size_t body_len;
	bool parsed, pathed;   /* the path could be read, whatever came of the rest */
	bool secure_transport; /* TLS */
	char peer[INET6_ADDRSTRLEN];
	int64_t started_ms;
	/* parked */
	struct job *park_next, **park_prev;
	struct event *timer;
	int64_t park_until;
	uint64_t topic;
	uint64_t wakes_seen;
};

/* Copy all that a handler may ask for. NULL: out of memory. */
struct job *job_new(struct loop *l, struct conn *c, struct evhttp_request *ev);
void job_free(struct job *j);
/* Path, query and body, on a worker. 0, or the reply is filled. */
int job_parse(struct job *j);
/* The reply as bytes and a line in the log: nothing more will change. */
void job_finish(struct job *j);

/*
 * Decode a%20b in place; with "plus", + is a space. -EINVAL: broken, a control character, or not
 * UTF-8.
 */
int percent_decode(char *s, bool plus);

/* ---- parked jobs: http_park.c ---------------------------------------------------------------- */

/* How many wakes there have been: taken before a handler looks at the database. */
uint64_t park_wakes(void);
/* Park it, or run it again at once if its topic was woken since. */
void park_job(struct loop *l, struct job *j);
/* Take a job out; harmless if it is not parked. */
void park_remove(struct job *j);
/* On the loop's thread: run those that wait for these topics; all of them, for the last time. */
void park_wake(struct loop *l, const uint64_t *topics, size_t n);
void park_wake_all(struct loop *l, bool last);
void park_free_all(struct loop *l);

/* ---- workers: worker.c, router.c ------------------------------------------------------------- */

struct workers;

/*
 * n threads for LANE_ANY, half as many for LANE_HASH and HTTP_OUT_THREADS for LANE_OUT, each with a
 * connection to the database. 0 or -errno.
 */
int workers_start(struct central *c, int n, struct workers **ret);
/* Ends the threads when each has run what it has in hand; drops what is queued. */
void workers_stop(struct workers *w);
/* False when the queue is full; never with "must". */
bool workers_submit(struct workers *w, struct job *j, bool must);

/* Parse the request and find its route: true, or the reply is filled. */
bool router_find(struct job *j);
/* Load the principal, authorize, and call the handler. */
void router_call(struct job *j);
/* Every route is complete and no two are the same. 0, or -EINVAL and a line in the log. */
int router_check(void);
const char *method_name(enum http_method m);

/* ---- TLS: http_tls.c ------------------------------------------------------------------------- */

int http_tls_new(const char *cert, const char *key, SSL_CTX **ret);

#endif
