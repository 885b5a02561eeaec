//! What a tenant can be notified of. The names are the types of outgoing webhooks and what members choose
//! from.

/// One kind of notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKind {
    /// Stock became low.
    StockLow,
    /// Nothing is left.
    StockOut,
    /// Stock is enough again.
    StockRecovered,
    /// A sync failed twice in a row.
    SyncFailed,
    /// A sync's result is held back as implausible.
    SyncQuarantined,
    /// A source that had worked does not any more.
    SourceDegraded,
    /// It works again.
    SourceRecovered,
    /// A key ends soon.
    CredentialExpiring,
    /// The marketplace refuses a key.
    CredentialRejected,
    /// The spreadsheet cannot be written.
    SheetBlocked,
    /// The trial ends soon.
    TrialEnding,
    /// A payment failed.
    PaymentFailed,
    /// A subscription ended.
    SubscriptionEnded,
    /// A cabinet rests because the plan allows fewer.
    CabinetPaused,
    /// A webhook endpoint was switched off.
    WebhookDisabled,
}

/// Who of a tenant's members is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Every member.
    Members,
    /// Owners and administrators: who can do something about it.
    Administrators,
    /// Owners.
    Owners,
}

impl NoticeKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::StockLow,
        Self::StockOut,
        Self::StockRecovered,
        Self::SyncFailed,
        Self::SyncQuarantined,
        Self::SourceDegraded,
        Self::SourceRecovered,
        Self::CredentialExpiring,
        Self::CredentialRejected,
        Self::SheetBlocked,
        Self::TrialEnding,
        Self::PaymentFailed,
        Self::SubscriptionEnded,
        Self::CabinetPaused,
        Self::WebhookDisabled,
    ];

    /// The name, as webhooks and the API spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StockLow => "stock.low",
            Self::StockOut => "stock.out",
            Self::StockRecovered => "stock.recovered",
            Self::SyncFailed => "sync.failed",
            Self::SyncQuarantined => "sync.quarantined",
            Self::SourceDegraded => "source.degraded",
            Self::SourceRecovered => "source.recovered",
            Self::CredentialExpiring => "credential.expiring",
            Self::CredentialRejected => "credential.rejected",
            Self::SheetBlocked => "sheet.blocked",
            Self::TrialEnding => "subscription.trial_ending",
            Self::PaymentFailed => "subscription.payment_failed",
            Self::SubscriptionEnded => "subscription.ended",
            Self::CabinetPaused => "cabinet.paused",
            Self::WebhookDisabled => "webhook.disabled",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Who gets it, unless a member chose otherwise.
    #[must_use]
    pub const fn audience(self) -> Audience {
        match self {
            Self::StockLow | Self::StockOut | Self::StockRecovered => Audience::Members,
            Self::SyncFailed
            | Self::SyncQuarantined
            | Self::SourceDegraded
            | Self::SourceRecovered
            | Self::CredentialExpiring
            | Self::CredentialRejected
            | Self::SheetBlocked
            | Self::CabinetPaused => Audience::Administrators,
            Self::TrialEnding | Self::PaymentFailed | Self::SubscriptionEnded | Self::WebhookDisabled => {
                Audience::Owners
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NoticeKind;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in NoticeKind::ALL {
            assert_eq!(NoticeKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(NoticeKind::parse("stock"), None);
    }
}
