/* SPDX-License-Identifier: MIT */
#ifndef AGENT_PROTOCOL_H
#define AGENT_PROTOCOL_H

/* What device logins carry: for protocol.c alone. */
#include "agent/agent.h"
#include "base/wire.h"

/* Whether encoding it would give what parsing accepts. */
bool start_request_ok(const struct agent_request *r);
bool wait_request_ok(const struct agent_request *r);
bool end_request_ok(const struct agent_request *r);
bool login_ok(const struct agent_login *l);
bool approval_ok(const struct agent_approval *a);

/* Bytes of the QR code's rows. */
size_t login_qr_size(uint8_t side);

void login_put(struct buf *b, const struct agent_login *l);
void approval_put(struct buf *b, const struct agent_approval *a);

/* Read and check the whole; what is left of the packet is the caller's to check. */
bool login_parse(struct wire *w, struct agent_login *ret);
bool approval_parse(struct wire *w, struct agent_approval *ret);

#endif
