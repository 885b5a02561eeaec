//! `make run`: starts simulated marketplaces and a simulated Google, starts the product beside them, makes a
//! demo seller with a cabinet at each of them and one sheet, syncs, prints where to look, and stays. It
//! talks to the product as anybody would: over HTTP. Nothing of it is in the product.
#![expect(
    clippy::print_stdout,
    reason = "telling where to look is what the program is for"
)]

mod client;
mod product;
mod seller;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// Any failure that ends the demonstration.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How the demonstration is run.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// The product's program
    #[arg(long, default_value = "target/debug/stock-tracker")]
    stock_tracker: PathBuf,
    /// Where everything is kept between two runs
    #[arg(long, default_value = ".stock-tracker")]
    data_dir: PathBuf,
    /// Articles the demo seller sells
    #[arg(long, default_value_t = 120)]
    articles: usize,
    /// Warehouses they lie in
    #[arg(long, default_value_t = 12)]
    warehouses: usize,
    /// Seconds between two forced syncs
    #[arg(long, default_value_t = 20)]
    every: u64,
    /// End after so many syncs instead of staying
    #[arg(long)]
    syncs: Option<u32>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("the demonstration ended: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let http_port = product::free_port(8080);
    let world = world::World::start(&arguments, http_port).await?;
    let mut product = product::Product::start(&arguments, &world, http_port).await?;
    let place = product.place().clone();
    let outcome = tokio::select! {
        outcome = show(&arguments, &world, &place) => outcome,
        ended = product.ended() => Err(format!("the product ended by itself: {ended}").into()),
        signal = tokio::signal::ctrl_c() => signal.map_err(Failure::from),
    };
    println!("\nstopping …");
    product.stop().await;
    world.stop().await;
    outcome
}

async fn show(arguments: &Arguments, world: &world::World, product: &product::Place) -> Result<(), Failure> {
    product.wait_ready().await?;
    let mut seller = seller::Seller::enter(product, world).await?;
    seller.sync_and_tell().await?;
    seller.write_sheet().await?;
    print_addresses(&world.spreadsheet_url().await?, world, product);
    seller.offer_a_plan().await?;
    seller.register_webhook(world).await?;
    let mut done = 1;
    while arguments.syncs.is_none_or(|syncs| done < syncs) {
        tokio::time::sleep(Duration::from_secs(arguments.every)).await;
        seller.sync_and_tell().await?;
        seller.tell_plan().await?;
        done += 1;
    }
    seller.write_sheet().await
}

fn print_addresses(spreadsheet: &str, world: &world::World, product: &product::Place) {
    let api = product.api();
    println!();
    println!("  Spreadsheet    {spreadsheet}");
    println!("  API pages      {api}/docs");
    println!("  OpenAPI        {api}/api/v1/openapi.json");
    println!("  Metrics        {}/metrics", product.metrics());
    println!(
        "  Wildberries    {} (simulated; numbers go on changing)",
        world.wildberries_url()
    );
    println!("  Ozon           {} (simulated as well)", world.ozon_url());
    println!(
        "  Stripe         {} (simulated; customers, deliveries, its clock)",
        world.stripe_url()
    );
    println!(
        "  Webhooks       {} (simulated receiver; what arrived, verified)",
        world.receiver_url()
    );
    println!("  Plans          {api}/api/v1/billing/plans");
    println!("  Demo login     {} / {}", seller::EMAIL, seller::PASSWORD);
    println!("  Product's log  {}", product.log().display());
    println!();
    println!(
        "It stays up and syncs every few seconds; Ctrl-C stops everything. A second run goes on where this one ends."
    );
    println!();
}
