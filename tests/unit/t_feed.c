/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "feed/feed.h"
#include "sync/forge.h"
#include "test.h"

static struct forge forge;
static struct buf msg;

static struct feed_trust trust_of(uint8_t key)
{
	struct feed_signer *s = forge_signer(key);
	struct feed_trust t = {.nkeys = 1};

	memcpy(t.keys[0], feed_signer_public(s), FEED_KEY_LEN);
	feed_signer_free(s);
	return t;
}

static void begin(void)
{
	forge_free(&forge);
	forge_init(&forge, 1, "lab");
	forge_member(&forge, 10001, "alice");
	forge_member(&forge, 10002, "bob");
}

static int open_msg(uint8_t key, struct feed_header *h, struct wire *w)
{
	struct feed_trust t = trust_of(key);

	uint8_t *room = malloc(FEED_HEADROOM + msg.len);
	struct feed_header other;
	int rc = feed_open(&t, msg.data, msg.len, h, w);

	/* Without a copy it must be the same. */
	memcpy(room + FEED_HEADROOM, msg.data, msg.len);
	EXPECT_INT(feed_open_at(&t, room, msg.len, &other, &(struct wire){0}), rc);
	EXPECT(rc < 0 || memcmp(&other, h, sizeof(other)) == 0);
	EXPECT(memcmp(room + FEED_HEADROOM, msg.data, msg.len) == 0);
	free(room);
	return rc;
}

TEST("D6 a full feed comes back as it was signed")
{
	struct feed_header h;
	struct feed_record r;
	struct feed_project p;
	struct feed_member m;
	struct wire w;

	begin();
	forge_full(&forge, &msg);
	EXPECT_INT(open_msg(1, &h, &w), 0);
	EXPECT_INT(h.kind, FEED_FULL);
	EXPECT_INT(h.nrecords, 3);
	EXPECT_INT(h.epoch, 1);
	EXPECT_INT(h.issued_at, FORGE_NOW);
	EXPECT(memcmp(h.digest, forge.digest, FEED_DIGEST_LEN) == 0);
	EXPECT_INT(feed_next(&w, &r), 1);
	EXPECT_INT(feed_parse_project(&r, &p), 0);
	EXPECT_STR(p.slug, "lab");
	EXPECT_INT(p.gid_ro, GID_FIRST + 17);
	EXPECT_INT(feed_next(&w, &r), 1);
	EXPECT_INT(r.subject, 10001);
	EXPECT_INT(feed_parse_member(&r, &m), 0);
	EXPECT_STR(m.name, "alice");
	EXPECT_STR(m.home, "/efs/home/alice");
	EXPECT_INT(m.nkeys, 1);
	EXPECT_STR(m.keys[0].line, FORGE_KEY);
	EXPECT_INT(feed_next(&w, &r), 1);
	EXPECT_INT(feed_next(&w, &r), 0);
}

TEST("D6 a message signed by a key that is not pinned is refused")
{
	struct feed_header h;
	struct wire w;

	begin();
	forge_full(&forge, &msg);
	EXPECT_INT(open_msg(2, &h, &w), -ENOKEY);
}

TEST("D6 the key id does not stand in for the signature")
{
	struct feed_header h;
	struct wire w;
	uint8_t id[FEED_KEY_ID_LEN];

	begin();
	forge_full(&forge, &msg);
	struct feed_trust t = trust_of(2);

	feed_key_id(t.keys[0], id);
	memcpy(msg.data + 12, id, sizeof(id));
	EXPECT_INT(feed_open(&t, msg.data, msg.len, &h, &w), -EKEYREJECTED);
}

TEST("D6 every flipped bit of a message is noticed")
{
	struct feed_header h;
	struct wire w;

	begin();
	forge_heartbeat(&forge, &msg);
	for (size_t i = 0; i < msg.len * 8; i++) {
		msg.data[i / 8] ^= (uint8_t)(1u << i % 8);
		EXPECT(open_msg(1, &h, &w) < 0);
		msg.data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	EXPECT_INT(open_msg(1, &h, &w), 0);
}

TEST("D6 every truncation of a message is noticed")
{
	struct feed_header h;
	struct wire w;
	struct feed_trust t = trust_of(1);

	begin();
	forge_full(&forge, &msg);
	for (size_t n = 0; n < msg.len; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, msg.data, n);
		int rc = feed_open(&t, exact, n, &h, &w);

		free(exact);
		EXPECT(rc < 0);
	}
}

TEST("D6 a signed message with a wrong count, kind or times is malformed")
{
	struct feed_header h,
	    good = {.kind = FEED_FULL, .epoch = 1, .to = 1, .issued_at = 5, .valid_until = 6};
	struct feed_header bad[6] = {good, good, good, good, good, good};
	struct wire w;

	begin();
	bad[0].nrecords = 1;
	bad[1].kind = 9;
	bad[2].valid_until = 5;
	bad[3].epoch = 0;
	bad[4].from = 1;
	bad[5].issued_at = 0;
	for (size_t i = 0; i < 6; i++) {
		buf_clear(&msg);
		EXPECT_INT(feed_sign(forge.signer, &bad[i], "", 0, &msg), 0);
		EXPECT_INT(open_msg(1, &h, &w), -EBADMSG);
	}
	buf_clear(&msg);
	EXPECT_INT(feed_sign(forge.signer, &good, "", 0, &msg), 0);
	EXPECT_INT(open_msg(1, &h, &w), 0);
}

TEST("D6 a record that claims more bytes than there are breaks the framing")
{
	struct feed_header h, head = {.kind = FEED_FULL,
				  .epoch = 1,
				  .to = 1,
				  .issued_at = 5,
				  .valid_until = 6,
				  .nrecords = 1};
	static const uint8_t record[] = {0xff, 0xff, 0xff, 0xff, 2, 0, 1, 0, 1, 0, 0, 0};
	struct wire w;

	begin();
	buf_clear(&msg);
	EXPECT_INT(feed_sign(forge.signer, &head, record, sizeof(record), &msg), 0);
	EXPECT_INT(open_msg(1, &h, &w), -EBADMSG);
}

TEST("D6 the digest does not depend on the order, and taking away undoes adding")
{
	uint8_t a[FEED_DIGEST_LEN] = {0}, b[FEED_DIGEST_LEN] = {0}, zero[FEED_DIGEST_LEN] = {0};

	for (int i = 0; i < 300; i++)
		feed_digest_update(a, &i, sizeof(i), 1);
	for (int i = 299; i >= 0; i--)
		feed_digest_update(b, &i, sizeof(i), 1);
	EXPECT(memcmp(a, b, sizeof(a)) == 0);
	for (int i = 0; i < 300; i += 2)
		feed_digest_update(a, &i, sizeof(i), -1);
	EXPECT(memcmp(a, b, sizeof(a)) != 0);
	for (int i = 1; i < 300; i += 2)
		feed_digest_update(a, &i, sizeof(i), -1);
	EXPECT(memcmp(a, zero, sizeof(a)) == 0);
}

TEST("D6 a digest carries and borrows over all its bytes")
{
	uint8_t d[FEED_DIGEST_LEN], one[FEED_DIGEST_LEN] = {1}, zero[FEED_DIGEST_LEN] = {0};

	memset(d, 0xff, sizeof(d));
	feed_digest_mix(d, one, 1);
	EXPECT(memcmp(d, zero, sizeof(d)) == 0);
	feed_digest_mix(d, one, -1);
	for (size_t i = 0; i < sizeof(d); i++)
		EXPECT_INT(d[i], 0xff);
}

static int parse_changed(void (*change)(struct feed_member *m))
{
	struct feed_member m = forge_person("carol"), out;
	struct buf b = BUF_INIT(65536), whole = BUF_INIT(65536);
	struct feed_record r;
	struct wire w;

	change(&m);
	feed_body_member(&b, &m);
	feed_put_record(&whole, FEED_MEMBER, 0, 10003, b.data, b.len);
	wire_init(&w, whole.data, whole.len);
	int rc = feed_next(&w, &r) == 1 ? feed_parse_member(&r, &out) : -1;

	buf_free(&b);
	buf_free(&whole);
	return rc;
}

static void nothing(struct feed_member *m)
{
}
static void name_root(struct feed_member *m)
{
	strcpy(m->name, "root");
}
static void name_colon(struct feed_member *m)
{
	strcpy(m->name, "a:b");
}
static void gecos_newline(struct feed_member *m)
{
	strcpy(m->gecos, "x\nroot:x:0:0");
}
static void home_relative(struct feed_member *m)
{
	strcpy(m->home, "home/carol");
}
static void home_up(struct feed_member *m)
{
	strcpy(m->home, "/efs/home/../root");
}
static void state_unknown(struct feed_member *m)
{
	m->state = 9;
}
static void user_state_zero(struct feed_member *m)
{
	m->user_state = 0;
}
static void key_options(struct feed_member *m)
{
	snprintf(m->keys[0].line, sizeof(m->keys[0].line), "command=\"x\" %s", FORGE_KEY);
}
static void negative_time(struct feed_member *m)
{
	m->not_after = -1;
}

TEST("D6 a member's record that forbidden values stand in does not parse")
{
	static void (*const bad[])(struct feed_member * m) = {name_root, name_colon, gecos_newline,
	    home_relative, home_up, state_unknown, user_state_zero, key_options, negative_time};

	EXPECT_INT(parse_changed(nothing), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_INT(parse_changed(bad[i]), -EBADMSG);
}

TEST("D6 fields added at the end of a body are ignored, an unknown version is not")
{
	struct feed_member m = forge_person("carol"), out;
	struct buf b = BUF_INIT(65536), whole = BUF_INIT(65536);
	struct feed_record r;
	struct wire w;

	feed_body_member(&b, &m);
	buf_add_str(&b, "from the future");
	feed_put_record(&whole, FEED_MEMBER, 0, 10003, b.data, b.len);
	wire_init(&w, whole.data, whole.len);
	EXPECT_INT(feed_next(&w, &r), 1);
	EXPECT_INT(feed_parse_member(&r, &out), 0);
	r.version = 2;
	EXPECT_INT(feed_parse_member(&r, &out), -EBADMSG);
	buf_free(&b);
	buf_free(&whole);
}

TEST("D6 a group's list is read in place, and no longer than it is")
{
	uint32_t uids[2] = {10001, 10002};
	struct feed_group g = {.slug = "team", .nmembers = 2, .members = (uint8_t *)uids}, out;
	struct buf b = BUF_INIT(4096), whole = BUF_INIT(4096);
	struct feed_record r;
	struct wire w;

	feed_body_group(&b, &g);
	feed_put_record(&whole, FEED_GROUP, 0, GID_FIRST + 40, b.data, b.len);
	wire_init(&w, whole.data, whole.len);
	EXPECT_INT(feed_next(&w, &r), 1);
	EXPECT_INT(feed_parse_group(&r, &out), 0);
	EXPECT_INT(out.nmembers, 2);
	r.body_len -= 4;
	EXPECT_INT(feed_parse_group(&r, &out), -EBADMSG);
	buf_free(&b);
	buf_free(&whole);
	forge_free(&forge);
	memset(&forge, 0, sizeof(forge));
	buf_free(&msg);
}

TEST_MAIN()
