/* SPDX-License-Identifier: MIT */
/*
 * The socket protocol: any bytes as a request and as a reply. Whatever parses must encode to the
 * very same bytes: there is one form of each message.
 */
#include <stdlib.h>
#include <string.h>
#include "agent/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be(const struct buf *b, const uint8_t *data, size_t size)
{
	if (buf_error(b) < 0 || b->len != size || memcmp(b->data, data, size) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf b = BUF_INIT(AGENT_PACKET_MAX);
	struct agent_request rq;
	struct agent_login login;
	struct agent_approval approval;
	struct agent_reply rp = {.login = &login, .approval = &approval};

	if (agent_parse_request(data, size, &rq) == 0) {
		agent_put_request(&b, &rq);
		must_be(&b, data, size);
	}
	buf_clear(&b);
	if (agent_parse_reply(data, size, &rp) == 0) {
		agent_put_reply(&b, &rp);
		must_be(&b, data, size);
	}
	return 0;
}
