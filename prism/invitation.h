/* SPDX-License-Identifier: MIT */
#ifndef PRISM_INVITATION_H
#define PRISM_INVITATION_H

/* What the invited do with a token (invitation_accept.c). */
#include "cli.h"

int invitation_accept(struct cli *c);
int invitation_decline(struct cli *c);

#endif
