/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "http_internal.h"

struct worker {
	struct workers *pool;
	struct store *db;
	pthread_t thread;
	bool started;
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct job *first, **last;
	size_t queued;
	bool stop;
	int n;
	struct worker worker[];
};

bool workers_submit(struct workers *w, struct job *j, bool must)
{
	pthread_mutex_lock(&w->lock);
	bool room = must || w->queued < HTTP_QUEUE_MAX;
	if (room) {
		j->next = NULL;
		*w->last = j;
		w->last = &j->next;
		w->queued++;
		pthread_cond_signal(&w->some);
	}
	pthread_mutex_unlock(&w->lock);
	return room;
}

static struct job *take(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	while (!w->first && !w->stop)
		pthread_cond_wait(&w->some, &w->lock);
	struct job *j = w->stop ? NULL : w->first;
	if (j) {
		w->first = j->next;
		if (!w->first)
			w->last = &w->first;
		w->queued--;
		j->next = NULL;
	}
	pthread_mutex_unlock(&w->lock);
	return j;
}

static void run(struct worker *self, struct job *j)
{
	j->rq.db = self->db;
	j->rq.now = clock_now();
	j->wakes_seen = park_wakes();
	router_run(j);
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

	for (struct job *j; (j = take(self->pool));)
		run(self, j);
	return NULL;
}

int workers_start(struct central *c, int n, struct workers **ret)
{
	struct workers *w = calloc(1, sizeof(*w) + (size_t)n * sizeof(w->worker[0]));
	int r = 0;

	if (!w)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->some, NULL);
	w->last = &w->first;
	w->n = n;
	for (int i = 0; r == 0 && i < n; i++) {
		struct worker *self = &w->worker[i];
		self->pool = w;
		r = store_open(c->config.database, &self->db);
		if (r == 0)
			r = -pthread_create(&self->thread, NULL, worker_main, self);
		self->started = r == 0;
	}
	if (r < 0)
		workers_stop(w);
	else
		*ret = w;
	return r;
}

void workers_stop(struct workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->some);
	pthread_mutex_unlock(&w->lock);
	for (int i = 0; i < w->n; i++) {
		if (w->worker[i].started)
			pthread_join(w->worker[i].thread, NULL);
		store_close(w->worker[i].db);
	}
	for (struct job *next; w->first; w->first = next) {
		next = w->first->next;
		job_free(w->first);
	}
	pthread_cond_destroy(&w->some);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
