/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/stat.h>
#include "base/name.h"
#include "prism-sync/config.h"
#include "test.h"

static struct config c;
static char why[CONFIG_WHY_MAX];

static int parse(const char *text)
{
	why[0] = '\0';
	return config_parse("prism.conf", text, &c, why);
}

TEST("D5 an empty configuration is the defaults")
{
	EXPECT_INT(parse(""), 0);
	EXPECT_INT(c.uid_first, UID_FIRST);
	EXPECT_INT(c.gid_last, GID_LAST);
	EXPECT(!c.allow_sudo && c.end_sessions && c.require_mount);
	EXPECT_STR(c.home_root, "/efs/home");
	EXPECT_INT(c.poll_seconds, 60);
	EXPECT_INT(c.max_feed_mb, 128);
	EXPECT(config_allows(&c, "anybody"));
}

TEST("D5 every key is read")
{
	EXPECT_INT(
	    parse("[central]\nca_file = /etc/ca.crt\nproxy =\n[ranges]\nusers = 20000-29999\n"
		  "groups = 30000-30100\n[access]\nallow_sudo = no\nallow_users = alice, bob\n"
		  "allow_users = carol\nend_sessions = no\n[home]\nroot = /data/homes\n"
		  "mount_point = /data\nrequire_mount = yes\nskel = /etc/skel2\n[sync]\n"
		  "poll_seconds = 5\nshrink_guard_percent = 100\nshrink_guard_min = 9\n"
		  "publish_interval_ms = 50\nmax_feed_mb = 512\n"),
	    0);
	EXPECT_STR(c.ca_file, "/etc/ca.crt");
	EXPECT(c.proxy_given && c.proxy[0] == '\0');
	EXPECT_STR(why, "");
	EXPECT_INT(c.uid_first, 20000);
	EXPECT_INT(c.gid_last, 30100);
	EXPECT(!c.allow_sudo && !c.end_sessions);
	EXPECT(
	    config_allows(&c, "alice") && config_allows(&c, "bob") && config_allows(&c, "carol"));
	EXPECT(!config_allows(&c, "ali") && !config_allows(&c, "alice2") &&
	       !config_allows(&c, "dave"));
	EXPECT_STR(c.home_root, "/data/homes");
	EXPECT_STR(c.skel, "/etc/skel2");
	EXPECT_INT(c.shrink_percent, 100);
	EXPECT_INT(c.publish_ms, 50);
	EXPECT_INT(c.max_feed_mb, 512);
	EXPECT_INT(parse("[access]\nallow_sudo = yes\n"), 0);
	EXPECT(c.allow_sudo);
}

TEST("D5 what is not understood is an error with file and line")
{
	static const struct {
		const char *text, *says;
	} bad[] = {
	    {"[access]\nallow_sudoo = yes\n", "prism.conf:2: there is no key \"allow_sudoo\""},
	    {"[acces]\n\nallow_sudo = yes\n", "prism.conf:3:"},
	    {"allow_sudo = yes\n", "prism.conf:1:"},
	    {"[access]\nallow_sudo = true\n", "cannot be \"true\""},
	    {"[access]\nallow_sudo = no\nallow_sudo = yes\n",
		"prism.conf:3: \"allow_sudo\" is given twice"},
	    {"[access]\nnonsense\n", "prism.conf:2:"},
	    {"[access]\nallow_users = root\n", "cannot be"},
	    {"[access]\nallow_users =\n", "cannot be"},
	    {"[ranges]\nusers = 999-5000\n", "cannot be"},
	    {"[ranges]\nusers = 5000-2000\n", "cannot be"},
	    {"[ranges]\nusers = 1000-4294967295\n", "cannot be"},
	    {"[ranges]\ngroups = 10001-20000\n", "overlap"},
	    {"[ranges]\ngroups = 3000000-3000003\n", "too small"},
	    {"[home]\nroot = home\n", "cannot be"},
	    {"[home]\nroot = /efs/../etc\n", "cannot be"},
	    {"[home]\nroot = /home\n", "is not below"},
	    {"[home]\nmount_point = /ef\n", "is not below"},
	    {"[sync]\npoll_seconds = 0\n", "cannot be"},
	    {"[sync]\nshrink_guard_percent = 101\n", "cannot be"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_INT(parse(bad[i].text), -EINVAL);
		EXPECT_HAS(why, bad[i].says);
	}
}

TEST("D5 a configuration that others may write is refused")
{
	char path[200];

	if (geteuid() != 0)
		SKIP("needs root");
	snprintf(path, sizeof(path), "%s/prism.conf", test_tmpdir());
	EXPECT_INT(config_load(path, &c, why), 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	EXPECT(write(fd, "[access]\n", 9) == 9);
	close(fd);
	EXPECT_INT(chmod(path, 0644), 0);
	EXPECT_INT(config_load(path, &c, why), 0);
	EXPECT_INT(chmod(path, 0666), 0);
	EXPECT_INT(config_load(path, &c, why), -EPERM);
	EXPECT_HAS(why, "writable by root alone");
	EXPECT_INT(chmod(path, 0644), 0);
	EXPECT_INT(chown(path, 1234, 0), 0);
	EXPECT_INT(config_load(path, &c, why), -EPERM);
}

static int write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) &&
		  fchmod(fd, mode) == 0;

	close(fd);
	return ok ? 0 : -errno;
}

TEST("D6 a proxy is http or https, and a wrong one is not shown: it may have a password")
{
	static const char *const good[] = {"", "proxy:3128", "http://proxy", "https://proxy:443",
	    "http://user:pass@proxy:3128", "http://u:p%40ss@[::1]:3128"};
	static const char *const bad[] = {
	    "socks5://u:hunter2@proxy", "http://u:hunter2@", "http://u:hunter2@:3128", "http:// x"};
	char text[200];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		snprintf(text, sizeof(text), "[central]\nproxy = %s\n", good[i]);
		EXPECT_INT(parse(text), 0);
		EXPECT(c.proxy_given);
		EXPECT_STR(c.proxy, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "[central]\nproxy = %s\n", bad[i]);
		EXPECT_INT(parse(text), -EINVAL);
		EXPECT_HAS(why, "prism.conf:2: \"proxy\" must be");
		EXPECT(strstr(why, "hunter2") == NULL);
	}
	EXPECT_INT(parse("[central]\nproxy = a\nproxy_file = /b\n"), -EINVAL);
	EXPECT_HAS(why, "either \"proxy\" or \"proxy_file\"");
}

TEST("D6 a proxy's password is taken only from a file that root alone can read")
{
	char path[200], file[200], text[600];

	if (geteuid() != 0)
		SKIP("needs root");
	snprintf(path, sizeof(path), "%s/proxy.conf", test_tmpdir());
	snprintf(file, sizeof(file), "%s/proxy.secret", test_tmpdir());
	EXPECT_INT(write_file(path, "[central]\nproxy = http://u:hunter2@p:1\n", 0644), 0);
	EXPECT_INT(config_load(path, &c, why), -EPERM);
	EXPECT_HAS(why, "chmod 600");
	EXPECT(strstr(why, "hunter2") == NULL);
	EXPECT_INT(chmod(path, 0600), 0);
	EXPECT_INT(config_load(path, &c, why), 0);
	EXPECT_STR(c.proxy, "http://u:hunter2@p:1");

	snprintf(text, sizeof(text), "[central]\nproxy_file = %s\n", file);
	EXPECT_INT(write_file(path, text, 0644), 0);
	EXPECT_INT(config_load(path, &c, why), -ENOENT);
	EXPECT_HAS(why, "proxy.secret: No such file");
	EXPECT_INT(write_file(file, "http://u:hunter2@p:2\nrest\n", 0640), 0);
	EXPECT_INT(config_load(path, &c, why), -EPERM);
	EXPECT_INT(chmod(file, 0600), 0);
	EXPECT_INT(config_load(path, &c, why), 0);
	EXPECT(c.proxy_given);
	EXPECT_STR(c.proxy, "http://u:hunter2@p:2");
	EXPECT_INT(write_file(file, "u:hunter2@\n", 0600), 0);
	EXPECT_INT(config_load(path, &c, why), -EINVAL);
	EXPECT(strstr(why, "hunter2") == NULL);
	EXPECT_INT(write_file(file, "", 0600), 0);
	EXPECT_INT(config_load(path, &c, why), -EINVAL);
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

TEST("D6 a limit is not read from the tail of a long line")
{
	char text[1024], words[300];

	for (size_t n = 150; n < sizeof(words); n++) {
		memset(words, 'x', n);
		words[n] = '\0';
		snprintf(text, sizeof(text), "[access]\n# %sallow_sudo = yes\n", words);
		struct config read;
		int rc = config_parse("prism.conf", text, &read, why);

		EXPECT(rc == 0 ? !read.allow_sudo : strstr(why, "prism.conf:2: ") == why);
	}
	EXPECT(strstr(why, "longer than") != NULL);
	EXPECT_INT(parse("[access]\nallow_users = alice, bob\nallow_users = carol\n"), 0);
}

TEST_MAIN()
