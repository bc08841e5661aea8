/* SPDX-License-Identifier: MIT */
#ifndef SSO_H
#define SSO_H

/*
 * Institutions' logins: an organization's connections to its providers, the domains that it has
 * proven, and who is who.
 *
 * What a provider says is believed within its organization only:
 *
 * - A person is found by (connection, issuer, subject), and by nothing else.
 * - An address that the provider names counts as proven only if the provider says that it has
 *   verified it (SAML: it is one of the provider's own people), and its domain has been proven
 *   by a DNS TXT record for this connection. Such an address links a first login to the account
 *   that has it verified, unless that account is a superadmin's or has another identity at this
 *   connection already (an address given to somebody else); and a new account gets it, or one that
 *   has none, at any later login, if nobody has it.
 * - Whoever sees an invitation can have made the account of its address, before its owner ever
 * came. So an account that has a way in already (sso_ways.h) is linked by its address only when the
 *   owner, shown those ways, has said that all are theirs, or has had them closed (SSO_ASK).
 * - Without that, an account is linked by its owner alone, who is logged in to it (sso_link).
 * - Who has logged in through a provider has the rights of their roles, in the whole deployment,
 * and never those of a superadmin (authz.c): whoever manages a connection could be anybody linked
 * to it. Nor does such a login add a key or password to a superadmin's account.
 *   Through a provider, another one's logins are neither unlinked nor added to.
 * - auto_provision makes an account where there is none, once, and at the first login a membership
 *   of the organization with default_role, or the role that the mapped claim names if allowed_roles
 *   has it; as member, where whoever set these last could not give that role now (sso_role.c).
 *   Each account uses up an id, so there is a limit to those that an organization's
 * providers make at a time. Without it, only who has been invited to a project by a proven address
 * gets an account.
 *
 * enforce_sso closes the local ways (password, key, accepting an invitation without an account) to
 * everybody who has an identity at the connection, or whose verified address lies in its proven
 * domains: to whom the provider opens. Never to those who are only members of the organization,
 * which an owner can make anybody without asking, and who would have no way in at all; nor to
 * superadmins, who must be able to mend it.
 */
#include "domain.h"
#include "user.h"

enum sso_type { SSO_OIDC = 1, SSO_SAML };

/* Our second key, of SAML: sso_succession.c. */
enum sso_other { SSO_OTHER_NONE, SSO_OTHER_NEXT, SSO_OTHER_FORMER };

#define SSO_URL_MAX	512
#define SSO_SUBJECT_MAX 255
#define SSO_SID_MAX	255

struct sso_connection {
	int64_t id, org;
	enum sso_type type;
	bool enabled, enforce_sso, auto_provision, has_secret;
	int64_t default_role;
	char slug[SLUG_MAX + 1];
	char name[GECOS_MAX + 1];
	char issuer[SSO_URL_MAX];
	char client_id[256];
	char scopes[512];
	char entry_point[SSO_URL_MAX];
	char org_slug[SLUG_MAX + 1];
	json_t *mapping; /* owned: {"email": "mail", "name": ..., "username": ..., "role": ...} */
	json_t *allowed_roles; /* owned: an array of slugs */
	char *sp_certificate;  /* owned */
	enum sso_other other;
	int64_t other_at;	    /* since when it is that */
	char *sp_other_certificate; /* owned; "": none */
};
/* By slug. 0, -ENOENT or -errno. Release with sso_connection_clear(). */
int sso_connection_find(struct tx *t, const char *slug, struct sso_connection *ret);
int sso_connection_by_id(struct tx *t, int64_t id, struct sso_connection *ret);
void sso_connection_clear(struct sso_connection *c);
#define _cleanup_sso_connection_ __attribute__((__cleanup__(sso_connection_clear)))
/*
 * One of its sealed values, "client_secret", "certificate", "sp_key" or "sp_other_key", appended to
 * *ret, which the caller wipes. 0, -ENOENT where there is none, or secret_open()'s errors.
 */
int sso_secret(struct tx *t, const struct request *rq, const struct sso_connection *c,
    const char *column, struct buf *ret);

/*
 * Note on the connection why a login was refused last, for its owner: a word, and a sentence or
 * NULL. What anybody brings about by reloading a page, or by changing their mind, does not take the
 * place of a better reason within an hour. 0 or -errno.
 */
int sso_refusal_keep(
    struct tx *t, int64_t connection, const char *fault, const char *detail, int64_t now);

/* What a provider has said about a person, verified: oidc.c and saml.c make it. */
struct sso_assertion {
	int64_t connection;
	char issuer[SSO_URL_MAX], subject[SSO_SUBJECT_MAX + 1];
	char email[EMAIL_MAX + 1];					/* "": none */
	bool email_verified;						/* by the provider's word */
	char name[GECOS_MAX + 1], username[USERNAME_MAX + 1], role[32]; /* "": none */
	int64_t auth_at;	   /* when the person logged in there */
	char sid[SSO_SID_MAX + 1]; /* the provider's session; "" */
	char *refresh_token;	   /* owned, a secret; NULL: none */
};
void sso_assertion_clear(struct sso_assertion *a);
#define _cleanup_sso_assertion_ __attribute__((__cleanup__(sso_assertion_clear)))

enum sso_outcome {
	SSO_DONE = 1,	     /* *ret_user, *ret_identity */
	SSO_ADDRESS_TAKEN,   /* an account has that address: its owner must link it */
	SSO_NOT_PROVISIONED, /* no account, and none is made: ask to be invited */
	SSO_SUSPENDED,	     /* the account is */
	SSO_OTHER_PERSON,    /* to be linked, but this identity is somebody else's already */
	SSO_DISABLED,	     /* the connection is, since */
	SSO_TOO_MANY,	     /* new accounts for this organization: later */
	SSO_ASK,	     /* *ret_user's ways in must be looked at first: nothing was linked */
	SSO_ANSWERED,	     /* a claim, but it has been linked since: another page was answered */
};
/* The word for an outcome that is no login: the audit's. */
const char *sso_outcome_word(enum sso_outcome outcome);

/* What the person has said to a page of ours. */
enum sso_claim {
	SSO_CLAIM_NONE,	 /* nothing */
	SSO_CLAIM_KEEP,	 /* all ways into the account are theirs */
	SSO_CLAIM_CLOSE, /* close them */
};
struct sso_answer {
	int64_t link_user; /* the account to link the login to, whose owner has agreed; 0: none */
	enum sso_claim claim;
	const char *account; /* the username that the page named, or NULL */
	const char *seen;    /* sso_ways_digest() of what it showed; only that can be kept */
};
struct sso_result {
	enum sso_outcome outcome;
	struct user user; /* of SSO_DONE and SSO_ASK only */
	int64_t identity;
	bool created; /* the account is new */
};
/*
 * Find or make the person, in the caller's write transaction; records the login (auth_at, and the
 * freshness that hosts are told), the refresh token, and an audit event whatever the outcome.
 * "answer" may be NULL: the person has said nothing. 0 or -errno.
 */
int sso_login(struct tx *t, const struct request *rq, const struct sso_assertion *a,
    const struct sso_answer *answer, struct sso_result *ret);

/*
 * The provider has ended it (its logout, a refused refresh): browser and API sessions by this
 * identity end, and what was begun to be linked to the account, auth_at becomes 0, hosts are told.
 * "why" for the audit. 0 or -errno.
 */
int sso_end(struct tx *t, const struct request *rq, int64_t identity, const char *why);

/*
 * When this person last logged in by an enabled connection of the organization; 0: never, or ended
 * since. The feed's sso_at, for projects that have an sso_max_age.
 */
int sso_freshness(struct tx *t, int64_t org, int64_t user, int64_t *ret);

/*
 * A project may ask for fresh logins only where somebody can renew them: by an enabled connection
 * of the organization. 0, -ECANCELED (act_fail()ed) or -errno.
 */
int sso_renewable(struct tx *t, struct act *a, int64_t org);

/* Whether the local ways are closed to this person: 1 (then *ret_slug names a connection), 0, or
 * -errno. And to whoever would get this address. */
int sso_enforced(struct tx *t, int64_t user, char ret_slug[SLUG_MAX + 1]);
int sso_enforced_for(struct tx *t, const char *email, char ret_slug[SLUG_MAX + 1]);
/* Fail the act with SSO_REQUIRED, saying where to go. Returns -ECANCELED. */
int sso_required(struct act *a, const char *slug);

/*
 * sso_expiry.c: a line in the log for each certificate of an enabled connection, the provider's or
 * ours, that has expired or ends within SSO_EXPIRY_SOON; nothing if that was done less than a day
 * before "now", at *last (0: never), which is set. How many lines, or -errno. Opens the database by
 * itself.
 */
#define SSO_EXPIRY_SOON (30 * 86400)
int sso_expiry_watch(const struct central *c, int64_t *last, int64_t now);

/* The enabled connection that has proven the domain of this address. 0, -ENOENT or -errno. */
int sso_discover(struct tx *t, const char *email, char ret_slug[SLUG_MAX + 1]);

/* sso_domain.c: what a TXT record at _prism-challenge.DOMAIN must say. 0 proven, -ENOENT the DNS
 * says it is not there, -EAGAIN the DNS does not answer, -EINVAL no domain. Waits: LANE_OUT. */
int sso_domain_check(const struct config *c, const char *domain, const char *challenge);
/*
 * Before a login that brings this address: ask again, if the domain is one that the connection has
 * proven and the DNS was not asked for a day. A proof lapses when the DNS has answered for seven
 * days that the record is not there; a DNS that does not answer changes nothing. Outside a
 * transaction, waits: LANE_OUT. What goes wrong changes nothing either.
 */
void sso_domain_recheck(struct request *rq, int64_t connection, const char *email);

/*
 * The ticket of POST /me/identities, good once, for this connection: whose account it is to be
 * linked to. In a write transaction. 0, -ENOENT (unknown, used, over, another connection's) or
 * -errno.
 */
int sso_link_take(
    struct tx *t, const char *ticket, int64_t connection, int64_t now, int64_t *ret_user);
/* What was begun to link another login to this account goes: whoever began it may have had no right
 * to. 0 or -errno. */
int sso_link_forget(struct tx *t, int64_t user);

/* Handlers of the API (permission orgs:sso:manage, SCOPE_ORG) and of /me. */
void sso_connection_list(struct request *rq, struct reply *rp);
void sso_connection_post(struct request *rq, struct reply *rp);
void sso_connection_show(struct request *rq, struct reply *rp);
void sso_connection_patch(struct request *rq, struct reply *rp);
void sso_connection_delete(struct request *rq, struct reply *rp);
void sso_succession_post(struct request *rq, struct reply *rp); /* POST .../certificate {step} */
void sso_domain_list(struct request *rq, struct reply *rp);
void sso_domain_post(struct request *rq, struct reply *rp);
void sso_domain_verify(struct request *rq, struct reply *rp);
void sso_domain_delete(struct request *rq, struct reply *rp);
void sso_link_post(struct request *rq, struct reply *rp);     /* POST /me/identities {connection} */
void sso_identity_list(struct request *rq, struct reply *rp); /* GET /me/identities */
void sso_identity_delete(struct request *rq, struct reply *rp);

#endif
