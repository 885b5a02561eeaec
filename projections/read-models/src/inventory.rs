//! What a tenant has: the projection behind products, stock, orders, their history, and the sheet.

mod fold;
mod in_stock;
pub mod queries;
mod rows;
mod store;

use deadpool_postgres::Transaction;
use events::{DecodeError, Decoded, Event, Recorded, StreamType};

use crate::projection::{Projection, Reading, Rejected};

/// Folds `product` streams, from `sync` streams how each source came out and what of it is held back, and
/// from `cabinet` streams when a cabinet was away and which of its warehouses are left out of totals.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inventory;

impl Projection for Inventory {
    const NAME: &'static str = "inventory";
    const VERSION: i32 = 5;
    const SCHEMA: &'static str = "rm_inventory";
    const DDL: &'static str = include_str!("../../../migrations/read-models/inventory.sql");

    type Fact = Event;
    type Rows = rows::Rows;

    fn read(event: &Recorded) -> Result<Reading<Event>, DecodeError> {
        let relevant = match event.stream_type() {
            None => return Ok(Reading::Unknown),
            Some(StreamType::Product | StreamType::Sync) => true,
            Some(StreamType::Cabinet) => fold::is_of_sight(&event.event_type),
            Some(_) => false,
        };
        if !relevant {
            return Ok(Reading::Irrelevant);
        }
        Ok(match event.decode()? {
            Decoded::Known(known) => Reading::Fact(known),
            Decoded::Unknown => Reading::Unknown,
        })
    }

    async fn load(
        rows: &mut rows::Rows,
        tx: &Transaction<'_>,
        batch: &[(&Recorded, &Event)],
    ) -> Result<(), tokio_postgres::Error> {
        store::load(rows, tx, batch).await
    }

    fn fold(rows: &mut rows::Rows, event: &Recorded, fact: &Event) -> Result<(), Rejected> {
        match fact {
            Event::Product(product) => fold::product(rows, event, product),
            Event::Sync(sync) => {
                fold::sync(rows, event, sync);
                Ok(())
            }
            Event::Cabinet(cabinet) => {
                fold::cabinet(rows, event, cabinet);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn store(rows: rows::Rows, tx: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
        store::store(rows, tx).await
    }

    fn held(rows: &rows::Rows) -> usize {
        rows.len()
    }

    async fn spill(rows: &mut rows::Rows, tx: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
        store::spill(rows, tx).await
    }

    async fn fill(rows: rows::Rows, tx: &Transaction<'_>, empty: bool) -> Result<(), tokio_postgres::Error> {
        if empty {
            store::fill(rows, tx).await
        } else {
            store::store(rows, tx).await
        }
    }
}
