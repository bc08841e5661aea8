/* SPDX-License-Identifier: MIT */

/* What a host that polls gets, when, and of whom. */
#include "hosts.h"
#include "prism-central/host_name.h"
#include "snapshot/snapshot.h"

TEST("D2 a host gets its manifest and feed, then deltas, then heartbeats")
{
	struct host h;
	struct answer a;

	world();
	host_ready(&h, "lab", "poll1");
	a = poll(&h, 0);
	EXPECT_INT(a.heartbeat, 1);
	EXPECT_INT(a.frames, 1);
	person("poll-a", "lab");
	person("poll-b", "lab");
	a = poll(&h, 0);
	EXPECT_INT(a.delta, 1);
	EXPECT_INT(a.records, 2);
	EXPECT_INT(a.frames, 1);
	a = poll(&h, 0);
	EXPECT_INT(a.heartbeat, 1);
	/* What the chain of deltas came to is what a full feed says. */
	struct answer full = poll_with(&h, "", 0);
	EXPECT_INT(full.full, 1);
	EXPECT(memcmp(full.digest, a.digest, 32) == 0);
}

TEST("D6 a host gets the feeds of its own projects only, whatever it asks for")
{
	struct host mine, theirs;
	char have[256];

	world();
	host_ready(&mine, "lab", "own1");
	host_ready(&theirs, "other", "own2");
	EXPECT(strcmp(mine.feed, theirs.feed) != 0);
	snprintf(have, sizeof(have), "%s:%" PRId64 ":1", theirs.feed, theirs.epoch);
	struct answer a = poll_with(&mine, have, 0);
	EXPECT_INT(a.full, 1);
	EXPECT(strstr(a.feeds, theirs.feed) == NULL);
	EXPECT(strstr(a.feeds, mine.feed) != NULL);
	mine.manifest = 0;
	a = poll_with(&mine, have, 0);
	EXPECT_INT(a.manifest, 1);
	EXPECT(strstr(a.contents, theirs.feed) == NULL);
	EXPECT(strstr(a.contents, mine.feed) != NULL);
}

TEST("D2 a revision that there is not, or another epoch, brings the full feed")
{
	struct host h;
	char have[256];

	world();
	host_ready(&h, "lab", "full1");
	snprintf(have, sizeof(have), "%s:%" PRId64 ":%" PRId64, h.feed, h.epoch, h.revision + 1000);
	EXPECT_INT(poll_with(&h, have, 0).full, 1);
	snprintf(have, sizeof(have), "%s:%" PRId64 ":%" PRId64, h.feed, h.epoch + 1, h.revision);
	EXPECT_INT(poll_with(&h, have, 0).full, 1);
	snprintf(have, sizeof(have), "%s:%" PRId64 ":0", h.feed, h.epoch);
	EXPECT_INT(poll_with(&h, have, 0).full, 1);
	EXPECT_INT(poll_with(&h, "nonsense", 0).status, 400);
	EXPECT_INT(poll_with(&h, "zz:1:1", 0).status, 400);
}

TEST("D2 a poll without a token, or with a person's, is refused")
{
	struct host h;

	world();
	host_ready(&h, "lab", "who1");
	snprintf(h.token, sizeof(h.token), "%s", owner_token);
	EXPECT_INT(poll_with(&h, "", 0).status, 401);
	h.token[0] = '\0';
	EXPECT_INT(poll_with(&h, "", 0).status, 401);
	snprintf(h.token, sizeof(h.token), "pht_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	EXPECT_INT(poll_with(&h, "", 0).status, 401);
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

TEST(
    "D2 a waiting host hears of a removed member within 100 ms, and of none later than in a second")
{
	struct host h;
	int64_t took[20];
	char name[32], path[128];

	world();
	host_ready(&h, "lab", "wake1");
	for (int i = 0; i < (int)ARRAY_SIZE(took); i++) {
		struct poller p = {.h = &h, .wait = 20};
		snprintf(name, sizeof(name), "wake-%c", 'a' + i);
		person(name, "lab");
		EXPECT_INT(poll(&h, 0).delta, 1);
		pthread_create(&p.thread, NULL, poll_thread, &p);
		pause_ms(60);
		snprintf(path, sizeof(path), V1 "/projects/lab/members/%s", name);
		int64_t t0 = clock_mono_ms();
		EXPECT_INT(ask(owner_token, "DELETE", path, NULL, NULL), 200);
		pthread_join(p.thread, NULL);
		EXPECT_INT(p.a.delta, 1);
		EXPECT_INT(p.a.state, SNAP_ENDED);
		took[i] = p.at_ms - t0;
	}
	qsort(took, ARRAY_SIZE(took), sizeof(took[0]), by_size);
	printf("# of 20 the middle one took %" PRId64 " ms, the slowest %" PRId64
	       " ms, request included\n",
	    took[10], took[19]);
	/* The slowest is the machine's affair, which runs other tests meanwhile. */
	EXPECT(took[10] < 100);
	EXPECT(took[19] < 1000);
}

TEST("D2 changes of other projects do not disturb a waiting host, and its wait ends in a heartbeat")
{
	struct host h;

	world();
	host_ready(&h, "lab", "quiet1");
	struct poller p = {.h = &h, .wait = 2};
	int64_t t0 = clock_mono_ms();
	pthread_create(&p.thread, NULL, poll_thread, &p);
	pause_ms(100);
	person("quiet-a", "other");
	pthread_join(p.thread, NULL);
	EXPECT(p.at_ms - t0 >= 1800);
	EXPECT_INT(p.a.status, 200);
	EXPECT_INT(p.a.heartbeat, 1);
	EXPECT_INT(p.a.records, 0);
	EXPECT(p.a.issued_at >= clock_now() - 62);
}

static int second_tx(struct tx *t, void *arg)
{
	static const char add[] = "INSERT INTO host_projects (host_id, project_id)"
				  " SELECT $1, id FROM projects WHERE slug = 'other'";
	static const char bump[] = "UPDATE hosts SET manifest = manifest + 1 WHERE id = $1";
	int64_t id = *(const int64_t *)arg;
	int r = tx_exec(t, add, "i", id);

	return r ? r : tx_exec(t, bump, "i", id);
}

TEST("D6 a host of several projects waits for all of them, and a busy one lets none expire")
{
	struct host h;
	char have[256];

	world();
	host_ready(&h, "lab", "multi1");
	int64_t id = host_id_parse(h.id);
	EXPECT_INT(store_tx(db, STORE_WRITE, second_tx, &id), 0);
	snprintf(have, sizeof(have), "%s:%" PRId64 ":%" PRId64, h.feed, h.epoch, h.revision);
	struct answer a = poll_with(&h, have, 0);
	EXPECT_INT(a.manifest, 1);
	EXPECT_INT(strlen(a.contents), 66);
	EXPECT_INT(a.full, 1);
	EXPECT_INT(a.heartbeat, 1);
	EXPECT_INT(strlen(a.feeds), 66);
	h.manifest = a.manifest_to;
	/* The other project's feed is where the answer's only full message stood. */
	char other[33];
	snprintf(other, sizeof(other), "%.32s",
	    strncmp(a.feeds, h.feed, 32) == 0 ? a.feeds + 33 : a.feeds);
	person("multi-a", "other");
	a = poll_with(&h, have, 0);
	EXPECT_INT(a.full, 1);
	snprintf(have, sizeof(have), "%s:%" PRId64 ":%" PRId64 ",%s:%" PRId64 ":1", h.feed, h.epoch,
	    h.revision, other, h.epoch);
	a = poll_with(&h, have, 0);
	EXPECT_INT(a.manifest, 0);
	EXPECT_INT(a.delta, 1);
	EXPECT_INT(a.heartbeat, 1);
}

TEST("D6 a manifest is renewed in good time, also while changes never cease")
{
	struct host h;
	size_t manifests = 0;
	char name[32];

	world();
	host_ready(&h, "lab", "renew1");
	central.config.feed_validity = 8;
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "renew-%c", 'a' + i);
		person(name, "lab");
		struct answer a = poll(&h, 5);
		EXPECT_INT(a.delta, 1);
		manifests += a.manifest;
		pause_ms(500);
	}
	central.config.feed_validity = FEED_VALIDITY;
	EXPECT(manifests >= 1 && manifests <= 3);
}

HOSTS_MAIN()
