//! What a member wants to be notified of, and when. Pure.

use std::collections::BTreeMap;

use domain::notice::{Audience, NoticeKind};
use events::tenant::Role;

/// A way by which notices reach a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// A message of the bot.
    Telegram,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 1] = [Self::Telegram];

    /// The name in tables and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Telegram => "telegram",
        }
    }

    /// The channel with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
    }
}

/// A language in which there are texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Language {
    /// Russian.
    #[default]
    Russian,
    /// English.
    English,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::Russian, Self::English];

    /// Two letters (ISO 639-1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Russian => "ru",
            Self::English => "en",
        }
    }

    /// The language with these two letters.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.as_str() == code)
    }
}

/// Hours in which nothing is sent, in minutes of the tenant's day. They pass midnight where `from` is after
/// `until`; the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// First minute, 0 to 1439.
    pub from: u16,
    /// First minute in which messages are sent again, 0 to 1439.
    pub until: u16,
}

/// Minutes of a day.
pub const DAY_MINUTES: u16 = 1_440;

/// What a member chose. The default is what somebody has who chose nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    /// Kinds that were switched on or off, where that differs from the default.
    pub choices: BTreeMap<Channel, BTreeMap<NoticeKind, bool>>,
    /// Language of messages; none: Telegram's, else Russian.
    pub language: Option<Language>,
    /// Hours in which nothing is sent.
    pub quiet: Option<QuietHours>,
    /// Hour of the daily digest, 0 to 23; none: messages come at once.
    pub digest_hour: Option<u8>,
}

impl Preferences {
    /// Whether a member with this role gets this kind by this channel.
    #[must_use]
    pub fn wants(&self, channel: Channel, kind: NoticeKind, role: Role) -> bool {
        let chosen = self.choices.get(&channel).and_then(|kinds| kinds.get(&kind));
        may_get(kind, role) && chosen.copied().unwrap_or_else(|| is_usual(kind, role))
    }
}

/// Whether somebody with this role may be sent this kind at all: what a tenant pays, and where it wants to be
/// called, is for owners.
#[must_use]
pub fn may_get(kind: NoticeKind, role: Role) -> bool {
    kind.audience() != Audience::Owners || role == Role::Owner
}

/// Whether somebody with this role gets this kind who chose nothing.
#[must_use]
pub fn is_usual(kind: NoticeKind, role: Role) -> bool {
    match kind.audience() {
        Audience::Members => true,
        Audience::Administrators => matches!(role, Role::Owner | Role::Admin),
        Audience::Owners => role == Role::Owner,
    }
}

#[cfg(test)]
mod tests {
    use domain::notice::NoticeKind;
    use events::tenant::Role;

    use super::{Channel, Preferences};

    #[test]
    fn who_chose_nothing_gets_what_the_role_can_do_something_about() {
        let nothing = Preferences::default();
        let wants = |kind, role| nothing.wants(Channel::Telegram, kind, role);
        assert!(wants(NoticeKind::StockOut, Role::Viewer));
        assert!(!wants(NoticeKind::SyncFailed, Role::Member));
        assert!(wants(NoticeKind::SyncFailed, Role::Admin));
        assert!(!wants(NoticeKind::PaymentFailed, Role::Admin));
        assert!(wants(NoticeKind::PaymentFailed, Role::Owner));
    }

    #[test]
    fn a_choice_counts_but_opens_nothing_that_is_for_owners() {
        let mut chosen = Preferences::default();
        let kinds = chosen.choices.entry(Channel::Telegram).or_default();
        kinds.insert(NoticeKind::StockLow, false);
        kinds.insert(NoticeKind::SyncFailed, true);
        kinds.insert(NoticeKind::PaymentFailed, true);
        let wants = |kind, role| chosen.wants(Channel::Telegram, kind, role);
        assert!(!wants(NoticeKind::StockLow, Role::Owner));
        assert!(wants(NoticeKind::SyncFailed, Role::Viewer));
        assert!(!wants(NoticeKind::PaymentFailed, Role::Viewer));
    }
}
