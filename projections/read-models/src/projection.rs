//! What a projection is: a name, a schema, and a pure fold between a load and a store. The frame around it
//! ([`crate::apply`]) owns the transaction, the position and the fence, so no projection can get them wrong.

use std::future::Future;

use deadpool_postgres::Transaction;
use events::{DecodeError, Recorded};
use sha2::{Digest, Sha256};

/// An event that cannot be applied, in words for the one who has to repair it. Its stream is parked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Rejected(pub String);

/// What an event is to a projection.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading<F> {
    /// Something to fold.
    Fact(F),
    /// Known, but not of this projection's concern.
    Irrelevant,
    /// Of a type or version this program does not know; skipped and counted.
    Unknown,
}

/// Events to rows. Implementations must be deterministic and must not depend on how events are cut into
/// batches; what they write for one stream may meet what another stream wrote only in ways that commute,
/// because a parked stream is caught up later.
pub trait Projection: Send + Sync + 'static {
    /// Name in `projection`, in metrics and in the names of durable consumers.
    const NAME: &'static str;
    /// Raised whenever the same events give other rows.
    const VERSION: i32;
    /// Schema of the live copy.
    const SCHEMA: &'static str;
    /// Tables, indices and views as plain DDL without schema names; see [`crate::schema`].
    const DDL: &'static str;

    /// What is read from a payload.
    type Fact: Send + Sync;
    /// The rows a batch touches.
    type Rows: Default + Send;

    /// Reads an event.
    ///
    /// # Errors
    /// When the type and version are known but the payload does not fit them: the stream is parked.
    fn read(event: &Recorded) -> Result<Reading<Self::Fact>, DecodeError>;

    /// Fetches what folding `batch` has to know of earlier batches.
    fn load(
        rows: &mut Self::Rows,
        tx: &Transaction<'_>,
        batch: &[(&Recorded, &Self::Fact)],
    ) -> impl Future<Output = Result<(), tokio_postgres::Error>> + Send;

    /// Folds one event. Leaves `rows` untouched when it fails.
    ///
    /// # Errors
    /// [`Rejected`] when the event makes no sense after those before it: the stream is parked.
    fn fold(rows: &mut Self::Rows, event: &Recorded, fact: &Self::Fact) -> Result<(), Rejected>;

    /// Writes what changed.
    fn store(
        rows: Self::Rows,
        tx: &Transaction<'_>,
    ) -> impl Future<Output = Result<(), tokio_postgres::Error>> + Send;
}

/// Fingerprint of everything that decides how rows of `P` look: a copy with another one is rebuilt.
#[must_use]
pub fn fingerprint<P: Projection>() -> String {
    let mut hash = Sha256::new();
    for part in [P::DDL, crate::schema::GUARDS] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(P::VERSION.to_be_bytes());
    hex::encode(hash.finalize())
}

/// The name an enum of the catalog has in JSON, for columns.
pub(crate) fn name_of<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        // Only unit variants are passed here; anything else shows itself as JSON instead of being lost.
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Runs one statement over rows turned into arrays, one array a column.
macro_rules! write_rows {
    ($tx:expr, $rows:expr, $sql:expr, |$row:pat_param| $($value:expr),+ $(,)?) => {
        write_rows!(@zip ($tx, $rows, $sql, $row) [$($value),+]
            [c1 c2 c3 c4 c5 c6 c7 c8 c9 c10 c11 c12 c13 c14 c15 c16 c17 c18 c19 c20 c21 c22 c23 c24] [])
    };
    (@zip $call:tt [$value:expr $(, $values:expr)*] [$column:ident $($columns:ident)*] [$($done:tt)*]) => {
        write_rows!(@zip $call [$($values),*] [$($columns)*] [$($done)* ($column $value)])
    };
    (@zip ($tx:expr, $rows:expr, $sql:expr, $row:pat_param) [] [$($unused:ident)*]
     [$(($column:ident $value:expr))+]) => {{
        let rows = $rows;
        if !rows.is_empty() {
            $( let mut $column = Vec::with_capacity(rows.len()); )+
            for $row in rows.iter() {
                $( $column.push($value); )+
            }
            let statement = $tx.prepare_cached($sql).await?;
            $tx.execute(&statement, &[$( &$column ),+]).await?;
        }
    }};
}
pub(crate) use write_rows;
