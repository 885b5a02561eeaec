//! Selling plans: what Stripe says becomes the contract that counts here, and what a user wants becomes a call
//! to Stripe or a command on the user's own subscription.

pub mod observe;
pub mod standing;

use std::collections::BTreeMap;

use connectors::stripe::{PriceId, Stripe};
use events::subscription::Plan;

pub use observe::{ObserveError, Observed, observe_customer};
pub use standing::Unusable;

/// How plans are sold by card.
#[derive(Debug, Clone)]
pub struct CardSales {
    /// The account at Stripe.
    pub stripe: Stripe,
    /// What the plans are there.
    pub prices: Prices,
    /// Where Stripe's pages lead back to.
    pub return_url: String,
}

/// Which price at Stripe is which plan. Only what is in here is ever asked of Stripe or believed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices(BTreeMap<Plan, PriceId>);

impl Prices {
    /// From the prices of the plans that are sold.
    #[must_use]
    pub fn new(prices: impl IntoIterator<Item = (Plan, PriceId)>) -> Self {
        Self(prices.into_iter().collect())
    }

    /// The price of a plan; none for one that is not sold by card.
    #[must_use]
    pub fn of(&self, plan: Plan) -> Option<&PriceId> {
        self.0.get(&plan)
    }

    /// The plan with this price.
    #[must_use]
    pub fn plan(&self, price: &PriceId) -> Option<Plan> {
        self.0
            .iter()
            .find(|(_, known)| *known == price)
            .map(|(plan, _)| *plan)
    }
}
