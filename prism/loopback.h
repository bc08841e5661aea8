/* SPDX-License-Identifier: MIT */
#ifndef PRISM_LOOPBACK_H
#define PRISM_LOOPBACK_H

/*
 * Where a browser on this machine brings the answer of a login (RFC 8252 §7.3): one HTTP request to
 * http://127.0.0.1:PORT/callback. Whoever else asks there gets 404, and we go on waiting.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOOPBACK_PATH	     "/callback"
#define LOOPBACK_REQUEST_MAX 8192
#define LOOPBACK_VALUE_MAX   512

struct loopback_answer {
	char code[LOOPBACK_VALUE_MAX], state[LOOPBACK_VALUE_MAX], iss[LOOPBACK_VALUE_MAX],
	    error[LOOPBACK_VALUE_MAX]; /* "": was not there. Printable ASCII */
};

/*
 * Read the head of a request. 0; -ENOENT: for another path; -EBADMSG: no GET of HTTP/1.x, a
 * parameter twice, too long, or with bytes that no such value has. Other parameters are ignored.
 */
int loopback_parse(const char *p, size_t n, struct loopback_answer *ret);

struct loopback {
	int fd;
	uint16_t port;
};

/* Listen on a free port of 127.0.0.1. 0 or -errno. Close fd when done. */
int loopback_open(struct loopback *ret);

/*
 * Wait until "until_ms" (monotonic) for the answer that carries "state"; the browser gets a page
 * that says whether it worked. 0, -ETIMEDOUT or -errno. The caller wipes *ret.
 */
int loopback_wait(
    const struct loopback *l, const char *state, int64_t until_ms, struct loopback_answer *ret);

#endif
