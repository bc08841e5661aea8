/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "store.h"

struct migration {
	int64_t version;
	const char *name, *sql;
};

#include "migrations.inc"

static const char SQL_TABLE[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY,"
    " name TEXT NOT NULL, applied_at BIGINT NOT NULL)";
static const char SQL_LAST[] = "SELECT coalesce(max(version), 0) FROM schema_migrations";
static const char SQL_RECORD[] =
    "INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)";

struct step {
	const struct migration *m;
	int64_t last;
	bool applied;
};

static int read_last(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	struct step *step = arg;
	int r = tx_exec(t, SQL_TABLE, "");

	if (r == 0)
		r = tx_query(t, SQL_LAST, "", &rows);
	if (r < 0)
		return r;
	r = rows_next(rows);
	if (r <= 0)
		return r < 0 ? r : -EIO;
	step->last = row_int(rows, 0);
	return 0;
}

static int apply(struct tx *t, void *arg)
{
	struct step *step = arg;
	int r = read_last(t, step);

	/* Another process may have been faster. */
	step->applied = r == 0 && step->last < step->m->version;
	if (!step->applied)
		return r;
	r = tx_script(t, step->m->sql);
	if (r < 0)
		return r;
	return tx_exec(t, SQL_RECORD, "isi", step->m->version, step->m->name, clock_now());
}

static int64_t newest(void)
{
	int64_t v = 0;

	for (const struct migration *m = migrations; m->name; m++)
		v = m->version > v ? m->version : v;
	return v;
}

int migrate_pending(struct store *s)
{
	struct step step = {0};
	int n = 0;
	int r = store_tx(s, STORE_WRITE, read_last, &step);

	if (r < 0)
		return r;
	if (step.last > newest())
		return -EOVERFLOW;
	for (const struct migration *m = migrations; m->name; m++)
		n += m->version > step.last;
	return n;
}

int migrate_run(struct store *s)
{
	int r = migrate_pending(s);

	if (r < 0)
		return r;
	for (const struct migration *m = migrations; m->name; m++) {
		struct step step = {.m = m};
		r = store_tx(s, STORE_WRITE, apply, &step);
		if (r < 0) {
			log_event(LOG_LEVEL_ERROR, "migrate", "name", "%s", m->name, "reason", "%s",
			    strerror(-r), NULL);
			return r;
		}
		if (step.applied)
			log_event(LOG_LEVEL_INFO, "migrate", "name", "%s", m->name, NULL);
	}
	return 0;
}
