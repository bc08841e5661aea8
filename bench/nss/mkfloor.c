/* SPDX-License-Identifier: MIT */
/* mkfloor DATA FILE: write libnss_floor's table of the data of nssdata. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "bench/nss/data.h"
#include "bench/nss/floor.h"

static char *base;
static uint64_t end = 4096;

static struct floor_header *header(void)
{
	return (struct floor_header *)base;
}

static void make_table(enum floor_table t, size_t n)
{
	uint64_t slots = 64;

	while (slots < 2 * n)
		slots *= 2;
	header()->mask[t] = slots - 1;
	header()->table[t] = end;
	end += slots * sizeof(struct floor_slot);
}

static void enter(enum floor_table t, uint64_t hash, uint64_t record)
{
	struct floor_slot *slots = (struct floor_slot *)(base + header()->table[t]);
	uint64_t i = hash & header()->mask[t];

	while (slots[i].record != 0)
		i = (i + 1) & header()->mask[t];
	slots[i] = (struct floor_slot){(uint32_t)(hash >> 32), (uint32_t)(record / 64)};
}

static uint32_t put(char *strings, uint32_t at, const char *s)
{
	size_t n = strlen(s) + 1;

	memcpy(strings + at, s, n);
	return at + (uint32_t)n;
}

static void put_user(const struct data *d, const struct data_user *u)
{
	struct floor_user *r = (struct floor_user *)(base + end);
	char *s = (char *)(r + 1);
	uint32_t *gids;

	r->uid = r->gid = u->uid;
	r->passwd = (uint16_t)put(s, 0, u->name);
	r->gecos = (uint16_t)put(s, r->passwd, "*");
	r->dir = (uint16_t)put(s, r->gecos, u->gecos);
	r->shell = (uint16_t)put(s, r->dir, u->home);
	r->len = (uint16_t)put(s, r->shell, u->shell);
	gids = (uint32_t *)(uintptr_t)floor_gids(r);
	for (size_t i = 0; i < u->ngroups; i++)
		gids[r->ngids++] = d->groups[u->groups[i]].gid;
	enter(FLOOR_PWNAM, floor_hash(u->name, strlen(u->name)), end);
	enter(FLOOR_PWUID, floor_hash_id(u->uid), end);
	end = ((uint64_t)((char *)(gids + FLOOR_GIDS) - base) + 63) & ~63ull;
}

static void put_group(const struct data_group *g)
{
	struct floor_group *r = (struct floor_group *)(base + end);
	uint32_t *offsets = (uint32_t *)(r + 1), at, n = *g->members != '\0';
	char *copy = strdup(g->members), *rest = copy, *s, *name;

	if (!copy)
		err(2, "members");
	for (const char *p = g->members; *p; p++)
		n += *p == ',';
	r->gid = g->gid;
	r->nmembers = n;
	s = (char *)(offsets + n);
	r->passwd = put(s, 0, g->name);
	at = put(s, r->passwd, "*");
	for (uint32_t i = 0; i < n && (name = strsep(&rest, ",")) != NULL; i++) {
		offsets[i] = at;
		at = put(s, at, name);
	}
	r->len = at;
	enter(FLOOR_GRNAM, floor_hash(g->name, strlen(g->name)), end);
	enter(FLOOR_GRGID, floor_hash_id(g->gid), end);
	end = ((uint64_t)(s + at - base) + 63) & ~63ull;
	free(copy);
}

int main(int argc, char **argv)
{
	size_t room = 1 << 20;
	struct data d;
	FILE *f;

	if (argc != 3)
		errx(2, "usage: mkfloor DATA FILE");
	data_load(argv[1], &d);
	for (size_t i = 0; i < d.ngroups; i++)
		room += 5 * strlen(d.groups[i].members) + 512;
	room += d.nusers * 1024;
	base = mmap(
	    NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		err(2, "mmap");
	for (unsigned t = 0; t < FLOOR_TABLES; t++)
		make_table(t, t < FLOOR_GRNAM ? d.nusers : d.ngroups);
	for (size_t i = 0; i < d.nusers; i++)
		put_user(&d, &d.users[i]);
	for (size_t i = 0; i < d.ngroups; i++)
		put_group(&d.groups[i]);
	header()->size = end;
	f = fopen(argv[2], "we");
	if (!f || fwrite(base, 1, end, f) != end || fclose(f) != 0)
		err(2, "%s", argv[2]);
	data_release(&d);
	return 0;
}
