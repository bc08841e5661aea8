/* SPDX-License-Identifier: MIT */
#ifndef CENTRAL_VAULT_H
#define CENTRAL_VAULT_H

/*
 * A database of organizations that have secrets: fresh() makes one, keys() the master keys, and
 * what is in it is sealed, opened, exchanged and looked for by the functions below.
 */
#include <errno.h>
#include "base/attr.h"
#include "base/encode.h"
#include "base/io.h"
#include "base/log.h"
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
static inline struct secrets keys(const char *ids)
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

#define _cleanup_keys_ _cleanup_(secrets_close)

/* ---- a database ------------------------------------------------------------------------------ */

static inline int make(struct tx *t, void *arg)
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

static inline void fresh(void)
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

__attribute__((destructor)) static void fresh_no_more(void)
{
	store_close(db);
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

static inline int seal_tx(struct tx *t, void *arg)
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

static inline int seal(const struct secrets *s, int64_t org, const char *column, int64_t row,
    const void *p, size_t n, struct buf *out)
{
	struct job j = {
	    .s = s, .org = org, .column = column, .row = row, .p = p, .n = n, .out = out};
	return store_tx(db, STORE_WRITE, seal_tx, &j);
}

static inline int open_tx(struct tx *t, void *arg)
{
	struct job *j = arg;

	return secret_open(j->s, t, j->org, j->column, j->row, j->text, j->out);
}

static inline int open_text(const struct secrets *s, int64_t org, const char *column, int64_t row,
    const char *text, struct buf *out)
{
	struct job j = {.s = s, .org = org, .column = column, .row = row, .text = text, .out = out};
	return store_tx(db, STORE_READ, open_tx, &j);
}

static inline int text_tx(struct tx *t, void *arg)
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
static inline char *text_of(const char *sql, int64_t id)
{
	struct job j = {.sql = sql, .row = id};

	EXPECT_INT(store_tx(db, STORE_READ, text_tx, &j), 0);
	return j.got;
}

static inline int count_tx(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	struct job *j = arg;
	int r = tx_query(t, sql_count, "s", &rows, j->text);

	if (r == 0 && (r = rows_next(rows)) > 0)
		j->n = (size_t)row_int(rows, 0);
	return r < 0 ? r : 0;
}

static inline int sealed_with(const char *id)
{
	struct job j = {.text = id};

	EXPECT_INT(store_tx(db, STORE_READ, count_tx, &j), 0);
	return (int)j.n;
}

static inline int swap_tx(struct tx *t, void *arg)
{
	struct job *j = arg;

	return tx_exec(t, sql_set_wrapped, "is", j->org, j->text);
}

static inline void set_wrapped(int64_t org, const char *text)
{
	struct job j = {.org = org, .text = text};

	EXPECT_INT(store_tx(db, STORE_WRITE, swap_tx, &j), 0);
}

/* A value in each organization's rows, and whether it is there. */
static inline void fill(const struct secrets *s)
{
	char plain[64];

	for (int64_t i = 1; i <= ORGS; i++)
		for (int64_t row = 10 * i; row < 10 * i + 2; row++) {
			int n = snprintf(plain, sizeof(plain), PLAIN, (long long)row);
			EXPECT_INT(seal(s, i, "vault.secret", row, plain, (size_t)n, NULL), 0);
			EXPECT_INT(seal(s, i, "vault.second", row, "2nd", 3, NULL), 0);
		}
}

static inline void expect_value(
    const struct secrets *s, int64_t org, const char *column, int64_t row, const char *want)
{
	const char *sql = strcmp(column, "vault.second") == 0 ? sql_read_second : sql_read;
	_cleanup_free_ char *text = text_of(sql, row);
	_cleanup_buf_ struct buf b = BUF_INIT(SEALED_MAX);

	EXPECT(text);
	EXPECT_INT(open_text(s, org, column, row, text, &b), 0);
	EXPECT_STR(buf_str(&b), want);
}

static inline void expect_filled(const struct secrets *s)
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
static inline bool in_files(const void *p, size_t n)
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

#endif
