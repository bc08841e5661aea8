/* SPDX-License-Identifier: MIT */
#ifndef CENTRAL_SSO_STAGE_H
#define CENTRAL_SSO_STAGE_H

/* For tests of logins through institutions: two organizations with a connection each, and what
 * their providers say. */
#include <errno.h>
#include "base/attr.h"
#include "prism-central/organization.h"
#include "prism-central/sso.h"
#include "world.h"

#define ISSUER "https://idp.acme.com"

static struct person alice;
static int64_t acme, other; /* connections of two organizations */

static inline struct request request(void)
{
	struct request rq = {.peer = "192.0.2.7", .id = "test", .central = &central};

	rq.now = clock_now() + world_skew;
	rq.db = db;
	return rq;
}

static const char sql_connection[] =
    "INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer,"
    " client_id, auto_provision, default_role_id, allowed_roles, created_at, created_by,"
    " updated_at) VALUES ($1, $2, $3, $3, 'oidc', 1, $4, 'prism', 1, 13, '[\"admin\"]', 1, $5, 1)";
static const char sql_domain[] =
    "INSERT INTO sso_domains (id, organization_id, connection_id, domain, challenge, proven_at,"
    " created_at, created_by) VALUES ($1, $2, $3, $4, 'x', 1, 1, $5)";

struct made {
	const char *org, *slug, *domain;
	int64_t id;
};

static int make_tx(struct tx *t, void *arg)
{
	struct made *m = arg;
	int64_t org;
	int r = organization_create(t, m->org, m->org, 1, &org);

	m->id = store_new_id();
	if (!r)
		r = tx_exec(t, sql_connection, "iissi", m->id, org, m->slug, ISSUER, chief.id);
	if (!r && m->domain)
		r = tx_exec(
		    t, sql_domain, "iiisi", store_new_id(), org, m->id, m->domain, chief.id);
	return r;
}

static inline int64_t make(const char *org, const char *slug, const char *domain)
{
	struct made m = {.org = org, .slug = slug, .domain = domain};

	EXPECT_INT(store_tx(db, STORE_WRITE, make_tx, &m), 0);
	return m.id;
}

/* Two organizations that name the same issuer; acme has proven acme.com. */
static inline void stage(void)
{
	world();
	alice = person("alice");
	sql("UPDATE emails SET address = 'Alice@acme.com', canonical = 'alice@acme.com'"
	    " WHERE canonical = 'alice@uni.edu'");
	snprintf(alice.email, sizeof(alice.email), "Alice@acme.com");
	acme = make("acme", "acme-idp", "acme.com");
	other = make("other", "other-idp", NULL);
}

/* Alice's account as it is when nobody is in it, and nothing opens it. */
static inline void alice_leaves(void)
{
	sql("UPDATE sessions SET revoked_at = 1 WHERE user_id = (SELECT id FROM users WHERE"
	    " username = 'alice')");
}

struct said {
	int64_t connection;
	const char *subject, *email;
	bool verified;
	const char *name, *username, *role, *refresh;
	int64_t auth_at; /* 0: now */
	int64_t link;
	struct sso_answer answer;
};

struct login {
	struct sso_assertion a;
	struct sso_answer answer;
	struct sso_result out;
};

static int login_tx(struct tx *t, void *arg)
{
	struct login *l = arg;
	struct request rq = request();

	return sso_login(t, &rq, &l->a, &l->answer, &l->out);
}

static inline struct sso_result login(struct said s)
{
	struct login l = {
	    .a = {.connection = s.connection ? s.connection : acme}, .answer = s.answer};

	if (s.link)
		l.answer.link_user = s.link;
	snprintf(l.a.issuer, sizeof(l.a.issuer), ISSUER);
	snprintf(l.a.subject, sizeof(l.a.subject), "%s", s.subject);
	snprintf(l.a.email, sizeof(l.a.email), "%s", s.email ? s.email : "");
	snprintf(l.a.name, sizeof(l.a.name), "%s", s.name ? s.name : "");
	snprintf(l.a.username, sizeof(l.a.username), "%s", s.username ? s.username : "");
	snprintf(l.a.role, sizeof(l.a.role), "%s", s.role ? s.role : "");
	l.a.email_verified = s.verified;
	l.a.auth_at = s.auth_at ? s.auth_at : clock_now() + world_skew;
	l.a.refresh_token = s.refresh ? strdup(s.refresh) : NULL;
	int r = store_tx(db, STORE_WRITE, login_tx, &l);
	sso_assertion_clear(&l.a);
	EXPECT_INT(r, 0);
	return l.out;
}

static const char *const words[] = {"?", "done", "address taken", "not provisioned", "suspended",
    "other person", "disabled", "too many", "ask", "answered"};

static inline const char *said(struct said s)
{
	struct sso_result r = login(s);

	return words[r.outcome];
}

struct asked {
	int64_t org, user, value;
	const char *email, *slug;
	char found[SLUG_MAX + 1];
	int (*fn)(struct tx *t, struct asked *a);
};

static int ask_tx(struct tx *t, void *arg)
{
	struct asked *a = arg;

	return a->fn(t, a);
}

static int fresh_fn(struct tx *t, struct asked *a)
{
	return sso_freshness(t, a->org, a->user, &a->value);
}

static inline int64_t freshness(int64_t user)
{
	struct asked a = {.fn = fresh_fn, .user = user};

	a.org = sql_int("SELECT id FROM organizations WHERE slug = 'acme'");
	EXPECT_INT(store_tx(db, STORE_READ, ask_tx, &a), 0);
	return a.value;
}

static int enforced_fn(struct tx *t, struct asked *a)
{
	a->value =
	    a->email ? sso_enforced_for(t, a->email, a->found) : sso_enforced(t, a->user, a->found);
	return a->value < 0 ? (int)a->value : 0;
}

static inline const char *enforced(int64_t user, const char *email)
{
	static struct asked a;

	a = (struct asked){.fn = enforced_fn, .user = user, .email = email};
	EXPECT_INT(store_tx(db, STORE_READ, ask_tx, &a), 0);
	return a.value ? a.found : "no";
}

static int discover_fn(struct tx *t, struct asked *a)
{
	int r = sso_discover(t, a->email, a->found);

	a->value = r;
	return r == -ENOENT ? 0 : r;
}

static inline const char *discover(const char *email)
{
	static struct asked a;

	a = (struct asked){.fn = discover_fn, .email = email};
	EXPECT_INT(store_tx(db, STORE_READ, ask_tx, &a), 0);
	return a.value ? "none" : a.found;
}

static int end_fn(struct tx *t, struct asked *a)
{
	struct request rq = request();

	return sso_end(t, &rq, a->value, "logout");
}

static inline int end_identity(int64_t identity)
{
	struct asked a = {.fn = end_fn, .value = identity};

	return store_tx(db, STORE_WRITE, ask_tx, &a);
}

static inline int64_t identities(void)
{
	return sql_int("SELECT COUNT(*) FROM sso_identities");
}

static inline int64_t people(void)
{
	return sql_int("SELECT COUNT(*) FROM users");
}

#endif
