//! The table of everything that can happen. One line an event: its variant, its name, its current version. A
//! new event is a new line here, a golden file and a schema; the tests refuse a line without them.

use serde::{Deserialize, Serialize};

use crate::codec::DecodeError;
use crate::{alert, alert_rule, cabinet, product, sheet, subscription, sync, tenant, user, webhook_endpoint};

/// The kinds of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamType {
    /// See [`crate::tenant`].
    Tenant,
    /// See [`crate::user`].
    User,
    /// See [`crate::cabinet`].
    Cabinet,
    /// See [`crate::sync`].
    Sync,
    /// See [`crate::product`].
    Product,
    /// See [`crate::sheet`].
    Sheet,
    /// See [`crate::subscription`].
    Subscription,
    /// See [`crate::alert_rule`].
    AlertRule,
    /// See [`crate::alert`].
    Alert,
    /// See [`crate::webhook_endpoint`].
    WebhookEndpoint,
}

impl StreamType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Tenant,
        Self::User,
        Self::Cabinet,
        Self::Sync,
        Self::Product,
        Self::Sheet,
        Self::Subscription,
        Self::AlertRule,
        Self::Alert,
        Self::WebhookEndpoint,
    ];

    /// The name used in the store, in subjects and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::User => "user",
            Self::Cabinet => "cabinet",
            Self::Sync => "sync",
            Self::Product => "product",
            Self::Sheet => "sheet",
            Self::Subscription => "subscription",
            Self::AlertRule => "alert_rule",
            Self::Alert => "alert",
            Self::WebhookEndpoint => "webhook_endpoint",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Current version of every event that has no line of its own below.
const FIRST: u16 = 1;

macro_rules! catalog {
    ($( $stream:ident $enum:ident $module:ident {
        $( $variant:ident = $name:literal v $version:expr; )*
    } )*) => {
        $(
            #[doc = concat!("Everything that can happen in a `", stringify!($module), "` stream.")]
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            #[serde(tag = "type")]
            #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
            pub enum $enum {
                $(
                    #[doc = concat!("`", $name, "`")]
                    #[serde(rename = $name)]
                    $variant($module::$variant),
                )*
            }

            impl $enum {
                /// The type name.
                #[must_use]
                pub const fn event_type(&self) -> &'static str {
                    match self { $( Self::$variant(_) => $name, )* }
                }

                /// The version in which this program writes the payload.
                #[must_use]
                pub const fn event_version(&self) -> u16 {
                    match self { $( Self::$variant(_) => $version, )* }
                }
            }

            $(
                impl From<$module::$variant> for $enum {
                    fn from(payload: $module::$variant) -> Self {
                        Self::$variant(payload)
                    }
                }
            )*
        )*

        /// Everything that can happen anywhere.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event {
            $(
                #[doc = concat!("In a `", stringify!($module), "` stream.")]
                $stream($enum),
            )*
        }

        impl Event {
            /// The kind of stream it belongs to.
            #[must_use]
            pub const fn stream_type(&self) -> StreamType {
                match self { $( Self::$stream(_) => StreamType::$stream, )* }
            }

            /// The type name.
            #[must_use]
            pub const fn event_type(&self) -> &'static str {
                match self { $( Self::$stream(event) => event.event_type(), )* }
            }

            /// The version in which this program writes the payload.
            #[must_use]
            pub const fn event_version(&self) -> u16 {
                match self { $( Self::$stream(event) => event.event_version(), )* }
            }

            /// The payload as it is stored: a JSON object whose `type` is the event's type.
            ///
            /// # Errors
            /// When a value cannot be written as JSON; no payload of the catalog has such values.
            pub fn to_json(&self) -> Result<String, serde_json::Error> {
                match self { $( Self::$stream(event) => serde_json::to_string(event), )* }
            }
        }

        $(
            impl From<$enum> for Event {
                fn from(event: $enum) -> Self {
                    Self::$stream(event)
                }
            }
        )*

        /// Every event type with its stream and current version.
        pub const ENTRIES: &[Entry] = &[
            $( $( Entry { stream: StreamType::$stream, event_type: $name, version: $version }, )* )*
        ];

        /// Reads a payload of the current version. The variant's own type is parsed straight from the text,
        /// which is several times faster than a tagged enum; the `type` inside the payload is ignored.
        pub(crate) fn parse_current(
            stream: StreamType, event_type: &str, payload: &str,
        ) -> Result<Option<Event>, DecodeError> {
            match (stream, event_type) {
                $( $(
                    (StreamType::$stream, $name) => serde_json::from_str::<$module::$variant>(payload)
                        .map(|event| Some(Event::$stream($enum::$variant(event))))
                        .map_err(|source| DecodeError::Payload { event_type: $name, source }),
                )* )*
                _ => Ok(None),
            }
        }

        #[cfg(feature = "schema")]
        /// JSON schema of the current payload of every entry, in the order of [`ENTRIES`].
        #[must_use]
        pub fn schemas() -> Vec<(&'static str, u16, serde_json::Value)> {
            vec![ $( $( ($name, $version, schemars::schema_for!($module::$variant).to_value()), )* )* ]
        }
    };
}

/// One line of the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Kind of stream.
    pub stream: StreamType,
    /// Type name; unique over all streams.
    pub event_type: &'static str,
    /// Version written today; every one below it can still be read.
    pub version: u16,
}

catalog! {
    Tenant TenantEvent tenant {
        TenantRegistered = "tenant_registered" v FIRST;
        TenantRenamed = "tenant_renamed" v FIRST;
        TenantSuspended = "tenant_suspended" v FIRST;
        TenantReactivated = "tenant_reactivated" v FIRST;
        MemberAdded = "member_added" v FIRST;
        MemberRoleChanged = "member_role_changed" v FIRST;
        MemberRemoved = "member_removed" v FIRST;
        TenantTimeZoneChanged = "tenant_time_zone_changed" v FIRST;
        TenantErased = "tenant_erased" v FIRST;
    }
    User UserEvent user {
        UserRegistered = "user_registered" v FIRST;
        PasswordChanged = "password_changed" v FIRST;
        TelegramLinked = "telegram_linked" v FIRST;
        TelegramUnlinked = "telegram_unlinked" v FIRST;
        TelegramUnreachable = "telegram_unreachable" v FIRST;
        UserDeactivated = "user_deactivated" v FIRST;
        UserReactivated = "user_reactivated" v FIRST;
        AdminGranted = "admin_granted" v FIRST;
        AdminRevoked = "admin_revoked" v FIRST;
        UserErased = "user_erased" v FIRST;
    }
    Cabinet CabinetEvent cabinet {
        CabinetConnected = "cabinet_connected" v FIRST;
        CredentialRotated = "credential_rotated" v FIRST;
        CredentialAccepted = "credential_accepted" v FIRST;
        CredentialRejected = "credential_rejected" v FIRST;
        CredentialChecked = "credential_checked" v FIRST;
        CredentialOffered = "credential_offered" v FIRST;
        CredentialOfferRefused = "credential_offer_refused" v FIRST;
        CredentialExpiring = "credential_expiring" v FIRST;
        ScheduleChanged = "schedule_changed" v FIRST;
        CabinetDisconnected = "cabinet_disconnected" v FIRST;
        CabinetReconnected = "cabinet_reconnected" v FIRST;
        CabinetPaused = "cabinet_paused" v FIRST;
        CabinetResumed = "cabinet_resumed" v FIRST;
        WarehouseExcluded = "warehouse_excluded" v FIRST;
        WarehouseIncluded = "warehouse_included" v FIRST;
    }
    Sync SyncEvent sync {
        SyncRequested = "sync_requested" v FIRST;
        SyncStarted = "sync_started" v FIRST;
        SyncCompleted = "sync_completed" v 2;
        SyncFailed = "sync_failed" v FIRST;
        SyncQuarantined = "sync_quarantined" v 2;
        SyncReleased = "sync_released" v FIRST;
        SyncDiscarded = "sync_discarded" v FIRST;
        SourceDegraded = "source_degraded" v FIRST;
        SourceRecovered = "source_recovered" v FIRST;
    }
    Product ProductEvent product {
        ProductListed = "product_listed" v 2;
        ProductDetailsChanged = "product_details_changed" v 2;
        ProductDelisted = "product_delisted" v FIRST;
        ProductRelisted = "product_relisted" v FIRST;
        StockObserved = "stock_observed" v 2;
        OrdersObserved = "orders_observed" v 2;
    }
    Sheet SheetEvent sheet {
        SheetLinked = "sheet_linked" v FIRST;
        SheetUnlinked = "sheet_unlinked" v FIRST;
        SheetLayoutChanged = "sheet_layout_changed" v 2;
        SheetBlocked = "sheet_blocked" v FIRST;
        SheetUnblocked = "sheet_unblocked" v FIRST;
    }
    Subscription SubscriptionEvent subscription {
        SubscriptionStarted = "subscription_started" v 2;
        SubscriptionChanged = "subscription_changed" v 2;
        SubscriptionEnded = "subscription_ended" v 2;
        TrialEnding = "trial_ending" v FIRST;
        PaymentSucceeded = "payment_succeeded" v FIRST;
        PaymentFailed = "payment_failed" v FIRST;
    }
    AlertRule AlertRuleEvent alert_rule {
        AlertRuleSet = "alert_rule_set" v FIRST;
        AlertRuleRemoved = "alert_rule_removed" v FIRST;
    }
    Alert AlertEvent alert {
        StockBecameLow = "stock_became_low" v FIRST;
        StockOut = "stock_out" v FIRST;
        StockRecovered = "stock_recovered" v FIRST;
        AlertClosed = "alert_closed" v FIRST;
    }
    WebhookEndpoint WebhookEndpointEvent webhook_endpoint {
        WebhookEndpointAdded = "webhook_endpoint_added" v FIRST;
        WebhookEndpointChanged = "webhook_endpoint_changed" v FIRST;
        WebhookSecretRotated = "webhook_secret_rotated" v FIRST;
        WebhookEndpointDisabled = "webhook_endpoint_disabled" v FIRST;
        WebhookEndpointEnabled = "webhook_endpoint_enabled" v FIRST;
        WebhookEndpointRemoved = "webhook_endpoint_removed" v FIRST;
    }
}

/// The line of an event type.
#[must_use]
pub fn entry(event_type: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.event_type == event_type)
}
