/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "oidc.h"

int oidc_fail(struct oidc_fault *f, const char *word, const char *fmt, ...)
{
	va_list ap;

	f->word = word;
	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
	return -EPROTO;
}

static const struct {
	int error;
	const char *word, *hint;
} words[] = {
    {-EACCES, "provider_address", " See private_addresses in central.conf(5)."},
    {-ETIMEDOUT, "provider_timeout", ""},
    {-EMSGSIZE, "provider_too_large", ""},
    {-EPROTO, "provider_tls", " See ca_file in central.conf(5)."},
    {0, "provider_unreachable", ""},
};

static int fail_transport(
    const struct oidc_query *q, int error, const struct http_response *res, struct oidc_fault *f)
{
	size_t i = 0;

	while (words[i].error && words[i].error != error)
		i++;
	return oidc_fail(f, words[i].word, "%s: %s%s", q->what, res->why, words[i].hint);
}

/* "https://host:port" and "/path?query" of an address that oidc_url_ok() has seen. */
static int split(
    const char *url, char base[static OIDC_URL_MAX], char path[static OIDC_URL_MAX + 1])
{
	const char *host = strstr(url, "://");
	size_t n = host ? (size_t)(host + 3 - url) : 0;

	n += strcspn(url + n, "/?");
	if (!host || strlen(url) >= OIDC_URL_MAX)
		return -EINVAL;
	memcpy(base, url, n);
	base[n] = '\0';
	snprintf(path, OIDC_URL_MAX + 1, "%s%s", url[n] == '/' ? "" : "/", url + n);
	return 0;
}

static void client_freep(struct http_client **c)
{
	http_client_free(*c);
}

static int client_open(const struct config *cfg, const struct oidc_query *q, const char *base,
    struct http_client **ret)
{
	_cleanup_(client_freep) struct http_client *client = NULL;
	struct http_options o = {
	    .url = base,
	    .ca_file = cfg->sso_ca_file[0] ? cfg->sso_ca_file : NULL,
	    .proxy = strcmp(cfg->sso_proxy, "none") == 0 ? ""
		     : cfg->sso_proxy[0]		 ? cfg->sso_proxy
							 : NULL,
	    .user_agent = "prism-central/" PRISM_VERSION,
	    .timeout_ms = OIDC_TIMEOUT_MS,
	    .public_only = !cfg->sso_private,
	};
	int r = http_client_new(&o, &client);

	if (r == 0 && q->bearer)
		r = http_client_set_token(client, q->bearer);
	if (r == 0 && q->secret)
		r = http_client_set_basic(client, q->id, q->secret);
	if (r == 0)
		*ret = TAKE_PTR(client);
	return r;
}

static int perform(const struct config *cfg, const struct oidc_query *q, struct http_response *ret,
    struct oidc_fault *f)
{
	_cleanup_(client_freep) struct http_client *client = NULL;
	char base[OIDC_URL_MAX], path[OIDC_URL_MAX + 1];
	int r = oidc_url_ok(q->url, cfg->sso_private) ? split(q->url, base, path) : -EINVAL;

	if (r == 0)
		r = client_open(cfg, q, base, &client);
	if (r < 0)
		return oidc_fail(f, "provider_address", "%s: %s", q->what,
		    r == -EINVAL ? "the address or what is sent to it is not allowed"
				 : strerror(-r));
	if (q->form)
		r = http_request_form(client, path, q->form, ret);
	else
		r = http_request(client, "GET", path, NULL, 0, ret);
	if (r < 0)
		return fail_transport(q, r, ret, f);
	if (ret->status / 100 == 3)
		return oidc_fail(
		    f, "provider_redirect", "%s: it answered %ld", q->what, ret->status);
	return 0;
}

int oidc_fetch(struct central *central, const struct sso_connection *c, const struct oidc_query *q,
    struct http_response *ret, struct oidc_fault *f)
{
	int64_t began = clock_mono_ms();

	if (!oidc_enter(central, c))
		return oidc_fail(f, "provider_busy", "%s: others wait for it already", q->what);
	int r = perform(&central->config, q, ret, f);
	oidc_leave(central, c, clock_mono_ms() - began);
	if (r < 0)
		log_event(LOG_LEVEL_WARN, "oidc", "connection", "%s", c->slug, "fault", "%s",
		    f->word, "reason", "%s", f->detail, NULL);
	return r;
}
