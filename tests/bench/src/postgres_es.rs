//! The yardstick: the event repository that the library for `cqrs-es` brings, on its own table, without
//! loading the aggregate first, which is the best case for it.

use std::time::Instant;

use cqrs_es::persist::{PersistedEventRepository as _, SerializedEvent};
use domain::product::Product;
use postgres_es::PostgresEventRepository;
use sqlx::postgres::PgPoolOptions;

use crate::append::Rate;
use crate::world::{self, Servers};
use crate::{Failure, Sizes};

/// The table as the library ships it (`db/init.sql` of postgres-es 0.5).
const TABLE: &str = "CREATE TABLE public.events (aggregate_type text NOT NULL, aggregate_id text NOT NULL, \
    sequence bigint CHECK (sequence >= 0) NOT NULL, event_type text NOT NULL, event_version text NOT NULL, \
    payload json NOT NULL, metadata json NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

/// Its best rate over several numbers of connections, and that number.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn best(servers: &Servers, sizes: &Sizes) -> Result<(Rate, u32), Failure> {
    let database = servers.empty_database().await?;
    database.admin().await?.batch_execute(TABLE).await?;
    let mut best = (Rate::default(), 0);
    for connections in [1, 8, 16, 32] {
        let rate = with(&database.address, connections, sizes).await?;
        if rate.per_second() > best.0.per_second() {
            best = (rate, connections);
        }
    }
    servers.finish(database).await?;
    Ok(best)
}

async fn with(address: &str, connections: u32, sizes: &Sizes) -> Result<Rate, Failure> {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        .connect(address)
        .await?;
    let began = Instant::now();
    let end = began + sizes.slice;
    let mut running = Vec::new();
    for writer in 0..connections {
        let repository = PostgresEventRepository::new(pool.clone());
        running.push(tokio::spawn(async move {
            let first = i64::from(connections) * 100_000_000 + i64::from(writer) * 1_000_000;
            let mut count = 0;
            while Instant::now() < end {
                let event = serialized(first + count)?;
                repository.persist::<Product>(&[event], None).await?;
                count += 1;
            }
            Ok::<i64, Failure>(count)
        }));
    }
    let mut count = 0;
    for writer in running {
        count += writer.await??.unsigned_abs();
    }
    let time = began.elapsed();
    pool.close().await;
    Ok(Rate { count, time })
}

fn serialized(nm_id: i64) -> Result<SerializedEvent, Failure> {
    let event = events::Event::from(world::stock(nm_id, 0, 2));
    Ok(SerializedEvent::new(
        world::product(nm_id).to_string(),
        1,
        "product".to_owned(),
        event.event_type().to_owned(),
        event.event_version().to_string(),
        serde_json::from_str(&event.to_json()?)?,
        serde_json::json!({}),
    ))
}
