//! What one seller costs the others: ordinary sellers' reads, alone and beside one that is refused
//! everything and one with many more rows, through the same turns as a worker's. The marketplaces are
//! simulated in this process and share its processors, so that what is measured is what is added, not what
//! a marketplace takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use connectors::http::{HttpClient, NoObserver, Turns};
use connectors::marketplace::{Marketplace as _, MarketplaceClient, Period};
use connectors::wildberries::{Hosts, Options};
use events::cabinet::Marketplace;
use events::ids::TenantId;
use runtime::Clock;
use simulators::wildberries::{Host, Limits};
use simulators::{Effect, Fault, SellerConfig, Wildberries, WildberriesConfig};
use tokio::task::JoinSet;
use uuid::Uuid;
use worker::Marketplaces;

use crate::report::{Row, Target};
use crate::{Failure, Sizes};

/// Sellers whose time counts.
const ORDINARY: usize = 6;
/// Requests that a worker works on at a time (the default of `ST_SYNC_REQUESTS`).
const REQUESTS: usize = 8;
/// Limits that nobody meets.
const SPEED: f64 = 100_000.0;

/// The others' slowdown.
///
/// # Errors
/// When the simulator does not start or a read fails.
pub(crate) async fn run(sizes: &Sizes) -> Result<Vec<Row>, Failure> {
    let undisturbed = measure(sizes, false).await?;
    let disturbed = measure(sizes, true).await?;
    let ratio = disturbed.as_secs_f64() / undisturbed.as_secs_f64().max(1e-6);
    let rows = sizes.heavy_articles * 100;
    Ok(vec![
        Row::new("fairness.slowdown", ratio, "×")
            .note(format!(
                "{ORDINARY} sellers beside one in a storm of 429 and one with {rows} rows; {:.0} ms instead of {:.0} ms",
                disturbed.as_secs_f64() * 1e3,
                undisturbed.as_secs_f64() * 1e3
            ))
            .target(Target::AtMost { figure: 2.0 }),
    ])
}

fn seller(seed: u64, articles: usize, warehouses: usize) -> SellerConfig {
    SellerConfig {
        seed,
        articles,
        warehouses,
        fbs_warehouses: 0,
        sizes_per_article: 1,
        filled_percent: 100,
        orders_per_day: 20,
        history_days: 7,
        ..SellerConfig::default()
    }
}

/// Median time of an ordinary seller's reads.
async fn measure(sizes: &Sizes, disturbed: bool) -> Result<Duration, Failure> {
    let mut sellers: Vec<_> = (0..ORDINARY as u64).map(|seed| seller(seed, 200, 10)).collect();
    sellers.push(seller(100, 200, 10));
    sellers.push(seller(101, sizes.heavy_articles, 100));
    let simulator = Wildberries::start(WildberriesConfig {
        sellers,
        clock: simulators::Clock::system(),
        limits: Limits::Speed(SPEED),
        ..WildberriesConfig::default()
    })
    .await?;
    let ids = simulator.sellers();
    let storm = ids[ORDINARY].to_string();
    simulator.script(Fault::on("/", Effect::RateLimited { retry_seconds: 1 }).seller(&storm));
    let turns = Turns::new(REQUESTS);
    let mut noise = JoinSet::new();
    if disturbed {
        for place in [ORDINARY, ORDINARY + 1] {
            // As many at a time as one tenant may have.
            for _ in 0..2 {
                let client = client(&simulator, &turns, place)?;
                noise.spawn(async move {
                    loop {
                        // What comes of it does not matter here; the storm's reads all fail.
                        drop(read(&client).await);
                        tokio::task::yield_now().await;
                    }
                });
            }
        }
    }
    let mut running = JoinSet::new();
    for place in 0..ORDINARY {
        let client = client(&simulator, &turns, place)?;
        let rounds = sizes.fairness_rounds;
        running.spawn(async move {
            let mut times = Vec::new();
            for _ in 0..rounds {
                let began = Instant::now();
                read(&client).await?;
                times.push(began.elapsed());
            }
            Ok::<_, Failure>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(ended) = running.join_next().await {
        times.extend(ended??);
    }
    noise.abort_all();
    simulator.stop().await;
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}

fn client(simulator: &Wildberries, turns: &Turns, place: usize) -> Result<MarketplaceClient, Failure> {
    let host = |host| simulator.host_url(host);
    let hosts = Hosts {
        content: host(Host::Content),
        analytics: host(Host::Analytics),
        statistics: host(Host::Statistics),
        marketplace: host(Host::Marketplace),
        prices: host(Host::Prices),
        common: host(Host::Common),
    };
    let token = simulator.personal_token(simulator.sellers()[place]);
    let http = HttpClient::new(Arc::new(NoObserver))?;
    let marketplaces = Marketplaces::new(http, hosts, Options::default(), SPEED);
    let tenant = TenantId(Uuid::from_u128(place as u128));
    Ok(marketplaces
        .taking_turns(Some(turns), tenant)
        .client(Marketplace::Wildberries, &token.into())?)
}

/// What a sync asks for, side by side as a sync does.
async fn read(client: &MarketplaceClient) -> Result<(), Failure> {
    let now = Clock::system().now();
    let period = Period {
        from: now - chrono::TimeDelta::days(7),
        to: now,
    };
    let mut take = |_page| {};
    let (cards, stock, orders) =
        tokio::join!(client.cards(&mut take), client.fbo_stock(), client.orders(period));
    cards?;
    stock?;
    orders?;
    Ok(())
}
