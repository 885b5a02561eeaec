//! One sync per cabinet at a time, and only the attempt that counts may report.

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::test::TestFramework;
use events::catalog::SyncEvent;
use events::ids::SyncId;
use events::sync::{SyncCompleted, SyncFailed, SyncRequested, SyncStarted, Trigger};
use uuid::Uuid;

use super::{Sync, SyncCommand, SyncRefusal};
use crate::Fact;

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
