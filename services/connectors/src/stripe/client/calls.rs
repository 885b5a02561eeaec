//! The calls. Each write takes the key of the command that caused it: the same key with the same parameters
//! within 24 hours gives the first answer again in place of a second effect
//! (docs.stripe.com/api/idempotent_requests).

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::{IdempotencyKey, Request, Stripe};
use crate::error::CallError;
use crate::json;
use crate::stripe::error::StripeError;
use crate::stripe::event::Event;
use crate::stripe::ids::{CustomerId, EventId, InvoiceId, SessionId, SubscriptionId};
use crate::stripe::objects::{CheckoutSession, Customer, Invoice, List, PortalSession, Status, Subscription};
use crate::stripe::requests::{
    Checkout, CheckoutForm, EndForm, EventsQuery, NewCustomer, Nothing, Portal, PortalForm, PreviewForm,
    PriceChange, PriceForm, Since, SubscriptionsQuery,
};
use crate::stripe::subject::Kind;

/// Most objects that Stripe puts on a page.
const PAGE: u32 = 100;
/// Most pages of one customer's subscriptions; more would be a list that never ends.
const PAGES: usize = 50;

const CREATE_CUSTOMER: &str = "POST /v1/customers";
const CUSTOMER: &str = "GET /v1/customers/{id}";
const DELETE_CUSTOMER: &str = "DELETE /v1/customers/{id}";
const CREATE_CHECKOUT: &str = "POST /v1/checkout/sessions";
const CHECKOUT: &str = "GET /v1/checkout/sessions/{id}";
const EXPIRE_CHECKOUT: &str = "POST /v1/checkout/sessions/{id}/expire";
const CREATE_PORTAL: &str = "POST /v1/billing_portal/sessions";
const SUBSCRIPTION: &str = "GET /v1/subscriptions/{id}";
const SUBSCRIPTIONS: &str = "GET /v1/subscriptions";
const UPDATE_SUBSCRIPTION: &str = "POST /v1/subscriptions/{id}";
const CANCEL_SUBSCRIPTION: &str = "DELETE /v1/subscriptions/{id}";
const RESUME_SUBSCRIPTION: &str = "POST /v1/subscriptions/{id}/resume";
const PREVIEW: &str = "POST /v1/invoices/create_preview";
const INVOICE: &str = "GET /v1/invoices/{id}";
const EVENTS: &str = "GET /v1/events";
const EVENT: &str = "GET /v1/events/{id}";
const THIN_EVENT: &str = "GET /v2/core/events/{id}";

/// An event that was asked for.
#[derive(Clone)]
pub struct ListedEvent {
    /// What it says.
    pub event: Event,
    /// The same as Stripe wrote it. It names who pays.
    pub body: String,
}

impl std::fmt::Debug for ListedEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.event.fmt(f)
    }
}

/// One page of events, the newest first.
#[derive(Debug, Clone)]
pub struct EventPage {
    /// At most 100.
    pub events: Vec<ListedEvent>,
    /// Where the next page begins; none if this was the last one.
    pub next: Option<EventId>,
}

impl Stripe {
    /// Makes a customer.
    ///
    /// # Errors
    /// [`StripeError`], as for every call here.
    pub async fn create_customer(
        &self,
        key: &IdempotencyKey,
        customer: &NewCustomer<'_>,
    ) -> Result<Customer, StripeError> {
        self.ask(Request::post(CREATE_CUSTOMER, "/v1/customers", Some(key)).form(customer))
            .await
    }

    /// A customer. One that was deleted is found as well, and says so.
    ///
    /// # Errors
    /// [`StripeError`]; [`StripeError::is_missing`] if there never was such a customer in this account.
    pub async fn customer(&self, id: &CustomerId) -> Result<Customer, StripeError> {
        self.ask(Request::get(CUSTOMER, format!("/v1/customers/{id}")))
            .await
    }

    /// Deletes a customer with what Stripe knows of who pays, and ends its subscriptions. One that was
    /// deleted before, or never was, is no error.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn delete_customer(&self, key: &IdempotencyKey, id: &CustomerId) -> Result<(), StripeError> {
        let request = Request::delete(DELETE_CUSTOMER, format!("/v1/customers/{id}"), key);
        match self.ask::<Customer>(request).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_missing() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes a session in which a subscription can be paid, at its [`CheckoutSession::url`].
    ///
    /// # Errors
    /// [`StripeError`]; refused if the customer or the price does not exist.
    pub async fn create_checkout(
        &self,
        key: &IdempotencyKey,
        checkout: &Checkout<'_>,
    ) -> Result<CheckoutSession, StripeError> {
        let form = CheckoutForm::from(checkout);
        self.ask(Request::post(CREATE_CHECKOUT, "/v1/checkout/sessions", Some(key)).form(&form))
            .await
    }

    /// A checkout session.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn checkout(&self, id: &SessionId) -> Result<CheckoutSession, StripeError> {
        self.ask(Request::get(CHECKOUT, format!("/v1/checkout/sessions/{id}")))
            .await
    }

    /// Ends an open session, so that it can no longer be paid.
    ///
    /// # Errors
    /// [`StripeError`]; refused if it is complete or expired already.
    pub async fn expire_checkout(
        &self,
        key: &IdempotencyKey,
        id: &SessionId,
    ) -> Result<CheckoutSession, StripeError> {
        let path = format!("/v1/checkout/sessions/{id}/expire");
        self.ask(Request::post(EXPIRE_CHECKOUT, path, Some(key)).form(&Nothing {}))
            .await
    }

    /// Opens the customer portal.
    ///
    /// # Errors
    /// [`StripeError`]; refused if the portal is not configured in this account.
    pub async fn create_portal(
        &self,
        key: &IdempotencyKey,
        portal: &Portal<'_>,
    ) -> Result<PortalSession, StripeError> {
        let form = PortalForm::from(portal);
        self.ask(Request::post(CREATE_PORTAL, "/v1/billing_portal/sessions", Some(key)).form(&form))
            .await
    }

    /// A subscription, also one that has ended.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn subscription(&self, id: &SubscriptionId) -> Result<Subscription, StripeError> {
        self.ask(Request::get(SUBSCRIPTION, format!("/v1/subscriptions/{id}")))
            .await
    }

    /// All subscriptions a customer ever had, the newest first.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn subscriptions(&self, customer: &CustomerId) -> Result<Vec<Subscription>, StripeError> {
        let mut all: Vec<Subscription> = Vec::new();
        for _page in 0..PAGES {
            let query = SubscriptionsQuery {
                customer,
                status: "all",
                limit: PAGE,
                starting_after: all.last().map(|subscription| subscription.id.as_str()),
            };
            let request = Request::get(SUBSCRIPTIONS, "/v1/subscriptions").query(&query);
            let page: List<Subscription> = self.ask(request).await?;
            let done = !page.has_more || page.data.is_empty();
            all.extend(page.data);
            if done {
                return Ok(all);
            }
        }
        Err(malformed(SUBSCRIPTIONS, "a list without an end"))
    }

    /// Changes what is bought. With [`Proration::AlwaysInvoice`](crate::stripe::Proration::AlwaysInvoice) the
    /// difference is paid at once, or nothing changes.
    ///
    /// # Errors
    /// [`StripeError`]; refused with the type `card_error` if the payment fails.
    pub async fn change_price(
        &self,
        key: &IdempotencyKey,
        change: &PriceChange<'_>,
    ) -> Result<Subscription, StripeError> {
        self.update(key, change.subscription, &PriceForm::from(change))
            .await
    }

    /// What [`Stripe::change_price`] would cost: the invoice that it would make, without making it. Its lines
    /// with [`is_proration`](crate::stripe::InvoiceLine::is_proration) settle the rest of the period.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn preview_price(&self, change: &PriceChange<'_>) -> Result<Invoice, StripeError> {
        let form = PreviewForm::from(change);
        self.ask(Request::post(PREVIEW, "/v1/invoices/create_preview", None).form(&form))
            .await
    }

    /// Lets a subscription end with the paid period.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn cancel_at_period_end(
        &self,
        key: &IdempotencyKey,
        id: &SubscriptionId,
    ) -> Result<Subscription, StripeError> {
        let form = EndForm::Period {
            cancel_at_period_end: true,
        };
        self.update(key, id, &form).await
    }

    /// Takes back that a subscription is going to end, whether with its period or at a date.
    ///
    /// # Errors
    /// [`StripeError`]; refused if it has ended.
    pub async fn keep(
        &self,
        key: &IdempotencyKey,
        subscription: &Subscription,
    ) -> Result<Subscription, StripeError> {
        let at_date = subscription.cancel_at.is_some() && subscription.cancel_at_period_end != Some(true);
        let form = if at_date {
            EndForm::Date { cancel_at: "" }
        } else {
            EndForm::Period {
                cancel_at_period_end: false,
            }
        };
        self.update(key, &subscription.id, &form).await
    }

    /// Ends a subscription now, without money back. One that has ended already is no error.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn cancel_now(
        &self,
        key: &IdempotencyKey,
        id: &SubscriptionId,
    ) -> Result<Subscription, StripeError> {
        let path = format!("/v1/subscriptions/{id}");
        match self.ask(Request::delete(CANCEL_SUBSCRIPTION, path, key)).await {
            // Stripe does not find a subscription to end that has ended; to read it does.
            Err(error) if error.is_missing() => match self.subscription(id).await {
                Ok(ended) if ended.status.as_ref().is_some_and(Status::is_final) => Ok(ended),
                _ => Err(error),
            },
            other => other,
        }
    }

    /// Lets a paused subscription go on; a new period begins and is invoiced.
    ///
    /// # Errors
    /// [`StripeError`]; refused if it is not paused.
    pub async fn resume(
        &self,
        key: &IdempotencyKey,
        id: &SubscriptionId,
    ) -> Result<Subscription, StripeError> {
        let path = format!("/v1/subscriptions/{id}/resume");
        self.ask(Request::post(RESUME_SUBSCRIPTION, path, Some(key)).form(&Nothing {}))
            .await
    }

    /// An invoice.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn invoice(&self, id: &InvoiceId) -> Result<Invoice, StripeError> {
        self.ask(Request::get(INVOICE, format!("/v1/invoices/{id}")))
            .await
    }

    /// One page of the events of [`Kind::ALL`] since a moment, the newest first. Stripe keeps them for 30
    /// days. They are written in the version of the account, not in ours.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn events(
        &self,
        since: DateTime<Utc>,
        after: Option<&EventId>,
    ) -> Result<EventPage, StripeError> {
        let types: Vec<&'static str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        let query = EventsQuery {
            types: &types,
            created: Since { gte: since },
            limit: PAGE,
            starting_after: after.map(EventId::as_str),
        };
        let request = Request::get(EVENTS, "/v1/events").query(&query);
        let page: List<Box<RawValue>> = self.ask(request).await?;
        let events: Vec<ListedEvent> = (page.data.iter())
            .map(|raw| listed(EVENTS, raw.get().as_bytes()))
            .collect::<Result<_, _>>()?;
        let next = if page.has_more {
            events.last().map(|last| last.event.id.clone())
        } else {
            None
        };
        Ok(EventPage { events, next })
    }

    /// An event, at most 30 days old.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn event(&self, id: &EventId) -> Result<ListedEvent, StripeError> {
        let body = self.send(Request::get(EVENT, format!("/v1/events/{id}"))).await?;
        listed(EVENT, &body)
    }

    /// A thin event with all of its data.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn thin_event(&self, id: &EventId) -> Result<ListedEvent, StripeError> {
        let body = self
            .send(Request::get(THIN_EVENT, format!("/v2/core/events/{id}")))
            .await?;
        listed(THIN_EVENT, &body)
    }

    async fn update(
        &self,
        key: &IdempotencyKey,
        id: &SubscriptionId,
        form: &impl serde::Serialize,
    ) -> Result<Subscription, StripeError> {
        let path = format!("/v1/subscriptions/{id}");
        self.ask(Request::post(UPDATE_SUBSCRIPTION, path, Some(key)).form(form))
            .await
    }
}

fn listed(endpoint: &'static str, body: &[u8]) -> Result<ListedEvent, StripeError> {
    let event = Event::parse(body).map_err(|error| malformed(endpoint, &error.to_string()))?;
    Ok(ListedEvent {
        event,
        body: String::from_utf8_lossy(body).into_owned(),
    })
}

fn malformed(endpoint: &'static str, what: &str) -> StripeError {
    CallError::new(endpoint, json::malformed(what)).into()
}
