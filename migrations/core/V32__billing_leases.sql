-- The API reads a customer back right after a change at Stripe, so it takes the same lease as the worker that handles what
-- Stripe sends; the scheduler's and the gateway's roles do neither.
SET LOCAL ROLE st_owner;

GRANT UPDATE (busy_until, busy_by) ON core.billing_customers TO st_api;

RESET ROLE;
