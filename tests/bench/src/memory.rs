//! What a worker needs for the largest seller: ten thousand articles, each of them at a hundred warehouses, a
//! million levels. Every cell holds something, so nothing is saved by being empty.

use simulators::ozon::OzonLimits;
use simulators::wildberries::Limits;
use simulators::{Ozon, OzonConfig, OzonSellerConfig, SellerConfig, Wildberries, WildberriesConfig};

use crate::report::{Row, Target};
use crate::sync::{Shop, Stage};
use crate::world::Servers;
use crate::{Failure, Sizes};

/// Megabytes that a worker may have.
const MOST: f64 = 250.0;

/// Syncs after the first one: what piles up shows.
const LATER: usize = 3;

/// Peak memory of a worker over some syncs, raw answers kept, a process for each marketplace.
///
/// # Errors
/// When a server refuses or a sync does not complete.
pub(crate) async fn run(servers: &Servers, sizes: &Sizes) -> Result<Vec<Row>, Failure> {
    let shops = [
        ("memory.wildberries", wildberries(sizes).await?),
        ("memory.ozon", ozon(sizes).await?),
    ];
    let mut rows = Vec::new();
    for (name, shop) in shops {
        let mut stage = Box::pin(Stage::open(servers, shop)).await?;
        stage.record().await?;
        let first = stage.peak_megabytes()?;
        for _ in 0..LATER {
            stage.shop.mutate_fraction(0.05);
            stage.record().await?;
        }
        let peak = stage.peak_megabytes()?;
        Box::pin(stage.close(servers)).await?;
        let levels = sizes.sync_articles * sizes.memory_warehouses;
        rows.push(
            Row::new(name, peak, "MB")
                .note(format!(
                    "worker process, {levels} levels; {first:.0} MB after the first sync"
                ))
                .target(Target::AtMost { figure: MOST }),
        );
    }
    Ok(rows)
}

async fn wildberries(sizes: &Sizes) -> Result<Shop, Failure> {
    let seller = SellerConfig {
        articles: sizes.sync_articles,
        warehouses: sizes.memory_warehouses,
        fbs_warehouses: 1,
        sizes_per_article: 1,
        filled_percent: 100,
        orders_per_day: sizes.sync_articles / 10,
        history_days: 7,
        ..SellerConfig::default()
    };
    let config = WildberriesConfig {
        sellers: vec![seller],
        limits: Limits::Off,
        ..WildberriesConfig::default()
    };
    Ok(Shop::Wildberries(Wildberries::start(config).await?))
}

async fn ozon(sizes: &Sizes) -> Result<Shop, Failure> {
    let seller = OzonSellerConfig {
        products: sizes.sync_articles,
        warehouses: sizes.memory_warehouses,
        fbs_warehouses: 1,
        filled_percent: 100,
        orders_per_day: sizes.sync_articles / 10,
        history_days: 7,
        ..OzonSellerConfig::default()
    };
    let config = OzonConfig {
        sellers: vec![seller],
        limits: OzonLimits::Off,
        ..OzonConfig::default()
    };
    Ok(Shop::Ozon(Ozon::start(config).await?))
}
