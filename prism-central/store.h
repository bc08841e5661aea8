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

struct buf;
struct store;
struct tx;
struct rows;

enum store_mode { STORE_READ, STORE_WRITE };

/*
 * Open the database named by the configuration ("sqlite:/path"), creating the file with mode 0600.
 * 0 or -errno: -EPROTONOSUPPORT for an engine that this build does not have, -EINVAL for an address
 * that is none, -EMEDIUMTYPE for a file that is not a database of Prism.
 */
int store_open(const char *url, struct store **ret);
void store_close(struct store *s);
static inline void store_closep(struct store **s)
{
	store_close(*s);
}
#define _cleanup_store_ __attribute__((__cleanup__(store_closep)))
/* The file behind "sqlite:/path", or NULL. */
const char *store_path(const char *url);

/*
 * Run fn in one transaction: commit when it returns 0, roll back otherwise, and run it again after
 * a serialization failure or a busy database (so fn has no effect outside the transaction and
 * starts from scratch each time). Returns what fn returned, or -EIO, -EBUSY after many tries.
 *
 * A statement that fails, also with -EEXIST, ends the transaction: later statements answer -EIO and
 * nothing is committed, even when fn returns 0 (then the first error is returned). That is how
 * every engine can do it; to insert where a row may exist, write ON CONFLICT DO NOTHING and look at
 * tx_changes(). Transactions do not nest: -EDEADLK. A STORE_READ transaction cannot write: -EROFS.
 */
int store_tx(struct store *s, enum store_mode mode, int (*fn)(struct tx *, void *), void *arg);

/*
 * Statements. "types" has one letter for each $n, in order:
 *	i int64_t	I int64_t, 0 is NULL	s const char *, NULL is NULL
 *	b const void *, size_t			n nothing: NULL
 * A count that differs from the statement's own is -EINVAL. Pass int64_t and size_t, cast if need
 * be: these are variable arguments.
 */
/* Run a statement; its rows are dropped. 0; -EEXIST for a violated UNIQUE or PRIMARY KEY; -EIO. */
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

/*
 * The ids, int64_t, in the first column of all rows that are left: to be collected before what the
 * query reads is written. 0 or -errno.
 */
int rows_ids(struct rows *r, struct buf *out);

/* A fresh id: positive, 63 bits, time in the high bits so that rows stay in order of creation. */
int64_t store_new_id(void);

/* Several statements without values and rows, separated by semicolons: for migrations. */
int tx_script(struct tx *t, const char *sql);

/*
 * migrate.c: bring the schema up to date from the embedded migrations, each in a transaction of its
 * own that also records it. 0 or -errno; -EOVERFLOW for a database of a later version of Prism.
 */
int migrate_run(struct store *s);
/* The number of migrations that are not applied yet; or -errno. */
int migrate_pending(struct store *s);

/*
 * Copy the whole database, consistently, while it is in use, into a new file of mode 0600.
 * 0 or -errno; -EEXIST when there is a file of that name.
 */
int store_backup(struct store *s, const char *path);
/* The same for a database file that no service uses. */
int store_copy(const char *from, const char *to);
/* Read the whole database and check it. 0, -EMEDIUMTYPE (not one of Prism's), -EBADMSG, -errno. */
int store_check(const char *path);

#endif
