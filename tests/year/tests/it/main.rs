//! Sellers' years: whatever the marketplace does and however its sources fail, the read models end up with
//! the marketplace's own numbers.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "a year that fails ends the test, and what one was like is told"
)]

use year::{Market, Plan, play};

async fn a_year(market: Market, seed: u64) {
    let plan = Plan::year(market, seed);
    let report = Box::pin(play(&plan))
        .await
        .unwrap_or_else(|error| panic!("{error} ({error:?})"));
    println!("{market:?}, seed {seed}: {report:#?}");
    assert!(report.comparisons > 20, "{report:?}");
    for compared in [
        report.orders,
        report.levels,
        report.parts,
        report.prices,
        report.cells,
    ] {
        assert!(compared > 1_000, "{report:?}");
    }
    // The year had everything in it.
    for ended in ["complete", "partial", "failed", "paused"] {
        assert!(report.syncs.contains_key(ended), "{report:?}");
    }
    assert_eq!(report.faults.len(), 10, "{report:?}");
    assert!(report.person.len() >= 9, "{report:?}");
    assert!(report.damaged.len() >= 3, "{report:?}");
    for what in [
        "sale",
        "supply",
        "move",
        "price",
        "appearance",
        "delisting",
        "relisting",
        "rename",
        "opening",
        "closing",
        "warehouse rename",
    ] {
        assert!(report.happened.contains_key(what), "{what}: {report:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_at_wildberries_ends_with_the_marketplaces_own_numbers() {
    a_year(Market::Wildberries, 11).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_at_ozon_ends_with_the_marketplaces_own_numbers() {
    a_year(Market::Ozon, 12).await;
}
