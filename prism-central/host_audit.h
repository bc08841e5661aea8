/* SPDX-License-Identifier: MIT */
#ifndef HOST_AUDIT_H
#define HOST_AUDIT_H

/*
 * Events of the audit that a host causes by itself, as often as it likes: logins that it begins and
 * gives up.
 *
 * Threat model: the audit log keeps all for ever, so a host in wrong hands MUST NOT be able to fill
 * it. It MUST NOT hide by that what lets anybody in either: what a person answers, and what is
 * redeemed, are events of their own, which this is not for. Nor is anything refused for it: whoever
 * knocks at a host from outside could keep its people out.
 */
#include "audit.h"

/*
 * Append an event of the host that asks, as audit_object() does; the reference to detail is taken
 * over in any case. A host has RATELIMIT_HOST_NOTED of them. What is above goes to the service's
 * log alone, and the audit says once a day, as "host.ceiling" on the host, that it was so. 0 or
 * -errno.
 */
int host_audit(struct tx *t, const struct request *rq, const char *action, const char *kind,
    const char *name, json_t *detail);

#endif
