/* SPDX-License-Identifier: MIT */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "bench/nss/data.h"

static struct data_user **by_name;

static char *read_text(const char *dir, const char *name)
{
	char path[4096];
	struct stat st;
	FILE *f;
	char *text;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f || fstat(fileno(f), &st) < 0)
		err(2, "%s", path);
	text = malloc((size_t)st.st_size + 1);
	if (!text || fread(text, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
		errx(2, "%s: cannot read", path);
	text[st.st_size] = '\0';
	fclose(f);
	return text;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n++;
	return n;
}

/* Cut the next line into its fields, in place. */
static void cut_line(char **text, char **fields, size_t want)
{
	char *line = *text, *end = strchr(line, '\n');

	if (!end)
		errx(2, "a line without an end");
	*end = '\0';
	*text = end + 1;
	for (size_t i = 0; i < want; i++) {
		fields[i] = strsep(&line, ":");
		if (!fields[i])
			errx(2, "a line with %zu fields, not %zu", i, want);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(struct data_user *const *)a)->name, (*(struct data_user *const *)b)->name);
}

struct data_user *data_find(struct data *d, const char *name)
{
	struct data_user key = {.name = (char *)(uintptr_t)name}, *p = &key, **found;

	if (!by_name) {
		by_name = calloc(d->nusers + 1, sizeof(*by_name));
		if (!by_name)
			err(2, "index");
		for (size_t i = 0; i < d->nusers; i++)
			by_name[i] = &d->users[i];
		qsort(by_name, d->nusers, sizeof(struct data_user *), compare_names);
	}
	found = bsearch(&p, by_name, d->nusers, sizeof(struct data_user *), compare_names);
	return found ? *found : NULL;
}

static void add_members(struct data *d, uint32_t group)
{
	char *copy = strdup(d->groups[group].members), *rest = copy, *name;

	while ((name = strsep(&rest, ",")) != NULL) {
		struct data_user *u = data_find(d, name);

		if (*name == '\0')
			continue;
		if (!u || u->ngroups == DATA_MEMBER_OF)
			errx(2, "member %s", name);
		u->groups[u->ngroups++] = group;
	}
	free(copy);
}

void data_load(const char *dir, struct data *ret)
{
	struct data d = {
	    .passwd_text = read_text(dir, "passwd"), .group_text = read_text(dir, "group")};
	char *p = d.passwd_text, *g = d.group_text, *f[7];

	d.nusers = count_lines(p);
	d.ngroups = count_lines(g);
	d.users = calloc(d.nusers + 1, sizeof(*d.users));
	d.groups = calloc(d.ngroups + 1, sizeof(*d.groups));
	if (!d.users || !d.groups)
		err(2, "data");
	for (size_t i = 0; i < d.nusers; i++) {
		cut_line(&p, f, 7);
		d.users[i] = (struct data_user){.name = f[0],
		    .uid = (uint32_t)strtoul(f[2], NULL, 10),
		    .gecos = f[4],
		    .home = f[5],
		    .shell = f[6]};
	}
	for (size_t i = 0; i < d.ngroups; i++) {
		cut_line(&g, f, 4);
		d.groups[i] = (struct data_group){
		    .name = f[0], .gid = (uint32_t)strtoul(f[2], NULL, 10), .members = f[3]};
	}
	for (uint32_t i = 0; i < d.ngroups; i++)
		add_members(&d, i);
	*ret = d;
}

void data_release(struct data *d)
{
	free(by_name);
	by_name = NULL;
	free(d->users);
	free(d->groups);
	free(d->passwd_text);
	free(d->group_text);
}
