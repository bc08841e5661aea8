/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "login.h"
#include "sso.h"

static const char sql_password[] = "SELECT password FROM users WHERE id = $1";
static const char sql_peers[] = "SELECT peer FROM sessions WHERE user_id = $1"
				" UNION SELECT peer FROM browser_sessions WHERE user_id = $1";

void login_count_init(const struct request *rq, const char *login, struct login_count *ret)
{
	char lower[EMAIL_MAX + 2];
	size_t i = 0;

	for (; login && login[i] && i < sizeof(lower) - 1; i++)
		lower[i] = login[i] >= 'A' && login[i] <= 'Z' ? (char)(login[i] + 32) : login[i];
	ratelimit_peer(rq->peer ? rq->peer : "", ret->peer);
	ret->login = login;
	ret->account[0] = '\0';
	if (login)
		sha256_hex(lower, i, ret->account);
	snprintf(ret->both, sizeof(ret->both), "%s%s", ret->account, ret->peer);
}

struct known {
	const struct login_count *count;
	bool known;
};

static int known_tx(struct tx *t, void *arg)
{
	struct known *k = arg;
	_cleanup_rows_ struct rows *rows = NULL;
	struct user u;
	char peer[RATELIMIT_KEY_MAX];
	int r = user_find(t, k->count->login, &u);

	k->known = false;
	if (r == 0)
		r = tx_query(t, sql_peers, "i", &rows, u.id);
	while (r == 0 && !k->known && (r = rows_next(rows)) > 0) {
		ratelimit_peer(row_text(rows, 0), peer);
		k->known = strcmp(peer, k->count->peer) == 0;
		r = 0;
	}
	return r;
}

/* Whether the owner of the account has logged in from this address in the last weeks. */
static bool owner_known(const struct request *rq, const struct login_count *n)
{
	struct known k = {.count = n};

	return store_tx(rq->db, STORE_READ, known_tx, &k) == 0 && k.known;
}

unsigned login_count_take(struct act *a, const struct login_count *n)
{
	unsigned wait = ratelimit_take(RATELIMIT_LOGIN_PEER, n->peer);

	if (!wait && n->account[0])
		wait = ratelimit_take(RATELIMIT_LOGIN_ACCOUNT, n->both);
	if (!wait && n->account[0]) {
		wait = ratelimit_take(RATELIMIT_LOGIN_SPREAD, n->account);
		if (wait && owner_known(a->rq, n))
			wait = 0;
	}
	if (wait) {
		log_event(LOG_LEVEL_WARN, "login_refused", "request", "%s", a->rq->id, "peer", "%s",
		    a->rq->peer ? a->rq->peer : "", "why", "%s", "too many attempts", NULL);
		act_fail(a, API_TOO_MANY_REQUESTS, "Too many attempts: wait %u seconds.", wait);
	}
	return wait;
}

static void count_return(const struct login_count *n)
{
	ratelimit_return(RATELIMIT_LOGIN_SPREAD, n->account);
	ratelimit_return(RATELIMIT_LOGIN_ACCOUNT, n->both);
	ratelimit_return(RATELIMIT_LOGIN_PEER, n->peer);
}

int login_allowed(struct tx *t, struct act *a, const struct user *u)
{
	char slug[SLUG_MAX + 1];
	if (!u->active)
		return act_fail(a, API_ACCOUNT_SUSPENDED, NULL);
	int r = sso_enforced(t, u->id, slug);
	return r > 0 ? sso_required(a, slug) : r;
}

/* Finds the account, and leaves its encoded password; none of either gives "". */
static int find_tx(struct tx *t, struct act *a)
{
	struct login *l = (struct login *)a;
	l->encoded[0] = '\0';
	l->user = (struct user){0};
	int r = user_find(t, l->name, &l->user);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	_cleanup_rows_ struct rows *rows = NULL;
	r = tx_query(t, sql_password, "i", &rows, l->user.id);
	if (!r && rows_next(rows) > 0)
		row_copy(rows, 0, l->encoded, sizeof(l->encoded));
	return r;
}

/* The password may have changed since it was verified: only the very same encoding counts. */
static int open_tx(struct tx *t, struct act *a)
{
	struct login *l = (struct login *)a;
	char before[PASSWORD_ENCODED_MAX];
	memcpy(before, l->encoded, sizeof(before));
	int64_t id = l->user.id;
	int r = find_tx(t, a);
	bool same = !strcmp(before, l->encoded) && l->encoded[0] && id == l->user.id;
	explicit_bzero(before, sizeof(before));
	if (r < 0)
		return r;
	if (!same)
		return act_fail(a, API_BAD_CREDENTIALS, NULL);
	r = login_allowed(t, a, &l->user);
	return r ? r : l->open(t, l);
}

static int prove(struct login *l, const char *password)
{
	l->act.fn = find_tx;
	int r = act_do(&l->act, STORE_READ);
	if (!r)
		r = password_verify(password, l->encoded[0] ? l->encoded : NULL);
	if (r == -EKEYREJECTED)
		return act_fail(&l->act, API_BAD_CREDENTIALS, NULL);
	if (r)
		return r;
	l->act.fn = open_tx;
	return act_do(&l->act, STORE_WRITE);
}

int login_password(struct login *l, const char *password)
{
	const struct request *rq = l->act.rq;
	struct login_count n;

	login_count_init(rq, l->name, &n);
	l->wait = login_count_take(&l->act, &n);
	if (l->wait)
		return -ECANCELED;
	int r = prove(l, password);
	if (!r)
		count_return(&n);
	else
		log_event(LOG_LEVEL_INFO, "login_refused", "request", "%s", rq->id, "peer", "%s",
		    rq->peer ? rq->peer : "", NULL);
	return r;
}
