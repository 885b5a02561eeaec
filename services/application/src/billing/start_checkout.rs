//! A user is going to buy a plan by card: opens the one checkout that the user may pay, after making sure
//! that nothing would be paid twice.

use billing::{Checkout, Customer};
use chrono::{DateTime, TimeDelta, Utc};
use connectors::stripe::{
    Checkout as NewCheckout, CheckoutSession, CustomerId, Metadata, NewCustomer, PriceId, SessionId,
    SessionStatus,
};
use domain::subscription::{Subscription, TRIAL};
use events::ids::UserId;
use events::subscription::{Basis, Contract, Plan};

use super::card::key;
use super::observe::settled;
use super::{BillingError, CardSales};
use crate::{App, Context};

/// How often it begins again because another request of the same user was faster.
const ROUNDS: u32 = 4;
/// A checkout with less time than this is not worth opening.
const WORTHWHILE: TimeDelta = TimeDelta::minutes(5);
/// Least time that Stripe wants until the end of a trial (docs.stripe.com/api/checkout/sessions/create,
/// `subscription_data.trial_end`), and an hour for slow clocks and slow people.
const TRIAL_AHEAD: TimeDelta = TimeDelta::hours(49);
/// How long Stripe keeps a checkout open that names no other time.
const OPEN: TimeDelta = TimeDelta::hours(24);

/// Opens a checkout for a plan, or finds the one that is open for it. One that is open for another plan is
/// closed first.
///
/// # Errors
/// [`BillingError::Exists`] where there is a subscription that is not over, even if it is not paid yet.
pub async fn start_checkout(
    app: &App,
    context: &Context,
    user: UserId,
    plan: Plan,
) -> Result<Checkout, BillingError> {
    let card = app.card.as_ref().ok_or(BillingError::NotSelling)?;
    let price = card.prices.of(plan).ok_or(BillingError::NotSold(plan))?;
    let customer = customer(app, card, context, user).await?;
    let tenant = context.tenant_id;
    for round in 0..ROUNDS {
        let subscription = nothing_paid(app, context, &customer, plan).await?;
        let known = app.checkouts.of_user(tenant, user).await?;
        if let Some(known) = &known {
            match Known::look(card, context, known, plan).await? {
                Known::Open => return Ok(known.clone()),
                Known::Over => {}
                // Paid while we looked: its subscription is seen in the next round.
                Known::Complete => {
                    app.checkouts.delete(tenant, user, &known.session).await?;
                    continue;
                }
            }
        }
        let part = context.part(&format!("checkout:{round}"));
        let opened = open(card, &part, &customer, (plan, price), &subscription).await?;
        let before = known.as_ref().map(|known| known.session.as_str());
        if app.checkouts.replace(tenant, user, before, &opened).await? {
            return Ok(opened);
        }
        // Another request opened one at the same moment; only one may be paid.
        close(card, &part, &opened.session).await?;
    }
    Err(BillingError::Contention)
}

/// Who the user is at Stripe; made there if need be.
async fn customer(
    app: &App,
    card: &CardSales,
    context: &Context,
    user: UserId,
) -> Result<Customer, BillingError> {
    let tenant_id = context.tenant_id;
    if let Some(known) = app.customers.of_user(tenant_id, user).await? {
        return Ok(known);
    }
    let account = app.accounts.get(tenant_id, user).await?;
    let email = account.as_ref().map(|account| account.email.address());
    let new = NewCustomer {
        email,
        metadata: &metadata(context, user),
    };
    let made = card
        .stripe
        .create_customer(&key(context, "customer"), &new)
        .await?;
    let customer = Customer {
        tenant_id,
        user_id: user,
        customer: made.id.as_str().to_owned(),
    };
    Ok(app.customers.insert(&customer).await?)
}

fn metadata(context: &Context, user: UserId) -> Metadata {
    Metadata {
        tenant_id: Some(context.tenant_id.to_string()),
        user_id: Some(user.to_string()),
    }
}

/// The user's subscription, if a checkout for the plan would not be paid beside it.
async fn nothing_paid(
    app: &App,
    context: &Context,
    customer: &Customer,
    plan: Plan,
) -> Result<Subscription, BillingError> {
    let observed = settled(app, context, customer).await?;
    if let Some(contract) = observed.subscription.stripe {
        return Err(BillingError::Exists {
            plan: contract.plan,
            status: contract.status,
        });
    }
    match &observed.subscription.manual {
        Some(contract) if covers(contract, plan) => Err(BillingError::Covered(contract.plan)),
        _ => Ok(observed.subscription),
    }
}

fn covers(contract: &Contract, plan: Plan) -> bool {
    contract.basis != Basis::Trial && contract.status.gives_plan() && contract.plan >= plan
}

/// What became of the checkout that was opened last.
enum Known {
    /// It can be paid, for the plan that is wanted.
    Open,
    /// It is paid.
    Complete,
    /// It cannot be paid any more.
    Over,
}

impl Known {
    async fn look(
        card: &CardSales,
        context: &Context,
        known: &Checkout,
        plan: Plan,
    ) -> Result<Self, BillingError> {
        let id = SessionId::parse(&known.session)?;
        let session = match card.stripe.checkout(&id).await {
            Ok(session) => session,
            Err(error) if error.is_missing() => return Ok(Self::Over),
            Err(error) => return Err(error.into()),
        };
        match session.status {
            Some(SessionStatus::Complete) => Ok(Self::Complete),
            Some(SessionStatus::Expired) => Ok(Self::Over),
            _ if known.plan == plan && known.expires_at - WORTHWHILE > context.now => Ok(Self::Open),
            _ => close(card, context, &known.session).await,
        }
    }
}

/// Closes a checkout, unless it is paid just now.
async fn close(card: &CardSales, context: &Context, session: &str) -> Result<Known, BillingError> {
    let id = SessionId::parse(session)?;
    let key = key(context, &format!("expire:{session}"));
    match card.stripe.expire_checkout(&key, &id).await {
        Ok(_) => Ok(Known::Over),
        Err(error) => match card.stripe.checkout(&id).await?.status {
            Some(SessionStatus::Complete) => Ok(Known::Complete),
            Some(SessionStatus::Expired) => Ok(Known::Over),
            _ => Err(error.into()),
        },
    }
}

async fn open(
    card: &CardSales,
    context: &Context,
    customer: &Customer,
    (plan, price): (Plan, &PriceId),
    subscription: &Subscription,
) -> Result<Checkout, BillingError> {
    let trial = Trial::of(subscription, context.now);
    let url = &card.return_url;
    let checkout = NewCheckout {
        customer: &CustomerId::parse(&customer.customer)?,
        price,
        metadata: &metadata(context, customer.user_id),
        reference: &customer.user_id.to_string(),
        success_url: &format!("{url}?session_id={{CHECKOUT_SESSION_ID}}"),
        cancel_url: &format!("{url}?canceled=true"),
        trial_days: trial.days,
        trial_end: trial.end,
        promotion_codes: false,
        expires_at: None,
    };
    let session: CheckoutSession = card
        .stripe
        .create_checkout(&key(context, "open"), &checkout)
        .await?;
    let url = session.url.as_ref().map(|url| url.as_str().to_owned());
    Ok(Checkout {
        session: session.id.as_str().to_owned(),
        plan,
        // One that is closed already, which a repetition may get, is looked at by the next request.
        url: url.unwrap_or_default(),
        expires_at: session.expires_at.unwrap_or(context.now + OPEN),
    })
}

/// What is free of charge before the first payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trial {
    days: Option<u32>,
    end: Option<DateTime<Utc>>,
}

impl Trial {
    /// A running trial goes on to its end, unless that is too near for Stripe. There is one trial a user.
    fn of(subscription: &Subscription, now: DateTime<Utc>) -> Self {
        let running = subscription
            .manual
            .as_ref()
            .filter(|contract| contract.basis == Basis::Trial)
            .and_then(|contract| contract.trial_end);
        Self {
            days: (!subscription.tried)
                .then(|| u32::try_from(TRIAL.num_days()).ok())
                .flatten(),
            end: running.filter(|end| *end >= now + TRIAL_AHEAD),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use domain::Decider as _;
    use domain::subscription::{Subscription, SubscriptionCommand};

    use super::Trial;

    fn tried_at(at: DateTime<Utc>) -> Subscription {
        let mut subscription = Subscription::default();
        for event in subscription.decide(SubscriptionCommand::Try { at }).unwrap() {
            subscription.evolve(&event);
        }
        subscription
    }

    #[test]
    fn a_running_trial_goes_on_one_that_ends_too_soon_does_not_and_there_is_no_second_one() {
        let begin = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let subscription = tried_at(begin);
        let after = |hours| Trial::of(&subscription, begin + TimeDelta::hours(hours));
        assert_eq!(after(0).end, Some(begin + TimeDelta::days(14)));
        assert_eq!(after(14 * 24 - 49).end, Some(begin + TimeDelta::days(14)));
        let too_late = Trial {
            days: None,
            end: None,
        };
        assert_eq!(after(14 * 24 - 48), too_late);
        let ended = Subscription {
            manual: None,
            ..subscription
        };
        assert_eq!(Trial::of(&ended, begin), too_late);
        let new = Trial::of(&Subscription::default(), begin);
        assert_eq!((new.days, new.end), (Some(14), None));
    }
}
