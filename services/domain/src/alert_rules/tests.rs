//! One rule a scope, and the most specific one counts.

use cqrs_es::test::TestFramework;
use events::alert_rule::{AlertRuleRemoved, AlertRuleSet, AlertScope, EnoughStock};
use events::ids::{AlertRuleId, CabinetId, ProductId, TenantId};
use events::sheet::LowStock;
use uuid::Uuid;

use super::{AlertRules, AlertRulesCommand, AlertRulesRefusal, DEFAULT};
use crate::{Decider, Fact};

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const CABINET: CabinetId = CabinetId(Uuid::from_u128(2));
const PRODUCT: ProductId = ProductId(Uuid::from_u128(3));

fn set(scope: AlertScope, low: LowStock, enough: EnoughStock) -> AlertRulesCommand {
    AlertRulesCommand::Set {
        tenant_id: TENANT,
        scope,
        low,
        enough,
        per_warehouse: false,
        enabled: true,
    }
}

fn units(below: i64) -> LowStock {
    LowStock {
        below_units: Some(below),
        below_days: None,
    }
}

fn rule(scope: AlertScope, below: i64, from: i64) -> AlertRuleSet {
    AlertRuleSet {
        rule_id: AlertRuleId::of(TENANT, &scope),
        scope,
        low: units(below),
        enough: EnoughStock {
            from_units: Some(from),
            from_days: None,
        },
        per_warehouse: false,
        enabled: true,
    }
}

#[test]
fn what_is_enough_is_half_as_much_again_unless_said() {
    TestFramework::<AlertRules>::with(())
        .given(vec![])
        .when(set(AlertScope::Tenant, units(5), EnoughStock::default()))
        .then_expect_events(vec![Fact(rule(AlertScope::Tenant, 5, 8).into())]);
}

#[test]
fn the_same_rule_again_changes_nothing() {
    TestFramework::<AlertRules>::with(())
        .given(vec![Fact(rule(AlertScope::Tenant, 5, 8).into())])
        .when(set(AlertScope::Tenant, units(5), EnoughStock::default()))
        .then_expect_events(vec![]);
}

#[test]
fn rules_that_cannot_work_are_refused_with_the_reason() {
    let refusals = [
        (
            LowStock::default(),
            EnoughStock::default(),
            AlertRulesRefusal::NoThreshold,
        ),
        (units(0), EnoughStock::default(), AlertRulesRefusal::Threshold),
        (
            units(5),
            EnoughStock {
                from_units: Some(4),
                from_days: None,
            },
            AlertRulesRefusal::Enough,
        ),
        (
            units(5),
            EnoughStock {
                from_units: None,
                from_days: Some(10),
            },
            AlertRulesRefusal::Enough,
        ),
    ];
    for (low, enough, refusal) in refusals {
        TestFramework::<AlertRules>::with(())
            .given(vec![])
            .when(set(AlertScope::Tenant, low, enough))
            .then_expect_error(refusal);
    }
    let nameless = AlertScope::Subject {
        subject: String::new(),
    };
    TestFramework::<AlertRules>::with(())
        .given(vec![])
        .when(set(nameless, units(5), EnoughStock::default()))
        .then_expect_error(AlertRulesRefusal::Subject);
}

#[test]
fn the_most_specific_rule_counts() {
    let mut rules = AlertRules::default();
    let of = |rules: &AlertRules| rules.of_product(TENANT, CABINET, "Футболки", PRODUCT);
    assert_eq!(of(&rules), DEFAULT);
    let scopes = [
        AlertScope::Tenant,
        AlertScope::Cabinet { cabinet_id: CABINET },
        AlertScope::Subject {
            subject: "Футболки".into(),
        },
        AlertScope::Product { product_id: PRODUCT },
    ];
    for (below, scope) in (1..=4).zip(scopes.clone()) {
        rules.evolve(&rule(scope, below, below + 1).into());
        assert_eq!(of(&rules).low, units(below));
    }
    for (below, scope) in [4, 3, 2, 1].into_iter().zip(scopes.into_iter().rev()) {
        assert_eq!(of(&rules).low, units(below));
        let rule_id = AlertRuleId::of(TENANT, &scope);
        rules.evolve(&AlertRuleRemoved { rule_id }.into());
    }
    assert_eq!(of(&rules), DEFAULT);
}

#[test]
fn a_rule_that_is_not_there_cannot_be_removed() {
    TestFramework::<AlertRules>::with(())
        .given(vec![])
        .when(AlertRulesCommand::Remove(AlertRuleId::of(
            TENANT,
            &AlertScope::Tenant,
        )))
        .then_expect_error(AlertRulesRefusal::NotFound);
}
