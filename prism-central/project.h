/* SPDX-License-Identifier: MIT */
#ifndef PROJECT_H
#define PROJECT_H

#include "domain.h"
#include "base/name.h"

struct project {
	int64_t id, org, gid, members, created_at, budget_cents;
	int64_t sso_max_age; /* seconds; 0: not asked for */
	bool has_budget;
	char slug[SLUG_MAX + 1];
	char name[GECOS_MAX + 1];
	char org_slug[SLUG_MAX + 1];
	char state[16];
	char contact[GECOS_MAX + 1];
	char role[32]; /* of the person that asks; "": none */
};

/* As user "viewer" sees it. 0, -ENOENT or -errno. */
int project_get(struct tx *t, int64_t id, int64_t viewer, int64_t now, struct project *ret);
/* By id or slug. 0, -ENOENT or -errno. */
int project_find(struct tx *t, const char *id_or_slug, int64_t *ret);
json_t *project_json(const struct project *p);

/* Handlers. */
void project_post(struct request *rq, struct reply *rp);
void project_list(struct request *rq, struct reply *rp);
void project_show(struct request *rq, struct reply *rp);
void project_patch(struct request *rq, struct reply *rp);
void project_delete(struct request *rq, struct reply *rp);

#endif
