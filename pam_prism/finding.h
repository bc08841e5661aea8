/* SPDX-License-Identifier: MIT */
#ifndef FINDING_H
#define FINDING_H

/* What a phase of PAM answers, and what the person gets to read about it. */
#include "access/access.h"

struct finding {
	int code;			/* a PAM return value; PAM_IGNORE: not ours */
	char text[ACCESS_SENTENCE_MAX]; /* a sentence, if the code refuses; may be "" */
};

/* The text is cut to its room. */
void finding_set(struct finding *ret, int code, const char *text);

#endif
