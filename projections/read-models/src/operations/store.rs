//! Rows in and out of the database: one statement a table and batch.

use std::collections::BTreeSet;

use deadpool_postgres::Transaction;
use events::catalog::TenantEvent;
use events::{Event, Recorded};
use tokio_postgres::Error;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::fold::sync_id_of;
use super::rows::{Cabinet, Credential, Freshness, Member, Row, Rows, Sheet, SyncRow, Tenant};
use super::{Fact, alerts};
use crate::projection::write_rows;

/// Keys of the rows that a batch may change.
#[derive(Default)]
struct Keys {
    tenants: BTreeSet<Uuid>,
    members: BTreeSet<(Uuid, Uuid)>,
    cabinets: BTreeSet<(Uuid, Uuid)>,
    syncs: BTreeSet<(Uuid, Uuid)>,
    freshness: BTreeSet<(Uuid, Uuid)>,
    sheets: BTreeSet<Uuid>,
    /// Products.
    alerts: BTreeSet<(Uuid, Uuid)>,
}

impl Keys {
    fn of(batch: &[(&Recorded, &Fact)]) -> Self {
        let mut keys = Self::default();
        for (event, fact) in batch {
            let Fact::Whole(fact) = fact else { continue };
            let tenant = event.metadata.tenant_id.uuid();
            match fact.as_ref() {
                Event::Tenant(fact) => {
                    keys.tenants.insert(tenant);
                    if let Some(user) = member_of(fact) {
                        keys.members.insert((tenant, user));
                    }
                }
                Event::Cabinet(_) => {
                    keys.cabinets.insert((tenant, event.stream_id));
                }
                Event::Sync(fact) => {
                    keys.syncs.insert((tenant, sync_id_of(fact).uuid()));
                    keys.freshness.insert((tenant, event.stream_id));
                }
                Event::Sheet(_) => {
                    keys.sheets.insert(tenant);
                }
                Event::Alert(_) => {
                    keys.alerts.insert((tenant, event.stream_id));
                }
                Event::User(_)
                | Event::Product(_)
                | Event::Subscription(_)
                | Event::AlertRule(_)
                | Event::WebhookEndpoint(_) => {}
            }
        }
        keys
    }
}

fn member_of(fact: &TenantEvent) -> Option<Uuid> {
    match fact {
        TenantEvent::TenantRegistered(registered) => Some(registered.owner.uuid()),
        TenantEvent::MemberAdded(added) => Some(added.user_id.uuid()),
        TenantEvent::MemberRoleChanged(changed) => Some(changed.user_id.uuid()),
        TenantEvent::MemberRemoved(removed) => Some(removed.user_id.uuid()),
        _ => None,
    }
}

/// Fetches the rows that the batch may change. What is in memory already is newer.
pub(super) async fn load(
    rows: &mut Rows,
    tx: &Transaction<'_>,
    batch: &[(&Recorded, &Fact)],
) -> Result<(), Error> {
    let keys = Keys::of(batch);
    load_tenants(rows, tx, &keys.tenants).await?;
    load_members(rows, tx, &keys.members).await?;
    load_cabinets(rows, tx, &keys.cabinets).await?;
    load_syncs(rows, tx, &keys.syncs).await?;
    load_freshness(rows, tx, &keys.freshness).await?;
    alerts::load(rows, tx, &keys.alerts).await?;
    load_sheets(rows, tx, &keys.sheets).await
}

async fn load_tenants(rows: &mut Rows, tx: &Transaction<'_>, keys: &BTreeSet<Uuid>) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let statement = tx
        .prepare_cached("SELECT * FROM tenants WHERE tenant_id = ANY($1::uuid[])")
        .await?;
    let keys: Vec<Uuid> = keys.iter().copied().collect();
    for row in tx.query(&statement, &[&keys]).await? {
        let tenant = Tenant {
            owner_id: row.try_get("owner_id")?,
            language: row.try_get("language")?,
            time_zone: row.try_get("time_zone")?,
            status: row.try_get("status")?,
            reason: row.try_get("reason")?,
            registered_at: row.try_get("registered_at")?,
            updated_at: row.try_get("updated_at")?,
            position: row.try_get("position")?,
        };
        rows.tenants
            .entry(row.try_get("tenant_id")?)
            .or_insert(Row::found(tenant));
    }
    Ok(())
}

/// Rows of `table` whose tenant and `column` are among `keys`.
pub(super) async fn by_pair(
    tx: &Transaction<'_>,
    table: &str,
    column: &str,
    keys: &BTreeSet<(Uuid, Uuid)>,
) -> Result<Vec<tokio_postgres::Row>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT t.* FROM unnest($1::uuid[], $2::uuid[]) AS k(tenant, id) \
           JOIN {table} t ON t.tenant_id = k.tenant AND t.{column} = k.id"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let (tenants, ids): (Vec<_>, Vec<_>) = keys.iter().copied().unzip();
    tx.query(&statement, &[&tenants, &ids]).await
}

async fn load_members(
    rows: &mut Rows,
    tx: &Transaction<'_>,
    keys: &BTreeSet<(Uuid, Uuid)>,
) -> Result<(), Error> {
    for row in by_pair(tx, "members", "user_id", keys).await? {
        let member = Member {
            role: row.try_get("role")?,
            added_at: row.try_get("added_at")?,
            position: row.try_get("position")?,
        };
        let key = (row.try_get("tenant_id")?, row.try_get("user_id")?);
        rows.members.entry(key).or_insert(Row::found(Some(member)));
    }
    Ok(())
}

async fn load_cabinets(
    rows: &mut Rows,
    tx: &Transaction<'_>,
    keys: &BTreeSet<(Uuid, Uuid)>,
) -> Result<(), Error> {
    for row in by_pair(tx, "cabinets", "cabinet_id", keys).await? {
        let cabinet = Cabinet {
            marketplace: row.try_get("marketplace")?,
            status: row.try_get("status")?,
            credential: Credential {
                id: row.try_get("credential_id")?,
                fingerprint: row.try_get("fingerprint")?,
                token_kind: row.try_get("token_kind")?,
                seller_id: row.try_get("seller_id")?,
                expires_at: row.try_get("expires_at")?,
                scopes: row.try_get::<_, Json<_>>("scopes")?.0,
                status: row.try_get("credential_status")?,
                reason: row.try_get("credential_reason")?,
                checked_at: row.try_get("checked_at")?,
            },
            guard: row.try_get::<_, Json<_>>("guard")?.0,
            interval_seconds: row.try_get("interval_seconds")?,
            paused: row.try_get("paused")?,
            paused_by_plan: row.try_get("paused_by_plan")?,
            connected_at: row.try_get("connected_at")?,
            updated_at: row.try_get("updated_at")?,
            first_position: row.try_get("first_position")?,
            position: row.try_get("position")?,
        };
        let key = (row.try_get("tenant_id")?, row.try_get("cabinet_id")?);
        rows.cabinets.entry(key).or_insert(Row::found(cabinet));
    }
    Ok(())
}

async fn load_syncs(
    rows: &mut Rows,
    tx: &Transaction<'_>,
    keys: &BTreeSet<(Uuid, Uuid)>,
) -> Result<(), Error> {
    for row in by_pair(tx, "syncs", "sync_id", keys).await? {
        let sync = SyncRow {
            cabinet_id: row.try_get("cabinet_id")?,
            trigger: row.try_get("trigger")?,
            forced: row.try_get("forced")?,
            status: row.try_get("status")?,
            attempt: row.try_get("attempt")?,
            requested_at: row.try_get("requested_at")?,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
            sources: row.try_get::<_, Json<_>>("sources")?.0,
            products_seen: row.try_get("products_seen")?,
            products_changed: row.try_get("products_changed")?,
            error_class: row.try_get("error_class")?,
            error_detail: row.try_get("error_detail")?,
            retry_at: row.try_get("retry_at")?,
            decided_by: row.try_get("decided_by")?,
            decided_at: row.try_get("decided_at")?,
            updated_at: row.try_get("updated_at")?,
            first_position: row.try_get("first_position")?,
            position: row.try_get("position")?,
        };
        let key = (row.try_get("tenant_id")?, row.try_get("sync_id")?);
        rows.syncs.entry(key).or_insert(Row::found(sync));
    }
    Ok(())
}

async fn load_freshness(
    rows: &mut Rows,
    tx: &Transaction<'_>,
    keys: &BTreeSet<(Uuid, Uuid)>,
) -> Result<(), Error> {
    for row in by_pair(tx, "freshness", "cabinet_id", keys).await? {
        let freshness = Freshness {
            sources: row.try_get::<_, Json<_>>("sources")?.0,
            position: row.try_get("position")?,
        };
        let key = (row.try_get("tenant_id")?, row.try_get("cabinet_id")?);
        rows.freshness.entry(key).or_insert(Row::found(freshness));
    }
    Ok(())
}

async fn load_sheets(rows: &mut Rows, tx: &Transaction<'_>, keys: &BTreeSet<Uuid>) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let statement = tx
        .prepare_cached("SELECT * FROM sheets WHERE tenant_id = ANY($1::uuid[])")
        .await?;
    let keys: Vec<Uuid> = keys.iter().copied().collect();
    for row in tx.query(&statement, &[&keys]).await? {
        let sheet = Sheet {
            linked: row.try_get("linked")?,
            spreadsheet_id: row.try_get("spreadsheet_id")?,
            worksheet: row.try_get("worksheet")?,
            credential_id: row.try_get("credential_id")?,
            language: row.try_get("language")?,
            layout: row.try_get("layout")?,
            linked_at: row.try_get("linked_at")?,
            updated_at: row.try_get("updated_at")?,
            position: row.try_get("position")?,
        };
        rows.sheets
            .entry(row.try_get("tenant_id")?)
            .or_insert(Row::found(sheet));
    }
    Ok(())
}

/// Writes what changed.
pub(super) async fn store(rows: Rows, tx: &Transaction<'_>) -> Result<(), Error> {
    store_tenants(tx, &rows).await?;
    store_members(tx, &rows).await?;
    store_cabinets(tx, &rows).await?;
    store_syncs(tx, &rows).await?;
    store_freshness(tx, &rows).await?;
    let progress: Vec<_> = rows.progress.iter().collect();
    write_rows!(
        tx,
        &progress,
        "INSERT INTO sync_progress AS p (tenant_id, sync_id, recorded, position) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[]) \
         ON CONFLICT (tenant_id, sync_id) DO UPDATE SET recorded = p.recorded + EXCLUDED.recorded, \
            position = greatest(p.position, EXCLUDED.position)",
        |((tenant, sync), progress)| *tenant,
        *sync,
        progress.recorded,
        progress.position
    );
    alerts::store(tx, &rows).await?;
    store_sheets(tx, &rows).await
}

async fn store_tenants(tx: &Transaction<'_>, rows: &Rows) -> Result<(), Error> {
    let tenants: Vec<_> = rows.tenants.iter().filter(|(_, row)| row.changed).collect();
    write_rows!(
        tx,
        &tenants,
        "INSERT INTO tenants (tenant_id, owner_id, language, time_zone, status, reason, registered_at, \
           updated_at, \
            position) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], \
            $7::timestamptz[], $8::timestamptz[], $9::bigint[]) \
         ON CONFLICT (tenant_id) DO UPDATE SET owner_id = EXCLUDED.owner_id, language = EXCLUDED.language, \
            time_zone = EXCLUDED.time_zone, status = EXCLUDED.status, reason = EXCLUDED.reason, \
            registered_at = EXCLUDED.registered_at, updated_at = EXCLUDED.updated_at, position = \
            EXCLUDED.position",
        |(tenant, row)| **tenant,
        row.value.owner_id,
        row.value.language.as_str(),
        row.value.time_zone.as_str(),
        row.value.status.as_str(),
        row.value.reason.as_deref(),
        row.value.registered_at,
        row.value.updated_at,
        row.value.position,
    );
    Ok(())
}

async fn store_members(tx: &Transaction<'_>, rows: &Rows) -> Result<(), Error> {
    let mut removed: Vec<(Uuid, Uuid)> = Vec::new();
    let mut members: Vec<(Uuid, Uuid, &Member)> = Vec::new();
    for ((tenant, user), row) in rows.members.iter().filter(|(_, row)| row.changed) {
        match &row.value {
            Some(member) => members.push((*tenant, *user, member)),
            None => removed.push((*tenant, *user)),
        }
    }
    write_rows!(
        tx,
        &removed,
        "DELETE FROM members m USING unnest($1::uuid[], $2::uuid[]) AS k(tenant, member) \
          WHERE m.tenant_id = k.tenant AND m.user_id = k.member",
        |(tenant, user)| *tenant,
        *user
    );
    write_rows!(
        tx,
        &members,
        "INSERT INTO members (tenant_id, user_id, role, added_at, position) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[]) \
         ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = EXCLUDED.role, added_at = EXCLUDED.added_at, \
            position = EXCLUDED.position",
        |(tenant, user, member)| *tenant,
        *user,
        member.role.as_str(),
        member.added_at,
        member.position
    );
    Ok(())
}

async fn store_cabinets(tx: &Transaction<'_>, rows: &Rows) -> Result<(), Error> {
    let cabinets: Vec<_> = rows
        .cabinets
        .iter()
        .filter(|(_, row)| row.changed)
        .map(|(key, row)| (key, &row.value))
        .collect();
    write_rows!(
        tx,
        &cabinets,
        "INSERT INTO cabinets (tenant_id, cabinet_id, marketplace, status, credential_id, fingerprint, \
           token_kind, \
            seller_id, expires_at, scopes, credential_status, credential_reason, checked_at, \
            interval_seconds, \
            paused, connected_at, updated_at, first_position, position, guard, paused_by_plan) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], \
         $7::text[], \
            $8::text[], $9::timestamptz[], $10::jsonb[], $11::text[], $12::text[], $13::timestamptz[], \
            $14::bigint[], $15::boolean[], $16::timestamptz[], $17::timestamptz[], $18::bigint[], \
            $19::bigint[], $20::jsonb[], $21::boolean[]) \
         ON CONFLICT (tenant_id, cabinet_id) DO UPDATE SET marketplace = EXCLUDED.marketplace, \
            status = EXCLUDED.status, credential_id = EXCLUDED.credential_id, fingerprint = \
            EXCLUDED.fingerprint, \
            token_kind = EXCLUDED.token_kind, seller_id = EXCLUDED.seller_id, expires_at = \
            EXCLUDED.expires_at, \
            scopes = EXCLUDED.scopes, credential_status = EXCLUDED.credential_status, \
            credential_reason = EXCLUDED.credential_reason, checked_at = EXCLUDED.checked_at, \
            interval_seconds = EXCLUDED.interval_seconds, paused = EXCLUDED.paused, \
            connected_at = EXCLUDED.connected_at, updated_at = EXCLUDED.updated_at, \
            first_position = EXCLUDED.first_position, position = EXCLUDED.position, guard = EXCLUDED.guard, \
            paused_by_plan = EXCLUDED.paused_by_plan",
        |((tenant, cabinet_id), cabinet)| *tenant,
        *cabinet_id,
        cabinet.marketplace.as_str(),
        cabinet.status.as_str(),
        cabinet.credential.id,
        cabinet.credential.fingerprint.as_str(),
        cabinet.credential.token_kind.as_str(),
        cabinet.credential.seller_id.as_deref(),
        cabinet.credential.expires_at,
        Json(&cabinet.credential.scopes),
        cabinet.credential.status.as_str(),
        cabinet.credential.reason.as_deref(),
        cabinet.credential.checked_at,
        cabinet.interval_seconds,
        cabinet.paused,
        cabinet.connected_at,
        cabinet.updated_at,
        cabinet.first_position,
        cabinet.position,
        Json(&cabinet.guard),
        cabinet.paused_by_plan,
    );
    Ok(())
}

async fn store_syncs(tx: &Transaction<'_>, rows: &Rows) -> Result<(), Error> {
    let syncs: Vec<_> = rows
        .syncs
        .iter()
        .filter(|(_, row)| row.changed)
        .map(|(key, row)| (key, &row.value))
        .collect();
    write_rows!(
        tx,
        &syncs,
        "INSERT INTO syncs (tenant_id, sync_id, cabinet_id, trigger, forced, status, attempt, requested_at, \
            started_at, finished_at, sources, products_seen, products_changed, error_class, error_detail, \
            retry_at, \
            updated_at, first_position, position, decided_by, decided_at) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::boolean[], $6::text[], \
            $7::bigint[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::jsonb[], \
            $12::bigint[], \
            $13::bigint[], $14::text[], $15::text[], $16::timestamptz[], $17::timestamptz[], $18::bigint[], \
            $19::bigint[], $20::text[], $21::timestamptz[]) \
         ON CONFLICT (tenant_id, sync_id) DO UPDATE SET trigger = EXCLUDED.trigger, forced = \
         EXCLUDED.forced, \
            status = EXCLUDED.status, attempt = EXCLUDED.attempt, requested_at = EXCLUDED.requested_at, \
            started_at = EXCLUDED.started_at, finished_at = EXCLUDED.finished_at, sources = \
            EXCLUDED.sources, \
            products_seen = EXCLUDED.products_seen, products_changed = EXCLUDED.products_changed, \
            error_class = EXCLUDED.error_class, error_detail = EXCLUDED.error_detail, \
            retry_at = EXCLUDED.retry_at, updated_at = EXCLUDED.updated_at, \
            first_position = EXCLUDED.first_position, position = EXCLUDED.position, \
            decided_by = EXCLUDED.decided_by, decided_at = EXCLUDED.decided_at",
        |((tenant, sync_id), sync)| *tenant,
        *sync_id,
        sync.cabinet_id,
        sync.trigger.as_str(),
        sync.forced,
        sync.status.as_str(),
        sync.attempt,
        sync.requested_at,
        sync.started_at,
        sync.finished_at,
        Json(&sync.sources),
        sync.products_seen,
        sync.products_changed,
        sync.error_class.as_deref(),
        sync.error_detail.as_deref(),
        sync.retry_at,
        sync.updated_at,
        sync.first_position,
        sync.position,
        sync.decided_by.as_deref(),
        sync.decided_at,
    );
    Ok(())
}

async fn store_freshness(tx: &Transaction<'_>, rows: &Rows) -> Result<(), Error> {
    let freshness: Vec<_> = rows
        .freshness
        .iter()
        .filter(|(_, row)| row.changed)
        .map(|(key, row)| (key, &row.value))
        .collect();
    write_rows!(
        tx,
        &freshness,
        "INSERT INTO freshness (tenant_id, cabinet_id, sources, position) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[], $4::bigint[]) \
         ON CONFLICT (tenant_id, cabinet_id) DO UPDATE SET sources = EXCLUDED.sources, \
            position = EXCLUDED.position",
        |((tenant, cabinet_id), freshness)| *tenant,
        *cabinet_id,
        Json(&freshness.sources),
        freshness.position,
    );
    Ok(())
}

async fn store_sheets(tx: &Transaction<'_>, rows: &Rows) -> Result<(), Error> {
    let sheets: Vec<(&Uuid, &Sheet)> = rows
        .sheets
        .iter()
        .filter(|(_, row)| row.changed)
        .map(|(key, row)| (key, &row.value))
        .collect();
    write_rows!(
        tx,
        &sheets,
        "INSERT INTO sheets (tenant_id, linked, spreadsheet_id, worksheet, credential_id, language, layout, \
           linked_at, \
            updated_at, position) \
         SELECT * FROM unnest($1::uuid[], $2::boolean[], $3::text[], $4::text[], $5::uuid[], $6::text[], \
            $7::text[], $8::timestamptz[], $9::timestamptz[], $10::bigint[]) \
         ON CONFLICT (tenant_id) DO UPDATE SET linked = EXCLUDED.linked, spreadsheet_id = \
         EXCLUDED.spreadsheet_id, \
            worksheet = EXCLUDED.worksheet, credential_id = EXCLUDED.credential_id, language = \
            EXCLUDED.language, layout = EXCLUDED.layout, linked_at = EXCLUDED.linked_at, \
            updated_at = EXCLUDED.updated_at, position = EXCLUDED.position",
        |(tenant, sheet)| **tenant,
        sheet.linked,
        sheet.spreadsheet_id.as_deref(),
        sheet.worksheet.as_deref(),
        sheet.credential_id,
        sheet.language.as_deref(),
        sheet.layout.as_deref(),
        sheet.linked_at,
        sheet.updated_at,
        sheet.position,
    );
    Ok(())
}
