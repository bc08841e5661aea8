/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include "test.h"
#include "prism-central/password.h"
#include "prism-central/ratelimit.h"

TEST("D6 a password is kept as scrypt with N=2^15 and a salt of its own")
{
	char a[PASSWORD_ENCODED_MAX], b[PASSWORD_ENCODED_MAX];

	EXPECT_INT(password_hash("correct horse", a), 0);
	EXPECT_INT(password_hash("correct horse", b), 0);
	EXPECT_INT(strncmp(a, "$scrypt$ln=15,r=8,p=1$", 22), 0);
	EXPECT_INT(strlen(a), 22 + 22 + 1 + 43);
	EXPECT(strcmp(a, b) != 0);
	EXPECT(!strstr(a, "horse"));
	EXPECT_INT(password_verify("correct horse", a), 0);
	EXPECT_INT(password_verify("correct horse", b), 0);
	EXPECT_INT(password_verify("correct horsf", a), -EKEYREJECTED);
	EXPECT_INT(password_verify("", a), -EKEYREJECTED);
}

TEST("D6 a hash that another implementation made is understood")
{
	/* hashlib.scrypt(b"pleaseletmein", salt=b"SodiumChloride!!", n=32768, r=8, p=1, dklen=32)
	 */
	static const char known[] = "$scrypt$ln=15,r=8,p=1$U29kaXVtQ2hsb3JpZGUhIQ$"
				    "JYKBuLDQejdW91OoAVCiGR9fO7iKnG8TLMbJdrgwdPc";

	EXPECT_INT(password_verify("pleaseletmein", known), 0);
	EXPECT_INT(password_verify("pleaseletmeIn", known), -EKEYREJECTED);
}

TEST("D6 damaged and missing hashes match nothing, not even nothing")
{
	static const char *const bad[] = {"", "$scrypt$", "plain", "$scrypt$ln=15,r=8,p=1$$",
	    "$scrypt$ln=1,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};

	EXPECT_INT(password_verify("x", NULL), -EKEYREJECTED);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_INT(password_verify("", bad[i]), -EKEYREJECTED);
}

/* Of this thread alone: the machine may be busy with other things. */
static int64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t best_of(int n, const char *encoded)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < n; i++) {
		int64_t start = cpu_us();
		password_verify("some password", encoded);
		int64_t took = cpu_us() - start;
		best = took < best ? took : best;
	}
	return best;
}

TEST("D6 an unknown user takes as long as a wrong password")
{
	char real[PASSWORD_ENCODED_MAX];

	EXPECT_INT(password_hash("another password", real), 0);
	int64_t known = best_of(5, real), unknown = best_of(5, NULL);
	printf("# known %lld us, unknown %lld us\n", (long long)known, (long long)unknown);
	EXPECT(known > 5000);
	EXPECT(unknown * 10 > known * 7 && known * 10 > unknown * 7);
}

TEST("D6 what is too long is refused")
{
	char encoded[PASSWORD_ENCODED_MAX], text[PASSWORD_BYTES_MAX + 2];

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	EXPECT_INT(password_hash(text, encoded), -EINVAL);
	EXPECT_INT(password_hash("", encoded), -EINVAL);
	EXPECT_INT(password_verify(text, NULL), -EKEYREJECTED);
}

static void *verify_once(void *arg)
{
	char *encoded = arg;
	return password_verify("correct horse", encoded) == 0 ? arg : NULL;
}

TEST("D6 more logins than places wait for each other")
{
	char encoded[PASSWORD_ENCODED_MAX];
	pthread_t th[6];

	password_init(1);
	EXPECT_INT(password_hash("correct horse", encoded), 0);
	for (int i = 0; i < 6; i++)
		EXPECT_INT(pthread_create(&th[i], NULL, verify_once, encoded), 0);
	for (int i = 0; i < 6; i++) {
		void *got = NULL;
		pthread_join(th[i], &got);
		EXPECT(got == encoded);
	}
}

static int64_t fake_ms;

static int64_t fake_clock(void)
{
	return fake_ms;
}

TEST("D6 a bucket empties, tells how long to wait, and fills again")
{
	int n = 0;

	fake_ms = 1000000;
	ratelimit_reset(fake_clock);
	while (n < 1000 && ratelimit_take(RATELIMIT_LOGIN_ACCOUNT, "alice") == 0)
		n++;
	EXPECT_INT(n, 10);
	EXPECT_INT(ratelimit_take(RATELIMIT_LOGIN_ACCOUNT, "bob"), 0);
	EXPECT_INT(ratelimit_take(RATELIMIT_LOGIN_PEER, "alice"), 0);
	unsigned wait = ratelimit_take(RATELIMIT_LOGIN_ACCOUNT, "alice");
	EXPECT(wait > 0 && wait <= 30);
	fake_ms += (int64_t)wait * 1000;
	EXPECT_INT(ratelimit_check(RATELIMIT_LOGIN_ACCOUNT, "alice"), 0);
	EXPECT_INT(ratelimit_take(RATELIMIT_LOGIN_ACCOUNT, "alice"), 0);
	EXPECT(ratelimit_check(RATELIMIT_LOGIN_ACCOUNT, "alice") > 0);
	ratelimit_return(RATELIMIT_LOGIN_ACCOUNT, "alice");
	EXPECT_INT(ratelimit_take(RATELIMIT_LOGIN_ACCOUNT, "alice"), 0);
	fake_ms += 3600 * 1000;
	for (n = 0; ratelimit_take(RATELIMIT_LOGIN_ACCOUNT, "alice") == 0;)
		n++;
	EXPECT_INT(n, 10);
}

TEST("D6 a flood of keys does not free the one that is limited")
{
	char key[32];

	fake_ms = 5000000;
	ratelimit_reset(fake_clock);
	while (ratelimit_take(RATELIMIT_LOGIN_ACCOUNT, "alice") == 0)
		;
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		ratelimit_take(RATELIMIT_LOGIN_ACCOUNT, key);
	}
	EXPECT(ratelimit_check(RATELIMIT_LOGIN_ACCOUNT, "alice") > 0);
	ratelimit_reset(NULL);
}

TEST("D6 an IPv6 address counts by its /64, an IPv4 address alone")
{
	char a[RATELIMIT_KEY_MAX], b[RATELIMIT_KEY_MAX];

	ratelimit_peer("2001:db8:1:2:aaaa::1", a);
	ratelimit_peer("2001:db8:1:2:bbbb::2", b);
	EXPECT_STR(a, b);
	ratelimit_peer("2001:db8:1:3::1", b);
	EXPECT(strcmp(a, b) != 0);
	ratelimit_peer("192.0.2.7", a);
	EXPECT_STR(a, "192.0.2.7");
	ratelimit_peer("unix", a);
	EXPECT_STR(a, "unix");
}

TEST_MAIN()
