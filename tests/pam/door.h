/* SPDX-License-Identifier: MIT */
#ifndef DOOR_H
#define DOOR_H

/*
 * What a login through SSO meets: an agent that does as it is told (a child process that speaks the
 * real protocol, and notes what it was asked), and a person at the terminal.
 */
#include <security/pam_ext.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "agent/agent.h"
#include "base/clock.h"
#include "stage.h"

#define URL    "https://prism.example.edu/device"
#define CODE   "WDJB-MJHT"
#define HANDLE 0x1122334455667788ull

/* What is wrong with a reply. */
enum flaw {
	SOUND,
	OTHER_VERB,
	OTHER_MAGIC,
	SHORT,
	LONG,
	EMPTY_PACKET,
	HUGE,
	ESCAPE,	   /* a text with an escape sequence */
	NO_ANSWER, /* reads, and says nothing */
	HANG_UP,
};

struct door {
	int begin; /* results */
	int wait;
	const char *text; /* with both, where they fail */
	enum flaw begin_flaw, wait_flaw;
	int after_ms; /* from the beginning to the answer */
	bool eager;   /* until then: say "not yet" at once, instead of waiting */
	uint8_t qr_side;
	const char *host; /* as the service calls it */
	const char *user; /* of the approval */
	uint32_t uid;
	const char *projects[4];
};

/* Shared with the child. */
struct seen {
	int begins, waits, ends;
	struct agent_request begin, last_wait, last_end;
};

static struct door door;
static struct seen *seen;
static pid_t door_pid;

/* ---- the agent ---------------------------------------------------------------------------- */

static void door_spoil(int fd, struct buf *b, enum flaw flaw)
{
	static char huge[AGENT_PACKET_MAX];
	uint8_t *code;

	if (flaw == OTHER_VERB)
		b->data[4] ^= 1;
	if (flaw == OTHER_MAGIC)
		b->data[0] ^= 1;
	if (flaw == LONG)
		buf_add_char(b, 'x');
	code = memmem(b->data, b->len, CODE, strlen(CODE));
	if (flaw == ESCAPE && code)
		code[0] = '\033';
	if (flaw == HUGE)
		send(fd, huge, sizeof(huge), MSG_NOSIGNAL);
	else if (flaw == EMPTY_PACKET)
		send(fd, "", 0, MSG_NOSIGNAL);
	else
		send(fd, b->data, b->len - (flaw == SHORT), MSG_NOSIGNAL);
}

static void door_reply(int fd, struct agent_reply *p, enum flaw flaw)
{
	struct buf b = BUF_INIT(AGENT_PACKET_MAX);

	if (flaw == NO_ANSWER)
		pause();
	if (flaw == HANG_UP)
		return;
	if (p->result < 0 && door.text)
		snprintf(p->text, sizeof(p->text), "%s", door.text);
	agent_put_reply(&b, p);
	if (buf_error(&b) < 0)
		abort();
	door_spoil(fd, &b, flaw);
	buf_free(&b);
}

static void door_begin(int fd, const struct agent_request *rq)
{
	struct agent_login l = {.handle = HANDLE, .qr_side = door.qr_side};
	struct agent_reply p = {.verb = rq->verb, .result = door.begin, .login = &l};

	snprintf(l.url, sizeof(l.url), "%s", URL);
	snprintf(l.url_complete, sizeof(l.url_complete), "%s?user_code=%s", URL, CODE);
	snprintf(l.code, sizeof(l.code), "%s", CODE);
	snprintf(l.host, sizeof(l.host), "%s", door.host);
	memset(l.qr, 0x5a, sizeof(l.qr));
	/* What lies behind a row's last module is not part of the code. */
	for (size_t y = 0; l.qr_side % 8 && y < l.qr_side; y++)
		l.qr[(y + 1) * ((l.qr_side + 7) / 8) - 1] &= (uint8_t)(0xff00 >> l.qr_side % 8);
	door_reply(fd, &p, door.begin_flaw);
}

static void door_wait(int fd, const struct agent_request *rq, int64_t begun)
{
	struct agent_approval a = {.uid = door.uid};
	struct agent_reply p = {.verb = rq->verb, .result = door.wait, .approval = &a};
	const int64_t left = begun + door.after_ms - clock_mono_ms();

	snprintf(a.user, sizeof(a.user), "%s", door.user);
	for (; door.projects[a.nprojects]; a.nprojects++)
		snprintf(a.projects[a.nprojects], sizeof(a.projects[0]), "%s",
		    door.projects[a.nprojects]);
	if (left > 0) {
		if (!door.eager)
			usleep((useconds_t)(left < rq->ms ? left : rq->ms) * 1000);
		if (door.eager || left > rq->ms)
			p.result = -EAGAIN;
	}
	door_reply(fd, &p, p.result == -EAGAIN ? SOUND : door.wait_flaw);
}

/* One request. False: there are no more. */
static bool door_serve(int fd)
{
	static int64_t begun;
	struct agent_request rq;
	struct agent_reply p = {0};
	enum flaw flaw = SOUND;
	uint8_t packet[4096];
	const ssize_t n = recv(fd, packet, sizeof(packet), 0);

	if (n <= 0 || agent_parse_request(packet, (size_t)n, &rq) < 0)
		return false;
	p.verb = rq.verb;
	switch (rq.verb) {
	case AGENT_LOGIN_START:
		begun = clock_mono_ms();
		seen->begins++;
		seen->begin = rq;
		flaw = door.begin_flaw;
		door_begin(fd, &rq);
		break;
	case AGENT_LOGIN_WAIT:
		seen->waits++;
		seen->last_wait = rq;
		flaw = door.wait_flaw;
		door_wait(fd, &rq, begun);
		break;
	case AGENT_LOGIN_END:
		seen->last_end = rq;
		seen->ends++;
		door_reply(fd, &p, SOUND);
		break;
	default:
		door_reply(fd, &p, SOUND);
	}
	/* An empty packet is a hang-up to whoever reads it. */
	return flaw != HANG_UP && flaw != EMPTY_PACKET;
}

/* End the agent, if there is one. */
__attribute__((unused)) static void door_close(void)
{
	if (door_pid > 0) {
		kill(door_pid, SIGKILL);
		waitpid(door_pid, NULL, 0);
	}
	door_pid = 0;
	unlink(in_dir("agent.sock"));
}

static int door_socket(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (!seen)
		seen = mmap(
		    NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(seen, 0, sizeof(*seen));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0)
		abort();
	return fd;
}

static void door_loop(int fd)
{
	for (;;) {
		const int c = accept(fd, NULL, NULL);

		while (door_serve(c))
			;
		close(c);
	}
}

/* Be the agent, with "door" as it is, until somebody ends this process. */
__attribute__((unused)) static void door_listen(const char *path)
{
	door_loop(door_socket(path));
}

/* Start it as a child. */
__attribute__((unused)) static void door_open(void)
{
	int fd;

	door_close();
	fd = door_socket(in_dir("agent.sock"));
	door_pid = fork();
	if (door_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		door_loop(fd);
	}
	close(fd);
}

/* ---- the person ---------------------------------------------------------------------------- */

struct person {
	char prompt[4][16384]; /* what was asked */
	int styles[4];
	int prompts;
	char errors[2048];	 /* PAM_ERROR_MSG */
	const char *answers[4];	 /* NULL: Enter alone */
	bool absent;		 /* the conversation fails */
	void (*meanwhile)(void); /* what happens while the first prompt is shown */
};

static struct person at_terminal;
static pam_handle_t *open_handle;

static int person_converse(
    int n, const struct pam_message **msg, struct pam_response **ret, void *arg)
{
	struct person *t = arg;

	if (t->absent)
		return PAM_CONV_ERR;
	*ret = calloc((size_t)n, sizeof(**ret));
	for (int i = 0; i < n; i++) {
		const size_t used = strlen(t->errors);
		const int style = msg[i]->msg_style, k = t->prompts;

		if (style == PAM_ERROR_MSG)
			snprintf(t->errors + used, sizeof(t->errors) - used, "%s%s",
			    used ? "|" : "", msg[i]->msg);
		if (style != PAM_PROMPT_ECHO_OFF && style != PAM_PROMPT_ECHO_ON)
			continue;
		if (k == (int)ARRAY_SIZE(t->prompt))
			abort();
		snprintf(t->prompt[k], sizeof(t->prompt[k]), "%s", msg[i]->msg);
		t->styles[k] = style;
		t->prompts++;
		if (t->meanwhile && k == 0)
			t->meanwhile();
		(*ret)[i].resp = strdup(t->answers[k] ? t->answers[k] : "");
	}
	return PAM_SUCCESS;
}

/* Somebody connects: "service", "user", from 10.77.0.50. The caller ends it with hang_up(). */
__attribute__((unused)) static void connects(const char *service, const char *user)
{
	const struct pam_conv conv = {.conv = person_converse, .appdata_ptr = &at_terminal};

	EXPECT_INT(pam_start_confdir(service, user, &conv, confdir, &open_handle), PAM_SUCCESS);
	EXPECT_INT(pam_set_item(open_handle, PAM_RHOST, "10.77.0.50"), PAM_SUCCESS);
}

__attribute__((unused)) static void hang_up(void)
{
	if (open_handle)
		pam_end(open_handle, PAM_SUCCESS);
	open_handle = NULL;
}

/* Everybody as they should be: alice a member, an agent at once with her approval, she at the
 * terminal, who presses Enter. */
__attribute__((unused)) static void door_stage(void)
{
	hang_up();
	door_close();
	stage();
	door = (struct door){.user = "alice", .uid = 10001, .qr_side = 29, .host = "ws1"};
	memset(&at_terminal, 0, sizeof(at_terminal));
}

/* One call of pam_authenticate(), in a connection of its own. */
__attribute__((unused)) static int signs_in(const char *service, const char *user)
{
	int r;

	memset(at_terminal.prompt, 0, sizeof(at_terminal.prompt));
	at_terminal.prompts = 0;
	at_terminal.errors[0] = '\0';
	connects(service, user);
	r = pam_authenticate(open_handle, 0);
	hang_up();
	return r;
}

#endif
