/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "sso_internal.h"

static const char sql_renewable[] =
    "SELECT 1 FROM sso_connections WHERE organization_id = $1 AND id <> $2 AND enabled = 1";
static const char sql_asking[] =
    "SELECT slug FROM projects WHERE organization_id = $1 AND sso_max_age > 0"
    " AND state <> 'archived' ORDER BY slug";

#define NAMES_SHOWN 2
#define NAMES_MAX   (NAMES_SHOWN * (SLUG_MAX + 2) + 32)

/* 1: there is an enabled connection beside "but". */
static int renewable(struct tx *t, int64_t org, int64_t but)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_renewable, "ii", &r, org, but);

	return n < 0 ? n : rows_next(r);
}

int sso_renewable(struct tx *t, struct act *a, int64_t org)
{
	int r = renewable(t, org, 0);

	if (r < 0)
		return r;
	return r > 0 ? 0
		     : act_fail(a, API_CONFLICT,
			   "The organization has no enabled login connection, so nobody could "
			   "renew a login: prism sso add");
}

/* "lab, strict and 3 more"; how many. */
static int asking(struct tx *t, int64_t org, struct buf *names)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_asking, "i", &r, org), count = 0;

	if (n < 0)
		return n;
	while ((n = rows_next(r)) > 0) {
		if (count++ < NAMES_SHOWN)
			buf_addf(names, "%s%s", count > 1 ? ", " : "", row_text(r, 0));
	}
	if (count > NAMES_SHOWN)
		buf_addf(names, " and %d more", count - NAMES_SHOWN);
	if (n == 0)
		n = buf_error(names);
	return n < 0 ? n : count;
}

int sso_last_way(struct tx *t, struct act *a, const struct sso_connection *c)
{
	_cleanup_buf_ struct buf names = BUF_INIT(NAMES_MAX);
	int r = renewable(t, c->org, c->id);

	if (r)
		return r < 0 ? r : 0;
	r = asking(t, c->org, &names);
	if (r <= 0)
		return r;
	return act_fail(a, API_CONFLICT,
	    "Nobody could renew a login for %s: prism project edit PROJECT --sso-max-age none, or "
	    "--force (force: true).",
	    buf_str(&names));
}
