/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <syslog.h>
#include <security/pam_ext.h>
#include "agent/agent.h"
#include "base/num.h"
#include "snapshot/snapshot.h"

enum option_kind { OPTION_PATH, OPTION_LIST, OPTION_MS };

static const struct option {
	const char *name; /* with the '=' */
	enum option_kind kind;
	size_t offset;
} OPTIONS[] = {
    {"dir=", OPTION_PATH, offsetof(struct options, dir)},
    {"socket=", OPTION_PATH, offsetof(struct options, socket)},
    {"ready=", OPTION_PATH, offsetof(struct options, ready)},
    {"passwd=", OPTION_PATH, offsetof(struct options, passwd)},
    {"nohome=", OPTION_LIST, offsetof(struct options, nohome)},
    {"home_timeout=", OPTION_MS, offsetof(struct options, home_timeout)},
};

static const struct options DEFAULTS = {
    .dir = SNAPSHOT_DIR,
    .socket = AGENT_SOCKET,
    .ready = AGENT_READY_DIR,
    .passwd = "/etc/passwd",
    .nohome = "sudo,sudo-i,cron,crond,atd,systemd-user,polkit-1",
    .home_timeout = 3000,
};

static bool option_set(const struct option *o, const char *value, struct options *ret)
{
	void *field = (char *)ret + o->offset;
	uint32_t ms;

	switch (o->kind) {
	case OPTION_PATH:
		if (value[0] != '/')
			return false;
		*(const char **)field = value;
		return true;
	case OPTION_LIST:
		*(const char **)field = value;
		return true;
	case OPTION_MS:
		if (num_parse_u32(value, OPTION_HOME_TIMEOUT_MAX, &ms) < 0 || ms == 0)
			return false;
		*(int *)field = (int)ms;
		return true;
	}
	return false;
}

static bool option_parse(const char *arg, struct options *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++) {
		const size_t n = strlen(OPTIONS[i].name);

		if (strncmp(arg, OPTIONS[i].name, n) == 0)
			return option_set(&OPTIONS[i], arg + n, ret);
	}
	return false;
}

void options_parse(pam_handle_t *pamh, int argc, const char **argv, struct options *ret)
{
	*ret = DEFAULTS;
	for (int i = 0; i < argc; i++)
		if (!option_parse(argv[i], ret))
			pam_syslog(pamh, LOG_ERR, "ignoring bad argument \"%s\"", argv[i]);
}

bool options_listed(const char *list, const char *service)
{
	const size_t n = strlen(service);

	while (n > 0 && *list) {
		const size_t len = strcspn(list, ",");

		if (len == n && memcmp(list, service, n) == 0)
			return true;
		list += len;
		list += *list == ',';
	}
	return false;
}
