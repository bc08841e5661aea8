/* SPDX-License-Identifier: MIT */
#ifndef SSO_FLOW_H
#define SSO_FLOW_H

/*
 * A login through a provider, from our redirect to a browser that is logged in.
 *
 *	GET /sso/SLUG/start?return=PATH[&fresh=1][&link=TICKET]	 sso_flow_start(): writes an
 *		attempt, and redirects to what the type's start() makes. Where another site may have
 *		led the browser here, it is a page that names the institution, with a button for
 *	POST /sso/SLUG/start		the same by a form of ours
 *	GET /sso/SLUG/callback		OIDC: code and state come back (oidc.c)
 *	POST /sso/SLUG/acs		SAML: the response comes back (saml.c). The cookie does not
 *		come along with a form of another site: what was asserted is kept in the attempt,
 *		and the browser is sent to
 *	GET /sso/SLUG/finish?state=	where it must be the one that began
 *	GET /sso/SLUG/metadata		SAML: ours
 *	POST /sso/SLUG/link		"yes, link it": what was asserted waits in an attempt
 *	POST /sso/SLUG/logout		OIDC back-channel logout (SCOPE_PUBLIC)
 *
 * The state is "ID.RANDOM"; the attempt's row has its hash, and belongs to one browser and one
 * connection; each connection has callbacks of its own, so no answer can be taken for another
 * provider's. The nonce and the PKCE verifier are browser_derive()d from the attempt's id: a copy
 * of the database has neither.
 *
 * Nobody is logged in as somebody else unawares: not by a site that sends them here, nor by a
 * provider that names another person than the one who is logged in in this browser. Then that
 * person stays logged in, nothing of the other login is kept, and a page says so (sso_flow_ask.c).
 *
 * What goes wrong is told to the browser in one sentence without detail, and in full to the audit
 * log ("sso.refused", with the connection's slug and a word from a table), to the service's log,
 * and to the connection's owner (sso_refusal_keep()).
 */
#include "sso.h"

#define SSO_ATTEMPT_SECONDS 600
#define SSO_STATE_MAX	    80
#define SSO_DETAIL_MAX	    255

struct sso_attempt {
	int64_t id, connection, link_user, created_at;
	char return_to[1025];
	char request_id[128]; /* SAML */
	char state[SSO_STATE_MAX];
	bool fresh; /* the person must log in there again now (OIDC max_age=0, SAML ForceAuthn) */
	char *assertion; /* owned: sso_assertion_pack()'s text; NULL: nothing was asserted yet */
};
void sso_attempt_clear(struct sso_attempt *a);
#define _cleanup_sso_attempt_ __attribute__((__cleanup__(sso_attempt_clear)))

/*
 * What a type of provider does. start() makes the address to send the browser to; it runs outside a
 * transaction, in LANE_OUT, and may fetch. Both return 0, or -EPROTO with a word for the audit in
 * f->word (static text) and a sentence in f->detail, or -errno.
 */
struct sso_fault {
	const char *word;
	char detail[SSO_DETAIL_MAX + 1];
};
struct sso_provider {
	int (*start)(struct request *rq, const struct sso_connection *c, struct sso_attempt *a,
	    struct buf *url, struct sso_fault *f);
};
extern const struct sso_provider sso_oidc, sso_saml;

/*
 * Find the attempt of a state for this connection that this browser began, and use it up: its row
 * goes. -ENOENT if there is none, it is over, or another browser's. In a write transaction.
 *
 * MUST: of an attempt to link a login, the transaction that goes by its link_user calls
 * sso_attempt_spend(). Until then a row without a state stays, which sso_link_forget() takes: the
 * provider may have been asked in between, and the account been taken back by its owner.
 */
int sso_attempt_take(struct tx *t, const struct request *rq, const struct sso_connection *c,
    const char *state, struct sso_attempt *ret);
/* 0, once; -ESTALE: the account was taken back since; -errno. */
int sso_attempt_spend(struct tx *t, const struct sso_attempt *a);
/*
 * SAML, whose response comes without the cookie: find the attempt of a state, whoever's it is, to
 * which nothing was put yet; then put what was asserted into it, once, where sso_attempt_take()
 * finds it. 0, -ENOENT, -errno.
 */
int sso_attempt_peek(struct tx *t, const struct request *rq, const struct sso_connection *c,
    const char *state, struct sso_attempt *ret);
int sso_attempt_fill(struct tx *t, const struct request *rq, int64_t id, const char *json);
/* An assertion as text for that, to be freed; NULL without memory. Without its refresh token. */
char *sso_assertion_pack(const struct sso_assertion *a);
/* 0; -EBADMSG for anything else; -ENOMEM. */
int sso_assertion_unpack(const char *text, struct sso_assertion *ret);
/* "Alice@uni.edu" is alice: what cannot be a username here is left out. */
void sso_assertion_username(struct sso_assertion *a, const char *s);
/* A role, or several: then the first that the connection allows. sso_login() asks whether it does.
 */
void sso_assertion_role(
    struct sso_assertion *a, const struct sso_connection *c, const json_t *value);
/* Note what was taken once. 0; -EEXIST: it was before; -errno. */
int sso_seen(struct tx *t, int64_t connection, const char *what, int64_t expires_at, int64_t now);

/* The end of it: sso_login(), the browser's session, and a redirect or a page. */
void sso_flow_finish(struct request *rq, struct reply *rp, const struct sso_connection *c,
    const struct sso_attempt *a, const struct sso_assertion *said);
/* One sentence for the browser, "fault" (and detail, or NULL) for the audit log and the owner. */
void sso_flow_refuse(struct request *rq, struct reply *rp, const struct sso_connection *c,
    const char *fault, const char *detail);

/* Handlers. */
void sso_flow_start(struct request *rq, struct reply *rp);
void sso_flow_start_post(struct request *rq, struct reply *rp);
void sso_flow_link_post(
    struct request *rq, struct reply *rp); /* POST /sso/{}/link: "yes, link it" */
void oidc_callback(struct request *rq, struct reply *rp);
void oidc_logout(struct request *rq, struct reply *rp);
void saml_acs(struct request *rq, struct reply *rp);
void saml_finish(struct request *rq, struct reply *rp);
void saml_metadata(struct request *rq, struct reply *rp);

/*
 * oidc_refresh.c: what is known of providers, from before the server starts until after it has
 * stopped; and while it runs, a thread that refreshes what is due, and ends what the provider
 * refuses. Stopping without a start is harmless. 0 or -errno.
 */
int oidc_start(struct central *c);
int oidc_refresh_start(struct central *c);
void oidc_refresh_stop(struct central *c);
void oidc_stop(struct central *c);

#endif
