/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <arpa/inet.h>
#include <event2/keyvalq_struct.h>
#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/secret.h"
#include "html.h"
#include "http_internal.h"
#include "oauth.h"

#define JSON_DEPTH_MAX	16
#define JSON_VALUES_MAX 131072 /* twice the ids that a host may report */

/* ---- copying --------------------------------------------------------------------------------- */

static int copy_headers(struct job *j, struct evkeyvalq *from)
{
	size_t n = 0, bytes = 0;

	for (struct evkeyval *h = from->tqh_first; h; h = h->next.tqe_next, n++)
		bytes += strlen(h->key) + strlen(h->value) + 2;
	j->headers.v = calloc(n + 1, sizeof(*j->headers.v));
	j->head = malloc(bytes + 1);
	if (!j->headers.v || !j->head)
		return -ENOMEM;
	char *p = j->head;
	for (struct evkeyval *h = from->tqh_first; h; h = h->next.tqe_next) {
		struct pair *pair = &j->headers.v[j->headers.n++];
		pair->name = p;
		p = stpcpy(p, h->key) + 1;
		pair->value = p;
		p = stpcpy(p, h->value) + 1;
	}
	return 0;
}

static int copy_body(struct job *j, struct evbuffer *from)
{
	size_t n = evbuffer_get_length(from);

	if (n == 0)
		return 0;
	j->body = malloc(n + 1);
	if (!j->body)
		return -ENOMEM;
	evbuffer_copyout(from, j->body, n);
	j->body[n] = '\0';
	j->body_len = n;
	/* It may carry a password: leave no second copy in memory that is only freed. */
	struct evbuffer_iovec piece;
	while (evbuffer_peek(from, -1, NULL, &piece, 1) > 0) {
		explicit_bzero(piece.iov_base, piece.iov_len);
		evbuffer_drain(from, piece.iov_len);
	}
	return 0;
}

static enum http_method method_of(struct evhttp_request *ev)
{
	switch (evhttp_request_get_command(ev)) {
	case EVHTTP_REQ_GET:
		return HTTP_GET;
	case EVHTTP_REQ_POST:
		return HTTP_POST;
	case EVHTTP_REQ_PUT:
		return HTTP_PUT;
	case EVHTTP_REQ_PATCH:
		return HTTP_PATCH;
	case EVHTTP_REQ_DELETE:
		return HTTP_DELETE;
	default:
		return 0;
	}
}

/*
 * Some proxies add to the header that the client sent, some add one of their own behind it: the
 * last one counts.
 */
static const char *forwarded_for(const struct job *j)
{
	const char *last = NULL;

	for (size_t i = 0; i < j->headers.n; i++) {
		if (strcasecmp(j->headers.v[i].name, "X-Forwarded-For") == 0)
			last = j->headers.v[i].value;
	}
	return last;
}

/* The last address is the one that the proxy itself has seen. */
static void believe_proxy(struct job *j)
{
	const char *list = forwarded_for(j);
	const char *last = list ? strrchr(list, ',') : NULL;
	struct in6_addr a;

	last = last ? last + 1 : list;
	if (!last)
		return;
	last += strspn(last, " \t");
	if (inet_pton(AF_INET, last, &a) == 1 || inet_pton(AF_INET6, last, &a) == 1)
		snprintf(j->peer, sizeof(j->peer), "%s", last);
}

struct job *job_new(struct loop *l, struct conn *c, struct evhttp_request *ev)
{
	struct job *j = calloc(1, sizeof(*j));
	uint8_t id[8] = {0};

	if (!j)
		return NULL;
	j->loop = l;
	j->conn = c;
	j->ev = ev;
	j->started_ms = clock_mono_ms();
	j->secure_transport = c->ssl != NULL;
	snprintf(j->peer, sizeof(j->peer), "%s", c->address);
	j->uri = strdup(evhttp_request_get_uri(ev));
	j->rq.method = method_of(ev);
	j->rq.peer = j->peer;
	j->rq.secure = true; /* plain listeners are bound to this machine only */
	j->rq.central = l->http->central;
	j->rq.http_ = j;
	if (secret_random(id, sizeof(id)) == 0)
		hex_encode(id, sizeof(id), j->rq.id);
	if (!j->uri || copy_headers(j, evhttp_request_get_input_headers(ev)) < 0 ||
	    copy_body(j, evhttp_request_get_input_buffer(ev)) < 0) {
		job_free(j);
		return NULL;
	}
	if (!j->secure_transport && l->http->central->config.behind_proxy)
		believe_proxy(j);
	return j;
}

static void free_secret(char **p, size_t n)
{
	if (*p)
		explicit_bzero(*p, n);
	free(*p);
	*p = NULL;
}

void job_free(struct job *j)
{
	if (!j)
		return;
	if (j->conn && j->conn->job == j)
		j->conn->job = NULL;
	json_decref(j->rq.body);
	reply_release(&j->rp);
	explicit_bzero(&j->rq.browser, sizeof(j->rq.browser));
	free_secret(&j->out, j->out_len);
	free_secret(&j->body, j->body_len);
	/* Bearer tokens, and paths that carry one. */
	for (size_t i = 0; i < j->headers.n; i++)
		explicit_bzero((char *)j->headers.v[i].value, strlen(j->headers.v[i].value));
	for (int i = 0; i < j->nsegments; i++)
		explicit_bzero(j->segments[i], strlen(j->segments[i]));
	free(j->uri);
	free(j->head);
	free(j->query.v);
	free(j->form.v);
	free(j->headers.v);
	free(j);
}

/* ---- parsing --------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The length of the UTF-8 sequence at p, 0 if it is none (overlong, a surrogate, too large). */
static size_t utf8_len(const unsigned char *p)
{
	static const struct {
		unsigned char first, last, low, high;
		size_t n;
	} kinds[] = {
	    {0x01, 0x7f, 0x80, 0xbf, 1},
	    {0xc2, 0xdf, 0x80, 0xbf, 2},
	    {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3},
	    {0xed, 0xed, 0x80, 0x9f, 3},
	    {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4},
	    {0xf1, 0xf3, 0x80, 0xbf, 4},
	    {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		if (p[0] < kinds[k].first || p[0] > kinds[k].last)
			continue;
		if (kinds[k].n > 1 && (p[1] < kinds[k].low || p[1] > kinds[k].high))
			return 0;
		for (size_t i = 2; i < kinds[k].n; i++)
			if (p[i] < 0x80 || p[i] > 0xbf)
				return 0;
		return kinds[k].n;
	}
	return 0;
}

/* Without control characters; line ends are told by *ret_lines, where it is not NULL. */
static bool text_clean(const char *s, bool *ret_lines)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p) {
		size_t n = utf8_len(p);
		bool line = ret_lines && (*p == '\r' || *p == '\n');
		if (n == 0 || (!line && *p < ' ') || *p == 127)
			return false;
		if (line)
			*ret_lines = true;
		p += n;
	}
	return true;
}

static int decode(char *s, bool plus, bool *ret_lines)
{
	char *out = s;

	for (const char *in = s; *in; in++) {
		if (*in == '%') {
			int high = hex_digit(in[1]), low = high < 0 ? -1 : hex_digit(in[2]);
			if (low < 0 || (high == 0 && low == 0))
				return -EINVAL;
			*out++ = (char)(high << 4 | low);
			in += 2;
		} else {
			*out++ = plus && *in == '+' ? ' ' : *in;
		}
	}
	*out = '\0';
	return text_clean(s, ret_lines) ? 0 : -EINVAL;
}

int percent_decode(char *s, bool plus)
{
	return decode(s, plus, NULL);
}

/* One a=b, decoded in place. A name that stands twice could be read in two ways. */
static int parse_pair(char *item, bool form, struct pairs *p)
{
	char *value = strchr(item, '=');
	bool lines = false;

	if (value)
		*value++ = '\0';
	else
		value = item + strlen(item);
	if (p->n == HTTP_PAIRS_MAX || percent_decode(item, true) < 0 ||
	    (*value && decode(value, true, form ? &lines : NULL) < 0))
		return -EINVAL;
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i].name, item) == 0)
			return -EINVAL;
	p->v[p->n++] = (struct pair){item, value, lines};
	return 0;
}

/* a=b&c=d. The values of a form may have line ends. */
static int parse_pairs(char *text, bool form, struct pairs *ret)
{
	struct pairs p = {.v = calloc(HTTP_PAIRS_MAX, sizeof(*p.v))};
	int r = p.v ? 0 : -ENOMEM;

	for (char *item; r == 0 && (item = strsep(&text, "&"));)
		if (*item)
			r = parse_pair(item, form, &p);
	if (r < 0)
		free(p.v);
	else
		*ret = p;
	return r;
}

static int parse_path(struct job *j)
{
	char *query = strchr(j->uri, '?');
	char *path = j->uri + 1;

	if (query) {
		*query++ = '\0';
		int r = parse_pairs(query, false, &j->query);
		if (r < 0)
			return r;
	}
	for (char *segment; (segment = strsep(&path, "/"));) {
		if (j->nsegments == HTTP_SEGMENTS_MAX)
			return -ENOENT;
		if (percent_decode(segment, false) < 0 || strchr(segment, '/'))
			return -EINVAL;
		j->segments[j->nsegments++] = segment;
	}
	return 0;
}

/*
 * jansson descends as deep as the text says, and takes memory and time for each value, of which
 * two bytes can make one. No request of ours needs much, and anybody can send this one.
 */
static bool json_modest(const char *s, size_t n)
{
	int depth = 0, values = 0;
	bool quoted = false;

	for (size_t i = 0; i < n && depth <= JSON_DEPTH_MAX && values <= JSON_VALUES_MAX; i++) {
		if (quoted && s[i] == '\\')
			i++;
		else if (s[i] == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (s[i] == '{' || s[i] == '[')
			depth++, values++;
		else if (s[i] == '}' || s[i] == ']')
			depth--;
		else if (s[i] == ',')
			values++;
	}
	return depth <= JSON_DEPTH_MAX && values <= JSON_VALUES_MAX;
}

static bool type_is(const char *type, const char *want)
{
	size_t n = strlen(want);

	return type && strncasecmp(type, want, n) == 0 && strchr("; \t", type[n]);
}

static int parse_body(struct job *j, struct reply *rp)
{
	const char *type = request_header(&j->rq, "Content-Type");

	if (j->body_len == 0)
		return 0;
	if (type_is(type, "application/x-www-form-urlencoded")) {
		if (strlen(j->body) == j->body_len && parse_pairs(j->body, true, &j->form) == 0)
			return 0;
		reply_error(rp, API_BAD_REQUEST, "The form is malformed.");
		return -EINVAL;
	}
	if (!type_is(type, "application/json")) {
		reply_error(rp, API_BAD_REQUEST, "The body must be application/json.");
		return -EINVAL;
	}
	json_error_t error;
	if (json_modest(j->body, j->body_len))
		j->rq.body = json_loadb(j->body, j->body_len, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(j->rq.body)) {
		reply_error(rp, API_BAD_REQUEST, "The body is not a well-formed JSON object.");
		return -EINVAL;
	}
	free_secret(&j->body, j->body_len);
	j->body_len = 0;
	return 0;
}

int job_parse(struct job *j)
{
	if (j->parsed)
		return 0;
	j->parsed = true;
	int r = parse_path(j);
	j->pathed = r == 0;
	if (r == 0)
		return parse_body(j, &j->rp);
	if (r == -ENOMEM)
		reply_errno(&j->rp, r);
	else
		reply_error(&j->rp, r == -ENOENT ? API_NOT_FOUND : API_BAD_REQUEST, NULL);
	return r;
}

/* ---- what handlers ask ----------------------------------------------------------------------- */

const char *request_query(const struct request *rq, const char *name)
{
	const struct job *j = rq->http_;

	for (size_t i = 0; i < j->query.n; i++)
		if (strcmp(j->query.v[i].name, name) == 0)
			return j->query.v[i].value;
	return NULL;
}

static const struct pair *form_pair(const struct request *rq, const char *name)
{
	const struct job *j = rq->http_;

	for (size_t i = 0; i < j->form.n; i++)
		if (strcmp(j->form.v[i].name, name) == 0)
			return &j->form.v[i];
	return NULL;
}

const char *request_form(const struct request *rq, const char *name)
{
	const struct pair *p = form_pair(rq, name);

	return p && !p->lines ? p->value : NULL;
}

const char *request_form_lines(const struct request *rq, const char *name)
{
	const struct pair *p = form_pair(rq, name);

	return p ? p->value : NULL;
}

const char *request_header(const struct request *rq, const char *name)
{
	const struct job *j = rq->http_;

	for (size_t i = 0; i < j->headers.n; i++)
		if (strcasecmp(j->headers.v[i].name, name) == 0)
			return j->headers.v[i].value;
	return NULL;
}

const char *request_str(const struct request *rq, const char *name)
{
	return json_string_value(json_object_get(rq->body, name));
}

/* ---- the end --------------------------------------------------------------------------------- */

void job_finish(struct job *j)
{
	struct reply *rp = &j->rp;

	if (rp->broken)
		reply_error(rp, API_INTERNAL, NULL);
	oauth_of_error(&j->rq, rp);
	page_of_error(&j->rq, rp);
	if (rp->json) {
		j->out = json_dumps(rp->json, JSON_COMPACT);
		j->out_len = j->out ? strlen(j->out) : 0;
		if (!j->out)
			rp->status = 500;
		json_decref(rp->json);
		rp->json = NULL;
	}
	/* Hosts ask every minute, each of them. */
	bool routine = j->rq.who.kind == PRINCIPAL_HOST && rp->status < 400;
	/* The route's pattern, never the path: that may carry a token. */
	log_event(routine ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "request", "id", "%s", j->rq.id,
	    "method", "%s", method_name(j->rq.method), "route", "%s",
	    j->rq.route ? j->rq.route->path : "-", "status", "%d", rp->status, "ms", "%lld",
	    (long long)(clock_mono_ms() - j->started_ms), "who", "%s",
	    j->rq.who.kind == PRINCIPAL_NONE ? "-" : j->rq.who.name, "peer", "%s", j->peer, NULL);
}
