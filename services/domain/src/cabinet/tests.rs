//! A cabinet keeps to one seller, and a refused key pauses it until another one is given.

use chrono::{DateTime, Utc};
use cqrs_es::test::TestFramework;
use events::cabinet::{
    CabinetConnected, CredentialFacts, CredentialRejected, CredentialRotated, Marketplace, TokenKind,
};
use events::catalog::CabinetEvent;
use events::ids::CredentialId;
use uuid::Uuid;

use super::{Cabinet, CabinetCommand, CabinetRefusal};
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
        .when(CabinetCommand::RotateCredential {
            credential: key(2, "b"),
        })
        .then_expect_error(CabinetRefusal::OtherSeller);
}

#[test]
fn the_same_key_again_changes_nothing_unless_it_had_been_rejected() {
    TestFramework::<Cabinet>::with(())
        .given(vec![connected()])
        .when(CabinetCommand::RotateCredential {
            credential: key(1, "a"),
        })
        .then_expect_events(vec![]);
    TestFramework::<Cabinet>::with(())
        .given(vec![connected(), rejected()])
        .when(CabinetCommand::RotateCredential {
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
        })
        .then_expect_error(CabinetRefusal::IntervalOutOfRange);
}
