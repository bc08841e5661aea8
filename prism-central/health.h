/* SPDX-License-Identifier: MIT */
#ifndef HEALTH_H
#define HEALTH_H

#include "http.h"

/* GET /healthz: 200 {"status": "ok"} while the database answers, 503 otherwise. Public. */
void health_show(struct request *rq, struct reply *rp);

#endif
