//! What is held back as implausible stands in the note of the sheet, and leaves it when a person decides.

use events::Event;
use events::StreamType;
use events::catalog::SyncEvent;
use events::ids::SyncId;
use events::sync::{
    Doubt, DoubtState, SourceOutcome, SourceReport, SyncDiscarded, SyncQuarantined, SyncRequested,
    SyncStarted, Trigger,
};

use crate::world::{Seller, World};

impl World {
    async fn sync_events(&self, seller: Seller, events: Vec<SyncEvent>) {
        let events = events.into_iter().map(Event::Sync).collect();
        self.append(seller.tenant, StreamType::Sync, seller.cabinet.uuid(), events)
            .await;
    }
}

#[tokio::test]
async fn a_discard_takes_what_was_held_back_out_of_the_note() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let before = world.grid(&spreadsheet);
    let (sync_id, at) = (SyncId(world.ids.next()), world.clock.now());
    let evidence = "100 units before, 0 now".to_owned();
    let doubt = Doubt {
        state: DoubtState::Held,
        warehouses: Vec::new(),
        warehouse_name: None,
        rule: "all_stock_gone".to_owned(),
        before: 100,
        now: 0,
        since: at,
        contradicted: true,
        evidence: evidence.clone(),
    };
    let report = SourceReport {
        source: "stock_fbo".to_owned(),
        outcome: SourceOutcome::Partial,
        rows: 0,
        left_out: None,
        as_of: Some(at),
        payload_sha256: String::new(),
        payload_bytes: None,
        error: None,
        doubts: vec![doubt],
        covers_since: None,
    };
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
    let quarantined = SyncQuarantined {
        sync_id,
        attempt: 1,
        quarantined_at: at,
        reason: "all_stock_gone".to_owned(),
        evidence,
        sources: vec![report],
    };
    let events = vec![requested.into(), started.into(), quarantined.into()];
    world.sync_events(seller, events).await;
    assert_eq!(world.round().await.batches, 1);
    let discarded = SyncDiscarded {
        sync_id,
        discarded_at: at,
    };
    world.sync_events(seller, vec![discarded.into()]).await;
    assert_eq!(world.round().await.batches, 1, "the note says it no longer");
    assert_eq!(world.round().await.batches, 0);
    assert_eq!(world.grid(&spreadsheet), before);
}
