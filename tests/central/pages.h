/* SPDX-License-Identifier: MIT */
#ifndef CENTRAL_PAGES_H
#define CENTRAL_PAGES_H

/*
 * A browser without a window, for pages: after world.h. browse() sends a request through the
 * router, keeps the cookie that it is given, and the form field "csrf" of the last page that had
 * one, which it adds to every form.
 */
#include "prism-central/browser.h"
#include "prism-central/html.h"

struct browse {
	char cookie[128]; /* "__Host-prism=pbs_..."; "": none */
	char begun[128];  /* "__Host-prism-login=pbl_..." */
	char csrf[BROWSER_CSRF_LEN + 1];
	/* What it says of itself; NULL: nothing. */
	const char *origin, *site, *referer, *bearer, *accept;
	bool no_csrf;
	/* The last answer. */
	int status;
	char location[2048], set_cookie[256], set_begun[256], csp[512], refresh[2048], type[64];
	char body[HTML_MAX];
	unsigned retry_after;
};

static void browse_keep_cookies(struct browse *b, const struct reply *rp)
{
	b->set_cookie[0] = b->set_begun[0] = '\0';
	for (size_t i = 0; i < rp->nheaders; i++) {
		const char *v = rp->headers[i].value;
		bool begun = strstr(v, "prism-login=");
		if (strcmp(rp->headers[i].name, "Set-Cookie") != 0)
			continue;
		snprintf(begun ? b->set_begun : b->set_cookie, sizeof(b->set_cookie), "%s", v);
		snprintf(begun ? b->begun : b->cookie, sizeof(b->cookie), "%.*s",
		    (int)strcspn(v, ";"), v);
	}
}

static void browse_keep(struct browse *b, const struct reply *rp, const struct job *j)
{
	static const struct {
		const char *name;
		size_t at, size;
	} kept[] = {
	    {"Location", offsetof(struct browse, location), sizeof(b->location)},
	    {"Content-Security-Policy", offsetof(struct browse, csp), sizeof(b->csp)},
	    {"Refresh", offsetof(struct browse, refresh), sizeof(b->refresh)},
	};
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const char *v = reply_header_value(rp, kept[i].name);
		snprintf((char *)b + kept[i].at, kept[i].size, "%s", v ? v : "");
	}
	b->status = rp->status;
	b->retry_after = rp->retry_after;
	snprintf(b->type, sizeof(b->type), "%s", rp->type ? rp->type : "");
	size_t n = j->out ? j->out_len : rp->len;
	EXPECT(n < sizeof(b->body));
	if (n)
		memcpy(b->body, j->out ? j->out : rp->bytes, n);
	b->body[n] = '\0';
	browse_keep_cookies(b, rp);
	const char *field = strstr(b->body, "name=\"csrf\" value=\"");
	if (field)
		snprintf(b->csrf, sizeof(b->csrf), "%s", field + strlen("name=\"csrf\" value=\""));
}

/* "form" is urlencoded text, or NULL. The status. */
static inline int browse(struct browse *b, enum http_method m, const char *uri, const char *form)
{
	struct job *j = calloc(1, sizeof(*j));
	char sent[8192];
	char cookies[sizeof(b->cookie) + sizeof(b->begun) + 2];
	struct pair headers[8];
	size_t n = 0;

	snprintf(cookies, sizeof(cookies), "%s%s%s", b->cookie,
	    b->cookie[0] && b->begun[0] ? "; " : "", b->begun);
	const struct pair all[] = {{"Accept", b->accept ? b->accept : "text/html"},
	    {"Cookie", cookies[0] ? cookies : NULL}, {"Origin", b->origin},
	    {"Sec-Fetch-Site", b->site}, {"Referer", b->referer}, {"Authorization", b->bearer},
	    {"Content-Type",
		m == HTTP_GET ? NULL : "application/x-www-form-urlencoded; charset=UTF-8"}};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].value)
			headers[n++] = (struct pair){all[i].name, strdup(all[i].value)};
	if (m != HTTP_GET) {
		snprintf(sent, sizeof(sent), "%s%s%s", form ? form : "",
		    b->no_csrf ? "" : "&csrf=", b->no_csrf ? "" : b->csrf);
		j->body = strdup(sent);
		j->body_len = strlen(sent);
	}
	j->uri = strdup(uri);
	j->headers.v = headers;
	j->headers.n = n;
	j->rq.method = m;
	j->rq.peer = "127.0.0.1";
	j->rq.secure = true;
	j->rq.db = db;
	j->rq.now = clock_now() + world_skew;
	j->rq.central = &central;
	j->rq.http_ = j;
	snprintf(j->rq.id, sizeof(j->rq.id), "test");
	if (!world_limits)
		ratelimit_reset(NULL);
	if (router_find(j))
		router_call(j);
	job_finish(j);
	browse_keep(b, &j->rp, j);
	while (n > 0)
		free((char *)headers[--n].value);
	j->headers.v = NULL;
	j->headers.n = 0;
	job_free(j);
	return b->status;
}

/* Log in with a password: the login page, then its form. The status. */
static inline int browse_login(struct browse *b, const char *login, const char *password)
{
	char form[512];
	browse(b, HTTP_GET, "/login", NULL);
	snprintf(form, sizeof(form), "login=%s&password=%s", login, password);
	return browse(b, HTTP_POST, "/login", form);
}

#endif
