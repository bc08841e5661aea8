/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "saml.h"
#include "secrets.h"
#include "sso_certificate.h"
#include "sso_internal.h"

int saml_fail(struct saml_fault *f, const char *word, const char *fmt, ...)
{
	va_list ap;

	snprintf(f->word, sizeof(f->word), "%s", word);
	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
	return -EPROTO;
}

void saml_query_clear(struct saml_query *q)
{
	buf_free(&q->key);
	buf_free(&q->other_key);
	buf_free(&q->certificates);
}

int saml_query_secrets(struct tx *t, const struct request *rq, const struct sso_connection *c,
    struct saml_query *q, struct saml_fault *f)
{
	int r;

	saml_query_clear(q);
	buf_init(&q->key, SSO_PEM_MAX);
	buf_init(&q->other_key, SSO_PEM_MAX);
	buf_init(&q->certificates, SSO_PEM_MAX);
	r = sso_secret(t, rq, c, "sp_key", &q->key);
	if (r == 0 && c->other != SSO_OTHER_NONE)
		r = sso_secret(t, rq, c, "sp_other_key", &q->other_key);
	if (r == 0)
		r = sso_secret(t, rq, c, "certificate", &q->certificates);
	if (r == 0)
		r = buf_error(&q->key);
	if (r == 0)
		r = buf_error(&q->other_key);
	if (r == 0)
		r = buf_error(&q->certificates);
	if (r == -ENOENT)
		return saml_fail(f, "configuration", "The connection has no certificate.");
	if (r == -ENOKEY || r == -EKEYREJECTED || r == -EBADMSG)
		return saml_fail(f, "secrets", "%s", secret_error(r));
	return r;
}

/* ---- JSON, written into buffers that are wiped ----------------------------------------------- */

static void put_text(struct buf *b, const char *s)
{
	buf_add_char(b, '"');
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch < 0x20)
			buf_addf(b, "\\u%04x", ch);
		else if (ch == '"' || ch == '\\')
			buf_addf(b, "\\%c", ch);
		else
			buf_add_char(b, (char)ch);
	}
	buf_add_char(b, '"');
}

static void put_member(struct buf *b, const char *name, const char *value)
{
	buf_addf(b, ",\"%s\":", name);
	put_text(b, value);
}

static void put_sp(struct buf *b, const struct request *rq, const struct sso_connection *c,
    const struct saml_query *q)
{
	const char *url = rq->central->config.url;

	buf_addf(b, ",\"sp\":{\"entity_id\":\"%s/sso/%s/metadata\",\"acs\":\"%s/sso/%s/acs\"", url,
	    c->slug, url, c->slug);
	put_member(b, "certificate", c->sp_certificate ? c->sp_certificate : "");
	if (q->key.len)
		put_member(b, "key", buf_str(&q->key));
	if (q->other_key.len)
		put_member(b, "other_key", buf_str(&q->other_key));
	if (c->other == SSO_OTHER_NEXT)
		put_member(b, "next_certificate", c->sp_other_certificate);
	buf_add_char(b, '}');
}

static void put_idp(struct buf *b, const struct sso_connection *c, const struct saml_query *q)
{
	buf_add_str(b, ",\"idp\":{\"about\":\"\"");
	put_member(b, "entity_id", c->issuer);
	put_member(b, "entry_point", c->entry_point);
	put_member(b, "certificates", buf_str(&q->certificates));
	buf_add_char(b, '}');
}

static void put_query(struct buf *b, const struct request *rq, const struct sso_connection *c,
    const struct saml_query *q)
{
	const struct sso_attempt *a = q->a;

	buf_addf(b, "{\"operation\":\"%s\"", q->operation);
	put_sp(b, rq, c, q);
	if (a) {
		put_idp(b, c, q);
		put_member(b, "relay_state", a->state);
		put_member(b, "request_id", a->request_id);
		buf_addf(b, ",\"force_authn\":%s,\"now\":%lld,\"fresh_since\":%lld",
		    a->fresh ? "true" : "false", (long long)rq->now,
		    a->fresh ? (long long)a->created_at : 0);
	}
	if (q->response)
		put_member(b, "response", q->response);
	buf_add_char(b, '}');
}

/* ---- the answer ------------------------------------------------------------------------------ */

static const struct {
	int error;
	const char *word, *text;
} failures[] = {
    {-ENOENT, "helper_missing", "is not there: install the package prism-saml"},
    {-EACCES, "helper_failed", "may not be run"},
    {-ETIMEDOUT, "helper_timeout", "did not answer in time"},
    {-EMSGSIZE, "helper_failed", "answered too much"},
    {-EIO, "helper_failed", "died"},
};

/* Not the browser's fault: an administrator finds it in the log as well. */
static int failed(const char *program, int error, struct saml_fault *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		if (failures[i].error != error)
			continue;
		log_event(LOG_LEVEL_ERROR, "saml_helper", "program", "%s", program, "problem", "%s",
		    failures[i].text, NULL);
		return saml_fail(f, failures[i].word, "%s %s.", program, failures[i].text);
	}
	return error;
}

/*
 * Certificates that have ended still count: they are the owner's word for a key, not an
 * authority's. But where all have, and a signature is by another, the provider has changed its own.
 */
static void explain_end(const struct request *rq, const struct saml_query *q, struct saml_fault *f)
{
	char day[CLOCK_TEXT], was[sizeof(f->detail)];

	if (strcmp(f->word, "unknown_certificate") != 0 && strcmp(f->word, "bad_signature") != 0)
		return;
	if (!sso_certificates_expired(buf_str(&q->certificates), rq->now, day))
		return;
	memcpy(was, f->detail, sizeof(was));
	saml_fail(
	    f, "expired_certificate", "The connection's certificate expired on %s. %s", day, was);
}

static int refused(const json_t *answer, const char *word, struct saml_fault *f)
{
	const char *text = json_string_value(json_object_get(answer, "text"));
	const char *value = json_string_value(json_object_get(answer, "value"));

	return saml_fail(
	    f, word, "%s%s%s", value ? value : "", value ? ": " : "", text ? text : "");
}

int saml_ask(const struct request *rq, const struct sso_connection *c, const struct saml_query *q,
    json_t **ret, struct saml_fault *f)
{
	_cleanup_buf_ struct buf in = BUF_INIT(SAML_REQUEST_MAX);
	_cleanup_buf_ struct buf out = BUF_INIT(SAML_ANSWER_MAX);
	const char *program = rq->central->config.saml_helper, *word;

	put_query(&in, rq, c, q);
	if (buf_error(&in) == -EMSGSIZE)
		return saml_fail(f, "too_large", "More came than prism-saml takes.");
	int r = buf_error(&in);
	if (r == 0)
		r = saml_run(program, &in, SAML_TIMEOUT_MS, &out);
	if (r < 0)
		return failed(program, r, f);
	json_auto_t *answer = json_loadb(buf_str(&out), out.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(answer))
		return failed(program, -EIO, f);
	word = json_string_value(json_object_get(answer, "fault"));
	if (word) {
		refused(answer, word, f);
		explain_end(rq, q, f);
		return -EPROTO;
	}
	*ret = json_incref(answer);
	return 0;
}
