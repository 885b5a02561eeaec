//! Questions about alerts. Names are those of today: a warehouse that was renamed is called by its new name.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::QueryError;

/// How it stands with stock at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// Less than the rule asks for.
    Low,
    /// Nothing left.
    Out,
    /// Enough again.
    Recovered,
    /// Not watched any more.
    Closed,
}

impl AlertState {
    /// The name in JSON and SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Out => "out",
            Self::Recovered => "recovered",
            Self::Closed => "closed",
        }
    }
}

/// How bad it is, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertKind {
    /// Something was left all the time; of one that goes on, something is left now.
    Low,
    /// Nothing was left at some time of it; of one that goes on, nothing is left now.
    Out,
}

/// Which alerts, those that began last first.
#[derive(Debug, Clone, Default)]
pub struct AlertQuery {
    /// Whether those that go on, or those that have ended; both where none.
    pub going_on: Option<bool>,
    /// Of those that have ended, the ones that ended so.
    pub ended_as: Option<AlertState>,
    /// Of one kind.
    pub kind: Option<AlertKind>,
    /// Of one cabinet.
    pub cabinet_id: Option<Uuid>,
    /// Of one product.
    pub product_id: Option<Uuid>,
    /// Of the products of one category.
    pub subject: Option<String>,
    /// At one warehouse, by its key; empty for all of them together.
    pub warehouse: Option<String>,
    /// That began at or after.
    pub since: Option<DateTime<Utc>>,
    /// [`AlertDetail::first_position`] of the last row of the previous page.
    pub before: Option<i64>,
    /// Most rows.
    pub limit: i64,
}

/// A time in which stock of a product was low or gone at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertDetail {
    /// Position of the event that began it; its id.
    pub first_position: i64,
    /// Position of its last event.
    pub position: i64,
    /// `low`, `out`, `recovered` or `closed`.
    pub state: String,
    /// What made it begin: `sync`, `first_sync`, `rule` or `warehouses`.
    pub cause: String,
    /// Which product.
    pub product_id: Uuid,
    /// Its cabinet.
    pub cabinet_id: Uuid,
    /// The marketplace's article number.
    pub nm_id: i64,
    /// `wildberries` or `ozon`; none where the product is not known yet, as the next three.
    pub marketplace: Option<String>,
    /// Title of the product.
    pub title: Option<String>,
    /// The seller's own article.
    pub vendor_code: Option<String>,
    /// Category.
    pub subject: Option<String>,
    /// Key of the warehouse; none for all of them together.
    pub warehouse: Option<String>,
    /// Its name today.
    pub warehouse_name: Option<String>,
    /// Low or out since.
    pub since: DateTime<Utc>,
    /// Nothing left since; none while something is, and after the end.
    pub out_since: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Of a closed one: `delisted`, `disconnected`, `rule` or `warehouse`.
    pub end_reason: Option<String>,
    /// Units that could be sold when it last changed.
    pub available: i64,
    /// Units ordered in the seven days before; none when not known.
    pub orders: Option<i64>,
    /// Days that the stock lasted then, in tenths; none where the turnover is empty.
    pub days_tenths: Option<i64>,
    /// What stock was below of, in units.
    pub below_units: Option<i64>,
    /// What stock was below of, in days.
    pub below_days: Option<i64>,
    /// The rule that was applied last; none for the default.
    pub rule_id: Option<Uuid>,
    /// The sync that saw the numbers, where a sync did.
    pub sync_id: Option<Uuid>,
    /// Position of the event that the last change follows from.
    pub seen_position: i64,
    /// When that was.
    pub seen_at: DateTime<Utc>,
    /// Units a day in thousandths, before it ran out last.
    pub pace_milli: Option<i64>,
    /// What a unit was sold for then, in minor units.
    pub price_minor: Option<i64>,
    /// ISO 4217 code of the price.
    pub currency: Option<String>,
    /// Of the times without stock that have ended.
    pub lost: AlertLost,
}

/// What times without stock have probably cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertLost {
    /// Their length.
    pub seconds: i64,
    /// Orders, in tenths of a unit; none where no pace was known.
    pub orders_tenths: Option<i64>,
    /// Turnover in minor units; none where no price was known.
    pub turnover_minor: Option<i64>,
    /// ISO 4217 code of the turnover.
    pub currency: Option<String>,
}

/// A page of alerts. It is stable: an alert keeps its place when it changes.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn alerts(tx: &Transaction<'_>, query: &AlertQuery) -> Result<Vec<AlertDetail>, QueryError> {
    // Its own condition for each, so that those that go on are found in their own index.
    let lasts = match query.going_on {
        Some(true) => "a.ended_at IS NULL",
        Some(false) => "a.ended_at IS NOT NULL",
        None => "true",
    };
    let sql = format!(
        "SELECT a.*, p.marketplace, p.title, p.vendor_code, p.subject, \
                coalesce(w.name, a.warehouse_name) AS name_today \
           FROM rm_operations.alerts a \
           LEFT JOIN rm_inventory.products p ON p.tenant_id = a.tenant_id AND p.product_id = a.product_id \
           LEFT JOIN rm_inventory.warehouses w ON w.tenant_id = a.tenant_id AND w.cabinet_id = a.cabinet_id \
                AND w.warehouse = a.place \
          WHERE a.tenant_id = (SELECT core.current_tenant()) AND {lasts} AND a.first_position < $1 \
            AND ($2::text IS NULL OR a.state = $2) \
            AND ($3::boolean IS NULL \
                 OR $3 = CASE WHEN a.ended_at IS NULL THEN a.state = 'out' ELSE a.was_out END) \
            AND ($4::uuid IS NULL OR a.cabinet_id = $4) AND ($5::uuid IS NULL OR a.product_id = $5) \
            AND ($6::text IS NULL OR p.subject = $6) AND ($7::text IS NULL OR a.place = $7) \
            AND ($8::timestamptz IS NULL OR a.since >= $8) \
          ORDER BY a.first_position DESC LIMIT $9"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx
        .query(
            &statement,
            &[
                &query.before.unwrap_or(i64::MAX),
                &query.ended_as.map(AlertState::as_str),
                &query.kind.map(|kind| kind == AlertKind::Out),
                &query.cabinet_id,
                &query.product_id,
                &query.subject,
                &query.warehouse,
                &query.since,
                &query.limit.max(1),
            ],
        )
        .await?;
    Ok(rows.iter().map(detail).collect::<Result<_, _>>()?)
}

fn detail(row: &Row) -> Result<AlertDetail, tokio_postgres::Error> {
    let place: String = row.try_get("place")?;
    Ok(AlertDetail {
        first_position: row.try_get("first_position")?,
        position: row.try_get("position")?,
        state: row.try_get("state")?,
        cause: row.try_get("cause")?,
        product_id: row.try_get("product_id")?,
        cabinet_id: row.try_get("cabinet_id")?,
        nm_id: row.try_get("nm_id")?,
        marketplace: row.try_get("marketplace")?,
        title: row.try_get("title")?,
        vendor_code: row.try_get("vendor_code")?,
        subject: row.try_get("subject")?,
        warehouse: (!place.is_empty()).then_some(place),
        warehouse_name: row.try_get("name_today")?,
        since: row.try_get("since")?,
        out_since: row.try_get("out_since")?,
        ended_at: row.try_get("ended_at")?,
        end_reason: row.try_get("end_reason")?,
        available: row.try_get("available")?,
        orders: row.try_get("orders")?,
        days_tenths: row.try_get("days_tenths")?,
        below_units: row.try_get("below_units")?,
        below_days: row.try_get("below_days")?,
        rule_id: row.try_get("rule_id")?,
        sync_id: row.try_get("sync_id")?,
        seen_position: row.try_get("seen_position")?,
        seen_at: row.try_get("seen_at")?,
        pace_milli: row.try_get("pace_milli")?,
        price_minor: row.try_get("price_minor")?,
        currency: row.try_get("currency")?,
        lost: AlertLost {
            seconds: row.try_get("out_seconds")?,
            orders_tenths: row.try_get("lost_orders_tenths")?,
            turnover_minor: row.try_get("lost_turnover_minor")?,
            currency: row.try_get("lost_currency")?,
        },
    })
}
