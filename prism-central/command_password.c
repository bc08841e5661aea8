/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/encode.h"
#include "base/secret.h"
#include "command.h"
#include "user.h"

#define SYNOPSIS   "password USER [--password-file FILE|-]"
#define MADE_BYTES 15

static int read_password(const char *path, char **ret)
{
	_cleanup_close_ int opened =
	    strcmp(path, "-") == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_secret_ char *line = calloc(1, PASSWORD_MAX + 2);
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : opened;
	size_t n = 0;

	if (fd < 0)
		return -errno;
	if (!line)
		return -ENOMEM;
	while (n <= PASSWORD_MAX) {
		ssize_t got = read(fd, line + n, 1);
		if (got < 0)
			return -errno;
		if (got == 0 || line[n] == '\n')
			break;
		n++;
	}
	line[n] = '\0';
	if (n > PASSWORD_MAX)
		return -EMSGSIZE;
	*ret = TAKE_PTR(line);
	return 0;
}

static int make_password(char **ret)
{
	uint8_t bytes[MADE_BYTES];
	char *text = calloc(1, BASE64URL_LEN(MADE_BYTES) + 1);
	int r = text ? secret_random(bytes, sizeof(bytes)) : -ENOMEM;

	if (r < 0) {
		free(text);
		return r;
	}
	base64url_encode(bytes, sizeof(bytes), text);
	explicit_bzero(bytes, sizeof(bytes));
	*ret = text;
	return 0;
}

int command_password_take(const char *path, char **ret)
{
	int r = path ? read_password(path, ret) : make_password(ret);

	return r < 0 ? command_failed("%s: %s", path ? path : "password", strerror(-r)) : EXIT_OK;
}

static int parse(int argc, char **argv, const char **ret_user, const char **ret_file)
{
	static const struct option longs[] = {
	    {"password-file", required_argument, NULL, 'p'},
	    {0},
	};

	optind = 0;
	for (int k; (k = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		if (k != 'p')
			return -EINVAL;
		*ret_file = optarg;
	}
	if (optind != argc - 1)
		return -EINVAL;
	*ret_user = argv[optind];
	return 0;
}

int command_password(int argc, char **argv, struct config *cfg)
{
	_cleanup_store_ struct store *s = NULL;
	_cleanup_secret_ char *password = NULL;
	const char *who = NULL, *file = NULL, *why = NULL;
	struct user u;

	if (parse(argc, argv, &who, &file) < 0)
		return command_usage(SYNOPSIS);
	int r = command_password_take(file, &password);
	if (r == 0)
		r = state_open_store(cfg, &s);
	if (r != 0)
		return r;
	r = user_password_reset(s, who, password, &u, &why);
	if (r == -ENOENT)
		return command_failed(
		    "there is no user %s: give a username or the address of an account", who);
	if (r == -EACCES)
		return command_failed("the account of %s is %s: nothing was changed", who, u.state);
	if (r == -EINVAL)
		return command_failed("the password is not acceptable: %s", why);
	if (r < 0)
		return command_failed("%s: %s", cfg->database, strerror(-r));
	printf("%s has a new password, and is logged out everywhere.\n", u.username);
	if (!file)
		printf("Password, shown only now: %s\n", password);
	return EXIT_OK;
}
