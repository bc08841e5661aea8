/* SPDX-License-Identifier: MIT */
#ifndef CONVERSATION_H
#define CONVERSATION_H

/* What the person gets to read, and is asked. */
#include <stdbool.h>
#include <security/pam_modules.h>

/*
 * Show one sentence as an error; control characters are dropped. A conversation that fails (cron
 * has none) changes nothing.
 */
void conversation_refuse(pam_handle_t *pamh, const char *sentence);

/*
 * Ask, without showing what is typed. PAM_SUCCESS, and whether anything was typed: the answer
 * itself is wiped unread, since a password typed by habit is nobody's business.
 */
int conversation_ask(pam_handle_t *pamh, const char *prompt, bool *ret_typed);

#endif
