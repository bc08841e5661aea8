/* SPDX-License-Identifier: MIT */
#ifndef LOGIN_QR_H
#define LOGIN_QR_H

/*
 * The QR code of an address, level L. It is made for the root half, since a picture sends people
 * somewhere as surely as a text does and nobody reads it before; but by a process of its own that
 * has no file, socket or capability left, since the library is not ours.
 */
#include "agent/agent.h"

/* Fills qr_side and qr; no picture (side 0) where one would be too large or cannot be made. */
void login_qr_make(const char *text, struct agent_login *l);

#endif
