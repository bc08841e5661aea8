/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "base/clock.h"
#include "organization.h"
#include "password.h"
#include "register.h"
#include "session.h"
#include "user.h"

#define USER_COLUMNS                                                                            \
	"SELECT u.id, u.uid, u.superadmin, u.state, CASE WHEN u.password IS NULL THEN 0 ELSE 1" \
	" END, u.username, u.name, u.home, COALESCE((SELECT e.address FROM emails e WHERE"      \
	" e.user_id = u.id AND e.main = 1), '') FROM users u "

static const char sql_by_id[] = USER_COLUMNS "WHERE u.id = $1";
static const char sql_by_name[] = USER_COLUMNS "WHERE u.username = $1";
static const char sql_by_email[] = USER_COLUMNS
    "WHERE u.id = (SELECT v.user_id FROM emails v WHERE v.canonical = $1 AND v.verified_at > 0)";
static const char sql_insert[] =
    "INSERT INTO users (id, username, name, uid, home, shell, state, superadmin, password,"
    " password_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $8, $9, $10)";
static const char sql_insert_email[] =
    "INSERT INTO emails (id, user_id, address, canonical, main, verified_at)"
    " VALUES ($1, $2, $3, $4, 1, $5)";
static const char sql_taken[] = "SELECT 1 FROM users WHERE username = $1";
static const char sql_superadmins[] = "SELECT 1 FROM users WHERE superadmin = 1";
static const char sql_password[] =
    "UPDATE users SET password = $2, password_at = $3 WHERE id = $1 AND state = 'active'";
static const char sql_password_clear[] =
    "UPDATE users SET password = NULL, password_at = 0 WHERE id = $1";

static int user_read(struct rows *r, struct user *ret)
{
	int n = rows_next(r);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	*ret = (struct user){
	    .id = row_int(r, 0),
	    .uid = row_int(r, 1),
	    .superadmin = row_int(r, 2),
	    .has_password = row_int(r, 4),
	};
	row_copy(r, 3, ret->state, sizeof(ret->state));
	ret->active = !strcmp(ret->state, "active");
	row_copy(r, 5, ret->username, sizeof(ret->username));
	row_copy(r, 6, ret->name, sizeof(ret->name));
	row_copy(r, 7, ret->home, sizeof(ret->home));
	row_copy(r, 8, ret->email, sizeof(ret->email));
	return 0;
}

int user_by_id(struct tx *t, int64_t id, struct user *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_by_id, "i", &r, id);
	return n < 0 ? n : user_read(r, ret);
}

int user_by_name(struct tx *t, const char *username, struct user *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_by_name, "s", &r, username);
	return n < 0 ? n : user_read(r, ret);
}

int user_by_email(struct tx *t, const char *email, struct user *ret)
{
	_cleanup_rows_ struct rows *r = NULL;
	char canonical[EMAIL_MAX + 1];
	if (!email_canonical(email, canonical))
		return -ENOENT;
	int n = tx_query(t, sql_by_email, "s", &r, canonical);
	return n < 0 ? n : user_read(r, ret);
}

int user_find(struct tx *t, const char *name_or_email, struct user *ret)
{
	return strchr(name_or_email, '@') ? user_by_email(t, name_or_email, ret)
					  : user_by_name(t, name_or_email, ret);
}

json_t *user_json(const struct user *u)
{
	return json_pack("{so, ss, ss, ss, sI, sI, ss, ss, sb}", "id", json_id(u->id), "username",
	    u->username, "name", u->name, "email", u->email, "uid", (json_int_t)u->uid, "gid",
	    (json_int_t)u->uid, "home", u->home, "state", u->state, "superadmin",
	    (int)u->superadmin);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool email_canonical(const char *email, char out[EMAIL_MAX + 1])
{
	size_t n = strnlen(email, EMAIL_MAX + 1);
	if (n > EMAIL_MAX || !email_valid(email))
		return false;
	for (size_t i = 0; i <= n; i++)
		out[i] = lower(email[i]);
	return true;
}

int user_create(
    struct tx *t, const struct config *cfg, const struct user_new *n, int64_t now, struct user *ret)
{
	char home[256], canonical[EMAIL_MAX + 1];
	int64_t id = store_new_id();
	uint32_t uid;
	if ((n->email && !email_canonical(n->email, canonical)) ||
	    snprintf(home, sizeof(home), "%s/%s", cfg->home_root, n->username) >= (int)sizeof(home))
		return -EINVAL;
	int r = register_allocate(t, cfg, REGISTER_USER, id, now, &uid);
	if (!r)
		r = tx_exec(t, sql_insert, "ississisii", id, n->username,
		    n->name && n->name[0] ? n->name : n->username, (int64_t)uid, home, cfg->shell,
		    (int64_t)n->superadmin, n->password, n->password ? now : 0, now);
	if (r < 0)
		return r;
	if (n->email)
		r = tx_exec(
		    t, sql_insert_email, "iissi", store_new_id(), id, n->email, canonical, now);
	if (r < 0)
		return r == -EEXIST ? -EADDRINUSE : r;
	return user_by_id(t, id, ret);
}

static int taken(struct tx *t, const char *username)
{
	_cleanup_rows_ struct rows *r = NULL;
	int n = tx_query(t, sql_taken, "s", &r, username);
	return n < 0 ? n : rows_next(r);
}

/* The local part as a username has it: "Alice.Smith+x@..." gives "alice-smith". */
static void username_base(const char *email, char *out, size_t size)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz";
	static const char later[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t n = 0, end = strcspn(email, "@+");
	for (size_t i = 0; i < end && n < size - 1; i++) {
		char c = email[i] == '.' ? '-' : lower(email[i]);
		if (c && strchr(n ? later : first, c))
			out[n++] = c;
	}
	out[n] = '\0';
}

int user_suggest(struct tx *t, const char *email, char out[USERNAME_MAX + 1])
{
	char base[USERNAME_MAX - 3], name[USERNAME_MAX + 1];
	out[0] = '\0';
	username_base(email, base, sizeof(base));
	for (int i = 1; i < 100; i++) {
		if (i == 1)
			snprintf(name, sizeof(name), "%s", base);
		else
			snprintf(name, sizeof(name), "%s%d", base, i);
		int r = username_valid(name) ? taken(t, name) : 1;
		if (r < 0)
			return r;
		if (!r) {
			memcpy(out, name, sizeof(name));
			return 0;
		}
	}
	return 0;
}

static size_t characters(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

bool password_acceptable(const char *password, const char *username, const char **ret_why)
{
	const char one[2] = {password[0], '\0'};
	if (characters(password) < PASSWORD_MIN)
		*ret_why = "A password has at least 10 characters.";
	else if (strlen(password) > PASSWORD_MAX)
		*ret_why = "A password has at most 256 bytes.";
	else if (strspn(password, one) == strlen(password))
		*ret_why = "A password is more than one character repeated.";
	else if (username && strcasestr(password, username) == password &&
		 strlen(password) < strlen(username) + 4)
		*ret_why = "A password is not the username with a little behind it.";
	else
		return true;
	return false;
}

int user_check_values(struct act *a, const char *username, const char *name, const char *password)
{
	const char *why;
	if (username && !username_valid(username))
		return act_fail(a, API_INVALID_VALUE,
		    "A username is 2 to 32 of a-z, 0-9, - and _, begins with a letter or _, and is "
		    "not a name that the system uses.");
	if (name && !gecos_valid(name))
		return act_fail(a, API_INVALID_VALUE,
		    "A name is one line of at most %d bytes, without colons.", GECOS_MAX);
	if (password && !password_acceptable(password, username, &why))
		return act_fail(a, API_INVALID_VALUE, "%s", why);
	return 0;
}

struct bootstrap_tx {
	const struct config *cfg;
	struct user_new values;
	int64_t now;
};

static int bootstrap_tx(struct tx *t, void *arg)
{
	struct bootstrap_tx *b = arg;
	struct user u;
	int64_t org;
	_cleanup_rows_ struct rows *rows = NULL;
	int r = tx_query(t, sql_superadmins, "", &rows);
	if (!r)
		r = rows_next(rows);
	if (r)
		return r < 0 ? r : -EEXIST;
	r = organization_find(t, NULL, &org);
	if (r == -ENOENT)
		r = organization_create(t, ORGANIZATION_DEFAULT, "Default", b->now, &org);
	if (!r)
		r = user_create(t, b->cfg, &b->values, b->now, &u);
	if (!r)
		r = organization_put_member(t, org, u.id, "owner", b->now);
	if (!r)
		r = audit_object(t, NULL, "user.bootstrap", "user", b->values.username,
		    json_pack("{ss, sI}", "email", b->values.email, "uid", (json_int_t)u.uid));
	return r == -EADDRINUSE ? -EEXIST : r;
}

int user_bootstrap(struct store *db, const struct config *cfg, const struct bootstrap *b)
{
	char encoded[PASSWORD_ENCODED_MAX];
	const char *why;
	struct bootstrap_tx arg = {
	    .cfg = cfg,
	    .values = {b->username, b->name, b->email, encoded, true},
	    .now = clock_now(),
	};
	if (!b->username || !b->email || !b->password || !username_valid(b->username) ||
	    !email_valid(b->email) || (b->name && !gecos_valid(b->name)) ||
	    !password_acceptable(b->password, b->username, &why))
		return -EINVAL;
	int r = password_hash(b->password, encoded);
	if (!r)
		r = store_tx(db, STORE_WRITE, bootstrap_tx, &arg);
	explicit_bzero(encoded, sizeof(encoded));
	return r;
}

int user_password_clear(struct tx *t, int64_t id)
{
	return tx_exec(t, sql_password_clear, "i", id);
}

struct reset_tx {
	const char *login, *encoded;
	struct user *user;
};

static int reset_find_tx(struct tx *t, void *arg)
{
	struct reset_tx *p = arg;
	int r = user_find(t, p->login, p->user);
	return r < 0 ? r : p->user->active ? 0 : -EACCES;
}

static int reset_set_tx(struct tx *t, void *arg)
{
	struct reset_tx *p = arg;
	int64_t now = clock_now();
	int r = reset_find_tx(t, arg);
	if (!r)
		r = tx_exec(t, sql_password, "isi", p->user->id, p->encoded, now);
	if (!r)
		r = session_revoke_all(t, p->user->id, 0, now);
	return r ? r : audit_object(t, NULL, "user.password", "user", p->user->username, NULL);
}

int user_password_reset(struct store *db, const char *name_or_email, const char *password,
    struct user *ret, const char **ret_why)
{
	char encoded[PASSWORD_ENCODED_MAX];
	struct reset_tx arg = {.login = name_or_email, .encoded = encoded, .user = ret};
	int r = store_tx(db, STORE_READ, reset_find_tx, &arg);
	if (!r && !password_acceptable(password, ret->username, ret_why))
		return -EINVAL;
	if (!r)
		r = password_hash(password, encoded);
	if (!r)
		r = store_tx(db, STORE_WRITE, reset_set_tx, &arg);
	explicit_bzero(encoded, sizeof(encoded));
	return r;
}
