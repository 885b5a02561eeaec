-- Who may come in: accounts, sessions, names, and the answers to repeated requests. All of it is personal or
-- short-lived data, which is why it stands beside the log and not in it.
--
-- Functions that run with the owner's rights, the complete list:
--   core.reserve_account           registers an e-mail over all tenants; says only whether it was free
--   core.find_login                what a login needs, by e-mail; nothing that shows a person
--   core.purge_idempotency_keys    removes old answers of all tenants; says only how many
SET LOCAL ROLE st_owner;

-- A login. The e-mail is unique over all tenants: whoever logs in names an e-mail and nothing else, so it has to
-- lead to one account. That makes registration answer whether an address is known, which is why only
-- core.reserve_account may insert. `role` is the membership's role as of the last membership command; tokens are
-- made from it.
CREATE TABLE core.accounts (
    tenant_id    uuid NOT NULL,
    user_id      uuid NOT NULL,
    email        text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    email_key    text NOT NULL,
    password_phc text NOT NULL,
    display_name text NOT NULL DEFAULT '',
    role         text NOT NULL CHECK (role IN ('viewer', 'member', 'admin', 'owner')),
    state        text NOT NULL CHECK (state IN ('pending', 'active', 'deactivated')),
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT accounts_email_key UNIQUE (email_key)
);

-- A session is a family of refresh tokens, of which only the newest may be used.
CREATE TABLE core.sessions (
    tenant_id    uuid NOT NULL,
    session_id   uuid NOT NULL,
    user_id      uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    end_reason   text CHECK (end_reason IN ('logout', 'reuse', 'password', 'deactivated')),
    PRIMARY KEY (tenant_id, session_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES core.accounts (tenant_id, user_id) ON DELETE CASCADE
);
CREATE INDEX sessions_of_user ON core.sessions (tenant_id, user_id);

-- Only hashes: whoever reads this table cannot log in with it. Used ones stay, so that a second use is noticed.
CREATE TABLE core.refresh_tokens (
    tenant_id  uuid NOT NULL,
    token_hash bytea NOT NULL,
    session_id uuid NOT NULL,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    PRIMARY KEY (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, session_id) REFERENCES core.sessions (tenant_id, session_id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_of_session ON core.refresh_tokens (tenant_id, session_id);

-- Names that people gave to things. A business's name may be a person's name, so events carry none.
CREATE TABLE core.profiles (
    tenant_id    uuid NOT NULL,
    subject_type text NOT NULL CHECK (subject_type IN ('tenant', 'cabinet')),
    subject_id   uuid NOT NULL,
    display_name text NOT NULL CHECK (length(display_name) <= 255),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, subject_type, subject_id)
);

-- The first answer to every request with an Idempotency-Key. `scope` is the tenant, or the nil uuid for requests
-- that come before there is one. The fingerprint is keyed, because requests may hold passwords.
CREATE TABLE core.idempotency_keys (
    scope       uuid NOT NULL,
    route       text NOT NULL,
    key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL,
    state       text NOT NULL CHECK (state IN ('running', 'done')),
    status      integer,
    headers     text,
    body        bytea,
    created_at  timestamptz NOT NULL,
    claimed_at  timestamptz NOT NULL,
    PRIMARY KEY (scope, route, key)
);
CREATE INDEX idempotency_keys_by_age ON core.idempotency_keys (created_at);

-- ---------------------------------------------------------------------------------------------------------------

ALTER TABLE core.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.accounts FORCE ROW LEVEL SECURITY;
ALTER TABLE core.sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.sessions FORCE ROW LEVEL SECURITY;
ALTER TABLE core.refresh_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.refresh_tokens FORCE ROW LEVEL SECURITY;
ALTER TABLE core.profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.profiles FORCE ROW LEVEL SECURITY;
ALTER TABLE core.idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.idempotency_keys FORCE ROW LEVEL SECURITY;

CREATE POLICY one_tenant ON core.accounts TO st_api, st_gateway
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.sessions TO st_api, st_gateway
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.refresh_tokens TO st_api, st_gateway
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.profiles TO st_api, st_gateway, st_worker, st_sheets
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_scope ON core.idempotency_keys TO st_api, st_gateway
    USING (scope = (SELECT core.current_tenant())) WITH CHECK (scope = (SELECT core.current_tenant()));

-- For the functions below, which run as the owner.
CREATE POLICY owner_all ON core.accounts TO st_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_purges ON core.idempotency_keys TO st_owner USING (true);

GRANT SELECT ON core.accounts TO st_api, st_gateway;
GRANT UPDATE (password_phc, display_name, role, state) ON core.accounts TO st_api, st_gateway;
GRANT SELECT, INSERT, UPDATE ON core.sessions, core.refresh_tokens TO st_api, st_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON core.profiles, core.idempotency_keys TO st_api, st_gateway;
GRANT SELECT ON core.profiles TO st_worker, st_sheets;

-- Registers an e-mail for a user that does not exist yet; true when it is that user's now. A registration that
-- died half-way holds its address for ten minutes, then the next one takes it over. Repeating a registration with
-- the same ids answers true again and changes nothing once the account is active.
CREATE FUNCTION core.reserve_account(
    p_tenant uuid, p_user uuid, p_email text, p_email_key text, p_password_phc text, p_display_name text,
    p_role text, p_now timestamptz
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
BEGIN
    INSERT INTO core.accounts AS a
           (tenant_id, user_id, email, email_key, password_phc, display_name, role, state, created_at)
    VALUES (p_tenant, p_user, p_email, p_email_key, p_password_phc, p_display_name, p_role, 'pending', p_now)
    ON CONFLICT (email_key) DO UPDATE
       SET tenant_id = p_tenant, user_id = p_user, email = p_email, password_phc = p_password_phc,
           display_name = p_display_name, role = p_role, created_at = p_now
     WHERE a.state = 'pending'
       AND (a.user_id = p_user OR a.created_at < p_now - interval '10 minutes');
    RETURN FOUND OR EXISTS (
        SELECT FROM core.accounts a
         WHERE a.tenant_id = p_tenant AND a.user_id = p_user AND a.email_key = p_email_key
    );
END $$;

CREATE FUNCTION core.find_login(p_email_key text)
RETURNS TABLE (tenant_id uuid, user_id uuid, password_phc text, role text, state text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = core, pg_temp AS $$
    SELECT a.tenant_id, a.user_id, a.password_phc, a.role, a.state
      FROM core.accounts a WHERE a.email_key = p_email_key
$$;

CREATE FUNCTION core.purge_idempotency_keys(p_before timestamptz) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = core, pg_temp AS $$
    WITH gone AS (DELETE FROM core.idempotency_keys k WHERE k.created_at < p_before RETURNING 1)
    SELECT count(*) FROM gone
$$;

REVOKE ALL ON FUNCTION core.reserve_account, core.find_login, core.purge_idempotency_keys FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.reserve_account, core.find_login TO st_api, st_gateway;
GRANT EXECUTE ON FUNCTION core.purge_idempotency_keys TO st_api, st_gateway, st_worker;

RESET ROLE;
