/* SPDX-License-Identifier: MIT */
#include "operation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

static const struct {
	const char *name;
	int (*run)(const json_t *in, struct fault *f, json_t **ret_answer);
} operations[] = {
    {"authn", operation_authn},
    {"consume", operation_consume},
    {"metadata", operation_metadata},
    {"idp-metadata", operation_idp_metadata},
};

/* Libraries' sentences may quote what they were given. */
static void say_nothing(const char *domain, GLogLevelFlags level, const char *text, void *arg)
{
	(void)domain;
	(void)level;
	(void)text;
	(void)arg;
}

int operation_init(void)
{
	unsigned char warm[16];

	if (setenv("TZ", "UTC0", 1) < 0)
		return -EIO;
	tzset();
	json_object_seed(0);
	g_random_int();
	g_log_set_default_handler(say_nothing, NULL);
	if (lasso_init() != 0 || RAND_bytes(warm, sizeof(warm)) != 1)
		return -EIO;
	return 0;
}

static int run(const json_t *in, struct fault *f, json_t **ret_answer)
{
	const char *name = operation_string(in, "operation", f);

	for (size_t i = 0; name && i < ARRAY_SIZE(operations); i++)
		if (!strcmp(name, operations[i].name))
			return operations[i].run(in, f, ret_answer);
	return fault_set(f, FAULT_PROTOCOL, name);
}

json_t *operation_run(const char *json, size_t n)
{
	struct fault f = {FAULT_PROTOCOL, ""};
	json_t *in = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
	json_t *answer = NULL;
	int rc = in ? run(in, &f, &answer) : fault_set(&f, FAULT_PROTOCOL, "JSON");

	json_decref(in);
	return rc == 0 ? answer : fault_json(&f);
}
