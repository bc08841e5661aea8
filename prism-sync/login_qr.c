/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <qrencode.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/attr.h"
#include "base/clock.h"
#include "base/io.h"
#include "login_qr.h"
#include "sandbox.h"

enum { QR_MS = 1000 };

struct picture {
	uint8_t side;
	uint8_t rows[AGENT_QR_BYTES];
};

static void code_freep(QRcode **q)
{
	QRcode_free(*q);
}

static void draw(const char *text, struct picture *p)
{
	_cleanup_(code_freep) QRcode *q = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);

	if (q == NULL || q->width < 1 || q->width > AGENT_QR_MAX)
		return;
	const size_t stride = ((size_t)q->width + 7) / 8;

	p->side = (uint8_t)q->width;
	for (int y = 0; y < q->width; y++)
		for (int x = 0; x < q->width; x++)
			if (q->data[y * q->width + x] & 1)
				p->rows[(size_t)y * stride + (size_t)x / 8] |=
				    (uint8_t)(0x80 >> x % 8);
}

static _Noreturn void painter(const char *text, int fd)
{
	struct picture p = {.side = 0};
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "prism-qr");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(fd, STDIN_FILENO) < 0 || close_range(1, ~0u, 0) < 0 || sandbox_painter() < 0)
		_exit(1);
	draw(text, &p);
	_exit(io_write_full(STDIN_FILENO, &p, sizeof(p)) < 0 ? 1 : 0);
}

static int read_by(int fd, void *p, size_t n, int64_t end)
{
	for (size_t have = 0; have < n;) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		const int64_t left = end - clock_mono_ms();
		ssize_t got;

		if (left <= 0 || (poll(&pfd, 1, (int)left) < 0 && errno != EINTR))
			return -ETIMEDOUT;
		if (pfd.revents == 0)
			continue;
		got = read(fd, (char *)p + have, n - have);
		if (got <= 0)
			return -EIO;
		have += (size_t)got;
	}
	return 0;
}

void login_qr_make(const char *text, struct agent_login *l)
{
	struct picture p;
	int fds[2];

	l->qr_side = 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	const pid_t pid = fork();

	if (pid == 0)
		painter(text, fds[1]);
	close(fds[1]);
	if (pid > 0) {
		const int rc = read_by(fds[0], &p, sizeof(p), clock_mono_ms() + QR_MS);

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (rc == 0 && p.side <= AGENT_QR_MAX) {
			l->qr_side = p.side;
			memcpy(l->qr, p.rows, sizeof(l->qr));
		}
	}
	close(fds[0]);
}
