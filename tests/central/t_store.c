/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/attr.h"
#include "test.h"
#include "prism-central/store.h"

static const char SQL_MAKE[] = "CREATE TABLE IF NOT EXISTS things (id BIGINT PRIMARY KEY,"
			       " name TEXT UNIQUE, data BLOB, n BIGINT)";
static const char SQL_PUT[] = "INSERT INTO things (id, name, data, n) VALUES ($1, $2, $3, $4)";
static const char SQL_COUNT[] = "SELECT count(*), coalesce(sum(n), 0) FROM things";
static const char SQL_GET[] = "SELECT name, data, n FROM things WHERE id = $1";
static const char SQL_ALL[] = "SELECT id FROM things ORDER BY id";
static const char SQL_QUOTED[] = "SELECT '$1', $1, $2 -- $3\n";
static const char SQL_BUMP[] = "UPDATE things SET n = n + 1 WHERE id = $1";

static const char *fresh_url(void)
{
	static char url[128];
	static int n;

	snprintf(url, sizeof(url), "sqlite:%s/s%d.db", test_tmpdir(), n++);
	return url;
}

static int make_table(struct tx *t, void *arg)
{
	return tx_exec(t, SQL_MAKE, "");
}

static struct store *fresh(void)
{
	struct store *s = NULL;

	EXPECT_INT(store_open(fresh_url(), &s), 0);
	EXPECT_INT(store_tx(s, STORE_WRITE, make_table, NULL), 0);
	return s;
}

static int put_one(struct tx *t, void *arg)
{
	int64_t *id = arg;
	char name[32];

	snprintf(name, sizeof(name), "thing %lld", (long long)*id);
	return tx_exec(t, SQL_PUT, "isbi", *id, name, "\0\1\2", (size_t)3, (int64_t)0);
}

static int64_t count(struct store *s, int64_t *ret_sum);

static int count_fn(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	int64_t *out = arg;
	int r = tx_query(t, SQL_COUNT, "", &rows);

	if (r < 0)
		return r;
	r = rows_next(rows);
	out[0] = row_int(rows, 0);
	out[1] = row_int(rows, 1);
	return r == 1 ? 0 : -EIO;
}

static int64_t count(struct store *s, int64_t *ret_sum)
{
	int64_t out[2] = {-1, -1};

	EXPECT_INT(store_tx(s, STORE_READ, count_fn, out), 0);
	if (ret_sum)
		*ret_sum = out[1];
	return out[0];
}

TEST("D2 the database file is private, and of Prism alone")
{
	struct store *s = NULL;
	const char *url = fresh_url();
	struct stat st;

	EXPECT_INT(store_open(url, &s), 0);
	EXPECT_INT(stat(store_path(url), &st), 0);
	EXPECT_INT(st.st_mode & 0777, 0600);
	store_close(s);
	EXPECT_INT(store_check(store_path(url)), 0);
	EXPECT_INT(store_open("postgresql://x/y", &s), -EPROTONOSUPPORT);
	EXPECT_INT(store_open("sqlite:relative.db", &s), -EINVAL);

	char foreign[128];
	snprintf(foreign, sizeof(foreign), "sqlite:%s/foreign.db", test_tmpdir());
	FILE *f = fopen(store_path(foreign), "w");
	fprintf(f, "This is no database, but it is long enough to look like a file of one.\n");
	for (int i = 0; i < 100; i++)
		fprintf(f, "0123456789");
	fclose(f);
	EXPECT_INT(store_open(foreign, &s), -EMEDIUMTYPE);
	EXPECT_INT(store_check(store_path(foreign)), -EMEDIUMTYPE);
}

static int bind_wrong(struct tx *t, void *arg)
{
	return tx_exec(t, SQL_PUT, arg, (int64_t)1, "a", "b", (size_t)1, (int64_t)2);
}

TEST("D2 a statement with too few, too many or unknown values is refused")
{
	_cleanup_store_ struct store *s = fresh();

	EXPECT_INT(store_tx(s, STORE_WRITE, bind_wrong, (char[]){"isb"}), -EINVAL);
	EXPECT_INT(store_tx(s, STORE_WRITE, bind_wrong, (char[]){"isbin"}), -EINVAL);
	EXPECT_INT(store_tx(s, STORE_WRITE, bind_wrong, (char[]){"isbx"}), -EINVAL);
	EXPECT_INT(store_tx(s, STORE_WRITE, bind_wrong, (char[]){"isbi"}), 0);
	EXPECT_INT(count(s, NULL), 1);
}

static int get_thing(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	size_t n = 0;
	int r = tx_query(t, SQL_GET, "i", &rows, (int64_t)7);

	if (r < 0 || rows_next(rows) != 1)
		return -ENOENT;
	const char *data = row_blob(rows, 1, &n);
	bool same = n == 3 && memcmp(data, "\0\1\2", 3) == 0 &&
		    strcmp(row_text(rows, 0), "thing 7") == 0 && !row_null(rows, 2);
	return same && rows_next(rows) == 0 ? 0 : -EBADMSG;
}

static int get_quoted(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	int r = tx_query(t, SQL_QUOTED, "sI", &rows, "x", (int64_t)0);

	if (r < 0 || rows_next(rows) != 1)
		return -EIO;
	return strcmp(row_text(rows, 0), "$1") == 0 && strcmp(row_text(rows, 1), "x") == 0 &&
		       row_null(rows, 2)
		   ? 0
		   : -EBADMSG;
}

TEST("D2 values come back as they went in; $1 in quotes is text")
{
	_cleanup_store_ struct store *s = fresh();
	int64_t id = 7;

	EXPECT_INT(store_tx(s, STORE_WRITE, put_one, &id), 0);
	EXPECT_INT(store_tx(s, STORE_READ, get_thing, NULL), 0);
	EXPECT_INT(store_tx(s, STORE_READ, get_quoted, NULL), 0);
}

static int put_twice(struct tx *t, void *arg)
{
	int64_t id = 100;
	int *after = arg;
	int r = put_one(t, &id);

	if (r == 0)
		r = put_one(t, &id);
	if (r != -EEXIST)
		return -EBADMSG;
	id = 101;
	*after = put_one(t, &id);
	return 0;
}

static int put_and_give_up(struct tx *t, void *arg)
{
	int64_t id = 100;
	return put_one(t, &id) ? -EIO : -ECANCELED;
}

TEST("D2 a failed statement ends its transaction, and nothing of it stays")
{
	_cleanup_store_ struct store *s = fresh();
	int after = 0;

	EXPECT_INT(store_tx(s, STORE_WRITE, put_twice, &after), -EEXIST);
	EXPECT_INT(after, -EIO);
	EXPECT_INT(store_tx(s, STORE_WRITE, put_and_give_up, NULL), -ECANCELED);
	EXPECT_INT(count(s, NULL), 0);
}

static struct store *nested_store;

static int nest(struct tx *t, void *arg)
{
	return store_tx(nested_store, STORE_READ, count_fn, arg);
}

TEST("D2 a reading transaction cannot write, and none nests")
{
	_cleanup_store_ struct store *s = fresh();
	int64_t id = 1, out[2];

	EXPECT_INT(store_tx(s, STORE_READ, put_one, &id), -EROFS);
	nested_store = s;
	EXPECT_INT(store_tx(s, STORE_READ, nest, out), -EDEADLK);
	EXPECT_INT(count(s, NULL), 0);
}

static int put_many(struct tx *t, void *arg)
{
	int r = 0;

	for (int64_t i = 1; r == 0 && i <= 5; i++)
		r = put_one(t, &i);
	return r;
}

/* The same statement, open twice at a time, and one that is left open. */
static int walk_twice(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *outer = NULL;
	int64_t *pairs = arg;
	int r = tx_query(t, SQL_ALL, "", &outer);

	while (r >= 0 && (r = rows_next(outer)) > 0) {
		_cleanup_rows_ struct rows *inner = NULL;
		r = tx_query(t, SQL_ALL, "", &inner);
		while (r >= 0 && (r = rows_next(inner)) > 0)
			++*pairs;
	}
	return r;
}

static int leave_open(struct tx *t, void *arg)
{
	struct rows *rows = NULL;
	int r = tx_query(t, SQL_ALL, "", &rows);

	return r < 0 ? r : rows_next(rows) == 1 ? -ECANCELED : -EIO;
}

TEST("D2 one query may run inside another of the same text")
{
	_cleanup_store_ struct store *s = fresh();
	int64_t pairs = 0;

	EXPECT_INT(store_tx(s, STORE_WRITE, put_many, NULL), 0);
	EXPECT_INT(store_tx(s, STORE_READ, walk_twice, &pairs), 0);
	EXPECT_INT(pairs, 25);
	EXPECT_INT(store_tx(s, STORE_READ, leave_open, NULL), -ECANCELED);
	EXPECT_INT(store_tx(s, STORE_READ, walk_twice, &pairs), 0);
}

static char reused_text[64];

static int reused(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	int64_t *out = arg;
	int r = tx_query(t, reused_text, "", &rows);

	if (r == 0 && rows_next(rows) == 1)
		*out = row_int(rows, 0);
	return r;
}

TEST("D2 an address that is used for another text gets a statement of its own")
{
	_cleanup_store_ struct store *s = fresh();

	for (int i = 0; i < 2; i++) {
		int64_t out = 0;
		snprintf(reused_text, sizeof(reused_text), "SELECT %d, 0", i + 10);
		EXPECT_INT(store_tx(s, STORE_READ, reused, &out), 0);
		EXPECT_INT(out, i + 10);
	}
}

struct hammer {
	char url[128];
	_Atomic int failed;
};

static int bump(struct tx *t, void *arg)
{
	return tx_exec(t, SQL_BUMP, "i", (int64_t)1);
}

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	_cleanup_store_ struct store *s = NULL;

	if (store_open(h->url, &s) < 0) {
		h->failed = 1;
		return NULL;
	}
	for (int i = 0; i < 100; i++)
		h->failed |= store_tx(s, STORE_WRITE, bump, NULL) != 0;
	return NULL;
}

TEST("D2 writers of several threads and processes wait for each other and lose nothing")
{
	struct hammer h = {.failed = 0};
	pthread_t th[3];
	int64_t id = 1, sum = 0;

	snprintf(h.url, sizeof(h.url), "%s", fresh_url());
	_cleanup_store_ struct store *s = NULL;
	EXPECT_INT(store_open(h.url, &s), 0);
	EXPECT_INT(store_tx(s, STORE_WRITE, make_table, NULL), 0);
	EXPECT_INT(store_tx(s, STORE_WRITE, put_one, &id), 0);
	pid_t pid = fork();
	if (pid == 0) {
		hammer(&h);
		_exit(h.failed);
	}
	for (int i = 0; i < 3; i++)
		EXPECT_INT(pthread_create(&th[i], NULL, hammer, &h), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(th[i], NULL);
	int status = 1;
	EXPECT_INT(waitpid(pid, &status, 0), pid);
	EXPECT_INT(status, 0);
	EXPECT_INT(h.failed, 0);
	EXPECT_INT(count(s, &sum), 1);
	EXPECT_INT(sum, 400);
}

static void write_until_killed(const char *url, int fd)
{
	struct store *s = NULL;

	if (store_open(url, &s) < 0)
		_exit(1);
	for (int64_t id = 1000;; id++) {
		if (store_tx(s, STORE_WRITE, put_one, &id) < 0)
			_exit(2);
		if (write(fd, &id, sizeof(id)) != sizeof(id))
			_exit(3);
	}
}

static int64_t last_told(int fd, int64_t last)
{
	int64_t id = 0;

	while (read(fd, &id, sizeof(id)) == sizeof(id))
		last = id;
	return last;
}

static int64_t wanted;

static int has_wanted(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	int r = tx_query(t, SQL_GET, "i", &rows, wanted);

	return r < 0 ? r : rows_next(rows) == 1 ? 0 : -ENOENT;
}

static int wipe(struct tx *t, void *arg)
{
	static const char sql[] = "DELETE FROM things";
	return tx_exec(t, sql, "");
}

TEST("D2 kill -9 while writing loses no acknowledged transaction and harms no page")
{
	char url[128];

	snprintf(url, sizeof(url), "%s", fresh_url());
	for (int round = 0; round < 5; round++) {
		struct store *s = NULL;
		int fds[2];
		EXPECT_INT(store_open(url, &s), 0);
		EXPECT_INT(store_tx(s, STORE_WRITE, make_table, NULL), 0);
		store_close(s);
		EXPECT_INT(pipe(fds), 0);
		pid_t pid = fork();
		if (pid == 0)
			write_until_killed(url, fds[1]);
		close(fds[1]);
		EXPECT_INT(read(fds[0], &wanted, sizeof(wanted)), sizeof(wanted));
		usleep(17000 * (unsigned)round);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		wanted = last_told(fds[0], wanted);
		close(fds[0]);
		EXPECT_INT(store_check(store_path(url)), 0);
		_cleanup_store_ struct store *again = NULL;
		EXPECT_INT(store_open(url, &again), 0);
		EXPECT(wanted >= 1000);
		EXPECT_INT(store_tx(again, STORE_READ, has_wanted, NULL), 0);
		EXPECT_INT(store_tx(again, STORE_WRITE, wipe, NULL), 0);
	}
}

TEST("D2 a backup is whole, private, and never replaces a file")
{
	_cleanup_store_ struct store *s = fresh();
	char path[128], url[160];
	struct stat st;

	EXPECT_INT(store_tx(s, STORE_WRITE, put_many, NULL), 0);
	snprintf(path, sizeof(path), "%s/backup.db", test_tmpdir());
	EXPECT_INT(store_backup(s, path), 0);
	EXPECT_INT(store_backup(s, path), -EEXIST);
	EXPECT_INT(stat(path, &st), 0);
	EXPECT_INT(st.st_mode & 0777, 0600);
	EXPECT_INT(store_check(path), 0);
	snprintf(url, sizeof(url), "sqlite:%s", path);
	_cleanup_store_ struct store *copy = NULL;
	EXPECT_INT(store_open(url, &copy), 0);
	EXPECT_INT(count(copy, NULL), 5);
}

TEST("D2 a damaged backup is noticed")
{
	_cleanup_store_ struct store *s = fresh();
	char path[128];

	for (int64_t id = 1; id < 400; id++)
		EXPECT_INT(store_tx(s, STORE_WRITE, put_one, &id), 0);
	snprintf(path, sizeof(path), "%s/damaged.db", test_tmpdir());
	EXPECT_INT(store_backup(s, path), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	EXPECT(fd >= 0);
	for (off_t at = 2 * 4096; at < 4 * 4096; at += 64)
		EXPECT_INT(pwrite(fd, "garbage!", 8, at), 8);
	close(fd);
	EXPECT_INT(store_check(path), -EBADMSG);
}

TEST("D2 ids are positive, unique and in the order of creation")
{
	int64_t last = 0;

	for (int i = 0; i < 10000; i++) {
		int64_t id = store_new_id();
		EXPECT(id > last);
		last = id;
	}
}

static int from_the_future(struct tx *t, void *arg)
{
	static const char sql[] = "INSERT INTO schema_migrations VALUES (999999, 'later', 0)";
	return tx_exec(t, sql, "");
}

TEST("D2 migrations run once and bring the schema up to date")
{
	_cleanup_store_ struct store *s = NULL;

	EXPECT_INT(store_open(fresh_url(), &s), 0);
	EXPECT(migrate_pending(s) > 0);
	EXPECT_INT(migrate_run(s), 0);
	EXPECT_INT(migrate_pending(s), 0);
	EXPECT_INT(migrate_run(s), 0);
	EXPECT_INT(store_tx(s, STORE_WRITE, from_the_future, NULL), 0);
	EXPECT_INT(migrate_run(s), -EOVERFLOW);
}

TEST_MAIN()
