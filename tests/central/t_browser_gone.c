/* SPDX-License-Identifier: MIT */

/*
 * A browser's login that ends between the moment a form was let in and the moment it is acted on:
 * its person decides nothing any more. The handlers are called as the router calls them, with the
 * end in between.
 */
#include "base/encode.h"
#include "world.h"
#include "pages.h"

#define CODE "BCDFGHJK"

static const char chiefs[] = "correct horse battery";
static const char challenge[] = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWBuGJSstw-cM";

static const char *const ends[] = {"UPDATE browser_sessions SET revoked_at = 1",
    "UPDATE browser_sessions SET expires_at = 1",
    "UPDATE users SET state = 'suspended' WHERE username = 'chief'"};

static const char sql_device[] =
    "INSERT INTO device_codes (id, device_hash, user_hash, state, interval_s, created_at,"
    " expires_at) VALUES (1, 'x', $1, 'pending', 5, 1, 9999999999)";

static int device_tx(struct tx *t, void *arg)
{
	char hash[65];

	sha256_hex(CODE, strlen(CODE), hash);
	return tx_exec(t, sql_device, "s", hash);
}

/* Somebody is logged in, and a terminal waits for its code. */
static void stage(struct browse *b)
{
	world();
	*b = (struct browse){.site = NULL};
	EXPECT_INT(browse_login(b, "chief", chiefs), 303);
	EXPECT_INT(store_tx(db, STORE_WRITE, device_tx, NULL), 0);
}

/* The form of this address, with "end" (NULL: nothing) before its handler. The status. */
static int post(const struct browse *b, char *path, struct pair *form, size_t n, const char *end)
{
	const char *args[HTTP_PATH_ARGS];
	struct pair cookie = {"Cookie", b->cookie};
	struct job job = {.headers = {&cookie, 1}, .form = {form, n}};
	struct request rq = {.method = HTTP_POST, .peer = "127.0.0.1", .id = "test", .db = db};
	struct sql s = {.text = end};
	struct reply rp = {0};

	rq.secure = true;
	rq.now = clock_now();
	rq.route = world_route(HTTP_POST, path, args);
	rq.central = &central;
	rq.http_ = &job;
	EXPECT_INT(browser_load(&rq), 0);
	EXPECT_INT(rq.who.kind, PRINCIPAL_USER);
	EXPECT_INT(authorize(&rq, &rp), 0);
	if (end)
		EXPECT_INT(store_tx(db, STORE_WRITE, sql_tx, &s), 0);
	rq.route->handler(&rq, &rp);
	int status = rp.status;
	reply_release(&rp);
	return status;
}

static int decide(struct browse *b, const char *end)
{
	char path[] = "/device/decide";
	struct pair form[] = {{"csrf", b->csrf}, {"user_code", CODE}, {"decision", "approve"}};

	EXPECT_INT(browse(b, HTTP_GET, "/device?user_code=" CODE, NULL), 200);
	return post(b, path, form, sizeof(form) / sizeof(*form), end);
}

static int consent(struct browse *b, const char *end)
{
	char path[] = "/oauth2/authorize";
	struct pair form[] = {{"csrf", b->csrf}, {"response_type", "code"},
	    {"client_id", "prism-cli"}, {"redirect_uri", "http://127.0.0.1:4444/callback"},
	    {"code_challenge", challenge}, {"code_challenge_method", "S256"},
	    {"decision", "approve"}};

	EXPECT_INT(browse(b, HTTP_GET, "/device", NULL), 200);
	return post(b, path, form, sizeof(form) / sizeof(*form), end);
}

TEST("I3.1 a login that ends under its form approves no terminal's code")
{
	struct browse b;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		stage(&b);
		EXPECT_INT(decide(&b, ends[i]), 303);
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM device_codes WHERE state = 'pending'"), 1);
		EXPECT_INT(
		    sql_int("SELECT COUNT(*) FROM audit WHERE action = 'device.approve'"), 0);
	}
	stage(&b);
	EXPECT_INT(decide(&b, NULL), 200);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM device_codes WHERE state = 'approved'"), 1);
}

TEST("I3.1 nor does it agree to the command line")
{
	struct browse b;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		stage(&b);
		EXPECT_INT(consent(&b, ends[i]), 303);
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM authorization_codes"), 0);
		EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'oauth.approve'"), 0);
	}
	stage(&b);
	EXPECT_INT(consent(&b, NULL), 303);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM authorization_codes"), 1);
}

TEST_MAIN()
