/* SPDX-License-Identifier: MIT */
#ifndef ADVICE_H
#define ADVICE_H

/* What the administrator of a host can do when the service was not reached. */
#include "api/http_client.h"

/* One sentence; "" when there is none. */
const char *advice_for(enum http_trouble t);

#endif
