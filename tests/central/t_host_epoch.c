/* SPDX-License-Identifier: MIT */

/* What a restored backup does to feeds and ids, and what hosts may do to ids at any time. */
#include "feeds.h"
#include "prism-central/host_local.h"
#include "prism-central/register.h"

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

TEST_MAIN()
