/* SPDX-License-Identifier: MIT */
#ifndef SSHKEY_HOSTS_H
#define SSHKEY_HOSTS_H

#include <jansson.h>
#include "store.h"

/*
 * Give each key of the list its member "hosts": [{host, project, revision_applied, present}], the
 * hosts of the person's active memberships. "present" says that the host has applied the record
 * that carries the person's keys as they are now. 0 or -errno.
 */
int sshkey_add_hosts(struct tx *t, int64_t user, int64_t now, json_t *keys);

#endif
