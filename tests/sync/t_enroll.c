/* SPDX-License-Identifier: MIT */
#include <sys/wait.h>
#include "api/token.h"
#include "base/buf.h"
#include "feed/feed.h"
#include "prism-sync/commands.h"
#include "test.h"

static bool in_cmdline(const char *text)
{
	struct buf b = BUF_INIT(1 << 20);
	uint8_t part[4096];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0)
		buf_add(&b, part, (size_t)n);
	close(fd);
	bool found = memmem(b.data, b.len, text, strlen(text)) != NULL;

	buf_free(&b);
	return found;
}

/* The program itself, started again with a token that has run out, so that nothing is asked. */
static int enrol(int argc, char **argv)
{
	struct globals g = {.no_drop = true};
	char copy[TOKEN_MAX + 1];

	snprintf(copy, sizeof(copy), "%s", argv[2]);
	fclose(stderr);
	if (paths_init(&g.paths, "/nonexistent") < 0 || !in_cmdline(copy))
		return 2;
	if (command_enroll(&g, argc, argv) != 1)
		return 3;
	return in_cmdline(copy) || in_cmdline("eyJ") ? 4 : 0;
}

TEST("S1.3 the secret of an enrolment token does not stay where every user can read it")
{
	struct token t = {.kind = TOKEN_ENROLMENT, .expires = 1};
	struct feed_signer *s = NULL;
	struct buf b = BUF_INIT(TOKEN_MAX);
	uint8_t seed[32] = {1};
	int status = 0;

	snprintf(t.url, sizeof(t.url), "https://prism.uni.edu:8443");
	snprintf(t.pin, sizeof(t.pin), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
	snprintf(t.project, sizeof(t.project), "lab");
	memset(t.secret, 0xa5, sizeof(t.secret));
	EXPECT_INT(feed_signer_new(seed, &s), 0);
	EXPECT_INT(token_make(&t, feed_signer_sign_raw, s, &b), 0);
	feed_signer_free(s);
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "enroll", "--token", buf_str(&b), (char *)NULL);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	buf_free(&b);
	EXPECT(WIFEXITED(status));
	EXPECT_INT(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
	return argc > 1 ? enrol(argc, argv) : test_run(argc, argv);
}
