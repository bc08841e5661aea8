/* SPDX-License-Identifier: MIT */
#ifndef SESSIONS_H
#define SESSIONS_H

/*
 * Ending what runs of a person who has lost access here: their processes, and lingering. Files,
 * homes and cron tables stay; cron asks PAM before each job and is refused there.
 *
 * MUST: signal no process but one whose real uid was given to sessions_end(), lies in this host's
 * range of Prism and is no local account's, and that this person started (a container of somebody
 * else's may use the same number); and look at all that again through the very descriptor that the
 * signal goes through, so that a recycled process id is never hit. SIGKILL no process of somebody
 * who is let in, unless it holds a group of Prism that they have no longer.
 *
 * Beside that, the slice that systemd keeps for this uid is ended as a whole when its person is let
 * in nowhere. It also holds what they elevated, with sudo for one: whoever is sent away leaves no
 * root shell behind. What root itself or a service runs is never in there.
 */
#include <systemd/sd-event.h>
#include "config.h"
#include "paths.h"
#include "refuse.h"

struct sessions;

/* What is asked about people: each time anew, for an answer may change while somebody is ended. */
struct sessions_host {
	const struct config *config;
	const struct local *local;
	const char *linger; /* the folder of logind's marks */
	void *arg;
	/* The person's name, "" if that is not known; NULL: no project here knows this uid. */
	const char *(*name)(void *arg, uint32_t uid);
	/* Whether any project lets them in. */
	bool (*let_in)(void *arg, uint32_t uid);
	/* Whether they would have this group if they logged in now; yes for groups not Prism's. */
	bool (*in_group)(void *arg, uint32_t uid, uint32_t gid);
};

int sessions_new(sd_event *e, const struct sessions_host *h, struct sessions **ret);
void sessions_free(struct sessions *s);

/*
 * These people have lost an access: SIGHUP and SIGTERM to all their processes now, SIGKILL to what
 * is left after two seconds. Also where another project still lets them in: running processes keep
 * the groups they were born with, and nothing takes those away.
 */
void sessions_end(struct sessions *s, const struct lost *lost, size_t n);

/*
 * Once after the start: whoever has processes here and is not let in (any more), because that was
 * decided while the agent was down. Somebody of whom no project knows is left alone.
 */
void sessions_check(struct sessions *s);

/* proc.c: the real uid of a process, or -errno. */
int64_t proc_uid(int pid);
/*
 * proc.c: whether a process of this real uid was started by the person who has it here, and is not
 * part of a container in which the number means somebody else.
 */
bool proc_theirs(int pid, uint32_t uid);
/* proc.c: whether "fn" says yes to each group that the process has; no if they cannot be read. */
bool proc_groups(int pid, bool (*fn)(void *arg, uint32_t gid), void *arg);
/* proc.c: call "fn" for every process. */
void proc_each(void (*fn)(void *arg, int pid), void *arg);
/* proc.c: signal this process if its real uid is still "uid", and it is theirs. 1 or 0: not. */
int proc_signal(int pid, uint32_t uid, int sig);
/* proc.c: end all of the user's slice at once, where systemd keeps one. 0 or -errno. */
int proc_kill_slice(uint32_t uid);

#endif
