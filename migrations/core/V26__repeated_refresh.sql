-- A refresh that is repeated at once by the same client (two tabs, an answer that was lost) is answered with the same
-- next token instead of ending the session.
SET LOCAL ROLE st_owner;

-- Who used the token first, as a keyed hash of network address and user agent; and what the next token is derived from
-- together with the token itself, which is not stored. Both are there only while the next token is unused.
ALTER TABLE core.refresh_tokens ADD COLUMN used_by bytea, ADD COLUMN successor_salt bytea;

RESET ROLE;
