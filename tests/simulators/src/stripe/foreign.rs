//! What other products of the same Stripe account make: an endpoint gets their events as well.

use super::catalog;
use super::invoices;
use super::lifecycle::{self, Start};
use super::model::{Card, Metadata};
use super::world::World;
use super::{checkout, customers};

const PRICE: &str = "price_1OtherProductMonthly0000";

/// A subscription to another product, of a customer that we do not know; returns its id.
pub(crate) fn subscription(world: &mut World) -> String {
    if world.prices.get(PRICE).is_none() {
        catalog::seed(world, "Another product", PRICE, 500);
    }
    let customer = checkout::new_customer(world, Some("someone@example.com"));
    customers::attach(world, &customer, Card::Pays);
    let start = Start {
        customer,
        items: vec![(PRICE.to_owned(), 1)],
        metadata: Metadata::new(),
        description: None,
        trial_end: None,
        missing_payment_method: "create_invoice".to_owned(),
        charge: true,
    };
    lifecycle::start(world, start).0
}

/// An invoice without a subscription, of a customer or of a new one; returns its id.
pub(crate) fn invoice(world: &mut World, customer: Option<&str>) -> String {
    let customer = match customer.filter(|id| customers::live(world, id, "customer").is_ok()) {
        Some(id) => id.to_owned(),
        None => {
            let id = checkout::new_customer(world, Some("someone@example.com"));
            customers::attach(world, &id, Card::Pays);
            id
        }
    };
    invoices::by_hand(world, &customer, 4_000)
}
