/* SPDX-License-Identifier: MIT */
/* Apart from read.c, so that the NSS module, which maps files its own way, gets this alone. */
#include <errno.h>
#include "format.h"
#include "lookup.h"
#include "snapshot.h"

static bool table_sound(const struct snap_extent *e)
{
	uint64_t slots = e->size / sizeof(struct snap_slot);

	if (e->size % sizeof(struct snap_slot) != 0 || slots == 0 || slots > UINT32_MAX)
		return false;
	return (slots & (slots - 1)) == 0;
}

static bool sections_sound(const struct snap_header *h)
{
	for (unsigned i = 0; i < SNAP_NSECTIONS; i++) {
		const struct snap_extent *e = &h->section[i];

		if (e->offset < SNAP_HEADER_SIZE || e->offset % SNAP_ALIGN != 0 ||
		    e->offset > h->size || e->size > h->size - e->offset)
			return false;
		if (i <= SNAP_SEC_FILTER && !table_sound(e))
			return false;
	}
	return h->section[SNAP_SEC_USERS].size >=
		   (h->kind == SNAP_IDENTITY ? 4ull * h->nusers : 0) &&
	       h->section[SNAP_SEC_GROUPS].size >=
		   (h->kind == SNAP_IDENTITY ? 4ull * h->ngroups : 0) &&
	       h->section[SNAP_SEC_PROJECTS].size >= 4ull * h->nprojects;
}

int snap_check_header(const uint8_t *base, uint64_t size, uint32_t kind)
{
	struct snap_header h;

	if (size < SNAP_HEADER_SIZE)
		return -EBADMSG;
	memcpy(&h, base, sizeof(h));
	if (memcmp(h.magic, SNAP_MAGIC, sizeof(h.magic)) != 0 || h.version != SNAP_VERSION ||
	    h.kind != kind)
		return -EBADMSG;
	if (h.size != size || size % SNAP_ALIGN != 0 || size > SNAP_SIZE_MAX)
		return -EBADMSG;
	if (h.header_sum != snap_sum(kind, &h, offsetof(struct snap_header, header_sum)))
		return -EBADMSG;
	return sections_sound(&h) ? 0 : -EBADMSG;
}
