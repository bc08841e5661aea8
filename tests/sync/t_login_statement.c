/* SPDX-License-Identifier: MIT */

/* The statement that lets somebody in: by whom, of whom, for what and when. */
#include "login_host.h"

enum forgery {
	HONEST,
	WRONG_NONCE,
	NO_NONCE,
	WRONG_CODE,
	WRONG_HOST,
	WRONG_USER,
	WRONG_UID,
	OLD,
	FUTURE,
	WRONG_KEY,
	BAD_SIGNATURE,
	CHANGED,
	CUT,
	LONGER,
	EMPTY,
	A_FEED,
	FORGERIES,
};

static void forge_statement(enum forgery how, const struct sent *s, struct buf *out)
{
	struct login_statement l = right(s);
	struct feed_signer *other = how == WRONG_KEY ? forge_signer(2) : NULL;

	if (how == WRONG_NONCE)
		l.nonce[31] ^= 1;
	if (how == NO_NONCE)
		memset(l.nonce, 0, sizeof(l.nonce));
	if (how == WRONG_CODE)
		login_code_hash("WDJB-MJHS", l.code);
	if (how == WRONG_HOST)
		l.host[0] ^= 1;
	if (how == WRONG_USER)
		snprintf(l.username, sizeof(l.username), "mallory");
	if (how == WRONG_UID)
		l.uid = 10002;
	if (how == OLD)
		l.issued_at = w.now - LOGIN_LIFE - 1;
	if (how == FUTURE)
		l.issued_at = w.now + 61;
	if (login_sign(other ? other : w.signer, &l, out) < 0)
		abort();
	if (how == BAD_SIGNATURE)
		out->data[out->len - 7] ^= 0x10;
	if (how == CHANGED)
		out->data[8 + 16 + 16 + 32 + 8] ^= 1; /* the uid */
	if (how == CUT)
		out->len -= 1;
	if (how == LONGER)
		buf_add_char(out, 0);
	if (how == EMPTY)
		out->len = 0;
	feed_signer_free(other);
}

/* A signed message of the feed: the same key, another context. */
static void forge_feed(struct buf *out)
{
	static struct forge f;

	forge_init(&f, 1, "lab");
	forge_heartbeat(&f, out);
	forge_free(&f);
}

TEST("I3.3 no statement but the right one lets anybody in, and a refused one ends the login")
{
	for (int how = HONEST; how < FORGERIES; how++) {
		_cleanup_buf_ struct buf b = BUF_INIT(LOGIN_MAX);

		open_world();
		const struct sent s = *waiting(60000);

		if (how == A_FEED)
			forge_feed(&b);
		else
			forge_statement(how, &s, &b);
		EXPECT_INT(wait_for(s.handle, 60000), 0);
		done(s.handle, 0, &b);
		EXPECT_INT(w.nanswers, 2);
		if (last()->result != (how == HONEST ? 0 : -EBADMSG))
			test_fail(__FILE__, __LINE__, "forgery %d gives %d", how, last()->result);
		EXPECT_INT(last()->approval.uid, how == HONEST ? 10001 : 0);
		EXPECT(how == HONEST || last()->text[0] != '\0');
		/* and the right one is too late then */
		const struct login_statement l = right(&s);

		approve(s.handle, w.signer, &l);
		EXPECT_INT(w.nanswers, 2);
		EXPECT_INT(wait_for(s.handle, 10), -ENOENT);
	}
}

TEST("I3.5 a clock that is wrong is named, one that is a minute off is borne")
{
	static const struct {
		int64_t ahead;
		int want;
		const char *says;
	} rows[] = {{60, 0, ""}, {-LOGIN_LIFE, 0, ""}, {61, -EBADMSG, "behind"},
	    {-LOGIN_LIFE - 1, -EBADMSG, "ahead"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		open_world();
		const struct sent s = *waiting(60000);
		struct login_statement l = right(&s);

		l.issued_at += rows[i].ahead;
		wait_for(s.handle, 60000);
		approve(s.handle, w.signer, &l);
		EXPECT_INT(last()->result, rows[i].want);
		if (!strstr(last()->text, rows[i].says))
			test_fail(__FILE__, __LINE__, "%s", last()->text);
	}
}

TEST("I3.3 one login's statement is no other's, also of the same person")
{
	open_world();
	const struct sent a = *waiting(60000), b = *waiting(60000);
	const struct login_statement l = right(&a);

	EXPECT(memcmp(a.nonce, b.nonce, sizeof(a.nonce)) != 0 && a.handle != b.handle);
	wait_for(b.handle, 60000);
	approve(b.handle, w.signer, &l);
	EXPECT_INT(last()->result, -EBADMSG);
	wait_for(a.handle, 60000);
	approve(a.handle, w.signer, &l);
	EXPECT_INT(last()->result, 0);
}

TEST("I3.3 the announced key approves from its time on, a retired one never")
{
	struct feed_signer *next = forge_signer(3);

	for (int i = 0; i < 3; i++) {
		open_world();
		memcpy(w.trust.keys[1].key, feed_signer_public(next), FEED_KEY_LEN);
		w.trust.keys[1].role = i < 2 ? TRUST_NEXT : TRUST_RETIRED;
		w.trust.keys[1].not_before = i == 0 ? w.now + 1 : w.now - 1;
		w.trust.nkeys = 2;
		const struct sent s = *waiting(60000);
		const struct login_statement l = right(&s);

		wait_for(s.handle, 60000);
		approve(s.handle, next, &l);
		EXPECT_INT(last()->result, i == 1 ? 0 : -EBADMSG);
	}
	feed_signer_free(next);
}

TEST("I3.3 whoever this host lets in no more when the approval comes stays outside")
{
	open_world();
	const struct sent s = *waiting(60000);
	const struct login_statement l = right(&s);

	wait_for(s.handle, 60000);
	w.gone = true;
	approve(s.handle, w.signer, &l);
	EXPECT_INT(last()->result, -EACCES);
	EXPECT_INT(last()->approval.uid, 0);
}

TEST_MAIN()
