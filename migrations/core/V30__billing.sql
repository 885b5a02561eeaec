-- Contracts by their basis, and what Stripe sends and knows of our users. Here stands what the command side needs; the
-- events of a user's subscription say what happened.
--
-- Functions that run with the owner's rights, the complete list of this file (V11 has the earlier versions):
--   core.follow_terms           trigger: as in V11, with a contract in each of two slots
--   core.list_people_and_plans  for platform administrators, who it checks for itself: one row a person
SET LOCAL ROLE st_owner;

-- A user has one contract with Stripe and one that we keep; `slot` is events::subscription::Slot.
ALTER TABLE core.subscriptions
    ADD COLUMN slot        text NOT NULL DEFAULT 'manual',
    ADD COLUMN basis       text NOT NULL DEFAULT 'grant',
    ADD COLUMN reference   text,
    ADD COLUMN trial_end   timestamptz,
    ADD COLUMN grace_until timestamptz,
    ADD COLUMN announced   timestamptz;
ALTER TABLE core.subscriptions DROP CONSTRAINT subscriptions_pkey;
ALTER TABLE core.subscriptions ADD PRIMARY KEY (tenant_id, user_id, slot);
-- The policy asks which contracts are with Stripe.
CREATE POLICY worker_reads ON core.subscriptions FOR SELECT TO st_worker USING (true);
GRANT SELECT ON core.subscriptions TO st_worker;

-- Version 1 of the events of a contract names neither slot nor basis: those were grants.
CREATE OR REPLACE FUNCTION core.follow_terms() RETURNS trigger
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
            INSERT INTO core.subscriptions AS s
                   (tenant_id, user_id, slot, basis, reference, plan, status, period_end, cancel_at, trial_end,
                    grace_until)
            VALUES (NEW.tenant_id, NEW.aggregate_id::uuid,
                    CASE NEW.payload ->> 'basis' WHEN 'stripe' THEN 'stripe' ELSE 'manual' END,
                    coalesce(NEW.payload ->> 'basis', 'grant'), NEW.payload ->> 'reference',
                    NEW.payload ->> 'plan', NEW.payload ->> 'status',
                    (NEW.payload ->> 'period_end')::timestamptz, (NEW.payload ->> 'cancel_at')::timestamptz,
                    (NEW.payload ->> 'trial_end')::timestamptz, (NEW.payload ->> 'grace_until')::timestamptz)
            ON CONFLICT (tenant_id, user_id, slot) DO UPDATE
               SET basis = EXCLUDED.basis, reference = EXCLUDED.reference, plan = EXCLUDED.plan,
                   status = EXCLUDED.status, period_end = EXCLUDED.period_end, cancel_at = EXCLUDED.cancel_at,
                   trial_end = EXCLUDED.trial_end, grace_until = EXCLUDED.grace_until;
            PERFORM core.decide_tenant_plan(NEW.tenant_id);
        WHEN 'subscription_ended' THEN
            DELETE FROM core.subscriptions s
             WHERE s.tenant_id = NEW.tenant_id AND s.user_id = NEW.aggregate_id::uuid
               AND s.slot = coalesce(NEW.payload ->> 'slot', 'manual');
            PERFORM core.decide_tenant_plan(NEW.tenant_id);
        WHEN 'trial_ending' THEN
            UPDATE core.subscriptions s SET announced = (NEW.payload ->> 'trial_end')::timestamptz
             WHERE s.tenant_id = NEW.tenant_id AND s.user_id = NEW.aggregate_id::uuid
               AND s.slot = NEW.payload ->> 'slot';
        WHEN 'member_added', 'member_role_changed', 'member_removed', 'user_erased' THEN
            PERFORM core.decide_tenant_plan(NEW.tenant_id);
        ELSE
            NULL; -- says nothing about plans or clocks
    END CASE;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION core.list_people_and_plans(p_admin uuid, p_after timestamptz, p_after_id uuid, p_limit integer)
RETURNS TABLE (tenant_id uuid, user_id uuid, email text, display_name text, role text, state text, admin boolean,
               suspended boolean, created_at timestamptz, plan text, plan_ends_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp AS $$
    SELECT p.*, s.plan, s.cancel_at
      FROM core.list_people(p_admin, p_after, p_after_id, p_limit) p
      LEFT JOIN LATERAL (
           SELECT c.plan, c.cancel_at FROM core.subscriptions c
            WHERE c.tenant_id = p.tenant_id AND c.user_id = p.user_id
            ORDER BY c.status IN ('trialing', 'active', 'past_due') DESC,
                     array_position(ARRAY['free', 'starter', 'pro', 'enterprise'], c.plan) DESC NULLS LAST,
                     c.slot = 'stripe' DESC
            LIMIT 1) s ON true
     ORDER BY p.created_at, p.user_id
$$;

-- ---------------------------------------------------------------------------------------------------------------

-- Which customer of Stripe's a user is. Written before anything is sold to the user: what arrives for another customer
-- is not ours. `busy_until` and `busy_by` are the lease of the process that reads the customer at Stripe and records what
-- it read: two that read at different moments must not write in the other order.
CREATE TABLE core.billing_customers (
    tenant_id   uuid NOT NULL,
    user_id     uuid NOT NULL,
    customer    text NOT NULL UNIQUE,
    busy_until  timestamptz,
    busy_by     uuid,
    compared_at timestamptz,
    PRIMARY KEY (tenant_id, user_id)
);

-- The checkout that a user may still pay: one at a time, so that none is paid twice.
CREATE TABLE core.billing_checkouts (
    tenant_id  uuid NOT NULL,
    user_id    uuid NOT NULL,
    session    text NOT NULL,
    plan       text NOT NULL,
    url        text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);

-- What Stripe sent, byte for byte, once per id of the event. No tenant: whose it is is found out later. The body may name
-- a payer, so it is kept for as long as it may be needed and no longer; what was understood of it stays in the log.
CREATE TABLE core.stripe_events (
    event_id    text PRIMARY KEY,
    event_type  text NOT NULL,
    api_version text,
    received_at timestamptz NOT NULL,
    body        bytea,
    state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'ignored', 'failed')),
    -- Stripe's customer that it concerns, where it names one; by it the body is found when a user is erased.
    customer    text,
    attempts    integer NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL,
    why         text,
    handled_at  timestamptz
);
CREATE INDEX stripe_events_pending ON core.stripe_events (next_at) WHERE state = 'pending';
CREATE INDEX stripe_events_received ON core.stripe_events (received_at);
CREATE INDEX stripe_events_customer ON core.stripe_events (customer) WHERE customer IS NOT NULL;

-- Up to which of Stripe's events everything was fetched by listing; one row.
CREATE TABLE core.billing_reconciliation (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    listed_to  timestamptz,
    listed_at  timestamptz,
    compared_at timestamptz
);
INSERT INTO core.billing_reconciliation DEFAULT VALUES;

ALTER TABLE core.billing_customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.billing_customers FORCE ROW LEVEL SECURITY;
ALTER TABLE core.billing_checkouts ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.billing_checkouts FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON core.billing_customers TO st_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON core.billing_checkouts TO st_owner USING (true) WITH CHECK (true);
CREATE POLICY one_tenant ON core.billing_customers TO st_api
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.billing_checkouts TO st_api
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
-- The worker handles what arrives for all tenants.
CREATE POLICY worker_all ON core.billing_customers TO st_worker USING (true) WITH CHECK (true);
CREATE POLICY worker_all ON core.billing_checkouts TO st_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON core.billing_customers TO st_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON core.billing_checkouts TO st_api;
GRANT SELECT, UPDATE, DELETE ON core.billing_customers TO st_worker;
GRANT SELECT, DELETE ON core.billing_checkouts TO st_worker;
-- Not of a tenant, hence no row security: the receiving process may add and see nothing but what the conflict needs.
GRANT INSERT ON core.stripe_events TO st_api;
GRANT SELECT (event_id) ON core.stripe_events TO st_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON core.stripe_events TO st_worker;
GRANT SELECT, UPDATE ON core.billing_reconciliation TO st_worker;

RESET ROLE;
