/* SPDX-License-Identifier: MIT */
#include "pam_prism/local.h"
#include "stage.h"

static int in_file(const char *text, size_t len, const char *name)
{
	FILE *f = fopen(in_dir("passwd.try"), "we");

	if (!f || fwrite(text, 1, len, f) != len || fclose(f) != 0)
		exit(99);
	return local_find(in_dir("passwd.try"), name);
}

TEST("D1 local means a whole, well-formed line of the passwd file")
{
	static const struct {
		const char *text, *name;
		int want;
	} rows[] = {
	    {"alice:x:1000:1000::/:/bin/sh\n", "alice", 0},
	    {"alice:x:1000:1000::/:/bin/sh", "alice", 0},
	    {"alice::1000:1000\n", "alice", 0},
	    {"bob:x:1:1::/:\nalice:x:1000:1000:::\n", "alice", 0},
	    {"\n\nalice:x:1000:1000:::\n", "alice", 0},
	    {"alice:broken\nalice:x:1:1:::\n", "alice", 0},
	    {"alice2:x:1000:1000:::\n", "alice", -ENOENT},
	    {"alice2:1000:1000:::\n", "alice", -ENOENT},
	    {"alic:x:1000:1000:::\n", "alice", -ENOENT},
	    {"alice\n", "alice", -ENOENT},
	    {"alice:\n", "alice", -ENOENT},
	    {"alice:x\n", "alice", -ENOENT},
	    {"alice:x:1000\n", "alice", -ENOENT},
	    {"alice:x::1000:::\n", "alice", -ENOENT},
	    {"alice:x:-1:1000:::\n", "alice", -ENOENT},
	    {"alice:x:10000000000:1:::\n", "alice", -ENOENT},
	    {"alice:x:1000:1000x:::\n", "alice", -ENOENT},
	    {"#alice:x:1000:1000:::\n", "alice", -ENOENT},
	    {" alice:x:1000:1000:::\n", "alice", -ENOENT},
	    {"bob:x:1:1:alice:x:1:1\n", "alice", -ENOENT},
	    {"root:x:0:0:::\n", "root:x", -ENOENT},
	    {"root:x:0:0:::\n", "", -ENOENT},
	    {":x:0:0:::\n", "", -ENOENT},
	    {"+alice:x:1000:1000:::\n", "+alice", -ENOENT},
	    {"", "alice", -ENOENT},
	};

	stage();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const int r = in_file(rows[i].text, strlen(rows[i].text), rows[i].name);

		if (r != rows[i].want)
			test_fail(__FILE__, __LINE__, "%s in \"%s\" gives %d", rows[i].name,
			    rows[i].text, r);
	}
	EXPECT_INT(in_file("alice:x\0:1:1:::\n", 16, "alice"), -ENOENT);
}

TEST("D1 a passwd file of long lines, of any alignment, is read to its end")
{
	static char text[64 * 1024];
	char name[32];
	size_t n = 0;

	stage();
	for (size_t pad = 8000; pad < 8400; pad += 7) {
		n = 0;
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "eve:x:1:1:%0*d:::\n", (int)pad, 0);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "mid:x:1:1:%0*d:::\n", 20000, 0);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "last:x:1:1:::");
		EXPECT_INT(in_file(text, n, "eve"), 0);
		EXPECT_INT(in_file(text, n, "mid"), 0);
		EXPECT_INT(in_file(text, n, "last"), 0);
		EXPECT_INT(in_file(text, n, "0"), -ENOENT);
	}
	/* The rest of a long line that looks like a line of its own is none. */
	for (size_t pad = 8100; pad < 8250; pad++) {
		n = (size_t)snprintf(
		    text, sizeof(text), "eve:x:1:1:%0*dalice:x:1:1:\n", (int)pad, 0);

		EXPECT_INT(in_file(text, n, "alice"), -ENOENT);
	}
	n = 0;
	for (int i = 0; i < 400; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "u%d:x:1:1:%050d:\n", i, 0);
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		EXPECT_INT(in_file(text, n, name), 0);
	}
}

TEST("D1 a passwd file that is missing or no file leaves nobody local, and does not hang")
{
	stage();
	EXPECT_INT(local_find(in_dir("none"), "root"), -EIO);
	EXPECT_INT(local_find(dir, "root"), -EIO);
	EXPECT_INT(mkfifo(in_dir("pipe"), 0600), 0);
	EXPECT_INT(local_find(in_dir("pipe"), "root"), -EIO);
	unlink(in_dir("passwd.local"));
	EXPECT_INT(account("sshd", "root"), IGNORED);
	EXPECT_INT(account("sshd", "carol"), IGNORED);
	EXPECT_INT(account("sshd", "dave"), PAM_PERM_DENIED);
	EXPECT_INT(account("sshd", "alice"), PAM_SUCCESS);
}

STAGE_MAIN()
