/* SPDX-License-Identifier: MIT */
#ifndef OAUTH_H
#define OAUTH_H

/*
 * The authorization server: RFC 6749 with PKCE (RFC 7636), device authorization grant (RFC 8628),
 * revocation (RFC 7009), metadata (RFC 8414), iss in the answer (RFC 9207).
 *
 * Clients: "prism-cli", public, gets sessions (pst_) for loopback redirect addresses (RFC 8252
 * §7.3) and by device code; and hosts, who authenticate with their access token, get device codes
 * for a person that logs in there, and for an approved one a signed statement (feed/login.h). The
 * access token that RFC 6749 wants beside it opens nothing.
 *
 * A device code of a host is bound to the username that was asked for: nobody else can approve it.
 * It is good once, and for DEVICE_SECONDS; a host's, whose "life" says for how long the terminal
 * waits, not longer than that, and not after the host has ended it at the revocation endpoint. The
 * user code is eight of twenty letters; guesses are counted by address and by account.
 *
 * POST /oauth2/token with grant_type ...:device_code takes one parameter of ours, "wait" (seconds,
 * at most 30): the answer comes when there is a decision, or authorization_pending after that time.
 * Whoever polls again within "interval" seconds of the beginning of the poll before gets slow_down,
 * and the interval grows by five (§3.5). Hosts do not poll each code: GET
 * /api/v1/hosts/self/logins?wait=S&after=T says which of their codes have been answered.
 */
#include "domain.h"

#define OAUTH_CLI	 "prism-cli"
#define DEVICE_SECONDS	 300
#define DEVICE_LIFE_MIN	 10
#define DEVICE_INTERVAL	 5
#define DEVICE_USER_CODE 8
#define CODE_SECONDS	 60
#define DEVICE_HOST_MAX	 512 /* pending ones of one host */

/*
 * The browsers of this person have been logged out: what they approved and nobody has redeemed yet
 * counts no more. browser_revoke() calls it; by one identity, sso_end_identity() does the same. 0
 * or -errno.
 */
int oauth_forget(struct tx *t, int64_t user);

/*
 * Tell an error in the RFCs' words where the API's have been used: on public routes below /oauth2,
 * for what went wrong before their handlers. The server does this with every reply.
 */
void oauth_of_error(const struct request *rq, struct reply *rp);

/*
 * Handlers, for routes.c:
 *	oauth_metadata		GET /.well-known/oauth-authorization-server
 *	oauth_token		POST /oauth2/token, by grant_type; hosts' client_credentials are
 *				host_auth.c's
 *	oauth_revoke		POST /oauth2/revoke
 *	device_authorization	POST /oauth2/device_authorization
 *	device_logins		GET /api/v1/hosts/self/logins
 *	oauth_authorize		GET /oauth2/authorize: the page; and _post, the answer to it
 *	device_page		GET /device[?user_code=]; and _post, a code that was typed
 *	device_decide_post	POST /device/decide
 */
void oauth_metadata(struct request *rq, struct reply *rp);
void oauth_token(struct request *rq, struct reply *rp);
void oauth_revoke(struct request *rq, struct reply *rp);
void oauth_authorize(struct request *rq, struct reply *rp);
void oauth_authorize_post(struct request *rq, struct reply *rp);
void device_authorization(struct request *rq, struct reply *rp);
void device_logins(struct request *rq, struct reply *rp);
void device_page(struct request *rq, struct reply *rp);
void device_page_post(struct request *rq, struct reply *rp);
void device_decide_post(struct request *rq, struct reply *rp);

#endif
