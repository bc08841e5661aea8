/* SPDX-License-Identifier: MIT */

/* Another master key, another data key; also when that is killed on the way. */
#include <signal.h>
#include <sys/wait.h>
#include "prism-central/audit.h"
#include "vault.h"

static int rotate(const struct secrets *s, int limit)
{
	struct secret_step step = {.organization = INT64_MIN};
	int r, n = 0;

	while (n != limit && (r = secrets_rewrap_next(db, s, &step)) > 0) {
		EXPECT_INT(step.error, 0);
		n++;
	}
	return n;
}

TEST("S3.19 rotation: every data key under the new master key, the old one can be removed")
{
	_cleanup_keys_ struct secrets old = keys("a"), both = keys("b a"), new = keys("b");
	char why[512];
	struct audit_report report = {0};

	fresh();
	EXPECT_INT(secrets_rewrap_next(db, &none, &(struct secret_step){0}), -ENOKEY);
	fill(&old);
	EXPECT_INT(sealed_with("a"), ORGS);
	EXPECT_INT(rotate(&both, -1), ORGS);
	EXPECT_INT(rotate(&both, -1), 0);
	EXPECT_INT(sealed_with("b"), ORGS);
	EXPECT_INT(secrets_check(db, &new, why, sizeof(why)), 0);
	expect_filled(&new);
	EXPECT_INT(audit_verify(db, &report), 0);
	EXPECT_INT(report.bad, 0);
	EXPECT_INT(report.rows, 2 * ORGS);
}

TEST("S3.19 rotation leaves what it cannot open, says so, and goes on")
{
	_cleanup_keys_ struct secrets old = keys("a"), both = keys("b a");
	struct secret_step step = {.organization = INT64_MIN};
	int done = 0, failed = 0, r;

	fresh();
	fill(&old);
	set_wrapped(5, "v1.nonsense");
	while ((r = secrets_rewrap_next(db, &both, &step)) > 0) {
		if (step.error)
			EXPECT_STR(step.slug, "org5");
		done += !step.error;
		failed += step.error == -EKEYREJECTED;
	}
	EXPECT_INT(r, 0);
	EXPECT_INT(done, ORGS - 1);
	EXPECT_INT(failed, 1);
	EXPECT_INT(sealed_with("a"), 1);
}

/* Rotate in a process that is killed after n organizations, or while it works. */
static void rotate_killed(const struct secrets *s, int n, long usec)
{
	char url[160];

	store_close(db);
	db = NULL;
	snprintf(url, sizeof(url), "sqlite:%s", path);
	pid_t pid = fork();
	if (pid == 0) {
		struct secret_step step = {.organization = INT64_MIN};
		if (store_open(url, &db) < 0)
			_exit(3);
		for (int i = 0; i != n && secrets_rewrap_next(db, s, &step) > 0; i++)
			;
		if (n >= 0)
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	if (n < 0) {
		usleep((useconds_t)usec);
		kill(pid, SIGKILL);
	}
	int status = 0;
	EXPECT_INT(waitpid(pid, &status, 0), pid);
	if (n >= 0)
		EXPECT(WIFSIGNALED(status));
	EXPECT_INT(store_open(url, &db), 0);
}

TEST("S3.19 a rotation that was killed between organizations loses nothing and goes on")
{
	_cleanup_keys_ struct secrets old = keys("a"), both = keys("b a"), new = keys("b");

	fresh();
	fill(&old);
	rotate_killed(&both, 4, 0);
	EXPECT_INT(sealed_with("b"), 4);
	EXPECT_INT(sealed_with("a"), ORGS - 4);
	expect_filled(&both);
	EXPECT_INT(rotate(&both, -1), ORGS - 4);
	expect_filled(&new);
}

TEST("S3.19 a rotation that was killed at any moment loses nothing")
{
	_cleanup_keys_ struct secrets ab = keys("b a"), ba = keys("a b");
	int cut = 0;

	fresh();
	fill(&ab);
	for (long i = 0; i < 40; i++) {
		const struct secrets *s = i % 2 ? &ab : &ba;
		rotate_killed(s, -1, 200 + i * 400);
		int moved = sealed_with(s->keys->keys[0].id);
		EXPECT_INT(sealed_with("a") + sealed_with("b"), ORGS);
		cut += moved > 0 && moved < ORGS;
		expect_filled(&ab);
	}
	printf("# %d of 40 were cut between the first and the last organization\n", cut);
	rotate(&ab, -1);
	EXPECT_INT(sealed_with("b"), ORGS);
}

TEST("S3.19 a new data key: every value of every column of that organization is sealed anew")
{
	_cleanup_keys_ struct secrets s = keys("b a"), old = keys("a");
	const char *column = NULL;
	int64_t values = 0;

	fresh();
	fill(&old);
	_cleanup_free_ char *was = text_of(sql_read, 20), *key = text_of(sql_wrapped, 2);
	_cleanup_free_ char *other = text_of(sql_read, 30), *other_key = text_of(sql_wrapped, 3);
	EXPECT_INT(secrets_new_data_key(db, &s, 2, &values, &column), 0);
	EXPECT_INT(values, 4);
	expect_filled(&s);
	_cleanup_free_ char *now = text_of(sql_read, 20), *now_key = text_of(sql_wrapped, 2);
	_cleanup_free_ char *same = text_of(sql_read, 30), *same_key = text_of(sql_wrapped, 3);
	EXPECT(strcmp(was, now) != 0 && strcmp(key, now_key) != 0);
	EXPECT(strcmp(other, same) == 0 && strcmp(other_key, same_key) == 0);
	EXPECT_INT(sealed_with("b"), 1);
	/* What the old data key sealed opens no more. */
	_cleanup_buf_ struct buf got = BUF_INIT(1024);
	EXPECT_INT(open_text(&s, 2, "vault.secret", 20, was, &got), -EBADMSG);
	EXPECT(!text_of(sql_read, 22));
}

static int put_second_tx(struct tx *t, void *arg)
{
	const struct job *j = arg;

	return tx_exec(t, sql_second, "is", j->row, j->text);
}

TEST("S3.19 a new data key is given wholly or not at all")
{
	_cleanup_keys_ struct secrets s = keys("a");
	const char *column = NULL;
	int64_t values = 77;
	char plain[64];

	fresh();
	EXPECT_INT(secrets_new_data_key(db, &s, 2, &values, &column), -ENOENT);
	EXPECT_INT(secrets_new_data_key(db, &none, 2, &values, &column), -ENOKEY);
	fill(&s);
	_cleanup_free_ char *key = text_of(sql_wrapped, 2), *foreign = text_of(sql_read, 30);
	struct job j = {.row = 21, .text = foreign};
	EXPECT_INT(store_tx(db, STORE_WRITE, put_second_tx, &j), 0);
	EXPECT_INT(secrets_new_data_key(db, &s, 2, &values, &column), -EBADMSG);
	EXPECT_STR(column, "vault.second");
	EXPECT_INT(values, 77);
	_cleanup_free_ char *now = text_of(sql_wrapped, 2);
	EXPECT_STR(now, key);
	snprintf(plain, sizeof(plain), PLAIN, 20LL);
	expect_value(&s, 2, "vault.secret", 20, plain);
}

TEST("S3.19 neither values nor data keys nor master keys are in the database's files")
{
	_cleanup_keys_ struct secrets s = keys("b a");
	struct data_key k;
	uint8_t master[32];
	char text[64];
	const char *column = NULL;
	int64_t values = 0;

	fresh();
	fill(&s);
	EXPECT_INT(rotate(&s, -1), 0);
	_cleanup_free_ char *wrapped = text_of(sql_wrapped, 2);
	EXPECT_INT(data_key_open(&s, 2, "b", wrapped, &k), 0);
	EXPECT_INT(secrets_new_data_key(db, &s, 2, &values, &column), 0);
	EXPECT(in_files("organization_keys", 17) && in_files("org7", 4)); /* it looks well */
	EXPECT(in_files("v1.", 3));
	EXPECT(!in_files("the-client-secret", 17));
	EXPECT(!in_files(k.key, sizeof(k.key)));
	for (int i = 0; i < 2; i++) {
		memset(master, "ab"[i], sizeof(master));
		base64_encode(master, sizeof(master), text);
		EXPECT(!in_files(master, sizeof(master)) && !in_files(text, strlen(text)));
	}
}

TEST_MAIN()
