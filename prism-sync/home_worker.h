/* SPDX-License-Identifier: MIT */
#ifndef HOME_WORKER_H
#define HOME_WORKER_H

/*
 * The process that touches the home volume, and nothing else does. It serves one request at a time
 * on a SOCK_SEQPACKET pair; the structs are of one program that forked, so they travel as they are.
 */
#include <stdint.h>
#include <sys/types.h>
#include "config.h"
#include "home.h"

struct home_request {
	uint64_t seq; /* 0: sweep leftovers, no reply */
	uint32_t uid, gid;
	char name[40], home[256];
};

struct home_reply {
	uint64_t seq;
	int32_t result;
	char why[HOME_WHY_MAX];
};

/* Fork one; *ret_fd is this side's end. Returns its pid or -errno. */
pid_t home_worker_start(const struct config *c, int *ret_fd);

#endif
