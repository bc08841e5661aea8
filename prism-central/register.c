/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "base/attr.h"
#include "base/name.h"
#include "register.h"

static const char sql_next[] = "SELECT number FROM posix_id_next WHERE range_name = $1";
static const char sql_next_update[] =
    "UPDATE posix_id_next SET number = $2 WHERE range_name = $1 AND number < $2";
static const char sql_next_insert[] =
    "INSERT INTO posix_id_next (range_name, number) VALUES ($1, $2)";
static const char sql_used[] = "SELECT 1 FROM posix_ids WHERE number = $1"
			       " UNION ALL SELECT 1 FROM burned_ids WHERE number = $1";
static const char sql_insert[] =
    "INSERT INTO posix_ids (number, kind, object_id, allocated_at) VALUES ($1, $2, $3, $4)";
static const char sql_burned[] = "SELECT 1 FROM burned_ids WHERE number = $1";
static const char sql_burn[] =
    "INSERT INTO burned_ids (number, host_id, reported_at) VALUES ($1, $2, $3)";

struct range {
	const char *name;
	uint32_t first, last;
};

static const struct {
	const char *name, *range;
} kinds[] = {
    [REGISTER_USER] = {"user", "uid"},
    [REGISTER_PROJECT_RW] = {"project-rw", "gid"},
    [REGISTER_PROJECT_RO] = {"project-ro", "gid"},
};

static struct range range_of(const struct config *cfg, bool people)
{
	if (people)
		return (struct range){"uid", cfg->uid_first, cfg->uid_last};
	return (struct range){"gid", cfg->gid_first + GID_RESERVED, cfg->gid_last};
}

/* 1 if there is a row, 0 if not, -errno. */
static int exists(struct tx *t, const char *sql, int64_t number)
{
	_cleanup_rows_ struct rows *r = NULL;
	int ret = tx_query(t, sql, "i", &r, number);
	return ret < 0 ? ret : rows_next(r);
}

static int next_get(struct tx *t, const char *range, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_next, "s", &r, range);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n < 0)
		return n;
	*ret = n ? row_int(r, 0) : 0;
	return 0;
}

static int next_put(struct tx *t, const char *range, int64_t old, int64_t number)
{
	if (old)
		return tx_exec(t, sql_next_update, "si", range, number);
	return tx_exec(t, sql_next_insert, "si", range, number);
}

int register_allocate(struct tx *t, const struct config *cfg, enum register_kind kind,
    int64_t object, int64_t now, uint32_t *ret)
{
	struct range range = range_of(cfg, kind == REGISTER_USER);
	int64_t old;
	int r = next_get(t, range.name, &old);
	if (r < 0)
		return r;
	int64_t n = old > range.first ? old : range.first;
	for (;; n++) {
		if (n > range.last)
			return -ENOSPC;
		if (!id_allowed((uint32_t)n, range.first, range.last))
			continue;
		r = exists(t, sql_used, n);
		if (r < 0)
			return r;
		if (!r)
			break;
	}
	r = tx_exec(t, sql_insert, "isii", n, kinds[kind].name, object, now);
	if (!r)
		r = next_put(t, range.name, old, n + 1);
	if (r < 0)
		return r;
	*ret = (uint32_t)n;
	return 0;
}

int register_burn(struct tx *t, uint32_t number, int64_t host, int64_t now)
{
	int r = exists(t, sql_burned, number);
	if (r)
		return r < 0 ? r : 0;
	return tx_exec(t, sql_burn, "iIi", (int64_t)number, host, now);
}

int register_raise(struct tx *t, const struct config *cfg, uint32_t number)
{
	for (int people = 0; people < 2; people++) {
		struct range range = range_of(cfg, people);
		int64_t old;
		if (number < range.first || number > range.last)
			continue;
		int r = next_get(t, range.name, &old);
		if (!r && old <= number)
			r = next_put(t, range.name, old, (int64_t)number + 1);
		if (r < 0)
			return r;
	}
	return 0;
}
