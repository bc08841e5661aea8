/* SPDX-License-Identifier: MIT */
#include "keycheck.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/name.h"
#include "config.h"
#include "keyproof.h"
#include "tool.h"

static int pair_paths(struct cli *c, const char *name, char path[static CONFIG_PATH_MAX],
    char pub[static CONFIG_PATH_MAX])
{
	char half[256];

	if (snprintf(half, sizeof(half), "%s.pub", name) >= (int)sizeof(half))
		return STATUS_LOCAL;
	return config_path(c, name, path) || config_path(c, half, pub) ? STATUS_LOCAL : STATUS_OK;
}

/* One of the lines is this key; comments do not count. */
static bool lines_have(const char *lines, const char *key)
{
	size_t len = strcspn(key, " ");

	if (key[len] == ' ')
		len += 1 + strcspn(key + len + 1, " \r\n");
	for (const char *p = lines; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, key, len) == 0 && strchr(" \r\n", p[len]))
			return true;
	}
	return false;
}

static enum key_state compare(const char *derived, const char *pub)
{
	_cleanup_buf_ struct buf text = BUF_INIT(SSHKEY_LINE_MAX * 2);
	struct stat st;
	int r;

	/* What is missing is made, and what is no file is refused, by who uses the key. */
	if (lstat(pub, &st) < 0 || !S_ISREG(st.st_mode))
		return KEY_FINE;
	r = io_read_file(pub, &text);
	if (r)
		return r == -EMSGSIZE ? KEY_FOREIGN : KEY_FINE;
	return text.len && lines_have(derived, buf_str(&text)) ? KEY_FINE : KEY_FOREIGN;
}

/* ssh-keygen has one exit status for everything, and its messages are in no other language. */
static bool is_broken(const char *messages)
{
	return strstr(messages, "Load key") && !strstr(messages, "incorrect passphrase") &&
	       !strstr(messages, "ermission");
}

int key_check(struct cli *c, const char *name, enum key_state *ret)
{
	char path[CONFIG_PATH_MAX], pub[CONFIG_PATH_MAX];
	const char *argv[] = {"ssh-keygen", "-y", "-P", "", "-f", path, NULL};
	_cleanup_buf_ struct buf out = BUF_INIT(SSHKEY_LINE_MAX * 4);
	int r = pair_paths(c, name, path, pub);

	if (r)
		return r;
	*ret = KEY_FINE;
	if (key_private_state(path) != 1)
		return STATUS_OK;
	r = tool_run_quiet(argv, &out);
	if (r == 0)
		*ret = compare(buf_str(&out), pub);
	else if (r > 0 && is_broken(buf_str(&out)))
		*ret = KEY_BROKEN;
	return STATUS_OK;
}

int key_repair_public(struct cli *c, const char *name)
{
	char path[CONFIG_PATH_MAX], pub[CONFIG_PATH_MAX];

	return pair_paths(c, name, path, pub) ? STATUS_LOCAL : key_make_public(c, path, pub);
}
