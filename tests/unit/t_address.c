/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include "api/address.h"
#include "base/attr.h"
#include "test.h"

static bool is_public(const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return address_is_public((struct sockaddr *)&in);
	EXPECT_INT(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return address_is_public((struct sockaddr *)&in6);
}

TEST("I3.2 addresses of the own network, of the machine itself and of nobody are not public")
{
	static const char *const ours[] = {"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255",
	    "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254",
	    "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1",
	    "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.7",
	    "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
	    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
	    "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1",
	    "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1",
	    "2001::1", "2001:1ff::1", "2001:db8::1", "2002:a9fe:a9fe::1",
	    "2002:7f00:1::", "3fff::1", "4000::1", "5f00::1"};

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (is_public(ours[i])) {
			printf("# %s\n", ours[i]);
			EXPECT(false);
		}
}

TEST("I3.2 addresses beside those are public")
{
	static const char *const theirs[] = {"1.1.1.1", "9.255.255.255", "11.0.0.0",
	    "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255",
	    "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.255.255",
	    "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
	    "::ffff:93.184.216.34", "64:ff9b::93.184.216.34", "2001:200::1", "2001:4860::8888",
	    "2003::1", "2606:4700::1111", "2a00::1", "3ffe::1"};

	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++)
		if (!is_public(theirs[i])) {
			printf("# %s\n", theirs[i]);
			EXPECT(false);
		}
}

TEST("I3.2 what is no address of the internet is not public")
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	EXPECT(!address_is_public((struct sockaddr *)&un));
}

TEST_MAIN()
