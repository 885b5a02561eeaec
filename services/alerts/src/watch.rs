//! The pure part: the log folded into what is known of every cabinet, and judged at the end of each sync. It
//! holds the cabinets that were worked on lately; the others are in the database and are asked for by name.
//!
//! How an alert stands is taken from what was judged, not from the alert events in the log: those come
//! behind the event that caused them, at a place that depends on who else was appending. So the same log
//! always leads to the same judgements. Only up to [`Watch::quiet_until`] it is the other way round: what
//! was judged there by another version of this program stays as it is, and its events say how the alerts
//! stand.

mod cabinet;
mod judge;
mod product;
mod warehouses;

use std::collections::{BTreeSet, HashMap, HashSet};

use application::Context;
use application::domain::Decider as _;
use application::domain::alert::Alert;
use application::domain::alert_rules::AlertRules;
use application::raise_alerts::Raise;
use chrono::{DateTime, Utc};
use events::alert::AlertCause;
use events::catalog::{AlertEvent, CabinetEvent, ProductEvent, SyncEvent, TenantEvent};
use events::ids::{CabinetId, CommandId, SyncId, TenantId};
use events::{Decoded, Event, Recorded, StreamType};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use cabinet::Cabinet;
use judge::Trigger;

/// Version of what is folded and of how it is judged: raise it whenever another state or another alert
/// follows from the same events. Everything is folded anew then, and what was judged before stays.
pub const FOLD_VERSION: i32 = 1;

/// What is known of a tenant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tenant {
    /// Position of the last event that was taken in.
    pub(crate) position: i64,
    rules: AlertRules,
    cabinets: BTreeSet<CabinetId>,
}

/// What an event tells the policy.
#[derive(Debug)]
pub(crate) enum Told {
    /// Nothing that matters here.
    Nothing,
    /// Something that this program should be able to read and cannot.
    Unreadable,
    /// A fact.
    Fact(Box<Event>),
}

/// An event that was looked into.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) event: Recorded,
    pub(crate) told: Told,
}

/// What has to be in memory before a page is taken in.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    pub(crate) tenants: HashSet<TenantId>,
    pub(crate) cabinets: HashSet<(TenantId, CabinetId)>,
    /// Products whose cabinet is not known.
    pub(crate) products: HashSet<Uuid>,
}

/// The cabinets in memory.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    quiet_until: i64,
    tenants: HashMap<TenantId, Tenant>,
    cabinets: HashMap<CabinetId, Cabinet>,
    of_product: HashMap<Uuid, CabinetId>,
    changed: Changed,
}

/// What is newer than in the database.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    pub(crate) tenants: HashSet<TenantId>,
    pub(crate) cabinets: HashSet<CabinetId>,
    /// Tenants of which nothing is kept any more.
    pub(crate) erased: HashSet<TenantId>,
}

impl Read {
    /// Looks into an event. Most kinds are passed over by their names.
    pub(crate) fn of(mut event: Recorded) -> Self {
        let told = if concerns(&event) {
            match event.decode() {
                Ok(Decoded::Known(fact)) => Told::Fact(Box::new(fact)),
                Ok(Decoded::Unknown) => Told::Nothing,
                Err(error) => {
                    tracing::error!(error = ?error, position = event.position, "unreadable event");
                    Told::Unreadable
                }
            }
        } else {
            Told::Nothing
        };
        event.payload = String::new();
        Self { event, told }
    }
}

impl Read {
    /// Whether it changes a tenant's rules.
    pub(crate) fn is_rule(&self) -> bool {
        matches!(&self.told, Told::Fact(fact) if matches!(**fact, Event::AlertRule(_)))
    }
}

fn concerns(event: &Recorded) -> bool {
    match event.stream_type() {
        Some(StreamType::Product | StreamType::AlertRule | StreamType::Alert) => true,
        Some(StreamType::Cabinet) => matches!(
            event.event_type.as_str(),
            "cabinet_connected"
                | "cabinet_disconnected"
                | "cabinet_reconnected"
                | "warehouse_excluded"
                | "warehouse_included"
        ),
        Some(StreamType::Sync) => matches!(event.event_type.as_str(), "sync_completed" | "sync_quarantined"),
        Some(StreamType::Tenant) => event.event_type == "tenant_erased",
        _ => false,
    }
}

impl Watch {
    /// Nothing in memory; up to this position another version has judged.
    pub(crate) fn new(quiet_until: i64) -> Self {
        Self {
            quiet_until,
            ..Self::default()
        }
    }

    /// What a page needs that is not in memory. Rules concern all cabinets of their tenant: those are asked
    /// for once the tenant is there, so a page is asked about until it needs nothing.
    pub(crate) fn needs(&self, page: &[Read]) -> Needs {
        let mut needs = Needs::default();
        for Read { event, told } in page {
            let tenant = event.metadata.tenant_id;
            match told {
                Told::Nothing => {}
                Told::Unreadable if event.stream == StreamType::Product.as_str() => {
                    self.need_product(&mut needs, tenant, event.stream_id);
                }
                Told::Unreadable => {}
                Told::Fact(fact) => match &**fact {
                    Event::Product(ProductEvent::ProductListed(listed)) => {
                        self.need_cabinet(&mut needs, tenant, listed.cabinet_id);
                    }
                    Event::Alert(fact) if fact.caused_at() > self.quiet_until => {}
                    Event::Product(_) | Event::Alert(_) => {
                        self.need_product(&mut needs, tenant, event.stream_id);
                    }
                    Event::Cabinet(_) | Event::Sync(_) => {
                        self.need_cabinet(&mut needs, tenant, CabinetId(event.stream_id));
                    }
                    Event::AlertRule(_) => self.need_tenant(&mut needs, tenant),
                    _ => {}
                },
            }
        }
        // What the page itself lists needs nobody's answer.
        for Read { told, event } in page {
            if let Told::Fact(fact) = told
                && matches!(&**fact, Event::Product(ProductEvent::ProductListed(_)))
            {
                needs.products.remove(&event.stream_id);
            }
        }
        needs
    }

    fn need_product(&self, needs: &mut Needs, tenant: TenantId, product: Uuid) {
        match self.of_product.get(&product) {
            Some(cabinet) => self.need_cabinet(needs, tenant, *cabinet),
            None => {
                needs.products.insert(product);
            }
        }
    }

    fn need_cabinet(&self, needs: &mut Needs, tenant: TenantId, cabinet: CabinetId) {
        self.need_tenant(needs, tenant);
        if !self.cabinets.contains_key(&cabinet) {
            needs.cabinets.insert((tenant, cabinet));
        }
    }

    fn need_tenant(&self, needs: &mut Needs, tenant: TenantId) {
        if !self.tenants.contains_key(&tenant) {
            needs.tenants.insert(tenant);
        }
    }

    /// The cabinets of a tenant that are not in memory.
    pub(crate) fn absent_of(&self, tenant: TenantId) -> Vec<(TenantId, CabinetId)> {
        let known = self
            .tenants
            .get(&tenant)
            .into_iter()
            .flat_map(|known| &known.cabinets);
        let absent = known.filter(|cabinet| !self.cabinets.contains_key(cabinet));
        absent.map(|cabinet| (tenant, *cabinet)).collect()
    }

    /// Puts a tenant into memory, as it was kept or new.
    pub(crate) fn put_tenant(&mut self, id: TenantId, tenant: Tenant) {
        self.tenants.entry(id).or_insert(tenant);
    }

    /// Puts a cabinet into memory, as it was kept.
    pub(crate) fn put_cabinet(&mut self, cabinet: Cabinet) {
        for product in cabinet.product_ids() {
            self.of_product.insert(product, cabinet.id);
        }
        self.cabinets.entry(cabinet.id).or_insert(cabinet);
    }

    /// Remembers which cabinet a product is of.
    pub(crate) fn put_product(&mut self, product: Uuid, cabinet: CabinetId) {
        self.of_product.entry(product).or_insert(cabinet);
    }

    /// The cabinet of an event of a sync or a product, if it is in memory.
    pub(crate) fn cabinet_of(&self, read: &Read) -> Option<CabinetId> {
        match read.event.stream_type()? {
            StreamType::Cabinet | StreamType::Sync => Some(CabinetId(read.event.stream_id)),
            StreamType::Product => self.of_product.get(&read.event.stream_id).copied(),
            _ => None,
        }
    }

    /// Takes an event in and judges where it makes a judgement due.
    pub(crate) fn take(&mut self, read: &Read) -> Vec<(Context, Raise)> {
        let event = &read.event;
        let raises = match &read.told {
            Told::Nothing => Vec::new(),
            Told::Unreadable => {
                if let Some(cabinet) = self.cabinet_of(read)
                    && event.stream == StreamType::Product.as_str()
                {
                    self.change(cabinet, event, |cabinet| cabinet.is_broken(event.stream_id));
                }
                Vec::new()
            }
            Told::Fact(fact) => self.fact(event, fact),
        };
        let context = |raise| (circumstances(event), raise);
        raises.into_iter().map(context).collect()
    }

    fn fact(&mut self, event: &Recorded, fact: &Event) -> Vec<Raise> {
        match fact {
            Event::Product(fact) => {
                if let ProductEvent::ProductListed(listed) = fact {
                    self.of_product.insert(event.stream_id, listed.cabinet_id);
                }
                if let Some(cabinet) = self.of_product.get(&event.stream_id).copied() {
                    self.change(cabinet, event, |cabinet| cabinet.product(event, fact));
                }
                Vec::new()
            }
            Event::Cabinet(fact) => self.cabinet(event, fact),
            Event::Sync(fact) => self.sync(event, fact),
            Event::AlertRule(fact) => {
                let tenant = event.metadata.tenant_id;
                let known = self.tenants.entry(tenant).or_default();
                if event.position <= known.position {
                    return Vec::new();
                }
                known.position = event.position;
                known.rules.evolve(fact);
                self.changed.tenants.insert(tenant);
                let cabinets: Vec<CabinetId> = known.cabinets.iter().copied().collect();
                let judge = |cabinet| self.judge(cabinet, event, AlertCause::Rule, event.recorded_at, None);
                cabinets.into_iter().flat_map(judge).collect()
            }
            Event::Alert(fact) => {
                self.alert(event, fact);
                Vec::new()
            }
            Event::Tenant(TenantEvent::TenantErased(_)) => {
                self.forget(event.metadata.tenant_id);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn cabinet(&mut self, event: &Recorded, fact: &CabinetEvent) -> Vec<Raise> {
        let (tenant, id) = (event.metadata.tenant_id, CabinetId(event.stream_id));
        match fact {
            CabinetEvent::CabinetConnected(_) => {
                let known = self.tenants.entry(tenant).or_default();
                if known.cabinets.insert(id) {
                    self.changed.tenants.insert(tenant);
                }
                self.cabinets
                    .entry(id)
                    .or_insert_with(|| Cabinet::new(tenant, id));
                self.change(id, event, |_| ());
                Vec::new()
            }
            CabinetEvent::CabinetDisconnected(_) => {
                let trigger = trigger(event, AlertCause::Sync, event.recorded_at, None);
                let quietly = event.position <= self.quiet_until;
                let closed = self.change(id, event, |cabinet| {
                    cabinet.cabinet(fact);
                    cabinet.close_all(trigger, quietly)
                });
                closed.unwrap_or_default()
            }
            CabinetEvent::WarehouseExcluded(_) | CabinetEvent::WarehouseIncluded(_) => {
                let done = self.change(id, event, |cabinet| cabinet.cabinet(fact));
                if done.is_none() {
                    return Vec::new();
                }
                self.judge_now(id, event, AlertCause::Warehouses, event.recorded_at, None)
            }
            _ => {
                self.change(id, event, |cabinet| cabinet.cabinet(fact));
                Vec::new()
            }
        }
    }

    fn sync(&mut self, event: &Recorded, fact: &SyncEvent) -> Vec<Raise> {
        let id = CabinetId(event.stream_id);
        if self.change(id, event, |cabinet| cabinet.sync(fact)).is_none() {
            return Vec::new();
        }
        match fact {
            SyncEvent::SyncCompleted(done) => {
                let (at, sync) = (done.completed_at, Some(done.sync_id));
                self.judge_now(id, event, AlertCause::Sync, at, sync)
            }
            _ => Vec::new(),
        }
    }

    fn alert(&mut self, event: &Recorded, fact: &AlertEvent) {
        if fact.caused_at() > self.quiet_until {
            return;
        }
        if let Some(cabinet) = self.of_product.get(&event.stream_id).copied() {
            self.change(cabinet, event, |cabinet| cabinet.alert(event.stream_id, fact));
        }
    }

    /// Changes a cabinet, unless it has taken the event in before or is not known.
    fn change<T>(
        &mut self,
        id: CabinetId,
        event: &Recorded,
        change: impl FnOnce(&mut Cabinet) -> T,
    ) -> Option<T> {
        let cabinet = self.cabinets.get_mut(&id)?;
        if event.position <= cabinet.position {
            return None;
        }
        cabinet.position = event.position;
        self.changed.cabinets.insert(id);
        Some(change(cabinet))
    }

    /// Judges a cabinet that has not taken the event in yet.
    fn judge(
        &mut self,
        id: CabinetId,
        event: &Recorded,
        cause: AlertCause,
        at: DateTime<Utc>,
        sync: Option<SyncId>,
    ) -> Vec<Raise> {
        if self.change(id, event, |_| ()).is_none() {
            return Vec::new();
        }
        self.judge_now(id, event, cause, at, sync)
    }

    fn judge_now(
        &mut self,
        id: CabinetId,
        event: &Recorded,
        cause: AlertCause,
        at: DateTime<Utc>,
        sync: Option<SyncId>,
    ) -> Vec<Raise> {
        let quietly = event.position <= self.quiet_until;
        let rules = self.tenants.entry(event.metadata.tenant_id).or_default();
        let Some(cabinet) = self.cabinets.get_mut(&id) else {
            return Vec::new();
        };
        cabinet.judge(&rules.rules, trigger(event, cause, at, sync), quietly)
    }

    /// A product's alerts as the log has them.
    pub(crate) fn adopt(&mut self, product: Uuid, alert: Alert, version: i64) {
        let cabinet = self.of_product.get(&product).copied();
        if let Some(cabinet) = cabinet.and_then(|id| self.cabinets.get_mut(&id)) {
            cabinet.adopt(product, alert, version);
        }
    }

    fn forget(&mut self, tenant: TenantId) {
        self.tenants.remove(&tenant);
        self.cabinets.retain(|_, cabinet| cabinet.tenant != tenant);
        let cabinets = &self.cabinets;
        self.of_product
            .retain(|_, cabinet| cabinets.contains_key(cabinet));
        self.changed.tenants.remove(&tenant);
        self.changed.cabinets.retain(|id| cabinets.contains_key(id));
        self.changed.erased.insert(tenant);
    }

    /// What is newer than in the database.
    pub(crate) const fn changed(&self) -> &Changed {
        &self.changed
    }

    /// The database has everything now.
    pub(crate) fn is_kept(&mut self) {
        self.changed = Changed::default();
    }

    /// A tenant in memory.
    pub(crate) fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(&id)
    }

    /// A cabinet in memory, and whose it is.
    pub(crate) fn get(&self, id: CabinetId) -> Option<(TenantId, &Cabinet)> {
        let cabinet = self.cabinets.get(&id)?;
        Some((cabinet.tenant, cabinet))
    }

    /// Products in memory.
    pub(crate) fn products(&self) -> usize {
        self.cabinets.values().map(Cabinet::size).sum()
    }

    /// Drops the cabinets whose last event is the oldest, until at most so many products are left. Call it
    /// when everything is kept.
    pub(crate) fn shrink_to(&mut self, most: usize) {
        let mut left = self.products();
        if left > most {
            let mut by_age: Vec<(i64, CabinetId, usize)> = (self.cabinets.values())
                .map(|cabinet| (cabinet.position, cabinet.id, cabinet.size()))
                .collect();
            by_age.sort_unstable();
            for (_, id, products) in by_age {
                if left <= most {
                    break;
                }
                left -= products;
                self.cabinets.remove(&id);
            }
            let used: HashSet<TenantId> = self.cabinets.values().map(|cabinet| cabinet.tenant).collect();
            self.tenants.retain(|id, _| used.contains(id));
        }
        // Also those that belong to no cabinet in memory.
        let cabinets = &self.cabinets;
        self.of_product
            .retain(|_, cabinet| cabinets.contains_key(cabinet));
    }
}

const fn trigger(event: &Recorded, cause: AlertCause, at: DateTime<Utc>, sync_id: Option<SyncId>) -> Trigger {
    Trigger {
        position: event.position,
        at,
        cause,
        sync_id,
    }
}

/// The circumstances of what follows from an event.
fn circumstances(event: &Recorded) -> Context {
    Context {
        tenant_id: event.metadata.tenant_id,
        actor: "system".to_owned(),
        command_id: CommandId(event.event_id.uuid()),
        correlation_id: event.metadata.correlation_id,
        causation_id: Some(event.event_id.uuid()),
        traceparent: event.metadata.traceparent.clone(),
        now: event.recorded_at,
    }
}

#[cfg(test)]
#[expect(
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and so do its helpers"
)]
mod tests;
