/* SPDX-License-Identifier: MIT */
#ifndef CENTRAL_WORLD_H
#define CENTRAL_WORLD_H

/*
 * A service without its network: a fresh database, and ask(), which does with a request what the
 * router does (find the route, load the principal, authorize, run the handler).
 */
#include <jansson.h>
#include "base/clock.h"
#include "base/log.h"
#include "prism-central/audit.h"
#include "prism-central/host_feed.h"
#include "prism-central/http_internal.h"
#include "prism-central/invitation.h"
#include "prism-central/ratelimit.h"
#include "prism-central/session.h"
#include "prism-central/user.h"
#include "test.h"

static struct central central;
static struct store *db;
static char world_url[128];
static int64_t world_skew; /* added to the clock */
static bool world_limits;  /* requests count: otherwise each begins with full buckets */

struct answer {
	int status;
	unsigned retry_after;
	json_t *json;
	char code[40]; /* of an error */
};

static inline const char *answer_str(const struct answer *a, const char *path)
{
	const json_t *v = a->json;
	char part[64];
	while (v && *path) {
		size_t n = strcspn(path, ".");
		snprintf(part, sizeof(part), "%.*s", (int)n, path);
		v = json_object_get(v, part);
		path += n + (path[n] == '.');
	}
	return json_string_value(v);
}

static bool world_match(const char *pattern, char *path, const char **args)
{
	int n = 0;
	while (*pattern && *path) {
		if (pattern[0] == '{') {
			if (n == HTTP_PATH_ARGS || *path == '/')
				return false;
			args[n++] = path;
			path += strcspn(path, "/");
			pattern += 2;
			if (*path == '/' && *pattern == '/') {
				*path++ = '\0';
				pattern++;
			} else if (*path || *pattern) {
				return false;
			}
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return !*pattern && !*path && (n || path[-1]);
}

static inline const struct route *world_route(enum http_method m, char *path, const char **args)
{
	char *copy = strdup(path);
	for (size_t i = 0; i < nroutes; i++) {
		memcpy(path, copy, strlen(copy) + 1);
		memset(args, 0, HTTP_PATH_ARGS * sizeof(*args));
		if (routes[i].method == m && world_match(routes[i].path, path, args)) {
			free(copy);
			return &routes[i];
		}
	}
	free(copy);
	return NULL;
}

/* Takes over the body. "on" is the thread's own connection. */
static inline struct answer ask_on(
    struct store *on, enum http_method m, const char *token, const char *under, json_t *body)
{
	char path[8192];
	struct job job = {0};
	struct reply rp = {0};
	struct answer a = {0};
	struct request rq = {.method = m, .body = body, .peer = "127.0.0.1", .id = "test"};
	const char *v1 = under[0] == '/' ? "" : "/api/v1/";
	rq.secure = true;
	rq.now = clock_now() + world_skew;
	rq.db = on;
	rq.central = &central;
	rq.http_ = &job;
	snprintf(path, sizeof(path), "%s%s", v1, under);
	rq.route = world_route(m, path, rq.arg);
	if (!world_limits)
		ratelimit_reset(NULL);
	if (!rq.route)
		reply_error(&rp, API_NOT_FOUND, NULL);
	else if (principal_load(&rq, token) < 0 && rq.route->scope != SCOPE_PUBLIC)
		reply_error(&rp, API_NOT_LOGGED_IN, NULL);
	else if (!authorize(&rq, &rp))
		rq.route->handler(&rq, &rp);
	json_decref(body);
	a.status = rp.status;
	a.retry_after = rp.retry_after;
	a.json = rp.json;
	const char *code = answer_str(&a, "error.code");
	snprintf(a.code, sizeof(a.code), "%s", code ? code : "");
	return a;
}

static inline struct answer ask(
    enum http_method m, const char *token, const char *under, json_t *body)
{
	return ask_on(db, m, token, under, body);
}

static inline void answer_clear(struct answer *a)
{
	json_decref(a->json);
	a->json = NULL;
}

/* The status alone, or the code of an error. */
static inline const char *outcome(
    enum http_method m, const char *token, const char *under, json_t *body)
{
	static char text[40];
	struct answer a = ask(m, token, under, body);
	if (a.code[0])
		snprintf(text, sizeof(text), "%s", a.code);
	else
		snprintf(text, sizeof(text), "%d", a.status);
	answer_clear(&a);
	return text;
}

/* ---- people ---------------------------------------------------------------------------------- */

struct person {
	char name[33], email[64], token[SESSION_TOKEN_LEN + 1];
	int64_t id, uid;
};

static int person_tx(struct tx *t, void *arg)
{
	struct person *p = arg;
	struct user_new n = {.username = p->name, .email = p->email};
	struct request rq = {.now = clock_now() + world_skew};
	struct session_token s;
	struct user u;
	int r = user_by_name(t, p->name, &u);
	if (r == -ENOENT)
		r = user_create(t, &central.config, &n, rq.now, &u);
	if (!r)
		r = session_create(t, &rq, u.id, "password", 0, &s);
	if (r)
		return r;
	p->id = u.id;
	p->uid = u.uid;
	memcpy(p->token, s.text, sizeof(s.text));
	return 0;
}

/* An account (made if there is none) and a session. */
static inline struct person person(const char *name)
{
	struct person p = {0};
	snprintf(p.name, sizeof(p.name), "%s", name);
	snprintf(p.email, sizeof(p.email), "%s@uni.edu", name);
	EXPECT_INT(store_tx(db, STORE_WRITE, person_tx, &p), 0);
	return p;
}

struct sql {
	const char *text;
	int64_t value;
	bool query;
};

static int sql_tx(struct tx *t, void *arg)
{
	struct sql *s = arg;
	if (!s->query)
		return tx_exec(t, s->text, "");
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, s->text, "", &r);
	if (!n)
		n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	s->value = row_int(r, 0);
	return 0;
}

/* Behind the service's back. The text is a literal. */
static inline void sql(const char *text)
{
	struct sql s = {.text = text};
	EXPECT_INT(store_tx(db, STORE_WRITE, sql_tx, &s), 0);
}

static inline int64_t sql_int(const char *text)
{
	struct sql s = {.text = text, .query = true};
	EXPECT_INT(store_tx(db, STORE_READ, sql_tx, &s), 0);
	return s.value;
}

/* ---- the world ------------------------------------------------------------------------------- */

static struct person chief; /* the superadmin */

static inline void world(void)
{
	static int n;
	uint8_t seed[32] = {7};
	static const struct bootstrap first = {
	    "chief", "chief@uni.edu", "Dr. Chief", "correct horse battery"};
	if (db) {
		store_close(db);
		db = NULL;
		feed_stop(&central);
		feed_signer_free(central.signer);
	}
	world_skew = 0;
	world_limits = false;
	log_init("test", LOG_LEVEL_ERROR);
	central = (struct central){.config = {.uid_first = 10001,
				       .uid_last = 1999999,
				       .gid_first = 2000000,
				       .gid_last = 2999999,
				       .url = "https://prism.test:8443",
				       .home_root = "/efs/home",
				       .shell = "/bin/bash",
				       .feed_validity = 7 * 86400}};
	snprintf(world_url, sizeof(world_url), "sqlite:%s/d%d.db", test_tmpdir(), n++);
	EXPECT_INT(store_open(world_url, &db), 0);
	EXPECT_INT(migrate_run(db), 0);
	EXPECT_INT(feed_signer_new(seed, &central.signer), 0);
	EXPECT_INT(feed_start(&central), 0);
	EXPECT_INT(user_bootstrap(db, &central.config, &first), 0);
	chief = person("chief");
}

static inline void project(const struct person *owner, const char *slug)
{
	EXPECT_INT(
	    store_tx(db, STORE_WRITE, sql_tx,
		&(struct sql){.text = "INSERT INTO organization_members (organization_id,"
				      " user_id, role_id, created_at) SELECT o.id, u.id, 13, 1"
				      " FROM organizations o, users u WHERE NOT EXISTS"
				      " (SELECT 1 FROM organization_members m WHERE"
				      " m.user_id = u.id AND m.organization_id = o.id)"}),
	    0);
	EXPECT_STR(
	    outcome(HTTP_POST, owner->token, "projects", json_pack("{ss}", "slug", slug)), "201");
}

/* Invite and give the token, owned by the caller. */
static inline char *invite(
    const struct person *by, const char *slug, const char *email, const char *role)
{
	char path[128];
	snprintf(path, sizeof(path), "projects/%s/invitations", slug);
	struct answer a =
	    ask(HTTP_POST, by->token, path, json_pack("{ss, ss}", "email", email, "role", role));
	if (a.status != 201)
		test_fail(__FILE__, __LINE__, "invite %s: %d %s", email, a.status, a.code);
	char *token = strdup(answer_str(&a, "token"));
	answer_clear(&a);
	return token;
}

static inline void join(
    const struct person *by, const char *slug, const struct person *who, const char *role)
{
	char *token = invite(by, slug, who->email, role);
	EXPECT_STR(
	    outcome(HTTP_POST, who->token, "invitations/accept", json_pack("{ss}", "token", token)),
	    "200");
	free(token);
}

#endif
