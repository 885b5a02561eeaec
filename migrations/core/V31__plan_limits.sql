-- What a tenant has of what its plan counts: cabinets and products in the order in which they came, and what was used in
-- each calendar month. The log says all of it but the calls of the API; those are counted here and nowhere else.
--
-- Functions that run with the owner's rights, the complete list of this file:
--   core.follow_places       trigger: cabinets and products that come, rest and go
--   core.decide_tenant_plan  as in V11; also says that the tenant's cabinets are to be compared with the plan
--   core.next_due_cabinets   as in V11; cabinets that the plan does not allow rest
SET LOCAL ROLE st_owner;

-- Connected cabinets. `place` is the position of the event that connected it last: the plan keeps the lowest.
CREATE TABLE core.cabinet_places (
    tenant_id  uuid NOT NULL,
    cabinet_id uuid NOT NULL,
    place      bigint NOT NULL,
    paused     boolean NOT NULL DEFAULT false, -- by the plan; a person's pause is not of interest here
    PRIMARY KEY (tenant_id, cabinet_id)
);

-- Products that were ever listed. `place` is the position of the event that listed it: the plan keeps the lowest of those
-- that are in the catalogue of a cabinet that is kept up to date.
CREATE TABLE core.product_places (
    tenant_id  uuid NOT NULL,
    product_id uuid NOT NULL,
    cabinet_id uuid NOT NULL,
    place      bigint NOT NULL,
    delisted   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, product_id)
);
CREATE INDEX product_places_in_order ON core.product_places (tenant_id, place) INCLUDE (cabinet_id) WHERE NOT delisted;

-- One row a tenant and calendar month (UTC, its first day). Products and cabinets are the most there were when a sync
-- ended or a cabinet was connected. `api_calls` are those that replicas of the API have taken out of the quota; what a
-- replica takes and does not use it gives back.
CREATE TABLE core.usage_months (
    tenant_id uuid NOT NULL,
    month     date NOT NULL,
    api_calls bigint NOT NULL DEFAULT 0,
    syncs     bigint NOT NULL DEFAULT 0,
    products  bigint NOT NULL DEFAULT 0,
    cabinets  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, month)
) WITH (fillfactor = 50);

-- How often the plan or the cabinets of the tenant have changed, and up to which change the cabinets were compared with
-- the plan. Two counters and no flag: a change that comes during the comparison is not lost.
ALTER TABLE core.tenant_terms ADD COLUMN changes bigint NOT NULL DEFAULT 0;
ALTER TABLE core.tenant_terms ADD COLUMN compared bigint NOT NULL DEFAULT 0;
CREATE INDEX tenant_terms_uncompared ON core.tenant_terms (tenant_id) WHERE compared < changes;

-- Whether the cabinet rests because the plan allows fewer; beside `paused`, which is a person's wish.
ALTER TABLE core.cabinet_work ADD COLUMN paused_by_plan boolean NOT NULL DEFAULT false;

-- ---------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION core.decide_tenant_plan(p_tenant uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
DECLARE
    best text;
BEGIN
    SELECT s.plan INTO best
      FROM core.subscriptions s
      JOIN core.accounts a ON a.tenant_id = s.tenant_id AND a.user_id = s.user_id AND a.role = 'owner'
     WHERE s.tenant_id = p_tenant AND s.status IN ('trialing', 'active', 'past_due')
     ORDER BY array_position(ARRAY['free', 'starter', 'pro', 'enterprise'], s.plan) DESC NULLS LAST LIMIT 1;
    UPDATE core.tenant_terms t SET plan = best, reschedule = true, changes = t.changes + 1
     WHERE t.tenant_id = p_tenant AND t.plan IS DISTINCT FROM best;
END $$;

-- In the transaction that appends, so that the next command finds what the last one did. The named events keep these
-- fields in all their versions.
CREATE FUNCTION core.follow_places() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
BEGIN
    CASE NEW.event_type
        WHEN 'product_listed' THEN
            INSERT INTO core.product_places (tenant_id, product_id, cabinet_id, place)
            VALUES (NEW.tenant_id, NEW.aggregate_id::uuid, (NEW.payload ->> 'cabinet_id')::uuid, NEW.position)
            ON CONFLICT DO NOTHING;
        WHEN 'product_delisted', 'product_relisted' THEN
            UPDATE core.product_places p SET delisted = NEW.event_type = 'product_delisted'
             WHERE p.tenant_id = NEW.tenant_id AND p.product_id = NEW.aggregate_id::uuid;
        WHEN 'cabinet_paused', 'cabinet_resumed' THEN
            UPDATE core.cabinet_places c SET paused = NEW.event_type = 'cabinet_paused'
             WHERE c.tenant_id = NEW.tenant_id AND c.cabinet_id = NEW.aggregate_id::uuid;
        WHEN 'cabinet_connected', 'cabinet_reconnected' THEN
            INSERT INTO core.cabinet_places AS c (tenant_id, cabinet_id, place)
            VALUES (NEW.tenant_id, NEW.aggregate_id::uuid, NEW.position)
            ON CONFLICT DO NOTHING;
            UPDATE core.tenant_terms t SET changes = t.changes + 1 WHERE t.tenant_id = NEW.tenant_id;
        WHEN 'cabinet_disconnected' THEN
            DELETE FROM core.cabinet_places c
             WHERE c.tenant_id = NEW.tenant_id AND c.cabinet_id = NEW.aggregate_id::uuid;
            UPDATE core.tenant_terms t SET changes = t.changes + 1 WHERE t.tenant_id = NEW.tenant_id;
        ELSE
            NULL; -- the trigger's condition names no other
    END CASE;
    RETURN NULL;
END $$;

CREATE TRIGGER events_places
    AFTER INSERT ON core.events
    FOR EACH ROW WHEN (NEW.event_type IN (
        'product_listed', 'product_delisted', 'product_relisted',
        'cabinet_connected', 'cabinet_reconnected', 'cabinet_disconnected', 'cabinet_paused', 'cabinet_resumed'))
    EXECUTE FUNCTION core.follow_places();

CREATE OR REPLACE FUNCTION core.next_due_cabinets(p_now timestamptz, p_limit integer, p_most integer)
RETURNS TABLE (tenant_id uuid, cabinet_id uuid, never_synced boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT due.tenant_id, due.cabinet_id, due.never_synced
      FROM (SELECT w.tenant_id, w.cabinet_id, w.ended_at IS NULL AS never_synced, w.due_at,
                   row_number() OVER (PARTITION BY w.tenant_id ORDER BY w.due_at, w.cabinet_id) AS turn
              FROM core.cabinet_work w
             WHERE w.due_at <= p_now AND w.sync_id IS NULL AND w.usable AND NOT w.paused AND NOT w.paused_by_plan
               AND NOT EXISTS (SELECT FROM core.suspensions s WHERE s.tenant_id = w.tenant_id)) due
     ORDER BY due.turn, due.due_at, due.cabinet_id
     LIMIT greatest(0, least(p_limit, p_most - (
           SELECT count(*) FROM core.cabinet_work o
            WHERE o.sync_id IS NOT NULL AND o.queue_at <= p_now + interval '1 minute')));
END;

-- Takes up to a slice of calls out of what is left of a month's quota. With the caller's own rights.
CREATE FUNCTION core.claim_api_calls(p_tenant uuid, p_month date, p_slice bigint, p_quota bigint)
RETURNS TABLE (granted bigint, used bigint)
LANGUAGE plpgsql SET search_path = core, pg_temp AS $$
DECLARE
    before bigint;
BEGIN
    INSERT INTO core.usage_months (tenant_id, month) VALUES (p_tenant, p_month) ON CONFLICT DO NOTHING;
    SELECT u.api_calls INTO before FROM core.usage_months u
     WHERE u.tenant_id = p_tenant AND u.month = p_month FOR UPDATE;
    granted := greatest(0, least(p_slice, p_quota - before));
    used := before + granted;
    IF granted > 0 THEN
        UPDATE core.usage_months u SET api_calls = before + claim_api_calls.granted
         WHERE u.tenant_id = p_tenant AND u.month = p_month;
    END IF;
    RETURN NEXT;
END $$;

-- What a tenant has now, as a month's usage: the most that was seen of it. `p_syncs` are syncs that have completed.
CREATE FUNCTION core.note_usage(p_tenant uuid, p_month date, p_syncs bigint) RETURNS void
LANGUAGE sql SET search_path = core, pg_temp
BEGIN ATOMIC
    INSERT INTO core.usage_months AS u (tenant_id, month, syncs, products, cabinets)
    SELECT p_tenant, p_month, p_syncs,
           (SELECT count(*) FROM core.product_places p
             WHERE p.tenant_id = p_tenant AND NOT p.delisted
               AND p.cabinet_id = ANY (ARRAY(SELECT c.cabinet_id FROM core.cabinet_places c
                                              WHERE c.tenant_id = p_tenant))),
           (SELECT count(*) FROM core.cabinet_places c WHERE c.tenant_id = p_tenant)
    ON CONFLICT (tenant_id, month) DO UPDATE
       SET syncs = u.syncs + EXCLUDED.syncs,
           products = greatest(u.products, EXCLUDED.products),
           cabinets = greatest(u.cabinets, EXCLUDED.cabinets);
END;

-- ---------------------------------------------------------------------------------------------------------------

ALTER TABLE core.cabinet_places ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.cabinet_places FORCE ROW LEVEL SECURITY;
ALTER TABLE core.product_places ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.product_places FORCE ROW LEVEL SECURITY;
ALTER TABLE core.usage_months ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.usage_months FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON core.cabinet_places TO st_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON core.product_places TO st_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON core.usage_months TO st_owner USING (true) WITH CHECK (true);
CREATE POLICY one_tenant ON core.cabinet_places FOR SELECT TO st_api, st_gateway
    USING (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.product_places FOR SELECT TO st_api
    USING (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.usage_months TO st_api
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
-- The policies serve all tenants at once.
CREATE POLICY policy_all ON core.cabinet_places FOR SELECT TO st_worker USING (true);
CREATE POLICY policy_all ON core.product_places FOR SELECT TO st_worker USING (true);
CREATE POLICY policy_all ON core.usage_months TO st_worker USING (true) WITH CHECK (true);
GRANT SELECT ON core.cabinet_places TO st_api, st_gateway, st_worker;
GRANT SELECT ON core.product_places TO st_api, st_worker;
GRANT SELECT, INSERT, UPDATE ON core.usage_months TO st_api, st_worker;
GRANT UPDATE (compared) ON core.tenant_terms TO st_worker;
REVOKE ALL ON FUNCTION core.follow_places, core.claim_api_calls, core.note_usage FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.claim_api_calls TO st_api;
GRANT EXECUTE ON FUNCTION core.note_usage TO st_worker;

-- Cabinets and products of before this file. The log is scanned once.
INSERT INTO core.cabinet_places (tenant_id, cabinet_id, place)
SELECT e.tenant_id, e.aggregate_id::uuid, e.position
  FROM (SELECT DISTINCT ON (e.tenant_id, e.aggregate_id) e.* FROM core.events e
         WHERE e.aggregate_type IN ('cabinet', 'sync') -- the index of what policies read
           AND e.event_type IN ('cabinet_connected', 'cabinet_reconnected', 'cabinet_disconnected')
         ORDER BY e.tenant_id, e.aggregate_id, e.position DESC) e
 WHERE e.event_type <> 'cabinet_disconnected';
INSERT INTO core.product_places (tenant_id, product_id, cabinet_id, place, delisted)
SELECT e.tenant_id, e.aggregate_id::uuid, (e.payload ->> 'cabinet_id')::uuid, e.position,
       coalesce((SELECT l.event_type = 'product_delisted' FROM core.events l
                  WHERE l.aggregate_id = e.aggregate_id AND l.aggregate_type = 'product'
                    AND l.event_type IN ('product_delisted', 'product_relisted')
                  ORDER BY l.sequence DESC LIMIT 1), false)
  FROM core.events e
 WHERE e.aggregate_type = 'product' AND e.event_type = 'product_listed'
ON CONFLICT DO NOTHING;
-- Tenants erased meanwhile have no rows.
DELETE FROM core.cabinet_places c USING core.erasure_acts a
 WHERE a.tenant_id = c.tenant_id AND a.subject_type = 'tenant' AND a.position IS NOT NULL;
DELETE FROM core.product_places p USING core.erasure_acts a
 WHERE a.tenant_id = p.tenant_id AND a.subject_type = 'tenant' AND a.position IS NOT NULL;
UPDATE core.tenant_terms SET changes = changes + 1;

RESET ROLE;
