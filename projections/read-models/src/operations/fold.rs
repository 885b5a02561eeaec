//! The pure part: one event onto the rows. A row is looked for before anything is changed, so that an event
//! that makes no sense leaves no trace.

use events::cabinet::CredentialFacts;
use events::catalog::{CabinetEvent, SheetEvent, SyncEvent, TenantEvent};
use events::ids::SyncId;
use events::tenant::Role;
use events::{Event, Recorded};
use uuid::Uuid;

use super::guard::Guard;
use super::queries::SyncStatus;
use super::rows::{Cabinet, Credential, Member, Row, Rows, Sheet, SyncRow, Tenant};
use super::{alerts, freshness};
use crate::projection::{Rejected, name_of};

/// Folds an event that is read whole.
pub(super) fn whole(rows: &mut Rows, event: &Recorded, fact: &Event) -> Result<(), Rejected> {
    match fact {
        Event::Tenant(fact) => tenant(rows, event, fact),
        Event::Cabinet(fact) => cabinet(rows, event, fact),
        Event::Sync(fact) => {
            // Only this can be refused, so it comes first: an event that is parked leaves no trace.
            sync(rows, event, fact)?;
            freshness::fold(rows, event, fact);
            Ok(())
        }
        Event::Sheet(fact) => {
            sheet(rows, event, fact);
            Ok(())
        }
        Event::Alert(fact) => alerts::fold(rows, event, fact),
        Event::User(_)
        | Event::Product(_)
        | Event::Subscription(_)
        | Event::AlertRule(_)
        | Event::WebhookEndpoint(_) => Ok(()),
    }
}

/// Counts an observation for the sync that recorded it.
pub(super) fn recorded(rows: &mut Rows, event: &Recorded, sync: SyncId) {
    let progress = rows.progress.entry((tenant_of(event), sync.uuid())).or_default();
    progress.recorded += 1;
    progress.position = progress.position.max(event.position);
}

fn tenant_of(event: &Recorded) -> Uuid {
    event.metadata.tenant_id.uuid()
}

fn tenant(rows: &mut Rows, event: &Recorded, fact: &TenantEvent) -> Result<(), Rejected> {
    let id = tenant_of(event);
    if let TenantEvent::TenantRegistered(registered) = fact {
        let tenant = Tenant {
            owner_id: registered.owner.uuid(),
            language: registered.language.clone(),
            time_zone: registered.time_zone.clone(),
            status: "active".to_owned(),
            reason: None,
            registered_at: event.recorded_at,
            updated_at: event.recorded_at,
            position: event.position,
        };
        rows.tenants.insert(id, Row::written(tenant));
        put_member(rows, event, registered.owner.uuid(), Role::Owner);
        return Ok(());
    }
    let Some(row) = rows.tenants.get_mut(&id) else {
        return Err(Rejected("the tenant was never registered".to_owned()));
    };
    let tenant = row.change();
    tenant.updated_at = event.recorded_at;
    tenant.position = event.position;
    match fact {
        TenantEvent::TenantRegistered(_) | TenantEvent::TenantRenamed(_) => {}
        TenantEvent::TenantSuspended(suspended) => {
            tenant.status = "suspended".to_owned();
            tenant.reason = Some(suspended.reason.clone());
        }
        TenantEvent::TenantReactivated(_) => {
            tenant.status = "active".to_owned();
            tenant.reason = None;
        }
        TenantEvent::TenantTimeZoneChanged(changed) => tenant.time_zone.clone_from(&changed.time_zone),
        TenantEvent::TenantErased(_) => tenant.status = "erased".to_owned(),
        TenantEvent::MemberAdded(added) => put_member(rows, event, added.user_id.uuid(), added.role),
        TenantEvent::MemberRoleChanged(changed) => {
            put_member(rows, event, changed.user_id.uuid(), changed.role);
        }
        TenantEvent::MemberRemoved(removed) => {
            rows.members
                .insert((id, removed.user_id.uuid()), Row::written(None));
        }
    }
    Ok(())
}

fn put_member(rows: &mut Rows, event: &Recorded, user: Uuid, role: Role) {
    let row = rows
        .members
        .entry((tenant_of(event), user))
        .or_insert_with(|| Row::found(None));
    let added_at = row
        .value
        .as_ref()
        .map_or(event.recorded_at, |member| member.added_at);
    *row.change() = Some(Member {
        role: name_of(&role),
        added_at,
        position: event.position,
    });
}

fn cabinet(rows: &mut Rows, event: &Recorded, fact: &CabinetEvent) -> Result<(), Rejected> {
    // What is left out of its totals is told with its warehouses: a cabinet that somebody is about to change
    // is still the same.
    if matches!(
        fact,
        CabinetEvent::WarehouseExcluded(_) | CabinetEvent::WarehouseIncluded(_)
    ) {
        return Ok(());
    }
    let key = (tenant_of(event), event.stream_id);
    if let CabinetEvent::CabinetConnected(connected) = fact {
        let before = rows.cabinets.get(&key).map(|row| &row.value);
        let cabinet = Cabinet {
            marketplace: connected.marketplace.as_str().to_owned(),
            status: "connected".to_owned(),
            credential: credential(&connected.credential),
            guard: Guard::default(),
            interval_seconds: before.and_then(|cabinet| cabinet.interval_seconds),
            paused: before.is_some_and(|cabinet| cabinet.paused),
            paused_by_plan: false,
            connected_at: event.recorded_at,
            updated_at: event.recorded_at,
            first_position: before.map_or(event.position, |cabinet| cabinet.first_position),
            position: event.position,
        };
        rows.cabinets.insert(key, Row::written(cabinet));
        return Ok(());
    }
    let Some(row) = rows.cabinets.get_mut(&key) else {
        return Err(Rejected("the cabinet was never connected".to_owned()));
    };
    let cabinet = row.change();
    cabinet.updated_at = event.recorded_at;
    cabinet.position = event.position;
    match fact {
        CabinetEvent::CabinetConnected(_)
        | CabinetEvent::WarehouseExcluded(_)
        | CabinetEvent::WarehouseIncluded(_) => {}
        CabinetEvent::CredentialRotated(rotated) => {
            cabinet.credential = credential(&rotated.credential);
            cabinet.guard = Guard::default();
        }
        CabinetEvent::CabinetReconnected(reconnected) => {
            cabinet.status = "connected".to_owned();
            cabinet.credential = credential(&reconnected.credential);
            cabinet.guard = Guard::default();
            cabinet.paused = false;
            cabinet.paused_by_plan = false;
            cabinet.connected_at = event.recorded_at;
        }
        CabinetEvent::CredentialChecked(checked) => {
            let known = &mut cabinet.credential;
            if known.id == checked.credential_id.uuid() {
                known.expires_at = checked.expires_at.or(known.expires_at);
                known.seller_id = known.seller_id.take().or_else(|| checked.seller_id.clone());
                known.checked_at = Some(checked.checked_at);
                cabinet.guard.checked(checked);
            }
        }
        CabinetEvent::CredentialOffered(offered) => cabinet.guard.offered(offered),
        CabinetEvent::CredentialOfferRefused(refused) => cabinet.guard.offer_refused(refused),
        CabinetEvent::CredentialExpiring(expiring) => {
            cabinet.guard.announced_days = Some(expiring.days_left);
        }
        // The verdict on a key that was replaced meanwhile says nothing of the present one.
        CabinetEvent::CredentialAccepted(accepted) => {
            if cabinet.credential.id == accepted.credential_id.uuid() {
                cabinet.credential.status = "accepted".to_owned();
                cabinet.credential.reason = None;
                cabinet.credential.checked_at = Some(accepted.checked_at);
            }
        }
        CabinetEvent::CredentialRejected(rejected) => {
            if cabinet.credential.id == rejected.credential_id.uuid() {
                cabinet.credential.status = "rejected".to_owned();
                cabinet.credential.reason = Some(rejected.reason.clone());
                cabinet.credential.checked_at = Some(rejected.checked_at);
            }
        }
        CabinetEvent::ScheduleChanged(changed) => {
            cabinet.interval_seconds = Some(i64::from(changed.interval_seconds));
            cabinet.paused = changed.paused;
        }
        CabinetEvent::CabinetPaused(_) => cabinet.paused_by_plan = true,
        CabinetEvent::CabinetResumed(_) => cabinet.paused_by_plan = false,
        CabinetEvent::CabinetDisconnected(_) => cabinet.status = "disconnected".to_owned(),
    }
    Ok(())
}

fn credential(facts: &CredentialFacts) -> Credential {
    Credential {
        id: facts.credential_id.uuid(),
        fingerprint: facts.fingerprint.clone(),
        token_kind: name_of(&facts.token_kind),
        seller_id: facts.seller_id.clone(),
        expires_at: facts.expires_at,
        scopes: facts.scopes.clone(),
        status: "unchecked".to_owned(),
        reason: None,
        checked_at: None,
    }
}

fn sync(rows: &mut Rows, event: &Recorded, fact: &SyncEvent) -> Result<(), Rejected> {
    let tenant = tenant_of(event);
    let sync_id = sync_id_of(fact).uuid();
    if matches!(fact, SyncEvent::SourceDegraded(_) | SyncEvent::SourceRecovered(_)) {
        return Ok(()); // news of a source, not of the sync
    }
    if let SyncEvent::SyncRequested(requested) = fact {
        let sync = SyncRow {
            cabinet_id: event.stream_id,
            trigger: name_of(&requested.trigger),
            forced: requested.forced,
            status: SyncStatus::Pending.as_str().to_owned(),
            attempt: 0,
            requested_at: requested.requested_at,
            started_at: None,
            finished_at: None,
            sources: Vec::new(),
            products_seen: None,
            products_changed: None,
            error_class: None,
            error_detail: None,
            retry_at: None,
            decided_by: None,
            decided_at: None,
            updated_at: event.recorded_at,
            first_position: event.position,
            position: event.position,
        };
        rows.syncs.insert((tenant, sync_id), Row::written(sync));
        return Ok(());
    }
    let Some(row) = rows.syncs.get_mut(&(tenant, sync_id)) else {
        return Err(Rejected(format!("sync {sync_id} was never requested")));
    };
    advance(row.change(), event, fact);
    Ok(())
}

pub(super) const fn sync_id_of(fact: &SyncEvent) -> SyncId {
    match fact {
        SyncEvent::SyncRequested(requested) => requested.sync_id,
        SyncEvent::SyncStarted(started) => started.sync_id,
        SyncEvent::SyncCompleted(completed) => completed.sync_id,
        SyncEvent::SyncFailed(failed) => failed.sync_id,
        SyncEvent::SyncQuarantined(quarantined) => quarantined.sync_id,
        SyncEvent::SyncReleased(released) => released.sync_id,
        SyncEvent::SyncDiscarded(discarded) => discarded.sync_id,
        SyncEvent::SourceDegraded(degraded) => degraded.sync_id,
        SyncEvent::SourceRecovered(recovered) => recovered.sync_id,
    }
}

fn advance(sync: &mut SyncRow, event: &Recorded, fact: &SyncEvent) {
    let saturated = |count: u64| Some(i64::try_from(count).unwrap_or(i64::MAX));
    let status = match fact {
        SyncEvent::SyncRequested(_) => SyncStatus::Pending,
        SyncEvent::SyncStarted(started) => {
            sync.attempt = i64::from(started.attempt);
            sync.started_at = Some(started.started_at);
            sync.finished_at = None;
            sync.sources.clear();
            sync.error_class = None;
            sync.error_detail = None;
            sync.retry_at = None;
            SyncStatus::Running
        }
        SyncEvent::SyncCompleted(completed) => {
            sync.attempt = i64::from(completed.attempt);
            sync.finished_at = Some(completed.completed_at);
            sync.sources.clone_from(&completed.sources);
            sync.products_seen = saturated(completed.products_seen);
            sync.products_changed = saturated(completed.products_changed);
            sync.error_class = None;
            sync.error_detail = None;
            sync.retry_at = None;
            SyncStatus::Succeeded
        }
        SyncEvent::SyncFailed(failed) => {
            sync.attempt = i64::from(failed.attempt);
            sync.sources.clone_from(&failed.sources);
            sync.error_class = Some(failed.class.clone());
            sync.error_detail = Some(failed.detail.clone());
            sync.retry_at = failed.retry_at;
            if failed.retry_at.is_some() {
                sync.finished_at = None;
                SyncStatus::WaitingRetry
            } else {
                sync.finished_at = Some(failed.failed_at);
                SyncStatus::Failed
            }
        }
        SyncEvent::SyncQuarantined(quarantined) => {
            sync.attempt = i64::from(quarantined.attempt);
            sync.finished_at = Some(quarantined.quarantined_at);
            sync.error_class = Some("quarantined".to_owned());
            sync.error_detail = Some(format!("{}: {}", quarantined.reason, quarantined.evidence));
            sync.retry_at = None;
            sync.sources.clone_from(&quarantined.sources);
            SyncStatus::Quarantined
        }
        SyncEvent::SyncReleased(released) => {
            sync.finished_at = None;
            sync.decided_by = Some(event.metadata.actor.clone());
            sync.decided_at = Some(released.released_at);
            SyncStatus::Pending
        }
        SyncEvent::SyncDiscarded(discarded) => {
            sync.decided_by = Some(event.metadata.actor.clone());
            sync.decided_at = Some(discarded.discarded_at);
            SyncStatus::Discarded
        }
        SyncEvent::SourceDegraded(_) | SyncEvent::SourceRecovered(_) => return,
    };
    sync.status = status.as_str().to_owned();
    sync.updated_at = event.recorded_at;
    sync.position = event.position;
}

fn sheet(rows: &mut Rows, event: &Recorded, fact: &SheetEvent) {
    let row = rows.sheets.entry(tenant_of(event)).or_insert_with(|| {
        Row::written(Sheet {
            linked: false,
            spreadsheet_id: None,
            worksheet: None,
            credential_id: None,
            language: None,
            layout: None,
            linked_at: None,
            updated_at: event.recorded_at,
            position: event.position,
        })
    });
    let sheet = row.change();
    match fact {
        SheetEvent::SheetLinked(linked) => {
            sheet.linked = true;
            sheet.spreadsheet_id = Some(linked.spreadsheet_id.clone());
            sheet.worksheet = Some(linked.worksheet.clone());
            sheet.credential_id = linked.credential_id.map(events::ids::CredentialId::uuid);
            sheet.linked_at = Some(event.recorded_at);
        }
        SheetEvent::SheetUnlinked(_) => sheet.linked = false,
        SheetEvent::SheetLayoutChanged(changed) => {
            sheet.language = Some(changed.language.clone());
            sheet.layout = serde_json::to_string(changed).ok();
        }
        // What hinders the writing is shown as it is now, from where it is written.
        SheetEvent::SheetBlocked(_) | SheetEvent::SheetUnblocked(_) => return,
    }
    sheet.updated_at = event.recorded_at;
    sheet.position = event.position;
}
