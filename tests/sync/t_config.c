/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "prism-sync/config.h"
#include "test.h"

static char why[CONFIG_WHY_MAX];

static int parse(const char *text)
{
	struct config c;

	why[0] = '\0';
	return config_parse("prism.conf", text, &c, why);
}

TEST("D6 the id that sudo knows is prism-sudo's, whatever ranges a host has")
{
	static const char *const wrong[] = {
	    "[ranges]\ngroups = 2000001-2999999\n", /* prism-users: everybody */
	    "[ranges]\ngroups = 1999985-2999999\nusers = 10001-999999\n", /* a project's */
	    "[ranges]\ngroups = 1000000-2999999\nusers = 10001-999999\n",
	    "[ranges]\nusers = 10001-2999999\ngroups = 3000000-3999999\n", /* a private group */
	    "[ranges]\nusers = 2000001-2000001\ngroups = 3000000-3999999\n",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		EXPECT_INT(parse(wrong[i]), -EINVAL);
		EXPECT(strstr(why, "2000001") != NULL);
	}
	EXPECT_INT(parse(""), 0);
	EXPECT_INT(parse("[ranges]\ngroups = 2000000-2000999\n"), 0);
	EXPECT_INT(parse("[ranges]\ngroups = 3000000-3999999\n"), 0);
	EXPECT_INT(parse("[ranges]\nusers = 3000000-3999999\ngroups = 2000000-2999999\n"), 0);
}

TEST("D6 allow_sudo is refused where the sudoers file would not mean the same group")
{
	EXPECT_INT(parse("[access]\nallow_sudo = yes\n"), 0);
	EXPECT_INT(parse("[access]\nallow_sudo = no\n[ranges]\ngroups = 3000000-3999999\n"), 0);
	EXPECT_INT(
	    parse("[access]\nallow_sudo = yes\n[ranges]\ngroups = 3000000-3999999\n"), -EINVAL);
	EXPECT(strstr(why, "allow_sudo") != NULL);
}

TEST_MAIN()
