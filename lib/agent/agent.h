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
 *	AGENT_RELEASE	  str user: let go of whom the shrink guard holds under this name; "": all
 *	AGENT_LOGIN_START str user, str service, str origin (PAM_RHOST, may be ""), u32 life (ms):
 *			  begin a device login for this person. It ends with this connection, so
 *			  that nothing is left of whoever hangs up
 *	AGENT_LOGIN_WAIT  u64 handle, u32 wait (ms): until it is answered
 *	AGENT_LOGIN_END	  u64 handle: forget it; nobody waits any more
 *
 * REPLY: u32 AGENT_MAGIC, u16 verb, i16 result (0 or -errno), str text (a sentence for the person,
 * or ""), then by verb:
 *	AGENT_STATUS	  str JSON (at most AGENT_PACKET_MAX less the rest)
 *	AGENT_LOGIN_START with result 0: u64 handle, str url, str url with the code in it, str code,
 *			  str name of this host as the page shows it, u8 modules of the QR code's
 *			  side (0: none), then its rows from the top: ceil(side / 8) bytes each,
 *			  the leftmost module in the highest bit
 *			  otherwise: -ENETUNREACH (the service cannot be reached), -EUSERS (too
 *			  many logins wait), -ENOENT (it does not know this person here), ...
 *	AGENT_LOGIN_WAIT  with result 0: str user, u32 uid, u16 n, n times str slug: the projects
 *			  for which this login counts as one through SSO. The agent has verified
 *			  that the service signed this for this very login
 *			  otherwise: -EAGAIN (not yet), -EACCES (denied), -ETIMEDOUT (expired),
 *			  -ENOENT (no such handle), -EBADMSG, -ENETUNREACH
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
	AGENT_LOGIN_START = 6,
	AGENT_LOGIN_WAIT = 7,
	AGENT_LOGIN_END = 8,
};

#define AGENT_SERVICE_MAX  32
#define AGENT_ORIGIN_MAX   256
#define AGENT_URL_MAX	   512
#define AGENT_CODE_MAX	   32
#define AGENT_HOST_MAX	   63
#define AGENT_QR_MAX	   97 /* modules: version 20 */
#define AGENT_QR_BYTES	   (AGENT_QR_MAX * ((AGENT_QR_MAX + 7) / 8))
#define AGENT_PROJECTS_MAX 64
#define AGENT_SLUG_MAX	   27
#define AGENT_LOGIN_MS_MAX 600000

struct agent_request {
	uint16_t verb;
	char user[64]; /* AGENT_ENSURE_HOME, AGENT_RELEASE, AGENT_LOGIN_START */
	char service[AGENT_SERVICE_MAX + 1];
	char origin[AGENT_ORIGIN_MAX + 1]; /* printable ASCII */
	uint64_t handle;
	uint32_t ms; /* life, wait */
};

/* Of AGENT_LOGIN_START. Texts are printable ASCII: parsing refuses anything else. */
struct agent_login {
	uint64_t handle;
	char url[AGENT_URL_MAX + 1], url_complete[AGENT_URL_MAX + 1], code[AGENT_CODE_MAX + 1];
	char host[AGENT_HOST_MAX + 1];
	uint8_t qr_side;
	uint8_t qr[AGENT_QR_BYTES];
};

/* Of AGENT_LOGIN_WAIT. */
struct agent_approval {
	char user[64];
	uint32_t uid;
	char projects[AGENT_PROJECTS_MAX][AGENT_SLUG_MAX + 1];
	size_t nprojects;
};

struct agent_reply {
	uint16_t verb;
	int result;
	char text[AGENT_TEXT_MAX];
	const char *json; /* AGENT_STATUS: in place, json_len bytes, not terminated; else NULL */
	size_t json_len;
	/*
	 * AGENT_LOGIN_START and AGENT_LOGIN_WAIT: from where, or where to put it. Whoever parses or
	 * calls sets the one of its verb before (NULL: it is checked and dropped); other verbs do
	 * not look at it. Written to with result 0 only.
	 */
	struct agent_login *login;
	struct agent_approval *approval;
};

/*
 * Encode and parse; both sides use these. Parsing returns 0 or -EBADMSG: for a wrong magic, an
 * unknown verb, bytes missing or left over, a positive result, a user that username_valid() does
 * not accept; of device logins a text that is not printable ASCII, a service, url, code or host's
 * name that is empty, a handle or uid of 0, a life of 0 or over AGENT_LOGIN_MS_MAX, a slug that
 * slug_valid() does not accept. Encoding what parsing would refuse puts the buffer into the failed
 * state.
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

/*
 * The same in two steps, for several requests over one connection. agent_open() returns a
 * descriptor that the caller closes, or -errno; agent_ask() leaves it open whatever comes of it.
 */
int agent_open(const char *path, int deadline_ms);
int agent_ask(int fd, const struct agent_request *rq, int deadline_ms, uint8_t *storage,
    size_t storage_size, struct agent_reply *ret);

#endif
