/* SPDX-License-Identifier: MIT */

/*
 * A program on the person's own machine asks for a login (RFC 6749 §4.1.1, RFC 8252). Threat model:
 * the browser MUST NOT be sent anywhere before client_id and redirect_uri are known to be good, and
 * then nowhere but to a loopback address; no code is made without the person's agreement in a form
 * of ours, for another page can open this address as well as the program can.
 */
#include "oauth_internal.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "base/num.h"
#include "browser.h"
#include "central.h"

#define STATE_MAX 256

struct asked {
	const char *redirect_uri, *challenge, *state; /* state: NULL if there is none */
	char origin[64];			      /* of redirect_uri */
	bool v6;
};

/* http://127.0.0.1:PORT/callback or http://[::1]:PORT/callback, and nothing else. */
static bool redirect_parse(const char *uri, struct asked *a)
{
	static const char *const hosts[] = {"http://127.0.0.1:", "http://[::1]:"};
	uint32_t port;

	for (size_t i = 0; uri && i < ARRAY_SIZE(hosts); i++) {
		char digits[8];
		size_t n = strlen(hosts[i]), len;
		if (strncmp(uri, hosts[i], n) != 0)
			continue;
		len = strcspn(uri + n, "/");
		if (len >= sizeof(digits) || strcmp(uri + n + len, "/callback") != 0)
			return false;
		memcpy(digits, uri + n, len);
		digits[len] = '\0';
		if (num_parse_u32(digits, 65535, &port) < 0 || port == 0)
			return false;
		a->redirect_uri = uri;
		a->v6 = i == 1;
		snprintf(a->origin, sizeof(a->origin), "%.*s", (int)(n + len), uri);
		return true;
	}
	return false;
}

static void answer(const struct request *rq, struct reply *rp, const struct asked *a,
    const char *name, const char *value)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);

	buf_addf(&b, "%s?%s=", a->redirect_uri, name);
	html_query(&b, value);
	if (a->state) {
		buf_add_str(&b, "&state=");
		html_query(&b, a->state);
	}
	buf_add_str(&b, "&iss=");
	html_query(&b, rq->central->config.url);
	if (buf_error(&b) < 0)
		reply_errno(rp, buf_error(&b));
	else
		reply_redirect(rp, buf_str(&b));
}

static void refuse(const struct request *rq, struct reply *rp, const struct asked *a,
    const char *error, const char *why)
{
	log_event(LOG_LEVEL_WARN, "oauth-refused", "request", "%s", rq->id, "peer", "%s",
	    rq->peer ? rq->peer : "", "error", "%s", error, "why", "%s", why, NULL);
	answer(rq, rp, a, "error", error);
}

static bool challenge_valid(const char *s)
{
	uint8_t raw[32];

	return s && strlen(s) == OAUTH_CHALLENGE_LEN &&
	       base64url_decode(s, OAUTH_CHALLENGE_LEN, raw, sizeof(raw)) == sizeof(raw);
}

static bool state_valid(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return n <= STATE_MAX;
}

/* From the query, or from the form that the page has made of it. False: answered. */
static bool asked_parse(struct request *rq, struct reply *rp,
    const char *(*get)(const struct request *, const char *), struct asked *a)
{
	const char *client = get(rq, "client_id"), *type = get(rq, "response_type");
	const char *method = get(rq, "code_challenge_method");

	if (!client || strcmp(client, OAUTH_CLI) != 0 ||
	    !redirect_parse(get(rq, "redirect_uri"), a)) {
		log_event(LOG_LEVEL_WARN, "oauth-refused", "request", "%s", rq->id, "peer", "%s",
		    rq->peer ? rq->peer : "", "why", "%s", "client_id or redirect_uri", NULL);
		page_error(rq, rp, 400, "This login cannot go on",
		    "The program that opened this page is not one that Prism knows, or wants the "
		    "answer sent to a place where none is sent. If you have not just typed "
		    "\"prism login\" yourself, close this page.");
		return false;
	}
	a->challenge = get(rq, "code_challenge");
	a->state = get(rq, "state");
	if (a->state && !state_valid(a->state)) {
		a->state = NULL;
		refuse(rq, rp, a, "invalid_request", "state");
		return false;
	}
	if (!type || strcmp(type, "code") != 0) {
		refuse(rq, rp, a, type ? "unsupported_response_type" : "invalid_request",
		    "response_type");
		return false;
	}
	if (!method || strcmp(method, "S256") != 0 || !challenge_valid(a->challenge)) {
		refuse(rq, rp, a, "invalid_request", "code_challenge");
		return false;
	}
	return true;
}

/* ---- the page -------------------------------------------------------------------------------- */

/* This page's own address, to come back to after a login. */
static void own_path(const struct asked *a, struct buf *b)
{
	buf_addf(b,
	    "/oauth2/authorize?response_type=code&client_id=" OAUTH_CLI
	    "&code_challenge_method=S256&code_challenge=%s&redirect_uri=",
	    a->challenge);
	html_query(b, a->redirect_uri);
	if (a->state) {
		buf_add_str(b, "&state=");
		html_query(b, a->state);
	}
}

struct consent {
	struct request *rq;
	const struct asked *asked;
	char connection[SLUG_MAX + 1];
	struct oauth_secret code;
	bool fresh; /* there, and now */
	bool approve;
};

static int ready_tx(struct tx *t, void *arg)
{
	struct consent *c = arg;
	const struct request *rq = c->rq;

	c->connection[0] = '\0';
	int r = rq->who.kind == PRINCIPAL_USER ? browser_holds(t, rq) : 0;
	if (r <= 0)
		return r < 0 ? r : -EACCES;
	r = oauth_identity_holds(t, rq->who.id, rq->browser.identity);
	if (r <= 0)
		return r < 0 ? r : -EACCES;
	r = oauth_must_use_sso(t, rq->who.id, rq->browser.identity, c->connection);
	return r < 0 ? r : r ? -EPERM : 0;
}

/* As device_page.c has it: whoever comes from there is not sent again. */
static int look_tx(struct tx *t, void *arg)
{
	struct consent *c = arg;
	int r = ready_tx(t, c);

	if (r < 0 || request_query(c->rq, "renewed"))
		return r;
	r = oauth_login_old(t, c->rq, c->connection);
	c->fresh = r > 0;
	return r < 0 ? r : r ? -EPERM : 0;
}

/* Where the person has to go first. */
static void consent_fail(struct consent *c, int r, struct reply *rp)
{
	_cleanup_buf_ struct buf path = BUF_INIT(4096);

	own_path(c->asked, &path);
	if (c->fresh)
		buf_add_str(&path, "&renewed=1");
	if (r == -EACCES)
		oauth_login_first(rp, buf_str(&path));
	else if (r == -EPERM)
		oauth_sso_first(c->rq, rp, c->connection, c->fresh, buf_str(&path));
	else
		reply_errno(rp, r);
}

static void consent_page(struct consent *c, struct reply *rp)
{
	_cleanup_page_ struct page p = {.rq = NULL};
	const struct asked *a = c->asked;

	page_begin(&p, c->rq, rp, 200, "Log in on this computer");
	/* A source of a policy cannot name an IPv6 address. */
	p.form_action = a->v6 ? "http:" : a->origin;
	html_put(&p.body,
	    "<p class=\"lead\">The program <b>prism</b> on this computer asks to be logged in as "
	    "<b>%s</b>.</p>\n"
	    "<p class=\"warn\">Agree only if you have just typed <code>prism login</code> "
	    "yourself.</p>\n",
	    c->rq->who.name);
	page_form(&p, "/oauth2/authorize");
	page_hidden(&p, "response_type", "code");
	page_hidden(&p, "client_id", OAUTH_CLI);
	page_hidden(&p, "redirect_uri", a->redirect_uri);
	page_hidden(&p, "code_challenge", a->challenge);
	page_hidden(&p, "code_challenge_method", "S256");
	if (a->state)
		page_hidden(&p, "state", a->state);
	html_put(&p.body, "<p class=\"actions\"><button name=\"decision\" value=\"approve\">"
			  "Log in</button>\n<button class=\"quiet\" name=\"decision\" "
			  "value=\"deny\">Cancel</button></p>\n</form>\n");
	page_send(&p);
}

void oauth_authorize(struct request *rq, struct reply *rp)
{
	struct asked a = {.state = NULL};
	struct consent c = {.rq = rq, .asked = &a};

	if (!asked_parse(rq, rp, request_query, &a))
		return;
	int r = store_tx(rq->db, STORE_READ, look_tx, &c);
	if (r < 0)
		consent_fail(&c, r, rp);
	else
		consent_page(&c, rp);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static int consent_tx(struct tx *t, void *arg)
{
	struct consent *c = arg;
	int r = ready_tx(t, c);

	if (r == 0 && c->approve)
		r = oauth_code_make(
		    t, c->rq, c->asked->redirect_uri, c->asked->challenge, &c->code);
	return r < 0 ? r
		     : audit_object(t, c->rq, c->approve ? "oauth.approve" : "oauth.deny", "user",
			   c->rq->who.name, json_pack("{ss}", "client", OAUTH_CLI));
}

void oauth_authorize_post(struct request *rq, struct reply *rp)
{
	const char *decision = request_form(rq, "decision");
	struct asked a = {.state = NULL};
	struct consent c = {.rq = rq, .asked = &a};

	if (!asked_parse(rq, rp, request_form, &a))
		return;
	c.approve = decision && strcmp(decision, "approve") == 0;
	int r = store_tx(rq->db, STORE_WRITE, consent_tx, &c);
	if (r < 0)
		consent_fail(&c, r, rp);
	else if (c.approve)
		answer(rq, rp, &a, "code", c.code.text);
	else
		answer(rq, rp, &a, "error", "access_denied");
	explicit_bzero(&c.code, sizeof(c.code));
}
