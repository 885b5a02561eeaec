-- Streams of events over HTTP: whose events came, for the tenants that somebody listens for. One look serves every
-- listener of a process, so those for whom nothing came cost no query.
SET LOCAL ROLE st_owner;

-- A function that runs with the owner's rights: the role may not read other tenants' events, only that some came, and
-- only of tenants that it names.
CREATE FUNCTION core.event_touches(after bigint, up_to bigint, among uuid[])
RETURNS TABLE (tenant_id uuid, last_position bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT e.tenant_id, max(e.position) FROM core.events e
     WHERE e.position > after AND e.position <= up_to
       AND e.aggregate_type IN ('sync', 'product', 'alert') AND e.tenant_id = ANY(among)
     GROUP BY e.tenant_id;
END;
REVOKE ALL ON FUNCTION core.event_touches FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.event_touches TO st_api;

RESET ROLE;
