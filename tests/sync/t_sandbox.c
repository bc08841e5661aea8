/* SPDX-License-Identifier: MIT */
/* What the network half can still do, tried from within. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "prism-sync/sandbox.h"
#include "test.h"

static void *nothing(void *arg)
{
	return arg;
}

static int try_thread(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, nothing, NULL) == 0 ? pthread_join(t, NULL) : EAGAIN;
}

static int try_namespace(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

static int try_clone3(void)
{
	return syscall(SYS_clone3, NULL, 0) < 0 ? errno : 0;
}

static int try_exec(void)
{
	char *none[] = {NULL};

	execve("/bin/true", none, none);
	return errno;
}

static int try_root(void)
{
	return setuid(0) < 0 ? errno : 0;
}

static int try_kill(void)
{
	return kill(getppid(), 0) < 0 ? errno : 0;
}

static int try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? errno : 0;
}

static int try_open(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
}

static int try_fork(void)
{
	const pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

static int try_read(void)
{
	char c;

	return read(0, &c, 1) < 0 ? errno : 0;
}

static int try_memory(void)
{
	char *big = malloc(8 << 20), *small = malloc(64);
	const int rc = big && small ? 0 : ENOMEM;

	free(big);
	free(small);
	return rc;
}

static int enter_network(void)
{
	return sandbox_network(65534, 65534);
}

/* The errno of one attempt inside, 0: it succeeded; 200: there is no inside. */
static int within(int (*enter)(void), int (*attempt)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(enter() < 0 ? 200 : attempt());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int inside(int (*attempt)(void))
{
	return within(enter_network, attempt);
}

TEST("D3 the network half has threads and sockets, and no way to more rights")
{
#ifdef __SANITIZE_ADDRESS__
	SKIP("the sanitizer needs calls that the filter forbids");
#endif
	if (geteuid() != 0)
		SKIP("only root can become another user");
	EXPECT_INT(inside(try_thread), 0);
	EXPECT_INT(inside(try_socket), 0);
	EXPECT_INT(inside(try_namespace), EPERM);
	EXPECT_INT(inside(try_clone3), ENOSYS);
	EXPECT_INT(inside(try_exec), EPERM);
	EXPECT_INT(inside(try_root), EPERM);
	EXPECT_INT(inside(try_kill), EPERM);
}

TEST("I3.3 the painter of QR codes has memory and a way out, and nothing else")
{
#ifdef __SANITIZE_ADDRESS__
	SKIP("the sanitizer needs calls that the filter forbids");
#endif
	if (geteuid() != 0)
		SKIP("only root has capabilities to give up");
	EXPECT_INT(within(sandbox_painter, try_memory), 0);
	EXPECT_INT(within(sandbox_painter, try_open), EPERM);
	EXPECT_INT(within(sandbox_painter, try_read), EPERM);
	EXPECT_INT(within(sandbox_painter, try_socket), EPERM);
	EXPECT_INT(within(sandbox_painter, try_fork), EPERM);
	EXPECT_INT(within(sandbox_painter, try_thread), EAGAIN);
	EXPECT_INT(within(sandbox_painter, try_exec), EPERM);
	EXPECT_INT(within(sandbox_painter, try_kill), EPERM);
	/* the root half makes its own painter, with its own filter on already */
	EXPECT_INT(within(sandbox_root, try_fork), 0);
}

TEST_MAIN()
