/* SPDX-License-Identifier: MIT */

/* Feeds as rows: full and delta agree, and so do their revisions. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include "feeds.h"
#include "snapshot/snapshot.h"

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

TEST_MAIN()
