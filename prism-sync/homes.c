/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "access/access.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "home_worker.h"
#include "homes.h"
#include "json.h"
#include "snapshot/snapshot.h"

enum { JOB_MS = 10000, ASKS_MAX = 64, FAILED_MAX = 256, HUNG_MAX = 4, REST_MS = 5000 };

struct ask {
	uint32_t uid; /* 0: free */
	int64_t end;
	homes_done done;
	void *arg;
	uint64_t ticket;
};

struct failure {
	uint32_t uid;
	char name[40];
	char why[HOME_WHY_MAX];
};

struct homes {
	const struct config *config;
	const struct paths *paths;
	sd_event *event;
	sd_event_source *io, *timer;
	pid_t pid;
	int fd;
	pid_t hung[HUNG_MAX];
	uint64_t seq; /* of the job under way; 0: none */
	struct home_request job;
	int64_t job_end, rest_until;
	uint64_t next_seq;
	uint8_t *ready, *queued; /* a bit for each uid of the range */
	size_t nready;
	uint32_t *queue;
	size_t head, tail, cap;
	struct ask asks[ASKS_MAX];
	struct failure failed[FAILED_MAX];
	size_t nfailed;
	char trouble[HOME_WHY_MAX];
};

static bool bit(const struct homes *h, const uint8_t *map, uint32_t uid)
{
	uint32_t i = uid - h->config->uid_first;

	return uid >= h->config->uid_first && uid <= h->config->uid_last && map[i / 8] >> i % 8 & 1;
}

static void bit_set(const struct homes *h, uint8_t *map, uint32_t uid, bool on)
{
	uint32_t i = uid - h->config->uid_first;

	if (uid < h->config->uid_first || uid > h->config->uid_last)
		return;
	if (on)
		map[i / 8] |= (uint8_t)(1u << i % 8);
	else
		map[i / 8] &= (uint8_t) ~(1u << i % 8);
}

/* ---- what is known ready --------------------------------------------------------------------- */

static void mark_ready(struct homes *h, uint32_t uid, bool ready)
{
	char path[PATHS_MAX + 16];

	snprintf(path, sizeof(path), "%s/%u", h->paths->ready, (unsigned)uid);
	if (bit(h, h->ready, uid) != ready)
		h->nready += ready ? 1 : (size_t)-1;
	bit_set(h, h->ready, uid, ready);
	if (!ready) {
		unlink(path);
		return;
	}
	_cleanup_close_ int fd =
	    open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
}

static void load_ready(struct homes *h)
{
	DIR *d = opendir(h->paths->ready);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		uint32_t uid;

		if (num_parse_u32(e->d_name, UINT32_MAX, &uid) < 0 || bit(h, h->ready, uid))
			continue;
		bit_set(h, h->ready, uid, true);
		h->nready += bit(h, h->ready, uid);
	}
	if (d != NULL)
		closedir(d);
}

static struct failure *failure_find(struct homes *h, uint32_t uid)
{
	for (size_t i = 0; i < h->nfailed; i++)
		if (h->failed[i].uid == uid)
			return &h->failed[i];
	return NULL;
}

static void note_result(struct homes *h, const struct home_request *job, int rc, const char *why)
{
	struct failure *f = failure_find(h, job->uid);

	if (rc == 0) {
		h->trouble[0] = '\0';
		mark_ready(h, job->uid, true);
		if (f != NULL)
			*f = h->failed[--h->nfailed];
		return;
	}
	if (rc == -EEXIST)
		mark_ready(h, job->uid, false);
	if (f == NULL && h->nfailed < FAILED_MAX)
		f = &h->failed[h->nfailed++];
	if (f == NULL)
		return;
	/* With the volume away, once is enough. */
	if ((f->uid != job->uid || strcmp(f->why, why) != 0) && strcmp(h->trouble, why) != 0)
		log_event(LOG_LEVEL_WARN, "home-failed", "user", "%s", job->name, "reason", "%s",
		    why, NULL);
	f->uid = job->uid;
	snprintf(f->name, sizeof(f->name), "%s", job->name);
	snprintf(f->why, sizeof(f->why), "%s", why);
}

/* ---- the worker ------------------------------------------------------------------------------ */

static int on_reply(sd_event_source *s, int fd, uint32_t revents, void *arg);

static bool reap_hung(struct homes *h)
{
	bool room = false;

	for (size_t i = 0; i < HUNG_MAX; i++) {
		if (h->hung[i] != 0 && waitpid(h->hung[i], NULL, WNOHANG) != 0)
			h->hung[i] = 0;
		room |= h->hung[i] == 0;
	}
	return room;
}

static void worker_stop(struct homes *h)
{
	h->io = sd_event_source_disable_unref(h->io);
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	if (h->pid <= 0)
		return;
	kill(h->pid, SIGKILL);
	/* In an uninterruptible wait for its file server not even SIGKILL ends it. */
	for (size_t i = 0; i < HUNG_MAX; i++) {
		if (h->hung[i] == 0) {
			h->hung[i] = h->pid;
			break;
		}
	}
	h->pid = 0;
}

static int worker_start(struct homes *h)
{
	struct home_request sweep = {.seq = 0};

	if (!reap_hung(h))
		return -EBUSY;
	h->pid = home_worker_start(h->config, &h->fd);
	if (h->pid < 0)
		return (int)h->pid;
	int rc = sd_event_add_io(h->event, &h->io, h->fd, EPOLLIN, on_reply, h);

	if (rc < 0) {
		worker_stop(h);
		return rc;
	}
	send(h->fd, &sweep, sizeof(sweep), MSG_NOSIGNAL | MSG_DONTWAIT);
	return 0;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static void answer(struct homes *h, uint32_t uid, int rc, const char *why)
{
	for (size_t i = 0; i < ASKS_MAX; i++) {
		struct ask a = h->asks[i];

		if (a.uid != uid)
			continue;
		h->asks[i].uid = 0;
		a.done(a.arg, a.ticket, rc, why);
	}
}

static void job_finish(struct homes *h, int rc, const char *why)
{
	struct home_request job = h->job;

	h->seq = 0;
	note_result(h, &job, rc, why);
	/* With the volume away, the rest of the queue would only fail the same way. */
	if (rc == -ENODEV || rc == -EPERM || rc == -ETIMEDOUT || rc == -ESTALE) {
		snprintf(h->trouble, sizeof(h->trouble), "%s", why);
		h->rest_until = clock_mono_ms() + REST_MS;
	}
	answer(h, job.uid, rc, why);
}

static int on_reply(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct homes *h = arg;
	struct home_reply rp;
	ssize_t n = recv(fd, &rp, sizeof(rp), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != (ssize_t)sizeof(rp)) {
		worker_stop(h);
		if (h->seq != 0)
			job_finish(h, -EIO, "the process that makes homes has died");
	} else if (rp.seq == h->seq && h->seq != 0) {
		rp.why[sizeof(rp.why) - 1] = '\0';
		job_finish(h, rp.result, rp.why);
	}
	homes_run(h);
	return 0;
}

/* The person as published, if this host lets them in at all. */
static int find_person(struct homes *h, const char *name, uint32_t uid, struct home_request *ret)
{
	char path[PATHS_MAX + 64];
	struct snap s;
	struct snap_subject u;
	struct access_result a;

	snprintf(path, sizeof(path), "%s/%s", h->paths->nss, SNAPSHOT_ACCESS);
	int rc = snap_open(path, SNAP_ACCESS, 0, &s);

	if (rc < 0)
		return rc;
	rc = name ? snap_subject_by_name(&s, name, &u) : snap_subject_by_uid(&s, uid, &u);
	if (rc == 0) {
		access_decide(&s, u.name, "prism-home", clock_now(), &a);
		if (a.verdict != ACCESS_ALLOW || strlen(u.name) >= sizeof(ret->name) ||
		    strlen(u.home) >= sizeof(ret->home))
			rc = -EACCES;
	}
	if (rc == 0) {
		ret->uid = ret->gid = u.uid;
		snprintf(ret->name, sizeof(ret->name), "%s", u.name);
		snprintf(ret->home, sizeof(ret->home), "%s", u.home);
	}
	snap_close(&s);
	return rc;
}

static bool job_start(struct homes *h, uint32_t uid)
{
	struct home_request job = {.seq = ++h->next_seq};

	if (find_person(h, NULL, uid, &job) < 0) {
		answer(h, uid, -EACCES, "this host does not let this person in");
		return false;
	}
	h->job = job;
	h->seq = job.seq;
	h->job_end = clock_mono_ms() + JOB_MS;
	int rc = h->fd >= 0 ? 0 : worker_start(h);

	if (rc == 0 && send(h->fd, &job, sizeof(job), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		rc = -errno;
		worker_stop(h);
	}
	if (rc == -EBUSY)
		job_finish(h, -ETIMEDOUT, "the home volume does not answer");
	else if (rc < 0)
		job_finish(h, rc, "the process that makes homes cannot be started");
	return rc == 0;
}

void homes_run(struct homes *h)
{
	for (size_t i = 0; i < ASKS_MAX && h->seq == 0; i++)
		if (h->asks[i].uid != 0)
			job_start(h, h->asks[i].uid);
	while (h->seq == 0 && h->head < h->tail && clock_mono_ms() >= h->rest_until) {
		uint32_t uid = h->queue[h->head++];

		bit_set(h, h->queued, uid, false);
		if (!bit(h, h->ready, uid))
			job_start(h, uid);
	}
	if (h->head == h->tail)
		h->head = h->tail = 0;
}

void homes_want(struct homes *h, uint32_t uid)
{
	if (bit(h, h->ready, uid) || bit(h, h->queued, uid))
		return;
	if (h->tail == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 64;
		uint32_t *more = reallocarray(h->queue, cap, sizeof(*more));

		if (more == NULL)
			return;
		h->queue = more;
		h->cap = cap;
	}
	h->queue[h->tail++] = uid;
	bit_set(h, h->queued, uid, true);
}

int homes_ask(
    struct homes *h, const char *user, int deadline_ms, homes_done done, void *arg, uint64_t ticket)
{
	struct home_request who;
	int rc = find_person(h, user, 0, &who);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ASKS_MAX; i++) {
		if (h->asks[i].uid != 0)
			continue;
		h->asks[i] = (struct ask){.uid = who.uid,
		    .end = clock_mono_ms() + deadline_ms,
		    .done = done,
		    .arg = arg,
		    .ticket = ticket};
		homes_run(h);
		return 0;
	}
	return -EBUSY;
}

/* ---- time ------------------------------------------------------------------------------------ */

static int on_tick(sd_event_source *s, uint64_t usec, void *arg)
{
	struct homes *h = arg;
	int64_t now = clock_mono_ms();

	if (h->seq != 0 && now >= h->job_end) {
		worker_stop(h);
		job_finish(h, -ETIMEDOUT, "the home volume does not answer");
	}
	for (size_t i = 0; i < ASKS_MAX; i++) {
		struct ask a = h->asks[i];

		if (a.uid == 0 || now < a.end)
			continue;
		h->asks[i].uid = 0;
		a.done(a.arg, a.ticket, -ETIMEDOUT, "the home volume does not answer");
	}
	homes_run(h);
	sd_event_source_set_time_relative(s, 500000);
	return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

void homes_retry(struct homes *h)
{
	for (size_t i = 0; i < h->nfailed; i++)
		homes_want(h, h->failed[i].uid);
	reap_hung(h);
	homes_run(h);
}

void homes_state(const struct homes *h, struct homes_state *ret)
{
	ret->ready = h->nready;
	ret->waiting = h->tail - h->head + (h->seq != 0);
	ret->failed = h->nfailed;
	ret->trouble = h->trouble;
}

void homes_put_failed(const struct homes *h, struct buf *b, size_t max)
{
	for (size_t i = 0; i < h->nfailed && i < max; i++) {
		buf_addf(b, "%s{\"user\":", i ? "," : "");
		json_put_string(b, h->failed[i].name);
		buf_addf(b, ",\"uid\":%u,\"reason\":", (unsigned)h->failed[i].uid);
		json_put_string(b, h->failed[i].why);
		buf_add_char(b, '}');
	}
}

int homes_new(sd_event *e, const struct config *c, const struct paths *p, struct homes **ret)
{
	size_t bytes = (c->uid_last - c->uid_first) / 8 + 1;
	struct homes *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return -ENOMEM;
	h->event = e;
	h->config = c;
	h->paths = p;
	h->fd = -1;
	h->ready = calloc(1, bytes);
	h->queued = calloc(1, bytes);
	int rc = h->ready && h->queued ? sd_event_add_time_relative(e, &h->timer, CLOCK_MONOTONIC,
					     500000, 50000, on_tick, h)
				       : -ENOMEM;

	if (rc == 0)
		rc = worker_start(h); /* now, while this process is small */
	if (rc < 0) {
		homes_free(h);
		return rc;
	}
	load_ready(h);
	*ret = h;
	return 0;
}

void homes_free(struct homes *h)
{
	if (h == NULL)
		return;
	worker_stop(h);
	sd_event_source_disable_unref(h->timer);
	free(h->ready);
	free(h->queued);
	free(h->queue);
	free(h);
}
