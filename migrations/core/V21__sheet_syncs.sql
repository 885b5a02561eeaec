-- What became of each request to write a sheet now. Each is ended once, by the first write that began after it; the
-- state of the sheet goes on changing with later writes and cannot say it.
SET LOCAL ROLE st_owner;

CREATE TABLE core.sheet_syncs (
    tenant_id    uuid NOT NULL,
    operation_id uuid NOT NULL,
    wanted       bigint NOT NULL,                   -- the sheet is to show the read model of here, or later
    requested_at timestamptz NOT NULL,
    taken_up     boolean NOT NULL DEFAULT false,    -- a write began after it
    ended_at     timestamptz,                       -- never changes again
    error_kind   text,                              -- none where it was written
    error        text,                              -- the same for the seller
    PRIMARY KEY (tenant_id, operation_id)
);
CREATE INDEX sheet_syncs_open ON core.sheet_syncs (tenant_id) WHERE ended_at IS NULL;
ALTER TABLE core.sheet_syncs ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.sheet_syncs FORCE ROW LEVEL SECURITY;
CREATE POLICY all_tenants ON core.sheet_syncs TO st_sheets USING (true) WITH CHECK (true);
CREATE POLICY one_tenant ON core.sheet_syncs TO st_api
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY owner_erases ON core.sheet_syncs TO st_owner USING (true);
GRANT SELECT, UPDATE ON core.sheet_syncs TO st_sheets;
GRANT SELECT, INSERT, DELETE ON core.sheet_syncs TO st_api;

RESET ROLE;
