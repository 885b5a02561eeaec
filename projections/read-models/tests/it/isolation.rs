//! Whoever asks sees one tenant, and without a tenant nothing.

use database::Role;
use read_models::inventory::queries::{self, ProductQuery};
use read_models::{Inventory, Operations};

use crate::determinism::eventful;
use crate::world::{World, at, tenant};

const TABLES: &str = "SELECT schemaname || '.' || tablename FROM pg_tables \
    WHERE schemaname IN ('rm_inventory', 'rm_operations') AND tablename <> 'projection'";

#[tokio::test]
async fn no_reader_sees_a_row_without_a_tenant_or_of_another_tenant() {
    let world = World::new().await;
    let log = eventful(1, 600);
    world.fold::<Inventory>(&log.events, 100).await;
    world.fold::<Operations>(&log.events, 100).await;
    let tables: Vec<String> = {
        let session = world.projector.get().await.unwrap();
        session
            .query(TABLES, &[])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect()
    };
    assert!(tables.len() >= 12);
    for role in [Role::Api, Role::Gateway, Role::Sheets] {
        let pool = world.pool(role);
        let mut seen = 0;
        for table in &tables {
            let nobody: i64 = {
                let session = pool.get().await.unwrap();
                session
                    .query_one(&format!("SELECT count(*) FROM {table}"), &[])
                    .await
                    .unwrap()
                    .get(0)
            };
            assert_eq!(nobody, 0, "{role:?} sees {table} without a tenant");
            let mut session = pool.tenant(tenant(0)).await.unwrap();
            let tx = session.begin().await.unwrap();
            let sql = format!("SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM {table}");
            let row = tx.query_one(&sql, &[&tenant(0).uuid()]).await.unwrap();
            seen += row.get::<_, i64>(0);
            assert_eq!(row.get::<_, i64>(1), 0, "{role:?} sees others' rows in {table}");
        }
        assert!(seen > 0);
    }
}

#[tokio::test]
async fn a_product_of_another_tenant_does_not_exist() {
    let world = World::new().await;
    let log = eventful(1, 300);
    world.fold::<Inventory>(&log.events, 100).await;
    let pool = world.pool(Role::Api);
    let mine = {
        let mut session = pool.tenant(tenant(0)).await.unwrap();
        let tx = session.begin().await.unwrap();
        queries::products(&tx, &ProductQuery::new(at("2026-09-25T12:00:00Z"), 1))
            .await
            .unwrap()
            .items[0]
            .product_id
    };
    let mut session = pool.tenant(tenant(1)).await.unwrap();
    let tx = session.begin().await.unwrap();
    assert_eq!(
        queries::product(&tx, mine, at("2026-09-25T12:00:00Z"), false)
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn no_reader_may_write_and_every_table_forces_row_security() {
    let world = World::new().await;
    let session = world.projector.get().await.unwrap();
    let lax: Vec<String> = session
        .query(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
              WHERE a.attname = 'tenant_id' AND c.relkind = 'r' AND c.relnamespace::regnamespace::text LIKE \
              'rm_%' \
                AND NOT (c.relrowsecurity AND c.relforcerowsecurity)",
            &[],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(lax, Vec::<String>::new());
    for role in [Role::Api, Role::Gateway, Role::Sheets, Role::Worker, Role::Relay] {
        let pool = world.pool(role);
        let other = pool.get().await.unwrap();
        let refused = other
            .execute("DELETE FROM rm_inventory.products", &[])
            .await
            .unwrap_err();
        assert_eq!(
            refused.code().map(tokio_postgres::error::SqlState::code),
            Some("42501"),
            "{role:?}"
        );
    }
    // The write side never reads the read side.
    let worker = world.pool(Role::Worker).get().await.unwrap();
    let refused = worker
        .query("SELECT FROM rm_inventory.products", &[])
        .await
        .unwrap_err();
    assert_eq!(
        refused.code().map(tokio_postgres::error::SqlState::code),
        Some("42501")
    );
}
