/* SPDX-License-Identifier: MIT */

/* When the identity snapshot is left as it is, and who is refused for two reasons. */
#include <sys/stat.h>
#include "prism-sync/compile.h"
#include "sync/forge.h"
#include "test.h"

static struct forge forge, other;
static struct model model;
static struct config config;
static struct local local;
static struct compiled compiled;

static void apply(const struct buf *msg)
{
	struct feed_trust t = {.nkeys = 1};
	struct feed_header h;
	struct wire w;

	memcpy(t.keys[0], feed_signer_public(forge.signer), FEED_KEY_LEN);
	EXPECT_INT(feed_open(&t, msg->data, msg->len, &h, &w), 0);
	if (h.kind == FEED_MANIFEST)
		EXPECT(model_apply_manifest(&model, &h, w, NULL, NULL) >= 0);
	else
		EXPECT(model_apply_feed(&model, &h, w) >= 0);
}

static void make(void)
{
	struct forge *both[] = {&forge, &other};
	struct buf msg = BUF_INIT(FEED_MESSAGE_MAX);

	for (size_t i = 0; i < 2; i++) {
		both[i]->revision++;
		forge_full(both[i], &msg);
		apply(&msg);
	}
	buf_free(&msg);
	compiled_release(&compiled);
	EXPECT_INT(compile(&model, &config, &local, 1, FORGE_NOW + 1, &compiled), 0);
}

static void begin_model(void)
{
	struct forge *both[] = {&forge, &other};
	struct buf msg = BUF_INIT(FEED_MESSAGE_MAX);

	model_release(&model);
	EXPECT_INT(model_init(&model, forge.host), 0);
	forge_manifest(&forge, both, 2, NULL, &msg);
	apply(&msg);
	buf_free(&msg);
}

static void begin(void)
{
	forge_free(&forge);
	forge_free(&other);
	forge_init(&forge, 1, "lab");
	forge_init(&other, 1, "bio");
	forge_project(&other, GID_FIRST + 20, SNAP_ACTIVE);
	config_defaults(&config);
	local.round = 1;
	begin_model();
}

static int refused(uint32_t uid)
{
	for (size_t i = 0; i < compiled.nrefused; i++)
		if (compiled.refused[i].id == uid)
			return compiled.refused[i].verdict;
	return 0;
}

static ino_t publish(uint64_t *identity)
{
	char path[200];
	struct stat st;

	EXPECT_INT(compiled_publish(&compiled, test_tmpdir(), -1, identity), 0);
	snprintf(path, sizeof(path), "%s/%s", test_tmpdir(), SNAPSHOT_IDENTITY);
	EXPECT_INT(stat(path, &st), 0);
	return st.st_ino;
}

TEST("D4 the identity snapshot is written again when it would say something else")
{
	struct feed_member m = forge_person("alice");
	uint64_t identity = 0;

	begin();
	forge_put(&forge, 10001, &m);
	make();
	ino_t first = publish(&identity);

	m.nkeys = 0;
	m.sso_at = 5;
	forge_put(&forge, 10001, &m);
	make();
	EXPECT(publish(&identity) == first);
	m.perms = SNAP_PERM_LOGIN;
	forge_put(&forge, 10001, &m);
	make();
	ino_t second = publish(&identity);

	EXPECT(second != first);
	snprintf(m.gecos, sizeof(m.gecos), "Alice");
	forge_put(&forge, 10001, &m);
	make();
	EXPECT(publish(&identity) != second);
}

TEST("D6 nobody can work out a name that makes a lost group look like no change")
{
	begin();
	forge_member(&forge, 10001, "alice");
	make();
	uint64_t identity = compiled.identity;
	uint64_t person = feed_find(&model.feeds[0], FEED_MEMBER, 10001)->identity;

	make();
	EXPECT(compiled.identity == identity);
	begin_model();
	make();
	EXPECT_INT(compiled.source.nusers, 1);
	EXPECT(compiled.identity != identity);
	EXPECT(feed_find(&model.feeds[0], FEED_MEMBER, 10001)->identity != person);
}

TEST("D6 who has two names is refused for that, also if one is another's, in any order")
{
	static const char *const names[][3] = {
	    {"twin", "twin", "solo"}, /* the first name of both is one */
	    {"solo", "twin", "twin"}, /* only the second one is: not a name that is ever served */
	};

	for (size_t i = 0; i < 2; i++)
		for (uint32_t order = 0; order < 2; order++) {
			uint32_t uid = 10001 + order, twin = 10002 - order;

			begin();
			forge_member(&forge, uid, names[i][0]);
			forge_member(&forge, twin, names[i][1]);
			forge_member(&other, uid, names[i][2]);
			make();
			EXPECT_INT(refused(uid), VERDICT_DISAGREE);
			EXPECT_INT(refused(twin), i == 0 ? VERDICT_DUPLICATE : 0);
			EXPECT_INT(compiled.source.nusers, i == 0 ? 0 : 1);
		}
}

TEST_MAIN()
