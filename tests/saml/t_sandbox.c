/* SPDX-License-Identifier: MIT */
/* What prism-saml cannot do any more once it reads: each try in a process of its own. */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "prism-saml/sandbox.h"
#include "test.h"

enum { LIVED = 10, FAILED = 11 };

/* Exit status of a child that enters the sandbox and tries; or 1000 + the signal that ended it. */
static int after_entering(int (*try)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_enter() < 0)
			_exit(99);
		_exit(try() < 0 ? FAILED : LIVED);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int try_nothing(void)
{
	return 0;
}

static int try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int try_socketpair(void)
{
	int fd[2];
	return socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
}

static int try_fork(void)
{
	return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static int try_exec(void)
{
	return execl("/bin/true", "true", NULL);
}

static int try_kill(void)
{
	return kill(getppid(), 0);
}

static int try_ptrace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, 0, 0);
}

static int try_unlink(void)
{
	return unlink("/nowhere");
}

static int try_rename(void)
{
	return rename("/nowhere", "/elsewhere");
}

static int try_mkdir(void)
{
	return mkdir("/tmp/prism-saml-test", 0700);
}

static int try_dup(void)
{
	return dup(0);
}

static int try_ioctl(void)
{
	return (int)syscall(SYS_ioctl, 0, 0x5401, 0);
}

static int try_open(void)
{
	int fd = open("/etc/passwd", O_RDONLY);
	return fd < 0 && errno == EACCES ? -1 : 0;
}

static int try_create(void)
{
	int fd = open("/tmp/prism-saml-test", O_WRONLY | O_CREAT, 0600);
	return fd < 0 && errno == EACCES ? -1 : 0;
}

static int try_stat(void)
{
	struct stat s;
	return stat("/etc/passwd", &s);
}

static int try_memory(void)
{
	return mmap(NULL, 2 * (size_t)SANDBOX_MEMORY, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		   ? -1
		   : 0;
}

static int try_forever(void)
{
	volatile unsigned busy = 1;

	while (busy)
		busy |= 2;
	return 0;
}

TEST("I3.2 the sandbox can be entered")
{
	EXPECT_INT(after_entering(try_nothing), LIVED);
}

TEST("I3.2 in it the network, processes, programs, and the rest of the system end the process")
{
	static int (*const tries[])(void) = {try_socket, try_socketpair, try_fork, try_exec,
	    try_kill, try_ptrace, try_unlink, try_rename, try_mkdir, try_dup, try_ioctl};

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++)
		EXPECT_INT(after_entering(tries[i]), 1000 + SIGSYS);
}

TEST("I3.2 in it no file can be opened, made or looked at")
{
	EXPECT_INT(after_entering(try_open), FAILED);
	EXPECT_INT(after_entering(try_create), FAILED);
	EXPECT_INT(after_entering(try_stat), FAILED);
}

TEST("I3.2 in it memory and time have an end")
{
#ifdef __SANITIZE_ADDRESS__
	SKIP("the sanitizer's address space is larger");
#endif
	EXPECT_INT(after_entering(try_memory), FAILED);
	EXPECT_INT(after_entering(try_forever), 1000 + SIGKILL);
}

static int status_field(pid_t pid, const char *name)
{
	char path[64], line[256];
	int value = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			value = (int)strtol(line + strlen(name) + 1, NULL, 10);
	if (f)
		fclose(f);
	return value;
}

TEST("I3.2 prism-saml is in its sandbox while it waits for its first byte")
{
	const char *build = getenv("B");
	char path[512];
	int in[2], seccomp = -1;

	snprintf(path, sizeof(path), "%s/prism-saml", build ? build : "build");
	EXPECT(pipe(in) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		close(in[1]);
		execl(path, path, (char *)NULL);
		_exit(98);
	}
	close(in[0]);
	for (int i = 0; i < 300 && seccomp != 2; i++) {
		usleep(10000);
		seccomp = status_field(pid, "Seccomp:");
	}
	int no_new = status_field(pid, "NoNewPrivs:"), fds = 0;
	snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	char line[256];
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		fds += !strncmp(line, "Max open files            0 ", 28);
	if (f)
		fclose(f);
	close(in[1]);
	waitpid(pid, NULL, 0);
	EXPECT_INT(seccomp, 2);
	EXPECT_INT(no_new, 1);
	EXPECT_INT(fds, 1);
}

TEST_MAIN()
