/* SPDX-License-Identifier: MIT */
/*
 * Threat model. Whoever stands between a client and us may read a request differently from us, and
 * so smuggle a second one in. evhttp is lenient: it takes differing lengths, unknown transfer
 * encodings and names with spaces. So whatever can be read in two ways MUST be refused, and the
 * connection MUST end with it. Chunked bodies are refused whole: no client of this service needs
 * them, and the trailers behind one would pass for headers.
 */
#include <string.h>
#include <strings.h>
#include <event2/keyvalq_struct.h>
#include "http_internal.h"

#define URI_MAX 8192

struct tally {
	int host, length, once;
	bool has_body;
};

static bool token_valid(const char *s)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return *s && s[strspn(s, allowed)] == '\0';
}

static bool value_valid(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 127)
			return false;
	return true;
}

static bool length_valid(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n > 0 && n <= 10 && s[n] == '\0';
}

static const char *check_header(const char *name, const char *value, struct tally *t)
{
	static const char *const once[] = {
	    "authorization", "content-type", "expect", "cookie", "origin", "sec-fetch-site"};

	if (!token_valid(name))
		return "a header's name is malformed";
	if (!value_valid(value))
		return "a header's value has a control character";
	if (strcasecmp(name, "host") == 0 && (t->host++ > 0 || !*value))
		return "there must be one Host header";
	if (strcasecmp(name, "content-length") == 0) {
		if (t->length++ > 0 || !length_valid(value))
			return "the Content-Length header is malformed";
		t->has_body |= value[strspn(value, "0")] != '\0';
	}
	if (strcasecmp(name, "transfer-encoding") == 0)
		return "a body comes with a Content-Length, not with a Transfer-Encoding";
	for (size_t i = 0; i < ARRAY_SIZE(once); i++)
		if (strcasecmp(name, once[i]) == 0) {
			if (t->once & (1 << i))
				return "a header is repeated";
			t->once |= 1 << i;
		}
	return NULL;
}

static const char *check_uri(const char *uri)
{
	if (!uri || uri[0] != '/' || uri[1] == '/' || strlen(uri) > URI_MAX)
		return "the address must begin with one slash";
	for (const char *p = uri; *p; p++)
		if (*p <= ' ' || *p >= 127 || *p == '#')
			return "the address has a character that belongs encoded";
	return NULL;
}

const char *gate_check(struct evhttp_request *ev)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(ev);
	struct tally t = {0};
	const char *why = check_uri(evhttp_request_get_uri(ev));

	for (struct evkeyval *h = headers->tqh_first; h && !why; h = h->next.tqe_next)
		why = check_header(h->key, h->value, &t);
	if (why)
		return why;
	if (t.host != 1)
		return "there must be one Host header";
	if (t.has_body && evhttp_request_get_command(ev) == EVHTTP_REQ_GET)
		return "GET takes no body";
	return NULL;
}
