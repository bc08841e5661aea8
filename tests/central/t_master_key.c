/* SPDX-License-Identifier: MIT */

/* The master keys of the service: their file, and the variable that may stand for it. */
#include <errno.h>
#include <sys/stat.h>
#include "base/attr.h"
#include "base/io.h"
#include "prism-central/secrets.h"
#include "test.h"

#define _cleanup_keys_ _cleanup_(secrets_close)

#define K1 "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="
#define K2 "MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjI="

TEST("S3.19 the file of master keys: the first is the current one")
{
	static const char text[] = "# of the safe\n\n2026-b " K1 "\nold.1   " K2;
	_cleanup_master_keys_ struct master_keys *k = NULL, *v = NULL;
	char why[200] = "";

	EXPECT_INT(
	    master_keys_parse(MASTER_KEYS_LINES, text, strlen(text), &k, why, sizeof(why)), 0);
	EXPECT_INT(k->n, 2);
	EXPECT_STR(k->keys[0].id, "2026-b");
	EXPECT_INT(k->keys[0].key[31], '1');
	EXPECT(master_keys_find(k, "old.1") == &k->keys[1]);
	EXPECT(!master_keys_find(k, "old"));
	EXPECT(!master_keys_find(NULL, "old"));
	EXPECT_INT(master_keys_parse(
		       MASTER_KEYS_VALUE, "n:" K1 ",o:" K2, 4 + 88 + 1, &v, why, sizeof(why)),
	    0);
	EXPECT_INT(v->n, 2);
	EXPECT_STR(v->keys[0].id, "n");
	EXPECT_INT(v->keys[1].key[0], '2');
}

TEST("S3.19 a wrong line is named, and nothing of it repeated")
{
	static const struct {
		enum master_keys_form form;
		const char *text, *says;
	} cases[] = {
	    {MASTER_KEYS_LINES, "", "there is no key in it"},
	    {MASTER_KEYS_LINES, "# nothing\n", "there is no key in it"},
	    {MASTER_KEYS_LINES, K1 "\n", "line 1: it must be ID BASE64"},
	    {MASTER_KEYS_LINES, K1 " new\n", "line 1: it must be ID BASE64"},
	    {MASTER_KEYS_LINES, "a " K1 "\nb " K1 "\n", "line 2: this key is there already"},
	    {MASTER_KEYS_LINES, "a " K1 "\na " K2 "\n", "line 2: this id is there already"},
	    {MASTER_KEYS_LINES, "a " K1 " \n", "line 1: it must be"},
	    {MASTER_KEYS_LINES, "a " K1 "\r\n", "line 1: it must be"},
	    {MASTER_KEYS_LINES, " " K1 "\n", "line 1: it must be"},
	    {MASTER_KEYS_LINES, "-a " K1 "\n", "line 1: it must be"},
	    {MASTER_KEYS_LINES, "a:" K1 "\n", "line 1: it must be"},
	    {MASTER_KEYS_LINES, "a MTEx\n", "line 1: it must be"},
	    {MASTER_KEYS_LINES, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa " K1 "\n", "line 1: it must be"},
	    {MASTER_KEYS_VALUE, "", "there is no key in it"},
	    {MASTER_KEYS_VALUE, "a:" K1 ",,", "key 2: it must be ID:BASE64"},
	    {MASTER_KEYS_VALUE, "a:" K1 " ", "key 1: it must be"},
	    {MASTER_KEYS_VALUE, "a::" K1, "key 1: it must be"},
	    {MASTER_KEYS_VALUE, "a " K1, "key 1: it must be"},
	};
	char why[200];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct master_keys *k = NULL;
		why[0] = '\0';
		EXPECT_INT(master_keys_parse(cases[i].form, cases[i].text, strlen(cases[i].text),
			       &k, why, sizeof(why)),
		    -EINVAL);
		EXPECT(!k);
		EXPECT_HAS(why, cases[i].says);
		EXPECT(!strstr(why, "MTEx"));
	}
}

TEST("S3.19 a new key is a line of that file, another each time")
{
	char one[MASTER_KEY_LINE_MAX], two[MASTER_KEY_LINE_MAX], why[200];
	_cleanup_master_keys_ struct master_keys *k = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT(1024);

	EXPECT_INT(master_key_make(one), 0);
	EXPECT_INT(master_key_make(two), 0);
	buf_addf(&b, "%s\n%s\n", one, two);
	EXPECT_INT(
	    master_keys_parse(MASTER_KEYS_LINES, buf_str(&b), b.len, &k, why, sizeof(why)), 0);
	EXPECT_INT(k->n, 2);
}

static void key_file(struct config *c, const char *text, mode_t mode)
{
	snprintf(c->state_dir, sizeof(c->state_dir), "%s", test_tmpdir());
	snprintf(c->master_keys, sizeof(c->master_keys), "%s/master.keys", test_tmpdir());
	EXPECT_INT(
	    io_replace_file(c->master_keys, text, strlen(text), mode, (uid_t)-1, (gid_t)-1), 0);
}

TEST("S3.19 the file is private, or it is not read")
{
	_cleanup_keys_ struct secrets s = {.keys = NULL};
	struct config c = {.workers = 1};
	char why[512] = "";

	key_file(&c, "a " K1 "\n", 0640);
	EXPECT_INT(secrets_open(&c, &s, why, sizeof(why)), -EPERM);
	EXPECT_HAS(why, "closed to all others");
	EXPECT_INT(chmod(c.master_keys, 0600), 0);
	EXPECT_INT(secrets_open(&c, &s, why, sizeof(why)), 0);
	EXPECT_STR(s.keys->keys[0].id, "a");
	EXPECT(s.columns == secret_columns);
	if (geteuid() == 0) {
		EXPECT_INT(chown(c.master_keys, 65534, 65534), 0);
		EXPECT_INT(secrets_open(&c, &s, why, sizeof(why)), -EPERM);
	}
	EXPECT_INT(unlink(c.master_keys), 0);
	EXPECT_INT(secrets_open(&c, &s, why, sizeof(why)), -ENOENT);
	EXPECT_HAS(why, "master.keys: No such file");
	key_file(&c, "a MTEx\n", 0600);
	EXPECT_INT(secrets_open(&c, &s, why, sizeof(why)), -EINVAL);
	EXPECT_HAS(why, "master.keys: line 1: ");
}

TEST("S3.19 SECRETS_MASTER_KEYS is read once and wiped")
{
	_cleanup_keys_ struct secrets s = {.keys = NULL}, again = {.keys = NULL};
	static char variable[] = "SECRETS_MASTER_KEYS=n:" K1;
	struct config c = {.workers = 1};
	char why[512] = "";

	putenv(variable);
	EXPECT_INT(secrets_open(&c, &s, why, sizeof(why)), 0);
	EXPECT_STR(s.keys->keys[0].id, "n");
	EXPECT_STR(variable, "SECRETS_MASTER_KEYS=");
	EXPECT(!memmem(variable, sizeof(variable), "MTEx", 4));
	EXPECT_INT(secrets_open(&c, &again, why, sizeof(why)), 0);
	EXPECT(!again.keys);
	setenv("SECRETS_MASTER_KEYS", "n:" K1, 1);
	key_file(&c, "a " K1 "\n", 0600);
	EXPECT_INT(secrets_open(&c, &again, why, sizeof(why)), -EINVAL);
	EXPECT_HAS(why, "have one of them");
	EXPECT(!secure_getenv("SECRETS_MASTER_KEYS"));
}

TEST_MAIN()
