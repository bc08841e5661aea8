/* SPDX-License-Identifier: MIT */

/*
 * What the change feed costs the central service, without its HTTP server: one project with many
 * members in a database of its own.
 *
 *	feed_bench setup DB MEMBERS	make it
 *	feed_bench full DB		everything, as for a new host: time and peak memory
 *	feed_bench change DB		one member suspended, committed, signed for the hosts; and
 *what 5,000 hosts then cost that ask for it Prints name, value and unit, separated by tabs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "base/clock.h"
#include "feed/feed.h"
#include "prism-central/central.h"
#include "prism-central/host_feed.h"
#include "prism-central/host_message.h"

enum { PROJECT = 100, HOSTS = 5000, CHANGES = 50 };

static struct store *db;
static struct central central;

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void must(int r, const char *what)
{
	if (r < 0) {
		fprintf(stderr, "feed_bench: %s: %s\n", what, strerror(-r));
		exit(1);
	}
}

/* ---- setting up ------------------------------------------------------------------------------ */

static const char sql_org[] = "INSERT INTO organizations (id, slug, name, state, created_at)"
			      " VALUES (1, 'uni', 'Uni', 'active', 1)";
static const char sql_user[] =
    "INSERT INTO users (id, username, name, uid, home, shell, state, created_at)"
    " VALUES ($1, $2, $3, $4, $5, '/bin/bash', 'active', 1)";
static const char sql_project[] =
    "INSERT INTO projects (id, organization_id, slug, name, state, contact, gid_rw, gid_ro,"
    " created_by, created_at) VALUES (100, 1, 'lab', 'Lab', 'active', 'Dr. Chen <c@uni.edu>',"
    " 2000016, 2000017, 1000, 1)";
static const char sql_member[] =
    "INSERT INTO memberships (id, project_id, user_id, role_id, state, joined_at, joined_via)"
    " VALUES ($1, 100, $1, 3, 'active', 1, 'direct')";
static const char sql_key[] =
    "INSERT INTO ssh_keys (id, user_id, fingerprint, line, origin, state, created_at)"
    " VALUES ($1, $1, $2, $3, 'generated', 'active', 1)";

static int member_add(struct tx *t, int64_t id)
{
	char name[32], gecos[64], home[64], print[64], line[128];

	snprintf(name, sizeof(name), "user%06" PRId64, id);
	snprintf(gecos, sizeof(gecos), "Researcher Number %" PRId64, id);
	snprintf(home, sizeof(home), "/efs/home/%s", name);
	snprintf(print, sizeof(print), "SHA256:%043" PRId64, id);
	snprintf(line, sizeof(line), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI%043" PRId64, id);
	int r = tx_exec(t, sql_user, "issis", id, name, gecos, id + 9001, home);
	if (r == 0 && id == 1000)
		r = tx_exec(t, sql_project, "");
	if (r == 0)
		r = tx_exec(t, sql_member, "i", id);
	return r ? r : tx_exec(t, sql_key, "iss", id, print, line);
}

static int setup_tx(struct tx *t, void *arg)
{
	int64_t members = *(const int64_t *)arg;
	int r = tx_exec(t, sql_org, "");

	for (int64_t i = 0; r == 0 && i < members; i++)
		r = member_add(t, 1000 + i);
	return r ? r : feed_touch_project(t, PROJECT);
}

/* ---- measuring ------------------------------------------------------------------------------- */

struct ask {
	int64_t from;
	struct feed_message *got;
};

static int ask_tx(struct tx *t, void *arg)
{
	struct ask *a = arg;
	struct feed_state st;
	int r = feed_state_load(t, PROJECT, &st);

	return r ? r : feed_message_get(&central, t, &st, a->from, clock_now(), &a->got);
}

static int floor_tx(struct tx *t, void *arg)
{
	int64_t n = feed_records_read(t, PROJECT, 0, arg);

	return n < 0 ? (int)n : 0;
}

static const char sql_state[] = "UPDATE memberships SET state = $1, ended_at = $2"
				" WHERE project_id = 100 AND user_id = 1500";

struct change {
	int n;
	int64_t before;
};

static int change_tx(struct tx *t, void *arg)
{
	struct change *c = arg;
	bool off = c->n % 2 == 0;
	int r = feed_revision(t, PROJECT, &c->before);

	if (r == 0)
		r = tx_exec(t, sql_state, "si", off ? "suspended" : "active",
		    off ? (int64_t)5 : (int64_t)0);
	return r ? r : feed_touch_member(t, PROJECT, 1500);
}

static long peak_kb(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void full(void)
{
	struct ask a = {.from = 0};
	double t0 = wall_ms(), c0 = cpu_ms();

	must(store_tx(db, STORE_READ, ask_tx, &a), "full");
	printf("full.wall\t%.1f\tms\nfull.cpu\t%.1f\tms\n", wall_ms() - t0, cpu_ms() - c0);
	printf("full.size\t%.1f\tMB\nfull.peak\t%.1f\tMB\n", (double)a.got->len / 1e6,
	    (double)peak_kb() / 1024);
	feed_message_release(a.got);

	/* The floor: the same rows read, and one signature over as many bytes. */
	struct buf b = BUF_INIT(FEED_MESSAGE_MAX);
	uint8_t sig[64];
	t0 = wall_ms();
	must(store_tx(db, STORE_READ, floor_tx, &b), "floor");
	must(feed_signer_sign_raw(central.signer, b.data, b.len, sig), "sign");
	printf("full.floor\t%.1f\tms\n", wall_ms() - t0);
	buf_free(&b);
}

static void change(void)
{
	struct ask a = {0};
	struct change c = {0};
	uint8_t sig[64], text[400] = {0};
	double write = 0, sign = 0;
	size_t size = 0;

	for (; c.n < CHANGES; c.n++) {
		double t0 = cpu_ms();
		must(store_tx(db, STORE_WRITE, change_tx, &c), "change");
		double t1 = cpu_ms();
		a.from = c.before;
		must(store_tx(db, STORE_READ, ask_tx, &a), "delta");
		write += t1 - t0;
		sign += cpu_ms() - t1;
		size = a.got->len;
		feed_message_release(a.got);
	}
	printf("change.write\t%.3f\tms\nchange.delta\t%.3f\tms\nchange.size\t%zu\tB\n",
	    write / CHANGES, sign / CHANGES, size);
	double t0 = cpu_ms();
	for (int i = 0; i < CHANGES; i++)
		must(feed_signer_sign_raw(central.signer, text, sizeof(text), sig), "sign");
	printf("change.floor\t%.3f\tms\n", (cpu_ms() - t0) / CHANGES);
	uint64_t before = feed_messages_signed(&central);
	must(store_tx(db, STORE_WRITE, change_tx, &c), "change");
	a.from = c.before;
	t0 = cpu_ms();
	for (int i = 0; i < HOSTS; i++) {
		must(store_tx(db, STORE_READ, ask_tx, &a), "poll");
		feed_message_release(a.got);
	}
	printf("hosts.each\t%.4f\tms\nhosts.signatures\t%" PRIu64 "\t\n", (cpu_ms() - t0) / HOSTS,
	    feed_messages_signed(&central) - before);
}

int main(int argc, char **argv)
{
	uint8_t seed[32] = {7};
	char url[512];

	if (argc < 3)
		return 2;
	central.config.feed_validity = FEED_VALIDITY;
	snprintf(url, sizeof(url), "sqlite:%s", argv[2]);
	must(store_open(url, &db), "open");
	must(feed_signer_new(seed, &central.signer), "signer");
	must(feed_start(&central), "start");
	if (strcmp(argv[1], "setup") == 0) {
		int64_t n = argc > 3 ? strtoll(argv[3], NULL, 10) : 100000;
		must(migrate_run(db), "migrate");
		double t0 = wall_ms();
		must(store_tx(db, STORE_WRITE, setup_tx, &n), "setup");
		printf("setup\t%.0f\tms\n", wall_ms() - t0);
	} else if (strcmp(argv[1], "full") == 0) {
		full();
	} else {
		change();
	}
	feed_stop(&central);
	feed_signer_free(central.signer);
	store_close(db);
	return 0;
}
