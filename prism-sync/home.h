/* SPDX-License-Identifier: MIT */
#ifndef HOME_H
#define HOME_H

/*
 * Home directories on a shared volume, made by root of any host.
 *
 * MUST: never change, chown or delete what somebody else has put there; never follow a symbolic
 * link; show a home under its name only when it is complete. So a home is built beside, as
 * .NAME.prism-new.HOST.RANDOM, 0700 of root until its last step, and renamed into place; whoever
 * comes second finds it done. The marker file .prism-home inside names the owner.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOME_MARKER   ".prism-home"
#define HOME_WHY_MAX  400
#define HOME_NEW_PART ".prism-new."

struct home_site {
	const char *root;	 /* "/efs/home" */
	const char *mount_point; /* must be a mount point, when require_mount */
	const char *skel;
	const char *host; /* goes into the names of what is under construction */
	bool require_mount;
};

struct home_owner {
	const char *name, *home; /* home must be root/name */
	uint32_t uid, gid;
};

/*
 * The home exists and is its owner's, or is made so. 0; or -errno and "why" is a sentence:
 *	-ENODEV	   the volume is not mounted, or its folder of homes cannot be used
 *	-EXDEV	   the home is not below "root"
 *	-EEXIST	   something else stands there: another owner's, or no folder
 *	-EPERM	   root is squashed on this file system
 *	others	   what failed
 */
int home_ensure(
    const struct home_site *s, const struct home_owner *o, char why[static HOME_WHY_MAX]);

/*
 * Remove what crashed attempts have left: root's own folders of that name pattern, an hour old or
 * more. Returns how many, or -errno.
 */
int home_sweep(const struct home_site *s, int64_t now);

/* tree.c: copy the contents of skel into the folder "to" and give everything to uid:gid. */
int tree_copy(const char *skel, int to, uint32_t uid, uint32_t gid);
/* tree.c: remove the folder "name" below dirfd and all that is in it, staying on its device. */
int tree_remove(int dirfd, const char *name);

#endif
