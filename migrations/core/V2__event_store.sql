-- The event log. Column names and types of `events` up to `metadata` are those of postgres-es 0.5, so that it can
-- read our streams; what it lacks (order, ids, time, tenant, circumstances) follows.
SET LOCAL ROLE st_owner;

CREATE TABLE core.events (
    aggregate_type text NOT NULL,
    aggregate_id   text NOT NULL,
    sequence       bigint NOT NULL CHECK (sequence >= 1),
    event_type     text NOT NULL,
    event_version  text NOT NULL,
    payload        json NOT NULL,
    metadata       json NOT NULL,
    position       bigint NOT NULL,
    event_id       uuid NOT NULL DEFAULT gen_random_uuid(),
    tenant_id      uuid NOT NULL,
    command_id     uuid NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id   uuid,
    actor          text NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (position),
    UNIQUE (aggregate_type, aggregate_id, sequence)
);

-- Version of every stream, so that an append never has to look at `events`.
CREATE TABLE core.heads (
    aggregate_type text NOT NULL,
    aggregate_id   text NOT NULL,
    tenant_id      uuid NOT NULL,
    version        bigint NOT NULL CHECK (version >= 1),
    PRIMARY KEY (aggregate_type, aggregate_id)
) WITH (fillfactor = 70);

-- First answer to every command; a repeated command gets it again.
CREATE TABLE core.commands (
    tenant_id      uuid NOT NULL,
    command_id     uuid NOT NULL,
    aggregate_type text NOT NULL,
    aggregate_id   text NOT NULL,
    version        bigint NOT NULL,
    position       bigint NOT NULL,
    result         text,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, command_id)
);

-- Folded states of the write side. A convenience: ignored when fold version or schema hash differ, safe to empty.
CREATE TABLE core.states (
    aggregate_type text NOT NULL,
    aggregate_id   text NOT NULL,
    tenant_id      uuid NOT NULL,
    version        bigint NOT NULL,
    fold_version   integer NOT NULL,
    schema_hash    text NOT NULL,
    state          text NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id)
) WITH (fillfactor = 70);

-- The one lock of the log, and its length.
CREATE TABLE core.log_head (
    id       integer PRIMARY KEY CHECK (id = 1),
    position bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO core.log_head VALUES (1, 0);

-- ---------------------------------------------------------------------------------------------------------------
-- Guards: they hold for every writer, the owner included.

CREATE FUNCTION core.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event log is append-only: % on %.% refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER events_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON core.events
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change();
CREATE TRIGGER commands_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON core.commands
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change();

-- A writer that gives no position (postgres-es) is numbered here, one row at a time, under the same lock, and has
-- to continue its stream. Its circumstances come from the metadata column.
CREATE FUNCTION core.number_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    head bigint;
    owner uuid;
BEGIN
    SELECT l.position + 1 INTO NEW.position FROM core.log_head l WHERE l.id = 1 FOR UPDATE;
    SELECT h.version, h.tenant_id INTO head, owner FROM core.heads h
     WHERE h.aggregate_type = NEW.aggregate_type AND h.aggregate_id = NEW.aggregate_id;
    IF NEW.sequence <> coalesce(head, 0) + 1 THEN
        RAISE EXCEPTION 'stream % % is at version %, so % does not continue it',
            NEW.aggregate_type, NEW.aggregate_id, coalesce(head, 0), NEW.sequence
            USING ERRCODE = 'unique_violation';
    END IF;
    NEW.tenant_id := coalesce(NEW.tenant_id, (NEW.metadata ->> 'tenant_id')::uuid);
    IF owner <> NEW.tenant_id THEN
        RAISE EXCEPTION 'stream % % is another tenant''s', NEW.aggregate_type, NEW.aggregate_id
            USING ERRCODE = 'unique_violation';
    END IF;
    NEW.command_id := coalesce(NEW.command_id, (NEW.metadata ->> 'command_id')::uuid, gen_random_uuid());
    NEW.correlation_id := coalesce(NEW.correlation_id, (NEW.metadata ->> 'correlation_id')::uuid, NEW.command_id);
    NEW.actor := coalesce(NEW.actor, NEW.metadata ->> 'actor', 'postgres-es');
    INSERT INTO core.heads AS h (aggregate_type, aggregate_id, tenant_id, version)
    VALUES (NEW.aggregate_type, NEW.aggregate_id, NEW.tenant_id, NEW.sequence)
    ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE SET version = EXCLUDED.version;
    UPDATE core.log_head SET position = NEW.position WHERE id = 1;
    RETURN NEW;
END $$;

CREATE TRIGGER events_number
    BEFORE INSERT ON core.events
    FOR EACH ROW WHEN (NEW.position IS NULL)
    EXECUTE FUNCTION core.number_event();

-- Whatever wrote: the new rows continue the log without a gap and end at its head.
CREATE FUNCTION core.check_density() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first bigint;
    last bigint;
    rows bigint;
    head bigint;
BEGIN
    SELECT min(position), max(position), count(*) INTO first, last, rows FROM inserted;
    IF rows = 0 THEN
        RETURN NULL;
    END IF;
    SELECT l.position INTO head FROM core.log_head l WHERE l.id = 1;
    IF last <> head OR last - first + 1 <> rows
       OR (first > 1 AND NOT EXISTS (SELECT FROM core.events e WHERE e.position = first - 1)) THEN
        RAISE EXCEPTION 'positions % to % (% rows) do not continue the log, whose head is %', first, last, rows, head
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER events_dense
    AFTER INSERT ON core.events
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION core.check_density();

-- ---------------------------------------------------------------------------------------------------------------
-- The one way in. One call appends a batch of commands, at most one per stream and one per command id (the
-- combiner sees to that; the unique keys would refuse anything else). Every command is answered for itself:
--   ok        its events are in
--   duplicate the command was seen before; version, position and result are those of the first time
--   conflict  the stream is elsewhere; version is where it is, -1 when it is another tenant's
--
-- The lock is a statement of its own: a statement's snapshot is older than the locks it takes, so locking and
-- reading the head in one statement hands out the same position twice. The arrays meet the tables through scalar
-- sub-queries, never joins: a generic plan made while the tables were small joins by scanning them for ever.
CREATE TYPE core.first_answer AS (version bigint, position bigint, result text);

CREATE FUNCTION core.append_events(
    p_tenant uuid[], p_command uuid[], p_type text[], p_id text[], p_expected bigint[], p_count integer[],
    p_correlation uuid[], p_causation uuid[], p_actor text[], p_metadata text[], p_result text[],
    e_command integer[], e_index integer[], e_id uuid[], e_type text[], e_version text[], e_payload text[]
) RETURNS TABLE (ordinal bigint, status text, new_version bigint, last_position bigint, answer text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = core, pg_temp
SET enable_seqscan = off
SET enable_mergejoin = off
SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    base bigint;
BEGIN
    SELECT l.position INTO base FROM core.log_head l WHERE l.id = 1 FOR UPDATE;
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT c.*,
               coalesce((SELECT CASE WHEN h.tenant_id = c.tenant THEN h.version ELSE -1 END FROM core.heads h
                          WHERE h.aggregate_type = c.type AND h.aggregate_id = c.id), 0) AS head,
               (SELECT ROW(k.version, k.position, k.result)::core.first_answer FROM core.commands k
                 WHERE k.tenant_id = c.tenant AND k.command_id = c.command) AS first
          FROM unnest(p_tenant, p_command, p_type, p_id, p_expected, p_count, p_correlation, p_causation,
                      p_actor, p_metadata, p_result) WITH ORDINALITY
               AS c(tenant, command, type, id, expected, count, correlation, causation, actor, metadata, result, ord)
    ),
    judged AS MATERIALIZED (
        SELECT g.*,
               CASE WHEN (g.first).version IS NOT NULL THEN 'duplicate'
                    WHEN g.head <> g.expected OR g.head < 0 THEN 'conflict'
                    ELSE 'ok' END AS verdict
          FROM given g
    ),
    placed AS MATERIALIZED (
        SELECT j.*, base + sum(CASE WHEN j.verdict = 'ok' THEN j.count ELSE 0 END) OVER (ORDER BY j.ord) AS last
          FROM judged j
    ),
    accepted AS MATERIALIZED (
        SELECT p.*, p.last - p.count AS before FROM placed p WHERE p.verdict = 'ok'
    ),
    new_heads AS (
        INSERT INTO core.heads AS h (aggregate_type, aggregate_id, tenant_id, version)
        SELECT a.type, a.id, a.tenant, a.expected + a.count FROM accepted a WHERE a.count > 0
        ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE SET version = EXCLUDED.version
    ),
    new_commands AS (
        INSERT INTO core.commands (tenant_id, command_id, aggregate_type, aggregate_id, version, position, result)
        SELECT a.tenant, a.command, a.type, a.id, a.expected + a.count, a.last, a.result FROM accepted a
    ),
    new_events AS (
        INSERT INTO core.events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                                 position, event_id, tenant_id, command_id, correlation_id, causation_id, actor)
        SELECT a.type, a.id, a.expected + e.index, e.type, e.version, e.payload::json, a.metadata::json,
               a.before + e.index, e.id, a.tenant, a.command, a.correlation, a.causation, a.actor
          FROM unnest(e_command, e_index, e_id, e_type, e_version, e_payload)
               AS e(command, index, id, type, version, payload)
          JOIN accepted a ON a.ord = e.command
    ),
    new_head AS (
        UPDATE core.log_head l SET position = base + (SELECT sum(a.count) FROM accepted a)
         WHERE l.id = 1 AND EXISTS (SELECT FROM accepted a WHERE a.count > 0)
    )
    SELECT p.ord, p.verdict,
           CASE p.verdict WHEN 'duplicate' THEN (p.first).version
                          WHEN 'conflict' THEN p.head
                          ELSE p.expected + p.count END,
           CASE p.verdict WHEN 'duplicate' THEN (p.first).position
                          WHEN 'conflict' THEN base
                          ELSE p.last END,
           CASE p.verdict WHEN 'duplicate' THEN (p.first).result ELSE p.result END
      FROM placed p;
END $$;
REVOKE ALL ON FUNCTION core.append_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.append_events TO st_api, st_gateway, st_worker;

-- ---------------------------------------------------------------------------------------------------------------
-- Who may see what. The owner's policies exist because forced row security binds the owner too, and the append
-- function runs as the owner.

ALTER TABLE core.events   ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.heads    ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.commands ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.states   ENABLE ROW LEVEL SECURITY;
ALTER TABLE core.events   FORCE ROW LEVEL SECURITY;
ALTER TABLE core.heads    FORCE ROW LEVEL SECURITY;
ALTER TABLE core.commands FORCE ROW LEVEL SECURITY;
ALTER TABLE core.states   FORCE ROW LEVEL SECURITY;

CREATE POLICY owner_reads ON core.events FOR SELECT TO st_owner USING (true);
CREATE POLICY owner_appends ON core.events FOR INSERT TO st_owner WITH CHECK (true);
CREATE POLICY owner_all ON core.heads TO st_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_reads ON core.commands FOR SELECT TO st_owner USING (true);
CREATE POLICY owner_appends ON core.commands FOR INSERT TO st_owner WITH CHECK (true);
CREATE POLICY owner_all ON core.states TO st_owner USING (true) WITH CHECK (true);

CREATE POLICY one_tenant ON core.events FOR SELECT TO st_api, st_gateway, st_worker
    USING (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.heads FOR SELECT TO st_api, st_gateway, st_worker
    USING (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.commands FOR SELECT TO st_api, st_gateway, st_worker
    USING (tenant_id = (SELECT core.current_tenant()));
CREATE POLICY one_tenant ON core.states TO st_api, st_gateway, st_worker
    USING (tenant_id = (SELECT core.current_tenant())) WITH CHECK (tenant_id = (SELECT core.current_tenant()));

-- The relay and the projectors read the whole log, and nothing but the log.
CREATE POLICY whole_log ON core.events FOR SELECT TO st_relay, st_projector USING (true);

GRANT SELECT ON core.events TO st_api, st_gateway, st_worker, st_relay, st_projector;
GRANT SELECT ON core.heads, core.commands TO st_api, st_gateway, st_worker;
GRANT SELECT, INSERT, UPDATE ON core.states TO st_api, st_gateway, st_worker;
GRANT SELECT ON core.log_head TO st_api, st_gateway, st_worker, st_relay, st_projector, st_sheets;

RESET ROLE;
