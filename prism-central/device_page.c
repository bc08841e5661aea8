/* SPDX-License-Identifier: MIT */

/*
 * A person answers a device's code (RFC 8628 §3.3, §5.4). Threat model: somebody may send their own
 * code to a victim, so the page MUST say who would log in where, from which address, and that only
 * whoever has just begun this themselves may agree; a host's code MUST be answered by the person
 * whose name ssh was given; guessing codes MUST NOT pay, for those who are logged in either.
 */
#include "oauth_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "base/log.h"
#include "browser.h"
#include "central.h"
#include "ratelimit.h"

struct view {
	struct request *rq;
	const char *typed;
	bool renewed; /* they come back from a provider */
	bool approve;
	/* of the transactions */
	struct device device;
	struct device_worth worth;
	int verdict;
	bool stale; /* it is there, but over or answered */
	bool over;  /* its time has ended, or its host has ended it */
};

/* ---- guesses --------------------------------------------------------------------------------- */

struct guess {
	char peer[RATELIMIT_KEY_MAX + 4], user[32];
};

/* Somebody else's page has opened this address, or a provider after a login. */
static bool led_here(const struct request *rq)
{
	const char *site = request_header(rq, "Sec-Fetch-Site");

	return site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
}

/* Counted apart where it may not be their doing: nobody else can use up their guesses. */
static void guess_init(const struct request *rq, struct guess *g)
{
	const char *led = led_here(rq) ? "led " : "";
	char peer[RATELIMIT_KEY_MAX];

	ratelimit_peer(rq->peer ? rq->peer : "", peer);
	snprintf(g->peer, sizeof(g->peer), "%s%s", led, peer);
	snprintf(g->user, sizeof(g->user), "%s%" PRId64, led, rq->who.id);
}

static void guess_log(const struct request *rq, const char *why)
{
	log_event(LOG_LEVEL_WARN, "device-code-refused", "request", "%s", rq->id, "peer", "%s",
	    rq->peer ? rq->peer : "", "user", "%s", rq->who.name, "why", "%s", why, NULL);
}

/* 0, or the seconds until they may guess again. */
static unsigned guess_wait(const struct request *rq)
{
	struct guess g;

	guess_init(rq, &g);
	unsigned wait = ratelimit_check(RATELIMIT_CODE_PEER, g.peer);
	return wait ? wait : ratelimit_check(RATELIMIT_CODE_USER, g.user);
}

static void guess_count(const struct request *rq, const char *why)
{
	struct guess g;

	guess_init(rq, &g);
	ratelimit_take(RATELIMIT_CODE_PEER, g.peer);
	ratelimit_take(RATELIMIT_CODE_USER, g.user);
	guess_log(rq, why);
}

/* ---- looking a code up ----------------------------------------------------------------------- */

/* What became of it is only for whom it is. */
static void look_stale(struct view *v)
{
	const struct device *d = &v->device;

	v->stale = d->user == 0 || d->user == v->rq->who.id;
	v->over = v->stale && d->expires_at <= v->rq->now &&
		  (d->state == DEVICE_PENDING || d->state == DEVICE_APPROVED);
}

static int look(struct tx *t, struct view *v)
{
	const struct request *rq = v->rq;
	struct device *d = &v->device;
	struct device_person who = {rq->who.id, rq->browser.identity, rq->browser.auth_at};
	int r = rq->who.kind == PRINCIPAL_USER ? browser_holds(t, rq) : 0;

	v->verdict = DEVICE_UNKNOWN;
	v->stale = v->over = false;
	if (r <= 0)
		return r < 0 ? r : -EACCES;
	r = device_by_user_code(t, v->typed, d);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (d->state != DEVICE_PENDING || d->expires_at <= rq->now) {
		look_stale(v);
		return 0;
	}
	r = device_judge(t, d, &who, rq->now, &v->worth);
	if (r > 0)
		v->verdict = r;
	return r < 0 ? r : 0;
}

/* The command line is where people are sent whose keys want a newer login: it leads them there. */
static int look_tx(struct tx *t, void *arg)
{
	struct view *v = arg;
	int r = look(t, v);

	if (r < 0 || v->verdict != DEVICE_MAY || v->device.host || v->renewed)
		return r;
	r = oauth_login_old(t, v->rq, v->worth.connection);
	if (r > 0) {
		v->verdict = DEVICE_NEEDS_SSO;
		v->worth.fresh = true;
	}
	return r < 0 ? r : 0;
}

static json_t *device_detail(const struct device *d)
{
	if (!d->host)
		return json_pack("{ss, ss}", "client", OAUTH_CLI, "origin", d->origin);
	return json_pack(
	    "{ss, ss, ss}", "host", d->host_name, "service", d->service, "origin", d->origin);
}

static int wrong_person_tx(struct tx *t, void *arg)
{
	struct view *v = arg;

	return audit_object(
	    t, v->rq, "device.wrong-person", "user", v->device.username, device_detail(&v->device));
}

/* ---- pages ----------------------------------------------------------------------------------- */

/* This page with the code, to come back to. */
static void own_path(const struct view *v, bool renewed, char *out, size_t size)
{
	char code[DEVICE_USER_CODE + 1], shown[DEVICE_SHOWN + 1];

	if (!v->typed || !device_user_code_read(v->typed, code)) {
		snprintf(out, size, "/device");
		return;
	}
	device_user_code_show(code, shown);
	snprintf(out, size, "/device?user_code=%s%s", shown, renewed ? "&renewed=1" : "");
}

static const char no_code[] =
    "A code looks like WDJB-MJHT: eight letters, never A, E, I, O, U or Y, and no digits.";
static const char unknown_code[] =
    "This code is not known: its time may be over, or it was answered already. Look at your "
    "terminal, and begin again there if need be.";
static const char over_code[] =
    "This code is not known any more: it has expired, or the login was given "
    "up, and your terminal does not wait any more. Begin again there.";

/* What is wrong with one that is not there. */
static const char *code_fault(const struct view *v)
{
	char code[DEVICE_USER_CODE + 1];

	if (!v->typed || !device_user_code_read(v->typed, code))
		return no_code;
	return v->over ? over_code : unknown_code;
}

static void ask_code(
    struct view *v, struct reply *rp, int status, const char *error, const char *code)
{
	_cleanup_page_ struct page p = {.rq = NULL};

	page_begin(&p, v->rq, rp, status, "Enter the code");
	if (error)
		html_put(&p.body, "<p class=\"error\" role=\"alert\">%s</p>\n", error);
	page_form(&p, "/device");
	html_put(&p.body,
	    "<label for=\"user_code\">The code that your terminal shows</label>\n"
	    "<input id=\"user_code\" name=\"user_code\" value=\"%s\" maxlength=\"32\" required "
	    "autofocus "
	    "autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" "
	    "placeholder=\"WDJB-MJHT\">\n"
	    "<p class=\"actions\"><button>Continue</button></p>\n</form>\n"
	    "<p class=\"warn\">Type only a code from a terminal of your own. Nobody has a reason "
	    "to "
	    "send you one.</p>\n",
	    code);
	page_send(&p);
}

/* Whoever was led here agrees to the code themselves, and is counted as one who typed it. */
static void too_many(struct view *v, struct reply *rp, unsigned wait)
{
	char code[DEVICE_USER_CODE + 1], shown[DEVICE_SHOWN + 1];

	guess_log(v->rq, "too many wrong codes");
	if (led_here(v->rq) && device_user_code_read(v->typed, code)) {
		device_user_code_show(code, shown);
		ask_code(v, rp, 200, NULL, shown);
		return;
	}
	rp->retry_after = wait;
	page_error(v->rq, rp, 429, "Too many wrong codes",
	    "Wait %u seconds, then type the code that your terminal shows.", wait);
}

/* As an address, and how addresses are compared: those of one IPv6 network are one. */
static bool address_network(const char *text, char out[static RATELIMIT_KEY_MAX])
{
	struct in6_addr a;
	const char *v4 = strncmp(text, "::ffff:", 7) == 0 ? text + 7 : text;

	if (inet_pton(AF_INET, v4, &a) == 1) {
		snprintf(out, RATELIMIT_KEY_MAX, "%s", v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &a) != 1)
		return false;
	ratelimit_peer(text, out);
	return true;
}

static bool elsewhere(const char *peer, const char *origin)
{
	char a[RATELIMIT_KEY_MAX], b[RATELIMIT_KEY_MAX];

	return address_network(peer, a) && address_network(origin, b) && strcmp(a, b) != 0;
}

static void put_facts(struct page *p, const struct device *d, int64_t now)
{
	int64_t left = d->expires_at - now;

	/* Host and person stand above: a telephone must show all this and both answers at once. */
	html_put(&p->body, "<dl class=\"facts\">\n<dt>%s</dt><dd>%s</dd>\n",
	    d->host ? "Service" : "Program", d->host ? d->service : "prism login");
	html_put(&p->body, "<dt>From</dt><dd>%s</dd>\n<dt>Time left</dt><dd>",
	    d->origin[0] ? d->origin : "the host itself, or not known");
	if (left >= 120)
		html_put(&p->body, "%i minutes", left / 60);
	else
		html_put(&p->body, "%i seconds", left);
	html_put(&p->body, "</dd>\n</dl>\n");
}

static void put_warnings(struct page *p, const struct device *d)
{
	const char *peer = p->rq->peer ? p->rq->peer : "";

	html_put(&p->body,
	    "<p class=\"warn\">Approve only if you have just typed <code>%s</code> yourself. "
	    "Somebody who sends you this code wants to log in as you.</p>\n",
	    d->host ? "ssh" : "prism login");
	if (elsewhere(peer, d->origin))
		html_put(&p->body,
		    "<p class=\"warn\">This browser has another address: %s. That is so with a "
		    "telephone, or in another network; if you do not know why, deny.</p>\n",
		    peer);
}

static void review(struct view *v, struct reply *rp)
{
	_cleanup_page_ struct page p = {.rq = NULL};
	const struct device *d = &v->device;
	char code[DEVICE_USER_CODE + 1], shown[DEVICE_SHOWN + 1];

	device_user_code_read(v->typed, code);
	device_user_code_show(code, shown);
	page_begin(&p, v->rq, rp, 200, "Approve this login?");
	if (d->host)
		html_put(&p.body,
		    "<p class=\"lead\">Somebody wants to log in to <b>%s</b> as <b>%s</b>.</p>\n",
		    d->host_name, d->username);
	else
		html_put(&p.body,
		    "<p class=\"lead\">Somebody wants to use the command line as <b>%s</b>.</p>\n",
		    v->rq->who.name);
	html_put(&p.body, "<p>Your terminal must show this code:</p>\n<p class=\"code\">%s</p>\n",
	    shown);
	put_facts(&p, d, v->rq->now);
	put_warnings(&p, d);
	page_form(&p, "/device/decide");
	page_hidden(&p, "user_code", shown);
	html_put(&p.body, "<p class=\"actions pair\"><button name=\"decision\" value=\"approve\">"
			  "Approve</button>\n<button class=\"quiet danger\" name=\"decision\" "
			  "value=\"deny\">Deny</button></p>\n</form>\n");
	page_send(&p);
}

static void wrong_person(struct view *v, struct reply *rp)
{
	_cleanup_page_ struct page p = {.rq = NULL};
	char path[64];

	guess_count(v->rq, "a code for somebody else");
	int r = store_tx(v->rq->db, STORE_WRITE, wrong_person_tx, v);
	if (r < 0) {
		reply_errno(rp, r);
		return;
	}
	own_path(v, false, path, sizeof(path));
	page_begin(&p, v->rq, rp, 403, "This login is for somebody else");
	html_put(&p.body,
	    "<p class=\"lead\">This login is for <b>%s</b>; you are logged in as <b>%s</b>.</p>\n"
	    "<p>If you are %s as well, log out here and in again as %s. If you are not, somebody "
	    "has sent you a code that is not yours: close this page.</p>\n",
	    v->device.username, v->rq->who.name, v->device.username, v->device.username);
	page_form(&p, "/logout");
	page_hidden(&p, "return", path);
	html_put(
	    &p.body, "<p class=\"actions\"><button>Log out, and in again</button></p>\n</form>\n");
	page_send(&p);
}

static void needs_sso(struct view *v, struct reply *rp)
{
	char path[64];

	own_path(v, true, path, sizeof(path));
	if (!v->renewed)
		oauth_sso_first(v->rq, rp, v->worth.connection, v->worth.fresh, path);
	else
		page_error(v->rq, rp, 403, "Your login is not recent enough",
		    "Here it takes a login at your institution that has just been made, and you "
		    "were let pass with an older one. Log out there, then try again.");
}

static void refuse(struct view *v, struct reply *rp)
{
	struct request *rq = v->rq;

	switch (v->verdict) {
	case DEVICE_WRONG_PERSON:
		wrong_person(v, rp);
		break;
	case DEVICE_NEEDS_SSO:
		needs_sso(v, rp);
		break;
	case DEVICE_SUSPENDED:
		page_error(rq, rp, 403, "Your login has ended",
		    "Log out and in again. If that does not help, ask your administrator.");
		break;
	case DEVICE_NO_MEMBER:
		page_error(rq, rp, 403, "You are no member there",
		    "You belong to no project of %s. Ask the owner of one to invite you.",
		    v->device.host_name);
		break;
	case DEVICE_NO_PROVIDER:
		page_error(rq, rp, 403, "There is no login to use",
		    "The projects of %s ask for a login at your institution, and none is set up. "
		    "Ask the owner of your organization.",
		    v->device.host_name);
		break;
	default:
		if (!v->stale)
			guess_count(rq, "no such code");
		ask_code(v, rp, 404, code_fault(v), "");
	}
}

static void login_first(struct view *v, struct reply *rp)
{
	char path[64];

	own_path(v, false, path, sizeof(path));
	oauth_login_first(rp, path);
}

void device_page(struct request *rq, struct reply *rp)
{
	struct view v = {.rq = rq, .typed = request_query(rq, "user_code")};

	v.renewed = request_query(rq, "renewed") != NULL;
	if (rq->who.kind != PRINCIPAL_USER) {
		login_first(&v, rp);
		return;
	}
	if (!v.typed || !*v.typed) {
		ask_code(&v, rp, 200, NULL, "");
		return;
	}
	unsigned wait = guess_wait(rq);
	if (wait) {
		too_many(&v, rp, wait);
		return;
	}
	int r = store_tx(rq->db, STORE_READ, look_tx, &v);
	if (r == -EACCES)
		login_first(&v, rp);
	else if (r < 0)
		reply_errno(rp, r);
	else if (v.verdict == DEVICE_MAY)
		review(&v, rp);
	else
		refuse(&v, rp);
}

void device_page_post(struct request *rq, struct reply *rp)
{
	struct view v = {.rq = rq, .typed = request_form(rq, "user_code")};
	char path[64], code[DEVICE_USER_CODE + 1];

	own_path(&v, false, path, sizeof(path));
	if (v.typed && device_user_code_read(v.typed, code))
		reply_redirect(rp, path);
	else
		ask_code(&v, rp, 400, no_code, "");
}

/* ---- the decision ---------------------------------------------------------------------------- */

static const char sql_newest[] =
    "SELECT COALESCE(MAX(answered_at), 0) FROM device_codes WHERE host_id = $1";
static const char sql_answer[] =
    "UPDATE device_codes SET state = $2, answered_by = $3, identity_id = $4, auth_at = $5,"
    " answered_at = $6 WHERE id = $1 AND state = 'pending'";

/*
 * When it was answered, later than every answer for this host before: a host that asks for what
 * came after the newest it knows misses none, though several come in one second.
 */
static int answer_time(struct tx *t, const struct view *v, int64_t *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql_newest, "i", &r, v->device.host);

	if (rc == 0)
		rc = rows_next(r);
	if (rc <= 0)
		return rc < 0 ? rc : -EIO;
	int64_t newest = row_int(r, 0);
	*ret = newest < v->rq->now ? v->rq->now : newest + 1;
	return 0;
}

/* Whoever it is for may always say no. */
static bool may_decide(const struct view *v)
{
	return v->verdict == DEVICE_MAY ||
	       (!v->approve && v->verdict != DEVICE_UNKNOWN && v->verdict != DEVICE_WRONG_PERSON);
}

static int decide_tx(struct tx *t, void *arg)
{
	struct view *v = arg;
	const struct request *rq = v->rq;
	int64_t at;
	int r = look(t, v);

	if (r < 0 || !may_decide(v))
		return r;
	r = answer_time(t, v, &at);
	if (r == 0)
		r = tx_exec(t, sql_answer, "isiiii", v->device.id,
		    v->approve ? "approved" : "denied", rq->who.id, rq->browser.identity,
		    rq->browser.auth_at, at);
	if (r == 0 && tx_changes(t) != 1)
		return -EIO;
	return r < 0 ? r
		     : audit_object(t, rq, v->approve ? "device.approve" : "device.deny", "user",
			   rq->who.name, device_detail(&v->device));
}

static void wake(const struct view *v)
{
	struct central *c = v->rq->central;
	char topic[64];

	device_topic(&v->device, topic);
	http_wake(c, topic);
	snprintf(topic, sizeof(topic), "host-logins:%" PRId64, v->device.host);
	if (v->device.host)
		http_wake(c, topic);
}

static void decided(struct view *v, struct reply *rp)
{
	_cleanup_page_ struct page p = {.rq = NULL};

	page_begin(
	    &p, v->rq, rp, 200, v->approve ? "The login is approved" : "The login is denied");
	html_put(&p.body,
	    v->approve ? "<p class=\"lead\">Go back to your terminal: it goes on there.</p>\n"
		       : "<p class=\"lead\">Nobody was logged in.</p>\n<p>If you had not begun it, "
			 "tell your administrator.</p>\n");
	html_put(&p.body, "<p class=\"note\">You can close this page.</p>\n");
	page_send(&p);
}

void device_decide_post(struct request *rq, struct reply *rp)
{
	struct view v = {.rq = rq, .typed = request_form(rq, "user_code")};
	const char *decision = request_form(rq, "decision");

	v.approve = decision && strcmp(decision, "approve") == 0;
	if (!v.typed || !decision || (!v.approve && strcmp(decision, "deny") != 0)) {
		page_error(rq, rp, 400, "The answer is not understood",
		    "Open the address that your terminal shows again.");
		return;
	}
	if (rq->who.kind != PRINCIPAL_USER) {
		login_first(&v, rp);
		return;
	}
	unsigned wait = guess_wait(rq);
	if (wait) {
		too_many(&v, rp, wait);
		return;
	}
	int r = store_tx(rq->db, STORE_WRITE, decide_tx, &v);
	if (r == -EACCES) {
		login_first(&v, rp);
	} else if (r < 0) {
		reply_errno(rp, r);
	} else if (may_decide(&v)) {
		wake(&v);
		decided(&v, rp);
	} else {
		refuse(&v, rp);
	}
}
