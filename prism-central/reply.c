/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/secret.h"
#include "http.h"

static void headers_drop(struct reply *rp)
{
	/* A cookie, or an address with a code in it. */
	for (size_t i = 0; i < rp->nheaders; i++)
		secret_free(rp->headers[i].value);
	rp->nheaders = 0;
	rp->broken = false;
}

/* Everything but the headers. */
static void reply_drop(struct reply *rp)
{
	struct reply kept = {.nheaders = rp->nheaders, .broken = rp->broken};

	memcpy(kept.headers, rp->headers, sizeof(kept.headers));
	json_decref(rp->json);
	if (rp->release)
		rp->release(rp->release_arg);
	*rp = kept;
}

void reply_release(struct reply *rp)
{
	headers_drop(rp);
	reply_drop(rp);
}

static bool header_clean(const char *s)
{
	while (*s && (unsigned char)*s >= ' ' && *s != 127)
		s++;
	return !*s;
}

void reply_header(struct reply *rp, const char *name, const char *fmt, ...)
{
	_cleanup_secret_ char *value = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (n < 0)
		value = NULL;
	if (!value || !header_clean(value) || rp->nheaders == REPLY_HEADERS) {
		rp->broken = true;
		return;
	}
	rp->headers[rp->nheaders++] = (struct reply_header){name, TAKE_PTR(value)};
}

const char *reply_header_value(const struct reply *rp, const char *name)
{
	for (size_t i = 0; i < rp->nheaders; i++)
		if (strcasecmp(rp->headers[i].name, name) == 0)
			return rp->headers[i].value;
	return NULL;
}

void reply_redirect(struct reply *rp, const char *location)
{
	reply_drop(rp);
	reply_header(rp, "Location", "%s", location);
	rp->status = 303;
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
	reply_release(rp);
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
	reply_release(rp);
	snprintf(rp->topic_, sizeof(rp->topic_), "%s", topic);
	rp->topic = rp->topic_;
	rp->park_ms = ms > 0 ? ms : 0;
}
