-- Outgoing webhooks: the endpoints as the sender needs them, what each of them is to get, and how every attempt ended.
-- The stream `webhook_endpoint` is the truth about endpoints; a trigger carries it into the table in the transaction of
-- each append, so that the next command finds what the last one did.
--
-- Functions that run with the owner's rights, the complete list of this file:
--   core.follow_webhooks            trigger: carries the log's word on endpoints into the table
--   core.rebuild_webhook_endpoints  the same for the whole log, for operators; scans it
SET LOCAL ROLE st_owner;

-- Addresses and secrets are in the vault; here are only their ids.
CREATE TABLE core.webhook_endpoints (
    tenant_id     uuid NOT NULL,
    endpoint_id   uuid NOT NULL,
    place         bigint NOT NULL, -- position of the event that added it; earlier events are not sent to it
    version       bigint NOT NULL, -- position of the last event of its stream
    added_at      timestamptz NOT NULL,
    host          text NOT NULL,
    types         text[] NOT NULL, -- empty for all
    address_id    uuid NOT NULL,
    secret_id     uuid NOT NULL,
    former_id     uuid,            -- the secret before, after a rotation
    former_until  timestamptz,
    disabled      text,            -- why; none while it is on
    disabled_at   timestamptz,
    description   text,            -- what people call it; not in the log
    failing_since timestamptz,     -- of the first failure after the last success
    served_at     timestamptz,     -- when the sender last took something for it; whoever waits longest is next
    PRIMARY KEY (tenant_id, endpoint_id)
) WITH (fillfactor = 70);

-- One row a message and endpoint. The id follows from the event and the endpoint, so that reading an event again makes
-- no second message; receivers get it as `webhook-id`. A reference to the endpoint lets an erasure and a fan-out at the
-- same moment wait for each other, so that no message outlives its tenant.
CREATE TABLE core.webhook_messages (
    tenant_id    uuid NOT NULL,
    message_id   uuid NOT NULL,
    endpoint_id  uuid NOT NULL,
    position     bigint NOT NULL, -- of its event; of a ping the length of the log
    type         text NOT NULL,
    body         text NOT NULL,   -- sent byte for byte at every attempt
    created_at   timestamptz NOT NULL,
    state        text NOT NULL CHECK (state IN ('waiting', 'delivered', 'given_up', 'paused')),
    attempts     integer NOT NULL DEFAULT 0, -- since it last began to wait
    claims       bigint NOT NULL DEFAULT 0,  -- how often a sender took it; fences those whose lease ran out
    next_at      timestamptz NOT NULL,       -- when it may be taken; the end of the lease while a sender has it
    leased_until timestamptz,
    ended_at     timestamptz,
    PRIMARY KEY (tenant_id, message_id),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES core.webhook_endpoints (tenant_id, endpoint_id) ON DELETE CASCADE
) WITH (fillfactor = 80);
CREATE INDEX webhook_messages_due ON core.webhook_messages (tenant_id, endpoint_id, next_at, position)
    WHERE state = 'waiting';
CREATE INDEX webhook_messages_leased ON core.webhook_messages (tenant_id, endpoint_id) WHERE leased_until IS NOT NULL;
CREATE INDEX webhook_messages_in_order ON core.webhook_messages (tenant_id, endpoint_id, position, message_id);
CREATE INDEX webhook_messages_old ON core.webhook_messages (created_at);

-- Nothing of an answer but its status.
CREATE TABLE core.webhook_attempts (
    tenant_id   uuid NOT NULL,
    message_id  uuid NOT NULL,
    claim       bigint NOT NULL,
    attempt     integer NOT NULL,
    at          timestamptz NOT NULL,
    status      integer, -- none without an answer
    outcome     text NOT NULL,
    duration_ms bigint NOT NULL,
    PRIMARY KEY (tenant_id, message_id, claim),
    FOREIGN KEY (tenant_id, message_id) REFERENCES core.webhook_messages (tenant_id, message_id) ON DELETE CASCADE
);

-- How far the log is turned into messages. It stands apart from core.policy_positions, because erasures wait for the
-- policies there and would wait for ever where no notifier runs. It begins at the end of the log: no endpoint is older.
CREATE TABLE core.webhook_position (
    id       smallint PRIMARY KEY CHECK (id = 1),
    position bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO core.webhook_position SELECT 1, position FROM core.log_head WHERE id = 1;

-- ---------------------------------------------------------------------------------------------------------------

-- One event of a stream `webhook_endpoint`. The named events keep these fields in all their versions. With the rights
-- of the two functions that call it.
CREATE FUNCTION core.apply_webhook_event(e core.events) RETURNS void
LANGUAGE plpgsql SET search_path = core, pg_temp AS $$
BEGIN
    CASE e.event_type
        WHEN 'webhook_endpoint_added' THEN
            INSERT INTO core.webhook_endpoints AS w
                   (tenant_id, endpoint_id, place, version, added_at, host, types, address_id, secret_id)
            VALUES (e.tenant_id, e.aggregate_id::uuid, e.position, e.position, e.recorded_at, e.payload ->> 'host',
                    ARRAY(SELECT jsonb_array_elements_text(e.payload::jsonb -> 'types')),
                    (e.payload ->> 'address_id')::uuid, (e.payload ->> 'secret_id')::uuid)
            ON CONFLICT (tenant_id, endpoint_id) DO UPDATE
               SET place = EXCLUDED.place, version = EXCLUDED.version, added_at = EXCLUDED.added_at,
                   host = EXCLUDED.host, types = EXCLUDED.types, address_id = EXCLUDED.address_id,
                   secret_id = EXCLUDED.secret_id, former_id = NULL, former_until = NULL, disabled = NULL,
                   disabled_at = NULL;
        WHEN 'webhook_endpoint_changed' THEN
            UPDATE core.webhook_endpoints w
               SET version = e.position, host = e.payload ->> 'host',
                   types = ARRAY(SELECT jsonb_array_elements_text(e.payload::jsonb -> 'types')),
                   address_id = (e.payload ->> 'address_id')::uuid,
                   -- Another address has not failed yet.
                   failing_since = CASE WHEN w.address_id = (e.payload ->> 'address_id')::uuid
                                        THEN w.failing_since END
             WHERE w.tenant_id = e.tenant_id AND w.endpoint_id = e.aggregate_id::uuid;
        WHEN 'webhook_secret_rotated' THEN
            UPDATE core.webhook_endpoints w
               SET version = e.position, former_id = w.secret_id,
                   former_until = (e.payload ->> 'former_until')::timestamptz,
                   secret_id = (e.payload ->> 'secret_id')::uuid
             WHERE w.tenant_id = e.tenant_id AND w.endpoint_id = e.aggregate_id::uuid;
        WHEN 'webhook_endpoint_disabled' THEN
            UPDATE core.webhook_endpoints w
               SET version = e.position, disabled = e.payload ->> 'reason', disabled_at = e.recorded_at
             WHERE w.tenant_id = e.tenant_id AND w.endpoint_id = e.aggregate_id::uuid;
        WHEN 'webhook_endpoint_enabled' THEN
            UPDATE core.webhook_endpoints w
               SET version = e.position, disabled = NULL, disabled_at = NULL, failing_since = NULL
             WHERE w.tenant_id = e.tenant_id AND w.endpoint_id = e.aggregate_id::uuid;
        WHEN 'webhook_endpoint_removed' THEN
            DELETE FROM core.webhook_endpoints w
             WHERE w.tenant_id = e.tenant_id AND w.endpoint_id = e.aggregate_id::uuid;
        ELSE
            NULL; -- of a later program
    END CASE;
END $$;

CREATE FUNCTION core.follow_webhooks() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
BEGIN
    PERFORM core.apply_webhook_event(NEW);
    IF NEW.event_type IN ('webhook_endpoint_added', 'webhook_endpoint_enabled') THEN
        -- Whether the plan allows it is asked before; a plan that changes at the same moment is noticed by this.
        UPDATE core.tenant_terms t SET changes = t.changes + 1 WHERE t.tenant_id = NEW.tenant_id;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER events_webhooks
    AFTER INSERT ON core.events
    FOR EACH ROW WHEN (NEW.aggregate_type = 'webhook_endpoint')
    EXECUTE FUNCTION core.follow_webhooks();

-- Makes the table from the log again. Descriptions, which are not in the log, and messages stay with endpoints that the
-- log knows. Returns how many endpoints there are.
CREATE FUNCTION core.rebuild_webhook_endpoints() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = core, pg_temp AS $$
DECLARE
    found core.events;
BEGIN
    -- Nothing is appended meanwhile.
    PERFORM FROM core.log_head WHERE id = 1 FOR UPDATE;
    DELETE FROM core.webhook_endpoints w
     WHERE NOT EXISTS (SELECT FROM core.events e
                        WHERE e.aggregate_id = w.endpoint_id::text AND e.aggregate_type = 'webhook_endpoint');
    FOR found IN SELECT e.* FROM core.events e
                  WHERE e.aggregate_type = 'webhook_endpoint'
                    AND NOT EXISTS (SELECT FROM core.erasure_acts a
                                     WHERE a.tenant_id = e.tenant_id AND a.subject_type = 'tenant'
                                       AND a.position IS NOT NULL)
                  ORDER BY e.position LOOP
        PERFORM core.apply_webhook_event(found);
    END LOOP;
    RETURN (SELECT count(*) FROM core.webhook_endpoints);
END $$;

-- ---------------------------------------------------------------------------------------------------------------

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['webhook_endpoints', 'webhook_messages', 'webhook_attempts'] LOOP
        EXECUTE format('ALTER TABLE core.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE core.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_all ON core.%I TO st_owner USING (true) WITH CHECK (true)', name);
        EXECUTE format('CREATE POLICY one_tenant ON core.%I TO st_api
                        USING (tenant_id = (SELECT core.current_tenant()))
                        WITH CHECK (tenant_id = (SELECT core.current_tenant()))', name);
        -- The sender serves all tenants at once.
        EXECUTE format('CREATE POLICY sender_all ON core.%I TO st_notifier USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;
-- The plan switches endpoints off and on.
CREATE POLICY worker_one_tenant ON core.webhook_endpoints FOR SELECT TO st_worker
    USING (tenant_id = (SELECT core.current_tenant()));

GRANT SELECT, UPDATE (description) ON core.webhook_endpoints TO st_api;
GRANT SELECT, INSERT, UPDATE (state, attempts, next_at, ended_at) ON core.webhook_messages TO st_api;
GRANT SELECT ON core.webhook_attempts TO st_api;
GRANT SELECT ON core.webhook_endpoints TO st_worker;
GRANT SELECT, UPDATE (failing_since, served_at) ON core.webhook_endpoints TO st_notifier;
GRANT SELECT, INSERT, DELETE, UPDATE (state, attempts, claims, next_at, leased_until, ended_at)
    ON core.webhook_messages TO st_notifier;
GRANT SELECT, INSERT ON core.webhook_attempts TO st_notifier;
GRANT SELECT, UPDATE (position) ON core.webhook_position TO st_notifier;
REVOKE ALL ON FUNCTION core.apply_webhook_event, core.follow_webhooks, core.rebuild_webhook_endpoints FROM PUBLIC;

RESET ROLE;
