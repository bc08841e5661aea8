/* SPDX-License-Identifier: MIT */
#ifndef BROWSER_H
#define BROWSER_H

/*
 * People at a browser: the cookie, who is logged in, and forms that only our own pages can send.
 *
 * The cookie __Host-prism (where the service's address is http, on loopback: "prism") holds
 * "pbs_" and 256 random bits; HttpOnly, Secure, SameSite=Lax, Path=/. A browser that has none, or
 * something that is no such value, gets a new one with its first page; that it is known costs no
 * row. Logging in gives it another value (session fixation) and a row in browser_sessions with its
 * SHA-256, for BROWSER_SECONDS.
 *
 * A second cookie, __Host-prism-login ("prism-login"), is made and kept alike: "pbl_" and as many
 * bits. It is what ties logins on their way through a provider to the browser that began them
 * (sso_flow.h), and opens nothing by itself. Logging in leaves it as it is, so that logins which
 * were begun in several tabs all come to their end; logging out gives it another value, which
 * ends what was begun.
 *
 * MUST: a route of SCOPE_BROWSER is called with rq->browser filled, and with rq->who where somebody
 * is logged in. A POST to one is refused (403, a page) unless its form carries the field "csrf"
 * with browser_csrf()'s value, its Origin, if it has one, is the service's, and its
 * Sec-Fetch-Site, if it has one, "same-origin": authorize() does that, before any handler. Cookies
 * open nothing else: routes of the API look at the bearer token only.
 */
#include "base/buf.h"
#include "domain.h"

#define BROWSER_PREFIX	     "pbs_"
#define BROWSER_BEGUN_PREFIX "pbl_"
#define BROWSER_SECONDS	     (12 * 3600)

/*
 * The value of one cookie in a Cookie header (RFC 6265 §4.2.1). 0; -ENOENT; -EBADMSG for a value
 * that is malformed or longer than size - 1, and for a name that stands twice.
 */
int cookie_value(const char *header, const char *name, char *out, size_t size);

/* From the Cookie header: rq->browser, rq->who. 0 (also for nobody) or -errno. */
int browser_load(struct request *rq);
/* Whether whoever was loaded still is logged in, inside a transaction: 1, 0 or -errno. */
int browser_holds(struct tx *t, const struct request *rq);

#define BROWSER_CSRF_LEN 43
/* Whether a request that is no GET comes from a form of ours; authorize() asks. */
bool browser_form_ours(const struct request *rq);
/*
 * Whether a form that is not, comes from a page of ours all the same, as the browser says: one that
 * was opened before this browser logged in or out, in another tab most often.
 */
bool browser_form_stale(const struct request *rq);
/*
 * Whether a GET is the person's own doing: they typed the address, a program opened it, or they
 * came from a page of ours. Whoever was led here by another site, or may have been, did not: where
 * a browser does not say (Sec-Fetch-Site), only a Referer of ours proves it, since who leads
 * somebody here can see to it that there is none.
 */
bool browser_came_itself(const struct request *rq);
/* What the field "csrf" of this browser's forms must hold. */
void browser_csrf(const struct request *rq, char out[BROWSER_CSRF_LEN + 1]);

/*
 * A secret that this browser can make again and nobody else, for one purpose: SHA-256 of purpose,
 * the second cookie's value and "id", in base64url. The provider's nonce and the PKCE verifier are
 * such (sso_flow.h).
 */
void browser_derive(const struct request *rq, const char *purpose, int64_t id, char out[44]);
/* SHA-256 of the second cookie's value as hex: what ties an attempt to this browser. */
void browser_hash(const struct request *rq, char out[65]);

struct browser_login {
	int64_t user;
	int64_t identity;	  /* of sso_identities; 0: by password */
	int64_t auth_at;	  /* when they proved who they are */
	const char *provider_sid; /* NULL: none */
	char token[48];		  /* out: the cookie's new value, for browser_set_cookie() */
};
/* Log the browser in, in the caller's transaction: ends the row it had, writes a new one. */
int browser_open(struct tx *t, const struct request *rq, struct browser_login *l);
/* End this one's row. */
int browser_close(struct tx *t, const struct request *rq);
/*
 * End all of a person's, and what they approved there and nobody has redeemed yet;
 * session_revoke_all() does. 0 or -errno.
 */
int browser_revoke(struct tx *t, int64_t user, int64_t now);

/* Add Set-Cookie to the reply: browser_login's token. */
void browser_set_cookie(const struct request *rq, struct reply *rp, const char *token);
/* The cookies that the browser has not got yet; not in answers to forms that are not ours. */
void browser_set_new_cookies(const struct request *rq, struct reply *rp);
/* Others, that no browser has had: with logging out. 0 or -errno. */
int browser_renew_cookies(const struct request *rq, struct reply *rp);

/* page_ways.c: links to institutions' logins, for a page on which nobody is logged in. */
struct login_ways {
	const char *path; /* of ours, to go to then */
	const char *slug; /* of a connection, or NULL */
	const char *org;  /* slug of an organization, or NULL */
};
/*
 * A <nav> with those of the connection and the organization that are named; else, where the path is
 * the device page with a pending code of a host, those of its projects' organizations; else all of
 * the service, if they are five at most. Enabled ones only; nothing where there is none. 0 or
 * -errno.
 */
int login_ways(struct request *rq, const struct login_ways *ways, struct buf *out);

/*
 * page_stale.c: authorize()'s answer to a form that browser_form_ours() refuses. Nothing is
 * changed; where the form is stale, the way goes on to the page that it stood on, or past it.
 */
void page_forged(struct request *rq, struct reply *rp);

/* Handlers: page_login.c */
void page_login(struct request *rq, struct reply *rp); /* GET /login?return=PATH&hint=EMAIL */
void page_login_post(
    struct request *rq, struct reply *rp); /* POST /login: a password, or an address
					    * for whose domain there is a provider */
void page_logout_post(struct request *rq, struct reply *rp);
void page_home(struct request *rq, struct reply *rp);  /* GET /: who is logged in, what to do */
void page_asset(struct request *rq, struct reply *rp); /* GET /assets/{}: embedded, hashed names */

#endif
