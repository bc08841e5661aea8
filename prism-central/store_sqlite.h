/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

/* What the two halves of the SQLite engine share: store_sqlite.c (transactions) and
 * store_sqlite_file.c (opening, copying and checking files). Nobody else includes this. */
#include <sqlite3.h>
#include "store.h"

/* The one place that reports what the engine refused; values are never part of it. Returns the
 * -errno for an SQLite result code. "db" and "sql" may be NULL. */
int sqlite_failed(sqlite3 *db, int rc, const char *sql);
/* Wait for another process: longer with each attempt, never the same. */
void sqlite_pause(unsigned attempt);

/* Make a store of a configured connection, or take it out. */
int sqlite_store_new(sqlite3 *db, struct store **ret);
sqlite3 *sqlite_store_db(struct store *s);

#endif
