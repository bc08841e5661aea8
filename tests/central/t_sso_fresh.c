/* SPDX-License-Identifier: MIT */

/* How fresh a login is, and its end. */
#include "base/encode.h"
#include "base/wire.h"
#include "feed/feed.h"
#include "prism-central/secrets.h"
#include "sso_stage.h"

TEST("I3.4 freshness is the latest login by an enabled connection of the organization")
{
	stage();
	int64_t now = clock_now();
	struct said s = {.subject = "a", .link = alice.id, .auth_at = now - 500};
	login(s);
	EXPECT_INT(freshness(alice.id), now - 500);
	s.auth_at = now - 900;
	login(s);
	EXPECT_INT(freshness(alice.id), now - 500);
	s.auth_at = now - 100;
	login(s);
	EXPECT_INT(freshness(alice.id), now - 100);
	s.auth_at = now + 86400;
	login(s);
	EXPECT(freshness(alice.id) <= clock_now());
	sql("UPDATE sso_connections SET enabled = 0");
	EXPECT_INT(freshness(alice.id), 0);
	EXPECT_INT(freshness(chief.id), 0);
}

struct look {
	const char *project;
	int64_t uid, sso_at, revision;
	uint32_t max_age;
};

static const char sql_slug[] = "SELECT id FROM projects WHERE slug = $1";

static int look_tx(struct tx *t, void *arg)
{
	struct look *l = arg;
	_cleanup_buf_ struct buf b = BUF_INIT(1u << 20);
	_cleanup_rows_ struct rows *rows = NULL;
	struct feed_record r;
	struct feed_member m;
	struct feed_project p;
	int n = tx_query(t, sql_slug, "s", &rows, l->project);

	if (n < 0 || rows_next(rows) <= 0)
		return -ENOENT;
	int64_t id = row_int(rows, 0);
	if (feed_revision(t, id, &l->revision) < 0 || feed_records_read(t, id, 0, &b) < 0)
		return -EIO;
	struct wire w;
	wire_init(&w, b.data, b.len);
	while ((n = feed_next(&w, &r)) > 0) {
		if (r.type == FEED_MEMBER && r.subject == l->uid && !feed_parse_member(&r, &m))
			l->sso_at = m.sso_at;
		if (r.type == FEED_PROJECT && !feed_parse_project(&r, &p))
			l->max_age = p.sso_max_age;
	}
	return n;
}

static struct look look(const char *slug, const struct person *who)
{
	struct look l = {.project = slug, .uid = who->uid, .sso_at = -1};

	EXPECT_INT(store_tx(db, STORE_READ, look_tx, &l), 0);
	return l;
}

static void set_age(const char *slug, int age)
{
	char path[64];

	snprintf(path, sizeof(path), "projects/%s", slug);
	EXPECT_STR(outcome(HTTP_PATCH, chief.token, path,
		       json_pack("{so}", "sso_max_age", age ? json_integer(age) : json_null())),
	    "200");
}

TEST("I3.4 hosts learn of logins where a project asks for them, and nowhere else")
{
	stage();
	int64_t now = clock_now();
	struct said s = {.subject = "a", .link = alice.id, .auth_at = now - 1000};
	static const char *const slugs[] = {"strict", "lax", "foreign"};
	for (size_t i = 0; i < ARRAY_SIZE(slugs); i++) {
		EXPECT_STR(outcome(HTTP_POST, chief.token, "projects",
			       json_pack("{ss, ss}", "slug", slugs[i], "organization",
				   i == 2 ? "other" : "acme")),
		    "201");
		join(&chief, slugs[i], &alice, "member");
	}
	set_age("strict", 3600);
	set_age("foreign", 3600);
	EXPECT_INT(look("strict", &alice).max_age, 3600);
	EXPECT_INT(look("strict", &alice).sso_at, 0);
	int64_t lax = look("lax", &alice).revision, foreign = look("foreign", &alice).revision;
	login(s);
	EXPECT_INT(look("strict", &alice).sso_at, now - 1000);
	EXPECT_INT(look("strict", &chief).sso_at, 0);
	EXPECT_INT(look("lax", &alice).revision, lax);
	EXPECT_INT(look("lax", &alice).sso_at, 0);
	/* another organization's login counts for nothing */
	EXPECT_INT(look("foreign", &alice).revision, foreign);
	EXPECT_INT(look("foreign", &alice).sso_at, 0);
	/* the same answer again is no change */
	int64_t strict = look("strict", &alice).revision;
	login(s);
	EXPECT_INT(look("strict", &alice).revision, strict);
	set_age("lax", 60);
	EXPECT_INT(look("lax", &alice).sso_at, now - 1000);
	set_age("lax", 0);
	EXPECT_INT(look("lax", &alice).sso_at, 0);
	EXPECT_INT(look("lax", &alice).max_age, 0);
	EXPECT_INT(end_identity(sql_int("SELECT id FROM sso_identities")), 0);
	EXPECT_INT(look("strict", &alice).sso_at, 0);
}

TEST("I3.4 a connection that is disabled takes its freshness along")
{
	stage();
	static const char path[] = "organizations/acme/sso-connections/acme-idp";
	EXPECT_STR(outcome(HTTP_POST, chief.token, "projects",
		       json_pack("{ss, ss, si}", "slug", "strict", "organization", "acme",
			   "sso_max_age", 3600)),
	    "201");
	join(&chief, "strict", &alice, "member");
	login((struct said){.subject = "a", .link = alice.id});
	EXPECT(look("strict", &alice).sso_at > 0);
	EXPECT_STR(
	    outcome(HTTP_PATCH, chief.token, path, json_pack("{sb}", "enabled", 0)), "CONFLICT");
	EXPECT(look("strict", &alice).sso_at > 0);
	EXPECT_STR(
	    outcome(HTTP_PATCH, chief.token, path, json_pack("{sb, sb}", "enabled", 0, "force", 1)),
	    "200");
	EXPECT_INT(look("strict", &alice).sso_at, 0);
	EXPECT_STR(outcome(HTTP_PATCH, chief.token, path, json_pack("{sb}", "enabled", 1)), "200");
	EXPECT(look("strict", &alice).sso_at > 0);
	EXPECT_STR(outcome(HTTP_DELETE, chief.token, path, NULL), "CONFLICT");
}

TEST("I3.4 an unlinked login takes its freshness along")
{
	stage();
	EXPECT_STR(outcome(HTTP_POST, chief.token, "projects",
		       json_pack("{ss, ss, si}", "slug", "strict", "organization", "acme",
			   "sso_max_age", 3600)),
	    "201");
	join(&chief, "strict", &alice, "member");
	sql("UPDATE users SET password = 'x'");
	struct sso_result r = login((struct said){.subject = "a", .link = alice.id});
	char path[64];
	snprintf(path, sizeof(path), "me/identities/%lld", (long long)r.identity);
	EXPECT_STR(outcome(HTTP_DELETE, chief.token, path, NULL), "NOT_FOUND");
	EXPECT_STR(outcome(HTTP_DELETE, alice.token, path, NULL), "204");
	EXPECT_INT(look("strict", &alice).sso_at, 0);
	EXPECT_INT(identities(), 0);
}

TEST("I3.4 the end of a login ends what it opened, and its freshness")
{
	stage();
	struct sso_result r = login((struct said){.subject = "a", .link = alice.id});
	sql("UPDATE sessions SET identity_id = (SELECT id FROM sso_identities) WHERE user_id ="
	    " (SELECT id FROM users WHERE username = 'alice')");
	sql("INSERT INTO browser_sessions (id, token_hash, user_id, identity_id, auth_at, peer,"
	    " created_at, expires_at) SELECT 1, 'x', user_id, id, 1, '', 1, 9999999999 FROM"
	    " sso_identities");
	sql("INSERT INTO device_codes (id, device_hash, user_hash, state, interval_s, identity_id,"
	    " created_at, expires_at) SELECT 1, 'x', 'x', 'approved', 5, id, 1, 9999999999 FROM"
	    " sso_identities");
	EXPECT_STR(outcome(HTTP_GET, alice.token, "me", NULL), "200");
	EXPECT_INT(end_identity(r.identity), 0);
	EXPECT_STR(outcome(HTTP_GET, alice.token, "me", NULL), "NOT_LOGGED_IN");
	EXPECT_STR(outcome(HTTP_GET, chief.token, "me", NULL), "200");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM browser_sessions WHERE revoked_at > 0"), 1);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM device_codes WHERE state = 'denied'"), 1);
	EXPECT_INT(freshness(alice.id), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'sso.end'"), 1);
	EXPECT_INT(end_identity(12345), -ENOENT);
	/* and a login begins it again */
	login((struct said){.subject = "a"});
	EXPECT(freshness(alice.id) > 0);
}

/* ---- the refresh token ----------------------------------------------------------------------- */

static struct secrets keyring(void)
{
	struct secrets s = {.columns = secret_columns};
	uint8_t raw[32] = {9};
	char text[64], line[80], why[200];

	base64_encode(raw, sizeof(raw), text);
	snprintf(line, sizeof(line), "k1 %s\n", text);
	EXPECT_INT(
	    master_keys_parse(MASTER_KEYS_LINES, line, strlen(line), &s.keys, why, sizeof(why)), 0);
	return s;
}

TEST("S3.19 a refresh token is sealed, and without a master key not kept")
{
	stage();
	central.config.sso_refresh = 900;
	login((struct said){.subject = "a", .refresh = "rt-in-plain-sight"});
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_identities WHERE refresh_token IS NULL"), 1);
	struct secrets s = keyring();
	central.secrets = &s;
	login((struct said){.subject = "a", .refresh = "rt-in-plain-sight"});
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_identities WHERE refresh_token LIKE 'v1.%'"
			   " AND refresh_due > 0"),
	    1);
	EXPECT_INT(
	    sql_int("SELECT COUNT(*) FROM sso_identities WHERE refresh_token LIKE '%rt-%'"), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE detail LIKE '%rt-in%'"), 0);
	/* an answer without one leaves it; the end takes it away */
	login((struct said){.subject = "a"});
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_identities WHERE refresh_due > 0"), 1);
	EXPECT_INT(end_identity(sql_int("SELECT id FROM sso_identities")), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_identities WHERE refresh_token IS NULL AND"
			   " refresh_due = 0"),
	    1);
	central.secrets = NULL;
	secrets_close(&s);
}

TEST_MAIN()
