/* SPDX-License-Identifier: MIT */
#ifndef STORE_H
#define STORE_H

/*
 * The database. The only thing that the rest of prism-central knows of it; store_sqlite.c is the
 * only file that includes sqlite3.h.
 *
 * SQL is written once, with $1, $2, ..., in the portable subset (no LISTEN/NOTIFY, triggers,
 * advisory locks; ids made by us), next to the noun that uses it, as static const char []. A
 * connection keeps each statement prepared under the address of its text, so pass the array itself,
 * never text built at run time.
 *
 * Every worker thread owns one connection (struct store). All work happens in a transaction.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct tx;
struct rows;

enum store_mode { STORE_READ, STORE_WRITE };

/* Open the database named by the configuration ("sqlite:/path"). 0 or -errno. */
int store_open(const char *url, struct store **ret);
void store_close(struct store *s);

/*
 * Run fn in one transaction: commit when it returns 0, roll back otherwise, and run it again after
 * a serialization failure or a busy database (so fn has no effect outside the transaction and
 * starts from scratch each time). Returns what fn returned, or -EIO, -EBUSY after many tries.
 */
int store_tx(struct store *s, enum store_mode mode, int (*fn)(struct tx *, void *), void *arg);

/*
 * Statements. "types" has one letter for each $n, in order:
 *	i int64_t	I int64_t, 0 is NULL	s const char *, NULL is NULL
 *	b const void *, size_t			n nothing: NULL
 */
/* Run a statement without rows. 0; -EEXIST for a violated UNIQUE or PRIMARY KEY; -EIO. */
int tx_exec(struct tx *t, const char *sql, const char *types, ...);
/* Rows changed by the last tx_exec. */
int64_t tx_changes(const struct tx *t);
/* Start a query. On success *ret is released with rows_end() before the transaction ends. */
int tx_query(struct tx *t, const char *sql, const char *types, struct rows **ret, ...);
/* Step: 1 a row, 0 no more, -errno. */
int rows_next(struct rows *r);
void rows_end(struct rows *r);
static inline void rows_endp(struct rows **r)
{
	if (*r)
		rows_end(*r);
}
#define _cleanup_rows_ __attribute__((__cleanup__(rows_endp)))

/* Columns, from 0. Text and blobs live until the next step; NULL text is NULL. */
int64_t row_int(struct rows *r, int col);
const char *row_text(struct rows *r, int col);
const void *row_blob(struct rows *r, int col, size_t *ret_len);
bool row_null(struct rows *r, int col);

/* A fresh id: positive, 63 bits, time in the high bits so that rows stay in order of creation. */
int64_t store_new_id(void);

/* Bring the schema up to date from the embedded migrations. 0 or -errno. */
int migrate_run(struct store *s);
/* Copy the whole database, consistently, while it is in use. 0 or -errno. */
int store_backup(struct store *s, const char *path);

#endif
