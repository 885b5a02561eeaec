-- Backups without a superuser. Row security is forced on the owner as well, so the owner's dump is refused, or nearly
-- empty with --enable-row-security. st_backup reads every row of every tenant, writes nothing, and no server runs as it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'st_backup') THEN
        BEGIN
            CREATE ROLE st_backup NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database of this server was migrated at the same moment
        END;
    END IF;
END $$;

SET LOCAL ROLE st_owner;

GRANT USAGE ON SCHEMA core TO st_backup;

-- Lets st_backup read what is in the schema now. `migrate` calls it at its end, so that no table is forgotten.
CREATE FUNCTION core.open_to_backup() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
    found record;
BEGIN
    GRANT SELECT ON ALL TABLES IN SCHEMA core TO st_backup;
    GRANT SELECT ON ALL SEQUENCES IN SCHEMA core TO st_backup;
    FOR found IN
        SELECT c.oid::regclass AS name FROM pg_class c
         WHERE c.relnamespace = 'core'::regnamespace AND c.relrowsecurity
           AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'backup')
    LOOP
        EXECUTE format('CREATE POLICY backup ON %s FOR SELECT TO st_backup USING (true)', found.name);
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION core.open_to_backup() FROM PUBLIC;

RESET ROLE;
