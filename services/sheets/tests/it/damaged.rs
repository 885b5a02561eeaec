//! What a damaged marketplace leaves in the log: sources that are missing, came in part or are held back,
//! cards without their texts, warehouses with strange names; and a seller who leaves warehouses out because
//! of it.

use events::cabinet::{WarehouseExcluded, WarehouseIncluded};
use events::catalog::{CabinetEvent, SyncEvent};
use events::ids::SyncId;
use events::sync::{
    Doubt, DoubtState, SourceOutcome, SourceReport, SyncCompleted, SyncDiscarded, SyncFailed,
    SyncQuarantined, SyncRequested, SyncStarted, Trigger,
};
use events::{Event, StreamType};
use proptest::prelude::*;

use crate::world::{Seller, World, key};

const SOURCES: [&str; 5] = ["cards", "stock_fbo", "stock_fbs", "orders", "prices"];
/// Names that mean something to a spreadsheet, to a page or to nobody.
const STRANGE: [&str; 4] = ["=Склад+1", "Склад \"7\"; DROP", "<b>Склад</b>\u{200b}", "'Склад"];

/// What happens.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    /// A sync ends, and so do its sources: one that is none is missing.
    Sync {
        outcomes: Vec<Option<SourceOutcome>>,
        failed: bool,
    },
    /// A part of what a sync saw is held back, and a person decides against it or has not decided yet.
    Held { discarded: bool, warehouse: bool },
    /// The card of an article comes without its texts.
    Blank(u8),
    /// Units lie in a warehouse with a strange name.
    Strange { article: u8, name: usize, units: u8 },
    /// The seller leaves the n-th warehouse out of the totals, or counts it again.
    LeftOut { place: usize, reason: Option<u8> },
}

pub(crate) fn damage() -> impl Strategy<Value = Damage> {
    let outcome = prop::sample::select(vec![
        None,
        Some(SourceOutcome::Complete),
        Some(SourceOutcome::Partial),
        Some(SourceOutcome::Failed),
        Some(SourceOutcome::Cached),
    ]);
    let (article, reason) = (0_u8..5, prop::option::of(0_u8..3));
    prop_oneof![
        2 => (prop::collection::vec(outcome, 5), any::<bool>())
            .prop_map(|(outcomes, failed)| Damage::Sync { outcomes, failed }),
        2 => any::<(bool, bool)>().prop_map(|(discarded, warehouse)| Damage::Held { discarded, warehouse }),
        1 => article.clone().prop_map(Damage::Blank),
        2 => (article, 0..STRANGE.len(), 0_u8..9)
            .prop_map(|(article, name, units)| Damage::Strange { article, name, units }),
        2 => (0_usize..4, reason).prop_map(|(place, reason)| Damage::LeftOut { place, reason }),
    ]
}

fn report(source: &str, outcome: SourceOutcome, world: &World) -> SourceReport {
    let lacks = outcome != SourceOutcome::Complete;
    SourceReport {
        source: source.to_owned(),
        outcome,
        rows: 2,
        left_out: (outcome == SourceOutcome::Partial).then_some(1),
        as_of: (!lacks).then(|| world.clock.now()),
        payload_sha256: String::new(),
        payload_bytes: None,
        error: lacks.then(|| "1 row could not be read and was left out".to_owned()),
        doubts: Vec::new(),
        covers_since: None,
    }
}

impl World {
    /// Lets it happen. Articles that are not listed are passed over.
    pub(crate) async fn strike(
        &self,
        seller: Seller,
        warehouses: &[&str],
        nm_id: impl Fn(u8) -> Option<i64>,
        damage: &Damage,
    ) {
        match damage {
            Damage::Sync { outcomes, failed } => self.sync_ends(seller, outcomes, *failed).await,
            Damage::Held { discarded, warehouse } => {
                let warehouses = if *warehouse { warehouses } else { &[] };
                self.held_back(seller, warehouses.first().copied(), *discarded)
                    .await;
            }
            Damage::Blank(article) => {
                if let Some(nm_id) = nm_id(*article) {
                    self.rename(seller, nm_id, "", "").await;
                }
            }
            Damage::Strange { article, name, units } => {
                if let Some(nm_id) = nm_id(*article) {
                    let levels = [(STRANGE[*name], i64::from(*units))];
                    self.stock(seller, nm_id, &levels, None).await;
                }
            }
            Damage::LeftOut { place, reason } => {
                let warehouse = key(warehouses[*place]);
                let event: CabinetEvent = match reason {
                    Some(reason) => {
                        let reason = format!("=причина {reason}");
                        WarehouseExcluded { warehouse, reason }.into()
                    }
                    None => WarehouseIncluded { warehouse }.into(),
                };
                let events = vec![Event::Cabinet(event)];
                self.append(seller.tenant, StreamType::Cabinet, seller.cabinet.uuid(), events)
                    .await;
            }
        }
    }

    async fn sync_ends(&self, seller: Seller, outcomes: &[Option<SourceOutcome>], failed: bool) {
        let (sync_id, at) = (SyncId(self.ids.next()), self.clock.now());
        let told = SOURCES.iter().zip(outcomes);
        let sources: Vec<SourceReport> = told
            .filter_map(|(source, outcome)| Some(report(source, (*outcome)?, self)))
            .collect();
        let end: SyncEvent = if failed {
            SyncFailed {
                sync_id,
                attempt: 1,
                failed_at: at,
                class: "unavailable".to_owned(),
                detail: String::new(),
                retry_at: None,
                sources,
            }
            .into()
        } else {
            SyncCompleted {
                sync_id,
                attempt: 1,
                completed_at: at,
                sources,
                products_seen: 1,
                products_changed: 0,
            }
            .into()
        };
        self.told_of_sync(seller, sync_id, vec![end]).await;
    }

    async fn held_back(&self, seller: Seller, warehouse: Option<&str>, discarded: bool) {
        let (sync_id, at) = (SyncId(self.ids.next()), self.clock.now());
        let doubt = Doubt {
            state: DoubtState::Held,
            warehouses: warehouse.map(key).into_iter().collect(),
            warehouse_name: warehouse.map(str::to_owned),
            rule: "warehouse_empty".to_owned(),
            before: 100,
            now: 0,
            since: at,
            contradicted: discarded,
            evidence: String::new(),
        };
        let held = SourceReport {
            doubts: vec![doubt],
            ..report("stock_fbo", SourceOutcome::Complete, self)
        };
        let quarantined = SyncQuarantined {
            sync_id,
            attempt: 1,
            quarantined_at: at,
            reason: "warehouse_empty".to_owned(),
            evidence: String::new(),
            sources: vec![held],
        };
        let mut ends: Vec<SyncEvent> = vec![quarantined.into()];
        if discarded {
            let discarded_at = at;
            ends.push(
                SyncDiscarded {
                    sync_id,
                    discarded_at,
                }
                .into(),
            );
        }
        self.told_of_sync(seller, sync_id, ends).await;
    }

    async fn told_of_sync(&self, seller: Seller, sync_id: SyncId, ends: Vec<SyncEvent>) {
        let at = self.clock.now();
        let requested = SyncRequested {
            sync_id,
            trigger: Trigger::Manual,
            forced: false,
            requested_at: at,
        };
        let started = SyncStarted {
            sync_id,
            attempt: 1,
            started_at: at,
        };
        let begin: [SyncEvent; 2] = [requested.into(), started.into()];
        let events = begin.into_iter().chain(ends).map(Event::Sync).collect();
        self.append(seller.tenant, StreamType::Sync, seller.cabinet.uuid(), events)
            .await;
    }
}
