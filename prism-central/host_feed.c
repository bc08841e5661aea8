/* SPDX-License-Identifier: MIT */
#include "host_feed.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/attr.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/secret.h"
#include "feed/feed.h"
#include "http.h"

/* ---- what this thread has touched since it last woke anybody --------------------------------- */

struct touched {
	size_t n, cap;
	struct {
		int64_t org, project;
	} list[];
};

static pthread_key_t touched_key;
static pthread_once_t touched_once = PTHREAD_ONCE_INIT;
static int touched_error;

static void touched_init(void)
{
	touched_error = pthread_key_create(&touched_key, free);
}

static int touched_add(int64_t org, int64_t project)
{
	pthread_once(&touched_once, touched_init);
	if (touched_error)
		return -touched_error;
	struct touched *l = pthread_getspecific(touched_key);
	for (size_t i = 0; l && i < l->n; i++) {
		if (l->list[i].project == project)
			return 0;
	}
	if (!l || l->n == l->cap) {
		size_t cap = l ? l->cap * 2 : 16;
		struct touched *more = realloc(l, sizeof(*l) + cap * sizeof(l->list[0]));
		if (!more)
			return -ENOMEM;
		if (!l)
			more->n = 0;
		more->cap = cap;
		l = more;
		if (pthread_setspecific(touched_key, l) != 0) {
			free(l);
			return -ENOMEM;
		}
	}
	l->list[l->n].org = org;
	l->list[l->n].project = project;
	l->n++;
	return 0;
}

void feed_note_touched(int64_t org, int64_t project)
{
	(void)touched_add(org, project);
}

void feed_wake_all(struct central *c)
{
	char topic[64];

	pthread_once(&touched_once, touched_init);
	struct touched *l = touched_error ? NULL : pthread_getspecific(touched_key);
	for (size_t i = 0; l && i < l->n; i++) {
		feed_topic(topic, l->list[i].org, l->list[i].project, true);
		http_wake(c, topic);
		feed_topic(topic, l->list[i].org, l->list[i].project, false);
		http_wake(c, topic);
	}
	if (l)
		l->n = 0;
}

void feed_topic(char out[64], int64_t org, int64_t project, bool only)
{
	if (only)
		snprintf(out, 64, "feed:%lld", (long long)project);
	else
		snprintf(out, 64, "feeds:%lld", (long long)org);
}

/* ---- state ----------------------------------------------------------------------------------- */

static const char sql_state[] =
    "SELECT feed_id, epoch, revision, digest FROM feeds WHERE project_id = $1";

int feed_state_load(struct tx *t, int64_t project, struct feed_state *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	struct feed_state st = {.project = project};

	int rc = tx_query(t, sql_state, "i", &r, project);
	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : -ENOENT;
	rc = feed_state_row(r, 0, &st);
	if (rc < 0)
		return rc;
	*ret = st;
	return 0;
}

int feed_state_row(struct rows *r, int col, struct feed_state *ret)
{
	const char *id = row_text(r, col);

	if (!id || hex_decode(id, strlen(id), ret->id, sizeof(ret->id)) != sizeof(ret->id))
		return -EIO;
	ret->epoch = row_int(r, col + 1);
	ret->revision = row_int(r, col + 2);
	const char *digest = row_text(r, col + 3);
	if (!digest || hex_decode(digest, strlen(digest), ret->digest, sizeof(ret->digest)) !=
			   sizeof(ret->digest))
		return -EIO;
	return 0;
}

int feed_revision(struct tx *t, int64_t project, int64_t *ret)
{
	struct feed_state st;
	int rc = feed_state_load(t, project, &st);

	if (rc == -ENOENT) {
		*ret = 0;
		return 0;
	}
	if (rc == 0)
		*ret = st.revision;
	return rc;
}

static const char sql_epoch[] = "SELECT epoch, started_at FROM feed_epoch WHERE id = 1";

int feed_epoch_load(struct tx *t, int64_t *ret_epoch, int64_t *ret_started)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_epoch, "", &r);

	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : -EIO;
	*ret_epoch = row_int(r, 0);
	*ret_started = row_int(r, 1);
	return 0;
}

static const char sql_all[] = "SELECT bytes FROM feed_records WHERE project_id = $1 AND deleted = 0"
			      " ORDER BY project_id, type, subject";
static const char sql_since[] =
    "SELECT bytes FROM feed_records WHERE project_id = $1 AND revision > $2"
    " ORDER BY project_id, revision";

int64_t feed_records_read(struct tx *t, int64_t project, int64_t from, struct buf *out)
{
	_cleanup_rows_ struct rows *r = NULL;
	int64_t n = 0;

	int rc = from == 0 ? tx_query(t, sql_all, "i", &r, project)
			   : tx_query(t, sql_since, "ii", &r, project, from);
	if (rc < 0)
		return rc;
	while ((rc = rows_next(r)) > 0) {
		size_t len = 0;
		const void *bytes = row_blob(r, 0, &len);
		buf_add(out, bytes, len);
		if (buf_error(out) < 0)
			return buf_error(out);
		n++;
	}
	return rc < 0 ? rc : n;
}

/* ---- stamping -------------------------------------------------------------------------------- */

static const char sql_bump[] = "UPDATE organizations SET revision = revision + 1 WHERE id = $1";
static const char sql_bumped[] = "SELECT revision FROM organizations WHERE id = $1";

static int revision_next(struct tx *t, int64_t org, int64_t *ret)
{
	int rc = tx_exec(t, sql_bump, "i", org);
	if (rc < 0)
		return rc;
	_cleanup_rows_ struct rows *r = NULL;
	rc = tx_query(t, sql_bumped, "i", &r, org);
	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : -ENOENT;
	*ret = row_int(r, 0);
	return 0;
}

static int digest_change(uint8_t digest[static 32], const void *record, size_t len, int sign)
{
	uint8_t hash[FEED_DIGEST_LEN];

	if (len < 4)
		return -EIO;
	int rc = feed_hash((const uint8_t *)record + 4, len - 4, hash);
	if (rc == 0)
		feed_digest_mix(digest, hash, sign);
	return rc;
}

static const char sql_old[] = "SELECT bytes, deleted FROM feed_records"
			      " WHERE project_id = $1 AND type = $2 AND subject = $3";

/* Takes the old record out of the digest. 1: it differs from the new one (or there is none), 0:
 * same. */
static int record_replace(struct tx *t, int64_t project, int type, int64_t subject,
    const struct buf *rec, uint8_t digest[static 32])
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_old, "iii", &r, project, (int64_t)type, subject);

	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : 1;
	size_t len = 0;
	const void *bytes = row_blob(r, 0, &len);
	if (len == rec->len && memcmp(bytes, rec->data, len) == 0)
		return 0;
	if (row_int(r, 1))
		return 1;
	rc = digest_change(digest, bytes, len, -1);
	return rc < 0 ? rc : 1;
}

static const char sql_put[] =
    "INSERT INTO feed_records (project_id, type, subject, revision, deleted, bytes)"
    " VALUES ($1, $2, $3, $4, $5, $6)"
    " ON CONFLICT (project_id, type, subject) DO UPDATE SET"
    " revision = excluded.revision, deleted = excluded.deleted, bytes = excluded.bytes";
static const char sql_advance[] =
    "UPDATE feeds SET revision = $1, digest = $2 WHERE project_id = $3";

/* One feed, open for writing. */
struct feed_writer {
	struct tx *t;
	int64_t org;
	struct feed_state st;
};

static int record_stamp(struct feed_writer *w, int type, int64_t subject, const struct buf *rec)
{
	bool deleted = rec->len > 5 && (rec->data[5] & FEED_RECORD_DELETED);
	char hex[HEX_LEN(32) + 1];

	int rc = record_replace(w->t, w->st.project, type, subject, rec, w->st.digest);
	if (rc <= 0)
		return rc;
	if (!deleted) {
		rc = digest_change(w->st.digest, rec->data, rec->len, 1);
		if (rc < 0)
			return rc;
	}
	rc = revision_next(w->t, w->org, &w->st.revision);
	if (rc < 0)
		return rc;
	rc = tx_exec(w->t, sql_put, "iiiiib", w->st.project, (int64_t)type, subject, w->st.revision,
	    (int64_t)deleted, rec->data, rec->len);
	if (rc < 0)
		return rc;
	hex_encode(w->st.digest, sizeof(w->st.digest), hex);
	rc = tx_exec(w->t, sql_advance, "isi", w->st.revision, hex, w->st.project);
	return rc < 0 ? rc : touched_add(w->org, w->st.project);
}

static int stamp_project(struct feed_writer *w)
{
	_cleanup_buf_ struct buf rec = BUF_INIT(FEED_RECORD_MAX);
	int rc = feed_record_project(w->t, w->st.project, &rec);

	if (rc <= 0)
		return rc < 0 ? rc : -ENOENT;
	return record_stamp(w, FEED_PROJECT, 0, &rec);
}

static const char sql_uid[] = "SELECT uid FROM users WHERE id = $1";

/* The membership's row is gone: hosts are told to forget the subject, if they ever knew it. */
static int stamp_gone(struct feed_writer *w, int64_t user)
{
	int64_t uid = 0;
	{
		_cleanup_rows_ struct rows *r = NULL;
		int rc = tx_query(w->t, sql_uid, "i", &r, user);
		if (rc < 0)
			return rc;
		rc = rows_next(r);
		if (rc <= 0)
			return rc < 0 ? rc : -ENOENT;
		uid = row_int(r, 0);
	}
	{
		_cleanup_rows_ struct rows *r = NULL;
		int rc =
		    tx_query(w->t, sql_old, "iii", &r, w->st.project, (int64_t)FEED_MEMBER, uid);
		if (rc < 0)
			return rc;
		rc = rows_next(r);
		if (rc <= 0)
			return rc;
	}
	_cleanup_buf_ struct buf rec = BUF_INIT(FEED_RECORD_MAX);
	feed_put_record(&rec, FEED_MEMBER, FEED_RECORD_DELETED, (uint32_t)uid, "", 0);
	if (buf_error(&rec) < 0)
		return buf_error(&rec);
	return record_stamp(w, FEED_MEMBER, uid, &rec);
}

static int stamp_member(struct feed_writer *w, int64_t user)
{
	_cleanup_buf_ struct buf rec = BUF_INIT(FEED_RECORD_MAX);
	uint32_t uid = 0;
	int rc = feed_record_member(w->t, w->st.project, user, &rec, &uid);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return stamp_gone(w, user);
	return record_stamp(w, FEED_MEMBER, uid, &rec);
}

/* ---- beginning a feed ------------------------------------------------------------------------ */

/* The first column of a query with one id as its argument, collected before anything is written. */
static int ids_collect(struct tx *t, const char *sql, int64_t arg, struct buf *out)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql, "i", &r, arg);

	return rc < 0 ? rc : rows_ids(r, out);
}

static const char sql_begin[] =
    "INSERT INTO feeds (project_id, feed_id, epoch, revision, digest) VALUES ($1, $2, $3, 0, $4)";
static const char sql_members[] =
    "SELECT user_id FROM memberships WHERE project_id = $1 ORDER BY user_id";

static int feed_begin(struct feed_writer *w)
{
	char id[HEX_LEN(16) + 1], digest[HEX_LEN(32) + 1];
	int64_t started;

	int rc = feed_epoch_load(w->t, &w->st.epoch, &started);
	if (rc < 0)
		return rc;
	rc = secret_random(w->st.id, sizeof(w->st.id));
	if (rc < 0)
		return rc;
	hex_encode(w->st.id, sizeof(w->st.id), id);
	hex_encode(w->st.digest, sizeof(w->st.digest), digest);
	rc = tx_exec(w->t, sql_begin, "isis", w->st.project, id, w->st.epoch, digest);
	if (rc < 0)
		return rc;
	rc = stamp_project(w);
	if (rc < 0)
		return rc;
	_cleanup_buf_ struct buf members = BUF_INIT(64u << 20);
	rc = ids_collect(w->t, sql_members, w->st.project, &members);
	for (size_t i = 0; rc == 0 && i < members.len; i += sizeof(int64_t)) {
		int64_t user;
		memcpy(&user, members.data + i, sizeof(user));
		rc = stamp_member(w, user);
	}
	return rc;
}

static const char sql_org[] = "SELECT organization_id FROM projects WHERE id = $1";

/* 1: it began just now, complete; 0: it was there. */
static int writer_open(struct tx *t, int64_t project, struct feed_writer *w)
{
	*w = (struct feed_writer){.t = t, .st.project = project};
	{
		_cleanup_rows_ struct rows *r = NULL;
		int rc = tx_query(t, sql_org, "i", &r, project);
		if (rc < 0)
			return rc;
		rc = rows_next(r);
		if (rc <= 0)
			return rc < 0 ? rc : -ENOENT;
		w->org = row_int(r, 0);
	}
	int rc = feed_state_load(t, project, &w->st);
	if (rc != -ENOENT)
		return rc;
	rc = feed_begin(w);
	return rc < 0 ? rc : 1;
}

/* ---- touching -------------------------------------------------------------------------------- */

int feed_touch_project(struct tx *t, int64_t project)
{
	struct feed_writer w;
	int rc = writer_open(t, project, &w);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	return stamp_project(&w);
}

int feed_touch_member(struct tx *t, int64_t project, int64_t user)
{
	struct feed_writer w;
	int rc = writer_open(t, project, &w);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	return stamp_member(&w, user);
}

static const char sql_projects_of[] =
    "SELECT project_id FROM memberships WHERE user_id = $1 ORDER BY project_id";

int feed_touch_user(struct tx *t, int64_t user)
{
	_cleanup_buf_ struct buf projects = BUF_INIT(1u << 20);
	int rc = ids_collect(t, sql_projects_of, user, &projects);

	for (size_t i = 0; rc == 0 && i < projects.len; i += sizeof(int64_t)) {
		int64_t project;
		memcpy(&project, projects.data + i, sizeof(project));
		rc = feed_touch_member(t, project, user);
	}
	return rc;
}
