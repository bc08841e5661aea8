/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "secrets.h"
#include "sso_certificate.h"
#include "sso_internal.h"

#define DAY 86400

/* All of a connection: the provider's, our present one, our other one. */
#define OURS 2
struct census {
	struct sso_certificate theirs[SSO_CERTIFICATES_MAX], ours[OURS];
	int n_theirs, n_ours;
	bool sealed; /* the provider's could not be opened */
};

static int census_take(
    struct tx *t, const struct request *rq, const struct sso_connection *c, struct census *ret)
{
	_cleanup_buf_ struct buf pem = BUF_INIT(SSO_PEM_MAX);
	int r = sso_secret(t, rq, c, "certificate", &pem);

	*ret = (struct census){.sealed = r == -ENOKEY || r == -EKEYREJECTED || r == -EBADMSG};
	if (r == -ENOENT || ret->sealed)
		r = 0;
	if (r == 0)
		r = buf_error(&pem);
	if (r < 0)
		return r;
	ret->n_theirs = sso_certificates_look(buf_str(&pem), ret->theirs, SSO_CERTIFICATES_MAX);
	ret->n_ours = sso_certificates_look(c->sp_certificate, ret->ours, 1);
	if (c->other != SSO_OTHER_NONE)
		ret->n_ours +=
		    sso_certificates_look(c->sp_other_certificate, ret->ours + ret->n_ours, 1);
	return 0;
}

enum state { GOOD, ENDS_SOON, EXPIRED };

static const char *const state_words[] = {
    [GOOD] = "good", [ENDS_SOON] = "ends_soon", [EXPIRED] = "expired"};

static enum state state_of(const struct sso_certificate *x, int64_t now)
{
	if (x->not_after <= now)
		return EXPIRED;
	return x->not_after <= now + SSO_EXPIRY_SOON ? ENDS_SOON : GOOD;
}

static const char *use_of(const struct sso_connection *c, int which)
{
	return which == 0 ? "current" : sso_other_word(c->other);
}

/* A former one only opens what was encrypted for it: its end matters to nobody. */
static bool told(const struct sso_connection *c, int which)
{
	return which == 0 || c->other == SSO_OTHER_NEXT;
}

/* ---- shown ----------------------------------------------------------------------------------- */

static json_t *certificate_json(const struct sso_certificate *x, int64_t now)
{
	return json_pack("{s:s, s:s, s:o, s:s}", "fingerprint", x->fingerprint, "subject",
	    x->subject, "not_after", json_time(x->not_after), "state",
	    state_words[state_of(x, now)]);
}

static json_t *our_json(
    const struct sso_connection *c, const struct sso_certificate *x, int which, int64_t now)
{
	json_t *o = certificate_json(x, now);

	json_object_set_new(o, "use", json_string(use_of(c, which)));
	json_object_set_new(o, "since", which == 0 ? json_null() : json_time(c->other_at));
	json_object_set_new(
	    o, "pem", json_string(which == 0 ? c->sp_certificate : c->sp_other_certificate));
	return o;
}

static void warn_json(
    json_t *warnings, const char *whose, const struct sso_certificate *x, int64_t now)
{
	static const char *const says[] = {
	    [ENDS_SOON] = "expires within a month", [EXPIRED] = "has expired"};
	enum state state = state_of(x, now);
	char day[CLOCK_TEXT];

	if (state == GOOD)
		return;
	clock_format_day(x->not_after, day);
	json_array_append_new(warnings, json_sprintf("%s certificate %s: on %s (SHA-256 %s).",
					    whose, says[state], day, x->fingerprint));
}

int sso_expiry_json(
    struct tx *t, const struct request *rq, const struct sso_connection *c, json_t *into)
{
	json_auto_t *theirs = json_array(), *ours = json_array(), *warnings = json_array();
	struct census s;
	int r = c->type == SSO_SAML ? census_take(t, rq, c, &s) : 0;

	if (r < 0)
		return r;
	if (c->type != SSO_SAML)
		return json_object_set_new(into, "certificates", json_null()) < 0 ||
			       json_object_set_new(into, "sp_certificates", json_null()) < 0
			   ? -ENOMEM
			   : 0;
	for (int i = 0; i < s.n_theirs; i++) {
		json_array_append_new(theirs, certificate_json(&s.theirs[i], rq->now));
		warn_json(warnings, "The provider's", &s.theirs[i], rq->now);
	}
	for (int i = 0; i < s.n_ours; i++) {
		json_array_append_new(ours, our_json(c, &s.ours[i], i, rq->now));
		if (told(c, i))
			warn_json(warnings, "Our own", &s.ours[i], rq->now);
	}
	if (json_object_set(into, "certificates", s.sealed ? json_null() : theirs) < 0 ||
	    json_object_set(into, "sp_certificates", ours) < 0)
		return -ENOMEM;
	return json_array_size(warnings) ? json_object_set(into, "warnings", warnings) : 0;
}

bool sso_certificates_expired(const char *pem, int64_t now, char day[CLOCK_TEXT])
{
	struct sso_certificate all[SSO_CERTIFICATES_MAX];
	int n = sso_certificates_look(pem, all, SSO_CERTIFICATES_MAX);
	int64_t last = 0;

	for (int i = 0; i < n; i++)
		if (all[i].not_after > last)
			last = all[i].not_after;
	if (n == 0 || last > now)
		return false;
	clock_format_day(last, day);
	return true;
}

/* ---- told to the service's administrator ----------------------------------------------------- */

struct round {
	struct request rq;
	int64_t after; /* the connection looked at last */
	struct sso_connection c;
	struct census s;
};

static const char sql_next[] = "SELECT id FROM sso_connections WHERE type = 'saml'"
			       " AND enabled = 1 AND id > $1 ORDER BY id LIMIT 1";

/* 1: the next one, in r->c and r->s. */
static int next_tx(struct tx *t, void *arg)
{
	struct round *r = arg;
	_cleanup_rows_ struct rows *rows = NULL;
	int n = tx_query(t, sql_next, "i", &rows, r->after);

	if (n == 0)
		n = rows_next(rows);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	sso_connection_clear(&r->c);
	r->c = (struct sso_connection){.id = 0};
	n = sso_connection_by_id(t, row_int(rows, 0), &r->c);
	return n < 0 ? n : census_take(t, &r->rq, &r->c, &r->s);
}

static int warn_log(const struct round *r, const char *whose, const struct sso_certificate *x)
{
	enum state state = state_of(x, r->rq.now);
	char ends[CLOCK_TEXT];

	if (state == GOOD)
		return 0;
	clock_format(x->not_after, ends);
	log_event(LOG_LEVEL_WARN, "sso_certificate", "connection", "%s", r->c.slug, "organization",
	    "%s", r->c.org_slug, "whose", "%s", whose, "status", "%s", state_words[state], "ends",
	    "%s", ends, "fingerprint", "%s", x->fingerprint, "subject", "%s", x->subject, NULL);
	return 1;
}

static int one_log(const struct round *r)
{
	int n = 0;

	for (int i = 0; i < r->s.n_theirs; i++)
		n += warn_log(r, "provider", &r->s.theirs[i]);
	for (int i = 0; i < r->s.n_ours; i++)
		if (told(&r->c, i))
			n += warn_log(r, i == 0 ? "ours" : "ours, the next", &r->s.ours[i]);
	return n;
}

int sso_expiry_watch(const struct central *c, int64_t *last, int64_t now)
{
	_cleanup_store_ struct store *db = NULL;
	struct round r = {.rq = {.central = (struct central *)c, .now = now}};
	int n = 0, rc;

	if (*last != 0 && now - *last < DAY)
		return 0;
	rc = store_open(c->config.database, &db);
	while (rc == 0) {
		rc = store_tx(db, STORE_READ, next_tx, &r);
		if (rc < 0)
			break;
		r.after = r.c.id;
		n += one_log(&r);
	}
	sso_connection_clear(&r.c);
	if (rc != -ENOENT)
		return rc;
	*last = now;
	return n;
}
