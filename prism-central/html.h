/* SPDX-License-Identifier: MIT */
#ifndef HTML_H
#define HTML_H

/*
 * Pages: written in C, escaped where they are printed, without scripts.
 *
 * Every page is sent with Content-Security-Policy "default-src 'none'; style-src 'self'; img-src
 * 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", X-Frame-Options DENY,
 * Cross-Origin-Opener-Policy same-origin and Cache-Control no-store. A form whose answer redirects
 * to another origin needs that origin in form-action: struct page's form_action.
 */
#include "base/buf.h"
#include "http.h"

#define HTML_MAX (256u << 10)

/* Text with & < > " ' escaped: safe between tags and inside quoted attributes, nowhere else. */
void html_text(struct buf *b, const char *s);
/* Text percent-encoded, for a query part. */
void html_query(struct buf *b, const char *s);
/*
 * Print with a format of its own: %s text, escaped; %r raw markup (never a value from outside);
 * %i int64_t; %u a value inside a query part (percent-encoded, then escaped); %t int64_t, a point
 * in time as a <time>, "never" for 0; %% a percent sign.
 */
void html_put(struct buf *b, const char *fmt, ...);

/*
 * The title is the page's <h1>. What web/style.css knows of, in <main>:
 *	p.lead		the sentence that matters		p.note	small print
 *	p.error		what went wrong (give it role="alert")	p.warn	take care
 *	p.code		a code to be read off and compared	dl.facts  dt and dd pairs
 *	label, input	one below the other			ul.plain  a list without dots
 *	p.actions	holds <button> and <a class="button">, side by side where there is room,
 *with the classes quiet (a lesser choice) and danger; p.actions.pair: two, always side by side
 *	nav.choices	holds <a class="button quiet">, one below the other: other ways to log in
 */
struct page {
	struct request *rq;
	struct reply *rp;
	int status;
	const char *title;
	const char *form_action; /* one more origin for CSP's form-action, or NULL */
	struct buf body;	 /* what stands inside <main> */
};

#define _cleanup_page_ __attribute__((__cleanup__(page_release)))

/* Begin (a page that is cleaned up is {0} before), html_put(&p->body, ...), then page_send(). */
void page_begin(
    struct page *p, struct request *rq, struct reply *rp, int status, const char *title);
/* <form method=post action=...> with the csrf field; close it with "</form>". */
void page_form(struct page *p, const char *action);
/* A hidden field. */
void page_hidden(struct page *p, const char *name, const char *value);
/* Small print: which request it was, for whoever asks their administrator. */
void page_request(struct page *p);
/* Answer with it, and to a GET set the browser's cookie where it has none. */
void page_send(struct page *p);
void page_release(struct page *p);

/*
 * Go on after a form to another origin, or to a path of ours that redirects to one: a page that
 * leads there by itself. (Browsers hold a form's redirects to CSP's form-action as well.)
 */
void page_go(struct request *rq, struct reply *rp, const char *title, const char *path);

/* A page that says what is wrong and what to do next. The reason for the log is not shown. */
void page_error(struct request *rq, struct reply *rp, int status, const char *title,
    const char *fmt, ...) _printf_(5, 6);

/*
 * Make a page of an error in JSON where a person is looking: on routes of SCOPE_BROWSER, and
 * outside the API for whoever accepts text/html. The server does this with every reply.
 */
void page_of_error(struct request *rq, struct reply *rp);

/* The path of the style sheet. */
extern const char asset_style[];

/*
 * A path of ours that a parameter may name: begins with one "/", then printable ASCII without "\\"
 * and no second "/" at its start, at most 1024 bytes. Otherwise "/" is meant.
 */
const char *return_path(const char *s);

#endif
