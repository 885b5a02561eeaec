-- What a tenant has: products, their stock per warehouse, their orders, and how all that came about.
-- Applied by st_projector with `search_path` set to the schema to fill (the live one, or the one that is rebuilt
-- beside it); no name here carries a schema. Every value comes from events: no default may look at a clock.
-- Text in keys is compared as bytes: it has no alphabet, and the database's own collation costs many times as much.

-- How far this copy has read. `epoch` fences: whoever takes over raises it. `updated_at` is the time of the
-- last event folded, not of the folding.
CREATE TABLE projection (
    name        text PRIMARY KEY,
    version     integer NOT NULL,
    schema_hash text NOT NULL,
    position    bigint NOT NULL,
    epoch       bigint NOT NULL,
    updated_at  timestamptz
) WITH (fillfactor = 10);

-- Streams whose event could not be applied; what follows in them waits in order until somebody unparks them.
CREATE TABLE parked_streams (
    tenant_id      uuid NOT NULL,
    stream_type    text NOT NULL,
    stream_id      uuid NOT NULL,
    first_position bigint NOT NULL,
    first_version  bigint NOT NULL,
    reason         text NOT NULL,
    PRIMARY KEY (tenant_id, stream_type, stream_id)
);
-- References into the log, which keeps the events themselves.
CREATE TABLE parked_events (
    tenant_id   uuid NOT NULL,
    stream_type text NOT NULL,
    stream_id   uuid NOT NULL,
    version     bigint NOT NULL,
    position    bigint NOT NULL,
    event_type  text NOT NULL,
    PRIMARY KEY (tenant_id, stream_type, stream_id, version)
);

-- Tenants that were erased, and by which event: nothing is here of them, and nothing comes any more.
CREATE TABLE erased_tenants (
    tenant_id uuid NOT NULL PRIMARY KEY,
    position  bigint NOT NULL
);

CREATE TABLE products (
    tenant_id              uuid NOT NULL,
    product_id             uuid NOT NULL,
    cabinet_id             uuid NOT NULL,
    marketplace            text NOT NULL,
    nm_id                  bigint NOT NULL,
    vendor_code            text NOT NULL,
    brand                  text NOT NULL,
    subject                text NOT NULL,
    title                  text NOT NULL,
    barcodes               jsonb NOT NULL,          -- array of strings
    sizes                  jsonb NOT NULL,          -- array of {size_id, name, barcodes}
    price_minor            bigint,                  -- before and after the seller's discount
    discounted_minor       bigint,
    currency               text,
    marketplace_figures    jsonb NOT NULL,          -- the marketplace's own turnover, whole and by region
    search                 text NOT NULL,           -- lower case, one searchable value a line
    delisted               boolean NOT NULL,
    available              bigint NOT NULL,         -- sum of the levels
    in_way_to_client       bigint NOT NULL,         -- sum of the levels and what no warehouse is told for
    in_way_from_client     bigint NOT NULL,
    unassigned_to_client   bigint NOT NULL,
    unassigned_from_client bigint NOT NULL,
    as_of                  jsonb NOT NULL,          -- source -> marketplace's time of its last recorded change
    stock_sources          jsonb NOT NULL,          -- source -> units it tells, since when some are there
    observed_since         timestamptz,             -- marketplace's time of the first stock ever told
    in_stock_since         timestamptz,             -- beginning of the spell in stock that lasts
    listed_at              timestamptz NOT NULL,
    updated_at             timestamptz NOT NULL,
    first_position         bigint NOT NULL,
    position               bigint NOT NULL,
    PRIMARY KEY (tenant_id, product_id)
) WITH (fillfactor = 80);

-- Absolute values. A level that became zero stays, so that its age can be shown; one that was regrouped goes.
CREATE TABLE stock_levels (
    tenant_id          uuid NOT NULL,
    product_id         uuid NOT NULL,
    warehouse          text COLLATE "C" NOT NULL,
    cabinet_id         uuid NOT NULL,
    available          bigint NOT NULL,
    in_way_to_client   bigint NOT NULL,
    in_way_from_client bigint NOT NULL,
    buckets            jsonb NOT NULL,              -- units of further kinds, by kind
    cluster            text,                        -- the marketplace's region of warehouses
    sizes              jsonb NOT NULL,              -- array of {size_id, name, available}; adds up to available
    source             text NOT NULL,
    as_of              timestamptz NOT NULL,
    sync_id            uuid NOT NULL,
    changed_at         timestamptz NOT NULL,
    position           bigint NOT NULL,
    PRIMARY KEY (tenant_id, product_id, warehouse)
) WITH (fillfactor = 80);

-- Every warehouse key a cabinet ever had, in stock or in orders. A row depends on no order of arrival: the
-- earliest sighting wins `first_*`, the latest name wins, one told with stock before one told with orders.
CREATE TABLE warehouses (
    tenant_id      uuid NOT NULL,
    cabinet_id     uuid NOT NULL,
    warehouse      text COLLATE "C" NOT NULL,
    name           text NOT NULL,
    names          jsonb NOT NULL,        -- all names under which stock was told, sorted
    fulfilment     text NOT NULL,
    masked         boolean NOT NULL,
    in_stock       boolean NOT NULL,
    in_orders      boolean NOT NULL,
    first_position bigint NOT NULL,
    first_index    integer NOT NULL,
    name_position  bigint NOT NULL,
    name_index     integer NOT NULL,
    PRIMARY KEY (tenant_id, cabinet_id, warehouse)
) WITH (fillfactor = 50);

-- One row an order, replaced whole, so that nothing is counted twice. `day` is the Moscow day (UTC+3).
CREATE TABLE orders (
    tenant_id      uuid NOT NULL,
    cabinet_id     uuid NOT NULL,
    order_id       text COLLATE "C" NOT NULL,
    product_id     uuid NOT NULL,
    day            date NOT NULL,
    ordered_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    warehouse      text COLLATE "C" NOT NULL,
    warehouse_name text NOT NULL,
    fulfilment     text NOT NULL,
    quantity       bigint NOT NULL,
    status         text NOT NULL,
    cancelled      boolean NOT NULL,
    price_minor    bigint,
    currency       text,
    size_id        bigint,
    cluster        text,
    as_of          timestamptz NOT NULL,
    sync_id        uuid NOT NULL,
    position       bigint NOT NULL,
    PRIMARY KEY (tenant_id, cabinet_id, order_id)
) WITH (fillfactor = 80);
-- Part of the fold, not only of the questions: the days below are counted through it.
CREATE INDEX orders_by_day ON orders (tenant_id, product_id, day);

-- Units ordered and not cancelled; `returned` are those of them that came back. Counted anew from `orders` for
-- every touched day, never added to.
CREATE TABLE order_days (
    tenant_id  uuid NOT NULL,
    product_id uuid NOT NULL,
    day        date NOT NULL,
    warehouse  text COLLATE "C" NOT NULL,
    cabinet_id uuid NOT NULL,
    units      bigint NOT NULL,
    returned   bigint NOT NULL,
    PRIMARY KEY (tenant_id, product_id, day, warehouse)
) WITH (fillfactor = 80);

-- When a source told at least one unit, by the marketplace's time, the end not included. Only spells that have
-- ended: those that last are in `products`.
CREATE TABLE stock_spells (
    tenant_id  uuid NOT NULL,
    product_id uuid NOT NULL,
    source     text COLLATE "C" NOT NULL,
    began_at   timestamptz NOT NULL,
    ended_at   timestamptz NOT NULL,
    position   bigint NOT NULL
);

-- When a cabinet was away: taken away by its seller, and connected again. Its products and their history stay; what
-- is listed, summed up and exported leaves them out while it is away.
CREATE TABLE cabinet_absences (
    tenant_id     uuid NOT NULL,
    cabinet_id    uuid NOT NULL,
    left_position bigint NOT NULL,
    left_at       timestamptz NOT NULL,   -- by our time of recording, as what is asked for an earlier instant
    back_at       timestamptz,            -- none while it is away
    PRIMARY KEY (tenant_id, cabinet_id, left_position)
);

-- When a warehouse was left out of what can be sold, by key. Its levels and orders go on; who asks for totals
-- takes the levels away. The key stays the warehouse's through renames, masks and absences.
CREATE TABLE warehouse_exclusions (
    tenant_id         uuid NOT NULL,
    cabinet_id        uuid NOT NULL,
    warehouse         text COLLATE "C" NOT NULL,
    excluded_position bigint NOT NULL,
    excluded_at       timestamptz NOT NULL,   -- by our time of recording, as for absences
    included_at       timestamptz,            -- none while it is left out
    reason            text NOT NULL,          -- the last one that was given
    excluded_by       text NOT NULL,          -- the actor who gave it
    PRIMARY KEY (tenant_id, cabinet_id, warehouse, excluded_position)
);

-- How each source of a cabinet last came out, and how old what it told is.
CREATE TABLE freshness (
    tenant_id   uuid NOT NULL,
    cabinet_id  uuid NOT NULL,
    source      text COLLATE "C" NOT NULL,
    as_of       timestamptz,              -- of the newest complete answer that was recorded
    complete_at timestamptz,              -- when that was recorded
    complete_by uuid,                     -- the sync that told it
    covers_since timestamptz,             -- of orders: from here on they are known without a gap
    outcome     text NOT NULL,            -- complete, partial, failed, cached
    outcome_at  timestamptz NOT NULL,
    error       text,
    sync_id     uuid NOT NULL,
    held        jsonb NOT NULL,           -- doubts that are held back, as the sync reported them; [] for none
    held_by     uuid,                     -- the sync to release or to discard for them
    position    bigint NOT NULL,
    PRIMARY KEY (tenant_id, cabinet_id, source)
);

-- One row a change. `total_*` are the product's after the whole event, which answers "what was known then".
CREATE TABLE product_history (
    tenant_id          uuid NOT NULL,
    product_id         uuid NOT NULL,
    position           bigint NOT NULL,
    index              integer NOT NULL,
    cabinet_id         uuid NOT NULL,
    recorded_at        timestamptz NOT NULL,
    as_of              timestamptz,
    kind               text NOT NULL,     -- listed, details_changed, delisted, relisted, stock, in_way, regrouped, orders
    source             text,
    sync_id            uuid NOT NULL,
    warehouse          text,
    warehouse_name     text,
    available_before   bigint,
    available_after    bigint,
    to_client_before   bigint,
    to_client_after    bigint,
    from_client_before bigint,
    from_client_after  bigint,
    orders             bigint,            -- new or changed orders
    detail             text,              -- names of the details that changed
    total_available    bigint NOT NULL,
    total_to_client    bigint NOT NULL,
    total_from_client  bigint NOT NULL,
    delisted           boolean NOT NULL
);

-- after filling -------------------------------------------------------------------------------------------------
-- What follows serves questions only, so a rebuild adds it when the rows are in.

-- The fold never looks a change up: a rebuild fills this table faster without its key.
ALTER TABLE product_history ADD PRIMARY KEY (tenant_id, product_id, position, index);
ALTER TABLE stock_spells ADD PRIMARY KEY (tenant_id, product_id, source, began_at);
-- A window asks for what had not ended when it began.
CREATE INDEX stock_spells_by_end ON stock_spells (tenant_id, ended_at) INCLUDE (product_id, began_at);
-- No index on what most events change: an update that leaves every index alone costs a fraction of one that does not.
CREATE INDEX products_by_article ON products (tenant_id, nm_id);
-- These end with the product because the fold looks rows up by all of their key. Without statistics the planner
-- takes two columns of an index for as good as three, and would read a whole warehouse or day for every key.
CREATE INDEX stock_levels_by_warehouse ON stock_levels (tenant_id, warehouse, product_id);
CREATE INDEX order_days_by_day ON order_days (tenant_id, day, product_id) INCLUDE (warehouse, cabinet_id, units, returned);
CREATE INDEX product_history_by_time ON product_history (tenant_id, recorded_at);

-- Where a warehouse was told only by its name, in orders or by a report without ids, and stock tells a key with that
-- name in the same cabinet, both are one. The present name decides, then a former one; where several warehouses share
-- it, none does. Masked ones are never matched by name: their names differ from source to source.
CREATE VIEW warehouse_aliases WITH (security_invoker = true) AS
SELECT o.tenant_id, o.cabinet_id, o.warehouse, o.in_stock, k.resolved
  FROM warehouses o
 CROSS JOIN LATERAL (
       SELECT CASE WHEN count(*) FILTER (WHERE c.is_present) = 1 THEN min(c.warehouse) FILTER (WHERE c.is_present)
                   WHEN count(*) = 1 THEN min(c.warehouse) END AS resolved
         FROM (SELECT w.warehouse, w.name = substr(o.warehouse, 10) AS is_present
                 FROM warehouses w
                WHERE w.tenant_id = o.tenant_id AND w.cabinet_id = o.cabinet_id AND w.fulfilment = o.fulfilment
                  AND w.in_stock AND NOT w.masked AND strpos(w.warehouse, ':name:') = 0
                  AND w.names ? substr(o.warehouse, 10)) c) k
 WHERE starts_with(o.warehouse, o.fulfilment || ':name:') AND NOT o.masked AND k.resolved IS NOT NULL;

-- Every key under which something may be told of a warehouse that is or was left out: those that are one with
-- it by its name, too.
CREATE VIEW excluded_keys WITH (security_invoker = true) AS
SELECT x.tenant_id, x.cabinet_id, k.warehouse, x.excluded_position, x.excluded_at, x.included_at, x.reason,
       x.excluded_by, x.warehouse AS excluded_as
  FROM warehouse_exclusions x
  LEFT JOIN warehouse_aliases o
    ON o.tenant_id = x.tenant_id AND o.cabinet_id = x.cabinet_id AND o.warehouse = x.warehouse
 CROSS JOIN LATERAL (
       SELECT coalesce(o.resolved, x.warehouse) AS warehouse
       UNION
       SELECT a.warehouse FROM warehouse_aliases a
        WHERE a.tenant_id = x.tenant_id AND a.cabinet_id = x.cabinet_id
          AND a.resolved = coalesce(o.resolved, x.warehouse)) k;
