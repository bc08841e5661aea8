/* SPDX-License-Identifier: MIT */
#ifndef PRISM_WAIT_H
#define PRISM_WAIT_H

/* Waiting until the workstations have taken over a change. */
#include <stdbool.h>
#include <stdint.h>
#include "cli.h"

#define WAIT_DEFAULT 60 /* seconds */

/* --timeout DURATION, else the default. Returns a status. */
int wait_limit(struct cli *c, int64_t *ret_seconds);

/*
 * Until every host of the project has applied "revision", or the limit. Each is told of as soon as
 * it has, with the seconds since "since" (of clock_mono_ms()), unless JSON is wanted.
 * *ret_hosts: [{"id", "name", "applied", "seconds" (null: not yet)}]. *ret_all: all have.
 */
int wait_hosts(struct cli *c, const char *project, int64_t revision, int64_t since, int64_t limit,
    json_t **ret_hosts, bool *ret_all);

/* One round of a wait: 50 ms at first, then a quarter of a second. */
void wait_pause(int64_t since);

#endif
