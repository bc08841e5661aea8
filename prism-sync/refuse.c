/* SPDX-License-Identifier: MIT */
#include "refuse.h"

const char *verdict_text(enum verdict v)
{
	static const char *const texts[VERDICT_COUNT] = {
	    [VERDICT_OK] = "is accepted",
	    [VERDICT_NO_DATA] = "has a record that this version does not understand",
	    [VERDICT_RANGE] = "has an id outside the ranges of this host's prism.conf",
	    [VERDICT_RESERVED] = "has a name that is reserved",
	    [VERDICT_LOCAL_NAME] = "has the name of a local account in /etc/passwd",
	    [VERDICT_LOCAL_ID] = "has the id of a local account in /etc/passwd",
	    [VERDICT_LOCAL_GROUP] = "has the name or the id of a local group in /etc/group",
	    [VERDICT_DUPLICATE] = "has a name or an id that another one has",
	    [VERDICT_DISAGREE] = "has different names or homes in two projects",
	    [VERDICT_BROKEN] = "has a newer record that this version does not understand",
	    [VERDICT_ALLOW_LIST] = "is not on the allow-list of this host's prism.conf",
	};

	return v < VERDICT_COUNT ? texts[v] : "is refused";
}

static enum verdict judge(const struct config *c, const struct local *l, const struct record *r)
{
	if (r->size == 0)
		return VERDICT_NO_DATA;
	/* The private group has the same id, so both kinds of local ids count. */
	if (!id_allowed(r->subject, c->uid_first, c->uid_last))
		return VERDICT_RANGE;
	if (name_reserved(r->text) || !username_valid(r->text))
		return VERDICT_RESERVED;
	if (local_has_user(l, r->text))
		return VERDICT_LOCAL_NAME;
	if (local_has_uid(l, r->subject))
		return VERDICT_LOCAL_ID;
	if (local_has_gid(l, r->subject) || local_has_group(l, r->text))
		return VERDICT_LOCAL_GROUP;
	if (r->flags & RECORD_BROKEN)
		return VERDICT_BROKEN;
	return config_allows(c, r->text) ? VERDICT_OK : VERDICT_ALLOW_LIST;
}

enum verdict refuse_member(const struct config *c, const struct local *l, struct record *r)
{
	if (r->judged != l->round) {
		r->verdict = (uint8_t)judge(c, l, r);
		r->judged = l->round;
	}
	return r->verdict;
}

enum verdict refuse_group(
    const struct config *c, const struct local *l, const char *name, uint32_t gid)
{
	if (!id_allowed(gid, c->gid_first, c->gid_last) || gid < c->gid_first + GID_RESERVED)
		return VERDICT_RANGE;
	if (!groupname_valid(name))
		return VERDICT_RESERVED;
	if (local_has_group(l, name) || local_has_gid(l, gid) || local_has_uid(l, gid))
		return VERDICT_LOCAL_GROUP;
	return VERDICT_OK;
}
