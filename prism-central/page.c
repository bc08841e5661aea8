/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "browser.h"
#include "html.h"

/* A prism, as the icon of the browser's tab. */
static const char icon[] =
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath d='M8 1 15 14H1z' fill='%233b5bdb'/%3E%3C/svg%3E";

static void put_form(struct buf *b, const struct request *rq, const char *class, const char *action)
{
	char csrf[BROWSER_CSRF_LEN + 1];

	browser_csrf(rq, csrf);
	html_put(b,
	    "<form class=\"%s\" method=\"post\" action=\"%s\">"
	    "<input type=\"hidden\" name=\"csrf\" value=\"%s\">",
	    class, action, csrf);
	explicit_bzero(csrf, sizeof(csrf));
}

void page_begin(struct page *p, struct request *rq, struct reply *rp, int status, const char *title)
{
	*p = (struct page){.rq = rq, .rp = rp, .status = status, .title = title};
	buf_init(&p->body, HTML_MAX);
}

void page_form(struct page *p, const char *action)
{
	put_form(&p->body, p->rq, "", action);
}

void page_hidden(struct page *p, const char *name, const char *value)
{
	html_put(&p->body, "<input type=\"hidden\" name=\"%s\" value=\"%s\">", name, value);
}

void page_request(struct page *p)
{
	html_put(&p->body,
	    "<p class=\"note\">Should you ask your administrator, name this request: %s</p>",
	    p->rq->id);
}

void page_release(struct page *p)
{
	buf_free(&p->body);
}

static void put_head(struct buf *b, const struct page *p)
{
	html_put(b,
	    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	    "<meta name=\"color-scheme\" content=\"light dark\">\n"
	    "<title>%s · Prism</title>\n<link rel=\"stylesheet\" href=\"%s\">\n"
	    "<link rel=\"icon\" href=\"%r\">\n</head>\n<body>\n",
	    p->title, asset_style, icon);
}

/* Who is logged in, where it can be seen from every page. */
static void put_bar(struct buf *b, const struct request *rq)
{
	html_put(b, "<header><a class=\"brand\" href=\"/\">Prism</a>");
	if (rq->who.kind == PRINCIPAL_USER && rq->browser.session) {
		put_form(b, rq, "who", "/logout");
		html_put(b, "<span>%s</span> <button class=\"quiet\">Log out</button></form>",
		    rq->who.name);
	}
	html_put(b, "</header>\n");
}

static void put_page(struct buf *b, const struct page *p)
{
	put_head(b, p);
	put_bar(b, p->rq);
	html_put(b, "<main>\n<h1>%s</h1>\n", p->title);
	buf_add(b, p->body.data, p->body.len);
	html_put(b, "\n</main>\n</body>\n</html>\n");
}

static void page_headers(const struct page *p)
{
	struct reply *rp = p->rp;

	reply_header(rp, "Content-Security-Policy",
	    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'%s%s; "
	    "base-uri 'none'; frame-ancestors 'none'",
	    p->form_action ? " " : "", p->form_action ? p->form_action : "");
	reply_header(rp, "X-Frame-Options", "DENY");
	reply_header(rp, "Cross-Origin-Opener-Policy", "same-origin");
	/* With "no-referrer" a browser would call the origin of our own forms "null". */
	reply_header(rp, "Referrer-Policy", "same-origin");
	/*
	 * A form from elsewhere comes without the cookie that its browser has: an answer to it must
	 * not take that away.
	 */
	if (p->rq->method == HTTP_GET)
		browser_set_new_cookies(p->rq, rp);
}

static void document_free(void *p)
{
	buf_free(p);
	free(p);
}

void page_send(struct page *p)
{
	struct buf *b = malloc(sizeof(*b));

	if (!b) {
		reply_errno(p->rp, -ENOMEM);
		return;
	}
	buf_init(b, HTML_MAX + 8192);
	put_page(b, p);
	if (buf_error(b) < 0 || buf_error(&p->body) < 0) {
		document_free(b);
		reply_error(p->rp, API_INTERNAL, NULL);
		return;
	}
	unsigned retry_after = p->rp->retry_after;
	reply_bytes(p->rp, "text/html; charset=utf-8", b->data, b->len, document_free, b);
	p->rp->status = p->status;
	p->rp->retry_after = retry_after;
	page_headers(p);
}

void page_go(struct request *rq, struct reply *rp, const char *title, const char *path)
{
	_cleanup_page_ struct page p = {0};

	page_begin(&p, rq, rp, 200, title);
	html_put(&p.body,
	    "<p>If nothing happens:</p>\n<p class=\"actions\"><a class=\"button\" href=\"%s\">"
	    "Continue</a></p>",
	    path);
	page_send(&p);
	reply_header(rp, "Refresh", "0; url=%s", path);
}

/* ---- what went wrong ------------------------------------------------------------------------- */

static void send_error(struct request *rq, struct reply *rp, int status, const char *title,
    const char *text, const char *hint)
{
	_cleanup_page_ struct page p = {0};

	page_begin(&p, rq, rp, status, title);
	html_put(&p.body, "<p>%s</p>\n", text);
	if (hint && *hint)
		html_put(&p.body, "<p>%s</p>\n", hint);
	html_put(&p.body,
	    "<p class=\"actions\"><a class=\"button quiet\" href=\"/\">To the beginning</a></p>\n");
	page_request(&p);
	page_send(&p);
}

void page_error(
    struct request *rq, struct reply *rp, int status, const char *title, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	send_error(rq, rp, status, title, text, NULL);
}

/* The hints of the API speak to people at a command line. */
static const struct {
	enum api_error error;
	int status; /* 0: as it is */
	const char *title, *text, *hint;
} told[] = {
    {API_BAD_REQUEST, 0, "This request is not understood", NULL,
	"Go back, load the page again and repeat. Links that were copied must be whole."},
    {API_NOT_LOGGED_IN, 403, "You are not logged in", "Your login here has ended.",
	"Log in again: you find it at the beginning."},
    {API_NOT_FOUND, 0, "There is no such page", "This address leads nowhere.",
	"Check that it was copied whole."},
    {API_METHOD_NOT_ALLOWED, 0, "There is no such page",
	"This address can not be used in this way.", "Begin again at the beginning."},
    {API_TOO_MANY_REQUESTS, 0, "Too many attempts", NULL, NULL},
    {API_TOO_LARGE, 0, "This is too large", NULL, NULL},
    {API_INTERNAL, 0, "This did not work", "The service failed to do this.",
	"Try again; if it goes on, ask your administrator."},
    {API_UNAVAILABLE, 0, "The service is busy", NULL, "Try again in a moment."},
};

static bool wants_page(const struct request *rq)
{
	const char *accept = request_header(rq, "Accept");

	if (rq->route && rq->route->scope == SCOPE_BROWSER)
		return true;
	if (rq->route && strncmp(rq->route->path, "/api/", 5) == 0)
		return false;
	return accept && strstr(accept, "text/html");
}

void page_of_error(struct request *rq, struct reply *rp)
{
	json_t *error = json_object_get(rp->json, "error");
	const char *code = json_string_value(json_object_get(error, "code"));

	if (!code || rp->status < 400 || !wants_page(rq))
		return;
	enum api_error e = api_error_by_code(code);
	const char *title = "This did not work", *hint = NULL;
	_cleanup_free_ char *text = NULL, *said = NULL;
	int status = rp->status;
	const char *v = json_string_value(json_object_get(error, "message"));
	text = strdup(v ? v : "");
	v = json_string_value(json_object_get(error, "hint"));
	said = strdup(v ? v : "");
	hint = said;
	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		if (told[i].error != e)
			continue;
		title = told[i].title;
		status = told[i].status ? told[i].status : status;
		hint = told[i].hint ? told[i].hint : hint;
		if (told[i].text) {
			free(text);
			text = strdup(told[i].text);
		}
	}
	send_error(rq, rp, status, title, text, hint);
}
