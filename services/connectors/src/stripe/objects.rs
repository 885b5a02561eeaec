//! The parts of Stripe's objects that decide something here, in every version of the API from 2020-03-02 to
//! 2026-10-28.endive.
//!
//! All but the ids is optional: fields come and go with versions, and what is missing is for the caller to
//! judge. A field that is there with another type is an error that names it, since a fact must not silently
//! become "none". Nothing that says who pays is read: no e-mail, no name, no address, no card.

mod wire;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use super::ids::{CustomerId, InvoiceId, ItemId, PortalSessionId, PriceId, SessionId, SubscriptionId};
pub(super) use wire::List;
use wire::{maybe, reference, time};

/// Key of the metadata that carries our tenant.
pub const TENANT_KEY: &str = "tenant_id";
/// Key of the metadata that carries our user.
pub const USER_KEY: &str = "user_id";

/// What we wrote on an object when we had it made. Everyone with access to the Stripe account can change it:
/// look it up, never trust it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Our tenant.
    pub tenant_id: Option<String>,
    /// Our user.
    pub user_id: Option<String>,
}

/// Longest value that is kept; Stripe allows 500 characters, our ids have 36.
const LONGEST_VALUE: usize = 64;

impl Metadata {
    /// Whether it carries neither of our ids.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tenant_id.is_none() && self.user_id.is_none()
    }

    pub(super) fn of(mut entries: BTreeMap<String, serde_json::Value>) -> Self {
        let mut take = |key: &str| match entries.remove(key) {
            Some(serde_json::Value::String(text)) if (1..=LONGEST_VALUE).contains(&text.len()) => Some(text),
            _ => None,
        };
        Self {
            tenant_id: take(TENANT_KEY),
            user_id: take(USER_KEY),
        }
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of(BTreeMap::deserialize(deserializer)?))
    }
}

/// Address of a page of Stripe's that opens without a login. It is handed to the customer and not printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct PageUrl(String);

impl PageUrl {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PageUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PageUrl(…)")
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$each])* $variant,)+
            /// A word that was not known when this was written.
            Other(String),
        }

        impl $name {
            /// Stripe's word.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)+
                    _ => Self::Other(word),
                }
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.as_str().to_owned()
            }
        }
    };
}

words! {
    /// State of a subscription (docs.stripe.com/api/subscriptions/object, `status`).
    Status {
        /// The first payment is still missing; it has 23 hours.
        Incomplete = "incomplete",
        /// The first payment never came. Final.
        IncompleteExpired = "incomplete_expired",
        /// In its trial.
        Trialing = "trialing",
        /// Paid.
        Active = "active",
        /// A payment failed and is tried again.
        PastDue = "past_due",
        /// All tries failed; invoices are still made and wait.
        Unpaid = "unpaid",
        /// Ended. Final.
        Canceled = "canceled",
        /// The trial ended without a means of payment, or it was paused; no invoices are made.
        Paused = "paused",
    }
}

impl Status {
    /// Whether nothing more can happen to it: a new subscription would not be a second one. A word that is
    /// not known counts as not final, so that a customer does not pay twice.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Canceled | Self::IncompleteExpired)
    }
}

words! {
    /// State of an invoice.
    InvoiceStatus {
        /// Still being made.
        Draft = "draft",
        /// Waits for payment.
        Open = "open",
        /// Paid, or nothing was to be paid.
        Paid = "paid",
        /// Given up.
        Uncollectible = "uncollectible",
        /// Taken back.
        Void = "void",
    }
}

words! {
    /// State of a checkout session.
    SessionStatus {
        /// Can be paid.
        Open = "open",
        /// Done; the payment may still be under way.
        Complete = "complete",
        /// Can no longer be paid.
        Expired = "expired",
    }
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Whose it is.
    #[serde(default, deserialize_with = "reference")]
    pub customer: Option<CustomerId>,
    /// How it stands.
    pub status: Option<Status>,
    /// What is bought; one line for our plans.
    #[serde(default, deserialize_with = "maybe::<_, List<Item>>")]
    pub items: Vec<Item>,
    /// End of the paid period; only before 2025-03-31. Ask [`Subscription::period_end`].
    #[serde(default, deserialize_with = "time")]
    pub current_period_end: Option<DateTime<Utc>>,
    /// Whether it ends with the paid period. Ask [`Subscription::ends_at`].
    pub cancel_at_period_end: Option<bool>,
    /// When it is going to end. Ask [`Subscription::ends_at`].
    #[serde(default, deserialize_with = "time")]
    pub cancel_at: Option<DateTime<Utc>>,
    /// When its end was decided.
    #[serde(default, deserialize_with = "time")]
    pub canceled_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(default, deserialize_with = "time")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Begin of the trial.
    #[serde(default, deserialize_with = "time")]
    pub trial_start: Option<DateTime<Utc>>,
    /// End of the trial, also after it.
    #[serde(default, deserialize_with = "time")]
    pub trial_end: Option<DateTime<Utc>>,
    /// When it was made.
    #[serde(default, deserialize_with = "time")]
    pub created: Option<DateTime<Utc>>,
    /// The newest invoice.
    #[serde(default, deserialize_with = "reference")]
    pub latest_invoice: Option<InvoiceId>,
    /// ISO 4217, lower case.
    pub currency: Option<String>,
    /// What we wrote on it.
    #[serde(default, deserialize_with = "maybe::<_, Metadata>")]
    pub metadata: Metadata,
    /// False in a sandbox.
    pub livemode: Option<bool>,
}

impl Subscription {
    /// Up to when it is paid: the latest end among its lines, or its own in versions before 2025-03-31.
    #[must_use]
    pub fn period_end(&self) -> Option<DateTime<Utc>> {
        let lines = self.items.iter().filter_map(|item| item.current_period_end).max();
        lines.or(self.current_period_end)
    }

    /// When it is going to end, if that was decided: `cancel_at`, which the portal may set alone, or the end
    /// of the paid period.
    #[must_use]
    pub fn ends_at(&self) -> Option<DateTime<Utc>> {
        let with_period = self.cancel_at_period_end == Some(true);
        self.cancel_at
            .or_else(|| if with_period { self.period_end() } else { None })
    }

    /// What is bought, where it is one thing.
    #[must_use]
    pub fn price(&self) -> Option<&PriceId> {
        match self.items.as_slice() {
            [item] => item.price.as_ref(),
            _ => None,
        }
    }
}

/// A line of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Item {
    /// Its id; needed to change the price.
    pub id: ItemId,
    /// What is bought.
    #[serde(default, deserialize_with = "reference")]
    pub price: Option<PriceId>,
    /// How many.
    pub quantity: Option<i64>,
    /// Begin of the paid period, since 2025-03-31.
    #[serde(default, deserialize_with = "time")]
    pub current_period_start: Option<DateTime<Utc>>,
    /// End of the paid period, since 2025-03-31.
    #[serde(default, deserialize_with = "time")]
    pub current_period_end: Option<DateTime<Utc>>,
}

/// An invoice. `invoice.upcoming` has none of its own id.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Invoice {
    /// Its id; none for a preview.
    #[serde(default)]
    pub id: Option<InvoiceId>,
    /// Who pays it.
    #[serde(default, deserialize_with = "reference")]
    pub customer: Option<CustomerId>,
    /// How it stands.
    pub status: Option<InvoiceStatus>,
    /// Why it was made: `subscription_create`, `subscription_cycle`, `subscription_update`, `manual`, …
    pub billing_reason: Option<String>,
    /// What it is for, before 2025-03-31. Ask [`Invoice::subscription`].
    #[serde(default, deserialize_with = "reference")]
    pub subscription: Option<SubscriptionId>,
    /// What it is for, since 2025-03-31. Ask [`Invoice::subscription`].
    pub parent: Option<InvoiceParent>,
    /// What it is for, between 2022-11-15 and 2025-03-31. Ask [`Invoice::metadata`].
    pub subscription_details: Option<SubscriptionDetails>,
    /// ISO 4217, lower case.
    pub currency: Option<String>,
    /// What is to be paid, in the smallest unit of the currency.
    pub amount_due: Option<i64>,
    /// What was paid, in the smallest unit of the currency.
    pub amount_paid: Option<i64>,
    /// What is still to be paid, in the smallest unit of the currency.
    pub amount_remaining: Option<i64>,
    /// The sum of its lines with discounts and taxes, in the smallest unit of the currency; below 0 for a
    /// credit.
    pub total: Option<i64>,
    /// The sum of its lines, in the smallest unit of the currency.
    pub subtotal: Option<i64>,
    /// Times that payment was tried.
    pub attempt_count: Option<u32>,
    /// When payment is tried again; none after the last try.
    #[serde(default, deserialize_with = "time")]
    pub next_payment_attempt: Option<DateTime<Utc>>,
    /// When it was paid, among others. Ask [`Invoice::paid_at`].
    pub status_transitions: Option<StatusTransitions>,
    /// When it was made.
    #[serde(default, deserialize_with = "time")]
    pub created: Option<DateTime<Utc>>,
    /// Begin of the period it is for.
    #[serde(default, deserialize_with = "time")]
    pub period_start: Option<DateTime<Utc>>,
    /// End of the period it is for; of the one before for a renewal. Ask the lines.
    #[serde(default, deserialize_with = "time")]
    pub period_end: Option<DateTime<Utc>>,
    /// Where it can be looked at and paid; none before it is finalized.
    pub hosted_invoice_url: Option<PageUrl>,
    /// What is on it; the first page.
    #[serde(default, deserialize_with = "maybe::<_, List<InvoiceLine>>")]
    pub lines: Vec<InvoiceLine>,
    /// What was written on the invoice itself.
    #[serde(default, deserialize_with = "maybe::<_, Metadata>")]
    pub metadata: Metadata,
    /// False in a sandbox.
    pub livemode: Option<bool>,
}

impl Invoice {
    /// The subscription it is for, wherever its version says so; none for a manual invoice.
    #[must_use]
    pub fn subscription(&self) -> Option<&SubscriptionId> {
        let parent = self
            .parent
            .as_ref()
            .and_then(|parent| parent.subscription_details.as_ref());
        let own = parent.and_then(|details| details.subscription.as_ref());
        own.or(self.subscription.as_ref())
            .or_else(|| self.lines.iter().find_map(InvoiceLine::subscription))
    }

    /// When it was paid; none while it is not.
    #[must_use]
    pub fn paid_at(&self) -> Option<DateTime<Utc>> {
        self.status_transitions.as_ref().and_then(|at| at.paid_at)
    }

    /// What we wrote on the subscription, copied to the invoice when it was finalized; else on the invoice.
    #[must_use]
    pub fn our_metadata(&self) -> &Metadata {
        let parent = self
            .parent
            .as_ref()
            .and_then(|parent| parent.subscription_details.as_ref());
        let copied = [parent, self.subscription_details.as_ref()].into_iter().flatten();
        copied
            .map(|details| &details.metadata)
            .find(|metadata| !metadata.is_empty())
            .unwrap_or(&self.metadata)
    }
}

/// When an invoice came to its states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct StatusTransitions {
    /// When it was paid.
    #[serde(default, deserialize_with = "time")]
    pub paid_at: Option<DateTime<Utc>>,
}

/// What an invoice was made for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct InvoiceParent {
    /// Set if it is for a subscription.
    pub subscription_details: Option<SubscriptionDetails>,
}

/// The subscription an invoice is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SubscriptionDetails {
    /// Its id; absent before 2025-03-31.
    #[serde(default, deserialize_with = "reference")]
    pub subscription: Option<SubscriptionId>,
    /// What we wrote on it, at the time of the invoice.
    #[serde(default, deserialize_with = "maybe::<_, Metadata>")]
    pub metadata: Metadata,
}

/// A line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct InvoiceLine {
    /// In the smallest unit of the currency; below 0 for a credit.
    pub amount: Option<i64>,
    /// ISO 4217, lower case.
    pub currency: Option<String>,
    /// Stripe's words for the customer, in the customer's language.
    pub description: Option<String>,
    /// What time it is for.
    pub period: Option<Period>,
    /// Before 2025-03-31. Ask [`InvoiceLine::subscription`].
    #[serde(default, deserialize_with = "reference")]
    pub subscription: Option<SubscriptionId>,
    /// Before 2025-03-31. Ask [`InvoiceLine::is_proration`].
    pub proration: Option<bool>,
    /// Before 2025-03-31. Ask [`InvoiceLine::price`].
    #[serde(default, deserialize_with = "reference")]
    pub price: Option<PriceId>,
    /// Since 2025-03-31. Ask [`InvoiceLine::price`].
    pub pricing: Option<Pricing>,
    /// Since 2025-03-31. Ask [`InvoiceLine::subscription`].
    pub parent: Option<LineParent>,
}

impl InvoiceLine {
    fn details(&self) -> impl Iterator<Item = &LineDetails> {
        let parent = self.parent.as_ref();
        let item = parent.and_then(|parent| parent.subscription_item_details.as_ref());
        let invoice_item = parent.and_then(|parent| parent.invoice_item_details.as_ref());
        item.into_iter().chain(invoice_item)
    }

    /// The subscription it is for.
    #[must_use]
    pub fn subscription(&self) -> Option<&SubscriptionId> {
        let mut details = self.details().filter_map(|details| details.subscription.as_ref());
        details.next().or(self.subscription.as_ref())
    }

    /// Whether it settles a change within a period.
    #[must_use]
    pub fn is_proration(&self) -> bool {
        self.details().any(|details| details.proration == Some(true)) || self.proration == Some(true)
    }

    /// What is paid for.
    #[must_use]
    pub fn price(&self) -> Option<&PriceId> {
        let pricing = self.pricing.as_ref();
        let details = pricing.and_then(|pricing| pricing.price_details.as_ref());
        details
            .and_then(|details| details.price.as_ref())
            .or(self.price.as_ref())
    }
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Period {
    /// Its begin.
    #[serde(default, deserialize_with = "time")]
    pub start: Option<DateTime<Utc>>,
    /// Its end.
    #[serde(default, deserialize_with = "time")]
    pub end: Option<DateTime<Utc>>,
}

/// Where the price of an invoice's line stands since 2025-03-31.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Pricing {
    /// Set where there is a price.
    pub price_details: Option<PriceDetails>,
}

/// The price of an invoice's line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PriceDetails {
    /// Its id.
    #[serde(default, deserialize_with = "reference")]
    pub price: Option<PriceId>,
}

/// What an invoice's line was made for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LineParent {
    /// A line of a subscription.
    pub subscription_item_details: Option<LineDetails>,
    /// Something that was put on the next invoice, such as a proration.
    pub invoice_item_details: Option<LineDetails>,
}

/// The subscription behind an invoice's line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LineDetails {
    /// Its id.
    #[serde(default, deserialize_with = "reference")]
    pub subscription: Option<SubscriptionId>,
    /// Whether it settles a change within a period.
    pub proration: Option<bool>,
}

/// A checkout session.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckoutSession {
    /// Its id.
    pub id: SessionId,
    /// Where it can be paid, while it is open.
    pub url: Option<PageUrl>,
    /// `payment`, `setup` or `subscription`.
    pub mode: Option<String>,
    /// How it stands; absent before 2022.
    pub status: Option<SessionStatus>,
    /// `paid`, `unpaid` or `no_payment_required`.
    pub payment_status: Option<String>,
    /// Who pays.
    #[serde(default, deserialize_with = "reference")]
    pub customer: Option<CustomerId>,
    /// The subscription that was made, once it is complete.
    #[serde(default, deserialize_with = "reference")]
    pub subscription: Option<SubscriptionId>,
    /// What we had it carry. It is text, see [`Metadata`].
    pub client_reference_id: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "time")]
    pub created: Option<DateTime<Utc>>,
    /// When it can no longer be paid.
    #[serde(default, deserialize_with = "time")]
    pub expires_at: Option<DateTime<Utc>>,
    /// What we wrote on it. It is not copied to the subscription.
    #[serde(default, deserialize_with = "maybe::<_, Metadata>")]
    pub metadata: Metadata,
    /// False in a sandbox.
    pub livemode: Option<bool>,
}

/// A customer. Nothing personal is read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// Whether it was deleted; all its subscriptions have ended then.
    #[serde(default, deserialize_with = "maybe::<_, bool>")]
    pub deleted: bool,
    /// When it was made.
    #[serde(default, deserialize_with = "time")]
    pub created: Option<DateTime<Utc>>,
    /// What we wrote on it.
    #[serde(default, deserialize_with = "maybe::<_, Metadata>")]
    pub metadata: Metadata,
    /// False in a sandbox.
    pub livemode: Option<bool>,
}

/// A session of the customer portal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PortalSession {
    /// Its id.
    pub id: PortalSessionId,
    /// Where the subscription can be changed.
    pub url: PageUrl,
}
