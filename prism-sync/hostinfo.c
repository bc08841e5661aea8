/* SPDX-License-Identifier: MIT */
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/attr.h"
#include "base/io.h"
#include "base/name.h"
#include "hostinfo.h"
#include "json.h"

#define LOCAL_IDS_MAX 60000

static bool read_key(const char *path, char out[static SSHKEY_LINE_MAX + 1])
{
	_cleanup_buf_ struct buf b = BUF_INIT(SSHKEY_LINE_MAX + 1);

	if (io_read_file(path, &b) < 0 || b.data == NULL)
		return false;
	/* Without the comment, which says who made the key where. */
	char *line = (char *)b.data, *blob, *end;

	line[strcspn(line, "\n")] = '\0';
	blob = strchr(line, ' ');
	end = blob ? strchr(blob + 1, ' ') : NULL;
	if (end != NULL)
		*end = '\0';
	snprintf(out, SSHKEY_LINE_MAX + 1, "%s", line);
	return sshkey_line_valid(out);
}

static void put_keys(struct buf *b, const struct paths *p)
{
	char pattern[PATHS_MAX + 32], line[SSHKEY_LINE_MAX + 1];
	glob_t g = {.gl_pathc = 0};
	size_t n = 0;

	snprintf(pattern, sizeof(pattern), "%s/ssh_host_*_key.pub", p->ssh);
	if (glob(pattern, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc && n < HOSTINFO_KEYS_MAX; i++) {
			if (!read_key(g.gl_pathv[i], line))
				continue;
			buf_add_str(b, n++ ? "," : "");
			json_put_string(b, line);
		}
	}
	globfree(&g);
}

static size_t put_ids(struct buf *b, const uint32_t *ids, size_t n, size_t had)
{
	for (size_t i = 0; i < n && had < LOCAL_IDS_MAX; i++)
		if (ids[i] >= ID_FLOOR && (i == 0 || ids[i] != ids[i - 1]))
			buf_addf(b, "%s%u", had++ ? "," : "", (unsigned)ids[i]);
	return had;
}

void hostinfo_put(struct buf *b, const struct paths *p, const struct local *l)
{
	char name[256] = "";

	gethostname(name, sizeof(name) - 1);
	buf_add_str(b, "\"hostname\":");
	json_put_string(b, name);
	buf_add_str(b, ",\"ssh_host_keys\":[");
	put_keys(b, p);
	buf_add_str(b, "],\"local_ids\":[");
	size_t had = put_ids(b, l->uids, l->nusers, 0);

	put_ids(b, l->gids, l->ngroups, had);
	buf_add_char(b, ']');
}
