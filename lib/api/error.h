/* SPDX-License-Identifier: MIT */
#ifndef API_ERROR_H
#define API_ERROR_H

/*
 * The errors that the service answers with: one table for the service, the CLI and the manual.
 * On the wire: {"error": {"code": "INVITATION_EXPIRED", "message": "...", "hint": "..."}}, where
 * "message" says what is wrong and "hint" what the person can do next.
 */
#include <stddef.h>

/* name, HTTP status, message, hint */
#define API_ERRORS(X)                                                                              \
	X(BAD_REQUEST, 400, "The request is not understood.", "Check the command's arguments.")    \
	X(INVALID_VALUE, 400, "A value is not acceptable.", "Correct it and try again.")           \
	X(NOT_LOGGED_IN, 401, "You are not logged in.", "Run: prism login")                        \
	X(BAD_CREDENTIALS, 401, "Wrong username or password.",                                     \
	    "Check both and try again; with your SSH key: prism login --key. Your administrator "  \
	    "can set a new password: prism-central password USER")                                 \
	X(FORBIDDEN, 403, "You do not have permission to do this.",                                \
	    "Ask an owner or admin of the project, or the administrator of Prism.")                \
	X(ORG_FORBIDDEN, 403, "You may not do this in this organization.",                         \
	    "Ask an owner of the organization, or the administrator of Prism, for a role in it "   \
	    "that allows it.")                                                                     \
	X(ACCOUNT_SUSPENDED, 403, "Your account is suspended.", "Ask your administrator.")         \
	X(NOT_FOUND, 404, "There is no such thing here.", "Check the name.")                       \
	X(PROJECT_NOT_FOUND, 404, "Project not found.", "Run: prism project list")                 \
	X(USER_NOT_FOUND, 404, "User not found.", "Check the username.")                           \
	X(MEMBER_NOT_FOUND, 404, "There is no such member in this project.",                       \
	    "Run: prism member list --project PROJECT")                                            \
	X(HOST_NOT_FOUND, 404, "Host not found.", "Run: prism workspace list")                     \
	X(INVITATION_NOT_FOUND, 404, "Invitation not found",                                       \
	    "Check that the token is copied whole, without spaces or line breaks; it may have "    \
	    "expired or been revoked: ask the person who invited you.")                            \
	X(INVITATION_EXPIRED, 410, "This invitation has expired.",                                 \
	    "Ask the person who invited you to send a new one.")                                   \
	X(INVITATION_REVOKED, 410, "This invitation has been revoked.",                            \
	    "Ask the person who invited you.")                                                     \
	X(INVITATION_DECLINED, 410, "You declined this invitation.",                               \
	    "Ask the person who invited you to send a new one.")                                   \
	X(INVITATION_ACCEPTED, 409, "Invitation already accepted",                                 \
	    "You are a member: run prism workspace list to see your workspaces.")                  \
	X(INVITATION_NOT_YOURS, 403, "This invitation is for another address.",                    \
	    "Log in as the person it was sent to, or ask the sender to invite your address.")      \
	X(LOGIN_REQUIRED, 401, "The invited address has an account already.",                      \
	    "Run prism login, then accept the invitation again.")                                  \
	X(ALREADY_MEMBER, 409, "Already a member of this project.",                                \
	    "Run: prism member list --project PROJECT")                                            \
	X(ALREADY_INVITED, 409, "This address has a pending invitation to this project.",          \
	    "Send it again: prism invitation resend EMAIL --project PROJECT. Or revoke it first: " \
	    "prism invitation revoke EMAIL --project PROJECT")                                     \
	X(LAST_OWNER, 409, "A project keeps at least one owner.",                                  \
	    "Make another member owner first.")                                                    \
	X(LAST_PROJECT, 409, "A host serves at least one project.",                                \
	    "To take it out of Prism: prism host remove HOST --project PROJECT")                   \
	X(HOST_PROJECTS, 409, "The host cannot serve this project.",                               \
	    "Choose a project of its organization; to make room: prism host drop HOST --project "  \
	    "PROJECT")                                                                             \
	X(HOST_SHARED, 403, "The host serves projects of others as well.",                         \
	    "Ask an owner of those, or the administrator of Prism; to take your own project off "  \
	    "it: prism host drop HOST --project PROJECT")                                          \
	X(ROLE_TOO_HIGH, 403, "You cannot give or touch a role above your own.",                   \
	    "Ask an owner of the project.")                                                        \
	X(NAME_TAKEN, 409, "This name is taken.", "Choose another one.")                           \
	X(KEY_PROOF, 400, "The proof that you hold the private key does not match.",               \
	    "Run: prism user provision --fix-keys")                                                \
	X(KEY_TAKEN, 409, "This public key is registered already, or was revoked.",                \
	    "Use another one; for the one of ~/.prism: prism user provision --fix-keys")           \
	X(IDS_EXHAUSTED, 503, "The range of user and group ids is used up.",                       \
	    "The administrator can widen it in central.conf.")                                     \
	X(ENROL_TOKEN, 403, "This enrolment token is unknown, used or expired.",                   \
	    "Make a new one: prism host token --project PROJECT")                                  \
	X(SSO_REQUIRED, 403, "Your organization wants you to log in through its own login.",       \
	    "Run: prism login, without a username or key. An administrator of Prism can always "   \
	    "log in by password.")                                                                 \
	X(PROVIDER_LOGIN, 403,                                                                     \
	    "A login through an organization's provider has no rights of a superadmin.",           \
	    "Log in by password: prism login --user USERNAME")                                     \
	X(SSO_NOT_FOUND, 404, "There is no such login connection here.", "Run: prism sso list")    \
	X(SSO_UNAVAILABLE, 502, "The login provider does not answer as it should.",                \
	    "Try again; the audit log says what it did.")                                          \
	X(DOMAIN_ALREADY_USED, 409, "This domain is another connection's.",                        \
	    "Remove it there first, or ask the administrator of Prism.")                           \
	X(DOMAIN_NOT_PROVEN, 409, "The TXT record was not found.",                                 \
	    "Publish it, wait until the old answer has expired, and verify again.")                \
	X(DNS_UNAVAILABLE, 503, "The DNS does not answer.",                                        \
	    "Try again in a minute; the administrator says which one is asked: dns in "            \
	    "central.conf(5).")                                                                    \
	X(NO_MASTER_KEY, 503, "This service has no key to seal secrets with, so it stores none.",  \
	    "The administrator can give it one: see [secrets] in central.conf(5).")                \
	X(CONFLICT, 409, "The state has changed meanwhile.", "Look again and repeat.")             \
	X(TOO_MANY_REQUESTS, 429, "Too many attempts.", "Wait a little and try again.")            \
	X(TOO_LARGE, 413, "The request is too large.", "Send less at a time.")                     \
	X(METHOD_NOT_ALLOWED, 405, "This address does not take that method.", "See prism-api(7).") \
	X(INSECURE, 403, "This is served over HTTPS only.", "Use the https:// address.")           \
	X(INTERNAL, 500, "The service failed to do this.",                                         \
	    "Try again; the administrator's log tells more.")                                      \
	X(UNAVAILABLE, 503, "The service is busy.", "Try again in a moment.")

enum api_error {
	API_OK,
#define X(name, status, message, hint) API_##name,
	API_ERRORS(X)
#undef X
	    API_ERROR_COUNT,
};

struct api_error_info {
	const char *code; /* "INVITATION_EXPIRED" */
	int status;
	const char *message, *hint;
};

/* Never NULL: an unknown value gives INTERNAL. */
const struct api_error_info *api_error_info(enum api_error e);
/* By code; API_INTERNAL if unknown. */
enum api_error api_error_by_code(const char *code);

#endif
