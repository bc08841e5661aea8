/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "api/http_client.h"
#include "api/jws.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/secret.h"
#include "base/wire.h"
#include "advice.h"
#include "feed/feed.h"
#include "fetch_central.h"

#define REQUEST_MS     20000
#define QUICK_MS       4000
#define QUICK_CONNECT  2000
#define ASSERTION_LIFE 120
/* An access token is renewed when two thirds of its life are over. */
#define RENEW_NUM      2
#define RENEW_DEN      3

struct central {
	struct http_client *http;
	const struct identity *identity;
	struct central_token *token;
	pthread_mutex_t *lock;
	char used[256]; /* the token of the last request */
	size_t max_feed;
};

static void json_freep(json_t **j)
{
	json_decref(*j);
}

int central_new(const struct config *c, const struct identity *id, struct central_token *token,
    pthread_mutex_t *lock, enum central_pace pace, struct central **ret)
{
	_cleanup_free_ struct central *new = calloc(1, sizeof(*new));
	struct http_options o = {
	    .url = id->url,
	    .pin = id->pin,
	    .ca_file = c->ca_file[0]	? c->ca_file
		       : id->ca_file[0] ? id->ca_file
					: NULL,
	    .proxy = c->proxy_given ? c->proxy : NULL,
	    .user_agent = "prism-sync/" PRISM_VERSION,
	    .timeout_ms = pace == CENTRAL_QUICK ? QUICK_MS : REQUEST_MS,
	    .connect_ms = pace == CENTRAL_QUICK ? QUICK_CONNECT : 0,
	};

	if (new == NULL)
		return -ENOMEM;
	new->identity = id;
	new->token = token;
	new->lock = lock;
	new->max_feed = (size_t)c->max_feed_mb << 20;
	int rc = http_client_new(&o, &new->http);

	if (rc < 0)
		return rc;
	*ret = TAKE_PTR(new);
	return 0;
}

void central_free(struct central *c)
{
	if (c == NULL)
		return;
	http_client_free(c->http);
	explicit_bzero(c->used, sizeof(c->used));
	free(c);
}

/* ---- the access token ------------------------------------------------------------------------ */

static int make_assertion(const struct central *c, int64_t now, struct buf *out)
{
	uint8_t random[16];
	char jti[HEX_LEN(sizeof(random)) + 1], aud[600];
	int rc = secret_random(random, sizeof(random));

	if (rc < 0)
		return rc;
	hex_encode(random, sizeof(random), jti);
	snprintf(aud, sizeof(aud), "%s/oauth2/token", c->identity->url);
	_cleanup_(json_freep) json_t *claims = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "iss",
	    c->identity->host_id, "sub", c->identity->host_id, "aud", aud, "iat", (json_int_t)now,
	    "exp", (json_int_t)(now + ASSERTION_LIFE), "jti", jti);

	if (claims == NULL)
		return -ENOMEM;
	return jws_make("JWT", claims, c->identity->seed, out);
}

static int keep_token(struct central *c, const struct http_response *r)
{
	_cleanup_(json_freep) json_t *j = http_response_json(r);
	const char *text = json_string_value(json_object_get(j, "access_token"));
	json_int_t life = json_integer_value(json_object_get(j, "expires_in"));

	if (text == NULL || strlen(text) >= sizeof(c->token->text) || life <= 0)
		return -EBADMSG;
	memcpy(c->token->text, text, strlen(text) + 1);
	c->token->until_ms = clock_mono_ms() + (int64_t)life * 1000 * RENEW_NUM / RENEW_DEN;
	return 0;
}

static void explain(struct central_answer *a, const struct http_response *r, const char *what)
{
	if (r->date != 0)
		a->date = r->date;
	const char *advice = advice_for(r->trouble);

	if (r->status == 0)
		snprintf(a->why, sizeof(a->why), "%s%s%s", r->why, advice[0] ? " " : "", advice);
	else
		snprintf(a->why, sizeof(a->why), "%s: the service answered with status %ld", what,
		    r->status);
}

/*
 * The service's clock counts for the assertion: a host whose own is wrong would be locked out by
 * it, and the answer to the first, refused attempt carries the right time.
 */
static int ask_token(struct central *c, int64_t now, struct http_response *r)
{
	_cleanup_buf_ struct buf assertion = BUF_INIT(JWS_MAX + 1), form = BUF_INIT(2 * JWS_MAX);
	int rc = make_assertion(c, now, &assertion);

	if (rc < 0)
		return rc;
	buf_addf(&form,
	    "grant_type=client_credentials&client_assertion_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3A"
	    "client-assertion-type%%3Ajwt-bearer&client_assertion=%s",
	    buf_str(&assertion));
	return buf_error(&form) != 0
		   ? buf_error(&form)
		   : http_request_form(c->http, "/oauth2/token", buf_str(&form), r);
}

static int refused(long status)
{
	return status == 400 || status == 401 || status == 403 ? -EACCES : -EAGAIN;
}

/* With the lock held: the other thread waits for this one's token instead of asking twice. */
static int new_token(struct central *c, struct central_answer *a)
{
	int64_t now = clock_now(), skew = 0;
	int rc = -EACCES;

	for (int i = 0; i < 2 && rc == -EACCES; i++) {
		struct http_response r;

		http_response_init(&r, CENTRAL_SMALL);
		rc = ask_token(c, now + skew, &r);
		if (rc < 0 || r.status != 200)
			explain(a, &r, "getting an access token");
		if (rc == 0)
			rc = r.status == 200 ? keep_token(c, &r) : refused(r.status);
		skew = r.date != 0 ? r.date - now : 0;
		http_response_free(&r);
		if (skew > -30 && skew < 30)
			break;
	}
	return rc;
}

static int not_known(struct central_answer *a)
{
	snprintf(a->why, sizeof(a->why),
	    "the central service does not know this host (any more): enrol it again");
	return -EACCES;
}

/* "renew": the one used last was refused; unless the other thread has got a new one since. */
static int use_token(struct central *c, bool renew, struct central_answer *a)
{
	int rc = 0;

	pthread_mutex_lock(c->lock);
	if (clock_mono_ms() >= c->token->until_ms ||
	    (renew && strcmp(c->token->text, c->used) == 0))
		rc = new_token(c, a);
	if (rc == 0) {
		memcpy(c->used, c->token->text, sizeof(c->used));
		rc = http_client_set_token(c->http, c->used);
	}
	pthread_mutex_unlock(c->lock);
	return rc;
}

static int send_request(
    struct central *c, const struct central_request *rq, struct http_response *r)
{
	if (rq->form != NULL)
		return http_request_form(c->http, rq->path, rq->form, r);
	return http_request(c->http, rq->method, rq->path, rq->body, rq->extra_ms, r);
}

int central_request(struct central *c, const struct central_request *rq, struct http_response *r,
    struct central_answer *a)
{
	for (int attempt = 0;; attempt++) {
		int rc = use_token(c, attempt > 0, a);

		if (rc == -EACCES)
			return not_known(a);
		if (rc == 0)
			rc = send_request(c, rq, r);
		if (rc < 0 && a->why[0] == '\0')
			explain(a, r, rq->method);
		if (rc < 0)
			return rc;
		if (r->date != 0)
			a->date = r->date;
		if (r->status != 401 || attempt > 0)
			return 0;
		size_t max = r->body.max;

		http_response_free(r);
		http_response_init(r, max);
	}
}

/* ---- requests -------------------------------------------------------------------------------- */

static int give_frames(
    const struct http_response *r, int (*frame)(void *arg, const void *msg, size_t len), void *arg)
{
	struct wire w;

	wire_init(&w, r->body.data, r->body.len);
	while (wire_left(&w) > 0) {
		uint32_t n = wire_u32(&w);
		const uint8_t *msg = wire_bytes(&w, n);

		if (!wire_ok(&w))
			return -EBADMSG;
		int rc = frame(arg, msg, n);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int central_status_error(const struct http_response *r, const char *what, struct central_answer *a)
{
	explain(a, r, what);
	if (r->status == 401 || r->status == 403 || r->status == 404)
		return not_known(a);
	return r->status == 400 || r->status == 413 ? -EINVAL : -EAGAIN;
}

int central_poll(struct central *c, const char *query, long wait_seconds,
    int (*frame)(void *arg, const void *msg, size_t len), void *arg, struct central_answer *ret)
{
	char path[20000];
	struct http_response r;

	snprintf(path, sizeof(path), CENTRAL_PATH "feed?%s&wait=%ld", query, wait_seconds);
	/* A long message comes alone, behind its length. */
	http_response_init(&r, c->max_feed + 4);
	const struct central_request rq = {
	    .method = "GET", .path = path, .extra_ms = wait_seconds * 1000};
	int rc = central_request(c, &rq, &r, ret);

	if (rc == 0)
		rc = r.status == 200 ? give_frames(&r, frame, arg)
				     : central_status_error(&r, "polling", ret);
	if (rc == -EBADMSG)
		snprintf(
		    ret->why, sizeof(ret->why), "the service's answer is cut off or malformed");
	if (rc == -EMSGSIZE)
		snprintf(ret->why, sizeof(ret->why),
		    "the service's answer is longer than max_feed_mb of prism.conf, %lu",
		    (unsigned long)(c->max_feed >> 20));
	http_response_free(&r);
	return rc;
}

int central_report(struct central *c, const void *json, size_t len, struct central_answer *ret)
{
	_cleanup_(json_freep) json_t *j = json_loadb(json, len, 0, NULL);
	struct http_response r;

	if (j == NULL)
		return -EINVAL;
	http_response_init(&r, CENTRAL_SMALL);
	const struct central_request rq = {
	    .method = "POST", .path = CENTRAL_PATH "report", .body = j};
	int rc = central_request(c, &rq, &r, ret);

	if (rc == 0 && r.status / 100 != 2)
		rc = central_status_error(&r, "reporting", ret);
	http_response_free(&r);
	return rc;
}
