//! When a tenant wants to be warned. The stream is the tenant's: all its rules are one history, so that which
//! one counts for a product is decided by the order of one stream.

use serde::{Deserialize, Serialize};

use crate::ids::{AlertRuleId, CabinetId, ProductId};
use crate::sheet::LowStock;

/// What a rule is for. Where several fit a product, the most specific one counts: product, subject, cabinet,
/// tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum AlertScope {
    /// Every product of the tenant.
    #[default]
    Tenant,
    /// Every product of a cabinet.
    Cabinet {
        /// Which.
        cabinet_id: CabinetId,
    },
    /// Every product of a category (`Предмет`), in all cabinets.
    Subject {
        /// The category, as the marketplace writes it.
        subject: String,
    },
    /// One product.
    Product {
        /// Which.
        product_id: ProductId,
    },
}

/// When stock that was low is enough again. It lies above the value at which it became low, so that a product
/// at the border does not alternate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnoughStock {
    /// From so many units on; present where the rule is by units.
    pub from_units: Option<i64>,
    /// From so many days of stock on; present where the rule is by days.
    pub from_days: Option<u32>,
}

/// A rule was made, or replaced the one of the same scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertRuleSet {
    /// Derived from tenant and scope, [`AlertRuleId::of`].
    pub rule_id: AlertRuleId,
    /// What it is for.
    pub scope: AlertScope,
    /// Stock is low when it is below one of these.
    pub low: LowStock,
    /// Stock is enough again when it is at or above all of these.
    pub enough: EnoughStock,
    /// Whether each warehouse is watched as well, by the same values.
    pub per_warehouse: bool,
    /// Whether it warns at all; a rule that does not silences the products it is for.
    pub enabled: bool,
}

/// A rule was taken away; the next less specific one counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertRuleRemoved {
    /// Which.
    pub rule_id: AlertRuleId,
}
