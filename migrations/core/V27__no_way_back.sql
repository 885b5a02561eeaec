-- What is over stays over: an erased tenant gets no personal rows again, and codes and half-made logins do not wait for
-- ever.
--
-- Functions that run with the owner's rights, the complete list:
--   core.refuse_erased      a trigger; looks whether a tenant was erased
--   core.purge_leftovers    removes old codes and half-made logins of all tenants; says only how many
SET LOCAL ROLE st_owner;

-- A registration's tenant follows from its Idempotency-Key, so repeating one after the erasure would make the same
-- tenant's login, names and keys again, and the finished act would never look at them. Only tables that name people or
-- open something: what the append writes must not fail for what a policy does late.
CREATE FUNCTION core.refuse_erased() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM core.erasure_acts e
                WHERE e.tenant_id = NEW.tenant_id AND e.subject_type = 'tenant' AND e.position IS NOT NULL) THEN
        RAISE EXCEPTION 'the tenant was erased' USING ERRCODE = 'ST410';
    END IF;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION core.refuse_erased FROM PUBLIC;

CREATE TRIGGER erased_stay_away BEFORE INSERT OR UPDATE OF tenant_id ON core.accounts
    FOR EACH ROW EXECUTE FUNCTION core.refuse_erased();
CREATE TRIGGER erased_stay_away BEFORE INSERT ON core.profiles
    FOR EACH ROW EXECUTE FUNCTION core.refuse_erased();
CREATE TRIGGER erased_stay_away BEFORE INSERT ON core.invitations
    FOR EACH ROW EXECUTE FUNCTION core.refuse_erased();
CREATE TRIGGER erased_stay_away BEFORE INSERT ON core.api_keys
    FOR EACH ROW EXECUTE FUNCTION core.refuse_erased();
CREATE TRIGGER erased_stay_away BEFORE INSERT ON core.tenant_keys
    FOR EACH ROW EXECUTE FUNCTION core.refuse_erased();
CREATE TRIGGER erased_stay_away BEFORE INSERT ON core.credentials
    FOR EACH ROW EXECUTE FUNCTION core.refuse_erased();

-- A code is of no use once its repetitions are over. A login that was never opened belongs to a registration that died,
-- or to an invitation that was refused half-way, which lasts three days.
CREATE FUNCTION core.purge_leftovers(p_codes_before timestamptz, p_logins_before timestamptz) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = core, pg_temp AS $$
    WITH codes AS (
        DELETE FROM core.password_resets r WHERE r.created_at < p_codes_before RETURNING 1
    ), logins AS (
        DELETE FROM core.accounts a WHERE a.state = 'pending' AND a.created_at < p_logins_before RETURNING 1
    )
    SELECT (SELECT count(*) FROM codes) + (SELECT count(*) FROM logins)
$$;
REVOKE ALL ON FUNCTION core.purge_leftovers FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.purge_leftovers TO st_api, st_worker;

RESET ROLE;
