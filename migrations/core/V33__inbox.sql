-- What arrives from Stripe is handled for as long as somebody may still be paying, and what Stripe knows of an erased
-- person is destroyed there as well. V30 has the tables of which this file goes on.
--
-- Functions that run with the owner's rights, the complete list of this file:
--   core.remember_customer   trigger: a customer that goes with a user or a tenant has to be deleted at Stripe
--   core.lapsed_contracts    of all tenants, for the worker: contracts that time has overtaken, page by page
SET LOCAL ROLE st_owner;

-- Customers that were deleted at Stripe while their user stays. The user gets another customer with the next purchase; a
-- payment of the former one may still be delivered late and is the user's.
CREATE TABLE core.billing_former_customers (
    tenant_id uuid NOT NULL,
    user_id   uuid NOT NULL,
    customer  text NOT NULL UNIQUE,
    left_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id, customer)
);
ALTER TABLE core.billing_former_customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.billing_former_customers FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON core.billing_former_customers TO st_owner USING (true) WITH CHECK (true);
CREATE POLICY worker_all ON core.billing_former_customers TO st_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON core.billing_former_customers TO st_worker;

-- Customers of erased users and tenants until they are deleted at Stripe and nothing that arrived for them is left. The
-- columns have other names than elsewhere, because an erasure deletes by `tenant_id` and `user_id`.
CREATE TABLE core.billing_leaving (
    customer  text PRIMARY KEY,
    of_tenant uuid NOT NULL,
    of_user   uuid NOT NULL
);
CREATE INDEX billing_leaving_tenant ON core.billing_leaving (of_tenant);
GRANT SELECT, DELETE ON core.billing_leaving TO st_worker;

CREATE FUNCTION core.remember_customer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
BEGIN
    -- One that moves to the former customers stays its user's.
    IF NOT EXISTS (SELECT FROM core.billing_former_customers f WHERE f.customer = OLD.customer) THEN
        INSERT INTO core.billing_leaving (customer, of_tenant, of_user)
        VALUES (OLD.customer, OLD.tenant_id, OLD.user_id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_customers_leave AFTER DELETE ON core.billing_customers
    FOR EACH ROW EXECUTE FUNCTION core.remember_customer();
CREATE TRIGGER billing_former_customers_leave AFTER DELETE ON core.billing_former_customers
    FOR EACH ROW EXECUTE FUNCTION core.remember_customer();

-- An operator looks for what could not be understood.
CREATE INDEX stripe_events_failed ON core.stripe_events (received_at) WHERE state = 'failed';
-- Finds the bodies that are too old.
CREATE INDEX stripe_events_kept ON core.stripe_events (received_at) WHERE body IS NOT NULL;

-- Contracts to which the passing of time has done something that their stream does not say yet, behind a place in the
-- list; the aggregate decides what. The three days of notice are domain::subscription::TRIAL_NOTICE. `at_stripe`: one of
-- them is with Stripe; it ends only after Stripe was asked, and meanwhile must not hide the others.
-- core.lapsed_subscriptions (V11) is for programs of before.
CREATE FUNCTION core.lapsed_contracts(
    p_now timestamptz, p_grace interval, p_after_tenant uuid, p_after_user uuid, p_limit integer
) RETURNS TABLE (tenant_id uuid, user_id uuid, at_stripe boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT s.tenant_id, s.user_id, bool_or(s.slot = 'stripe') FROM core.subscriptions s
     WHERE (s.tenant_id, s.user_id) > (p_after_tenant, p_after_user)
       AND (s.cancel_at <= p_now OR s.period_end + p_grace <= p_now
            OR (s.status = 'past_due' AND s.grace_until <= p_now)
            OR (s.basis = 'trial' AND s.trial_end - interval '3 days' <= p_now
                AND s.announced IS DISTINCT FROM s.trial_end))
     GROUP BY s.tenant_id, s.user_id
     ORDER BY s.tenant_id, s.user_id LIMIT p_limit;
END;
REVOKE ALL ON FUNCTION core.remember_customer, core.lapsed_contracts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.lapsed_contracts TO st_worker;

RESET ROLE;
