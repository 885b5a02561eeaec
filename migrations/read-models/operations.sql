-- What goes on: tenants and their members, cabinets, syncs (each is a public operation), the sheet's link, alerts.
-- Applied like inventory.sql; the first four tables mean what they mean there.

CREATE TABLE projection (
    name        text PRIMARY KEY,
    version     integer NOT NULL,
    schema_hash text NOT NULL,
    position    bigint NOT NULL,
    epoch       bigint NOT NULL,
    updated_at  timestamptz
) WITH (fillfactor = 10);

CREATE TABLE parked_streams (
    tenant_id      uuid NOT NULL,
    stream_type    text NOT NULL,
    stream_id      uuid NOT NULL,
    first_position bigint NOT NULL,
    first_version  bigint NOT NULL,
    reason         text NOT NULL,
    PRIMARY KEY (tenant_id, stream_type, stream_id)
);
CREATE TABLE parked_events (
    tenant_id   uuid NOT NULL,
    stream_type text NOT NULL,
    stream_id   uuid NOT NULL,
    version     bigint NOT NULL,
    position    bigint NOT NULL,
    event_type  text NOT NULL,
    PRIMARY KEY (tenant_id, stream_type, stream_id, version)
);
CREATE TABLE erased_tenants (
    tenant_id uuid NOT NULL PRIMARY KEY,
    position  bigint NOT NULL
);

CREATE TABLE tenants (
    tenant_id     uuid NOT NULL PRIMARY KEY,
    owner_id      uuid NOT NULL,            -- the first member
    language      text NOT NULL,
    time_zone     text NOT NULL,
    status        text NOT NULL,            -- active, suspended, erased
    reason        text,                     -- of the suspension
    registered_at timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    position      bigint NOT NULL
);

CREATE TABLE members (
    tenant_id uuid NOT NULL,
    user_id   uuid NOT NULL,
    role      text NOT NULL,                -- viewer, member, admin, owner
    added_at  timestamptz NOT NULL,
    position  bigint NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);

CREATE TABLE cabinets (
    tenant_id         uuid NOT NULL,
    cabinet_id        uuid NOT NULL,
    marketplace       text NOT NULL,
    status            text NOT NULL,        -- connected, disconnected
    credential_id     uuid NOT NULL,
    fingerprint       text NOT NULL,
    token_kind        text NOT NULL,
    seller_id         text,
    expires_at        timestamptz,
    scopes            jsonb NOT NULL,       -- array of strings
    credential_status text NOT NULL,        -- unchecked, accepted, rejected
    credential_reason text,
    checked_at        timestamptz,
    guard             jsonb NOT NULL,       -- what trials of the key brought out, and what became of a new one
    interval_seconds  bigint,               -- none until somebody sets it
    paused            boolean NOT NULL,
    paused_by_plan    boolean NOT NULL,     -- the plan allows fewer cabinets
    connected_at      timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    first_position    bigint NOT NULL,
    position          bigint NOT NULL,
    PRIMARY KEY (tenant_id, cabinet_id)
) WITH (fillfactor = 80);

CREATE TABLE syncs (
    tenant_id        uuid NOT NULL,
    sync_id          uuid NOT NULL,
    cabinet_id       uuid NOT NULL,
    trigger          text NOT NULL,         -- manual, schedule, connected
    forced           boolean NOT NULL,
    status           text NOT NULL,         -- as SyncStatus of operations/queries.rs
    attempt          bigint NOT NULL,       -- 0 until a worker took it up
    requested_at     timestamptz NOT NULL,
    started_at       timestamptz,           -- of the latest attempt
    finished_at      timestamptz,           -- none while it may still change
    sources          jsonb NOT NULL,        -- array of source reports of the latest attempt
    products_seen    bigint,
    products_changed bigint,
    error_class      text,
    error_detail     text,
    retry_at         timestamptz,
    decided_by       text,                  -- who released or discarded what was held back
    decided_at       timestamptz,
    updated_at       timestamptz NOT NULL,
    first_position   bigint NOT NULL,
    position         bigint NOT NULL,
    PRIMARY KEY (tenant_id, sync_id)
) WITH (fillfactor = 80);

-- How much a sync has recorded so far. Beside `syncs`, because it is fed by product streams: a sync whose own
-- stream is parked must not lose count.
CREATE TABLE sync_progress (
    tenant_id uuid NOT NULL,
    sync_id   uuid NOT NULL,
    recorded  bigint NOT NULL,
    position  bigint NOT NULL,
    PRIMARY KEY (tenant_id, sync_id)
) WITH (fillfactor = 50);

-- How each source of a cabinet came out last, and since when it has been failing. One row a cabinet, beside
-- `cabinets`, because it is fed by the stream of its syncs.
CREATE TABLE freshness (
    tenant_id  uuid NOT NULL,
    cabinet_id uuid NOT NULL,
    sources    jsonb NOT NULL,              -- by name of the source
    position   bigint NOT NULL,
    PRIMARY KEY (tenant_id, cabinet_id)
) WITH (fillfactor = 70);

CREATE TABLE sheets (
    tenant_id      uuid NOT NULL PRIMARY KEY,
    linked         boolean NOT NULL,
    spreadsheet_id text,
    worksheet      text,
    credential_id  uuid,                    -- in the vault
    language       text,                    -- none: the tenant's
    layout         text,                    -- the whole choice as its event tells it, JSON; none: never chosen
    linked_at      timestamptz,
    updated_at     timestamptz NOT NULL,
    position       bigint NOT NULL
);

-- Times in which stock of a product was low or gone at one place, from the event that began it to the one that ended it.
CREATE TABLE alerts (
    tenant_id           uuid NOT NULL,
    first_position      bigint NOT NULL,            -- of the event that began it; its id, and its age
    product_id          uuid NOT NULL,
    place               text COLLATE "C" NOT NULL,  -- key of the warehouse; empty for all of them together
    cabinet_id          uuid NOT NULL,
    nm_id               bigint NOT NULL,
    warehouse_name      text,                       -- as it was called when it was last seen
    state               text NOT NULL,              -- as AlertState of operations/alerts.rs
    cause               text NOT NULL,              -- sync, first_sync, rule, warehouses: of its beginning
    since               timestamptz NOT NULL,       -- low or out since
    out_since           timestamptz,                -- nothing left since; none while something is, and after the end
    was_out             boolean NOT NULL,           -- nothing was left at some time of it
    ended_at            timestamptz,
    end_reason          text,                       -- of a closed one
    available           bigint NOT NULL,            -- the numbers that were last seen
    orders              bigint,
    days_tenths         bigint,
    below_units         bigint,                     -- what stock was below of, when it was low last
    below_days          bigint,
    rule_id             uuid,                       -- none: the default
    sync_id             uuid,                       -- that saw the numbers
    seen_position       bigint NOT NULL,            -- of the event that the last change follows from, and its time
    seen_at             timestamptz NOT NULL,
    pace_milli          bigint,                     -- units a day, in thousandths, before it ran out last
    price_minor         bigint,
    currency            text,
    out_seconds         bigint NOT NULL,            -- of the times without stock that have ended
    lost_orders_tenths  bigint,
    lost_turnover_minor bigint,
    lost_currency       text,
    position            bigint NOT NULL,            -- of its last event
    PRIMARY KEY (tenant_id, first_position)
) WITH (fillfactor = 80);
-- Part of the fold, not only of the questions: what goes on is looked up by product.
CREATE UNIQUE INDEX alerts_going_on ON alerts (tenant_id, product_id, place) WHERE ended_at IS NULL;

-- after filling -------------------------------------------------------------------------------------------------

CREATE INDEX cabinets_by_age ON cabinets (tenant_id, first_position);
CREATE INDEX syncs_by_age ON syncs (tenant_id, first_position);
CREATE INDEX syncs_by_cabinet ON syncs (tenant_id, cabinet_id, first_position);
CREATE INDEX alerts_going_on_by_age ON alerts (tenant_id, first_position) WHERE ended_at IS NULL;
