/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "store_sqlite.h"

#define STATEMENT_SLOTS 1024 /* a power of two, well above the number of statements */
#define PATIENCE_MS	10000
#define SQL_SHOWN	120

struct statement;

struct rows {
	struct tx *tx;
	sqlite3_stmt *st;
	struct statement *owner; /* NULL: prepared for this query alone */
	bool used;
};

struct statement {
	const char *key;
	char *text; /* to notice that an address was given to another text */
	struct rows rows;
};

struct store {
	sqlite3 *db;
	struct statement slots[STATEMENT_SLOTS];
	bool in_tx;
};

struct tx {
	struct store *store;
	enum store_mode mode;
	int64_t changes;
	int error; /* the first */
};

/*
 * Writers of this process queue here rather than poll for the file's lock. Other processes are
 * waited for by trying again.
 */
static pthread_mutex_t writer_lock = PTHREAD_MUTEX_INITIALIZER;

static const char SQL_BEGIN_READ[] = "BEGIN";
static const char SQL_BEGIN_WRITE[] = "BEGIN IMMEDIATE";
static const char SQL_COMMIT[] = "COMMIT";
static const char SQL_ROLLBACK[] = "ROLLBACK";

static int errno_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_NOTADB:
		return -EMEDIUMTYPE;
	case SQLITE_CORRUPT:
		return -EBADMSG;
	default:
		break;
	}
	if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
	    rc == SQLITE_CONSTRAINT_ROWID)
		return -EEXIST;
	return -EIO;
}

int sqlite_failed(sqlite3 *db, int rc, const char *sql)
{
	int r = errno_of(rc);

	if (r == -EBUSY || r == -EEXIST)
		return r;
	char shown[SQL_SHOWN + 1] = "";
	if (sql)
		snprintf(shown, sizeof(shown), "%s", sql);
	log_event(LOG_LEVEL_ERROR, "database", "code", "%d", rc, "reason", "%s",
	    db ? sqlite3_errmsg(db) : sqlite3_errstr(rc), "sql", "%s", shown, NULL);
	return r;
}

static int tx_failed(struct tx *t, int rc, const char *sql)
{
	int r = sqlite_failed(t->store->db, rc, sql);

	if (!t->error)
		t->error = r;
	return r;
}

static int tx_refused(struct tx *t, int error, const char *sql)
{
	log_event(
	    LOG_LEVEL_ERROR, "database", "reason", "%s", strerror(-error), "sql", "%s", sql, NULL);
	if (!t->error)
		t->error = error;
	return error;
}

/* ---- statements ------------------------------------------------------------------------------ */

/* "$1" is SQLite's "?1"; text in quotes and comments stays. */
static char *translate(const char *sql)
{
	char *out = strdup(sql);
	char quote = 0;
	bool comment = false;

	for (char *p = out; p && *p; p++) {
		if (comment)
			comment = *p != '\n';
		else if (quote)
			quote = *p == quote ? 0 : quote;
		else if (*p == '\'' || *p == '"')
			quote = *p;
		else if (p[0] == '-' && p[1] == '-')
			comment = true;
		else if (p[0] == '$' && p[1] >= '1' && p[1] <= '9')
			*p = '?';
	}
	return out;
}

static int statement_prepare(struct store *s, const char *sql, unsigned flags, sqlite3_stmt **ret)
{
	_cleanup_free_ char *text = translate(sql);
	sqlite3_stmt *st = NULL;

	if (!text)
		return SQLITE_NOMEM;
	int rc = sqlite3_prepare_v3(s->db, text, -1, flags, &st, NULL);
	if (rc == SQLITE_OK && !st)
		rc = SQLITE_MISUSE;
	if (rc == SQLITE_OK)
		*ret = st;
	return rc;
}

static void statement_clear(struct statement *e)
{
	sqlite3_finalize(e->rows.st);
	free(e->text);
	*e = (struct statement){0};
}

/* The slot of this text's address; NULL when all are taken. */
static struct statement *statement_slot(struct store *s, const char *sql)
{
	size_t h = (size_t)(((uintptr_t)sql * 0x9e3779b97f4a7c15u) >> 40);

	for (size_t i = 0; i < STATEMENT_SLOTS; i++) {
		struct statement *e = &s->slots[(h + i) % STATEMENT_SLOTS];
		if (!e->key || e->key == sql)
			return e;
	}
	return NULL;
}

static int rows_prepare_alone(struct store *s, const char *sql, struct rows **ret)
{
	_cleanup_free_ struct rows *r = calloc(1, sizeof(*r));

	if (!r)
		return SQLITE_NOMEM;
	int rc = statement_prepare(s, sql, 0, &r->st);
	if (rc == SQLITE_OK)
		*ret = TAKE_PTR(r);
	return rc;
}

static int rows_prepare(struct store *s, const char *sql, struct rows **ret)
{
	struct statement *e = statement_slot(s, sql);

	if (e && e->key && !e->rows.used && strcmp(e->text, sql) != 0)
		statement_clear(e);
	if (!e || e->rows.used)
		return rows_prepare_alone(s, sql, ret);
	if (!e->key) {
		_cleanup_free_ char *text = strdup(sql);
		if (!text)
			return SQLITE_NOMEM;
		int rc = statement_prepare(s, sql, SQLITE_PREPARE_PERSISTENT, &e->rows.st);
		if (rc != SQLITE_OK)
			return rc;
		e->text = TAKE_PTR(text);
		e->key = sql;
		e->rows.owner = e;
	}
	e->rows.used = true;
	*ret = &e->rows;
	return SQLITE_OK;
}

void rows_end(struct rows *r)
{
	if (!r || !r->st)
		return;
	sqlite3_reset(r->st);
	sqlite3_clear_bindings(r->st);
	r->tx = NULL;
	if (r->owner) {
		r->used = false;
		return;
	}
	sqlite3_finalize(r->st);
	free(r);
}

static int run_plain(struct store *s, const char *sql)
{
	struct rows *r = NULL;
	int rc = rows_prepare(s, sql, &r);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(r->st);
		rows_end(r);
	}
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* ---- inside a transaction -------------------------------------------------------------------- */

static int bind_one(sqlite3_stmt *st, int i, char type, va_list *ap)
{
	switch (type) {
	case 'i':
		return sqlite3_bind_int64(st, i, va_arg(*ap, int64_t));
	case 'I': {
		int64_t v = va_arg(*ap, int64_t);
		return v ? sqlite3_bind_int64(st, i, v) : sqlite3_bind_null(st, i);
	}
	case 's': {
		const char *v = va_arg(*ap, const char *);
		return sqlite3_bind_text(st, i, v, -1, SQLITE_TRANSIENT);
	}
	case 'b': {
		const void *v = va_arg(*ap, const void *);
		size_t n = va_arg(*ap, size_t);
		return sqlite3_bind_blob64(st, i, v, n, SQLITE_TRANSIENT);
	}
	case 'n':
		return sqlite3_bind_null(st, i);
	default:
		return SQLITE_MISUSE;
	}
}

static int tx_start(
    struct tx *t, const char *sql, const char *types, va_list *ap, struct rows **ret)
{
	struct rows *r = NULL;

	if (t->error)
		return -EIO;
	int rc = rows_prepare(t->store, sql, &r);
	if (rc != SQLITE_OK)
		return tx_failed(t, rc, sql);
	int e = 0;
	if ((size_t)sqlite3_bind_parameter_count(r->st) != strlen(types))
		e = tx_refused(t, -EINVAL, sql);
	else if (t->mode == STORE_READ && !sqlite3_stmt_readonly(r->st))
		e = tx_refused(t, -EROFS, sql);
	for (int i = 0; !e && types[i]; i++) {
		rc = bind_one(r->st, i + 1, types[i], ap);
		if (rc == SQLITE_MISUSE)
			e = tx_refused(t, -EINVAL, sql);
		else if (rc != SQLITE_OK)
			e = tx_failed(t, rc, sql);
	}
	if (e) {
		rows_end(r);
		return e;
	}
	r->tx = t;
	*ret = r;
	return 0;
}

int tx_exec(struct tx *t, const char *sql, const char *types, ...)
{
	struct rows *rows = NULL;
	va_list ap;
	va_start(ap, types);
	int r = tx_start(t, sql, types, &ap, &rows);
	va_end(ap);

	if (r < 0)
		return r;
	do
		r = rows_next(rows);
	while (r > 0);
	if (r == 0)
		t->changes = sqlite3_changes64(t->store->db);
	rows_end(rows);
	return r;
}

int64_t tx_changes(const struct tx *t)
{
	return t->changes;
}

int tx_query(struct tx *t, const char *sql, const char *types, struct rows **ret, ...)
{
	va_list ap;
	va_start(ap, ret);
	int r = tx_start(t, sql, types, &ap, ret);
	va_end(ap);
	return r;
}

int tx_script(struct tx *t, const char *sql)
{
	if (t->error)
		return -EIO;
	if (t->mode != STORE_WRITE)
		return tx_refused(t, -EROFS, sql);
	int rc = sqlite3_exec(t->store->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : tx_failed(t, rc, sql);
}

int rows_next(struct rows *r)
{
	if (!r->tx || r->tx->error)
		return -EIO;
	int rc = sqlite3_step(r->st);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return tx_failed(r->tx, rc, sqlite3_sql(r->st));
}

int64_t row_int(struct rows *r, int col)
{
	return sqlite3_column_int64(r->st, col);
}

const char *row_text(struct rows *r, int col)
{
	return (const char *)sqlite3_column_text(r->st, col);
}

const void *row_blob(struct rows *r, int col, size_t *ret_len)
{
	const void *p = sqlite3_column_blob(r->st, col);
	*ret_len = (size_t)sqlite3_column_bytes(r->st, col);
	return p;
}

bool row_null(struct rows *r, int col)
{
	return sqlite3_column_type(r->st, col) == SQLITE_NULL;
}

int rows_ids(struct rows *r, struct buf *out)
{
	int rc;

	while ((rc = rows_next(r)) > 0) {
		int64_t id = row_int(r, 0);
		buf_add(out, &id, sizeof(id));
	}
	return rc < 0 ? rc : buf_error(out);
}

/* ---- transactions ---------------------------------------------------------------------------- */

/* A query that fn forgot would keep its snapshot of the database alive. */
static void rows_end_all(struct store *s)
{
	for (size_t i = 0; i < STATEMENT_SLOTS; i++)
		if (s->slots[i].rows.used)
			rows_end(&s->slots[i].rows);
}

static void tx_rollback(struct store *s)
{
	rows_end_all(s);
	if (sqlite3_get_autocommit(s->db))
		return;
	int rc = run_plain(s, SQL_ROLLBACK);
	if (rc != SQLITE_OK)
		sqlite_failed(s->db, rc, SQL_ROLLBACK);
}

/* One try. *ret_again: nothing is wrong but the lock. */
static int tx_once(struct store *s, enum store_mode mode, int (*fn)(struct tx *, void *), void *arg,
    bool *ret_again)
{
	const char *begin = mode == STORE_WRITE ? SQL_BEGIN_WRITE : SQL_BEGIN_READ;
	struct tx t = {.store = s, .mode = mode};

	*ret_again = false;
	int rc = run_plain(s, begin);
	if (rc != SQLITE_OK) {
		*ret_again = errno_of(rc) == -EBUSY;
		return sqlite_failed(s->db, rc, begin);
	}
	int r = fn(&t, arg);
	if (r == 0)
		r = t.error;
	if (r == 0) {
		rc = run_plain(s, SQL_COMMIT);
		if (rc != SQLITE_OK)
			r = tx_failed(&t, rc, SQL_COMMIT);
	}
	if (r != 0) {
		*ret_again = t.error == -EBUSY;
		tx_rollback(s);
	}
	return r;
}

void sqlite_pause(unsigned attempt)
{
	uint16_t noise = 0;

	if (secret_random(&noise, sizeof(noise)) < 0)
		noise = 1;
	unsigned limit = attempt < 6 ? 1u << attempt : 64;
	struct timespec ts = {.tv_nsec = (1 + noise % limit) * 1000000L};
	nanosleep(&ts, NULL);
}

static int writer_enter(void)
{
	struct timespec until;

	/* Not clocklock, which ThreadSanitizer of GCC 12 does not know. */
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	return pthread_mutex_timedlock(&writer_lock, &until) ? -EBUSY : 0;
}

int store_tx(struct store *s, enum store_mode mode, int (*fn)(struct tx *, void *), void *arg)
{
	int64_t until = clock_mono_ms() + PATIENCE_MS;
	bool again = false;
	int r;

	if (s->in_tx)
		return -EDEADLK;
	if (mode == STORE_WRITE && writer_enter() < 0)
		return -EBUSY;
	s->in_tx = true;
	for (unsigned attempt = 0;; attempt++) {
		r = tx_once(s, mode, fn, arg, &again);
		if (!again)
			break;
		if (clock_mono_ms() >= until) {
			r = -EBUSY;
			break;
		}
		sqlite_pause(attempt);
	}
	s->in_tx = false;
	if (mode == STORE_WRITE)
		pthread_mutex_unlock(&writer_lock);
	return r;
}

int64_t store_new_id(void)
{
	static _Atomic int64_t last;
	struct timespec ts;
	uint32_t noise = 0;

	if (secret_random(&noise, sizeof(noise)) < 0)
		noise = 0;
	clock_gettime(CLOCK_REALTIME, &ts);
	/* 41 bits of milliseconds since 2020, which last until 2089, and 22 that keep ids apart. */
	int64_t ms = (ts.tv_sec - 1577836800) * 1000 + ts.tv_nsec / 1000000;
	int64_t id = (ms << 22) | (noise & 0x3fffff);
	int64_t before = atomic_load(&last), next;
	do
		next = id > before ? id : before + 1;
	while (!atomic_compare_exchange_weak(&last, &before, next));
	return next;
}

/* ---- life ------------------------------------------------------------------------------------ */

int sqlite_store_new(sqlite3 *db, struct store **ret)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->db = db;
	*ret = s;
	return 0;
}

sqlite3 *sqlite_store_db(struct store *s)
{
	return s->db;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < STATEMENT_SLOTS; i++)
		statement_clear(&s->slots[i]);
	sqlite3_close_v2(s->db);
	free(s);
}
