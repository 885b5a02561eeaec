//! One user's contract: which plan, in which state, until when. The plan of a tenant is the best one among
//! its owners' contracts that give something at the moment; that is worked out where it is asked, not here.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What is sold. Ordered: each plan allows what the ones below it allow. How much that is stands in a table
/// (`services/limits/limits.toml`), not in events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Plan {
    /// Costs nothing; once a day.
    Free,
    /// For one seller with a few articles.
    Starter,
    /// For a seller who lives from it.
    Pro,
    /// For many cabinets and programs.
    Enterprise,
}

impl Plan {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Free, Self::Starter, Self::Pro, Self::Enterprise];

    /// The name used in JSON, SQL, tables and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Starter => "starter",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
        }
    }

    /// The plan with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| plan.as_str() == name)
    }
}

/// How a contract stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum SubscriptionStatus {
    /// Being tried; gives the plan.
    Trialing,
    /// Paid, or granted; gives the plan.
    Active,
    /// A payment is late and is being asked for again; gives the plan until that is given up.
    PastDue,
    /// Waits for a payment that was given up; gives nothing.
    Unpaid,
}

impl SubscriptionStatus {
    /// Whether the plan holds in this state.
    #[must_use]
    pub const fn gives_plan(self) -> bool {
        !matches!(self, Self::Unpaid)
    }
}

/// A user got a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubscriptionStarted {
    /// Which plan.
    pub plan: Plan,
    /// How it stands.
    pub status: SubscriptionStatus,
    /// Up to when it is paid or granted; none for one without an end.
    pub period_end: Option<DateTime<Utc>>,
    /// When it will end, if somebody said so.
    pub cancel_at: Option<DateTime<Utc>>,
}

/// The contract changed; all of it is told, not the difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubscriptionChanged {
    /// Which plan from now on.
    pub plan: Plan,
    /// How it stands.
    pub status: SubscriptionStatus,
    /// Up to when it is paid or granted; none for one without an end.
    pub period_end: Option<DateTime<Utc>>,
    /// When it will end, if somebody said so.
    pub cancel_at: Option<DateTime<Utc>>,
}

/// The contract is over; another one may be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubscriptionEnded {
    /// Why, as a short code: `canceled`, `revoked`, `lapsed`, `unpaid`.
    pub reason: String,
}
