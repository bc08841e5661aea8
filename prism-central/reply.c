/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "http.h"

static void reply_drop(struct reply *rp)
{
	json_decref(rp->json);
	if (rp->release)
		rp->release(rp->release_arg);
	*rp = (struct reply){0};
}

void reply_json(struct reply *rp, int status, json_t *json)
{
	if (!json) {
		reply_error(rp, API_INTERNAL, NULL);
		return;
	}
	reply_drop(rp);
	rp->status = status;
	rp->json = json;
}

void reply_none(struct reply *rp)
{
	reply_drop(rp);
	rp->status = 204;
}

void reply_bytes(struct reply *rp, const char *type, const void *p, size_t n,
    void (*release)(void *), void *release_arg)
{
	reply_drop(rp);
	rp->status = 200;
	rp->type = type;
	rp->bytes = p;
	rp->len = n;
	rp->release = release;
	rp->release_arg = release_arg;
}

void reply_error(struct reply *rp, enum api_error e, const char *fmt, ...)
{
	const struct api_error_info *info = api_error_info(e);
	char message[512];
	unsigned retry_after = rp->retry_after;

	if (fmt) {
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(message, sizeof(message), fmt, ap);
		va_end(ap);
	} else {
		snprintf(message, sizeof(message), "%s", info->message);
	}
	reply_drop(rp);
	rp->status = info->status;
	rp->retry_after = retry_after;
	/* A message that carries a caller's text may be cut inside a character. */
	json_t *text = json_string(message);
	if (!text)
		text = json_string(info->message);
	rp->json = json_pack("{s:{s:s, s:o, s:s}}", "error", "code", info->code, "message", text,
	    "hint", info->hint);
}

void reply_errno(struct reply *rp, int error)
{
	switch (error < 0 ? -error : error) {
	case EBUSY:
	case ENOMEM:
	case EAGAIN:
		rp->retry_after = 1;
		reply_error(rp, API_UNAVAILABLE, NULL);
		break;
	default:
		reply_error(rp, API_INTERNAL, NULL);
	}
}

void reply_park(struct reply *rp, const char *topic, int64_t ms)
{
	reply_drop(rp);
	snprintf(rp->topic_, sizeof(rp->topic_), "%s", topic);
	rp->topic = rp->topic_;
	rp->park_ms = ms > 0 ? ms : 0;
}
