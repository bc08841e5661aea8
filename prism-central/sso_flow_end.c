/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/log.h"
#include "browser.h"
#include "host_feed.h"
#include "html.h"
#include "ratelimit.h"
#include "sso_flow_claim.h"
#include "sso_flow_internal.h"

/* ---- what is told when it did not work ------------------------------------------------------- */

/* Of what a provider or browser sent: printable, short, and nothing that a terminal obeys. */
static void plain(const char *s, char out[SSO_DETAIL_MAX + 1])
{
	size_t n = 0;

	for (; *s && n < SSO_DETAIL_MAX; s++)
		out[n++] = *s >= 0x20 && *s < 0x7f ? *s : '?';
	out[n] = '\0';
}

struct refusal {
	const struct request *rq;
	const struct sso_connection *c;
	const char *fault, *detail;
};

static int refuse_tx(struct tx *t, void *arg)
{
	const struct refusal *f = arg;

	return audit_object(t, f->rq, "sso.refused", "sso-connection", f->c->slug,
	    json_pack("{s:s, s:s*}", "fault", f->fault, "detail", f->detail));
}

void sso_refuse_note(
    struct request *rq, const struct sso_connection *c, const char *fault, const char *detail)
{
	char text[SSO_DETAIL_MAX + 1];
	struct refusal f = {rq, c, fault, detail && *detail ? text : NULL};

	plain(detail ? detail : "", text);
	/* Anybody can send nonsense, from many addresses, and the audit log keeps all for ever. */
	bool noted = ratelimit_take(RATELIMIT_SSO_NOTED, c->slug) == 0;
	int r = noted ? store_tx(rq->db, STORE_WRITE, refuse_tx, &f) : 0;
	log_event(LOG_LEVEL_WARN, "sso_refused", "id", "%s", rq->id, "connection", "%s", c->slug,
	    "fault", "%s", fault, "detail", "%s", text, "audit", "%s",
	    r < 0   ? "failed"
	    : noted ? "ok"
		    : "too many",
	    NULL);
}

static int keep_tx(struct tx *t, void *arg)
{
	const struct refusal *f = arg;

	return sso_refusal_keep(t, f->c->id, f->fault, f->detail, f->rq->now);
}

/* One row, which its owner reads: never too many. Without it the page is the same. */
static void keep(
    struct request *rq, const struct sso_connection *c, const char *fault, const char *detail)
{
	char text[SSO_DETAIL_MAX + 1];
	struct refusal f = {rq, c, fault, text};

	plain(detail ? detail : "", text);
	(void)store_tx(rq->db, STORE_WRITE, keep_tx, &f);
}

/* Where a sentence of its own gives nothing away; the institution's name stands in the middle. */
static const struct sentence {
	const char *fault;
	int status;
	const char *title, *before, *after;
} sentences[] = {
    {"provider_unreachable", 503, "The institution's login does not answer", "The login of ",
	" does not answer. Try again in a few minutes, and tell your administrator if it goes on."},
    {"provider_timeout", 503, "The institution's login does not answer", "The login of ",
	" does not answer in time. Try again in a few minutes, and tell your administrator if it "
	"goes on."},
    {"provider_busy", 503, "The institution's login does not answer", "The login of ",
	" is slow, and others wait for it. Try again in a few minutes, and tell your administrator "
	"if it goes on."},
    {"access_denied", 403, "You cancelled the login", "You cancelled the login at ",
	", or it did not let you in. Begin again whenever you like; ask there if you are refused."},
    {NULL, 403, "The login did not work", "Nobody was logged in through ",
	": begin again, and ask your administrator if it goes on."},
};

void sso_flow_refuse(struct request *rq, struct reply *rp, const struct sso_connection *c,
    const char *fault, const char *detail)
{
	const struct sentence *s = sentences;

	/* What would fill the audit log is answered, and not noted. */
	if (sso_flow_limited(rq, rp, true))
		return;
	keep(rq, c, fault, detail);
	sso_refuse_note(rq, c, fault, detail);
	while (s->fault && strcmp(s->fault, fault) != 0)
		s++;
	page_error(rq, rp, s->status, s->title, "%s%s%s", s->before, c->name, s->after);
}

static const struct {
	int status;
	const char *title, *text;
} told[] = {
    [SSO_ADDRESS_TAKEN] = {409, "You have an account already",
	"An account of Prism has the address that %s names for you. To use this login for it, log "
	"in to that account once more in your old way, and link the two: prism sso link %s."},
    [SSO_NOT_PROVISIONED] = {403, "You have no account yet",
	"%s knows you, but Prism does not, and makes no accounts by itself here. Ask somebody who "
	"manages your project for an invitation; if you have an account, link it: prism sso link "
	"%s."},
    [SSO_SUSPENDED] = {403, "Your account is suspended",
	"You are known through %s, but your account of Prism is suspended. Ask your "
	"administrator (connection %s)."},
    [SSO_OTHER_PERSON] = {409, "This login belongs to another account",
	"What %s calls you is linked to another account of Prism already, and nothing was changed. "
	"Log in there as the right person, then try again: prism sso link %s. If both accounts are "
	"yours, unlink it in the other one first: prism sso identities, then prism sso unlink "
	"ID."},
    [SSO_TOO_MANY] = {429, "Too many new accounts",
	"Very many accounts were made for people of %s just now, and there is a limit. Try again "
	"in "
	"a few minutes, or ask your administrator (connection %s)."},
    [SSO_ANSWERED] = {409, "You have answered already",
	"Your login at %s was linked to your account since this page was shown, and nothing was "
	"changed now. Keys are removed with prism user ssh-key revoke, a password is changed with "
	"prism user password (connection %s)."},
    [SSO_DISABLED] = {403, "This login is switched off",
	"Logging in through %s was switched off meanwhile. Ask your administrator (connection "
	"%s)."},
};

static void tell(
    struct request *rq, struct reply *rp, const struct sso_connection *c, enum sso_outcome outcome)
{
	_cleanup_page_ struct page p;
	log_event(LOG_LEVEL_WARN, "sso_refused", "id", "%s", rq->id, "connection", "%s", c->slug,
	    "fault", "%s", sso_outcome_word(outcome), NULL);
	size_t i =
	    (size_t)outcome < ARRAY_SIZE(told) && told[outcome].title ? outcome : SSO_DISABLED;

	page_begin(&p, rq, rp, told[i].status, told[i].title);
	html_put(&p.body, "<p>");
	html_put(&p.body, told[i].text, c->name, c->slug);
	html_put(&p.body, "</p>\n<p class=\"actions\"><a class=\"button quiet\" href=\"/\">"
			  "To the beginning</a></p>\n");
	page_request(&p);
	page_send(&p);
}

/* ---- the end --------------------------------------------------------------------------------- */

struct settle {
	struct request *rq;
	const struct sso_attempt *a;
	const struct sso_assertion *said;
	const struct sso_answer *answer;
	struct sso_result result;
	struct browser_login login;
};

static int settle_tx(struct tx *t, void *arg)
{
	struct settle *s = arg;
	bool linking = s->answer && s->answer->link_user;
	int r = linking ? sso_attempt_spend(t, s->a) : 0;

	if (r == 0)
		r = sso_login(t, s->rq, s->said, s->answer, &s->result);
	if (r < 0 || (s->result.outcome != SSO_DONE && s->result.outcome != SSO_ASK))
		return r;
	/* A page has told who links a login as whom they will be logged in. */
	if (!linking && sso_flow_other_person(s->rq, &s->result.user))
		return -EUSERS;
	if (s->result.outcome == SSO_ASK)
		return 0;
	s->login = (struct browser_login){
	    .user = s->result.user.id,
	    .identity = s->result.identity,
	    .auth_at = s->said->auth_at,
	    .provider_sid = s->said->sid,
	};
	return browser_open(t, s->rq, &s->login);
}

static void refuse_taken_back(struct request *rq, struct reply *rp, const struct sso_connection *c)
{
	sso_flow_refuse(rq, rp, c, "state", "the account's logins were ended since");
}

/* Where it leads may lead on to another origin, which no form may. */
static void go_on(struct reply *rp, const struct settle *s, const char *path)
{
	if (s->answer && s->answer->claim != SSO_CLAIM_NONE)
		page_go(s->rq, rp, "You are logged in", path);
	else
		reply_redirect(rp, path);
	browser_set_cookie(s->rq, rp, s->login.token);
}

void sso_flow_settle(struct request *rq, struct reply *rp, const struct sso_connection *c,
    const struct sso_attempt *a, const struct sso_assertion *said, const struct sso_answer *answer)
{
	struct settle s = {.rq = rq, .a = a, .said = said, .answer = answer};
	char key[RATELIMIT_KEY_MAX];

	if (said->email[0])
		sso_domain_recheck(rq, c->id, said->email);
	int r = store_tx(rq->db, STORE_WRITE, settle_tx, &s);
	feed_wake_all(rq->central);
	if (r == -EUSERS)
		sso_flow_say_other(rq, rp, c, a->return_to, &s.result);
	else if (r == -ESTALE)
		refuse_taken_back(rq, rp, c);
	else if (r < 0)
		reply_errno(rp, r);
	else if (s.result.outcome == SSO_ASK)
		sso_flow_ask_claim(rq, rp, c, a->return_to, said, s.result.user.id);
	else if (s.result.outcome != SSO_DONE)
		tell(rq, rp, c, s.result.outcome);
	if (r < 0 || s.result.outcome != SSO_DONE)
		return;
	/* A good login does not count: many people may share an address. */
	ratelimit_peer(rq->peer, key);
	ratelimit_return(RATELIMIT_SSO_START, key);
	go_on(rp, &s, return_path(a->return_to));
	explicit_bzero(&s.login, sizeof(s.login));
}

/* ---- linking --------------------------------------------------------------------------------- */

struct link {
	struct request *rq;
	const struct sso_connection *c;
	const struct sso_attempt *began;
	struct sso_attempt a; /* the one that waits */
	struct user user;
};

static int ask_tx(struct tx *t, void *arg)
{
	struct link *l = arg;
	int r = sso_attempt_spend(t, l->began);

	if (r == 0)
		r = user_by_id(t, l->a.link_user, &l->user);
	return r < 0 ? r : sso_attempt_insert(t, l->rq, &l->a);
}

/* The connection's own words are the institution's; who it is about must be seen as well. */
static void ask_page(struct link *l, struct reply *rp, const struct sso_assertion *said)
{
	_cleanup_page_ struct page p;
	char action[SLUG_MAX + 16];

	snprintf(action, sizeof(action), "/sso/%s/link", l->c->slug);
	page_begin(&p, l->rq, rp, 200, "Link this login to your account?");
	html_put(&p.body,
	    "<p>Link your login at <strong>%s</strong> (%s) to the Prism account "
	    "<strong>%s</strong>?</p>\n"
	    "<p>Whoever owns that account gets in by this login from then on, and so do you. If "
	    "you have not asked for this yourself, close this page: somebody may have sent you "
	    "their address.</p>\n",
	    l->c->name, said->email[0] ? said->email : said->subject, l->user.username);
	if (sso_flow_other_person(l->rq, &l->user))
		html_put(&p.body,
		    "<p class=\"warn\">You are logged in here as <b>%s</b>, and will be as "
		    "<b>%s</b> then.</p>\n",
		    l->rq->who.name, l->user.username);
	page_form(&p, action);
	page_hidden(&p, "state", l->a.state);
	html_put(&p.body, "<p class=\"actions\"><button>Link them</button> "
			  "<a class=\"button quiet\" href=\"/\">Do not</a></p></form>");
	page_send(&p);
}

static void ask(struct request *rq, struct reply *rp, const struct sso_connection *c,
    const struct sso_attempt *a, const struct sso_assertion *said)
{
	struct link l = {.rq = rq, .c = c, .began = a, .a.link_user = a->link_user};
	int r = sso_flow_postpone(rq, c, a->return_to, said, &l.a);

	if (r == 0)
		r = store_tx(rq->db, STORE_WRITE, ask_tx, &l);
	if (r == -ESTALE)
		refuse_taken_back(rq, rp, c);
	else if (r < 0)
		reply_errno(rp, r);
	else
		ask_page(&l, rp, said);
	sso_attempt_clear(&l.a);
}

void sso_flow_finish(struct request *rq, struct reply *rp, const struct sso_connection *c,
    const struct sso_attempt *a, const struct sso_assertion *said)
{
	if (a->link_user)
		ask(rq, rp, c, a, said);
	else
		sso_flow_settle(rq, rp, c, a, said, NULL);
}

static void link_do(struct request *rq, struct reply *rp, const struct sso_connection *c,
    const struct sso_attempt *a, const struct sso_assertion *said)
{
	const struct sso_answer yes = {.link_user = a->link_user};

	sso_flow_settle(rq, rp, c, a, said, &yes);
}

void sso_flow_link_post(struct request *rq, struct reply *rp)
{
	sso_flow_answer(rq, rp, true, link_do);
}
