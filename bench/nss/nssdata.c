/* SPDX-License-Identifier: MIT */
/*
 * nssdata N DIR: N people and their groups, as DIR/passwd and DIR/group, and the keys to ask for,
 * DIR/users.keys and DIR/groups.keys ("name:id" a line). The same N gives the same data.
 *
 * Half of the names are like u0000001, half like people's. Each person has a private group (not in
 * the text) and is in three of N/10 project groups (100 to 10000 of them), of which a few are
 * popular: up to 5000 members.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench/nss/data.h"

#define MEMBERS_MAX 5000

static const char *const first_names[] = {"maria", "james", "wei", "anna", "priya", "omar", "lucas",
    "yuki", "elena", "david", "fatima", "chen", "sofia", "ivan", "grace", "noah", "amara", "leon",
    "mei", "jonas", "rosa", "kofi", "nadia", "hugo", "lena", "pavel", "sara", "tomas", "ines",
    "felix", "aisha", "marco"};
static const char *const last_names[] = {"fischer", "smith", "wu", "kowalski", "patel", "haddad",
    "silva", "tanaka", "petrov", "cohen", "rossi", "nguyen", "garcia", "novak", "okafor", "muller",
    "lee", "jensen", "costa", "mensah", "larsen", "dubois", "weber", "yilmaz", "santos", "moreau",
    "kaya", "berg"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t seed = 20240601;

static uint64_t random_next(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static double random_unit(void)
{
	return (double)(random_next() >> 11) / (double)(1ull << 53);
}

/* Unique: the number is part of it, in base 36 where it should look like a person's. */
static void make_name(size_t i, char out[static 33], char gecos[static 64])
{
	const char *first = first_names[random_next() % COUNT(first_names)];
	const char *last = last_names[random_next() % COUNT(last_names)];

	snprintf(gecos, 64, "%c%s %c%s", first[0] - 32, first + 1, last[0] - 32, last + 1);
	if (i % 2 == 0)
		snprintf(out, 33, "u%07zu", i);
	else if (i % 4 == 1)
		snprintf(out, 33, "%s_%s%zu", first, last, i / 4);
	else
		snprintf(out, 33, "%c%s%zu", first[0], last, i / 4);
}

struct group {
	uint32_t *members;
	size_t n;
};

static void join_groups(struct group *groups, size_t ngroups, uint32_t user)
{
	size_t mine[DATA_MEMBER_OF], n = 0;

	while (n < DATA_MEMBER_OF) {
		double x = random_unit();
		size_t g = (size_t)((double)ngroups * x * x * x);
		struct group *to;

		for (size_t i = 0; i < n; i++)
			if (mine[i] == g || groups[g].n >= MEMBERS_MAX)
				g = random_next() % ngroups;
		to = &groups[g];
		if (to->n >= MEMBERS_MAX || (n > 0 && mine[0] == g) || (n > 1 && mine[1] == g))
			continue;
		if ((to->n & (to->n + 1)) == 0)
			to->members = realloc(to->members, (2 * to->n + 2) * sizeof(uint32_t));
		if (!to->members)
			err(2, "members");
		to->members[to->n++] = user;
		mine[n++] = g;
	}
}

static FILE *create(const char *dir, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f)
		err(2, "%s", path);
	return f;
}

static void finish(FILE *f)
{
	if (ferror(f) || fclose(f) != 0)
		errx(2, "cannot write");
}

static void write_users(
    const char *dir, size_t n, char (*names)[33], struct group *groups, size_t ngroups)
{
	FILE *passwd = create(dir, "passwd"), *keys = create(dir, "users.keys");
	uint32_t *order = malloc((n + 1) * sizeof(*order));
	char gecos[64];

	if (!order)
		err(2, "order");
	for (size_t i = 0; i < n; i++) {
		size_t j = random_next() % (i + 1);

		order[i] = order[j];
		order[j] = (uint32_t)i;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t id = DATA_UID_FIRST + order[i];

		make_name(i, names[i], gecos);
		fprintf(passwd, "%s:*:%u:%u:%s:/efs/home/%s:/bin/bash\n", names[i], id, id, gecos,
		    names[i]);
		fprintf(keys, "%s:%u\n", names[i], id);
		join_groups(groups, ngroups, (uint32_t)i);
	}
	free(order);
	finish(passwd);
	finish(keys);
}

int main(int argc, char **argv)
{
	size_t n = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	size_t ngroups = n / 10 > 10000 ? 10000 : n / 10 < 100 ? 100 : n / 10;
	struct group *groups = calloc(ngroups, sizeof(*groups));
	char(*names)[33] = calloc(n + 1, sizeof(*names));
	size_t largest = 0;
	FILE *text, *keys;

	if (n < 10 || n > 1500000 || !groups || !names)
		errx(2, "usage: nssdata N DIR");
	write_users(argv[2], n, names, groups, ngroups);
	text = create(argv[2], "group");
	keys = create(argv[2], "groups.keys");
	for (size_t g = 0; g < ngroups; g++) {
		uint32_t gid = DATA_GID_FIRST + (uint32_t)g;
		char name[33];

		snprintf(name, sizeof(name), "p-%s-%05zu%s", last_names[g % COUNT(last_names)], g,
		    g % 2 == 1 ? "-ro" : "");
		fprintf(text, "%s:*:%u:", name, gid);
		for (size_t i = 0; i < groups[g].n; i++)
			fprintf(text, "%s%s", i > 0 ? "," : "", names[groups[g].members[i]]);
		fprintf(text, "\n");
		fprintf(keys, "%s:%u\n", name, gid);
		largest = groups[g].n > largest ? groups[g].n : largest;
		free(groups[g].members);
	}
	finish(text);
	finish(keys);
	printf("%zu users, %zu groups, the largest has %zu members\n", n, ngroups, largest);
	free(groups);
	free(names);
	return 0;
}
