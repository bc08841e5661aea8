/* SPDX-License-Identifier: MIT */

/* How a host is named: its id, and what it says of itself. */
#include "prism-central/host_name.h"
#include "test.h"

TEST("D2 a host's id is written in one way only")
{
	char hex[HOST_ID_HEX + 1];

	host_id_hex(0x0123456789abcdef, hex);
	EXPECT_STR(hex, "00000000000000000123456789abcdef");
	EXPECT(host_id_parse(hex) == 0x0123456789abcdef);
	EXPECT_INT(host_id_parse("0"), 0);
	EXPECT_INT(host_id_parse("00000000000000000123456789ABCDEF"), 0);
	EXPECT_INT(host_id_parse("10000000000000000123456789abcdef"), 0);
	EXPECT_INT(host_id_parse("0000000000000000f123456789abcdef"), 0);
	EXPECT_INT(host_id_parse("zz000000000000000123456789abcdef"), 0);
}

TEST("LESSONS 4 what a host says of itself cannot become an option or an escape")
{
	EXPECT(hostname_valid("ws1"));
	EXPECT(hostname_valid("a.b-c"));
	EXPECT(!hostname_valid("-oProxyCommand"));
	EXPECT(!hostname_valid("a b"));
	EXPECT(!hostname_valid("Ws1"));
	EXPECT(!hostname_valid(""));
	EXPECT(address_valid("10.0.0.1"));
	EXPECT(address_valid("fe80::1"));
	EXPECT(!address_valid("-J evil"));
	EXPECT(!address_valid("a;b"));
	EXPECT(!address_valid("\x1b[2J"));
}

TEST_MAIN()
