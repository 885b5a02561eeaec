//! Stock that runs out, as changes of state. The stream has the product's id. Only the alert policy writes
//! it, from events alone, so that the same log always gives the same alerts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::catalog::AlertEvent;
use crate::ids::{AlertRuleId, CabinetId, SyncId};
use crate::sheet::LowStock;

/// What made the policy look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum AlertCause {
    /// A sync saw another number.
    Sync,
    /// The first sync of a cabinet; the state is not new, only seen for the first time.
    FirstSync,
    /// The tenant changed its rules.
    Rule,
    /// The tenant left a warehouse out of what can be sold, or took it in again.
    Warehouses,
}

/// What is watched, and the numbers that were seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Seen {
    /// Cabinet of the product.
    pub cabinet_id: CabinetId,
    /// The marketplace's article number.
    pub nm_id: i64,
    /// Key of the warehouse inside the cabinet; none for all warehouses together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<String>,
    /// Name of the warehouse when it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse_name: Option<String>,
    /// Units that can be sold.
    pub available: i64,
    /// Units ordered in the last seven days; none when not known.
    pub orders: Option<i64>,
    /// Days that the stock lasts (turnover), in tenths; none where the turnover is empty.
    pub days_tenths: Option<i64>,
    /// Position of the event after which this was seen.
    pub position: i64,
    /// When, by the event at that position.
    pub at: DateTime<Utc>,
    /// What made the policy look.
    pub cause: AlertCause,
    /// The sync that saw the numbers, where a sync was the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_id: Option<SyncId>,
    /// The rule that was applied; none for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<AlertRuleId>,
}

/// Stock fell below what the rule asks for, or came back and is below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockBecameLow {
    /// The numbers.
    pub seen: Seen,
    /// What they are below of.
    pub low: LowStock,
    /// The time without stock, where it ends with this: something can be sold again, but not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// Nothing is left to sell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockOut {
    /// The numbers.
    pub seen: Seen,
    /// Units a day in the seven days before, in thousandths; the pace at which orders are lost from now on.
    /// None when not known.
    pub pace_milli: Option<i64>,
    /// What a unit is sold for, in minor units, when known.
    pub price_minor: Option<i64>,
    /// ISO 4217 code of the price.
    pub currency: Option<String>,
}

/// A time without stock that has ended, and what it has probably cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lost {
    /// When it began.
    pub since: DateTime<Utc>,
    /// Seconds without stock.
    pub seconds: i64,
    /// Orders, in tenths of a unit, when the pace was known.
    pub orders_tenths: Option<i64>,
    /// Turnover in minor units, when the price was known.
    pub turnover_minor: Option<i64>,
    /// ISO 4217 code of the turnover.
    pub currency: Option<String>,
}

/// Stock is enough again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockRecovered {
    /// The numbers.
    pub seen: Seen,
    /// Since when it had been low or out.
    pub since: DateTime<Utc>,
    /// The time without stock, where it ends with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// Why an alert ended without the stock being enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum AlertEnd {
    /// The product left the catalogue.
    Delisted,
    /// The cabinet was disconnected.
    Disconnected,
    /// The rule changed, and by the new one the stock is not low.
    Rule,
    /// The marketplace renamed, masked or regrouped the warehouse, or it was left out.
    Warehouse,
}

/// The product or warehouse is not watched any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertClosed {
    /// Key of the warehouse inside the cabinet; none for all warehouses together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<String>,
    /// Why.
    pub reason: AlertEnd,
    /// Position of the event after which it ended.
    pub position: i64,
    /// When, by the event at that position.
    pub at: DateTime<Utc>,
}

impl AlertEvent {
    /// Position of the event after which the policy looked.
    #[must_use]
    pub const fn caused_at(&self) -> i64 {
        match self {
            Self::StockBecameLow(low) => low.seen.position,
            Self::StockOut(out) => out.seen.position,
            Self::StockRecovered(recovered) => recovered.seen.position,
            Self::AlertClosed(closed) => closed.position,
        }
    }
}
