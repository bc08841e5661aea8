/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "invitation.h"
#include "ratelimit.h"
#include "session.h"
#include "sso_internal.h"
#include "sso_ways.h"

static const char sql_identity[] = "SELECT id, user_id FROM sso_identities"
				   " WHERE connection_id = $1 AND issuer = $2 AND subject = $3";
static const char sql_other_identity[] =
    "SELECT 1 FROM sso_identities WHERE connection_id = $1 AND user_id = $2";
static const char sql_insert[] =
    "INSERT INTO sso_identities (id, organization_id, connection_id, issuer, subject, user_id,"
    " created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
/* An answer about an older login says nothing against a newer one. */
static const char sql_login[] =
    "UPDATE sso_identities SET email = $2, last_login_at = $3,"
    " auth_at = CASE WHEN auth_at > $4 THEN auth_at ELSE $4 END WHERE id = $1";
static const char sql_refresh[] =
    "UPDATE sso_identities SET refresh_token = $2, refresh_due = $3 WHERE id = $1";
static const char sql_address[] = "SELECT user_id, verified_at FROM emails WHERE canonical = $1";
static const char sql_proven[] =
    "SELECT 1 FROM sso_domains WHERE connection_id = $1 AND domain = $2 AND proven_at > 0";
static const char sql_has_address[] = "SELECT 1 FROM emails WHERE user_id = $1";
static const char sql_add_address[] =
    "INSERT INTO emails (id, user_id, address, canonical, main, verified_at)"
    " VALUES ($1, $2, $3, $4, 1, $5)";
static const char sql_join[] =
    "INSERT INTO organization_members (organization_id, user_id, role_id, created_at)"
    " VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id, user_id) DO NOTHING";

#define SEALED_TEXT_MAX 16384

/* One login, on its way to an outcome. */
struct login {
	struct tx *t;
	const struct request *rq;
	const struct sso_assertion *a;
	struct sso_answer answer;
	struct sso_connection c;
	char email[EMAIL_MAX + 1]; /* canonical; "": none that is one */
	bool proven;		   /* the address is this person's, whoever says so */
	const char *linked;	   /* how: NULL if it was before */
	struct sso_result out;
};

static const char *const faults[] = {
    [SSO_ADDRESS_TAKEN] = "address_taken",
    [SSO_NOT_PROVISIONED] = "not_provisioned",
    [SSO_SUSPENDED] = "suspended",
    [SSO_OTHER_PERSON] = "other_person",
    [SSO_DISABLED] = "disabled",
    [SSO_TOO_MANY] = "too_many_accounts",
    [SSO_ANSWERED] = "answered",
};

const char *sso_outcome_word(enum sso_outcome outcome)
{
	size_t i = (size_t)outcome;

	return i < ARRAY_SIZE(faults) && faults[i] ? faults[i] : "refused";
}

static int end(struct login *l, enum sso_outcome outcome)
{
	l->out.outcome = outcome;
	return 0;
}

/* 1 if the query has a row. */
static int exists(struct tx *t, const char *sql, int64_t id, const char *text)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql, "is", &r, id, text);

	return n < 0 ? n : rows_next(r);
}

static int has_other_identity(struct login *l, int64_t user)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(l->t, sql_other_identity, "ii", &r, l->c.id, user);

	return n < 0 ? n : rows_next(r);
}

/* 1 with the owner's id, and whether it was verified; 0: nobody has it. */
static int address_find(struct login *l, int64_t *ret_owner, bool *ret_verified)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(l->t, sql_address, "s", &r, l->email);

	if (n == 0)
		n = rows_next(r);
	if (n > 0) {
		*ret_owner = row_int(r, 0);
		*ret_verified = row_int(r, 1) > 0;
	}
	return n;
}

static int has_address(struct login *l)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(l->t, sql_has_address, "i", &r, l->out.user.id);

	return n < 0 ? n : rows_next(r);
}

/* ---- the membership of the organization ------------------------------------------------------ */

static int join(struct login *l, const struct request *as)
{
	struct role role, withheld;

	if (!l->c.auto_provision)
		return 0;
	int r = sso_role_given(l->t, &l->c, l->a->role, &role, &withheld);
	if (r == 0)
		r = tx_exec(l->t, sql_join, "iiii", l->c.org, l->out.user.id, role.id, l->rq->now);
	if (r < 0 || tx_changes(l->t) == 0)
		return r;
	return audit_object(l->t, as, "organization.member", "user", l->out.user.username,
	    json_pack("{s:o, s:s, s:s, s:s*}", "organization", json_id(l->c.org), "role", role.slug,
		"connection", l->c.slug, "withheld", withheld.id ? withheld.slug : NULL));
}

/* ---- a new account --------------------------------------------------------------------------- */

static int pick_username(struct login *l, char out[USERNAME_MAX + 1])
{
	const struct sso_assertion *a = l->a;
	const char *const from[] = {a->email, a->name, a->subject, "person"};
	struct user u;

	if (username_valid(a->username)) {
		int r = user_by_name(l->t, a->username, &u);
		if (r == -ENOENT)
			snprintf(out, USERNAME_MAX + 1, "%s", a->username);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		out[0] = '\0';
		int r = from[i][0] ? user_suggest(l->t, from[i], out) : 0;
		if (r < 0 || out[0])
			return r;
	}
	return -ENOSPC;
}

static int create(struct login *l)
{
	char username[USERNAME_MAX + 1];
	struct user_new v = {.username = username,
	    .name = gecos_valid(l->a->name) ? l->a->name : NULL,
	    .email = l->proven ? l->a->email : NULL};
	int r = pick_username(l, username);

	if (r == 0)
		r = user_create(l->t, &l->rq->central->config, &v, l->rq->now, &l->out.user);
	if (r < 0)
		return r;
	l->out.created = true;
	return audit_object(l->t, l->rq, "user.create", "user", username,
	    json_pack("{s:s, s:I, s:s}", "connection", l->c.slug, "uid",
		(json_int_t)l->out.user.uid, "email", l->out.user.email));
}

/* ---- the identity ---------------------------------------------------------------------------- */

static json_t *detail(const struct login *l, const char *word, const char *value)
{
	return json_pack("{s:s, s:s, s:s, s:s*}", "issuer", l->a->issuer, "subject", l->a->subject,
	    "email", l->a->email, word, value);
}

static int link_identity(struct login *l, const char *how)
{
	int64_t id = store_new_id();
	int r = tx_exec(l->t, sql_insert, "iiissii", id, l->c.org, l->c.id, l->a->issuer,
	    l->a->subject, l->out.user.id, l->rq->now);

	if (r < 0)
		return r;
	l->out.identity = id;
	l->linked = how;
	return end(l, SSO_DONE);
}

/* Nothing to keep it sealed with is no reason to refuse the person. */
static int keep_refresh_token(struct login *l)
{
	_cleanup_buf_ struct buf sealed = BUF_INIT(SEALED_TEXT_MAX);
	int64_t every = l->rq->central->config.sso_refresh;

	if (!l->a->refresh_token || every <= 0)
		return 0;
	int r = sso_seal(l->t, l->rq, l->c.org, "sso_identities.refresh_token", l->out.identity,
	    l->a->refresh_token, &sealed);
	if (r == -ENOKEY || r == -EKEYREJECTED)
		return 0;
	return r < 0 ? r
		     : tx_exec(l->t, sql_refresh, "isi", l->out.identity, buf_str(&sealed),
			   l->rq->now + every);
}

/* 1: the account may get the address that this login has proven. */
static int address_due(struct login *l)
{
	const char *domain = sso_domain_of(l->a->email, l->email);
	int64_t owner;
	bool verified;

	if (!domain || !l->a->email_verified || l->out.user.email[0] || l->out.user.superadmin)
		return 0;
	int r = exists(l->t, sql_proven, l->c.id, domain);
	if (r <= 0)
		return r;
	r = address_find(l, &owner, &verified);
	if (r)
		return r < 0 ? r : 0;
	r = has_address(l);
	return r < 0 ? r : !r;
}

/* It was made before the domain was proven; without an address no invitation finds it. */
static int take_address(struct login *l, const struct request *as)
{
	int r = address_due(l);

	if (r <= 0)
		return r;
	r = tx_exec(l->t, sql_add_address, "iissi", store_new_id(), l->out.user.id, l->a->email,
	    l->email, l->rq->now);
	if (r == 0)
		r = user_by_id(l->t, l->out.user.id, &l->out.user);
	return r ? r
		 : audit_object(l->t, as, "user.email-add", "user", l->out.user.username,
		       json_pack("{s:s, s:s}", "email", l->a->email, "connection", l->c.slug));
}

static int record(struct login *l)
{
	struct request as = request_as(l->rq, l->out.user.id, l->out.user.username);
	int64_t now = l->rq->now, at = l->a->auth_at;
	int r = tx_exec(l->t, sql_login, "isii", l->out.identity, l->a->email, now,
	    at > now ? now
	    : at > 0 ? at
		     : 0);

	if (r == 0)
		r = take_address(l, &as);
	if (r == 0)
		r = keep_refresh_token(l);
	if (r == 0 && l->linked)
		r = join(l, &as);
	if (r == 0)
		r = sso_touch(l->t, l->c.org, l->out.user.id);
	if (r == 0 && l->linked)
		r = audit_object(
		    l->t, &as, "sso.link", "sso-connection", l->c.slug, detail(l, "by", l->linked));
	if (r == 0)
		r = audit_object(
		    l->t, &as, "sso.login", "sso-connection", l->c.slug, detail(l, "by", NULL));
	return r;
}

/* ---- who is it? ------------------------------------------------------------------------------ */

/* This identity has been seen before. */
static int known(struct login *l, int64_t identity, int64_t user)
{
	if (l->answer.link_user && l->answer.link_user != user)
		return end(l, SSO_OTHER_PERSON);
	/* Of two pages one was answered: the other's answer must not seem to have been heeded. */
	if (l->answer.claim != SSO_CLAIM_NONE)
		return end(l, SSO_ANSWERED);
	int r = user_by_id(l->t, user, &l->out.user);
	if (r < 0)
		return r;
	if (!l->out.user.active)
		return end(l, SSO_SUSPENDED);
	l->out.identity = identity;
	return end(l, SSO_DONE);
}

/* The owner of an account, logged in to it, has said yes. */
static int link_own(struct login *l)
{
	int r = user_by_id(l->t, l->answer.link_user, &l->out.user);

	if (r < 0)
		return r;
	return l->out.user.active ? link_identity(l, "owner") : end(l, SSO_SUSPENDED);
}

static int claim_audit(struct login *l, const char *answer, const json_t *ways)
{
	struct request as = request_as(l->rq, l->out.user.id, l->out.user.username);

	return audit_object(l->t, &as, "sso.claim", "user", l->out.user.username,
	    json_pack("{s:s, s:s, s:o}", "answer", answer, "connection", l->c.slug, "ways",
		sso_ways_summary(ways)));
}

static int ask(struct login *l)
{
	end(l, SSO_ASK);
	return audit_object(l->t, l->rq, "sso.ask", "user", l->out.user.username,
	    detail(l, "connection", l->c.slug));
}

/* What was shown is kept, and no more: meanwhile somebody may have added to it. */
static int claim_answered(struct login *l, const json_t *ways)
{
	const struct sso_answer *said = &l->answer;
	bool keep = said->claim == SSO_CLAIM_KEEP;
	char seen[65];
	int r = sso_ways_digest(ways, seen);

	if (r < 0)
		return r;
	if (said->claim == SSO_CLAIM_NONE || !said->account ||
	    strcmp(said->account, l->out.user.username) != 0 ||
	    (keep && (!said->seen || strcmp(said->seen, seen) != 0)))
		return ask(l);
	r = keep ? 0 : sso_ways_close(l->t, l->out.user.id, l->rq->now);
	if (r == 0)
		r = claim_audit(l, keep ? "kept" : "closed", ways);
	return r ? r : link_identity(l, "address");
}

/* Nobody gets into it: only what was begun while somebody did is still to be ended. */
static int claim(struct login *l)
{
	json_auto_t *ways = NULL;
	int r = sso_ways_read(l->t, &l->out.user, l->rq->now, &ways);

	if (r == 0 && json_array_size(json_object_get(ways, "ways")) > 0)
		return claim_answered(l, ways);
	if (r == 0)
		r = session_revoke_all(l->t, l->out.user.id, 0, l->rq->now);
	return r ? r : link_identity(l, "address");
}

/*
 * An account has the address. It is the same person only if nothing speaks against it: an address
 * may be claimed, given to somebody else, or lead to more than its organization can vouch for.
 */
static int address_known(struct login *l, int64_t owner, bool verified)
{
	if (!l->proven || !verified)
		return end(l, SSO_ADDRESS_TAKEN);
	int r = user_by_id(l->t, owner, &l->out.user);
	if (r == 0 && !l->out.user.superadmin)
		r = has_other_identity(l, owner);
	if (r < 0)
		return r;
	if (r > 0 || l->out.user.superadmin)
		return end(l, SSO_ADDRESS_TAKEN);
	return l->out.user.active ? claim(l) : end(l, SSO_SUSPENDED);
}

/* Nobody here has this address: an account is made for those who come by themselves or are invited.
 */
static int stranger(struct login *l)
{
	int r = l->c.auto_provision ? 1
		: l->proven	    ? invitation_awaits(l->t, l->email, l->rq->now)
				    : 0;
	char org[24];

	if (r <= 0)
		return r < 0 ? r : end(l, SSO_NOT_PROVISIONED);
	snprintf(org, sizeof(org), "%lld", (long long)l->c.org);
	if (ratelimit_take(RATELIMIT_NEW_ORG, org))
		return end(l, SSO_TOO_MANY);
	r = create(l);
	return r < 0 ? r : link_identity(l, "new");
}

static int first_login(struct login *l)
{
	const char *domain = sso_domain_of(l->a->email, l->email);
	int64_t owner;
	bool verified;

	if (!domain) {
		l->email[0] = '\0';
		return stranger(l);
	}
	int r = l->a->email_verified ? exists(l->t, sql_proven, l->c.id, domain) : 0;
	if (r < 0)
		return r;
	l->proven = r > 0;
	r = address_find(l, &owner, &verified);
	if (r <= 0)
		return r < 0 ? r : stranger(l);
	return address_known(l, owner, verified);
}

static int identity_find(struct login *l, int64_t *ret_id, int64_t *ret_user)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(l->t, sql_identity, "iss", &r, l->c.id, l->a->issuer, l->a->subject);

	if (n == 0)
		n = rows_next(r);
	if (n > 0) {
		*ret_id = row_int(r, 0);
		*ret_user = row_int(r, 1);
	}
	return n;
}

static int identify(struct login *l)
{
	int64_t identity, user;

	if (!l->c.enabled)
		return end(l, SSO_DISABLED);
	int r = identity_find(l, &identity, &user);
	if (r < 0)
		return r;
	if (r > 0)
		return known(l, identity, user);
	return l->answer.link_user ? link_own(l) : first_login(l);
}

static int settle(struct login *l)
{
	int r = identify(l);

	if (r == 0 && l->out.outcome == SSO_DONE)
		return record(l);
	if (r == 0 && l->out.outcome == SSO_ASK)
		return 0;
	/* Whose account it would have been is nobody's business. */
	l->out.user = (struct user){0};
	if (r == 0)
		r = sso_refusal_keep(
		    l->t, l->c.id, sso_outcome_word(l->out.outcome), NULL, l->rq->now);
	return r < 0 ? r
		     : audit_object(l->t, l->rq, "sso.refused", "sso-connection", l->c.slug,
			   detail(l, "fault", sso_outcome_word(l->out.outcome)));
}

int sso_login(struct tx *t, const struct request *rq, const struct sso_assertion *a,
    const struct sso_answer *answer, struct sso_result *ret)
{
	struct login l = {.t = t, .rq = rq, .a = a};

	if (!a->issuer[0] || !a->subject[0])
		return -EINVAL;
	if (answer)
		l.answer = *answer;
	int r = sso_connection_by_id(t, a->connection, &l.c);
	if (r < 0 && r != -ENOENT)
		return r;
	r = settle(&l);
	sso_connection_clear(&l.c);
	if (r == 0)
		*ret = l.out;
	return r;
}
