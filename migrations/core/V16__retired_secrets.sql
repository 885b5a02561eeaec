-- A key that was replaced or refused is destroyed by whoever finds out, and that is the worker, which tries keys.
SET LOCAL ROLE st_owner;

GRANT DELETE ON core.credentials TO st_worker;

RESET ROLE;
