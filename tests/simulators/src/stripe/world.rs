//! The simulated account: its objects, the events that their changes make, and its time.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::mail::Mail;
use super::model::{
    Customer, Event, Invoice, Portal, Price, Product, Refund, Session, Settings, Subscription, Table,
};
use super::render;
use crate::dice::Dice;

/// Letters of Stripe's ids.
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Which call is being answered, for the events that it makes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Cause {
    pub(crate) request: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct World {
    /// The moment at which things happen now, in seconds since 1970; never later than the clock.
    pub(crate) now: i64,
    pub(crate) base_url: String,
    pub(crate) settings: Settings,
    pub(crate) customers: Table<Customer>,
    pub(crate) products: Table<Product>,
    pub(crate) prices: Table<Price>,
    pub(crate) sessions: Table<Session>,
    pub(crate) portals: Table<Portal>,
    pub(crate) subscriptions: Table<Subscription>,
    pub(crate) invoices: Table<Invoice>,
    pub(crate) refunds: Table<Refund>,
    pub(crate) events: Table<Event>,
    pub(crate) mail: Mail,
    pub(crate) cause: Cause,
    seed: u64,
    made: u64,
}

impl World {
    pub(crate) fn new(now: i64, base_url: String, settings: Settings, seed: u64) -> Self {
        Self {
            now,
            base_url,
            settings,
            customers: Table::default(),
            products: Table::default(),
            prices: Table::default(),
            sessions: Table::default(),
            portals: Table::default(),
            subscriptions: Table::default(),
            invoices: Table::default(),
            refunds: Table::default(),
            events: Table::default(),
            mail: Mail::default(),
            cause: Cause::default(),
            seed,
            made: 0,
        }
    }

    /// A new id: the prefix and so many letters.
    pub(crate) fn id(&mut self, prefix: &str, letters: usize) -> String {
        self.made += 1;
        let mut dice = Dice::new(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.made);
        let mut id = prefix.to_owned();
        for _ in 0..letters {
            id.push(char::from(LETTERS[dice.below(LETTERS.len())]));
        }
        id
    }

    /// Records that something happened to an object and sends it to every endpoint.
    pub(crate) fn emit(&mut self, kind: &str, object: Value, previous: Option<Value>) {
        let id = self.id("evt_1", 23);
        let event = Event {
            thin_id: self.id("evt_test_61", 30),
            id: id.clone(),
            kind: kind.to_owned(),
            created: self.now,
            object,
            previous,
            request: self.cause.request.clone(),
            idempotency_key: self.cause.idempotency_key.clone(),
            pending_webhooks: self.mail.endpoints_for(kind),
        };
        self.events.add(&id, event);
        self.mail.post(&id, kind, self.now);
    }

    pub(crate) fn emit_customer(&mut self, kind: &str, id: &str) {
        if let Some(value) = self.customers.get(id).map(render::whole_customer) {
            self.emit(kind, value, None);
        }
    }

    pub(crate) fn emit_session(&mut self, kind: &str, id: &str) {
        if let Some(value) = self
            .sessions
            .get(id)
            .map(|session| render::session(self, session))
        {
            self.emit(kind, value, None);
        }
    }

    pub(crate) fn emit_subscription(&mut self, kind: &str, id: &str) {
        if let Some(value) = self.subscription_json(id) {
            self.emit(kind, value, None);
        }
    }

    pub(crate) fn emit_invoice(&mut self, kind: &str, id: &str) {
        if let Some(value) = self.invoice_json(id) {
            self.emit(kind, value, None);
        }
    }

    pub(crate) fn subscription_json(&self, id: &str) -> Option<Value> {
        self.subscriptions
            .get(id)
            .map(|subscription| render::subscription(self, subscription))
    }

    pub(crate) fn invoice_json(&self, id: &str) -> Option<Value> {
        self.invoices
            .get(id)
            .map(|invoice| render::invoice(self, invoice))
    }

    /// Changes a subscription, and emits `customer.subscription.updated` if a rendered field differs.
    pub(crate) fn change_subscription(&mut self, id: &str, change: impl FnOnce(&mut Subscription)) {
        let Some(before) = self.subscription_json(id) else {
            return;
        };
        if let Some(subscription) = self.subscriptions.get_mut(id) {
            change(subscription);
        }
        let Some(after) = self.subscription_json(id) else {
            return;
        };
        if let Some(previous) = difference(&before, &after) {
            self.emit("customer.subscription.updated", after, Some(previous));
        }
    }

    /// Changes a customer, and emits `customer.updated` if a rendered field differs.
    pub(crate) fn change_customer(&mut self, id: &str, change: impl FnOnce(&mut Customer)) {
        let Some(customer) = self.customers.get_mut(id) else {
            return;
        };
        let before = render::customer(customer);
        change(customer);
        let after = render::customer(customer);
        if let Some(previous) = difference(&before, &after) {
            self.emit("customer.updated", after, Some(previous));
        }
    }

    /// Changes an invoice, and emits `invoice.updated` if a rendered field differs.
    pub(crate) fn change_invoice(&mut self, id: &str, change: impl FnOnce(&mut Invoice)) {
        let Some(before) = self.invoice_json(id) else {
            return;
        };
        if let Some(invoice) = self.invoices.get_mut(id) {
            change(invoice);
        }
        let Some(after) = self.invoice_json(id) else {
            return;
        };
        if let Some(previous) = difference(&before, &after) {
            self.emit("invoice.updated", after, Some(previous));
        }
    }

    /// Any object by its id, for `expand`.
    pub(crate) fn object(&self, id: &str) -> Option<Value> {
        if id.starts_with("cus_") {
            return self.customers.get(id).map(render::customer);
        }
        if let Some(price) = self.prices.get(id) {
            return Some(render::price(price));
        }
        if let Some(product) = self.products.get(id) {
            return Some(render::product(product));
        }
        if let Some(session) = self.sessions.get(id) {
            return Some(render::session(self, session));
        }
        self.subscription_json(id).or_else(|| self.invoice_json(id))
    }

    /// Live subscriptions of a customer, in order of creation.
    pub(crate) fn subscriptions_of(&self, customer: &str) -> Vec<String> {
        self.subscriptions
            .iter()
            .filter(|subscription| subscription.customer == customer && !subscription.status.is_final())
            .map(|subscription| subscription.id.clone())
            .collect()
    }
}

/// The older values of what differs; nested objects show their changed fields only, lists show whole.
pub(crate) fn difference(before: &Value, after: &Value) -> Option<Value> {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else {
        return (before != after).then(|| before.clone());
    };
    let mut changed = Map::new();
    for (name, value) in new {
        let was = old.get(name).unwrap_or(&Value::Null);
        if was == value {
            continue;
        }
        let shown = if name == "metadata" {
            Some(was.clone())
        } else {
            difference(was, value)
        };
        if let Some(shown) = shown {
            changed.insert(name.clone(), shown);
        }
    }
    (!changed.is_empty()).then_some(Value::Object(changed))
}
