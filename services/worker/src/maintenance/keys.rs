//! Keys that end soon are announced, keys that ended are rejected, and keys that were offered while the
//! marketplace was silent are tried. What is due is decided by each cabinet from its own events, so this may
//! run twice, or not at all for a week.

use application::{Context, watch_expiry};
use chrono::TimeDelta;
use database::DatabaseError;
use events::ids::{CabinetId, CommandId, TenantId};

use crate::check;
use crate::sync::Syncs;

/// No reminder is sent earlier before the end of a key.
const AHEAD: TimeDelta = TimeDelta::days(14);

/// One round over all cabinets.
///
/// # Errors
/// [`DatabaseError`] when the cabinets cannot be listed; one that fails does not stop the others.
pub async fn watch_keys(syncs: &Syncs) -> Result<(), DatabaseError> {
    let session = syncs.app.store.pool().get().await?;
    let statement = session
        .prepare_cached(
            "SELECT tenant_id, cabinet_id, key_offered FROM core.cabinet_work \
              WHERE (usable AND key_ends_at <= $1) OR key_offered",
        )
        .await?;
    let until = syncs.clock.now() + AHEAD;
    let rows = session.query(&statement, &[&until]).await?;
    drop(session);
    for row in rows {
        let (tenant, cabinet) = (TenantId(row.try_get(0)?), CabinetId(row.try_get(1)?));
        if row.try_get(2)? {
            let context = context(syncs, tenant, cabinet, "try");
            if let Err(error) = Box::pin(check::run(syncs, &context, cabinet)).await {
                tracing::info!(error = ?error, cabinet.id = %cabinet, "an offered key could not be tried");
            }
        }
        let context = context(syncs, tenant, cabinet, "watch");
        // One cabinet's trouble is not the others'; the next round looks again.
        if let Err(error) = watch_expiry::execute(&syncs.app, &context, cabinet).await {
            tracing::warn!(error = ?error, cabinet.id = %cabinet, "the end of a key could not be looked at");
        }
    }
    Ok(())
}

fn context(syncs: &Syncs, tenant_id: TenantId, cabinet: CabinetId, what: &str) -> Context {
    let now = syncs.clock.now();
    let command_id = CommandId::derived(cabinet.uuid(), &format!("{what}:{}", now.timestamp_micros()));
    Context {
        tenant_id,
        actor: "worker".to_owned(),
        command_id,
        correlation_id: command_id.uuid(),
        causation_id: None,
        traceparent: runtime::trace::current(),
        now,
    }
}
