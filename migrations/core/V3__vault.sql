-- The vault: wrapped data keys and sealed credentials. The master keys that wrap the data keys are never here.
SET LOCAL ROLE st_owner;

-- One data key per tenant and version, wrapped by a master key.
CREATE TABLE core.tenant_keys (
    tenant_id      uuid NOT NULL,
    version        integer NOT NULL CHECK (version >= 1),
    master_version integer NOT NULL CHECK (master_version >= 1),
    wrapped        bytea NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, version)
);

-- One secret. `sealed` is bound to tenant, table, column, row and key version; moved anywhere else it does not open.
CREATE TABLE core.credentials (
    tenant_id     uuid NOT NULL,
    credential_id uuid NOT NULL,
    kind          text NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    key_version   integer NOT NULL,
    sealed        bytea NOT NULL,
    sealed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, credential_id),
    FOREIGN KEY (tenant_id, key_version) REFERENCES core.tenant_keys (tenant_id, version)
);

ALTER TABLE core.tenant_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.tenant_keys FORCE ROW LEVEL SECURITY;
ALTER TABLE core.credentials ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.credentials FORCE ROW LEVEL SECURITY;

CREATE POLICY one_tenant ON core.tenant_keys TO st_api, st_gateway, st_worker, st_sheets
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.credentials TO st_api, st_gateway, st_worker, st_sheets
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));

-- The processes that face the outside seal and destroy, but cannot read a ciphertext.
GRANT SELECT, INSERT ON core.tenant_keys TO st_api, st_gateway;
GRANT SELECT (tenant_id, credential_id, kind, key_version, sealed_at), INSERT, DELETE ON core.credentials
    TO st_api, st_gateway;
GRANT UPDATE (kind, key_version, sealed, sealed_at) ON core.credentials TO st_api, st_gateway;

-- The processes that call a marketplace or Google open.
GRANT SELECT ON core.tenant_keys, core.credentials TO st_worker, st_sheets;

RESET ROLE;
