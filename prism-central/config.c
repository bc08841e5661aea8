/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <ini.h>
#include "api/http_client.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/name.h"
#include "base/num.h"
#include "central.h"

#define CONFIG_MAX (64u << 10)
#define STATE_DIR  "/var/lib/prism-central"

struct key;

struct parse {
	struct config config;
	uint64_t seen; /* bit i: keys[i] */
	char why[256]; /* the first error */
};

struct key {
	const char *section, *name;
	int (*set)(const struct key *k, struct config *c, const char *value);
	size_t offset, size;
	int min, max;
	const char *expects;
};

/* ---- values ---------------------------------------------------------------------------------- */

static void *field(const struct key *k, struct config *c)
{
	return (char *)c + k->offset;
}

static int set_text(const struct key *k, struct config *c, const char *value)
{
	size_t n = strlen(value);

	if (n >= k->size)
		return -EINVAL;
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			return -EINVAL;
	memcpy(field(k, c), value, n + 1);
	return 0;
}

static int set_path(const struct key *k, struct config *c, const char *value)
{
	return path_valid(value) ? set_text(k, c, value) : -EINVAL;
}

static int set_path_or_none(const struct key *k, struct config *c, const char *value)
{
	return *value ? set_path(k, c, value) : set_text(k, c, value);
}

static int set_number(const struct key *k, struct config *c, const char *value)
{
	uint32_t v = 0;
	int r = num_parse_u32(value, (uint32_t)k->max, &v);

	if (r < 0 || v < (uint32_t)k->min)
		return -EINVAL;
	*(int *)field(k, c) = (int)v;
	return 0;
}

static int set_duration(const struct key *k, struct config *c, const char *value)
{
	int64_t v = 0;

	if (clock_parse_duration(value, &v) < 0 || v < k->min || v > k->max)
		return -EINVAL;
	*(int64_t *)field(k, c) = v;
	return 0;
}

static int set_duration_or_off(const struct key *k, struct config *c, const char *value)
{
	if (strcmp(value, "off") != 0 && strcmp(value, "0") != 0)
		return set_duration(k, c, value);
	*(int64_t *)field(k, c) = 0;
	return 0;
}

/* Two ids, side by side in the struct. */
static int set_range(const struct key *k, struct config *c, const char *value)
{
	uint32_t first = 0, last = 0;

	if (num_parse_range(value, &first, &last) < 0 || first < ID_FLOOR || last >= INT32_MAX ||
	    last - first < GID_RESERVED)
		return -EINVAL;
	uint32_t *p = field(k, c);
	p[0] = first;
	p[1] = last;
	return 0;
}

static int set_bool(const struct key *k, struct config *c, const char *value)
{
	bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0)
		return -EINVAL;
	*(int *)field(k, c) = yes;
	return 0;
}

static int set_level(const struct key *k, struct config *c, const char *value)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
	    {"error", LOG_LEVEL_ERROR},
	    {"warning", LOG_LEVEL_WARN},
	    {"info", LOG_LEVEL_INFO},
	    {"debug", LOG_LEVEL_DEBUG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (strcmp(value, levels[i].name) == 0) {
			*(int *)field(k, c) = levels[i].level;
			return 0;
		}
	return -EINVAL;
}

/* "https://host[:port]" without a path; http only where nobody can listen in. */
static int set_url(const struct key *k, struct config *c, const char *value)
{
	static const char *const schemes[] = {
	    "https://", "http://127.0.0.1", "http://localhost", "http://[::1]"};
	const char *rest = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(schemes) && !rest; i++)
		if (strncmp(value, schemes[i], strlen(schemes[i])) == 0)
			rest = value + strlen(schemes[i]);
	if (!rest || (value[4] == 's' && !*rest) || (value[4] == ':' && *rest && *rest != ':'))
		return -EINVAL;
	if (strspn(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") !=
	    strlen(rest))
		return -EINVAL;
	return set_text(k, c, value);
}

static int set_database(const struct key *k, struct config *c, const char *value)
{
	if (strncmp(value, "sqlite:", 7) == 0 && !path_valid(value + 7))
		return -EINVAL;
	return *value ? set_text(k, c, value) : -EINVAL;
}

static bool port_valid(const char *s)
{
	uint32_t v = 0;

	return num_parse_u32(s, 65535, &v) == 0;
}

/* "ADDRESS:PORT" with a numeric address, IPv6 in brackets; port 0 is any free one. */
static int set_listen(const struct key *k, struct config *c, const char *value)
{
	const char *colon = strrchr(value, ':');

	if (strcmp(value, "none") == 0)
		return set_text(k, c, "");
	if (!colon || colon == value || !port_valid(colon + 1))
		return -EINVAL;
	return set_text(k, c, value);
}

static int set_listen_plain(const struct key *k, struct config *c, const char *value)
{
	static const char *const local[] = {"127.0.0.1:", "[::1]:"};

	if (strncmp(value, "unix:", 5) == 0)
		return path_valid(value + 5) && strlen(value + 5) < 108 ? set_text(k, c, value)
									: -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(local); i++)
		if (strncmp(value, local[i], strlen(local[i])) == 0)
			return set_listen(k, c, value);
	return strcmp(value, "none") == 0 ? set_text(k, c, "") : -EINVAL;
}

static int set_proxy(const struct key *k, struct config *c, const char *value)
{
	return http_proxy_valid(value) ? set_text(k, c, value) : -EINVAL;
}

static bool address_valid(const char *s, size_t n, bool ipv6_only)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t raw[16];

	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	return inet_pton(AF_INET6, text, raw) == 1 ||
	       (!ipv6_only && inet_pton(AF_INET, text, raw) == 1);
}

/* "ADDRESS[:PORT]" with a numeric address; IPv6 in brackets where a port follows. */
static int set_dns(const struct key *k, struct config *c, const char *value)
{
	bool bracket = *value == '[';
	const char *from = value + bracket;
	/* Colons without a dot are all of an IPv6 address. */
	size_t n = strcspn(from, bracket ? "]" : strchr(value, '.') ? ":" : "");
	const char *rest = from + n + (bracket && from[n]);

	if (!*value)
		return set_text(k, c, value);
	if ((bracket && !from[n]) || !address_valid(from, n, bracket))
		return -EINVAL;
	if (*rest && (*rest != ':' || !port_valid(rest + 1) || strcmp(rest, ":0") == 0))
		return -EINVAL;
	return set_text(k, c, value);
}

/* ---- keys ------------------------------------------------------------------------------------ */

#define FIELD(name) offsetof(struct config, name), sizeof(((struct config *)0)->name)

static const struct key keys[] = {
    {"server", "url", set_url, FIELD(url), 0, 0, "https://HOST[:PORT], without a path"},
    {"server", "listen", set_listen, FIELD(listen), 0, 0, "ADDRESS:PORT, or none"},
    {"server", "listen_plain", set_listen_plain, FIELD(listen_plain), 0, 0,
	"unix:/PATH, 127.0.0.1:PORT, [::1]:PORT, or none: unencrypted HTTP stays on this machine"},
    {"server", "state_dir", set_path, FIELD(state_dir), 0, 0, "an absolute path"},
    {"server", "workers", set_number, FIELD(workers), 1, 64, "a number from 1 to 64"},
    {"server", "loops", set_number, FIELD(loops), 1, 16, "a number from 1 to 16"},
    {"server", "connections_per_peer", set_number, FIELD(connections_per_peer), 1, 1000000,
	"a number from 1 to 1000000"},
    {"server", "behind_proxy", set_bool, FIELD(behind_proxy), 0, 0, "yes or no"},
    {"database", "url", set_database, FIELD(database), 0, 0, "sqlite:/PATH"},
    {"tls", "certificate", set_path_or_none, FIELD(tls_cert), 0, 0, "an absolute path"},
    {"tls", "key", set_path_or_none, FIELD(tls_key), 0, 0, "an absolute path"},
    {"feed", "signing_key", set_path_or_none, FIELD(signing_key), 0, 0, "an absolute path"},
    {"feed", "validity", set_duration, FIELD(feed_validity), 60, 90 * 24 * 3600,
	"a duration from 60s to 90d"},
    {"secrets", "master_keys", set_path_or_none, FIELD(master_keys), 0, 0, "an absolute path"},
    {"sso", "ca_file", set_path_or_none, FIELD(sso_ca_file), 0, 0, "an absolute path"},
    {"sso", "proxy", set_proxy, FIELD(sso_proxy), 0, 0,
	"[http[s]://][USER:PASSWORD@]HOST[:PORT], or none"},
    {"sso", "private_addresses", set_bool, FIELD(sso_private), 0, 0, "yes or no"},
    {"sso", "dns", set_dns, FIELD(sso_dns), 0, 0,
	"ADDRESS[:PORT] with a numeric address, [ADDRESS]:PORT for IPv6"},
    {"sso", "refresh", set_duration_or_off, FIELD(sso_refresh), 60, 30 * 24 * 3600,
	"a duration from 60s to 30d, or off"},
    {"sso", "saml_helper", set_path, FIELD(saml_helper), 0, 0, "an absolute path"},
    {"ids", "uid_range", set_range, FIELD(uid_first), 0, 0, "FIRST-LAST, from 1000 up"},
    {"ids", "gid_range", set_range, FIELD(gid_first), 0, 0, "FIRST-LAST, from 1000 up"},
    {"accounts", "home_root", set_path, FIELD(home_root), 0, 0, "an absolute path"},
    {"accounts", "shell", set_path, FIELD(shell), 0, 0, "an absolute path"},
    {"log", "level", set_level, FIELD(log_level), 0, 0, "error, warning, info or debug"},
};

_Static_assert(ARRAY_SIZE(keys) <= 64, "struct parse has a bit for each key");

void config_defaults(struct config *ret)
{
	char host[HOST_NAME_MAX + 1] = "localhost";
	static const struct config defaults = {
	    .database = "",
	    .state_dir = STATE_DIR,
	    .listen = "0.0.0.0:8443",
	    .listen_plain = "unix:/run/prism-central/http.sock",
	    .workers = 4,
	    .loops = 2,
	    .connections_per_peer = 512,
	    .uid_first = UID_FIRST,
	    .uid_last = UID_LAST,
	    .gid_first = GID_FIRST,
	    .gid_last = GID_LAST,
	    .feed_validity = FEED_VALIDITY,
	    .sso_refresh = 900,
	    .saml_helper = "/usr/libexec/prism/prism-saml",
	    .home_root = "/efs/home",
	    .shell = "/bin/bash",
	    .log_level = LOG_LEVEL_INFO,
	};

	memcpy(ret, &defaults, sizeof(*ret));
	gethostname(host, sizeof(host) - 1);
	snprintf(ret->url, sizeof(ret->url), "https://%s:8443", host);
}

/* ---- parsing --------------------------------------------------------------------------------- */

static int fail(struct parse *p, const char *fmt, ...) _printf_(2, 3);

static int fail(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	if (!p->why[0]) {
		va_start(ap, fmt);
		vsnprintf(p->why, sizeof(p->why), fmt, ap);
		va_end(ap);
	}
	return 0; /* libinih's word for an error */
}

static int on_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct parse *p = arg;
	bool known_section = false;

	if (!value)
		return fail(p, "%s has no value", name);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct key *k = &keys[i];
		if (strcmp(section, k->section) != 0)
			continue;
		known_section = true;
		if (strcmp(name, k->name) != 0)
			continue;
		if (p->seen & (UINT64_C(1) << i))
			return fail(p, "%s is set twice", name);
		p->seen |= UINT64_C(1) << i;
		if (k->set(k, &p->config, value) == 0)
			return 1;
		return fail(p, "%s must be %s", name, k->expects);
	}
	if (!known_section)
		return fail(p, "there is no section [%s]", section);
	return fail(p, "there is no key %s in [%s]", name, section);
}

/* What no single key can tell. */
static bool consistent(struct parse *p)
{
	struct config *c = &p->config;

	if (!c->database[0]) {
		int n =
		    snprintf(c->database, sizeof(c->database), "sqlite:%s/prism.db", c->state_dir);
		if (n < 0 || (size_t)n >= sizeof(c->database))
			fail(p, "state_dir is too long");
	}
	if (!c->listen[0] && !c->listen_plain[0])
		fail(p, "listen and listen_plain are both none");
	if (!c->tls_cert[0] != !c->tls_key[0])
		fail(p, "[tls] needs both certificate and key, or neither");
	if (c->uid_first <= c->gid_last && c->gid_first <= c->uid_last)
		fail(p, "uid_range and gid_range overlap");
	return !p->why[0];
}

/* libinih cuts a longer line in two and reads the rest as another one. */
static int find_bad_line(const char *text, size_t len, struct parse *p)
{
	int line = 1;
	size_t width = 0;

	for (size_t i = 0; i < len; i++) {
		width = text[i] == '\n' ? 0 : width + 1;
		if (text[i] == '\0' || width > INI_MAX_LINE - 3) {
			fail(p, text[i] ? "the line is too long" : "a NUL byte");
			return line;
		}
		line += text[i] == '\n';
	}
	return 0;
}

int config_parse(
    const char *name, const char *text, size_t len, struct config *ret, char *why, size_t why_size)
{
	_cleanup_free_ struct parse *p = calloc(1, sizeof(*p));
	_cleanup_free_ char *copy = strndup(text, len);

	if (!p || !copy)
		return -ENOMEM;
	config_defaults(&p->config);
	int line = find_bad_line(text, len, p);
	if (line == 0)
		line = ini_parse_string(copy, on_pair, p);
	if (line == 0 && consistent(p)) {
		*ret = p->config;
		return 0;
	}
	if (!p->why[0])
		fail(p, "this is neither [section] nor key = value");
	if (line > 0)
		snprintf(why, why_size, "%s:%d: %s", name, line, p->why);
	else
		snprintf(why, why_size, "%s: %s", name, p->why);
	return -EINVAL;
}

int config_load(const char *path, struct config *ret, char *why, size_t why_size)
{
	_cleanup_buf_ struct buf b = BUF_INIT(CONFIG_MAX);
	int r = io_read_file(path, &b);

	if (r < 0) {
		snprintf(why, why_size, "%s: %s", path, strerror(-r));
		return r;
	}
	return config_parse(path, buf_str(&b), b.len, ret, why, why_size);
}

int config_state_path(const struct config *c, const char *name, char *out, size_t size)
{
	int n = snprintf(out, size, "%s/%s", c->state_dir, name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}
