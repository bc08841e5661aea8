/* SPDX-License-Identifier: MIT */
#include "connect.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "api.h"
#include "api/http_client.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/name.h"
#include "command.h"
#include "config.h"
#include "keyproof.h"
#include "output.h"
#include "tool.h"

#define ALIAS_MAX   200
#define KNOWN_LIMIT (4 * 1024 * 1024)
#define ARGV_MAX    64

/* ---- known_hosts ------------------------------------------------------------------------------*/

/* "ws1.prism.example.org-8443": the name that stands for this workspace of this service. */
static void alias_make(const struct cli *c, const char *name, char out[static ALIAS_MAX])
{
	const char *host = strstr(c->server, "://");

	snprintf(out, ALIAS_MAX, "%.63s.prism.%.100s", name, host ? host + 3 : c->server);
	for (char *p = out; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '.' && *p != '-' && *p != '_')
			*p = '-';
}

/* Every line of the old file but those of this alias. */
static void keep_others(const char *old, const char *alias, struct buf *out)
{
	size_t n = strlen(alias);

	while (*old) {
		size_t len = strcspn(old, "\n");

		if (len && !(strncmp(old, alias, n) == 0 && old[n] == ' ')) {
			buf_add(out, old, len);
			buf_add_char(out, '\n');
		}
		old += len + (old[len] == '\n');
	}
}

static int add_keys(struct cli *c, const json_t *workspace, const char *alias, struct buf *out)
{
	const json_t *key;
	size_t i, added = 0;

	json_array_foreach(json_object_get(workspace, "ssh_host_keys"), i, key)
	{
		const char *line = json_string_value(key);

		if (!line || !sshkey_line_valid(line))
			continue;
		buf_addf(out, "%s %s\n", alias, line);
		added++;
	}
	if (added)
		return STATUS_OK;
	return cli_fail(c, STATUS_REFUSED, "NO_HOST_KEYS",
	    "It reports them at its next contact; ask its administrator: prism-sync status",
	    "The service knows no host key of this workspace, so it cannot be recognized.");
}

/* Under a lock: two connects at once must not lose each other's lines. */
static int known_hosts_update(
    struct cli *c, const json_t *workspace, const char *alias, const char *path)
{
	_cleanup_buf_ struct buf old = BUF_INIT(KNOWN_LIMIT), text = BUF_INIT(KNOWN_LIMIT);
	_cleanup_close_ int lock = -1;
	char lock_path[CONFIG_PATH_MAX];
	int r;

	if (config_dir(c, "") || config_path(c, ".lock", lock_path))
		return STATUS_LOCAL;
	lock = open(lock_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return cli_fail_file(c, lock_path, -errno);
	r = io_read_private(path, geteuid(), 022, &old);
	if (r && r != -ENOENT)
		return cli_fail_file(c, path, r);
	keep_others(buf_str(&old), alias, &text);
	r = add_keys(c, workspace, alias, &text);
	if (r)
		return r;
	r = buf_error(&text);
	if (!r)
		r = io_replace_file(path, text.data, text.len, 0600, (uid_t)-1, (gid_t)-1);
	return r ? cli_fail_file(c, path, r) : STATUS_OK;
}

/* ---- the command line of ssh ------------------------------------------------------------------*/

struct ssh_command {
	char key[CONFIG_PATH_MAX];
	char options[3][CONFIG_PATH_MAX * 2 + 64];
	const char *argv[ARGV_MAX];
};

/* A path inside an ssh option: quoted, and '%' is no token of ssh's. */
static void path_option(const char *name, const char *path, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "%s=\"", name);

	for (; *path && n + 4 < size; path++) {
		if (*path == '%' || *path == '"' || *path == '\\')
			out[n++] = *path == '%' ? '%' : '\\';
		out[n++] = *path;
	}
	out[n++] = '"';
	out[n] = '\0';
}

static bool address_valid(const char *s)
{
	if (!*s || *s == '-' || strlen(s) > 255)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(".:_-", *s))
			return false;
	return true;
}

static int command_make(struct cli *c, const char *user, const char *address, const char *alias,
    const char *known, struct ssh_command *s)
{
	const char *const fixed[] = {"ssh", "-i", s->key, "-o", "IdentitiesOnly=yes", "-o",
	    s->options[0], "-o", "GlobalKnownHostsFile=/dev/null", "-o",
	    "StrictHostKeyChecking=yes", "-o", "CheckHostIP=no", "-o", "UpdateHostKeys=no", "-o",
	    s->options[1], "-l", user, address};
	size_t n = ARRAY_SIZE(fixed);

	if (config_path(c, KEY_NAME, s->key))
		return STATUS_LOCAL;
	path_option("UserKnownHostsFile", known, s->options[0], sizeof(s->options[0]));
	snprintf(s->options[1], sizeof(s->options[1]), "HostKeyAlias=%s", alias);
	memcpy(s->argv, fixed, sizeof(fixed));
	for (char **rest = c->args->rest; rest && *rest; rest++) {
		if (n + 1 == ARRAY_SIZE(s->argv))
			return cli_fail(c, STATUS_USAGE, "TOO_MANY",
			    "Quote the command as one word.", "There are too many words after --.");
		s->argv[n++] = *rest;
	}
	s->argv[n] = NULL;
	return STATUS_OK;
}

static void command_print(const struct cli *c, const struct ssh_command *s)
{
	_cleanup_json_ json_t *argv = json_array();
	_cleanup_json_ json_t *j = NULL;

	for (const char *const *a = s->argv; *a; a++)
		json_array_append_new(argv, json_string(*a));
	j = json_pack("{s:O}", "argv", argv);
	if (c->json) {
		out_json(j);
		return;
	}
	for (const char *const *a = s->argv; *a; a++)
		out_printf("%s%s%s%s", a == s->argv ? "" : " ", strpbrk(*a, " \"$") ? "'" : "", *a,
		    strpbrk(*a, " \"$") ? "'" : "");
	out_printf("\n");
}

/* ssh tells its own errors; 255 means that the connection failed, and then we know what helps. */
static int ssh_run(struct cli *c, const struct ssh_command *s)
{
	int r;

	http_client_free(c->http);
	c->http = NULL;
	r = tool_run_foreground(s->argv);
	if (r < 0)
		return cli_fail(c, STATUS_LOCAL, "NO_SSH",
		    "Install the OpenSSH client (package openssh-client).", "ssh cannot be run: %s",
		    strerror(-r));
	if (r == 255)
		err_printf(
		    "prism: ssh could not log in; its message stands above.\n"
		    "Permission denied (publickey): run prism user provision, then prism user "
		    "ssh-key status\n"
		    "Permission denied after accepting: run prism user provision --fix-keys\n"
		    "A more recent sign-in is asked for: run prism login\n"
		    "UID/GID mismatch: run prism user status, and ask the administrator\n");
	return r;
}

int workspace_connect(struct cli *c)
{
	_cleanup_json_ json_t *workspace = NULL, *me = NULL;
	_cleanup_free_ struct ssh_command *s = calloc(1, sizeof(*s));
	char alias[ALIAS_MAX], known[CONFIG_PATH_MAX];
	const char *address;
	int r;

	if (!s)
		return cli_fail_memory(c);
	r = api_call(c, "GET", api_path("/workspaces/", c->args->pos[0], NULL), NULL, &workspace);
	if (!r)
		r = api_call(c, "GET", api_path("/me", NULL), NULL, &me);
	if (r)
		return r;
	address = text_of(workspace, "address");
	if (!*address)
		address = text_of(workspace, "hostname");
	if (!address_valid(address) || !username_valid(text_of(me, "username")))
		return cli_fail(c, STATUS_REFUSED, "BAD_ADDRESS", "Tell the administrator.",
		    "The service gives no usable address for this workspace.");
	if (json_is_false(json_object_get(workspace, "can_login")))
		return cli_fail(c, STATUS_REFUSED, "NO_LOGIN_HERE",
		    "Ask an owner or admin of the project; see: prism user status",
		    "You may not log in to this workspace now.");
	alias_make(c, text_of(workspace, "name"), alias);
	r = config_path(c, "known_hosts", known);
	if (!r)
		r = known_hosts_update(c, workspace, alias, known);
	if (!r)
		r = command_make(c, text_of(me, "username"), address, alias, known, s);
	if (r)
		return r;
	if (args_flag(c->args, "print") || c->json) {
		command_print(c, s);
		return STATUS_OK;
	}
	return ssh_run(c, s);
}
