/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/encode.h"
#include "browser.h"
#include "html.h"
#include "saml.h"
#include "sso_share.h"

/* A form's base64 has line ends as well. */
#define RESPONSE_TEXT_MAX (BASE64_LEN(SAML_RESPONSE_MAX) * 21 / 20)

/* ---- there ----------------------------------------------------------------------------------- */

struct start {
	struct request *rq;
	const struct sso_connection *c;
	struct saml_query q;
	struct saml_fault f;
};

static int secrets_tx(struct tx *t, void *arg)
{
	struct start *s = arg;

	return saml_query_secrets(t, s->rq, s->c, &s->q, &s->f);
}

/* sso_flow_start() wants words that live on; the sentence goes to the audit with what it refuses.
 */
static const char *start_word(const struct saml_fault *f)
{
	static const char *const words[] = {
	    "configuration", "secrets", "helper_missing", "helper_timeout", "helper_failed"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i], f->word))
			return words[i];
	return "start";
}

static int take_request(const json_t *answer, struct sso_attempt *a, struct buf *url)
{
	const char *address = json_string_value(json_object_get(answer, "url"));
	const char *id = json_string_value(json_object_get(answer, "request_id"));

	if (!address || !id || !*id || strlen(id) >= sizeof(a->request_id))
		return -EPROTO;
	snprintf(a->request_id, sizeof(a->request_id), "%s", id);
	buf_add_str(url, address);
	return 0;
}

static int start(struct request *rq, const struct sso_connection *c, struct sso_attempt *a,
    struct buf *url, struct sso_fault *fault)
{
	struct start s = {.rq = rq, .c = c, .q = {.operation = "authn", .a = a}};
	json_auto_t *answer = NULL;
	int r = store_tx(rq->db, STORE_READ, secrets_tx, &s);

	if (r == 0)
		r = saml_ask(rq, c, &s.q, &answer, &s.f);
	saml_query_clear(&s.q);
	if (r == 0)
		r = take_request(answer, a, url);
	if (r == -EPROTO) {
		fault->word = start_word(&s.f);
		snprintf(fault->detail, sizeof(fault->detail), "%.*s", SSO_DETAIL_MAX, s.f.detail);
	}
	return r;
}

const struct sso_provider sso_saml = {.start = start};

/* ---- and back -------------------------------------------------------------------------------- */

struct acs {
	struct request *rq;
	struct sso_connection c;
	struct sso_attempt a;
	struct saml_query q;
	struct saml_fault f;
	json_t *answer;
	char *said; /* packed */
};

static void acs_release(struct acs *s)
{
	sso_connection_clear(&s->c);
	sso_attempt_clear(&s->a);
	saml_query_clear(&s->q);
	json_decref(s->answer);
	free(s->said);
}

static int peek_tx(struct tx *t, void *arg)
{
	struct acs *s = arg;
	int r;

	sso_attempt_clear(&s->a);
	r = sso_attempt_peek(t, s->rq, &s->c, request_form(s->rq, "RelayState"), &s->a);
	if (r == -ENOENT)
		return saml_fail(&s->f, "state", "unknown, answered already, or over");
	return r < 0 ? r : saml_query_secrets(t, s->rq, &s->c, &s->q, &s->f);
}

/* Before anything is looked up: is there something to look at? */
static int acs_form(struct acs *s)
{
	const char *state = request_form(s->rq, "RelayState");

	s->q.operation = "consume";
	s->q.response = request_form_lines(s->rq, "SAMLResponse");
	s->q.a = &s->a;
	if (!s->q.response || !*s->q.response)
		return saml_fail(&s->f, "malformed", "The form has no SAMLResponse.");
	if (strlen(s->q.response) > RESPONSE_TEXT_MAX)
		return saml_fail(&s->f, "too_large", "The response is too large.");
	if (!state || !*state)
		return saml_fail(&s->f, "unsolicited", "Logins begin here, not at the provider.");
	return 0;
}

static int keep_tx(struct tx *t, void *arg)
{
	struct acs *s = arg;
	const char *id = json_string_value(json_object_get(s->answer, "assertion_id"));
	int64_t end = json_integer_value(json_object_get(s->answer, "not_on_or_after"));
	char what[SAML_SUBJECT_MAX + 16];
	int r;

	snprintf(what, sizeof(what), "assertion %s", id ? id : "");
	r = sso_seen(t, s->c.id, what, end + SAML_SKEW + 1, s->rq->now);
	if (r == -EEXIST)
		return saml_fail(&s->f, "replayed", "This assertion was taken before.");
	if (r == 0)
		r = sso_attempt_fill(t, s->rq, s->a.id, s->said);
	if (r == -ENOENT)
		return saml_fail(&s->f, "state", "answered meanwhile, or over");
	return r;
}

static int acs_run(struct acs *s)
{
	_cleanup_sso_assertion_ struct sso_assertion said = {0};
	int r = acs_form(s);

	if (r == 0)
		r = store_tx(s->rq->db, STORE_READ, peek_tx, s);
	if (r == 0)
		r = saml_ask(s->rq, &s->c, &s->q, &s->answer, &s->f);
	saml_query_clear(&s->q);
	if (r == 0)
		r = saml_person(&s->c, s->answer, &said, &s->f);
	if (r < 0)
		return r;
	s->said = sso_assertion_pack(&said);
	return s->said ? store_tx(s->rq->db, STORE_WRITE, keep_tx, s) : -ENOMEM;
}

/* The state is ID.RANDOM in base64url: it can stand in an address as it is. */
static void go_on(const struct acs *s, struct reply *rp)
{
	char path[sizeof("/sso//finish?state=") + sizeof(s->c.slug) + sizeof(s->a.state)];

	snprintf(path, sizeof(path), "/sso/%s/finish?state=%s", s->c.slug, s->a.state);
	reply_redirect(rp, path);
	reply_header(rp, "Referrer-Policy", "no-referrer");
}

void saml_acs(struct request *rq, struct reply *rp)
{
	_cleanup_(acs_release) struct acs s = {.rq = rq};

	if (sso_flow_limited(rq, rp, false))
		return;
	int r = sso_flow_connection(rq, SSO_SAML, &s.c);
	if (r < 0) {
		sso_flow_no_connection(rq, rp, r);
		return;
	}
	if (!sso_share_take(rq, rp, s.c.org))
		return;
	r = acs_run(&s);
	sso_share_return(rq, s.c.org);
	if (r == -EPROTO)
		sso_flow_refuse(rq, rp, &s.c, s.f.word, s.f.detail);
	else if (r < 0)
		reply_errno(rp, r);
	else
		go_on(&s, rp);
}

/* ---- the browser that began it --------------------------------------------------------------- */

static int take_tx(struct tx *t, void *arg)
{
	struct acs *s = arg;

	sso_attempt_clear(&s->a);
	return sso_attempt_take(t, s->rq, &s->c, request_query(s->rq, "state"), &s->a);
}

/* One that waits for its person to agree (sso_flow_link_post) has no request. */
static int finish_run(struct acs *s, struct sso_assertion *said)
{
	int r = store_tx(s->rq->db, STORE_WRITE, take_tx, s);

	if (r == 0 && (!s->a.assertion || !s->a.request_id[0]))
		r = -ENOENT;
	if (r == 0)
		r = sso_assertion_unpack(s->a.assertion, said);
	if (r == 0 && said->connection != s->c.id)
		r = -ENOENT;
	if (r == -ENOENT || r == -EBADMSG)
		return saml_fail(&s->f, "state", "unknown, used, over or another browser's");
	return r;
}

void saml_finish(struct request *rq, struct reply *rp)
{
	_cleanup_(acs_release) struct acs s = {.rq = rq};
	_cleanup_sso_assertion_ struct sso_assertion said = {0};

	if (sso_flow_limited(rq, rp, false))
		return;
	int r = sso_flow_connection(rq, SSO_SAML, &s.c);
	if (r < 0) {
		sso_flow_no_connection(rq, rp, r);
		return;
	}
	if (!sso_share_take(rq, rp, s.c.org))
		return;
	r = finish_run(&s, &said);
	if (r == -EPROTO)
		sso_flow_refuse(rq, rp, &s.c, s.f.word, s.f.detail);
	else if (r < 0)
		reply_errno(rp, r);
	else
		sso_flow_finish(rq, rp, &s.c, &s.a, &said);
	sso_share_return(rq, s.c.org);
}

/* ---- our metadata ---------------------------------------------------------------------------- */

static int find_tx(struct tx *t, void *arg)
{
	struct acs *s = arg;
	struct sso_connection c;
	int r = sso_connection_find(t, s->rq->arg[0], &c);

	if (r < 0)
		return r;
	sso_connection_clear(&s->c);
	s->c = c;
	return 0;
}

static void metadata_reply(const struct acs *s, struct reply *rp)
{
	const char *xml = json_string_value(json_object_get(s->answer, "xml"));
	char *copy = xml ? strdup(xml) : NULL;

	if (!copy) {
		reply_errno(rp, -ENOMEM);
		return;
	}
	reply_bytes(rp, "application/samlmetadata+xml", copy, strlen(copy), free, copy);
	reply_header(rp, "Content-Disposition", "attachment; filename=\"%s.xml\"", s->c.slug);
}

/* The provider needs it before the connection can be used, so it need not be enabled. */
void saml_metadata(struct request *rq, struct reply *rp)
{
	_cleanup_(acs_release) struct acs s = {.rq = rq, .q = {.operation = "metadata"}};

	if (!rq->again && sso_flow_limited(rq, rp, true))
		return;
	int r = store_tx(rq->db, STORE_READ, find_tx, &s);
	if (r == 0 && s.c.type != SSO_SAML)
		r = -ENOENT;
	if (r < 0) {
		sso_flow_no_connection(rq, rp, r);
		return;
	}
	if (!sso_share_take(rq, rp, s.c.org))
		return;
	r = saml_ask(rq, &s.c, &s.q, &s.answer, &s.f);
	sso_share_return(rq, s.c.org);
	if (r == -EPROTO)
		page_error(rq, rp, 503, "No metadata",
		    "The part of the service that speaks SAML does not answer: its administrator "
		    "finds "
		    "out more in the log.");
	else if (r < 0)
		reply_errno(rp, r);
	else
		metadata_reply(&s, rp);
}
