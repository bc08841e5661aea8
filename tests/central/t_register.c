/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include "base/attr.h"
#include "prism-central/register.h"
#include "world.h"

struct take {
	const struct config *cfg;
	enum register_kind kind;
	int64_t object;
	uint32_t got;
	bool fail; /* roll back after the allocation */
};

static int take_tx(struct tx *t, void *arg)
{
	struct take *k = arg;
	int r = register_allocate(t, k->cfg, k->kind, k->object, 1, &k->got);
	return r ? r : k->fail ? -ECANCELED : 0;
}

static int take(struct take *k)
{
	k->object = store_new_id();
	return store_tx(db, STORE_WRITE, take_tx, k);
}

TEST("D2 ids begin at 10001 for people and above the reserved gids for projects")
{
	world();
	struct take k = {.cfg = &central.config};
	EXPECT_INT(take(&k), 0);
	EXPECT_INT(k.got, 10002); /* the superadmin has 10001 */
	k.kind = REGISTER_PROJECT_RW;
	EXPECT_INT(take(&k), 0);
	EXPECT_INT(k.got, 2000016);
	k.kind = REGISTER_PROJECT_RO;
	EXPECT_INT(take(&k), 0);
	EXPECT_INT(k.got, 2000017);
}

TEST("D6 the blocks of systemd and nobody are skipped, and an empty range says so")
{
	struct config cfg;
	world();
	cfg = central.config;
	cfg.uid_first = 59998;
	cfg.uid_last = 65537;
	struct take k = {.cfg = &cfg};
	uint32_t want[] = {59998, 59999, 65536, 65537};
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		EXPECT_INT(take(&k), 0);
		EXPECT_INT(k.got, want[i]);
	}
	k.got = 5;
	EXPECT_INT(take(&k), -ENOSPC);
	EXPECT_INT(k.got, 5);
}

static int burn_tx(struct tx *t, void *arg)
{
	int r = 0;
	for (uint32_t n = 10003; n < 10103 && !r; n++)
		r = register_burn(t, n, 9, 1);
	return r ? r : register_burn(t, 10003, 8, 2);
}

static int raise_tx(struct tx *t, void *arg)
{
	return register_raise(t, &central.config, *(uint32_t *)arg);
}

TEST("D6 ids that hosts use for their own are never given")
{
	world();
	struct take k = {.cfg = &central.config};
	EXPECT_INT(store_tx(db, STORE_WRITE, burn_tx, NULL), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM burned_ids"), 100);
	EXPECT_INT(take(&k), 0);
	EXPECT_INT(k.got, 10002);
	EXPECT_INT(take(&k), 0);
	EXPECT_INT(k.got, 10103);
}

TEST("D6 after a restore the register goes on above the highest id that a host knows")
{
	world();
	struct take k = {.cfg = &central.config};
	uint32_t high = 12000, low = 11000, gid = 2000100;
	EXPECT_INT(store_tx(db, STORE_WRITE, raise_tx, &high), 0);
	EXPECT_INT(store_tx(db, STORE_WRITE, raise_tx, &low), 0);
	EXPECT_INT(store_tx(db, STORE_WRITE, raise_tx, &gid), 0);
	EXPECT_INT(take(&k), 0);
	EXPECT_INT(k.got, 12001);
	k.kind = REGISTER_PROJECT_RW;
	EXPECT_INT(take(&k), 0);
	EXPECT_INT(k.got, 2000101);
}

TEST("D2 an id is never used again, not that of a person who is gone either")
{
	world();
	struct take k = {.cfg = &central.config, .fail = true};
	EXPECT_INT(take(&k), -ECANCELED);
	EXPECT_INT(k.got, 10002);
	k.fail = false;
	EXPECT_INT(take(&k), 0);
	EXPECT_INT(k.got, 10002); /* nobody had it: the transaction did not happen */
	EXPECT_INT(take(&k), 0);
	EXPECT_INT(k.got, 10003);
	/* Even where somebody tampers with the counter, the register's rows stand in the way. */
	sql("UPDATE posix_id_next SET number = 10001");
	EXPECT_INT(take(&k), 0);
	EXPECT_INT(k.got, 10004);
}

#define WRITERS 4
#define EACH	50

struct writer {
	pthread_t thread;
	int failed;
};

static void *write_many(void *arg)
{
	struct writer *w = arg;
	struct store *own = NULL;
	if (store_open(world_url, &own) < 0) {
		w->failed = EACH;
		return NULL;
	}
	for (int i = 0; i < EACH; i++) {
		struct take k = {.cfg = &central.config,
		    .kind = i % 2 ? REGISTER_PROJECT_RO : REGISTER_USER,
		    .object = store_new_id()};
		w->failed += store_tx(own, STORE_WRITE, take_tx, &k) != 0;
	}
	store_close(own);
	return NULL;
}

TEST("D2 four writers at once: every id is given once, none is lost")
{
	struct writer w[WRITERS] = {0};
	world();
	for (int i = 0; i < WRITERS; i++)
		EXPECT_INT(pthread_create(&w[i].thread, NULL, write_many, &w[i]), 0);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(w[i].thread, NULL);
		EXPECT_INT(w[i].failed, 0);
	}
	EXPECT_INT(sql_int("SELECT COUNT(DISTINCT number) FROM posix_ids"), WRITERS * EACH + 1);
	EXPECT_INT(sql_int("SELECT COUNT(DISTINCT object_id) FROM posix_ids"), WRITERS * EACH + 1);
	EXPECT_INT(sql_int("SELECT MAX(number) FROM posix_ids WHERE kind = 'user'"),
	    10001 + WRITERS * EACH / 2);
}

TEST_MAIN()
