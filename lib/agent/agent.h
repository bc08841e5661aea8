/* SPDX-License-Identifier: MIT */
#ifndef AGENT_H
#define AGENT_H

/*
 * The agent's socket protocol: this header is its specification.
 *
 * /run/prism/agent.sock, AF_UNIX SOCK_SEQPACKET, mode 0600 root; the agent also checks SO_PEERCRED
 * and answers uid 0 only. One packet is one request or one reply; a connection may carry many, one
 * at a time. Integers little-endian, "str" as in base/wire.h. Packets over AGENT_PACKET_MAX close
 * the connection.
 *
 * REQUEST: u32 AGENT_MAGIC, u16 verb, u16 zero, then by verb:
 *	AGENT_PING	  nothing
 *	AGENT_STATUS	  nothing
 *	AGENT_ENSURE_HOME str user: the home exists and is ready, or a reason why it is not
 *	AGENT_SYNC	  nothing: poll the central service now; replies when that poll is done
 *	AGENT_RELEASE	  str user: let go of whom the shrink guard holds under this name; "": of
 *all REPLY: u32 AGENT_MAGIC, u16 verb, i16 result (0 or -errno), str text (a sentence for the
 *person, or "" ), then for AGENT_STATUS: str JSON (at most AGENT_PACKET_MAX less the rest).
 *
 * Beside the socket the agent leaves a memory for the time when it does not answer: the folder
 * AGENT_READY_DIR (0755 root) holds one empty regular file per person, named by the uid in decimal
 * and owned by root, from the moment that the home is ready until the agent knows that it is not.
 * pam_prism admits by that file alone when no reply comes in time; any reply decides by itself.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

#define AGENT_SOCKET	 "/run/prism/agent.sock"
#define AGENT_READY_DIR	 "/var/lib/prism/ready"
#define AGENT_MAGIC	 0x314d5250u /* "PRM1" */
#define AGENT_PACKET_MAX 65536
#define AGENT_TEXT_MAX	 512

enum agent_verb {
	AGENT_PING = 1,
	AGENT_STATUS = 2,
	AGENT_ENSURE_HOME = 3,
	AGENT_SYNC = 4,
	AGENT_RELEASE = 5,
};

struct agent_request {
	uint16_t verb;
	char user[64]; /* AGENT_ENSURE_HOME, AGENT_RELEASE */
};

struct agent_reply {
	uint16_t verb;
	int result;
	char text[AGENT_TEXT_MAX];
	const char *json; /* AGENT_STATUS: in place, json_len bytes, not terminated; else NULL */
	size_t json_len;
};

/*
 * Encode and parse; both sides use these. Parsing returns 0 or -EBADMSG: for a wrong magic, an
 * unknown verb, bytes missing or left over, a positive result, a user that username_valid() does
 * not accept. Encoding what parsing would refuse puts the buffer into the failed state.
 */
void agent_put_request(struct buf *b, const struct agent_request *r);
int agent_parse_request(const void *p, size_t n, struct agent_request *ret);
void agent_put_reply(struct buf *b, const struct agent_reply *r);
int agent_parse_reply(const void *p, size_t n, struct agent_reply *ret);

/*
 * The client's side: connect, ask, wait for the reply, all within deadline_ms from now. Never
 * blocks longer, never raises SIGPIPE, leaves no descriptor. The reply's json points into
 * "storage". -EPERM unless whoever listens is root or the caller's own effective user. Returns 0
 * (then ret->result tells), -ETIMEDOUT, -ECONNREFUSED, -ENOENT, -EBADMSG, ...
 */
int agent_call(const char *path, const struct agent_request *rq, int deadline_ms, uint8_t *storage,
    size_t storage_size, struct agent_reply *ret);

#endif
