/* SPDX-License-Identifier: MIT */
#ifndef SSHKEY_HOSTS_H
#define SSHKEY_HOSTS_H

#include <jansson.h>
#include "store.h"

/*
 * Give each key of the list its member "hosts": [{host, project, revision_applied, applied,
 * present, reason}], the hosts of the person's active memberships. "applied" says that the host has
 * applied the record that carries the person's keys as they are now; "reason" why it refuses the
 * person nevertheless, by its latest report, or null; "present" that the keys count there. 0 or
 * -errno.
 */
int sshkey_add_hosts(struct tx *t, int64_t user, int64_t now, json_t *keys);

#endif
