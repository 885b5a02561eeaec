//! When a tenant is warned that stock runs out.

pub mod list;
pub mod remove;
pub mod set;

use application::domain::alert_rules::{AlertRulesRefusal, DEFAULT, Rule};
use application::set_alert_rule::Error;
use events::alert_rule::{AlertRuleSet, AlertScope};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{execute_problem, tag};
use crate::problem::{Code, FieldProblem, Problem};

/// What the tag is of.
const RULES: &str = "list of rules";

/// When products count as low on stock. Of several rules for a product the most specific one counts: the
/// product's own, then that of its category, of its cabinet, of all products, then the default.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertRuleView {
    /// Its id; none for the default.
    pub id: Option<Uuid>,
    /// Whether it is the one that counts where no other does. It cannot be changed; a rule for all products
    /// takes its place.
    pub is_default: bool,
    /// What it is for.
    pub scope: AlertScopeView,
    /// Stock is low with fewer units than this.
    pub below_units: Option<i64>,
    /// Stock is low when it lasts fewer days than this at the pace of the last 7 days.
    pub below_days: Option<u32>,
    /// Stock that was low is enough again from so many units on.
    pub recover_units: Option<i64>,
    /// Stock that was low is enough again when it lasts so many days.
    pub recover_days: Option<u32>,
    /// Whether each warehouse is watched as well, by the same values.
    pub per_warehouse: bool,
    /// Whether it warns at all. A rule that does not silences the products it is for.
    pub enabled: bool,
}

/// What a rule is for.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertScopeView {
    /// `tenant` (all products), `cabinet`, `subject` (a category) or `product`.
    #[schema(example = "cabinet")]
    pub kind: &'static str,
    /// The cabinet, of a rule for one.
    #[schema(required = false)]
    pub cabinet_id: Option<Uuid>,
    /// The category as the marketplace writes it, of a rule for one.
    #[schema(required = false)]
    pub subject: Option<String>,
    /// The product, of a rule for one.
    #[schema(required = false)]
    pub product_id: Option<Uuid>,
}

impl From<&AlertScope> for AlertScopeView {
    fn from(scope: &AlertScope) -> Self {
        let whole = Self {
            kind: "tenant",
            cabinet_id: None,
            subject: None,
            product_id: None,
        };
        match scope {
            AlertScope::Tenant => whole,
            AlertScope::Cabinet { cabinet_id } => Self {
                kind: "cabinet",
                cabinet_id: Some(cabinet_id.uuid()),
                ..whole
            },
            AlertScope::Subject { subject } => Self {
                kind: "subject",
                subject: Some(subject.clone()),
                ..whole
            },
            AlertScope::Product { product_id } => Self {
                kind: "product",
                product_id: Some(product_id.uuid()),
                ..whole
            },
        }
    }
}

impl AlertRuleView {
    fn of(rule: &Rule, scope: &AlertScope) -> Self {
        Self {
            id: rule.rule_id.map(events::ids::AlertRuleId::uuid),
            is_default: rule.rule_id.is_none(),
            scope: scope.into(),
            below_units: rule.low.below_units,
            below_days: rule.low.below_days,
            recover_units: rule.enough.from_units,
            recover_days: rule.enough.from_days,
            per_warehouse: rule.per_warehouse,
            enabled: rule.enabled,
        }
    }

    fn default_rule() -> Self {
        Self::of(&DEFAULT, &AlertScope::Tenant)
    }
}

impl From<&AlertRuleSet> for AlertRuleView {
    fn from(set: &AlertRuleSet) -> Self {
        let rule = Rule {
            rule_id: Some(set.rule_id),
            low: set.low,
            enough: set.enough,
            per_warehouse: set.per_warehouse,
            enabled: set.enabled,
        };
        Self::of(&rule, &set.scope)
    }
}

pub(super) fn rules_problem(error: Error) -> Problem {
    match error {
        Error::NoCabinet => Problem::invalid_field("#/scope", "`cabinet_id` is no cabinet of yours"),
        Error::NoProduct => Problem::invalid_field("#/scope", "`product_id` is no product of yours"),
        Error::Changed => tag::changed(RULES),
        Error::Execute(error) => execute_problem(error, refused),
    }
}

fn refused(refusal: &AlertRulesRefusal) -> Problem {
    let at = |pointers: &[&str]| {
        let errors = pointers.iter().map(|pointer| FieldProblem {
            pointer: (*pointer).to_owned(),
            detail: refusal.to_string(),
        });
        Problem::invalid(errors.collect())
    };
    match refusal {
        AlertRulesRefusal::NoThreshold | AlertRulesRefusal::Threshold => {
            at(&["#/below_units", "#/below_days"])
        }
        AlertRulesRefusal::Enough => at(&["#/recover_units", "#/recover_days"]),
        AlertRulesRefusal::Subject => at(&["#/scope"]),
        AlertRulesRefusal::TooMany => Problem::new(Code::Conflict, refusal.to_string()),
        AlertRulesRefusal::NotFound => Problem::not_found("rule"),
    }
}
