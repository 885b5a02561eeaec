-- People, second part: what a membership means at once, keys for programs, one-time codes, and windows of failed
-- attempts.
--
-- Functions that run with the owner's rights, the complete list of this file:
--   core.follow_membership      trigger: carries the log's word on roles, states and suspension into the tables
--   core.begin_attempt          counts an attempt before it is made; says only how long to wait
--   core.end_attempt            takes a counted attempt back, because it was no failure
--   core.list_people            for platform administrators, who it checks for itself: accounts of all tenants
--   core.find_tenant_of         for platform administrators, who it checks for itself: whose a login is
SET LOCAL ROLE st_owner;

-- A platform administrator; follows the events of the login's own stream.
ALTER TABLE core.accounts ADD COLUMN admin boolean NOT NULL DEFAULT false;
-- Lists of people begin where the last page ended.
CREATE INDEX accounts_by_age ON core.accounts (created_at, user_id);

-- Tenants that may not use the service for now. No row: they may.
CREATE TABLE core.suspensions (
    tenant_id    uuid PRIMARY KEY,
    reason       text NOT NULL,
    suspended_at timestamptz NOT NULL
);

-- Keys for programs. Only a hash is kept; `hint` is the end of the key, by which its owner tells it from others.
-- A key goes with its maker's membership, and a maker who may not come in does not come in by key.
CREATE TABLE core.api_keys (
    tenant_id    uuid NOT NULL,
    key_id       uuid NOT NULL,
    user_id      uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    key_hash     bytea NOT NULL,
    hint         text NOT NULL CHECK (length(hint) = 4),
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    PRIMARY KEY (tenant_id, key_id),
    UNIQUE (tenant_id, key_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES core.accounts (tenant_id, user_id) ON DELETE CASCADE
);
CREATE INDEX api_keys_of_user ON core.api_keys (tenant_id, user_id);

-- Invitations. Whoever holds the code becomes a member; the code is shown once and kept as a hash. `used_by` is the
-- command that used it: the same command may come again, no other may.
CREATE TABLE core.invitations (
    tenant_id     uuid NOT NULL,
    invitation_id uuid NOT NULL,
    invited_by    uuid NOT NULL,
    code_hash     bytea NOT NULL,
    role          text NOT NULL CHECK (role IN ('viewer', 'member', 'admin', 'owner')),
    email         text CHECK (length(email) BETWEEN 3 AND 254),
    email_key     text,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    used_by       uuid,
    PRIMARY KEY (tenant_id, invitation_id),
    UNIQUE (tenant_id, code_hash),
    FOREIGN KEY (tenant_id, invited_by) REFERENCES core.accounts (tenant_id, user_id) ON DELETE CASCADE
);

-- Codes that set a new password, at most one per login; a new one replaces the old one.
CREATE TABLE core.password_resets (
    tenant_id  uuid NOT NULL,
    user_id    uuid NOT NULL,
    code_hash  bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_by    uuid,
    PRIMARY KEY (tenant_id, user_id),
    UNIQUE (tenant_id, code_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES core.accounts (tenant_id, user_id) ON DELETE CASCADE
);

-- Attempts that failed, or are under way, in this window and the one before. A bucket is a keyed hash of what is
-- counted (an address, or a login from an address), so the table shows neither.
CREATE TABLE core.attempts (
    bucket       bytea PRIMARY KEY,
    window_start timestamptz NOT NULL,
    earlier      integer NOT NULL,
    latest       integer NOT NULL
);
CREATE INDEX attempts_by_age ON core.attempts (window_start);

-- ---------------------------------------------------------------------------------------------------------------

ALTER TABLE core.suspensions ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.suspensions FORCE ROW LEVEL SECURITY;
ALTER TABLE core.api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.api_keys FORCE ROW LEVEL SECURITY;
ALTER TABLE core.invitations ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.invitations FORCE ROW LEVEL SECURITY;
ALTER TABLE core.password_resets ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.password_resets FORCE ROW LEVEL SECURITY;
ALTER TABLE core.attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.attempts FORCE ROW LEVEL SECURITY;

CREATE POLICY one_tenant ON core.suspensions FOR SELECT TO st_api, st_gateway
    USING (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.api_keys TO st_api, st_gateway
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.invitations TO st_api, st_gateway
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.password_resets TO st_api, st_gateway
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));

-- For the functions below, which run as the owner.
CREATE POLICY owner_all ON core.suspensions TO st_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_ends ON core.sessions TO st_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON core.attempts TO st_owner USING (true) WITH CHECK (true);

GRANT SELECT ON core.suspensions TO st_api, st_gateway;
GRANT SELECT, INSERT ON core.api_keys TO st_api, st_gateway;
GRANT UPDATE (key_hash, hint, last_used_at, revoked_at) ON core.api_keys TO st_api, st_gateway;
GRANT SELECT, INSERT, DELETE ON core.invitations TO st_api, st_gateway;
GRANT UPDATE (code_hash, expires_at, used_by) ON core.invitations TO st_api, st_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON core.password_resets TO st_api, st_gateway;

-- ---------------------------------------------------------------------------------------------------------------

-- The log decides who may do what; this carries its word to where every request looks, in the transaction that
-- appends it. Between an event and its effect there is no moment in which a process could die, so nobody keeps a
-- role that the log took away. A removed member's login goes, with its sessions and keys: a login belongs to one
-- business, and its address is free again. All of the named events are version 1; a new version needs a migration.
CREATE FUNCTION core.follow_membership() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
DECLARE
    subject uuid := (NEW.payload ->> 'user_id')::uuid;
BEGIN
    CASE NEW.event_type
        WHEN 'member_added', 'member_role_changed' THEN
            UPDATE core.accounts a
               SET role = NEW.payload ->> 'role',
                   state = CASE a.state WHEN 'pending' THEN 'active' ELSE a.state END
             WHERE a.tenant_id = NEW.tenant_id AND a.user_id = subject;
        WHEN 'member_removed' THEN
            DELETE FROM core.accounts a WHERE a.tenant_id = NEW.tenant_id AND a.user_id = subject;
        WHEN 'tenant_suspended' THEN
            INSERT INTO core.suspensions (tenant_id, reason, suspended_at)
            VALUES (NEW.tenant_id, NEW.payload ->> 'reason', NEW.recorded_at)
            ON CONFLICT (tenant_id) DO NOTHING;
        WHEN 'tenant_reactivated' THEN
            DELETE FROM core.suspensions s WHERE s.tenant_id = NEW.tenant_id;
        WHEN 'user_deactivated' THEN
            UPDATE core.accounts a SET state = 'deactivated'
             WHERE a.tenant_id = NEW.tenant_id AND a.user_id = NEW.aggregate_id::uuid;
            UPDATE core.sessions s SET ended_at = NEW.recorded_at, end_reason = 'deactivated'
             WHERE s.tenant_id = NEW.tenant_id AND s.user_id = NEW.aggregate_id::uuid AND s.ended_at IS NULL;
        WHEN 'user_reactivated' THEN
            UPDATE core.accounts a SET state = 'active'
             WHERE a.tenant_id = NEW.tenant_id AND a.user_id = NEW.aggregate_id::uuid AND a.state = 'deactivated';
        WHEN 'admin_granted', 'admin_revoked' THEN
            UPDATE core.accounts a SET admin = (NEW.event_type = 'admin_granted')
             WHERE a.tenant_id = NEW.tenant_id AND a.user_id = NEW.aggregate_id::uuid;
        ELSE
            NULL; -- says nothing about who may come in
    END CASE;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION core.follow_membership FROM PUBLIC;

CREATE TRIGGER events_membership
    AFTER INSERT ON core.events
    FOR EACH ROW WHEN (NEW.aggregate_type IN ('tenant', 'user'))
    EXECUTE FUNCTION core.follow_membership();

-- Counts one attempt in every bucket, or in none: the answer is 0, or the milliseconds after which the next one may
-- be made. The window slides: the one before counts by the share of it that is still within the last p_window.
-- Buckets are locked in the order given; callers give them in one order. A few outdated rows go on the way.
CREATE FUNCTION core.begin_attempt(p_buckets bytea[], p_limits integer[], p_window interval, p_now timestamptz)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
DECLARE
    wait bigint := 0;
    counted core.attempts;
    share double precision;
    width double precision := extract(epoch FROM p_window);
BEGIN
    DELETE FROM core.attempts a WHERE a.bucket IN (
        SELECT o.bucket FROM core.attempts o WHERE o.window_start < p_now - 3 * p_window
         ORDER BY o.window_start LIMIT 8 FOR UPDATE SKIP LOCKED);
    FOR i IN 1 .. cardinality(p_buckets) LOOP
        INSERT INTO core.attempts AS a (bucket, window_start, earlier, latest) VALUES (p_buckets[i], p_now, 0, 0)
        ON CONFLICT (bucket) DO UPDATE
           SET window_start = CASE WHEN p_now < a.window_start + p_window THEN a.window_start
                                   WHEN p_now < a.window_start + 2 * p_window THEN a.window_start + p_window
                                   ELSE p_now END,
               earlier = CASE WHEN p_now < a.window_start + p_window THEN a.earlier
                              WHEN p_now < a.window_start + 2 * p_window THEN a.latest
                              ELSE 0 END,
               latest = CASE WHEN p_now < a.window_start + p_window THEN a.latest ELSE 0 END
        RETURNING * INTO counted;
        share := 1 - least(1, greatest(0, extract(epoch FROM p_now - counted.window_start) / width));
        IF counted.latest + counted.earlier * share + 1 > p_limits[i] THEN
            -- Until enough of what counts has slid out: of the window before, or, where this one alone is full,
            -- of this one once it is the window before.
            IF counted.latest + 1 > p_limits[i] THEN
                wait := greatest(wait, ceil(1000 * width
                    * (share + 1 - (p_limits[i] - 1)::double precision / counted.latest))::bigint);
            ELSE
                wait := greatest(wait, ceil(1000 * width
                    * (share - (p_limits[i] - 1 - counted.latest)::double precision / counted.earlier))::bigint);
            END IF;
            wait := greatest(wait, 1);
        END IF;
    END LOOP;
    IF wait = 0 THEN
        UPDATE core.attempts a SET latest = a.latest + 1 WHERE a.bucket = ANY (p_buckets);
    END IF;
    RETURN wait;
END $$;

-- The attempt was no failure. p_clear names the buckets that begin anew with it, p_refund those that lose one.
CREATE FUNCTION core.end_attempt(p_clear bytea[], p_refund bytea[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = core, pg_temp AS $$
    DELETE FROM core.attempts a WHERE a.bucket = ANY (p_clear);
    UPDATE core.attempts a SET latest = a.latest - 1 WHERE a.bucket = ANY (p_refund) AND a.latest > 0;
$$;

CREATE FUNCTION core.list_people(p_admin uuid, p_after timestamptz, p_after_id uuid, p_limit integer)
RETURNS TABLE (tenant_id uuid, user_id uuid, email text, display_name text, role text, state text, admin boolean,
               suspended boolean, created_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp AS $$
    SELECT a.tenant_id, a.user_id, a.email, a.display_name, a.role, a.state, a.admin,
           EXISTS (SELECT FROM core.suspensions s WHERE s.tenant_id = a.tenant_id), a.created_at
      FROM core.accounts a
     WHERE EXISTS (SELECT FROM core.accounts c WHERE c.user_id = p_admin AND c.admin AND c.state = 'active')
       AND (p_after IS NULL OR (a.created_at, a.user_id) > (p_after, p_after_id))
     ORDER BY a.created_at, a.user_id
     LIMIT p_limit
$$;

CREATE FUNCTION core.find_tenant_of(p_admin uuid, p_user uuid) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp AS $$
    SELECT a.tenant_id FROM core.accounts a
     WHERE a.user_id = p_user
       AND EXISTS (SELECT FROM core.accounts c WHERE c.user_id = p_admin AND c.admin AND c.state = 'active')
$$;

-- The two functions above look a login up by its id alone.
CREATE INDEX accounts_by_user ON core.accounts (user_id);

REVOKE ALL ON FUNCTION core.begin_attempt, core.end_attempt, core.list_people, core.find_tenant_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.begin_attempt, core.end_attempt, core.list_people, core.find_tenant_of TO st_api;

RESET ROLE;
