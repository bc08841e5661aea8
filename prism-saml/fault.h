/* SPDX-License-Identifier: MIT */
#ifndef FAULT_H
#define FAULT_H

/* What can be wrong, with the words of api/saml.h. */
#include <jansson.h>

enum fault_code {
	FAULT_NONE,
	FAULT_PROTOCOL,
	FAULT_CONFIGURATION,
	FAULT_MALFORMED,
	FAULT_TOO_LARGE,
	FAULT_TOO_DEEP,
	FAULT_DOCTYPE,
	FAULT_COMMENT,
	FAULT_DUPLICATE_ID,
	FAULT_STATUS,
	FAULT_NO_ASSERTION,
	FAULT_SEVERAL_ASSERTIONS,
	FAULT_MISPLACED_ASSERTION,
	FAULT_UNSIGNED,
	FAULT_MISPLACED_SIGNATURE,
	FAULT_WEAK_ALGORITHM,
	FAULT_BAD_SIGNATURE,
	FAULT_UNKNOWN_CERTIFICATE,
	FAULT_DECRYPTION,
	FAULT_ENCRYPTED_PART,
	FAULT_WRONG_ISSUER,
	FAULT_WRONG_DESTINATION,
	FAULT_WRONG_RECIPIENT,
	FAULT_WRONG_AUDIENCE,
	FAULT_WRONG_REQUEST,
	FAULT_UNSOLICITED,
	FAULT_EXPIRED,
	FAULT_NOT_YET,
	FAULT_STALE_LOGIN,
	FAULT_NO_CONFIRMATION,
	FAULT_UNKNOWN_CONDITION,
	FAULT_NO_AUTHENTICATION,
	FAULT_NO_SUBJECT,
	FAULT_TRANSIENT_SUBJECT,
	FAULT_FOREIGN_SUBJECT,
	FAULTS,
};

struct fault {
	enum fault_code code;
	char value[200]; /* what was found, cut; "": nothing to show */
};

/* Note it, with what was found (text from outside; NULL: nothing). Returns -EBADMSG. */
int fault_set(struct fault *f, enum fault_code code, const char *value);
/* {"fault", "text", "value"}, or NULL without memory. */
json_t *fault_json(const struct fault *f);

#endif
