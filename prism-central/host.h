/* SPDX-License-Identifier: MIT */
#ifndef HOST_H
#define HOST_H

/* Workstations: how they enrol, prove who they are, fetch their feeds and report. */
#include "http.h"

/* The owner of a "pht_" access token, for principal_load(). 0 and rq->who, or -EACCES, -EIO. */
#define HOST_TOKEN_PREFIX "pht_"
int host_principal_load(struct request *rq, const char *bearer);

/*
 * Why a host refuses this person, by its report as it is kept (NULL: none), as the host has said
 * it. Owned by the caller; NULL: it does not.
 */
char *host_report_refusal(const char *report, const char *username, int64_t uid);

/*
 * Handlers, for routes.c. Method, path, permission, scope that each expects:
 *	host_token_create	POST projects/{}/host-tokens	hosts:enrol	SCOPE_PROJECT
 *	host_enrol		POST hosts/enrol		public
 *	host_oauth_token	called by oauth_token() for client_credentials
 *	host_feed_poll		GET hosts/self/feed		host		SCOPE_HOST
 *	host_report_store	POST hosts/self/report		host		SCOPE_HOST
 *	host_list_project	GET projects/{}/hosts		hosts:view	SCOPE_PROJECT
 *	host_revision_show	GET projects/{}/revision	hosts:view	SCOPE_PROJECT
 *	host_project_put	PUT projects/{}/hosts/{}	hosts:enrol	SCOPE_PROJECT
 *	host_project_delete	DELETE projects/{}/hosts/{}	hosts:remove	SCOPE_PROJECT
 *	host_remove		DELETE hosts/{}			hosts:remove	SCOPE_HOST_ID
 *	workspace_list		GET workspaces			self
 *	workspace_show		GET workspaces/{}		self
 */
void host_token_create(struct request *rq, struct reply *rp);
void host_enrol(struct request *rq, struct reply *rp);
void host_oauth_token(struct request *rq, struct reply *rp);
void host_feed_poll(struct request *rq, struct reply *rp);
void host_report_store(struct request *rq, struct reply *rp);
void host_list_project(struct request *rq, struct reply *rp);
void host_revision_show(struct request *rq, struct reply *rp);
void host_project_put(struct request *rq, struct reply *rp);
void host_project_delete(struct request *rq, struct reply *rp);
void host_remove(struct request *rq, struct reply *rp);
void workspace_list(struct request *rq, struct reply *rp);
void workspace_show(struct request *rq, struct reply *rp);

#endif
