//! A tenant's alerts.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse};
use application::domain::alert::lost;
use auth::profiles::Subject;
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use read_models::operations::{AlertDetail, AlertKind, AlertQuery, AlertState, alerts};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::call::Call;
use crate::cursor::{Binding, next_address};
use crate::freshness::Model;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

/// Whether alerts go on, and how they ended.
type Wanted = (Option<bool>, Option<AlertState>);

const STATES: &[(&str, Wanted)] = &[
    ("active", (Some(true), None)),
    ("recovered", (Some(false), Some(AlertState::Recovered))),
    ("closed", (Some(false), Some(AlertState::Closed))),
    ("all", (None, None)),
];
const KINDS: &[(&str, AlertKind)] = &[("low", AlertKind::Low), ("out", AlertKind::Out)];

/// The key under which all warehouses together are asked for.
const IN_TOTAL: &str = "total";

/// Which alerts.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AlertFilter {
    /// `active` (low or out now), `recovered`, `closed` or `all`.
    #[param(required = false, value_type = String, default = "active")]
    pub state: Wanted,
    /// `low` or `out`. An active alert is what it is now; one that ended is `out` if nothing was left at any
    /// time of it.
    #[param(required = false, value_type = String)]
    pub kind: Option<AlertKind>,
    /// Of one cabinet.
    #[param(required = false)]
    pub cabinet: Option<Uuid>,
    /// Of one product.
    #[param(required = false)]
    pub product: Option<Uuid>,
    /// Of the products of one category, as the marketplace writes it.
    #[param(required = false)]
    pub subject: Option<String>,
    /// At one warehouse, by its key; `total` for all warehouses together.
    #[param(required = false)]
    pub warehouse: Option<String>,
    /// That began at or after.
    #[param(required = false)]
    pub since: Option<DateTime<Utc>>,
    /// Rows on a page.
    #[param(required = false, minimum = 1, maximum = 100, default = 50)]
    pub limit: i64,
    /// Where the page begins.
    #[param(required = false)]
    pub cursor: Option<String>,
}

impl Input for AlertFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        let state = fields.optional("state", shape::one_of(STATES));
        Some(Self {
            state: state.unwrap_or((Some(true), None)),
            kind: fields.optional("kind", shape::one_of(KINDS)),
            cabinet: fields.optional("cabinet", shape::uuid),
            product: fields.optional("product", shape::uuid),
            subject: fields.optional("subject", shape::text(1, 255)),
            warehouse: fields.optional("warehouse", shape::text(1, 300)),
            since: fields.optional("since", shape::time),
            limit: fields.optional("limit", shape::integer(1, 100)).unwrap_or(50),
            cursor: fields.optional("cursor", shape::text(1, 1000)),
        })
    }
}

/// A time in which stock of a product was low or gone, at one warehouse or in total.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertView {
    /// Position of the event that began it. It never changes.
    pub id: i64,
    /// `low`, `out`, `recovered` or `closed`.
    pub state: String,
    /// Why it was closed: `delisted`, `disconnected`, `rule` (by the new one it is not low) or `warehouse`
    /// (renamed, masked, regrouped by the marketplace, or left out).
    pub end_reason: Option<String>,
    /// What made it begin: `sync`, `first_sync` (the state was not new, only seen for the first time), `rule`
    /// or `warehouses`.
    pub cause: String,
    /// The product.
    pub product: AlertProduct,
    /// The warehouse; null for all warehouses together.
    pub warehouse: Option<AlertWarehouse>,
    /// Low or out since.
    pub since: DateTime<Utc>,
    /// Nothing left since; null while something is, and after the end.
    pub out_since: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Units that could be sold when it last changed.
    pub available: i64,
    /// Units ordered in the 7 days before that; null when not known.
    pub orders: Option<i64>,
    /// Days that the stock lasted at that pace, with one decimal; null where there is no stock or no order.
    pub days: Option<f64>,
    /// The stock is below so many units; null where the rule has none, and for what is out.
    pub below_units: Option<i64>,
    /// The stock lasts fewer days than this.
    pub below_days: Option<i64>,
    /// The rule that was applied; null for the default.
    pub rule_id: Option<Uuid>,
    /// The sync that saw the numbers, if one did.
    pub sync_id: Option<Uuid>,
    /// Position of the event that the numbers follow from.
    pub seen_position: i64,
    /// When that was.
    pub seen_at: DateTime<Utc>,
    /// What the time without stock has probably cost, until now where it lasts; null where there was none.
    pub lost: Option<AlertLostView>,
    /// Position of its last change.
    pub position: i64,
}

/// The product of an alert.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertProduct {
    /// Its id.
    pub id: Uuid,
    /// Its cabinet.
    pub cabinet_id: Uuid,
    /// What the cabinet is called.
    pub cabinet_title: Option<String>,
    /// `wildberries` or `ozon`.
    pub marketplace: Option<String>,
    /// The marketplace's article number.
    pub nm_id: i64,
    /// Title.
    pub title: Option<String>,
    /// The seller's own article.
    pub vendor_code: Option<String>,
    /// Category.
    pub subject: Option<String>,
}

/// The warehouse of an alert.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertWarehouse {
    /// Its key.
    pub warehouse: String,
    /// What it is called today.
    pub warehouse_name: Option<String>,
}

/// An estimate.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertLostView {
    /// Seconds without stock.
    pub seconds: i64,
    /// Orders, with one decimal; null where the pace before was not known.
    pub orders: Option<f64>,
    /// Turnover in minor units; null where the price was not known.
    pub turnover_minor: Option<i64>,
    /// ISO 4217 code of the turnover.
    pub currency: Option<String>,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "tenths of days and of orders are far below 2^52"
)]
fn tenths(tenths: i64) -> f64 {
    tenths as f64 / 10.0
}

/// What the times without stock have cost, the one that lasts included.
fn cost(alert: &AlertDetail, now: DateTime<Utc>) -> Option<AlertLostView> {
    let mut sum = alert.lost.clone();
    if let Some(since) = alert.out_since {
        let more = lost(
            since,
            now,
            alert.pace_milli,
            alert.price_minor,
            alert.currency.clone(),
        );
        let add = |before: Option<i64>, more: Option<i64>| match (before, more) {
            (Some(before), Some(more)) => Some(before.saturating_add(more)),
            (before, more) => before.or(more),
        };
        sum.seconds = sum.seconds.saturating_add(more.seconds);
        sum.orders_tenths = add(sum.orders_tenths, more.orders_tenths);
        if sum.currency.is_none() || sum.currency == more.currency {
            sum.turnover_minor = add(sum.turnover_minor, more.turnover_minor);
            sum.currency = sum.currency.or(more.currency);
        }
    } else if sum.seconds == 0 {
        return None;
    }
    Some(AlertLostView {
        seconds: sum.seconds,
        orders: sum.orders_tenths.map(tenths),
        turnover_minor: sum.turnover_minor,
        currency: sum.currency,
    })
}

impl AlertView {
    fn of(alert: AlertDetail, titles: &HashMap<Uuid, String>, now: DateTime<Utc>) -> Self {
        let lost = cost(&alert, now);
        Self {
            id: alert.first_position,
            state: alert.state,
            end_reason: alert.end_reason,
            cause: alert.cause,
            product: AlertProduct {
                id: alert.product_id,
                cabinet_id: alert.cabinet_id,
                cabinet_title: titles.get(&alert.cabinet_id).cloned(),
                marketplace: alert.marketplace,
                nm_id: alert.nm_id,
                title: alert.title,
                vendor_code: alert.vendor_code,
                subject: alert.subject,
            },
            warehouse: alert.warehouse.map(|warehouse| AlertWarehouse {
                warehouse,
                warehouse_name: alert.warehouse_name,
            }),
            since: alert.since,
            out_since: alert.out_since,
            ended_at: alert.ended_at,
            available: alert.available,
            orders: alert.orders,
            days: alert.days_tenths.map(tenths),
            below_units: alert.below_units,
            below_days: alert.below_days,
            rule_id: alert.rule_id,
            sync_id: alert.sync_id,
            seen_position: alert.seen_position,
            seen_at: alert.seen_at,
            lost,
            position: alert.position,
        }
    }
}

/// List alerts, those that began last first; without a filter those that are active. Pages are stable: an
/// alert keeps its place when it changes.
///
/// # Errors
/// 422.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", operation_id = "alerts",
    params(AlertFilter), responses((status = 200, body = Page<AlertView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let filter: AlertFilter = input::query(&request)?;
    let binding = Binding::of(&call.state.tokens, call.tenant(), &request);
    let before = filter
        .cursor
        .map(|cursor| binding.decode::<i64>(&cursor))
        .transpose()?;
    let (going_on, ended_as) = filter.state;
    let query = AlertQuery {
        going_on,
        ended_as,
        kind: filter.kind,
        cabinet_id: filter.cabinet,
        product_id: filter.product,
        subject: filter.subject,
        warehouse: filter.warehouse.map(|key| match key.as_str() {
            IN_TOTAL => String::new(),
            _ => key,
        }),
        since: filter.since,
        before,
        limit: filter.limit + 1,
    };
    let question = async |tx: &Transaction<'_>| alerts(tx, &query).await;
    let (mut rows, position) = call.read(&request, Model::Operations, question).await?;
    let shown = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let more = rows.len() > shown;
    rows.truncate(shown);
    let next = match rows.last() {
        Some(last) if more => Some(binding.encode(&last.first_position)?),
        _ => None,
    };
    let link = next.as_ref().map(|cursor| next_address(&request, cursor));
    let profiles = &call.state.app.profiles;
    let titles = profiles.all(call.tenant(), Subject::Cabinet).await?;
    let data = rows
        .into_iter()
        .map(|alert| AlertView::of(alert, &titles, call.trace.now))
        .collect();
    Ok(Reply::json(200, &Page::part(data, next))?
        .next_page(link)
        .position(position)
        .into())
}
