//! One sync per cabinet at a time, and only the attempt that counts may report.

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::test::TestFramework;
use events::catalog::SyncEvent;
use events::ids::SyncId;
use events::sync::{
    Doubt, DoubtState, SourceDegraded, SourceOutcome, SourceRecovered, SourceReport, SyncCompleted,
    SyncDiscarded, SyncFailed, SyncQuarantined, SyncReleased, SyncRequested, SyncStarted, Trigger,
};
use uuid::Uuid;

use super::{Sync, SyncCommand, SyncRefusal};
use crate::{Decider as _, Fact};

const FIRST: SyncId = SyncId(Uuid::from_u128(1));
const SECOND: SyncId = SyncId(Uuid::from_u128(2));
const AT: DateTime<Utc> = DateTime::<Utc>::UNIX_EPOCH;

fn requested(sync_id: SyncId) -> Fact<SyncEvent> {
    Fact(
        SyncRequested {
            sync_id,
            trigger: Trigger::Manual,
            forced: false,
            requested_at: AT,
        }
        .into(),
    )
}

fn started(attempt: u32) -> Fact<SyncEvent> {
    Fact(
        SyncStarted {
            sync_id: FIRST,
            attempt,
            started_at: AT,
        }
        .into(),
    )
}

fn completed(sync_id: SyncId, attempt: u32) -> SyncCompleted {
    SyncCompleted {
        sync_id,
        attempt,
        completed_at: AT,
        sources: vec![],
        products_seen: 0,
        products_changed: 0,
    }
}

fn failed(attempt: u32, retry: bool) -> SyncFailed {
    SyncFailed {
        sync_id: FIRST,
        attempt,
        failed_at: AT,
        class: "timeout".into(),
        detail: "no answer".into(),
        retry_at: retry.then(|| AT + TimeDelta::seconds(30)),
        sources: vec![],
    }
}

fn request(sync_id: SyncId) -> SyncCommand {
    SyncCommand::Request {
        sync_id,
        trigger: Trigger::Manual,
        forced: false,
        at: AT,
    }
}

#[test]
fn a_second_request_while_one_waits_changes_nothing() {
    TestFramework::<Sync>::with(())
        .given(vec![requested(FIRST)])
        .when(request(SECOND))
        .then_expect_events(vec![]);
}

#[test]
fn after_the_end_of_one_the_next_may_begin() {
    for end in [
        Fact(SyncEvent::from(completed(FIRST, 1))),
        Fact(SyncEvent::from(failed(1, false))),
    ] {
        TestFramework::<Sync>::with(())
            .given(vec![requested(FIRST), started(1), end])
            .when(request(SECOND))
            .then_expect_events(vec![requested(SECOND)]);
    }
}

#[test]
fn a_failure_that_will_be_retried_keeps_the_sync_outstanding() {
    TestFramework::<Sync>::with(())
        .given(vec![requested(FIRST), started(1), Fact(failed(1, true).into())])
        .when(request(SECOND))
        .then_expect_events(vec![]);
}

#[test]
fn every_taking_up_counts_as_an_attempt() {
    TestFramework::<Sync>::with(())
        .given(vec![requested(FIRST), started(1)])
        .when(SyncCommand::Start {
            sync_id: FIRST,
            at: AT,
        })
        .then_expect_events(vec![started(2)]);
}

#[test]
fn a_worker_that_was_superseded_cannot_report() {
    TestFramework::<Sync>::with(())
        .given(vec![requested(FIRST), started(1), started(2)])
        .when(SyncCommand::Complete(completed(FIRST, 1)))
        .then_expect_error(SyncRefusal::Superseded { current: 2 });
    TestFramework::<Sync>::with(())
        .given(vec![
            requested(FIRST),
            started(1),
            Fact(completed(FIRST, 1).into()),
        ])
        .when(SyncCommand::Fail(failed(1, true)))
        .then_expect_error(SyncRefusal::NotOutstanding);
}

#[test]
fn being_put_back_for_a_limit_is_no_failure_and_a_lost_worker_is_one() {
    let of = |class: &str, attempt| SyncFailed {
        class: class.into(),
        ..failed(attempt, true)
    };
    let failures = |events: Vec<Fact<SyncEvent>>| {
        let mut sync = Sync::default();
        for event in events {
            sync.evolve(&event.0);
        }
        sync.outstanding.unwrap().failures
    };
    let put_back = |attempt| Fact(of("rate_limited", attempt).into());
    assert_eq!(
        failures(vec![
            requested(FIRST),
            started(1),
            put_back(1),
            started(2),
            put_back(2)
        ]),
        0
    );
    assert_eq!(
        failures(vec![
            requested(FIRST),
            started(1),
            Fact(of("timeout", 1).into()),
            started(2)
        ]),
        1
    );
    assert_eq!(
        failures(vec![requested(FIRST), started(1), started(2)]),
        1,
        "the first one never spoke"
    );
    assert_eq!(
        failures(vec![requested(FIRST), started(1), put_back(1), started(2)]),
        0
    );
}

fn quarantined() -> Fact<SyncEvent> {
    Fact(
        SyncQuarantined {
            sync_id: FIRST,
            attempt: 1,
            quarantined_at: AT,
            reason: "all_stock_gone".into(),
            evidence: "100 units before, 0 now".into(),
            sources: vec![],
        }
        .into(),
    )
}

fn released() -> Fact<SyncEvent> {
    Fact(
        SyncReleased {
            sync_id: FIRST,
            released_at: AT,
        }
        .into(),
    )
}

fn release(sync_id: SyncId) -> SyncCommand {
    SyncCommand::Release { sync_id, at: AT }
}

#[test]
fn what_is_held_back_can_be_released_and_is_then_recorded_by_a_worker() {
    TestFramework::<Sync>::with(())
        .given(vec![requested(FIRST), started(1), quarantined()])
        .when(release(FIRST))
        .then_expect_events(vec![released()]);
    TestFramework::<Sync>::with(())
        .given(vec![requested(FIRST), started(1), quarantined(), released()])
        .when(SyncCommand::Start {
            sync_id: FIRST,
            at: AT,
        })
        .then_expect_events(vec![started(2)]);
    TestFramework::<Sync>::with(())
        .given(vec![
            requested(FIRST),
            started(1),
            quarantined(),
            released(),
            started(2),
        ])
        .when(SyncCommand::Complete(completed(FIRST, 2)))
        .then_expect_events(vec![Fact(completed(FIRST, 2).into())]);
}

#[test]
fn what_was_discarded_released_or_overtaken_cannot_be_released() {
    let discarded = Fact(
        SyncDiscarded {
            sync_id: FIRST,
            discarded_at: AT,
        }
        .into(),
    );
    let held = [requested(FIRST), started(1), quarantined()];
    let later = [
        vec![discarded],
        vec![released(), started(2), Fact(completed(FIRST, 2).into())],
        vec![requested(SECOND), started(1), Fact(read(SECOND).into())],
    ];
    for later in later {
        TestFramework::<Sync>::with(())
            .given([held.to_vec(), later].concat())
            .when(release(FIRST))
            .then_expect_error(SyncRefusal::NotHeld);
    }
    TestFramework::<Sync>::with(())
        .given([held.to_vec(), vec![requested(SECOND)]].concat())
        .when(release(FIRST))
        .then_expect_error(SyncRefusal::Busy);
}

/// A completed sync that read a source.
fn read(sync_id: SyncId) -> SyncCompleted {
    SyncCompleted {
        sources: vec![report(SourceOutcome::Complete)],
        ..completed(sync_id, 1)
    }
}

/// A quarantined sync of which only this source is held; of orders it read everything.
fn holding(sync_id: SyncId, source: &str) -> Fact<SyncEvent> {
    let doubt = Doubt {
        state: DoubtState::Held,
        warehouses: vec![],
        warehouse_name: None,
        rule: "all_stock_gone".into(),
        before: 100,
        now: 0,
        since: AT,
        contradicted: false,
        evidence: "100 units before, 0 now".into(),
    };
    let held = SourceReport {
        source: source.into(),
        doubts: vec![doubt],
        ..report(SourceOutcome::Partial)
    };
    Fact(
        SyncQuarantined {
            sync_id,
            attempt: 1,
            quarantined_at: AT,
            reason: "all_stock_gone".into(),
            evidence: "100 units before, 0 now".into(),
            sources: vec![held, report(SourceOutcome::Complete)],
        }
        .into(),
    )
}

#[test]
fn what_is_held_of_a_source_stays_until_that_source_is_read_completely() {
    let read_source = |source: &str| SyncCompleted {
        sources: vec![SourceReport {
            source: source.into(),
            ..report(SourceOutcome::Complete)
        }],
        ..completed(SECOND, 1)
    };
    for (later, stays) in [
        (read_source("stock_fbo"), false),
        (read_source("stock_fbs"), true),
        (read_source("orders"), true),
    ] {
        let mut sync = Sync::default();
        for event in [
            requested(FIRST),
            started(1),
            holding(FIRST, "stock_fbo"),
            requested(SECOND),
        ] {
            sync.evolve(&event.0);
        }
        sync.evolve(&later.into());
        assert_eq!(sync.decide(release(FIRST)).is_ok(), stays);
    }
}

#[test]
fn two_syncs_can_hold_different_sources_and_of_one_source_the_newest_answer_is_held() {
    let mut sync = Sync::default();
    for event in [
        requested(FIRST),
        started(1),
        holding(FIRST, "stock_fbo"),
        requested(SECOND),
        holding(SECOND, "stock_fbs"),
    ] {
        sync.evolve(&event.0);
    }
    assert!(sync.decide(release(FIRST)).is_ok() && sync.decide(release(SECOND)).is_ok());
    sync.evolve(&requested(SECOND).0);
    sync.evolve(&holding(SECOND, "stock_fbo").0);
    assert_eq!(sync.decide(release(FIRST)), Err(SyncRefusal::NotHeld));
}

#[test]
fn a_released_result_that_is_not_there_any_more_is_held_no_longer() {
    let mut sync = Sync::default();
    let gone = SyncFailed {
        class: super::HELD_NO_LONGER.into(),
        ..failed(2, false)
    };
    for event in [
        requested(FIRST),
        started(1),
        quarantined(),
        released(),
        started(2),
        Fact(gone.into()),
    ] {
        sync.evolve(&event.0);
    }
    assert_eq!((sync.outstanding.is_none(), sync.held.is_empty()), (true, true));
}

#[test]
fn a_sync_that_read_nothing_leaves_what_is_held_back() {
    let cached = SyncCompleted {
        sources: vec![report(SourceOutcome::Cached), report(SourceOutcome::Failed)],
        ..completed(SECOND, 1)
    };
    TestFramework::<Sync>::with(())
        .given(vec![
            requested(FIRST),
            started(1),
            quarantined(),
            requested(SECOND),
            started(1),
            Fact(cached.into()),
        ])
        .when(release(FIRST))
        .then_expect_events(vec![released()]);
}

#[test]
fn a_release_that_could_not_be_recorded_leaves_the_result_held() {
    let mut sync = Sync::default();
    for event in [
        requested(FIRST),
        started(1),
        quarantined(),
        released(),
        started(2),
        Fact(failed(2, false).into()),
    ] {
        sync.evolve(&event.0);
    }
    assert_eq!(sync.outstanding, None);
    assert!(sync.decide(release(FIRST)).is_ok());
}

fn report(outcome: SourceOutcome) -> SourceReport {
    SourceReport {
        source: "orders".into(),
        outcome,
        rows: 0,
        as_of: None,
        payload_sha256: String::new(),
        left_out: None,
        payload_bytes: None,
        error: (outcome == SourceOutcome::Failed).then(|| "unavailable: 503".into()),
        doubts: Vec::new(),
        covers_since: None,
    }
}

/// The facts of one sync whose one source came out like this.
fn synced(outcome: SourceOutcome) -> Vec<Fact<SyncEvent>> {
    vec![requested(FIRST), started(1), Fact(told(outcome).into())]
}

fn told(outcome: SourceOutcome) -> SyncCompleted {
    SyncCompleted {
        sources: vec![report(outcome)],
        ..completed(FIRST, 1)
    }
}

fn degraded() -> Fact<SyncEvent> {
    Fact(
        SourceDegraded {
            sync_id: FIRST,
            source: "orders".into(),
            failures: 3,
            failing_since: AT,
            worked_at: AT,
            error: Some("unavailable: 503".into()),
        }
        .into(),
    )
}

#[test]
fn a_source_that_worked_and_fails_three_times_in_a_row_has_degraded_and_is_told_once() {
    use SourceOutcome::{Cached, Complete, Failed};
    for (before, news) in [
        (vec![Failed, Failed], false),
        (vec![Complete, Failed], false),
        (vec![Complete, Failed, Complete, Failed], false),
        (vec![Complete, Failed, Cached, Failed], true),
        (vec![Complete, Failed, Failed], true),
    ] {
        let mut given: Vec<_> = before.iter().flat_map(|outcome| synced(*outcome)).collect();
        given.extend([requested(FIRST), started(1)]);
        let mut expected = vec![Fact(told(Failed).into())];
        expected.extend(news.then(degraded));
        TestFramework::<Sync>::with(())
            .given(given)
            .when(SyncCommand::Complete(told(Failed)))
            .then_expect_events(expected);
    }
}

#[test]
fn a_degraded_source_is_not_told_again_and_recovers_with_its_first_complete_answer() {
    use SourceOutcome::{Complete, Failed};
    let mut given: Vec<_> = [Complete, Failed, Failed, Failed]
        .iter()
        .flat_map(|outcome| synced(*outcome))
        .collect();
    given.extend([degraded(), requested(FIRST), started(1)]);
    TestFramework::<Sync>::with(())
        .given(given.clone())
        .when(SyncCommand::Complete(told(Failed)))
        .then_expect_events(vec![Fact(told(Failed).into())]);
    let recovered = SourceRecovered {
        sync_id: FIRST,
        source: "orders".into(),
        failing_since: AT,
        recovered_at: AT,
    };
    TestFramework::<Sync>::with(())
        .given(given)
        .when(SyncCommand::Complete(told(Complete)))
        .then_expect_events(vec![Fact(told(Complete).into()), Fact(recovered.into())]);
}
