//! Stripe's ids as types, so that a customer is not passed for a subscription. They go into addresses, so
//! none has a character that means something there.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Longest id: Stripe asks for columns of 255 characters (docs.stripe.com/upgrades, "backward-compatible
/// changes").
const LONGEST: usize = 255;

/// The text is no id of Stripe's: empty, longer than 255 characters, or with others than `A-Z a-z 0-9 _ -`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no id of Stripe's: 1 to 255 letters, digits, _ or - expected")]
pub struct InvalidId;

fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(allowed)
}

/// Refuses an id where it stands, so that the error can name the field.
struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id of Stripe's")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        if is_id(text) {
            Ok(text.to_owned())
        } else {
            Err(E::invalid_value(Unexpected::Other("another text"), &self))
        }
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// From text, as it is stored or as Stripe sends it. The prefix is not checked: Stripe may change
            /// it.
            ///
            /// # Errors
            /// [`InvalidId`].
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                if is_id(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId) }
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(IdVisitor).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                if is_id(&text) { Ok(Self(text)) } else { Err(InvalidId) }
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )+};
}

ids! {
    /// An event, `evt_…`.
    EventId;
    /// A customer, `cus_…`.
    CustomerId;
    /// A subscription, `sub_…`.
    SubscriptionId;
    /// The line of a subscription that says what is bought, `si_…`.
    ItemId;
    /// A price, `price_…`.
    PriceId;
    /// An invoice, `in_…`.
    InvoiceId;
    /// A checkout session, `cs_…`.
    SessionId;
    /// A session of the customer portal, `bps_…`.
    PortalSessionId;
}

#[cfg(test)]
mod tests {
    use super::{CustomerId, InvalidId};

    #[test]
    fn an_id_has_no_character_that_means_something_in_an_address() {
        for good in ["cus_QXg1o8vcGmoR32", "in_1-2", "a", &"x".repeat(255)] {
            assert_eq!(CustomerId::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "cus_a/../b",
            "cus a",
            "cus?x",
            "клиент",
            "a.b",
            &"x".repeat(256),
        ] {
            assert_eq!(CustomerId::parse(bad), Err(InvalidId), "{bad}");
            let json = serde_json::to_string(bad).unwrap();
            assert!(serde_json::from_str::<CustomerId>(&json).is_err(), "{bad}");
        }
    }
}
