/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <systemd/sd-daemon.h>
#include "base/clock.h"
#include "base/log.h"
#include "command.h"
#include "host_feed.h"
#include "http.h"
#include "secrets.h"
#include "signing.h"
#include "sso.h"
#include "sso_flow.h"
#include "tls.h"

#define GRACE_MS 5000

static const char SQL_HOSTS[] = "SELECT count(*) FROM hosts";

static int count_hosts(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	int64_t *n = arg;
	int r = tx_query(t, SQL_HOSTS, "", &rows);

	if (r == 0)
		r = rows_next(rows);
	if (r <= 0)
		return r < 0 ? r : -EIO;
	*n = row_int(rows, 0);
	return 0;
}

/* Request bodies become JSON values, passwords among them. */
static void wipe_and_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

/* A renewed certificate, a next feed key. Another pin would lock out whoever knows the present one.
 */
static void reload(struct central *c)
{
	(void)signing_next_load(c); /* says itself what it found */
	struct central probe = *c;
	char cert[TLS_PATH_SIZE] = "", key[TLS_PATH_SIZE] = "";
	int r = c->config.listen[0] ? tls_prepare(&probe, cert, key) : -ENOENT;

	if (r == 0 && strcmp(probe.tls_pin, c->tls_pin) != 0) {
		log_event(LOG_LEVEL_ERROR, "reload", "certificate", "%s", cert, "reason", "%s",
		    "its key's pin differs from the one that hosts were given", NULL);
		return;
	}
	if (r == 0)
		r = http_reload_tls(c, cert, key);
	if (r == 0)
		log_event(LOG_LEVEL_INFO, "reload", "certificate", "%s", cert, NULL);
}

/* Said again every day, by whatever round comes first. */
static void look_at_certificates(const struct central *c, int64_t *last)
{
	int r = sso_expiry_watch(c, last, clock_now());

	if (r < 0)
		log_event(LOG_LEVEL_ERROR, "sso_certificate", "reason", "%s", strerror(-r), NULL);
}

static void watch(struct central *c, const sigset_t *set)
{
	uint64_t usec = 0;
	int64_t looked = 0;
	struct timespec ts = {.tv_sec = 3600};

	if (sd_watchdog_enabled(0, &usec) > 0 && usec > 0) {
		ts.tv_sec = (time_t)(usec / 2000000);
		ts.tv_nsec = (long)(usec / 2 % 1000000) * 1000;
	}
	for (;;) {
		look_at_certificates(c, &looked);
		int got = sigtimedwait(set, NULL, &ts);
		if (got == SIGTERM || got == SIGINT)
			return;
		if (got == SIGHUP)
			reload(c);
		sd_notify(0, "WATCHDOG=1");
	}
}

static int listen_and_wait(struct central *c, const sigset_t *set)
{
	char cert[TLS_PATH_SIZE] = "", key[TLS_PATH_SIZE] = "";
	int r = c->config.listen[0] ? tls_prepare(c, cert, key) : 0;

	if (r == 0)
		r = feed_start(c);
	if (r == 0)
		r = oidc_start(c);
	if (r == 0)
		r = http_start(c, cert, key);
	if (r < 0)
		return r;
	r = oidc_refresh_start(c);
	if (r < 0) {
		http_stop(c, 0);
		return r;
	}
	log_event(LOG_LEVEL_INFO, "ready", "version", "%s", PRISM_VERSION, "url", "%s",
	    c->config.url, "listen", "%s", c->config.listen, "port", "%d", http_port(c, true),
	    "plain", "%s", c->config.listen_plain, "plain_port", "%d", http_port(c, false), NULL);
	sd_notify(0, "READY=1");
	watch(c, set);
	sd_notify(0, "STOPPING=1");
	log_event(LOG_LEVEL_INFO, "stopping", NULL);
	/* It wakes requests that wait: while there are some. */
	oidc_refresh_stop(c);
	http_stop(c, GRACE_MS);
	return 0;
}

static int prepare(struct central *c)
{
	_cleanup_store_ struct store *s = NULL;
	int64_t hosts = 0;
	char why[512];

	if (state_open_store(&c->config, &s) != 0)
		return -EIO;
	int r = secrets_check(s, c->secrets, why, sizeof(why));
	if (r < 0) {
		log_event(LOG_LEVEL_ERROR, "master_keys", "reason", "%s", why, NULL);
		return r;
	}
	r = store_tx(s, STORE_READ, count_hosts, &hosts);
	/* A new key beside hosts that know the old one would be refused by all of them. */
	return r < 0 ? r : signing_open(c, hosts == 0);
}

/* Threads inherit the mask: only the first one hears these. */
static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int command_serve(int argc, char **argv, struct config *cfg)
{
	struct secrets secrets = {.keys = NULL};
	struct central c = {.config = *cfg, .secrets = &secrets};
	char why[512];
	sigset_t set;

	if (argc > 1)
		return command_usage("serve");
	if (secrets_open(cfg, &secrets, why, sizeof(why)) < 0)
		return command_failed("%s", why);
	int r = state_become_owner(cfg);
	if (r < 0)
		return command_failed("%s: %s", cfg->state_dir, strerror(-r));
	_cleanup_close_ int lock = state_lock(cfg);
	if (lock < 0)
		return command_failed("%s: %s", cfg->state_dir,
		    lock == -EWOULDBLOCK ? "another prism-central is serving it" : strerror(-lock));
	block_signals(&set);
	json_set_alloc_funcs(malloc, wipe_and_free);
	r = prepare(&c);
	if (r == 0)
		r = listen_and_wait(&c, &set);
	oidc_stop(&c);
	feed_stop(&c);
	signing_close(&c);
	secrets_close(&secrets);
	if (r < 0)
		return command_failed("the service did not start; the lines above say why");
	log_event(LOG_LEVEL_INFO, "stopped", NULL);
	return EXIT_OK;
}
