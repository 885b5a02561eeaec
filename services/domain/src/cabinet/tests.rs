//! A cabinet keeps to one seller, and a refused key pauses it until another one is given.

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::test::TestFramework;
use events::cabinet::{
    CabinetConnected, CabinetDisconnected, CabinetReconnected, CredentialAccepted, CredentialChecked,
    CredentialExpiring, CredentialFacts, CredentialOfferRefused, CredentialOffered, CredentialRejected,
    CredentialRotated, Marketplace, Right, RightStatus, ScheduleChanged, TokenKind, WarehouseExcluded,
    WarehouseIncluded,
};
use events::catalog::CabinetEvent;
use events::ids::CredentialId;
use uuid::Uuid;

use super::{Cabinet, CabinetCommand, CabinetRefusal, CheckOutcome, Findings};
use crate::{Decider as _, Fact};

fn key(n: u128, seller: &str) -> CredentialFacts {
    CredentialFacts {
        credential_id: CredentialId(Uuid::from_u128(n)),
        fingerprint: format!("fingerprint {n}"),
        token_kind: TokenKind::Personal,
        seller_id: Some(seller.into()),
        expires_at: None,
        scopes: vec![],
    }
}

fn connected() -> Fact<CabinetEvent> {
    Fact(
        CabinetConnected {
            marketplace: Marketplace::Wildberries,
            credential: key(1, "a"),
        }
        .into(),
    )
}

fn rejected() -> Fact<CabinetEvent> {
    Fact(
        CredentialRejected {
            credential_id: CredentialId(Uuid::from_u128(1)),
            reason: "unauthorized".into(),
            checked_at: DateTime::<Utc>::UNIX_EPOCH,
        }
        .into(),
    )
}

#[test]
fn another_sellers_key_is_refused() {
    TestFramework::<Cabinet>::with(())
        .given(vec![connected()])
        .when(CabinetCommand::OfferCredential {
            credential: key(2, "b"),
        })
        .then_expect_error(CabinetRefusal::OtherSeller);
}

#[test]
fn the_same_key_again_changes_nothing_unless_it_had_been_rejected() {
    TestFramework::<Cabinet>::with(())
        .given(vec![connected()])
        .when(CabinetCommand::OfferCredential {
            credential: key(1, "a"),
        })
        .then_expect_events(vec![]);
    TestFramework::<Cabinet>::with(())
        .given(vec![connected(), rejected()])
        .when(CabinetCommand::OfferCredential {
            credential: key(1, "a"),
        })
        .then_expect_events(vec![Fact(
            CredentialRotated {
                credential: key(1, "a"),
            }
            .into(),
        )]);
}

#[test]
fn news_of_a_key_that_is_no_longer_in_use_changes_nothing() {
    TestFramework::<Cabinet>::with(())
        .given(vec![
            connected(),
            Fact(
                CredentialRotated {
                    credential: key(2, "a"),
                }
                .into(),
            ),
        ])
        .when(CabinetCommand::RejectCredential {
            credential_id: CredentialId(Uuid::from_u128(1)),
            reason: "expired".into(),
            checked_at: DateTime::<Utc>::UNIX_EPOCH,
        })
        .then_expect_events(vec![]);
}

#[test]
fn a_rejected_key_makes_the_cabinet_unusable_until_it_is_replaced() {
    let mut cabinet = Cabinet::default();
    for event in [connected(), rejected()] {
        cabinet.evolve(&event.0);
    }
    assert!(!cabinet.is_usable());
    cabinet.evolve(
        &CredentialRotated {
            credential: key(3, "a"),
        }
        .into(),
    );
    assert!(cabinet.is_usable());
}

#[test]
fn an_interval_under_five_minutes_is_refused() {
    TestFramework::<Cabinet>::with(())
        .given(vec![connected()])
        .when(CabinetCommand::ChangeSchedule {
            interval_seconds: 299,
            paused: false,
            shortest_seconds: 300,
        })
        .then_expect_error(CabinetRefusal::IntervalOutOfRange);
}

#[test]
fn a_rhythm_shorter_than_the_plan_allows_is_refused_by_its_bound_and_resting_is_always_allowed() {
    let change = |interval_seconds, paused| CabinetCommand::ChangeSchedule {
        interval_seconds,
        paused,
        shortest_seconds: 7200,
    };
    TestFramework::<Cabinet>::with(())
        .given(vec![connected()])
        .when(change(7199, false))
        .then_expect_error(CabinetRefusal::IntervalBelowPlan {
            shortest_seconds: 7200,
        });
    let chosen_under_a_better_plan = ScheduleChanged {
        interval_seconds: 600,
        paused: false,
    };
    TestFramework::<Cabinet>::with(())
        .given(vec![connected(), Fact(chosen_under_a_better_plan.into())])
        .when(change(600, true))
        .then_expect_events(vec![Fact(
            ScheduleChanged {
                interval_seconds: 600,
                paused: true,
            }
            .into(),
        )]);
}

const NOW: DateTime<Utc> = DateTime::<Utc>::UNIX_EPOCH;

fn id(n: u128) -> CredentialId {
    CredentialId(Uuid::from_u128(n))
}

fn offered() -> Fact<CabinetEvent> {
    Fact(
        CredentialOffered {
            credential: key(2, "a"),
        }
        .into(),
    )
}

fn findings(statuses: [RightStatus; 3]) -> Findings {
    let rights = ["content", "analytics", "marketplace"]
        .into_iter()
        .zip(statuses)
        .map(|(category, status)| Right {
            category: category.into(),
            needed: category != "marketplace",
            status,
        });
    Findings {
        seller_id: Some("a".into()),
        expires_at: None,
        read_only: Some(true),
        rights: rights.collect(),
    }
}

fn record(n: u128, outcome: CheckOutcome) -> CabinetCommand {
    CabinetCommand::RecordCheck {
        credential_id: id(n),
        outcome,
        checked_at: NOW,
    }
}

fn checked(n: u128, findings: Findings) -> Fact<CabinetEvent> {
    Fact(
        CredentialChecked {
            credential_id: id(n),
            seller_id: findings.seller_id,
            expires_at: findings.expires_at,
            read_only: findings.read_only,
            rights: findings.rights,
            checked_at: NOW,
        }
        .into(),
    )
}

fn accepted(n: u128) -> Fact<CabinetEvent> {
    Fact(
        CredentialAccepted {
            credential_id: id(n),
            checked_at: NOW,
        }
        .into(),
    )
}

#[test]
fn a_new_key_is_offered_and_takes_the_place_of_the_old_one_when_it_was_tried() {
    use RightStatus::Open;
    TestFramework::<Cabinet>::with(())
        .given(vec![connected()])
        .when(CabinetCommand::OfferCredential {
            credential: key(2, "a"),
        })
        .then_expect_events(vec![offered()]);
    let good = findings([Open, Open, Open]);
    TestFramework::<Cabinet>::with(())
        .given(vec![connected(), offered()])
        .when(record(2, CheckOutcome::Answered(good.clone())))
        .then_expect_events(vec![
            Fact(
                CredentialRotated {
                    credential: key(2, "a"),
                }
                .into(),
            ),
            checked(2, good),
            accepted(2),
        ]);
}

#[test]
fn a_new_key_that_is_refused_or_opens_less_leaves_the_old_one_in_use() {
    use RightStatus::{Forbidden, Open};
    let other_seller = Findings {
        seller_id: Some("b".into()),
        ..findings([Open, Open, Open])
    };
    for (outcome, reason) in [
        (CheckOutcome::Refused("unauthorized".into()), "unauthorized"),
        (
            CheckOutcome::Answered(findings([Open, Forbidden, Open])),
            "missing_rights",
        ),
        (
            CheckOutcome::Answered(findings([Forbidden, Forbidden, Open])),
            "forbidden",
        ),
        (CheckOutcome::Answered(other_seller), "other_seller"),
    ] {
        let refused = Fact(
            CredentialOfferRefused {
                credential_id: id(2),
                reason: reason.into(),
                checked_at: NOW,
            }
            .into(),
        );
        TestFramework::<Cabinet>::with(())
            .given(vec![connected(), offered()])
            .when(record(2, outcome))
            .then_expect_events(vec![refused.clone()]);
        let mut cabinet = Cabinet::default();
        for event in [connected(), offered(), refused] {
            cabinet.evolve(&event.0);
        }
        assert!(cabinet.is_usable() && cabinet.uses(id(1)) && cabinet.offered.is_none());
    }
}

#[test]
fn a_right_that_the_old_key_lacks_too_is_no_reason_to_keep_it() {
    use RightStatus::{Forbidden, Open};
    let narrow = findings([Open, Forbidden, Open]);
    TestFramework::<Cabinet>::with(())
        .given(vec![connected(), checked(1, narrow.clone()), offered()])
        .when(record(2, CheckOutcome::Answered(narrow.clone())))
        .then_expect_events(vec![
            Fact(
                CredentialRotated {
                    credential: key(2, "a"),
                }
                .into(),
            ),
            checked(2, narrow),
            accepted(2),
        ]);
}

#[test]
fn a_closed_category_is_told_and_only_a_key_that_opens_nothing_is_rejected() {
    use RightStatus::{NotInCredential, Open, PaymentRequired};
    let one_open = findings([Open, PaymentRequired, NotInCredential]);
    TestFramework::<Cabinet>::with(())
        .given(vec![connected()])
        .when(record(1, CheckOutcome::Answered(one_open.clone())))
        .then_expect_events(vec![checked(1, one_open), accepted(1)]);
    let none_open = findings([NotInCredential, PaymentRequired, Open]);
    TestFramework::<Cabinet>::with(())
        .given(vec![connected(), accepted(1)])
        .when(record(1, CheckOutcome::Answered(none_open.clone())))
        .then_expect_events(vec![
            checked(1, none_open),
            Fact(
                CredentialRejected {
                    credential_id: id(1),
                    reason: "payment_required".into(),
                    checked_at: NOW,
                }
                .into(),
            ),
        ]);
}

#[test]
fn a_trial_that_succeeds_wakes_a_rejected_cabinet() {
    let good = findings([RightStatus::Open; 3]);
    TestFramework::<Cabinet>::with(())
        .given(vec![connected(), accepted(1), rejected()])
        .when(record(1, CheckOutcome::Answered(good.clone())))
        .then_expect_events(vec![checked(1, good), accepted(1)]);
}

#[test]
fn silence_is_no_refusal() {
    let silent = findings([RightStatus::NoAnswer; 3]);
    TestFramework::<Cabinet>::with(())
        .given(vec![connected(), accepted(1)])
        .when(record(1, CheckOutcome::Answered(silent.clone())))
        .then_expect_events(vec![checked(1, silent)]);
}

/// A cabinet whose key ends in so many hours, and what was announced.
fn ending(hours: i64, announced: &[u32]) -> Vec<Fact<CabinetEvent>> {
    let expires_at = NOW + TimeDelta::hours(hours);
    let mut facts = vec![Fact(
        CabinetConnected {
            marketplace: Marketplace::Wildberries,
            credential: CredentialFacts {
                expires_at: Some(expires_at),
                ..key(1, "a")
            },
        }
        .into(),
    )];
    facts.extend(announced.iter().map(|days| expiring(hours, *days)));
    facts
}

fn expiring(hours: i64, days_left: u32) -> Fact<CabinetEvent> {
    Fact(
        CredentialExpiring {
            credential_id: id(1),
            days_left,
            expires_at: NOW + TimeDelta::hours(hours),
        }
        .into(),
    )
}

#[test]
fn the_end_of_a_key_is_announced_at_14_3_and_1_days_each_once() {
    for (hours, announced, expected) in [
        (14 * 24 + 1, &[][..], None),
        (14 * 24, &[], Some(14)),
        (13 * 24, &[14], None),
        (3 * 24, &[14], Some(3)),
        (2 * 24, &[14, 3], None),
        (24, &[14, 3], Some(1)),
        (1, &[14, 3, 1], None),
    ] {
        TestFramework::<Cabinet>::with(())
            .given(ending(hours, announced))
            .when(CabinetCommand::WatchExpiry { at: NOW })
            .then_expect_events(expected.into_iter().map(|days| expiring(hours, days)).collect());
    }
}

#[test]
fn after_a_long_silence_only_the_most_urgent_reminder_is_sent() {
    TestFramework::<Cabinet>::with(())
        .given(ending(20, &[]))
        .when(CabinetCommand::WatchExpiry { at: NOW })
        .then_expect_events(vec![expiring(20, 1)]);
}

#[test]
fn a_key_that_ended_is_rejected_once_and_a_new_one_is_announced_anew() {
    let ended = Fact(
        CredentialRejected {
            credential_id: id(1),
            reason: "expired".into(),
            checked_at: NOW,
        }
        .into(),
    );
    TestFramework::<Cabinet>::with(())
        .given(ending(-1, &[14, 3, 1]))
        .when(CabinetCommand::WatchExpiry { at: NOW })
        .then_expect_events(vec![ended.clone()]);
    let mut given = ending(-1, &[14, 3, 1]);
    given.push(ended);
    TestFramework::<Cabinet>::with(())
        .given(given.clone())
        .when(CabinetCommand::WatchExpiry { at: NOW })
        .then_expect_events(vec![]);
    let fresh = CredentialFacts {
        credential_id: id(3),
        expires_at: Some(NOW + TimeDelta::days(10)),
        ..key(3, "a")
    };
    given.push(Fact(CredentialRotated { credential: fresh }.into()));
    TestFramework::<Cabinet>::with(())
        .given(given)
        .when(CabinetCommand::WatchExpiry { at: NOW })
        .then_expect_events(vec![Fact(
            CredentialExpiring {
                credential_id: id(3),
                days_left: 14,
                expires_at: NOW + TimeDelta::days(10),
            }
            .into(),
        )]);
}

fn taken_away() -> Fact<CabinetEvent> {
    Fact(CabinetDisconnected {}.into())
}

#[test]
fn a_cabinet_that_was_taken_away_goes_on_with_a_new_key_of_the_same_account() {
    let connect = CabinetCommand::Connect {
        marketplace: Marketplace::Wildberries,
        credential: key(2, "a"),
    };
    let reconnected = Fact(
        CabinetReconnected {
            credential: key(2, "a"),
        }
        .into(),
    );
    let resting = ScheduleChanged {
        interval_seconds: 600,
        paused: true,
    };
    let before = vec![
        connected(),
        Fact(resting.into()),
        offered(),
        rejected(),
        taken_away(),
    ];
    TestFramework::<Cabinet>::with(())
        .given(before.clone())
        .when(connect.clone())
        .then_expect_events(vec![reconnected.clone()]);
    let mut cabinet = Cabinet::default();
    for event in before.into_iter().chain([reconnected.clone()]) {
        cabinet.evolve(&event.0);
    }
    assert!(cabinet.is_usable() && cabinet.uses(id(2)));
    assert_eq!(
        (cabinet.offered, cabinet.interval_seconds, cabinet.paused),
        (None, Some(600), false)
    );
    TestFramework::<Cabinet>::with(())
        .given(vec![connected(), taken_away(), reconnected])
        .when(connect)
        .then_expect_error(CabinetRefusal::AlreadyConnected);
}

#[test]
fn another_account_or_another_marketplace_does_not_go_on_with_a_cabinet() {
    let nameless = CredentialFacts {
        seller_id: None,
        ..key(2, "a")
    };
    for (marketplace, credential) in [
        (Marketplace::Wildberries, key(2, "b")),
        (Marketplace::Ozon, key(2, "a")),
        (Marketplace::Wildberries, nameless),
    ] {
        TestFramework::<Cabinet>::with(())
            .given(vec![connected(), taken_away()])
            .when(CabinetCommand::Connect {
                marketplace,
                credential,
            })
            .then_expect_error(CabinetRefusal::OtherSeller);
    }
}

fn excluded(warehouse: &str, reason: &str) -> Fact<CabinetEvent> {
    let (warehouse, reason) = (warehouse.to_owned(), reason.to_owned());
    Fact(WarehouseExcluded { warehouse, reason }.into())
}

fn included(warehouse: &str) -> Fact<CabinetEvent> {
    let warehouse = warehouse.to_owned();
    Fact(WarehouseIncluded { warehouse }.into())
}

fn exclude(warehouse: &str, reason: &str) -> CabinetCommand {
    CabinetCommand::ExcludeWarehouse {
        warehouse: warehouse.to_owned(),
        reason: reason.to_owned(),
    }
}

fn include(keys: &[&str]) -> CabinetCommand {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    CabinetCommand::IncludeWarehouse { keys }
}

#[test]
fn a_warehouse_is_left_out_with_a_reason_and_the_same_reason_again_changes_nothing() {
    let given = |history| TestFramework::<Cabinet>::with(()).given(history);
    given(vec![connected()])
        .when(exclude("fbo:507", " stuck "))
        .then_expect_events(vec![excluded("fbo:507", "stuck")]);
    given(vec![connected(), excluded("fbo:507", "stuck")])
        .when(exclude("fbo:507", "stuck"))
        .then_expect_events(vec![]);
    given(vec![connected(), excluded("fbo:507", "stuck")])
        .when(exclude("fbo:507", "closed"))
        .then_expect_events(vec![excluded("fbo:507", "closed")]);
    for reason in [String::new(), "  ".to_owned(), "я".repeat(201)] {
        given(vec![connected()])
            .when(exclude("fbo:507", &reason))
            .then_expect_error(CabinetRefusal::Reason);
    }
    given(vec![connected()])
        .when(exclude("fbo:507", &"я".repeat(200)))
        .then_expect_events(vec![excluded("fbo:507", &"я".repeat(200))]);
    given(vec![])
        .when(exclude("fbo:507", "stuck"))
        .then_expect_error(CabinetRefusal::NotConnected);
}

#[test]
fn a_warehouse_counts_again_under_every_key_that_was_left_out() {
    let given = |history| TestFramework::<Cabinet>::with(()).given(history);
    let both = || {
        vec![
            connected(),
            excluded("fbo:507", "stuck"),
            excluded("fbo:name:A", "stuck"),
        ]
    };
    given(both())
        .when(include(&["fbo:name:A", "fbo:507", "fbo:507", "fbo:1"]))
        .then_expect_events(vec![included("fbo:507"), included("fbo:name:A")]);
    let mut counted = both();
    counted.push(included("fbo:507"));
    given(counted)
        .when(include(&["fbo:507"]))
        .then_expect_events(vec![]);
}

#[test]
fn what_is_left_out_stays_so_when_a_cabinet_is_disconnected_and_connected_again() {
    let away = Fact(CabinetDisconnected {}.into());
    let back = Fact(
        CabinetReconnected {
            credential: key(2, "a"),
        }
        .into(),
    );
    TestFramework::<Cabinet>::with(())
        .given(vec![connected(), excluded("fbo:507", "stuck"), away, back])
        .when(exclude("fbo:507", "stuck"))
        .then_expect_events(vec![]);
}

mod plan;
