//! Keys, their roles, and what they say about themselves.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::errors;
use super::world::World;
use crate::dice::Dice;
use crate::server::{Answer, Call};

/// Every method there is besides those that any key opens.
pub const METHODS: [&str; 12] = [
    "/v3/product/list",
    "/v3/product/info/list",
    "/v4/product/info/attributes",
    "/v1/description-category/tree",
    "/v4/product/info/stocks",
    "/v1/analytics/stocks",
    "/v2/product/info/stocks-by-warehouse/fbs",
    "/v2/warehouse/list",
    "/v1/cluster/list",
    "/v2/cluster/list",
    "/v3/posting/fbo/list",
    "/v4/posting/fbs/list",
];

/// What a role for products only opens.
pub const ROLE_PRODUCTS: [&str; 5] = [
    "/v3/product/list",
    "/v3/product/info/list",
    "/v4/product/info/attributes",
    "/v1/description-category/tree",
    "/v4/product/info/stocks",
];

/// What is known of one key.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) client_id: u64,
    pub(crate) methods: Vec<String>,
    pub(crate) expires: DateTime<Utc>,
}

/// All keys that were ever made.
pub(crate) struct Keys {
    known: HashMap<String, Key>,
    deactivated: HashSet<String>,
    blocked: HashSet<u64>,
    dice: Dice,
}

impl Keys {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            known: HashMap::new(),
            deactivated: HashSet::new(),
            blocked: HashSet::new(),
            dice: Dice::new(seed),
        }
    }

    /// Makes a key; the same order of calls gives the same keys.
    pub(crate) fn make(&mut self, key: Key) -> String {
        let bits = u128::from(self.dice.bits()) << 64 | u128::from(self.dice.bits());
        let text = uuid::Builder::from_random_bytes(bits.to_be_bytes())
            .into_uuid()
            .to_string();
        self.known.insert(text.clone(), key);
        text
    }

    pub(crate) fn deactivate(&mut self, key: &str) {
        self.deactivated.insert(key.to_owned());
    }

    pub(crate) fn block(&mut self, client_id: u64, blocked: bool) {
        if blocked {
            self.blocked.insert(client_id);
        } else {
            self.blocked.remove(&client_id);
        }
    }

    /// The key of a call, or the refusal.
    pub(crate) fn authorize(&self, call: &Call, now: DateTime<Utc>) -> Result<Key, Answer> {
        let (Some(client_id), Some(text)) = (call.header("client-id"), call.header("api-key")) else {
            return Err(errors::no_headers());
        };
        let Some(client_id) = client_id.parse::<u64>().ok().filter(|id| *id > 0) else {
            return Err(errors::no_integer());
        };
        let key = self.known.get(text).filter(|key| key.client_id == client_id);
        let Some(key) = key else {
            return Err(errors::wrong_key());
        };
        if self.deactivated.contains(text) || key.expires <= now {
            return Err(errors::deactivated());
        }
        if self.blocked.contains(&client_id) {
            return Err(errors::blocked());
        }
        Ok(key.clone())
    }
}

/// `POST /v1/roles`
pub(crate) fn roles(key: &Key) -> Answer {
    let expires = key.expires.to_rfc3339_opts(SecondsFormat::Millis, true);
    Answer::json(
        200,
        &json!({"expires_at": expires, "roles": [{"name": "Admin read only", "methods": key.methods}]}),
    )
}

/// `POST /v1/seller/info`
pub(crate) fn seller(world: &World) -> Answer {
    let name = match world.config.name.as_str() {
        "" => format!("ООО Продавец {}", world.config.seed),
        name => name.to_owned(),
    };
    let inn = format!("77{:08}", world.config.seed % 100_000_000);
    Answer::json(
        200,
        &json!({
            "company": {
                "country": "Россия", "currency": "RUB", "inn": inn, "legal_name": name, "name": name,
                "ogrn": "1027700132195", "ownership_form": "ООО", "tax_system": "USN",
            },
            "ratings": [], "subscription": {"is_premium": false, "type": "UNSPECIFIED"},
        }),
    )
}
