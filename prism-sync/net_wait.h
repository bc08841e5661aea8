/* SPDX-License-Identifier: MIT */
#ifndef NET_WAIT_H
#define NET_WAIT_H

/* How the threads of the network half wait: conditions that count CLOCK_MONOTONIC. */
#include <pthread.h>
#include <stdint.h>

/* 0 or -ENOMEM. */
int net_wait_init(pthread_mutex_t *lock, pthread_cond_t *changed);
/* Wait on the condition for at most ms; the lock is held. */
void net_wait_ms(pthread_cond_t *changed, pthread_mutex_t *lock, int64_t ms);
/* Half of the delay is chance, so that a thousand hosts do not come back in the same moment. */
int64_t net_wait_jitter(int64_t ms);
/* A thread of this half, with a small stack. 0 or -EAGAIN. */
int net_wait_thread(void *(*run)(void *arg), void *arg);

#endif
