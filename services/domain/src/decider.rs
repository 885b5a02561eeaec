//! The shape every aggregate has, and the bridge to `cqrs-es`.

use cqrs_es::DomainEvent;
use events::catalog::{
    AlertEvent, AlertRuleEvent, CabinetEvent, Event, ProductEvent, SheetEvent, StreamType, SubscriptionEvent,
    SyncEvent, TenantEvent, UserEvent, WebhookEndpointEvent,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A state that can be asked to decide and told what happened.
pub trait Decider: Default + Clone + Serialize + DeserializeOwned + Send + Sync {
    /// Kind of stream it is folded from.
    const STREAM: StreamType;
    /// Version of the fold's meaning; raise it whenever `evolve` gives another state for the same events.
    const FOLD_VERSION: i32;
    /// What it can be asked.
    type Command: Send;
    /// What can have happened.
    type Happened: CatalogEvent;
    /// Why it may refuse; every variant is a business reason.
    type Refusal: std::error::Error + Send + Sync + 'static;

    /// Answers a command with what happens, or refuses it.
    ///
    /// # Errors
    /// The named refusal.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Happened>, Self::Refusal>;

    /// Folds one event in. Total: never fails, whatever the order.
    fn evolve(&mut self, event: &Self::Happened);
}

/// An event enum of the catalog.
pub trait CatalogEvent:
    Clone + PartialEq + std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync + Into<Event> + 'static
{
    /// Type name.
    fn name(&self) -> &'static str;
    /// Version written today.
    fn version(&self) -> u16;
    /// The event of this stream inside the catalog's sum, if it is one.
    fn of(event: &Event) -> Option<&Self>;
}

macro_rules! catalog_event {
    ($($stream:ident $event:ident;)*) => {$(
        impl CatalogEvent for $event {
            fn name(&self) -> &'static str {
                self.event_type()
            }
            fn version(&self) -> u16 {
                self.event_version()
            }
            fn of(event: &Event) -> Option<&Self> {
                if let Event::$stream(inner) = event { Some(inner) } else { None }
            }
        }
    )*};
}

catalog_event! {
    Tenant TenantEvent;
    User UserEvent;
    Cabinet CabinetEvent;
    Sync SyncEvent;
    Product ProductEvent;
    Sheet SheetEvent;
    Subscription SubscriptionEvent;
    AlertRule AlertRuleEvent;
    Alert AlertEvent;
    WebhookEndpoint WebhookEndpointEvent;
}

/// An event of the catalog as `cqrs-es` wants to see it. Transparent: its JSON is the stored payload, which
/// is why `postgres-es` can read our streams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent, bound = "E: CatalogEvent")]
pub struct Fact<E>(pub E);

impl<E: CatalogEvent> DomainEvent for Fact<E> {
    fn event_type(&self) -> String {
        self.0.name().to_owned()
    }
    fn event_version(&self) -> String {
        self.0.version().to_string()
    }
}

/// Implements [`cqrs_es::Aggregate`] by calling the aggregate's own `decide` and `evolve`.
macro_rules! aggregate {
    ($state:ident, $name:literal) => {
        impl cqrs_es::Aggregate for $state {
            const TYPE: &'static str = $name;
            type Command = <$state as crate::Decider>::Command;
            type Event = crate::Fact<<$state as crate::Decider>::Happened>;
            type Error = <$state as crate::Decider>::Refusal;
            type Services = ();

            async fn handle(
                &mut self,
                command: Self::Command,
                _services: &(),
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in crate::Decider::decide(self, command)? {
                    sink.write(crate::Fact(event), self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                crate::Decider::evolve(self, &event.0);
            }
        }
    };
}
pub(crate) use aggregate;
