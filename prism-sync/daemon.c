/* SPDX-License-Identifier: MIT */

/*
 * Threat model of the root half: the network half MUST be taken for an enemy (it speaks to the
 * outside); all that crosses the link is length-bounded, and believed only where a pinned key
 * signed it. The socket MUST answer root alone. When anything is in doubt, the last good state
 * stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include "base/attr.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/wire.h"
#include "daemon.h"
#include "fetch.h"
#include "sandbox.h"

enum { SEND_MS = 2000, HOME_MS = 4000, TURN_MAX = 32, NOT_ENROLLED = 78 };

/* ---- what goes to the network half ----------------------------------------------------------- */

static void put_query(const struct agent *a, struct buf *b)
{
	buf_addf(b,
	    "manifest=%" PRIu64 "&have=", a->model.manifest_known ? a->model.manifest_revision : 0);
	for (size_t i = 0; i < a->model.nfeeds; i++) {
		const struct feed *f = &a->model.feeds[i];
		char id[HEX_LEN(FEED_ID_LEN) + 1];

		hex_encode(f->id, FEED_ID_LEN, id);
		buf_addf(b, "%s%s:%" PRIu64 ":%" PRIu64, i ? "," : "", id,
		    f->want_full ? 0 : f->epoch, f->want_full ? 0 : f->revision);
	}
}

static void send_have(struct agent *a)
{
	_cleanup_buf_ struct buf b = BUF_INIT(16384);

	wire_put_u64(&b, ++a->have_seq);
	wire_put_u8(&b, a->progress);
	put_query(a, &b);
	a->progress = false;
	if (buf_error(&b) != 0 || link_send(a->link, LINK_HAVE, b.data, b.len, SEND_MS) < 0) {
		log_event(LOG_LEVEL_ERROR, "network-half-stuck", NULL);
		sd_event_exit(a->event, 1);
	}
}

/* ---- what comes from it ---------------------------------------------------------------------- */

static void log_intake(const struct feed_header *h, int rc, bool opened)
{
	char id[HEX_LEN(FEED_ID_LEN) + 1] = "";

	if (opened)
		hex_encode(h->id, FEED_ID_LEN, id);
	log_event(rc == -EAGAIN ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "message-refused", "reason",
	    "%s", intake_word(rc), "feed", "%s", id, "revision", "%llu",
	    (unsigned long long)(opened ? h->to : 0), NULL);
}

/* A renewal is published when it adds at least 1/16 of the validity, not every minute. */
static bool worth_publishing(const struct agent *a, const struct feed_header *h)
{
	return h->valid_until - a->published.valid_until >= (h->valid_until - h->issued_at) / 16;
}

static void take_frame(struct agent *a)
{
	struct feed_header h = {.kind = 0};
	int rc = intake_message(&a->intake, a->reader.block, a->reader.len, clock_now(), &h);

	if (rc == -ENOMEM) {
		log_event(LOG_LEVEL_ERROR, "out-of-memory", NULL);
		sd_event_exit(a->event, 1);
	}
	if (rc < 0) {
		log_intake(&h, rc, h.kind != 0);
		return;
	}
	if (a->intake.persist_error < 0)
		log_msg(LOG_LEVEL_ERROR, "journal-failed",
		    "a message could not be written down: %s", strerror(-a->intake.persist_error));
	if (rc == APPLY_CHANGED_HELD)
		log_msg(LOG_LEVEL_WARN, "shrink-guard",
		    "a full feed lacks people without saying that they were removed: they are "
		    "held");
	a->progress |= rc >= APPLY_CHANGED;
	if (rc >= APPLY_CHANGED || (rc == APPLY_RENEWED && worth_publishing(a, &h)))
		a->dirty = true;
}

static void note_connection(struct agent *a, int rc, int64_t date, const char *why)
{
	struct connection_state *c = &a->connection;
	bool ok = rc == 0;

	if (ok != c->ok || !c->ever) {
		c->since = clock_now();
		log_event(ok ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, ok ? "connected" : "disconnected",
		    "reason", "%s", why, NULL);
	}
	c->ever = true;
	c->ok = ok;
	if (ok)
		c->last_ok = clock_now();
	if (date > 0)
		c->skew = date - clock_now();
	snprintf(c->why, sizeof(c->why), "%s", why);
}

/* The service waits for every host to have the next key. */
static void tell_pins(struct agent *a)
{
	if (!a->intake.pins_changed)
		return;
	a->intake.pins_changed = false;
	report_send(a);
}

static void take_polled(struct agent *a)
{
	struct wire w;
	char why[256];
	bool was = a->connection.ok;

	wire_init(&w, a->reader.body, a->reader.len);
	wire_u64(&w);
	int rc = (int32_t)wire_u32(&w);
	int64_t date = wire_i64(&w);

	link_text(&w, why, sizeof(why));
	note_connection(a, rc, date, why);
	schedule_publish(a);
	send_have(a);
	tell_pins(a);
	if (!was && a->connection.ok) {
		report_send(a);
		status_notify(a);
	}
}

static void take_synced(struct agent *a)
{
	struct wire w;
	char why[256];

	wire_init(&w, a->reader.body, a->reader.len);
	wire_u32(&w);
	int rc = (int32_t)wire_u32(&w);

	link_text(&w, why, sizeof(why));
	schedule_publish(a);
	tell_pins(a);
	for (size_t i = 0; i < SYNC_WAITERS; i++) {
		if (a->syncs[i] == 0)
			continue;
		uint64_t ticket = a->syncs[i];

		a->syncs[i] = 0;
		agent_server_reply(a->server, ticket, rc, why);
	}
}

static int on_link(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct agent *a = arg;
	int rc = 1;

	/* Not until it is silent: a flood must not keep everything else from its turn. */
	for (int n = 0; n < TURN_MAX && (rc = link_read(&a->reader, fd)) > 0; n++) {
		bool big = a->reader.len > (1u << 20);

		if (a->reader.type == LINK_FRAME)
			take_frame(a);
		else if (a->reader.type == LINK_POLLED)
			take_polled(a);
		else if (a->reader.type == LINK_SYNCED)
			take_synced(a);
		else
			login_message(a);
		link_reader_next(&a->reader);
		if (big)
			malloc_trim(0);
	}
	if (rc >= 0)
		return 0;
	/* Capabilities to become another user are gone: a new one needs a new start. */
	log_msg(LOG_LEVEL_ERROR, "network-half-gone",
	    "ending, so that the service manager starts anew");
	return sd_event_exit(a->event, 1);
}

/* ---- what is asked over the socket ----------------------------------------------------------- */

static void call_status(void *arg, struct buf *b)
{
	status_json(arg, b);
}

static void home_done(void *arg, uint64_t ticket, int result, const char *why)
{
	struct agent *a = arg;

	agent_server_reply(a->server, ticket, result, why);
}

static int call_home(void *arg, const char *user, uint64_t ticket)
{
	struct agent *a = arg;

	return homes_ask(a->homes, user, HOME_MS, home_done, a, ticket);
}

static int call_sync(void *arg, uint64_t ticket)
{
	struct agent *a = arg;
	uint8_t tag[4] = {0};

	for (size_t i = 0; i < SYNC_WAITERS; i++) {
		if (a->syncs[i] != 0)
			continue;
		a->syncs[i] = ticket;
		int rc = link_send(a->link, LINK_SYNC, tag, sizeof(tag), SEND_MS);

		if (rc < 0)
			a->syncs[i] = 0;
		return rc;
	}
	return -EBUSY;
}

static int call_release(void *arg, const char *user, char text[static AGENT_TEXT_MAX])
{
	struct agent *a = arg;
	size_t n;
	int rc = intake_release(&a->intake, user, &n);

	if (n > 0) {
		log_event(LOG_LEVEL_WARN, "released", "subject", "%s", user[0] ? user : "everybody",
		    "memberships", "%lu", (unsigned long)n, NULL);
		a->dirty = true;
		schedule_publish(a);
	}
	if (rc < 0)
		snprintf(text, AGENT_TEXT_MAX, "it could not be written down: %s", strerror(-rc));
	else if (n == 0)
		snprintf(
		    text, AGENT_TEXT_MAX, "nobody%s is held here", user[0] ? " of this name" : "");
	else
		snprintf(text, AGENT_TEXT_MAX, "Memberships that were held and have ended: %lu.",
		    (unsigned long)n);
	return rc < 0 ? rc : n > 0 ? 0 : -ENOENT;
}

/* ---- start ----------------------------------------------------------------------------------- */

static _Noreturn void network_child(const struct agent *a, int fd, const struct passwd *pw)
{
	struct identity id;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "prism-sync-net");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGTERM, SIG_IGN); /* the root half ends it by closing the link */
	signal(SIGINT, SIG_IGN);
	if (chdir("/") < 0)
		_exit(1);
	int rc = sandbox_network(pw ? pw->pw_uid : 0, pw ? pw->pw_gid : 0);

	if (rc < 0) {
		log_msg(LOG_LEVEL_ERROR, "sandbox", "the network half: %s", strerror(-rc));
		_exit(1);
	}
	rc = identity_load(a->paths.net, &id);
	if (rc < 0) {
		log_msg(LOG_LEVEL_ERROR, "identity", "%s/host.json or host.key: %s", a->paths.net,
		    strerror(-rc));
		_exit(1);
	}
	_exit(fetch_main(fd, &a->config, &id));
}

/* First of all, while this process is small and holds nothing. */
static int start_network(struct agent *a, const struct run_options *o)
{
	const struct passwd *pw = o->no_drop ? NULL : getpwnam("prism-sync");
	int fds[2];

	if (pw == NULL && !o->no_drop) {
		log_msg(LOG_LEVEL_ERROR, "no-user", "there is no user prism-sync on this host");
		return -ENOENT;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	a->network = fork();
	if (a->network < 0)
		return -errno;
	if (a->network == 0) {
		close(fds[0]);
		network_child(a, fds[1], pw);
	}
	close(fds[1]);
	a->link = fds[0];
	a->reader.max_frame = (size_t)a->config.max_feed_mb << 20;
	return fcntl(a->link, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int start_state(struct agent *a)
{
	int rc = model_init(&a->model, a->trust.host_id);

	if (rc < 0)
		return rc;
	a->model.shrink_percent = a->config.shrink_percent;
	a->model.shrink_min = a->config.shrink_min;
	a->intake.trust = &a->trust;
	a->intake.model = &a->model;
	a->intake.dirfd = open(a->paths.trust, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (a->intake.dirfd < 0)
		return -errno;
	rc = intake_replay(&a->intake);

	if (rc == 0)
		rc = compiled_recover(a->paths.nss, &a->published.generation);
	malloc_trim(0);
	return rc;
}

static int start_services(struct agent *a)
{
	struct agent_calls calls = {.arg = a,
	    .status = call_status,
	    .ensure_home = call_home,
	    .sync = call_sync,
	    .release = call_release,
	    .login = login_call,
	    .gone = login_gone,
	    .left = login_left};
	int rc = homes_new(a->event, &a->config, &a->paths, &a->homes);

	if (rc == 0)
		rc = start_state(a);
	if (rc == 0)
		rc = schedule_sessions(a);
	if (rc == 0)
		rc = schedule_start(a);
	if (rc == 0)
		rc = login_start(a);
	if (rc == 0)
		rc = agent_server_new(a->event, a->paths.socket, &calls, &a->server);
	if (rc == 0)
		rc = sd_event_add_io(a->event, NULL, a->link, EPOLLIN, on_link, a);
	return rc;
}

static int block_signals(sd_event *e)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	int rc = sd_event_add_signal(e, NULL, SIGTERM, NULL, NULL);

	return rc < 0 ? rc : sd_event_add_signal(e, NULL, SIGINT, NULL, NULL);
}

static int load(struct agent *a, const struct run_options *o)
{
	char why[CONFIG_WHY_MAX];
	int rc = paths_init(&a->paths, o->root);

	if (rc < 0)
		return rc;
	rc = config_load(a->paths.conf, &a->config, why);
	if (rc < 0) {
		log_msg(LOG_LEVEL_ERROR, "config", "%s", why);
		return rc;
	}
	rc = trust_load(a->paths.trust, &a->trust);
	if (rc == -ENOENT)
		log_msg(LOG_LEVEL_ERROR, "not-enrolled",
		    "this host is not enrolled; run: prism-sync enroll --token TOKEN");
	else if (rc < 0)
		log_msg(LOG_LEVEL_ERROR, "trust", "%s cannot be used (%s); enrol this host again",
		    a->paths.trust, strerror(-rc));
	return rc < 0 ? rc : paths_make(&a->paths);
}

static int start(struct agent *a, const struct run_options *o)
{
	int rc = start_network(a, o);

	if (rc == 0)
		rc = sandbox_root();
	if (rc == 0)
		rc = sd_event_new(&a->event);
	if (rc == 0)
		rc = block_signals(a->event);
	if (rc >= 0)
		rc = start_services(a);
	if (rc < 0)
		log_msg(LOG_LEVEL_ERROR, "start", "%s", strerror(-rc));
	return rc;
}

int daemon_run(const struct run_options *o)
{
	static struct agent a = {.link = -1};
	int rc = load(&a, o);

	if (rc < 0)
		return rc == -ENOENT ? NOT_ENROLLED : 1;
	if (start(&a, o) < 0)
		return 1;
	/* Also without the network: what the journals hold is the last good state. */
	a.dirty = true;
	schedule_publish(&a);
	sd_notify(0, "READY=1");
	status_notify(&a);
	send_have(&a);
	sd_event_set_watchdog(a.event, true);
	rc = sd_event_loop(a.event);
	sd_notify(0, "STOPPING=1");
	agent_server_free(a.server);
	logins_free(a.logins);
	close(a.link);
	homes_free(a.homes);
	sessions_free(a.sessions);
	schedule_stop(&a);
	sd_event_unref(a.event);
	link_reader_next(&a.reader);
	model_release(&a.model);
	trust_release(&a.trust);
	local_release(&a.local);
	close(a.intake.dirfd);
	return rc < 0 ? 1 : rc;
}
