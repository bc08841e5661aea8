/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "secrets.h"

#define SYNOPSIS "secrets status | new-key | rotate [--data ORGANIZATION]"

/* The keys first: their file may be root's. 0, or EXIT_FAILED having said why. */
static int begin(const struct config *cfg, struct secrets *s, struct store **ret)
{
	char why[512];

	if (secrets_open(cfg, s, why, sizeof(why)) < 0)
		return command_failed("%s", why);
	return state_open_store(cfg, ret);
}

/* ---- status ---------------------------------------------------------------------------------- */

static const char *remark(const struct secret_use *u, size_t i)
{
	if (!u->present)
		return "MISSING: bring it back";
	if (u->broken)
		return "NOT THE KEY that sealed them all";
	if (i == 0)
		return "current";
	return u->sealed ? "to be replaced: prism-central secrets rotate"
			 : "can be removed; backups from before need it";
}

static int secrets_status(const struct config *cfg)
{
	_cleanup_secrets_ struct secrets s = {.keys = NULL};
	_cleanup_store_ struct store *db = NULL;
	struct secret_census c;
	int status = EXIT_OK;

	if (begin(cfg, &s, &db) != EXIT_OK)
		return EXIT_FAILED;
	int r = secrets_census(db, &s, &c);
	if (r < 0)
		return command_failed("%s: %s", cfg->database, strerror(-r));
	if (!s.keys)
		puts("No master key is configured: secrets of organizations cannot be stored.");
	for (size_t i = 0; i < c.n; i++) {
		const struct secret_use *u = &c.uses[i];
		printf(
		    "%-32s %6lld organizations  %s\n", u->id, (long long)u->sealed, remark(u, i));
		if (!u->present || u->broken)
			status = command_failed(
			    "%s: of %lld organizations %lld cannot be opened, among them %s", u->id,
			    (long long)u->sealed, (long long)(u->present ? u->broken : u->sealed),
			    u->organization);
	}
	return status;
}

/* ---- new-key --------------------------------------------------------------------------------- */

static int secrets_new_key(const struct config *cfg)
{
	char line[MASTER_KEY_LINE_MAX];
	int r = master_key_make(line);

	if (r < 0)
		return command_failed("%s", strerror(-r));
	puts(line);
	explicit_bzero(line, sizeof(line));
	if (fflush(stdout) != 0)
		return command_failed("standard output: %s", strerror(errno));
	fprintf(stderr, "This line goes to the top of %s, which only the service may read.\n",
	    cfg->master_keys[0] ? cfg->master_keys : "the file of [secrets] master_keys");
	return EXIT_OK;
}

/* ---- rotate ---------------------------------------------------------------------------------- */

static int no_key(void)
{
	return command_failed("no master key is configured: see [secrets] in central.conf");
}

static int rotate(const struct config *cfg)
{
	_cleanup_secrets_ struct secrets s = {.keys = NULL};
	_cleanup_store_ struct store *db = NULL;
	struct secret_step step = {.organization = INT64_MIN};
	struct secret_census c;
	long long done = 0, failed = 0;
	int r;

	if (begin(cfg, &s, &db) != EXIT_OK)
		return EXIT_FAILED;
	if (!s.keys)
		return no_key();
	while ((r = secrets_rewrap_next(db, &s, &step)) > 0) {
		if (step.error < 0)
			command_failed("%s: %s", step.slug, secret_error(step.error));
		done += step.error == 0;
		failed += step.error < 0;
	}
	if (r == 0)
		r = secrets_census(db, &s, &c);
	if (r < 0)
		return command_failed("%s: %s; run it again to go on", cfg->database, strerror(-r));
	printf("%lld organizations are sealed with %s now.\n", done, s.keys->keys[0].id);
	for (size_t i = 1; i < c.n; i++)
		if (c.uses[i].present && c.uses[i].sealed == 0)
			printf("%s is not needed any more: it can be removed, but backups from "
			       "before need it.\n",
			    c.uses[i].id);
	return failed ? command_failed("%lld organizations were left as they were", failed)
		      : EXIT_OK;
}

static const char sql_organization[] = "SELECT id FROM organizations WHERE slug = $1";

struct find {
	const char *slug;
	int64_t id;
};

static int find_tx(struct tx *t, void *arg)
{
	_cleanup_rows_ struct rows *rows = NULL;
	struct find *f = arg;
	int r = tx_query(t, sql_organization, "s", &rows, f->slug);

	if (r == 0)
		r = rows_next(rows);
	if (r > 0)
		f->id = row_int(rows, 0);
	return r < 0 ? r : r > 0 ? 0 : -ENOENT;
}

static int rotate_data(const struct config *cfg, const char *slug)
{
	_cleanup_secrets_ struct secrets s = {.keys = NULL};
	_cleanup_store_ struct store *db = NULL;
	struct find f = {.slug = slug};
	const char *column = NULL;
	int64_t values = 0;

	if (begin(cfg, &s, &db) != EXIT_OK)
		return EXIT_FAILED;
	if (!s.keys)
		return no_key();
	int r = store_tx(db, STORE_READ, find_tx, &f);
	if (r < 0)
		return r == -ENOENT ? command_failed("there is no organization %s", slug)
				    : command_failed("%s: %s", cfg->database, strerror(-r));
	r = secrets_new_data_key(db, &s, f.id, &values, &column);
	if (r < 0)
		return command_failed("%s: %s%s%s; nothing was changed", slug, column ? column : "",
		    column ? ": " : "", secret_error(r));
	printf(
	    "%s has a new data key; %lld values were sealed with it.\n", slug, (long long)values);
	return EXIT_OK;
}

/* ---- the command ----------------------------------------------------------------------------- */

int command_secrets(int argc, char **argv, struct config *cfg)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (argc == 2 && strcmp(verb, "status") == 0)
		return secrets_status(cfg);
	if (argc == 2 && strcmp(verb, "new-key") == 0)
		return secrets_new_key(cfg);
	if (argc == 2 && strcmp(verb, "rotate") == 0)
		return rotate(cfg);
	if (argc == 4 && strcmp(verb, "rotate") == 0 && strcmp(argv[2], "--data") == 0)
		return rotate_data(cfg, argv[3]);
	return command_usage(SYNOPSIS);
}
