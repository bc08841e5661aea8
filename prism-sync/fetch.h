/* SPDX-License-Identifier: MIT */
#ifndef FETCH_H
#define FETCH_H

/*
 * The network half: talks to the central service as an unprivileged user, and can do nothing with
 * what it fetches but hand it over. Three threads: one polls, one sends reports and runs "sync",
 * one listens to the root half; so that no slow request holds up another. Device logins have theirs
 * (fetch_login.h) from the first one on.
 */
#include "config.h"
#include "identity.h"

/* Runs until the root half closes "fd". Returns an exit status. */
int fetch_main(int fd, const struct config *c, const struct identity *id);

#endif
