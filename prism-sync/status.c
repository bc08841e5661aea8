/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include "base/clock.h"
#include "base/encode.h"
#include "daemon.h"
#include "json.h"

enum { LIST_MAX = 100, HOMES_MAX = 30, HELD_MAX = 50 }; /* all of it fits into one packet */

static void put_time(struct buf *b, const char *key, int64_t t)
{
	char text[CLOCK_TEXT];

	if (t == 0) {
		buf_addf(b, "\"%s\":null", key);
		return;
	}
	clock_format(t, text);
	buf_addf(b, "\"%s\":\"%s\"", key, text);
}

static void put_connection(const struct agent *a, struct buf *b)
{
	const struct connection_state *c = &a->connection;

	buf_addf(b, "\"connection\":{\"state\":\"%s\",",
	    c->ok     ? "connected"
	    : c->ever ? "disconnected"
		      : "not connected yet");
	put_time(b, "since", c->since);
	buf_add_char(b, ',');
	put_time(b, "last_answer", c->last_ok);
	buf_addf(b, ",\"clock_skew\":%" PRId64 ",\"reason\":", c->skew);
	json_put_string(b, c->ok ? "" : c->why);
	buf_add_char(b, '}');
}

static void put_feeds(const struct agent *a, struct buf *b)
{
	int64_t now = clock_now();

	buf_add_str(b, ",\"feeds\":[");
	for (size_t i = 0; i < a->model.nfeeds; i++) {
		const struct feed *f = &a->model.feeds[i];
		char id[HEX_LEN(FEED_ID_LEN) + 1];

		hex_encode(f->id, FEED_ID_LEN, id);
		buf_addf(b,
		    "%s{\"id\":\"%s\",\"project\":\"%s\",\"epoch\":%" PRIu64
		    ",\"revision\":%" PRIu64
		    ",\"members\":%lu,\"held\":%lu,\"age_seconds\":%" PRId64 ",",
		    i ? "," : "", id, f->slug, f->epoch, f->revision, (unsigned long)f->nmembers,
		    (unsigned long)f->nheld, f->issued_at ? now - f->issued_at : 0);
		put_time(b, "issued_at", f->issued_at);
		buf_add_char(b, ',');
		put_time(b, "valid_until", f->valid_until);
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

static void put_published(const struct agent *a, struct buf *b)
{
	const struct published *p = &a->published;

	buf_addf(b, ",\"generation\":%" PRIu64 ",\"users\":%lu,\"active\":%lu,", p->generation,
	    (unsigned long)p->users, (unsigned long)p->active);
	put_time(b, "published_at", p->at);
	buf_add_char(b, ',');
	put_time(b, "valid_until", p->valid_until);
	buf_addf(b, ",\"publish_ms\":%d,\"publish_error\":", p->took_ms);
	json_put_string(b, a->publish_error ? strerror(-a->publish_error) : "");
	buf_addf(b, ",\"refused_count\":%lu,\"refused\":[", (unsigned long)p->nrefused);
	for (size_t i = 0; i < p->nrefused && i < LIST_MAX; i++) {
		buf_addf(b, "%s{\"subject\":", i ? "," : "");
		json_put_string(b, p->refused[i].name);
		buf_addf(b, ",\"id\":%u,\"reason\":", (unsigned)p->refused[i].id);
		json_put_string(b, verdict_text(p->refused[i].verdict));
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

void status_json(const struct agent *a, struct buf *b)
{
	struct homes_state h;

	homes_state(a->homes, &h);
	buf_add_str(b, "{\"version\":\"" PRISM_VERSION "\",");
	put_connection(a, b);
	put_published(a, b);
	put_feeds(a, b);
	buf_add_str(b, ",\"held\":[");
	report_put_held(a, b, HELD_MAX);
	buf_add_char(b, ']');
	buf_addf(b, ",\"homes\":{\"ready\":%lu,\"waiting\":%lu,\"failed_count\":%lu,\"trouble\":",
	    (unsigned long)h.ready, (unsigned long)h.waiting, (unsigned long)h.failed);
	json_put_string(b, h.trouble);
	buf_add_str(b, ",\"failed\":[");
	homes_put_failed(a->homes, b, HOMES_MAX);
	buf_addf(b, "]},\"logins\":{\"offered\":%s,\"waiting\":%lu}}",
	    a->trust.url[0] ? "true" : "false", (unsigned long)logins_waiting(a->logins));
}

void status_notify(const struct agent *a)
{
	sd_notifyf(0, "STATUS=%s; generation %" PRIu64 ", %lu people, %lu of them may log in",
	    a->connection.ok ? "connected" : "not connected", a->published.generation,
	    (unsigned long)a->published.users, (unsigned long)a->published.active);
}
