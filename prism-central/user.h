/* SPDX-License-Identifier: MIT */
#ifndef USER_H
#define USER_H

/* People: accounts, addresses, passwords. */
#include "base/name.h"
#include "domain.h"

/*
 * What a new password must be: long rather than ornate (NIST SP 800-63B §5.1.1.2). Otherwise
 * *ret_why (static text) says what it lacks. The username may be NULL.
 */
#define PASSWORD_MIN 10	 /* characters */
#define PASSWORD_MAX 256 /* bytes */
bool password_acceptable(const char *password, const char *username, const char **ret_why);

struct user {
	int64_t id, uid;
	bool superadmin, active, has_password;
	char username[USERNAME_MAX + 1];
	char name[GECOS_MAX + 1];
	char email[EMAIL_MAX + 1]; /* "": none, or it was released */
	char home[256];
	char state[16];
};

/* Each: 0, -ENOENT or -errno. An address finds its verified owner, compared in lowercase. */
int user_by_id(struct tx *t, int64_t id, struct user *ret);
int user_by_name(struct tx *t, const char *username, struct user *ret);
int user_by_email(struct tx *t, const char *email, struct user *ret);
/* By either: no username has an "@". */
int user_find(struct tx *t, const char *name_or_email, struct user *ret);

json_t *user_json(const struct user *u);

/* The form in which addresses are compared: all lowercase. False if it is not an address. */
bool email_canonical(const char *email, char out[EMAIL_MAX + 1]);

struct user_new {
	const char *username, *name;
	const char *email;    /* NULL: none, for a person whom a login provider knows otherwise */
	const char *password; /* encoded, or NULL */
	bool superadmin;
};
/*
 * Make an account: its uid from the register, its address verified. The values have been checked.
 * 0, -EEXIST (username), -EADDRINUSE (address), -ENOSPC (ids) or -errno.
 */
int user_create(struct tx *t, const struct config *cfg, const struct user_new *n, int64_t now,
    struct user *ret);

/* A username made from an address that is valid and free; "" if none came to mind. 0 or -errno. */
int user_suggest(struct tx *t, const char *email, char out[USERNAME_MAX + 1]);

/* Fail the act unless these are acceptable. NULL values are not looked at. */
int user_check_values(struct act *a, const char *username, const char *name, const char *password);

struct bootstrap {
	const char *username, *email, *name, *password; /* name may be NULL */
};
/*
 * The first superadmin, and the organization "default" if there is none. 0, -EEXIST when a
 * superadmin exists already (or the name is taken), -EINVAL for values that are not acceptable, or
 * -errno.
 */
int user_bootstrap(struct store *db, const struct config *cfg, const struct bootstrap *b);

/*
 * Set the password of an active account, found by user_find(), and end all its sessions. 0,
 * -ENOENT, -EACCES when it is not active, -EINVAL with *ret_why for a password that is not
 * acceptable, or -errno. *ret is set with 0, -EACCES and -EINVAL.
 */
int user_password_reset(struct store *db, const char *name_or_email, const char *password,
    struct user *ret, const char **ret_why);

/* Take the password away; the sessions that it opened stay. 0 or -errno. */
int user_password_clear(struct tx *t, int64_t id);

/* Handlers. */
void me_get(struct request *rq, struct reply *rp);
void me_patch(struct request *rq, struct reply *rp);
void me_password(struct request *rq, struct reply *rp);
void user_post(struct request *rq, struct reply *rp);
void user_get(struct request *rq, struct reply *rp);
void user_suspend(struct request *rq, struct reply *rp);
void user_resume(struct request *rq, struct reply *rp);
void user_email_release(struct request *rq, struct reply *rp);

#endif
