/* SPDX-License-Identifier: MIT */
#ifndef CENTRAL_FEEDS_H
#define CENTRAL_FEEDS_H

/*
 * An organization with two projects, in a database of their own: world() makes it anew, join() adds
 * people, message() is what a host would be sent.
 */
#include <inttypes.h>
#include <jansson.h>
#include "base/clock.h"
#include "feed/feed.h"
#include "prism-central/central.h"
#include "prism-central/host_feed.h"
#include "prism-central/host_message.h"
#include "test.h"

static struct store *db;
static struct central central;
static struct feed_trust trust;
static char world_url[128];

enum { ORG = 1, PROJECT = 100, OTHER = 200, HOST = 300, FIRST_USER = 1000 };

struct step {
	int (*fn)(struct tx *t, void *arg);
	int64_t a, b, c;
	const char *s;
	struct feed_state *st;
	struct buf *out;
	struct feed_message **message;
	json_t *json;
};

static inline int run(enum store_mode mode, int (*fn)(struct tx *, void *), struct step *s)
{
	return store_tx(db, mode, fn, s);
}

static const char sql_org[] = "INSERT INTO organizations (id, slug, name, state, created_at) "
			      "VALUES ($1, $2, $2, 'active', 1)";
static const char sql_user[] =
    "INSERT INTO users (id, username, name, uid, home, shell, state, created_at)"
    " VALUES ($1, $2, $2, $3, $4, '/bin/bash', 'active', 1)";
static const char sql_project[] =
    "INSERT INTO projects (id, organization_id, slug, name, state, contact, gid_rw, gid_ro,"
    " created_by, created_at) VALUES ($1, 1, $2, $2, 'active', 'Dr. Chen', $3, $4, 1000, 1)";
static const char sql_member[] =
    "INSERT INTO memberships (id, project_id, user_id, role_id, state, joined_at, joined_via)"
    " VALUES ($1, $2, $3, 3, 'active', 1, 'direct')";

static inline int user_add(struct tx *t, int64_t id)
{
	char name[32], home[64];

	snprintf(name, sizeof(name), "user%" PRId64, id);
	snprintf(home, sizeof(home), "/efs/home/%s", name);
	return tx_exec(t, sql_user, "isis", id, name, id + 9001, home);
}

static inline int world_tx(struct tx *t, void *arg)
{
	int r = tx_exec(t, sql_org, "is", (int64_t)ORG, "uni");

	if (!r)
		r = user_add(t, FIRST_USER);
	if (!r)
		r = tx_exec(t, sql_project, "isii", (int64_t)PROJECT, "lab", (int64_t)2000016,
		    (int64_t)2000017);
	if (!r)
		r = tx_exec(t, sql_project, "isii", (int64_t)OTHER, "other", (int64_t)2000018,
		    (int64_t)2000019);
	return r;
}

static inline void world(void)
{
	static int n;
	uint8_t seed[32] = {42};

	if (db) {
		store_close(db);
		db = NULL;
		feed_stop(&central);
		feed_signer_free(central.signer);
	}
	central = (struct central){.config = {.uid_first = 10001,
				       .uid_last = 1999999,
				       .gid_first = 2000000,
				       .gid_last = 2999999,
				       .feed_validity = 7 * 86400}};
	snprintf(world_url, sizeof(world_url), "sqlite:%s/w%d.db", test_tmpdir(), n++);
	EXPECT_INT(store_open(world_url, &db), 0);
	EXPECT_INT(migrate_run(db), 0);
	EXPECT_INT(feed_signer_new(seed, &central.signer), 0);
	EXPECT_INT(feed_start(&central), 0);
	memcpy(trust.keys[0], feed_signer_public(central.signer), 32);
	trust.nkeys = 1;
	EXPECT_INT(run(STORE_WRITE, world_tx, NULL), 0);
}

static inline int sql_tx(struct tx *t, void *arg)
{
	const struct step *s = arg;
	return tx_exec(t, s->s, "iii", s->a, s->b, s->c);
}

static inline int sql_touch_tx(struct tx *t, void *arg)
{
	const struct step *s = arg;
	int r = s->s ? tx_exec(t, s->s, "iii", s->a, s->b, s->c) : 0;
	return r ? r : feed_touch_member(t, s->a, s->b);
}

static inline int join_tx(struct tx *t, void *arg)
{
	const struct step *s = arg;
	int r = s->c ? 0 : user_add(t, s->b);
	if (!r)
		r = tx_exec(t, sql_member, "iii", s->a * 1000000 + s->b, s->a, s->b);
	return r ? r : feed_touch_member(t, s->a, s->b);
}

static inline int state_tx(struct tx *t, void *arg)
{
	struct step *s = arg;
	return feed_state_load(t, s->a, s->st);
}

static inline struct feed_state state_of(int64_t project)
{
	struct feed_state st = {0};
	struct step s = {.a = project, .st = &st};

	EXPECT_INT(run(STORE_READ, state_tx, &s), 0);
	return st;
}

static inline int message_tx(struct tx *t, void *arg)
{
	struct step *s = arg;
	struct feed_state st;
	int r = feed_state_load(t, s->a, &st);
	return r ? r : feed_message_get(&central, t, &st, s->b, s->c, s->message);
}

static inline struct feed_message *message(int64_t project, int64_t from, int64_t now)
{
	struct feed_message *m = NULL;
	struct step s = {.a = project, .b = from, .c = now, .message = &m};

	EXPECT_INT(run(STORE_READ, message_tx, &s), 0);
	return m;
}

static inline void join(int64_t project, int64_t user, bool exists)
{
	struct step s = {.a = project, .b = user, .c = exists};

	EXPECT_INT(run(STORE_WRITE, join_tx, &s), 0);
}

#endif
