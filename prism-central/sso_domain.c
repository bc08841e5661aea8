/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/encode.h"
#include "base/secret.h"
#include "ratelimit.h"
#include "sso_internal.h"
#include "sso_share.h"

#define DOMAIN_COLUMNS                                                                         \
	"SELECT d.id, d.organization_id, d.connection_id, d.domain, d.challenge, d.proven_at," \
	" d.checked_at, d.created_at, c.slug FROM sso_domains d"                               \
	" JOIN sso_connections c ON c.id = d.connection_id "

static const char sql_get[] = DOMAIN_COLUMNS "WHERE d.domain = $1";
static const char sql_list[] = DOMAIN_COLUMNS
    "WHERE d.organization_id = $1 AND ($2 = 0 OR d.connection_id = $2) ORDER BY d.domain";
static const char sql_count[] = "SELECT COUNT(*) FROM sso_domains WHERE organization_id = $1";
static const char sql_insert[] =
    "INSERT INTO sso_domains (id, organization_id, connection_id, domain, challenge, created_at,"
    " created_by) VALUES ($1, $2, $3, $4, $5, $6, $7)";
static const char sql_delete[] = "DELETE FROM sso_domains WHERE id = $1";
/* The challenge tells whether it is still the claim that was asked about. */
static const char sql_found[] = "UPDATE sso_domains SET checked_at = $3, missing_at = 0,"
				" proven_at = CASE WHEN proven_at > 0 THEN proven_at ELSE $3 END"
				" WHERE domain = $1 AND challenge = $2";
static const char sql_missing[] =
    "UPDATE sso_domains SET checked_at = $3,"
    " proven_at = CASE WHEN missing_at > 0 AND missing_at <= $4 THEN 0 ELSE proven_at END,"
    " missing_at = CASE WHEN missing_at > 0 THEN missing_at ELSE $3 END"
    " WHERE domain = $1 AND challenge = $2";

#define CHALLENGE    "prism-domain-verification="
#define CLAIM_YIELDS (3 * 86400) /* an unproven claim, to another organization's */
#define CHECK_AGAIN  86400
#define LAPSE_AFTER  (7 * 86400)

struct domain {
	int64_t id, org, connection, proven_at, checked_at, created_at;
	char domain[SSO_DOMAIN_MAX + 1];
	char challenge[128];
	char slug[SLUG_MAX + 1];
};

/* Everybody has an address there: nobody can speak for all of them. */
static const char *const public_mail[] = {"163.com", "aol.com", "fastmail.com", "free.fr",
    "gmail.com", "gmx.at", "gmx.ch", "gmx.com", "gmx.de", "gmx.net", "googlemail.com",
    "hotmail.co.uk", "hotmail.com", "hotmail.fr", "icloud.com", "laposte.net", "libero.it",
    "live.com", "mac.com", "mail.com", "mail.ru", "me.com", "msn.com", "orange.fr", "outlook.com",
    "outlook.de", "proton.me", "protonmail.com", "qq.com", "t-online.de", "web.de", "yahoo.co.uk",
    "yahoo.com", "yahoo.de", "yahoo.fr", "yandex.ru", "ymail.com", "zoho.com"};

static bool is_public_mail(const char *domain)
{
	for (size_t i = 0; i < ARRAY_SIZE(public_mail); i++)
		if (strcmp(domain, public_mail[i]) == 0)
			return true;
	return false;
}

static void domain_row(struct rows *r, struct domain *d)
{
	*d = (struct domain){
	    .id = row_int(r, 0),
	    .org = row_int(r, 1),
	    .connection = row_int(r, 2),
	    .proven_at = row_int(r, 5),
	    .checked_at = row_int(r, 6),
	    .created_at = row_int(r, 7),
	};
	row_copy(r, 3, d->domain, sizeof(d->domain));
	row_copy(r, 4, d->challenge, sizeof(d->challenge));
	row_copy(r, 8, d->slug, sizeof(d->slug));
}

static int domain_get(struct tx *t, const char *domain, struct domain *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_get, "s", &r, domain);

	if (n == 0)
		n = rows_next(r);
	if (n > 0)
		domain_row(r, ret);
	return n > 0 ? 0 : n < 0 ? n : -ENOENT;
}

static json_t *domain_json(const struct domain *d)
{
	return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:s}", "domain", d->domain, "connection",
	    d->slug, "proven", d->proven_at > 0, "proven_at", json_time(d->proven_at), "checked_at",
	    json_time(d->checked_at), "record_name", json_sprintf("_prism-challenge.%s", d->domain),
	    "record_value", d->challenge);
}

int sso_domain_all(struct tx *t, int64_t org, int64_t connection, json_t *into)
{
	_cleanup_rows_ struct rows *r = NULL;
	struct domain d;
	int n = tx_query(t, sql_list, "ii", &r, org, connection);

	if (n < 0)
		return n;
	while ((n = rows_next(r)) > 0) {
		domain_row(r, &d);
		if (json_array_append_new(into, domain_json(&d)) < 0)
			return -ENOMEM;
	}
	return n;
}

static int audit(struct tx *t, const struct request *rq, const char *action, const char *domain,
    const char *slug)
{
	return audit_object(
	    t, rq, action, "domain", domain, json_pack("{s:s}", "connection", slug));
}

/* ---- claims ---------------------------------------------------------------------------------- */

static int challenge_make(char out[128])
{
	uint8_t secret[32];
	char text[BASE64URL_LEN(32) + 1];
	int r = secret_random(secret, sizeof(secret));

	if (r < 0)
		return r;
	base64url_encode(secret, sizeof(secret), text);
	snprintf(out, 128, CHALLENGE "%s", text);
	return 0;
}

/* An organization that does not prove its claim must not keep another one from its own domain. */
static bool yields(const struct domain *d, int64_t org, int64_t now)
{
	return d->org != org && !d->proven_at && d->created_at <= now - CLAIM_YIELDS;
}

static int claim_end(struct tx *t, const struct request *rq, const struct domain *d)
{
	int r = tx_exec(t, sql_delete, "i", d->id);

	return r ? r : audit(t, rq, "sso.domain.delete", d->domain, d->slug);
}

static int room(struct tx *t, struct act *a, int64_t org)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_count, "i", &r, org);

	if (n == 0)
		n = rows_next(r);
	if (n < 0)
		return n;
	return row_int(r, 0) < SSO_CLAIMS_MAX
		   ? 0
		   : act_fail(a, API_CONFLICT, "An organization claims at most %d domains.",
			 SSO_CLAIMS_MAX);
}

static int claim_name(struct act *a, const char *text, char domain[SSO_DOMAIN_MAX + 1])
{
	if (!text || !sso_domain_canonical(text, domain))
		return act_fail(a, API_INVALID_VALUE,
		    "\"%.80s\" is no domain: it looks like acme.com.", text ? text : "");
	if (is_public_mail(domain))
		return act_fail(a, API_INVALID_VALUE,
		    "%s belongs to everybody who has an address there.", domain);
	return 0;
}

int sso_domain_claim(struct tx *t, struct act *a, const struct sso_connection *c, const char *text)
{
	char domain[SSO_DOMAIN_MAX + 1], challenge[128];
	struct domain d;
	int r = claim_name(a, text, domain);

	if (r < 0)
		return r;
	r = domain_get(t, domain, &d);
	if (r == 0 && d.connection == c->id)
		return 0;
	if (r == 0 && !yields(&d, c->org, a->rq->now))
		return act_fail(a, API_DOMAIN_ALREADY_USED, "%s is another connection's.", domain);
	if (r == 0)
		r = claim_end(t, a->rq, &d);
	if (r == 0 || r == -ENOENT)
		r = room(t, a, c->org);
	if (r == 0)
		r = challenge_make(challenge);
	if (r == 0)
		r = tx_exec(t, sql_insert, "iiissii", store_new_id(), c->org, c->id, domain,
		    challenge, a->rq->now, a->rq->who.id);
	if (r == 0)
		r = audit(t, a->rq, "sso.domain.claim", domain, c->slug);
	return r ? r : 1;
}

static bool listed(const json_t *list, const char *domain)
{
	char canonical[SSO_DOMAIN_MAX + 1];
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		const char *text = json_string_value(v);
		if (text && sso_domain_canonical(text, canonical) && !strcmp(canonical, domain))
			return true;
	}
	return false;
}

int sso_domain_set(struct tx *t, struct act *a, const struct sso_connection *c, const json_t *list)
{
	json_auto_t *have = json_array();
	const json_t *v;
	size_t i;
	struct domain d;
	int r = sso_domain_all(t, c->org, c->id, have);

	json_array_foreach(have, i, v)
	{
		const char *domain = json_string_value(json_object_get(v, "domain"));
		if (r < 0 || listed(list, domain))
			continue;
		r = domain_get(t, domain, &d);
		if (r == 0)
			r = claim_end(t, a->rq, &d);
	}
	json_array_foreach(list, i, v)
	{
		if (r < 0)
			break;
		r = sso_domain_claim(t, a, c, json_string_value(v));
	}
	return r < 0 ? r : 0;
}

/* ---- the API --------------------------------------------------------------------------------- */

static int list_tx(struct tx *t, struct act *a)
{
	a->json = json_array();
	return sso_domain_all(t, a->authz.org, 0, a->json);
}

void sso_domain_list(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = list_tx, .rq = rq, .status = 200};
	act_run(&a, STORE_READ, rp);
}

static int post_tx(struct tx *t, struct act *a)
{
	_cleanup_sso_connection_ struct sso_connection c = {0};
	char domain[SSO_DOMAIN_MAX + 1];
	const char *slug = request_str(a->rq, "connection"), *text = request_str(a->rq, "domain");
	struct domain d;

	if (!slug || !text)
		return act_fail(a, API_BAD_REQUEST, "\"domain\" and \"connection\" are needed.");
	int r = sso_connection_find(t, slug, &c);
	if (r == -ENOENT || (r == 0 && c.org != a->authz.org))
		return act_fail(a, API_SSO_NOT_FOUND, NULL);
	if (r == 0)
		r = sso_domain_claim(t, a, &c, text);
	if (r < 0)
		return r;
	a->status = r > 0 ? 201 : 200;
	(void)sso_domain_canonical(text, domain);
	r = domain_get(t, domain, &d);
	if (r == 0)
		a->json = domain_json(&d);
	return r;
}

void sso_domain_post(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = post_tx, .rq = rq, .status = 201};
	act_run(&a, STORE_WRITE, rp);
}

/* The domain that the path names, if it is this organization's. */
static int find(struct tx *t, struct act *a, struct domain *ret)
{
	char domain[SSO_DOMAIN_MAX + 1];
	struct domain d;
	int r = sso_domain_canonical(a->rq->arg[1], domain) ? domain_get(t, domain, &d) : -ENOENT;

	if (r == -ENOENT || (r == 0 && d.org != a->authz.org))
		return act_fail(a, API_NOT_FOUND, "This organization has not claimed that domain.");
	if (r == 0)
		*ret = d;
	return r;
}

static int delete_tx(struct tx *t, struct act *a)
{
	struct domain d;
	int r = find(t, a, &d);

	return r ? r : claim_end(t, a->rq, &d);
}

void sso_domain_delete(struct request *rq, struct reply *rp)
{
	struct act a = {.fn = delete_tx, .rq = rq, .status = 204};
	act_run(&a, STORE_WRITE, rp);
}

/* ---- proofs ---------------------------------------------------------------------------------- */

struct verify {
	struct act act;
	struct domain d;
	int answer; /* sso_domain_check()'s */
};

/* The DNS has answered: note it. 0, -ENOENT (the claim is another one by now) or -errno. */
static int noted(struct tx *t, const struct request *rq, const struct domain *d, int answer)
{
	struct domain now;
	int r;

	if (answer == 0)
		r = tx_exec(t, sql_found, "ssi", d->domain, d->challenge, rq->now);
	else
		r = tx_exec(t, sql_missing, "ssii", d->domain, d->challenge, rq->now,
		    rq->now - LAPSE_AFTER);
	if (r == 0 && tx_changes(t) == 0)
		return -ENOENT;
	if (r == 0)
		r = domain_get(t, d->domain, &now);
	if (r == 0 && !d->proven_at && now.proven_at)
		r = audit(t, rq, "sso.domain.prove", d->domain, d->slug);
	if (r == 0 && d->proven_at && !now.proven_at)
		r = audit(t, NULL, "sso.domain.lapse", d->domain, d->slug);
	return r;
}

static int verify_find_tx(struct tx *t, struct act *a)
{
	struct verify *v = (struct verify *)a;

	return find(t, a, &v->d);
}

static int verify_store_tx(struct tx *t, struct act *a)
{
	struct verify *v = (struct verify *)a;
	struct domain d;
	int r = noted(t, a->rq, &v->d, v->answer);

	if (r == -ENOENT)
		return act_fail(a, API_CONFLICT, NULL);
	if (r == 0)
		r = domain_get(t, v->d.domain, &d);
	if (r == 0)
		a->json = domain_json(&d);
	return r;
}

static int verify_run(struct verify *v)
{
	int r = act_do(&v->act, STORE_READ);

	if (r < 0)
		return r;
	v->answer = sso_domain_check(&v->act.rq->central->config, v->d.domain, v->d.challenge);
	if (v->answer != 0 && v->answer != -ENOENT)
		return act_fail(&v->act, API_DNS_UNAVAILABLE, NULL);
	v->act.fn = verify_store_tx;
	r = act_do(&v->act, STORE_WRITE);
	if (r == 0 && v->answer == -ENOENT)
		r = act_fail(&v->act, API_DOMAIN_NOT_PROVEN,
		    "There is no TXT record \"%s\" at _prism-challenge.%s.", v->d.challenge,
		    v->d.domain);
	return r;
}

void sso_domain_verify(struct request *rq, struct reply *rp)
{
	struct verify v = {.act = {.fn = verify_find_tx, .rq = rq, .status = 200}};
	unsigned wait = rq->again ? 0 : ratelimit_take(RATELIMIT_DNS_USER, rq->who.name);
	int r;

	if (wait) {
		r = act_fail(
		    &v.act, API_TOO_MANY_REQUESTS, "Too many attempts: wait %u seconds.", wait);
	} else {
		if (!sso_share_take(rq, rp, rq->org))
			return;
		r = verify_run(&v);
		sso_share_return(rq, rq->org);
	}
	rp->retry_after = wait;
	act_reply(&v.act, r, rp);
}

/* ---- proofs that are used -------------------------------------------------------------------- */

struct recheck {
	const struct request *rq;
	int64_t connection;
	struct domain d;
	int answer;
};

static int recheck_find_tx(struct tx *t, void *arg)
{
	struct recheck *c = arg;
	struct domain d;
	int r = domain_get(t, c->d.domain, &d);

	if (r < 0)
		return r;
	if (d.connection != c->connection || !d.proven_at ||
	    d.checked_at > c->rq->now - CHECK_AGAIN)
		return -ENOENT;
	c->d = d;
	return 0;
}

static int recheck_store_tx(struct tx *t, void *arg)
{
	struct recheck *c = arg;

	return noted(t, c->rq, &c->d, c->answer);
}

void sso_domain_recheck(struct request *rq, int64_t connection, const char *email)
{
	struct recheck c = {.rq = rq, .connection = connection};
	char canonical[EMAIL_MAX + 1];
	const char *domain = sso_domain_of(email, canonical);

	if (!domain || !sso_domain_canonical(domain, c.d.domain) ||
	    store_tx(rq->db, STORE_READ, recheck_find_tx, &c) < 0)
		return;
	c.answer = sso_domain_check(&rq->central->config, c.d.domain, c.d.challenge);
	if (c.answer == 0 || c.answer == -ENOENT)
		(void)store_tx(rq->db, STORE_WRITE, recheck_store_tx, &c);
}
