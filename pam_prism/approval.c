/* SPDX-License-Identifier: MIT */
#include "approval.h"

#include <stdlib.h>
#include <string.h>

static const char DATA[] = "pam_prism_approval";

static void release(pam_handle_t *pamh, void *data, int status)
{
	free(data);
}

int approval_keep(pam_handle_t *pamh, const struct agent_approval *a)
{
	struct agent_approval *copy = malloc(sizeof(*copy));
	int r;

	if (!copy)
		return PAM_BUF_ERR;
	memcpy(copy, a, sizeof(*copy));
	r = pam_set_data(pamh, DATA, copy, release);
	if (r != PAM_SUCCESS)
		free(copy);
	return r;
}

void approval_forget(pam_handle_t *pamh)
{
	if (approval_get(pamh))
		pam_set_data(pamh, DATA, NULL, NULL);
}

const struct agent_approval *approval_get(const pam_handle_t *pamh)
{
	const void *p = NULL;

	return pam_get_data(pamh, DATA, &p) == PAM_SUCCESS ? p : NULL;
}

void approval_slugs(const struct agent_approval *a, const char *ret[AGENT_PROJECTS_MAX + 1])
{
	size_t n = a->nprojects < AGENT_PROJECTS_MAX ? a->nprojects : AGENT_PROJECTS_MAX;

	for (size_t i = 0; i < n; i++)
		ret[i] = a->projects[i];
	ret[n] = NULL;
}
