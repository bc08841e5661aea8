/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "audit.h"
#include "browser.h"
#include "html.h"
#include "login.h"
#include "sso.h"

/* What both steps carry along. */
struct step {
	struct act act;
	struct login_ways ways;	  /* the other ones; its path is where to go then */
	char name[EMAIL_MAX + 1]; /* as typed; "": nothing yet */
	char found[SLUG_MAX + 1]; /* the connection that an address or account belongs to; "" */
};

/* What can be no name is not shown again either. Telephones put a blank behind a word. */
static void name_typed(struct step *s, const char *typed)
{
	static const char blank[] = " \t";
	const char *from = typed ? typed + strspn(typed, blank) : "";
	size_t n = strlen(from);

	while (n > 0 && strchr(blank, from[n - 1]))
		n--;
	if (n > EMAIL_MAX)
		n = 0;
	memcpy(s->name, from, n);
	s->name[n] = '\0';
}

/* Back to the login page would be a way without an end. */
static const char *path_after(const char *s)
{
	const char *path = return_path(s);

	return strncmp(path, "/login", 6) == 0 || strncmp(path, "/logout", 7) == 0 ? "/" : path;
}

/* A path that may lead out of our origin cannot follow upon a form. */
static void go(struct request *rq, struct reply *rp, const char *path)
{
	if (strncmp(path, "/sso/", 5) == 0)
		page_go(rq, rp, "Taking you to your login", path);
	else
		reply_redirect(rp, path);
}

static void go_to_provider(struct request *rq, struct reply *rp, const char *slug, const char *path)
{
	char where[4096];
	_cleanup_buf_ struct buf b = BUF_INIT(sizeof(where) - 1);

	html_put(&b, "/sso/%u/start?return=%u", slug, path);
	if (buf_error(&b) < 0)
		reply_errno(rp, buf_error(&b));
	else
		page_go(rq, rp, "Taking you to your institution's login", buf_str(&b));
}

/* Where it is false the reply is filled. */
static bool ask_begin(
    struct step *s, struct reply *rp, int status, struct page *p, struct buf *ret_ways)
{
	page_begin(p, s->act.rq, rp, status, "Log in");
	int r = login_ways(s->act.rq, &s->ways, ret_ways);
	if (r < 0)
		reply_errno(rp, r);
	return r >= 0;
}

/* ---- the first step: who --------------------------------------------------------------------- */

static void put_error(struct page *p, const char *why)
{
	if (why)
		html_put(&p->body, "<p class=\"error\" role=\"alert\">%s</p>\n", why);
}

static void ask_name(struct step *s, struct reply *rp, int status, const char *why)
{
	_cleanup_buf_ struct buf ways = BUF_INIT(HTML_MAX / 4);
	_cleanup_page_ struct page p = {0};

	if (!ask_begin(s, rp, status, &p, &ways))
		return;
	put_error(&p, why);
	buf_add(&p.body, ways.data, ways.len);
	if (ways.len)
		html_put(&p.body, "<p class=\"note\">Or say who you are:</p>\n");
	page_form(&p, "/login");
	page_hidden(&p, "return", s->ways.path);
	html_put(&p.body,
	    "<label for=\"login\">Email address or username</label>\n"
	    "<input id=\"login\" name=\"login\" value=\"%s\" maxlength=\"254\" required%r "
	    "autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\">\n"
	    "<p class=\"actions\"><button>Continue</button></p>\n</form>\n"
	    "<p class=\"note\">With the email address of an institution that logs its people in "
	    "itself, you are taken there: you never type its password here. With a username you "
	    "are asked for your password at Prism.</p>",
	    s->name, ways.len ? "" : " autofocus");
	page_send(&p);
}

void page_login(struct request *rq, struct reply *rp)
{
	struct step s = {.act = {.rq = rq}};

	name_typed(&s, request_query(rq, "hint"));
	s.ways.slug = request_query(rq, "connection");
	s.ways.org = request_query(rq, "org");
	s.ways.path = path_after(request_query(rq, "return"));
	if (rq->who.kind == PRINCIPAL_USER)
		reply_redirect(rp, s.ways.path);
	else
		ask_name(&s, rp, 200, NULL);
}

/* ---- the second: a password ------------------------------------------------------------------ */

/* Here somebody may be about to type the password of their institution. */
static void put_elsewhere(struct page *p, const struct step *s, const struct buf *ways)
{
	if (ways->len) {
		html_put(&p->body, "<p class=\"note\">With an account of an institution:</p>\n");
		buf_add(&p->body, ways->data, ways->len);
	}
	html_put(&p->body,
	    "<p class=\"note\">Your institution's password does not belong here: "
	    "<a href=\"/login?return=%u\">go back</a> and begin with your email address there. "
	    "If you have lost your Prism password, your administrator can set a new one.</p>",
	    s->ways.path);
}

static void ask_password(struct step *s, struct reply *rp, int status, const char *why)
{
	_cleanup_buf_ struct buf ways = BUF_INIT(HTML_MAX / 4);
	_cleanup_page_ struct page p = {0};

	if (!ask_begin(s, rp, status, &p, &ways))
		return;
	put_error(&p, why);
	page_form(&p, "/login");
	page_hidden(&p, "return", s->ways.path);
	html_put(&p.body,
	    "<label for=\"login\">Email address or username</label>\n"
	    "<input id=\"login\" name=\"login\" value=\"%s\" readonly autocomplete=\"username\">\n"
	    "<label for=\"password\">Prism password (not your institution's)</label>\n"
	    "<input id=\"password\" name=\"password\" type=\"password\" maxlength=\"%i\" required "
	    "autofocus autocomplete=\"current-password\">\n"
	    "<p class=\"actions\"><button>Log in</button> "
	    "<a class=\"button quiet\" href=\"/login?return=%u\">Back</a></p>\n</form>\n",
	    s->name, (int64_t)PASSWORD_MAX, s->ways.path);
	put_elsewhere(&p, s, &ways);
	page_send(&p);
}

static int discover_tx(struct tx *t, struct act *a)
{
	struct step *s = (struct step *)a;
	char slug[SLUG_MAX + 1];
	int r = strchr(s->name, '@') ? sso_discover(t, s->name, slug) : -ENOENT;

	s->found[0] = '\0';
	if (r == 0)
		memcpy(s->found, slug, sizeof(slug));
	return r == -ENOENT ? 0 : r;
}

static void post_name(struct step *s, struct reply *rp)
{
	s->act.fn = discover_tx;
	int r = act_do(&s->act, STORE_READ);

	if (r < 0)
		act_reply(&s->act, r, rp);
	else if (s->found[0])
		go_to_provider(s->act.rq, rp, s->found, s->ways.path);
	else
		ask_password(s, rp, 200, NULL);
}

struct browser_act {
	struct login login;
	struct browser_login opened;
};

static int password_open(struct tx *t, struct login *l)
{
	struct browser_act *b = (struct browser_act *)l;
	struct request as = request_as(l->act.rq, l->user.id, l->user.username);

	b->opened = (struct browser_login){.user = l->user.id, .auth_at = as.now};
	int r = browser_open(t, l->act.rq, &b->opened);
	return r ? r
		 : audit_object(t, &as, "browser.open", "user", l->user.username,
		       json_pack("{ss}", "how", "password"));
}

struct enforced_act {
	struct act act;
	int64_t user;
	char slug[SLUG_MAX + 1];
};

static int enforced_tx(struct tx *t, struct act *a)
{
	struct enforced_act *e = (struct enforced_act *)a;
	int r = sso_enforced(t, e->user, e->slug);

	return r < 0 ? r : r ? 0 : -ENOENT;
}

/* Their password was right, so they may know which login it takes instead. */
static void say_enforced(struct step *s, struct reply *rp, const struct login *l)
{
	struct enforced_act e = {.act = {.fn = enforced_tx, .rq = s->act.rq}, .user = l->user.id};
	_cleanup_page_ struct page p = {0};

	if (act_do(&e.act, STORE_READ) < 0)
		e.slug[0] = '\0';
	page_begin(&p, s->act.rq, rp, 403, "Log in at your institution");
	html_put(&p.body,
	    "<p class=\"lead\">Your organization wants you to log in through its own login.</p>\n");
	if (e.slug[0])
		html_put(&p.body,
		    "<p class=\"actions\"><a class=\"button\" href=\"/sso/%u/start?return=%u\">"
		    "Go there</a></p>",
		    e.slug, s->ways.path);
	else
		html_put(&p.body, "<p class=\"actions\"><a class=\"button\" href=\"/login\">"
				  "Begin with your email address</a></p>");
	page_send(&p);
}

static void say_refused(struct step *s, struct reply *rp, const struct login *l)
{
	switch (l->act.error) {
	case API_SSO_REQUIRED:
		say_enforced(s, rp, l);
		break;
	case API_TOO_MANY_REQUESTS:
		rp->retry_after = l->wait;
		ask_password(s, rp, 429, l->act.why);
		break;
	case API_BAD_CREDENTIALS:
		ask_password(s, rp, 403,
		    "Wrong username or password. Check both and try again. If you log in at an "
		    "institution, begin with your email address there.");
		break;
	case API_ACCOUNT_SUSPENDED:
		page_error(s->act.rq, rp, 403, "Your account is suspended",
		    "Nobody can log in to it. Ask your administrator.");
		break;
	default:
		reply_error(rp, l->act.error, NULL);
	}
}

static void post_password(struct step *s, struct reply *rp, const char *password)
{
	struct browser_act b = {.login = {.act = {.rq = s->act.rq}, .name = s->name}};

	b.login.open = password_open;
	int r = login_password(&b.login, password);
	if (r == 0) {
		browser_set_cookie(s->act.rq, rp, b.opened.token);
		go(s->act.rq, rp, s->ways.path);
	} else if (r == -ECANCELED) {
		say_refused(s, rp, &b.login);
	} else {
		reply_errno(rp, r);
	}
	explicit_bzero(&b, sizeof(b));
}

void page_login_post(struct request *rq, struct reply *rp)
{
	struct step s = {.act = {.rq = rq}};
	const char *password = request_form(rq, "password");

	name_typed(&s, request_form(rq, "login"));
	s.ways.path = path_after(request_form(rq, "return"));
	if (!s.name[0])
		ask_name(&s, rp, 400, "Type your email address or your username.");
	else if (password && *password)
		post_password(&s, rp, password);
	else if (password)
		ask_password(&s, rp, 400, "Type your password.");
	else
		post_name(&s, rp);
}

/* ---- out ------------------------------------------------------------------------------------- */

static int logout_tx(struct tx *t, struct act *a)
{
	const struct request *rq = a->rq;
	int r = browser_close(t, rq);

	return r || !rq->browser.session
		   ? r
		   : audit_object(t, rq, "browser.close", "user", rq->who.name, NULL);
}

void page_logout_post(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = logout_tx, .rq = rq, .status = 204};
	/* Forms of pages that are still open in other tabs, and logins begun there, are void then.
	 */
	int r = browser_renew_cookies(rq, rp);

	if (r == 0)
		r = act_do(&a, STORE_WRITE);
	if (r < 0) {
		act_reply(&a, r, rp);
		return;
	}
	go(rq, rp, return_path(request_form(rq, "return")));
}
