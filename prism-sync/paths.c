/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/attr.h"
#include "base/io.h"
#include "paths.h"

static const struct {
	size_t at;
	const char *path;
	mode_t mode; /* 0: not a folder that we make */
} table[] = {
    {offsetof(struct paths, conf), "/etc/prism/prism.conf", 0},
    {offsetof(struct paths, state), "/var/lib/prism", 0755},
    {offsetof(struct paths, nss), "/var/lib/prism/nss", 0755},
    {offsetof(struct paths, ready), "/var/lib/prism/ready", 0755},
    {offsetof(struct paths, trust), "/var/lib/prism/trust", 0700},
    {offsetof(struct paths, net), "/var/lib/prism/net", 0},
    {offsetof(struct paths, run), "/run/prism", 0755},
    {offsetof(struct paths, socket), "/run/prism/agent.sock", 0},
    {offsetof(struct paths, passwd), "/etc/passwd", 0},
    {offsetof(struct paths, group), "/etc/group", 0},
    {offsetof(struct paths, ssh), "/etc/ssh", 0},
    {offsetof(struct paths, linger), "/var/lib/systemd/linger", 0},
};

int paths_init(struct paths *p, const char *root)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int n = snprintf(
		    (char *)p + table[i].at, PATHS_MAX, "%s%s", root ? root : "", table[i].path);

		if (n < 0 || n >= PATHS_MAX)
			return -ENAMETOOLONG;
	}
	return 0;
}

int paths_make(const struct paths *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int rc = 0;

		if (table[i].mode != 0)
			rc = io_make_dirs((const char *)p + table[i].at, table[i].mode);
		if (rc < 0)
			return rc;
	}
	return 0;
}
