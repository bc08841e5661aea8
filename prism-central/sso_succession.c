/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "audit.h"
#include "sso_certificate.h"
#include "sso_internal.h"

/* Providers that read metadata by themselves do it once a day, or more often. */
#define SETTLES 86400

struct succession {
	struct act act;
	const struct step *step;
	struct buf key, certificate; /* of a next one */
};

static const char sql_other[] = "UPDATE sso_connections SET sp_certificate = $2,"
				" sp_other_certificate = $3, sp_other = $4, sp_other_at = $5,"
				" updated_at = $5 WHERE id = $1";

static int put(struct tx *t, struct act *a, const struct sso_connection *c, const char *current,
    const char *other, enum sso_other what)
{
	return tx_exec(
	    t, sql_other, "isssi", c->id, current, other, sso_other_word(what), a->rq->now);
}

/* Whether what was done last may be built upon now; else the act has failed. */
static int settled(struct act *a, const struct sso_connection *c, const char *why)
{
	char from[CLOCK_TEXT];

	if (json_is_true(json_object_get(a->rq->body, "force")) ||
	    a->rq->now - c->other_at >= SETTLES)
		return 0;
	clock_format(c->other_at + SETTLES, from);
	return act_fail(a, API_CONFLICT, "%s: from %s on, or --force (force: true).", why, from);
}

/* ---- the steps ------------------------------------------------------------------------------- */

static int next(struct tx *t, struct succession *s, const struct sso_connection *c)
{
	struct act *a = &s->act;

	if (c->other != SSO_OTHER_NONE)
		return act_fail(a, API_CONFLICT,
		    "There is a %s certificate beside the current one: %sdrop it first.",
		    sso_other_word(c->other),
		    c->other == SSO_OTHER_NEXT ? "switch to it, or " : "");
	int r = sso_secret_put(t, a, c, "sp_other_key", buf_str(&s->key));
	return r ? r : put(t, a, c, c->sp_certificate, buf_str(&s->certificate), SSO_OTHER_NEXT);
}

/* Where a key is stored is sealed with it: both are opened, and sealed for the other's place. */
static int swap_keys(struct tx *t, struct act *a, const struct sso_connection *c)
{
	_cleanup_buf_ struct buf current = BUF_INIT(SSO_PEM_MAX), other = BUF_INIT(SSO_PEM_MAX);
	int r = sso_secret(t, a->rq, c, "sp_key", &current);

	if (r == 0)
		r = sso_secret(t, a->rq, c, "sp_other_key", &other);
	if (r == -ENOKEY || r == -EKEYREJECTED)
		return act_fail(a, API_NO_MASTER_KEY, NULL);
	if (r == 0)
		r = buf_error(&current);
	if (r == 0)
		r = buf_error(&other);
	if (r == 0)
		r = sso_secret_put(t, a, c, "sp_key", buf_str(&other));
	return r ? r : sso_secret_put(t, a, c, "sp_other_key", buf_str(&current));
}

/* The way back is open at once: whoever goes it has a provider that does not take the new one. */
static int switch_to(struct tx *t, struct succession *s, const struct sso_connection *c)
{
	struct act *a = &s->act;
	bool forward = c->other == SSO_OTHER_NEXT;
	int r = forward ? settled(a, c, "Providers may not have read the next certificate yet") : 0;

	if (r == 0)
		r = swap_keys(t, a, c);
	return r ? r
		 : put(t, a, c, c->sp_other_certificate, c->sp_certificate,
		       forward ? SSO_OTHER_FORMER : SSO_OTHER_NEXT);
}

static int drop(struct tx *t, struct succession *s, const struct sso_connection *c)
{
	struct act *a = &s->act;
	int r = c->other == SSO_OTHER_FORMER
		    ? settled(a, c, "The provider may still encrypt for the former certificate")
		    : 0;

	if (r == 0)
		r = sso_secret_put(t, a, c, "sp_other_key", NULL);
	return r ? r : put(t, a, c, c->sp_certificate, "", SSO_OTHER_NONE);
}

static const struct step {
	const char *name, *action;
	bool makes; /* a certificate; the others need one that is there */
	int (*take)(struct tx *t, struct succession *s, const struct sso_connection *c);
} steps[] = {
    {"next", "sso.certificate.next", true, next},
    {"switch", "sso.certificate.switch", false, switch_to},
    {"drop", "sso.certificate.drop", false, drop},
};

/* ---- the request ----------------------------------------------------------------------------- */

/* The one that the step was about: made, now the current one, or gone. */
static json_t *detail(const struct succession *s, const struct sso_connection *before)
{
	struct sso_certificate x = {.fingerprint = ""};

	sso_certificates_look(
	    s->step->makes ? buf_str(&s->certificate) : before->sp_other_certificate, &x, 1);
	return json_pack("{s:s, s:s}", "fingerprint", x.fingerprint, "subject", x.subject);
}

static int step_tx(struct tx *t, struct act *a)
{
	struct succession *s = (struct succession *)a;
	_cleanup_sso_connection_ struct sso_connection c = {0}, now = {0};
	int r = sso_connection_of(t, a, &c);

	if (r < 0)
		return r;
	if (c.type != SSO_SAML)
		return act_fail(a, API_INVALID_VALUE,
		    "%s speaks OpenID Connect: it has no certificate of ours.", c.slug);
	if (!s->step->makes && c.other == SSO_OTHER_NONE)
		return act_fail(a, API_CONFLICT,
		    "There is no other certificate: prism sso certificate next %s makes one.",
		    c.slug);
	r = s->step->take(t, s, &c);
	if (r == 0)
		r = audit_object(
		    t, a->rq, s->step->action, "sso-connection", c.slug, detail(s, &c));
	if (r == 0)
		r = sso_connection_by_id(t, c.id, &now);
	return r ? r : sso_connection_json(t, a, &now, &a->json);
}

static int read_step(struct succession *s)
{
	const char *name = request_str(s->act.rq, "step");

	for (size_t i = 0; name && i < ARRAY_SIZE(steps); i++)
		if (strcmp(name, steps[i].name) == 0)
			s->step = &steps[i];
	if (!s->step)
		return act_fail(&s->act, API_INVALID_VALUE, "\"step\" is next, switch or drop.");
	return 0;
}

void sso_succession_post(struct request *rq, struct reply *rp)
{
	struct succession s = {.act = {.fn = step_tx, .rq = rq, .status = 200},
	    .key = BUF_INIT(SSO_PEM_MAX),
	    .certificate = BUF_INIT(SSO_PEM_MAX)};
	char name[SLUG_MAX + 16];
	bool slug = slug_valid(rq->arg[1]); /* or an id */
	int r = read_step(&s);

	/* Takes a tenth of a second: not within the transaction. */
	snprintf(name, sizeof(name), "prism%s%s", slug ? " " : "", slug ? rq->arg[1] : "");
	if (r == 0 && s.step->makes)
		r = sso_certificate_make(name, &s.key, &s.certificate);
	if (r == 0)
		r = act_do(&s.act, STORE_WRITE);
	act_reply(&s.act, r, rp);
	buf_free(&s.key);
	buf_free(&s.certificate);
}
