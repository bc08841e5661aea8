/* SPDX-License-Identifier: MIT */

/*
 * The answer to a terminal's code: the first one stands, whoever else has the page open. And a host
 * that is removed while its request is on its way gets neither codes nor statements any more.
 */
#include "base/encode.h"
#include "world.h"
#include "pages.h"

#define CODE   "BCDFGHJK"
#define DEVICE "pdc_0123456789"

static const char chiefs[] = "correct horse battery";

static const char sql_device[] =
    "INSERT INTO device_codes (id, device_hash, user_hash, host_id, user_id, username, service,"
    " nonce, state, interval_s, created_at, expires_at) VALUES (1, $1, $2, $3, $4, $5, $6, $7,"
    " $8, 5, 1, 9999999999)";

struct device_row {
	int64_t host;
	const struct person *of; /* NULL: the chief's */
	const char *state;
};

static int device_tx(struct tx *t, void *arg)
{
	const struct device_row *d = arg;
	const struct person *of = d->of ? d->of : &chief;
	char device[65], user[65];

	sha256_hex(DEVICE, strlen(DEVICE), device);
	sha256_hex(CODE, strlen(CODE), user);
	return tx_exec(t, sql_device, "ssiissss", device, user, d->host, d->host ? of->id : 0,
	    d->host ? of->name : "", d->host ? "sshd" : "", d->host ? user : "", d->state);
}

/* One person's browser, with the page of the code open in two tabs. */
static void stage(struct browse b[static 2])
{
	struct device_row d = {.state = "pending"};

	world();
	b[0] = (struct browse){.site = NULL};
	EXPECT_INT(browse_login(&b[0], "chief", chiefs), 303);
	EXPECT_INT(store_tx(db, STORE_WRITE, device_tx, &d), 0);
	EXPECT_INT(browse(&b[0], HTTP_GET, "/device?user_code=" CODE, NULL), 200);
	EXPECT(strstr(b[0].body, "value=\"approve\""));
	b[1] = b[0];
}

static int decide(struct browse *b, const char *decision)
{
	char form[64];

	snprintf(form, sizeof(form), "user_code=" CODE "&decision=%s", decision);
	return browse(b, HTTP_POST, "/device/decide", form);
}

TEST("I3.1 a code is answered once: a second answer, from a page that was open, changes nothing")
{
	static const struct {
		const char *first, *second;
		const char *query;
	} rows[] = {
	    {"approve", "deny", "SELECT COUNT(*) FROM device_codes WHERE state = 'approved'"},
	    {"deny", "approve", "SELECT COUNT(*) FROM device_codes WHERE state = 'denied'"},
	    {"approve", "approve", "SELECT COUNT(*) FROM device_codes WHERE state = 'approved'"},
	};
	struct browse b[2];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		stage(b);
		EXPECT_INT(decide(&b[0], rows[i].first), 200);
		EXPECT_INT(decide(&b[1], rows[i].second), 404);
		EXPECT_HAS(b[1].body, "it was answered already");
		EXPECT_INT(sql_int(rows[i].query), 1);
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action LIKE 'device.%'"), 1);
	}
}

TEST("I3.1 nor is the page of an answered code shown again")
{
	static const char *const states[] = {"approved", "denied", "redeemed"};
	struct browse b[2];
	char uri[] = "/device?user_code=" CODE;

	stage(b);
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		struct device_row d = {.state = states[i]};
		sql("DELETE FROM device_codes");
		EXPECT_INT(store_tx(db, STORE_WRITE, device_tx, &d), 0);
		EXPECT_INT(browse(&b[0], HTTP_GET, uri, NULL), 404);
		EXPECT(!strstr(b[0].body, "value=\"approve\""));
	}
}

static int64_t stand_still(void)
{
	return 1000000;
}

TEST("I3.1 a code for somebody else counts as a guess, and guessing ends")
{
	struct browse b[2];
	int opened = 0;

	stage(b);
	sql("DELETE FROM device_codes");
	struct person bo = person("bo");
	struct device_row d = {.host = 5, .of = &bo, .state = "pending"};
	EXPECT_INT(store_tx(db, STORE_WRITE, device_tx, &d), 0);
	world_limits = true;
	ratelimit_reset(stand_still);
	while (opened < 100 && browse(&b[0], HTTP_GET, "/device?user_code=" CODE, NULL) == 403)
		opened++;
	EXPECT_INT(b[0].status, 429);
	EXPECT(b[0].retry_after > 0);
	EXPECT(opened >= 5 && opened <= 40);
	EXPECT_INT(
	    sql_int("SELECT COUNT(*) FROM audit WHERE action = 'device.wrong-person'"), opened);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM device_codes WHERE state = 'pending'"), 1);
	ratelimit_reset(NULL);
}

TEST("I3.1 and so do the guesses of many people from one address")
{
	char key[RATELIMIT_KEY_MAX];
	struct browse b[2];
	int guesses = 0;

	stage(b);
	world_limits = true;
	ratelimit_reset(stand_still);
	ratelimit_peer("127.0.0.1", key);
	while (guesses < 1000 && ratelimit_take(RATELIMIT_CODE_PEER, key) == 0)
		guesses++;
	EXPECT(guesses >= 60 && guesses < 1000); /* a class may mistype */
	EXPECT_INT(browse(&b[0], HTTP_GET, "/device?user_code=" CODE, NULL), 429);
	EXPECT_INT(decide(&b[0], "approve"), 429);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM device_codes WHERE state = 'pending'"), 1);
	ratelimit_reset(NULL);
	EXPECT_INT(decide(&b[0], "approve"), 200);
}

/* ---- a host that is removed meanwhile -------------------------------------------------------- */

static const char *const removals[] = {"UPDATE hosts SET state = 'removed'",
    "UPDATE host_tokens SET expires_at = 1", "DELETE FROM host_tokens"};

static const char *const host_rows[] = {
    "INSERT INTO hosts (id, organization_id, name, public_key, hostname, address, ssh_host_keys,"
    " state, manifest, enrolled_at, last_seen) SELECT 5, organization_id, 'ws1', 'k', 'ws1', '',"
    " '[]', 'enrolled', 1, 1, 1 FROM projects",
    "INSERT INTO host_tokens (id, token_hash, host_id, expires_at) VALUES (9, 'x', 5, 9999999999)",
    "INSERT INTO host_projects (host_id, project_id) SELECT 5, id FROM projects"};

static int host_tx(struct tx *t, void *arg)
{
	struct device_row d = {.host = 5, .state = "approved"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(host_rows) / sizeof(*host_rows); i++)
		r = tx_exec(t, host_rows[i], "");
	if (r == 0)
		r = device_tx(t, &d);
	return r < 0 ? r
		     : tx_exec(
			   t, "UPDATE device_codes SET answered_by = user_id, answered_at = 1", "");
}

/* The host was let in by its token; then this happens to it; then the request goes on. The status.
 */
static int as_host(char *path, struct pair *form, size_t n, const char *then)
{
	const char *args[HTTP_PATH_ARGS];
	struct job job = {.form = {form, n}};
	struct request rq = {.method = HTTP_POST, .peer = "127.0.0.1", .id = "test", .db = db};
	struct sql s = {.text = then};
	struct reply rp = {0};

	rq.secure = true;
	rq.now = clock_now();
	rq.who = (struct principal){.kind = PRINCIPAL_HOST, .id = 5, .credential = 9};
	snprintf(rq.who.name, sizeof(rq.who.name), "ws1");
	rq.route = world_route(HTTP_POST, path, args);
	rq.central = &central;
	rq.http_ = &job;
	ratelimit_reset(NULL);
	if (then)
		EXPECT_INT(store_tx(db, STORE_WRITE, sql_tx, &s), 0);
	rq.route->handler(&rq, &rp);
	int status = rp.status;
	json_decref(rp.json);
	rp.json = NULL;
	reply_release(&rp);
	return status;
}

static int begin(const char *then)
{
	static const char nonce[] =
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	char path[] = "/oauth2/device_authorization";
	struct pair form[] = {{"client_id", "prism-host"}, {"login_hint", "chief"},
	    {"service", "sshd"}, {"nonce", nonce}};

	return as_host(path, form, sizeof(form) / sizeof(*form), then);
}

static int redeem(const char *then)
{
	char path[] = "/oauth2/token";
	struct pair form[] = {{"client_id", "prism-host"},
	    {"grant_type", "urn:ietf:params:oauth:grant-type:device_code"},
	    {"device_code", DEVICE}};

	return as_host(path, form, sizeof(form) / sizeof(*form), then);
}

static void host_stage(void)
{
	world();
	project(&chief, "lab");
	EXPECT_INT(store_tx(db, STORE_WRITE, host_tx, NULL), 0);
}

TEST("I3.3 a host that is removed while it asks gets no code")
{
	for (size_t i = 0; i < sizeof(removals) / sizeof(*removals); i++) {
		host_stage();
		EXPECT_INT(begin(removals[i]), 401);
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM device_codes"), 1);
	}
	host_stage();
	EXPECT_INT(begin(NULL), 200);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM device_codes"), 2);
}

TEST("I3.3 nor a statement for one that was approved")
{
	for (size_t i = 0; i < sizeof(removals) / sizeof(*removals); i++) {
		host_stage();
		EXPECT_INT(redeem(removals[i]), 401);
		EXPECT_INT(
		    sql_int("SELECT COUNT(*) FROM device_codes WHERE state = 'approved'"), 1);
	}
	host_stage();
	EXPECT_INT(redeem(NULL), 200);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM device_codes WHERE state = 'redeemed'"), 1);
}

TEST_MAIN()
