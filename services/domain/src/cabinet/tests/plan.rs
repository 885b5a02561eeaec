//! A cabinet rests and goes on with its tenant's plan, whatever a person wants.

use cqrs_es::test::TestFramework;
use events::cabinet::{CabinetPaused, CabinetResumed, PauseReason, ScheduleChanged};
use events::catalog::CabinetEvent;

use super::connected;
use crate::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};
use crate::{Decider as _, Fact};

fn by_plan(paused: bool) -> Fact<CabinetEvent> {
    let reason = PauseReason::Plan;
    Fact(if paused {
        CabinetPaused { reason }.into()
    } else {
        CabinetResumed { reason }.into()
    })
}

#[test]
fn a_cabinet_follows_the_plan_and_says_nothing_where_it_does_already() {
    let follow = |allowed| CabinetCommand::FollowPlan { allowed };
    let cases = [
        (vec![connected()], false, vec![by_plan(true)]),
        (vec![connected()], true, vec![]),
        (vec![connected(), by_plan(true)], false, vec![]),
        (vec![connected(), by_plan(true)], true, vec![by_plan(false)]),
    ];
    for (given, allowed, expected) in cases {
        TestFramework::<Cabinet>::with(())
            .given(given)
            .when(follow(allowed))
            .then_expect_events(expected);
    }
    TestFramework::<Cabinet>::with(())
        .given(vec![])
        .when(follow(false))
        .then_expect_error(CabinetRefusal::NotConnected);
}

#[test]
fn a_persons_pause_and_the_plans_do_not_touch_each_other() {
    let pause = |paused| {
        Fact(
            ScheduleChanged {
                interval_seconds: 1800,
                paused,
            }
            .into(),
        )
    };
    let after = |events: &[Fact<CabinetEvent>]| {
        let mut cabinet = Cabinet::default();
        for event in events {
            cabinet.evolve(&event.0);
        }
        (cabinet.paused, cabinet.paused_by_plan)
    };
    assert_eq!(
        after(&[connected(), pause(true), by_plan(true), by_plan(false)]),
        (true, false)
    );
    assert_eq!(
        after(&[connected(), by_plan(true), pause(true), pause(false)]),
        (false, true)
    );
}
