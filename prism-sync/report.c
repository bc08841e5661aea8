/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "daemon.h"
#include "hostinfo.h"
#include "json.h"

enum { SEND_MS = 2000, LIST_MAX = 100, HOMES_MAX = 30 };

static void put_feeds(const struct agent *a, struct buf *b)
{
	for (size_t i = 0, n = 0; i < a->model.nfeeds; i++) {
		const struct feed *f = &a->model.feeds[i];
		char id[HEX_LEN(FEED_ID_LEN) + 1];

		if (f->revision == 0)
			continue;
		hex_encode(f->id, FEED_ID_LEN, id);
		buf_addf(b, "%s{\"id\":\"%s\",\"epoch\":%" PRIu64 ",\"revision\":%" PRIu64 "}",
		    n++ ? "," : "", id, f->epoch, f->revision);
	}
}

static void put_refused(const struct agent *a, struct buf *b)
{
	for (size_t i = 0; i < a->published.nrefused && i < LIST_MAX; i++) {
		const struct refusal *r = &a->published.refused[i];
		char subject[64];

		if (r->name[0] != '\0')
			snprintf(subject, sizeof(subject), "%s", r->name);
		else
			snprintf(subject, sizeof(subject), "%u", (unsigned)r->id);
		buf_addf(b, "%s{\"subject\":", i ? "," : "");
		json_put_string(b, subject);
		buf_add_str(b, ",\"reason\":");
		json_put_string(b, verdict_text(r->verdict));
		buf_add_char(b, '}');
	}
}

void report_put_held(const struct agent *a, struct buf *b, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < a->model.nfeeds; i++) {
		const struct feed *f = &a->model.feeds[i];

		for (size_t k = 0; f->nheld > 0 && k < f->nslots && n < max; k++) {
			const struct record *r = f->slots[k];

			if (r == NULL || !(r->flags & RECORD_HELD))
				continue;
			buf_addf(b, "%s{\"project\":\"%s\",\"uid\":%u,\"subject\":", n++ ? "," : "",
			    f->slug, (unsigned)r->subject);
			json_put_string(b, r->size > 0 ? r->text : "");
			buf_add_char(b, '}');
		}
	}
}

static void put_highest(const struct agent *a, struct buf *b)
{
	uint32_t uid = 0, gid = 0;

	for (size_t i = 0; i < a->model.nfeeds; i++) {
		const struct feed *f = &a->model.feeds[i];

		for (size_t k = 0; k < f->nslots; k++) {
			const struct record *r = f->slots[k];

			if (r != NULL && r->type == FEED_MEMBER && r->subject > uid)
				uid = r->subject;
			if (r != NULL && r->type == FEED_GROUP && r->subject > gid)
				gid = r->subject;
		}
		gid = f->project.gid_rw > gid ? f->project.gid_rw : gid;
		gid = f->project.gid_ro > gid ? f->project.gid_ro : gid;
	}
	buf_addf(b, "\"highest\":{\"uid\":%u,\"gid\":%u}", (unsigned)uid, (unsigned)gid);
}

/*
 * The keys that this host believes, or will: the service switches once everybody has the next. What
 * a restart would forget is not pinned.
 */
static void put_keys(const struct agent *a, struct buf *b)
{
	for (size_t i = 0, n = 0; !a->intake.pins_dirty && i < a->trust.nkeys; i++) {
		const struct trust_key *k = &a->trust.keys[i];
		uint8_t id[FEED_KEY_ID_LEN];
		char hex[HEX_LEN(FEED_KEY_ID_LEN) + 1];

		if (k->role == TRUST_RETIRED)
			continue;
		feed_key_id(k->key, id);
		hex_encode(id, sizeof(id), hex);
		buf_addf(b, "%s\"%s\"", n++ ? "," : "", hex);
	}
}

void report_json(const struct agent *a, struct buf *b)
{
	buf_addf(b,
	    "{\"generation\":%" PRIu64 ",\"clock\":%" PRId64 ",\"clock_skew\":%" PRId64
	    ",\"version\":\"" PRISM_VERSION "\",",
	    a->published.generation, clock_now(), a->connection.skew);
	buf_add_str(b, "\"feeds\":[");
	put_feeds(a, b);
	buf_add_str(b, "],");
	hostinfo_put(b, &a->paths, &a->local);
	buf_add_str(b, ",\"refused\":[");
	put_refused(a, b);
	buf_add_str(b, "],\"held\":[");
	report_put_held(a, b, LIST_MAX);
	buf_add_str(b, "],\"homes\":{\"failed\":[");
	homes_put_failed(a->homes, b, HOMES_MAX);
	buf_add_str(b, "]},\"keys\":[");
	put_keys(a, b);
	buf_add_str(b, "],");
	put_highest(a, b);
	buf_add_char(b, '}');
}

void report_send(struct agent *a)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);

	report_json(a, &b);
	if (buf_error(&b) == 0 && link_send(a->link, LINK_REPORT, b.data, b.len, SEND_MS) < 0)
		log_event(LOG_LEVEL_WARN, "network-half-stuck", NULL);
}
