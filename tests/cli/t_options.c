/* SPDX-License-Identifier: MIT */

/* The CLI's parser of command lines, the text it shows, and the addresses it keeps. */
#include <errno.h>
#include <locale.h>

#include "prism/command.h"
#include "prism/config.h"
#include "prism/output.h"
#include "test.h"

/* The tables of the program's own main(). */
static const struct option_spec options[] = {
    {"project", "PROJECT", "the project", true},
    {"role", "ROLE", "the role"},
    {"yes", NULL, "do not ask"},
    {NULL},
};
static const struct command command = {
    "thing do", "WHAT [MORE]", 1, 2, COMMAND_REST, "Do it.", options, NULL};

static char why[160];

static int parse(struct args *a, int argc, const char *const *argv)
{
	why[0] = '\0';
	return args_parse(&command, argc, (char **)(uintptr_t)argv, a, why, sizeof(why));
}

#define PARSE(a, ...)                                                                 \
	parse(a, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *)), \
	    (const char *[]){__VA_ARGS__})

TEST("STYLE 5 options in every form and order")
{
	struct args a;

	EXPECT_INT(PARSE(&a, "x", "--project", "p", "--role=owner", "--yes", "y"), 0);
	EXPECT_INT(a.npos, 2);
	EXPECT_STR(a.pos[0], "x");
	EXPECT_STR(a.pos[1], "y");
	EXPECT_STR(args_get(&a, "project"), "p");
	EXPECT_STR(args_get(&a, "role"), "owner");
	EXPECT(args_flag(&a, "yes"));
	EXPECT(!args_flag(&a, "json"));
	EXPECT(!args_get(&a, "nothing"));
	EXPECT_INT(PARSE(&a, "--json", "--server", "https://h", "--project=", "-"), 0);
	EXPECT_STR(args_get(&a, "project"), "");
	EXPECT_STR(args_get(&a, "server"), "https://h");
	EXPECT_STR(a.pos[0], "-");
}

TEST("STYLE 5 what follows -- is handed on untouched")
{
	struct args a;

	static const char *const words[] = {
	    "x", "--project", "p", "--", "--role", "-p", "22", NULL};

	EXPECT_INT(parse(&a, ARRAY_SIZE(words) - 1, words), 0);
	EXPECT(a.rest);
	EXPECT_STR(a.rest[0], "--role");
	EXPECT_STR(a.rest[2], "22");
	EXPECT(!a.rest[3]);
	EXPECT(!args_get(&a, "role"));
}

TEST("S1.9 mistakes are refused and named")
{
	struct args a;

	EXPECT_INT(PARSE(&a, "x"), -EINVAL);
	EXPECT_HAS(why, "--project PROJECT is needed");
	EXPECT_INT(PARSE(&a, "--project", "p"), -EINVAL);
	EXPECT_HAS(why, "WHAT");
	EXPECT_INT(PARSE(&a, "x", "--project"), -EINVAL);
	EXPECT_HAS(why, "--project needs a value");
	EXPECT_INT(PARSE(&a, "x", "--proj", "p"), -EINVAL);
	EXPECT_HAS(why, "--proj");
	EXPECT_INT(PARSE(&a, "x", "--project", "p", "--yes=no"), -EINVAL);
	EXPECT_INT(PARSE(&a, "x", "-x"), -EINVAL);
	EXPECT_INT(PARSE(&a, "x", "--project", "p", "--yes", "--yes"), -EINVAL);
	EXPECT_INT(PARSE(&a, "1", "2", "3", "--project", "p"), -EINVAL);
	EXPECT_HAS(why, "3");
	EXPECT_INT(PARSE(&a, "--help"), 0);
	EXPECT(a.help);
	EXPECT_INT(PARSE(&a, "-h"), 0);
	EXPECT(a.help);
}

TEST("STYLE 25 the synopsis comes from the table")
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	command_synopsis(&command, f);
	fclose(f);
	EXPECT_STR(text, "prism thing do WHAT [MORE] --project PROJECT [--role ROLE] [--yes]"
			 " [-- SSH-ARGUMENT ...]\n");
	free(text);
}

/* What a function prints, taken from standard output's descriptor. */
static const char *printed(void (*fn)(void))
{
	static char out[4096];
	char path[128];
	int saved, fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/out", test_tmpdir());
	fflush(stdout);
	saved = dup(1);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	dup2(fd, 1);
	fn();
	fflush(stdout);
	dup2(saved, 1);
	close(saved);
	n = pread(fd, out, sizeof(out) - 1, 0);
	close(fd);
	out[n < 0 ? 0 : n] = '\0';
	return out;
}

static void locale_set(const char *name)
{
	setenv("LC_ALL", name, 1);
	out_init();
}

static void print_hostile(void)
{
	static const struct out_field f[] = {{"Name", "\x1b[31mred\x07\nRole: Owner\x7f"},
	    {"Empty", ""}, {"Absent", NULL}, {"Longer key", "\xe2\x80\xaejunk\xc2\x9b"},
	    {"Broken", "a\xff\xc3z"}};

	out_fields(f, ARRAY_SIZE(f));
}

TEST("S1 text from elsewhere cannot forge a line or command the terminal")
{
	locale_set("C.UTF-8");
	EXPECT_STR(printed(print_hostile), "Name:       ?[31mred??Role: Owner?\n"
					   "Longer key: ?junk?\n"
					   "Broken:     a??z\n");
}

static void print_table(void)
{
	struct out_table t = {0};

	out_table_add(&t, (const char *[]){"a", "M\xc3\xbcller", "x", NULL});
	out_table_add(&t, (const char *[]){"longer", "\xe6\xbc\xa2\xe5\xad\x97", "", NULL});
	out_table_add(&t, (const char *[]){"b", NULL});
	out_table_print(&t);
	out_table_free(&t);
}

TEST("S1.20 columns line up by what the eye sees")
{
	locale_set("C.UTF-8");
	EXPECT_STR(printed(print_table), "a       M\xc3\xbcller  x\n"
					 "longer  \xe6\xbc\xa2\xe5\xad\x97\n"
					 "b\n");
}

static void print_title(void)
{
	out_title(ICON_DONE, "J\xc3\xbcrgen's %s", "Lab");
}

TEST("S1.5 a title and a rule of forty; plain ASCII elsewhere")
{
	locale_set("C");
	EXPECT_STR(
	    printed(print_title), "J?rgen's Lab\n----------------------------------------\n");
	locale_set("C.UTF-8");
	EXPECT_HAS(printed(print_title), "\xe2\x9c\x85 J\xc3\xbcrgen's Lab\n\xe2\x94\x81");
}

TEST("S1.15 deadlines and roles as the guide writes them")
{
	char out[64];

	EXPECT_STR(out_deadline(1762300800 + 7 * 86400, 1762300800, out, sizeof(out)),
	    "12 November 2025 (7 days)");
	EXPECT_STR(out_deadline(0, 5, out, sizeof(out)), "");
	EXPECT_STR(out_deadline(86400, 2 * 86400, out, sizeof(out)), "2 January 1970 (expired)");
	EXPECT_STR(out_capital("member", out, sizeof(out)), "Member");
	EXPECT_STR(out_capital("", out, sizeof(out)), "");
}

TEST("D6 one address has one form, and what is none is refused")
{
	static const struct {
		const char *given, *kept; /* NULL: refused */
	} cases[] = {
	    {"https://Prism.Uni.EDU/", "https://prism.uni.edu"},
	    {"HTTPS://prism.uni.edu:443", "https://prism.uni.edu"},
	    {"prism.uni.edu", "https://prism.uni.edu"},
	    {"prism.uni.edu:8443", "https://prism.uni.edu:8443"},
	    {"https://prism.uni.edu:8443/Base/", "https://prism.uni.edu:8443/Base"},
	    {"http://127.0.0.1:80", "http://127.0.0.1"},
	    {"http://[::1]:8080", "http://[::1]:8080"},
	    {"unix:/run/x.sock", "unix:/run/x.sock"},
	    {"unix:x", NULL},
	    {"https://", NULL},
	    {"", NULL},
	    {"https://a b", NULL},
	    {"https://a\nb", NULL},
	    {"https://\xc3\xbc.de", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char out[128] = "";
		int r = config_url(cases[i].given, out, sizeof(out));

		EXPECT_INT(r, cases[i].kept ? 0 : -EINVAL);
		if (!r)
			EXPECT_STR(out, cases[i].kept);
	}
	char small[16];

	EXPECT_INT(config_url("https://much-too-long.example.org", small, sizeof(small)), -EINVAL);
}

TEST_MAIN()
