//! Watching over a cabinet's key: what a trial of it means, when a new one takes the place of the old, and
//! when its end is announced.

use chrono::{DateTime, TimeDelta, Utc};
use events::cabinet::{
    CredentialAccepted, CredentialChecked, CredentialExpiring, CredentialFacts, CredentialOfferRefused,
    CredentialRejected, CredentialRotated, Right, RightStatus,
};
use events::catalog::CabinetEvent;
use events::ids::CredentialId;

use super::Cabinet;

/// Days before its end at which a key's end is announced, the most urgent last.
pub const REMINDERS: [u32; 3] = [14, 3, 1];

/// What a trial of a key brought out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// The marketplace's own id of the seller account.
    pub seller_id: Option<String>,
    /// When the key ends, where that is told.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether the key can only read, where that is known.
    pub read_only: Option<bool>,
    /// One entry per category, in a fixed order.
    pub rights: Vec<Right>,
}

/// How a trial of a key ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckOutcome {
    /// The marketplace knows the account; what it may do stands category by category.
    Answered(Findings),
    /// The marketplace does not take the key at all: `unauthorized`, `forbidden`, `payment_required`.
    Refused(String),
}

impl Findings {
    /// The reason, when nothing that is needed is open.
    fn opens_nothing(&self) -> Option<&'static str> {
        let needed = || self.rights.iter().filter(|right| right.needed);
        if needed().next().is_none() || needed().any(|right| !right.status.is_refused()) {
            return None;
        }
        let any = |status| needed().any(|right| right.status == status);
        Some(if any(RightStatus::PaymentRequired) {
            "payment_required"
        } else if any(RightStatus::Unauthorized) {
            "unauthorized"
        } else {
            "forbidden"
        })
    }
}

impl Cabinet {
    /// News of a key that is neither in use nor offered changes nothing.
    pub(super) fn record_check(
        &self,
        credential_id: CredentialId,
        outcome: CheckOutcome,
        checked_at: DateTime<Utc>,
    ) -> Vec<CabinetEvent> {
        let offered = self
            .offered
            .as_ref()
            .filter(|facts| facts.credential_id == credential_id);
        if let Some(offered) = offered {
            return self.judge_offer(offered, outcome, checked_at);
        }
        if !self.uses(credential_id) {
            return vec![];
        }
        let mut events = Vec::new();
        let refusal = match outcome {
            CheckOutcome::Refused(reason) => Some(reason),
            CheckOutcome::Answered(findings) => {
                let refusal = if self.is_of_other_seller(&findings) {
                    Some("other_seller")
                } else {
                    findings.opens_nothing()
                };
                events.push(checked(credential_id, findings, checked_at));
                refusal.map(str::to_owned)
            }
        };
        match refusal {
            Some(reason) if self.rejected.as_ref() != Some(&reason) => events.push(
                CredentialRejected {
                    credential_id,
                    reason,
                    checked_at,
                }
                .into(),
            ),
            None if !self.accepted || self.rejected.is_some() => events.push(
                CredentialAccepted {
                    credential_id,
                    checked_at,
                }
                .into(),
            ),
            _ => {}
        }
        events
    }

    /// A new key takes the place of the old one only if nothing is lost by it.
    fn judge_offer(
        &self,
        offered: &CredentialFacts,
        outcome: CheckOutcome,
        checked_at: DateTime<Utc>,
    ) -> Vec<CabinetEvent> {
        let credential_id = offered.credential_id;
        let refused = |reason: &str| {
            vec![
                CredentialOfferRefused {
                    credential_id,
                    reason: reason.to_owned(),
                    checked_at,
                }
                .into(),
            ]
        };
        let findings = match outcome {
            CheckOutcome::Refused(reason) => return refused(&reason),
            CheckOutcome::Answered(findings) => findings,
        };
        if self.is_of_other_seller(&findings) {
            return refused("other_seller");
        }
        if let Some(reason) = findings.opens_nothing() {
            return refused(reason);
        }
        if self.loses_a_right(&findings) {
            return refused("missing_rights");
        }
        let credential = CredentialFacts {
            seller_id: offered.seller_id.clone().or_else(|| findings.seller_id.clone()),
            expires_at: findings.expires_at.or(offered.expires_at),
            ..offered.clone()
        };
        vec![
            CredentialRotated { credential }.into(),
            checked(credential_id, findings, checked_at),
            CredentialAccepted {
                credential_id,
                checked_at,
            }
            .into(),
        ]
    }

    fn is_of_other_seller(&self, findings: &Findings) -> bool {
        let known = self
            .credential
            .as_ref()
            .and_then(|facts| facts.seller_id.as_ref());
        known.is_some() && findings.seller_id.is_some() && known != findings.seller_id.as_ref()
    }

    /// Whether a needed category is closed to the new key that is not known to be closed to the one in use.
    fn loses_a_right(&self, findings: &Findings) -> bool {
        let closed_already = |category: &str| {
            self.rights
                .iter()
                .flatten()
                .any(|right| right.category == category && right.status.is_refused())
        };
        findings
            .rights
            .iter()
            .any(|right| right.needed && right.status.is_refused() && !closed_already(&right.category))
    }

    /// Announces the end of the key in use, the most urgent of the reminders only, and each once; and tells
    /// when it has come. How often this is asked does not matter, nor how long it was not.
    pub(super) fn watch_expiry(&self, at: DateTime<Utc>) -> Vec<CabinetEvent> {
        let Some((credential_id, expires_at)) = self
            .credential
            .as_ref()
            .and_then(|facts| Some((facts.credential_id, facts.expires_at?)))
            .filter(|_| self.rejected.is_none())
        else {
            return vec![];
        };
        if expires_at <= at {
            return vec![
                CredentialRejected {
                    credential_id,
                    reason: "expired".to_owned(),
                    checked_at: at,
                }
                .into(),
            ];
        }
        let left = expires_at - at;
        let due = REMINDERS
            .into_iter()
            .rev()
            .find(|days| left <= TimeDelta::days(i64::from(*days)))
            .filter(|days| self.announced.is_none_or(|announced| *days < announced));
        due.map_or_else(Vec::new, |days_left| {
            vec![
                CredentialExpiring {
                    credential_id,
                    days_left,
                    expires_at,
                }
                .into(),
            ]
        })
    }
}

fn checked(credential_id: CredentialId, findings: Findings, checked_at: DateTime<Utc>) -> CabinetEvent {
    CredentialChecked {
        credential_id,
        seller_id: findings.seller_id,
        expires_at: findings.expires_at,
        read_only: findings.read_only,
        rights: findings.rights,
        checked_at,
    }
    .into()
}
