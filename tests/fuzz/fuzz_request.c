/* SPDX-License-Identifier: MIT */
/* with: prism-central.a */
/* A request behind the gate: its address, then a newline, then its body. */
#include <stdlib.h>
#include <string.h>
#include "prism-central/html.h"
#include "prism-central/http_internal.h"
#include "prism-central/oauth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const char *method_name(enum http_method m)
{
	return "-";
}

void park_remove(struct job *j)
{
}

void page_of_error(struct request *rq, struct reply *rp)
{
}

void oauth_of_error(const struct request *rq, struct reply *rp)
{
}

static void check_text(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			abort();
}

static void check(const struct job *j)
{
	for (int i = 0; i < j->nsegments; i++) {
		check_text(j->segments[i]);
		if (strchr(j->segments[i], '/'))
			abort();
	}
	for (size_t i = 0; i < j->query.n; i++) {
		check_text(j->query.v[i].name);
		check_text(j->query.v[i].value);
	}
	if (j->rq.body && !json_is_object(j->rq.body))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pair type = {"Content-Type", NULL};
	struct job *j = calloc(1, sizeof(*j));
	const uint8_t *line = size > 1 ? memchr(data + 1, '\n', size - 1) : NULL;

	if (!line || data[1] != '/' || memchr(data + 1, 0, (size_t)(line - data) - 1)) {
		free(j);
		return 0;
	}
	char kind[40];
	snprintf(kind, sizeof(kind), "%s",
	    data[0] & 1 ? "application/json" : "application/x-www-form-urlencoded");
	j->rq.http_ = j;
	j->uri = strndup((const char *)data + 1, (size_t)(line - data) - 1);
	j->body_len = size - (size_t)(line - data) - 1;
	j->body = malloc(j->body_len + 1);
	memcpy(j->body, line + 1, j->body_len);
	j->body[j->body_len] = '\0';
	j->headers.v = malloc(sizeof(type));
	j->headers.v[0] = (struct pair){type.name, kind};
	j->headers.n = 1;
	if (job_parse(j) == 0)
		check(j);
	job_free(j);
	return 0;
}
