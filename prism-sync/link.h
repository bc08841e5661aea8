/* SPDX-License-Identifier: MIT */
#ifndef LINK_H
#define LINK_H

/*
 * The protocol on the socket pair between the halves. A message is u32 length of what follows the
 * header, u8 type, 3 zero bytes, and that many bytes. Integers little-endian.
 *
 *	from the network half
 *	LINK_FRAME	one signed message of the feed, raw
 *	LINK_POLLED	u64 the seq of the LINK_HAVE it used, i32 result, i64 the server's clock (0:
 *			unknown), str text: a poll has ended; its frames came before
 *	LINK_SYNCED	u32 tag, i32 result, str text
 *	from the root half
 *	LINK_HAVE	u64 seq, u8 progress (the last poll brought something), then the query as
 *text: "manifest=3&have=..."
 *	LINK_REPORT	JSON to send to the central service
 *	LINK_SYNC	u32 tag: poll at once, without waiting
 *
 * Device logins (logins.h in the root half, fetch_login.h in the network half):
 *	from the root half
 *	LINK_LOGIN_START u64 handle, str user, str service, str origin, u8[32] nonce, u32 life ms
 *	LINK_LOGIN_END	u64 handle: nobody waits any more
 *	from the network half
 *	LINK_LOGIN_BEGUN u64 handle, i32 result, str text (for the log); with result 0: str url, str
 *			url with the code (or ""), str code
 *	LINK_LOGIN_DONE	u64 handle, i32 result; with result 0: u16 length, the signed statement of
 *			feed/login.h
 *
 * The root half believes nothing of it: frames and statements are verified, addresses must be the
 * service's own (login_check.h), other texts are only shown.
 */
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/wire.h"

enum link_type {
	LINK_FRAME = 1,
	LINK_POLLED,
	LINK_SYNCED,
	LINK_HAVE,
	LINK_REPORT,
	LINK_SYNC,
	LINK_LOGIN_START,
	LINK_LOGIN_END,
	LINK_LOGIN_BEGUN,
	LINK_LOGIN_DONE,
	LINK_TYPES,
};

struct link_reader {
	uint8_t head[8];
	size_t have;	/* bytes of head, then of body */
	uint8_t *block; /* FEED_HEADROOM bytes for whoever reads it, then the body */
	uint8_t *body;
	size_t len;
	uint8_t type;
	size_t max_frame; /* of LINK_FRAME; its owner sets it once, 0: none is taken */
};

/*
 * Read what there is. 1: a whole message is in type, body, len (until link_reader_next()); 0: not
 * yet (EAGAIN); -EPIPE: the other end is gone; -EBADMSG, also for a length that is over the limit;
 * -ENOMEM; another -errno.
 */
int link_read(struct link_reader *r, int fd);
/* Forget the message that was read. */
void link_reader_next(struct link_reader *r);

/* Read a "str" for people: whatever is not printable ASCII becomes '?'. */
void link_text(struct wire *w, char *out, size_t size);

/* Send a whole message; waits at most deadline_ms for a slow reader (-1: for ever). 0 or -errno. */
int link_send(int fd, enum link_type type, const void *p, size_t n, int deadline_ms);

#endif
