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
 * It is good for DEVICE_SECONDS and once. The user code is eight of twenty letters; guesses are
 * counted by address, browser and account.
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
#define DEVICE_INTERVAL	 5
#define DEVICE_USER_CODE 8
#define CODE_SECONDS	 60
#define DEVICE_HOST_MAX	 512 /* pending ones of one host */

/* Handlers. */
void oauth_metadata(
    struct request *rq, struct reply *rp);		/* GET
							 * /.well-known/oauth-authorization-server */
void oauth_token(struct request *rq, struct reply *rp); /* POST /oauth2/token: by grant_type; hosts'
							 * client_credentials stay host_auth.c's */
void oauth_revoke(struct request *rq, struct reply *rp);	 /* POST /oauth2/revoke */
void oauth_authorize(struct request *rq, struct reply *rp);	 /* GET /oauth2/authorize: a page */
void oauth_authorize_post(struct request *rq, struct reply *rp); /* the answer to it */
void device_authorization(struct request *rq, struct reply *rp); /* POST
								  * /oauth2/device_authorization */
void device_logins(struct request *rq, struct reply *rp);	 /* GET /api/v1/hosts/self/logins */
void device_page(struct request *rq, struct reply *rp);		 /* GET /device[?user_code=] */
void device_page_post(struct request *rq, struct reply *rp);	 /* POST /device: look a code up */
void device_decide_post(struct request *rq, struct reply *rp);	 /* POST /device/decide */

#endif
