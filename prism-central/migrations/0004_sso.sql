-- SPDX-License-Identifier: MIT
--
-- Logins through institutions, and the authorization server: connections, domains, identities,
-- browser sessions, device and authorization codes. As in 0001: times are UTC seconds, 0 if not
-- known; hashes are SHA-256 as lowercase hex; "sealed" is secrets.h's.

-- One login provider of an organization.
CREATE TABLE sso_connections (
	id BIGINT PRIMARY KEY,
	organization_id BIGINT NOT NULL REFERENCES organizations (id),
	slug TEXT NOT NULL UNIQUE,		-- in addresses: /sso/SLUG/...; never changes
	name TEXT NOT NULL,			-- as the login page shows it
	type TEXT NOT NULL CHECK (type IN ('oidc', 'saml')),
	enabled INTEGER NOT NULL DEFAULT 0,
	issuer TEXT NOT NULL,			-- OIDC: the issuer; SAML: the provider's entity id
	client_id TEXT NOT NULL DEFAULT '',	-- OIDC
	client_secret TEXT,			-- OIDC: sealed; NULL: a public client
	scopes TEXT NOT NULL DEFAULT '',	-- OIDC: "openid profile email"
	entry_point TEXT NOT NULL DEFAULT '',	-- SAML: where requests go (HTTP-Redirect binding)
	certificate TEXT,			-- SAML: sealed; the provider's, PEM, one or more
	sp_key TEXT,				-- SAML: sealed; our private key, PEM
	sp_certificate TEXT NOT NULL DEFAULT '',	-- SAML: its certificate, PEM
	mapping TEXT NOT NULL DEFAULT '{}',	-- JSON: {"email": "mail", ...}: our word, their claim
	enforce_sso INTEGER NOT NULL DEFAULT 0,
	auto_provision INTEGER NOT NULL DEFAULT 0,
	default_role_id BIGINT NOT NULL REFERENCES roles (id),	-- in the organization
	allowed_roles TEXT NOT NULL DEFAULT '[]',	-- JSON: slugs that a claim may give
	last_fault TEXT NOT NULL DEFAULT '',	-- why a login was refused last, a word; '': none was
	last_detail TEXT NOT NULL DEFAULT '',	-- and a sentence: no secret, nobody's name
	last_fault_at BIGINT NOT NULL DEFAULT 0,
	created_at BIGINT NOT NULL,
	created_by BIGINT NOT NULL REFERENCES users (id),
	updated_at BIGINT NOT NULL
);
CREATE INDEX sso_connections_by_organization ON sso_connections (organization_id);

-- A domain belongs to one connection of one organization. Counts from proven_at on.
CREATE TABLE sso_domains (
	id BIGINT PRIMARY KEY,
	organization_id BIGINT NOT NULL REFERENCES organizations (id),
	connection_id BIGINT NOT NULL REFERENCES sso_connections (id),
	domain TEXT NOT NULL UNIQUE,		-- lowercase, without a dot at its end
	challenge TEXT NOT NULL,		-- what the TXT record must say
	proven_at BIGINT NOT NULL DEFAULT 0,	-- 0: not, or not any more
	checked_at BIGINT NOT NULL DEFAULT 0,	-- the last answer of the DNS, whatever it said
	missing_at BIGINT NOT NULL DEFAULT 0,	-- since when the DNS says it is not there; 0: it is
	created_at BIGINT NOT NULL,
	created_by BIGINT NOT NULL REFERENCES users (id)
);
CREATE INDEX sso_domains_by_connection ON sso_domains (connection_id);

-- Who is who: (issuer, subject) of a connection is a person. The connection is part of the key: a
-- SAML provider names itself, and one organization's word does not count for another's.
CREATE TABLE sso_identities (
	id BIGINT PRIMARY KEY,
	organization_id BIGINT NOT NULL REFERENCES organizations (id),
	connection_id BIGINT NOT NULL REFERENCES sso_connections (id),
	issuer TEXT NOT NULL,
	subject TEXT NOT NULL,
	user_id BIGINT NOT NULL REFERENCES users (id),
	email TEXT NOT NULL DEFAULT '',		-- as the provider said it last; proves nothing
	auth_at BIGINT NOT NULL DEFAULT 0,	-- when the person last logged in there; 0: ended since
	refresh_token TEXT,			-- sealed; NULL: none
	refresh_due BIGINT NOT NULL DEFAULT 0,	-- 0: none
	created_at BIGINT NOT NULL,
	last_login_at BIGINT NOT NULL DEFAULT 0,
	UNIQUE (connection_id, issuer, subject)
);
CREATE INDEX sso_identities_by_user ON sso_identities (user_id, organization_id);
CREATE INDEX sso_identities_due ON sso_identities (refresh_due);

-- A login that is on its way: from our redirect to the provider's answer. Used once.
CREATE TABLE sso_attempts (
	id BIGINT PRIMARY KEY,
	state_hash TEXT NOT NULL UNIQUE,	-- of "state" or RelayState
	browser_hash TEXT NOT NULL,		-- of the cookie of the browser that began it
	connection_id BIGINT NOT NULL REFERENCES sso_connections (id),
	link_user BIGINT NOT NULL DEFAULT 0,	-- whose account it is to be linked to; 0: a login
	return_to TEXT NOT NULL,		-- a path of ours
	fresh INTEGER NOT NULL DEFAULT 0,	-- 1: the person must log in there again
	request_id TEXT NOT NULL DEFAULT '',	-- SAML: of the AuthnRequest
	assertion TEXT,				-- what was asserted, until the browser fetches it or
						-- the person has agreed to link it
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX sso_attempts_by_end ON sso_attempts (expires_at);

-- What was taken once: SAML assertions and logout tokens. Kept until they expire by themselves.
CREATE TABLE sso_seen (
	connection_id BIGINT NOT NULL REFERENCES sso_connections (id),
	hash TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (connection_id, hash)
);
CREATE INDEX sso_seen_by_end ON sso_seen (expires_at);

-- An address for linking one's account, good once: see sso_link.
CREATE TABLE sso_link_tickets (
	ticket_hash TEXT PRIMARY KEY,
	user_id BIGINT NOT NULL REFERENCES users (id),
	connection_id BIGINT NOT NULL REFERENCES sso_connections (id),
	expires_at BIGINT NOT NULL
);

-- Browsers where somebody is logged in. The cookie's value is hashed.
CREATE TABLE browser_sessions (
	id BIGINT PRIMARY KEY,
	token_hash TEXT NOT NULL UNIQUE,
	user_id BIGINT NOT NULL REFERENCES users (id),
	identity_id BIGINT NOT NULL DEFAULT 0,	-- of sso_identities; 0: by password
	provider_sid TEXT NOT NULL DEFAULT '',	-- the provider's session (OIDC sid), for its logout
	auth_at BIGINT NOT NULL,		-- when the person proved who they are
	peer TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	revoked_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX browser_sessions_by_user ON browser_sessions (user_id);
CREATE INDEX browser_sessions_by_identity ON browser_sessions (identity_id);

-- Device authorization grants (RFC 8628), of the command line and of hosts.
CREATE TABLE device_codes (
	id BIGINT PRIMARY KEY,
	device_hash TEXT NOT NULL UNIQUE,
	user_hash TEXT NOT NULL UNIQUE,		-- of the user code, without its hyphen
	host_id BIGINT NOT NULL DEFAULT 0,	-- 0: the command line
	user_id BIGINT NOT NULL DEFAULT 0,	-- who may approve it; 0: anybody, for themselves
	username TEXT NOT NULL DEFAULT '',	-- as ssh asked for it
	service TEXT NOT NULL DEFAULT '',	-- PAM's, "sshd"
	origin TEXT NOT NULL DEFAULT '',	-- where the person is, as the host or our listener sees it
	nonce TEXT NOT NULL DEFAULT '',		-- hex: what the host wants to see signed
	state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'redeemed')),
	interval_s INTEGER NOT NULL,
	polled_at BIGINT NOT NULL DEFAULT 0,
	answered_by BIGINT NOT NULL DEFAULT 0,	-- the person; 0: nobody yet
	identity_id BIGINT NOT NULL DEFAULT 0,	-- by which they had logged in; 0: by password
	auth_at BIGINT NOT NULL DEFAULT 0,
	answered_at BIGINT NOT NULL DEFAULT 0,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX device_codes_by_host ON device_codes (host_id, answered_at);
CREATE INDEX device_codes_by_end ON device_codes (expires_at);

-- Authorization codes of the command line's login in a browser (RFC 6749 §4.1, RFC 7636).
CREATE TABLE authorization_codes (
	code_hash TEXT PRIMARY KEY,
	user_id BIGINT NOT NULL REFERENCES users (id),
	identity_id BIGINT NOT NULL DEFAULT 0,
	auth_at BIGINT NOT NULL,
	redirect_uri TEXT NOT NULL,
	challenge TEXT NOT NULL,		-- S256
	session_id BIGINT NOT NULL DEFAULT 0,	-- what it was given for; 0: not used yet
	expires_at BIGINT NOT NULL
);
CREATE INDEX authorization_codes_by_end ON authorization_codes (expires_at);

-- "how" gets one more word, and a session knows the identity behind it.
CREATE TABLE sessions_4 (
	id BIGINT PRIMARY KEY,
	user_id BIGINT NOT NULL REFERENCES users (id),
	token_hash TEXT NOT NULL UNIQUE,
	how TEXT NOT NULL CHECK (how IN ('password', 'key', 'invitation', 'browser')),
	identity_id BIGINT NOT NULL DEFAULT 0,	-- of sso_identities; 0: none
	peer TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	revoked_at BIGINT NOT NULL DEFAULT 0
);
INSERT INTO sessions_4 (id, user_id, token_hash, how, peer, created_at, expires_at, revoked_at)
	SELECT id, user_id, token_hash, how, peer, created_at, expires_at, revoked_at FROM sessions;
DROP TABLE sessions;
ALTER TABLE sessions_4 RENAME TO sessions;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_identity ON sessions (identity_id);
