/* SPDX-License-Identifier: MIT */
/* A parser with a fault on purpose: if the fuzzer does not find it, it finds nothing. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

__attribute__((noinline)) static void parse(const uint8_t *data, size_t size)
{
	uint8_t out[4];

	if (size >= 3 && data[0] == 'P' && data[1] == 'R')
		for (size_t i = 0; i < data[2]; i++)
			out[i] = (uint8_t)i;
	else
		memset(out, 0, sizeof(out));
	sink = out[size % sizeof(out)];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse(data, size);
	return 0;
}
