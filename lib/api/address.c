/* SPDX-License-Identifier: MIT */
#include "api/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

static const struct {
	uint32_t net;
	unsigned bits;
} reserved4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* shared by carriers and clouds */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* protocols */
    {0xc0000200, 24}, /* documentation */
    {0xc0586300, 24}, /* 6to4 relays */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 4},  /* multicast */
    {0xf0000000, 4},  /* reserved, broadcast */
};

/* Within 2000::/3, which is all that has been given out. */
static const struct {
	uint8_t net[4];
	unsigned bits;
} reserved6[] = {
    {{0x20, 0x01, 0x00, 0x00}, 23}, /* protocols, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02, 0x00, 0x00}, 16}, /* 6to4 */
    {{0x3f, 0xff, 0x00, 0x00}, 20}, /* documentation */
};

static bool public4(uint32_t a)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved4); i++)
		if ((a ^ reserved4[i].net) >> (32 - reserved4[i].bits) == 0)
			return false;
	return true;
}

static uint32_t four(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool public6(const uint8_t a[static 16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t translated[12] = {0x00, 0x64, 0xff, 0x9b};

	if (memcmp(a, mapped, sizeof(mapped)) == 0 ||
	    memcmp(a, translated, sizeof(translated)) == 0)
		return public4(four(a + 12));
	if (a[0] >> 5 != 1)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(reserved6); i++)
		if ((four(a) ^ four(reserved6[i].net)) >> (32 - reserved6[i].bits) == 0)
			return false;
	return true;
}

bool address_is_public(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, a, sizeof(in));
		return public4(ntohl(in.sin_addr.s_addr));
	}
	if (a->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, a, sizeof(in6));
		return public6(in6.sin6_addr.s6_addr);
	}
	return false;
}
