/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/attr.h"
#include "base/encode.h"
#include "base/io.h"
#include "base/log.h"
#include "base/wire.h"
#include "prism-central/audit.h"
#include "prism-central/secrets.h"
#include "prism-central/store.h"
#include "test.h"

#define ORGS  12
#define PLAIN "the-client-secret-of-%lld-in-plain"

/* Two columns of one table, as a noun that stores secrets has them. */
static const struct secret_column columns[] = {
    SECRET_COLUMN("vault", "secret", "id"),
    SECRET_COLUMN("vault", "second", "id"),
    {NULL},
};

static const char sql_table[] =
    "CREATE TABLE IF NOT EXISTS vault (id BIGINT PRIMARY KEY, organization_id BIGINT NOT NULL,"
    " secret TEXT, second TEXT)";
static const char sql_org[] = "INSERT INTO organizations (id, slug, name, state, created_at)"
			      " VALUES ($1, $2, 'x', 'active', 1)";
static const char sql_vault[] = "INSERT INTO vault (id, organization_id) VALUES ($1, $2)";
static const char sql_secret[] = "UPDATE vault SET secret = $2 WHERE id = $1";
static const char sql_second[] = "UPDATE vault SET second = $2 WHERE id = $1";
static const char sql_read[] = "SELECT secret FROM vault WHERE id = $1";
static const char sql_read_second[] = "SELECT second FROM vault WHERE id = $1";
static const char sql_wrapped[] =
    "SELECT wrapped, key_id FROM organization_keys WHERE organization_id = $1";
static const char sql_set_wrapped[] =
    "UPDATE organization_keys SET wrapped = $2 WHERE organization_id = $1";
static const char sql_count[] = "SELECT count(*) FROM organization_keys WHERE key_id = $1";

static struct store *db;
static char path[128];
static struct secrets none = {.columns = columns};

/* ---- keys ------------------------------------------------------------------------------------ */

/* Master keys of these ids, the first letter giving the bytes: "new old". */
static struct secrets keys(const char *ids)
{
	struct secrets s = {.columns = columns};
	_cleanup_buf_ struct buf b = BUF_INIT(4096);
	char why[200] = "", id[40], text[64];
	int n = 0;

	for (; sscanf(ids, "%39s%n", id, &n) == 1; ids += n) {
		uint8_t raw[32];
		memset(raw, id[0], sizeof(raw));
		base64_encode(raw, sizeof(raw), text);
		buf_addf(&b, "%s %s\n", id, text);
	}
	if (master_keys_parse(MASTER_KEYS_LINES, buf_str(&b), b.len, &s.keys, why, sizeof(why)) < 0)
		test_fail(__FILE__, __LINE__, "keys: %s", why);
	return s;
}

static void close_keys(struct secrets *s)
{
	secrets_close(s);
}
#define _cleanup_keys_ _cleanup_(close_keys)

/* ---- a database ------------------------------------------------------------------------------ */

static int make(struct tx *t, void *arg)
{
	char slug[32];
	int r = tx_exec(t, sql_table, "");

	for (int64_t i = 1; r == 0 && i <= ORGS; i++) {
		snprintf(slug, sizeof(slug), "org%lld", (long long)i);
		r = tx_exec(t, sql_org, "is", i, slug);
		for (int64_t row = 10 * i; r == 0 && row < 10 * i + 3; row++)
			r = tx_exec(t, sql_vault, "ii", row, i);
	}
	return r;
}

static void fresh(void)
{
	static int n;
	char url[160];

	store_close(db);
	db = NULL;
	log_init("test", LOG_LEVEL_ERROR);
	snprintf(path, sizeof(path), "%s/v%d.db", test_tmpdir(), n++);
	snprintf(url, sizeof(url), "sqlite:%s", path);
	EXPECT_INT(store_open(url, &db), 0);
	EXPECT_INT(migrate_run(db), 0);
	EXPECT_INT(store_tx(db, STORE_WRITE, make, NULL), 0);
}

struct job {
	const struct secrets *s;
	int64_t org, row;
	const char *column, *text;
	const void *p;
	size_t n;
	struct buf *out;
	const char *sql;
	char *got;
};

static int seal_tx(struct tx *t, void *arg)
{
	struct job *j = arg;
	_cleanup_buf_ struct buf b = BUF_INIT(2 * SEALED_MAX);
	int r = secret_seal(j->s, t, j->org, j->column, j->row, j->p, j->n, &b);

	if (r == 0 && j->out)
		buf_add(j->out, b.data, b.len);
	return r < 0 ? r
		     : tx_exec(t, strcmp(j->column, "vault.second") == 0 ? sql_second : sql_secret,
			   "is", j->row, buf_str(&b));
}

static int seal(const struct secrets *s, int64_t org, const char *column, int64_t row,
    const void *p, size_t n, struct buf *out)
{
	struct job j = {
	    .s = s, .org = org, .column = column, .row = row, .p = p, .n = n, .out = out};
	return store_tx(db, STORE_WRITE, seal_tx, &j);
}

static int open_tx(struct tx *t, void *arg)
{
	struct job *j = arg;

	return secret_open(j->s, t, j->org, j->column, j->row, j->text, j->out);
}

static int open_text(const struct secrets *s, int64_t org, const char *column, int64_t row,
    const char *text, struct buf *out)
{
	struct job j = {.s = s, .org = org, .column = column, .row = row, .text = text, .out = out};
	return store_tx(db, STORE_READ, open_tx, &j);
}

static int text_tx(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	struct job *j = arg;
	int r = tx_query(t, j->sql, "i", &rows, j->row);

	if (r == 0 && (r = rows_next(rows)) > 0) {
		const char *text = row_text(rows, 0);
		j->got = text ? strdup(text) : NULL;
	}
	return r < 0 ? r : 0;
}

/* The first column of a query by id; the caller frees. */
static char *text_of(const char *sql, int64_t id)
{
	struct job j = {.sql = sql, .row = id};

	EXPECT_INT(store_tx(db, STORE_READ, text_tx, &j), 0);
	return j.got;
}

static int count_tx(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	struct job *j = arg;
	int r = tx_query(t, sql_count, "s", &rows, j->text);

	if (r == 0 && (r = rows_next(rows)) > 0)
		j->n = (size_t)row_int(rows, 0);
	return r < 0 ? r : 0;
}

static int sealed_with(const char *id)
{
	struct job j = {.text = id};

	EXPECT_INT(store_tx(db, STORE_READ, count_tx, &j), 0);
	return (int)j.n;
}

static int swap_tx(struct tx *t, void *arg)
{
	struct job *j = arg;

	return tx_exec(t, sql_set_wrapped, "is", j->org, j->text);
}

static void set_wrapped(int64_t org, const char *text)
{
	struct job j = {.org = org, .text = text};

	EXPECT_INT(store_tx(db, STORE_WRITE, swap_tx, &j), 0);
}

/* A value in each organization's rows, and whether it is there. */
static void fill(const struct secrets *s)
{
	char plain[64];

	for (int64_t i = 1; i <= ORGS; i++)
		for (int64_t row = 10 * i; row < 10 * i + 2; row++) {
			int n = snprintf(plain, sizeof(plain), PLAIN, (long long)row);
			EXPECT_INT(seal(s, i, "vault.secret", row, plain, (size_t)n, NULL), 0);
			EXPECT_INT(seal(s, i, "vault.second", row, "2nd", 3, NULL), 0);
		}
}

static void expect_value(
    const struct secrets *s, int64_t org, const char *column, int64_t row, const char *want)
{
	const char *sql = strcmp(column, "vault.second") == 0 ? sql_read_second : sql_read;
	_cleanup_free_ char *text = text_of(sql, row);
	_cleanup_buf_ struct buf b = BUF_INIT(SEALED_MAX);

	EXPECT(text);
	EXPECT_INT(open_text(s, org, column, row, text, &b), 0);
	EXPECT_STR(buf_str(&b), want);
}

static void expect_filled(const struct secrets *s)
{
	char plain[64];

	for (int64_t i = 1; i <= ORGS; i++)
		for (int64_t row = 10 * i; row < 10 * i + 2; row++) {
			snprintf(plain, sizeof(plain), PLAIN, (long long)row);
			expect_value(s, i, "vault.secret", row, plain);
			expect_value(s, i, "vault.second", row, "2nd");
		}
}

/* Whether the bytes are anywhere in the database's files. */
static bool in_files(const void *p, size_t n)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(64u << 20);
		char name[160];
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		if (io_read_file(name, &b) == 0)
			found |= memmem(b.data, b.len, p, n) != NULL;
	}
	return found;
}

/* ---- values ---------------------------------------------------------------------------------- */

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

/* ---- rotation -------------------------------------------------------------------------------- */

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

/* ---- master keys ----------------------------------------------------------------------------- */

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

int main(int argc, char **argv)
{
	int r = test_run(argc, argv);

	store_close(db);
	return r;
}
