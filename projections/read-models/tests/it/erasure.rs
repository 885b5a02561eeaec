//! A tenant that was erased has no rows in any projection, however the log is cut, and a rebuild agrees.

use events::catalog::TenantEvent;
use events::ids::{TenantId, UserId};
use events::tenant::{Role, TenantErased, TenantRegistered};
use read_models::{Inventory, Operations, Projection};
use uuid::Uuid;

use crate::world::{Log, World, cabinet, level, tenant};

/// Two tenants with stock; the first is erased in the middle, and more comes for it afterwards.
fn log() -> Log {
    let mut log = Log::default();
    for n in [1, 2] {
        let owner = UserId(Uuid::from_u128(n));
        let registered = TenantRegistered {
            owner,
            language: "ru".to_owned(),
            time_zone: "Europe/Moscow".to_owned(),
        };
        log.push(tenant(n), tenant(n).uuid(), TenantEvent::from(registered));
        let product = log.list(tenant(n), cabinet(n), 100);
        log.stock(tenant(n), product, vec![level("fbo:1", "Коледино", 5)], &[]);
    }
    // Waits in a parked stream when the tenant goes.
    log.raw(
        tenant(1),
        "product",
        Uuid::from_u128(77),
        "stock_observed",
        1,
        "{}",
    );
    let erased = TenantErased {
        request: "r".to_owned(),
    };
    log.push(tenant(1), tenant(1).uuid(), TenantEvent::from(erased));
    let late = log.list(tenant(1), cabinet(1), 101);
    log.stock(tenant(1), late, vec![level("fbo:1", "Коледино", 7)], &[]);
    let alive = log.list(tenant(2), cabinet(2), 102);
    log.stock(tenant(2), alive, vec![level("fbo:1", "Коледино", 9)], &[]);
    let joined = events::tenant::MemberAdded {
        user_id: UserId(Uuid::from_u128(9)),
        role: Role::Viewer,
    };
    log.push(tenant(1), tenant(1).uuid(), TenantEvent::from(joined));
    log
}

/// Tables that have rows of a tenant, but for the one that says it was erased.
async fn rows_of(world: &World, schema: &str, tenant: TenantId) -> Vec<String> {
    let session = world.projector.get().await.unwrap();
    let tables = "SELECT c.relname::text FROM pg_class c
                    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
                   WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r' AND c.relname <> 'erased_tenants'";
    let mut found = Vec::new();
    for row in session.query(tables, &[&schema]).await.unwrap() {
        let table: String = row.get(0);
        let count = format!("SELECT count(*) FROM {schema}.{table} WHERE tenant_id = $1");
        let count: i64 = session.query_one(&count, &[&tenant.uuid()]).await.unwrap().get(0);
        if count > 0 {
            found.push(table);
        }
    }
    found
}

async fn assert_nothing_of_the_erased<P: Projection>() {
    let log = log();
    let mut dumps = Vec::new();
    for size in [1, 2, 5, 100] {
        let world = World::new().await;
        world.fold::<P>(&log.events, size).await;
        assert_eq!(
            rows_of(&world, P::SCHEMA, tenant(1)).await,
            [""; 0],
            "cut at {size}"
        );
        assert!(
            !rows_of(&world, P::SCHEMA, tenant(2)).await.is_empty(),
            "the other one is gone too"
        );
        dumps.push(world.dump::<P>().await);
    }
    assert!(
        dumps.windows(2).all(|pair| pair[0] == pair[1]),
        "how the log is cut makes a difference"
    );
}

#[tokio::test]
async fn nothing_of_an_erased_tenant_is_in_the_inventory() {
    assert_nothing_of_the_erased::<Inventory>().await;
}

#[tokio::test]
async fn nothing_of_an_erased_tenant_is_in_the_operations() {
    assert_nothing_of_the_erased::<Operations>().await;
}
