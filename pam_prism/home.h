/* SPDX-License-Identifier: MIT */
#ifndef HOME_H
#define HOME_H

/*
 * Is the home there? The module never touches the home's file system, which may hang: it asks the
 * agent, within options.home_timeout. The agent's answer decides; without one its memory of ready
 * homes does.
 */
#include <stddef.h>
#include <stdint.h>
#include "options.h"

/*
 * True if the session may begin. Else "text" holds a sentence for the person.
 */
bool home_ready(const struct options *o, const char *user, uint32_t uid, char *text, size_t size);

#endif
