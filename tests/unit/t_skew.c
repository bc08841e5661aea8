/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include "api/skew.h"
#include "test.h"

TEST("D6 up to 60 seconds between two clocks are nobody's business")
{
	static const int64_t fine[] = {0, 1, -1, 60, -60};
	char s[SKEW_TEXT] = "x";

	for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++) {
		EXPECT(!skew_matters(fine[i]));
		skew_describe(fine[i], s);
		EXPECT_STR(s, "");
	}
	EXPECT(skew_matters(61));
	EXPECT(skew_matters(-61));
}

TEST("D6 a wrong clock is named with its direction and in units that people use")
{
	static const struct {
		int64_t skew;
		const char *text;
	} rows[] = {
	    {61, "is 61 seconds behind the service's: set it (timedatectl set-ntp true)"},
	    {-119, "is 119 seconds ahead of the service's"},
	    {420, "is 7 minutes behind the service's"},
	    {-425, "is 7 minutes ahead of"},
	    {7200, "is 2 hours behind"},
	    {86400 * 400, "is 400 days behind"},
	    {INT64_MIN, "days ahead of"},
	    {INT64_MAX, "days behind"},
	};
	char s[SKEW_TEXT];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		skew_describe(rows[i].skew, s);
		EXPECT_HAS(s, rows[i].text);
	}
}

TEST_MAIN()
