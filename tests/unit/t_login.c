/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "feed/login.h"
#include "sync/forge.h"
#include "test.h"

/* Where the fields stand, by the specification in feed/login.h; the name is "alice". */
enum {
	AT_MAGIC = 0,
	AT_KEY_ID = 8,
	AT_HOST = 24,
	AT_NONCE = 40,
	AT_ISSUED = 72,
	AT_UID = 80,
	AT_NAME = 84,
	AT_COUNT = 91,
	AT_SLUG = 93
};

static struct login_statement said;
static struct buf msg;

static struct feed_trust trust_of(uint8_t key)
{
	struct feed_signer *s = forge_signer(key);
	struct feed_trust t = {.nkeys = 1};

	memcpy(t.keys[0], feed_signer_public(s), FEED_KEY_LEN);
	feed_signer_free(s);
	return t;
}

static int sign(uint8_t key)
{
	struct feed_signer *s = forge_signer(key);

	buf_free(&msg);
	buf_init(&msg, 1 << 16);
	int r = login_sign(s, &said, &msg);

	feed_signer_free(s);
	return r;
}

static void begin(void)
{
	said = (struct login_statement){
	    .issued_at = FORGE_NOW, .uid = 10001, .username = "alice", .nprojects = 2};
	memset(said.host, 0x11, sizeof(said.host));
	memset(said.nonce, 0x22, sizeof(said.nonce));
	memset(said.code, 0x33, sizeof(said.code));
	memcpy(said.projects[0], "lab", 4);
	memcpy(said.projects[1], "genomics", 9);
	EXPECT_INT(sign(1), 0);
}

static int opened(const void *p, size_t n, struct login_statement *ret)
{
	struct feed_trust t = trust_of(1);

	return login_open(&t, p, n, ret);
}

/* Sign these bytes as the service's key would, whatever they say. */
static void sign_bytes(const char *context, size_t context_len)
{
	struct feed_signer *s = forge_signer(1);
	struct buf b = BUF_INIT(1 << 16);
	size_t n = msg.len - FEED_SIG_LEN;

	buf_add(&b, context, context_len);
	buf_add(&b, msg.data, n);
	EXPECT_INT(feed_signer_sign_raw(s, b.data, b.len, msg.data + n), 0);
	buf_free(&b);
	feed_signer_free(s);
}

TEST("I3.3 a statement comes back as it was signed")
{
	struct login_statement l;

	begin();
	EXPECT_INT(opened(msg.data, msg.len, &l), 0);
	EXPECT(memcmp(l.host, said.host, sizeof(l.host)) == 0);
	EXPECT(memcmp(l.nonce, said.nonce, sizeof(l.nonce)) == 0);
	EXPECT_INT(l.issued_at, FORGE_NOW);
	EXPECT_INT(l.uid, 10001);
	EXPECT_STR(l.username, "alice");
	EXPECT_INT(l.nprojects, 2);
	EXPECT_STR(l.projects[0], "lab");
	EXPECT_STR(l.projects[1], "genomics");
	EXPECT(memcmp(l.code, said.code, sizeof(l.code)) == 0);
}

TEST("I3.3 the bytes are those of the specification")
{
	begin();
	EXPECT(memcmp(msg.data + AT_MAGIC, "PRSMLGN1", 8) == 0);
	EXPECT(memcmp(msg.data + AT_HOST, said.host, 16) == 0);
	EXPECT(memcmp(msg.data + AT_NONCE, said.nonce, 32) == 0);
	EXPECT(memcmp(msg.data + AT_UID, "\x11\x27\0\0", 4) == 0);
	EXPECT(memcmp(msg.data + AT_NAME, "\5\0alice", 7) == 0);
	EXPECT(memcmp(msg.data + AT_COUNT, "\2\0", 2) == 0);
	EXPECT(memcmp(msg.data + AT_SLUG, "\3\0lab\10\0genomics", 15) == 0);
	EXPECT(memcmp(msg.data + AT_SLUG + 15, said.code, 32) == 0);
	EXPECT_INT(msg.len, AT_SLUG + 15 + 32 + FEED_SIG_LEN);
}

TEST("I3.3 a code is its letters: hyphens do not count, everything else does")
{
	uint8_t a[32], b[32];

	login_code_hash("WDJB-MJHT", a);
	login_code_hash("WDJBMJHT", b);
	EXPECT(memcmp(a, b, sizeof(a)) == 0);
	feed_hash("WDJBMJHT", 8, b);
	EXPECT(memcmp(a, b, sizeof(a)) == 0);
	login_code_hash("WDJB-MJHS", b);
	EXPECT(memcmp(a, b, sizeof(a)) != 0);
}

TEST("I3.3 the longest statement fits, and none is a valid number of projects")
{
	struct login_statement l;

	begin();
	memset(said.username, 'a', USERNAME_MAX);
	said.nprojects = LOGIN_PROJECTS_MAX;
	for (size_t i = 0; i < LOGIN_PROJECTS_MAX; i++)
		snprintf(said.projects[i], sizeof(said.projects[i]), "p%0*zu", SLUG_MAX - 1, i);
	EXPECT_INT(sign(1), 0);
	EXPECT(msg.len <= LOGIN_MAX);
	EXPECT_INT(opened(msg.data, msg.len, &l), 0);
	EXPECT_STR(l.projects[63], said.projects[63]);
	said.nprojects = 0;
	EXPECT_INT(sign(1), 0);
	EXPECT_INT(opened(msg.data, msg.len, &l), 0);
	EXPECT_INT(l.nprojects, 0);
}

TEST("I3.3 no field can be changed: every flipped bit is noticed, and nothing gets out")
{
	struct login_statement l = {.uid = 7};

	begin();
	for (size_t i = 0; i < msg.len * 8; i++) {
		size_t at = i / 8;
		int want = at < AT_KEY_ID ? -EBADMSG : at < AT_HOST ? -ENOKEY : -EKEYREJECTED;
		msg.data[at] ^= (uint8_t)(1u << i % 8);
		EXPECT_INT(opened(msg.data, msg.len, &l), want);
		msg.data[at] ^= (uint8_t)(1u << i % 8);
	}
	EXPECT_INT(l.uid, 7);
	EXPECT_STR(l.username, "");
	EXPECT_INT(opened(msg.data, msg.len, &l), 0);
}

TEST("I3.3 a key that is not pinned signs nothing, also under a pinned key's id")
{
	struct feed_trust t = trust_of(1);
	struct login_statement l;
	uint8_t id[FEED_KEY_ID_LEN];

	begin();
	EXPECT_INT(sign(2), 0);
	EXPECT_INT(opened(msg.data, msg.len, &l), -ENOKEY);
	feed_key_id(t.keys[0], id);
	memcpy(msg.data + AT_KEY_ID, id, sizeof(id));
	EXPECT_INT(opened(msg.data, msg.len, &l), -EKEYREJECTED);
	t.nkeys = 0;
	EXPECT_INT(login_open(&t, msg.data, msg.len, &l), -ENOKEY);
}

TEST("I3.3 each of several pinned keys counts: a change of keys does not stop logins")
{
	struct feed_trust t = trust_of(1), next = trust_of(2);
	struct login_statement l;

	memcpy(t.keys[1], next.keys[0], FEED_KEY_LEN);
	t.nkeys = 2;
	begin();
	EXPECT_INT(login_open(&t, msg.data, msg.len, &l), 0);
	EXPECT_INT(sign(2), 0);
	EXPECT_INT(login_open(&t, msg.data, msg.len, &l), 0);
}

TEST("I3.3 every truncation is noticed, and bytes behind the end")
{
	static const uint8_t more[8];
	struct login_statement l;

	begin();
	for (size_t n = 0; n < msg.len; n++)
		EXPECT(opened(msg.data, n, &l) < 0);
	buf_add(&msg, more, 1);
	EXPECT_INT(opened(msg.data, msg.len, &l), -EKEYREJECTED);
	begin();
	/* Also where the key itself has signed them. */
	msg.len -= FEED_SIG_LEN;
	buf_add(&msg, more, 1);
	buf_extend(&msg, FEED_SIG_LEN);
	sign_bytes(LOGIN_CONTEXT, sizeof(LOGIN_CONTEXT));
	EXPECT_INT(opened(msg.data, msg.len, &l), -EBADMSG);
	buf_clear(&msg);
	buf_extend(&msg, LOGIN_MAX + 1);
	memcpy(msg.data, LOGIN_MAGIC, 8);
	EXPECT_INT(opened(msg.data, msg.len, &l), -EBADMSG);
}

TEST("I3.3 another context's signature by the same key is none")
{
	struct login_statement l;

	begin();
	sign_bytes(FEED_CONTEXT, sizeof(FEED_CONTEXT));
	EXPECT_INT(opened(msg.data, msg.len, &l), -EKEYREJECTED);
	sign_bytes("", 0);
	EXPECT_INT(opened(msg.data, msg.len, &l), -EKEYREJECTED);
	sign_bytes(LOGIN_CONTEXT, sizeof(LOGIN_CONTEXT));
	EXPECT_INT(opened(msg.data, msg.len, &l), 0);
}

/* The key signs what the field says after this change. */
static int forged(size_t at, const void *p, size_t n)
{
	struct login_statement l;

	begin();
	memcpy(msg.data + at, p, n);
	sign_bytes(LOGIN_CONTEXT, sizeof(LOGIN_CONTEXT));
	return opened(msg.data, msg.len, &l);
}

TEST("I3.3 a signed statement with a value that none can have is refused")
{
	EXPECT_INT(forged(AT_UID, "\x12\x27\0\0", 4), 0);
	EXPECT_INT(forged(AT_UID, "\0\0\0\0", 4), -EBADMSG);
	EXPECT_INT(forged(AT_ISSUED, "\0\0\0\0\0\0\0\0", 8), -EBADMSG);
	EXPECT_INT(forged(AT_ISSUED, "\1\0\0\0\0\0\0\x80", 8), -EBADMSG);
	EXPECT_INT(forged(AT_NAME, "\5\0Alice", 7), -EBADMSG);
	EXPECT_INT(forged(AT_NAME, "\5\0al\0ce", 7), -EBADMSG);
	EXPECT_INT(forged(AT_NAME, "\xff\xff", 2), -EBADMSG);
	EXPECT_INT(forged(AT_COUNT, "\1\0", 2), -EBADMSG);
	EXPECT_INT(forged(AT_COUNT, "\3\0", 2), -EBADMSG);
	EXPECT_INT(forged(AT_COUNT, "\xff\xff", 2), -EBADMSG);
	EXPECT_INT(forged(AT_SLUG, "\3\0l/b", 5), -EBADMSG);
	EXPECT_INT(forged(AT_SLUG, "\0\0", 2), -EBADMSG);
}

TEST("I3.3 what could not be read is not signed")
{
	begin();
	said.username[0] = '\0';
	EXPECT_INT(sign(1), -EINVAL);
	begin();
	said.projects[1][0] = 'G';
	EXPECT_INT(sign(1), -EINVAL);
	begin();
	said.uid = 0;
	EXPECT_INT(sign(1), -EINVAL);
	begin();
	said.nprojects = LOGIN_PROJECTS_MAX + 1;
	EXPECT_INT(sign(1), -EINVAL);
	begin();
	said.issued_at = 0;
	EXPECT_INT(sign(1), -EINVAL);
	EXPECT_INT(msg.len, 0);
}

TEST_MAIN()
