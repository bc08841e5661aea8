/* SPDX-License-Identifier: MIT */

/* How a host comes, and how it goes. */
#include "hosts.h"

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
	EXPECT(p.at_ms - t0 < 2000); /* of the 20 s that it would wait */
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

HOSTS_MAIN()
