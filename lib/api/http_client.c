/* SPDX-License-Identifier: MIT */
#include "api/http_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "api/address.h"
#include "api/http_explain.h"
#include "base/attr.h"
#include "base/encode.h"
#include "base/name.h"
#include "base/secret.h"

#define TOKEN_LIMIT   8192
#define CONNECT_MS    15000L
#define DEFAULT_MS    30000L
#define UNIX_PREFIX   "unix:"
#define BASE64_SHA256 44

struct http_client {
	CURL *curl;
	char *base;	   /* what paths are appended to, without a '/' at its end */
	char *host;	   /* for sentences */
	char *socket_path; /* NULL: TCP */
	char *pinned;	   /* "sha256//..." or NULL */
	char *ca_file, *proxy, *user_agent;
	char *auth; /* the Authorization line, a secret */
	bool https, loopback, public_only;
	bool refused; /* an address was, during this request */
	long timeout_ms, connect_ms;
};

/* ---- which addresses are allowed --------------------------------------------------------------*/

static void curl_freep(char **s)
{
	curl_free(*s);
}

static void url_freep(CURLU **u)
{
	curl_url_cleanup(*u);
}

static bool host_is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

static int copy_string(const char *s, char **ret)
{
	char *t = NULL;

	if (s && !(t = strdup(s)))
		return -ENOMEM;
	*ret = t;
	return 0;
}

static int client_set_socket(struct http_client *c, const char *path)
{
	if (!path_valid(path))
		return -EINVAL;
	c->loopback = true;
	if (copy_string(path, &c->socket_path) || copy_string(path, &c->host) ||
	    copy_string("http://localhost", &c->base))
		return -ENOMEM;
	return 0;
}

/* A base address carries no credentials, query or fragment. */
static bool url_is_base(CURLU *u)
{
	static const CURLUPart foreign[] = {
	    CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT};

	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		_cleanup_(curl_freep) char *s = NULL;

		if (curl_url_get(u, foreign[i], &s, 0) == CURLUE_OK)
			return false;
	}
	return true;
}

static int client_set_url(struct http_client *c, const char *url)
{
	_cleanup_(url_freep) CURLU *u = curl_url();
	_cleanup_(curl_freep) char *scheme = NULL, *host = NULL, *whole = NULL;

	if (!u)
		return -ENOMEM;
	if (curl_url_set(u, CURLUPART_URL, url, 0) || !url_is_base(u) ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) || curl_url_get(u, CURLUPART_URL, &whole, 0))
		return -EINVAL;
	c->https = strcmp(scheme, "https") == 0;
	c->loopback = host_is_loopback(host);
	if (!c->https && (strcmp(scheme, "http") != 0 || !c->loopback))
		return -EINVAL;
	if (copy_string(host, &c->host) || copy_string(whole, &c->base))
		return -ENOMEM;
	for (size_t n = strlen(c->base); n && c->base[n - 1] == '/'; n--)
		c->base[n - 1] = '\0';
	return 0;
}

bool http_proxy_valid(const char *proxy)
{
	const char *scheme = strstr(proxy, "://"), *host = scheme ? scheme + 3 : proxy, *at;

	if (scheme && strncmp(proxy, "http://", 7) != 0 && strncmp(proxy, "https://", 8) != 0)
		return false;
	for (const char *p = proxy; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f)
			return false;
	at = strrchr(host, '@');
	host = at ? at + 1 : host;
	return !*proxy || (*host && *host != ':' && *host != '/');
}

static int client_set_pin(struct http_client *c, const char *pin)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/=";

	if (!pin || !*pin)
		return 0;
	if (strlen(pin) != BASE64_SHA256 || strspn(pin, digits) != BASE64_SHA256)
		return -EINVAL;
	return asprintf(&c->pinned, "sha256//%s", pin) < 0 ? -ENOMEM : 0;
}

/* ---- life -------------------------------------------------------------------------------------*/

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->curl);
	free(c->base);
	free(c->host);
	free(c->socket_path);
	free(c->pinned);
	free(c->ca_file);
	secret_free(c->proxy);
	free(c->user_agent);
	secret_free(c->auth);
	free(c);
	curl_global_cleanup();
}

static void client_freep(struct http_client **c)
{
	http_client_free(*c);
}

int http_client_new(const struct http_options *o, struct http_client **ret)
{
	_cleanup_(client_freep) struct http_client *c = NULL;
	int r;

	if (!o->url)
		return -EINVAL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	c = calloc(1, sizeof(*c));
	if (!c) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	c->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : DEFAULT_MS;
	c->connect_ms = o->connect_ms > 0 ? o->connect_ms : CONNECT_MS;
	c->public_only = o->public_only;
	if (strncmp(o->url, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
		r = client_set_socket(c, o->url + strlen(UNIX_PREFIX));
	else
		r = client_set_url(c, o->url);
	if (r || (r = client_set_pin(c, o->pin)))
		return r;
	if (o->proxy && !http_proxy_valid(o->proxy))
		return -EINVAL;
	if (copy_string(o->ca_file, &c->ca_file) || copy_string(o->proxy, &c->proxy) ||
	    copy_string(o->user_agent, &c->user_agent))
		return -ENOMEM;
	c->curl = curl_easy_init();
	if (!c->curl)
		return -ENOMEM;
	*ret = TAKE_PTR(c);
	return 0;
}

int http_client_set_token(struct http_client *c, const char *token)
{
	_cleanup_secret_ char *line = NULL;

	if (token) {
		for (const char *p = token; *p; p++)
			if (*p <= 0x20 || *p >= 0x7f)
				return -EINVAL;
		if (strlen(token) > TOKEN_LIMIT)
			return -EINVAL;
		if (asprintf(&line, "Authorization: Bearer %s", token) < 0) {
			line = NULL;
			return -ENOMEM;
		}
	}
	secret_free(c->auth);
	c->auth = TAKE_PTR(line);
	return 0;
}

static void form_encode(struct buf *b, const char *s)
{
	static const char digits[] = "0123456789ABCDEF";
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (strchr(plain, c)) {
			buf_add_char(b, *s);
			continue;
		}
		buf_add_char(b, '%');
		buf_add_char(b, digits[c >> 4]);
		buf_add_char(b, digits[c & 15]);
	}
}

void http_form_add(struct buf *form, const char *name, const char *value)
{
	if (form->len)
		buf_add_char(form, '&');
	form_encode(form, name);
	buf_add_char(form, '=');
	form_encode(form, value);
}

int http_client_set_basic(struct http_client *c, const char *id, const char *secret)
{
	_cleanup_buf_ struct buf pair = BUF_INIT(TOKEN_LIMIT);
	_cleanup_secret_ char *text = malloc(BASE64_LEN(TOKEN_LIMIT) + 1), *line = NULL;

	form_encode(&pair, id);
	buf_add_char(&pair, ':');
	form_encode(&pair, secret);
	if (buf_error(&pair) == -EMSGSIZE)
		return -EINVAL;
	if (buf_error(&pair) || !text)
		return -ENOMEM;
	base64_encode(pair.data, pair.len, text);
	if (asprintf(&line, "Authorization: Basic %s", text) < 0) {
		line = NULL;
		return -ENOMEM;
	}
	secret_free(c->auth);
	c->auth = TAKE_PTR(line);
	return 0;
}

void http_response_init(struct http_response *r, size_t max)
{
	*r = (struct http_response){.body = BUF_INIT(max)};
}

void http_response_free(struct http_response *r)
{
	buf_free(&r->body);
}

/* ---- one request ------------------------------------------------------------------------------*/

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;

	buf_add(b, p, size * n);
	return buf_error(b) ? 0 : size * n;
}

/* The proxy that libcurl takes; but for NO_PROXY, which counts without public_only. */
static const char *proxy_in_use(const struct http_client *c)
{
	static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};

	if (c->loopback)
		return NULL;
	if (c->proxy)
		return *c->proxy ? c->proxy : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *s = secure_getenv(names[i]);

		if (s && *s)
			return s;
	}
	return NULL;
}

/* RFC 6761 section 6.3: "localhost" and what is below it, however it is written. */
static bool name_is_local(const char *host)
{
	static const char local[] = "localhost";
	size_t n = strlen(host), len = strlen(local);

	n -= n > 0 && host[n - 1] == '.';
	return n >= len && strncasecmp(host + n - len, local, len) == 0 &&
	       (n == len || host[n - len - 1] == '.');
}

/* The proxy would connect to an address that the caller may not name. */
static bool host_is_private(const struct http_client *c)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	char name[INET6_ADDRSTRLEN];
	size_t n = strlen(c->host);

	if (c->loopback || name_is_local(c->host))
		return true;
	if (inet_pton(AF_INET, c->host, &in.sin_addr) == 1)
		return !address_is_public((struct sockaddr *)&in);
	if (c->host[0] != '[' || n - 2 >= sizeof(name))
		return false;
	memcpy(name, c->host + 1, n - 2);
	name[n - 2] = '\0';
	/* What is no plain address, such as one with a zone, is of this network. */
	return inet_pton(AF_INET6, name, &in6.sin6_addr) != 1 ||
	       !address_is_public((struct sockaddr *)&in6);
}

/* A program that we start must not hold the connection. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http_client *c = arg;

	if (c->public_only && !proxy_in_use(c) && !address_is_public(&a->addr)) {
		c->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* A private authority stands in the place of the system's for the service; the proxy may have its
 * certificate from either. */
static void set_ca_file(CURL *h, const char *path)
{
	curl_easy_setopt(h, CURLOPT_CAINFO, path);
	curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(h, CURLOPT_PROXY_CAINFO, path);
}

static void set_transport(struct http_client *c, long extra_ms, char *errors)
{
	CURL *h = c->curl;
	long total = c->timeout_ms + (extra_ms > 0 ? extra_ms : 0);

	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, c->https ? "https" : "http");
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, total);
	curl_easy_setopt(
	    h, CURLOPT_CONNECTTIMEOUT_MS, total < c->connect_ms ? total : c->connect_ms);
	curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, c);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, errors);
	if (c->user_agent)
		curl_easy_setopt(h, CURLOPT_USERAGENT, c->user_agent);
	if (c->socket_path)
		curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, c->socket_path);
	if (c->loopback)
		curl_easy_setopt(h, CURLOPT_PROXY, "");
	else if (c->proxy)
		curl_easy_setopt(h, CURLOPT_PROXY, c->proxy);
	if (c->public_only)
		curl_easy_setopt(h, CURLOPT_NOPROXY, "");
	if (!c->https)
		return;
	curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* The pin says which key the server holds; who signed its certificate, and for which name,
	   adds nothing then, and a generated certificate has neither. */
	curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, c->pinned ? 0L : 1L);
	curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, c->pinned ? 0L : 2L);
	if (c->pinned)
		curl_easy_setopt(h, CURLOPT_PINNEDPUBLICKEY, c->pinned);
	else if (c->ca_file)
		set_ca_file(h, c->ca_file);
}

static void set_method(CURL *h, const char *method, const char *body, size_t len)
{
	if (strcmp(method, "GET") == 0) {
		curl_easy_setopt(h, CURLOPT_HTTPGET, 1L);
		return;
	}
	if (body || strcmp(method, "POST") == 0) {
		curl_easy_setopt(h, CURLOPT_POST, 1L);
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, body ? body : "");
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE, (long)len);
	}
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
}

static int explain_refused(const struct http_client *c, struct http_response *ret)
{
	ret->trouble = HTTP_ADDRESS;
	snprintf(ret->why, sizeof(ret->why), "The address of %.100s is not a public one.", c->host);
	return -EACCES;
}

static int explain(
    struct http_client *c, CURLcode code, const char *text, struct http_response *ret)
{
	if (c->refused && code == CURLE_COULDNT_CONNECT)
		return explain_refused(c, ret);
	struct http_failure f = {
	    .curl = c->curl,
	    .code = code,
	    .host = c->host,
	    .proxy = proxy_in_use(c),
	    .ca_file = c->ca_file,
	    .text = text,
	};

	return http_explain(&f, ret);
}

static void read_headers(CURL *h, struct http_response *ret)
{
	struct curl_header *date = NULL, *id = NULL;
	curl_off_t retry = 0;

	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &ret->status);
	if (curl_easy_getinfo(h, CURLINFO_RETRY_AFTER, &retry) == CURLE_OK && retry > 0)
		ret->retry_after = retry > 86400 ? 86400 : (long)retry;
	ret->named = curl_easy_header(h, "X-Request-Id", 0, CURLH_HEADER, -1, &id) == CURLHE_OK;
	if (curl_easy_header(h, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK) {
		time_t t = curl_getdate(date->value, NULL);

		ret->date = t == (time_t)-1 ? 0 : (int64_t)t;
	}
}

static void slist_freep(struct curl_slist **l)
{
	for (struct curl_slist *i = *l; i; i = i->next)
		explicit_bzero(i->data, strlen(i->data));
	curl_slist_free_all(*l);
}

static int headers_build(const struct http_client *c, const char *type, struct curl_slist **ret)
{
	const char *const lines[] = {"Expect:", "Accept: application/json", type, c->auth};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct curl_slist *l = NULL;

		if (!lines[i])
			continue;
		l = curl_slist_append(*ret, lines[i]);
		if (!l)
			return -ENOMEM;
		*ret = l;
	}
	return 0;
}

static bool path_allowed(const char *path)
{
	if (*path != '/')
		return false;
	for (const char *p = path; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f || *p == '#')
			return false;
	return true;
}

struct message {
	const char *method, *path, *type, *body;
	size_t len;
	long extra_ms;
};

static int perform(struct http_client *c, const struct message *m, struct http_response *ret)
{
	_cleanup_(slist_freep) struct curl_slist *headers = NULL;
	_cleanup_free_ char *url = NULL;
	char errors[CURL_ERROR_SIZE] = "";
	CURLcode code;

	buf_clear(&ret->body);
	ret->status = ret->retry_after = 0;
	ret->date = 0;
	ret->named = false;
	ret->trouble = HTTP_NO_TROUBLE;
	ret->why[0] = '\0';
	if (!path_allowed(m->path)) {
		snprintf(ret->why, sizeof(ret->why), "The path of the request is not allowed.");
		return -EIO;
	}
	if (c->public_only && host_is_private(c))
		return explain_refused(c, ret);
	if (headers_build(c, m->type, &headers) || asprintf(&url, "%s%s", c->base, m->path) < 0) {
		url = NULL;
		snprintf(ret->why, sizeof(ret->why), "There is not enough memory.");
		return -EIO;
	}
	curl_easy_reset(c->curl);
	c->refused = false;
	set_transport(c, m->extra_ms, errors);
	set_method(c->curl, m->method, m->body, m->len);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &ret->body);
	code = curl_easy_perform(c->curl);
	if (code != CURLE_OK) {
		int r = explain(c, code, errors, ret);

		/* Nothing may keep the headers, the body or the error buffer. */
		curl_easy_reset(c->curl);
		return r;
	}
	read_headers(c->curl, ret);
	curl_easy_reset(c->curl);
	return 0;
}

int http_request(struct http_client *c, const char *method, const char *path, const json_t *body,
    long extra_ms, struct http_response *ret)
{
	_cleanup_secret_ char *text = NULL;

	if (body) {
		text = json_dumps(body, JSON_COMPACT);
		if (!text) {
			snprintf(ret->why, sizeof(ret->why), "The request is not valid text.");
			return -EIO;
		}
	}
	return perform(c,
	    &(struct message){.method = method,
		.path = path,
		.type = text ? "Content-Type: application/json" : NULL,
		.body = text,
		.len = text ? strlen(text) : 0,
		.extra_ms = extra_ms},
	    ret);
}

int http_request_form(
    struct http_client *c, const char *path, const char *form, struct http_response *ret)
{
	return perform(c,
	    &(struct message){.method = "POST",
		.path = path,
		.type = "Content-Type: application/x-www-form-urlencoded",
		.body = form,
		.len = strlen(form)},
	    ret);
}

json_t *http_response_json(const struct http_response *r)
{
	if (!r->body.len)
		return NULL;
	return json_loadb((const char *)r->body.data, r->body.len, JSON_REJECT_DUPLICATES, NULL);
}
