/* SPDX-License-Identifier: MIT */
#ifndef PATHS_H
#define PATHS_H

/*
 * Where everything is on a host. "root" goes in front of every path (for tests: --root DIR); the
 * homes are not here, prism.conf says where those are.
 */
#define PATHS_MAX 512

struct paths {
	char conf[PATHS_MAX];	/* /etc/prism/prism.conf */
	char state[PATHS_MAX];	/* /var/lib/prism	0755 root */
	char nss[PATHS_MAX];	/* .../nss		0755 root: the snapshots */
	char ready[PATHS_MAX];	/* .../ready		0755 root: <uid> for homes known ready */
	char trust[PATHS_MAX];	/* .../trust		0700 root: pins, floors, journals */
	char net[PATHS_MAX];	/* .../net		0700 prism-sync: host.key, host.json */
	char run[PATHS_MAX];	/* /run/prism		0755 root */
	char socket[PATHS_MAX]; /* .../agent.sock	0600 root */
	char passwd[PATHS_MAX]; /* /etc/passwd */
	char group[PATHS_MAX];	/* /etc/group */
	char ssh[PATHS_MAX];	/* /etc/ssh */
	char linger[PATHS_MAX]; /* /var/lib/systemd/linger */
};

/* "root" "" or NULL: the real ones. Returns 0, or -ENAMETOOLONG. */
int paths_init(struct paths *p, const char *root);

/* Make the folders of the root half that are missing. Returns 0 or -errno. */
int paths_make(const struct paths *p);

#endif
