/* SPDX-License-Identifier: MIT */
#include "access/access.h"

#include <string.h>
#include "base/attr.h"
#include "base/clock.h"

/* A name longer than this is cut, so that it cannot push the advice out of the sentence. */
#define PIECE_MAX 120

/*
 * In a sentence: %p the project, %d " on 3 May 2026" or nothing, %c whom to ask.
 * Each says what happened and, behind the semicolon, what to do next.
 */
static const char *const SENTENCE[] = {
    [ACCESS_OK] = "You may log in as a member of %p.",
    [ACCESS_NOT_LISTED] =
	"You are not a member of any project of this workstation; accept your invitation with "
	"\"prism invitation accept\", or ask the project's owner for one.",
    [ACCESS_BAD_RECORD] = "Your entry on this workstation is damaged and admits nobody; ask its "
			  "administrator to run \"prism-sync sync\".",
    [ACCESS_STALE] =
	"This workstation has had no word from the Prism service for too long: its list of "
	"members ran out%d; ask its administrator to look at \"prism-sync status\".",
    [ACCESS_USER_SUSPENDED] =
	"Your Prism account is suspended; ask the administrators of your Prism service.",
    [ACCESS_USER_ENDED] =
	"Your Prism account was closed; ask the administrators of your Prism service.",
    [ACCESS_REFUSED_LOCALLY] =
	"This workstation's own rules refuse your account (a name or id that is local, "
	"reserved or out of range); ask its administrator to look at \"prism-sync status\".",
    [ACCESS_SUSPENDED] = "Your membership in %p was suspended%d; ask %c.",
    [ACCESS_ENDED] = "Your membership in %p ended%d; ask %c.",
    [ACCESS_EXPIRED] = "Your membership in %p expired%d; ask %c to extend it.",
    [ACCESS_PROJECT_INACTIVE] = "The project %p is paused or archived; ask %c.",
    [ACCESS_NO_LOGIN] =
	"Your role in %p does not include logging in to its workstations; ask %c for one that "
	"does.",
    [ACCESS_SSO_STALE] =
	"The project %p asks for a more recent sign-in at your institution; run \"prism login\" "
	"on your own computer, then connect again.",
};

struct writer {
	char *out;
	size_t size;
	size_t want;
};

static void put(struct writer *w, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++, w->want++)
		if (w->want + 1 < w->size)
			w->out[w->want] = s[i];
}

/* Bytes of the UTF-8 character at s; 0 if it is none. Overlong forms do no harm here. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* C0, DEL, C1, and the marks that reorder text on a terminal (U+200E.., U+202A.., U+2066..). */
static bool is_control(const unsigned char *s, size_t n)
{
	if (n == 1)
		return s[0] < 0x20 || s[0] == 0x7f;
	if (n == 2)
		return s[0] == 0xc2 && s[1] < 0xa0;
	if (n != 3 || s[0] != 0xe2)
		return false;
	return (s[1] == 0x80 && (s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xa8 && s[2] <= 0xae))) ||
	       (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9);
}

static void put_clean(struct writer *w, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t used = 0;

	while (*s) {
		const size_t n = utf8_length(s);

		if (n == 0) {
			s++;
			continue;
		}
		if (used + n > PIECE_MAX)
			return;
		if (!is_control(s, n)) {
			put(w, (const char *)s, n);
			used += n;
		}
		s += n;
	}
}

static void put_field(struct writer *w, char field, const struct access_result *r)
{
	char day[CLOCK_TEXT];

	switch (field) {
	case 'p':
		put_clean(w, r->project && *r->project ? r->project : "your project");
		break;
	case 'c':
		put_clean(w, r->contact && *r->contact ? r->contact : "the project's owner");
		break;
	case 'd':
		if (r->when <= 0)
			break;
		clock_format_day(r->when, day);
		put(w, " on ", 4);
		put(w, day, strnlen(day, sizeof(day)));
		break;
	default:
		break;
	}
}

size_t access_explain(const struct access_result *r, char *out, size_t size)
{
	struct writer w = {.out = out, .size = size};
	const size_t reason = (size_t)r->reason;
	const char *s = SENTENCE[reason < ARRAY_SIZE(SENTENCE) ? reason : ACCESS_BAD_RECORD];

	for (; *s; s++) {
		if (*s == '%' && s[1])
			put_field(&w, *++s, r);
		else
			put(&w, s, 1);
	}
	if (size > 0)
		out[w.want < size ? w.want : size - 1] = '\0';
	return w.want;
}
