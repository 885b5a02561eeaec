//! The only truth: an append-only log in PostgreSQL, one way in, one dense order out.
//!
//! - [`EventStore`] appends commands through a [`combiner`](EventStore::start): what queues while a batch is
//!   being written becomes the next batch, so the one lock of the log costs nothing under load.
//! - [`GlobalReader`] reads the log in its order and refuses a gap; relay and projectors read nothing else.
//! - [`States`] keeps folded states beside the heads so that a sync can load thousands of products in one
//!   query.
//! - [`Wake`] tells readers in the same process that the log grew. A poll is the floor beneath it; `NOTIFY`
//!   inside the append would cost five to nineteen times its price.

mod append;
mod combiner;
mod error;
mod read;
mod reply;
mod states;
mod wake;

pub use append::{Append, Appended, StreamId};
pub use combiner::{BatchObserver, CombinerTask, EventStore};
pub use error::{AppendError, ReadError};
pub use read::{Behind, GlobalReader, columns};
pub use states::{Loaded, State, States};
pub use wake::{Subscription, Wake};
