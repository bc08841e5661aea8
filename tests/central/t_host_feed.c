/* SPDX-License-Identifier: MIT */

/* Feeds as rows: full and delta agree, revisions, epochs, ids. On a database of its own. */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <time.h>
#include "base/clock.h"
#include "prism-central/host_feed.h"
#include "feed/feed.h"
#include "prism-central/central.h"
#include "prism-central/host_local.h"
#include "prism-central/host_message.h"
#include "prism-central/host_name.h"
#include "prism-central/register.h"
#include "snapshot/snapshot.h"
#include "test.h"

/* ---- the world of these tests ---------------------------------------------------------------- */

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

static int run(enum store_mode mode, int (*fn)(struct tx *, void *), struct step *s)
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

static int user_add(struct tx *t, int64_t id)
{
	char name[32], home[64];

	snprintf(name, sizeof(name), "user%" PRId64, id);
	snprintf(home, sizeof(home), "/efs/home/%s", name);
	return tx_exec(t, sql_user, "isis", id, name, id + 9001, home);
}

static int world_tx(struct tx *t, void *arg)
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

static void world(void)
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

static int sql_tx(struct tx *t, void *arg)
{
	const struct step *s = arg;
	return tx_exec(t, s->s, "iii", s->a, s->b, s->c);
}

static int sql_touch_tx(struct tx *t, void *arg)
{
	const struct step *s = arg;
	int r = s->s ? tx_exec(t, s->s, "iii", s->a, s->b, s->c) : 0;
	return r ? r : feed_touch_member(t, s->a, s->b);
}

static int join_tx(struct tx *t, void *arg)
{
	const struct step *s = arg;
	int r = s->c ? 0 : user_add(t, s->b);
	if (!r)
		r = tx_exec(t, sql_member, "iii", s->a * 1000000 + s->b, s->a, s->b);
	return r ? r : feed_touch_member(t, s->a, s->b);
}

static int state_tx(struct tx *t, void *arg)
{
	struct step *s = arg;
	return feed_state_load(t, s->a, s->st);
}

static struct feed_state state_of(int64_t project)
{
	struct feed_state st = {0};
	struct step s = {.a = project, .st = &st};

	EXPECT_INT(run(STORE_READ, state_tx, &s), 0);
	return st;
}

static int message_tx(struct tx *t, void *arg)
{
	struct step *s = arg;
	struct feed_state st;
	int r = feed_state_load(t, s->a, &st);
	return r ? r : feed_message_get(&central, t, &st, s->b, s->c, s->message);
}

static struct feed_message *message(int64_t project, int64_t from, int64_t now)
{
	struct feed_message *m = NULL;
	struct step s = {.a = project, .b = from, .c = now, .message = &m};

	EXPECT_INT(run(STORE_READ, message_tx, &s), 0);
	return m;
}

/* ---- a host as the specification has it ------------------------------------------------------ */

struct mirror_record {
	uint8_t type;
	uint32_t subject;
	size_t len;
	uint8_t *whole;
};

struct mirror {
	uint64_t epoch, revision;
	uint8_t digest[32];
	struct mirror_record r[512];
	size_t n;
};

static void mirror_clear(struct mirror *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->r[i].whole);
	memset(m, 0, sizeof(*m));
}

static void mirror_put(struct mirror *m, const struct feed_record *r)
{
	size_t i = 0;

	while (i < m->n && (m->r[i].type != r->type || m->r[i].subject != r->subject))
		i++;
	if (i < m->n) {
		feed_digest_update(m->digest, m->r[i].whole, m->r[i].len, -1);
		free(m->r[i].whole);
		m->r[i] = m->r[--m->n];
	}
	if (r->flags & FEED_RECORD_DELETED)
		return;
	EXPECT(m->n < 512);
	struct mirror_record *to = &m->r[m->n++];
	*to = (struct mirror_record){r->type, r->subject, r->whole_len, malloc(r->whole_len)};
	memcpy(to->whole, r->whole, r->whole_len);
	feed_digest_update(m->digest, r->whole, r->whole_len, 1);
}

static const struct mirror_record *mirror_find(
    const struct mirror *m, uint8_t type, uint32_t subject)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->r[i].type == type && m->r[i].subject == subject)
			return &m->r[i];
	}
	return NULL;
}

/* Apply a message: signature, kind, step, digest, all checked as a host does. */
static void mirror_apply(struct mirror *m, const struct feed_message *msg)
{
	struct feed_header h;
	struct feed_record r;
	struct wire w;
	uint32_t len;
	int n;

	memcpy(&len, msg->frame, 4);
	EXPECT_INT(len, msg->len - 4);
	EXPECT_INT(feed_open(&trust, msg->frame + 4, len, &h, &w), 0);
	if (h.kind == FEED_FULL)
		mirror_clear(m);
	else
		EXPECT(h.kind == FEED_DELTA && h.epoch == m->epoch && h.from == m->revision);
	while ((n = feed_next(&w, &r)) > 0)
		mirror_put(m, &r);
	EXPECT_INT(n, 0);
	m->epoch = h.epoch;
	m->revision = h.to;
	EXPECT(memcmp(m->digest, h.digest, 32) == 0);
}

static bool mirror_equal(const struct mirror *a, const struct mirror *b)
{
	if (a->n != b->n || a->revision != b->revision || memcmp(a->digest, b->digest, 32) != 0)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct mirror_record *o = mirror_find(b, a->r[i].type, a->r[i].subject);
		if (!o || o->len != a->r[i].len || memcmp(o->whole, a->r[i].whole, o->len) != 0)
			return false;
	}
	return true;
}

static void member_of(const struct mirror *m, uint32_t uid, struct feed_member *ret)
{
	const struct mirror_record *o = mirror_find(m, FEED_MEMBER, uid);
	struct feed_record r = {.type = FEED_MEMBER};

	EXPECT(o != NULL);
	r.version = 1;
	r.subject = uid;
	r.whole = o->whole;
	r.whole_len = o->len;
	r.body = o->whole + 8;
	r.body_len = o->len - 8;
	EXPECT_INT(feed_parse_member(&r, ret), 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static const char sql_suspend[] = "UPDATE memberships SET state = 'suspended', ended_at = 5 WHERE "
				  "project_id = $1 AND user_id = $2"
				  " AND $3 = 0";
static const char sql_resume[] =
    "UPDATE memberships SET state = 'active', ended_at = 0 WHERE project_id = $1 AND user_id = $2"
    " AND $3 = 0";
static const char sql_end[] =
    "UPDATE memberships SET state = 'removed', ended_at = 77 WHERE project_id = $1 AND user_id = $2"
    " AND $3 = 0";
static const char sql_role[] =
    "UPDATE memberships SET role_id = $3 WHERE project_id = $1 AND user_id = $2";
static const char sql_not_after[] =
    "UPDATE memberships SET not_after = $3 WHERE project_id = $1 AND user_id = $2";
static const char sql_gone[] =
    "DELETE FROM memberships WHERE project_id = $1 AND user_id = $2 AND $3 = 0";
static const char sql_key[] =
    "INSERT INTO ssh_keys (id, user_id, fingerprint, line, origin, state, created_at)"
    " VALUES ($1, $2, 'SHA256:x' || $1, 'ssh-ed25519"
    " AAAAC3NzaC1lZDI1NTE5AAAAIJq3JmMVe5JYrYfLKZ0BLrqEVBmxj0Xl0f6ER4qM8Zzq',"
    " 'imported', 'active', $3)";

static void join(int64_t project, int64_t user, bool exists)
{
	struct step s = {.a = project, .b = user, .c = exists};

	EXPECT_INT(run(STORE_WRITE, join_tx, &s), 0);
}

static void change(const char *sql, int64_t project, int64_t user, int64_t value)
{
	struct step s = {.a = project, .b = user, .c = value, .s = sql};

	EXPECT_INT(run(STORE_WRITE, sql_touch_tx, &s), 0);
}

TEST("D2 a feed has its project and its members, with what their roles allow on a host")
{
	struct mirror m = {0};
	struct feed_member member;

	world();
	join(PROJECT, 1001, false);
	struct step key = {.s = sql_key, .a = 1, .b = 1001, .c = 5};
	EXPECT_INT(run(STORE_WRITE, sql_tx, &key), 0);
	change(NULL, PROJECT, 1001, 0);
	struct feed_message *full = message(PROJECT, 0, 1000);
	mirror_apply(&m, full);
	feed_message_release(full);
	EXPECT_INT(m.n, 2);
	EXPECT(mirror_find(&m, FEED_PROJECT, 0) != NULL);
	member_of(&m, 10002, &member);
	EXPECT_STR(member.name, "user1001");
	EXPECT_STR(member.home, "/efs/home/user1001");
	EXPECT_STR(member.shell, "/bin/bash");
	EXPECT_INT(member.state, SNAP_ACTIVE);
	EXPECT_INT(member.user_state, SNAP_ACTIVE);
	EXPECT_INT(member.perms, SNAP_PERM_LOGIN | SNAP_PERM_WRITE);
	EXPECT_INT(member.nkeys, 1);
	EXPECT(strncmp(member.keys[0].line, "ssh-ed25519 ", 12) == 0);
	mirror_clear(&m);
}

TEST("FEATURES 3 who has left stays in the feed as ended, without rights, their keys kept for the "
     "barred form")
{
	struct mirror m = {0};
	struct feed_member member;

	world();
	join(PROJECT, 1001, false);
	struct step key = {.s = sql_key, .a = 1, .b = 1001, .c = 5};
	EXPECT_INT(run(STORE_WRITE, sql_tx, &key), 0);
	change(NULL, PROJECT, 1001, 0);
	struct feed_message *msg = message(PROJECT, 0, 1000);
	mirror_apply(&m, msg);
	feed_message_release(msg);
	change(sql_end, PROJECT, 1001, 0);
	msg = message(PROJECT, (int64_t)m.revision, 1000);
	mirror_apply(&m, msg);
	feed_message_release(msg);
	member_of(&m, 10002, &member);
	EXPECT_INT(member.state, SNAP_ENDED);
	EXPECT_INT(member.ended_at, 77);
	EXPECT_INT(member.perms, 0);
	EXPECT_INT(member.nkeys, 1);
	EXPECT_STR(member.home, "/efs/home/user1001");
	mirror_clear(&m);
}

TEST("D2 a write that changes no byte of a record stamps nothing")
{
	world();
	join(PROJECT, 1001, false);
	struct feed_state before = state_of(PROJECT);
	change(NULL, PROJECT, 1001, 0);
	change(NULL, PROJECT, 1001, 0);
	struct feed_state after = state_of(PROJECT);
	EXPECT_INT(after.revision, before.revision);
	change(sql_suspend, PROJECT, 1001, 0);
	EXPECT_INT(state_of(PROJECT).revision, before.revision + 1);
}

TEST("D2 one counter for the organization: its feeds never share a revision")
{
	world();
	join(PROJECT, 1001, false);
	struct feed_state a = state_of(PROJECT);
	join(OTHER, 1001, true);
	struct feed_state b = state_of(OTHER);
	EXPECT(b.revision > a.revision);
	EXPECT(memcmp(a.id, b.id, 16) != 0);
	EXPECT_INT(state_of(PROJECT).revision, a.revision);
}

static const char sql_suspend_user[] = "UPDATE users SET state = 'suspended', ended_at = $3"
				       " WHERE id = $2 AND $1 = 0";

static int user_tx(struct tx *t, void *arg)
{
	const struct step *s = arg;
	int r = tx_exec(t, sql_suspend_user, "iii", (int64_t)0, s->b, s->c);
	return r ? r : feed_touch_user(t, s->b);
}

TEST("FEATURES 3 a suspended account shows in all feeds of its projects")
{
	struct step s = {.b = 1001, .c = 99};

	world();
	join(PROJECT, 1001, false);
	join(OTHER, 1001, true);
	EXPECT_INT(run(STORE_WRITE, user_tx, &s), 0);
	for (int64_t p = PROJECT; p <= OTHER; p += OTHER - PROJECT) {
		struct mirror m = {0};
		struct feed_member member;
		struct feed_message *msg = message(p, 0, 1000);
		mirror_apply(&m, msg);
		feed_message_release(msg);
		member_of(&m, 10002, &member);
		EXPECT_INT(member.user_state, SNAP_SUSPENDED);
		EXPECT_INT(member.state, SNAP_ACTIVE);
		EXPECT_INT(member.ended_at, 99);
		mirror_clear(&m);
	}
}

TEST("D2 a feed that begins late has everybody who was there before")
{
	struct mirror m = {0};
	static const char drop1[] = "DELETE FROM feed_records WHERE $1 + $2 + $3 <> 0";
	static const char drop2[] = "DELETE FROM feeds WHERE $1 + $2 + $3 <> 0";

	world();
	join(PROJECT, 1001, false);
	join(PROJECT, 1002, false);
	struct step s = {.s = drop1, .a = 1};
	EXPECT_INT(run(STORE_WRITE, sql_tx, &s), 0);
	s.s = drop2;
	EXPECT_INT(run(STORE_WRITE, sql_tx, &s), 0);
	change(NULL, PROJECT, 1002, 0);
	struct feed_message *msg = message(PROJECT, 0, 1000);
	mirror_apply(&m, msg);
	feed_message_release(msg);
	EXPECT_INT(m.n, 3);
	mirror_clear(&m);
}

static uint32_t random_state;

static uint32_t roll(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

static void random_write(int64_t users)
{
	int64_t project = roll(4) ? PROJECT : OTHER;
	int64_t user = 1001 + roll((uint32_t)users);
	static int64_t keys = 1000;

	switch (roll(8)) {
	case 0:
		change(sql_suspend, project, user, 0);
		break;
	case 1:
		change(sql_resume, project, user, 0);
		break;
	case 2:
		change(sql_end, project, user, 0);
		break;
	case 3:
		change(sql_role, project, user, 1 + roll(4));
		break;
	case 4:
		change(sql_not_after, project, user, roll(3));
		break;
	case 5:
		change(sql_gone, project, user, 0);
		break;
	case 6: {
		struct step s = {.a = project, .b = user, .c = true};
		int r = run(STORE_WRITE, join_tx, &s);
		EXPECT(r == 0 || r == -EEXIST);
		break;
	}
	default: {
		struct step s = {.s = sql_key, .a = ++keys, .b = user, .c = keys};
		EXPECT_INT(run(STORE_WRITE, sql_tx, &s), 0);
		change(NULL, project, user, 0);
	}
	}
}

TEST("D2 after any writes, a chain of deltas and the full feed give the same records and digest")
{
	enum { USERS = 25, HOSTS = 4, ROUNDS = 60 };

	for (uint32_t seed = 1; seed <= 4; seed++) {
		static struct mirror host[HOSTS], full;
		random_state = seed * 7919;
		world();
		for (int64_t u = 1001; u < 1001 + USERS; u++)
			join(u % 3 ? PROJECT : OTHER, u, false);
		for (int round = 0; round < ROUNDS; round++) {
			for (uint32_t n = 1 + roll(4); n > 0; n--)
				random_write(USERS);
			/* Each host follows at its own pace, so the steps differ in length. */
			for (int h = 0; h < HOSTS; h++) {
				if (round < ROUNDS - 1 && roll((uint32_t)h + 1) != 0)
					continue;
				struct feed_message *msg =
				    message(PROJECT, (int64_t)host[h].revision, 1000);
				mirror_apply(&host[h], msg);
				feed_message_release(msg);
			}
		}
		struct feed_message *msg = message(PROJECT, 0, 1000);
		mirror_apply(&full, msg);
		feed_message_release(msg);
		EXPECT(full.n > 10);
		for (int h = 0; h < HOSTS; h++) {
			EXPECT(mirror_equal(&host[h], &full));
			mirror_clear(&host[h]);
		}
		mirror_clear(&full);
	}
}

TEST("D6 a changed bit anywhere in a message is noticed")
{
	struct feed_header h;
	struct wire w;

	world();
	join(PROJECT, 1001, false);
	struct feed_message *msg = message(PROJECT, 0, 1000);
	uint8_t *copy = malloc(msg->len);
	memcpy(copy, msg->frame, msg->len);
	EXPECT_INT(feed_open(&trust, copy + 4, msg->len - 4, &h, &w), 0);
	for (size_t i = 4; i < msg->len; i++) {
		copy[i] ^= 0x10;
		EXPECT(feed_open(&trust, copy + 4, msg->len - 4, &h, &w) < 0);
		copy[i] ^= 0x10;
	}
	free(copy);
	feed_message_release(msg);
}

TEST("D2 one signature serves everybody who asks the same, until it is no longer fresh")
{
	world();
	join(PROJECT, 1001, false);
	struct feed_state st = state_of(PROJECT);
	uint64_t before = feed_messages_signed(&central);
	for (int i = 0; i < 1000; i++)
		feed_message_release(message(PROJECT, st.revision, 1000 + i % 50));
	EXPECT_INT(feed_messages_signed(&central) - before, 1);
	feed_message_release(message(PROJECT, st.revision, 1000 + MESSAGE_FRESH + 1));
	EXPECT_INT(feed_messages_signed(&central) - before, 2);
	feed_message_release(message(PROJECT, 0, 1000));
	EXPECT_INT(feed_messages_signed(&central) - before, 3);
	/* The clock was put back: what is dated in the future is not given out. */
	feed_message_release(message(PROJECT, 0, 900));
	EXPECT_INT(feed_messages_signed(&central) - before, 4);
}

struct asker {
	pthread_t thread;
	struct store *own;
	struct feed_message *got;
	int result;
};

static void *ask(void *arg)
{
	struct asker *a = arg;
	struct step s = {.a = PROJECT, .b = 0, .c = 1000, .message = &a->got};

	a->result = store_tx(a->own, STORE_READ, message_tx, &s);
	return NULL;
}

TEST("D2 threads that want the same message at once wait for one that makes it")
{
	struct asker askers[8] = {0};

	world();
	for (int64_t u = 1001; u < 1200; u++)
		join(PROJECT, u, false);
	uint64_t before = feed_messages_signed(&central);
	for (int i = 0; i < 8; i++)
		EXPECT_INT(store_open(world_url, &askers[i].own), 0);
	for (int i = 0; i < 8; i++)
		pthread_create(&askers[i].thread, NULL, ask, &askers[i]);
	for (int i = 0; i < 8; i++) {
		pthread_join(askers[i].thread, NULL);
		EXPECT_INT(askers[i].result, 0);
		EXPECT(askers[i].got == askers[0].got);
	}
	EXPECT_INT(feed_messages_signed(&central) - before, 1);
	for (int i = 0; i < 8; i++) {
		feed_message_release(askers[i].got);
		store_close(askers[i].own);
	}
}

TEST("STYLE 19 the cache of messages stays below its limit")
{
	struct mirror m = {0};

	world();
	for (int64_t u = 1001; u < 1100; u++)
		join(PROJECT, u, false);
	for (int64_t i = 0; i < 4000; i++)
		feed_message_release(message(PROJECT, i % 90, 1000 + i * 2));
	EXPECT(feed_messages_held(&central) <= MESSAGE_CACHE_MAX);
	EXPECT(feed_messages_held(&central) > 0);
	struct feed_message *msg = message(PROJECT, 0, 1000 + 8000);
	mirror_apply(&m, msg);
	feed_message_release(msg);
	mirror_clear(&m);
}

/* ---- epochs and ids -------------------------------------------------------------------------- */

static int epoch_tx(struct tx *t, void *arg)
{
	return feed_restore_epoch(t);
}

TEST("D6 after a restore every feed is in a new epoch, also when the same backup is restored twice")
{
	world();
	join(PROJECT, 1001, false);
	struct feed_state a = state_of(PROJECT);
	EXPECT_INT(a.epoch, 1);
	EXPECT_INT(run(STORE_WRITE, epoch_tx, NULL), 0);
	struct feed_state b = state_of(PROJECT);
	EXPECT(b.epoch > a.epoch);
	EXPECT_INT(b.revision, a.revision);
	EXPECT(b.epoch >= clock_now() - 5);
	EXPECT_INT(run(STORE_WRITE, epoch_tx, NULL), 0);
	EXPECT(state_of(PROJECT).epoch > b.epoch);
	/* A feed that begins later is in the same epoch. */
	join(OTHER, 1001, true);
	EXPECT_INT(state_of(OTHER).epoch, state_of(PROJECT).epoch);
}

static int allocate_tx(struct tx *t, void *arg)
{
	struct step *s = arg;
	uint32_t id = 0;
	int r = register_allocate(t, &central.config, REGISTER_USER, s->a, 1, &id);
	s->b = id;
	return r;
}

static int64_t allocate(int64_t object)
{
	struct step s = {.a = object};

	EXPECT_INT(run(STORE_WRITE, allocate_tx, &s), 0);
	return s.b;
}

static int burn_tx(struct tx *t, void *arg)
{
	struct step *s = arg;
	struct host_ids ids = {.host = s->a, .now = s->b, .config = &central.config};
	int r = host_ids_burn(t, &ids, s->json);
	s->c = (int64_t)ids.burned;
	s->b = (int64_t)ids.clashes;
	return r;
}

static int raise_tx(struct tx *t, void *arg)
{
	struct step *s = arg;
	struct host_ids ids = {.host = s->a, .now = s->b, .config = &central.config};
	return host_ids_raise(t, &ids, s->json);
}

TEST("D6 ids that hosts use locally are burned: the register skips them")
{
	world();
	int64_t first = allocate(1);
	EXPECT_INT(first, 10001);
	struct step s = {.a = HOST, .b = 5};
	s.json = json_pack("[i,i,i,i,i,i]", 1000, 10001, 10002, 10003, 2000020, 5000000);
	EXPECT_INT(run(STORE_WRITE, burn_tx, &s), 0);
	EXPECT_INT(s.c, 3);
	EXPECT_INT(s.b, 1);
	EXPECT_INT(allocate(2), 10004);
	s.b = 6;
	EXPECT_INT(run(STORE_WRITE, burn_tx, &s), 0);
	EXPECT_INT(s.c, 0);
	json_decref(s.json);
}

TEST("D6 one host can burn only so many ids")
{
	struct step s = {.a = HOST, .b = 5, .json = json_array()};

	world();
	for (int i = 0; i < HOST_IDS_BURNED + 500; i++)
		json_array_append_new(s.json, json_integer(20000 + i));
	EXPECT_INT(run(STORE_WRITE, burn_tx, &s), 0);
	EXPECT_INT(s.c, HOST_IDS_BURNED);
	EXPECT_INT(run(STORE_WRITE, burn_tx, &s), 0);
	EXPECT_INT(s.c, 0);
	json_decref(s.json);
}

TEST("D6 after a restore the register jumps past the highest id that any host reports")
{
	struct step s = {.a = HOST, .b = clock_now()};

	world();
	EXPECT_INT(allocate(1), 10001);
	s.json = json_pack("{s:i, s:i}", "uid", 12500, "gid", 2000400);
	/* Not after a restore: what a host says moves nothing. */
	EXPECT_INT(run(STORE_WRITE, raise_tx, &s), 0);
	EXPECT_INT(allocate(2), 10002);
	EXPECT_INT(run(STORE_WRITE, epoch_tx, NULL), 0);
	EXPECT_INT(allocate(3), 10003 + FEED_RECOVERY_GAP);
	s.b = clock_now();
	EXPECT_INT(run(STORE_WRITE, raise_tx, &s), 0);
	EXPECT_INT(allocate(4), 12501);
	json_decref(s.json);
	/* A liar does not use up the range. */
	s.json = json_pack("{s:i}", "uid", 1999999);
	EXPECT_INT(run(STORE_WRITE, raise_tx, &s), 0);
	EXPECT_INT(allocate(5), 12502);
	json_decref(s.json);
}

TEST("D2 a host's id is written in one way only")
{
	char hex[HOST_ID_HEX + 1];

	host_id_hex(0x0123456789abcdef, hex);
	EXPECT_STR(hex, "00000000000000000123456789abcdef");
	EXPECT(host_id_parse(hex) == 0x0123456789abcdef);
	EXPECT_INT(host_id_parse("0"), 0);
	EXPECT_INT(host_id_parse("00000000000000000123456789ABCDEF"), 0);
	EXPECT_INT(host_id_parse("10000000000000000123456789abcdef"), 0);
	EXPECT_INT(host_id_parse("0000000000000000f123456789abcdef"), 0);
	EXPECT_INT(host_id_parse("zz000000000000000123456789abcdef"), 0);
}

TEST("LESSONS 4 what a host says of itself cannot become an option or an escape")
{
	EXPECT(hostname_valid("ws1"));
	EXPECT(hostname_valid("a.b-c"));
	EXPECT(!hostname_valid("-oProxyCommand"));
	EXPECT(!hostname_valid("a b"));
	EXPECT(!hostname_valid("Ws1"));
	EXPECT(!hostname_valid(""));
	EXPECT(address_valid("10.0.0.1"));
	EXPECT(address_valid("fe80::1"));
	EXPECT(!address_valid("-J evil"));
	EXPECT(!address_valid("a;b"));
	EXPECT(!address_valid("\x1b[2J"));
}

TEST_MAIN()
