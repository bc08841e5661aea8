/* SPDX-License-Identifier: MIT */
#ifndef HOSTINFO_H
#define HOSTINFO_H

/* What a host tells of itself, at enrolment and in every report. */
#include "base/buf.h"
#include "paths.h"
#include "refuse.h"

#define HOSTINFO_KEYS_MAX 8

/*
 * Append `"hostname":"h1","ssh_host_keys":[...],"local_ids":[...]`: the public
 * halves of ssh_host_*_key in the ssh folder, and the ids from 1000 on of local accounts and
 * groups.
 */
void hostinfo_put(struct buf *b, const struct paths *p, const struct local *l);

#endif
