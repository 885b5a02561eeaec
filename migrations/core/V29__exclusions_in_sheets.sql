-- A warehouse that a seller leaves out of what can be sold, or counts again, changes the totals of the sheet.
--
-- Functions that run with the owner's rights:
--   core.sheet_touches     whose products, syncs or cabinets changed, and where; nothing of what changed
SET LOCAL ROLE st_owner;

CREATE OR REPLACE FUNCTION core.sheet_touches(after bigint, up_to bigint)
RETURNS TABLE (tenant_id uuid, last_position bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT e.tenant_id, max(e.position) FROM core.events e
     WHERE e.position > after AND e.position <= up_to
       AND (e.aggregate_type = 'product'
            OR e.event_type IN ('sync_completed', 'sync_failed', 'sync_quarantined', 'sync_discarded',
                                'cabinet_disconnected', 'cabinet_reconnected',
                                'warehouse_excluded', 'warehouse_included'))
     GROUP BY e.tenant_id;
END;

RESET ROLE;
