//! The tool `payloads`: raw answers of marketplaces, for auditors. `DATABASE_URL` has to name a login that
//! may act as `st_audit`; no server process may. Whoever looks at an answer stands in the log, with the
//! reason.

use std::io::{Read as _, Write as _};

use chrono::{DateTime, Utc};
use database::{Pool, Role};
use events::ids::TenantId;
use flate2::read::DeflateDecoder;
use runtime::Settings;
use uuid::Uuid;
use vault::Vault;
use worker::payloads::PARTS;

use crate::Failure;
use crate::args::PayloadsAction;

/// Runs it.
pub(crate) async fn run(settings: &Settings, action: &PayloadsAction) -> Result<u8, Failure> {
    let pool = Pool::open(settings.database.required_url()?, Role::Audit, 2)?;
    match action {
        PayloadsAction::List {
            tenant,
            sha256,
            limit,
        } => list(&pool, *tenant, sha256.as_deref(), *limit).await,
        PayloadsAction::Show {
            tenant,
            payload,
            reason,
        } => {
            let vault = Vault::new(pool.clone(), crate::keys::masters(settings)?);
            show(&pool, &vault, *tenant, *payload, reason).await
        }
    }
}

/// One line of JSON per answer. Nothing to list is a failure: whoever looks for an answer has to know that
/// none is there.
async fn list(pool: &Pool, tenant: TenantId, sha256: Option<&str>, limit: i64) -> Result<u8, Failure> {
    let mut session = pool.tenant(tenant).await?;
    let transaction = session.begin().await?;
    let rows = transaction
        .query(
            "SELECT payload_id, cabinet_id, sync_id, source, sha256, raw_bytes, kept_bytes, sealed_bytes, \
                    fetched_at, seen_at \
               FROM core.sync_payloads \
              WHERE tenant_id = $1 AND ($2::text IS NULL OR sha256 = $2) \
              ORDER BY seen_at DESC, payload_id LIMIT $3",
            &[&tenant.uuid(), &sha256, &limit],
        )
        .await?;
    if rows.is_empty() {
        return Err(match sha256 {
            Some(_) => "no answer with this hash is kept of this tenant, or it was destroyed already",
            None => "no answer is kept of this tenant, or all were destroyed already",
        }
        .into());
    }
    let mut out = std::io::stdout().lock();
    for row in rows {
        let line = serde_json::json!({
            "payload_id": row.try_get::<_, Uuid>(0)?,
            "cabinet_id": row.try_get::<_, Uuid>(1)?,
            "sync_id": row.try_get::<_, Uuid>(2)?,
            "source": row.try_get::<_, String>(3)?,
            "sha256_of_raw": row.try_get::<_, String>(4)?,
            "raw_bytes": row.try_get::<_, i64>(5)?,
            "kept_bytes": row.try_get::<_, i64>(6)?,
            "sealed_bytes": row.try_get::<_, i64>(7)?,
            "fetched_at": row.try_get::<_, DateTime<Utc>>(8)?,
            "seen_at": row.try_get::<_, DateTime<Utc>>(9)?,
        });
        writeln!(out, "{line}")?;
    }
    Ok(0)
}

/// The answer as it is kept: without what could be a buyer's, so its hash is not the one of the raw answer.
async fn show(
    pool: &Pool,
    vault: &Vault,
    tenant: TenantId,
    payload: Uuid,
    reason: &str,
) -> Result<u8, Failure> {
    let mut session = pool.tenant(tenant).await?;
    let transaction = session.begin().await?;
    let found = transaction
        .query_opt(
            "SELECT parts, session_user::text FROM core.sync_payloads \
              WHERE tenant_id = $1 AND payload_id = $2",
            &[&tenant.uuid(), &payload],
        )
        .await?
        .ok_or("there is no such answer, or it was destroyed already")?;
    let (parts, auditor): (i32, String) = (found.try_get(0)?, found.try_get(1)?);
    // Before anything is shown: a look that is not in the log must not happen.
    tracing::info!(
        audit.payload = %payload,
        audit.tenant = %tenant,
        audit.login = auditor,
        audit.reason = reason,
        "a raw answer is looked at"
    );
    let key = vault.stored_payload_key(tenant).await?;
    let mut packed = Vec::new();
    for part in 0..parts {
        let row = transaction
            .query_one(
                "SELECT sealed FROM core.sync_payload_parts \
                  WHERE tenant_id = $1 AND payload_id = $2 AND part = $3",
                &[&tenant.uuid(), &payload, &part],
            )
            .await?;
        let sealed: Vec<u8> = row.try_get(0)?;
        packed.extend_from_slice(&key.open(PARTS, payload, part, &sealed)?);
    }
    let mut out = std::io::stdout().lock();
    let mut answer = DeflateDecoder::new(packed.as_slice());
    let mut piece = [0_u8; 16 * 1024];
    loop {
        let read = answer.read(&mut piece)?;
        if read == 0 {
            return Ok(0);
        }
        out.write_all(&piece[..read])?;
    }
}
