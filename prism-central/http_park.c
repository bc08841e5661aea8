/* SPDX-License-Identifier: MIT */
#include <sys/eventfd.h>
#include "base/clock.h"
#include "base/secret.h"
#include "http_internal.h"

#define RECENT	    4096
#define CLIENT_GONE 499 /* for the log; as other servers have it */

/*
 * A wake may come between a handler's look at the database and the parking of its job, and must not
 * be lost. Each wake has a number, and the newest of each topic (by its hash) is kept: a job whose
 * topic was woken after it had begun runs again instead of being parked. Two topics that share a
 * place cost a run too many, never one too few.
 */
static _Atomic uint64_t wake_count;
static _Atomic uint64_t newest[RECENT];

static uint64_t topic_hash(const char *s)
{
	uint64_t h = 14695981039346656037u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

uint64_t park_wakes(void)
{
	return atomic_load(&wake_count);
}

void http_wake(struct central *c, const char *topic)
{
	uint64_t h = topic_hash(topic);
	uint64_t n = atomic_fetch_add(&wake_count, 1) + 1;
	_Atomic uint64_t *place = &newest[h % RECENT];
	uint64_t old = atomic_load(place);

	while (old < n && !atomic_compare_exchange_weak(place, &old, n))
		;
	if (!c->http)
		return;
	for (int i = 0; i < c->http->nloops; i++) {
		struct loop *l = &c->http->loops[i];
		pthread_mutex_lock(&l->lock);
		if (l->nwakes < HTTP_WAKES_MAX)
			l->wakes[l->nwakes++] = h;
		else
			l->wake_all = true;
		pthread_mutex_unlock(&l->lock);
		eventfd_write(l->wake_fd, 1);
	}
}

/* ---- on the loop's thread -------------------------------------------------------------------- */

void park_remove(struct job *j)
{
	if (j->timer) {
		event_free(j->timer);
		j->timer = NULL;
	}
	if (!j->park_prev)
		return;
	*j->park_prev = j->park_next;
	if (j->park_next)
		j->park_next->park_prev = j->park_prev;
	j->park_prev = NULL;
	j->park_next = NULL;
}

static void run_again(struct loop *l, struct job *j, bool last)
{
	park_remove(j);
	j->rq.again = true;
	j->rq.last = last;
	loop_run(l, j, true);
}

/* Its time is up, or the client has closed its side. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct job *j = arg;
	struct loop *l = j->loop;

	if (what & EV_CLOSED) {
		park_remove(j);
		/* Nobody reads this; sending it is how the connection ends. */
		reply_none(&j->rp);
		j->rp.status = CLIENT_GONE;
		job_finish(j);
		loop_answer(l, j);
		return;
	}
	run_again(l, j, true);
}

/* At most HTTP_PARK_MS in all, and not the same for everybody who came at once. */
static int64_t hold_until(const struct job *j, int64_t ms)
{
	uint16_t noise = 0;

	if (ms > HTTP_PARK_MS)
		ms = HTTP_PARK_MS;
	if (secret_random(&noise, sizeof(noise)) < 0)
		noise = 0;
	return j->started_ms + ms - ms * noise / 65536 / 20;
}

void park_job(struct loop *l, struct job *j)
{
	int64_t now = clock_mono_ms();

	if (!j->park_until)
		j->park_until = hold_until(j, j->rp.park_ms);
	j->topic = topic_hash(j->rp.topic);
	int64_t left = j->park_until - now;
	if (left <= 0 || l->draining) {
		run_again(l, j, true);
		return;
	}
	if (atomic_load(&newest[j->topic % RECENT]) > j->wakes_seen) {
		run_again(l, j, false);
		return;
	}
	struct timeval tv = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
	j->timer = event_new(l->base, j->conn->fd, EV_CLOSED, on_timer, j);
	if (!j->timer || event_add(j->timer, &tv) < 0) {
		run_again(l, j, true);
		return;
	}
	struct job **head = &l->parked[j->topic % HTTP_PARK_BUCKETS];
	j->park_next = *head;
	j->park_prev = head;
	if (*head)
		(*head)->park_prev = &j->park_next;
	*head = j;
}

void park_wake(struct loop *l, const uint64_t *topics, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (struct job *j = l->parked[topics[i] % HTTP_PARK_BUCKETS], *next; j; j = next) {
			next = j->park_next;
			if (j->topic == topics[i])
				run_again(l, j, false);
		}
}

void park_wake_all(struct loop *l, bool last)
{
	for (size_t i = 0; i < HTTP_PARK_BUCKETS; i++)
		for (struct job *j = l->parked[i], *next; j; j = next) {
			next = j->park_next;
			run_again(l, j, last);
		}
}

void park_free_all(struct loop *l)
{
	for (size_t i = 0; i < HTTP_PARK_BUCKETS; i++)
		while (l->parked[i]) {
			struct job *j = l->parked[i];
			park_remove(j);
			job_free(j);
		}
}
