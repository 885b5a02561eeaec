//! What goes on: the projection behind tenants, members, cabinets, syncs (operations), the sheet's link and
//! alerts.

mod alerts;
mod fold;
mod freshness;
mod guard;
pub mod queries;
mod rows;
mod store;

use deadpool_postgres::Transaction;
use events::ids::SyncId;
use events::{DecodeError, Decoded, Event, Recorded, StreamType};
use serde::Deserialize;

pub use alerts::{AlertDetail, AlertKind, AlertLost, AlertQuery, AlertState, alerts};
pub use freshness::SourceState;
pub use guard::{Guard, OfferRefusal};

use crate::projection::{Projection, Reading, Rejected};

/// Folds `tenant`, `cabinet`, `sync`, `sheet` and `alert` streams, and counts what syncs recorded in
/// `product` streams.
#[derive(Debug, Clone, Copy, Default)]
pub struct Operations;

/// What this projection reads from an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// The whole of it.
    Whole(Box<Event>),
    /// Only which sync recorded it.
    RecordedBy(SyncId),
}

/// The one thing of a product's event that matters here; the rest is not even parsed into values.
#[derive(Deserialize)]
struct Provenance {
    sync_id: SyncId,
}

impl Projection for Operations {
    const NAME: &'static str = "operations";
    const VERSION: i32 = 8;
    const SCHEMA: &'static str = "rm_operations";
    const DDL: &'static str = include_str!("../../../migrations/read-models/operations.sql");

    type Fact = Fact;
    type Rows = rows::Rows;

    fn read(event: &Recorded) -> Result<Reading<Fact>, DecodeError> {
        match event.stream_type() {
            None => Ok(Reading::Unknown),
            Some(StreamType::User) => Ok(Reading::Irrelevant),
            // What a product's event says is the inventory's concern, and so is whether it can be read.
            Some(StreamType::Product) => Ok(serde_json::from_str::<Provenance>(&event.payload)
                .map_or(Reading::Irrelevant, |told| {
                    Reading::Fact(Fact::RecordedBy(told.sync_id))
                })),
            Some(_) => Ok(match event.decode()? {
                Decoded::Known(known) => Reading::Fact(Fact::Whole(Box::new(known))),
                Decoded::Unknown => Reading::Unknown,
            }),
        }
    }

    async fn load(
        rows: &mut rows::Rows,
        tx: &Transaction<'_>,
        batch: &[(&Recorded, &Fact)],
    ) -> Result<(), tokio_postgres::Error> {
        store::load(rows, tx, batch).await
    }

    fn fold(rows: &mut rows::Rows, event: &Recorded, fact: &Fact) -> Result<(), Rejected> {
        match fact {
            Fact::Whole(event_fact) => fold::whole(rows, event, event_fact),
            Fact::RecordedBy(sync) => {
                fold::recorded(rows, event, *sync);
                Ok(())
            }
        }
    }

    async fn store(rows: rows::Rows, tx: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
        store::store(rows, tx).await
    }
}
