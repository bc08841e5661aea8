-- SPDX-License-Identifier: MIT
--
-- A second key of ours beside sso_connections.sp_key, while the one follows the other: the next one,
-- whose certificate is published already, or the former one, which opens what was encrypted for it.
ALTER TABLE sso_connections ADD COLUMN sp_other TEXT NOT NULL DEFAULT ''	-- '': there is none
	CHECK (sp_other IN ('', 'next', 'former'));
ALTER TABLE sso_connections ADD COLUMN sp_other_at BIGINT NOT NULL DEFAULT 0;	-- since when it is that
ALTER TABLE sso_connections ADD COLUMN sp_other_key TEXT;			-- sealed; NULL: none
ALTER TABLE sso_connections ADD COLUMN sp_other_certificate TEXT NOT NULL DEFAULT '';	-- PEM
