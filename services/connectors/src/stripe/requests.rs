//! What is asked of Stripe, as the parameters of its API. They are written as forms, nested as `a[b][0][c]`.

use chrono::serde::{ts_seconds, ts_seconds_option};
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::ids::{CustomerId, ItemId, PriceId, SubscriptionId};
use super::objects::Metadata;

/// A customer to be made.
#[derive(Clone, Serialize)]
pub struct NewCustomer<'a> {
    /// Where Stripe sends receipts; personal data, so this type cannot be printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    /// Whose customer it is.
    pub metadata: &'a Metadata,
}

/// A subscription that is going to be paid on Stripe's page.
#[derive(Debug, Clone)]
pub struct Checkout<'a> {
    /// Who pays.
    pub customer: &'a CustomerId,
    /// What is bought, once.
    pub price: &'a PriceId,
    /// Written on the session and on the subscription it makes.
    pub metadata: &'a Metadata,
    /// Written on the session, for people who look at it at Stripe.
    pub reference: &'a str,
    /// Where Stripe sends the person afterwards. Stripe puts the session's id in the place of
    /// `{CHECKOUT_SESSION_ID}`.
    pub success_url: &'a str,
    /// Where Stripe's page leads back to.
    pub cancel_url: &'a str,
    /// Days of trial before the first payment, if there is one.
    pub trial_days: Option<u32>,
    /// End of a trial that has begun elsewhere, at least 48 hours ahead; in place of `trial_days`.
    pub trial_end: Option<DateTime<Utc>>,
    /// Whether Stripe's page takes promotion codes.
    pub promotion_codes: bool,
    /// When it can no longer be paid, 30 minutes to 24 hours ahead; 24 hours if none.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A way into the portal where customers manage their subscription.
#[derive(Debug, Clone)]
pub struct Portal<'a> {
    /// Whose portal.
    pub customer: &'a CustomerId,
    /// Where the portal leads back to.
    pub return_url: &'a str,
    /// What the portal opens with; its overview if none.
    pub flow: Option<PortalFlow<'a>>,
}

/// What the portal opens with.
#[derive(Debug, Clone, Copy)]
pub enum PortalFlow<'a> {
    /// Another means of payment.
    PaymentMethod,
    /// Another plan for this subscription.
    ChangePlan(&'a SubscriptionId),
    /// The end of this subscription.
    Cancel(&'a SubscriptionId),
}

/// Another price for a subscription.
#[derive(Debug, Clone)]
pub struct PriceChange<'a> {
    /// The subscription.
    pub subscription: &'a SubscriptionId,
    /// Its line.
    pub item: &'a ItemId,
    /// What is bought from now on.
    pub price: &'a PriceId,
    /// How the rest of the period is settled.
    pub proration: Proration,
    /// From when the rest is counted; now if none. The same moment in the preview and in the change gives the
    /// same sum.
    pub counted_from: Option<DateTime<Utc>>,
}

/// How the rest of a period is settled when the price changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Proration {
    /// On the next invoice.
    CreateProrations,
    /// At once. If that payment fails the change is refused, so that nothing unpaid is used.
    AlwaysInvoice,
    /// Not at all.
    None,
}

/// Written out, since what is read and what is sent differ: nothing is sent for what is not there.
impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ours = [
            (super::objects::TENANT_KEY, &self.tenant_id),
            (super::objects::USER_KEY, &self.user_id),
        ];
        serializer.collect_map(
            ours.iter()
                .filter_map(|(key, value)| Some((*key, value.as_ref()?))),
        )
    }
}

/// `checkout/sessions`.
#[derive(Serialize)]
pub(super) struct CheckoutForm<'a> {
    mode: &'static str,
    customer: &'a CustomerId,
    line_items: [LineItem<'a>; 1],
    client_reference_id: &'a str,
    metadata: &'a Metadata,
    subscription_data: SubscriptionData<'a>,
    success_url: &'a str,
    cancel_url: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    allow_promotion_codes: bool,
    #[serde(skip_serializing_if = "Option::is_none", with = "ts_seconds_option")]
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct LineItem<'a> {
    price: &'a PriceId,
    quantity: u32,
}

#[derive(Serialize)]
struct SubscriptionData<'a> {
    metadata: &'a Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    trial_period_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", with = "ts_seconds_option")]
    trial_end: Option<DateTime<Utc>>,
}

impl<'a> From<&Checkout<'a>> for CheckoutForm<'a> {
    fn from(checkout: &Checkout<'a>) -> Self {
        Self {
            mode: "subscription",
            customer: checkout.customer,
            line_items: [LineItem {
                price: checkout.price,
                quantity: 1,
            }],
            client_reference_id: checkout.reference,
            metadata: checkout.metadata,
            subscription_data: SubscriptionData {
                metadata: checkout.metadata,
                trial_period_days: checkout.trial_days,
                trial_end: checkout.trial_end,
            },
            success_url: checkout.success_url,
            cancel_url: checkout.cancel_url,
            allow_promotion_codes: checkout.promotion_codes,
            expires_at: checkout.expires_at,
        }
    }
}

/// `billing_portal/sessions`.
#[derive(Serialize)]
pub(super) struct PortalForm<'a> {
    customer: &'a CustomerId,
    return_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_data: Option<FlowData<'a>>,
}

#[derive(Serialize)]
struct FlowData<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_update: Option<Flow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_cancel: Option<Flow<'a>>,
}

#[derive(Serialize)]
struct Flow<'a> {
    subscription: &'a SubscriptionId,
}

impl<'a> From<&Portal<'a>> for PortalForm<'a> {
    fn from(portal: &Portal<'a>) -> Self {
        let flow = |subscription| Some(Flow { subscription });
        let (r#type, subscription_update, subscription_cancel) = match portal.flow {
            None => {
                return Self {
                    customer: portal.customer,
                    return_url: portal.return_url,
                    flow_data: None,
                };
            }
            Some(PortalFlow::PaymentMethod) => ("payment_method_update", None, None),
            Some(PortalFlow::ChangePlan(subscription)) => ("subscription_update", flow(subscription), None),
            Some(PortalFlow::Cancel(subscription)) => ("subscription_cancel", None, flow(subscription)),
        };
        Self {
            customer: portal.customer,
            return_url: portal.return_url,
            flow_data: Some(FlowData {
                r#type,
                subscription_update,
                subscription_cancel,
            }),
        }
    }
}

#[derive(Serialize)]
struct ChangedItem<'a> {
    id: &'a ItemId,
    price: &'a PriceId,
}

/// `subscriptions/{id}`, for another price.
#[derive(Serialize)]
pub(super) struct PriceForm<'a> {
    items: [ChangedItem<'a>; 1],
    proration_behavior: Proration,
    #[serde(skip_serializing_if = "Option::is_none", with = "ts_seconds_option")]
    proration_date: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_behavior: Option<&'static str>,
}

impl<'a> From<&PriceChange<'a>> for PriceForm<'a> {
    fn from(change: &PriceChange<'a>) -> Self {
        let at_once = change.proration == Proration::AlwaysInvoice;
        Self {
            items: [ChangedItem {
                id: change.item,
                price: change.price,
            }],
            proration_behavior: change.proration,
            proration_date: change.counted_from,
            payment_behavior: at_once.then_some("error_if_incomplete"),
        }
    }
}

/// `invoices/create_preview`.
#[derive(Serialize)]
pub(super) struct PreviewForm<'a> {
    subscription: &'a SubscriptionId,
    subscription_details: PreviewDetails<'a>,
}

#[derive(Serialize)]
struct PreviewDetails<'a> {
    items: [ChangedItem<'a>; 1],
    proration_behavior: Proration,
    #[serde(skip_serializing_if = "Option::is_none", with = "ts_seconds_option")]
    proration_date: Option<DateTime<Utc>>,
}

impl<'a> From<&PriceChange<'a>> for PreviewForm<'a> {
    fn from(change: &PriceChange<'a>) -> Self {
        Self {
            subscription: change.subscription,
            subscription_details: PreviewDetails {
                items: [ChangedItem {
                    id: change.item,
                    price: change.price,
                }],
                proration_behavior: change.proration,
                proration_date: change.counted_from,
            },
        }
    }
}

/// `subscriptions/{id}`, for its end.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum EndForm {
    /// With the paid period, or no longer.
    Period { cancel_at_period_end: bool },
    /// An empty text takes the date away.
    Date { cancel_at: &'static str },
}

/// `subscriptions`, all of a customer.
#[derive(Serialize)]
pub(super) struct SubscriptionsQuery<'a> {
    pub(super) customer: &'a CustomerId,
    /// With those that ended.
    pub(super) status: &'static str,
    pub(super) limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) starting_after: Option<&'a str>,
}

/// `events`, of some kinds.
#[derive(Serialize)]
pub(super) struct EventsQuery<'a> {
    pub(super) types: &'a [&'static str],
    pub(super) created: Since,
    pub(super) limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) starting_after: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Since {
    #[serde(with = "ts_seconds")]
    pub(super) gte: DateTime<Utc>,
}

/// For calls without parameters.
#[derive(Serialize)]
pub(super) struct Nothing {}
