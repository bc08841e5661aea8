/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <time.h>
#include "base/secret.h"
#include "net_wait.h"

enum { STACK = 512 * 1024 };

int net_wait_init(pthread_mutex_t *lock, pthread_cond_t *changed)
{
	pthread_condattr_t attr;

	if (pthread_condattr_init(&attr) != 0 ||
	    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 ||
	    pthread_cond_init(changed, &attr) != 0 || pthread_mutex_init(lock, NULL) != 0)
		return -ENOMEM;
	return 0;
}

void net_wait_ms(pthread_cond_t *changed, pthread_mutex_t *lock, int64_t ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += ms % 1000 * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(changed, lock, &ts);
}

int64_t net_wait_jitter(int64_t ms)
{
	uint32_t r = 0;

	if (secret_random(&r, sizeof(r)) < 0)
		return ms;
	return ms / 2 + (int64_t)(r % (uint32_t)(ms / 2 + 1));
}

int net_wait_thread(void *(*run)(void *arg), void *arg)
{
	pthread_attr_t attr;
	pthread_t t;

	if (pthread_attr_init(&attr) != 0)
		return -EAGAIN;
	pthread_attr_setstacksize(&attr, STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	const int rc = pthread_create(&t, &attr, run, arg);

	pthread_attr_destroy(&attr);
	return rc == 0 ? 0 : -EAGAIN;
}
