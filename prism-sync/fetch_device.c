/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/attr.h"
#include "base/encode.h"
#include "feed/login.h"
#include "fetch_device.h"

#define FORM_MAX 4096
#define GRANT	 "urn:ietf:params:oauth:grant-type:device_code"

static void json_freep(json_t **j)
{
	json_decref(*j);
}

static bool text_of(const json_t *j, const char *key, char *out, size_t size)
{
	const char *s = json_string_value(json_object_get(j, key));
	const size_t n = s ? strlen(s) : size;

	if (n >= size)
		return false;
	memcpy(out, s, n + 1);
	return true;
}

static int read_device(const struct http_response *r, struct device *ret)
{
	_cleanup_(json_freep) json_t *j = http_response_json(r);
	struct device d = {.interval_s = json_integer_value(json_object_get(j, "interval")),
	    .expires_s = json_integer_value(json_object_get(j, "expires_in"))};
	const bool ok = text_of(j, "device_code", d.code, sizeof(d.code)) &&
			text_of(j, "user_code", d.user_code, sizeof(d.user_code)) &&
			text_of(j, "verification_uri", d.url, sizeof(d.url)) && d.expires_s > 0;

	text_of(j, "verification_uri_complete", d.url_complete, sizeof(d.url_complete));
	if (d.interval_s < 1 || d.interval_s > 300)
		d.interval_s = 5;
	if (ok)
		*ret = d;
	explicit_bzero(&d, sizeof(d));
	return ok ? 0 : -EBADMSG;
}

/* The error that an OAuth endpoint gives, or "". */
static void error_of(const struct http_response *r, char *out, size_t size)
{
	_cleanup_(json_freep) json_t *j = http_response_json(r);

	if (!text_of(j, "error", out, size))
		out[0] = '\0';
}

static int begin_error(const struct http_response *r, struct central_answer *a)
{
	char error[64];

	error_of(r, error, sizeof(error));
	if (strcmp(error, "access_denied") == 0) {
		snprintf(a->why, sizeof(a->why), "the service knows nobody of this name here");
		return -ENOENT;
	}
	if (r->status == 429 || strcmp(error, "slow_down") == 0) {
		snprintf(a->why, sizeof(a->why), "the service says that there are too many");
		return -EUSERS;
	}
	return central_status_error(r, "beginning a login", a);
}

int device_begin(struct central *c, const struct device_login *l, struct device *ret,
    struct central_answer *answer)
{
	_cleanup_buf_ struct buf form = BUF_INIT(FORM_MAX);
	struct central_request rq = {.method = "POST", .path = "/oauth2/device_authorization"};
	struct http_response r;
	char life[16];

	snprintf(life, sizeof(life), "%" PRIu32, l->life_s);
	http_form_add(&form, "client_id", "prism-host");
	http_form_add(&form, "login_hint", l->user);
	http_form_add(&form, "service", l->service);
	http_form_add(&form, "origin", l->origin);
	http_form_add(&form, "nonce", l->nonce_hex);
	http_form_add(&form, "life", life);
	if (buf_error(&form) != 0)
		return buf_error(&form);
	rq.form = buf_str(&form);
	http_response_init(&r, CENTRAL_SMALL);
	int rc = central_request(c, &rq, &r, answer);

	if (rc == 0)
		rc = r.status == 200 ? read_device(&r, ret) : begin_error(&r, answer);
	http_response_free(&r);
	return rc;
}

static int read_statement(const struct http_response *r, struct buf *statement)
{
	_cleanup_(json_freep) json_t *j = http_response_json(r);
	const char *text = json_string_value(json_object_get(j, "prism_login"));
	uint8_t raw[LOGIN_MAX];
	const ssize_t n = text ? base64url_decode(text, strlen(text), raw, sizeof(raw)) : -EINVAL;

	if (n < 0)
		return -EBADMSG;
	buf_add(statement, raw, (size_t)n);
	return buf_error(statement);
}

static int redeem_error(const struct http_response *r, struct central_answer *a)
{
	static const struct {
		const char *word;
		int rc;
	} errors[] = {{"authorization_pending", -EINPROGRESS}, {"slow_down", -EBUSY},
	    {"access_denied", -EPERM}, {"expired_token", -ETIMEDOUT}, {"invalid_grant", -ENOKEY}};
	char error[64];

	error_of(r, error, sizeof(error));
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (strcmp(error, errors[i].word) == 0)
			return errors[i].rc;
	return central_status_error(r, "redeeming a login", a);
}

int device_redeem(
    struct central *c, const char *code, struct buf *statement, struct central_answer *answer)
{
	_cleanup_buf_ struct buf form = BUF_INIT(FORM_MAX);
	struct central_request rq = {.method = "POST", .path = "/oauth2/token"};
	struct http_response r;

	http_form_add(&form, "grant_type", GRANT);
	http_form_add(&form, "client_id", "prism-host");
	http_form_add(&form, "device_code", code);
	if (buf_error(&form) != 0)
		return buf_error(&form);
	rq.form = buf_str(&form);
	http_response_init(&r, CENTRAL_SMALL);
	int rc = central_request(c, &rq, &r, answer);

	if (rc == -ETIMEDOUT)
		rc = -ECONNABORTED;
	else if (rc == 0)
		rc = r.status == 200 ? read_statement(&r, statement) : redeem_error(&r, answer);
	http_response_free(&r);
	return rc;
}

int device_end(struct central *c, const char *code, struct central_answer *answer)
{
	_cleanup_buf_ struct buf form = BUF_INIT(FORM_MAX);
	struct central_request rq = {.method = "POST", .path = "/oauth2/revoke"};
	struct http_response r;

	http_form_add(&form, "client_id", "prism-host");
	http_form_add(&form, "token", code);
	if (buf_error(&form) != 0)
		return buf_error(&form);
	rq.form = buf_str(&form);
	http_response_init(&r, CENTRAL_SMALL);
	int rc = central_request(c, &rq, &r, answer);

	if (rc == 0 && r.status != 200)
		rc = central_status_error(&r, "ending a login", answer);
	http_response_free(&r);
	return rc;
}

static int read_answered(const struct http_response *r, int64_t *after,
    void (*take)(void *arg, const uint8_t hash[32]), void *arg)
{
	_cleanup_(json_freep) json_t *j = http_response_json(r);
	const json_t *now = json_object_get(j, "now"), *item;
	const json_t *list = json_object_get(j, "answered");
	size_t i;

	if (!json_is_integer(now) || !json_is_array(list))
		return -EBADMSG;
	*after = json_integer_value(now);
	json_array_foreach(list, i, item)
	{
		const char *hex = json_string_value(item);
		uint8_t hash[32];

		if (hex && hex_decode(hex, strlen(hex), hash, sizeof(hash)) == sizeof(hash))
			take(arg, hash);
	}
	return 0;
}

int device_answered(struct central *c, long wait_seconds, int64_t *after,
    void (*take)(void *arg, const uint8_t hash[32]), void *arg, struct central_answer *answer)
{
	char path[128];
	const struct central_request rq = {
	    .method = "GET", .path = path, .extra_ms = wait_seconds * 1000};
	struct http_response r;

	snprintf(path, sizeof(path), CENTRAL_PATH "logins?wait=%ld&after=%" PRId64, wait_seconds,
	    *after);
	http_response_init(&r, CENTRAL_SMALL);
	int rc = central_request(c, &rq, &r, answer);

	if (rc == 0)
		rc = r.status == 200
			 ? read_answered(&r, after, take, arg)
			 : central_status_error(&r, "asking for answered logins", answer);
	http_response_free(&r);
	return rc;
}
