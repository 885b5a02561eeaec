//! The events of alerts, their rules, and outgoing webhooks.

use super::{at, id};
use crate::alert::{AlertCause, AlertClosed, AlertEnd, Lost, Seen, StockBecameLow, StockOut, StockRecovered};
use crate::alert_rule::{AlertRuleRemoved, AlertRuleSet, AlertScope, EnoughStock};
use crate::catalog::{AlertEvent, AlertRuleEvent, WebhookEndpointEvent};
use crate::sheet::LowStock;
use crate::webhook_endpoint::{
    DisableReason, WebhookEndpointAdded, WebhookEndpointChanged, WebhookEndpointDisabled,
    WebhookEndpointEnabled, WebhookEndpointRemoved, WebhookSecretRotated,
};

pub(super) fn rules() -> [AlertRuleEvent; 2] {
    [
        AlertRuleSet {
            rule_id: id("a1e1"),
            scope: AlertScope::Subject {
                subject: "Футболки".into(),
            },
            low: low(),
            enough: EnoughStock {
                from_units: Some(15),
                from_days: Some(10),
            },
            per_warehouse: true,
            enabled: true,
        }
        .into(),
        AlertRuleRemoved { rule_id: id("a1e1") }.into(),
    ]
}

fn low() -> LowStock {
    LowStock {
        below_units: Some(10),
        below_days: Some(7),
    }
}

fn seen(available: i64, days_tenths: Option<i64>) -> Seen {
    Seen {
        cabinet_id: id("ca01"),
        nm_id: 197_330_807,
        warehouse: Some("fbo:507".into()),
        warehouse_name: Some("Коледино".into()),
        available,
        orders: Some(12),
        days_tenths,
        position: 184_467,
        at: at("2026-11-17T09:01:07Z"),
        cause: AlertCause::Sync,
        sync_id: Some(id("5c01")),
        rule_id: Some(id("a1e1")),
    }
}

pub(super) fn alerts() -> [AlertEvent; 4] {
    let lost = Lost {
        since: at("2026-11-14T09:01:07Z"),
        seconds: 259_200,
        orders_tenths: Some(51),
        turnover_minor: Some(765_000),
        currency: Some("RUB".into()),
    };
    [
        StockBecameLow {
            seen: seen(9, Some(53)),
            low: low(),
            lost: Some(lost.clone()),
        }
        .into(),
        StockOut {
            seen: seen(0, None),
            pace_milli: Some(1_714),
            price_minor: Some(149_900),
            currency: Some("RUB".into()),
        }
        .into(),
        StockRecovered {
            seen: seen(240, Some(1_400)),
            since: at("2026-11-12T09:01:07Z"),
            lost: Some(lost),
        }
        .into(),
        AlertClosed {
            warehouse: Some("fbo:507".into()),
            reason: AlertEnd::Delisted,
            position: 184_500,
            at: at("2026-11-18T09:01:07Z"),
        }
        .into(),
    ]
}

pub(super) fn endpoints() -> [WebhookEndpointEvent; 6] {
    [
        WebhookEndpointAdded {
            host: "hooks.example.com".into(),
            types: vec!["stock.low".into(), "stock.out".into()],
            address_id: id("c0e1"),
            secret_id: id("c0e2"),
        }
        .into(),
        WebhookEndpointChanged {
            host: "hooks.example.com".into(),
            types: vec![],
            address_id: id("c0e3"),
        }
        .into(),
        WebhookSecretRotated {
            secret_id: id("c0e4"),
            former_until: at("2026-11-18T09:01:07Z"),
        }
        .into(),
        WebhookEndpointDisabled {
            reason: DisableReason::Failing,
        }
        .into(),
        WebhookEndpointEnabled {}.into(),
        WebhookEndpointRemoved {}.into(),
    ]
}
