/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/clock.h"
#include "base/secret.h"
#include "domain.h"
#include "secrets.h"

static const char sql_all[] =
    "SELECT k.organization_id, o.slug, k.key_id, k.wrapped FROM organization_keys k"
    " JOIN organizations o ON o.id = k.organization_id ORDER BY k.organization_id";
static const char sql_next[] =
    "SELECT k.organization_id, o.slug, k.key_id, k.wrapped FROM organization_keys k"
    " JOIN organizations o ON o.id = k.organization_id"
    " WHERE k.organization_id > $1 AND k.key_id <> $2 ORDER BY k.organization_id LIMIT 1";
static const char sql_rewrap[] = "UPDATE organization_keys SET key_id = $2, wrapped = $3,"
				 " wrapped_at = $4 WHERE organization_id = $1";
static const char sql_replace[] = "UPDATE organization_keys SET key_id = $2, wrapped = $3,"
				  " wrapped_at = $4, created_at = $4 WHERE organization_id = $1";
static const char sql_slug[] = "SELECT slug FROM organizations WHERE id = $1";

/* ---- what is sealed with what ---------------------------------------------------------------- */

struct count {
	const struct secrets *s;
	struct secret_census *to;
};

static struct secret_use *use_of(struct secret_census *c, const char *id)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->uses[i].id, id) == 0)
			return &c->uses[i];
	if (c->n == SECRET_USES_MAX)
		return NULL;
	struct secret_use *u = &c->uses[c->n++];
	snprintf(u->id, sizeof(u->id), "%s", id);
	return u;
}

static int census_add(const struct count *c, struct rows *rows)
{
	_cleanup_data_key_ struct data_key k = {.id = ""};
	char id[MASTER_KEY_ID_MAX + 1];
	const char *wrapped = row_text(rows, 3);

	row_copy(rows, 2, id, sizeof(id));
	struct secret_use *u = use_of(c->to, id);
	if (!u)
		return -EOVERFLOW;
	int r = data_key_open(c->s, row_int(rows, 0), id, wrapped ? wrapped : "", &k);
	if (r == -ENOMEM)
		return r;
	bool broken = r < 0 && u->present;
	if (u->sealed == 0 || (broken && u->broken == 0))
		row_copy(rows, 1, u->organization, sizeof(u->organization));
	u->sealed++;
	u->broken += broken;
	return 0;
}

static int census_tx(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	const struct count *c = arg;
	int r = tx_query(t, sql_all, "", &rows);

	memset(c->to, 0, sizeof(*c->to));
	for (size_t i = 0; c->s->keys && i < c->s->keys->n; i++)
		use_of(c->to, c->s->keys->keys[i].id)->present = true;
	while (r == 0 && (r = rows_next(rows)) > 0)
		r = census_add(c, rows);
	return r;
}

int secrets_census(struct store *db, const struct secrets *s, struct secret_census *ret)
{
	struct secret_census census;
	struct count c = {.s = s, .to = &census};
	int r = store_tx(db, STORE_READ, census_tx, &c);

	if (r == 0)
		*ret = census;
	return r;
}

int secrets_check(struct store *db, const struct secrets *s, char *why, size_t why_size)
{
	struct secret_census c;
	int r = secrets_census(db, s, &c);

	if (r < 0) {
		snprintf(why, why_size, "the data keys of organizations: %s", strerror(-r));
		return r;
	}
	for (size_t i = 0; i < c.n; i++) {
		const struct secret_use *u = &c.uses[i];
		if (!u->present) {
			snprintf(why, why_size,
			    "the master key %s is missing: it opens the secrets of %lld "
			    "organizations, among them %s" SECRETS_SEE,
			    u->id, (long long)u->sealed, u->organization);
			return -ENOKEY;
		}
		if (u->broken && u->broken == u->sealed) {
			snprintf(why, why_size,
			    "the master key %s is another one than that which sealed the secrets "
			    "of %lld organizations, among them %s" SECRETS_SEE,
			    u->id, (long long)u->sealed, u->organization);
			return -EKEYREJECTED;
		}
	}
	return 0;
}

/* ---- another master key ---------------------------------------------------------------------- */

struct rewrap {
	const struct secrets *s;
	int64_t after;
	struct secret_step step;
	bool found;
};

/* The next one, opened; 1, or 0 for no more, or -errno. */
static int rewrap_find(
    struct rewrap *w, struct tx *t, struct data_key *k, char from[MASTER_KEY_ID_MAX + 1])
{
	_cleanup_rows_ struct rows *rows = NULL;
	int r = tx_query(t, sql_next, "is", &rows, w->after, w->s->keys->keys[0].id);

	if (r == 0)
		r = rows_next(rows);
	if (r <= 0)
		return r;
	const char *wrapped = row_text(rows, 3);
	w->step.organization = row_int(rows, 0);
	row_copy(rows, 1, w->step.slug, sizeof(w->step.slug));
	row_copy(rows, 2, from, MASTER_KEY_ID_MAX + 1);
	w->step.error = data_key_open(w->s, w->step.organization, from, wrapped ? wrapped : "", k);
	return 1;
}

static int rewrap_tx(struct tx *t, void *arg)
{
	_cleanup_data_key_ struct data_key k = {.id = ""};
	_cleanup_buf_ struct buf text = BUF_INIT(256);
	struct rewrap *w = arg;
	const char *to = w->s->keys->keys[0].id;
	char from[MASTER_KEY_ID_MAX + 1];
	int r = rewrap_find(w, t, &k, from);

	w->found = r > 0;
	if (r <= 0 || w->step.error < 0)
		return r < 0 ? r : 0;
	r = data_key_seal(w->s, w->step.organization, &k, &text);
	if (r == 0)
		r = tx_exec(
		    t, sql_rewrap, "issi", w->step.organization, to, buf_str(&text), clock_now());
	return r < 0 ? r
		     : audit_object(t, NULL, "secrets.rotate", "organization", w->step.slug,
			   json_pack("{s:s, s:s}", "from", from, "to", to));
}

int secrets_rewrap_next(struct store *db, const struct secrets *s, struct secret_step *step)
{
	struct rewrap w = {.s = s, .after = step->organization};

	if (!s->keys)
		return -ENOKEY;
	int r = store_tx(db, STORE_WRITE, rewrap_tx, &w);
	if (r < 0)
		return r;
	if (w.found)
		*step = w.step;
	return w.found;
}

/* ---- another data key ------------------------------------------------------------------------ */

struct renew {
	const struct secrets *s;
	int64_t organization, values;
	const char *column; /* at work on it */
	struct data_key old, new;
};

/* The row after *row: 1 and its text sealed anew, 0 for no more, -errno. */
static int reseal(
    struct renew *n, struct tx *t, const struct secret_column *c, int64_t *row, struct buf *ret)
{
	_cleanup_buf_ struct buf value = BUF_INIT(SEALED_MAX);
	_cleanup_rows_ struct rows *rows = NULL;
	int r = tx_query(t, c->next, "ii", &rows, n->organization, *row);

	if (r == 0)
		r = rows_next(rows);
	if (r <= 0)
		return r;
	const char *text = row_text(rows, 1);
	*row = row_int(rows, 0);
	r = data_key_open_value(&n->old, n->organization, c->name, *row, text ? text : "", &value);
	if (r == 0)
		r = data_key_seal_value(
		    &n->new, n->organization, c->name, *row, value.data, value.len, ret);
	return r < 0 ? r : 1;
}

static int renew_column(struct renew *n, struct tx *t, const struct secret_column *c)
{
	int64_t row = INT64_MIN;

	for (;;) {
		_cleanup_buf_ struct buf text = BUF_INIT(2 * SEALED_MAX);
		int r = reseal(n, t, c, &row, &text);
		if (r <= 0)
			return r;
		r = tx_exec(t, c->put, "iis", row, n->organization, buf_str(&text));
		if (r < 0)
			return r;
		n->values++;
	}
}

static int renew_note(struct renew *n, struct tx *t)
{
	_cleanup_rows_ struct rows *rows = NULL;
	char slug[64] = "";
	int r = tx_query(t, sql_slug, "i", &rows, n->organization);

	if (r == 0 && (r = rows_next(rows)) > 0)
		row_copy(rows, 0, slug, sizeof(slug));
	return r < 0 ? r
		     : audit_object(t, NULL, "secrets.rotate-data", "organization", slug,
			   json_pack("{s:I}", "values", (json_int_t)n->values));
}

static int renew_tx(struct tx *t, void *arg)
{
	_cleanup_buf_ struct buf wrapped = BUF_INIT(256);
	struct renew *n = arg;
	int r = data_key_get(n->s, t, n->organization, &n->old);

	n->values = 0;
	n->column = NULL;
	if (r == 0)
		r = secret_random(n->new.key, sizeof(n->new.key));
	for (const struct secret_column *c = n->s->columns; r == 0 && c->name; c++) {
		n->column = c->name;
		r = renew_column(n, t, c);
	}
	if (r < 0)
		return r;
	n->column = NULL;
	r = data_key_seal(n->s, n->organization, &n->new, &wrapped);
	if (r == 0)
		r = tx_exec(t, sql_replace, "issi", n->organization, n->s->keys->keys[0].id,
		    buf_str(&wrapped), clock_now());
	return r < 0 ? r : renew_note(n, t);
}

int secrets_new_data_key(struct store *db, const struct secrets *s, int64_t organization,
    int64_t *ret_values, const char **ret_column)
{
	struct renew n = {.s = s, .organization = organization};

	if (!s->keys)
		return -ENOKEY;
	int r = store_tx(db, STORE_WRITE, renew_tx, &n);
	data_key_wipe(&n.old);
	data_key_wipe(&n.new);
	if (r == 0)
		*ret_values = n.values;
	else
		*ret_column = n.column;
	return r;
}
