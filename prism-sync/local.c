/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/attr.h"
#include "base/io.h"
#include "base/num.h"
#include "refuse.h"

#define LOCAL_FILE_MAX (16u << 20)

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n++;
	return n;
}

/* "name:x:ID:..." of both files; lines that are something else are passed over. */
static size_t read_lines(char *text, const char **names, uint32_t *ids)
{
	size_t n = 0;

	for (char *line; (line = strsep(&text, "\n")) != NULL;) {
		char *name = strsep(&line, ":"), *id;

		strsep(&line, ":");
		id = strsep(&line, ":");
		if (id == NULL || name[0] == '\0' || name[0] == '#' ||
		    num_parse_u32(id, UINT32_MAX, &ids[n]) < 0)
			continue;
		names[n++] = name;
	}
	qsort(names, n, sizeof(*names), by_name);
	qsort(ids, n, sizeof(*ids), by_id);
	return n;
}

static int read_table(char *text, const char ***ret_names, uint32_t **ret_ids, size_t *ret_n)
{
	size_t lines = count_lines(text);
	_cleanup_free_ const char **names = calloc(lines, sizeof(*names));
	_cleanup_free_ uint32_t *ids = calloc(lines, sizeof(*ids));

	if (names == NULL || ids == NULL)
		return -ENOMEM;
	*ret_n = read_lines(text, names, ids);
	*ret_names = TAKE_PTR(names);
	*ret_ids = TAKE_PTR(ids);
	return 0;
}

static void stamp_of(const char *path, uint64_t out[static 3])
{
	struct stat st;

	memset(out, 0, 3 * sizeof(*out));
	if (stat(path, &st) < 0)
		return;
	out[0] = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	out[1] = st.st_ino;
	out[2] = (uint64_t)st.st_size + 1;
}

static int read_text(const char *path, struct buf *b)
{
	int rc = io_read_file(path, b);

	return rc == -ENOENT ? 0 : rc;
}

int local_refresh(struct local *l, const char *passwd, const char *group)
{
	uint64_t stamp[6];

	stamp_of(passwd, stamp);
	stamp_of(group, stamp + 3);
	if (l->round > 0 && memcmp(stamp, l->stamp, sizeof(stamp)) == 0)
		return 0;

	_cleanup_buf_ struct buf b = BUF_INIT(LOCAL_FILE_MAX);
	int rc = read_text(passwd, &b);

	buf_add_char(&b, '\0');
	size_t second = b.len;

	if (rc == 0)
		rc = read_text(group, &b);
	if (rc < 0 || buf_error(&b) != 0)
		return rc < 0 ? rc : buf_error(&b);

	struct local new = {.round = l->round + 1, .text = buf_detach(&b)};

	memcpy(new.stamp, stamp, sizeof(stamp));
	if (new.text == NULL || read_table(new.text, &new.users, &new.uids, &new.nusers) < 0 ||
	    read_table(new.text + second, &new.groups, &new.gids, &new.ngroups) < 0) {
		local_release(&new);
		return -ENOMEM;
	}
	local_release(l);
	*l = new;
	return 1;
}

void local_release(struct local *l)
{
	free(l->text);
	free(l->users);
	free(l->groups);
	free(l->uids);
	free(l->gids);
	memset(l, 0, sizeof(*l));
}

bool local_has_user(const struct local *l, const char *name)
{
	return l->nusers > 0 && bsearch(&name, l->users, l->nusers, sizeof(name), by_name) != NULL;
}

bool local_has_group(const struct local *l, const char *name)
{
	return l->ngroups > 0 &&
	       bsearch(&name, l->groups, l->ngroups, sizeof(name), by_name) != NULL;
}

bool local_has_uid(const struct local *l, uint32_t uid)
{
	return l->nusers > 0 && bsearch(&uid, l->uids, l->nusers, sizeof(uid), by_id) != NULL;
}

bool local_has_gid(const struct local *l, uint32_t gid)
{
	return l->ngroups > 0 && bsearch(&gid, l->gids, l->ngroups, sizeof(gid), by_id) != NULL;
}

int64_t local_group_gid(const char *group_file, const char *name)
{
	_cleanup_buf_ struct buf b = BUF_INIT(LOCAL_FILE_MAX);

	if (io_read_file(group_file, &b) < 0 || b.data == NULL)
		return -1;
	char *text = (char *)b.data;

	for (char *line; (line = strsep(&text, "\n")) != NULL;) {
		char *have = strsep(&line, ":"), *id;
		uint32_t gid;

		strsep(&line, ":");
		id = strsep(&line, ":");
		if (id != NULL && strcmp(have, name) == 0 &&
		    num_parse_u32(id, UINT32_MAX, &gid) == 0)
			return gid;
	}
	return -1;
}
