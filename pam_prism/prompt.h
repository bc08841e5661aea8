/* SPDX-License-Identifier: MIT */
#ifndef PROMPT_H
#define PROMPT_H

/*
 * The one prompt of a login through SSO. All that the person must see stands in it, because sshd
 * shows text only together with a prompt. What matters most comes last, next to the cursor. The
 * client puts its own words before the first line, so the QR code is never on that.
 *
 * MUST: name the workstation and the user, so that somebody who is asked to approve another's
 * login can tell; contain printable text only, whatever the agent or the host name says.
 */
#include <stdbool.h>
#include "agent/agent.h"
#include "base/buf.h"

#define PROMPT_MAX 8192

/*
 * "hostname" as the workstation calls itself, shown where the service has another name for it: the
 * person compares with what the page says. With "qr" and a code that can be drawn, that too.
 * "seconds" is how long an approval may take.
 */
void prompt_show(const struct agent_login *l, const char *user, const char *hostname, bool qr,
    int seconds, struct buf *out);

/* Once more, after something was typed. */
void prompt_again(const struct agent_login *l, struct buf *out);

#endif
