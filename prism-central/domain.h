/* SPDX-License-Identifier: MIT */
#ifndef DOMAIN_H
#define DOMAIN_H

/*
 * One act of the domain: what a handler asks for, done in one transaction, with one outcome.
 *
 * A handler fills a struct that begins with struct act, and calls act_run(), which runs act->fn in
 * a transaction that begins by authorizing the request again (so that nothing slips in between the
 * check and the change), then answers: with act->json and "status" where fn returned 0, with
 * act->error where fn returned act_fail(...). fn may run several times: its outputs are reset
 * before.
 */
#include "central.h"
#include "http.h"

#define RANK_SUPERADMIN 100
#define RANK_OWNER	40

/* What authorize() finds out about the request. */
struct authz {
	int64_t org, project;
	int64_t role; /* the caller's in the scope; 0: none, as a superadmin may have */
	int rank;     /* of the caller's role in the scope; RANK_SUPERADMIN for a superadmin */
};

struct act {
	int (*fn)(struct tx *t, struct act *a);
	struct request *rq;
	int status;	      /* of a success; 204 needs no json */
	struct authz authz;   /* set before fn runs */
	enum api_error error; /* set by act_fail() */
	char why[256];	      /* "": the table's message */
	json_t *json;	      /* the answer; owned */
};

/* End the transaction with this error. Returns -ECANCELED, for "return act_fail(...)". */
int act_fail(struct act *a, enum api_error e, const char *fmt, ...) _printf_(3, 4);

/* Run and answer; a successful write wakes the feeds. The caller wipes its own secrets. */
void act_run(struct act *a, enum store_mode mode, struct reply *rp);
/* The same without an answer: returns 0, -ECANCELED (a->error says why) or -errno. */
int act_do(struct act *a, enum store_mode mode);
/* Answer with the outcome of act_do(). */
void act_reply(struct act *a, int outcome, struct reply *rp);

/*
 * authz.c: may rq->who do what rq->route asks for, now? 0, -ECANCELED with *ret_error, or -errno.
 * MUST: who has logged in through a provider (who.identity) has no rights of a superadmin, only
 * those of their roles: whoever manages a connection can log in as everybody linked to it.
 */
int authz_check(
    struct tx *t, const struct request *rq, struct authz *ret, enum api_error *ret_error);

/* Does the caller's role in the scope allow this as well? 1, 0 or -errno. */
int authz_permits(struct tx *t, const struct authz *z, const char *permission);

/*
 * May the caller add a way into their own account, a key or a password? Not into a superadmin's
 * through a provider: it would be a superadmin's from then on. 0, -ECANCELED (act_fail()ed),
 * -errno.
 */
int authz_way_in(struct tx *t, struct act *a);

/*
 * Does the route's permission hold in every project that this host serves, for the caller who was
 * authorized as z elsewhere? 0, -ECANCELED with *ret_error, or -errno.
 */
int authz_host(struct tx *t, const struct request *rq, const struct authz *z, int64_t host,
    enum api_error *ret_error);

/* This person, by no credential yet; a NULL name is "". */
struct principal principal_user(int64_t user, const char *username);
/*
 * The same request as one of this person, who has just shown who they are: for the audit, and for
 * what is done in their name. It has nothing of the browser: no secret to wipe.
 */
struct request request_as(const struct request *rq, int64_t user, const char *username);

/* JSON for the objects of prism-api(7). */
json_t *json_time(int64_t t);	  /* RFC 3339, or null for 0 */
json_t *json_id(int64_t id);	  /* decimal text */
json_t *json_text(const char *s); /* text, or null */

/* An optional string of the body: false when it is there but no string. *ret is NULL if absent. */
bool body_string(const struct request *rq, const char *name, const char **ret);
/* One line of plain text: at most max characters, none of them a control character. */
bool text_valid(const char *s, size_t max);
/* Copy a text column; NULL gives "". */
void row_copy(struct rows *r, int col, char *out, size_t size);
/* The path argument as an id: 0 if it is not one. */
int64_t arg_id(const struct request *rq, int n);
/* SHA-256 as lowercase hex. */
void sha256_hex(const void *p, size_t n, char out[65]);

#endif
