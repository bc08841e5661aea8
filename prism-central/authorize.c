/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "browser.h"
#include "domain.h"
#include "html.h"

struct authorize {
	struct request *rq;
	struct authz authz;
	enum api_error error;
};

static int authorize_tx(struct tx *t, void *arg)
{
	struct authorize *a = arg;
	return authz_check(t, a->rq, &a->authz, &a->error);
}

int authorize(struct request *rq, struct reply *rp)
{
	struct authorize a = {.rq = rq};
	int r = 0;
	rq->org = rq->project = 0;
	if (rq->route && rq->route->scope == SCOPE_BROWSER && !browser_form_ours(rq)) {
		page_forged(rq, rp);
		return -EACCES;
	}
	if (!rq->route || rq->route->scope != SCOPE_PUBLIC)
		r = store_tx(rq->db, STORE_READ, authorize_tx, &a);
	if (r == -ECANCELED)
		reply_error(rp, a.error, NULL);
	else if (r < 0)
		reply_errno(rp, r);
	if (r < 0)
		return r;
	rq->org = a.authz.org;
	rq->project = a.authz.project;
	return 0;
}
