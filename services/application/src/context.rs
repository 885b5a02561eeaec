//! Who asks, when, and with what means.

use auth::{Accounts, ApiKeys, Attempts, Invitations, PasswordResets, People, Profiles, Sellers, Terms};
use billing::{Checkouts, Customers, Places, Usage};
use chrono::{DateTime, Utc};
use connectors::webhooks::Policy;
use domain::plans::Plans;
use event_store::{EventStore, States};
use events::Metadata;
use events::ids::{CommandId, TenantId};
use notifications::webhooks::Endpoints;
use uuid::Uuid;
use vault::Vault;

use crate::billing::CardSales;

/// The means of every use case; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The log.
    pub store: EventStore,
    /// Folded states of its streams.
    pub states: States,
    /// Seals credentials, and opens them where the database role may.
    pub vault: Vault,
    /// Logins.
    pub accounts: Accounts,
    /// What people call their business and their cabinets.
    pub profiles: Profiles,
    /// Which cabinet a seller account is.
    pub sellers: Sellers,
    /// Keys for programs.
    pub api_keys: ApiKeys,
    /// Codes by which people join.
    pub invitations: Invitations,
    /// Codes that set a new password.
    pub resets: PasswordResets,
    /// Windows of failed attempts.
    pub attempts: Attempts,
    /// People of all tenants, for platform administrators.
    pub people: People,
    /// Plans and clocks of tenants.
    pub terms: Terms,
    /// What the plans allow.
    pub plans: Plans,
    /// Who is a customer of Stripe's.
    pub customers: Customers,
    /// What may still be paid there.
    pub checkouts: Checkouts,
    /// Cabinets and products in the order in which they came.
    pub places: Places,
    /// What tenants use a month.
    pub usage: Usage,
    /// Endpoints of outgoing webhooks.
    pub webhooks: Endpoints,
    /// Which addresses they may have.
    pub targets: Policy,
    /// How plans are sold by card; none where they are not.
    pub card: Option<CardSales>,
}

impl App {
    /// The use cases over these means; side tables are reached through the store's own connections.
    #[must_use]
    pub fn new(store: EventStore, vault: Vault) -> Self {
        let pool = store.pool().clone();
        Self {
            states: States::new(store.clone()),
            store,
            vault,
            accounts: Accounts::new(pool.clone()),
            profiles: Profiles::new(pool.clone()),
            sellers: Sellers::new(pool.clone()),
            api_keys: ApiKeys::new(pool.clone()),
            invitations: Invitations::new(pool.clone()),
            resets: PasswordResets::new(pool.clone()),
            attempts: Attempts::new(pool.clone()),
            people: People::new(pool.clone()),
            terms: Terms::new(pool.clone()),
            plans: Plans::unlimited(),
            customers: Customers::new(pool.clone()),
            checkouts: Checkouts::new(pool.clone()),
            places: Places::new(pool.clone()),
            usage: Usage::new(pool.clone()),
            webhooks: Endpoints::new(pool),
            targets: Policy::default(),
            card: None,
        }
    }

    /// The same under an installation's table of plans.
    #[must_use]
    pub fn selling(self, plans: Plans) -> Self {
        Self { plans, ..self }
    }

    /// The same where other addresses than public ones may be called.
    #[must_use]
    pub fn calling(self, targets: Policy) -> Self {
        Self { targets, ..self }
    }

    /// The same where plans are sold by card.
    #[must_use]
    pub fn by_card(self, card: Option<CardSales>) -> Self {
        Self { card, ..self }
    }
}

/// The circumstances of one command. Time and ids come in here; nothing below asks for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// For whom.
    pub tenant_id: TenantId,
    /// By whom: `user:<uuid>`, `worker`, `scheduler`, `system`.
    pub actor: String,
    /// The command's id: the same id is answered like the first time.
    pub command_id: CommandId,
    /// The conversation it belongs to.
    pub correlation_id: Uuid,
    /// What caused it, if an event or a command did.
    pub causation_id: Option<Uuid>,
    /// W3C trace context, if the request had one.
    pub traceparent: Option<String>,
    /// Now.
    pub now: DateTime<Utc>,
}

impl Context {
    pub(crate) fn metadata(&self) -> Metadata {
        Metadata {
            tenant_id: self.tenant_id,
            command_id: self.command_id,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            actor: self.actor.clone(),
            traceparent: self.traceparent.clone(),
        }
    }

    /// The circumstances of a command that is part of this one. Its id follows from this one's, so that
    /// repeating this command repeats its parts and nothing is done twice.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        Self {
            command_id: CommandId::derived(self.command_id.uuid(), name),
            causation_id: Some(self.command_id.uuid()),
            ..self.clone()
        }
    }

    /// An id that belongs to this command: the same for every repetition of it.
    #[must_use]
    pub fn new_id(&self, name: &str) -> Uuid {
        Uuid::new_v5(&self.command_id.uuid(), name.as_bytes())
    }
}

/// What the caller of a command is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Kind of the stream.
    pub stream: &'static str,
    /// Id of the stream.
    pub stream_id: Uuid,
    /// Its version after the command.
    pub version: i64,
    /// Position of the last event written: wait for it to read your writes.
    pub position: i64,
    /// Whether the command had been given before, and this is its first answer.
    pub duplicate: bool,
}
