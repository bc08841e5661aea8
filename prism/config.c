/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/name.h"
#include "base/secret.h"

#define FILE_LIMIT (1024 * 1024)

struct config {
	json_t *settings, *credentials;
};

/* ---- addresses --------------------------------------------------------------------------------*/

static void drop_suffix(char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	if (n > m && strcmp(s + n - m, suffix) == 0)
		s[n - m] = '\0';
}

static void lower(char *from, const char *to)
{
	for (; *from && from < to; from++)
		*from = (char)tolower((unsigned char)*from);
}

static bool visible(const char *s)
{
	for (; *s; s++)
		if (*s <= 0x20 || *s >= 0x7f)
			return false;
	return true;
}

int config_url(const char *s, char *out, size_t size)
{
	bool local = strncmp(s, "unix:", 5) == 0;
	char *host, *end;

	if ((size_t)snprintf(out, size, "%s%s", local || strstr(s, "://") ? "" : "https://", s) >=
		size ||
	    !visible(out))
		return -EINVAL;
	for (size_t n = strlen(out); n && out[n - 1] == '/'; n--)
		out[n - 1] = '\0';
	if (local)
		return out[5] == '/' ? 0 : -EINVAL;
	host = strstr(out, "://");
	if (!host || !host[3])
		return -EINVAL;
	end = host + 3 + strcspn(host + 3, "/");
	lower(out, end);
	if (!*end)
		drop_suffix(out, strncmp(out, "https:", 6) == 0 ? ":443" : ":80");
	return 0;
}

/* ---- files ------------------------------------------------------------------------------------*/

int config_path(struct cli *c, const char *rest, char out[static CONFIG_PATH_MAX])
{
	const char *home = secure_getenv("HOME");

	if (!home || *home != '/') {
		const struct passwd *pw = getpwuid(geteuid());

		home = pw ? pw->pw_dir : NULL;
	}
	if (!home || *home != '/')
		return cli_fail(c, STATUS_LOCAL, "NO_HOME", "Set HOME.",
		    "You have no home folder on this machine.");
	if (snprintf(out, CONFIG_PATH_MAX, "%s/.prism%s%s", home, *rest ? "/" : "", rest) >=
	    CONFIG_PATH_MAX)
		return cli_fail_file(c, home, -ENAMETOOLONG);
	return STATUS_OK;
}

static int dir_check(const char *path)
{
	struct stat st;
	_cleanup_close_ int fd = -1;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_uid != geteuid() || (st.st_mode & 022) ? -EPERM : 0;
}

int config_dir(struct cli *c, const char *rest)
{
	char path[CONFIG_PATH_MAX];
	int r;

	if (config_path(c, rest, path))
		return STATUS_LOCAL;
	r = dir_check(path);
	return r ? cli_fail_file(c, path, r) : STATUS_OK;
}

/* Read a file of ours into *ret; a missing one gives an empty object. */
static int load(struct cli *c, const char *name, mode_t forbidden, json_t **ret)
{
	_cleanup_buf_ struct buf text = BUF_INIT(FILE_LIMIT);
	_cleanup_json_ json_t *j = NULL;
	char path[CONFIG_PATH_MAX];
	int r;

	if (config_path(c, name, path))
		return STATUS_LOCAL;
	r = io_read_private(path, geteuid(), forbidden, &text);
	if (r == -ENOENT)
		j = json_pack("{s:i, s:{}}", "version", 1, "servers");
	else if (r < 0)
		return cli_fail_file(c, path, r);
	else
		j = json_loadb(buf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(j) || int_of(j, "version") != 1 ||
	    !json_is_object(json_object_get(j, "servers")))
		return cli_fail_file(c, path, -EBADMSG);
	*ret = TAKE_PTR(j);
	return STATUS_OK;
}

static int save(struct cli *c, const char *name, const json_t *j)
{
	_cleanup_secret_ char *text = json_dumps(j, JSON_INDENT(2) | JSON_SORT_KEYS);
	char path[CONFIG_PATH_MAX];
	int r = config_dir(c, "");

	if (r || config_path(c, name, path))
		return STATUS_LOCAL;
	if (!text)
		return cli_fail_memory(c);
	r = io_replace_file(path, text, strlen(text), 0600, (uid_t)-1, (gid_t)-1);
	return r ? cli_fail_file(c, path, r) : STATUS_OK;
}

/* A ~/.prism that is a link, or not ours, decides for every file in it. */
static int dir_check_existing(struct cli *c)
{
	char path[CONFIG_PATH_MAX];
	struct stat st;

	if (config_path(c, "", path))
		return STATUS_LOCAL;
	return lstat(path, &st) < 0 && errno == ENOENT ? STATUS_OK : config_dir(c, "");
}

int config_open(struct cli *c)
{
	struct config *g;
	int r;

	if (c->config)
		return STATUS_OK;
	r = dir_check_existing(c);
	if (r)
		return r;
	g = calloc(1, sizeof(*g));
	if (!g)
		return cli_fail_memory(c);
	r = load(c, "config.json", 022, &g->settings);
	if (!r)
		r = load(c, "credentials.json", 077, &g->credentials);
	if (r) {
		config_free(g);
		return r;
	}
	c->config = g;
	return STATUS_OK;
}

void config_free(struct config *g)
{
	if (!g)
		return;
	json_decref(g->settings);
	json_decref(g->credentials);
	free(g);
}

/* ---- repair -----------------------------------------------------------------------------------*/

static const struct repair {
	const char *name;
	mode_t type, mode;
} repairs[] = {
    {"", S_IFDIR, 0700},
    {"ssh_keys", S_IFDIR, 0700},
    {"config.json", S_IFREG, 0600},
    {"credentials.json", S_IFREG, 0600},
    {"known_hosts", S_IFREG, 0600},
    {"ssh_keys/id_ed25519", S_IFREG, 0600},
    {"ssh_keys/id_ed25519.pub", S_IFREG, 0644},
};

/* 1 when something was changed, 0 when all was well or it is not there. */
static int repair_one(const char *path, const struct repair *what)
{
	/* By way of a descriptor that reads nothing: even a file of mode 0 can be put right. */
	_cleanup_close_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char link[64];
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != what->type)
		return S_ISLNK(st.st_mode) ? -ELOOP : -ENOTDIR;
	if ((st.st_mode & 07777) == what->mode)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return chmod(link, what->mode) < 0 ? -errno : 1;
}

int config_repair(struct cli *c, json_t *changed)
{
	for (size_t i = 0; i < ARRAY_SIZE(repairs); i++) {
		char path[CONFIG_PATH_MAX];
		int r;

		if (config_path(c, repairs[i].name, path))
			return STATUS_LOCAL;
		r = repair_one(path, &repairs[i]);
		if (r < 0)
			return cli_fail_file(c, path, r);
		if (r)
			json_array_append_new(
			    changed, json_sprintf("~/.prism%s%s is %04o now", i ? "/" : "",
					 repairs[i].name, (unsigned)repairs[i].mode));
	}
	return STATUS_OK;
}

/* ---- what it holds ----------------------------------------------------------------------------*/

static json_t *servers(const json_t *file)
{
	return json_object_get(file, "servers");
}

static const char *member(const json_t *file, const char *url, const char *name)
{
	return json_string_value(json_object_get(json_object_get(servers(file), url), name));
}

const char *config_current(const struct cli *c)
{
	return json_string_value(json_object_get(c->config->settings, "current"));
}

bool config_knows(const struct cli *c, const char *url)
{
	return json_object_get(servers(c->config->settings), url) != NULL;
}

const char *config_pin(const struct cli *c, const char *url)
{
	return member(c->config->settings, url, "pin");
}

const char *config_ca_file(const struct cli *c, const char *url)
{
	return member(c->config->settings, url, "ca_file");
}

const char *config_proxy(const struct cli *c, const char *url)
{
	return member(c->config->settings, url, "proxy");
}

const char *config_token(const struct cli *c, const char *url)
{
	return member(c->config->credentials, url, "token");
}

const char *config_username(const struct cli *c, const char *url)
{
	const char *s = member(c->config->credentials, url, "username");

	/* As the service gave it; it gets into questions and into files. */
	return s && username_valid(s) ? s : NULL;
}

int config_set_server(
    struct cli *c, const char *url, const char *pin, const char *ca_file, bool make_current)
{
	json_t *entry = json_object();
	const char *proxy = config_proxy(c, url);

	if (!entry)
		return cli_fail_memory(c);
	if (proxy)
		json_object_set_new(entry, "proxy", json_string(proxy));
	if (pin && *pin)
		json_object_set_new(entry, "pin", json_string(pin));
	if (ca_file && *ca_file)
		json_object_set_new(entry, "ca_file", json_string(ca_file));
	json_object_set_new(servers(c->config->settings), url, entry);
	if (make_current || !config_current(c))
		json_object_set_new(c->config->settings, "current", json_string(url));
	return save(c, "config.json", c->config->settings);
}

int config_set_proxy(struct cli *c, const char *url, const char *proxy)
{
	json_t *entry = json_object_get(servers(c->config->settings), url);

	if (proxy)
		json_object_set_new(entry, "proxy", json_string(proxy));
	else
		json_object_del(entry, "proxy");
	return save(c, "config.json", c->config->settings);
}

int config_set_session(
    struct cli *c, const char *url, const char *token, const char *username, const char *expires_at)
{
	json_t *entry = json_pack(
	    "{s:s, s:s, s:s}", "token", token, "username", username, "expires_at", expires_at);

	if (!entry)
		return cli_fail_memory(c);
	json_object_set_new(servers(c->config->credentials), url, entry);
	return save(c, "credentials.json", c->config->credentials);
}

int config_drop_session(struct cli *c, const char *url)
{
	json_object_del(servers(c->config->credentials), url);
	return save(c, "credentials.json", c->config->credentials);
}
