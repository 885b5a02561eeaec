-- Rotation of the vault's keys: how often each was used, which tenants wait for a new one, which versions are gone.
-- The role that rotates sees all tenants and is used by `stock-tracker keys` only; no server runs under it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'st_keys') THEN
        BEGIN
            CREATE ROLE st_keys NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database of this server was migrated at the same moment
        END;
    END IF;
END $$;
GRANT USAGE ON SCHEMA core TO st_keys;

SET LOCAL ROLE st_owner;

-- Every ciphertext made under a key counts. Counting locks the row, so a key cannot be destroyed between the moment
-- it is chosen for sealing and the moment its ciphertext is there.
ALTER TABLE core.tenant_keys ADD COLUMN seals bigint NOT NULL DEFAULT 0 CHECK (seals >= 0);
GRANT UPDATE (seals) ON core.tenant_keys TO st_api, st_gateway;

-- Which ciphertexts a version still has: asked for every version before it is destroyed.
CREATE INDEX credentials_of_key ON core.credentials (tenant_id, key_version);

-- Tenants whose data key shall be replaced. A row goes away when nothing is under an older key any more, so whatever
-- dies on the way is taken up where it was.
CREATE TABLE core.key_rotations (
    tenant_id    uuid PRIMARY KEY,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What there was of a key that was destroyed: everything but the key.
CREATE TABLE core.destroyed_keys (
    tenant_id    uuid NOT NULL,
    version      integer NOT NULL,
    seals        bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    destroyed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, version)
);

ALTER TABLE core.key_rotations ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.key_rotations FORCE ROW LEVEL SECURITY;
ALTER TABLE core.destroyed_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.destroyed_keys FORCE ROW LEVEL SECURITY;

CREATE POLICY all_tenants ON core.tenant_keys TO st_keys USING (true) WITH CHECK (true);
CREATE POLICY all_tenants ON core.credentials TO st_keys USING (true) WITH CHECK (true);
CREATE POLICY all_tenants ON core.key_rotations TO st_keys USING (true) WITH CHECK (true);
CREATE POLICY all_tenants ON core.destroyed_keys TO st_keys USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, DELETE ON core.tenant_keys TO st_keys;
GRANT UPDATE (master_version, wrapped, seals) ON core.tenant_keys TO st_keys;
GRANT SELECT ON core.credentials TO st_keys;
GRANT UPDATE (key_version, sealed) ON core.credentials TO st_keys;
GRANT SELECT, INSERT, DELETE ON core.key_rotations TO st_keys;
GRANT SELECT, INSERT ON core.destroyed_keys TO st_keys;

RESET ROLE;
