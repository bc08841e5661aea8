/* SPDX-License-Identifier: MIT */
#ifndef PRISM_CONNECT_H
#define PRISM_CONNECT_H

/*
 * prism workspace connect: ssh(1) to a workstation.
 *
 * MUST: check the host's key against the ones that the workstation recorded with the service at its
 * enrolment, never by asking the person; pass nothing of the service's to ssh that could be read as
 * an option; offer no key but the one of ~/.prism.
 */
#include "cli.h"

int workspace_connect(struct cli *c);

#endif
