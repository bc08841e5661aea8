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

enum option_kind { OPTION_PATH, OPTION_LIST, OPTION_NUMBER, OPTION_QR };

static const struct option {
	const char *name; /* with the '=' */
	enum option_kind kind;
	size_t offset;
	uint32_t max;
} OPTIONS[] = {
    {"dir=", OPTION_PATH, offsetof(struct options, dir)},
    {"socket=", OPTION_PATH, offsetof(struct options, socket)},
    {"ready=", OPTION_PATH, offsetof(struct options, ready)},
    {"passwd=", OPTION_PATH, offsetof(struct options, passwd)},
    {"nohome=", OPTION_LIST, offsetof(struct options, nohome)},
    {"home_timeout=", OPTION_NUMBER, offsetof(struct options, home_timeout),
	OPTION_HOME_TIMEOUT_MAX},
    {"sso_services=", OPTION_LIST, offsetof(struct options, sso_services)},
    {"login_timeout=", OPTION_NUMBER, offsetof(struct options, login_timeout),
	OPTION_LOGIN_TIMEOUT_MAX},
    {"qr=", OPTION_QR, offsetof(struct options, qr)},
};

static const char *const QR_WORDS[] = {
    [QR_AUTO] = "auto",
    [QR_YES] = "yes",
    [QR_NO] = "no",
};

/* Nobody sits there, and a job must neither wait for an approval nor fail for want of one. */
static const char NEVER_SSO[] = "cron,crond,atd,systemd-user";

static const struct options DEFAULTS = {
    .dir = SNAPSHOT_DIR,
    .socket = AGENT_SOCKET,
    .ready = AGENT_READY_DIR,
    .passwd = "/etc/passwd",
    .nohome = "sudo,sudo-i,cron,crond,atd,systemd-user,polkit-1",
    .home_timeout = 3000,
    .sso_services = "sshd",
    .login_timeout = 90,
    .qr = QR_AUTO,
};

static bool qr_set(const char *value, enum option_qr *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(QR_WORDS); i++) {
		if (strcmp(value, QR_WORDS[i]) == 0) {
			*ret = (enum option_qr)i;
			return true;
		}
	}
	return false;
}

static bool option_set(const struct option *o, const char *value, struct options *ret)
{
	void *field = (char *)ret + o->offset;
	uint32_t n;

	switch (o->kind) {
	case OPTION_PATH:
		if (value[0] != '/')
			return false;
		*(const char **)field = value;
		return true;
	case OPTION_LIST:
		*(const char **)field = value;
		return true;
	case OPTION_NUMBER:
		if (num_parse_u32(value, o->max, &n) < 0 || n == 0)
			return false;
		*(int *)field = (int)n;
		return true;
	case OPTION_QR:
		return qr_set(value, field);
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

bool options_sso(const struct options *o, const char *service)
{
	return strlen(service) <= AGENT_SERVICE_MAX && options_listed(o->sso_services, service) &&
	       !options_listed(NEVER_SSO, service);
}

bool options_qr(const struct options *o, const char *service)
{
	return o->qr == QR_YES || (o->qr == QR_AUTO && strcmp(service, "sshd") == 0);
}
