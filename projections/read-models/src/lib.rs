//! Questions answered from tables. A *projection* folds the log into rows of its own schema; everything here
//! is droppable and comes back from the log, so the rows may be shaped by the questions alone.
//!
//! | projection | schema | folds | answers |
//! |---|---|---|---|
//! | [`Inventory`] | `rm_inventory` | `product`, `sync` | products, stock, orders, history, the sheet |
//! | [`Operations`] | `rm_operations` | `tenant`, `cabinet`, `sync`, `sheet`, `alert` | cabinets, syncs, members, alerts |
//!
//! Start at [`projection`] (what a projection is), then [`apply`] (how a batch becomes rows and a position in
//! one transaction, and what happens to events that cannot be applied), [`schema`] (install, rebuild, swap).
//! Questions are in [`inventory::queries`] and [`operations::queries`]; they run in a tenant's transaction of
//! `database` and see that tenant only.
//!
//! Nothing in a fold looks at a clock, a random number or the size of a batch: a rebuilt copy is
//! byte-identical to the live one, and [`schema::dump`] proves it.

pub mod apply;
pub mod bulk;
mod erasure;
mod held;
pub mod inventory;
pub mod operations;
pub mod positions;
pub mod projection;
pub mod schema;

mod query;
mod unpark;

/// The definitions of days, turnover and pace.
pub use measures as measure;

pub use inventory::Inventory;
pub use operations::Operations;
pub use positions::{Positions, Reached};
pub use projection::{Projection, Rejected};
pub use query::{Parked, QueryError, parked, parked_as_newer, parked_count, position};
pub use unpark::{Unparked, unpark};
