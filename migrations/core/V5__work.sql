-- What the policies and the worker remember between jobs. All of it follows from the log (or is asked for again);
-- none of it is read by queries.
SET LOCAL ROLE st_owner;

-- Policies read two kinds of streams out of a log that is mostly products. Positions are dense and appear in commit
-- order, so "the next ones after this position" never skips any.
CREATE INDEX events_of_policies ON core.events (position) WHERE aggregate_type IN ('cabinet', 'sync');

CREATE TABLE core.policy_positions (
    policy   text PRIMARY KEY,
    position bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO core.policy_positions VALUES ('syncs', 0);

-- Cabinets, as the sync policy knows them: what is outstanding, and when the next scheduled sync is due.
CREATE TABLE core.cabinet_work (
    tenant_id        uuid NOT NULL,
    cabinet_id       uuid NOT NULL,
    usable           boolean NOT NULL,
    paused           boolean NOT NULL DEFAULT false,
    interval_seconds integer,
    connected_at     timestamptz NOT NULL,
    ended_at         timestamptz,
    sync_id          uuid,
    attempt          integer NOT NULL DEFAULT 0,
    queue_at         timestamptz,
    PRIMARY KEY (tenant_id, cabinet_id)
);
CREATE INDEX cabinet_work_queue ON core.cabinet_work (queue_at) WHERE sync_id IS NOT NULL;

-- Articles ever seen in a cabinet: what a complete answer does not contain is gone, and this says what that is.
CREATE TABLE core.cabinet_products (
    tenant_id  uuid NOT NULL,
    cabinet_id uuid NOT NULL,
    nm_id      bigint NOT NULL,
    PRIMARY KEY (tenant_id, cabinet_id, nm_id)
);

-- Warehouses ever seen in a cabinet: sources that tell only a name are resolved to the id it is known under.
CREATE TABLE core.cabinet_warehouses (
    tenant_id  uuid NOT NULL,
    cabinet_id uuid NOT NULL,
    key        text NOT NULL,
    name       text NOT NULL,
    PRIMARY KEY (tenant_id, cabinet_id, key)
);

-- Size of the last believed answer, and the sync whose implausible answer waits for confirmation.
CREATE TABLE core.cabinet_totals (
    tenant_id   uuid NOT NULL,
    cabinet_id  uuid NOT NULL,
    available   bigint NOT NULL,
    articles    bigint NOT NULL,
    doubted_by  uuid,
    PRIMARY KEY (tenant_id, cabinet_id)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['cabinet_work', 'cabinet_products', 'cabinet_warehouses', 'cabinet_totals'] LOOP
        EXECUTE format('ALTER TABLE core.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE core.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_reads ON core.%I FOR SELECT TO st_owner USING (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['cabinet_products', 'cabinet_warehouses', 'cabinet_totals'] LOOP
        EXECUTE format('CREATE POLICY one_tenant ON core.%I TO st_worker
                        USING (tenant_id = (SELECT core.current_tenant()))
                        WITH CHECK (tenant_id = (SELECT core.current_tenant()))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON core.%I TO st_worker', name);
    END LOOP;
END $$;

-- The policy serves all tenants at once.
CREATE POLICY policy_all ON core.cabinet_work TO st_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON core.cabinet_work TO st_worker;
GRANT SELECT, UPDATE ON core.policy_positions TO st_worker;

-- The events policies react to, of all tenants; the worker sees no other foreign event.
CREATE FUNCTION core.policy_events(after bigint, up_to integer) RETURNS SETOF core.events
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT e.* FROM core.events e
     WHERE e.position > after AND e.aggregate_type IN ('cabinet', 'sync')
     ORDER BY e.position LIMIT up_to;
END;
REVOKE ALL ON FUNCTION core.policy_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.policy_events TO st_worker;

-- Cabinets whose next scheduled sync is due, longest waiting first. For the scheduler, by way of the gateway.
CREATE FUNCTION core.due_cabinets(at timestamptz, default_interval integer, up_to integer)
RETURNS TABLE (tenant_id uuid, cabinet_id uuid, connected boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT w.tenant_id, w.cabinet_id, w.ended_at IS NULL FROM core.cabinet_work w
     WHERE w.usable AND NOT w.paused AND w.sync_id IS NULL
       AND (w.ended_at IS NULL
            OR w.ended_at + make_interval(secs => coalesce(w.interval_seconds, default_interval)) <= at)
     ORDER BY w.ended_at NULLS FIRST LIMIT up_to;
END;
REVOKE ALL ON FUNCTION core.due_cabinets FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.due_cabinets TO st_gateway;

RESET ROLE;
