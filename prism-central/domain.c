/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <openssl/sha.h>
#include "base/clock.h"
#include "base/encode.h"
#include "base/num.h"
#include "domain.h"
#include "host_feed.h"

int act_fail(struct act *a, enum api_error e, const char *fmt, ...)
{
	a->error = e;
	a->why[0] = '\0';
	if (fmt) {
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(a->why, sizeof(a->why), fmt, ap);
		va_end(ap);
	}
	return -ECANCELED;
}

static int act_tx(struct tx *t, void *arg)
{
	struct act *a = arg;
	a->error = API_OK;
	a->why[0] = '\0';
	json_decref(a->json);
	a->json = NULL;
	if (a->rq->route) {
		int r = authz_check(t, a->rq, &a->authz, &a->error);
		if (r < 0)
			return r;
	}
	return a->fn(t, a);
}

int act_do(struct act *a, enum store_mode mode)
{
	int r = store_tx(a->rq->db, mode, act_tx, a);
	if (!r && mode == STORE_WRITE)
		feed_wake_all(a->rq->central);
	return r;
}

void act_reply(struct act *a, int outcome, struct reply *rp)
{
	if (outcome == -ECANCELED && a->why[0])
		reply_error(rp, a->error, "%s", a->why);
	else if (outcome == -ECANCELED)
		reply_error(rp, a->error, NULL);
	else if (outcome)
		reply_errno(rp, outcome);
	else if (a->status == 204)
		reply_none(rp);
	else
		reply_json(rp, a->status, TAKE_PTR(a->json));
	json_decref(a->json);
	a->json = NULL;
}

void act_run(struct act *a, enum store_mode mode, struct reply *rp)
{
	act_reply(a, act_do(a, mode), rp);
}

struct principal principal_user(int64_t user, const char *username)
{
	struct principal who = {.kind = PRINCIPAL_USER, .id = user};

	snprintf(who.name, sizeof(who.name), "%s", username ? username : "");
	return who;
}

struct request request_as(const struct request *rq, int64_t user, const char *username)
{
	struct request as = *rq;

	explicit_bzero(&as.browser, sizeof(as.browser));
	as.who = principal_user(user, username);
	return as;
}

json_t *json_time(int64_t t)
{
	char text[CLOCK_TEXT];
	if (!t)
		return json_null();
	clock_format(t, text);
	return json_string(text);
}

json_t *json_id(int64_t id)
{
	char text[24];
	snprintf(text, sizeof(text), "%lld", (long long)id);
	return json_string(text);
}

json_t *json_text(const char *s)
{
	return s ? json_string(s) : json_null();
}

bool body_string(const struct request *rq, const char *name, const char **ret)
{
	const json_t *v = json_object_get(rq->body, name);
	*ret = NULL;
	if (!v || json_is_null(v))
		return true;
	if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
		return false;
	*ret = json_string_value(v);
	return true;
}

/* DEL and the C1 controls (U+0080 to U+009F: C2 80 to C2 9F) count as well. */
bool text_valid(const char *s, size_t max)
{
	size_t chars = 0;
	for (; *s; s++) {
		unsigned char c = (unsigned char)s[0], d = (unsigned char)s[1];
		if (c < 0x20 || c == 0x7f || (c == 0xc2 && d >= 0x80 && d < 0xa0))
			return false;
		if ((c & 0xc0) != 0x80 && ++chars > max)
			return false;
	}
	return true;
}

void row_copy(struct rows *r, int col, char *out, size_t size)
{
	const char *s = row_text(r, col);
	snprintf(out, size, "%s", s ? s : "");
}

int64_t arg_id(const struct request *rq, int n)
{
	int64_t id = 0;
	if (!rq->arg[n] || num_parse_i64(rq->arg[n], &id) < 0 || id < 0)
		return 0;
	return id;
}

void sha256_hex(const void *p, size_t n, char out[65])
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	SHA256(p, n, hash);
	hex_encode(hash, sizeof(hash), out);
}
