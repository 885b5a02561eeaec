//! What is known of a cabinet's key beyond the key's own words: what it may do, whether its end was
//! announced, what became of a key that shall take its place.

use chrono::{DateTime, Utc};
use events::cabinet::{CredentialChecked, CredentialOfferRefused, CredentialOffered, Right};
use serde::{Deserialize, Serialize};

/// What trials of the keys of a cabinet brought out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Whether the key in use can only read, where that is known.
    pub read_only: Option<bool>,
    /// What the key in use may do; empty before it was tried.
    pub rights: Vec<Right>,
    /// When these were found out.
    pub rights_at: Option<DateTime<Utc>>,
    /// The fewest days before its end that were announced.
    pub announced_days: Option<u32>,
    /// Fingerprint of a key that was given and has not been tried yet.
    pub offered: Option<String>,
    /// The last key that was given and not taken; none once another one was.
    pub offer_refused: Option<OfferRefusal>,
}

/// A key that was given and not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferRefusal {
    /// `unauthorized`, `forbidden`, `payment_required`, `missing_rights`, `other_seller`, `expired`.
    pub reason: String,
    /// When it was tried.
    pub at: DateTime<Utc>,
}

impl Guard {
    pub(super) fn checked(&mut self, checked: &CredentialChecked) {
        self.read_only = checked.read_only;
        self.rights.clone_from(&checked.rights);
        self.rights_at = Some(checked.checked_at);
    }

    pub(super) fn offered(&mut self, offered: &CredentialOffered) {
        self.offered = Some(offered.credential.fingerprint.clone());
        self.offer_refused = None;
    }

    pub(super) fn offer_refused(&mut self, refused: &CredentialOfferRefused) {
        self.offered = None;
        self.offer_refused = Some(OfferRefusal {
            reason: refused.reason.clone(),
            at: refused.checked_at,
        });
    }
}
