/* SPDX-License-Identifier: MIT */
#include "login.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <security/pam_modules.h>
#include "base/attr.h"
#include "base/clock.h"

#define REPLY_MAX     8192
#define WAIT_SLACK_MS 1500 /* for the answer to a wait that has run out */
#define END_MS	      500
#define PAUSE_MS      250 /* an agent that says "not yet" at once must not be asked all the time */

/*
 * Which sshd answers how: every failure costs one of the client's tries, and a new try is a new
 * code. Only PAM_MAXTRIES ends the connection's tries, so it stands where another one could not
 * succeed before LoginGraceTime.
 */
struct outcome {
	int result;
	int code;
	bool ours; /* our sentence even where the agent has one */
	const char *text;
};

static const struct outcome BEGIN[] = {
    {-ENETUNREACH, PAM_AUTHINFO_UNAVAIL, false,
	"This workstation cannot reach the Prism service, so nobody can sign in to it just now; "
	"try "
	"again in a few minutes. Your key still lets you in, unless your project asks for a recent "
	"sign-in."},
    {-EUSERS, PAM_AUTHINFO_UNAVAIL, false,
	"Too many logins are waiting to be approved; try again in a few minutes."},
    {-ENOENT, PAM_AUTH_ERR, false,
	"The Prism service lets nobody of this name sign in to this workstation; ask the owner of "
	"your project."},
    {0, PAM_AUTHINFO_UNAVAIL, false,
	"Signing in does not work on this workstation just now; log in with your key, or ask its "
	"administrator to look at \"prism-sync status\"."},
};

static const struct outcome WAIT[] = {
    {-EACCES, PAM_AUTH_ERR, true, "The login was refused in the browser."},
    {-ENOENT, PAM_MAXTRIES, true,
	"This workstation has given the login up, or its Prism agent was started anew; connect "
	"again for a new code."},
    {-EBADMSG, PAM_AUTH_ERR, false,
	"The Prism service's answer to this login could not be verified; ask this workstation's "
	"administrator to look at \"prism-sync status\"."},
    {-ENETUNREACH, PAM_AUTHINFO_UNAVAIL, false,
	"This workstation can no longer reach the Prism service; try again in a few minutes."},
    {0, PAM_AUTHINFO_UNAVAIL, false,
	"The login could not be completed; connect again, or ask this workstation's administrator "
	"to look at \"prism-sync status\"."},
};

static const char TEXT_DEAD[] =
    "This workstation's Prism agent does not answer, so nobody can sign in; log in with your key, "
    "or ask its administrator to look at \"prism-sync status\".";

/* The last row of a table stands for every other result. */
static void find_outcome(const struct outcome *o, const struct agent_reply *p, struct finding *ret)
{
	while (o->result != 0 && o->result != p->result)
		o++;
	finding_set(ret, o->code, o->ours || !p->text[0] ? o->text : p->text);
}

static void find_expired(const struct login *l, struct finding *ret)
{
	ret->code = PAM_MAXTRIES;
	snprintf(ret->text, sizeof(ret->text),
	    "Nobody approved this login within %d seconds, and its time is over; connect again for "
	    "a new code.",
	    l->o->login_timeout);
}

/* What a remote host calls itself is anybody's text. */
static void copy_origin(const char *from, char out[AGENT_ORIGIN_MAX + 1])
{
	size_t n = 0;

	for (; from && *from && n < AGENT_ORIGIN_MAX; from++)
		out[n++] = *from > ' ' && *from < 0x7f ? *from : '?';
	out[n] = '\0';
}

static int call(
    const struct login *l, const struct agent_request *rq, int deadline_ms, struct agent_reply *ret)
{
	uint8_t storage[REPLY_MAX];
	const int r = agent_ask(l->fd, rq, deadline_ms, storage, sizeof(storage), ret);

	ret->json = NULL;
	return r;
}

/* An agent that was started anew does not know the login, which is another answer than none. */
static int call_wait(const struct login *l, int left, struct agent_reply *ret)
{
	struct agent_request rq = {
	    .verb = AGENT_LOGIN_WAIT, .handle = l->shown.handle, .ms = (uint32_t)left};
	uint8_t storage[REPLY_MAX];
	const int r = call(l, &rq, left + WAIT_SLACK_MS, ret);

	if (r != -ECONNRESET && r != -EPIPE)
		return r;
	rq.ms = 0;
	return agent_call(l->o->socket, &rq, WAIT_SLACK_MS, storage, sizeof(storage), ret);
}

static int call_start(struct login *l, const struct agent_request *rq, struct agent_reply *ret)
{
	const int64_t end = clock_mono_ms() + LOGIN_START_MS;

	l->fd = agent_open(l->o->socket, LOGIN_START_MS);
	return l->fd < 0 ? l->fd : call(l, rq, (int)(end - clock_mono_ms()), ret);
}

void login_begin(struct login *l, const struct options *o, const char *user, const char *service,
    const char *origin, struct finding *ret)
{
	const uint32_t life = (uint32_t)o->login_timeout * 1000;
	struct agent_request rq = {.verb = AGENT_LOGIN_START, .ms = life};
	struct agent_reply reply = {.login = &l->shown};

	*l = (struct login){.o = o, .fd = -1, .end = clock_mono_ms() + life};
	snprintf(rq.user, sizeof(rq.user), "%s", user);
	snprintf(rq.service, sizeof(rq.service), "%s", service);
	copy_origin(origin, rq.origin);
	if (call_start(l, &rq, &reply) < 0) {
		finding_set(ret, PAM_AUTHINFO_UNAVAIL, TEXT_DEAD);
		return;
	}
	if (reply.result < 0) {
		find_outcome(BEGIN, &reply, ret);
		return;
	}
	l->begun = true;
	finding_set(ret, PAM_SUCCESS, "");
}

static int left_ms(const struct login *l)
{
	const int64_t left = l->end - clock_mono_ms();

	return left > 0 ? (int)left : 0;
}

/* Nobody has approved in time, by the agent's clock or by ours. */
static bool is_over(const struct login *l, int result)
{
	if (result == -ETIMEDOUT)
		return true;
	return (result == -EAGAIN || result == -ENOENT) && left_ms(l) == 0;
}

static void pause_ms(int ms)
{
	const struct timespec t = {.tv_nsec = (ms < PAUSE_MS ? ms : PAUSE_MS) * 1000000L};

	nanosleep(&t, NULL);
}

void login_wait(struct login *l, struct agent_approval *ret_approval, struct finding *ret)
{
	for (;;) {
		struct agent_reply reply = {.approval = ret_approval};

		if (call_wait(l, left_ms(l), &reply) < 0) {
			finding_set(ret, PAM_AUTHINFO_UNAVAIL, TEXT_DEAD);
			return;
		}
		if (reply.result == 0) {
			finding_set(ret, PAM_SUCCESS, "");
			return;
		}
		if (is_over(l, reply.result)) {
			find_expired(l, ret);
			return;
		}
		if (reply.result != -EAGAIN) {
			find_outcome(WAIT, &reply, ret);
			return;
		}
		pause_ms(left_ms(l));
	}
}

void login_end(struct login *l)
{
	const struct agent_request rq = {.verb = AGENT_LOGIN_END, .handle = l->shown.handle};
	struct agent_reply reply = {0};

	if (l->begun)
		call(l, &rq, END_MS, &reply);
	if (l->fd >= 0)
		close(l->fd);
	explicit_bzero(l, sizeof(*l));
	l->fd = -1;
}
