/* SPDX-License-Identifier: MIT */
/* Who may do what: every route of the table, asked by everybody there is. */
#include "base/attr.h"
#include "prism-central/browser.h"
#include "prism-central/role.h"
#include "world.h"

/*
 * What the house says, written apart from the code: the permission of a route and the project roles
 * that have it. A route with another permission fails the test until it stands here.
 */
enum who {
	ANONYMOUS,
	STRANGER, /* an account, no membership */
	FOREIGN,  /* owner of another project */
	REMOVED,
	SUSPENDED, /* the membership */
	EXPIRED,   /* the membership */
	CLOSED,	   /* an owner whose account is suspended */
	VIEWER,
	MEMBER,
	ADMIN,
	OWNER,
	SUPERADMIN,
	LINKED, /* the superadmin, by an organization's provider */
	WORKSTATION,
	NWHO,
};

static const char *const who_names[NWHO] = {"anonymous", "stranger", "foreign", "removed",
    "suspended", "expired", "closed", "viewer", "member", "admin", "owner", "superadmin", "linked",
    "workstation"};

static const struct {
	const char *permission;
	enum who least; /* of viewer, member, admin, owner, superadmin */
} rules[] = {
    {"projects:view", VIEWER},
    {"projects:edit", ADMIN},
    {"projects:delete", OWNER},
    {"members:view", VIEWER},
    {"members:manage", ADMIN},
    {"invites:view", VIEWER},
    {"invites:send", ADMIN},
    {"invites:revoke", ADMIN},
    {"hosts:view", VIEWER},
    {"hosts:enrol", ADMIN},
    {"hosts:remove", ADMIN},
    {"users:create", SUPERADMIN},
    {"users:suspend", SUPERADMIN},
    {"users:emails:release", SUPERADMIN},
    {"orgs:create", SUPERADMIN},
    {"audit:view", SUPERADMIN},
};

/* In the organization: only the stranger is its member here (accounts made by the superadmin are).
 */
static const struct {
	const char *permission;
	bool member;
} org_rules[] = {
    {"projects:create", true},
    {"orgs:members:manage", false},
    {"orgs:sso:manage", false},
};

static char tokens[NWHO][SESSION_TOKEN_LEN + 1];
static char invitation_id[24], project_id[24];

static void token_of(enum who w, const struct person *p)
{
	memcpy(tokens[w], p->token, sizeof(p->token));
}

static int linked_tx(struct tx *t, void *arg)
{
	struct request rq = {.now = clock_now()};

	return session_create(t, &rq, chief.id, "browser", 7, arg);
}

static void stage(void)
{
	struct person p[NWHO];
	struct session_token linked;
	world();
	for (int w = STRANGER; w <= OWNER; w++) {
		p[w] = person(who_names[w]);
		token_of(w, &p[w]);
	}
	token_of(SUPERADMIN, &chief);
	EXPECT_INT(store_tx(db, STORE_WRITE, linked_tx, &linked), 0);
	memcpy(tokens[LINKED], linked.text, sizeof(linked.text));
	project(&p[OWNER], "alpha");
	project(&p[FOREIGN], "beta");
	join(&p[OWNER], "alpha", &p[REMOVED], "owner");
	join(&p[OWNER], "alpha", &p[SUSPENDED], "owner");
	join(&p[OWNER], "alpha", &p[EXPIRED], "owner");
	join(&p[OWNER], "alpha", &p[CLOSED], "owner");
	join(&p[OWNER], "alpha", &p[VIEWER], "viewer");
	join(&p[OWNER], "alpha", &p[MEMBER], "member");
	join(&p[OWNER], "alpha", &p[ADMIN], "admin");
	EXPECT_STR(
	    outcome(HTTP_DELETE, tokens[OWNER], "projects/alpha/members/removed", NULL), "200");
	EXPECT_STR(
	    outcome(HTTP_POST, tokens[OWNER], "projects/alpha/members/suspended/suspend", NULL),
	    "200");
	EXPECT_STR(outcome(HTTP_PATCH, tokens[OWNER], "projects/alpha/members/expired",
		       json_pack("{ss}", "not_after", "2020-01-01T00:00:00Z")),
	    "200");
	EXPECT_STR(outcome(HTTP_POST, chief.token, "users/closed/suspend", NULL), "200");
	sql("DELETE FROM organization_members WHERE user_id NOT IN (SELECT id FROM users WHERE"
	    " username IN ('chief', 'stranger'))");
	free(invite(&p[OWNER], "alpha", "new@uni.edu", "viewer"));
	snprintf(invitation_id, sizeof(invitation_id), "%lld",
	    (long long)sql_int("SELECT id FROM invitations WHERE email = 'new@uni.edu'"));
	snprintf(project_id, sizeof(project_id), "%lld",
	    (long long)sql_int("SELECT id FROM projects WHERE slug = 'alpha'"));
	sql("INSERT INTO hosts (id, organization_id, name, public_key, hostname, address,"
	    " ssh_host_keys, state, manifest, enrolled_at, last_seen) SELECT 77, id, 'ws1', 'k',"
	    " 'ws1', '', '[]', 'enrolled', 1, 1, 1 FROM organizations");
	sql("INSERT INTO host_projects (host_id, project_id) SELECT 77, id FROM projects WHERE"
	    " slug = 'alpha'");
}

/* ---- what is expected ------------------------------------------------------------------------ */

static bool person_known(enum who w)
{
	return w != ANONYMOUS && w != CLOSED && w != WORKSTATION;
}

static enum api_error unseen(enum route_scope s)
{
	switch (s) {
	case SCOPE_INVITATION:
		return API_INVITATION_NOT_FOUND;
	case SCOPE_HOST_ID:
		return API_HOST_NOT_FOUND;
	default:
		return API_PROJECT_NOT_FOUND;
	}
}

static enum api_error expect_org(const struct route *r, enum who w)
{
	/* A provider's word carries what the account is by its roles: an owner, here. */
	if (w == SUPERADMIN || w == LINKED)
		return API_OK;
	for (size_t i = 0; i < ARRAY_SIZE(org_rules); i++)
		if (!strcmp(org_rules[i].permission, r->permission))
			return w == STRANGER && org_rules[i].member ? API_OK : API_ORG_FORBIDDEN;
	test_fail(__FILE__, __LINE__, "%s %s has no rule here", r->path, r->permission);
}

static enum api_error expect(const struct route *r, enum who w)
{
	if (r->scope == SCOPE_PUBLIC)
		return API_OK;
	/* A token makes nobody somebody at a page, and these forms are not its own. */
	if (r->scope == SCOPE_BROWSER)
		return r->method == HTTP_GET ? API_OK : API_FORBIDDEN;
	if (r->scope == SCOPE_HOST)
		return w == WORKSTATION ? API_OK : API_NOT_LOGGED_IN;
	if (!person_known(w))
		return API_NOT_LOGGED_IN;
	if (r->scope == SCOPE_SELF)
		return API_OK;
	if (r->scope == SCOPE_ORG)
		return expect_org(r, w);
	if (w == LINKED)
		return API_PROVIDER_LOGIN;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (strcmp(rules[i].permission, r->permission) != 0)
			continue;
		if (w >= rules[i].least)
			return API_OK;
		return w < VIEWER && r->scope != SCOPE_DEPLOYMENT ? unseen(r->scope)
								  : API_FORBIDDEN;
	}
	test_fail(__FILE__, __LINE__, "%s %s has no rule here", r->path, r->permission);
}

static const char *first_arg(const struct route *r, bool by_id)
{
	switch (r->scope) {
	case SCOPE_PROJECT:
		return by_id ? project_id : "alpha";
	case SCOPE_INVITATION:
		return invitation_id;
	case SCOPE_HOST_ID:
		return "77";
	case SCOPE_ORG:
		return strstr(r->path, "{}") ? "default" : NULL;
	default:
		return "x";
	}
}

static enum api_error asked(const struct route *r, enum who w, bool by_id)
{
	struct reply rp = {0};
	struct job job = {0};
	struct request rq = {.method = r->method, .route = r, .now = clock_now(), .db = db};
	rq.central = &central;
	rq.http_ = &job;
	rq.arg[0] = first_arg(r, by_id);
	rq.arg[1] = "x";
	if (r->scope == SCOPE_BROWSER)
		EXPECT_INT(browser_load(&rq), 0);
	else if (w == WORKSTATION)
		rq.who = (struct principal){.kind = PRINCIPAL_HOST, .id = 77, .name = "ws1"};
	else if (w != ANONYMOUS && principal_load(&rq, tokens[w]) < 0 && r->scope != SCOPE_PUBLIC)
		return API_NOT_LOGGED_IN;
	if (!authorize(&rq, &rp))
		return API_OK;
	enum api_error e = api_error_by_code(
	    json_string_value(json_object_get(json_object_get(rp.json, "error"), "code")));
	if (!rp.json && rp.status == 403)
		e = API_FORBIDDEN;
	reply_release(&rp);
	return e;
}

TEST("S1.11 S1.30 L4.7 every route, asked by everybody, is answered as the rules say")
{
	int asks = 0;
	stage();
	for (size_t i = 0; i < nroutes; i++)
		for (int w = 0; w < NWHO; w++)
			for (int by_id = 0; by_id < 2; by_id++, asks++) {
				enum api_error want = expect(&routes[i], w);
				enum api_error got = asked(&routes[i], w, by_id);
				if (got != want)
					test_fail(__FILE__, __LINE__, "%s %s, %s: %s instead of %s",
					    routes[i].path, routes[i].permission, who_names[w],
					    got ? api_error_info(got)->code : "allowed",
					    want ? api_error_info(want)->code : "allowed");
			}
	printf("# %d questions\n", asks);
	EXPECT(asks > 40 * NWHO);
}

TEST("L4.6 whoever runs one project reaches nothing of another")
{
	static const struct {
		enum http_method method;
		const char *path, *want;
	} table[] = {
	    {HTTP_GET, "projects/alpha", "PROJECT_NOT_FOUND"},
	    {HTTP_PATCH, "projects/alpha", "PROJECT_NOT_FOUND"},
	    {HTTP_DELETE, "projects/alpha", "PROJECT_NOT_FOUND"},
	    {HTTP_GET, "projects/alpha/members", "PROJECT_NOT_FOUND"},
	    {HTTP_PATCH, "projects/alpha/members/member", "PROJECT_NOT_FOUND"},
	    {HTTP_DELETE, "projects/alpha/members/member", "PROJECT_NOT_FOUND"},
	    {HTTP_POST, "projects/alpha/members/member/suspend", "PROJECT_NOT_FOUND"},
	    {HTTP_POST, "projects/alpha/members/suspended/resume", "PROJECT_NOT_FOUND"},
	    {HTTP_GET, "projects/alpha/invitations", "PROJECT_NOT_FOUND"},
	    {HTTP_POST, "projects/alpha/invitations", "PROJECT_NOT_FOUND"},
	    {HTTP_POST, "projects/alpha/host-tokens", "PROJECT_NOT_FOUND"},
	    {HTTP_GET, "projects/alpha/hosts", "PROJECT_NOT_FOUND"},
	    {HTTP_GET, "projects/alpha/revision", "PROJECT_NOT_FOUND"},
	    {HTTP_DELETE, "hosts/77", "HOST_NOT_FOUND"},
	    /* their own project in the path, the other's person or thing behind it */
	    {HTTP_PATCH, "projects/beta/members/member", "MEMBER_NOT_FOUND"},
	    {HTTP_DELETE, "projects/beta/members/member", "MEMBER_NOT_FOUND"},
	    {HTTP_POST, "projects/beta/members/member/suspend", "MEMBER_NOT_FOUND"},
	    {HTTP_POST, "projects/beta/members/suspended/resume", "MEMBER_NOT_FOUND"},
	    {HTTP_GET, "users/member", "USER_NOT_FOUND"},
	    {HTTP_POST, "users/member/suspend", "FORBIDDEN"},
	    {HTTP_GET, "workspaces/ws1", "HOST_NOT_FOUND"},
	    {HTTP_GET, "audit", "FORBIDDEN"},
	};
	char path[64];
	stage();
	int64_t before = sql_int("SELECT seq FROM audit_head");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		printf("# %s\n", table[i].path);
		EXPECT_STR(outcome(table[i].method, tokens[FOREIGN], table[i].path,
			       json_pack("{ss, ss}", "role", "owner", "email", "e@uni.edu")),
		    table[i].want);
	}
	snprintf(path, sizeof(path), "invitations/%s", invitation_id);
	EXPECT_STR(outcome(HTTP_DELETE, tokens[FOREIGN], path, NULL), "INVITATION_NOT_FOUND");
	snprintf(path, sizeof(path), "invitations/%s/resend", invitation_id);
	EXPECT_STR(outcome(HTTP_POST, tokens[FOREIGN], path, NULL), "INVITATION_NOT_FOUND");
	EXPECT_INT(sql_int("SELECT seq FROM audit_head"), before);
}

TEST("L4.6 lists show what is one's own")
{
	stage();
	static const char *const empty[] = {
	    "projects", "workspaces", "invitations/my", "me/ssh-keys"};
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		struct answer a = ask(HTTP_GET, tokens[STRANGER], empty[i], NULL);
		EXPECT_INT(a.status, 200);
		EXPECT_INT(json_array_size(a.json), 0);
		answer_clear(&a);
	}
	/* Those whose membership does not hold do not see the project either. */
	static const enum who out[] = {REMOVED, SUSPENDED, EXPIRED};
	for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
		struct answer a = ask(HTTP_GET, tokens[out[i]], "projects", NULL);
		EXPECT_INT(json_array_size(a.json), 0);
		answer_clear(&a);
		a = ask(HTTP_GET, tokens[out[i]], "workspaces", NULL);
		EXPECT_INT(json_array_size(a.json), 0);
		answer_clear(&a);
	}
}

TEST("S3.10 a permission covers what its trailing star stands for")
{
	EXPECT(permission_covers("*", "hosts:login"));
	EXPECT(permission_covers("hosts:*", "hosts:login"));
	EXPECT(permission_covers("hosts:*", "hosts:data:write"));
	EXPECT(permission_covers("hosts:data:*", "hosts:data:write"));
	EXPECT(permission_covers("hosts:login", "hosts:login"));
	EXPECT(!permission_covers("hosts:*", "host:login"));
	EXPECT(!permission_covers("hosts:*", "hosts:"));
	EXPECT(!permission_covers("hosts:data:*", "hosts:login"));
	EXPECT(!permission_covers("hosts:log*", "hosts:login"));
	EXPECT(!permission_covers("hosts*", "hosts:login"));
	EXPECT(!permission_covers("hosts:login", "hosts:login:x"));
	EXPECT(!permission_covers("", "hosts:login"));
	static const char *const good[] = {"hosts:login", "hosts:data:write", "a_b:c-d"};
	static const char *const wild[] = {"*", "hosts:*", "hosts:data:*"};
	static const char *const bad[] = {"", "hosts", "hosts:", ":x", "a::b", "a:b:c:d", "A:b",
	    "a:*:b", "a:b*", "**", "a:b:c:*", "a b:c"};
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		EXPECT(permission_valid(good[i], false) && permission_valid(good[i], true));
	for (size_t i = 0; i < ARRAY_SIZE(wild); i++)
		EXPECT(!permission_valid(wild[i], false) && permission_valid(wild[i], true));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT(!permission_valid(bad[i], true));
}

struct perms {
	uint32_t of[5];
};

static int perms_tx(struct tx *t, void *arg)
{
	struct perms *p = arg;
	int r = 0;
	for (int role = 1; role <= 4 && !r; role++)
		r = role_host_perms(t, role, &p->of[role]);
	return r;
}

TEST("S1.11 F3 what the built-in roles allow on a host")
{
	struct perms p = {0};
	world();
	EXPECT_INT(store_tx(db, STORE_READ, perms_tx, &p), 0);
	EXPECT_INT(p.of[1], 7); /* owner: login, sudo, write */
	EXPECT_INT(p.of[2], 7); /* admin: the same */
	EXPECT_INT(p.of[3], 5); /* member: login, write */
	EXPECT_INT(p.of[4], 1); /* viewer: login */
}

/* Between authorize() and the handler's transaction the right is lost. */
static enum api_error lost_between(const char *how)
{
	struct reply rp = {0};
	struct job job = {0};
	char path[] = "/api/v1/projects/alpha/members/member";
	struct request rq = {.method = HTTP_DELETE, .now = clock_now(), .db = db, .peer = "x"};
	rq.central = &central;
	rq.http_ = &job;
	rq.route = world_route(HTTP_DELETE, path, rq.arg);
	EXPECT_INT(principal_load(&rq, tokens[ADMIN]), 0);
	EXPECT_INT(authorize(&rq, &rp), 0);
	sql(how);
	rq.route->handler(&rq, &rp);
	enum api_error e = api_error_by_code(
	    json_string_value(json_object_get(json_object_get(rp.json, "error"), "code")));
	json_decref(rp.json);
	return rp.status == 200 ? API_OK : e;
}

TEST("L4.11 a right that is lost between the check and the change does not change anything")
{
	stage();
	EXPECT_INT(
	    lost_between("UPDATE memberships SET role_id = 3 WHERE role_id = 2"), API_FORBIDDEN);
	stage();
	EXPECT_INT(lost_between("UPDATE memberships SET state = 'removed' WHERE role_id = 2"),
	    API_PROJECT_NOT_FOUND);
	stage();
	EXPECT_INT(lost_between("UPDATE users SET state = 'suspended' WHERE username = 'admin'"),
	    API_NOT_LOGGED_IN);
	stage();
	EXPECT_INT(lost_between("UPDATE sessions SET revoked_at = 1"), API_NOT_LOGGED_IN);
	stage();
	EXPECT_INT(lost_between("UPDATE audit SET at = at"), API_OK);
}

TEST_MAIN()
