-- One database role per process, none of them a superuser, each with the least it needs.
-- Roles belong to the whole server, so a second database finds them already there.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY[
        'st_owner',      -- owns every object; nobody logs in as it
        'st_api',        -- HTTP: commands, queries of one tenant at a time
        'st_gateway',    -- the same over NATS
        'st_relay',      -- reads the log
        'st_projector',  -- reads the log, writes read models
        'st_worker',     -- policies and syncs: commands, opens credentials
        'st_sheets'      -- reads read models, opens the sheet's credential
    ]
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database of this server was migrated at the same moment
            END;
        END IF;
    END LOOP;
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- What the write side keeps: the log, its heads, side tables with personal data, the vault.
CREATE SCHEMA core AUTHORIZATION st_owner;
GRANT USAGE ON SCHEMA core TO st_api, st_gateway, st_relay, st_projector, st_worker, st_sheets;

-- The tenant of the running transaction; no tenant means no rows. Written with nullif because the setting is an
-- empty string, not NULL, once a connection has had one.
CREATE FUNCTION core.current_tenant() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('app.tenant', true), '')::uuid;
ALTER FUNCTION core.current_tenant() OWNER TO st_owner;
