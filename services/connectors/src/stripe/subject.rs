//! What an event concerns: which of the kinds that count here, and which objects. Worked out from the event
//! alone, in every version; whether the objects are known to us is for the caller to look up. Never fails:
//! Stripe sends an event again for three days if it is refused, and what one version cannot read another may.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::event::{Event, Form, reference};
use super::ids::{CustomerId, InvoiceId, SessionId, SubscriptionId};
use super::objects::{CheckoutSession, Customer, Invoice, Metadata, Subscription};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal,)+) => {
        /// The kinds of events that count here.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind,)+
        }

        impl Kind {
            /// All of them: what the endpoint at Stripe has to send.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// Stripe's word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)+
                }
            }
        }
    };
}

kinds! {
    /// A checkout was paid, or a trial began.
    CheckoutCompleted = "checkout.session.completed",
    /// A checkout was left for 24 hours, or we ended it.
    CheckoutExpired = "checkout.session.expired",
    /// There is a new subscription, perhaps not paid yet.
    SubscriptionCreated = "customer.subscription.created",
    /// Plan, state, end or period changed.
    SubscriptionUpdated = "customer.subscription.updated",
    /// It ended.
    SubscriptionDeleted = "customer.subscription.deleted",
    /// It was paused: no invoices are made.
    SubscriptionPaused = "customer.subscription.paused",
    /// It goes on.
    SubscriptionResumed = "customer.subscription.resumed",
    /// The trial ends in three days, or at once if it is shorter.
    TrialWillEnd = "customer.subscription.trial_will_end",
    /// An invoice is paid, by whatever way.
    InvoicePaid = "invoice.paid",
    /// A payment failed.
    InvoicePaymentFailed = "invoice.payment_failed",
    /// The customer has to confirm a payment.
    InvoicePaymentActionRequired = "invoice.payment_action_required",
    /// An invoice can no longer change and may be paid.
    InvoiceFinalized = "invoice.finalized",
    /// An invoice will be made in some days.
    InvoiceUpcoming = "invoice.upcoming",
    /// A customer was deleted, with all subscriptions.
    CustomerDeleted = "customer.deleted",
}

impl Kind {
    /// The kind of this word, with or without the `v1.` of thin events.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.strip_prefix("v1.").unwrap_or(word);
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }

    const fn family(self) -> Family {
        match self {
            Self::CheckoutCompleted | Self::CheckoutExpired => Family::Checkout,
            Self::SubscriptionCreated
            | Self::SubscriptionUpdated
            | Self::SubscriptionDeleted
            | Self::SubscriptionPaused
            | Self::SubscriptionResumed
            | Self::TrialWillEnd => Family::Subscription,
            Self::InvoicePaid
            | Self::InvoicePaymentFailed
            | Self::InvoicePaymentActionRequired
            | Self::InvoiceFinalized
            | Self::InvoiceUpcoming => Family::Invoice,
            Self::CustomerDeleted => Family::Customer,
        }
    }
}

/// What kind of object an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Checkout,
    Subscription,
    Invoice,
    Customer,
}

/// What an event concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Objects that may be ours: look them up.
    Concerns(Concern),
    /// Certainly nothing of ours.
    NotOurs(Foreign),
    /// A kind that does not count here, or that is not known.
    Unknown,
    /// A kind that counts, and no object is named that could be asked for.
    Unclear(Kind),
}

/// The objects that an event names. At least one id is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// What happened.
    pub kind: Kind,
    /// The subscription.
    pub subscription: Option<SubscriptionId>,
    /// Who pays.
    pub customer: Option<CustomerId>,
    /// The checkout session.
    pub session: Option<SessionId>,
    /// The invoice; none for `invoice.upcoming`.
    pub invoice: Option<InvoiceId>,
    /// What we wrote on the object. See [`Metadata`]: it is no proof.
    pub metadata: Metadata,
}

/// Why an event is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A checkout of something else than a subscription.
    OtherCheckout,
    /// An invoice without a subscription.
    OtherInvoice,
    /// It comes from another account that is connected to ours.
    OtherAccount,
}

impl Concern {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            subscription: None,
            customer: None,
            session: None,
            invoice: None,
            metadata: Metadata::default(),
        }
    }

    fn names_something(&self) -> bool {
        self.subscription.is_some()
            || self.customer.is_some()
            || self.session.is_some()
            || self.invoice.is_some()
    }
}

/// What an event concerns.
#[must_use]
pub fn subject(event: &Event) -> Subject {
    let Some(kind) = Kind::parse(&event.kind) else {
        return Subject::Unknown;
    };
    if event.account.is_some() {
        return Subject::NotOurs(Foreign::OtherAccount);
    }
    let concern = match event.form {
        Form::Snapshot => of_snapshot(kind, event),
        Form::Thin => Ok(of_thin(kind, event)),
    };
    match concern {
        Err(foreign) => Subject::NotOurs(foreign),
        Ok(concern) if concern.names_something() => Subject::Concerns(concern),
        Ok(_) => Subject::Unclear(kind),
    }
}

fn of_snapshot(kind: Kind, event: &Event) -> Result<Concern, Foreign> {
    let mut concern = Concern::new(kind);
    match kind.family() {
        Family::Subscription => {
            if let Some(subscription) = salvaged::<Subscription>(event) {
                concern.subscription = Some(subscription.id);
                concern.customer = subscription.customer;
                concern.metadata = subscription.metadata;
            }
        }
        Family::Checkout => {
            if let Some(session) = salvaged::<CheckoutSession>(event) {
                if session.mode.is_some_and(|mode| mode != "subscription") {
                    return Err(Foreign::OtherCheckout);
                }
                concern.session = Some(session.id);
                concern.subscription = session.subscription;
                concern.customer = session.customer;
                concern.metadata = session.metadata;
            }
        }
        Family::Invoice => {
            if let Some(invoice) = salvaged::<Invoice>(event) {
                concern.subscription = invoice.subscription().cloned();
                if concern.subscription.is_none() && !is_for_a_subscription(&invoice) {
                    return Err(Foreign::OtherInvoice);
                }
                concern.metadata = invoice.our_metadata().clone();
                concern.invoice = invoice.id;
                concern.customer = invoice.customer;
            }
        }
        Family::Customer => {
            if let Some(customer) = salvaged::<Customer>(event) {
                concern.customer = Some(customer.id);
                concern.metadata = customer.metadata;
            }
        }
    }
    Ok(concern)
}

/// What an invoice says of itself, for a version that names its subscription in a place that is not known.
fn is_for_a_subscription(invoice: &Invoice) -> bool {
    let reason = invoice.billing_reason.as_deref().unwrap_or_default();
    reason.starts_with("subscription") || reason == "upcoming"
}

/// Thin events name one object; those of 2026-10-28 about upcoming invoices, which have no id, name the
/// customer and the subscription in their data.
fn of_thin(kind: Kind, event: &Event) -> Concern {
    let mut concern = Concern::new(kind);
    let data = event.object.as_ref();
    let mut data = data
        .and_then(|data| serde_json::from_str::<Map<String, Value>>(data.get()).ok())
        .unwrap_or_default();
    let mut named = |field: &str| data.remove(field).and_then(reference);
    concern.subscription = named("subscription").and_then(|id| id.try_into().ok());
    concern.customer = named("customer").and_then(|id| id.try_into().ok());
    if let Some(related) = event.related.as_ref().map(|related| related.id.clone()) {
        match kind.family() {
            Family::Subscription => concern.subscription = related.try_into().ok(),
            Family::Checkout => concern.session = related.try_into().ok(),
            Family::Invoice => concern.invoice = related.try_into().ok(),
            Family::Customer => concern.customer = related.try_into().ok(),
        }
    }
    concern
}

/// The object of an event without the fields that cannot be read: a newer version may write one of them
/// otherwise, and then at least the ids are known, by which the object can be asked for in our version.
fn salvaged<T: DeserializeOwned>(event: &Event) -> Option<T> {
    let object = event.object.as_ref()?;
    if let Ok(whole) = serde_json::from_str(object.get()) {
        return Some(whole);
    }
    let mut fields: Map<String, Value> = serde_json::from_str(object.get()).ok()?;
    let id = fields.remove("id");
    let with_id = |fields: Map<String, Value>| {
        let id = id.clone().map(|id| ("id".to_owned(), id));
        Value::Object(fields.into_iter().chain(id).collect())
    };
    let readable = |field: &(String, Value)| {
        let alone = Map::from_iter([field.clone()]);
        serde_json::from_value::<T>(with_id(alone)).is_ok()
    };
    let kept = fields.into_iter().filter(readable).collect();
    serde_json::from_value(with_id(kept)).ok()
}
