/* SPDX-License-Identifier: MIT */

/* Hosts against the running service (in this process, on a loopback port). */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <time.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
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
#include "prism-central/host_name.h"
#include "prism-central/http.h"
#include "prism-central/member.h"
#include "prism-central/ratelimit.h"
#include "prism-central/user.h"
#include "snapshot/snapshot.h"
#include "test.h"

#define V1	      "/api/v1"
#define ASSERTION_URN "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"

static struct central central;
static struct store *db;
static struct feed_trust trust;
static char url[64];
static char owner_token[128];

/* ---- asking ---------------------------------------------------------------------------------- */

static struct http_client *client(const char *token)
{
	struct http_options o = {.url = url, .user_agent = "test", .timeout_ms = 20000};
	struct http_client *c = NULL;

	EXPECT_INT(http_client_new(&o, &c), 0);
	EXPECT_INT(http_client_set_token(c, token), 0);
	return c;
}

/* One request as the bearer of this token; the answer's JSON goes to *ret, where it is wanted. */
static long ask(const char *token, const char *method, const char *path, json_t *body, json_t **ret)
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

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static const char *error_of(const json_t *o)
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

static int join_tx(struct tx *t, void *arg)
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
static void person(const char *name, const char *project)
{
	struct joining j = {.project = project, .role = 3};

	snprintf(j.name, sizeof(j.name), "%s", name);
	EXPECT_INT(store_tx(db, STORE_WRITE, join_tx, &j), 0);
	feed_wake_all(&central);
}

static void project(const char *slug)
{
	EXPECT_INT(
	    ask(owner_token, "POST", V1 "/projects", json_pack("{s:s}", "slug", slug), NULL), 201);
}

static void login(void)
{
	json_t *o = NULL;
	json_t *body =
	    json_pack("{s:s, s:s}", "login", "alice", "password", "correct horse battery");

	EXPECT_INT(ask(NULL, "POST", V1 "/sessions", body, &o), 201);
	snprintf(owner_token, sizeof(owner_token), "%s", text_of(o, "token"));
	json_decref(o);
}

static void world(void)
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

static void host_keys(struct host *h)
{
	size_t n = 32;

	EXPECT_INT(secret_random(h->seed, 32), 0);
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, h->seed, 32);
	EVP_PKEY_get_raw_public_key(k, h->public, &n);
	EVP_PKEY_free(k);
}

static void enrol_token(const char *slug, json_t *body, struct token *ret)
{
	json_t *o = NULL;
	char path[128];

	snprintf(path, sizeof(path), V1 "/projects/%s/host-tokens", slug);
	EXPECT_INT(ask(owner_token, "POST", path, body ? body : json_object(), &o), 201);
	EXPECT_INT(token_parse(text_of(o, "token"), ret), 0);
	json_decref(o);
}

static json_t *enrol_body(const struct host *h, const struct token *t, const char *name)
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

static void enrol(struct host *h, const char *slug, const char *name)
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

static json_t *claims_of(const struct host *h)
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
static long exchange(const char *assertion, char token[128], char ret_error[64])
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

static long exchange_claims(
    const struct host *h, json_t *claims, char token[128], char ret_error[64])
{
	struct buf b = BUF_INIT(JWS_MAX);

	EXPECT_INT(jws_make("JWT", claims, h->seed, &b), 0);
	json_decref(claims);
	long status = exchange(buf_str(&b), token, ret_error);
	buf_free(&b);
	return status;
}

static void authenticate(struct host *h)
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

static void answer_contents(struct answer *a, struct wire *w)
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

static void answer_records(struct answer *a, struct wire *w)
{
	struct feed_record r;
	struct feed_member m;

	while (feed_next(w, &r) > 0) {
		a->records++;
		if (r.type == FEED_MEMBER && feed_parse_member(&r, &m) == 0)
			a->state = m.state;
	}
}

static void answer_frame(struct answer *a, const struct host *host, const void *p, size_t n)
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

static struct answer poll_with(const struct host *h, const char *have, int wait)
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

static struct answer poll(struct host *h, int wait)
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

static void host_ready(struct host *h, const char *slug, const char *name)
{
	enrol(h, slug, name);
	authenticate(h);
	struct answer a = poll(h, 0);
	EXPECT_INT(a.status, 200);
	EXPECT_INT(a.manifest, 1);
	EXPECT_INT(a.full, 1);
}

/* ---- enrolment ------------------------------------------------------------------------------- */

TEST("D6 an enrolment token carries what a host must know before it trusts anything")
{
	struct token t;

	world();
	enrol_token("lab", json_pack("{s:s, s:i}", "name", "ws9", "expires_in", 600), &t);
	EXPECT_INT(t.kind, TOKEN_ENROLMENT);
	EXPECT_STR(t.url, "https://prism.test");
	EXPECT_STR(t.host, "ws9");
	EXPECT_STR(t.project, "lab");
	EXPECT(memcmp(t.feed_key, trust.keys[0], 32) == 0);
	EXPECT(t.expires > clock_now() + 590 && t.expires < clock_now() + 610);
	EXPECT_INT(ask(owner_token, "POST", V1 "/projects/lab/host-tokens",
		       json_pack("{s:i}", "expires_in", 0), NULL),
	    400);
	EXPECT_INT(ask(owner_token, "POST", V1 "/projects/lab/host-tokens",
		       json_pack("{s:s}", "name", "-oProxyCommand=x"), NULL),
	    400);
	EXPECT_INT(ask(NULL, "POST", V1 "/projects/lab/host-tokens", json_object(), NULL), 401);
}

struct racer {
	pthread_t thread;
	struct host h;
	json_t *body;
	long status;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct http_options o = {.url = url, .user_agent = "test", .timeout_ms = 20000};
	struct http_client *c = NULL;
	struct http_response rs;

	http_response_init(&rs, 65536);
	if (http_client_new(&o, &c) == 0 &&
	    http_request(c, "POST", V1 "/hosts/enrol", r->body, 0, &rs) == 0)
		r->status = rs.status;
	http_response_free(&rs);
	http_client_free(c);
	return NULL;
}

TEST("LESSONS 4.2 of many hosts that race with one enrolment token, one gets in")
{
	struct racer racers[8] = {0};
	struct token t;
	int won = 0, refused = 0;
	char name[16];

	world();
	enrol_token("lab", NULL, &t);
	for (int i = 0; i < 8; i++) {
		host_keys(&racers[i].h);
		snprintf(name, sizeof(name), "race%d", i);
		racers[i].body = enrol_body(&racers[i].h, &t, name);
	}
	for (int i = 0; i < 8; i++)
		pthread_create(&racers[i].thread, NULL, race, &racers[i]);
	for (int i = 0; i < 8; i++) {
		pthread_join(racers[i].thread, NULL);
		won += racers[i].status == 201;
		refused += racers[i].status == 403 || racers[i].status == 429;
		json_decref(racers[i].body);
	}
	EXPECT_INT(won, 1);
	EXPECT_INT(refused, 7);
}

static int expire_tx(struct tx *t, void *arg)
{
	static const char sql[] = "UPDATE enrol_tokens SET expires_at = $1 WHERE used_at = 0";
	return tx_exec(t, sql, "i", *(const int64_t *)arg);
}

TEST(
    "LESSONS 4.2 an expired or made-up enrolment token is refused; a failed enrolment uses none up")
{
	struct host a, b;
	struct token t;
	json_t *o = NULL;
	int64_t now = clock_now();

	world();
	enrol(&a, "lab", "twice1");
	/* The key of another host. */
	enrol_token("lab", NULL, &t);
	EXPECT_INT(ask(NULL, "POST", V1 "/hosts/enrol", enrol_body(&a, &t, "twice2"), &o), 409);
	EXPECT_STR(error_of(o), "KEY_TAKEN");
	json_decref(o);
	/* The name of another host. */
	host_keys(&b);
	EXPECT_INT(ask(NULL, "POST", V1 "/hosts/enrol", enrol_body(&b, &t, "twice1"), &o), 409);
	EXPECT_STR(error_of(o), "NAME_TAKEN");
	json_decref(o);
	EXPECT_INT(ask(NULL, "POST", V1 "/hosts/enrol", enrol_body(&b, &t, "twice2"), NULL), 201);
	EXPECT_INT(ask(NULL, "POST", V1 "/hosts/enrol", enrol_body(&b, &t, "twice3"), &o), 403);
	EXPECT_STR(error_of(o), "ENROL_TOKEN");
	json_decref(o);
	enrol_token("lab", NULL, &t);
	EXPECT_INT(store_tx(db, STORE_WRITE, expire_tx, &now), 0);
	host_keys(&b);
	EXPECT_INT(ask(NULL, "POST", V1 "/hosts/enrol", enrol_body(&b, &t, "late"), NULL), 403);
	ratelimit_reset(NULL);
	memset(t.secret, 1, 32);
	EXPECT_INT(ask(NULL, "POST", V1 "/hosts/enrol", enrol_body(&b, &t, "late"), NULL), 403);
}

/* ---- assertions ------------------------------------------------------------------------------ */

TEST("L4.5 a host that asks for tokens without end hurts itself, none behind the same address")
{
	struct host h, neighbour;
	char error[64];
	int n = 0;

	world();
	enrol(&h, "lab", "busy1");
	enrol(&neighbour, "lab", "busy2");
	while (n < 200 && exchange_claims(&h, claims_of(&h), h.token, error) == 200)
		n++;
	EXPECT_INT(n, 60);
	EXPECT_INT(exchange_claims(&h, claims_of(&h), h.token, error), 429);
	EXPECT_STR(error, "slow_down");
	authenticate(&neighbour);
	/* Who has not its key cannot use up its share, nor who has overheard an assertion. */
	for (int i = 0; i < 80; i++)
		EXPECT_INT(exchange_claims(&h, claims_of(&neighbour), h.token, error), 401);
	struct buf b = BUF_INIT(JWS_MAX);
	json_t *claims = claims_of(&neighbour);

	EXPECT_INT(jws_make("JWT", claims, neighbour.seed, &b), 0);
	json_decref(claims);
	EXPECT_INT(exchange(buf_str(&b), neighbour.token, error), 200);
	for (int i = 0; i < 80; i++)
		EXPECT_INT(exchange(buf_str(&b), neighbour.token, error), 401);
	buf_free(&b);
	authenticate(&neighbour);
}

TEST("D2 RFC 7523 a host gets an access token for an assertion, once")
{
	struct host h;
	struct buf b = BUF_INIT(JWS_MAX);
	char token[128], error[64];

	world();
	enrol(&h, "lab", "auth1");
	json_t *claims = claims_of(&h);
	EXPECT_INT(jws_make("JWT", claims, h.seed, &b), 0);
	EXPECT_INT(exchange(buf_str(&b), token, error), 200);
	EXPECT_INT(exchange(buf_str(&b), token, error), 401);
	EXPECT_STR(error, "invalid_client");
	EXPECT_STR(token, "");
	json_decref(claims);
	buf_free(&b);
}

static void refused(const struct host *h, const char *what, const char *name, json_t *value)
{
	json_t *claims = claims_of(h);
	char token[128], error[64];

	if (value)
		json_object_set_new(claims, name, value);
	else
		json_object_del(claims, name);
	long status = exchange_claims(h, claims, token, error);
	if (status != 401)
		printf("# %s\n", what);
	EXPECT_INT(status, 401);
	EXPECT_STR(error, "invalid_client");
}

TEST("D2 RFC 7523 assertions for others, too old, too long or without an id are refused")
{
	struct host h, other;
	json_int_t now = clock_now();
	char token[128], error[64];

	world();
	enrol(&h, "lab", "auth2");
	enrol(&other, "lab", "auth3");
	refused(&h, "wrong audience", "aud", json_string("https://evil.test/oauth2/token"));
	refused(&h, "audience of the base URL", "aud", json_string("https://prism.test"));
	refused(&h, "no audience", "aud", NULL);
	refused(&h, "issuer is not the subject", "iss", json_string(other.id));
	refused(&h, "subject is not the issuer", "sub", json_string(other.id));
	refused(&h, "no subject", "sub", NULL);
	refused(&h, "ends before it begins", "exp", json_integer(now - 61));
	refused(&h, "lasts too long", "exp", json_integer(now + 400));
	refused(&h, "no end", "exp", NULL);
	refused(&h, "end is text", "exp", json_string("9999999999"));
	refused(&h, "issued in the future", "iat", json_integer(now + 100));
	refused(&h, "no issue date", "iat", NULL);
	refused(&h, "not valid yet", "nbf", json_integer(now + 100));
	refused(&h, "no jti", "jti", NULL);
	refused(&h, "short jti", "jti", json_string("1"));
	/* The right claims, signed by another host's key. */
	EXPECT_INT(exchange_claims(&other, claims_of(&h), token, error), 401);
	EXPECT_STR(error, "invalid_client");
	/* And a host that there is none. */
	struct host nobody = h;
	snprintf(nobody.id, sizeof(nobody.id), "0000000000000000000000000000abcd");
	EXPECT_INT(exchange_claims(&h, claims_of(&nobody), token, error), 401);
	json_t *old = claims_of(&h);
	json_object_set_new(old, "iat", json_integer(now - 200));
	json_object_set_new(old, "exp", json_integer(now - 61));
	EXPECT_INT(exchange_claims(&h, old, token, error), 401);
	/* Within the skew. */
	json_t *claims = claims_of(&h);
	json_object_set_new(claims, "iat", json_integer(now + 50));
	EXPECT_INT(exchange_claims(&h, claims, token, error), 200);
}

static const char *forge(const char *header, const json_t *claims, const uint8_t key[32], bool mac)
{
	static char out[8192];
	char *json = json_dumps(claims, JSON_COMPACT), *p = out;
	uint8_t sig[64] = {0};
	unsigned n = 32;

	base64url_encode(header, strlen(header), p);
	strcat(p, ".");
	p += strlen(p);
	base64url_encode(json, strlen(json), p);
	if (mac)
		HMAC(EVP_sha256(), key, 32, (uint8_t *)out, strlen(out), sig, &n);
	strcat(p, ".");
	p += strlen(p);
	if (mac)
		base64url_encode(sig, n, p);
	free(json);
	return out;
}

TEST("STACK C alg none, HS256 with the public key and an embedded key are refused")
{
	struct host h, evil;
	char token[128], error[64], header[512], x[64];
	struct buf b = BUF_INIT(JWS_MAX);

	world();
	enrol(&h, "lab", "auth4");
	host_keys(&evil);
	json_t *claims = claims_of(&h);
	EXPECT_INT(exchange(forge("{\"alg\":\"none\"}", claims, NULL, false), token, error), 401);
	EXPECT_INT(
	    exchange(forge("{\"alg\":\"HS256\"}", claims, h.public, true), token, error), 401);
	/* Signed well, by the key that it brings along. */
	base64url_encode(evil.public, 32, x);
	snprintf(header, sizeof(header),
	    "{\"alg\":\"EdDSA\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}}", x);
	EXPECT_INT(exchange(forge(header, claims, NULL, false), token, error), 401);
	EXPECT_INT(jws_make("JWT", claims, evil.seed, &b), 0);
	EXPECT_INT(exchange(buf_str(&b), token, error), 401);
	/* Another kind of token by the right key. */
	buf_clear(&b);
	EXPECT_INT(jws_make("prism-enrolment", claims, h.seed, &b), 0);
	EXPECT_INT(exchange(buf_str(&b), token, error), 401);
	EXPECT_INT(exchange("", token, error), 401);
	EXPECT_INT(exchange("a.b.c", token, error), 401);
	/* None of them has used the jti up. */
	buf_clear(&b);
	EXPECT_INT(jws_make("JWT", claims, h.seed, &b), 0);
	EXPECT_INT(exchange(buf_str(&b), token, error), 200);
	json_decref(claims);
	buf_free(&b);
}

TEST("D2 RFC 6749 5.2 errors have their words")
{
	struct http_client *c = client(NULL);
	static const struct {
		const char *form, *error;
		long status;
	} cases[] = {
	    {"grant_type=password&username=a&password=b", "unsupported_grant_type", 400},
	    {"x=y", "invalid_request", 400},
	    {"grant_type=client_credentials", "invalid_client", 401},
	};

	world();
	http_client_free(c);
	c = client(NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_response r;
		http_response_init(&r, 65536);
		EXPECT_INT(http_request_form(c, "/oauth2/token", cases[i].form, &r), 0);
		json_t *o = http_response_json(&r);
		EXPECT_INT(r.status, cases[i].status);
		EXPECT_STR(text_of(o, "error"), cases[i].error);
		json_decref(o);
		http_response_free(&r);
	}
	http_client_free(c);
}

/* ---- polling --------------------------------------------------------------------------------- */

TEST("D2 a host gets its manifest and feed, then deltas, then heartbeats")
{
	struct host h;
	struct answer a;

	world();
	host_ready(&h, "lab", "poll1");
	a = poll(&h, 0);
	EXPECT_INT(a.heartbeat, 1);
	EXPECT_INT(a.frames, 1);
	person("poll-a", "lab");
	person("poll-b", "lab");
	a = poll(&h, 0);
	EXPECT_INT(a.delta, 1);
	EXPECT_INT(a.records, 2);
	EXPECT_INT(a.frames, 1);
	a = poll(&h, 0);
	EXPECT_INT(a.heartbeat, 1);
	/* What the chain of deltas came to is what a full feed says. */
	struct answer full = poll_with(&h, "", 0);
	EXPECT_INT(full.full, 1);
	EXPECT(memcmp(full.digest, a.digest, 32) == 0);
}

TEST("D6 a host gets the feeds of its own projects only, whatever it asks for")
{
	struct host mine, theirs;
	char have[256];

	world();
	host_ready(&mine, "lab", "own1");
	host_ready(&theirs, "other", "own2");
	EXPECT(strcmp(mine.feed, theirs.feed) != 0);
	snprintf(have, sizeof(have), "%s:%" PRId64 ":1", theirs.feed, theirs.epoch);
	struct answer a = poll_with(&mine, have, 0);
	EXPECT_INT(a.full, 1);
	EXPECT(strstr(a.feeds, theirs.feed) == NULL);
	EXPECT(strstr(a.feeds, mine.feed) != NULL);
	mine.manifest = 0;
	a = poll_with(&mine, have, 0);
	EXPECT_INT(a.manifest, 1);
	EXPECT(strstr(a.contents, theirs.feed) == NULL);
	EXPECT(strstr(a.contents, mine.feed) != NULL);
}

TEST("D2 a revision that there is not, or another epoch, brings the full feed")
{
	struct host h;
	char have[256];

	world();
	host_ready(&h, "lab", "full1");
	snprintf(have, sizeof(have), "%s:%" PRId64 ":%" PRId64, h.feed, h.epoch, h.revision + 1000);
	EXPECT_INT(poll_with(&h, have, 0).full, 1);
	snprintf(have, sizeof(have), "%s:%" PRId64 ":%" PRId64, h.feed, h.epoch + 1, h.revision);
	EXPECT_INT(poll_with(&h, have, 0).full, 1);
	snprintf(have, sizeof(have), "%s:%" PRId64 ":0", h.feed, h.epoch);
	EXPECT_INT(poll_with(&h, have, 0).full, 1);
	EXPECT_INT(poll_with(&h, "nonsense", 0).status, 400);
	EXPECT_INT(poll_with(&h, "zz:1:1", 0).status, 400);
}

TEST("D2 a poll without a token, or with a person's, is refused")
{
	struct host h;

	world();
	host_ready(&h, "lab", "who1");
	snprintf(h.token, sizeof(h.token), "%s", owner_token);
	EXPECT_INT(poll_with(&h, "", 0).status, 401);
	h.token[0] = '\0';
	EXPECT_INT(poll_with(&h, "", 0).status, 401);
	snprintf(h.token, sizeof(h.token), "pht_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	EXPECT_INT(poll_with(&h, "", 0).status, 401);
}

struct poller {
	pthread_t thread;
	struct host *h;
	struct answer a;
	int wait;
	int64_t at_ms;
};

static void *poll_thread(void *arg)
{
	struct poller *p = arg;

	p->a = poll(p->h, p->wait);
	p->at_ms = clock_mono_ms();
	return NULL;
}

static void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

TEST("D2 a waiting host hears of a removed member within 100 ms")
{
	struct host h;
	int64_t worst = 0;
	char name[32], path[128];

	world();
	host_ready(&h, "lab", "wake1");
	for (int i = 0; i < 20; i++) {
		struct poller p = {.h = &h, .wait = 20};
		snprintf(name, sizeof(name), "wake-%c", 'a' + i);
		person(name, "lab");
		EXPECT_INT(poll(&h, 0).delta, 1);
		pthread_create(&p.thread, NULL, poll_thread, &p);
		pause_ms(60);
		snprintf(path, sizeof(path), V1 "/projects/lab/members/%s", name);
		int64_t t0 = clock_mono_ms();
		EXPECT_INT(ask(owner_token, "DELETE", path, NULL, NULL), 200);
		pthread_join(p.thread, NULL);
		EXPECT_INT(p.a.delta, 1);
		EXPECT_INT(p.a.state, SNAP_ENDED);
		if (p.at_ms - t0 > worst)
			worst = p.at_ms - t0;
		EXPECT(worst < 100);
	}
	printf("# the slowest of 20 took %" PRId64 " ms, request included\n", worst);
}

TEST("D2 changes of other projects do not disturb a waiting host, and its wait ends in a heartbeat")
{
	struct host h;

	world();
	host_ready(&h, "lab", "quiet1");
	struct poller p = {.h = &h, .wait = 2};
	int64_t t0 = clock_mono_ms();
	pthread_create(&p.thread, NULL, poll_thread, &p);
	pause_ms(100);
	person("quiet-a", "other");
	pthread_join(p.thread, NULL);
	EXPECT(p.at_ms - t0 >= 1800);
	EXPECT_INT(p.a.status, 200);
	EXPECT_INT(p.a.heartbeat, 1);
	EXPECT_INT(p.a.records, 0);
	EXPECT(p.a.issued_at >= clock_now() - 62);
}

static int second_tx(struct tx *t, void *arg)
{
	static const char add[] = "INSERT INTO host_projects (host_id, project_id)"
				  " SELECT $1, id FROM projects WHERE slug = 'other'";
	static const char bump[] = "UPDATE hosts SET manifest = manifest + 1 WHERE id = $1";
	int64_t id = *(const int64_t *)arg;
	int r = tx_exec(t, add, "i", id);

	return r ? r : tx_exec(t, bump, "i", id);
}

TEST("D6 a host of several projects waits for all of them, and a busy one lets none expire")
{
	struct host h;
	char have[256];

	world();
	host_ready(&h, "lab", "multi1");
	int64_t id = host_id_parse(h.id);
	EXPECT_INT(store_tx(db, STORE_WRITE, second_tx, &id), 0);
	snprintf(have, sizeof(have), "%s:%" PRId64 ":%" PRId64, h.feed, h.epoch, h.revision);
	struct answer a = poll_with(&h, have, 0);
	EXPECT_INT(a.manifest, 1);
	EXPECT_INT(strlen(a.contents), 66);
	EXPECT_INT(a.full, 1);
	EXPECT_INT(a.heartbeat, 1);
	EXPECT_INT(strlen(a.feeds), 66);
	h.manifest = a.manifest_to;
	/* The other project's feed is where the answer's only full message stood. */
	char other[33];
	snprintf(other, sizeof(other), "%.32s",
	    strncmp(a.feeds, h.feed, 32) == 0 ? a.feeds + 33 : a.feeds);
	person("multi-a", "other");
	a = poll_with(&h, have, 0);
	EXPECT_INT(a.full, 1);
	snprintf(have, sizeof(have), "%s:%" PRId64 ":%" PRId64 ",%s:%" PRId64 ":1", h.feed, h.epoch,
	    h.revision, other, h.epoch);
	a = poll_with(&h, have, 0);
	EXPECT_INT(a.manifest, 0);
	EXPECT_INT(a.delta, 1);
	EXPECT_INT(a.heartbeat, 1);
}

TEST("D6 a manifest is renewed in good time, also while changes never cease")
{
	struct host h;
	size_t manifests = 0;
	char name[32];

	world();
	host_ready(&h, "lab", "renew1");
	central.config.feed_validity = 8;
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "renew-%c", 'a' + i);
		person(name, "lab");
		struct answer a = poll(&h, 5);
		EXPECT_INT(a.delta, 1);
		manifests += a.manifest;
		pause_ms(500);
	}
	central.config.feed_validity = FEED_VALIDITY;
	EXPECT(manifests >= 1 && manifests <= 3);
}

/* ---- reports and lists ----------------------------------------------------------------------- */

static json_t *report_of(const struct host *h, int64_t revision)
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

static int64_t applied_of(const char *host)
{
	json_t *o = NULL;
	int64_t applied = -1;

	EXPECT_INT(ask(owner_token, "GET", V1 "/projects/lab/revision", NULL, &o), 200);
	EXPECT(json_integer_value(json_object_get(o, "revision")) > 0);
	json_t *hosts = json_object_get(o, "hosts");
	for (size_t i = 0; i < json_array_size(hosts); i++) {
		json_t *x = json_array_get(hosts, i);
		if (strcmp(text_of(x, "name"), host) == 0)
			applied = json_integer_value(json_object_get(x, "applied"));
	}
	json_decref(o);
	return applied;
}

static int burned_tx(struct tx *t, void *arg)
{
	static const char sql[] = "SELECT COUNT(*) FROM burned_ids WHERE number = $1";
	_cleanup_rows_ struct rows *r = NULL;
	int rc = tx_query(t, sql, "i", &r, *(int64_t *)arg);

	if (rc < 0 || rows_next(r) != 1)
		return -EIO;
	*(int64_t *)arg = row_int(r, 0);
	return 0;
}

TEST("D2 what a host has applied shows, only for its own feeds and revisions that there are")
{
	struct host h;
	int64_t burned = 15000;

	world();
	host_ready(&h, "lab", "report1");
	EXPECT_INT(applied_of("report1"), 0);
	EXPECT_INT(
	    ask(h.token, "POST", V1 "/hosts/self/report", report_of(&h, h.revision), NULL), 204);
	EXPECT_INT(applied_of("report1"), h.revision);
	EXPECT_INT(
	    ask(h.token, "POST", V1 "/hosts/self/report", report_of(&h, h.revision + 5000), NULL),
	    204);
	EXPECT_INT(applied_of("report1"), h.revision);
	EXPECT_INT(store_tx(db, STORE_READ, burned_tx, &burned), 0);
	EXPECT_INT(burned, 1);
	/* The revisions that were applied in another epoch say nothing about this one. */
	h.epoch++;
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", report_of(&h, 1), NULL), 204);
	EXPECT_INT(applied_of("report1"), 0);
}

TEST("STYLE 19 reports with values that do not belong there are refused")
{
	struct host h;
	json_t *bad;

	world();
	host_ready(&h, "lab", "report2");
	bad = report_of(&h, 1);
	json_object_set_new(bad, "address", json_string("-oProxyCommand=x"));
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", bad, NULL), 400);
	bad = report_of(&h, 1);
	json_object_set_new(bad, "ssh_host_keys", json_pack("[s]", "ssh-ed25519 nonsense"));
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", bad, NULL), 400);
	bad = report_of(&h, 1);
	json_object_set_new(bad, "refused", json_string("x"));
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", bad, NULL), 400);
	bad = report_of(&h, 1);
	json_object_set_new(bad, "local_ids", json_pack("[i]", -1));
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", bad, NULL), 400);
	bad = report_of(&h, 1);
	char *big = malloc(70001);
	memset(big, 'x', 70000);
	big[70000] = '\0';
	json_object_set_new(bad, "version", json_string(big));
	free(big);
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", bad, NULL), 400);
	EXPECT_INT(ask(owner_token, "POST", V1 "/hosts/self/report", json_object(), NULL), 401);
}

TEST("S1.4 workspaces: a person sees those of their projects, and how to reach them")
{
	struct host h;
	json_t *o = NULL;

	world();
	host_ready(&h, "lab", "show1");
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", report_of(&h, 1), NULL), 204);
	EXPECT_INT(ask(owner_token, "GET", V1 "/workspaces/show1", NULL, &o), 200);
	EXPECT_STR(text_of(o, "project"), "lab");
	EXPECT_STR(text_of(o, "hostname"), "report1.uni.edu");
	EXPECT_STR(text_of(o, "address"), "10.0.0.10");
	EXPECT_STR(text_of(o, "state"), "enrolled");
	EXPECT(json_is_true(json_object_get(o, "can_login")));
	EXPECT_INT(json_array_size(json_object_get(o, "ssh_host_keys")), 1);
	json_decref(o);
	EXPECT_INT(ask(owner_token, "GET", V1 "/workspaces?project=other", NULL, &o), 200);
	for (size_t i = 0; i < json_array_size(o); i++)
		EXPECT_STR(text_of(json_array_get(o, i), "project"), "other");
	json_decref(o);
	EXPECT_INT(ask(owner_token, "GET", V1 "/workspaces/no-such", NULL, NULL), 404);
	EXPECT_INT(ask(NULL, "GET", V1 "/workspaces", NULL, NULL), 401);
	EXPECT_INT(ask(owner_token, "GET", V1 "/projects/lab/hosts", NULL, &o), 200);
	EXPECT(json_array_size(o) >= 1);
	json_decref(o);
}

/* ---- removal and restore --------------------------------------------------------------------- */

static void host_number(const char *name, char id[32])
{
	json_t *o = NULL;

	EXPECT_INT(ask(owner_token, "GET", V1 "/projects/lab/hosts", NULL, &o), 200);
	id[0] = '\0';
	for (size_t i = 0; i < json_array_size(o); i++) {
		if (strcmp(text_of(json_array_get(o, i), "name"), name) == 0)
			snprintf(id, 32, "%s", text_of(json_array_get(o, i), "id"));
	}
	json_decref(o);
	EXPECT(id[0] != '\0');
}

TEST("LESSONS 4.11 a removed host is refused at once, also while it waits, by every way it has")
{
	struct host h;
	char id[32], path[128], token[128], error[64];

	world();
	host_ready(&h, "lab", "gone1");
	host_number("gone1", id);
	struct poller p = {.h = &h, .wait = 20};
	pthread_create(&p.thread, NULL, poll_thread, &p);
	pause_ms(100);
	snprintf(path, sizeof(path), V1 "/hosts/%s", id);
	int64_t t0 = clock_mono_ms();
	EXPECT_INT(ask(owner_token, "DELETE", path, NULL, NULL), 204);
	pthread_join(p.thread, NULL);
	EXPECT_INT(p.a.status, 401);
	EXPECT(p.at_ms - t0 < 500);
	EXPECT_INT(poll(&h, 0).status, 401);
	EXPECT_INT(ask(h.token, "POST", V1 "/hosts/self/report", report_of(&h, 1), NULL), 401);
	EXPECT_INT(exchange_claims(&h, claims_of(&h), token, error), 401);
	EXPECT_INT(ask(owner_token, "GET", V1 "/workspaces/gone1", NULL, NULL), 404);
	EXPECT_INT(ask(owner_token, "DELETE", path, NULL, NULL), 404);
	/* Its name is free again, its key is not. */
	struct token t;
	json_t *o = NULL;
	enrol_token("lab", NULL, &t);
	EXPECT_INT(ask(NULL, "POST", V1 "/hosts/enrol", enrol_body(&h, &t, "gone1"), &o), 409);
	EXPECT_STR(error_of(o), "KEY_TAKEN");
	json_decref(o);
	host_keys(&h);
	EXPECT_INT(ask(NULL, "POST", V1 "/hosts/enrol", enrol_body(&h, &t, "gone1"), NULL), 201);
}

static int epoch_tx(struct tx *t, void *arg)
{
	return feed_restore_epoch(t);
}

TEST("D6 after a restored backup hosts log in again and get everything in the new epoch")
{
	struct host h;
	struct token t;

	world();
	host_ready(&h, "lab", "epoch1");
	int64_t epoch = h.epoch, manifest = h.manifest;
	struct buf old = BUF_INIT(JWS_MAX);
	json_t *claims = claims_of(&h);
	json_object_set_new(claims, "iat", json_integer(clock_now() - 30));
	EXPECT_INT(jws_make("JWT", claims, h.seed, &old), 0);
	json_decref(claims);
	enrol_token("lab", NULL, &t);

	EXPECT_INT(store_tx(db, STORE_WRITE, epoch_tx, NULL), 0);
	EXPECT_INT(poll(&h, 0).status, 401);
	/* An assertion from before may have been used in the time that was lost. */
	char token[128], error[64];
	EXPECT_INT(exchange(buf_str(&old), token, error), 401);
	struct host late;
	host_keys(&late);
	EXPECT_INT(
	    ask(NULL, "POST", V1 "/hosts/enrol", enrol_body(&late, &t, "epoch2"), NULL), 403);
	authenticate(&h);
	struct answer a = poll(&h, 0);
	EXPECT_INT(a.status, 200);
	EXPECT_INT(a.full, 1);
	EXPECT_INT(a.manifest, 1);
	EXPECT(a.epoch > epoch);
	EXPECT(a.manifest_epoch == a.epoch);
	EXPECT(a.manifest_to > manifest);
	EXPECT_INT(poll(&h, 0).heartbeat, 1);
	buf_free(&old);
}

TEST("STYLE 24 the service stops and gives back what it took")
{
	if (central.http)
		http_stop(&central, 1000);
	feed_stop(&central);
	feed_signer_free(central.signer);
	central.signer = NULL;
	store_close(db);
	EXPECT(central.feeds == NULL);
}

TEST_MAIN()
