-- Erasure: what makes a person or a business known is destroyed in the transaction that appends `tenant_erased` or
-- `user_erased`, and an act says what, when, by whom and under which request. There is no moment in which a process
-- could die between the two; what follows (jobs, caches, rows that only cost space) is finished by whoever comes next.
--
-- Functions that run with the owner's rights, the complete list:
--   core.destroy_rows          deletes a tenant's, or one user's, rows from the side tables
--   core.leave_with_account    trigger: what goes with a login
--   core.erase_subject         trigger: destroys with the event and writes the act
--   core.finish_erasure        deletes what the worker's policies had left or made meanwhile, and closes the act
--   core.unfinished_erasures   of all tenants, for the worker
--   core.erasure_ledger        of all tenants, for the tool `erase`
--   core.enter_erasure         for the tool `erase`: an entry of the ledger that a restored backup lacks
SET LOCAL ROLE st_owner;

-- The ledger. Nothing in it identifies a person: ids, counts and times. It is kept when everything else is gone.
CREATE TABLE core.erasure_acts (
    tenant_id    uuid NOT NULL,
    erasure_id   uuid NOT NULL,             -- the reference of the request; the command's id
    subject_type text NOT NULL CHECK (subject_type IN ('tenant', 'user')),
    subject_id   uuid NOT NULL,
    requested_by text NOT NULL,             -- an actor, as in the log
    requested_at timestamptz NOT NULL,
    users        uuid[] NOT NULL DEFAULT '{}', -- logins that go with a tenant
    position     bigint,                    -- of the event; none while only requested
    destroyed_at timestamptz,
    act          jsonb,
    finished_at  timestamptz,               -- nothing is left to be cleaned
    PRIMARY KEY (tenant_id, erasure_id),
    UNIQUE (tenant_id, subject_type, subject_id)
);
CREATE INDEX erasure_acts_unfinished ON core.erasure_acts (requested_at) WHERE finished_at IS NULL;
-- Users are found in their tenant's stream by the act's export.
CREATE INDEX events_of_people ON core.events (tenant_id, position)
    WHERE aggregate_type IN ('tenant', 'user', 'cabinet', 'sheet');

ALTER TABLE core.erasure_acts ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.erasure_acts FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON core.erasure_acts TO st_api, st_worker
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY owner_all ON core.erasure_acts TO st_owner USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON core.erasure_acts TO st_api, st_worker;
-- A request that turned out to be impossible is taken back; one that was carried out stays for ever.
GRANT DELETE ON core.erasure_acts TO st_api, st_worker;
CREATE FUNCTION core.keep_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.position IS NOT NULL THEN
        RAISE EXCEPTION 'an erasure that was carried out stays in the ledger'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER erasure_acts_stay BEFORE DELETE ON core.erasure_acts
    FOR EACH ROW EXECUTE FUNCTION core.keep_erasure();

-- Tables with a tenant that erasure leaves alone: the log, which holds no personal data and must stay whole, the
-- answers that make commands idempotent, what remains of destroyed keys, and the ledger itself. Every other table
-- that has a `tenant_id` is emptied of the tenant, also one that is made later: it needs a policy that lets its
-- owner delete (a test lists tables without one).
CREATE FUNCTION core.is_kept(p_table name) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN p_table IN ('events', 'heads', 'commands', 'destroyed_keys', 'erasure_acts');

-- Tables that only cost space: nothing in them tells who somebody is, and there may be much of it. They are emptied
-- when the act is closed, so that nobody waits for it while the log is locked.
CREATE FUNCTION core.is_bulk(p_table name) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN p_table = 'states' OR p_table LIKE 'cabinet\_%' OR p_table LIKE 'sync\_%';

DO $$
DECLARE
    name name;
BEGIN
    FOR name IN
        SELECT c.relname FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
         WHERE c.relnamespace = 'core'::regnamespace AND c.relkind = 'r' AND NOT core.is_kept(c.relname)
    LOOP
        EXECUTE format('CREATE POLICY owner_erases ON core.%I TO st_owner USING (true)', name); -- finds, locks, deletes
    END LOOP;
END $$;
CREATE POLICY owner_remembers ON core.destroyed_keys TO st_owner USING (true) WITH CHECK (true);

-- Deletes a tenant's rows, or one user's where p_user is given, and says how many of which table. Foreign keys decide
-- the order: while something is still referred to, everything is tried once more.
CREATE FUNCTION core.destroy_rows(p_tenant uuid, p_user uuid, p_bulk boolean) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
DECLARE
    counts jsonb := '{}';
    tables name[];
    wanted name;
    gone bigint;
    referred boolean := true;
BEGIN
    IF p_user IS NULL THEN
        -- Whoever is sealing at this moment ends first; whoever comes later finds no key.
        PERFORM FROM core.tenant_keys k WHERE k.tenant_id = p_tenant FOR UPDATE;
        INSERT INTO core.destroyed_keys (tenant_id, version, seals, created_at)
        SELECT k.tenant_id, k.version, k.seals, k.created_at FROM core.tenant_keys k WHERE k.tenant_id = p_tenant
        ON CONFLICT DO NOTHING;
    END IF;
    -- What nothing refers to comes first, so that no row goes uncounted with another one.
    SELECT array_agg(c.relname ORDER BY (SELECT count(*) FROM pg_constraint f WHERE f.confrelid = c.oid), c.relname)
      INTO tables
      FROM pg_class c
     WHERE c.relnamespace = 'core'::regnamespace AND c.relkind = 'r' AND NOT core.is_kept(c.relname)
       AND (p_bulk OR NOT core.is_bulk(c.relname))
       AND EXISTS (SELECT FROM pg_attribute a
                    WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
       AND (p_user IS NULL
            OR EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = c.oid AND a.attname = 'user_id' AND NOT a.attisdropped));
    FOR round IN 1 .. 8 LOOP
        EXIT WHEN NOT referred;
        referred := false;
        FOREACH wanted IN ARRAY tables LOOP
            BEGIN
                EXECUTE format('DELETE FROM core.%I WHERE tenant_id = $1', wanted)
                        || CASE WHEN p_user IS NULL THEN '' ELSE ' AND user_id = $2' END
                  USING p_tenant, p_user;
                GET DIAGNOSTICS gone = ROW_COUNT;
                IF gone > 0 THEN
                    counts := counts || jsonb_build_object(wanted, gone + coalesce((counts ->> wanted)::bigint, 0));
                END IF;
            EXCEPTION WHEN foreign_key_violation THEN
                referred := true;
            END;
        END LOOP;
    END LOOP;
    IF referred THEN
        RAISE EXCEPTION 'rows of tenant % refer to each other for ever', p_tenant;
    END IF;
    -- Kept answers may show names and addresses.
    DELETE FROM core.idempotency_keys i WHERE i.scope = p_tenant;
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF gone > 0 THEN
        counts := counts || jsonb_build_object('idempotency_keys', gone);
    END IF;
    RETURN counts;
END $$;

-- A login that goes takes along the invitation that named its address; and where it goes because its owner wants to be
-- forgotten, the act will say what went with it.
CREATE FUNCTION core.leave_with_account() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
BEGIN
    DELETE FROM core.invitations i WHERE i.tenant_id = OLD.tenant_id AND i.email_key = OLD.email_key;
    UPDATE core.erasure_acts e
       SET act = jsonb_build_object('rows_destroyed', jsonb_strip_nulls(jsonb_build_object(
               'accounts', 1,
               'sessions', (SELECT nullif(count(*), 0) FROM core.sessions s
                             WHERE s.tenant_id = OLD.tenant_id AND s.user_id = OLD.user_id),
               'api_keys', (SELECT nullif(count(*), 0) FROM core.api_keys k
                             WHERE k.tenant_id = OLD.tenant_id AND k.user_id = OLD.user_id))))
     WHERE e.tenant_id = OLD.tenant_id AND e.subject_type = 'user' AND e.subject_id = OLD.user_id
       AND e.position IS NULL;
    RETURN OLD;
END $$;
CREATE TRIGGER accounts_leave BEFORE DELETE ON core.accounts
    FOR EACH ROW EXECUTE FUNCTION core.leave_with_account();

CREATE FUNCTION core.erase_subject() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
DECLARE
    of_tenant boolean := NEW.event_type = 'tenant_erased';
    subject uuid := NEW.aggregate_id::uuid;
    people uuid[] := '{}';
    counts jsonb;
BEGIN
    IF of_tenant THEN
        SELECT coalesce(array_agg(a.user_id ORDER BY a.user_id), '{}') INTO people
          FROM core.accounts a WHERE a.tenant_id = NEW.tenant_id;
    ELSIF EXISTS (SELECT FROM core.erasure_acts e
                   WHERE e.tenant_id = NEW.tenant_id AND e.subject_type = 'tenant' AND e.position IS NOT NULL) THEN
        RETURN NULL; -- went with the tenant, under the tenant's act
    END IF;
    counts := core.destroy_rows(NEW.tenant_id, CASE WHEN of_tenant THEN NULL ELSE subject END, false);
    INSERT INTO core.erasure_acts AS e
           (tenant_id, erasure_id, subject_type, subject_id, requested_by, requested_at)
    VALUES (NEW.tenant_id, NEW.command_id, CASE WHEN of_tenant THEN 'tenant' ELSE 'user' END, subject, NEW.actor,
            NEW.recorded_at)
    ON CONFLICT DO NOTHING;
    UPDATE core.erasure_acts e
       SET position = NEW.position, destroyed_at = NEW.recorded_at, users = people,
           act = jsonb_build_object(
               'act', e.erasure_id,
               'system', 'Stock Tracker',
               'subject', jsonb_build_object('type', e.subject_type, 'id', e.subject_id, 'tenant_id', e.tenant_id),
               'request', NEW.payload ->> 'request',
               'requested_by', e.requested_by,
               'requested_at', e.requested_at,
               'destroyed_at', NEW.recorded_at,
               'event', jsonb_build_object('position', NEW.position, 'event_id', NEW.event_id),
               'rows_destroyed', coalesce(e.act -> 'rows_destroyed', '{}') || counts,
               'data_keys_destroyed', coalesce((counts ->> 'tenant_keys')::bigint, 0),
               'users', to_jsonb(people))
     WHERE e.tenant_id = NEW.tenant_id AND e.subject_id = subject AND e.position IS NULL
       AND e.subject_type = CASE WHEN of_tenant THEN 'tenant' ELSE 'user' END;
    RETURN NULL;
END $$;

CREATE TRIGGER events_erasure
    AFTER INSERT ON core.events
    FOR EACH ROW WHEN (NEW.event_type IN ('tenant_erased', 'user_erased'))
    EXECUTE FUNCTION core.erase_subject();

-- The entries of the log that concern a subject, oldest first, without what they say: that a request came, who acted,
-- what was destroyed. Runs with the caller's rights, so it shows one tenant's.
CREATE FUNCTION core.erasure_log(p_tenant uuid, p_subject_type text, p_subject uuid) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'position', e.position, 'stream', e.aggregate_type, 'stream_id', e.aggregate_id,
               'version', e.sequence, 'event_type', e.event_type, 'event_id', e.event_id, 'actor', e.actor,
               'recorded_at', e.recorded_at) ORDER BY e.position), '[]')
      FROM core.events e
     WHERE e.tenant_id = p_tenant AND e.aggregate_type IN ('tenant', 'user', 'cabinet', 'sheet')
       AND (p_subject_type = 'tenant'
            OR (e.aggregate_type = 'user' AND e.aggregate_id = p_subject::text)
            OR (e.aggregate_type = 'tenant' AND e.payload ->> 'user_id' = p_subject::text));
END;

CREATE FUNCTION core.unfinished_erasures(up_to integer)
RETURNS TABLE (tenant_id uuid, erasure_id uuid, subject_type text, subject_id uuid, requested_by text,
               requested_at timestamptz, users uuid[], event_position bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT e.tenant_id, e.erasure_id, e.subject_type, e.subject_id, e.requested_by, e.requested_at, e.users, e.position
      FROM core.erasure_acts e WHERE e.finished_at IS NULL ORDER BY e.requested_at LIMIT up_to;
END;

-- Destroys what came after the event (a policy that was behind it, a request that was under way) and what only costs
-- space, and closes the act. False while a policy still has to pass the event: it could make rows again.
CREATE FUNCTION core.finish_erasure(p_tenant uuid, p_erasure uuid, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
DECLARE
    entry core.erasure_acts;
    counts jsonb;
BEGIN
    SELECT * INTO entry FROM core.erasure_acts e
     WHERE e.tenant_id = p_tenant AND e.erasure_id = p_erasure AND e.position IS NOT NULL FOR UPDATE;
    IF NOT FOUND OR EXISTS (SELECT FROM core.policy_positions p WHERE p.position < entry.position
                                AND EXISTS (SELECT FROM core.policy_events(p.position, 1) x
                                             WHERE x.position <= entry.position)) THEN
        RETURN false;
    END IF;
    IF entry.finished_at IS NOT NULL THEN
        RETURN true;
    END IF;
    counts := core.destroy_rows(p_tenant, CASE entry.subject_type WHEN 'user' THEN entry.subject_id END, true);
    UPDATE core.erasure_acts e
       SET finished_at = p_now,
           act = e.act || jsonb_build_object('finished_at', p_now, 'rows_destroyed_later', counts)
     WHERE e.tenant_id = p_tenant AND e.erasure_id = p_erasure;
    RETURN true;
END $$;

CREATE FUNCTION core.erasure_ledger()
RETURNS TABLE (tenant_id uuid, erasure_id uuid, subject_type text, subject_id uuid, requested_by text,
               requested_at timestamptz, act jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    SELECT e.tenant_id, e.erasure_id, e.subject_type, e.subject_id, e.requested_by, e.requested_at, e.act
      FROM core.erasure_acts e ORDER BY e.requested_at, e.tenant_id, e.erasure_id;
END;

CREATE FUNCTION core.enter_erasure(
    p_tenant uuid, p_erasure uuid, p_subject_type text, p_subject uuid, p_requested_by text, p_requested_at timestamptz
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
BEGIN
    INSERT INTO core.erasure_acts (tenant_id, erasure_id, subject_type, subject_id, requested_by, requested_at)
    VALUES (p_tenant, p_erasure, p_subject_type, p_subject, p_requested_by, p_requested_at)
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;

REVOKE ALL ON FUNCTION core.destroy_rows, core.leave_with_account, core.erase_subject, core.finish_erasure, core.unfinished_erasures,
    core.erasure_ledger, core.enter_erasure FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.finish_erasure, core.unfinished_erasures, core.erasure_ledger, core.enter_erasure
    TO st_worker;

RESET ROLE;
