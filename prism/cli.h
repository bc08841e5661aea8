/* SPDX-License-Identifier: MIT */
#ifndef PRISM_CLI_H
#define PRISM_CLI_H

/*
 * What every command of the CLI works with.
 *
 * A command returns one of the exit statuses below. Whoever meets a problem describes it with
 * cli_fail() and returns its status; main() prints it once, in words or as JSON.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "base/attr.h"

enum status {
	STATUS_OK = 0,
	STATUS_REFUSED = 1,	/* the service said no */
	STATUS_USAGE = 2,	/* the command line is wrong */
	STATUS_UNREACHABLE = 3, /* no answer, or not from the server that we know */
	STATUS_NO_LOGIN = 4,	/* a login is needed first */
	STATUS_LOCAL = 5,	/* a key, a file, a program on this machine */
};

struct http_client;
struct config;
struct args;

struct cli {
	bool json;
	const struct args *args;
	struct config *config;	  /* loaded when first needed */
	struct http_client *http; /* to "server" */
	char server[512];	  /* the service that we talk to */
	bool logged_in;		  /* a token goes with the requests */
	int64_t now;
	struct {
		char code[48];
		char message[512];
		char hint[512];
	} error;
};

/* Describe the failure; returns "status", so that a command can say: return cli_fail(...). */
int cli_fail(struct cli *c, enum status status, const char *code, const char *hint, const char *fmt,
    ...) _printf_(5, 6);

/* The same for a file: "PATH: what strerror(-error) says", with a hint by the kind of error. */
int cli_fail_file(struct cli *c, const char *path, int error);

/* The same with an entry of the table of the service's errors (api/error.h). */
int cli_fail_api(struct cli *c, enum status status, int api_error);

/* Out of memory. */
int cli_fail_memory(struct cli *c);

/* Reports the failure: two lines on standard error, or {"error":{...}} on standard output. */
void cli_report(const struct cli *c);

/* A member of a JSON object as text, "" when it is absent or of another type. */
const char *text_of(const json_t *object, const char *name);
int64_t int_of(const json_t *object, const char *name);
/* A time of the service (RFC 3339), 0 when absent or malformed. */
int64_t time_of(const json_t *object, const char *name);

#define _cleanup_json_ _cleanup_(json_decrefp)

#endif
