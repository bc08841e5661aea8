-- SPDX-License-Identifier: MIT
--
-- Who answers for what a connection gives away, and whose session a provider's was. As in 0001.

-- Who said last what default_role and allowed_roles are, or left them when changing something else:
-- they give only what this person may give at the time.
-- 0: whoever made the connection.
ALTER TABLE sso_connections ADD COLUMN roles_by BIGINT NOT NULL DEFAULT 0;

-- A provider's logout names its session alone, and comes after ours as well.
CREATE INDEX browser_sessions_by_provider_sid ON browser_sessions (provider_sid);
