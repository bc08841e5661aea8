/* SPDX-License-Identifier: MIT */
#include "audit.h"
#include "browser.h"
#include "health.h"
#include "host.h"
#include "invitation.h"
#include "member.h"
#include "oauth.h"
#include "organization.h"
#include "project.h"
#include "session.h"
#include "sshkey.h"
#include "sso_flow_claim.h"
#include "user.h"

#define V1 "/api/v1"

/*
 * Everything that this service can be asked. A literal segment stands before a {} of the same
 * place. Documented in prism-api(7); a test holds the two together.
 */
/* clang-format off */
const struct route routes[] = {
	{HTTP_POST, V1 "/sessions", "public", SCOPE_PUBLIC, session_post, LANE_HASH},
	{HTTP_DELETE, V1 "/sessions/current", "self", SCOPE_SELF, session_delete},
	{HTTP_POST, V1 "/sessions/key/challenge", "public", SCOPE_PUBLIC, session_key_challenge},
	{HTTP_POST, V1 "/sessions/key", "public", SCOPE_PUBLIC, session_key_post},

	{HTTP_GET, V1 "/me", "self", SCOPE_SELF, me_get},
	{HTTP_PATCH, V1 "/me", "self", SCOPE_SELF, me_patch},
	{HTTP_POST, V1 "/me/password", "self", SCOPE_SELF, me_password, LANE_HASH},
	{HTTP_GET, V1 "/me/ssh-keys", "self", SCOPE_SELF, sshkey_list},
	{HTTP_POST, V1 "/me/ssh-keys", "self", SCOPE_SELF, sshkey_post},
	{HTTP_POST, V1 "/me/ssh-keys/challenge", "self", SCOPE_SELF, sshkey_challenge},
	{HTTP_DELETE, V1 "/me/ssh-keys/{}", "self", SCOPE_SELF, sshkey_delete},
	{HTTP_GET, V1 "/me/identities", "self", SCOPE_SELF, sso_identity_list},
	{HTTP_POST, V1 "/me/identities", "self", SCOPE_SELF, sso_link_post},
	{HTTP_DELETE, V1 "/me/identities/{}", "self", SCOPE_SELF, sso_identity_delete},

	{HTTP_POST, V1 "/users", "users:create", SCOPE_DEPLOYMENT, user_post, LANE_HASH},
	{HTTP_GET, V1 "/users/{}", "self", SCOPE_SELF, user_get},
	{HTTP_POST, V1 "/users/{}/suspend", "users:suspend", SCOPE_DEPLOYMENT, user_suspend},
	{HTTP_POST, V1 "/users/{}/resume", "users:suspend", SCOPE_DEPLOYMENT, user_resume},
	{HTTP_DELETE, V1 "/users/{}/emails/{}", "users:emails:release", SCOPE_DEPLOYMENT,
	    user_email_release},

	{HTTP_GET, V1 "/organizations", "self", SCOPE_SELF, organization_list},
	{HTTP_POST, V1 "/organizations", "orgs:create", SCOPE_DEPLOYMENT, organization_post},
	{HTTP_PUT, V1 "/organizations/{}/members/{}", "orgs:members:manage", SCOPE_ORG,
	    organization_member_put},
	{HTTP_GET, V1 "/organizations/{}/sso-connections", "orgs:sso:manage", SCOPE_ORG,
	    sso_connection_list},
	{HTTP_POST, V1 "/organizations/{}/sso-connections", "orgs:sso:manage", SCOPE_ORG,
	    sso_connection_post, LANE_HASH},
	{HTTP_GET, V1 "/organizations/{}/sso-connections/{}", "orgs:sso:manage", SCOPE_ORG,
	    sso_connection_show},
	{HTTP_PATCH, V1 "/organizations/{}/sso-connections/{}", "orgs:sso:manage", SCOPE_ORG,
	    sso_connection_patch},
	{HTTP_DELETE, V1 "/organizations/{}/sso-connections/{}", "orgs:sso:manage", SCOPE_ORG,
	    sso_connection_delete},
	{HTTP_POST, V1 "/organizations/{}/sso-connections/{}/certificate", "orgs:sso:manage",
	    SCOPE_ORG, sso_succession_post, LANE_HASH},
	{HTTP_GET, V1 "/organizations/{}/sso-domains", "orgs:sso:manage", SCOPE_ORG,
	    sso_domain_list},
	{HTTP_POST, V1 "/organizations/{}/sso-domains", "orgs:sso:manage", SCOPE_ORG,
	    sso_domain_post},
	{HTTP_POST, V1 "/organizations/{}/sso-domains/{}/verify", "orgs:sso:manage", SCOPE_ORG,
	    sso_domain_verify, LANE_OUT},
	{HTTP_DELETE, V1 "/organizations/{}/sso-domains/{}", "orgs:sso:manage", SCOPE_ORG,
	    sso_domain_delete},

	{HTTP_POST, V1 "/projects", "projects:create", SCOPE_ORG, project_post},
	{HTTP_GET, V1 "/projects", "self", SCOPE_SELF, project_list},
	{HTTP_GET, V1 "/projects/{}", "projects:view", SCOPE_PROJECT, project_show},
	{HTTP_PATCH, V1 "/projects/{}", "projects:edit", SCOPE_PROJECT, project_patch},
	{HTTP_DELETE, V1 "/projects/{}", "projects:delete", SCOPE_PROJECT, project_delete},
	{HTTP_GET, V1 "/projects/{}/revision", "hosts:view", SCOPE_PROJECT, host_revision_show},

	{HTTP_GET, V1 "/projects/{}/members", "members:view", SCOPE_PROJECT, member_list},
	{HTTP_PATCH, V1 "/projects/{}/members/{}", "members:manage", SCOPE_PROJECT, member_patch},
	{HTTP_DELETE, V1 "/projects/{}/members/{}", "members:manage", SCOPE_PROJECT, member_delete},
	{HTTP_POST, V1 "/projects/{}/members/{}/suspend", "members:manage", SCOPE_PROJECT,
	    member_suspend},
	{HTTP_POST, V1 "/projects/{}/members/{}/resume", "members:manage", SCOPE_PROJECT,
	    member_resume},

	{HTTP_POST, V1 "/projects/{}/invitations", "invites:send", SCOPE_PROJECT, invitation_post},
	{HTTP_GET, V1 "/projects/{}/invitations", "invites:view", SCOPE_PROJECT, invitation_list},
	{HTTP_GET, V1 "/invitations/my", "self", SCOPE_SELF, invitation_mine},
	{HTTP_POST, V1 "/invitations/lookup", "public", SCOPE_PUBLIC, invitation_lookup},
	{HTTP_POST, V1 "/invitations/accept", "public", SCOPE_PUBLIC, invitation_accept, LANE_HASH},
	{HTTP_POST, V1 "/invitations/decline", "public", SCOPE_PUBLIC, invitation_decline},
	{HTTP_GET, V1 "/invitations/{}", "public", SCOPE_PUBLIC, invitation_lookup},
	{HTTP_POST, V1 "/invitations/{}/accept", "public", SCOPE_PUBLIC, invitation_accept, LANE_HASH},
	{HTTP_POST, V1 "/invitations/{}/decline", "public", SCOPE_PUBLIC, invitation_decline},
	{HTTP_POST, V1 "/invitations/{}/resend", "invites:send", SCOPE_INVITATION,
	    invitation_resend},
	{HTTP_DELETE, V1 "/invitations/{}", "invites:revoke", SCOPE_INVITATION, invitation_revoke},

	{HTTP_GET, V1 "/workspaces", "self", SCOPE_SELF, workspace_list},
	{HTTP_GET, V1 "/workspaces/{}", "self", SCOPE_SELF, workspace_show},
	{HTTP_POST, V1 "/projects/{}/host-tokens", "hosts:enrol", SCOPE_PROJECT, host_token_create},
	{HTTP_GET, V1 "/projects/{}/hosts", "hosts:view", SCOPE_PROJECT, host_list_project},
	{HTTP_PUT, V1 "/projects/{}/hosts/{}", "hosts:enrol", SCOPE_PROJECT, host_project_put},
	{HTTP_DELETE, V1 "/projects/{}/hosts/{}", "hosts:remove", SCOPE_PROJECT,
	    host_project_delete},
	{HTTP_DELETE, V1 "/hosts/{}", "hosts:remove", SCOPE_HOST_ID, host_remove},

	{HTTP_POST, V1 "/hosts/enrol", "public", SCOPE_PUBLIC, host_enrol},
	{HTTP_GET, V1 "/hosts/self/logins", "host", SCOPE_HOST, device_logins},
	{HTTP_GET, V1 "/hosts/self/feed", "host", SCOPE_HOST, host_feed_poll},
	{HTTP_POST, V1 "/hosts/self/report", "host", SCOPE_HOST, host_report_store},

	{HTTP_GET, "/", "browser", SCOPE_BROWSER, page_home},
	{HTTP_GET, "/login", "browser", SCOPE_BROWSER, page_login},
	{HTTP_POST, "/login", "browser", SCOPE_BROWSER, page_login_post, LANE_HASH},
	{HTTP_POST, "/logout", "browser", SCOPE_BROWSER, page_logout_post},
	{HTTP_GET, "/assets/{}", "public", SCOPE_PUBLIC, page_asset},

	{HTTP_GET, "/.well-known/oauth-authorization-server", "public", SCOPE_PUBLIC,
	    oauth_metadata},
	{HTTP_POST, "/oauth2/token", "public", SCOPE_PUBLIC, oauth_token},
	{HTTP_POST, "/oauth2/revoke", "public", SCOPE_PUBLIC, oauth_revoke},
	{HTTP_POST, "/oauth2/device_authorization", "public", SCOPE_PUBLIC, device_authorization},
	{HTTP_GET, "/oauth2/authorize", "browser", SCOPE_BROWSER, oauth_authorize},
	{HTTP_POST, "/oauth2/authorize", "browser", SCOPE_BROWSER, oauth_authorize_post},
	{HTTP_GET, "/device", "browser", SCOPE_BROWSER, device_page},
	{HTTP_POST, "/device", "browser", SCOPE_BROWSER, device_page_post},
	{HTTP_POST, "/device/decide", "browser", SCOPE_BROWSER, device_decide_post},

	{HTTP_GET, "/sso/{}/start", "browser", SCOPE_BROWSER, sso_flow_start, LANE_OUT},
	{HTTP_POST, "/sso/{}/start", "browser", SCOPE_BROWSER, sso_flow_start_post, LANE_OUT},
	{HTTP_POST, "/sso/{}/link", "browser", SCOPE_BROWSER, sso_flow_link_post, LANE_OUT},
	{HTTP_POST, "/sso/{}/claim", "browser", SCOPE_BROWSER, sso_flow_claim_post, LANE_OUT},
	{HTTP_GET, "/sso/{}/callback", "browser", SCOPE_BROWSER, oidc_callback, LANE_OUT},
	{HTTP_POST, "/sso/{}/logout", "public", SCOPE_PUBLIC, oidc_logout, LANE_OUT},
	{HTTP_POST, "/sso/{}/acs", "public", SCOPE_PUBLIC, saml_acs, LANE_OUT},
	{HTTP_GET, "/sso/{}/finish", "browser", SCOPE_BROWSER, saml_finish, LANE_OUT},
	{HTTP_GET, "/sso/{}/metadata", "public", SCOPE_PUBLIC, saml_metadata, LANE_OUT},

	{HTTP_GET, "/healthz", "public", SCOPE_PUBLIC, health_show},
	{HTTP_GET, V1 "/audit", "audit:view", SCOPE_DEPLOYMENT, audit_list},
};
/* clang-format on */
const size_t nroutes = ARRAY_SIZE(routes);
