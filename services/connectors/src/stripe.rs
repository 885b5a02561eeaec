//! Stripe, which takes the payments: what its deliveries say, and the calls that ask it for something.
//!
//! [`signature`] proves that a delivery is Stripe's, [`event`] reads it, [`subject`] says what it concerns.
//! None of them does I/O. [`objects`] are the parts of Stripe's objects that count here, in every version
//! that may arrive; [`client`] makes the calls, [`requests`] are what is asked and [`error`] says how a call
//! can fail.

pub mod client;
pub mod error;
pub mod event;
pub mod ids;
pub mod objects;
pub mod requests;
pub mod signature;
pub mod subject;

pub use client::{EventPage, IdempotencyKey, ListedEvent, Options, Stripe};
pub use error::{Refusal, StripeError};
pub use event::{Event, EventError, Form, ObjectError, Related};
pub use ids::{
    CustomerId, EventId, InvalidId, InvoiceId, ItemId, PortalSessionId, PriceId, SessionId, SubscriptionId,
};
pub use objects::{
    CheckoutSession, Customer, Invoice, InvoiceLine, InvoiceStatus, Item, Metadata, PageUrl, PortalSession,
    SessionStatus, Status, Subscription,
};
pub use requests::{Checkout, NewCustomer, Portal, PortalFlow, PriceChange, Proration};
pub use signature::{SignatureError, verify};
pub use subject::{Concern, Foreign, Kind, Subject, subject};

/// The version of Stripe's API in which every call is made. Deliveries come in the version of their endpoint.
pub const API_VERSION: &str = "2026-09-30.endive";
