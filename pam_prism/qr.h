/* SPDX-License-Identifier: MIT */
#ifndef QR_H
#define QR_H

/*
 * A QR code as text: two modules above each other in one half block (U+2580, U+2584, U+2588), so
 * that they come out square. Nothing but these characters, spaces and newlines: an ssh client
 * shows escape sequences as what they are. Light modules are drawn and dark ones left out, which
 * is a QR code on a dark terminal and its negative on a light one; the quiet zone around it is
 * drawn likewise. The standard (ISO/IEC 18004) has both, and so have the cameras of telephones.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

#define QR_QUIET 2  /* modules of quiet zone on each side */
#define QR_MIN	 21 /* modules of a side: the smallest code there is */
#define QR_MAX	 53 /* what a terminal of 80 columns shows with its quiet zone, in about 5 kB */

/* Whether a code of this side exists and is small enough for a terminal. */
bool qr_drawable(unsigned side);

/*
 * Rows from the top, ceil(side / 8) bytes each, the leftmost module in the highest bit; a set bit
 * is dark. Each line ends in a newline.
 */
void qr_draw(const uint8_t *rows, unsigned side, struct buf *out);

#endif
