/* SPDX-License-Identifier: MIT */

/* Sealed values: what opens them, and what opens nothing. */
#include "vault.h"

TEST("S3.19 what is sealed opens again, whatever its length and bytes")
{
	_cleanup_keys_ struct secrets s = keys("a");
	static const size_t sizes[] = {0, 1, 15, 16, 17, 4096, SEALED_MAX};
	_cleanup_free_ uint8_t *p = malloc(SEALED_MAX + 1);

	fresh();
	for (size_t i = 0; i <= SEALED_MAX; i++)
		p[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_buf_ struct buf text = BUF_INIT(2 * SEALED_MAX);
		_cleanup_buf_ struct buf got = BUF_INIT(SEALED_MAX);
		EXPECT_INT(seal(&s, 1, "vault.secret", 10, p, sizes[i], &text), 0);
		EXPECT(strncmp(buf_str(&text), "v1.", 3) == 0);
		EXPECT_INT(open_text(&s, 1, "vault.secret", 10, buf_str(&text), &got), 0);
		EXPECT_INT(got.len, sizes[i]);
		EXPECT(sizes[i] == 0 || memcmp(got.data, p, sizes[i]) == 0);
	}
	EXPECT_INT(seal(&s, 1, "vault.secret", 10, p, SEALED_MAX + 1, NULL), -EMSGSIZE);
}

TEST("S3.19 the same value twice gives two different texts")
{
	_cleanup_keys_ struct secrets s = keys("a");
	_cleanup_buf_ struct buf one = BUF_INIT(1024), two = BUF_INIT(1024);

	fresh();
	EXPECT_INT(seal(&s, 1, "vault.secret", 10, "hello", 5, &one), 0);
	EXPECT_INT(seal(&s, 1, "vault.secret", 10, "hello", 5, &two), 0);
	EXPECT(strcmp(buf_str(&one), buf_str(&two)) != 0);
}

TEST("S3.19 a value opens only for its organization, its column and its row")
{
	_cleanup_keys_ struct secrets s = keys("a");
	_cleanup_buf_ struct buf text = BUF_INIT(1024), got = BUF_INIT(1024);

	fresh();
	EXPECT_INT(seal(&s, 1, "vault.secret", 10, "hello", 5, &text), 0);
	EXPECT_INT(seal(&s, 2, "vault.secret", 20, "other", 5, NULL), 0);
	EXPECT_INT(open_text(&s, 2, "vault.secret", 10, buf_str(&text), &got), -EBADMSG);
	EXPECT_INT(open_text(&s, 1, "vault.second", 10, buf_str(&text), &got), -EBADMSG);
	EXPECT_INT(open_text(&s, 1, "vault.secret", 11, buf_str(&text), &got), -EBADMSG);
	EXPECT_INT(open_text(&s, 3, "vault.secret", 10, buf_str(&text), &got), -ENOENT);
	EXPECT_INT(got.len, 0);
	EXPECT_INT(open_text(&s, 1, "vault.secret", 10, buf_str(&text), &got), 0);
	EXPECT_STR(buf_str(&got), "hello");
}

TEST("S3.19 a column that is not registered is refused, sealing and opening")
{
	_cleanup_keys_ struct secrets s = keys("a");
	_cleanup_buf_ struct buf got = BUF_INIT(1024);

	fresh();
	EXPECT_INT(seal(&s, 1, "vault.third", 10, "hello", 5, NULL), -EINVAL);
	EXPECT_INT(open_text(&s, 1, "vault.third", 10, "v1.", &got), -EINVAL);
	EXPECT_INT(sealed_with("a"), 0);
}

TEST("S3.19 data keys that were exchanged between organizations open nothing")
{
	_cleanup_keys_ struct secrets s = keys("a");
	_cleanup_buf_ struct buf one = BUF_INIT(1024), two = BUF_INIT(1024), got = BUF_INIT(1024);

	fresh();
	EXPECT_INT(seal(&s, 1, "vault.secret", 10, "hello", 5, &one), 0);
	EXPECT_INT(seal(&s, 2, "vault.secret", 20, "other", 5, &two), 0);
	_cleanup_free_ char *w1 = text_of(sql_wrapped, 1), *w2 = text_of(sql_wrapped, 2);
	EXPECT(w1 && w2 && strcmp(w1, w2) != 0);
	set_wrapped(1, w2);
	set_wrapped(2, w1);
	EXPECT_INT(open_text(&s, 1, "vault.secret", 10, buf_str(&one), &got), -EKEYREJECTED);
	EXPECT_INT(open_text(&s, 2, "vault.secret", 20, buf_str(&one), &got), -EKEYREJECTED);
	EXPECT_INT(open_text(&s, 1, "vault.secret", 10, buf_str(&two), &got), -EKEYREJECTED);
	/* Nor is a new one made over it. */
	EXPECT_INT(seal(&s, 1, "vault.secret", 10, "hello", 5, NULL), -EKEYREJECTED);
	EXPECT_INT(got.len, 0);
}

/* Each bit of the text, which changes a letter, its case, or makes it none of base64. */
static void expect_flips(const struct secrets *s, char *text, int want, int64_t org)
{
	_cleanup_buf_ struct buf got = BUF_INIT(1024);

	for (size_t i = 0; text[i]; i++)
		for (int bit = 0; bit < 8; bit++) {
			char was = text[i];
			text[i] = (char)(was ^ (1 << bit));
			if (org)
				set_wrapped(org, text);
			int r = open_text(s, 1, "vault.secret", 10,
			    org ? "v1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==" : text, &got);
			EXPECT_INT(r, want);
			EXPECT_INT(got.len, 0);
			text[i] = was;
		}
}

TEST("S3.19 a bit that was flipped anywhere in a value is noticed")
{
	_cleanup_keys_ struct secrets s = keys("a");
	_cleanup_buf_ struct buf text = BUF_INIT(1024);

	fresh();
	EXPECT_INT(seal(&s, 1, "vault.secret", 10, "hello world", 11, &text), 0);
	expect_flips(&s, (char *)text.data, -EBADMSG, 0);
}

TEST("S3.19 and anywhere in a data key")
{
	_cleanup_keys_ struct secrets s = keys("a");

	fresh();
	EXPECT_INT(seal(&s, 1, "vault.secret", 10, "hello", 5, NULL), 0);
	_cleanup_free_ char *wrapped = text_of(sql_wrapped, 1);
	expect_flips(&s, wrapped, -EKEYREJECTED, 1);
}

TEST("S3.19 a value that was cut or lengthened is noticed")
{
	_cleanup_keys_ struct secrets s = keys("a");
	_cleanup_buf_ struct buf text = BUF_INIT(1024), got = BUF_INIT(1024);

	fresh();
	EXPECT_INT(seal(&s, 1, "vault.secret", 10, "hello world", 11, &text), 0);
	for (size_t n = text.len; n-- > 0;) {
		_cleanup_free_ char *cut = strndup(buf_str(&text), n);
		EXPECT_INT(open_text(&s, 1, "vault.secret", 10, cut, &got), -EBADMSG);
	}
	buf_add_str(&text, "AAAA");
	EXPECT_INT(open_text(&s, 1, "vault.secret", 10, buf_str(&text), &got), -EBADMSG);
	EXPECT_INT(open_text(&s, 1, "vault.secret", 10, "hello world", &got), -EBADMSG);
	EXPECT_INT(got.len, 0);
}

TEST("S3.19 without a master key nothing is stored, and nothing opened")
{
	_cleanup_keys_ struct secrets s = keys("a"), other = keys("b");
	_cleanup_buf_ struct buf text = BUF_INIT(1024), got = BUF_INIT(1024);

	fresh();
	EXPECT_INT(seal(&none, 1, "vault.secret", 10, "hello", 5, &text), -ENOKEY);
	EXPECT_INT(text.len, 0);
	EXPECT(!text_of(sql_read, 10));
	EXPECT_HAS(secret_error(-ENOKEY), "master key");
	EXPECT_INT(seal(&s, 1, "vault.secret", 10, "hello", 5, &text), 0);
	EXPECT_INT(open_text(&none, 1, "vault.secret", 10, buf_str(&text), &got), -ENOKEY);
	EXPECT_INT(open_text(&other, 1, "vault.secret", 10, buf_str(&text), &got), -ENOKEY);
	EXPECT_INT(seal(&other, 1, "vault.secret", 11, "hello", 5, NULL), -ENOKEY);
	EXPECT_INT(got.len, 0);
}

TEST("S3.19 the service starts with all master keys that something is sealed with, or not")
{
	_cleanup_keys_ struct secrets a = keys("a"), b = keys("b"), both = keys("b a");
	_cleanup_keys_ struct secrets liar = keys("x");
	char why[512] = "";

	fresh();
	EXPECT_INT(secrets_check(db, &none, why, sizeof(why)), 0);
	EXPECT_INT(secrets_check(db, &a, why, sizeof(why)), 0);
	EXPECT_INT(seal(&a, 3, "vault.secret", 30, "hello", 5, NULL), 0);
	EXPECT_INT(secrets_check(db, &a, why, sizeof(why)), 0);
	EXPECT_INT(secrets_check(db, &both, why, sizeof(why)), 0);
	EXPECT_INT(secrets_check(db, &none, why, sizeof(why)), -ENOKEY);
	EXPECT_HAS(why, "the master key a is missing");
	EXPECT_HAS(why, "1 organizations, among them org3");
	EXPECT_INT(secrets_check(db, &b, why, sizeof(why)), -ENOKEY);
	snprintf(liar.keys->keys[0].id, sizeof(liar.keys->keys[0].id), "a");
	EXPECT_INT(secrets_check(db, &liar, why, sizeof(why)), -EKEYREJECTED);
	EXPECT_HAS(why, "another one");
	/* One damaged row of many keeps nobody else out. */
	EXPECT_INT(seal(&a, 4, "vault.secret", 40, "hello", 5, NULL), 0);
	set_wrapped(4, "v1.nonsense");
	EXPECT_INT(secrets_check(db, &a, why, sizeof(why)), 0);
	struct secret_census c;
	EXPECT_INT(secrets_census(db, &a, &c), 0);
	EXPECT_INT(c.uses[0].sealed, 2);
	EXPECT_INT(c.uses[0].broken, 1);
	EXPECT_STR(c.uses[0].organization, "org4");
}

TEST_MAIN()
