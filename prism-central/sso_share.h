/* SPDX-License-Identifier: MIT */
#ifndef SSO_SHARE_H
#define SSO_SHARE_H

/*
 * The threads of LANE_OUT wait for providers, name servers and prism-saml, all of which an
 * organization's owners choose. One organization has at most HTTP_OUT_SHARE of them at a time,
 * whatever its providers do; its other requests wait without a thread.
 */
#include <pthread.h>
#include "http.h"

struct sso_shares {
	pthread_mutex_t lock;
	struct {
		int64_t org;
		int running; /* 0: the place is free */
	} of[HTTP_OUT_THREADS];
};

void sso_shares_init(struct sso_shares *s);
void sso_shares_free(struct sso_shares *s);

/*
 * Before a handler in LANE_OUT uses anything up: true when it may go on, and then says
 * sso_share_return() at its end. Otherwise the reply is filled: the request is parked, or, if it
 * has waited long enough, refused.
 */
bool sso_share_take(struct request *rq, struct reply *rp, int64_t org);
void sso_share_return(struct request *rq, int64_t org);

#endif
