/* SPDX-License-Identifier: MIT */
#include "sso_share.h"

#include <errno.h>
#include <stdio.h>
#include "central.h"
#include "oidc_cache.h"

#define WAIT_MS 20000

void sso_shares_init(struct sso_shares *s)
{
	*s = (struct sso_shares){.of = {{0}}};
	pthread_mutex_init(&s->lock, NULL);
}

void sso_shares_free(struct sso_shares *s)
{
	pthread_mutex_destroy(&s->lock);
}

static void topic_of(int64_t org, char out[32])
{
	snprintf(out, 32, "sso-share:%lld", (long long)org);
}

/* The place of this organization, or a free one. NULL: there are more requests than threads. */
static int *place(struct sso_shares *s, int64_t org)
{
	int *empty = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(s->of); i++) {
		if (s->of[i].running > 0 && s->of[i].org == org)
			return &s->of[i].running;
		if (s->of[i].running == 0 && !empty) {
			s->of[i].org = org;
			empty = &s->of[i].running;
		}
	}
	return empty;
}

bool sso_share_take(struct request *rq, struct reply *rp, int64_t org)
{
	struct sso_shares *s = &rq->central->oidc->shares;
	char topic[32];

	pthread_mutex_lock(&s->lock);
	int *running = place(s, org);
	bool ok = running && *running < HTTP_OUT_SHARE;
	if (ok)
		(*running)++;
	pthread_mutex_unlock(&s->lock);
	if (ok)
		return true;
	topic_of(org, topic);
	if (rq->last)
		reply_errno(rp, -EBUSY);
	else
		reply_park(rp, topic, WAIT_MS);
	return false;
}

void sso_share_return(struct request *rq, int64_t org)
{
	struct sso_shares *s = &rq->central->oidc->shares;
	char topic[32];

	pthread_mutex_lock(&s->lock);
	int *running = place(s, org);
	bool full = running && *running == HTTP_OUT_SHARE;
	if (running && *running > 0)
		(*running)--;
	pthread_mutex_unlock(&s->lock);
	if (!full)
		return;
	topic_of(org, topic);
	http_wake(rq->central, topic);
}
