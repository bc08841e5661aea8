/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "html.h"
#include "sso_flow_claim.h"
#include "sso_flow_internal.h"
#include "sso_share.h"
#include "sso_ways.h"

#define WAYS_SHOWN 20 /* of one kind: a page that is too long is not read */

/* ---- an answer that is waited for ------------------------------------------------------------ */

int sso_flow_postpone(const struct request *rq, const struct sso_connection *c,
    const char *return_to, const struct sso_assertion *said, struct sso_attempt *a)
{
	int r = sso_attempt_prepare(rq, c, a);

	snprintf(a->return_to, sizeof(a->return_to), "%s", return_to);
	a->assertion = sso_assertion_pack(said);
	return r < 0 ? r : a->assertion ? 0 : -ENOMEM;
}

struct taken {
	struct request *rq;
	const struct sso_connection *c;
	struct sso_attempt a;
};

static int taken_tx(struct tx *t, void *arg)
{
	struct taken *k = arg;

	sso_attempt_clear(&k->a);
	return sso_attempt_take(t, k->rq, k->c, request_form(k->rq, "state"), &k->a);
}

/* A SAML response that waits for its browser is no question: it has a request. */
static int taken_open(struct taken *k, bool link, struct sso_assertion *ret)
{
	int r = store_tx(k->rq->db, STORE_WRITE, taken_tx, k);

	if (r == 0 && (!k->a.assertion || k->a.request_id[0] || link != (k->a.link_user != 0)))
		r = -ENOENT;
	if (r == 0)
		r = sso_assertion_unpack(k->a.assertion, ret);
	return r == -EBADMSG || (r == 0 && ret->connection != k->c->id) ? -ENOENT : r;
}

void sso_flow_answer(struct request *rq, struct reply *rp, bool link,
    void (*fn)(struct request *rq, struct reply *rp, const struct sso_connection *c,
	const struct sso_attempt *a, const struct sso_assertion *said))
{
	_cleanup_sso_connection_ struct sso_connection c = {0};
	_cleanup_sso_assertion_ struct sso_assertion said = {0};
	struct taken k = {.rq = rq, .c = &c};

	if (sso_flow_limited(rq, rp, false))
		return;
	int r = sso_flow_connection(rq, 0, &c);
	if (r < 0) {
		sso_flow_no_connection(rq, rp, r);
		return;
	}
	if (!sso_share_take(rq, rp, c.org))
		return;
	r = taken_open(&k, link, &said);
	if (r == -ENOENT)
		sso_flow_refuse(rq, rp, &c, "state", NULL);
	else if (r < 0)
		reply_errno(rp, r);
	else
		fn(rq, rp, &c, &k.a, &said);
	sso_share_return(rq, c.org);
	sso_attempt_clear(&k.a);
}

/* ---- is all of it yours? --------------------------------------------------------------------- */

struct claim {
	struct request *rq;
	const struct sso_connection *c;
	int64_t account;
	struct sso_attempt a;
	struct user user;
	json_t *ways; /* owned */
	char seen[65];
};

static int claim_tx(struct tx *t, void *arg)
{
	struct claim *q = arg;
	int r = user_by_id(t, q->account, &q->user);

	json_decref(q->ways);
	q->ways = NULL;
	if (r == 0)
		r = sso_ways_read(t, &q->user, q->rq->now, &q->ways);
	if (r == 0)
		r = sso_ways_digest(q->ways, q->seen);
	return r < 0 ? r : sso_attempt_insert(t, q->rq, &q->a);
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static int64_t time_of(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

static void put_made(struct page *p, const json_t *ways)
{
	const char *inviter = text_of(ways, "invited_by"), *by = text_of(ways, "connection");

	html_put(&p->body, "<p>It was made on %t", time_of(ways, "made_at"));
	if (*inviter)
		html_put(&p->body,
		    ", by accepting an invitation to the project %s that <strong>%s</strong> had "
		    "sent",
		    text_of(ways, "project"), inviter);
	else if (*by)
		html_put(&p->body, ", at a first login through %s", by);
	html_put(&p->body, ", and these open it already:</p>\n");
}

static const struct way {
	const char *kind;
	const char *before; /* the way, and what identifies it behind that */
	const char *how, *when;
} shown[] = {
    {"password", "A password of Prism", "", "set "},
    {"key", "An SSH key: ", ", added ", ""},
    {"login", "A login through ", ", linked ", ""},
    {"session", "A command line that is logged in, from ", ", since ", ""},
    {"browser", "A browser that is logged in, from ", ", since ", ""},
};

/* Words of the database as people read them. */
static const char *word_of(const char *how)
{
	static const char *const words[][2] = {
	    {"generated", "made by prism"},
	    {"imported", "brought along"},
	    {"password", "by password"},
	    {"key", "by SSH key"},
	    {"invitation", "with an invitation"},
	    {"browser", "by a browser"},
	    {"login", "through an institution"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i][0], how) == 0)
			return words[i][1];
	return how;
}

static void put_way(struct page *p, const struct way *w, const json_t *way)
{
	int64_t at = time_of(way, "at");

	html_put(&p->body, "<li>%s%s", w->before, text_of(way, "what"));
	if (at)
		html_put(&p->body, "<span class=\"note\">%s%s%s%t</span>",
		    word_of(text_of(way, "how")), w->how, w->when, at);
	html_put(&p->body, "</li>\n");
}

/* How to tell one's own from another by what is shown of them. */
static void put_key_help(struct page *p, const json_t *ways)
{
	size_t k;
	json_t *way;

	json_array_foreach(json_object_get(ways, "ways"), k, way)
	{
		if (strcmp(text_of(way, "kind"), "key") != 0)
			continue;
		html_put(&p->body,
		    "<p class=\"note\">What a key of yours is called, on your own computer: "
		    "<code>ssh-keygen -lf ~/.prism/ssh_keys/id_ed25519.pub</code></p>\n");
		return;
	}
}

static void put_ways(struct page *p, const json_t *ways)
{
	html_put(&p->body, "<ul class=\"plain\">\n");
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		int64_t n = 0;
		size_t k;
		json_t *way;
		json_array_foreach(json_object_get(ways, "ways"), k, way)
		{
			if (strcmp(text_of(way, "kind"), shown[i].kind) == 0 && n++ < WAYS_SHOWN)
				put_way(p, &shown[i], way);
		}
		if (n > WAYS_SHOWN)
			html_put(&p->body, "<li>and %i more like this</li>\n", n - WAYS_SHOWN);
	}
	html_put(&p->body, "</ul>\n");
}

static void put_answers(struct page *p, const struct claim *q)
{
	char action[SLUG_MAX + 16];

	snprintf(action, sizeof(action), "/sso/%s/claim", q->c->slug);
	page_form(p, action);
	page_hidden(p, "state", q->a.state);
	page_hidden(p, "account", q->user.username);
	page_hidden(p, "seen", q->seen);
	html_put(&p->body,
	    "<p class=\"actions\">"
	    "<button name=\"answer\" value=\"keep\">All of this is mine: keep it</button> "
	    "<button class=\"danger\" name=\"answer\" value=\"close\">Not all of this is mine: "
	    "remove it all</button> "
	    "<button class=\"quiet\" name=\"answer\" value=\"cancel\">Cancel</button></p></form>\n"
	    "<p class=\"note\">Removing takes away the password, the SSH keys and the other "
	    "logins, and logs everybody out of Prism; files, projects and the name of the account "
	    "stay, and so does what runs on workstations: if somebody else has used the account "
	    "there, tell your administrator. A key that was removed cannot be added again: make a "
	    "new one then. If the account is "
	    "not yours at all, cancel, and ask your administrator to take your address from "
	    "it.</p>");
}

static void claim_page(struct claim *q, struct reply *rp)
{
	_cleanup_page_ struct page p;

	page_begin(&p, q->rq, rp, 200, "Is all of this yours?");
	html_put(&p.body,
	    "<p class=\"lead\">The Prism account <strong>%s</strong> has your address, %s. Your "
	    "login at <strong>%s</strong> will open it.</p>\n",
	    q->user.username, q->user.email, q->c->name);
	put_made(&p, q->ways);
	put_ways(&p, q->ways);
	put_key_help(&p, q->ways);
	html_put(&p.body,
	    "<p class=\"warn\">Whoever has one of them gets in as you. Somebody else can have made "
	    "this account for your address: if you do not know everything in this list, have it "
	    "removed.</p>\n");
	put_answers(&p, q);
	page_send(&p);
}

void sso_flow_ask_claim(struct request *rq, struct reply *rp, const struct sso_connection *c,
    const char *return_to, const struct sso_assertion *said, int64_t user)
{
	struct claim q = {.rq = rq, .c = c, .account = user};
	int r = sso_flow_postpone(rq, c, return_to, said, &q.a);

	if (r == 0)
		r = store_tx(rq->db, STORE_WRITE, claim_tx, &q);
	if (r < 0)
		reply_errno(rp, r);
	else
		claim_page(&q, rp);
	sso_attempt_clear(&q.a);
	json_decref(q.ways);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void claim_cancelled(struct request *rq, struct reply *rp, const struct sso_connection *c)
{
	sso_refuse_note(rq, c, "claim_cancelled", request_form(rq, "account"));
	page_error(rq, rp, 403, "Nothing was linked",
	    "The account stays as it was, and your login at %s does not open it. If it is not "
	    "yours, ask your administrator to take your address from it, then log in again.",
	    c->name);
}

static void claim_do(struct request *rq, struct reply *rp, const struct sso_connection *c,
    const struct sso_attempt *a, const struct sso_assertion *said)
{
	const char *word = request_form(rq, "answer");
	struct sso_answer answer = {
	    .account = request_form(rq, "account"),
	    .seen = request_form(rq, "seen"),
	    .claim = word && strcmp(word, "keep") == 0	  ? SSO_CLAIM_KEEP
		     : word && strcmp(word, "close") == 0 ? SSO_CLAIM_CLOSE
							  : SSO_CLAIM_NONE,
	};

	if (answer.claim == SSO_CLAIM_NONE)
		claim_cancelled(rq, rp, c);
	else
		sso_flow_settle(rq, rp, c, a, said, &answer);
}

void sso_flow_claim_post(struct request *rq, struct reply *rp)
{
	sso_flow_answer(rq, rp, false, claim_do);
}
