/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/attr.h"
#include "base/io.h"
#include "store_sqlite.h"

#define APPLICATION_ID 0x50525331 /* "PRS1" */

static void dbclosep(sqlite3 **db)
{
	sqlite3_close_v2(*db);
}

const char *store_path(const char *url)
{
	static const char scheme[] = "sqlite:";

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 || url[sizeof(scheme) - 1] != '/')
		return NULL;
	return url + sizeof(scheme) - 1;
}

/*
 * Only when it is missing: to open and close a database file behind SQLite's back would drop the
 * locks that this process holds on it.
 */
static int create_private(const char *path)
{
	_cleanup_close_ int fd =
	    open(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : 0;
}

static int pragma_int(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(st, 0);
	int end = sqlite3_finalize(st);
	return rc == SQLITE_ROW ? SQLITE_OK : end != SQLITE_OK ? end : SQLITE_EMPTY;
}

/* Refuse a database of somebody else; mark a new one as ours. */
static int claim(sqlite3 *db, bool may_mark)
{
	int64_t id = 0, schema = 0;
	int rc = pragma_int(db, "PRAGMA application_id", &id);

	if (rc == SQLITE_OK)
		rc = pragma_int(db, "PRAGMA schema_version", &schema);
	if (rc != SQLITE_OK || id == APPLICATION_ID)
		return rc;
	if (id != 0 || schema != 0 || !may_mark)
		return SQLITE_NOTADB;
	char sql[64];
	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d", APPLICATION_ID);
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int configure(sqlite3 *db)
{
	static const char pragmas[] = "PRAGMA journal_mode = WAL;"
				      "PRAGMA synchronous = FULL;"
				      "PRAGMA foreign_keys = ON;"
				      "PRAGMA temp_store = MEMORY;"
				      "PRAGMA cell_size_check = ON;"
				      "PRAGMA journal_size_limit = 67108864;"
				      "PRAGMA cache_size = -8000;";

	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, 200);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	int rc = claim(db, true);
	return rc == SQLITE_OK ? sqlite3_exec(db, pragmas, NULL, NULL, NULL) : rc;
}

int store_open(const char *url, struct store **ret)
{
	const char *path = store_path(url);

	if (strncmp(url, "postgres", 8) == 0)
		return -EPROTONOSUPPORT;
	if (!path)
		return -EINVAL;
	int r = create_private(path);
	if (r < 0 && r != -EEXIST)
		return r;
	_cleanup_(dbclosep) sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = configure(db);
	if (rc != SQLITE_OK)
		return sqlite_failed(db, rc, "open");
	r = sqlite_store_new(db, ret);
	if (r < 0)
		return r;
	db = NULL;
	return 0;
}

static int copy_pages(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
	int rc;

	if (!b)
		return sqlite3_errcode(to);
	for (unsigned attempt = 0; attempt < 200; attempt++) {
		rc = sqlite3_backup_step(b, -1);
		if (rc != SQLITE_BUSY && rc != SQLITE_LOCKED)
			break;
		sqlite_pause(attempt);
	}
	rc = sqlite3_backup_finish(b);
	/* One file, with nothing beside it. */
	return rc == SQLITE_OK ? sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL)
			       : rc;
}

static int copy_database(sqlite3 *from, const char *path)
{
	_cleanup_(dbclosep) sqlite3 *to = NULL;
	int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE, NULL);

	if (rc == SQLITE_OK)
		rc = copy_pages(from, to);
	return rc == SQLITE_OK ? 0 : sqlite_failed(to, rc, "copy");
}

static int sync_file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return io_sync_parent(path);
}

static int copy_to_new_file(sqlite3 *from, const char *path)
{
	int r = create_private(path);

	if (r < 0)
		return r;
	r = copy_database(from, path);
	if (r == 0)
		r = sync_file(path);
	if (r < 0)
		unlink(path);
	return r;
}

int store_backup(struct store *s, const char *path)
{
	return copy_to_new_file(sqlite_store_db(s), path);
}

static int open_readonly(const char *path, sqlite3 **ret)
{
	int rc = sqlite3_open_v2(path, ret, SQLITE_OPEN_READONLY, NULL);

	if (rc == SQLITE_OK)
		rc = claim(*ret, false);
	return rc == SQLITE_NOTADB ? -EMEDIUMTYPE
				   : (rc == SQLITE_OK ? 0 : sqlite_failed(*ret, rc, "open"));
}

int store_copy(const char *from, const char *to)
{
	_cleanup_(dbclosep) sqlite3 *db = NULL;
	int r = open_readonly(from, &db);

	return r < 0 ? r : copy_to_new_file(db, to);
}

int store_check(const char *path)
{
	_cleanup_(dbclosep) sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	int r = open_readonly(path, &db);

	if (r < 0)
		return r;
	int rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	const char *verdict = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
	bool ok = verdict && strcmp(verdict, "ok") == 0;
	sqlite3_finalize(st);
	return ok ? 0 : -EBADMSG;
}
