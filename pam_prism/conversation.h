/* SPDX-License-Identifier: MIT */
#ifndef CONVERSATION_H
#define CONVERSATION_H

/* What the person gets to read. */
#include <security/pam_modules.h>

/*
 * Show one sentence as an error; control characters are dropped. A conversation that fails (cron
 * has none) changes nothing.
 */
void conversation_refuse(pam_handle_t *pamh, const char *sentence);

#endif
