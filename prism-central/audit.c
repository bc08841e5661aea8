/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/sha.h>
#include "audit.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/num.h"
#include "base/wire.h"
#include "domain.h"
#include "project.h"

static const char sql_head[] = "SELECT seq, hash FROM audit_head WHERE id = 1";
static const char sql_head_put[] = "UPDATE audit_head SET seq = $1, hash = $2 WHERE id = 1";
static const char sql_insert[] =
    "INSERT INTO audit (seq, at, actor, action, object, project_id, request_id, peer, detail,"
    " prev_hash, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
static const char sql_walk[] =
    "SELECT seq, at, actor, action, object, COALESCE(project_id, 0), request_id, peer, detail,"
    " prev_hash, hash FROM audit ORDER BY seq";
static const char sql_list[] =
    "SELECT seq, at, actor, action, object, COALESCE(project_id, 0), request_id, peer, detail,"
    " prev_hash, hash FROM audit WHERE seq > $1 AND ($2 = 0 OR project_id = $2)"
    " ORDER BY seq LIMIT $3";

#define HASH_LEN   32
#define ZERO_HASH  "0000000000000000000000000000000000000000000000000000000000000000"
#define LIST_LIMIT 500

struct event {
	int64_t seq, at, project;
	const char *actor, *action, *object, *request, *peer, *detail;
	const char *prev, *hash;
};

/* 0, -EBADMSG when a stored value cannot be what was written, or -errno. */
static int event_hash(const struct event *e, const char *prev, char out[65])
{
	_cleanup_buf_ struct buf b = BUF_INIT(2 * AUDIT_DETAIL_MAX + 8192);
	uint8_t hash[HASH_LEN];
	const char *text[] = {e->actor, e->action, e->object};
	const char *rest[] = {e->request, e->peer, e->detail};
	if (hex_decode(prev, strlen(prev), hash, sizeof(hash)) != HASH_LEN)
		return -EBADMSG;
	buf_add(&b, hash, sizeof(hash));
	wire_put_u64(&b, (uint64_t)e->seq);
	wire_put_i64(&b, e->at);
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		wire_put_str(&b, text[i] ? text[i] : "");
	wire_put_i64(&b, e->project);
	for (size_t i = 0; i < ARRAY_SIZE(rest); i++)
		wire_put_str(&b, rest[i] ? rest[i] : "");
	if (buf_error(&b))
		return buf_error(&b) == -EMSGSIZE ? -EBADMSG : buf_error(&b);
	sha256_hex(b.data, b.len, out);
	return 0;
}

static void actor_name(const struct request *rq, char *out, size_t size)
{
	static const char *const kind[] = {
	    [PRINCIPAL_NONE] = "anonymous", [PRINCIPAL_USER] = "user", [PRINCIPAL_HOST] = "host"};
	if (!rq || (rq->who.kind == PRINCIPAL_NONE && !rq->peer))
		snprintf(out, size, "system");
	else if (rq->who.kind == PRINCIPAL_NONE)
		snprintf(out, size, "%s", kind[PRINCIPAL_NONE]);
	else
		snprintf(out, size, "%s:%s", kind[rq->who.kind], rq->who.name);
}

static int head_get(struct tx *t, int64_t *ret_seq, char hash[65])
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_head, "", &r);
	if (n < 0)
		return n;
	n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -EIO;
	*ret_seq = row_int(r, 0);
	row_copy(r, 1, hash, 65);
	return 0;
}

static int event_put(struct tx *t, const struct event *e)
{
	int r = tx_exec(t, sql_insert, "iisssIsssss", e->seq, e->at, e->actor, e->action, e->object,
	    e->project, e->request, e->peer, e->detail, e->prev, e->hash);
	if (!r)
		r = tx_exec(t, sql_head_put, "is", e->seq, e->hash);
	return r;
}

int audit_append(
    struct tx *t, const struct request *rq, const char *action, const char *object, json_t *detail)
{
	_cleanup_free_ char *text =
	    detail ? json_dumps(detail, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
	char actor[80], prev[65], hash[65];
	struct event e = {
	    .at = rq && rq->now ? rq->now : clock_now(),
	    .project = rq ? rq->project : 0,
	    .actor = actor,
	    .action = action,
	    .object = object,
	    .request = rq ? rq->id : "",
	    .peer = rq && rq->peer ? rq->peer : "",
	    .detail = text ? text : "{}",
	    .prev = prev,
	    .hash = hash,
	};
	json_decref(detail);
	if (detail && !text)
		return -ENOMEM;
	if (text && strlen(text) > AUDIT_DETAIL_MAX)
		return -EMSGSIZE;
	actor_name(rq, actor, sizeof(actor));
	int r = head_get(t, &e.seq, prev);
	e.seq++;
	if (!r)
		r = event_hash(&e, prev, hash);
	return r ? r : event_put(t, &e);
}

int audit_object(struct tx *t, const struct request *rq, const char *action, const char *kind,
    const char *name, json_t *detail)
{
	char object[320];
	snprintf(object, sizeof(object), "%s:%s", kind, name);
	return audit_append(t, rq, action, object, detail);
}

static void event_read(struct rows *r, struct event *e)
{
	*e = (struct event){
	    .seq = row_int(r, 0),
	    .at = row_int(r, 1),
	    .actor = row_text(r, 2),
	    .action = row_text(r, 3),
	    .object = row_text(r, 4),
	    .project = row_int(r, 5),
	    .request = row_text(r, 6),
	    .peer = row_text(r, 7),
	    .detail = row_text(r, 8),
	    .prev = row_text(r, 9),
	    .hash = row_text(r, 10),
	};
}

static void report_bad(struct audit_report *rep, int64_t seq, const char *why)
{
	rep->bad = seq;
	snprintf(rep->why, sizeof(rep->why), "%s", why);
}

/* 1: goes on, 0: does not fit (told in rep), -errno. */
static int verify_event(const struct event *e, struct audit_report *rep)
{
	char hash[65];
	if (e->seq != rep->rows + 1) {
		report_bad(rep, rep->rows + 1, "This event is missing.");
		return 0;
	}
	if (!e->prev || strcmp(e->prev, rep->head)) {
		report_bad(rep, e->seq, "This event does not follow the one before it.");
		return 0;
	}
	int r = event_hash(e, rep->head, hash);
	if (r < 0 && r != -EBADMSG)
		return r;
	if (r || !e->hash || strcmp(e->hash, hash)) {
		report_bad(rep, e->seq, "This event has been changed.");
		return 0;
	}
	rep->rows++;
	snprintf(rep->head, sizeof(rep->head), "%s", hash);
	return 1;
}

static int verify_tx(struct tx *t, void *arg)
{
	struct audit_report *rep = arg;
	char head[65];
	int64_t seq;
	*rep = (struct audit_report){.head = ZERO_HASH};
	int r = head_get(t, &seq, head);
	if (r < 0)
		return r;
	_cleanup_rows_ struct rows *rows = NULL;
	r = tx_query(t, sql_walk, "", &rows);
	if (r < 0)
		return r;
	while ((r = rows_next(rows)) > 0) {
		struct event e;
		event_read(rows, &e);
		r = verify_event(&e, rep);
		if (r <= 0)
			return r;
	}
	if (!r && (seq != rep->rows || strcmp(head, rep->head)))
		report_bad(rep, rep->rows + 1, "The end of the chain has been cut off.");
	return r;
}

int audit_verify(struct store *db, struct audit_report *ret)
{
	return store_tx(db, STORE_READ, verify_tx, ret);
}

struct list_act {
	struct act act;
	uint64_t after;
	uint32_t limit;
	const char *project;
};

static json_t *event_json(const struct event *e)
{
	json_t *detail = json_loads(e->detail ? e->detail : "{}", 0, NULL);
	return json_pack("{sI, so, ss, ss, ss, so, ss, ss, so, ss}", "seq", (json_int_t)e->seq,
	    "at", json_time(e->at), "actor", e->actor, "action", e->action, "object", e->object,
	    "project", e->project ? json_id(e->project) : json_null(), "request", e->request,
	    "peer", e->peer, "detail", detail ? detail : json_null(), "hash", e->hash);
}

static int list_tx(struct tx *t, struct act *a)
{
	struct list_act *l = (struct list_act *)a;
	int64_t project = 0;
	int r = l->project ? project_find(t, l->project, &project) : 0;
	if (r == -ENOENT)
		return act_fail(a, API_PROJECT_NOT_FOUND, NULL);
	if (r < 0)
		return r;
	_cleanup_rows_ struct rows *rows = NULL;
	r = tx_query(t, sql_list, "iii", &rows, (int64_t)l->after, project, (int64_t)l->limit);
	if (r < 0)
		return r;
	a->json = json_array();
	while ((r = rows_next(rows)) > 0) {
		struct event e;
		event_read(rows, &e);
		if (json_array_append_new(a->json, event_json(&e)) < 0)
			return -ENOMEM;
	}
	return r;
}

void audit_list(struct request *rq, struct reply *rp)
{
	struct list_act l = {.act = {.fn = list_tx, .rq = rq, .status = 200}, .limit = 100};
	const char *after = request_query(rq, "after"), *limit = request_query(rq, "limit");
	l.project = request_query(rq, "project");
	if ((after && num_parse_u64(after, INT64_MAX, &l.after) < 0) ||
	    (limit && num_parse_u32(limit, LIST_LIMIT, &l.limit) < 0)) {
		reply_error(rp, API_INVALID_VALUE,
		    "\"after\" and \"limit\" (at most %d) are numbers.", LIST_LIMIT);
		return;
	}
	act_run(&l.act, STORE_READ, rp);
}
