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

/* The errno of one attempt inside, 0: it succeeded; 200: there is no inside. */
static int inside(int (*attempt)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sandbox_network(65534, 65534) < 0 ? 200 : attempt());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
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

TEST_MAIN()
