/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_H
#define CONFIG_H

/*
 * prism.conf(5): what this host allows, whatever the central service says. Every key is in one
 * table in config.c; an unknown section or key, a bad value or a key given twice is an error with
 * its file and line, because a limit that is misspelt would be no limit.
 */
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_WHY_MAX	 512
#define CONFIG_LIST_MAX	 8192
#define CONFIG_RANGE_MAX (16u << 20) /* ids in one range */

struct config {
	char ca_file[256];
	char proxy[512];      /* a secret where it has a password */
	bool proxy_given;     /* an empty one means: none, whatever the environment says */
	char proxy_file[256]; /* config_load() reads "proxy" from it */
	uint32_t uid_first, uid_last, gid_first, gid_last;
	bool allow_sudo;
	char allow_users[CONFIG_LIST_MAX]; /* names between single spaces, one in front; "":
					      everybody */
	bool end_sessions;
	char home_root[256], mount_point[256], skel[256];
	bool require_mount;
	uint32_t poll_seconds, shrink_percent, shrink_min, publish_ms, max_feed_mb;
};

void config_defaults(struct config *c);

/*
 * Read "path"; a missing file is the defaults. On -EINVAL "why" says "FILE:LINE: what", on another
 * -errno what failed. A proxy's password must be in a file that root alone can read: this one or
 * proxy_file.
 */
int config_load(const char *path, struct config *ret, char why[static CONFIG_WHY_MAX]);

/* The same from NUL-terminated text; "path" is for the messages. */
int config_parse(
    const char *path, const char *text, struct config *ret, char why[static CONFIG_WHY_MAX]);

/* Whether the allow-list lets this name in: there is none, or it is in it. */
bool config_allows(const struct config *c, const char *name);

#endif
