/* SPDX-License-Identifier: MIT */
#ifndef ORGANIZATION_H
#define ORGANIZATION_H

#include "domain.h"

#define ORGANIZATION_DEFAULT "default"

/* By id or slug; NULL: the one that is called "default". 0, -ENOENT or -errno. */
int organization_find(struct tx *t, const char *id_or_slug, int64_t *ret);
/* Make one. 0, -EEXIST or -errno. */
int organization_create(
    struct tx *t, const char *slug, const char *name, int64_t now, int64_t *ret);
/* Give a person this built-in role ("owner", "admin", "member"). 0 or -errno. */
int organization_put_member(struct tx *t, int64_t org, int64_t user, const char *role, int64_t now);

/* Handlers. */
void organization_list(struct request *rq, struct reply *rp);
void organization_post(struct request *rq, struct reply *rp);
void organization_member_put(struct request *rq, struct reply *rp);

#endif
