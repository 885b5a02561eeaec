//! What a projection is: a name, a schema, and a pure fold between a load and a store. The frame around it
//! ([`crate::apply`]) owns the transaction, the position and the fence, so no projection can get them wrong.

use std::future::Future;

use deadpool_postgres::Transaction;
use events::{DecodeError, Recorded};
use sha2::{Digest, Sha256};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Kind, Type};

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

    /// How many rows a rebuild keeps in memory here; see [`crate::bulk`]. Without an answer of its own a
    /// projection is written page by page.
    fn held(_rows: &Self::Rows) -> usize {
        usize::MAX
    }

    /// Writes, into a copy nobody else sees, the rows that no later event changes, and forgets them.
    fn spill(
        _rows: &mut Self::Rows,
        _tx: &Transaction<'_>,
    ) -> impl Future<Output = Result<(), tokio_postgres::Error>> + Send {
        std::future::ready(Ok(()))
    }

    /// As [`Self::store`], into a copy nobody else sees. `empty`: there is nothing in it yet.
    fn fill(
        rows: Self::Rows,
        tx: &Transaction<'_>,
        _empty: bool,
    ) -> impl Future<Output = Result<(), tokio_postgres::Error>> + Send {
        Self::store(rows, tx)
    }
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

/// How statements are planned.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Plans {
    /// For each execution, with what is in the tables now.
    MadeAnew,
    /// Once: for statements that leave the planner no choice, as inserts do.
    Kept,
}

/// Chooses how the statements that follow in the transaction are planned. Planning an insert costs as much as
/// inserting a few rows.
pub(crate) async fn plans(tx: &Transaction<'_>, plans: Plans) -> Result<(), tokio_postgres::Error> {
    let statement = tx
        .prepare_cached("SELECT set_config('plan_cache_mode', $1, true)")
        .await?;
    let mode = match plans {
        Plans::MadeAnew => "force_custom_plan",
        Plans::Kept => "force_generic_plan",
    };
    tx.execute(&statement, &[&mode]).await?;
    Ok(())
}

/// The outcome of statements that were on their way together. The error that made the transaction fail, not
/// one of those that say that it had failed.
pub(crate) fn cause_of<const N: usize>(
    outcomes: [Result<(), tokio_postgres::Error>; N],
) -> Result<(), tokio_postgres::Error> {
    let mut errors: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    let cause = errors
        .iter()
        .position(|error| error.code() != Some(&SqlState::IN_FAILED_SQL_TRANSACTION))
        .unwrap_or(0);
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.swap_remove(cause))
    }
}

/// Runs one statement over rows turned into arrays, one array a column.
macro_rules! write_rows {
    ($tx:expr, $rows:expr, $sql:expr, |$row:pat_param| $($value:expr),+ $(,)?) => {
        write_rows!(@zip ($tx, $rows, $sql, $row) [$($value),+]
            [c1 c2 c3 c4 c5 c6 c7 c8 c9 c10 c11 c12 c13 c14 c15 c16 c17 c18 c19 c20 c21 c22 c23 c24 c25 c26
             c27 c28 c29 c30 c31 c32] [])
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

/// Streams rows into a table, in the binary format. Row security forbids it, so it is only for copies that
/// nobody else sees. `$target` names table and columns; the types are those of `$sql`, which writes the same
/// columns from arrays.
macro_rules! copy_rows {
    ($tx:expr, $rows:expr, $target:literal, $sql:expr, |$row:pat_param| $($value:expr),+ $(,)?) => {{
        let rows = $rows;
        if !rows.is_empty() {
            let types = crate::projection::elements(&$tx.prepare_cached($sql).await?);
            let sink = $tx.copy_in(concat!("COPY ", $target, " FROM STDIN BINARY")).await?;
            let writer = tokio_postgres::binary_copy::BinaryCopyInWriter::new(sink, &types);
            futures_util::pin_mut!(writer);
            for $row in rows.iter() {
                writer
                    .as_mut()
                    .write(&[$( &$value as &(dyn tokio_postgres::types::ToSql + Sync) ),+])
                    .await?;
            }
            writer.finish().await?;
        }
    }};
}
pub(crate) use copy_rows;

/// Inserts rows: by `COPY` when `$copied`, else by one statement that ends in `$rest`.
macro_rules! insert_rows {
    ($tx:expr, $rows:expr, $copied:expr, $target:literal, $rest:literal,
     |$row:pat_param| $($value:expr),+ $(,)?) => {
        if $copied {
            crate::projection::copy_rows!($tx, $rows, $target, concat!("INSERT INTO ", $target, $rest),
                |$row| $($value),+);
        } else {
            crate::projection::write_rows!($tx, $rows, concat!("INSERT INTO ", $target, $rest),
                |$row| $($value),+);
        }
    };
}
pub(crate) use insert_rows;

/// Types of the elements of a statement's array parameters.
pub(crate) fn elements(statement: &tokio_postgres::Statement) -> Vec<Type> {
    statement
        .params()
        .iter()
        .map(|parameter| match parameter.kind() {
            Kind::Array(element) => element.clone(),
            _ => parameter.clone(),
        })
        .collect()
}
