//! What Stripe sent becomes what is in the log. An event says that something happened to a customer of
//! ours; how the customer stands is asked of Stripe, so neither the order of events nor how often they come
//! matters. Only what Stripe's objects do not keep is taken out of the event itself: that an attempt to
//! collect a payment failed.
//!
//! Everything here may be done twice.

mod facts;

use std::sync::Arc;

use ::billing::{Claimed, Customer, End, FormerCustomers, Inbox, Received, StoreError};
use chrono::{DateTime, Utc};
use connectors::stripe::{
    Concern, CustomerId, Event, EventId, Foreign, Kind, Stripe, StripeError, Subject, subject,
};
use domain::subscription::{SubscriptionCommand, SubscriptionRefusal};
use events::ids::CommandId;
use uuid::Uuid;

use super::observe::{ObserveError, observe_customer};
use crate::{App, Context, ExecuteError, subscriptions};

use facts::Fact;

/// Where Stripe's events are, and whose customers were whose.
#[derive(Clone)]
pub struct Taking {
    /// The use cases, as the worker.
    pub app: App,
    /// What Stripe sent.
    pub inbox: Inbox,
    /// Customers that were deleted at Stripe.
    pub former: FormerCustomers,
}

/// What became of an event that was taken up.
#[derive(Debug)]
pub struct Taken {
    /// The event.
    pub event_id: String,
    /// Whose it is at Stripe, where that was found out.
    pub customer: Option<String>,
    /// How it ended, or why it has to come again.
    pub outcome: Result<End, TakeError>,
}

/// Why an event has to come again. Nothing is lost by that.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// This process has no account at Stripe.
    #[error("no account at Stripe is set up")]
    NotSelling,
    /// Stripe did not answer, or refused.
    #[error("Stripe could not be asked")]
    Stripe(#[from] StripeError),
    /// How the customer stands is not known. Events that were taken up together share the reason.
    #[error("it is not known how the customer stands")]
    Observe(#[source] Arc<ObserveError>),
    /// The tables of billing failed.
    #[error("the tables of billing failed")]
    Store(#[from] StoreError),
    /// The subscription's stream failed.
    #[error("what happened could not be recorded")]
    Execute(#[from] ExecuteError<SubscriptionRefusal>),
}

impl TakeError {
    /// Whether it passes within a second or so: somebody else reads the customer at the moment.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.observing(), Some(ObserveError::Busy))
    }

    /// Whether only an operator can help: Stripe's answer has no meaning here.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(
            self.observing(),
            Some(ObserveError::Unusable(_) | ObserveError::Id(_))
        )
    }

    fn observing(&self) -> Option<&ObserveError> {
        match self {
            Self::Observe(error) => Some(error),
            _ => None,
        }
    }
}

/// An event that was read.
enum Read {
    /// It has ended with that.
    Ended(End),
    /// It is about a customer.
    About(Box<News>),
}

struct News {
    event: Event,
    concern: Concern,
    customer: CustomerId,
}

/// A customer, and whether it was recorded how it stands.
type Known = (Customer, Result<(), Arc<ObserveError>>);

/// Whose customer it is.
enum Owner {
    Present(Customer),
    /// Deleted at Stripe: only payments still count.
    Former(Customer),
}

impl Taking {
    /// Takes up events, which the inbox gives out by customer. Says of each what became of it; to note that
    /// in the inbox is the caller's.
    pub async fn take(&self, claimed: &[Claimed], now: DateTime<Utc>) -> Vec<Taken> {
        let mut taken = Vec::with_capacity(claimed.len());
        let mut known = None;
        for event in claimed {
            let read = self.read(event, now).await;
            let (customer, outcome) = match read {
                Err(error) => (None, Err(error)),
                Ok(Read::Ended(end)) => (None, Ok(end)),
                Ok(Read::About(news)) => {
                    let outcome = self.about(&news, now, &mut known).await;
                    (Some(news.customer.as_str().to_owned()), outcome)
                }
            };
            taken.push(Taken {
                event_id: event.event_id.clone(),
                customer,
                outcome,
            });
        }
        taken
    }

    fn stripe(&self) -> Result<&Stripe, TakeError> {
        let card = self.app.card.as_ref().ok_or(TakeError::NotSelling)?;
        Ok(&card.stripe)
    }

    /// What an event is about, by the event alone where that is enough.
    async fn read(&self, claimed: &Claimed, now: DateTime<Utc>) -> Result<Read, TakeError> {
        let Some(body) = &claimed.body else {
            return Ok(ignored("its body was destroyed"));
        };
        let event = match Event::parse(body) {
            Ok(event) => event,
            Err(error) => return Ok(Read::Ended(End::Failed(error.to_string()))),
        };
        let concern = match subject(&event) {
            Subject::Concerns(concern) => Some(concern),
            Subject::Unclear(_) => None,
            Subject::Unknown => return Ok(ignored("a kind that does not count here")),
            Subject::NotOurs(foreign) => return Ok(ignored(why(foreign))),
        };
        if let Some(snapshot) = &event.snapshot_event
            && self.stands_for(snapshot, now).await?
        {
            return Ok(ignored(&format!("it says the same as {snapshot}")));
        }
        let Some(concern) = concern else {
            if Kind::parse(&event.kind) == Some(Kind::InvoiceUpcoming) {
                return Ok(ignored("it announces an invoice and names nobody"));
            }
            let why = "it names no object that could be asked for".to_owned();
            return Ok(Read::Ended(End::Failed(why)));
        };
        let Some(customer) = self.customer(&concern).await? else {
            return Ok(ignored("its object names no customer, or is not there"));
        };
        Ok(Read::About(Box::new(News {
            event,
            concern,
            customer,
        })))
    }

    /// Whether the snapshot of what a thin event tells is in the inbox, now at the latest: it says more,
    /// and one of both is enough.
    async fn stands_for(&self, snapshot: &EventId, now: DateTime<Utc>) -> Result<bool, TakeError> {
        if self.inbox.has(snapshot.as_str()).await? {
            return Ok(true);
        }
        let listed = match self.stripe()?.event(snapshot).await {
            Ok(listed) => listed,
            // Older than Stripe keeps them: the object itself has to do.
            Err(error) if error.is_missing() => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        store(&self.inbox, &listed.event, listed.body.as_bytes(), now).await?;
        Ok(true)
    }

    /// The customer that an event's objects belong to.
    async fn customer(&self, concern: &Concern) -> Result<Option<CustomerId>, TakeError> {
        if let Some(customer) = &concern.customer {
            return Ok(Some(customer.clone()));
        }
        let stripe = self.stripe()?;
        let asked = if let Some(id) = &concern.subscription {
            stripe.subscription(id).await.map(|found| found.customer)
        } else if let Some(id) = &concern.session {
            stripe.checkout(id).await.map(|found| found.customer)
        } else if let Some(id) = &concern.invoice {
            stripe.invoice(id).await.map(|found| found.customer)
        } else {
            Ok(None)
        };
        match asked {
            Err(error) if error.is_missing() => Ok(None),
            asked => Ok(asked?),
        }
    }

    /// Records what an event says about a customer. `known` is whether it was recorded how the customer
    /// stands.
    async fn about(
        &self,
        news: &News,
        now: DateTime<Utc>,
        known: &mut Option<Known>,
    ) -> Result<End, TakeError> {
        let Some(owner) = self.owner(&news.customer).await? else {
            return Ok(End::Ignored("the customer is not ours".to_owned()));
        };
        let (customer, former) = match owner {
            Owner::Present(customer) => (customer, false),
            Owner::Former(customer) => (customer, true),
        };
        let context = context(&customer, news, now);
        if !former {
            self.observe(&context, &customer, known).await?;
        }
        let command = match self.fact(news).await? {
            Fact::None => None,
            Fact::Unclear(why) => return Ok(End::Failed(why.to_owned())),
            Fact::Paid(paid) => Some((
                format!("{}:paid", paid.invoice),
                SubscriptionCommand::RecordPayment(paid),
            )),
            Fact::Failed(failed) => {
                let word = if failed.action_required {
                    "action"
                } else {
                    "failed"
                };
                let key = format!("{}:{word}:{}", failed.invoice, failed.attempt);
                Some((key, SubscriptionCommand::RecordFailure(failed)))
            }
            Fact::TrialEnds if former => None,
            Fact::TrialEnds => Some((
                format!("{}:announce", news.event.id),
                SubscriptionCommand::Announce,
            )),
        };
        if let Some((key, command)) = command {
            let user = customer.user_id;
            let part = Context {
                command_id: CommandId::derived(user.uuid(), &key),
                causation_id: Some(context.command_id.uuid()),
                ..context.clone()
            };
            subscriptions::execute(&self.app, &part, user, command).await?;
        }
        self.tidy_up(news, &customer, now).await?;
        Ok(End::Done)
    }

    async fn owner(&self, customer: &CustomerId) -> Result<Option<Owner>, TakeError> {
        if let Some(customer) = self.app.customers.by_id(customer.as_str()).await? {
            return Ok(Some(Owner::Present(customer)));
        }
        let former = self.former.owner(customer.as_str()).await?;
        Ok(former.map(|(tenant_id, user_id)| {
            Owner::Former(Customer {
                tenant_id,
                user_id,
                customer: customer.as_str().to_owned(),
            })
        }))
    }

    /// Asks how the customer stands, once for all events that were taken up together: they are all older.
    async fn observe(
        &self,
        context: &Context,
        customer: &Customer,
        known: &mut Option<Known>,
    ) -> Result<(), TakeError> {
        if let Some((whose, outcome)) = known
            && whose == customer
        {
            return outcome.clone().map_err(TakeError::Observe);
        }
        let observed = observe_customer(&self.app, context, customer).await;
        let outcome = observed.map(drop).map_err(Arc::new);
        *known = Some((customer.clone(), outcome.clone()));
        outcome.map_err(TakeError::Observe)
    }

    /// What is no longer true of our own tables: a session that is over is no open checkout, and a customer
    /// that was deleted at Stripe buys nothing.
    async fn tidy_up(&self, news: &News, customer: &Customer, now: DateTime<Utc>) -> Result<(), TakeError> {
        match news.concern.kind {
            Kind::CheckoutCompleted | Kind::CheckoutExpired => {
                if let Some(session) = &news.concern.session {
                    let Customer {
                        tenant_id, user_id, ..
                    } = customer;
                    let checkouts = &self.app.checkouts;
                    checkouts.delete(*tenant_id, *user_id, session.as_str()).await?;
                }
            }
            Kind::CustomerDeleted => {
                let deleted = match self.stripe()?.customer(&news.customer).await {
                    Ok(customer) => customer.deleted,
                    Err(error) if error.is_missing() => true,
                    Err(error) => return Err(error.into()),
                };
                if deleted {
                    self.former.leave(news.customer.as_str(), now).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Puts an event that was asked for into the inbox; false if it is known.
pub(super) async fn store(
    inbox: &Inbox,
    event: &Event,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let customer = match subject(event) {
        Subject::Concerns(concern) => concern.customer,
        Subject::NotOurs(_) | Subject::Unknown | Subject::Unclear(_) => None,
    };
    let received = Received {
        event_id: event.id.as_str(),
        event_type: &event.kind,
        api_version: event.api_version.as_deref(),
        customer: customer.as_ref().map(CustomerId::as_str),
        body,
    };
    inbox.store(&received, now).await
}

/// The circumstances of what an event brings about: the same whenever it is taken up.
fn context(customer: &Customer, news: &News, now: DateTime<Utc>) -> Context {
    let command_id = CommandId::derived(customer.user_id.uuid(), news.event.id.as_str());
    Context {
        tenant_id: customer.tenant_id,
        actor: "stripe".to_owned(),
        command_id,
        correlation_id: Uuid::new_v5(&Uuid::NAMESPACE_URL, news.event.id.as_str().as_bytes()),
        causation_id: None,
        traceparent: None,
        now,
    }
}

fn ignored(why: &str) -> Read {
    Read::Ended(End::Ignored(why.to_owned()))
}

const fn why(foreign: Foreign) -> &'static str {
    match foreign {
        Foreign::OtherCheckout => "a checkout of something else than a subscription",
        Foreign::OtherInvoice => "an invoice without a subscription",
        Foreign::OtherAccount => "from another account that is connected to ours",
    }
}
