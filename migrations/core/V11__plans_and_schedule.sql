-- What a tenant may have and when its cabinets are due: contracts, the plan that follows from them, the tenant's clock,
-- the moment of the next scheduled sync, and what keeps one tenant from holding the queue.
--
-- Functions that run with the owner's rights, the complete list of this file:
--   core.follow_terms           trigger: carries the log's word on contracts, owners and clocks into the tables
--   core.decide_tenant_plan     the best plan that the owners' contracts give
--   core.lapsed_subscriptions   of all tenants, for the worker: ids of contracts that nobody prolonged
--   core.next_due_cabinets      of all tenants, for the scheduler by way of the gateway: ids only; core.due_cabinets of
--                               before is for programs of before
--   core.list_people_and_plans  for platform administrators, who it checks for itself
SET LOCAL ROLE st_owner;

-- One contract a user, as the log says. No row: none.
CREATE TABLE core.subscriptions (
    tenant_id  uuid NOT NULL,
    user_id    uuid NOT NULL,
    plan       text NOT NULL,
    status     text NOT NULL,
    period_end timestamptz,
    cancel_at  timestamptz,
    PRIMARY KEY (tenant_id, user_id)
);

-- What holds for a tenant as a whole. No plan: its owners have no contract that gives one. `reschedule` says that the
-- cabinets' next syncs have to be decided anew; a flag in a row of its own, so that an append waits for no policy.
CREATE TABLE core.tenant_terms (
    tenant_id  uuid PRIMARY KEY,
    plan       text,
    time_zone  text NOT NULL DEFAULT 'Europe/Moscow',
    reschedule boolean NOT NULL DEFAULT false
);
CREATE INDEX tenant_terms_reschedule ON core.tenant_terms (tenant_id) WHERE reschedule;

-- When a cabinet was last asked for; when its next scheduled sync is due (none: to be decided by the policy); since when
-- its job is offered to the workers (none: it waits for its time or its turn).
ALTER TABLE core.cabinet_work ADD COLUMN requested_at timestamptz;
ALTER TABLE core.cabinet_work ADD COLUMN due_at timestamptz;
ALTER TABLE core.cabinet_work ADD COLUMN offered_at timestamptz;
CREATE INDEX cabinet_work_due ON core.cabinet_work (due_at) WHERE sync_id IS NULL;
CREATE INDEX cabinet_work_undecided ON core.cabinet_work (tenant_id, cabinet_id) WHERE due_at IS NULL AND sync_id IS NULL;

ALTER TABLE core.subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.subscriptions FORCE ROW LEVEL SECURITY;
ALTER TABLE core.tenant_terms ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.tenant_terms FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON core.subscriptions TO st_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON core.tenant_terms TO st_owner USING (true) WITH CHECK (true);
CREATE POLICY one_tenant ON core.subscriptions FOR SELECT TO st_api, st_gateway
    USING (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.tenant_terms FOR SELECT TO st_api, st_gateway
    USING (tenant_id = (SELECT core.current_tenant()));
-- The policy serves all tenants at once.
CREATE POLICY policy_all ON core.tenant_terms TO st_worker USING (true) WITH CHECK (true);
GRANT SELECT ON core.subscriptions, core.tenant_terms TO st_api, st_gateway;
GRANT SELECT ON core.tenant_terms TO st_worker;
GRANT UPDATE (reschedule) ON core.tenant_terms TO st_worker;

-- Tenants of before this table.
INSERT INTO core.tenant_terms (tenant_id, time_zone)
SELECT e.tenant_id, e.payload ->> 'time_zone' FROM core.events e
 WHERE e.aggregate_type = 'tenant' AND e.event_type = 'tenant_registered'
   AND NOT EXISTS (SELECT FROM core.erasure_acts a
                    WHERE a.tenant_id = e.tenant_id AND a.subject_type = 'tenant' AND a.position IS NOT NULL)
ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------------------------------------------------------

-- The order of plans is the order of events::subscription::Plan, and the states that give a plan are those of
-- SubscriptionStatus::gives_plan; a test compares both.
CREATE FUNCTION core.decide_tenant_plan(p_tenant uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
DECLARE
    best text;
BEGIN
    SELECT s.plan INTO best
      FROM core.subscriptions s
      JOIN core.accounts a ON a.tenant_id = s.tenant_id AND a.user_id = s.user_id AND a.role = 'owner'
     WHERE s.tenant_id = p_tenant AND s.status IN ('trialing', 'active', 'past_due')
     ORDER BY array_position(ARRAY['free', 'starter', 'pro', 'enterprise'], s.plan) DESC NULLS LAST LIMIT 1;
    UPDATE core.tenant_terms t SET plan = best, reschedule = true
     WHERE t.tenant_id = p_tenant AND t.plan IS DISTINCT FROM best;
END $$;

-- In the transaction that appends, like core.follow_membership and for the same reason. It comes after that one (triggers
-- of one kind run by name), so an owner that was made a moment ago is an owner here. All of the named events are version
-- 1; a new version needs a migration.
CREATE FUNCTION core.follow_terms() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
BEGIN
    CASE NEW.event_type
        WHEN 'tenant_registered' THEN
            INSERT INTO core.tenant_terms (tenant_id, time_zone)
            VALUES (NEW.tenant_id, NEW.payload ->> 'time_zone')
            ON CONFLICT DO NOTHING;
        WHEN 'tenant_time_zone_changed' THEN
            UPDATE core.tenant_terms t SET time_zone = NEW.payload ->> 'time_zone', reschedule = true
             WHERE t.tenant_id = NEW.tenant_id;
        WHEN 'subscription_started', 'subscription_changed' THEN
            INSERT INTO core.subscriptions AS s (tenant_id, user_id, plan, status, period_end, cancel_at)
            VALUES (NEW.tenant_id, NEW.aggregate_id::uuid, NEW.payload ->> 'plan', NEW.payload ->> 'status',
                    (NEW.payload ->> 'period_end')::timestamptz, (NEW.payload ->> 'cancel_at')::timestamptz)
            ON CONFLICT (tenant_id, user_id) DO UPDATE
               SET plan = EXCLUDED.plan, status = EXCLUDED.status, period_end = EXCLUDED.period_end,
                   cancel_at = EXCLUDED.cancel_at;
            PERFORM core.decide_tenant_plan(NEW.tenant_id);
        WHEN 'subscription_ended' THEN
            DELETE FROM core.subscriptions s
             WHERE s.tenant_id = NEW.tenant_id AND s.user_id = NEW.aggregate_id::uuid;
            PERFORM core.decide_tenant_plan(NEW.tenant_id);
        WHEN 'member_added', 'member_role_changed', 'member_removed', 'user_erased' THEN
            PERFORM core.decide_tenant_plan(NEW.tenant_id);
        ELSE
            NULL; -- says nothing about plans or clocks
    END CASE;
    RETURN NULL;
END $$;

CREATE TRIGGER events_terms
    AFTER INSERT ON core.events
    FOR EACH ROW WHEN (NEW.aggregate_type IN ('tenant', 'user', 'subscription'))
    EXECUTE FUNCTION core.follow_terms();

CREATE FUNCTION core.lapsed_subscriptions(p_now timestamptz, p_grace interval, p_limit integer)
RETURNS TABLE (tenant_id uuid, user_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT s.tenant_id, s.user_id FROM core.subscriptions s
     WHERE s.cancel_at <= p_now OR s.period_end + p_grace <= p_now
     ORDER BY s.tenant_id, s.user_id LIMIT p_limit;
END;

-- Cabinets whose next scheduled sync is due: the longest waiting of each tenant first, then the second of each, so that a
-- tenant with many cabinets comes no earlier than one with few. No more than the workers have room for: `most` syncs are
-- with them or about to be; those that wait for a told time do not count. Suspended tenants rest.
CREATE FUNCTION core.next_due_cabinets(p_now timestamptz, p_limit integer, p_most integer)
RETURNS TABLE (tenant_id uuid, cabinet_id uuid, never_synced boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT due.tenant_id, due.cabinet_id, due.never_synced
      FROM (SELECT w.tenant_id, w.cabinet_id, w.ended_at IS NULL AS never_synced, w.due_at,
                   row_number() OVER (PARTITION BY w.tenant_id ORDER BY w.due_at, w.cabinet_id) AS turn
              FROM core.cabinet_work w
             WHERE w.due_at <= p_now AND w.sync_id IS NULL AND w.usable AND NOT w.paused
               AND NOT EXISTS (SELECT FROM core.suspensions s WHERE s.tenant_id = w.tenant_id)) due
     ORDER BY due.turn, due.due_at, due.cabinet_id
     LIMIT greatest(0, least(p_limit, p_most - (
           SELECT count(*) FROM core.cabinet_work o
            WHERE o.sync_id IS NOT NULL AND o.queue_at <= p_now + interval '1 minute')));
END;

CREATE FUNCTION core.list_people_and_plans(p_admin uuid, p_after timestamptz, p_after_id uuid, p_limit integer)
RETURNS TABLE (tenant_id uuid, user_id uuid, email text, display_name text, role text, state text, admin boolean,
               suspended boolean, created_at timestamptz, plan text, plan_ends_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp AS $$
    SELECT p.*, s.plan, s.cancel_at
      FROM core.list_people(p_admin, p_after, p_after_id, p_limit) p
      LEFT JOIN core.subscriptions s ON s.tenant_id = p.tenant_id AND s.user_id = p.user_id
     ORDER BY p.created_at, p.user_id
$$;

-- The act of an erasure lists a user's contracts, too.
CREATE INDEX events_of_contracts ON core.events (tenant_id, position) WHERE aggregate_type = 'subscription';
CREATE OR REPLACE FUNCTION core.erasure_log(p_tenant uuid, p_subject_type text, p_subject uuid) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'position', e.position, 'stream', e.aggregate_type, 'stream_id', e.aggregate_id,
               'version', e.sequence, 'event_type', e.event_type, 'event_id', e.event_id, 'actor', e.actor,
               'recorded_at', e.recorded_at) ORDER BY e.position), '[]')
      FROM (SELECT p.* FROM core.events p
             WHERE p.tenant_id = p_tenant AND p.aggregate_type IN ('tenant', 'user', 'cabinet', 'sheet')
            UNION ALL
            SELECT c.* FROM core.events c WHERE c.tenant_id = p_tenant AND c.aggregate_type = 'subscription') e
     WHERE p_subject_type = 'tenant'
        OR (e.aggregate_type IN ('user', 'subscription') AND e.aggregate_id = p_subject::text)
        OR (e.aggregate_type = 'tenant' AND e.payload ->> 'user_id' = p_subject::text);
END;

REVOKE ALL ON FUNCTION core.decide_tenant_plan, core.follow_terms, core.lapsed_subscriptions,
    core.next_due_cabinets, core.list_people_and_plans FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.lapsed_subscriptions TO st_worker;
GRANT EXECUTE ON FUNCTION core.next_due_cabinets TO st_gateway;
GRANT EXECUTE ON FUNCTION core.list_people_and_plans TO st_api;

RESET ROLE;
