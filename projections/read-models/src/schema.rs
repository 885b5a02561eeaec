//! Schemas of read models: made, compared, swapped, dropped. `st_projector` owns them. It may create schemas
//! in the database (granted by [`install`], the only step that needs an administrator), because a rebuild
//! fills a new schema beside the live one and then trades their names; it owns nothing else and can touch no
//! other schema.
//!
//! A copy's DDL is its own file up to the line `-- after filling`, then, when its rows are in, the rest of
//! the file and the guards: indices, row security, grants. Until then nobody else can see into it.

use std::time::Duration;

use database::{DatabaseError, Role, Session};
use deadpool_postgres::{GenericClient, Transaction};
use futures_util::TryStreamExt;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::apply::Cursor;
use crate::projection::{Projection, fingerprint};
use crate::{Inventory, Operations};

/// Row security and grants of every read model.
pub const GUARDS: &str = include_str!("../../../migrations/read-models/guards.sql");

/// Line of a DDL file after which comes what serves questions only.
const AFTER_FILLING: &str = "-- after filling";

/// How long a swap waits for the transaction that holds the live position, and a drop for the last questions.
const SWAP_LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// How the stored copy relates to this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// There is none.
    Missing,
    /// It was made by an older version of the projection or from other DDL: it has to be rebuilt.
    Outdated,
    /// It was made by a newer program, which may be running beside this one: it is not ours to touch.
    Newer,
    /// It is what this program would make.
    Current,
}

/// Lets the projector make its schemas and makes those that are missing, so that questions asked before the
/// first event are answered with nothing instead of an error. Needs the rights of a database owner; run by
/// `migrate`, after the core migrations, and again in a database that was copied or restored without its
/// privileges. Repeating it changes nothing; existing copies are left to the projector.
///
/// # Errors
/// [`DatabaseError`].
pub async fn install(admin_url: &SecretString) -> Result<(), DatabaseError> {
    let admin = database::connect(admin_url, None).await?;
    admin
        .batch_execute(
            "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO st_projector', current_database()); \
               END $$",
        )
        .await?;
    drop(admin);
    let pool = database::Pool::open(admin_url, Role::Projector, 1)?;
    let mut session = pool.get().await?;
    install_one::<Inventory>(&mut session).await?;
    install_one::<Operations>(&mut session).await
}

async fn install_one<P: Projection>(session: &mut Session) -> Result<(), DatabaseError> {
    // Two installers at once: the second waits and then finds the schema.
    let tx = session.transaction().await?;
    lock_schema::<P>(&tx).await?;
    if !exists(&tx, P::SCHEMA).await? {
        create::<P>(&tx, P::SCHEMA).await?;
        finish::<P>(&tx, P::SCHEMA).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Compares the copy in `schema` with this program.
///
/// # Errors
/// [`DatabaseError`].
pub async fn condition<P: Projection>(session: &Session, schema: &str) -> Result<Condition, DatabaseError> {
    if !exists(session, schema).await? {
        return Ok(Condition::Missing);
    }
    let sql = format!("SELECT version, schema_hash FROM {schema}.projection WHERE name = $1");
    let Some(row) = session.query_opt(&sql, &[&P::NAME]).await? else {
        return Ok(Condition::Outdated);
    };
    let (version, hash): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    Ok(if version > P::VERSION {
        Condition::Newer
    } else if version == P::VERSION && hash == fingerprint::<P>() {
        Condition::Current
    } else {
        Condition::Outdated
    })
}

/// Takes the fence of the copy in `schema`: whoever held it before is refused from now on.
///
/// # Errors
/// [`DatabaseError`].
pub async fn take_over<P: Projection>(session: &Session, schema: &str) -> Result<Cursor, DatabaseError> {
    let sql =
        format!("UPDATE {schema}.projection SET epoch = epoch + 1 WHERE name = $1 RETURNING position, epoch");
    let row = session.query_one(&sql, &[&P::NAME]).await?;
    Ok(Cursor {
        position: row.try_get(0)?,
        epoch: row.try_get(1)?,
    })
}

/// Makes an empty copy beside the live one, dropping what an earlier rebuild may have left, and returns its
/// name. It has no guards yet: [`swap`] adds them.
///
/// # Errors
/// [`DatabaseError`].
pub async fn prepare<P: Projection>(session: &mut Session) -> Result<String, DatabaseError> {
    let schema = format!("{}_next", P::SCHEMA);
    let tx = session.transaction().await?;
    lock_schema::<P>(&tx).await?;
    tx.batch_execute(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE"))
        .await?;
    create::<P>(&tx, &schema).await?;
    tx.commit().await?;
    Ok(schema)
}

/// Adds indices, row security and grants to the copy that [`prepare`] made; to be called once, when its rows
/// are in.
///
/// # Errors
/// [`DatabaseError`].
pub async fn seal<P: Projection>(session: &mut Session, schema: &str) -> Result<(), DatabaseError> {
    let tx = session.transaction().await?;
    finish::<P>(&tx, schema).await?;
    tx.commit().await?;
    // Plans of the first questions shall know the sizes. By name: an `ANALYZE` of everything fails when a
    // table of somebody else's is dropped meanwhile.
    let sql = "SELECT 'ANALYZE ' || string_agg(c.oid::regclass::text, ', ') FROM pg_class c \
                WHERE c.relnamespace = $1::text::regnamespace AND c.relkind = 'r'";
    let analyze: Option<String> = session.query_one(sql, &[&schema]).await?.try_get(0)?;
    if let Some(analyze) = analyze {
        session.batch_execute(&analyze).await?;
    }
    Ok(())
}

/// How a swap went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// The rebuilt copy is live at this position; the former one is `<schema>_old`.
    Done(i64),
    /// The live copy is ahead: fold up to this position and try again.
    Behind(i64),
}

/// Trades the names of the live copy and the sealed one, if the sealed one has read at least as far. The live
/// position is locked meanwhile, and its fence raised on both sides, so that whoever folds into the live copy
/// is refused and looks again. What an earlier swap left as `<schema>_old` is dropped.
///
/// # Errors
/// [`DatabaseError`]; of class contention when the lock was not to be had in two seconds, or the sealed copy
/// was changed meanwhile.
pub async fn swap<P: Projection>(session: &mut Session, next: &str) -> Result<Swap, DatabaseError> {
    let live = P::SCHEMA;
    let tx = session.transaction().await?;
    tx.batch_execute(&format!(
        "SET LOCAL lock_timeout = '{}ms'",
        SWAP_LOCK_TIMEOUT.as_millis()
    ))
    .await?;
    lock_schema::<P>(&tx).await?;
    let mut epoch = 0_i64;
    if exists(&tx, live).await? {
        let row = tx
            .query_opt(
                // What a copy has beyond the end of the log is of a log that lost its end.
                &format!(
                    "SELECT least(position, (SELECT position FROM core.log_head WHERE id = 1)), epoch \
                       FROM {live}.projection WHERE name = $1 FOR UPDATE"
                ),
                &[&P::NAME],
            )
            .await?;
        let reached: i64 = tx
            .query_one(
                &format!("SELECT position FROM {next}.projection WHERE name = $1"),
                &[&P::NAME],
            )
            .await?
            .try_get(0)?;
        if let Some(row) = row {
            let ahead: i64 = row.try_get(0)?;
            if ahead > reached {
                return Ok(Swap::Behind(ahead));
            }
            epoch = row.try_get(1)?;
        }
        tx.batch_execute(&format!(
            "DROP SCHEMA IF EXISTS {live}_old CASCADE;
             UPDATE {live}.projection SET epoch = epoch + 1;
             ALTER SCHEMA {live} RENAME TO {live}_old;
             REVOKE ALL ON SCHEMA {live}_old FROM st_api, st_gateway, st_sheets, st_notifier"
        ))
        .await?;
    }
    let row = tx
        .query_one(
            &format!(
                "UPDATE {next}.projection SET epoch = greatest(epoch, $2) + 1 WHERE name = $1 RETURNING \
                   position"
            ),
            &[&P::NAME, &epoch],
        )
        .await?;
    tx.batch_execute(&format!("ALTER SCHEMA {next} RENAME TO {live}"))
        .await?;
    tx.commit().await?;
    Ok(Swap::Done(row.try_get(0)?))
}

/// Drops the copy that the last swap replaced. Returns whether there was one. Questions that began before the
/// swap are let finish; nobody else can reach that copy by its name.
///
/// # Errors
/// [`DatabaseError`]; of class contention when such a question took longer than two seconds.
pub async fn drop_old<P: Projection>(session: &mut Session) -> Result<bool, DatabaseError> {
    let old = format!("{}_old", P::SCHEMA);
    let tx = session.transaction().await?;
    tx.batch_execute(&format!(
        "SET LOCAL lock_timeout = '{}ms'",
        SWAP_LOCK_TIMEOUT.as_millis()
    ))
    .await?;
    lock_schema::<P>(&tx).await?;
    let found = exists(&tx, &old).await?;
    tx.batch_execute(&format!("DROP SCHEMA IF EXISTS {old} CASCADE"))
        .await?;
    tx.commit().await?;
    Ok(found)
}

/// The contents of one table, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDump {
    /// Table.
    pub table: String,
    /// Rows.
    pub rows: u64,
    /// SHA-256 over all rows in order, hexadecimal.
    pub sha256: String,
}

/// Fingerprints of everything that was folded into `schema`; equal for a live copy and a rebuilt one at the
/// same position. The position itself is read in the same snapshot and returned beside.
///
/// # Errors
/// [`DatabaseError`].
pub async fn dump(session: &mut Session, schema: &str) -> Result<(i64, Vec<TableDump>), DatabaseError> {
    let tx = session
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    // The text of times and numbers must not depend on who asks.
    tx.batch_execute(
        "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL extra_float_digits = 1",
    )
    .await?;
    let position: i64 = tx
        .query_one(&format!("SELECT position FROM {schema}.projection"), &[])
        .await?
        .try_get(0)?;
    let tables = tx
        .query(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = $1 AND tablename <> 'projection' \
               ORDER BY 1",
            &[&schema],
        )
        .await?;
    let mut dumps = Vec::with_capacity(tables.len());
    for row in tables {
        let table: String = row.try_get(0)?;
        let sql = format!("SELECT t::text COLLATE \"C\" FROM {schema}.{table} t ORDER BY 1");
        let lines = tx.query_raw::<_, bool, _>(sql.as_str(), []).await?;
        futures_util::pin_mut!(lines);
        let (mut hash, mut rows) = (Sha256::new(), 0);
        while let Some(line) = lines.try_next().await? {
            hash.update(line.try_get::<_, &str>(0)?.as_bytes());
            hash.update(b"\n");
            rows += 1;
        }
        dumps.push(TableDump {
            table,
            rows,
            sha256: hex::encode(hash.finalize()),
        });
    }
    Ok((position, dumps))
}

/// Makers and swappers of one projection's schemas go one at a time.
async fn lock_schema<P: Projection>(tx: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
    tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        &[&P::SCHEMA],
    )
    .await?;
    Ok(())
}

async fn exists(client: &impl GenericClient, schema: &str) -> Result<bool, tokio_postgres::Error> {
    client
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)",
            &[&schema],
        )
        .await?
        .try_get(0)
}

async fn create<P: Projection>(tx: &Transaction<'_>, schema: &str) -> Result<(), tokio_postgres::Error> {
    let (tables, _) = parts::<P>();
    tx.batch_execute(&format!(
        "CREATE SCHEMA {schema}; SET LOCAL search_path = {schema}; {tables}"
    ))
    .await?;
    tx.execute(
        "INSERT INTO projection (name, version, schema_hash, position, epoch) VALUES ($1, $2, $3, 0, 1)",
        &[&P::NAME, &P::VERSION, &fingerprint::<P>()],
    )
    .await?;
    Ok(())
}

async fn finish<P: Projection>(tx: &Transaction<'_>, schema: &str) -> Result<(), tokio_postgres::Error> {
    let (_, rest) = parts::<P>();
    tx.batch_execute(&format!("SET LOCAL search_path = {schema}; {rest}\n{GUARDS}"))
        .await
}

fn parts<P: Projection>() -> (&'static str, &'static str) {
    P::DDL.split_at(P::DDL.find(AFTER_FILLING).unwrap_or(P::DDL.len()))
}
