//! One user's subscription: which plan, in which state, until when, on what basis, and what was paid for
//! it. A user has at most one contract with Stripe and one of our own (a trial, a grant or a paid invoice);
//! the better one counts. The plan of a tenant is the best one among its owners' contracts that give a plan
//! at the moment; that is worked out where it is asked, not here.
//!
//! No event holds a payer's name, address, e-mail or card: ids of the payment service, amounts and times
//! only.

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
    /// The first payment is not made yet; gives nothing, but is a contract that may still be paid.
    Incomplete,
    /// Being tried; gives the plan.
    Trialing,
    /// Paid, or granted; gives the plan.
    Active,
    /// A payment is late and is being asked for again; gives the plan until the grace is over.
    PastDue,
    /// A late payment whose grace is over, or that was given up; gives nothing.
    Unpaid,
    /// Collection is paused, for example because a trial ended without a way to pay; gives nothing.
    Paused,
}

impl SubscriptionStatus {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Incomplete,
        Self::Trialing,
        Self::Active,
        Self::PastDue,
        Self::Unpaid,
        Self::Paused,
    ];

    /// Whether the plan holds in this state.
    #[must_use]
    pub const fn gives_plan(self) -> bool {
        matches!(self, Self::Trialing | Self::Active | Self::PastDue)
    }

    /// The name used in JSON, SQL and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// On what a contract is based.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Basis {
    /// The free trial of a new user, without a payment method.
    Trial,
    /// Given by a platform administrator.
    Grant,
    /// Paid outside the payment service and recorded by a platform administrator.
    Invoice,
    /// A subscription at Stripe.
    Stripe,
}

impl Basis {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Trial, Self::Grant, Self::Invoice, Self::Stripe];

    /// Where it is kept: a user has one contract in each.
    #[must_use]
    pub const fn slot(self) -> Slot {
        match self {
            Self::Trial | Self::Grant | Self::Invoice => Slot::Manual,
            Self::Stripe => Slot::Stripe,
        }
    }

    /// The name used in JSON, SQL and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Grant => "grant",
            Self::Invoice => "invoice",
            Self::Stripe => "stripe",
        }
    }

    /// The basis with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|basis| basis.as_str() == name)
    }
}

/// Who keeps the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Slot {
    /// We do.
    Manual,
    /// Stripe does.
    Stripe,
}

/// A contract as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Contract {
    /// What it gives.
    pub plan: Plan,
    /// How it stands.
    pub status: SubscriptionStatus,
    /// Up to when it is paid or granted; none for one without an end.
    pub period_end: Option<DateTime<Utc>>,
    /// When it will end, if that is decided.
    pub cancel_at: Option<DateTime<Utc>>,
    /// On what it is based.
    pub basis: Basis,
    /// Id at the payment service (`sub_…`), or the number of a paid invoice.
    pub reference: Option<String>,
    /// When the trial ends; none where there is none.
    pub trial_end: Option<DateTime<Utc>>,
    /// Until when a late payment takes nothing away; set with [`SubscriptionStatus::PastDue`].
    pub grace_until: Option<DateTime<Utc>>,
    /// Why it was given, in an administrator's words; 200 characters at most.
    pub note: Option<String>,
}

/// A user got a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubscriptionStarted {
    /// All of it.
    #[serde(flatten)]
    pub contract: Contract,
}

/// A contract changed; the event has all of it, not the difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubscriptionChanged {
    /// All of it.
    #[serde(flatten)]
    pub contract: Contract,
}

/// A contract is over; another one may be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubscriptionEnded {
    /// Which of the user's contracts.
    pub slot: Slot,
    /// Its id at the payment service, or the number of the invoice.
    pub reference: Option<String>,
    /// Why, as a short code: `canceled`, `revoked`, `lapsed`, `unpaid`, `trial_ended`, `replaced`,
    /// `incomplete_expired`, `customer_deleted`.
    pub reason: String,
}

/// The trial ends soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrialEnding {
    /// Which of the user's contracts.
    pub slot: Slot,
    /// When.
    pub trial_end: DateTime<Utc>,
}

/// A payment arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentSucceeded {
    /// To which contract it belongs.
    pub basis: Basis,
    /// The invoice: id at the payment service (`in_…`) or number.
    pub invoice: String,
    /// What was paid, minor units of the currency (cents).
    pub amount_minor: i64,
    /// ISO 4217, upper case.
    pub currency: String,
    /// When it was paid.
    pub paid_at: DateTime<Utc>,
}

/// An attempt to collect a payment failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentFailed {
    /// The invoice: id at the payment service (`in_…`).
    pub invoice: String,
    /// What is due, minor units of the currency (cents).
    pub amount_minor: i64,
    /// ISO 4217, upper case.
    pub currency: String,
    /// Which attempt it was, counted from 1.
    pub attempt: u32,
    /// When it will be tried again; none after the last attempt.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Whether the payer has to act, for example confirm the payment with the bank.
    pub action_required: bool,
}
