-- Who may read a filled read model. Applied to every read model's schema after its own tables, with the same
-- `search_path`. Nobody but the projector gets as far as the schema before this.
DO $$
DECLARE
    target text := current_schema();
    relation text;
BEGIN
    FOR relation IN
        SELECT c.relname FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
         WHERE c.relnamespace = target::regnamespace AND c.relkind = 'r'
         ORDER BY c.relname
    LOOP
        EXECUTE format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', target, relation);
        EXECUTE format('ALTER TABLE %I.%I FORCE ROW LEVEL SECURITY', target, relation);
        -- Forced row security binds the owner too.
        EXECUTE format('CREATE POLICY fold ON %I.%I TO st_projector USING (true) WITH CHECK (true)', target, relation);
        EXECUTE format('CREATE POLICY one_tenant ON %I.%I FOR SELECT TO st_api, st_gateway, st_sheets, st_notifier '
                       'USING (tenant_id = (SELECT core.current_tenant()))', target, relation);
    END LOOP;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO st_api, st_gateway, st_sheets, st_notifier', target);
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO st_api, st_gateway, st_sheets, st_notifier', target);
END $$;

-- Parked streams of all tenants, for the platform's administrators: names of streams and reasons, no contents.
-- The body is bound to the table, not to a name, so it follows the schema through a swap.
CREATE FUNCTION all_parked()
RETURNS TABLE (tenant_id uuid, stream_type text, stream_id uuid, first_position bigint, reason text, events bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_temp
BEGIN ATOMIC
    SELECT s.tenant_id, s.stream_type, s.stream_id, s.first_position, s.reason,
           (SELECT count(*) FROM parked_events e
             WHERE e.tenant_id = s.tenant_id AND e.stream_type = s.stream_type AND e.stream_id = s.stream_id)
      FROM parked_streams s
     ORDER BY s.first_position;
END;
REVOKE ALL ON FUNCTION all_parked() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION all_parked() TO st_api, st_gateway;
