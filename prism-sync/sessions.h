/* SPDX-License-Identifier: MIT */
#ifndef SESSIONS_H
#define SESSIONS_H

/*
 * Ending what runs of a person who has lost access here: their processes, and lingering. Files,
 * homes and cron tables stay; cron asks PAM before each job and is refused there.
 *
 * MUST: touch no process but one whose real uid was given to sessions_end(), lies in this host's
 * range of Prism and is no local account's; and look at that uid again through the very descriptor
 * that the signal goes through, so that a recycled process id is never hit.
 */
#include <systemd/sd-event.h>
#include "config.h"
#include "refuse.h"

struct sessions;

int sessions_new(sd_event *e, const struct config *c, const struct local *l, struct sessions **ret);
void sessions_free(struct sessions *s);

/*
 * These people have lost access: SIGHUP and SIGTERM to all their processes now, SIGKILL to what is
 * left after two seconds. "name" (may be NULL) gives the name for a uid, to take lingering away.
 */
void sessions_end(struct sessions *s, const uint32_t *uids, size_t n,
    const char *(*name)(void *arg, uint32_t uid), void *arg);

/*
 * Once after the start: whoever has processes here and is not let in (any more), because that was
 * decided while the agent was down.
 */
void sessions_check(struct sessions *s, bool (*let_in)(void *arg, uint32_t uid), void *arg);

/* proc.c: the real uid of a process, or -errno. */
int64_t proc_uid(int pid);
/* proc.c: call "fn" for every process. */
void proc_each(void (*fn)(void *arg, int pid), void *arg);
/* proc.c: signal this process if its real uid is still "uid". 1: signalled, 0: not. */
int proc_signal(int pid, uint32_t uid, int sig);
/* proc.c: end all of the user's slice at once, where systemd keeps one. 0 or -errno. */
int proc_kill_slice(uint32_t uid);

#endif
