-- What is believed of a cabinet's sources, and what is doubted: by source and warehouse, where `cabinet_totals` had two
-- sums and one doubt. The older columns are still written for programs of the version before.
--
-- Functions that run with the owner's rights, the complete list:
--   core.drop_hold             of one sync whose held result was discarded; the policy serves all tenants at once
SET LOCAL ROLE st_owner;

ALTER TABLE core.cabinet_totals ADD COLUMN beliefs jsonb;

CREATE FUNCTION core.drop_hold(p_tenant uuid, p_cabinet uuid, p_sync uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    DELETE FROM core.sync_holds h
     WHERE h.tenant_id = p_tenant AND h.cabinet_id = p_cabinet AND h.sync_id = p_sync;
END;
REVOKE ALL ON FUNCTION core.drop_hold FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.drop_hold TO st_worker;

RESET ROLE;
