/* SPDX-License-Identifier: MIT */
#ifndef HTTP_H
#define HTTP_H

/*
 * What a handler sees of HTTP. http.c (libevent) is behind it; no other file includes libevent.
 *
 * A handler runs on a worker thread with a database connection of its own. It fills the reply and
 * returns; nothing is sent before. To wait for an event it calls reply_park(): the request then
 * costs no thread, and the handler is run again from the start when http_wake() names its topic or
 * the deadline passes (then rq->last is true and it must answer).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "api/error.h"
#include "base/attr.h"
#include "store.h"

struct central;
struct route;

enum http_method { HTTP_GET = 1, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE };

enum principal_kind { PRINCIPAL_NONE, PRINCIPAL_USER, PRINCIPAL_HOST };

/* Who is asking: loaded once from the bearer token, before authorization. */
struct principal {
	enum principal_kind kind;
	int64_t id;	    /* of the user or host */
	int64_t credential; /* of the session or host token */
	int64_t identity;   /* of sso_identities, by which they had logged in; 0: none */
	char name[64];	    /* username or host name: for audit and logs */
};

/* A browser, for routes of SCOPE_BROWSER: browser.h. */
struct browser {
	char token[48];	  /* the cookie's value, a secret: the one that came, or a new one */
	char begun[48];	  /* the second cookie's, for logins that were begun: alike */
	bool fresh;	  /* the first is new: the reply must set it */
	bool begun_fresh; /* the second is */
	int64_t session;  /* of browser_sessions; 0: nobody is logged in */
	int64_t identity; /* of sso_identities; 0: none, or by password */
	int64_t auth_at;
};

#define HTTP_PATH_ARGS 3
#define HTTP_BODY_MAX  (4u << 20)

struct request {
	enum http_method method;
	const struct route *route;
	const char *arg[HTTP_PATH_ARGS]; /* the {..} parts of the path, decoded; NULL if absent */
	json_t *body;			 /* the JSON object that was sent, or NULL */
	struct principal who;
	struct browser browser; /* SCOPE_BROWSER only */
	char id[20];		/* names this request in logs and in the audit; http.c sets it */
	const char *peer;	/* address of the client, as text; "unix" for the socket */
	bool secure;		/* TLS, loopback or unix socket */
	bool again;		/* it has been parked, and runs once more */
	bool last;		/* a parked request whose time is up */
	int64_t now;
	struct store *db;
	struct central *central;
	/* Loaded by the authorization from the route's scope; 0 where the scope has none. */
	int64_t org, project;
	void *http_; /* http.c's own */
};

/* Query parameter, decoded, or NULL. Header, or NULL. Valid during the call. */
const char *request_query(const struct request *rq, const char *name);
const char *request_header(const struct request *rq, const char *name);
/* A string member of the body; NULL if absent or not a string. */
const char *request_str(const struct request *rq, const char *name);
/* A field of a form body (application/x-www-form-urlencoded), or NULL: then body is NULL. */
const char *request_form(const struct request *rq, const char *name);
/* The same where line ends may stand in it: request_form() has none of those. */
const char *request_form_lines(const struct request *rq, const char *name);

#define REPLY_HEADERS 8

struct reply_header {
	const char *name; /* static */
	char *value;	  /* owned */
};

struct reply {
	int status;
	json_t *json;	   /* owned */
	const void *bytes; /* or these */
	size_t len;
	void (*release)(void *); /* called with release_arg when the bytes have been sent */
	void *release_arg;
	const char *type;  /* of the bytes */
	const char *topic; /* parked on this */
	int64_t park_ms;   /* for at most so long, from the first time */
	char topic_[64];
	unsigned retry_after; /* seconds; 0: no header */
	struct reply_header headers[REPLY_HEADERS];
	size_t nheaders;
	bool broken; /* a header could not be added */
};

/* Answer with JSON; takes over the reference. A NULL json becomes an internal error. */
void reply_json(struct reply *rp, int status, json_t *json);
/* 204. */
void reply_none(struct reply *rp);
/* Answer with bytes that "release" frees later. */
void reply_bytes(struct reply *rp, const char *type, const void *p, size_t n,
    void (*release)(void *), void *release_arg);
/*
 * One more header; it replaces what is sent otherwise under its name. Kept by every reply_ function
 * but the errors' and reply_park(). A value with a control character, or a header too many, makes
 * the reply an internal error.
 */
void reply_header(struct reply *rp, const char *name, const char *fmt, ...) _printf_(3, 4);
/* The value of a header that was added, or NULL. */
const char *reply_header_value(const struct reply *rp, const char *name);
/* Free all that a reply holds. */
void reply_release(struct reply *rp);
/* 303 to a path of ours, or to an absolute address that the caller has checked. */
void reply_redirect(struct reply *rp, const char *location);
/* Answer with an error of api/error.h; the message replaces the table's where it is not NULL. */
void reply_error(struct reply *rp, enum api_error e, const char *fmt, ...) _printf_(3, 4);
/* The errors that a transaction can end in: -EIO, -EBUSY, -ENOMEM. */
void reply_errno(struct reply *rp, int error);
/* Wait for "topic". */
void reply_park(struct reply *rp, const char *topic, int64_t ms);

/* Run again everything that is parked on this topic. Any thread. */
void http_wake(struct central *c, const char *topic);

/*
 * The routes. Authorization happens in one place, authorize() in authorize.c, from "permission" and
 * "scope"; a route without a permission does not start (http refuses to serve).
 */
enum route_scope {
	SCOPE_PUBLIC = 1, /* permission "public": anybody */
	SCOPE_BROWSER, /* permission "browser": a page; the cookie, and no forged forms: browser.h
			*/
	SCOPE_SELF,    /* permission "self": any person who is logged in, about themselves */
	SCOPE_HOST,    /* permission "host": an enrolled host, about itself */
	SCOPE_DEPLOYMENT, /* a superadmin */
	SCOPE_ORG,	  /* arg[0]: id or slug of an organization */
	SCOPE_PROJECT,	  /* arg[0]: id or slug of a project */
	SCOPE_INVITATION, /* arg[0]: id of an invitation: its project */
	SCOPE_HOST_ID,	  /* arg[0]: id of a host: any of its projects */
};

/*
 * Which threads run it. A password takes 0.1 s to hash: those who log in wait in a queue of their
 * own, and never keep a thread from the others. So do those that wait for somebody else's server.
 */
enum route_lane { LANE_ANY, LANE_HASH, LANE_OUT, LANES };
#define HTTP_OUT_THREADS 8 /* of LANE_OUT; they wait, and do not compute */
#define HTTP_OUT_SHARE	 6 /* for one organization: sso_share.h */

struct route {
	enum http_method method;
	const char *path; /* "/api/v1/projects/{}/members/{}" */
	const char *permission;
	enum route_scope scope;
	void (*handler)(struct request *, struct reply *);
	enum route_lane lane;
};

/* routes.c: the table; one line for everything that this service can be asked. */
extern const struct route routes[];
extern const size_t nroutes;

/* 0 when the request may proceed (rq->org, rq->project are set); otherwise the reply is filled. */
int authorize(struct request *rq, struct reply *rp);

/* principal.c: the bearer token's owner. 0 also when there is none (kind NONE); -EACCES if the
 * token is unknown, expired or revoked. */
int principal_load(struct request *rq, const char *bearer);

/*
 * The server. http_start() opens the listeners of the configuration and the threads behind them; 0
 * or -errno, with a line in the log. tls_cert, tls_key: PEM files, or NULL without a TLS listener.
 * http_stop() stops listening, lets running requests finish for at most grace_ms, runs parked ones
 * for the last time, and ends the threads.
 */
int http_start(struct central *c, const char *tls_cert, const char *tls_key);
void http_stop(struct central *c, int64_t grace_ms);
/* Show this certificate from now on. 0, or -errno with a line in the log: then the old one stays.
 */
int http_reload_tls(struct central *c, const char *tls_cert, const char *tls_key);
/* The port of the TLS listener, or of the plain one; 0: none. For configurations that say 0. */
int http_port(const struct central *c, bool tls);

#endif
