//! Products, their stock and orders.

pub mod history;
pub mod list;
pub mod show;
pub mod sync_all;

use std::collections::BTreeMap;

use application::allowance;
use chrono::{DateTime, NaiveDate, Utc};
use measures::{KnownWindows, Pace, Tenths, differs_notably, round_half_even, turnover};
use read_models::inventory::queries::{OrderCounts, Paces, ProductSummary};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::call::Call;
use crate::problem::Problem;

/// A product in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductView {
    /// Its id.
    pub id: Uuid,
    /// Its cabinet.
    pub cabinet_id: Uuid,
    /// `wildberries` or `ozon`.
    pub marketplace: String,
    /// The marketplace's article number.
    pub marketplace_article: i64,
    /// The seller's article.
    pub seller_article: String,
    /// Title of the card.
    pub product_name: String,
    /// Brand; may be empty.
    pub brand: String,
    /// Category.
    pub subject: String,
    /// Whether it left the catalogue.
    pub delisted: bool,
    /// Whether its numbers are not kept up to date, because the plan allows fewer products or cabinets; the
    /// oldest are. They are as they were last known, and the first sync under a better plan brings new ones.
    pub paused_by_plan: bool,
    /// Units that can be sold, over all warehouses that were not left out of totals.
    pub total_stock: i64,
    /// Units at warehouses that were left out; turnover and days of stock do not count them either.
    pub excluded_units: i64,
    /// Units that can be sold at the warehouse asked for.
    pub warehouse_stock: Option<i64>,
    /// Units ordered in the last 7 days; none where not all of these days are known, see `orders`.
    pub total_orders: Option<i64>,
    /// Units ordered in the last 7, 14 and 28 days.
    pub orders: OrdersView,
    /// Turnover: units × 7 ÷ orders of 7 days, one decimal; none where either is zero or not known.
    pub turnover_days: Option<f64>,
    /// Units sold and time in stock in the last 7, 14 and 28 days, as far as both are known.
    pub pace: PacesView,
    /// Days the stock lasts at the pace of 28 days, one decimal; none with fewer than 5 units sold in them.
    pub days_of_stock: Option<f64>,
    /// The Moscow day on which it is gone then.
    pub stock_out_on: Option<NaiveDate>,
    /// Until when stock and orders are known; pace and days of stock end there.
    pub known_until: Option<DateTime<Utc>>,
    /// The marketplace's own days of stock, three decimals, where it tells them.
    pub marketplace_days_of_stock: Option<f64>,
    /// What somebody should look at: `days_of_stock_differ` where ours and the marketplace's are more than
    /// 20 % apart.
    pub notices: Vec<&'static str>,
    /// Units on the way to buyers.
    pub in_way_to_client: i64,
    /// Units on the way back.
    pub in_way_from_client: i64,
    /// How old each source's last recorded change is, by the marketplace's time.
    pub as_of: BTreeMap<String, DateTime<Utc>>,
    /// When it was first seen.
    pub created_at: DateTime<Utc>,
    /// When a change was last recorded.
    pub updated_at: DateTime<Utc>,
    /// Position of that change.
    pub position: i64,
}

/// Units ordered and not cancelled, in Moscow days up to today. A window is none where orders are not known
/// from its beginning until at least yesterday: the part that is known would look like a whole with fewer
/// orders.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrdersView {
    /// In 7 days.
    pub last_7: Option<i64>,
    /// In 14 days.
    pub last_14: Option<i64>,
    /// In 28 days.
    pub last_28: Option<i64>,
    /// Units of the 28 days that came back; they are counted above.
    pub returned_28: Option<i64>,
    /// Days of the 28 of which orders are known.
    #[schema(minimum = 0, maximum = 28)]
    pub known_days: i64,
}

impl OrdersView {
    pub(super) fn of(counts: OrderCounts, known: KnownWindows) -> Self {
        Self {
            last_7: known.last_7.then_some(counts.last_7),
            last_14: known.last_14.then_some(counts.last_14),
            last_28: known.last_28.then_some(counts.last_28),
            returned_28: known.last_28.then_some(counts.returned_28),
            known_days: known.days,
        }
    }
}

/// Pace by window. Windows end today and begin no earlier than the first stock that was told.
#[derive(Debug, Serialize, ToSchema)]
pub struct PacesView {
    /// In 7 days.
    pub last_7: PaceView,
    /// In 14 days.
    pub last_14: PaceView,
    /// In 28 days.
    pub last_28: PaceView,
}

/// How fast something sold while it could be bought.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaceView {
    /// Units ordered and not cancelled.
    pub units: i64,
    /// Days with at least one unit in stock, by the marketplace's time, three decimals.
    pub days_in_stock: f64,
    /// Units a day in stock, three decimals; none where there was nothing to buy.
    pub units_per_day: Option<f64>,
}

impl From<Paces> for PacesView {
    fn from(paces: Paces) -> Self {
        Self {
            last_7: paces.last_7.into(),
            last_14: paces.last_14.into(),
            last_28: paces.last_28.into(),
        }
    }
}

impl From<Pace> for PaceView {
    fn from(pace: Pace) -> Self {
        // Thousandths of a day are 86.4 seconds.
        let thousandths = i64::try_from(round_half_even(pace.in_stock.max(0).into(), 86_400_000));
        Self {
            units: pace.units,
            days_in_stock: thousandths.map_or(0.0, thousandth),
            units_per_day: pace.per_day_milli().map(thousandth),
        }
    }
}

/// A number of thousandths.
#[expect(clippy::cast_precision_loss, reason = "figures of a shop stay far below 2^53")]
pub(super) fn thousandth(number: i64) -> f64 {
    number as f64 / 1000.0
}

/// Days with their one decimal, as a JSON number.
#[expect(clippy::cast_precision_loss, reason = "tenths of days stay far below 2^53")]
pub(super) fn tenth(days: Tenths) -> f64 {
    days.0 as f64 / 10.0
}

/// Says that our days of stock and the marketplace's are far apart.
const DIFFER: &str = "days_of_stock_differ";

impl From<ProductSummary> for ProductView {
    fn from(product: ProductSummary) -> Self {
        let ours = product.outlook.days_of_stock(product.available);
        let theirs = product
            .figures
            .iter()
            .find(|figure| figure.cluster.is_none())
            .and_then(|figure| figure.days_of_stock_milli)
            .map(i64::from);
        // The marketplace counts every warehouse, so its figure is compared with all units.
        let all = product.available.saturating_add(product.excluded_units);
        let differ = (product.outlook.days_of_stock(all))
            .zip(theirs)
            .is_some_and(|(ours, theirs)| differs_notably(ours.0.saturating_mul(100), theirs));
        let orders = OrdersView::of(product.outlook.orders, product.orders_known);
        Self {
            pace: product.outlook.paces.into(),
            days_of_stock: ours.map(tenth),
            stock_out_on: product.outlook.stock_out_on(product.available),
            known_until: product.outlook.known_until,
            marketplace_days_of_stock: theirs.map(thousandth),
            notices: if differ { vec![DIFFER] } else { Vec::new() },
            id: product.product_id,
            cabinet_id: product.cabinet_id,
            marketplace: product.marketplace,
            marketplace_article: product.nm_id,
            seller_article: product.vendor_code,
            product_name: product.title,
            brand: product.brand,
            subject: product.subject,
            delisted: product.delisted,
            paused_by_plan: false,
            total_stock: product.available,
            excluded_units: product.excluded_units,
            warehouse_stock: product.available_at_warehouse,
            total_orders: orders.last_7,
            turnover_days: days(product.available, orders.last_7),
            orders,
            in_way_to_client: product.in_way_to_client,
            in_way_from_client: product.in_way_from_client,
            as_of: product.as_of,
            created_at: product.listed_at,
            updated_at: product.updated_at,
            position: product.position,
        }
    }
}

/// Marks those of these products that the plan keeps from being updated.
pub(crate) async fn mark_paused<'a>(
    call: &Call,
    products: impl IntoIterator<Item = &'a mut ProductView>,
) -> Result<(), Problem> {
    let Some(allowed) = allowance::of(&call.state.app, call.tenant()).await? else {
        return Ok(());
    };
    let products: Vec<&mut ProductView> = products.into_iter().collect();
    let ids: Vec<Uuid> = products.iter().map(|product| product.id).collect();
    let limit = allowed.allowance.products;
    let paused = call.state.app.places.paused(call.tenant(), limit, &ids).await?;
    for product in products {
        product.paused_by_plan = paused.contains(&product.id);
    }
    Ok(())
}

/// Turnover with its one decimal, as a JSON number; none where orders are not known.
pub(super) fn days(available: i64, orders: Option<i64>) -> Option<f64> {
    turnover(available, orders?).map(tenth)
}
