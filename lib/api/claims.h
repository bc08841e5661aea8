/* SPDX-License-Identifier: MIT */
#ifndef API_CLAIMS_H
#define API_CLAIMS_H

/* Of id_token.c and logout_token.c: what both check in the same way. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "api/jwt.h"

#define CLAIMS_TIME_MAX (INT64_C(1) << 53) /* what any JSON reader keeps exactly */

/* Whether "typ" is absent, "JWT", or "other" (NULL: none); media types know no case. */
bool claims_typ_is(const json_t *header, const char *other);
/* How many audiences there are, ours among them; 0 if it is not, or one is not a text. */
size_t claims_audience(const json_t *claims, const char *client_id);
/* 1 to ID_TOKEN_SUBJECT_MAX printable ASCII characters; false for NULL. */
bool claims_subject_ok(const char *s);
/* A point in time. *ret is 0 for one that may be missing, and is. JWT_OK or JWT_TIME. */
enum jwt_fault claims_time(const json_t *claims, const char *name, bool required, int64_t *ret);

#endif
