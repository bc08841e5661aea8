/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "api/http_client.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/name.h"
#include "base/num.h"
#include "config.h"
#include "feed/feed.h"

#define LINE_BYTES_MAX 190 /* the parser's own limit is 200, with its line end and NUL */

struct key;

struct parse {
	struct config *config;
	uint64_t seen; /* bit i: table[i] was given */
	char what[256];
};

struct key {
	const char *section, *name;
	int (*read)(const struct key *k, const char *value, struct parse *p);
	size_t at;
	uint32_t min, max; /* of numbers */
};

static int read_bool(const struct key *k, const char *value, struct parse *p)
{
	bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0)
		return -EINVAL;
	*(bool *)((char *)p->config + k->at) = yes;
	return 0;
}

static int read_number(const struct key *k, const char *value, struct parse *p)
{
	uint32_t v;

	if (num_parse_u32(value, k->max, &v) < 0 || v < k->min)
		return -EINVAL;
	*(uint32_t *)((char *)p->config + k->at) = v;
	return 0;
}

static int read_range(const struct key *k, const char *value, struct parse *p)
{
	uint32_t *out = (uint32_t *)((char *)p->config + k->at), first, last;

	if (num_parse_range(value, &first, &last) < 0 || first < ID_FLOOR ||
	    last - first >= CONFIG_RANGE_MAX)
		return -EINVAL;
	out[0] = first;
	out[1] = last;
	return 0;
}

static int read_text(const struct key *k, const char *value, struct parse *p)
{
	char *out = (char *)p->config + k->at;

	if (strlen(value) >= 256)
		return -EINVAL;
	memcpy(out, value, strlen(value) + 1);
	return 0;
}

static int read_path(const struct key *k, const char *value, struct parse *p)
{
	return path_valid(value) ? read_text(k, value, p) : -EINVAL;
}

/* Its value may be a password: messages never show it. */
static int read_proxy(const struct key *k, const char *value, struct parse *p)
{
	if (!http_proxy_valid(value)) {
		snprintf(p->what, sizeof(p->what),
		    "\"proxy\" must be [http[s]://][USER:PASSWORD@]HOST[:PORT]");
		return -EINVAL;
	}
	p->config->proxy_given = true;
	return read_text(k, value, p);
}

static int read_users(const struct key *k, const char *value, struct parse *p)
{
	char *list = p->config->allow_users;
	const char *at = value;

	while (*(at += strspn(at, " ,\t")) != '\0') {
		size_t n = strcspn(at, " ,\t"), have = strlen(list);
		char name[USERNAME_MAX + 1];

		if (n > USERNAME_MAX || have + n + 3 > CONFIG_LIST_MAX)
			return -EINVAL;
		memcpy(name, at, n);
		name[n] = '\0';
		if (!username_valid(name))
			return -EINVAL;
		snprintf(list + have, CONFIG_LIST_MAX - have, "%s%s ", have == 0 ? " " : "", name);
		at += n;
	}
	return list[0] != '\0' ? 0 : -EINVAL;
}

#define AT(field) offsetof(struct config, field)

static const struct key table[] = {
    {"central", "ca_file", read_path, AT(ca_file)},
    {"central", "proxy", read_proxy, AT(proxy)},
    {"central", "proxy_file", read_path, AT(proxy_file)},
    {"ranges", "users", read_range, AT(uid_first)},
    {"ranges", "groups", read_range, AT(gid_first)},
    {"access", "allow_sudo", read_bool, AT(allow_sudo)},
    {"access", "allow_users", read_users, AT(allow_users)},
    {"access", "end_sessions", read_bool, AT(end_sessions)},
    {"home", "root", read_path, AT(home_root)},
    {"home", "mount_point", read_path, AT(mount_point)},
    {"home", "require_mount", read_bool, AT(require_mount)},
    {"home", "skel", read_path, AT(skel)},
    {"sync", "poll_seconds", read_number, AT(poll_seconds), 1, 300},
    {"sync", "shrink_guard_percent", read_number, AT(shrink_percent), 0, 100},
    {"sync", "shrink_guard_min", read_number, AT(shrink_min), 1, 1000000},
    {"sync", "publish_interval_ms", read_number, AT(publish_ms), 0, 60000},
    {"sync", "max_feed_mb", read_number, AT(max_feed_mb), 1, FEED_MESSAGE_MAX >> 20},
};

static int handle(void *user, const char *section, const char *name, const char *value)
{
	struct parse *p = user;

	if (p->what[0] != '\0')
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct key *k = &table[i];

		if (strcmp(section, k->section) != 0 || strcmp(name, k->name) != 0)
			continue;
		bool again = p->seen >> i & 1;

		p->seen |= UINT64_C(1) << i;
		if (again && k->read != read_users)
			snprintf(p->what, sizeof(p->what), "\"%s\" is given twice", name);
		else if (k->read(k, value, p) < 0 && p->what[0] == '\0')
			snprintf(
			    p->what, sizeof(p->what), "\"%s\" cannot be \"%.80s\"", name, value);
		return p->what[0] == '\0';
	}
	snprintf(p->what, sizeof(p->what), "there is no key \"%.64s\" in section [%.64s]", name,
	    section);
	return 0;
}

void config_defaults(struct config *c)
{
	*c = (struct config){
	    .uid_first = UID_FIRST,
	    .uid_last = UID_LAST,
	    .gid_first = GID_FIRST,
	    .gid_last = GID_LAST,
	    .end_sessions = true,
	    .home_root = "/efs/home",
	    .mount_point = "/efs",
	    .skel = "/etc/skel",
	    .require_mount = true,
	    .poll_seconds = 60,
	    .shrink_percent = 10,
	    .shrink_min = 2,
	    .max_feed_mb = 128,
	};
}

/*
 * /etc/sudoers.d/prism names the group by its number, so on every host that number must mean
 * prism-sudo or nothing: never prism-users, a project, or somebody's private group.
 */
static const char *check_sudo_id(const struct config *c)
{
	const uint32_t id = GID_FIRST + GID_PRISM_SUDO;

	static_assert(GID_FIRST + GID_PRISM_SUDO == 2000001, "config/sudoers/prism and below");
	if (id >= c->uid_first && id <= c->uid_last)
		return "the range of users has 2000001 in it, the group that sudo knows";
	if (c->gid_first == GID_FIRST)
		return NULL;
	if (id >= c->gid_first && id <= c->gid_last)
		return "a range of groups with 2000001 in it, the group that sudo knows, must "
		       "begin at 2000000";
	return c->allow_sudo ? "allow_sudo needs a range of groups that begins at 2000000" : NULL;
}

static const char *check_whole(const struct config *c)
{
	size_t n = strlen(c->mount_point);

	if (c->proxy_given && c->proxy_file[0] != '\0')
		return "either \"proxy\" or \"proxy_file\"";
	if (c->uid_first <= c->gid_last && c->gid_first <= c->uid_last)
		return "the ranges of users and groups overlap";
	if (c->gid_last - c->gid_first < GID_RESERVED)
		return "the range of groups is too small";
	if (c->require_mount && (strncmp(c->home_root, c->mount_point, n) != 0 ||
				    (c->home_root[n] != '/' && c->home_root[n] != '\0')))
		return "\"root\" of [home] is not below \"mount_point\"";
	return check_sudo_id(c);
}

/* The parser cuts a longer line and takes what is left, also of a comment, for the next one. */
static int long_line(const char *text)
{
	for (int line = 1; *text != '\0'; line++) {
		size_t n = strcspn(text, "\n");

		if (n > LINE_BYTES_MAX)
			return line;
		text += n + (text[n] == '\n');
	}
	return 0;
}

int config_parse(
    const char *path, const char *text, struct config *ret, char why[static CONFIG_WHY_MAX])
{
	struct config c;
	struct parse p = {.config = &c};

	config_defaults(&c);
	int line = long_line(text);

	if (line > 0)
		snprintf(p.what, sizeof(p.what), "the line is longer than %d characters",
		    LINE_BYTES_MAX);
	else
		line = ini_parse_string(text, handle, &p);
	if (line < 0)
		return -ENOMEM;
	if (line > 0) {
		snprintf(why, CONFIG_WHY_MAX, "%s:%d: %s", path, line,
		    p.what[0] ? p.what : "this is neither \"[section]\" nor \"key = value\"");
		return -EINVAL;
	}
	const char *wrong = check_whole(&c);

	if (wrong != NULL) {
		snprintf(why, CONFIG_WHY_MAX, "%s: %s", path, wrong);
		return -EINVAL;
	}
	*ret = c;
	return 0;
}

/* The address of the proxy is the first line. */
static int load_proxy_file(struct config *c, char why[static CONFIG_WHY_MAX])
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);
	int rc = io_read_private(c->proxy_file, 0, 077, &b);

	if (rc < 0) {
		snprintf(why, CONFIG_WHY_MAX, "%s: %s", c->proxy_file,
		    rc == -EPERM ? "must be root's and readable by root alone (chmod 600)"
				 : strerror(-rc));
		return rc;
	}
	const char *line = buf_str(&b);
	size_t n = strcspn(line, "\r\n");

	if (n > 0 && n < sizeof(c->proxy)) {
		memcpy(c->proxy, line, n);
		c->proxy[n] = '\0';
	}
	if (c->proxy[0] == '\0' || !http_proxy_valid(c->proxy)) {
		snprintf(why, CONFIG_WHY_MAX,
		    "%s:1: must be [http[s]://][USER:PASSWORD@]HOST[:PORT]", c->proxy_file);
		return -EINVAL;
	}
	c->proxy_given = true;
	return 0;
}

static int check_secrets(const char *path, struct config *c, char why[static CONFIG_WHY_MAX])
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);

	if (c->proxy_file[0] != '\0')
		return load_proxy_file(c, why);
	if (strchr(c->proxy, '@') == NULL)
		return 0;
	int rc = io_read_private(path, 0, 077, &b);

	if (rc < 0)
		snprintf(why, CONFIG_WHY_MAX,
		    "%s: has the proxy's password, so root alone may read it (chmod 600), or put "
		    "the address into a file of its own: proxy_file",
		    path);
	return rc;
}

int config_load(const char *path, struct config *ret, char why[static CONFIG_WHY_MAX])
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
	struct config c;
	int rc = io_read_private(path, 0, 022, &b);

	if (rc == -ENOENT) {
		config_defaults(ret);
		return 0;
	}
	if (rc < 0) {
		snprintf(why, CONFIG_WHY_MAX, "%s: %s", path,
		    rc == -EPERM ? "must be owned by root and writable by root alone"
				 : strerror(-rc));
		return rc;
	}
	if (memchr(buf_str(&b), '\0', b.len) != NULL) {
		snprintf(why, CONFIG_WHY_MAX, "%s: has a NUL byte", path);
		return -EINVAL;
	}
	rc = config_parse(path, buf_str(&b), &c, why);
	if (rc == 0)
		rc = check_secrets(path, &c, why);
	if (rc == 0)
		*ret = c;
	return rc;
}

bool config_allows(const struct config *c, const char *name)
{
	char word[USERNAME_MAX + 3];

	if (c->allow_users[0] == '\0')
		return true;
	snprintf(word, sizeof(word), " %s ", name);
	return strstr(c->allow_users, word) != NULL;
}
