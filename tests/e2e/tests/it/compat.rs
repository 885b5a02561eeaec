//! The main job on the servers that installations have: PostgreSQL of every major version, with a superuser
//! or a plain owner, directly or by way of a session pooler; nats-server of every supported minor version,
//! one or three. `make compat` tries all of them and writes the table; without it, one row of each PostgreSQL
//! that is installed is tried.

use std::path::{Path, PathBuf};

use crate::checks;
use crate::seller::{Seller, text};
use crate::world::{Servers, World, shop};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/compatibility.md");
const BEGIN: &str = "<!-- table -->\n";
const END: &str = "<!-- end -->";

/// Programs below `.tools`, by their version: none stands for those that tests use otherwise.
fn installed(folder: &str, program: &str) -> Vec<Option<PathBuf>> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../.tools")
        .join(folder);
    let found = std::fs::read_dir(tools).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = found
        .filter_map(|version| version.path().join(program).canonicalize().ok())
        .collect();
    found.sort();
    std::iter::once(None).chain(found.into_iter().map(Some)).collect()
}

/// Migrates, starts every role, and has a seller find the marketplace's numbers; the row of the table.
async fn main_job(servers: &Servers) -> String {
    let world = World::on(vec![shop(71)], servers).await;
    world.begin_all().await;
    let mut seller = Seller::register(world.address(), 0).await;
    seller.connect(&world).await;
    let first = seller.first_sync().await;
    assert_eq!(text(&first, "status"), "succeeded", "{servers:?}: {first}");
    world.wildberries.advance(5);
    world.wildberries.mutate_fraction(0.3);
    let synced = seller.sync("the shop lives on").await;
    assert_eq!(text(&synced, "status"), "succeeded", "{servers:?}: {synced}");
    let products = seller.products().await;
    assert!(!products.is_empty());
    checks::equal_to_truth(&world, &seller, &products);
    let report = world.tool(&["doctor"]);
    assert!(!report.contains("failure"), "{servers:?}: {report}");
    world.assert_all_live();
    world.assert_nobody_was_refused();
    let login = if servers.owner { "owner" } else { "superuser" };
    let way = if servers.pooler {
        "session pooler"
    } else {
        "direct"
    };
    let replicas = if servers.three {
        "three servers, R3"
    } else {
        "one server, R1"
    };
    let (postgres, nats) = (world.postgres.version(), world.nats.version());
    let row = format!("| {postgres} | {login} | {way} | {nats} | {replicas} | works |");
    println!("{row}");
    row
}

/// Every PostgreSQL with every login and way, on one broker; and every broker, alone and as three.
fn all() -> Vec<Servers> {
    let mut all = Vec::new();
    for postgres in installed("postgresql", "bin") {
        for (owner, pooler) in [(false, false), (false, true), (true, false), (true, true)] {
            all.push(Servers {
                postgres: postgres.clone(),
                owner,
                pooler,
                ..Servers::default()
            });
        }
    }
    for nats in installed("nats", "nats-server") {
        for three in [false, true] {
            all.push(Servers {
                nats: nats.clone(),
                three,
                ..Servers::default()
            });
        }
    }
    all
}

/// One row of each PostgreSQL and of each broker, and every other choice at least once.
fn diagonal() -> Vec<Servers> {
    let (postgres, nats) = (installed("postgresql", "bin"), installed("nats", "nats-server"));
    let rows = postgres.len().max(nats.len()).max(2);
    (0..rows)
        .map(|row| Servers {
            postgres: postgres[row % postgres.len()].clone(),
            owner: row % 2 == 1,
            pooler: row % 4 == 1 || row % 4 == 2,
            nats: nats[row % nats.len()].clone(),
            three: row % 2 == 1,
            ..Servers::default()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_job_works_on_every_server_that_is_supported() {
    // How much is tried is the caller's choice: all of it takes minutes and needs servers of every version.
    let whole = std::env::var_os("ST_COMPAT").is_some();
    let tried = if whole { all() } else { diagonal() };
    let mut rows = Vec::new();
    for servers in tried {
        rows.push(Box::pin(main_job(&servers)).await);
    }
    if whole {
        let page = std::fs::read_to_string(PAGE).unwrap();
        let (head, rest) = page.split_once(BEGIN).unwrap();
        let (_, tail) = rest.split_once(END).unwrap();
        let titles = "| PostgreSQL | login | way | nats-server | broker | |\n|---|---|---|---|---|---|\n";
        let page = format!("{head}{BEGIN}{titles}{}\n{END}{tail}", rows.join("\n"));
        std::fs::write(PAGE, page).unwrap();
    }
}
