/* SPDX-License-Identifier: MIT */

/*
 * A host asks for what has changed. Threat model: a host MUST get feeds of its own projects only,
 * whatever ids it names; a host that was removed MUST be refused the next time its request is
 * looked at, also one that is parked.
 */
#include "host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/attr.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/num.h"
#include "base/wire.h"
#include "central.h"
#include "feed/feed.h"
#include "host_feed.h"
#include "host_message.h"
#include "host_name.h"
#include "signing.h"

#define WAIT_MAX	  300
/* An answer holds several messages up to this size; a bigger one goes alone, without a copy. */
#define ANSWER_MAX	  (256u << 10)
/* How exact last_seen is: not every poll is worth a write. */
#define SEEN_SECONDS	  300
/* How often a manifest is sent again within its validity: an answer may get lost on its way. */
#define MANIFEST_RENEWALS 8

struct have {
	uint8_t id[FEED_ID_LEN];
	int64_t epoch, revision;
};

struct poll_feed {
	struct feed_state state;
	char slug[SLUG_MAX + 1];
};

struct poll {
	struct request *rq;
	int64_t manifest; /* that the host has; 0: none */
	struct have have[FEED_MANIFEST_MAX];
	size_t nhave;
	int64_t wait;
	/* of the transaction */
	int64_t org, manifest_now, manifest_at, last_seen, epoch;
	struct poll_feed feeds[FEED_MANIFEST_MAX];
	size_t nfeeds;
	bool manifest_sent;
	struct buf answer;
	struct feed_message *alone;
};

/* ---- what the host says ---------------------------------------------------------------------- */

/* "HEX32:EPOCH:REV" */
static int have_parse(char *text, struct have *ret)
{
	char *epoch = strchr(text, ':');
	char *revision = epoch ? strchr(epoch + 1, ':') : NULL;

	if (!revision || epoch - text != HEX_LEN(FEED_ID_LEN))
		return -EINVAL;
	*revision++ = '\0';
	*epoch++ = '\0';
	if (hex_decode(text, strlen(text), ret->id, FEED_ID_LEN) != FEED_ID_LEN)
		return -EINVAL;
	if (num_parse_i64(epoch, &ret->epoch) < 0 || num_parse_i64(revision, &ret->revision) < 0)
		return -EINVAL;
	return ret->epoch < 0 || ret->revision < 0 ? -EINVAL : 0;
}

static int haves_parse(struct poll *p, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *one;

	if (!copy)
		return -ENOMEM;
	while ((one = strsep(&rest, ","))) {
		if (!*one)
			continue;
		if (p->nhave == FEED_MANIFEST_MAX)
			return -EINVAL;
		int r = have_parse(one, &p->have[p->nhave]);
		if (r < 0)
			return r;
		p->nhave++;
	}
	return 0;
}

static int poll_parse(struct poll *p)
{
	const char *manifest = request_query(p->rq, "manifest");
	const char *have = request_query(p->rq, "have");
	const char *wait = request_query(p->rq, "wait");

	if (manifest && (num_parse_i64(manifest, &p->manifest) < 0 || p->manifest < 0))
		return -EINVAL;
	if (wait && (num_parse_i64(wait, &p->wait) < 0 || p->wait < 0))
		return -EINVAL;
	if (p->wait > WAIT_MAX)
		p->wait = WAIT_MAX;
	return have ? haves_parse(p, have) : 0;
}

/* ---- where things stand ---------------------------------------------------------------------- */

static const char sql_host[] =
    "SELECT h.organization_id, h.manifest, h.manifest_at, h.last_seen FROM hosts h"
    " JOIN host_tokens t ON t.host_id = h.id"
    " WHERE h.id = $1 AND t.id = $2 AND t.expires_at > $3 AND h.state = 'enrolled'";

static int host_load(struct tx *t, struct poll *p)
{
	_cleanup_rows_ struct rows *r = NULL;
	const struct principal *who = &p->rq->who;
	int rc = tx_query(t, sql_host, "iii", &r, who->id, who->credential, p->rq->now);

	if (rc < 0)
		return rc;
	rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : -EACCES;
	p->org = row_int(r, 0);
	p->manifest_now = row_int(r, 1);
	p->manifest_at = row_int(r, 2);
	p->last_seen = row_int(r, 3);
	return 0;
}

static const char sql_feeds[] =
    "SELECT f.project_id, p.slug, f.feed_id, f.epoch, f.revision, f.digest"
    " FROM host_projects hp JOIN feeds f ON f.project_id = hp.project_id"
    " JOIN projects p ON p.id = f.project_id WHERE hp.host_id = $1 ORDER BY f.project_id";

static int feeds_load(struct tx *t, struct poll *p)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_feeds, "i", &r, p->rq->who.id);

	if (rc < 0)
		return rc;
	while (p->nfeeds < FEED_MANIFEST_MAX && (rc = rows_next(r)) > 0) {
		struct poll_feed *f = &p->feeds[p->nfeeds];
		const char *slug = row_text(r, 1);
		if (!slug || strlen(slug) > SLUG_MAX)
			return -EIO;
		memcpy(f->slug, slug, strlen(slug) + 1);
		f->state.project = row_int(r, 0);
		rc = feed_state_row(r, 2, &f->state);
		if (rc < 0)
			return rc;
		p->nfeeds++;
	}
	return rc < 0 ? rc : 0;
}

/* What this feed's next step starts from: the revision that the host has, 0 if it needs all. */
static int64_t step_from(const struct poll *p, const struct feed_state *st)
{
	for (size_t i = 0; i < p->nhave; i++) {
		const struct have *h = &p->have[i];
		if (memcmp(h->id, st->id, FEED_ID_LEN) != 0)
			continue;
		return h->epoch == st->epoch && h->revision <= st->revision ? h->revision : 0;
	}
	return 0;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* 1: added; 0: no room any more in this answer. */
static int answer_add(struct poll *p, struct feed_message *m)
{
	if (p->answer.len == 0 && m->len > ANSWER_MAX) {
		p->alone = m;
		return 1;
	}
	bool fits = p->answer.len + m->len <= ANSWER_MAX;
	if (fits)
		buf_add(&p->answer, m->frame, m->len);
	feed_message_release(m);
	return fits ? 1 : 0;
}

/* The key that signs next, for hosts to pin. Returns how many records that took. */
static uint32_t announcement_add(const struct central *c, struct buf *records)
{
	_cleanup_buf_ struct buf body = BUF_INIT(1024);
	struct feed_next_key next;
	int64_t since;

	if (!signing_next(c, &next, &since))
		return 0;
	feed_body_next_key(&body, &next);
	feed_put_record(records, FEED_NEXT_KEY, 0, 0, body.data, body.len);
	return 1;
}

static int manifest_add(struct poll *p)
{
	const struct central *c = p->rq->central;
	_cleanup_buf_ struct buf records = BUF_INIT(ANSWER_MAX), message = BUF_INIT(ANSWER_MAX);
	struct feed_header h = {
	    .kind = FEED_MANIFEST,
	    .epoch = (uint64_t)p->epoch,
	    .to = (uint64_t)p->manifest_now,
	    .issued_at = p->rq->now,
	    .valid_until = p->rq->now + c->config.feed_validity,
	    .nrecords = (uint32_t)p->nfeeds,
	};

	host_id_bytes(p->rq->who.id, h.id);
	h.nrecords += announcement_add(c, &records);
	for (size_t i = 0; i < p->nfeeds; i++) {
		_cleanup_buf_ struct buf body = BUF_INIT(1024);
		struct feed_contents contents = {.slug = ""};
		memcpy(contents.id, p->feeds[i].state.id, sizeof(contents.id));
		memcpy(contents.slug, p->feeds[i].slug, sizeof(contents.slug));
		feed_body_contents(&body, &contents);
		feed_put_record(&records, FEED_CONTENTS, 0, (uint32_t)i, body.data, body.len);
	}
	if (buf_error(&records) < 0)
		return buf_error(&records);
	int r = feed_sign(c->signer, &h, records.data, records.len, &message);
	if (r < 0)
		return r;
	wire_put_u32(&p->answer, (uint32_t)message.len);
	buf_add(&p->answer, message.data, message.len);
	p->manifest_sent = true;
	return buf_error(&p->answer);
}

/* The feeds that moved, or a heartbeat for each of those that did not. */
static int feeds_add(struct poll *p, struct tx *t, bool moved)
{
	struct request *rq = p->rq;

	for (size_t i = 0; i < p->nfeeds && !p->alone; i++) {
		const struct feed_state *st = &p->feeds[i].state;
		int64_t from = step_from(p, st);
		struct feed_message *m = NULL;
		if ((from != st->revision) != moved)
			continue;
		int r = feed_message_get(rq->central, t, st, from, rq->now, &m);
		if (r == 0)
			r = answer_add(p, m);
		if (r <= 0)
			return r;
	}
	return buf_error(&p->answer);
}

static bool quiet(const struct poll *p)
{
	return p->answer.len == 0 && !p->alone;
}

/* The host does not have it, or soon would have to believe it no longer; or it lacks news of the
 * next key. */
static bool manifest_due(const struct poll *p)
{
	int64_t age = p->rq->now - p->manifest_at, since;
	struct feed_next_key next;

	if (signing_next(p->rq->central, &next, &since) && p->manifest_at <= since)
		return true;
	return p->manifest != p->manifest_now ||
	       age > p->rq->central->config.feed_validity / MANIFEST_RENEWALS;
}

static void poll_reset(struct poll *p)
{
	p->nfeeds = 0;
	buf_clear(&p->answer);
	feed_message_release(p->alone);
	p->alone = NULL;
	p->manifest_sent = false;
}

static int poll_tx(struct tx *t, void *arg)
{
	struct poll *p = arg;
	int64_t started;
	bool answer_now = p->rq->last || p->wait == 0;

	poll_reset(p);
	int r = host_load(t, p);
	if (r == 0)
		r = feed_epoch_load(t, &p->epoch, &started);
	if (r == 0)
		r = feeds_load(t, p);
	if (r == 0 && manifest_due(p))
		r = manifest_add(p);
	if (r == 0)
		r = feeds_add(p, t, true);
	/* Any answer renews everything: a busy feed must not let the quiet ones of this host
	 * expire. */
	if (r == 0 && (answer_now || !quiet(p)))
		r = feeds_add(p, t, false);
	return r;
}

static const char sql_seen[] = "UPDATE hosts SET last_seen = $1 WHERE id = $2";
static const char sql_manifest_at[] =
    "UPDATE hosts SET last_seen = $1, manifest_at = $1 WHERE id = $2";

static int seen_tx(struct tx *t, void *arg)
{
	const struct poll *p = arg;

	return tx_exec(
	    t, p->manifest_sent ? sql_manifest_at : sql_seen, "ii", p->rq->now, p->rq->who.id);
}

static void poll_answer(struct poll *p, struct reply *rp)
{
	if (p->alone) {
		struct feed_message *m = TAKE_PTR(p->alone);
		reply_bytes(
		    rp, "application/octet-stream", m->frame, m->len, feed_message_release, m);
		return;
	}
	size_t len = p->answer.len;
	if (len == 0) {
		reply_bytes(rp, "application/octet-stream", "", 0, NULL, NULL);
		return;
	}
	char *bytes = buf_detach(&p->answer);
	if (bytes)
		reply_bytes(rp, "application/octet-stream", bytes, len, free, bytes);
	else
		reply_errno(rp, -ENOMEM);
}

static void poll_run(struct poll *p, struct reply *rp)
{
	struct request *rq = p->rq;
	char topic[64];

	int r = store_tx(rq->db, STORE_READ, poll_tx, p);
	if (r == -EACCES) {
		reply_error(
		    rp, API_NOT_LOGGED_IN, "This host is not enrolled, or its token ended.");
		return;
	}
	if (r == 0 && (p->manifest_sent || rq->now - p->last_seen > SEEN_SECONDS))
		r = store_tx(rq->db, STORE_WRITE, seen_tx, p);
	if (r < 0) {
		reply_errno(rp, r);
		return;
	}
	if (!quiet(p) || rq->last || p->wait == 0) {
		poll_answer(p, rp);
		return;
	}
	feed_topic(topic, p->org, p->nfeeds == 1 ? p->feeds[0].state.project : 0, p->nfeeds == 1);
	reply_park(rp, topic, p->wait * 1000);
}

void host_feed_poll(struct request *rq, struct reply *rp)
{
	_cleanup_free_ struct poll *p = calloc(1, sizeof(*p));

	if (!p) {
		reply_errno(rp, -ENOMEM);
		return;
	}
	p->rq = rq;
	buf_init(&p->answer, 2 * ANSWER_MAX);
	if (poll_parse(p) < 0)
		reply_error(rp, API_BAD_REQUEST, "manifest, have or wait is not understood.");
	else
		poll_run(p, rp);
	feed_message_release(p->alone);
	buf_free(&p->answer);
}
