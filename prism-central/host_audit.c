/* SPDX-License-Identifier: MIT */
#include "host_audit.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/log.h"
#include "ratelimit.h"

int host_audit(struct tx *t, const struct request *rq, const char *action, const char *kind,
    const char *name, json_t *detail)
{
	char key[24];

	snprintf(key, sizeof(key), "%" PRId64, rq->who.id);
	if (ratelimit_take(RATELIMIT_HOST_NOTED, key) == 0)
		return audit_object(t, rq, action, kind, name, detail);
	json_decref(detail);
	log_event(LOG_LEVEL_WARN, "host-not-audited", "id", "%s", rq->id, "host", "%s",
	    rq->who.name, "action", "%s", action, kind, "%s", name, NULL);
	if (ratelimit_take(RATELIMIT_HOST_CEILING, key))
		return 0;
	return audit_object(
	    t, rq, "host.ceiling", "host", rq->who.name, json_pack("{s:s}", "not_noted", action));
}
