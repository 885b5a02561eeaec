//! Turns pages of the log into notices of receivers. Pure: who the receivers are comes from outside.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use events::catalog::TenantEvent;
use events::ids::TenantId;
use events::{Decoded, Event, Recorded};
use notifications::{Channel, NewNotice, Outdated, Page, Plan, Receiver, Run, Snoozed, Unplanned};
use uuid::Uuid;

use crate::matter::{Matter, matter_of, outdated_by};
use crate::when::{due_at, zone_of};

/// Events of a page, decoded where that matters.
pub(crate) struct Read {
    recorded: Recorded,
    event: Option<Event>,
}

impl Read {
    /// An event that cannot be read is nobody's notice: the projector parks its stream and shows why.
    pub(crate) fn of(recorded: Recorded) -> Self {
        // Most of the log is products, which are worth no notice.
        let event = match recorded.stream.as_str() {
            "product" => None,
            _ => match recorded.decode() {
                Ok(Decoded::Known(event)) => Some(event),
                Ok(Decoded::Unknown) => None,
                Err(error) => {
                    tracing::error!(error = ?error, position = recorded.position, "unreadable event");
                    None
                }
            },
        };
        Self { recorded, event }
    }
}

/// Tenants of which receivers have to be known.
pub(crate) fn tenants(page: &[Read]) -> Vec<TenantId> {
    let worth = page.iter().filter(|read| {
        let matter = |event| matter_of(&read.recorded, event);
        read.event.as_ref().and_then(matter).is_some()
    });
    let tenants: HashSet<TenantId> = worth.map(|read| read.recorded.metadata.tenant_id).collect();
    tenants.into_iter().collect()
}

/// What a page means for these receivers; `after` is the position before it.
pub(crate) fn page(
    after: i64,
    read: &[Read],
    receivers: &HashMap<TenantId, Vec<Receiver>>,
    now: DateTime<Utc>,
) -> Page {
    let mut page = Page {
        after,
        last: read.last().map_or(after, |read| read.recorded.position),
        ..Page::default()
    };
    let mut run = Run::default();
    let mut subjects: HashSet<(TenantId, String)> = HashSet::new();
    for Read { recorded, event } in read {
        let Some(event) = event else { continue };
        let tenant = recorded.metadata.tenant_id;
        if matches!(event, Event::Tenant(TenantEvent::TenantTimeZoneChanged(_))) {
            page.other_clock.push(tenant);
        }
        let pointless = outdated_by(recorded, event);
        let matter = matter_of(recorded, event);
        let named = pointless.iter().map(|one| one.subject.clone());
        let named: Vec<_> = named
            .chain(matter.iter().map(|matter| matter.subject.clone()))
            .map(|subject| (tenant, subject))
            .collect();
        let is_wide = pointless.iter().any(|one| one.is_prefix);
        if is_wide || named.iter().any(|subject| subjects.contains(subject)) {
            page.runs.push(std::mem::take(&mut run));
            subjects.clear();
        }
        subjects.extend(named);
        run.outdated.extend(pointless.into_iter().map(|one| Outdated {
            tenant,
            subject: one.subject,
            is_prefix: one.is_prefix,
            kinds: one.kinds,
            before: recorded.position,
        }));
        if let Some(matter) = matter {
            for receiver in receivers.get(&tenant).into_iter().flatten() {
                run.notices.extend(notices(recorded, &matter, receiver, now));
            }
        }
        if is_wide {
            page.runs.push(std::mem::take(&mut run));
            subjects.clear();
        }
    }
    page.runs.push(run);
    page
}

fn notices(recorded: &Recorded, matter: &Matter, receiver: &Receiver, now: DateTime<Utc>) -> Vec<NewNotice> {
    let wanted = Channel::ALL
        .into_iter()
        .filter(|channel| receiver.preferences.wants(*channel, matter.kind, receiver.role));
    let is_snoozed = receiver.snoozes.iter().any(|(what, until)| {
        let is_meant = match what {
            Snoozed::Product(product) => matter.facts.product == Some(*product),
            Snoozed::Kind(kind) => matter.kind == *kind,
        };
        is_meant && *until > now
    });
    let zone = zone_of(receiver.time_zone.as_deref());
    wanted
        .map(|channel| NewNotice {
            id: notice_id(recorded.event_id.uuid(), receiver, channel),
            tenant: receiver.tenant,
            user: receiver.user,
            channel,
            kind: matter.kind,
            subject: matter.subject.clone(),
            product: matter.facts.product,
            position: recorded.position,
            facts: serde_json::to_value(&matter.facts).unwrap_or_default(),
            happened_at: recorded.recorded_at,
            due_at: due_at(now, &receiver.preferences, zone),
            left_out: is_snoozed.then_some("snoozed"),
            ends: matter.ends,
        })
        .collect()
}

/// The same however often the log is read.
fn notice_id(event: Uuid, receiver: &Receiver, channel: Channel) -> Uuid {
    let name = format!("notice:{}:{}", receiver.user, channel.as_str());
    Uuid::new_v5(&event, name.as_bytes())
}

/// What becomes of a member's notices after the choices changed.
pub(crate) fn replanned(receiver: &Receiver, waiting: &[Unplanned]) -> Vec<(Uuid, Plan)> {
    let zone = zone_of(receiver.time_zone.as_deref());
    let plan = |one: &Unplanned| {
        if receiver.preferences.wants(one.channel, one.kind, receiver.role) {
            Plan::Due(due_at(one.created_at, &receiver.preferences, zone))
        } else {
            Plan::LeaveOut
        }
    };
    waiting.iter().map(|one| (one.id, plan(one))).collect()
}
