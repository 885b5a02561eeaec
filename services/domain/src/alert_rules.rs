//! When a tenant wants to be warned that stock runs out.

use std::collections::BTreeMap;

use events::StreamType;
use events::alert_rule::{AlertRuleRemoved, AlertRuleSet, AlertScope, EnoughStock};
use events::catalog::AlertRuleEvent;
use events::ids::{AlertRuleId, CabinetId, ProductId, TenantId};
use events::sheet::LowStock;
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::decider::aggregate;
use crate::sheet::{MOST_DAYS, MOST_UNITS};

/// Most rules of a tenant.
pub const MOST_RULES: usize = 1_000;
/// Longest name of a category, in characters.
pub const LONGEST_SUBJECT: usize = 200;

/// A rule as it is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its id; none for the default.
    pub rule_id: Option<AlertRuleId>,
    /// Stock is low when it is below one of these.
    pub low: LowStock,
    /// Stock is enough again when it is at or above all of these.
    pub enough: EnoughStock,
    /// Whether each warehouse is watched as well.
    pub per_warehouse: bool,
    /// Whether it warns at all.
    pub enabled: bool,
}

/// What holds for a tenant that has set nothing: a week of stock is little, ten days are enough.
pub const DEFAULT: Rule = Rule {
    rule_id: None,
    low: LowStock {
        below_units: None,
        below_days: Some(7),
    },
    enough: EnoughStock {
        from_units: None,
        from_days: Some(10),
    },
    per_warehouse: false,
    enabled: true,
};

/// All rules of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRules {
    /// By id, as they were set.
    pub rules: BTreeMap<AlertRuleId, AlertRuleSet>,
}

/// What the rules can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertRulesCommand {
    /// Make the rule of a scope, or replace it.
    Set {
        /// Whose.
        tenant_id: TenantId,
        /// What it is for.
        scope: AlertScope,
        /// Below which stock is low.
        low: LowStock,
        /// From where on stock is enough; what is left out is chosen from `low`.
        enough: EnoughStock,
        /// Whether each warehouse is watched as well.
        per_warehouse: bool,
        /// Whether it warns at all.
        enabled: bool,
    },
    /// Take a rule away.
    Remove(AlertRuleId),
}

/// Why the rules refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlertRulesRefusal {
    /// A rule that could never warn.
    #[error("a rule needs a number of units, a number of days, or both")]
    NoThreshold,
    /// A threshold that no number can meet, or that every number meets.
    #[error("low stock is below 1 to {MOST_UNITS} units or below 1 to {MOST_DAYS} days")]
    Threshold,
    /// Enough would not be enough.
    #[error("stock has to recover at or above the value below which it is low, and by the same measures")]
    Enough,
    /// No category has such a name.
    #[error("a category has 1 to {LONGEST_SUBJECT} characters")]
    Subject,
    /// Too many.
    #[error("a tenant has at most {MOST_RULES} rules")]
    TooMany,
    /// No such rule.
    #[error("there is no such rule")]
    NotFound,
}

impl AlertRules {
    /// The rule that counts for a product: the most specific one.
    #[must_use]
    pub fn of_product(
        &self,
        tenant: TenantId,
        cabinet: CabinetId,
        subject: &str,
        product: ProductId,
    ) -> Rule {
        let scopes = [
            AlertScope::Product { product_id: product },
            AlertScope::Subject {
                subject: subject.to_owned(),
            },
            AlertScope::Cabinet { cabinet_id: cabinet },
            AlertScope::Tenant,
        ];
        let found = (scopes.iter()).find_map(|scope| self.rules.get(&AlertRuleId::of(tenant, scope)));
        found.map_or(DEFAULT, |set| Rule {
            rule_id: Some(set.rule_id),
            low: set.low,
            enough: set.enough,
            per_warehouse: set.per_warehouse,
            enabled: set.enabled,
        })
    }
}

/// What is enough, where it was not said: half as much again.
fn completed(low: LowStock, enough: EnoughStock) -> Result<EnoughStock, AlertRulesRefusal> {
    let sane = low
        .below_units
        .is_none_or(|units| (1..=MOST_UNITS).contains(&units))
        && low.below_days.is_none_or(|days| (1..=MOST_DAYS).contains(&days));
    if !sane {
        return Err(AlertRulesRefusal::Threshold);
    }
    if low.below_units.is_none() && low.below_days.is_none() {
        return Err(AlertRulesRefusal::NoThreshold);
    }
    let from_units = enough
        .from_units
        .or(low.below_units.map(|units| units + (units + 1) / 2));
    let from_days = enough
        .from_days
        .or(low.below_days.map(|days| days + days.div_ceil(2)));
    let units = match (low.below_units, from_units) {
        (Some(below), Some(from)) => from >= below && from <= 2 * MOST_UNITS,
        (below, from) => below.is_none() && from.is_none(),
    };
    let days = match (low.below_days, from_days) {
        (Some(below), Some(from)) => from >= below && from <= 2 * MOST_DAYS,
        (below, from) => below.is_none() && from.is_none(),
    };
    if !(units && days) {
        return Err(AlertRulesRefusal::Enough);
    }
    Ok(EnoughStock {
        from_units,
        from_days,
    })
}

impl Decider for AlertRules {
    const STREAM: StreamType = StreamType::AlertRule;
    const FOLD_VERSION: i32 = 1;
    type Command = AlertRulesCommand;
    type Happened = AlertRuleEvent;
    type Refusal = AlertRulesRefusal;

    fn decide(&self, command: AlertRulesCommand) -> Result<Vec<AlertRuleEvent>, AlertRulesRefusal> {
        match command {
            AlertRulesCommand::Set {
                tenant_id,
                scope,
                low,
                enough,
                per_warehouse,
                enabled,
            } => {
                if let AlertScope::Subject { subject } = &scope
                    && !(1..=LONGEST_SUBJECT).contains(&subject.chars().count())
                {
                    return Err(AlertRulesRefusal::Subject);
                }
                let rule = AlertRuleSet {
                    rule_id: AlertRuleId::of(tenant_id, &scope),
                    scope,
                    low,
                    enough: completed(low, enough)?,
                    per_warehouse,
                    enabled,
                };
                match self.rules.get(&rule.rule_id) {
                    Some(known) if *known == rule => Ok(vec![]),
                    None if self.rules.len() >= MOST_RULES => Err(AlertRulesRefusal::TooMany),
                    _ => Ok(vec![rule.into()]),
                }
            }
            AlertRulesCommand::Remove(rule_id) if self.rules.contains_key(&rule_id) => {
                Ok(vec![AlertRuleRemoved { rule_id }.into()])
            }
            AlertRulesCommand::Remove(_) => Err(AlertRulesRefusal::NotFound),
        }
    }

    fn evolve(&mut self, event: &AlertRuleEvent) {
        match event {
            AlertRuleEvent::AlertRuleSet(rule) => {
                self.rules.insert(rule.rule_id, rule.clone());
            }
            AlertRuleEvent::AlertRuleRemoved(removed) => {
                self.rules.remove(&removed.rule_id);
            }
        }
    }
}

aggregate!(AlertRules, "alert_rule");

#[cfg(test)]
mod tests;
