/* SPDX-License-Identifier: MIT */
#ifndef JSON_H
#define JSON_H

/* Writing JSON into a buffer, for the root half, which links no JSON library. */
#include "base/buf.h"

/* A string with its quotes. The text is UTF-8 already: the feed takes nothing else. */
void json_put_string(struct buf *b, const char *s);

#endif
