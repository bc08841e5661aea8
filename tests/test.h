/* SPDX-License-Identifier: MIT */
#ifndef TEST_H
#define TEST_H

/*
 * A test program in TAP (Test Anything Protocol): each TEST() is one line of the result.
 *
 *	TEST("S1.9 an invitation lasts seven days by default")
 *	{
 *		EXPECT(days == 7);
 *		EXPECT_INT(days, 7);
 *		EXPECT_STR(name, "alice");
 *	}
 *
 *	TEST_MAIN()
 *
 * The first expectation that fails ends that test, prints both sides, and the next one runs.
 * SKIP("why") ends it as skipped. test_tmpdir() is a private folder, removed at the end.
 */
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct test {
	const char *name;
	void (*fn)(void);
	struct test *next;
};

static struct test *test_first, **test_last = &test_first;
static jmp_buf test_escape;
static char test_dir[64];
static const char *volatile test_skip_why = "";

static inline void test_add(struct test *t)
{
	*test_last = t;
	test_last = &t->next;
}

#define TEST_CAT_(a, b) a##b
#define TEST_CAT(a, b)	TEST_CAT_(a, b)
#define TEST_(title, id)                                                       \
	static void TEST_CAT(test_fn_, id)(void);                              \
	__attribute__((constructor)) static void TEST_CAT(test_reg_, id)(void) \
	{                                                                      \
		static struct test t = {title, TEST_CAT(test_fn_, id), NULL};  \
		test_add(&t);                                                  \
	}                                                                      \
	static void TEST_CAT(test_fn_, id)(void)
#define TEST(title) TEST_(title, __COUNTER__)

__attribute__((format(printf, 3, 4), noreturn, unused)) static void test_fail(
    const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("# %s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	longjmp(test_escape, 1);
}

__attribute__((noreturn, unused)) static void test_skip(const char *why)
{
	test_skip_why = why;
	longjmp(test_escape, 2);
}

#define SKIP(why) test_skip(why)
#define EXPECT(cond)                                                        \
	do {                                                                \
		if (!(cond))                                                \
			test_fail(__FILE__, __LINE__, "not so: %s", #cond); \
	} while (0)
#define EXPECT_INT(got, want)                                                                    \
	do {                                                                                     \
		intmax_t got_ = (intmax_t)(got), want_ = (intmax_t)(want);                       \
		if (got_ != want_)                                                               \
			test_fail(__FILE__, __LINE__, "%s is %" PRIdMAX ", not %" PRIdMAX, #got, \
			    got_, want_);                                                        \
	} while (0)
#define EXPECT_STR(got, want)                                                           \
	do {                                                                            \
		const char *got_ = (got), *want_ = (want);                              \
		if (!got_ || strcmp(got_, want_) != 0)                                  \
			test_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #got, \
			    got_ ? got_ : "(null)", want_);                             \
	} while (0)
#define EXPECT_HAS(got, part)                                                               \
	do {                                                                                \
		const char *got_ = (got), *part_ = (part);                                  \
		if (!got_ || !strstr(got_, part_))                                          \
			test_fail(__FILE__, __LINE__, "%s is \"%s\", without \"%s\"", #got, \
			    got_ ? got_ : "(null)", part_);                                 \
	} while (0)

__attribute__((unused)) static const char *test_tmpdir(void)
{
	if (!test_dir[0]) {
		snprintf(test_dir, sizeof(test_dir), "/tmp/prism-test-XXXXXX");
		if (!mkdtemp(test_dir)) {
			perror("mkdtemp");
			exit(99);
		}
	}
	return test_dir;
}

static inline int test_remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static int test_run(int argc, char **argv)
{
	volatile int n = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test *volatile t = test_first; t; t = t->next) {
		if (argc > 1 && !strstr(t->name, argv[1]))
			continue;
		n++;
		switch (setjmp(test_escape)) {
		case 0:
			t->fn();
			printf("ok %d - %s\n", n, t->name);
			break;
		case 1:
			failed++;
			printf("not ok %d - %s\n", n, t->name);
			break;
		default:
			printf("ok %d - %s # SKIP %s\n", n, t->name,
			    test_skip_why ? test_skip_why : "");
		}
	}
	printf("1..%d\n", n);
	if (test_dir[0])
		nftw(test_dir, test_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return failed ? 1 : 0;
}

#define TEST_MAIN()                          \
	int main(int argc, char **argv)      \
	{                                    \
		return test_run(argc, argv); \
	}

#endif
