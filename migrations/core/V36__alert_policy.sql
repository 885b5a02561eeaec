-- What the alert policy remembers between events: how far it has come, and every cabinet as it has folded it. All of it
-- follows from the log. The position stands apart from core.policy_positions, because erasures wait for the policies
-- there and would wait for ever where no notifier runs.
SET LOCAL ROLE st_owner;

CREATE TABLE core.alert_policy (
    id           smallint PRIMARY KEY CHECK (id = 1),
    position     bigint NOT NULL,   -- everything up to here is judged, and its alerts are in the log
    fold_version integer NOT NULL,  -- of the program that judged it
    quiet_until  bigint NOT NULL,   -- up to here another version has judged: nothing is raised there again
    epoch        bigint NOT NULL    -- counts the instances that were active; only the last one may write
) WITH (fillfactor = 10);
-- What happened before there were alerts warns no more: it is folded, and what is still low then is judged with the next
-- sync.
INSERT INTO core.alert_policy (id, position, fold_version, quiet_until, epoch)
SELECT 1, 0, 0, h.position, 0 FROM core.log_head h WHERE h.id = 1;
GRANT SELECT, UPDATE ON core.alert_policy TO st_notifier;

-- JSON as bytes: it is read as a whole or not at all, and the server compresses it. The row of the cabinet
-- 00000000-0000-0000-0000-000000000000 has the tenant's rules and the list of its cabinets.
CREATE TABLE core.alert_cabinets (
    tenant_id    uuid NOT NULL,
    cabinet_id   uuid NOT NULL,
    position     bigint NOT NULL,   -- of the last event that is in it
    fold_version integer NOT NULL,
    state        bytea NOT NULL,
    PRIMARY KEY (tenant_id, cabinet_id)
);
ALTER TABLE core.alert_cabinets ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.alert_cabinets FORCE ROW LEVEL SECURITY;
-- Erasure finds the table by its column and empties it with the tenant.
CREATE POLICY owner_erases ON core.alert_cabinets TO st_owner USING (true);
-- The policy serves all tenants at once.
CREATE POLICY policy_all ON core.alert_cabinets TO st_notifier USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON core.alert_cabinets TO st_notifier;

RESET ROLE;
