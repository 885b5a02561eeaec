-- How tenants want their sheets to look, what their sheets' writers have to tell them, and the quota of Google's
-- that all processes share.
SET LOCAL ROLE st_owner;

-- Follows the log beside `sheet_states`, so a sheet that is due by a choice is written with it. Exports read the same
-- event from the read model.
CREATE TABLE core.sheet_layouts (
    tenant_id uuid PRIMARY KEY,
    position  bigint NOT NULL,                        -- of the event that chose
    layout    jsonb NOT NULL                          -- what it says
) WITH (fillfactor = 90);
ALTER TABLE core.sheet_layouts ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.sheet_layouts FORCE ROW LEVEL SECURITY;
CREATE POLICY all_tenants ON core.sheet_layouts TO st_sheets USING (true) WITH CHECK (true);
CREATE POLICY owner_erases ON core.sheet_layouts TO st_owner USING (true);
GRANT SELECT, INSERT, UPDATE ON core.sheet_layouts TO st_sheets;

ALTER TABLE core.sheet_states
    ADD COLUMN error_kind      text,                  -- `last_error` in one word
    ADD COLUMN failing_since   timestamptz,           -- when the first of the failures in a row was
    ADD COLUMN worksheet_title text,                  -- as the worksheet is called now
    ADD COLUMN notice_kind     text,                  -- what was repaired last: `worksheet_recreated`, ...
    ADD COLUMN notice          text,                  -- the same for the seller
    ADD COLUMN notice_at       timestamptz,
    ADD COLUMN veiled          boolean NOT NULL DEFAULT false; -- hidden by us until its first write is whole
GRANT SELECT (error_kind, failing_since, worksheet_title, notice_kind, notice, notice_at)
    ON core.sheet_states TO st_api, st_gateway;

-- When the next request to Google is due, by service account or project and by reading or writing. Requests are
-- given their times in the order in which they ask, whichever process asks.
CREATE TABLE core.google_quotas (
    name    text PRIMARY KEY,
    next_at timestamptz NOT NULL
) WITH (fillfactor = 10);
GRANT SELECT, INSERT, UPDATE ON core.google_quotas TO st_sheets, st_api;

RESET ROLE;
