/* SPDX-License-Identifier: MIT */

/* Who is who after a login through an institution: every outcome, and what comes of it. */
#include <errno.h>
#include "base/attr.h"
#include "base/encode.h"
#include "base/wire.h"
#include "feed/feed.h"
#include "prism-central/organization.h"
#include "prism-central/secrets.h"
#include "prism-central/sso.h"
#include "world.h"

#define ISSUER "https://idp.acme.com"

static struct person alice;
static int64_t acme, other; /* connections of two organizations */

/* ---- the stage ------------------------------------------------------------------------------- */

static struct request request(void)
{
	struct request rq = {.peer = "192.0.2.7", .id = "test", .central = &central};

	rq.now = clock_now() + world_skew;
	rq.db = db;
	return rq;
}

static const char sql_connection[] =
    "INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer,"
    " client_id, auto_provision, default_role_id, allowed_roles, created_at, created_by,"
    " updated_at) VALUES ($1, $2, $3, $3, 'oidc', 1, $4, 'prism', 1, 13, '[\"admin\"]', 1, $5, 1)";
static const char sql_domain[] =
    "INSERT INTO sso_domains (id, organization_id, connection_id, domain, challenge, proven_at,"
    " created_at, created_by) VALUES ($1, $2, $3, $4, 'x', 1, 1, $5)";

struct made {
	const char *org, *slug, *domain;
	int64_t id;
};

static int make_tx(struct tx *t, void *arg)
{
	struct made *m = arg;
	int64_t org;
	int r = organization_create(t, m->org, m->org, 1, &org);

	m->id = store_new_id();
	if (!r)
		r = tx_exec(t, sql_connection, "iissi", m->id, org, m->slug, ISSUER, chief.id);
	if (!r && m->domain)
		r = tx_exec(
		    t, sql_domain, "iiisi", store_new_id(), org, m->id, m->domain, chief.id);
	return r;
}

static int64_t make(const char *org, const char *slug, const char *domain)
{
	struct made m = {.org = org, .slug = slug, .domain = domain};

	EXPECT_INT(store_tx(db, STORE_WRITE, make_tx, &m), 0);
	return m.id;
}

/* Two organizations that name the same issuer; acme has proven acme.com. */
static void stage(void)
{
	world();
	alice = person("alice");
	sql("UPDATE emails SET address = 'Alice@acme.com', canonical = 'alice@acme.com'"
	    " WHERE canonical = 'alice@uni.edu'");
	snprintf(alice.email, sizeof(alice.email), "Alice@acme.com");
	acme = make("acme", "acme-idp", "acme.com");
	other = make("other", "other-idp", NULL);
}

struct said {
	int64_t connection;
	const char *subject, *email;
	bool verified;
	const char *name, *username, *role, *refresh;
	int64_t auth_at; /* 0: now */
	int64_t link;
};

struct login {
	struct sso_assertion a;
	int64_t link;
	struct sso_result out;
};

static int login_tx(struct tx *t, void *arg)
{
	struct login *l = arg;
	struct request rq = request();

	return sso_login(t, &rq, &l->a, l->link, &l->out);
}

static struct sso_result login(struct said s)
{
	struct login l = {.a = {.connection = s.connection ? s.connection : acme}, .link = s.link};

	snprintf(l.a.issuer, sizeof(l.a.issuer), ISSUER);
	snprintf(l.a.subject, sizeof(l.a.subject), "%s", s.subject);
	snprintf(l.a.email, sizeof(l.a.email), "%s", s.email ? s.email : "");
	snprintf(l.a.name, sizeof(l.a.name), "%s", s.name ? s.name : "");
	snprintf(l.a.username, sizeof(l.a.username), "%s", s.username ? s.username : "");
	snprintf(l.a.role, sizeof(l.a.role), "%s", s.role ? s.role : "");
	l.a.email_verified = s.verified;
	l.a.auth_at = s.auth_at ? s.auth_at : clock_now() + world_skew;
	l.a.refresh_token = s.refresh ? strdup(s.refresh) : NULL;
	int r = store_tx(db, STORE_WRITE, login_tx, &l);
	sso_assertion_clear(&l.a);
	EXPECT_INT(r, 0);
	return l.out;
}

static const char *const words[] = {"?", "done", "address taken", "not provisioned", "suspended",
    "other person", "disabled", "too many"};

static const char *said(struct said s)
{
	struct sso_result r = login(s);

	return words[r.outcome];
}

struct asked {
	int64_t org, user, value;
	const char *email, *slug;
	char found[SLUG_MAX + 1];
	int (*fn)(struct tx *t, struct asked *a);
};

static int ask_tx(struct tx *t, void *arg)
{
	struct asked *a = arg;

	return a->fn(t, a);
}

static int fresh_fn(struct tx *t, struct asked *a)
{
	return sso_freshness(t, a->org, a->user, &a->value);
}

static int64_t freshness(int64_t user)
{
	struct asked a = {.fn = fresh_fn, .user = user};

	a.org = sql_int("SELECT id FROM organizations WHERE slug = 'acme'");
	EXPECT_INT(store_tx(db, STORE_READ, ask_tx, &a), 0);
	return a.value;
}

static int enforced_fn(struct tx *t, struct asked *a)
{
	a->value =
	    a->email ? sso_enforced_for(t, a->email, a->found) : sso_enforced(t, a->user, a->found);
	return a->value < 0 ? (int)a->value : 0;
}

static const char *enforced(int64_t user, const char *email)
{
	static struct asked a;

	a = (struct asked){.fn = enforced_fn, .user = user, .email = email};
	EXPECT_INT(store_tx(db, STORE_READ, ask_tx, &a), 0);
	return a.value ? a.found : "no";
}

static int discover_fn(struct tx *t, struct asked *a)
{
	int r = sso_discover(t, a->email, a->found);

	a->value = r;
	return r == -ENOENT ? 0 : r;
}

static const char *discover(const char *email)
{
	static struct asked a;

	a = (struct asked){.fn = discover_fn, .email = email};
	EXPECT_INT(store_tx(db, STORE_READ, ask_tx, &a), 0);
	return a.value ? "none" : a.found;
}

static int end_fn(struct tx *t, struct asked *a)
{
	struct request rq = request();

	return sso_end(t, &rq, a->value, "logout");
}

static int end_identity(int64_t identity)
{
	struct asked a = {.fn = end_fn, .value = identity};

	return store_tx(db, STORE_WRITE, ask_tx, &a);
}

static int64_t identities(void)
{
	return sql_int("SELECT COUNT(*) FROM sso_identities");
}

static int64_t people(void)
{
	return sql_int("SELECT COUNT(*) FROM users");
}

/* ---- a first login --------------------------------------------------------------------------- */

TEST("S3.17 a first login makes the account once, by (connection, issuer, subject)")
{
	stage();
	int64_t before = people();
	struct sso_result r = login((struct said){
	    .subject = "s1", .email = "Bo@acme.com", .verified = true, .name = "Bo Ek"});
	EXPECT_INT(r.outcome, SSO_DONE);
	EXPECT(r.created && r.identity > 0);
	EXPECT_STR(r.user.username, "bo");
	EXPECT_STR(r.user.name, "Bo Ek");
	EXPECT_STR(r.user.email, "Bo@acme.com");
	EXPECT(!r.user.superadmin && !r.user.has_password);
	struct sso_result again = login((struct said){.subject = "s1", .email = "new@name.org"});
	EXPECT_INT(again.outcome, SSO_DONE);
	EXPECT(!again.created && again.identity == r.identity && again.user.id == r.user.id);
	EXPECT_STR(again.user.email, "Bo@acme.com");
	EXPECT_INT(people(), before + 1);
	EXPECT_INT(identities(), 1);
}

static int64_t still;

static int64_t stand_still(void)
{
	return still;
}

TEST("S3.17 a provider that names people without end does not use up the ids")
{
	stage();
	still = 1000000;
	ratelimit_reset(stand_still);
	EXPECT_STR(said((struct said){.subject = "first"}), "done");
	int64_t org = sql_int("SELECT id FROM organizations WHERE slug = 'acme'");
	char key[24];
	snprintf(key, sizeof(key), "%lld", (long long)org);
	for (int i = 0; i < 1999; i++)
		EXPECT_INT(ratelimit_take(RATELIMIT_NEW_ORG, key), 0);
	int64_t before = people();
	EXPECT_STR(said((struct said){.subject = "one too many"}), "too many");
	EXPECT_INT(people(), before);
	/* who has an account gets in, and other organizations have their own limit */
	EXPECT_STR(said((struct said){.subject = "first"}), "done");
	EXPECT_STR(said((struct said){.connection = other, .subject = "x"}), "done");
	still += 5000;
	EXPECT_STR(said((struct said){.subject = "one too many"}), "done");
	ratelimit_reset(NULL);
}

TEST("S3.17 a new account has the address only where it is proven")
{
	static const struct said unproven[] = {
	    {.subject = "a", .email = "a@acme.com"},
	    {.subject = "b", .email = "b@elsewhere.org", .verified = true},
	    {.subject = "c", .email = "c@sub.acme.com", .verified = true},
	    {.subject = "d", .email = "d@notacme.com", .verified = true},
	    {.subject = "e", .email = "not an address", .verified = true},
	    {.subject = "f"},
	};
	stage();
	for (size_t i = 0; i < ARRAY_SIZE(unproven); i++) {
		struct sso_result r = login(unproven[i]);
		EXPECT_INT(r.outcome, SSO_DONE);
		EXPECT(r.created);
		EXPECT_STR(r.user.email, "");
	}
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM emails"), 2);
	struct sso_result r =
	    login((struct said){.subject = "g", .email = "g@acme.com", .verified = true});
	EXPECT_STR(r.user.email, "g@acme.com");
}

TEST("S3.17 the username is the mapped one, or made from what else is known")
{
	static const struct {
		struct said said;
		const char *want;
	} cases[] = {
	    {{.subject = "1", .username = "bea", .email = "x@acme.com"}, "bea"},
	    {{.subject = "2", .username = "bea", .email = "bea.two@acme.com"}, "bea-two"},
	    {{.subject = "3", .username = "root", .email = "rut@acme.com"}, "rut"},
	    {{.subject = "4", .username = "Bea Q", .email = "beaq@acme.com"}, "beaq"},
	    {{.subject = "5", .name = "Cy Dee"}, "cydee"},
	    {{.subject = "zed9"}, "zed9"},
	    {{.subject = "123"}, "person"},
	    {{.subject = "456"}, "person2"},
	    {{.subject = "7", .name = "Root", .username = "p-lab"}, "root2"},
	};
	stage();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sso_result r = login(cases[i].said);
		EXPECT_INT(r.outcome, SSO_DONE);
		EXPECT_STR(r.user.username, cases[i].want);
		EXPECT(username_valid(r.user.username) && gecos_valid(r.user.name));
		EXPECT(!r.user.superadmin);
	}
	struct sso_result r = login((struct said){.subject = "8", .name = "a:b\nc"});
	EXPECT_STR(r.user.name, r.user.username);
}

TEST("S3.2 a first login joins the organization with the default role, once")
{
	stage();
	struct sso_result r = login((struct said){.subject = "s1"});
	EXPECT_INT(r.outcome, SSO_DONE);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM organization_members m JOIN organizations o ON"
			   " o.id = m.organization_id WHERE o.slug = 'acme' AND m.role_id = 13"),
	    1);
	sql("DELETE FROM organization_members WHERE role_id = 13");
	login((struct said){.subject = "s1"});
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM organization_members WHERE role_id = 13"), 0);
}

TEST("S3.16 allowed_roles: a claim gives those, and nothing else")
{
	static const struct {
		const char *claim;
		int64_t role;
	} cases[] = {{"admin", 12}, {"owner", 13}, {"member", 13}, {"nonsense", 13}, {"", 13}};
	char subject[8];

	stage();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(subject, sizeof(subject), "s%zu", i);
		struct sso_result r =
		    login((struct said){.subject = subject, .role = cases[i].claim});
		EXPECT_INT(r.outcome, SSO_DONE);
		EXPECT_INT(sql_int("SELECT role_id FROM organization_members WHERE created_at > 1"
				   " ORDER BY user_id DESC LIMIT 1"),
		    cases[i].role);
	}
	/* a claim changes no role that somebody has already */
	sql("UPDATE organization_members SET role_id = 11");
	login((struct said){.subject = "s1", .role = "admin"});
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM organization_members WHERE role_id <> 11"), 0);
}

static int64_t with_address(const char *address)
{
	char text[256];

	snprintf(text, sizeof(text), "SELECT COUNT(*) FROM emails WHERE canonical = '%s'", address);
	return sql_int(text);
}

TEST("S3.18 an account without an address gets it at a login after the domain was proven")
{
	stage();
	struct said s = {.subject = "bo", .email = "Bo@acme.com", .verified = true};
	sql("UPDATE sso_domains SET proven_at = 0");
	struct sso_result r = login(s);
	EXPECT(r.outcome == SSO_DONE && r.created);
	EXPECT_STR(login(s).user.email, "");
	sql("UPDATE sso_domains SET proven_at = 5");
	/* not what the provider has not verified, or of a domain that is not proven */
	s.verified = false;
	login(s);
	login((struct said){.subject = "bo", .email = "bo@uni.edu", .verified = true});
	EXPECT_INT(with_address("bo@acme.com") + with_address("bo@uni.edu"), 0);
	/* nor somebody else's */
	login((struct said){.subject = "bo", .email = "alice@acme.com", .verified = true});
	EXPECT_INT(with_address("alice@acme.com"), 1);
	/* nor a superadmin's account */
	sql("UPDATE users SET superadmin = 1 WHERE username = 'bo'");
	s.verified = true;
	login(s);
	EXPECT_INT(with_address("bo@acme.com"), 0);
	sql("UPDATE users SET superadmin = 0 WHERE username = 'bo'");
	EXPECT_STR(login(s).user.email, "Bo@acme.com");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM emails e JOIN users u ON u.id = e.user_id WHERE"
			   " u.username = 'bo' AND e.main = 1 AND e.verified_at > 0"),
	    1);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'user.email-add'"), 1);
	/* once: another one does not take its place */
	login((struct said){.subject = "bo", .email = "bo2@acme.com", .verified = true});
	EXPECT_INT(with_address("bo2@acme.com"), 0);
}

TEST("S3.17 the owner is told why a login was refused last, and nobody's name")
{
	stage();
	sql("UPDATE sso_connections SET auto_provision = 0");
	EXPECT_STR(said((struct said){.subject = "s1", .email = "bo@acme.com"}), "not provisioned");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_connections WHERE slug = 'acme-idp' AND"
			   " last_fault = 'not_provisioned' AND last_detail = '' AND"
			   " last_fault_at > 0"),
	    1);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_connections WHERE last_fault <> ''"), 1);
}

TEST("S3.16 without auto_provision nobody gets an account by themselves")
{
	stage();
	sql("UPDATE sso_connections SET auto_provision = 0");
	EXPECT_STR(said((struct said){.subject = "s1", .email = "bo@acme.com", .verified = true}),
	    "not provisioned");
	EXPECT_STR(said((struct said){.subject = "s2"}), "not provisioned");
	EXPECT_INT(identities(), 0);
	/* whoever has one comes in, and joins nothing */
	EXPECT_STR(
	    said((struct said){.subject = "s3", .email = "alice@acme.com", .verified = true}),
	    "done");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM organization_members m JOIN organizations o ON"
			   " o.id = m.organization_id WHERE o.slug = 'acme'"),
	    0);
}

TEST("S3.4 an invited person gets an account at the first login, if the address is proven")
{
	stage();
	sql("UPDATE sso_connections SET auto_provision = 0");
	project(&chief, "lab");
	free(invite(&chief, "lab", "bo@acme.com", "member"));
	EXPECT_STR(said((struct said){.subject = "s1", .email = "bo@acme.com"}), "not provisioned");
	EXPECT_STR(
	    said((struct said){
		.connection = other, .subject = "s1", .email = "bo@acme.com", .verified = true}),
	    "not provisioned");
	struct sso_result r =
	    login((struct said){.subject = "s1", .email = "Bo@acme.com", .verified = true});
	EXPECT_INT(r.outcome, SSO_DONE);
	EXPECT_STR(r.user.email, "Bo@acme.com");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM invitations WHERE state = 'pending'"), 1);
}

/* ---- somebody's address ---------------------------------------------------------------------- */

TEST("S3.17 mallory names alice's address, which nobody has verified: nothing is linked")
{
	stage();
	int64_t before = people();
	struct sso_result r = login(
	    (struct said){.subject = "mallory", .email = "alice@acme.com", .username = "alice"});
	EXPECT_INT(r.outcome, SSO_ADDRESS_TAKEN);
	EXPECT_INT(r.identity, 0);
	EXPECT_INT(r.user.id, 0);
	EXPECT_INT(identities(), 0);
	EXPECT_INT(people(), before);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'sso.refused' AND"
			   " detail LIKE '%address_taken%' AND detail LIKE '%mallory%'"),
	    1);
}

TEST("S3.18 a verified address links only by a connection that has proven its domain")
{
	stage();
	struct said s = {.subject = "s1", .email = "ALICE@ACME.COM", .verified = true};
	s.connection = other;
	EXPECT_STR(said(s), "address taken");
	s.connection = acme;
	sql("UPDATE sso_domains SET proven_at = 0");
	EXPECT_STR(said(s), "address taken");
	EXPECT_INT(identities(), 0);
	sql("UPDATE sso_domains SET proven_at = 1");
	struct sso_result r = login(s);
	EXPECT_INT(r.outcome, SSO_DONE);
	EXPECT_INT(r.user.id, alice.id);
	EXPECT(!r.created);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'sso.link' AND actor ="
			   " 'user:alice' AND detail LIKE '%\"by\":\"address\"%'"),
	    1);
}

TEST("S3.18 another connection of the same organization does not borrow the proof")
{
	stage();
	static const char copy[] =
	    "INSERT INTO sso_connections (id, organization_id, slug, name, type, enabled, issuer,"
	    " default_role_id, created_at, created_by, updated_at) SELECT 7, organization_id, "
	    "'third',"
	    " 'x', 'oidc', 1, issuer, 13, 1, created_by, 1 FROM sso_connections"
	    " WHERE slug = 'acme-idp'";
	sql(copy);
	EXPECT_STR(
	    said((struct said){
		.connection = 7, .subject = "s", .email = "alice@acme.com", .verified = true}),
	    "address taken");
}

TEST("S3.17 an address that was given to somebody else does not open the first one's account")
{
	stage();
	struct said s = {.subject = "alice-2019", .email = "alice@acme.com", .verified = true};
	EXPECT_STR(said(s), "done");
	s.subject = "alice-2026";
	struct sso_result r = login(s);
	EXPECT_INT(r.outcome, SSO_ADDRESS_TAKEN);
	EXPECT_INT(r.user.id, 0);
	EXPECT_INT(identities(), 1);
}

TEST("S3.17 an address never links a superadmin's account")
{
	stage();
	sql("UPDATE emails SET canonical = 'chief@acme.com' WHERE canonical = 'chief@uni.edu'");
	struct said s = {.subject = "c", .email = "chief@acme.com", .verified = true};
	EXPECT_STR(said(s), "address taken");
	/* the owner may */
	s.link = chief.id;
	EXPECT_STR(said(s), "done");
}

TEST("S3.17 an address that is not verified here links nothing, and is nobody else's either")
{
	stage();
	sql("UPDATE emails SET verified_at = 0 WHERE canonical = 'alice@acme.com'");
	EXPECT_STR(said((struct said){.subject = "s", .email = "alice@acme.com", .verified = true}),
	    "address taken");
}

/* ---- accounts -------------------------------------------------------------------------------- */

TEST("S3.17 who is suspended is not let in, whichever way")
{
	stage();
	struct said s = {.subject = "s", .email = "alice@acme.com", .verified = true};
	sql("UPDATE users SET state = 'suspended' WHERE username = 'alice'");
	EXPECT_STR(said(s), "suspended");
	s.link = alice.id;
	EXPECT_STR(said(s), "suspended");
	EXPECT_INT(identities(), 0);
	sql("UPDATE users SET state = 'active' WHERE username = 'alice'");
	s.link = 0;
	EXPECT_STR(said(s), "done");
	sql("UPDATE users SET state = 'suspended' WHERE username = 'alice'");
	sql("UPDATE sso_identities SET auth_at = 0");
	EXPECT_STR(said(s), "suspended");
	EXPECT_INT(sql_int("SELECT auth_at FROM sso_identities"), 0);
}

TEST("S3.17 the owner links the account, without any address; nobody else's identity")
{
	stage();
	struct said s = {.subject = "a1", .link = alice.id};
	struct sso_result r = login(s);
	EXPECT_INT(r.outcome, SSO_DONE);
	EXPECT_INT(r.user.id, alice.id);
	EXPECT_STR(said(s), "done");
	EXPECT_INT(identities(), 1);
	s.link = chief.id;
	EXPECT_STR(said(s), "other person");
	EXPECT_INT(sql_int("SELECT user_id FROM sso_identities"), alice.id);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM audit WHERE action = 'sso.link' AND"
			   " detail LIKE '%\"by\":\"owner\"%'"),
	    1);
}

TEST("S3.16 two organizations that name the same issuer do not know each other's people")
{
	stage();
	struct sso_result a = login((struct said){.connection = acme, .subject = "42"});
	struct sso_result b = login((struct said){.connection = other, .subject = "42"});
	EXPECT_INT(a.outcome, SSO_DONE);
	EXPECT_INT(b.outcome, SSO_DONE);
	EXPECT(a.user.id != b.user.id && a.identity != b.identity);
	EXPECT_INT(freshness(b.user.id), 0);
}

TEST("S3.16 a connection that is disabled or deleted meanwhile lets nobody in")
{
	stage();
	EXPECT_STR(said((struct said){.subject = "s"}), "done");
	sql("UPDATE sso_connections SET enabled = 0");
	EXPECT_STR(said((struct said){.subject = "s"}), "disabled");
	EXPECT_STR(said((struct said){.subject = "t"}), "disabled");
	EXPECT_STR(said((struct said){.subject = "t", .link = alice.id}), "disabled");
	EXPECT_STR(said((struct said){.connection = 99, .subject = "s"}), "disabled");
	EXPECT_INT(identities(), 1);
	struct login l = {.a = {.connection = acme}};
	EXPECT_INT(store_tx(db, STORE_WRITE, login_tx, &l), -EINVAL);
}

/* ---- freshness ------------------------------------------------------------------------------- */

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

static int take_fn(struct tx *t, struct asked *a)
{
	return sso_link_take(t, a->email, a->org, clock_now() + world_skew, &a->value);
}

static int take(const char *ticket, int64_t connection, int64_t *ret_user)
{
	struct asked a = {.fn = take_fn, .email = ticket, .org = connection};
	int r = store_tx(db, STORE_WRITE, ask_tx, &a);

	*ret_user = a.value;
	return r;
}

TEST("S3.17 a ticket to link an account is good once, for ten minutes, for its connection")
{
	stage();
	int64_t user = 0;
	for (int i = 0; i < 2; i++) {
		struct answer a = ask(HTTP_POST, alice.token, "me/identities",
		    json_pack("{ss}", "connection", "acme-idp"));
		char ticket[64];
		const char *url = answer_str(&a, "url");
		EXPECT(url && strchr(url, '='));
		snprintf(ticket, sizeof(ticket), "%s", strchr(url, '=') + 1);
		answer_clear(&a);
		if (i) {
			world_skew = 601;
			EXPECT_INT(take(ticket, acme, &user), -ENOENT);
			break;
		}
		EXPECT_INT(take(ticket, other, &user), -ENOENT);
		EXPECT_INT(take("x", acme, &user), -ENOENT);
		EXPECT_INT(take(ticket, acme, &user), 0);
		EXPECT_INT(user, alice.id);
		EXPECT_INT(take(ticket, acme, &user), -ENOENT);
	}
}

/* A session that was opened by a login at this connection. */
static void through(const struct person *p, const char *slug)
{
	char text[300];

	snprintf(text, sizeof(text),
	    "UPDATE sessions SET identity_id = COALESCE((SELECT i.id FROM sso_identities i JOIN"
	    " sso_connections c ON c.id = i.connection_id WHERE c.slug = '%s' AND i.user_id ="
	    " %lld), 0) WHERE user_id = %lld",
	    slug, (long long)p->id, (long long)p->id);
	sql(text);
}

static const char *link_at(const struct person *p, const char *slug)
{
	return outcome(HTTP_POST, p->token, "me/identities", json_pack("{ss}", "connection", slug));
}

TEST("I3.4 one provider does not put somebody else in another one's place")
{
	char path[64];
	stage();
	login((struct said){.subject = "a", .link = alice.id});
	through(&alice, "acme-idp");
	/* the first login at another one, and another at the same */
	EXPECT_STR(link_at(&alice, "other-idp"), "201");
	EXPECT_STR(link_at(&alice, "acme-idp"), "201");
	struct sso_result r =
	    login((struct said){.connection = other, .subject = "b", .link = alice.id});
	snprintf(path, sizeof(path), "me/identities/%lld", (long long)r.identity);
	EXPECT_STR(link_at(&alice, "other-idp"), "FORBIDDEN");
	EXPECT_STR(outcome(HTTP_DELETE, alice.token, path, NULL), "FORBIDDEN");
	through(&alice, "none"); /* a password */
	EXPECT_STR(link_at(&alice, "other-idp"), "201");
	through(&alice, "other-idp");
	EXPECT_STR(link_at(&alice, "acme-idp"), "FORBIDDEN");
	EXPECT_STR(outcome(HTTP_DELETE, alice.token, path, NULL), "204");
}

TEST("S3.17 whoever takes an account back takes back what was begun to be linked to it")
{
	stage();
	sql("UPDATE users SET password = (SELECT password FROM users WHERE username = 'chief')");
	EXPECT_STR(outcome(HTTP_POST, alice.token, "me/identities",
		       json_pack("{ss}", "connection", "acme-idp")),
	    "201");
	sql("INSERT INTO sso_attempts (id, state_hash, browser_hash, connection_id, link_user,"
	    " return_to, created_at, expires_at) SELECT u.id, u.username, 'b', c.id, u.id, '/', 1,"
	    " 9999999999 FROM users u, sso_connections c WHERE c.slug = 'acme-idp'");
	EXPECT_STR(outcome(HTTP_POST, alice.token, "me/password",
		       json_pack("{ss, ss}", "old", "correct horse battery", "new",
			   "staple staple horse")),
	    "204");
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_link_tickets"), 0);
	EXPECT_INT(sql_int("SELECT COUNT(*) FROM sso_attempts"), 1); /* the superadmin's */
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

/* ---- enforcement ----------------------------------------------------------------------------- */

TEST(
    "S3.16 enforce_sso concerns identities and proven domains, not mere members, never superadmins")
{
	stage();
	struct person bob = person("bob"), cat = person("cat"), dan = person("dan");
	EXPECT_STR(enforced(alice.id, NULL), "no");
	sql("UPDATE sso_connections SET enforce_sso = 1 WHERE slug = 'acme-idp'");
	EXPECT_STR(enforced(alice.id, NULL), "acme-idp");
	EXPECT_STR(enforced(bob.id, NULL), "no");
	login((struct said){.subject = "b", .link = bob.id});
	EXPECT_STR(enforced(bob.id, NULL), "acme-idp");
	sql("INSERT INTO organization_members (organization_id, user_id, role_id, created_at) "
	    "SELECT"
	    " o.id, u.id, 13, 1 FROM organizations o, users u WHERE o.slug = 'acme' AND"
	    " u.username IN ('cat', 'chief')");
	EXPECT_STR(enforced(cat.id, NULL), "no"); /* a member without a way through the provider */
	EXPECT_STR(enforced(dan.id, NULL), "no");
	EXPECT_STR(enforced(chief.id, NULL), "no");
	EXPECT_STR(enforced(0, "New@Acme.com"), "acme-idp");
	EXPECT_STR(enforced(0, "new@sub.acme.com"), "no");
	EXPECT_STR(enforced(0, "new@evilacme.com"), "no");
	EXPECT_STR(enforced(0, "nonsense"), "no");
	sql("UPDATE sso_domains SET proven_at = 0");
	EXPECT_STR(enforced(alice.id, NULL), "no");
	EXPECT_STR(enforced(0, "new@acme.com"), "no");
	sql("UPDATE sso_domains SET proven_at = 1");
	sql("UPDATE sso_connections SET enabled = 0");
	EXPECT_STR(enforced(alice.id, NULL), "no");
	EXPECT_STR(enforced(bob.id, NULL), "no");
	EXPECT_STR(enforced(0, "new@acme.com"), "no");
}

static const char *password_login(const char *who)
{
	return outcome(HTTP_POST, NULL, "sessions",
	    json_pack("{ss, ss}", "login", who, "password", "correct horse battery"));
}

TEST("S3.16 enforce_sso closes login by password and tells where to go")
{
	stage();
	sql("UPDATE users SET password = (SELECT password FROM users WHERE username = 'chief')");
	EXPECT_STR(password_login("alice"), "201");
	sql("UPDATE sso_connections SET enforce_sso = 1 WHERE slug = 'acme-idp'");
	EXPECT_STR(password_login("alice"), "SSO_REQUIRED");
	EXPECT_STR(password_login("alice@acme.com"), "SSO_REQUIRED");
	struct answer a = ask(HTTP_POST, NULL, "sessions",
	    json_pack("{ss, ss}", "login", "alice", "password", "correct horse battery"));
	EXPECT_INT(a.status, 403);
	EXPECT(
	    strstr(answer_str(&a, "error.message"), "https://prism.test:8443/sso/acme-idp/start"));
	answer_clear(&a);
	/* who does not know the password learns nothing */
	EXPECT_STR(outcome(HTTP_POST, NULL, "sessions",
		       json_pack("{ss, ss}", "login", "alice", "password", "wrong horse battery")),
	    "BAD_CREDENTIALS");
	EXPECT_STR(password_login("chief"), "201");
	EXPECT_STR(outcome(HTTP_GET, alice.token, "me", NULL), "200");
}

TEST("S3.16 enforce_sso: an invitation makes no account beside the institution's")
{
	stage();
	project(&chief, "lab");
	char *in = invite(&chief, "lab", "bo@acme.com", "member");
	char *out = invite(&chief, "lab", "bo@acme.org", "member");
	sql("UPDATE sso_connections SET enforce_sso = 1 WHERE slug = 'acme-idp'");
	EXPECT_STR(outcome(HTTP_POST, NULL, "invitations/accept",
		       json_pack("{ss, ss}", "token", in, "username", "bo")),
	    "SSO_REQUIRED");
	EXPECT_STR(outcome(HTTP_POST, NULL, "invitations/accept",
		       json_pack("{ss, ss}", "token", out, "username", "bo")),
	    "200");
	/* after the first login it is theirs to accept */
	struct sso_result r =
	    login((struct said){.subject = "bo", .email = "bo@acme.com", .verified = true});
	EXPECT_INT(r.outcome, SSO_DONE);
	struct person bo = person(r.user.username);
	EXPECT_STR(
	    outcome(HTTP_POST, bo.token, "invitations/accept", json_pack("{ss}", "token", in)),
	    "200");
	free(in);
	free(out);
}

TEST("S3.18 an address leads to the enabled connection that has proven its domain")
{
	stage();
	EXPECT_STR(discover("Whoever@ACME.com"), "acme-idp");
	EXPECT_STR(discover("whoever@acme.org"), "none");
	EXPECT_STR(discover("acme.com"), "none");
	sql("UPDATE sso_connections SET enabled = 0");
	EXPECT_STR(discover("whoever@acme.com"), "none");
	sql("UPDATE sso_connections SET enabled = 1");
	sql("UPDATE sso_domains SET proven_at = 0");
	EXPECT_STR(discover("whoever@acme.com"), "none");
}

TEST_MAIN()
