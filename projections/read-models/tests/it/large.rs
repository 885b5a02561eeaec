//! A large seller: questions look up what they show instead of reading what has grown.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use database::Role;
use deadpool_postgres::Transaction;
use read_models::inventory::queries::{ProductQuery, Sort, product, products};
use uuid::Uuid;

use crate::world::{World, at, tenant};

fn now() -> DateTime<Utc> {
    at("2026-10-01T15:00:00Z")
}

/// How large.
#[derive(Clone, Copy)]
struct Size {
    products: i64,
    warehouses: i64,
    orders: i64,
    changes: i64,
}

const SIZE: Size = Size {
    products: 1_500,
    warehouses: 8,
    orders: 20_000,
    changes: 60_000,
};

/// Fills the tables as a year of syncs would: everything of the products is there, every tenth product was
/// out of stock for a while.
async fn filled(size: Size) -> World {
    let world = World::new().await;
    let admin = support::connect(&world.database.url).await;
    let (who, place) = (tenant(1).uuid(), Uuid::from_u128(0xC001));
    let id = "('00000000-0000-0000-0000-' || lpad(to_hex(p), 12, '0'))::uuid";
    let Size {
        products,
        warehouses,
        orders,
        changes,
    } = size;
    let sql = format!(
        "SET search_path = rm_inventory;
         INSERT INTO products SELECT '{who}', {id}, '{place}', 'wildberries', p, 'art-' || p, 'b', 's', 't',
                '[]',
                '[]', NULL, NULL, NULL, '[]', p::text, false, 10 * {warehouses}, 0, 0, 0, 0, '{{}}', '{{}}',
                '2026-06-01', '2026-08-01', '2026-06-01', '2026-09-30', p, {products} + p
           FROM generate_series(1, {products}) p;
         INSERT INTO warehouses SELECT '{who}', '{place}', 'fbo:' || w, 'W' || w, '[]', 'fbo',
                false, true, true, w, 0, w, 0 FROM generate_series(1, {warehouses}) w;
         INSERT INTO warehouse_exclusions
         VALUES ('{who}', '{place}', 'fbo:1', 1, '2026-06-01', NULL, 'r', 'b');
         INSERT INTO stock_levels SELECT '{who}', {id}, 'fbo:' || w, '{place}', 10, 0, 0, '{{}}', NULL, '[]',
                'stock_fbo', '2026-09-30', '{who}', '2026-09-30', {products} + p
           FROM generate_series(1, {products}) p, generate_series(1, {warehouses}) w;
         INSERT INTO orders SELECT '{who}', '{place}', 'o' || n, {id}, day, day + interval '10 hours', day,
                'fbo:' || (n % {warehouses} + 1), 'W', 'fbo', 1, 'created', n % 9 = 0, NULL, NULL, NULL, NULL,
                day,
                '{who}', n
           FROM (SELECT n, n % {products} + 1 AS p, date '2026-10-01' - (n % 120)::integer AS day
                   FROM generate_series(1, {orders}) n) o;
         INSERT INTO order_days SELECT tenant_id, product_id, day, warehouse, cabinet_id, sum(quantity), 0
           FROM orders WHERE NOT cancelled GROUP BY 1, 2, 3, 4, 5;
         INSERT INTO stock_spells SELECT '{who}', {id}, 'stock_fbo',
                '2026-09-01'::timestamptz + n * interval '2 days',
                '2026-09-02'::timestamptz + n * interval '2 days', p
           FROM generate_series(1, {products}, 10) p, generate_series(1, 10) n;
         INSERT INTO freshness SELECT '{who}', '{place}', s, '2026-10-01 14:00Z', '2026-10-01 14:00Z',
                '{who}', '2026-09-01', 'complete',
                '2026-10-01 14:00Z', NULL, '{who}', '[]', NULL, 1 FROM unnest(ARRAY['stock_fbo', 'orders']) s;
         INSERT INTO product_history SELECT '{who}', {id}, n, 0, '{place}',
                '2026-06-01'::timestamptz + n * interval '120 days' / {changes}, '2026-06-01', 'stock',
                'stock_fbo',
                '{who}', 'fbo:' || (n / {products} % {warehouses} + 1), 'W', 10, 10, 0, 0, 0, 0, NULL, NULL,
                10 * {warehouses}, 0, 0, false
           FROM (SELECT n, n % {products} + 1 AS p FROM generate_series(1, {changes}) n) c;
         ANALYZE"
    );
    admin.batch_execute(&sql).await.unwrap();
    world
}

/// Rows of each table that were read one after the other.
async fn scanned(world: &World) -> BTreeMap<String, i64> {
    let admin = support::connect(&world.database.url).await;
    admin
        .batch_execute("SELECT pg_stat_force_next_flush()")
        .await
        .unwrap();
    let rows = admin
        .query(
            "SELECT relname::text, seq_tup_read FROM pg_stat_user_tables WHERE schemaname = 'rm_inventory'",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Tables that a question read from end to end.
async fn read_whole(world: &World, question: impl AsyncFnOnce(&Transaction<'_>)) -> Vec<String> {
    let before = scanned(world).await;
    let pool = world.pool(Role::Api);
    let mut session = pool.tenant(tenant(1)).await.unwrap();
    let tx = session.begin().await.unwrap();
    question(&tx).await;
    tx.batch_execute("SELECT pg_stat_force_next_flush()")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let after = scanned(world).await;
    let growing = [
        "product_history",
        "orders",
        "order_days",
        "stock_levels",
        "stock_spells",
    ];
    let read = growing
        .into_iter()
        .filter(|table| after[*table] != before[*table]);
    read.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_page_and_a_product_read_no_growing_table_from_end_to_end() {
    let world = filled(SIZE).await;
    let page = |as_known| ProductQuery {
        as_known,
        ..ProductQuery::new(now(), 50)
    };
    let read = read_whole(&world, async |tx| {
        let found = products(tx, &page(false)).await.unwrap();
        assert_eq!(found.items.len(), 50);
        let soonest = ProductQuery {
            sort: Sort::DaysOfStock,
            ..page(false)
        };
        assert_eq!(products(tx, &soonest).await.unwrap().items.len(), 50);
    })
    .await;
    assert!(!read.contains(&"product_history".to_owned()), "{read:?}");
    assert!(!read.contains(&"stock_levels".to_owned()), "{read:?}");
    for as_known in [false, true] {
        let read = read_whole(&world, async |tx| {
            let whole = product(tx, Uuid::from_u128(7), now(), as_known).await.unwrap();
            assert!(!whole.unwrap().levels.is_empty());
        })
        .await;
        assert!(read.is_empty(), "{read:?}");
    }
    let read = read_whole(&world, async |tx| {
        let found = products(tx, &page(true)).await.unwrap();
        assert_eq!(found.items.len(), 50);
    })
    .await;
    assert!(!read.contains(&"product_history".to_owned()), "{read:?}");
}
