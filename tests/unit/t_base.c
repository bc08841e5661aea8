/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/stat.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/io.h"
#include "base/name.h"
#include "base/num.h"
#include "base/secret.h"
#include "base/wire.h"
#include "test.h"

TEST("STYLE 19 a buffer stops at its maximum and stays failed")
{
	struct buf b = BUF_INIT(10);

	buf_add_str(&b, "0123456789");
	EXPECT_INT(buf_error(&b), 0);
	EXPECT_STR(buf_str(&b), "0123456789");
	buf_add_char(&b, 'x');
	EXPECT_INT(buf_error(&b), -EMSGSIZE);
	buf_clear(&b);
	buf_addf(&b, "%d-%s", 42, "abcdef");
	EXPECT_STR(buf_str(&b), "42-abcdef");
	buf_addf(&b, "%s", "zz");
	EXPECT_INT(buf_error(&b), -EMSGSIZE);
	EXPECT_STR(buf_str(&b), "42-abcdef");
	buf_free(&b);
	EXPECT_STR(buf_str(&b), "");
}

TEST("STYLE 19 a buffer grows without losing a byte")
{
	struct buf b = BUF_INIT(1 << 20);

	for (int i = 0; i < 100000; i++)
		buf_add_char(&b, (char)('a' + i % 26));
	EXPECT_INT(b.len, 100000);
	for (int i = 0; i < 100000; i++)
		EXPECT(b.data[i] == 'a' + i % 26);
	char *s = buf_detach(&b);

	EXPECT_INT(strlen(s), 100000);
	free(s);
	buf_free(&b);
}

TEST("RFC 4648 encodings give the vectors of the RFC and come back")
{
	static const struct {
		const char *plain, *b64, *url;
	} v[] = {{"", "", ""}, {"f", "Zg==", "Zg"}, {"fo", "Zm8=", "Zm8"}, {"foo", "Zm9v", "Zm9v"},
	    {"foobar", "Zm9vYmFy", "Zm9vYmFy"}};
	char out[64];
	uint8_t back[64];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		size_t n = strlen(v[i].plain);

		base64_encode(v[i].plain, n, out);
		EXPECT_STR(out, v[i].b64);
		EXPECT_INT(base64_decode(out, strlen(out), back, sizeof(back)), n);
		EXPECT(!memcmp(back, v[i].plain, n));
		base64url_encode(v[i].plain, n, out);
		EXPECT_STR(out, v[i].url);
		EXPECT_INT(base64url_decode(out, strlen(out), back, sizeof(back)), n);
	}
	hex_encode("\x00\xff\x1a", 3, out);
	EXPECT_STR(out, "00ff1a");
	EXPECT_INT(hex_decode("00ff1a", 6, back, 3), 3);
}

TEST("STYLE 20 decoders refuse what is not exactly one encoding")
{
	static const char *const bad64[] = {"Zg=", "Zg", "Z===", "Zh==", "Z g=", "Zg==\n", "Zm9v="};
	static const char *const badurl[] = {"Zg==", "Zh", "Z", "Zm9+", "Zm 9v"};
	uint8_t out[64];

	for (size_t i = 0; i < sizeof(bad64) / sizeof(bad64[0]); i++)
		EXPECT_INT(base64_decode(bad64[i], strlen(bad64[i]), out, 64), -EINVAL);
	for (size_t i = 0; i < sizeof(badurl) / sizeof(badurl[0]); i++)
		EXPECT_INT(base64url_decode(badurl[i], strlen(badurl[i]), out, 64), -EINVAL);
	EXPECT_INT(base64url_decode("Zm9vYmFy", 8, out, 5), -ENOBUFS);
	EXPECT_INT(hex_decode("0G", 2, out, 64), -EINVAL);
	EXPECT_INT(hex_decode("0AB", 3, out, 64), -EINVAL);
	EXPECT_INT(hex_decode("aabb", 4, out, 1), -ENOBUFS);
}

TEST("STYLE 17 an absent or odd number is not zero")
{
	static const char *const bad[] = {
	    "", " 1", "1 ", "+1", "01", "0x1", "1e3", "-", "--1", "a"};
	uint64_t u = 7;
	uint32_t a = 7, b = 7;
	int64_t i = 7;

	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
		EXPECT_INT(num_parse_u64(bad[k], UINT64_MAX, &u), -EINVAL);
		EXPECT_INT(num_parse_i64(bad[k], &i), -EINVAL);
	}
	EXPECT_INT(u, 7);
	EXPECT_INT(num_parse_u64("18446744073709551616", UINT64_MAX, &u), -ERANGE);
	EXPECT_INT(num_parse_u64("18446744073709551615", UINT64_MAX, &u), 0);
	EXPECT(u == UINT64_MAX);
	EXPECT_INT(num_parse_u32("4294967296", UINT32_MAX, &a), -ERANGE);
	EXPECT_INT(num_parse_i64("-9223372036854775807", &i), 0);
	EXPECT_INT(num_parse_range("10001-1999999", &a, &b), 0);
	EXPECT_INT(a, 10001);
	EXPECT_INT(b, 1999999);
	EXPECT_INT(num_parse_range("20-10", &a, &b), -EINVAL);
	EXPECT_INT(num_parse_range("10-", &a, &b), -EINVAL);
	EXPECT_INT(num_parse_range("10", &a, &b), -EINVAL);
}

TEST("D6 Time: RFC 3339 in UTC, and only that")
{
	static const char *const bad[] = {"2026-02-30", "2026-04-31T00:00:00Z", "2026-5-03",
	    "2026-05-03T09:00:00", "2026-05-03T09:00:60Z", "2026-05-03T24:00:00Z", "x", "",
	    "2026-05-03T09:00:00Zx", "2026-05-03 09:00:00Z"};
	char s[CLOCK_TEXT];
	int64_t t = 0;

	EXPECT_INT(clock_parse("2026-05-03T09:00:01Z", &t), 0);
	clock_format(t, s);
	EXPECT_STR(s, "2026-05-03T09:00:01Z");
	clock_format_day(t, s);
	EXPECT_STR(s, "3 May 2026");
	EXPECT_INT(clock_parse("2024-02-29", &t), 0);
	EXPECT_INT(t, 1709164800);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_INT(clock_parse(bad[i], &t), -EINVAL);
}

TEST("S1.9 durations such as 14d")
{
	static const char *const bad[] = {"", "d", "0d", "14", "-1d", "1y", "14dd", "99999999999d"};
	int64_t s = 0;

	EXPECT_INT(clock_parse_duration("14d", &s), 0);
	EXPECT_INT(s, 14 * 86400);
	EXPECT_INT(clock_parse_duration("90m", &s), 0);
	EXPECT_INT(s, 5400);
	EXPECT_INT(clock_parse_duration("2w", &s), 0);
	EXPECT_INT(s, 14 * 86400);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_INT(clock_parse_duration(bad[i], &s), -EINVAL);
}

TEST("S1.18 S1.20 relative times in the words of the guide")
{
	char s[CLOCK_TEXT];
	const int64_t now = 1000000000, day = 86400;

	clock_format_remaining(now + 5 * day, now, s);
	EXPECT_STR(s, "5 days remaining");
	clock_format_remaining(now + 12 * 3600, now, s);
	EXPECT_STR(s, "12 hours remaining");
	clock_format_remaining(now, now, s);
	EXPECT_STR(s, "expired");
	clock_format_ago(now - 2 * day, now, s);
	EXPECT_STR(s, "2 days ago");
	clock_format_ago(now - 7 * day, now, s);
	EXPECT_STR(s, "1 week ago");
	clock_format_ago(now - day - 5, now, s);
	EXPECT_STR(s, "yesterday");
	clock_format_ago(now, now, s);
	EXPECT_STR(s, "just now");
}

TEST("D6 Names: usernames are lowercase POSIX, none that means power")
{
	static const char *const good[] = {
	    "alice", "a1", "_x", "alice-b_c", "u0000001", "abcdefghijklmnopqrstuvwxyz012345"};
	static const char *const bad[] = {"", "a", "Alice", "1a", "-a", "a b", "a:b", "a\nb",
	    "root", "docker", "sudo", "p-x", "g-x", "prism-users",
	    "abcdefghijklmnopqrstuvwxyz0123456", "a.b", "\xc3\xa4lice", "systemd-foo", "nobody",
	    "ubuntu"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		EXPECT(username_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT(!username_valid(bad[i]));
}

TEST("D6 Names: slugs and the groups made of them are one name table")
{
	static const char *const bad[] = {
	    "", "x", "x-", "my-ro", "My", "a_b", "1a", "abcdefghijklmnopqrstuvwxyzab", "a b", "-a"};
	static const char *const bad_groups[] = {
	    "p-", "p-x", "p--ro", "sudo", "x-lab", "p-a b", "g-my-ro", "q-lab", "p-lab-ro-ro"};

	EXPECT(slug_valid("genomics-lab"));
	EXPECT(slug_valid("cs101"));
	EXPECT(slug_valid("abcdefghijklmnopqrstuvwxyza"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT(!slug_valid(bad[i]));
	EXPECT(groupname_valid("p-genomics-lab"));
	EXPECT(groupname_valid("p-genomics-lab-ro"));
	/* The longest slug still leaves both of its groups a name that a host serves. */
	EXPECT(groupname_valid("p-abcdefghijklmnopqrstuvwxyza"));
	EXPECT(groupname_valid("p-abcdefghijklmnopqrstuvwxyza-ro"));
	EXPECT(groupname_valid("g-physics"));
	EXPECT(groupname_valid("prism-users"));
	for (size_t i = 0; i < sizeof(bad_groups) / sizeof(bad_groups[0]); i++)
		EXPECT(!groupname_valid(bad_groups[i]));
}

TEST("D2a ids: never the system's, nobody's or a dynamic user's")
{
	EXPECT(id_allowed(10001, UID_FIRST, UID_LAST));
	EXPECT(id_allowed(59999, UID_FIRST, UID_LAST));
	EXPECT(!id_allowed(60000, UID_FIRST, UID_LAST));
	EXPECT(!id_allowed(65534, UID_FIRST, UID_LAST));
	EXPECT(!id_allowed(65535, UID_FIRST, UID_LAST));
	EXPECT(id_allowed(65536, UID_FIRST, UID_LAST));
	EXPECT(!id_allowed(0, 0, UINT32_MAX));
	EXPECT(!id_allowed(27, 0, UINT32_MAX));
	EXPECT(!id_allowed(999, 0, UINT32_MAX));
	EXPECT(!id_allowed(UINT32_MAX, 0, UINT32_MAX));
	EXPECT(!id_allowed(UINT32_MAX - 1, 0, UINT32_MAX));
	EXPECT(!id_allowed(UID_LAST + 1, UID_FIRST, UID_LAST));
}

TEST("LESSONS 2 GECOS cannot forge a passwd line")
{
	EXPECT(gecos_valid("Alice \xc3\x84nders, Lab 3"));
	EXPECT(gecos_valid(""));
	EXPECT(!gecos_valid("a:b"));
	EXPECT(!gecos_valid("a\nroot::0:0"));
	EXPECT(!gecos_valid("a\x1b[31m"));
	EXPECT(!gecos_valid("root\xe2\x80\xae"));
	EXPECT(!gecos_valid("\xef\xbb\xbf"
			    "a"));
	EXPECT(gecos_valid("\xe2\x80\x93 \xe2\x82\xac"));
	EXPECT(!gecos_valid("\xc3\x28"));
	EXPECT(!gecos_valid("\xc2\x9b"));
	EXPECT(!gecos_valid("\xed\xa0\x80"));
	EXPECT(!gecos_valid("\xf0\x9f"));
}

TEST("S1.14 email addresses: what is delivered, nothing that breaks a mail")
{
	static const char *const good[] = {
	    "alice@uni.edu", "a.b+c@x-y.example.org", "O'Hara@uni.edu"};
	static const char *const bad[] = {"", "alice", "@uni.edu", "alice@", "a@b", "a@@b.edu",
	    "a b@uni.edu", "a@uni.edu\r\nRCPT TO:<x>", ".a@uni.edu", "a.@uni.edu", "a..b@uni.edu",
	    "\"a\"@uni.edu", "a@-uni.edu", "a@uni-.edu", "a@uni..edu", "a@[1.2.3.4]", "a@1.2",
	    "a@uni.edu.", "<a@uni.edu>"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		EXPECT(email_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT(!email_valid(bad[i]));
}

TEST("LESSONS 2 homes: an absolute path that stays where it says")
{
	EXPECT(path_valid("/efs/home/alice"));
	EXPECT(path_valid("/a..b/.c"));
	EXPECT(!path_valid(""));
	EXPECT(!path_valid("efs"));
	EXPECT(!path_valid("/efs/../root"));
	EXPECT(!path_valid("/efs/.."));
	EXPECT(!path_valid("/efs//x"));
	EXPECT(!path_valid("/a:b"));
	EXPECT(!path_valid("/a\nb"));
}

TEST("D6 Keys: one line of a known type that is what it says")
{
	static const char key[] =
	    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8vn0fPoyIPl5Vd7sJYvQmkZ0bD8kq9bQh8yq1d0l3e a@b";

	EXPECT(sshkey_line_valid(key));
	EXPECT(!sshkey_line_valid(
	    "ssh-rsa "
	    "AAAAC3NzaC1lZDI1NTE5AAAAIJ8vn0fPoyIPl5Vd7sJYvQmkZ0bD8kq9bQh8yq1d0l3e"));
	EXPECT(!sshkey_line_valid(
	    "command=\"x\" ssh-ed25519 "
	    "AAAAC3NzaC1lZDI1NTE5AAAAIJ8vn0fPoyIPl5Vd7sJYvQmkZ0bD8kq9bQh8yq1d0l3e"));
	EXPECT(!sshkey_line_valid("ssh-dss AAAAB3NzaC1kc3M="));
	EXPECT(!sshkey_line_valid("ssh-ed25519 "));
	EXPECT(!sshkey_line_valid("ssh-ed25519 AAAA\nssh-ed25519 AAAA"));
	EXPECT(!sshkey_line_valid("ssh-ed25519"));
}

TEST("STYLE 20 files: no link followed, modes exact, nothing half written")
{
	char path[128], link_path[128];
	struct buf b = BUF_INIT(100);
	struct stat st;

	snprintf(path, sizeof(path), "%s/file", test_tmpdir());
	snprintf(link_path, sizeof(link_path), "%s/link", test_tmpdir());
	EXPECT_INT(io_replace_file(path, "hello", 5, 0600, -1, -1), 0);
	EXPECT_INT(io_replace_file(path, "world!", 6, 0640, -1, -1), 0);
	EXPECT_INT(stat(path, &st), 0);
	EXPECT_INT(st.st_mode & 07777, 0640);
	EXPECT_INT(io_read_file(path, &b), 0);
	EXPECT_STR(buf_str(&b), "world!");
	EXPECT_INT(symlink(path, link_path), 0);
	buf_clear(&b);
	EXPECT_INT(io_read_file(link_path, &b), -ELOOP);
	EXPECT_INT(io_read_private(path, geteuid(), 077, &b), -EPERM);
	EXPECT_INT(io_read_private(path, geteuid(), 027, &b), 0);
	buf_clear(&b);
	b.max = 5;
	EXPECT_INT(io_read_file(path, &b), -EMSGSIZE);
	buf_clear(&b);
	b.max = 6;
	EXPECT_INT(io_read_file(path, &b), 0);
	EXPECT_INT(io_read_file(test_tmpdir(), &b), -EINVAL);
	buf_free(&b);
	snprintf(path, sizeof(path), "%s/a/b/c", test_tmpdir());
	EXPECT_INT(io_make_dirs(path, 0700), 0);
	EXPECT_INT(io_make_dirs(path, 0700), 0);
	EXPECT_INT(stat(path, &st), 0);
}

TEST("STYLE 19 a file that was read ends where it ends, whatever the memory held before")
{
	char path[128];
	struct buf b;

	snprintf(path, sizeof(path), "%s/short", test_tmpdir());
	EXPECT_INT(io_replace_file(path, "abc", 3, 0600, (uid_t)-1, (gid_t)-1), 0);
	buf_init(&b, 4096);
	memset(buf_extend(&b, 4000), 'x', 4000);
	buf_clear(&b);
	EXPECT_INT(io_read_file(path, &b), 0);
	EXPECT_STR(buf_str(&b), "abc");
	buf_free(&b);
}

TEST("STYLE 11 the wire reader fails once and yields nothing after")
{
	struct buf b = BUF_INIT(1000);
	struct wire w;
	char s[8];

	wire_put_u8(&b, 1);
	wire_put_u16(&b, 0x2345);
	wire_put_u32(&b, 0x6789abcd);
	wire_put_i64(&b, -2);
	wire_put_str(&b, "name");
	wire_init(&w, b.data, b.len);
	EXPECT_INT(wire_u8(&w), 1);
	EXPECT_INT(wire_u16(&w), 0x2345);
	EXPECT_INT(wire_u32(&w), 0x6789abcd);
	EXPECT_INT(wire_i64(&w), -2);
	EXPECT_INT(wire_str(&w, s, sizeof(s)), 4);
	EXPECT_STR(s, "name");
	EXPECT(wire_done(&w));
	EXPECT_INT(wire_u8(&w), 0);
	EXPECT(!wire_ok(&w));
	for (size_t n = 0; n < b.len; n++) {
		wire_init(&w, b.data, n);
		wire_u8(&w);
		wire_u16(&w);
		wire_u32(&w);
		wire_i64(&w);
		wire_str(&w, s, sizeof(s));
		EXPECT(!wire_ok(&w));
	}
	wire_init(&w, "\x04\x00na\x00e", 6);
	wire_str(&w, s, sizeof(s));
	EXPECT(!wire_ok(&w));
	wire_init(&w, "\x04\x00name", 6);
	wire_str(&w, s, 4);
	EXPECT(!wire_ok(&w));
	buf_free(&b);
}

TEST("STYLE 18 secrets are compared whole")
{
	EXPECT(secret_equal("abc", "abc", 3));
	EXPECT(!secret_equal("abc", "abd", 3));
	EXPECT(!secret_equal("xbc", "abc", 3));
	uint8_t a[32] = {0}, b[32] = {0};

	EXPECT_INT(secret_random(a, sizeof(a)), 0);
	EXPECT_INT(secret_random(b, sizeof(b)), 0);
	EXPECT(memcmp(a, b, sizeof(a)) != 0);
}

TEST_MAIN()
