-- What guards the truth: whose account a cabinet is, when a key is to be looked at, what was held back, and raw
-- answers kept for audits.
--
-- Functions that run with the owner's rights, the complete list:
--   core.purge_payloads        of all tenants: deletes raw answers that are too old or too many
--   core.drop_holds            of a cabinet whose held result was discarded; the policy serves all tenants at once
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'st_audit') THEN
        BEGIN
            CREATE ROLE st_audit NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database of this server was migrated at the same moment
        END;
    END IF;
END $$;
GRANT USAGE ON SCHEMA core TO st_audit;

SET LOCAL ROLE st_owner;

-- Which cabinet a seller account is, so that one account is never connected twice. The row is taken before the cabinet
-- is connected; a row whose cabinet never was, or is gone, may be taken over.
CREATE TABLE core.cabinet_sellers (
    tenant_id   uuid NOT NULL,
    marketplace text NOT NULL,
    seller_id   text NOT NULL,
    cabinet_id  uuid NOT NULL,
    PRIMARY KEY (tenant_id, marketplace, seller_id)
);
INSERT INTO core.cabinet_sellers
SELECT DISTINCT ON (e.tenant_id, e.payload ->> 'marketplace', e.payload -> 'credential' ->> 'seller_id')
       e.tenant_id, e.payload ->> 'marketplace', e.payload -> 'credential' ->> 'seller_id', e.aggregate_id::uuid
  FROM core.events e
 WHERE e.event_type = 'cabinet_connected' AND e.payload -> 'credential' ->> 'seller_id' IS NOT NULL
   AND NOT EXISTS (SELECT FROM core.events d
                    WHERE d.aggregate_type = 'cabinet' AND d.aggregate_id = e.aggregate_id
                      AND d.tenant_id = e.tenant_id AND d.event_type = 'cabinet_disconnected')
 ORDER BY e.tenant_id, e.payload ->> 'marketplace', e.payload -> 'credential' ->> 'seller_id', e.position;

-- When the key in use ends, and whether another one waits to be tried.
ALTER TABLE core.cabinet_work
    ADD COLUMN key_ends_at timestamptz,
    ADD COLUMN key_offered boolean NOT NULL DEFAULT false;
CREATE INDEX cabinet_work_keys ON core.cabinet_work (key_ends_at) WHERE usable;
CREATE POLICY owner_changes ON core.cabinet_work FOR UPDATE TO st_owner USING (true) WITH CHECK (true);
UPDATE core.cabinet_work w
   SET key_ends_at = (SELECT (e.payload -> 'credential' ->> 'expires_at')::timestamptz FROM core.events e
                       WHERE e.aggregate_type = 'cabinet' AND e.aggregate_id = w.cabinet_id::text
                         AND e.tenant_id = w.tenant_id
                         AND e.event_type IN ('cabinet_connected', 'credential_rotated')
                       ORDER BY e.position DESC LIMIT 1);
DROP POLICY owner_changes ON core.cabinet_work;

-- How many articles the last believed answer had in stock, and by which rule the one that waits was doubted.
ALTER TABLE core.cabinet_totals
    ADD COLUMN stocked bigint,
    ADD COLUMN doubted_rule text;

-- What an implausible sync saw, in parts, until a later one is believed or a person decides. Part 0 says what it is.
CREATE TABLE core.sync_holds (
    tenant_id  uuid NOT NULL,
    cabinet_id uuid NOT NULL,
    sync_id    uuid NOT NULL,
    part       integer NOT NULL CHECK (part >= 0),
    sealed     bytea NOT NULL,
    held_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, sync_id, part)
);
CREATE INDEX sync_holds_of_cabinet ON core.sync_holds (tenant_id, cabinet_id);

-- Raw answers, without what could be a buyer's, compressed and sealed, in parts. The hash is over the bytes as they
-- came and is the one in the sync's event.
CREATE TABLE core.sync_payloads (
    tenant_id    uuid NOT NULL,
    payload_id   uuid NOT NULL,
    cabinet_id   uuid NOT NULL,
    sync_id      uuid NOT NULL,             -- the first sync that got it
    source       text NOT NULL,
    sha256       text NOT NULL,             -- of the raw bytes
    raw_bytes    bigint NOT NULL,           -- as they came
    kept_bytes   bigint NOT NULL,           -- without what was left out, before compression
    sealed_bytes bigint NOT NULL,           -- as they lie here
    parts        integer NOT NULL,
    fetched_at   timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL,      -- the last sync that got the very same
    PRIMARY KEY (tenant_id, payload_id)
);
CREATE INDEX sync_payloads_by_age ON core.sync_payloads (seen_at);
CREATE INDEX sync_payloads_of_cabinet ON core.sync_payloads (tenant_id, cabinet_id, seen_at);
CREATE TABLE core.sync_payload_parts (
    tenant_id  uuid NOT NULL,
    payload_id uuid NOT NULL,
    part       integer NOT NULL CHECK (part >= 0),
    sealed     bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, payload_id, part)
);
-- They are compressed before they are sealed.
ALTER TABLE core.sync_holds ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE core.sync_payload_parts ALTER COLUMN sealed SET STORAGE EXTERNAL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['cabinet_sellers', 'sync_holds', 'sync_payloads', 'sync_payload_parts'] LOOP
        EXECUTE format('ALTER TABLE core.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE core.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_erases ON core.%I TO st_owner USING (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['sync_holds', 'sync_payloads', 'sync_payload_parts'] LOOP
        EXECUTE format('CREATE POLICY one_tenant ON core.%I TO st_worker
                        USING (tenant_id = (SELECT core.current_tenant()))
                        WITH CHECK (tenant_id = (SELECT core.current_tenant()))', name);
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON core.%I TO st_worker', name);
    END LOOP;
    -- An auditor looks at the answers of any tenant and changes nothing.
    FOREACH name IN ARRAY ARRAY['sync_payloads', 'sync_payload_parts'] LOOP
        EXECUTE format('CREATE POLICY audit_reads ON core.%I FOR SELECT TO st_audit USING (true)', name);
        EXECUTE format('GRANT SELECT ON core.%I TO st_audit', name);
    END LOOP;
END $$;
GRANT UPDATE (seen_at) ON core.sync_payloads TO st_worker;
CREATE POLICY one_tenant ON core.cabinet_sellers TO st_api, st_gateway
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));
GRANT SELECT, INSERT, UPDATE ON core.cabinet_sellers TO st_api, st_gateway;

-- One key per tenant for held results and raw answers; it lies in the vault beside the credentials, is rotated with
-- them and destroyed with them. The worker may make this kind of secret and no other; an auditor may read it and no
-- other.
GRANT INSERT ON core.credentials TO st_worker;
GRANT UPDATE (seals) ON core.tenant_keys TO st_worker;
CREATE POLICY only_payload_keys ON core.credentials AS RESTRICTIVE FOR INSERT TO st_worker
    WITH CHECK (kind = 'payload_key');
CREATE POLICY audit_reads ON core.credentials FOR SELECT TO st_audit USING (kind = 'payload_key');
CREATE POLICY audit_reads ON core.tenant_keys FOR SELECT TO st_audit USING (true);
GRANT SELECT ON core.credentials, core.tenant_keys TO st_audit;

-- Deletes answers last seen before a moment, then the oldest of each cabinet and of all beyond so many bytes, then
-- parts that belong to no answer (their worker died). Says how many answers and bytes went, and how many are left.
CREATE FUNCTION core.purge_payloads(p_before timestamptz, p_of_cabinet bigint, p_of_all bigint)
RETURNS TABLE (purged bigint, purged_bytes bigint, kept bigint, kept_bytes bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
BEGIN
    WITH ranked AS (
        SELECT p.tenant_id, p.payload_id, p.seen_at, p.sealed_bytes,
               sum(p.sealed_bytes) OVER (PARTITION BY p.tenant_id, p.cabinet_id
                                         ORDER BY p.seen_at DESC, p.payload_id) AS of_cabinet,
               sum(p.sealed_bytes) OVER (ORDER BY p.seen_at DESC, p.payload_id) AS of_all
          FROM core.sync_payloads p
    ), gone AS (
        DELETE FROM core.sync_payloads p USING ranked r
         WHERE p.tenant_id = r.tenant_id AND p.payload_id = r.payload_id
           AND (r.seen_at < p_before OR r.of_cabinet > p_of_cabinet OR r.of_all > p_of_all)
        RETURNING p.sealed_bytes AS freed
    )
    SELECT count(*), coalesce(sum(freed), 0)::bigint INTO purged, purged_bytes FROM gone;
    DELETE FROM core.sync_payload_parts q
     WHERE q.written_at < clock_timestamp() - interval '1 hour'
       AND NOT EXISTS (SELECT FROM core.sync_payloads p
                        WHERE p.tenant_id = q.tenant_id AND p.payload_id = q.payload_id);
    SELECT count(*), coalesce(sum(p.sealed_bytes), 0)::bigint INTO kept, kept_bytes FROM core.sync_payloads p;
    RETURN NEXT;
END $$;
CREATE FUNCTION core.drop_holds(p_tenant uuid, p_cabinet uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = core, pg_temp
BEGIN ATOMIC
    DELETE FROM core.sync_holds h WHERE h.tenant_id = p_tenant AND h.cabinet_id = p_cabinet;
END;
REVOKE ALL ON FUNCTION core.purge_payloads, core.drop_holds FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.purge_payloads, core.drop_holds TO st_worker;

RESET ROLE;
