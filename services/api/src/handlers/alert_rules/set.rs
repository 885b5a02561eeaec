//! A rule is made, or replaced by another one for the same.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::domain::alert_rules::{DEFAULT, LONGEST_SUBJECT};
use application::domain::sheet::{MOST_DAYS, MOST_UNITS};
use application::set_alert_rule;
use events::alert_rule::{AlertScope, EnoughStock};
use events::ids::{CabinetId, ProductId};
use events::sheet::LowStock;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{AlertRuleView, RULES, rules_problem};
use crate::call::Call;
use crate::handlers::tag;
use crate::input::{self, Fields, Given, Input, shape};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

const KINDS: &[(&str, &str)] = &[
    ("tenant", "tenant"),
    ("cabinet", "cabinet"),
    ("subject", "subject"),
    ("product", "product"),
];

/// When to warn.
#[derive(Debug, Clone, ToSchema)]
pub struct AlertRuleRequest {
    /// What the rule is for. There is one rule for each; this one replaces it.
    #[schema(value_type = AlertScopeRequest)]
    pub scope: AlertScope,
    /// Warn with fewer units than this. One of this and `below_days` is needed, unless the rule is not
    /// enabled.
    #[schema(required = false, minimum = 1, maximum = 1_000_000, value_type = Option<i64>)]
    pub below_units: Option<i64>,
    /// Warn when the stock lasts fewer days than this at the pace of the last 7 days.
    #[schema(required = false, minimum = 1, maximum = 3_650, value_type = Option<i64>)]
    pub below_days: Option<i64>,
    /// Stock is enough again from so many units on, at least `below_units`; left out for half as many again.
    #[schema(required = false, minimum = 1, maximum = 2_000_000, value_type = Option<i64>)]
    pub recover_units: Option<i64>,
    /// Stock is enough again when it lasts so many days, at least `below_days`; left out for half as many
    /// again.
    #[schema(required = false, minimum = 1, maximum = 7_300, value_type = Option<i64>)]
    pub recover_days: Option<i64>,
    /// Whether each warehouse is watched as well, by the same values.
    #[schema(required = false, default = false)]
    pub per_warehouse: bool,
    /// Whether to warn at all; false silences the products of this rule.
    #[schema(required = false, default = true)]
    pub enabled: bool,
}

/// What a rule is for: `kind`, and the one field that names which.
#[derive(Debug, Clone, ToSchema)]
pub struct AlertScopeRequest {
    /// `tenant` (all products), `cabinet`, `subject` (a category) or `product`.
    #[schema(example = "cabinet")]
    pub kind: String,
    /// Which cabinet, for `cabinet`.
    #[schema(required = false, value_type = Option<Uuid>)]
    pub cabinet_id: Option<Uuid>,
    /// Which category, for `subject`: as the marketplace writes it, in all cabinets.
    #[schema(required = false, value_type = Option<String>, max_length = 200)]
    pub subject: Option<String>,
    /// Which product, for `product`.
    #[schema(required = false, value_type = Option<Uuid>)]
    pub product_id: Option<Uuid>,
}

impl Input for AlertRuleRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let scope = fields.required("scope", scope);
        let (units, days) = (MOST_UNITS, i64::from(MOST_DAYS));
        let below_units = fields.optional("below_units", shape::integer(1, units));
        let below_days = fields.optional("below_days", shape::integer(1, days));
        let recover_units = fields.optional("recover_units", shape::integer(1, 2 * units));
        let recover_days = fields.optional("recover_days", shape::integer(1, 2 * days));
        let pairs = [
            ("below_units", below_units, "recover_units", recover_units),
            ("below_days", below_days, "recover_days", recover_days),
        ];
        for (low, below, name, recover) in pairs {
            match (below, recover) {
                (Some(below), Some(recover)) if recover < below => {
                    fields.wrong(name, format!("must be at least `{low}`, which is {below}"));
                }
                (None, Some(_)) if !fields.is_wrong(low) => {
                    fields.wrong(name, format!("needs `{low}` beside it"));
                }
                _ => {}
            }
        }
        let per_warehouse = fields.optional("per_warehouse", shape::boolean);
        let enabled = fields.optional("enabled", shape::boolean);
        Some(Self {
            scope: scope?,
            below_units,
            below_days,
            recover_units,
            recover_days,
            per_warehouse: per_warehouse.unwrap_or(false),
            enabled: enabled.unwrap_or(true),
        })
    }
}

fn scope(given: Given<'_>) -> Result<AlertScope, String> {
    let fields = shape::object(given, &["kind", "cabinet_id", "subject", "product_id"])?;
    let kind = shape::part(fields, "kind", shape::one_of(KINDS))?.ok_or("needs `kind`")?;
    let cabinet = shape::part(fields, "cabinet_id", shape::uuid)?;
    let subject = shape::part(fields, "subject", shape::text(1, LONGEST_SUBJECT))?;
    let product = shape::part(fields, "product_id", shape::uuid)?;
    match (kind, cabinet, subject, product) {
        ("tenant", None, None, None) => Ok(AlertScope::Tenant),
        ("cabinet", Some(id), None, None) => Ok(AlertScope::Cabinet {
            cabinet_id: CabinetId(id),
        }),
        ("subject", None, Some(subject), None) => Ok(AlertScope::Subject { subject }),
        ("product", None, None, Some(id)) => Ok(AlertScope::Product {
            product_id: ProductId(id),
        }),
        ("tenant", ..) => Err("has a field that the kind `tenant` does not need".to_owned()),
        ("subject", ..) => Err("needs `subject` and nothing else for the kind `subject`".to_owned()),
        (kind, ..) => Err(format!(
            "needs `{kind}_id` and nothing else for the kind `{kind}`"
        )),
    }
}

impl AlertRuleRequest {
    fn wanted(self) -> set_alert_rule::Input {
        let days = |days: Option<i64>| days.and_then(|days| u32::try_from(days).ok());
        let low = LowStock {
            below_units: self.below_units,
            below_days: days(self.below_days),
        };
        // A rule that only silences needs no numbers.
        let is_silent = !self.enabled && low == LowStock::default();
        set_alert_rule::Input {
            scope: self.scope,
            low: if is_silent { DEFAULT.low } else { low },
            enough: EnoughStock {
                from_units: self.recover_units,
                from_days: days(self.recover_days),
            },
            per_warehouse: self.per_warehouse,
            enabled: self.enabled,
        }
    }
}

/// A rule that holds from now on.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertRuleChanged {
    /// The rule.
    pub rule: AlertRuleView,
    /// What was written.
    #[serde(flatten)]
    pub receipt: ReceiptView,
}

/// Make the rule of a scope, or replace it. Needs `If-Match` with the `ETag` of the list of rules; the answer
/// has the new one. What is low by the new rule and was not before is warned of at once; what is low no more
/// is closed.
///
/// # Errors
/// 409 where there are 1,000 rules already; 412, 428; 422 naming what is wrong.
#[utoipa::path(put, path = "/api/v1/alert-rules", tag = "alerts", operation_id = "set_alert_rule",
    params(("If-Match" = String, Header, description = "ETag of the list of rules as you know it")),
    request_body = AlertRuleRequest,
    responses((status = 200, description = "The rule of this scope was replaced", body = AlertRuleChanged),
              (status = 201, description = "The scope had no rule before", body = AlertRuleChanged)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<AlertRuleRequest>(&request, payload).await?;
    let wanted = body.value.wanted();
    let seen = tag::seen(&request, RULES);
    call.command(&request, &body.raw, move |state, context| async move {
        let set = set_alert_rule::execute(&state.app, &context, wanted, seen?)
            .await
            .map_err(rules_problem)?;
        let view = AlertRuleChanged {
            rule: (&set.rule).into(),
            receipt: ReceiptView::of(context.command_id, &set.receipt),
        };
        let status = if set.is_new { 201 } else { 200 };
        Ok(Reply::json(status, &view)?
            .etag(tag::of(set.receipt.version, &[]))
            .position(set.receipt.position))
    })
    .await
}
