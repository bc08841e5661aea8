/* SPDX-License-Identifier: MIT */

/*
 * Threat model: the token names the server and pins its keys, so whoever hands out a false token
 * can enrol a host with a false server; an administrator MUST have it from a trusted place. What
 * the server answers MUST agree with the token. Nothing is written before the answer is good, and
 * what decides that this host is enrolled (trust/pins) is written last.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "advice.h"
#include "api/http_client.h"
#include "api/skew.h"
#include "api/token.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/io.h"
#include "base/secret.h"
#include "commands.h"
#include "config.h"
#include "feed/feed.h"
#include "hostinfo.h"
#include "identity.h"
#include "json.h"
#include "sandbox.h"
#include "trust.h"

#define ANSWER_MAX 65536

struct enroll {
	const struct globals *globals;
	struct config config;
	const char *name, *ca_source; /* NULL: not given */
	char ca_file[600];	      /* ours, while it is tried: IDENTITY_CA ".new" */
	bool force;
	struct token token;
	struct identity identity;
	uint8_t public_key[FEED_KEY_LEN];
	uid_t uid; /* of user prism-sync; -1: stay */
	gid_t gid;
	long status;
	enum http_trouble trouble;
	int64_t date;
	char why[256];
	struct buf answer;
};

static void json_freep(json_t **j)
{
	json_decref(*j);
}

static int fail(const char *what)
{
	fprintf(stderr, "prism-sync enroll: %s\n", what);
	return 1;
}

/* ---- before ---------------------------------------------------------------------------------- */

static int read_options(struct enroll *e, int argc, char **argv)
{
	static const struct option options[] = {{"token", required_argument, NULL, 't'},
	    {"name", required_argument, NULL, 'n'}, {"ca-file", required_argument, NULL, 'c'},
	    {"force", no_argument, NULL, 'f'}, {NULL}};
	char *token = NULL;
	int c, rc;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 't')
			token = optarg;
		else if (c == 'n')
			e->name = optarg;
		else if (c == 'c')
			e->ca_source = optarg;
		else if (c == 'f')
			e->force = true;
		else
			return EXIT_USAGE;
	}
	if (token == NULL || optind != argc) {
		fprintf(stderr,
		    "usage: prism-sync enroll --token TOKEN [--name NAME] [--ca-file FILE] "
		    "[--force]\n");
		return EXIT_USAGE;
	}
	rc = token_parse(token, &e->token);
	/* Whoever reads it in the list of processes could enrol a host of their own with it. */
	memset(token, 'x', strlen(token));
	if (rc < 0 || e->token.kind != TOKEN_ENROLMENT)
		return fail("this is not an enrolment token; is it copied whole? "
			    "Make one with: prism host token --project PROJECT");
	if (e->token.expires <= clock_now()) {
		char now[CLOCK_TEXT];

		clock_format(clock_now(), now);
		fprintf(stderr,
		    "prism-sync enroll: this token has expired; make a new one with: prism host "
		    "token --project PROJECT. (This machine's clock says %s; if that is wrong: "
		    "timedatectl set-ntp true)\n",
		    now);
		return 1;
	}
	return 0;
}

static int make_folder(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	int rc = io_make_dirs(path, mode);

	if (rc < 0)
		return rc;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fchmod(fd, mode) < 0 || fchown(fd, uid, gid) < 0)
		return -errno;
	return 0;
}

/* A copy that the network half can read, wherever the administrator keeps the file. */
static int copy_authority(struct enroll *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);

	if (e->ca_source == NULL)
		return 0;
	int rc = io_read_file(e->ca_source, &b);

	if (rc == 0 && strstr(buf_str(&b), "-----BEGIN CERTIFICATE-----") == NULL) {
		fprintf(
		    stderr, "prism-sync enroll: %s has no certificate in PEM form\n", e->ca_source);
		return 1;
	}
	snprintf(e->ca_file, sizeof(e->ca_file), "%s/" IDENTITY_CA ".new", e->globals->paths.net);
	if (rc == 0)
		rc = io_replace_file(e->ca_file, buf_str(&b), b.len, 0600, e->uid, e->gid);
	if (rc == 0)
		return 0;
	fprintf(stderr, "prism-sync enroll: %s: %s\n", e->ca_source, strerror(-rc));
	return 1;
}

/* "keep": what was tried is what holds from now on; otherwise it has never been there. */
static int settle_authority(struct enroll *e, bool keep)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/" IDENTITY_CA, e->globals->paths.net);
	if (!keep && e->ca_file[0] != '\0')
		return unlink(e->ca_file) < 0 ? -errno : 0;
	if (keep && e->ca_file[0] != '\0')
		return rename(e->ca_file, path) < 0 ? -errno : 0;
	return keep && unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int prepare(struct enroll *e)
{
	const struct paths *p = &e->globals->paths;
	const struct passwd *pw = e->globals->no_drop ? NULL : getpwnam("prism-sync");
	char why[CONFIG_WHY_MAX];
	struct trust old;
	int rc = config_load(p->conf, &e->config, why);

	if (rc < 0)
		return fail(why);
	if (geteuid() != 0 && !e->globals->no_drop)
		return fail("only root may enrol a host");
	if (pw == NULL && !e->globals->no_drop)
		return fail("there is no user prism-sync; is the package installed?");
	e->uid = pw ? pw->pw_uid : (uid_t)-1;
	e->gid = pw ? pw->pw_gid : (gid_t)-1;
	rc = trust_load(p->trust, &old);
	if (rc == 0)
		trust_release(&old);
	if (rc != -ENOENT && !e->force)
		return fail("this host is enrolled already; --force replaces that");
	rc = paths_make(p);
	if (rc == 0)
		rc = make_folder(p->net, 0700, e->uid, e->gid);
	if (rc < 0) {
		fprintf(
		    stderr, "prism-sync enroll: %s cannot be made: %s\n", p->state, strerror(-rc));
		return 1;
	}
	return copy_authority(e);
}

static int make_key(struct enroll *e)
{
	struct feed_signer *s = NULL;
	int rc = secret_random(e->identity.seed, sizeof(e->identity.seed));

	if (rc == 0)
		rc = feed_signer_new(e->identity.seed, &s);
	if (rc < 0)
		return fail("no key could be made");
	memcpy(e->public_key, feed_signer_public(s), FEED_KEY_LEN);
	feed_signer_free(s);
	return 0;
}

/* ---- the request ----------------------------------------------------------------------------- */

static json_t *request_body(const struct enroll *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
	char secret[BASE64URL_LEN(TOKEN_SECRET_LEN) + 1], key[BASE64URL_LEN(FEED_KEY_LEN) + 1];
	struct local local = {.round = 0};

	local_refresh(&local, e->globals->paths.passwd, e->globals->paths.group);
	base64url_encode(e->token.secret, TOKEN_SECRET_LEN, secret);
	base64url_encode(e->public_key, FEED_KEY_LEN, key);
	buf_addf(&b, "{\"secret\":\"%s\",\"public_key\":\"%s\",\"name\":", secret, key);
	json_put_string(&b, e->name ? e->name : "");
	buf_add_char(&b, ',');
	hostinfo_put(&b, &e->globals->paths, &local);
	buf_add_char(&b, '}');
	local_release(&local);
	explicit_bzero(secret, sizeof(secret));
	return buf_error(&b) == 0 ? json_loadb(buf_str(&b), b.len, 0, NULL) : NULL;
}

/* In a child without rights, so that no line of TLS or HTTP runs as root. */
static _Noreturn void send_request(const struct enroll *e, const json_t *body, int out)
{
	struct http_client *http = NULL;
	struct http_response r;
	struct http_options o = {
	    .url = e->token.url,
	    .pin = e->token.pin,
	    .ca_file = e->ca_file[0]	      ? e->ca_file
		       : e->config.ca_file[0] ? e->config.ca_file
					      : NULL,
	    .proxy = e->config.proxy_given ? e->config.proxy : NULL,
	    .user_agent = "prism-sync/" PRISM_VERSION,
	    .timeout_ms = 30000,
	};
	int64_t head[4] = {0};

	http_response_init(&r, ANSWER_MAX);
	if (sandbox_network(e->uid == (uid_t)-1 ? 0 : e->uid, e->gid) < 0)
		_exit(1);
	if (http_client_new(&o, &http) < 0)
		snprintf(r.why, sizeof(r.why), "the address %s is not allowed (https only)",
		    e->token.url);
	else
		http_request(http, "POST", "/api/v1/hosts/enrol", body, 0, &r);
	head[0] = r.status;
	head[1] = (int64_t)r.body.len;
	head[2] = r.trouble;
	head[3] = r.date;
	if (io_write_full(out, head, sizeof(head)) < 0 ||
	    io_write_full(out, r.why, sizeof(r.why)) < 0 ||
	    io_write_full(out, buf_str(&r.body), r.body.len) < 0)
		_exit(1);
	_exit(0);
}

static int read_answer(struct enroll *e, int in)
{
	int64_t head[4];
	int rc = io_read_full(in, head, sizeof(head));

	if (rc == 0)
		rc = io_read_full(in, e->why, sizeof(e->why));
	e->why[sizeof(e->why) - 1] = '\0';
	if (rc < 0 || head[1] < 0 || head[1] > ANSWER_MAX)
		return -EIO;
	e->status = (long)head[0];
	e->trouble = (enum http_trouble)head[2];
	e->date = head[3];
	void *to = buf_extend(&e->answer, (size_t)head[1]);

	return to == NULL ? -ENOMEM : io_read_full(in, to, (size_t)head[1]);
}

static int ask_server(struct enroll *e)
{
	_cleanup_(json_freep) json_t *body = request_body(e);
	int fds[2];

	if (body == NULL || pipe2(fds, O_CLOEXEC) < 0)
		return fail("the request could not be made");
	pid_t pid = fork();

	if (pid == 0) {
		close(fds[0]);
		send_request(e, body, fds[1]);
	}
	close(fds[1]);
	int rc = pid > 0 ? read_answer(e, fds[0]) : -errno;

	close(fds[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (rc < 0)
		return fail("the process that talks to the service has failed");
	if (e->status == 0) {
		fprintf(stderr, "prism-sync enroll: %s cannot be reached: %s %s\n", e->token.url,
		    e->why,
		    e->trouble == HTTP_CERT_UNKNOWN
			? "Give the file of its authority: --ca-file FILE."
			: advice_for(e->trouble));
		return 1;
	}
	return 0;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void show_clock(const struct enroll *e)
{
	char text[SKEW_TEXT] = "";

	if (e->date > 0)
		skew_describe(e->date - clock_now(), text);
	if (text[0] != '\0')
		fprintf(stderr, "prism-sync enroll: %s\n", text);
}

/* What is set for this command alone is not there when the agent starts. */
static void show_proxy(const struct enroll *e)
{
	const char *s = secure_getenv("https_proxy");

	s = s ? s : secure_getenv("HTTPS_PROXY");
	if (s != NULL && *s != '\0' && !e->config.proxy_given)
		printf("This command used the proxy settings of its environment, which the agent "
		       "does not see:\nset proxy or proxy_file in %s\n",
		    e->globals->paths.conf);
}

static int show_error(const struct enroll *e, const json_t *j)
{
	const json_t *error = json_object_get(j, "error");
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *hint = json_string_value(json_object_get(error, "hint"));

	if (message == NULL) {
		fprintf(
		    stderr, "prism-sync enroll: the service answered with status %ld\n", e->status);
		return 1;
	}
	fprintf(stderr, "prism-sync enroll: %s %s\n", message, hint ? hint : "");
	return 1;
}

static bool bytes_equal(const json_t *j, const char *key, const uint8_t *want, size_t n)
{
	const char *s = json_string_value(json_object_get(j, key));
	uint8_t got[64];

	return s != NULL && base64url_decode(s, strlen(s), got, sizeof(got)) == (ssize_t)n &&
	       memcmp(got, want, n) == 0;
}

static int take_answer(struct enroll *e, const json_t *j, struct trust *t)
{
	const char *host = json_string_value(json_object_get(j, "host_id"));
	const char *name = json_string_value(json_object_get(j, "name"));

	if (!bytes_equal(j, "feed_key", e->token.feed_key, FEED_KEY_LEN) ||
	    !bytes_equal(j, "recovery_key_id", e->token.recovery_key_id, FEED_KEY_ID_LEN))
		return fail(
		    "the service's keys are not those of the token: this may not be the service "
		    "that made it. Nothing was changed here");
	if (host == NULL || name == NULL || !trust_name_ok(name) ||
	    strlen(host) != HEX_LEN(FEED_ID_LEN) ||
	    hex_decode(host, strlen(host), t->host_id, FEED_ID_LEN) != FEED_ID_LEN)
		return fail("the service's answer is not understood");
	snprintf(e->identity.url, sizeof(e->identity.url), "%s", e->token.url);
	snprintf(e->identity.pin, sizeof(e->identity.pin), "%s", e->token.pin);
	snprintf(e->identity.host_id, sizeof(e->identity.host_id), "%s", host);
	snprintf(e->identity.name, sizeof(e->identity.name), "%s", name);
	snprintf(t->name, sizeof(t->name), "%s", name);
	snprintf(t->url, sizeof(t->url), "%s", e->token.url);
	for (size_t n = strlen(t->url); n > 0 && t->url[n - 1] == '/'; n--)
		t->url[n - 1] = '\0';
	memcpy(t->recovery_id, e->token.recovery_key_id, FEED_KEY_ID_LEN);
	memcpy(t->keys[0].key, e->token.feed_key, FEED_KEY_LEN);
	t->keys[0].role = TRUST_CURRENT;
	t->nkeys = 1;
	return 0;
}

/* What an earlier enrolment has left; the pins go first, so that a crash leaves "not enrolled". */
static void forget(const char *trust)
{
	_cleanup_close_ int fd = open(trust, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = opendir(trust);
	struct dirent *e;

	unlinkat(fd, "pins", 0);
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(fd, e->d_name, 0);
	if (d != NULL)
		closedir(d);
}

static int save(struct enroll *e, struct trust *t)
{
	const struct paths *p = &e->globals->paths;

	forget(p->trust);
	snprintf(t->dir, sizeof(t->dir), "%s", p->trust);
	int rc = identity_save(p->net, &e->identity, e->uid, e->gid);

	if (rc == 0)
		rc = settle_authority(e, true);
	if (rc == 0)
		e->ca_file[0] = '\0';
	if (rc == 0)
		rc = trust_save_floors(t);
	if (rc == 0)
		rc = trust_save_pins(t);
	if (rc < 0) {
		fprintf(stderr,
		    "prism-sync enroll: the service has accepted this host, but that could not be "
		    "written down: %s. Remedy it and enrol with a new token\n",
		    strerror(-rc));
		return 1;
	}
	return 0;
}

static int finish(struct enroll *e)
{
	_cleanup_(json_freep) json_t *j =
	    json_loadb(buf_str(&e->answer), e->answer.len, JSON_REJECT_DUPLICATES, NULL);
	struct trust t = {.nkeys = 0};

	show_clock(e);
	if (e->status != 201)
		return show_error(e, j);
	int rc = take_answer(e, j, &t);

	if (rc == 0)
		rc = save(e, &t);
	if (rc != 0)
		return rc;
	printf("This host is enrolled as %s with %s.\n", e->identity.name, e->identity.url);
	show_proxy(e);
	printf("%s\n", e->force ? "Restart the agent: systemctl restart prism-sync"
				: "Start the agent: systemctl enable --now prism-sync");
	return 0;
}

int command_enroll(const struct globals *g, int argc, char **argv)
{
	struct enroll e = {.globals = g};

	buf_init(&e.answer, ANSWER_MAX);
	int rc = read_options(&e, argc, argv);

	if (rc == 0)
		rc = prepare(&e);
	if (rc == 0)
		rc = make_key(&e);
	if (rc == 0)
		rc = ask_server(&e);
	if (rc == 0)
		rc = finish(&e);
	settle_authority(&e, false);
	buf_free(&e.answer);
	explicit_bzero(&e.token, sizeof(e.token));
	explicit_bzero(&e.identity, sizeof(e.identity));
	return rc;
}
