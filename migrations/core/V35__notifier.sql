-- The role of the process that warns: it reads the whole log, appends alerts, opens what outgoing messages need, and
-- reads names from the read models.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'st_notifier') THEN
        BEGIN
            CREATE ROLE st_notifier NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database of this server was migrated at the same moment
        END;
    END IF;
END $$;

SET LOCAL ROLE st_owner;

GRANT USAGE ON SCHEMA core TO st_notifier;

-- It appends like the others who append, and reads the log like the relay.
GRANT EXECUTE ON FUNCTION core.append_events TO st_notifier;
CREATE POLICY notifier_reads ON core.events FOR SELECT TO st_notifier USING (true);
CREATE POLICY notifier_one_tenant ON core.heads FOR SELECT TO st_notifier
    USING (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY notifier_one_tenant ON core.commands FOR SELECT TO st_notifier
    USING (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY notifier_one_tenant ON core.states TO st_notifier
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
GRANT SELECT ON core.events, core.heads, core.commands, core.log_head TO st_notifier;
GRANT SELECT, INSERT, UPDATE ON core.states TO st_notifier;

-- Addresses and signing secrets of outgoing webhooks.
CREATE POLICY notifier_one_tenant ON core.tenant_keys FOR SELECT TO st_notifier
    USING (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY notifier_one_tenant ON core.credentials FOR SELECT TO st_notifier
    USING (tenant_id = (SELECT core.current_tenant()));
GRANT SELECT ON core.tenant_keys, core.credentials TO st_notifier;

-- Names of cabinets and tenants, for texts.
CREATE POLICY notifier_one_tenant ON core.profiles FOR SELECT TO st_notifier
    USING (tenant_id = (SELECT core.current_tenant()));
GRANT SELECT ON core.profiles TO st_notifier;

RESET ROLE;
