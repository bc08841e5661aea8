/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "base/secret.h"
#include "command.h"
#include "tls.h"
#include "user.h"

#define SYNOPSIS \
	"bootstrap --username USERNAME --email EMAIL [--name NAME] [--password-file FILE|-]"

struct options {
	const char *username, *email, *name, *password_file;
};

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
	    {"username", required_argument, NULL, 'u'},
	    {"email", required_argument, NULL, 'e'},
	    {"name", required_argument, NULL, 'n'},
	    {"password-file", required_argument, NULL, 'p'},
	    {0},
	};

	optind = 0;
	for (int k; (k = getopt_long(argc, argv, "+", longs, NULL)) != -1;) {
		switch (k) {
		case 'u':
			o->username = optarg;
			break;
		case 'e':
			o->email = optarg;
			break;
		case 'n':
			o->name = optarg;
			break;
		case 'p':
			o->password_file = optarg;
			break;
		default:
			return -EINVAL;
		}
	}
	return optind == argc && o->username && o->email ? 0 : -EINVAL;
}

/* Which of the values it is that the service does not take. */
static int refused(const struct options *o, const char *password)
{
	const char *why = NULL;

	if (name_reserved(o->username))
		return command_failed(
		    "the username %s is reserved: choose another one", o->username);
	if (!username_valid(o->username))
		return command_failed(
		    "the username %s is not acceptable: give 2 to 32 of a-z, 0-9, - "
		    "and _, beginning with a letter",
		    o->username);
	if (!email_valid(o->email))
		return command_failed("%s is not an email address", o->email);
	if (!password_acceptable(password, o->username, &why))
		return command_failed("the password is not acceptable: %s", why);
	return command_failed("the name is not acceptable: give one line without a colon");
}

/* A certificate of our own making is recognized by its pin, which only we can tell. */
static void print_login(const struct config *cfg, const char *username)
{
	char pin[TLS_PIN_SIZE] = "";

	if (tls_pin(cfg, true, pin) < 0)
		return;
	printf("Log in with: prism login --server %s%s%s --user %s\n", cfg->url,
	    *pin ? " --pin " : "", pin, username);
}

int command_bootstrap(int argc, char **argv, struct config *cfg)
{
	_cleanup_store_ struct store *s = NULL;
	_cleanup_secret_ char *password = NULL;
	struct options o = {0};

	if (parse(argc, argv, &o) < 0)
		return command_usage(SYNOPSIS);
	int r = command_password_take(o.password_file, &password);
	if (r == 0)
		r = state_open_store(cfg, &s);
	if (r != 0)
		return r;
	const struct bootstrap b = {
	    .username = o.username, .email = o.email, .name = o.name, .password = password};
	r = user_bootstrap(s, cfg, &b);
	if (r == -EEXIST)
		return command_failed("there is a superadmin already, or the username is taken");
	if (r == -EINVAL)
		return refused(&o, password);
	if (r < 0)
		return command_failed("%s: %s", cfg->database, strerror(-r));
	printf("%s is the first superadmin.\n", o.username);
	if (!o.password_file)
		printf("Password, shown only now: %s\n", password);
	print_login(cfg, o.username);
	return EXIT_OK;
}
