/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "browser.h"
#include "html.h"
#include "user.h"

static const char sql_projects[] =
    "SELECT p.name, p.slug, r.slug, m.state, m.not_after, p.state FROM memberships m"
    " JOIN projects p ON p.id = m.project_id JOIN roles r ON r.id = m.role_id"
    " WHERE m.user_id = $1 AND m.state <> 'removed' ORDER BY p.slug LIMIT 200";
static const char sql_identities[] =
    "SELECT c.name, c.slug, c.enabled, i.email, i.auth_at, i.id FROM sso_identities i"
    " JOIN sso_connections c ON c.id = i.connection_id WHERE i.user_id = $1 ORDER BY c.name"
    " LIMIT 50";

struct home {
	struct act act;
	struct buf *out;
};

static void put_project(struct buf *b, struct rows *r, int64_t now)
{
	const char *state = row_text(r, 3);
	int64_t until = row_int(r, 4);

	html_put(b, "<li><b>%s</b> <span class=\"note\">%s · %s", row_text(r, 0), row_text(r, 1),
	    row_text(r, 2));
	if (strcmp(state, "active") != 0)
		html_put(b, " · suspended");
	else if (until && until <= now)
		html_put(b, " · expired %t", until);
	else if (until)
		html_put(b, " · until %t", until);
	if (strcmp(row_text(r, 5), "active") != 0)
		html_put(b, " · project %s", row_text(r, 5));
	html_put(b, "</span></li>\n");
}

static int put_projects(struct tx *t, struct home *h)
{
	_cleanup_rows_ struct rows *r = NULL;
	struct buf *b = h->out;
	int n = tx_query(t, sql_projects, "i", &r, h->act.rq->who.id);
	bool any = false;

	html_put(b, "<h2>Projects</h2>\n");
	while (n == 0 && (n = rows_next(r)) > 0) {
		if (!any)
			html_put(b, "<ul class=\"plain\">\n");
		any = true;
		put_project(b, r, h->act.rq->now);
		n = 0;
	}
	html_put(b, any ? "</ul>\n"
			: "<p>None yet. Ask the owner of a project to invite your address.</p>\n");
	return n;
}

static void put_identity(struct buf *b, struct rows *r, const struct request *rq)
{
	html_put(b, "<li><b>%s</b> <span class=\"note\">%s", row_text(r, 0), row_text(r, 3));
	if (row_int(r, 5) == rq->browser.identity)
		html_put(b, " · this login");
	if (row_int(r, 4))
		html_put(b, " · last login there %t", row_int(r, 4));
	else
		html_put(b, " · logged out there");
	html_put(b, "</span>");
	if (row_int(r, 2))
		html_put(b,
		    "<a href=\"/sso/%u/start?fresh=1&amp;return=%%2F\">Log in there again</a>",
		    row_text(r, 1));
	html_put(b, "</li>\n");
}

static int put_identities(struct tx *t, struct home *h)
{
	_cleanup_rows_ struct rows *r = NULL;
	struct buf *b = h->out;
	int n = tx_query(t, sql_identities, "i", &r, h->act.rq->who.id);
	bool any = false;

	while (n == 0 && (n = rows_next(r)) > 0) {
		if (!any)
			html_put(b, "<h2>Logins of institutions</h2>\n<ul class=\"plain\">\n");
		any = true;
		put_identity(b, r, h->act.rq);
		n = 0;
	}
	if (any)
		html_put(b, "</ul>\n");
	return n;
}

static int home_tx(struct tx *t, struct act *a)
{
	struct home *h = (struct home *)a;
	const struct request *rq = a->rq;
	struct user u;
	int r = user_by_id(t, rq->who.id, &u);

	buf_clear(h->out);
	if (r < 0)
		return r == -ENOENT ? act_fail(a, API_NOT_LOGGED_IN, NULL) : r;
	html_put(h->out,
	    "<p class=\"lead\">You are logged in as <b>%s</b>.</p>\n<dl class=\"facts\">"
	    "<dt>Name</dt><dd>%s</dd><dt>Email</dt><dd>%s</dd>"
	    "<dt>Logged in</dt><dd>%s, %t</dd></dl>\n",
	    u.username, u.name[0] ? u.name : u.username, u.email[0] ? u.email : "none",
	    rq->browser.identity ? "at your institution" : "with a password", rq->browser.auth_at);
	html_put(h->out,
	    "<p class=\"actions\"><a class=\"button\" href=\"/device\">Enter a code from "
	    "a terminal</a></p>\n");
	r = put_projects(t, h);
	return r < 0 ? r : put_identities(t, h);
}

static void welcome(struct request *rq, struct reply *rp)
{
	_cleanup_page_ struct page p = {0};

	page_begin(&p, rq, rp, 200, "Prism");
	html_put(&p.body,
	    "<p class=\"lead\">One login for the workstations of your projects.</p>\n"
	    "<p class=\"actions\"><a class=\"button\" href=\"/login\">Log in</a> "
	    "<a class=\"button quiet\" href=\"/device\">Enter a code from a terminal</a></p>\n"
	    "<p class=\"note\">Projects, invitations and keys are managed with the command "
	    "<code>prism</code>.</p>");
	page_send(&p);
}

void page_home(struct request *rq, struct reply *rp)
{
	struct home h = {.act = {.fn = home_tx, .rq = rq}};
	_cleanup_page_ struct page p = {0};

	if (rq->who.kind != PRINCIPAL_USER) {
		welcome(rq, rp);
		return;
	}
	page_begin(&p, rq, rp, 200, "Your account");
	h.out = &p.body;
	int r = act_do(&h.act, STORE_READ);
	if (r < 0)
		act_reply(&h.act, r, rp);
	else
		page_send(&p);
}
