/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "audit.h"
#include "command.h"

int command_audit(int argc, char **argv, struct config *cfg)
{
	_cleanup_store_ struct store *s = NULL;
	struct audit_report report = {0};

	if (argc != 2 || strcmp(argv[1], "verify") != 0)
		return command_usage("audit verify");
	if (state_open_store(cfg, &s) != 0)
		return EXIT_FAILED;
	int r = audit_verify(s, &report);
	if (r < 0)
		return command_failed("the audit could not be read: %s", strerror(-r));
	if (report.bad || report.why[0])
		return command_failed(
		    "the audit is broken at event %lld: %s", (long long)report.bad, report.why);
	printf("%lld events, whole. The chain ends in %s\n", (long long)report.rows, report.head);
	return EXIT_OK;
}
