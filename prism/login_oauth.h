/* SPDX-License-Identifier: MIT */
#ifndef PRISM_LOGIN_OAUTH_H
#define PRISM_LOGIN_OAUTH_H

/*
 * Login by way of a browser, where the institution's own login is: on this machine by authorization
 * code with PKCE (RFC 6749 §4.1, RFC 7636, RFC 8252), elsewhere by device code (RFC 8628).
 *
 * Each needs api_open_by() before, tells the person on standard error what to do, and gives the
 * session as POST /sessions does: {token, expires_at, user}. Each returns a status.
 */
#include "cli.h"

int login_browser(struct cli *c, json_t **ret);
int login_device(struct cli *c, json_t **ret);

/* Whether a browser can be started here: there is a display, and a program that opens addresses. */
bool login_browser_possible(void);

#endif
