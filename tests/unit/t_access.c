/* SPDX-License-Identifier: MIT */
#include "access/access.h"
#include "base/attr.h"
#include "world.h"

#define NOW   1777800000 /* 3 May 2026, 09:20 UTC */
#define DAY   86400
#define CHEN  "Dr. Chen <chen@uni.edu>"
#define NEVER 0

static struct world w;

/* ---- one grant, every reason -------------------------------------------------------------- */

/* What is left out is active, sshd, and a role with hosts:login alone. */
static const struct row {
	const char *title;
	uint8_t person, grant, project;
	uint32_t perms, sso_max_age;
	int64_t not_after, ended_at, sso_at, issued_at, valid_until;
	const char *service;
	enum access_reason want;
	int64_t want_when;
} ROWS[] = {
#define PLAIN                                                                \
	.person = SNAP_ACTIVE, .grant = SNAP_ACTIVE, .project = SNAP_ACTIVE, \
	.perms = SNAP_PERM_LOGIN, .service = "sshd"
    {"active", .want = ACCESS_OK},
    {"one second before not_after", .not_after = NOW + 1, .want = ACCESS_OK},
    {"at not_after", .not_after = NOW, .want = ACCESS_EXPIRED, .want_when = NOW},
    {"after not_after", .not_after = NOW - 1, .want = ACCESS_EXPIRED, .want_when = NOW - 1},
    {"not_after before 1970", .not_after = -5, .want = ACCESS_EXPIRED, .want_when = -5},
    {"clock behind issued_at", .not_after = NOW + 10, .issued_at = NOW + 10, .want = ACCESS_EXPIRED,
	.want_when = NOW + 10},
    {"issued_at one second short", .not_after = NOW + 10, .issued_at = NOW + 9, .want = ACCESS_OK},
    {"one second before valid_until", .valid_until = NOW + 1, .want = ACCESS_OK},
    {"at valid_until", .valid_until = NOW, .want = ACCESS_STALE, .want_when = NOW},
    {"valid_until by issued_at", .valid_until = NOW + 5, .issued_at = NOW + 5, .want = ACCESS_STALE,
	.want_when = NOW + 5},
    {"person suspended", .person = SNAP_SUSPENDED, .want = ACCESS_USER_SUSPENDED},
    {"person ended", .person = SNAP_ENDED, .want = ACCESS_USER_ENDED},
    {"person refused here", .person = SNAP_REFUSED, .want = ACCESS_REFUSED_LOCALLY},
    {"suspended", .grant = SNAP_SUSPENDED, .ended_at = NOW - DAY, .want = ACCESS_SUSPENDED,
	.want_when = NOW - DAY},
    {"removed", .grant = SNAP_ENDED, .ended_at = NOW - DAY, .want = ACCESS_ENDED,
	.want_when = NOW - DAY},
    {"removed before its date", .grant = SNAP_ENDED, .ended_at = NOW - DAY, .not_after = NOW - 5,
	.want = ACCESS_ENDED, .want_when = NOW - DAY},
    {"recorded as ended at its date", .grant = SNAP_ENDED, .ended_at = NOW - 5,
	.not_after = NOW - 5, .want = ACCESS_EXPIRED, .want_when = NOW - 5},
    {"recorded as ended without a time", .grant = SNAP_ENDED, .not_after = NOW - 5,
	.want = ACCESS_EXPIRED, .want_when = NOW - 5},
    {"removed though its date is to come", .grant = SNAP_ENDED, .not_after = NOW + DAY,
	.want = ACCESS_ENDED},
    {"grant refused here", .grant = SNAP_REFUSED, .want = ACCESS_REFUSED_LOCALLY},
    {"a state of a grant that nobody knows", .grant = 9, .want = ACCESS_BAD_RECORD},
    {"a state of a project that nobody knows", .project = 9, .want = ACCESS_BAD_RECORD},
    {"project paused", .project = SNAP_SUSPENDED, .want = ACCESS_PROJECT_INACTIVE},
    {"project archived", .project = SNAP_ENDED, .want = ACCESS_PROJECT_INACTIVE},
    {"project refused here", .project = SNAP_REFUSED, .want = ACCESS_REFUSED_LOCALLY},
    {"no hosts:login", .perms = SNAP_PERM_SUDO | SNAP_PERM_WRITE, .want = ACCESS_NO_LOGIN},
    {"sso never", .sso_max_age = 3600, .want = ACCESS_SSO_STALE},
    {"sso one second before its age", .sso_max_age = 3600, .sso_at = NOW - 3599, .want = ACCESS_OK},
    {"sso at its age", .sso_max_age = 3600, .sso_at = NOW - 3600, .want = ACCESS_SSO_STALE,
	.want_when = NOW},
    {"sso in the future", .sso_max_age = 3600, .sso_at = INT64_MAX, .want = ACCESS_OK},
    {"sso before 1970", .sso_max_age = UINT32_MAX, .sso_at = INT64_MIN, .want = ACCESS_SSO_STALE},
    {"sso asked of sshd only: su", .sso_max_age = 3600, .service = "su", .want = ACCESS_OK},
    {"sso asked of sshd only: sudo", .sso_max_age = 3600, .service = "sudo", .want = ACCESS_OK},
    {"sso asked of sshd only: cron", .sso_max_age = 3600, .service = "cron", .want = ACCESS_OK},
    {"no service named", .sso_max_age = 3600, .service = "", .want = ACCESS_OK},
    {"sso stale in a stale snapshot", .sso_max_age = 3600, .valid_until = NOW, .want = ACCESS_STALE,
	.want_when = NOW},
    {"a known removal in a stale snapshot", .grant = SNAP_ENDED, .ended_at = NOW - DAY,
	.valid_until = NOW, .want = ACCESS_ENDED, .want_when = NOW - DAY},
    {"suspended and past its date", .grant = SNAP_SUSPENDED, .ended_at = NOW - DAY,
	.not_after = NOW - 5, .want = ACCESS_SUSPENDED, .want_when = NOW - DAY},
};

static uint8_t or_active(uint8_t state)
{
	return state ? state : SNAP_ACTIVE;
}

static const char *row_service(const struct row *r)
{
	return r->service ? r->service : "sshd";
}

static uint32_t row_perms(const struct row *r)
{
	return r->perms ? r->perms : SNAP_PERM_LOGIN;
}

static void row_world(const struct row *r)
{
	struct world_person *alice;
	struct snap_grant *g;

	world_init(&w);
	w.meta.issued_at = r->issued_at;
	w.meta.valid_until = r->valid_until;
	alice = world_person(&w, "alice", 10001);
	alice->user.state = or_active(r->person);
	g = world_grant(alice, world_project(&w, "genomics-lab", CHEN));
	w.projects[0].state = or_active(r->project);
	w.projects[0].sso_max_age = r->sso_max_age;
	g->state = or_active(r->grant);
	g->perms = row_perms(r);
	g->not_after = r->not_after;
	g->ended_at = r->ended_at;
	g->sso_at = r->sso_at;
}

TEST("S1.28 LESSONS 3 every state, date and role decides as the table says, to the second")
{
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		const struct row *r = &ROWS[i];
		_cleanup_(snap_close) struct snap s = {0};
		struct access_result a;

		row_world(r);
		world_open(&w, SNAP_ACCESS, &s);
		access_decide(&s, "alice", row_service(r), NOW, &a);
		if (a.reason != r->want || a.when != r->want_when)
			test_fail(__FILE__, __LINE__, "%s: reason %d at %lld, not %d at %lld",
			    r->title, a.reason, (long long)a.when, r->want,
			    (long long)r->want_when);
		EXPECT_INT(a.verdict, r->want == ACCESS_OK ? ACCESS_ALLOW : ACCESS_DENY);
		EXPECT_INT(a.perms, r->want == ACCESS_OK ? row_perms(r) : 0);
		EXPECT_INT(a.uid, r->person == SNAP_REFUSED ? 0 : 10001);
		EXPECT_STR(a.name, "alice");
		EXPECT_STR(a.home, "/efs/home/alice");
		if (a.reason == ACCESS_ENDED || a.reason == ACCESS_NO_LOGIN) {
			EXPECT_STR(a.project, "genomics-lab");
			EXPECT_STR(a.contact, CHEN);
		}
	}
}

TEST("D4 a keys snapshot decides as the access snapshot does")
{
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		_cleanup_(snap_close) struct snap s = {0};
		struct access_result a;

		row_world(&ROWS[i]);
		world_open(&w, SNAP_KEYS, &s);
		access_decide(&s, "alice", row_service(&ROWS[i]), NOW, &a);
		EXPECT_INT(a.reason, ROWS[i].want);
	}
}

TEST("LESSONS 2 who is not listed is unknown, and a part of a name is nobody")
{
	static const char *const names[] = {"", "bob", "ali", "alicea", "Alice", "alice ",
	    "alice\n", "root", "a234567890123456789012345678901234567890"};
	_cleanup_(snap_close) struct snap s = {0};
	struct access_result a;

	row_world(&ROWS[0]);
	world_open(&w, SNAP_ACCESS, &s);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		access_decide(&s, names[i], "sshd", NOW, &a);
		EXPECT_INT(a.verdict, ACCESS_UNKNOWN);
		EXPECT_INT(a.reason, ACCESS_NOT_LISTED);
		EXPECT_INT(a.uid, 0);
		EXPECT_INT(a.perms, 0);
		EXPECT(!a.name && !a.project);
	}
}

TEST("D1 a person without any grant is denied, not unknown")
{
	_cleanup_(snap_close) struct snap s = {0};
	struct access_result a;

	world_init(&w);
	world_person(&w, "alice", 10001);
	world_open(&w, SNAP_ACCESS, &s);
	access_decide(&s, "alice", "sshd", NOW, &a);
	EXPECT_INT(a.verdict, ACCESS_DENY);
	EXPECT_INT(a.reason, ACCESS_NOT_LISTED);
	EXPECT_INT(a.when, 0);
	EXPECT_INT(a.uid, 10001);
}

/* ---- several grants ----------------------------------------------------------------------- */

TEST("F2 Membership: one grant that holds is enough, and only those that hold give permissions")
{
	_cleanup_(snap_close) struct snap s = {0};
	struct world_person *alice;
	struct access_result a;

	world_init(&w);
	alice = world_person(&w, "alice", 10001);
	world_grant(alice, world_project(&w, "one", "a"))->state = SNAP_ENDED;
	alice->grants[0].perms = SNAP_PERM_LOGIN | SNAP_PERM_SUDO;
	world_grant(alice, world_project(&w, "two", "b"))->perms =
	    SNAP_PERM_LOGIN | SNAP_PERM_WRITE;
	world_grant(alice, world_project(&w, "three", "c"))->perms = SNAP_PERM_SUDO;
	world_grant(alice, world_project(&w, "four", "d"));
	world_open(&w, SNAP_ACCESS, &s);
	access_decide(&s, "alice", "sshd", NOW, &a);
	EXPECT_INT(a.verdict, ACCESS_ALLOW);
	EXPECT_INT(a.perms, SNAP_PERM_LOGIN | SNAP_PERM_WRITE);
	EXPECT_STR(a.project, "two");
}

TEST("S1.23 of several refusals the person hears the most useful one")
{
	static const struct {
		enum access_reason want;
		const char *project;
		size_t drop; /* then without the grant that won */
	} steps[] = {{ACCESS_SSO_STALE, "sso", 0}, {ACCESS_NO_LOGIN, "norole", 1},
	    {ACCESS_PROJECT_INACTIVE, "paused", 2}, {ACCESS_EXPIRED, "newest", 3},
	    {ACCESS_ENDED, "older", 4}, {ACCESS_SUSPENDED, "oldest", 5}};
	struct world_person *alice;

	world_init(&w);
	alice = world_person(&w, "alice", 10001);
	world_grant(alice, world_project(&w, "sso", ""));
	w.projects[0].sso_max_age = 60;
	world_grant(alice, world_project(&w, "norole", ""))->perms = SNAP_PERM_WRITE;
	world_grant(alice, world_project(&w, "paused", ""));
	w.projects[2].state = SNAP_SUSPENDED;
	world_grant(alice, world_project(&w, "newest", ""))->not_after = NOW - DAY;
	world_grant(alice, world_project(&w, "older", ""))->state = SNAP_ENDED;
	alice->grants[4].ended_at = NOW - 2 * DAY;
	world_grant(alice, world_project(&w, "oldest", ""))->state = SNAP_SUSPENDED;
	alice->grants[5].ended_at = NOW - 3 * DAY;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		_cleanup_(snap_close) struct snap s = {0};
		struct access_result a;

		alice->user.grants = alice->grants + i;
		alice->user.ngrants = 6 - i;
		world_open(&w, SNAP_ACCESS, &s);
		access_decide(&s, "alice", "sshd", NOW, &a);
		EXPECT_INT(a.verdict, ACCESS_DENY);
		EXPECT_INT(a.reason, steps[i].want);
		EXPECT_STR(a.project, steps[i].project);
	}
}

/* ---- random worlds against a second, naive reading of the rules --------------------------- */

static uint64_t dice_state = 88172645463325252ull;

static uint32_t dice(uint32_t n)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return (uint32_t)(dice_state >> 33) % n;
}

static int64_t dice_time(void)
{
	static const int64_t near[] = {0, 0, NOW - 1, NOW, NOW + 1, NOW - DAY, NOW + DAY, 1};

	return near[dice(ARRAY_SIZE(near))];
}

static void random_world(void)
{
	world_init(&w);
	w.meta.issued_at = dice(4) ? 0 : NOW + (int64_t)dice(3) - 1;
	w.meta.valid_until = dice(4) ? 0 : NOW + (int64_t)dice(5) - 2;
	for (uint32_t i = 0; i < 4; i++) {
		world_project(&w, (const char *[]){"aa", "bb", "cc", "dd"}[i], "");
		w.projects[i].state = (uint8_t)(dice(3) ? SNAP_ACTIVE : 1 + dice(4));
		w.projects[i].sso_max_age = dice(3) ? 0 : dice(3);
	}
	for (uint32_t i = 0; i < 20; i++) {
		static char names[20][8];
		struct world_person *p;

		snprintf(names[i], sizeof(names[i]), "user%u", i);
		p = world_person(&w, names[i], 10001 + i);
		p->user.state = (uint8_t)(dice(6) ? SNAP_ACTIVE : 1 + dice(4));
		for (uint32_t n = dice(5); n > 0; n--) {
			struct snap_grant *g = world_grant(p, dice(4));

			g->state = (uint8_t)(dice(3) ? SNAP_ACTIVE : 1 + dice(4));
			g->perms = dice(8);
			g->not_after = dice_time();
			g->ended_at = dice_time();
			g->sso_at = dice_time();
		}
	}
}

/* What the rules say, without caring for reasons. Returns the permissions; none: refused. */
static uint32_t naive_perms(const struct world_person *p, bool sshd)
{
	int64_t now = NOW > w.meta.issued_at ? NOW : w.meta.issued_at;
	uint32_t perms = 0;

	if (p->user.state != SNAP_ACTIVE || (w.meta.valid_until && now >= w.meta.valid_until))
		return 0;
	for (size_t i = 0; i < p->user.ngrants; i++) {
		const struct snap_grant *g = &p->grants[i];
		const struct snap_project *j = &w.projects[g->project];

		if (g->state != SNAP_ACTIVE || j->state != SNAP_ACTIVE ||
		    !(g->perms & SNAP_PERM_LOGIN) || (g->not_after && now >= g->not_after))
			continue;
		if (sshd && j->sso_max_age && (!g->sso_at || g->sso_at + j->sso_max_age <= now))
			continue;
		perms |= g->perms;
	}
	return perms;
}

TEST("D1 access_decide agrees with a naive reading of the rules on random worlds")
{
	int allowed = 0, denied = 0;

	for (int round = 0; round < 400; round++) {
		_cleanup_(snap_close) struct snap s = {0};

		random_world();
		world_open(&w, round % 2 ? SNAP_ACCESS : SNAP_KEYS, &s);
		for (size_t i = 0; i < w.npeople; i++) {
			const bool sshd = dice(2);
			const uint32_t want = naive_perms(&w.people[i], sshd);
			char text[ACCESS_SENTENCE_MAX];
			struct access_result a;

			access_decide(&s, w.people[i].user.name, sshd ? "sshd" : "su", NOW, &a);
			EXPECT_INT(a.verdict, want ? ACCESS_ALLOW : ACCESS_DENY);
			EXPECT_INT(a.perms, want);
			EXPECT((a.reason == ACCESS_OK) == (want != 0));
			EXPECT(access_explain(&a, text, sizeof(text)) < sizeof(text));
			want ? allowed++ : denied++;
		}
	}
	EXPECT(allowed > 500 && denied > 500);
}

/* ---- an SSO login of this very moment ----------------------------------------------------- */

static void decide_fresh(
    const char *service, const char *const *fresh, struct access_result *ret, struct snap *s)
{
	snap_close(s);
	*s = (struct snap){0};
	world_open(&w, SNAP_ACCESS, s);
	access_decide_fresh(s, "alice", service, NOW, fresh, ret);
}

/* alice in two projects of different organizations; both ask for an SSO login and had none. */
static struct world_person *two_stale_projects(void)
{
	struct world_person *alice;

	world_init(&w);
	world_project(&w, "genomics-lab", CHEN);
	world_project(&w, "genomics-lab2", "Dr. Roe");
	w.projects[0].sso_max_age = w.projects[1].sso_max_age = 3600;
	alice = world_person(&w, "alice", 10001);
	world_grant(alice, 0)->perms = SNAP_PERM_LOGIN | SNAP_PERM_WRITE;
	world_grant(alice, 1)->perms = SNAP_PERM_LOGIN | SNAP_PERM_SUDO;
	return alice;
}

TEST("I3.4 a fresh login counts for the project it names, and lends nothing to another's")
{
	static const char *const first[] = {"genomics-lab", NULL}, *const none[] = {NULL},
				 *const both[] = {"genomics-lab2", "genomics-lab", NULL},
				 *const near[] = {
				     "genomics-la", "genomics-lab22", "", "Genomics-lab", NULL};
	_cleanup_(snap_close) struct snap s = {0};
	struct access_result a;

	two_stale_projects();
	decide_fresh("sshd", NULL, &a, &s);
	EXPECT_INT(a.reason, ACCESS_SSO_STALE);
	decide_fresh("sshd", none, &a, &s);
	EXPECT_INT(a.reason, ACCESS_SSO_STALE);
	decide_fresh("sshd", near, &a, &s);
	EXPECT_INT(a.reason, ACCESS_SSO_STALE);
	EXPECT_INT(a.perms, 0);
	decide_fresh("sshd", first, &a, &s);
	EXPECT_INT(a.verdict, ACCESS_ALLOW);
	EXPECT_STR(a.project, "genomics-lab");
	EXPECT_INT(a.perms, SNAP_PERM_LOGIN | SNAP_PERM_WRITE);
	decide_fresh("sshd", both, &a, &s);
	EXPECT_INT(a.perms, SNAP_PERM_LOGIN | SNAP_PERM_WRITE | SNAP_PERM_SUDO);
}

TEST("I3.4 other services ask for no freshness, with or without a fresh login")
{
	static const char *const services[] = {"cron", "sudo", "su", "atd", "systemd-user",
	    "sshd2"},
				 *const first[] = {"genomics-lab", NULL};
	_cleanup_(snap_close) struct snap s = {0};
	struct access_result a;

	two_stale_projects();
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		decide_fresh(services[i], NULL, &a, &s);
		EXPECT_INT(a.perms, SNAP_PERM_LOGIN | SNAP_PERM_WRITE | SNAP_PERM_SUDO);
		decide_fresh(services[i], first, &a, &s);
		EXPECT_INT(a.perms, SNAP_PERM_LOGIN | SNAP_PERM_WRITE | SNAP_PERM_SUDO);
	}
}

TEST("I3.4 a fresh login opens nothing but what its age had closed")
{
	static const char *const slug[] = {"genomics-lab", NULL};
	_cleanup_(snap_close) struct snap s = {0};

	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		const struct row *r = &ROWS[i];
		struct access_result a;

		row_world(r);
		decide_fresh(row_service(r), slug, &a, &s);
		if (a.reason != (r->want == ACCESS_SSO_STALE ? ACCESS_OK : r->want))
			test_fail(__FILE__, __LINE__, "%s: reason %d", r->title, a.reason);
		EXPECT((a.verdict == ACCESS_ALLOW) == (a.reason == ACCESS_OK));
		access_decide_fresh(&s, "bob", "sshd", NOW, slug, &a);
		EXPECT_INT(a.verdict, ACCESS_UNKNOWN);
	}
}

TEST("I3.4 the refusal names the project that is still stale, and how to renew")
{
	static const char *const second[] = {"genomics-lab2", NULL};
	_cleanup_(snap_close) struct snap s = {0};
	char text[ACCESS_SENTENCE_MAX];
	struct access_result a;

	two_stale_projects()->grants[1].state = SNAP_SUSPENDED;
	decide_fresh("sshd", second, &a, &s);
	EXPECT_INT(a.reason, ACCESS_SSO_STALE);
	access_explain(&a, text, sizeof(text));
	EXPECT_HAS(text, "The project genomics-lab asks");
	EXPECT_HAS(text, "run \"prism login\"");
}

/* ---- the sentences ------------------------------------------------------------------------ */

static const struct {
	enum access_reason reason;
	int64_t when;
	const char *project, *contact, *want;
} SENTENCES[] = {
    {ACCESS_OK, 0, "genomics-lab", CHEN, "You may log in as a member of genomics-lab."},
    {ACCESS_NOT_LISTED, 0, NULL, NULL,
	"You are not a member of any project of this workstation; accept your invitation with "
	"\"prism invitation accept\", or ask the project's owner for one."},
    {ACCESS_BAD_RECORD, 0, NULL, NULL,
	"Your entry on this workstation is damaged and admits nobody; ask its administrator to "
	"run \"prism-sync sync\"."},
    {ACCESS_STALE, NOW, NULL, NULL,
	"This workstation has had no word from the Prism service for too long: its list of "
	"members ran out on 3 May 2026; ask its administrator to look at \"prism-sync "
	"status\"."},
    {ACCESS_USER_SUSPENDED, 0, NULL, NULL,
	"Your Prism account is suspended; ask the administrators of your Prism service."},
    {ACCESS_USER_ENDED, 0, NULL, NULL,
	"Your Prism account was closed; ask the administrators of your Prism service."},
    {ACCESS_REFUSED_LOCALLY, 0, NULL, NULL,
	"This workstation's own rules refuse your account (a name or id that is local, "
	"reserved or out of range); ask its administrator to look at \"prism-sync status\"."},
    {ACCESS_SUSPENDED, NOW, "genomics-lab", CHEN,
	"Your membership in genomics-lab was suspended on 3 May 2026; ask " CHEN "."},
    {ACCESS_ENDED, NOW, "genomics-lab", CHEN,
	"Your membership in genomics-lab ended on 3 May 2026; ask " CHEN "."},
    {ACCESS_ENDED, 0, "genomics-lab", "",
	"Your membership in genomics-lab ended; ask the project's owner."},
    {ACCESS_EXPIRED, NOW, "genomics-lab", CHEN,
	"Your membership in genomics-lab expired on 3 May 2026; ask " CHEN " to extend it."},
    {ACCESS_PROJECT_INACTIVE, 0, "genomics-lab", CHEN,
	"The project genomics-lab is paused or archived; ask " CHEN "."},
    {ACCESS_NO_LOGIN, 0, "genomics-lab", CHEN,
	"Your role in genomics-lab does not include logging in to its workstations; ask " CHEN
	" for one that does."},
    {ACCESS_SSO_STALE, 0, "genomics-lab", CHEN,
	"The project genomics-lab asks for a more recent sign-in at your institution; run "
	"\"prism login\" on your own computer, then connect again."},
    {(enum access_reason)77, 0, NULL, NULL,
	"Your entry on this workstation is damaged and admits nobody; ask its administrator to "
	"run \"prism-sync sync\"."},
};

TEST("S1.23 every refusal is one sentence that says what to do next")
{
	for (size_t i = 0; i < ARRAY_SIZE(SENTENCES); i++) {
		const struct access_result a = {.verdict = ACCESS_DENY,
		    .reason = SENTENCES[i].reason,
		    .when = SENTENCES[i].when,
		    .project = SENTENCES[i].project,
		    .contact = SENTENCES[i].contact};
		char text[ACCESS_SENTENCE_MAX];

		EXPECT_INT(access_explain(&a, text, sizeof(text)), strlen(SENTENCES[i].want));
		EXPECT_STR(text, SENTENCES[i].want);
		EXPECT(a.reason == ACCESS_OK || strstr(text, "ask") || strstr(text, "run"));
	}
}

TEST("LESSONS 1 the sentence is cut at any buffer size and always ended")
{
	const struct access_result a = {
	    .reason = ACCESS_ENDED, .when = NOW, .project = "genomics-lab", .contact = CHEN};
	char whole[ACCESS_SENTENCE_MAX], text[ACCESS_SENTENCE_MAX];
	const size_t want = access_explain(&a, whole, sizeof(whole));

	for (size_t n = 0; n <= want + 2; n++) {
		memset(text, 'Z', sizeof(text));
		EXPECT_INT(access_explain(&a, text, n), want);
		EXPECT(text[n] == 'Z');
		if (n == 0)
			continue;
		EXPECT_INT(strlen(text), n - 1 < want ? n - 1 : want);
		EXPECT(strncmp(text, whole, strlen(text)) == 0);
	}
}

TEST("S1.27 nothing that a name carries reaches the terminal but its text")
{
	static char huge[4096];
	struct access_result a = {.reason = ACCESS_ENDED,
	    .project = "lab\r\n\033[2J\177\302\205\342\200\256\342\201\246x",
	    .contact = "J\303\266rg \377\300\200\344\270\255 <j@u.de>"};
	char text[ACCESS_SENTENCE_MAX];

	access_explain(&a, text, sizeof(text));
	EXPECT_STR(
	    text, "Your membership in lab[2Jx ended; ask J\303\266rg \344\270\255 <j@u.de>.");
	memset(huge, 'h', sizeof(huge) - 1);
	a.project = a.contact = huge;
	a.when = INT64_MAX;
	EXPECT(access_explain(&a, text, sizeof(text)) < sizeof(text));
	EXPECT_HAS(text, "; ask hhh");
	for (size_t i = 0; i + 2 < sizeof(huge); i += 2)
		memcpy(huge + i, "\303\266", 2);
	access_explain(&a, text, sizeof(text));
	EXPECT_HAS(text, "\303\266 ended on ");
}

/* ---- damaged files ------------------------------------------------------------------------ */

/* Whether anything in the world could make this file admit "mallory", whom it does not admit. */
static bool admits(const uint8_t *bytes, size_t n)
{
	_cleanup_(snap_close) struct snap s = {0};
	struct access_result a;
	char path[256], text[ACCESS_SENTENCE_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/damaged", test_tmpdir());
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (write(fd, bytes, n) != (ssize_t)n)
		exit(99);
	close(fd);
	if (snap_open(path, SNAP_ACCESS, SNAP_ROOT_OWNED, &s) < 0)
		return false;
	access_decide(&s, "mallory", "sshd", NOW, &a);
	access_explain(&a, text, sizeof(text));
	return a.verdict == ACCESS_ALLOW;
}

static size_t read_snapshot(uint8_t *out, size_t size)
{
	char path[256];
	ssize_t n;
	int fd;

	EXPECT_INT(world_write(&w, test_tmpdir(), SNAP_ACCESS), 0);
	snprintf(path, sizeof(path), "%s/%s", test_tmpdir(), SNAPSHOT_ACCESS);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, out, size);
	close(fd);
	EXPECT(n > 0 && (size_t)n < size);
	return (size_t)n;
}

TEST("LESSONS 16 a flipped bit or a lost end never admits anybody")
{
	static uint8_t good[65536], bad[65536];
	struct world_person *p;
	size_t n;

	world_init(&w);
	world_project(&w, "genomics-lab", CHEN);
	world_grant(world_person(&w, "alice", 10001), 0);
	p = world_person(&w, "mallory", 10002);
	world_grant(p, 0)->state = SNAP_ENDED;
	world_grant(p, 0)->not_after = NOW;
	n = read_snapshot(good, sizeof(good));
	for (size_t i = 0; i < n * 8; i++) {
		memcpy(bad, good, n);
		bad[i / 8] ^= (uint8_t)(1u << (i % 8));
		if (admits(bad, n))
			test_fail(__FILE__, __LINE__, "bit %zu of byte %zu admits", i % 8, i / 8);
	}
	for (size_t i = 0; i < n; i++)
		EXPECT(!admits(good, i));
	p->grants[1].not_after = NEVER;
	n = read_snapshot(good, sizeof(good));
	EXPECT(admits(good, n)); /* the test can tell */
}

TEST_MAIN()
