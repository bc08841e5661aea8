/* SPDX-License-Identifier: MIT */
/*
 * Secrets of organizations, for t-secrets.sh: helper_secrets CONFIG COMMAND [ARGUMENT].
 *
 *	fill N		N organizations "orgI", each with a sealed value
 *	check		open all of them
 *
 * The values are in a table of the test's own, as no noun has any yet.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/attr.h"
#include "base/log.h"
#include "base/num.h"
#include "prism-central/secrets.h"

static const struct secret_column columns[] = {
    SECRET_COLUMN("vault", "secret", "id"),
    {NULL},
};
static const char sql_table[] =
    "CREATE TABLE IF NOT EXISTS vault (id BIGINT PRIMARY KEY, organization_id BIGINT, secret TEXT)";
static const char sql_org[] = "INSERT INTO organizations (id, slug, name, state, created_at)"
			      " VALUES ($1, $2, 'x', 'active', 1)";
static const char sql_put[] = "INSERT INTO vault (id, organization_id, secret) VALUES ($1, $1, $2)";
static const char sql_all[] = "SELECT id, secret FROM vault ORDER BY id";

struct job {
	struct secrets secrets;
	int64_t n;
};

static void plain_of(int64_t i, char out[static 64])
{
	snprintf(out, 64, "in-plain-sight-%lld", (long long)i);
}

static int fill_tx(struct tx *t, void *arg)
{
	const struct job *j = arg;
	char slug[32], plain[64];
	int r = tx_exec(t, sql_table, "");

	for (int64_t i = 1; r == 0 && i <= j->n; i++) {
		_cleanup_buf_ struct buf text = BUF_INIT(512);
		snprintf(slug, sizeof(slug), "org%lld", (long long)i);
		plain_of(i, plain);
		r = tx_exec(t, sql_org, "is", i, slug);
		if (r == 0)
			r = secret_seal(
			    &j->secrets, t, i, "vault.secret", i, plain, strlen(plain), &text);
		if (r == 0)
			r = tx_exec(t, sql_put, "is", i, buf_str(&text));
	}
	return r;
}

static int check_tx(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	struct job *j = arg;
	char plain[64];
	int r = tx_query(t, sql_all, "", &rows);

	j->n = 0;
	while (r == 0 && (r = rows_next(rows)) > 0) {
		_cleanup_buf_ struct buf got = BUF_INIT(512);
		int64_t id = row_int(rows, 0);
		plain_of(id, plain);
		r = secret_open(&j->secrets, t, id, "vault.secret", id, row_text(rows, 1), &got);
		if (r == 0 && strcmp(buf_str(&got), plain) != 0)
			r = -EBADMSG;
		j->n++;
	}
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_store_ struct store *db = NULL;
	struct job j = {.n = 0};
	struct config c;
	char why[512] = "";
	uint64_t n = 0;

	if (argc < 3)
		return 2;
	log_init("helper", LOG_LEVEL_ERROR);
	int r = config_load(argv[1], &c, why, sizeof(why));
	if (r == 0)
		r = secrets_open(&c, &j.secrets, why, sizeof(why));
	if (r == 0)
		r = store_open(c.database, &db);
	if (r == 0)
		r = migrate_run(db);
	j.secrets.columns = columns;
	if (r == 0 && strcmp(argv[2], "check") == 0) {
		r = store_tx(db, STORE_READ, check_tx, &j);
	} else if (r == 0 && argc == 4 && num_parse_u64(argv[3], 1u << 20, &n) == 0) {
		j.n = (int64_t)n;
		r = store_tx(db, STORE_WRITE, fill_tx, &j);
	}
	secrets_close(&j.secrets);
	if (r < 0)
		fprintf(stderr, "helper_secrets: %s\n", why[0] ? why : secret_error(r));
	else
		printf("%lld\n", (long long)j.n);
	return r < 0;
}
