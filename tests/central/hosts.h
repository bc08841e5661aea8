/* SPDX-License-Identifier: MIT */
#ifndef CENTRAL_HOSTS_H
#define CENTRAL_HOSTS_H

/*
 * The running service (in this process, on a loopback port) and hosts that ask it: world() starts
 * it with a project "lab" and one "other", host_ready() enrols a host, which poll()s and reports.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <time.h>
#include <openssl/evp.h>
#include "api/http_client.h"
#include "api/jws.h"
#include "api/token.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/secret.h"
#include "feed/feed.h"
#include "prism-central/central.h"
#include "prism-central/host_feed.h"
#include "prism-central/http.h"
#include "prism-central/member.h"
#include "prism-central/ratelimit.h"
#include "prism-central/user.h"
#include "test.h"

#define V1	      "/api/v1"
#define ASSERTION_URN "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"

static struct central central;
static struct store *db;
static struct feed_trust trust;
static char url[64];
static char owner_token[128];

/* ---- asking ---------------------------------------------------------------------------------- */

static inline struct http_client *client(const char *token)
{
	struct http_options o = {.url = url, .user_agent = "test", .timeout_ms = 20000};
	struct http_client *c = NULL;

	EXPECT_INT(http_client_new(&o, &c), 0);
	EXPECT_INT(http_client_set_token(c, token), 0);
	return c;
}

/* One request as the bearer of this token; the answer's JSON goes to *ret, where it is wanted. */
static inline long ask(
    const char *token, const char *method, const char *path, json_t *body, json_t **ret)
{
	struct http_client *c = client(token);
	struct http_response r;
	long status;

	http_response_init(&r, 1 << 20);
	EXPECT_INT(http_request(c, method, path, body, 0, &r), 0);
	status = r.status;
	if (ret)
		*ret = http_response_json(&r);
	http_response_free(&r);
	http_client_free(c);
	json_decref(body);
	return status;
}

static inline const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static inline const char *error_of(const json_t *o)
{
	return text_of(json_object_get(o, "error"), "code");
}

/* ---- the world ------------------------------------------------------------------------------- */

struct joining {
	const char *project;
	int64_t user, role;
	char name[33];
};

static const char sql_project[] = "SELECT id FROM projects WHERE slug = $1";

static inline int join_tx(struct tx *t, void *arg)
{
	struct joining *j = arg;
	struct member_origin from = {.via = "direct"};
	struct user_new n = {.username = j->name, .name = "A Person", .email = NULL};
	char email[64];
	struct user u = {0};
	int64_t project;

	snprintf(email, sizeof(email), "%s@uni.edu", j->name);
	n.email = email;
	int r = user_create(t, &central.config, &n, clock_now(), &u);
	if (r < 0)
		return r;
	{
		_cleanup_rows_ struct rows *rows = NULL;
		r = tx_query(t, sql_project, "s", &rows, j->project);
		if (r < 0 || rows_next(rows) != 1)
			return r < 0 ? r : -ENOENT;
		project = row_int(rows, 0);
	}
	j->user = u.id;
	return member_join(t, project, u.id, j->role, &from, clock_now());
}

/* A person who is a member of the project, at once. */
static inline void person(const char *name, const char *project)
{
	struct joining j = {.project = project, .role = 3};

	snprintf(j.name, sizeof(j.name), "%s", name);
	EXPECT_INT(store_tx(db, STORE_WRITE, join_tx, &j), 0);
	feed_wake_all(&central);
}

static inline void project(const char *slug)
{
	EXPECT_INT(
	    ask(owner_token, "POST", V1 "/projects", json_pack("{s:s}", "slug", slug), NULL), 201);
}

static inline void login(void)
{
	json_t *o = NULL;
	json_t *body =
	    json_pack("{s:s, s:s}", "login", "alice", "password", "correct horse battery");

	EXPECT_INT(ask(NULL, "POST", V1 "/sessions", body, &o), 201);
	snprintf(owner_token, sizeof(owner_token), "%s", text_of(o, "token"));
	json_decref(o);
}

static inline void world(void)
{
	static bool done;
	uint8_t seed[32] = {42};
	struct bootstrap b = {.username = "alice",
	    .email = "alice@uni.edu",
	    .name = "Alice",
	    .password = "correct horse battery"};

	ratelimit_reset(NULL);
	if (done)
		return;
	done = true;
	log_init("test", LOG_LEVEL_ERROR);
	config_defaults(&central.config);
	snprintf(central.config.database, sizeof(central.config.database), "sqlite:%s/prism.db",
	    test_tmpdir());
	snprintf(central.config.listen_plain, sizeof(central.config.listen_plain), "127.0.0.1:0");
	central.config.listen[0] = '\0';
	snprintf(central.config.url, sizeof(central.config.url), "https://prism.test");
	EXPECT_INT(store_open(central.config.database, &db), 0);
	EXPECT_INT(migrate_run(db), 0);
	EXPECT_INT(user_bootstrap(db, &central.config, &b), 0);
	EXPECT_INT(feed_signer_new(seed, &central.signer), 0);
	EXPECT_INT(feed_start(&central), 0);
	EXPECT_INT(http_start(&central, NULL, NULL), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", http_port(&central, false));
	memcpy(trust.keys[0], feed_signer_public(central.signer), 32);
	trust.nkeys = 1;
	login();
	project("lab");
	project("other");
}

/* ---- a host ---------------------------------------------------------------------------------- */

struct host {
	uint8_t seed[32], public[32];
	char id[64], feed[64], token[128];
	int64_t manifest, epoch, revision;
};

static inline void host_keys(struct host *h)
{
	size_t n = 32;

	EXPECT_INT(secret_random(h->seed, 32), 0);
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, h->seed, 32);
	EVP_PKEY_get_raw_public_key(k, h->public, &n);
	EVP_PKEY_free(k);
}

static inline void enrol_token(const char *slug, json_t *body, struct token *ret)
{
	json_t *o = NULL;
	char path[128];

	snprintf(path, sizeof(path), V1 "/projects/%s/host-tokens", slug);
	EXPECT_INT(ask(owner_token, "POST", path, body ? body : json_object(), &o), 201);
	EXPECT_INT(token_parse(text_of(o, "token"), ret), 0);
	json_decref(o);
}

static inline json_t *enrol_body(const struct host *h, const struct token *t, const char *name)
{
	char secret[64], key[64];

	base64url_encode(t->secret, 32, secret);
	base64url_encode(h->public, 32, key);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:[s], s:[i]}", "secret", secret, "name", name,
	    "public_key", key, "hostname", name, "address", "10.0.0.9", "ssh_host_keys",
	    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJq3JmMVe5JYrYfLKZ0BLrqEVBmxj0Xl0f6ER4qM8Zzq "
	    "root@x",
	    "local_ids", 1000);
}

static inline void enrol(struct host *h, const char *slug, const char *name)
{
	struct token t;
	json_t *o = NULL;

	memset(h, 0, sizeof(*h));
	host_keys(h);
	enrol_token(slug, NULL, &t);
	EXPECT_INT(ask(NULL, "POST", V1 "/hosts/enrol", enrol_body(h, &t, name), &o), 201);
	snprintf(h->id, sizeof(h->id), "%s", text_of(o, "host_id"));
	snprintf(h->feed, sizeof(h->feed), "%s",
	    text_of(json_array_get(json_object_get(o, "projects"), 0), "id"));
	EXPECT_INT(strlen(h->id), 32);
	EXPECT_INT(strlen(h->feed), 32);
	json_decref(o);
}

static inline json_t *claims_of(const struct host *h)
{
	uint8_t raw[16];
	char jti[64];
	int64_t now = clock_now();

	EXPECT_INT(secret_random(raw, sizeof(raw)), 0);
	hex_encode(raw, sizeof(raw), jti);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "iss", h->id, "sub", h->id, "aud",
	    "https://prism.test/oauth2/token", "iat", (json_int_t)now, "exp", (json_int_t)now + 120,
	    "jti", jti);
}

/* Send this assertion. *ret_error has RFC 6749's word, or "". */
static inline long exchange(const char *assertion, char token[128], char ret_error[64])
{
	struct http_client *c = client(NULL);
	struct http_response r;
	char form[8192];

	snprintf(form, sizeof(form), "grant_type=client_credentials&client_assertion_type=%s&%s=%s",
	    ASSERTION_URN, "client_assertion", assertion);
	http_response_init(&r, 65536);
	EXPECT_INT(http_request_form(c, "/oauth2/token", form, &r), 0);
	json_t *o = http_response_json(&r);
	snprintf(token, 128, "%s", text_of(o, "access_token"));
	snprintf(ret_error, 64, "%s", text_of(o, "error"));
	long status = r.status;
	if (status == 200) {
		EXPECT_INT(json_integer_value(json_object_get(o, "expires_in")), 3600);
		EXPECT_STR(text_of(o, "token_type"), "Bearer");
	}
	json_decref(o);
	http_response_free(&r);
	http_client_free(c);
	return status;
}

static inline long exchange_claims(
    const struct host *h, json_t *claims, char token[128], char ret_error[64])
{
	struct buf b = BUF_INIT(JWS_MAX);

	EXPECT_INT(jws_make("JWT", claims, h->seed, &b), 0);
	json_decref(claims);
	long status = exchange(buf_str(&b), token, ret_error);
	buf_free(&b);
	return status;
}

static inline void authenticate(struct host *h)
{
	char error[64];

	EXPECT_INT(exchange_claims(h, claims_of(h), h->token, error), 200);
	EXPECT(strncmp(h->token, "pht_", 4) == 0);
}

/* ---- polling --------------------------------------------------------------------------------- */

struct answer {
	long status;
	size_t frames, full, delta, heartbeat, manifest, records;
	int64_t manifest_to, manifest_epoch, to, epoch, issued_at;
	char feeds[512]; /* hex ids, each followed by a space */
	char contents[512];
	uint8_t digest[32];
	uint8_t state; /* of the last member record */
};

static inline void answer_contents(struct answer *a, struct wire *w)
{
	struct feed_record r;
	struct feed_contents c;
	char hex[33];

	while (feed_next(w, &r) > 0) {
		EXPECT_INT(feed_parse_contents(&r, &c), 0);
		hex_encode(c.id, 16, hex);
		strncat(a->contents, hex, sizeof(a->contents) - strlen(a->contents) - 1);
		strncat(a->contents, " ", sizeof(a->contents) - strlen(a->contents) - 1);
	}
}

static inline void answer_records(struct answer *a, struct wire *w)
{
	struct feed_record r;
	struct feed_member m;

	while (feed_next(w, &r) > 0) {
		a->records++;
		if (r.type == FEED_MEMBER && feed_parse_member(&r, &m) == 0)
			a->state = m.state;
	}
}

static inline void answer_frame(struct answer *a, const struct host *host, const void *p, size_t n)
{
	struct feed_header h;
	struct wire w;
	char hex[33];

	EXPECT_INT(feed_open(&trust, p, n, &h, &w), 0);
	hex_encode(h.id, 16, hex);
	a->frames++;
	if (h.kind == FEED_MANIFEST) {
		EXPECT_STR(hex, host->id);
		a->manifest++;
		a->manifest_to = (int64_t)h.to;
		a->manifest_epoch = (int64_t)h.epoch;
		answer_contents(a, &w);
		return;
	}
	a->full += h.kind == FEED_FULL;
	a->delta += h.kind == FEED_DELTA && h.from < h.to;
	a->heartbeat += h.kind == FEED_DELTA && h.from == h.to;
	a->to = (int64_t)h.to;
	a->epoch = (int64_t)h.epoch;
	a->issued_at = h.issued_at;
	memcpy(a->digest, h.digest, 32);
	strncat(a->feeds, hex, sizeof(a->feeds) - strlen(a->feeds) - 1);
	strncat(a->feeds, " ", sizeof(a->feeds) - strlen(a->feeds) - 1);
	answer_records(a, &w);
}

static inline struct answer poll_with(const struct host *h, const char *have, int wait)
{
	struct http_client *c = client(h->token);
	struct http_response r;
	struct answer a = {0};
	char path[512];

	snprintf(path, sizeof(path), V1 "/hosts/self/feed?manifest=%" PRId64 "&have=%s&wait=%d",
	    h->manifest, have, wait);
	http_response_init(&r, 8 << 20);
	EXPECT_INT(http_request(c, "GET", path, NULL, wait * 1000, &r), 0);
	a.status = r.status;
	for (size_t at = 0; r.status == 200 && at + 4 <= r.body.len;) {
		uint32_t len;
		memcpy(&len, r.body.data + at, 4);
		EXPECT(len <= r.body.len - at - 4);
		answer_frame(&a, h, r.body.data + at + 4, len);
		at += 4 + len;
	}
	http_response_free(&r);
	http_client_free(c);
	return a;
}

static inline struct answer poll(struct host *h, int wait)
{
	char have[128] = "";

	if (h->revision)
		snprintf(
		    have, sizeof(have), "%s:%" PRId64 ":%" PRId64, h->feed, h->epoch, h->revision);
	struct answer a = poll_with(h, have, wait);
	if (a.manifest)
		h->manifest = a.manifest_to;
	if (a.full + a.delta + a.heartbeat) {
		h->epoch = a.epoch;
		h->revision = a.to;
	}
	return a;
}

static inline void host_ready(struct host *h, const char *slug, const char *name)
{
	enrol(h, slug, name);
	authenticate(h);
	struct answer a = poll(h, 0);
	EXPECT_INT(a.status, 200);
	EXPECT_INT(a.manifest, 1);
	EXPECT_INT(a.full, 1);
}

struct poller {
	pthread_t thread;
	struct host *h;
	struct answer a;
	int wait;
	int64_t at_ms;
};

static inline void *poll_thread(void *arg)
{
	struct poller *p = arg;

	p->a = poll(p->h, p->wait);
	p->at_ms = clock_mono_ms();
	return NULL;
}

static inline void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

/* ---- reporting ------------------------------------------------------------------------------- */

static inline json_t *report_of(const struct host *h, int64_t revision)
{
	return json_pack("{s:i, s:[{s:s, s:I, s:I}], s:I, s:s, s:s, s:s, s:[s], s:[i,i], s:[{s:s,"
			 " s:s}], s:[], s:{s:[]}}",
	    "generation", 3, "feeds", "id", h->feed, "epoch", (json_int_t)h->epoch, "revision",
	    (json_int_t)revision, "clock", (json_int_t)clock_now(), "version", "0.1.0", "hostname",
	    "report1.uni.edu", "address", "10.0.0.10", "ssh_host_keys",
	    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJq3JmMVe5JYrYfLKZ0BLrqEVBmxj0Xl0f6ER4qM8Zzq",
	    "local_ids", 1000, 15000, "refused", "subject", "docker", "reason", "reserved name",
	    "held", "homes", "failed");
}

/* ---- the end --------------------------------------------------------------------------------- */

static inline void world_end(void)
{
	if (central.http)
		http_stop(&central, 1000);
	feed_stop(&central);
	feed_signer_free(central.signer);
	central.signer = NULL;
	store_close(db);
	EXPECT(central.feeds == NULL);
}

/* The last of every program: TEST_MAIN(), and a test more. */
#define HOSTS_MAIN()                                                   \
	TEST("STYLE 24 the service stops and gives back what it took") \
	{                                                              \
		world_end();                                           \
	}                                                              \
	TEST_MAIN()

#endif
