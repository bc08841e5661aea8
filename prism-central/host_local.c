/* SPDX-License-Identifier: MIT */
#include "host_local.h"

#include <errno.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/name.h"
#include "host_feed.h"
#include "register.h"

bool host_ids_valid(const json_t *ids)
{
	size_t i;
	const json_t *v;

	if (!ids || json_is_null(ids))
		return true;
	if (!json_is_array(ids) || json_array_size(ids) > HOST_IDS_MAX)
		return false;
	json_array_foreach(ids, i, v)
	{
		if (!json_is_integer(v) || json_integer_value(v) < 0 ||
		    json_integer_value(v) > UINT32_MAX)
			return false;
	}
	return true;
}

static bool ours(const struct config *c, int64_t id)
{
	return (id >= c->uid_first && id <= c->uid_last) ||
	       (id >= c->gid_first && id <= c->gid_last);
}

static const char sql_count[] = "SELECT COUNT(*) FROM burned_ids WHERE host_id = $1";
static const char sql_range[] = "SELECT COUNT(*) FROM burned_ids WHERE number BETWEEN $1 AND $2";
static const char sql_known[] = "SELECT 1 FROM burned_ids WHERE number = $1";
static const char sql_given[] = "SELECT 1 FROM posix_ids WHERE number = $1";

/* What may still be burned. Whoever may enrol one host may enrol a thousand that lie. */
struct quota {
	bool known;
	int64_t host, people, groups;
};

/* The first column of the first row; 0 if there is none. */
static int number_get(
    struct tx *t, const char *sql, const char *types, int64_t a, int64_t b, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql, types, &r, a, b);

	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc < 0)
		return rc;
	*ret = rc ? row_int(r, 0) : 0;
	return 0;
}

static int range_room(struct tx *t, uint32_t first, uint32_t last, int64_t *ret)
{
	int64_t had = 0;
	int r = number_get(t, sql_range, "ii", first, last, &had);

	if (r == 0)
		*ret = ((int64_t)last - first + 1) / HOST_IDS_SHARE - had;
	return r;
}

static int quota_load(struct tx *t, const struct host_ids *h, struct quota *q)
{
	const struct config *c = h->config;
	int64_t had = 0;
	int r = number_get(t, sql_count, "i", h->host, 0, &had);

	q->host = HOST_IDS_BURNED - had;
	if (r == 0)
		r = range_room(t, c->uid_first, c->uid_last, &q->people);
	if (r == 0)
		r = range_room(t, c->gid_first, c->gid_last, &q->groups);
	q->known = r == 0;
	return r;
}

static int id_burn(struct tx *t, struct host_ids *h, uint32_t id, struct quota *q)
{
	int64_t *room =
	    id >= h->config->uid_first && id <= h->config->uid_last ? &q->people : &q->groups;
	int64_t known = 0, given = 0;
	int r = number_get(t, sql_known, "i", id, 0, &known);

	if (r == 0)
		r = number_get(t, sql_given, "i", id, 0, &given);
	if (r < 0)
		return r;
	h->clashes += given != 0;
	if (known || given || q->host <= 0 || *room <= 0)
		return 0;
	r = register_burn(t, id, h->host, h->now);
	if (r < 0)
		return r;
	h->burned++;
	q->host--;
	(*room)--;
	return 0;
}

int host_ids_burn(struct tx *t, struct host_ids *h, const json_t *ids)
{
	struct quota q = {0};

	h->burned = h->clashes = 0;
	for (size_t i = 0; i < json_array_size(ids); i++) {
		int64_t id = json_integer_value(json_array_get(ids, i));
		if (!ours(h->config, id))
			continue;
		int r = q.known ? 0 : quota_load(t, h, &q);
		if (r == 0)
			r = id_burn(t, h, (uint32_t)id, &q);
		if (r < 0)
			return r;
	}
	return 0;
}

static const char sql_top[] =
    "SELECT COALESCE(MAX(number), 0) FROM posix_ids WHERE number BETWEEN $1 AND $2";

static int raise_one(
    struct tx *t, const struct host_ids *h, const json_t *v, uint32_t first, uint32_t last)
{
	int64_t id = json_integer_value(v), top = 0;

	if (!json_is_integer(v) || id < first || id > last)
		return 0;
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_top, "ii", &r, (int64_t)first, (int64_t)last);
	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc < 0)
		return rc;
	top = rc ? row_int(r, 0) : 0;
	if (top < first)
		top = first;
	/* One lying host must not use up the range. */
	if (id - top > (int64_t)100 * FEED_RECOVERY_GAP)
		return 0;
	return register_raise(t, h->config, (uint32_t)id);
}

int host_ids_raise(struct tx *t, const struct host_ids *h, const json_t *highest)
{
	int64_t epoch, started;
	const struct config *c = h->config;

	if (!json_is_object(highest))
		return 0;
	int r = feed_epoch_load(t, &epoch, &started);
	if (r < 0 || started == 0 || h->now - started > FEED_RECOVERY_TIME)
		return r;
	r = raise_one(t, h, json_object_get(highest, "uid"), c->uid_first, c->uid_last);
	if (r < 0)
		return r;
	return raise_one(t, h, json_object_get(highest, "gid"), c->gid_first, c->gid_last);
}
