-- What the sheets role remembers: which spreadsheets are linked, what is in them, and which are behind. The links
-- follow from the log; what was written is verified by reading wherever it is missing. Empty on both counts is safe.
SET LOCAL ROLE st_owner;

-- The links are read from the log itself when the broker has lost some of it.
CREATE INDEX events_of_sheets ON core.events (position) WHERE aggregate_type = 'sheet';

-- One active follower at a time; the position fences, the holder only keeps a second one from working in vain.
CREATE TABLE core.sheet_position (
    id         integer PRIMARY KEY CHECK (id = 1),
    position   bigint NOT NULL,
    holder     uuid,
    held_until timestamptz
) WITH (fillfactor = 10);
INSERT INTO core.sheet_position VALUES (1, 0);

CREATE TABLE core.sheet_states (
    tenant_id        uuid PRIMARY KEY,
    spreadsheet_id   text NOT NULL,
    worksheet        text NOT NULL,
    credential_id    uuid,                            -- none: the service's own account
    linked           boolean NOT NULL,
    link_position    bigint NOT NULL,                 -- the event that linked or unlinked last; fences a write
    dirty_position   bigint NOT NULL,                 -- the sheet should show the read model of here, or later
    dirty_since      timestamptz,                     -- the first change since the last write
    dirty_at         timestamptz,                     -- the last one
    written_position bigint NOT NULL DEFAULT 0,       -- the sheet shows the read model of here
    written_day      date,                            -- the Moscow day that ends the 7 days it shows
    written          bytea,                           -- what was written, as sheet-layout encodes it; none: unknown
    sheet_id         integer,                         -- the worksheet, whatever it is called now
    write_started_at timestamptz,                     -- a batch was sent and its outcome is not recorded
    verify           boolean NOT NULL DEFAULT false,  -- read every managed cell before the next write
    last_written_at  timestamptz,
    last_error       text,
    next_try_at      timestamptz,
    attempts         integer NOT NULL DEFAULT 0,      -- failures since the last success
    lease_holder     uuid,
    lease_until      timestamptz
) WITH (fillfactor = 70);
CREATE INDEX sheet_states_linked ON core.sheet_states (tenant_id) WHERE linked;

ALTER TABLE core.sheet_states ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.sheet_states FORCE ROW LEVEL SECURITY;
-- The role serves all tenants at once; what the sheet shows it reads as one tenant.
CREATE POLICY all_tenants ON core.sheet_states TO st_sheets USING (true) WITH CHECK (true);
CREATE POLICY one_tenant ON core.sheet_states FOR SELECT TO st_api, st_gateway
    USING (tenant_id = (SELECT core.current_tenant()));
GRANT SELECT, INSERT, UPDATE ON core.sheet_states TO st_sheets;
-- The state of the link, not the cells.
GRANT SELECT (tenant_id, spreadsheet_id, worksheet, linked, link_position, dirty_position, written_position,
              last_written_at, last_error, next_try_at, attempts) ON core.sheet_states TO st_api, st_gateway;
GRANT SELECT, UPDATE ON core.sheet_position TO st_sheets;

-- Functions that run with the owner's rights, the complete list: the role may not read the log, only this of it.
--   core.sheet_events      links of spreadsheets, whole
--   core.sheet_touches     whose products or syncs changed, and where; nothing of what changed
CREATE FUNCTION core.sheet_events(after bigint, up_to bigint)
RETURNS TABLE (event_position bigint, tenant_id uuid, event_type text, event_version text, payload text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT e.position, e.tenant_id, e.event_type, e.event_version, e.payload::text FROM core.events e
     WHERE e.position > after AND e.position <= up_to AND e.aggregate_type = 'sheet'
     ORDER BY e.position;
END;
CREATE FUNCTION core.sheet_touches(after bigint, up_to bigint)
RETURNS TABLE (tenant_id uuid, last_position bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT e.tenant_id, max(e.position) FROM core.events e
     WHERE e.position > after AND e.position <= up_to
       AND (e.aggregate_type = 'product'
            OR e.event_type IN ('sync_completed', 'sync_failed', 'sync_quarantined'))
     GROUP BY e.tenant_id;
END;
REVOKE ALL ON FUNCTION core.sheet_events, core.sheet_touches FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.sheet_events, core.sheet_touches TO st_sheets;

RESET ROLE;
