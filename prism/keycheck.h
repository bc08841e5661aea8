/* SPDX-License-Identifier: MIT */
#ifndef PRISM_KEYCHECK_H
#define PRISM_KEYCHECK_H

/* Whether the two files of a key belong together. */
#include "cli.h"

enum key_state {
	KEY_FINE,    /* or missing, or with a passphrase: nothing to say against it */
	KEY_FOREIGN, /* the public half belongs to another private one, or is none */
	KEY_BROKEN,  /* the private half cannot be read */
};

/* Of ~/.prism/NAME and ~/.prism/NAME.pub. Asks nothing and changes nothing. Returns a status. */
int key_check(struct cli *c, const char *name, enum key_state *ret);

/* Make the public half of ~/.prism/NAME anew. Returns a status. */
int key_repair_public(struct cli *c, const char *name);

#endif
