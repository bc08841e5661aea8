/* SPDX-License-Identifier: MIT */

/*
 * Forms that are refused. People open several tabs: what logs them in in one makes void the forms
 * that stand in the others, and there is a way on from each. It MUST be one that a link could take
 * as well, for nothing has proven that the person wants it.
 */
#include <string.h>
#include "browser.h"
#include "html.h"

#define STALE_FIELDS 6

/* Where such a form leads: its page, with the fields that the page is made of. */
static const struct way {
	const char *form, *page;
	const char *fields[STALE_FIELDS][2]; /* the form's word, the page's */
	bool decides; /* it would have done something: it is told that it has not */
} ways[] = {
    {"/login", "/login", {{"return", "return"}, {"login", "hint"}}, false},
    {"/device", "/device", {{"user_code", "user_code"}}, false},
    {"/device/decide", "/device", {{"user_code", "user_code"}}, true},
    {"/oauth2/authorize", "/oauth2/authorize",
	{{"response_type", "response_type"}, {"client_id", "client_id"},
	    {"redirect_uri", "redirect_uri"}, {"code_challenge", "code_challenge"},
	    {"code_challenge_method", "code_challenge_method"}, {"state", "state"}},
	true},
};

static const struct way *way_find(const struct request *rq)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (strcmp(rq->route->path, ways[i].form) == 0)
			return &ways[i];
	return NULL;
}

static void put_address(struct buf *b, const struct request *rq, const struct way *w)
{
	const char *sep = "?";

	buf_add_str(b, w->page);
	for (size_t i = 0; i < STALE_FIELDS && w->fields[i][0]; i++) {
		const char *value = request_form(rq, w->fields[i][0]);
		if (!value)
			continue;
		buf_addf(b, "%s%s=", sep, w->fields[i][1]);
		html_query(b, value);
		sep = "&";
	}
}

static void refuse(struct request *rq, struct reply *rp, const char *address)
{
	_cleanup_page_ struct page p = {0};

	page_begin(&p, rq, rp, 403, "This form is out of date");
	html_put(&p.body,
	    "<p>Nothing was changed: the form was not sent from a page of ours that is open in "
	    "this browser, or you have logged in or out since.</p>\n");
	if (address)
		html_put(&p.body,
		    "<p class=\"actions\"><a class=\"button\" href=\"%s\">Show the page again</a>"
		    "</p>\n",
		    address);
	else
		html_put(&p.body,
		    "<p>Go back, load the page again and repeat. This site needs its cookie: if "
		    "your browser refuses cookies, allow them for this address.</p>\n"
		    "<p class=\"actions\"><a class=\"button quiet\" href=\"/\">To the "
		    "beginning</a></p>\n");
	page_request(&p);
	page_send(&p);
}

void page_forged(struct request *rq, struct reply *rp)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);
	const struct way *w = browser_form_stale(rq) ? way_find(rq) : NULL;

	if (w)
		put_address(&b, rq, w);
	if (!w || buf_error(&b) < 0)
		refuse(rq, rp, NULL);
	else if (w->decides)
		refuse(rq, rp, buf_str(&b));
	else
		reply_redirect(rp, buf_str(&b));
}
