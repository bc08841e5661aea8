/* SPDX-License-Identifier: MIT */
#include "prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught = sig;
}

static int tty_open(void)
{
	return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

bool prompt_possible(void)
{
	_cleanup_close_ int fd = tty_open();

	return fd >= 0;
}

/* One line without its end; the rest of a longer one is dropped and counts as an error. */
static int read_line(int fd, char *out, size_t size)
{
	size_t n = 0;
	bool over = false;

	for (;;) {
		char ch;
		ssize_t got = read(fd, &ch, 1);

		if (got < 0)
			return -errno;
		if (got == 0 && n == 0)
			return -ENODATA;
		if (got == 0 || ch == '\n')
			break;
		if (n + 1 < size)
			out[n++] = ch;
		else
			over = true;
	}
	while (n && out[n - 1] == '\r')
		n--;
	out[n] = '\0';
	return over || memchr(out, '\0', n) ? -EMSGSIZE : 0;
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

/* Ask with the terminal's echo on or off; a signal puts it back before it takes effect. */
static int ask(const char *question, bool echo, char *out, size_t size)
{
	_cleanup_close_ int fd = tty_open();
	struct sigaction act = {.sa_handler = on_signal}, old[ARRAY_SIZE(signals)];
	struct termios saved, quiet;
	int r;

	if (fd < 0)
		return -ENXIO;
	if (tcgetattr(fd, &saved) < 0)
		return -errno;
	quiet = saved;
	if (!echo)
		quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	caught = 0;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &act, &old[i]);
	r = io_write_full(fd, question, strlen(question));
	if (!r && !echo && tcsetattr(fd, TCSAFLUSH, &quiet) < 0)
		r = -errno;
	if (!r)
		r = read_line(fd, out, size);
	if (!echo) {
		tcsetattr(fd, TCSAFLUSH, &saved);
		io_write_full(fd, "\n", 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &old[i], NULL);
	if (caught)
		raise(caught);
	return r;
}

static int asked(struct cli *c, int r)
{
	switch (r) {
	case 0:
		return STATUS_OK;
	case -ENXIO:
		return cli_fail(c, STATUS_USAGE, "NOBODY_TO_ASK",
		    "Give it on the command line: see --help.",
		    "Something has to be asked, and there is no terminal.");
	case -EMSGSIZE:
		return cli_fail(
		    c, STATUS_USAGE, "BAD_ANSWER", "Try again.", "The answer is too long.");
	default:
		return cli_fail(
		    c, STATUS_LOCAL, "NO_ANSWER", "Try again.", "The question was not answered.");
	}
}

int prompt_line(struct cli *c, const char *question, const char *fallback, char *out, size_t size)
{
	int r = asked(c, ask(question, true, out, size));

	if (!r && !*out)
		snprintf(out, size, "%s", fallback);
	return r;
}

int prompt_secret(struct cli *c, const char *question, char *out, size_t size)
{
	return asked(c, ask(question, false, out, size));
}

int prompt_yes(struct cli *c, const char *question, bool *ret)
{
	char answer[16] = "";
	int r = asked(c, ask(question, true, answer, sizeof(answer)));

	if (!r)
		*ret = strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
	return r;
}

int prompt_password_file(struct cli *c, const char *path, char *out, size_t size)
{
	bool in = strcmp(path, "-") == 0;
	_cleanup_close_ int fd = in ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : read_line(fd, out, size);

	if (in)
		path = "standard input";
	if (r == -ENODATA)
		return cli_fail(c, STATUS_LOCAL, "EMPTY_FILE",
		    "What is used is its first line: put it there.", "%s is empty.", path);
	return r ? cli_fail_file(c, path, r) : STATUS_OK;
}
