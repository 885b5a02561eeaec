//! What the simulated Stripe remembers. Times are seconds since 1970, amounts are cents.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Metadata of an object.
pub(crate) type Metadata = BTreeMap<String, String>;

/// How a customer's card answers a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Card {
    /// Every charge succeeds.
    Pays,
    /// Every charge is declined.
    Declines,
    /// Every charge waits for the customer's confirmation (3-D Secure).
    NeedsAction,
    /// The next charge succeeds and all later ones are declined.
    PaysThenDeclines,
}

/// What becomes of a subscription whose payment retries have run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterRetries {
    /// It is cancelled.
    #[default]
    Cancel,
    /// It becomes `unpaid`; later invoices stay drafts.
    MarkUnpaid,
    /// It stays `past_due`.
    KeepPastDue,
}

/// Settings of the simulated account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Days between one failed attempt and the next; after the last one the retries have run out.
    pub retry_days: Vec<u16>,
    /// What happens then.
    pub after_retries: AfterRetries,
    /// Days before a renewal on which `invoice.upcoming` is sent.
    pub upcoming_days: u16,
    /// Whether a paid checkout shows its subscription as `active` already in `customer.subscription.created`.
    /// Both were seen; otherwise it is created `incomplete` and then updated.
    pub created_active: bool,
    /// Whether cancelling at the period's end in the portal sets `cancel_at` only, as flexible billing does.
    pub portal_sets_cancel_at_only: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retry_days: vec![3, 5, 7],
            after_retries: AfterRetries::default(),
            upcoming_days: 7,
            created_active: false,
            portal_sets_cancel_at_only: false,
        }
    }
}

/// Rows in order of creation, found by id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Table<T> {
    rows: Vec<T>,
    index: HashMap<String, usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            index: HashMap::new(),
        }
    }
}

impl<T> Table<T> {
    pub(crate) fn add(&mut self, id: &str, row: T) {
        self.index.insert(id.to_owned(), self.rows.len());
        self.rows.push(row);
    }

    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.index.get(id).and_then(|&at| self.rows.get(at))
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.index.get(id).and_then(|&at| self.rows.get_mut(at))
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// In order of creation.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.iter()
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
    /// Negative is credit.
    pub(crate) balance: i64,
    pub(crate) deleted: bool,
    pub(crate) delinquent: bool,
    /// The default card; none before the first checkout.
    pub(crate) card: Option<Card>,
    pub(crate) payment_method: Option<String>,
    pub(crate) invoices: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
    pub(crate) active: bool,
    pub(crate) default_price: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Price {
    pub(crate) id: String,
    pub(crate) product: String,
    pub(crate) currency: String,
    pub(crate) unit_amount: i64,
    pub(crate) interval: String,
    pub(crate) interval_count: u32,
    pub(crate) lookup_key: Option<String>,
    pub(crate) nickname: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
    pub(crate) active: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionStatus {
    Open,
    Complete,
    Expired,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) status: SessionStatus,
    pub(crate) customer: Option<String>,
    pub(crate) customer_email: Option<String>,
    pub(crate) client_reference_id: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) price: String,
    pub(crate) quantity: u32,
    pub(crate) success_url: Option<String>,
    pub(crate) cancel_url: Option<String>,
    pub(crate) created: i64,
    pub(crate) expires_at: i64,
    pub(crate) subscription: Option<String>,
    pub(crate) invoice: Option<String>,
    pub(crate) payment_status: String,
    pub(crate) subscription_metadata: Metadata,
    pub(crate) subscription_description: Option<String>,
    pub(crate) trial_end: Option<i64>,
    pub(crate) trial_days: Option<i64>,
    pub(crate) missing_payment_method: String,
    pub(crate) payment_method_collection: String,
    pub(crate) allow_promotion_codes: Option<bool>,
    pub(crate) locale: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Portal {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) created: i64,
    pub(crate) return_url: Option<String>,
    pub(crate) locale: Option<String>,
    /// The rendered `flow`, null for the portal's home.
    pub(crate) flow: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Incomplete,
    IncompleteExpired,
    Trialing,
    Active,
    PastDue,
    Unpaid,
    Canceled,
    Paused,
}

impl Status {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::IncompleteExpired => "incomplete_expired",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Canceled => "canceled",
            Self::Paused => "paused",
        }
    }

    /// Whether nothing will ever change it again.
    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Canceled | Self::IncompleteExpired)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) price: String,
    pub(crate) quantity: u32,
    pub(crate) created: i64,
}

/// A change that waits for its payment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PendingUpdate {
    pub(crate) items: Vec<Item>,
    pub(crate) expires_at: i64,
    pub(crate) invoice: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) status: Status,
    pub(crate) created: i64,
    pub(crate) items: Vec<Item>,
    pub(crate) period_start: i64,
    pub(crate) period_end: i64,
    /// The moment whose day of the month every period begins on.
    pub(crate) anchor: i64,
    pub(crate) trial_start: Option<i64>,
    pub(crate) trial_end: Option<i64>,
    pub(crate) missing_payment_method: String,
    pub(crate) cancel_at: Option<i64>,
    pub(crate) cancel_at_period_end: bool,
    pub(crate) canceled_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) cancel_reason: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) feedback: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) latest_invoice: Option<String>,
    pub(crate) default_payment_method: Option<String>,
    /// Prorations that wait for the next invoice.
    pub(crate) pending: Vec<Line>,
    pub(crate) pending_update: Option<PendingUpdate>,
    pub(crate) trial_reminded: bool,
    pub(crate) upcoming_sent: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) description: String,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// None for an amount without a price.
    pub(crate) price: Option<String>,
    pub(crate) quantity: u32,
    pub(crate) proration: bool,
    pub(crate) subscription: Option<String>,
    pub(crate) item: Option<String>,
    pub(crate) invoice_item: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InvoiceStatus {
    Draft,
    Open,
    Paid,
    Void,
}

impl InvoiceStatus {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Void => "void",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) subscription: Option<String>,
    /// Metadata of the subscription when the invoice was made.
    pub(crate) subscription_metadata: Metadata,
    pub(crate) metadata: Metadata,
    pub(crate) description: Option<String>,
    pub(crate) status: InvoiceStatus,
    pub(crate) reason: String,
    pub(crate) created: i64,
    pub(crate) period_start: i64,
    pub(crate) period_end: i64,
    pub(crate) lines: Vec<Line>,
    pub(crate) starting_balance: i64,
    pub(crate) ending_balance: Option<i64>,
    pub(crate) number: Option<String>,
    pub(crate) auto_advance: bool,
    pub(crate) attempts: u32,
    pub(crate) next_attempt: Option<i64>,
    /// When a draft is finalised by itself.
    pub(crate) finalizes_at: Option<i64>,
    pub(crate) finalized_at: Option<i64>,
    pub(crate) paid_at: Option<i64>,
    pub(crate) voided_at: Option<i64>,
    pub(crate) out_of_band: bool,
    pub(crate) payment: Option<Payment>,
}

impl Invoice {
    pub(crate) fn total(&self) -> i64 {
        self.lines.iter().map(|line| line.amount).sum()
    }

    /// What the customer has to pay: the total with the balance that stood at its making, never below 0.
    pub(crate) fn due(&self) -> i64 {
        (self.total() + self.starting_balance).max(0)
    }

    pub(crate) fn paid(&self) -> i64 {
        if self.status == InvoiceStatus::Paid {
            self.due()
        } else {
            0
        }
    }
}

/// The one payment intent of an invoice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Payment {
    /// `inpay_…`
    pub(crate) id: String,
    /// `pi_…`
    pub(crate) intent: String,
    /// `ch_…` of the last attempt.
    pub(crate) charge: Option<String>,
    /// `requires_payment_method`, `requires_action`, `succeeded` or `canceled`.
    pub(crate) status: String,
    pub(crate) created: i64,
    pub(crate) refunded: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) invoice: String,
    pub(crate) created: i64,
    pub(crate) reason: Option<String>,
    pub(crate) metadata: Metadata,
}

/// Something that happened, with the object as it was then, in the newest version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    /// Id of the same as a thin event.
    pub(crate) thin_id: String,
    pub(crate) kind: String,
    pub(crate) created: i64,
    pub(crate) object: Value,
    pub(crate) previous: Option<Value>,
    pub(crate) request: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) pending_webhooks: usize,
}
