/* SPDX-License-Identifier: MIT */

/*
 * Login CSRF: whoever sends somebody to a provider where they are known as another person, or known
 * without being asked, could have them work as that person unawares: approve a code for them, link
 * them a login. So what another site begins MUST wait for the person's own yes, and nobody who is
 * logged in MUST become somebody else by what a provider says.
 */
#include <errno.h>
#include <stdio.h>
#include "base/log.h"
#include "browser.h"
#include "html.h"
#include "sso_flow_internal.h"

/* ---- before: another site may have begun it -------------------------------------------------- */

static void put_institution(struct page *p, const struct sso_connection *c)
{
	/* The name is the owner's own word; where the way leads is not. */
	html_put(&p->body,
	    "<dl class=\"facts\">\n<dt>Institution</dt><dd>%s</dd>\n"
	    "<dt>Its organization here</dt><dd>%s</dd>\n<dt>Its login</dt><dd>%s</dd>\n</dl>\n",
	    c->name, c->org_slug, c->type == SSO_SAML ? c->entry_point : c->issuer);
}

static void put_query(struct page *p, const char *name)
{
	const char *value = request_query(p->rq, name);

	if (value)
		page_hidden(p, name, value);
}

static void ask(struct request *rq, struct reply *rp, const struct sso_connection *c)
{
	_cleanup_page_ struct page p = {0};
	char action[SLUG_MAX + 16];

	snprintf(action, sizeof(action), "/sso/%s/start", c->slug);
	page_begin(&p, rq, rp, 200, "Log in through this institution?");
	html_put(&p.body,
	    "<p class=\"lead\">A link from elsewhere has brought you here, to be logged in to "
	    "Prism through <b>%s</b>.</p>\n",
	    c->name);
	put_institution(&p, c);
	if (rq->who.kind == PRINCIPAL_USER)
		html_put(&p.body, "<p>You are logged in here already, as <b>%s</b>.</p>\n",
		    rq->who.name);
	html_put(&p.body,
	    "<p class=\"warn\">Go on only if this is your institution and you want to log in. "
	    "Otherwise somebody may want you to work under a name of theirs.</p>\n");
	page_form(&p, action);
	put_query(&p, "return");
	put_query(&p, "fresh");
	put_query(&p, "link");
	html_put(&p.body,
	    "<p class=\"actions\"><button>Go on to %s</button>\n"
	    "<a class=\"button quiet\" href=\"/\">Do not</a></p>\n</form>\n",
	    c->name);
	page_send(&p);
}

void sso_flow_ask(struct request *rq, struct reply *rp)
{
	_cleanup_sso_connection_ struct sso_connection c = {0};
	int r = sso_flow_connection(rq, 0, &c);

	if (r < 0)
		sso_flow_no_connection(rq, rp, r);
	else
		ask(rq, rp, &c);
}

/* ---- after: it is another person ------------------------------------------------------------- */

bool sso_flow_other_person(const struct request *rq, const struct user *user)
{
	return rq->who.kind == PRINCIPAL_USER && rq->who.id != user->id;
}

/* Once more through the provider, which knows them now: nothing of this login is kept. */
static void again_path(const struct sso_connection *c, const char *return_to, struct buf *b)
{
	buf_addf(b, "/sso/%s/start?return=", c->slug);
	html_query(b, return_path(return_to));
	if (return_path(buf_str(b))[1] == '\0') {
		buf_clear(b);
		buf_addf(b, "/sso/%s/start", c->slug);
	}
}

void sso_flow_say_other(struct request *rq, struct reply *rp, const struct sso_connection *c,
    const char *return_to, const struct sso_result *result)
{
	_cleanup_page_ struct page p = {0};
	_cleanup_buf_ struct buf again = BUF_INIT(4096);
	const char *name = result->user.username;

	sso_refuse_note(rq, c, "other_logged_in", name);
	again_path(c, return_to, &again);
	page_begin(&p, rq, rp, 200, "You are logged in as somebody else");
	html_put(&p.body,
	    "<p class=\"lead\">In this browser you are logged in as <b>%s</b>; to %s you are "
	    "<b>%s</b>%s.</p>\n"
	    "<p>Nothing was changed. If you are both, log out and in again as %s; if you are not, "
	    "or have not just logged in yourself, stay who you are.</p>\n",
	    rq->who.name, c->name, name, result->created ? ", who is new here" : "", name);
	page_form(&p, "/logout");
	page_hidden(&p, "return", buf_str(&again));
	html_put(&p.body,
	    "<p class=\"actions\"><a class=\"button\" href=\"%s\">Stay %s</a>\n"
	    "<button class=\"quiet\">Log out, and in again as %s</button></p>\n</form>\n",
	    return_path(return_to), rq->who.name, name);
	page_send(&p);
}
