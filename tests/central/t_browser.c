/* SPDX-License-Identifier: MIT */
/* Pages: the cookie, who is logged in, forms that only our own pages can send, escaping. */
#include "world.h"
#include "pages.h"

static struct browse b;

static void fresh(void)
{
	world();
	b = (struct browse){0};
}

static const char chiefs[] = "correct+horse+battery";

static bool logged_in(void)
{
	browse(&b, HTTP_GET, "/", NULL);
	return strstr(b.body, "You are logged in as") != NULL;
}

TEST("I3.1 a browser gets a cookie with its first page, which costs no row")
{
	fresh();
	EXPECT_INT(browse(&b, HTTP_GET, "/login", NULL), 200);
	EXPECT_STR(b.type, "text/html; charset=utf-8");
	EXPECT(!strncmp(b.set_cookie, "__Host-prism=pbs_", 17));
	EXPECT_STR(strchr(b.set_cookie, ';'), "; Path=/; HttpOnly; SameSite=Lax; Secure");
	EXPECT_INT(strcspn(b.set_cookie, ";"), strlen("__Host-prism=") + 47);
	EXPECT(!strncmp(b.set_begun, "__Host-prism-login=pbl_", 23));
	EXPECT_STR(strchr(b.set_begun, ';'), "; Path=/; HttpOnly; SameSite=Lax; Secure");
	EXPECT_INT(strcspn(b.set_begun, ";"), strlen("__Host-prism-login=") + 47);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM browser_sessions"), 0);
	EXPECT_INT(browse(&b, HTTP_GET, "/login", NULL), 200);
	EXPECT_STR(b.set_cookie, "");
	EXPECT_STR(b.set_begun, "");
	/* What no browser was given is replaced. */
	static const char *const bad[] = {"__Host-prism=pbs_short",
	    "__Host-prism=", "__Host-prism=pst_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	    "__Host-prism=pbs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!",
	    "prism=pbs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(b.cookie, sizeof(b.cookie), "%s", bad[i]);
		EXPECT_INT(browse(&b, HTTP_GET, "/", NULL), 200);
		EXPECT(!strncmp(b.set_cookie, "__Host-prism=pbs_", 17));
		EXPECT_STR(b.set_begun, "");
		/* Nor is the one cookie's value good for the other. */
		snprintf(b.begun, sizeof(b.begun), "__Host-prism-login=%s", bad[i] + 13);
		browse(&b, HTTP_GET, "/", NULL);
		EXPECT(!strncmp(b.set_begun, "__Host-prism-login=pbl_", 23));
		EXPECT_STR(b.set_cookie, "");
	}
	snprintf(central.config.url, sizeof(central.config.url), "http://127.0.0.1:8080");
	b.cookie[0] = b.begun[0] = '\0';
	browse(&b, HTTP_GET, "/", NULL);
	EXPECT(!strncmp(b.set_cookie, "prism=pbs_", 10));
	EXPECT(!strncmp(b.set_begun, "prism-login=pbl_", 16) && !strstr(b.set_begun, "Secure"));
	EXPECT(!strstr(b.set_cookie, "Secure") && strstr(b.set_cookie, "HttpOnly"));
}

TEST("I3.1 logging in gives the browser another value; the old one is nobody's")
{
	char before[128];
	fresh();
	browse(&b, HTTP_GET, "/login", NULL);
	memcpy(before, b.cookie, sizeof(before));
	EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
	EXPECT_STR(b.location, "/");
	EXPECT(strcmp(before, b.cookie) != 0);
	EXPECT(logged_in());
	EXPECT(strstr(b.body, "<b>chief</b>"));
	EXPECT_INT(
	    sql_int("SELECT COUNT(*) FROM browser_sessions WHERE token_hash LIKE 'pbs%'"), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM browser_sessions WHERE identity_id = 0"
			   " AND auth_at > 0 AND expires_at - created_at = 43200"),
	    1);
	/* Whoever planted the first value has gained nothing. */
	memcpy(b.cookie, before, sizeof(before));
	EXPECT(!logged_in());
	/* Logging in once more ends the first login of this browser. */
	EXPECT_INT(browse_login(&b, "chief%40uni.edu", chiefs), 303);
	memcpy(before, b.cookie, sizeof(before));
	browse(&b, HTTP_GET, "/", NULL);
	EXPECT_INT(
	    browse(&b, HTTP_POST, "/login", "login=chief&password=correct+horse+battery"), 303);
	EXPECT(strcmp(before, b.cookie) != 0);
	memcpy(b.cookie, before, sizeof(before));
	EXPECT(!logged_in());
}

TEST("I3.1 a wrong password opens nothing, and neither does one for nobody")
{
	char first[HTML_MAX];
	fresh();
	EXPECT_INT(browse_login(&b, "chief", "wrong+horse+battery"), 403);
	EXPECT(strstr(b.body, "Wrong username or password"));
	EXPECT_STR(b.set_cookie, "");
	memcpy(first, b.body, sizeof(first));
	EXPECT_INT(browse_login(&b, "thief", "wrong+horse+battery"), 403);
	/* The same page but for the name that was typed. */
	EXPECT_INT(strlen(first), strlen(b.body));
	EXPECT(!logged_in());
	EXPECT_INT(browse_login(&b, "chief", ""), 400);
	browse(&b, HTTP_GET, "/login", NULL);
	EXPECT_INT(browse(&b, HTTP_POST, "/login", "login="), 400);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM browser_sessions"), 0);
}

TEST("I3.1 forms that are not our own are refused, and nothing is changed")
{
	static const struct {
		const char *origin, *site, *csrf;
		int status;
	} table[] = {
	    {NULL, NULL, NULL, 303},
	    {"https://prism.test:8443", "same-origin", NULL, 303},
	    {NULL, NULL, "", 403},
	    {NULL, NULL, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 403},
	    {"https://prism.test:8443", "same-origin", "x", 403},
	    {"https://evil.test", NULL, NULL, 403},
	    {"https://prism.test", NULL, NULL, 403},
	    {"http://prism.test:8443", NULL, NULL, 403},
	    {"https://prism.test:8443.evil.test", NULL, NULL, 403},
	    {"null", NULL, NULL, 403},
	    {NULL, "cross-site", NULL, 403},
	    {NULL, "same-site", NULL, 403},
	    {NULL, "none", NULL, 403},
	    {"https://prism.test:8443", "cross-site", NULL, 403},
	};
	fresh();
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		b.origin = b.site = NULL;
		EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
		EXPECT(logged_in());
		if (table[i].csrf)
			snprintf(b.csrf, sizeof(b.csrf), "%s", table[i].csrf);
		b.origin = table[i].origin;
		b.site = table[i].site;
		EXPECT_INT(browse(&b, HTTP_POST, "/logout", NULL), table[i].status);
		if (table[i].status == 403) {
			EXPECT(strstr(b.body, "<h1>This form is out of date</h1>"));
			EXPECT(logged_in());
		} else {
			EXPECT(!logged_in());
		}
	}
	b.origin = b.site = NULL;
	EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
	EXPECT(logged_in());
	b.no_csrf = true;
	EXPECT_INT(browse(&b, HTTP_POST, "/logout", "a=b"), 403);
	b.no_csrf = false;
	EXPECT(logged_in());
	/* Such a form comes without the cookie, and must not replace it. */
	b.cookie[0] = '\0';
	EXPECT_INT(browse(&b, HTTP_POST, "/logout", NULL), 403);
	EXPECT_STR(b.set_cookie, "");
}

TEST("I3.1 one browser's forms are void in another, and its own after logging in")
{
	struct browse other = {0};
	char before[sizeof(b.csrf)];
	fresh();
	EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
	EXPECT(logged_in());
	browse(&other, HTTP_GET, "/login", NULL);
	EXPECT(strcmp(other.csrf, b.csrf) != 0);
	memcpy(b.csrf, other.csrf, sizeof(b.csrf));
	EXPECT_INT(browse(&b, HTTP_POST, "/logout", NULL), 403);
	EXPECT(logged_in());
	browse(&other, HTTP_GET, "/login", NULL);
	memcpy(before, other.csrf, sizeof(before));
	EXPECT_INT(browse_login(&other, "chief", chiefs), 303);
	memcpy(other.csrf, before, sizeof(before));
	EXPECT_INT(browse(&other, HTTP_POST, "/logout", NULL), 403);
}

TEST("I3.1 a cookie opens nothing of the API, and a token no page")
{
	char text[128];
	fresh();
	EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
	b.accept = "application/json";
	EXPECT_INT(browse(&b, HTTP_GET, "/api/v1/me", NULL), 401);
	EXPECT(strstr(b.body, "NOT_LOGGED_IN"));
	/* Nor does its value as a token. */
	snprintf(text, sizeof(text), "Bearer %s", strchr(b.cookie, '=') + 1);
	b.bearer = text;
	EXPECT_INT(browse(&b, HTTP_GET, "/api/v1/me", NULL), 401);
	b.cookie[0] = '\0';
	b.accept = NULL;
	snprintf(text, sizeof(text), "Bearer %s", chief.token);
	EXPECT_INT(browse(&b, HTTP_GET, "/api/v1/me", NULL), 200);
	EXPECT(!logged_in());
	snprintf(b.cookie, sizeof(b.cookie), "__Host-prism=%s", chief.token);
	EXPECT(!logged_in());
}

TEST("I3.1 a browser's login ends: logged out, after its time, with the password, with the account")
{
	fresh();
	EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
	EXPECT(logged_in());
	char before[sizeof(b.cookie)];
	memcpy(before, b.cookie, sizeof(before));
	EXPECT_INT(browse(&b, HTTP_POST, "/logout", NULL), 303);
	EXPECT(!logged_in());
	EXPECT(strcmp(before, b.cookie) != 0);
	memcpy(b.cookie, before, sizeof(before));
	EXPECT(!logged_in());

	EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
	world_skew = BROWSER_SECONDS - 60;
	EXPECT(logged_in());
	world_skew = BROWSER_SECONDS + 60;
	EXPECT(!logged_in());
	world_skew = 0;

	EXPECT(logged_in());
	EXPECT_STR(outcome(HTTP_POST, chief.token, "me/password",
		       json_pack("{ss,ss}", "old", "correct horse battery", "new",
			   "battery horse correct")),
	    "204");
	EXPECT(!logged_in());
	EXPECT_INT(browse_login(&b, "chief", chiefs), 403);

	EXPECT_STR(outcome(HTTP_POST, chief.token, "users",
		       json_pack("{ss,ss,ss}", "username", "pi", "email", "pi@uni.edu", "password",
			   "pi likes tea a lot")),
	    "201");
	EXPECT_INT(browse_login(&b, "pi", "pi+likes+tea+a+lot"), 303);
	EXPECT(logged_in());
	EXPECT_STR(outcome(HTTP_POST, chief.token, "users/pi/suspend", NULL), "200");
	EXPECT(!logged_in());
	EXPECT_INT(browse_login(&b, "pi", "pi+likes+tea+a+lot"), 403);
	EXPECT(strstr(b.body, "suspended"));
	EXPECT_STR(outcome(HTTP_POST, chief.token, "users/pi/resume", NULL), "200");
	EXPECT(!logged_in());
}

static int epoch_tx(struct tx *t, void *arg)
{
	return feed_restore_epoch(t);
}

TEST("L4.14 a restored backup brings no browser's login back, and rows of old ones are swept")
{
	fresh();
	EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
	EXPECT(logged_in());
	EXPECT_INT(store_tx(db, STORE_WRITE, epoch_tx, NULL), 0);
	EXPECT(!logged_in());
	sql("UPDATE browser_sessions SET expires_at = 1000");
	EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM browser_sessions"), 1);
}

TEST("I3.1 a login that was ended between the page and its form does nothing more")
{
	fresh();
	EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
	EXPECT(logged_in());
	sql("UPDATE browser_sessions SET revoked_at = 1");
	/* The form is our own still, and logs nobody out. */
	EXPECT_INT(browse(&b, HTTP_POST, "/logout", NULL), 303);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'browser.close'"), 0);
}

struct gone {
	const struct request *rq;
	enum api_error error;
};

static int gone_tx(struct tx *t, void *arg)
{
	struct gone *g = arg;
	struct authz z;
	return authz_check(t, g->rq, &z, &g->error);
}

TEST("I3.1 a browser's right is looked at again inside the transaction that uses it")
{
	static const char *const ends[] = {"UPDATE browser_sessions SET revoked_at = 1",
	    "UPDATE browser_sessions SET expires_at = 1",
	    "UPDATE users SET state = 'suspended' WHERE username = 'chief'"};
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		fresh();
		EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
		const char *args[HTTP_PATH_ARGS];
		char path[] = "/logout";
		struct pair cookie = {"Cookie", b.cookie};
		struct job job = {.headers = {&cookie, 1}};
		struct request rq = {.method = HTTP_POST, .now = clock_now(), .db = db};
		struct gone g = {.rq = &rq};
		rq.route = world_route(HTTP_POST, path, args);
		rq.central = &central;
		rq.http_ = &job;
		EXPECT_INT(browser_load(&rq), 0);
		EXPECT_INT(rq.who.kind, PRINCIPAL_USER);
		EXPECT_INT(store_tx(db, STORE_READ, gone_tx, &g), 0);
		struct sql s = {.text = ends[i]};
		EXPECT_INT(store_tx(db, STORE_WRITE, sql_tx, &s), 0);
		EXPECT_INT(store_tx(db, STORE_READ, gone_tx, &g), -ECANCELED);
		EXPECT_INT(g.error, API_NOT_LOGGED_IN);
	}
}

TEST("I3.1 where to go then is a path of ours, whatever the address says")
{
	static const char *const evil[] = {"//evil.test", "/%5Cevil.test", "%5C%5Cevil.test",
	    "https://evil.test/", "https:evil.test", "javascript:alert(1)", "evil.test", "/a%20b",
	    "/%E2%80%A6", "%2F%2Fevil.test", "/login", "/logout", "", NULL};
	char uri[2048];
	fresh();
	EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
	for (size_t i = 0; evil[i]; i++) {
		snprintf(uri, sizeof(uri), "/login?return=%s", evil[i]);
		EXPECT_INT(browse(&b, HTTP_GET, uri, NULL), 303);
		EXPECT_STR(b.location, "/");
		snprintf(uri, sizeof(uri), "login=chief&password=%s&return=%s", chiefs, evil[i]);
		browse(&b, HTTP_GET, "/", NULL);
		EXPECT_INT(browse(&b, HTTP_POST, "/login", uri), 303);
		EXPECT_STR(b.location, "/");
	}
	/* CR and LF do not even pass as parameters. */
	EXPECT_INT(browse(&b, HTTP_GET, "/login?return=/%0d%0aX:%20y", NULL), 400);
	EXPECT_STR(b.location, "");
	memset(uri, 'a', sizeof(uri));
	memcpy(uri, "/login?return=/", 15);
	uri[14 + 1025] = '\0';
	EXPECT_INT(browse(&b, HTTP_GET, uri, NULL), 303);
	EXPECT_STR(b.location, "/");
	uri[14 + 1024] = '\0';
	EXPECT_INT(browse(&b, HTTP_GET, uri, NULL), 303);
	EXPECT_INT(strlen(b.location), 1024);
	EXPECT_INT(
	    browse(&b, HTTP_GET, "/login?return=%2Fdevice%3Fuser_code%3DWDJB-MJHT", NULL), 303);
	EXPECT_STR(b.location, "/device?user_code=WDJB-MJHT");
	/* Such a path may lead to another origin, which a form's redirect may not. */
	browse(&b, HTTP_GET, "/", NULL);
	EXPECT_INT(browse(&b, HTTP_POST, "/login",
		       "login=chief&password=correct+horse+battery&return=%2Fsso%2Fa%2Fstart"),
	    200);
	EXPECT_STR(b.refresh, "0; url=/sso/a/start");
}

TEST("I3.1 names and parameters are text in a page, whatever they hold")
{
	fresh();
	EXPECT_STR(outcome(HTTP_PATCH, chief.token, "me",
		       json_pack("{ss}", "name", "<script>alert(1)</script> \"&'")),
	    "200");
	EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
	EXPECT(logged_in());
	EXPECT(strstr(b.body, "&lt;script&gt;alert(1)&lt;/script&gt; &quot;&amp;&#39;"));
	EXPECT(!strstr(b.body, "<script"));
	b = (struct browse){0};
	EXPECT_INT(browse(&b, HTTP_GET,
		       "/login?hint=%22%3E%3Cscript%3Ex&return=%2F%22%3E%3Cscript%3E", NULL),
	    200);
	EXPECT(!strstr(b.body, "<script"));
	EXPECT(strstr(b.body, "value=\"&quot;&gt;&lt;script&gt;x\""));
	EXPECT_INT(browse(&b, HTTP_POST, "/login", "login=%3Cb%3E%22x&return=%2F%22onx%3D"), 200);
	EXPECT(strstr(b.body, "&lt;b&gt;&quot;x") && !strstr(b.body, "\"onx"));
}

TEST("I3.1 no page can be framed, runs a script or is kept by a cache")
{
	static const char *const pages[] = {"/", "/login", "/nothing/here"};
	static const char want[] =
	    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
	    "base-uri 'none'; frame-ancestors 'none'";
	fresh();
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		browse(&b, HTTP_GET, pages[i], NULL);
		EXPECT_STR(b.csp, want);
		EXPECT(!strstr(b.body, "<script") && !strstr(b.body, "style=\""));
		EXPECT(!strstr(b.body, " on"
				       "click"));
	}
	EXPECT_INT(browse(&b, HTTP_POST, "/login", "login=x&csrf=y"), 400);
	b.no_csrf = true;
	EXPECT_INT(browse(&b, HTTP_POST, "/login", "login=x"), 403);
	EXPECT_STR(b.csp, want);
}

TEST("I3.1 what goes wrong at a page is told as a page, and in the API as JSON")
{
	fresh();
	EXPECT_INT(browse(&b, HTTP_GET, "/nothing/here", NULL), 404);
	EXPECT(strstr(b.body, "<h1>There is no such page</h1>"));
	EXPECT_STR(b.set_cookie, "");
	EXPECT_INT(browse(&b, HTTP_DELETE, "/login", NULL), 405);
	EXPECT(strstr(b.body, "<!doctype html>"));
	EXPECT_INT(browse(&b, HTTP_GET, "/assets/none.css", NULL), 404);
	EXPECT_INT(browse(&b, HTTP_GET, "/api/v1/me", NULL), 401);
	EXPECT(strstr(b.body, "\"NOT_LOGGED_IN\""));
	b.accept = "*/*";
	EXPECT_INT(browse(&b, HTTP_GET, "/nothing/here", NULL), 404);
	EXPECT(strstr(b.body, "\"NOT_FOUND\""));
	sql("DROP TABLE memberships");
	EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
	log_init("test", 0);
	EXPECT_INT(browse(&b, HTTP_GET, "/", NULL), 500);
	EXPECT(strstr(b.body, "<h1>This did not work</h1>"));
}

TEST("I3.1 the login form counts attempts together with the API, and refuses too many")
{
	char form[128];
	int refused = 0;
	fresh();
	browse(&b, HTTP_GET, "/login", NULL);
	ratelimit_reset(NULL);
	world_limits = true;
	for (int i = 0; i < 60; i++) {
		snprintf(form, sizeof(form), "login=chief&password=wrong+horse+%d", i);
		int status = browse(&b, HTTP_POST, "/login", form);
		EXPECT(status == 403 || status == 429);
		refused += status == 429;
	}
	EXPECT(refused > 40);
	EXPECT(b.retry_after > 0);
	EXPECT(strstr(b.body, "Too many attempts: wait"));
	EXPECT_STR(outcome(HTTP_POST, NULL, "sessions",
		       json_pack("{ss,ss}", "login", "chief", "password", "correct horse battery")),
	    "TOO_MANY_REQUESTS");
	EXPECT(!logged_in());
}

TEST("I3.1 connections that a link names are offered, enabled ones only")
{
	fresh();
	sql("INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer,"
	    " default_role_id, created_at, created_by, updated_at) SELECT 5, o.id, 'acme',"
	    " 'ACME <Labs>', 'oidc', 1, 'https://idp.test', r.id, 1, u.id, 1 FROM organizations o,"
	    " users u, roles r WHERE r.slug = 'member' AND r.scope = 'organization'");
	EXPECT_INT(browse(&b, HTTP_GET, "/login?connection=acme&return=/device", NULL), 200);
	EXPECT(strstr(b.body, "href=\"/sso/acme/start?return=%2Fdevice\">Log in with ACME "
			      "&lt;Labs&gt; <small>at idp.test</small></a>"));
	EXPECT_INT(browse(&b, HTTP_GET, "/login?org=default", NULL), 200);
	EXPECT(strstr(b.body, "/sso/acme/start"));
	EXPECT_INT(browse(&b, HTTP_GET, "/login?connection=none", NULL), 200);
	EXPECT(!strstr(b.body, "/sso/"));
	sql("UPDATE sso_connections SET enabled = 0");
	EXPECT_INT(browse(&b, HTTP_GET, "/login?connection=acme", NULL), 200);
	EXPECT(!strstr(b.body, "/sso/"));
}

/* Enabled connections "NAME1" and on, of an organization "NAME". */
static void connections(int id, const char *name, int n)
{
	char text[1024];

	snprintf(text, sizeof(text),
	    "INSERT INTO organizations (id, slug, name, state, created_at) VALUES (%d, '%s', '%s',"
	    " 'active', 1)",
	    id, name, name);
	sql(text);
	for (int i = 1; i <= n; i++) {
		snprintf(text, sizeof(text),
		    "INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled,"
		    " issuer, default_role_id, created_at, created_by, updated_at) SELECT %d, %d,"
		    " '%s%d', '%s', 'oidc', 1, 'https://idp.test', r.id, 1, u.id, 1 FROM users u,"
		    " roles r WHERE r.slug = 'member' AND r.scope = 'organization'",
		    id * 10 + i, id, name, i, name);
		sql(text);
	}
}

/* A pending code, WDJB-MJHT, of a host that serves a project of the organization 60. */
static void host_code(void)
{
	char hash[65], text[1024];

	sha256_hex("WDJBMJHT", 8, hash);
	sql("INSERT INTO projects (id, organization_id, slug, name, state, contact, gid_rw, gid_ro,"
	    " created_by, created_at) SELECT 901, 60, 'p', 'P', 'active', '', 990001, 990002, id, 1"
	    " FROM users WHERE username = 'chief'");
	sql("INSERT INTO hosts (id, organization_id, name, public_key, hostname, address,"
	    " ssh_host_keys, state, manifest, enrolled_at, last_seen) VALUES (903, 60, 'gpu', 'k',"
	    " '', '', '[]', 'enrolled', 1, 1, 1)");
	sql("INSERT INTO host_projects VALUES (903, 901)");
	snprintf(text, sizeof(text),
	    "INSERT INTO device_codes (id, device_hash, user_hash, host_id, user_id, username,"
	    " nonce, state, interval_s, created_at, expires_at) SELECT 904, 'd', '%s', 903, id,"
	    " username, '%064d', 'pending', 5, 1, 9000000000 FROM users WHERE username = 'chief'",
	    hash, 0);
	sql(text);
}

static const char of_code[] = "/login?return=%2Fdevice%3Fuser_code%3DWDJB-MJHT";
static const char of_other[] = "/login?return=%2Fdevice%3Fuser_code%3DWDJB-MJHX";

TEST("S3.17 coming with a host's code, a person is offered the logins of its organizations")
{
	static const char way[] =
	    "href=\"/sso/acme1/start?return=%2Fdevice%3Fuser_code%3DWDJB-MJHT\">Log in with "
	    "acme <small>at idp.test</small></a>";
	static const char field[] = "id=\"login\"";
	fresh();
	connections(60, "acme", 2);
	connections(61, "other", 6);
	host_code();
	EXPECT_INT(browse(&b, HTTP_GET, "/device?user_code=wdjbmjht", NULL), 303);
	EXPECT_STR(b.location, of_code);
	EXPECT_INT(browse(&b, HTTP_GET, of_code, NULL), 200);
	EXPECT(strstr(b.body, way) && strstr(b.body, "/sso/acme2/start"));
	EXPECT(strstr(b.body, way) < strstr(b.body, field));
	EXPECT(!strstr(b.body, "/sso/other"));
	/* At the second step as well, and when the password was wrong. */
	EXPECT_INT(
	    browse(&b, HTTP_POST, "/login", "login=chief&return=%2Fdevice%3Fuser_code%3DWDJB-MJHT"),
	    200);
	EXPECT(strstr(b.body, way) && strstr(b.body, "Prism password (not your institution's)"));
	EXPECT(strstr(b.body, "href=\"/login?return=%2Fdevice%3Fuser_code%3DWDJB-MJHT\""));
	EXPECT_INT(browse(&b, HTTP_POST, "/login",
		       "login=chief&password=no&return=%2Fdevice%3Fuser_code%3DWDJB-MJHT"),
	    403);
	EXPECT(strstr(b.body, way));
	static const char *const ends[] = {"UPDATE device_codes SET expires_at = 1",
	    "UPDATE device_codes SET expires_at = 9000000000, state = 'denied'",
	    "UPDATE device_codes SET state = 'pending', host_id = 0",
	    "UPDATE sso_connections SET enabled = 0 WHERE organization_id = 60"};
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		sql(ends[i]);
		browse(&b, HTTP_GET, of_code, NULL);
		EXPECT(!strstr(b.body, "/sso/"));
	}
}

TEST("S3.17 a code that is not there gives the page of any other, and guessing ends")
{
	char unknown[HTML_MAX];
	fresh();
	connections(60, "acme", 1);
	connections(61, "other", 5);
	host_code();
	EXPECT_INT(browse(&b, HTTP_GET, of_other, NULL), 200);
	EXPECT(!strstr(b.body, "/sso/"));
	memcpy(unknown, b.body, sizeof(unknown));
	EXPECT_INT(browse(&b, HTTP_GET, of_code, NULL), 200);
	EXPECT(strstr(b.body, "/sso/acme1/start"));
	ratelimit_reset(NULL);
	world_limits = true;
	for (int i = 0; i < 200; i++)
		browse(&b, HTTP_GET, of_other, NULL);
	EXPECT_INT(browse(&b, HTTP_GET, of_code, NULL), 200);
	EXPECT(!strstr(b.body, "/sso/"));
	EXPECT_INT(strlen(unknown), strlen(b.body));
	world_limits = false;
}

TEST("S3.17 without a hint the login page offers all connections, where they are few")
{
	fresh();
	EXPECT_INT(browse(&b, HTTP_GET, "/login", NULL), 200);
	EXPECT(!strstr(b.body, "<nav"));
	connections(60, "acme", 5);
	EXPECT_INT(browse(&b, HTTP_GET, "/login", NULL), 200);
	EXPECT(strstr(b.body, "/sso/acme1/start") && strstr(b.body, "/sso/acme5/start"));
	connections(61, "other", 1);
	EXPECT_INT(browse(&b, HTTP_GET, "/login", NULL), 200);
	EXPECT(!strstr(b.body, "/sso/"));
	sql("UPDATE sso_connections SET enabled = 0 WHERE organization_id = 61");
	EXPECT_INT(browse(&b, HTTP_GET, "/login", NULL), 200);
	EXPECT(strstr(b.body, "/sso/acme5/start") && !strstr(b.body, "/sso/other1"));
}

TEST("I3.1 blanks around a name do not count")
{
	fresh();
	browse(&b, HTTP_GET, "/login", NULL);
	EXPECT_INT(browse(&b, HTTP_POST, "/login", "login=++chief+"), 200);
	EXPECT(strstr(b.body, "value=\"chief\" readonly"));
	EXPECT_INT(browse(&b, HTTP_POST, "/login", "login=++"), 400);
	EXPECT_INT(
	    browse(&b, HTTP_POST, "/login", "login=+chief+&password=correct+horse+battery"), 303);
	EXPECT(logged_in());
}

TEST("S3.17 an address of a proven domain is taken to its provider, others are asked a password")
{
	fresh();
	sql("INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer,"
	    " default_role_id, created_at, created_by, updated_at) SELECT 5, o.id, 'acme',"
	    " 'ACME', 'oidc', 1, 'https://idp.test', r.id, 1, u.id, 1 FROM organizations o,"
	    " users u, roles r WHERE r.slug = 'member' AND r.scope = 'organization'");
	sql("INSERT INTO sso_domains (id, organization_id, connection_id, domain, challenge,"
	    " proven_at, created_at, created_by) SELECT 6, organization_id, id, 'acme.test', 'x',"
	    " 1, 1, created_by FROM sso_connections");
	browse(&b, HTTP_GET, "/login", NULL);
	EXPECT_INT(browse(&b, HTTP_POST, "/login", "login=Ann%40ACME.test&return=/device"), 200);
	EXPECT_STR(b.refresh, "0; url=/sso/acme/start?return=%2Fdevice");
	EXPECT(strstr(b.body, "href=\"/sso/acme/start?return=%2Fdevice\""));
	EXPECT_INT(browse(&b, HTTP_POST, "/login", "login=ann%40other.test"), 200);
	EXPECT_STR(b.refresh, "");
	EXPECT(strstr(b.body, "type=\"password\""));
	EXPECT_INT(browse(&b, HTTP_POST, "/login", "login=ann"), 200);
	EXPECT(strstr(b.body, "type=\"password\""));
	sql("UPDATE sso_domains SET proven_at = 0");
	EXPECT_INT(browse(&b, HTTP_POST, "/login", "login=ann%40acme.test"), 200);
	EXPECT_STR(b.refresh, "");
}

TEST("S3.17 whoever must log in at an institution is shown the way there, after the right password")
{
	fresh();
	EXPECT_STR(outcome(HTTP_POST, chief.token, "users",
		       json_pack("{ss,ss,ss}", "username", "ann", "email", "ann@acme.test",
			   "password", "ann likes tea a lot")),
	    "201");
	sql("INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer,"
	    " default_role_id, enforce_sso, created_at, created_by, updated_at) SELECT 5, o.id,"
	    " 'acme', 'ACME', 'oidc', 1, 'https://idp.test', r.id, 1, 1, u.id, 1 FROM"
	    " organizations o, users u, roles r WHERE r.slug = 'member' AND r.scope ="
	    " 'organization' AND u.username = 'chief'");
	sql("INSERT INTO sso_identities (id, organization_id, connection_id, issuer, subject,"
	    " user_id, created_at) SELECT 6, c.organization_id, c.id, c.issuer, 'ann', u.id, 1"
	    " FROM sso_connections c, users u WHERE c.id = 5 AND u.username = 'ann'");
	EXPECT_INT(browse_login(&b, "ann", "ann+likes+coffee+a+lot"), 403);
	EXPECT(strstr(b.body, "Wrong username or password"));
	EXPECT_INT(browse_login(&b, "ann", "ann+likes+tea+a+lot"), 403);
	EXPECT(strstr(b.body, "href=\"/sso/acme/start?return=%2F\""));
	EXPECT_STR(b.set_cookie, "");
	EXPECT(!logged_in());
	/* Superadmins must be able to mend it. */
	EXPECT_INT(browse_login(&b, "chief", chiefs), 303);
	EXPECT(logged_in());
}

TEST("I3.1 the style sheet has its hash for a name and may be kept for ever")
{
	fresh();
	browse(&b, HTTP_GET, "/login", NULL);
	EXPECT(strstr(b.body, asset_style));
	EXPECT_INT(browse(&b, HTTP_GET, asset_style, NULL), 200);
	EXPECT_STR(b.type, "text/css; charset=utf-8");
	EXPECT_STR(b.set_cookie, "");
}

TEST("I3.1 a Cookie header is read strictly")
{
	static const struct {
		const char *header, *value;
		int r;
	} table[] = {
	    {"a=1", "1", 0},
	    {"a=1; b=2", "1", 0},
	    {"b=2; a=1", "1", 0},
	    {"b=2;a=1 ; c=3", "1", 0},
	    {"a=", "", 0},
	    {"a=b=c", "b=c", 0},
	    {"", "", -ENOENT},
	    {"aa=1; ba=2; A=3; a", "", -ENOENT},
	    {"b=\"a=1\"", "", -ENOENT},
	    {"a=1; a=1", "", -EBADMSG},
	    {"a=1; a=2", "", -EBADMSG},
	    {"a=\"1\"", "", -EBADMSG},
	    {"a=1 2", "", -EBADMSG},
	    {"a=1,2", "", -EBADMSG},
	    {"a=12345678", "", -EBADMSG},
	    {";;; a=1;;", "1", 0},
	};
	char out[8];
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		out[0] = '\0';
		EXPECT_INT(cookie_value(table[i].header, "a", out, sizeof(out)), table[i].r);
		EXPECT_STR(out, table[i].value);
	}
}

TEST("I3.1 html_put() escapes by its letters")
{
	_cleanup_buf_ struct buf out = BUF_INIT(512);
	html_put(&out, "%s|%r|%i|%u|%%|%t|%t", "<&>\"'", "<b>", (int64_t)-7, "a b/ü&<", (int64_t)0,
	    (int64_t)1777798800);
	EXPECT_STR(buf_str(&out),
	    "&lt;&amp;&gt;&quot;&#39;|<b>|-7|a%20b%2F%C3%BC%26%3C|%|never|"
	    "<time datetime=\"2026-05-03T09:00:00Z\">2026-05-03 09:00 UTC</time>");
}

TEST_MAIN()
