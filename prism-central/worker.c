/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "password.h"
#include "http_internal.h"

struct worker {
	struct workers *pool;
	enum route_lane lane;
	struct store *db;
	pthread_t thread;
	bool started;
};

struct lane {
	pthread_cond_t some;
	struct job *first, **last;
	size_t queued, max;
};

struct workers {
	pthread_mutex_t lock;
	struct lane lanes[LANES];
	bool stop;
	int n;
	struct worker worker[];
};

static bool submit(struct workers *w, enum route_lane lane, struct job *j, bool must)
{
	struct lane *l = &w->lanes[lane];

	pthread_mutex_lock(&w->lock);
	bool room = must || l->queued < l->max;
	if (room) {
		j->next = NULL;
		*l->last = j;
		l->last = &j->next;
		l->queued++;
		pthread_cond_signal(&l->some);
	}
	pthread_mutex_unlock(&w->lock);
	return room;
}

bool workers_submit(struct workers *w, struct job *j, bool must)
{
	return submit(w, LANE_ANY, j, must);
}

static struct job *take(struct workers *w, struct lane *l)
{
	pthread_mutex_lock(&w->lock);
	while (!l->first && !w->stop)
		pthread_cond_wait(&l->some, &w->lock);
	struct job *j = w->stop ? NULL : l->first;
	if (j) {
		l->first = j->next;
		if (!l->first)
			l->last = &l->first;
		l->queued--;
		j->next = NULL;
	}
	pthread_mutex_unlock(&w->lock);
	return j;
}

/* Everything comes in by LANE_ANY. False when it has gone to the lane of its own from there. */
static bool run_here(struct worker *self, struct job *j)
{
	if (!router_find(j))
		return true;
	if (self->lane != LANE_ANY || j->rq.route->lane == LANE_ANY) {
		router_call(j);
		return true;
	}
	if (submit(self->pool, j->rq.route->lane, j, false))
		return false;
	reply_errno(&j->rp, -EBUSY);
	return true;
}

static void run(struct worker *self, struct job *j)
{
	j->rq.db = self->db;
	j->rq.now = clock_now();
	j->wakes_seen = park_wakes();
	if (!run_here(self, j))
		return;
	if (j->rp.topic && j->rq.last) {
		log_event(LOG_LEVEL_ERROR, "request", "id", "%s", j->rq.id, "reason", "%s",
		    "the handler went on waiting after its time", NULL);
		reply_error(&j->rp, API_INTERNAL, NULL);
	}
	if (!j->rp.topic)
		job_finish(j);
	loop_post(j->loop, j);
}

static void *worker_main(void *arg)
{
	struct worker *self = arg;

	for (struct job *j; (j = take(self->pool, &self->pool->lanes[self->lane]));)
		run(self, j);
	return NULL;
}

static int worker_start(struct workers *w, struct worker *self, const char *database)
{
	int r = store_open(database, &self->db);

	if (r == 0)
		r = -pthread_create(&self->thread, NULL, worker_main, self);
	self->started = r == 0;
	return r;
}

static int lane_threads(enum route_lane lane, int n)
{
	switch (lane) {
	case LANE_HASH:
		return n > 1 ? n / 2 : 1;
	case LANE_OUT:
		return HTTP_OUT_THREADS;
	default:
		return n;
	}
}

static void lanes_init(struct workers *w)
{
	static const size_t limits[LANES] = {
	    [LANE_ANY] = HTTP_QUEUE_MAX,
	    [LANE_HASH] = HTTP_HASHES_MAX,
	    [LANE_OUT] = HTTP_OUT_MAX,
	};

	for (int i = 0; i < LANES; i++) {
		pthread_cond_init(&w->lanes[i].some, NULL);
		w->lanes[i].last = &w->lanes[i].first;
		w->lanes[i].max = limits[i];
	}
}

int workers_start(struct central *c, int n, struct workers **ret)
{
	int all = 0, r = 0;

	for (int lane = 0; lane < LANES; lane++)
		all += lane_threads(lane, n);
	struct workers *w = calloc(1, sizeof(*w) + (size_t)all * sizeof(w->worker[0]));
	if (!w)
		return -ENOMEM;
	password_init(lane_threads(LANE_HASH, n));
	pthread_mutex_init(&w->lock, NULL);
	lanes_init(w);
	w->n = all;
	struct worker *self = w->worker;
	for (int lane = 0; lane < LANES; lane++) {
		for (int i = 0; r == 0 && i < lane_threads(lane, n); i++, self++) {
			self->pool = w;
			self->lane = lane;
			r = worker_start(w, self, c->config.database);
		}
	}
	if (r < 0)
		workers_stop(w);
	else
		*ret = w;
	return r;
}

static void lane_release(struct lane *l)
{
	for (struct job *next; l->first; l->first = next) {
		next = l->first->next;
		job_free(l->first);
	}
	pthread_cond_destroy(&l->some);
}

void workers_stop(struct workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	for (int i = 0; i < LANES; i++)
		pthread_cond_broadcast(&w->lanes[i].some);
	pthread_mutex_unlock(&w->lock);
	for (int i = 0; i < w->n; i++) {
		if (w->worker[i].started)
			pthread_join(w->worker[i].thread, NULL);
		store_close(w->worker[i].db);
	}
	for (int i = 0; i < LANES; i++)
		lane_release(&w->lanes[i]);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
