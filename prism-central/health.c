/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "health.h"

static const char SQL_ANY[] = "SELECT count(*) FROM schema_migrations";

static int ask(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	int r = tx_query(t, SQL_ANY, "", &rows);

	if (r == 0)
		r = rows_next(rows);
	return r == 0 ? -EIO : r < 0 ? r : 0;
}

void health_show(struct request *rq, struct reply *rp)
{
	if (store_tx(rq->db, STORE_READ, ask, NULL) < 0)
		reply_json(rp, 503, json_pack("{s:s}", "status", "database"));
	else
		reply_json(rp, 200, json_pack("{s:s}", "status", "ok"));
}
