//! The vendor's JSON, only the fields that are needed. What is documented as always present is required, so
//! that drift is seen; what was added late, or was seen missing or null, is not. Buyers' data (city, address,
//! legal entity) has no field here and so cannot get in.

mod description;
mod number;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::error::CallFailure;
use crate::json::{self, RawRows, Told};

pub(super) use description::{
    AttributesRequest, Branch, Filter, Language, ProductAttributes, attributes, tree,
};
pub(super) use number::{Decimal, Int};

/// `null` where a text or a list inside of a row is documented means none. Where a whole list of rows is
/// documented it does not: an answer without its list has nothing to say, and proves nothing.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// What only decorates a row takes nothing with it when it cannot be read.
fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let raw: Option<Box<RawValue>> = Option::deserialize(deserializer)?;
    Ok(raw.and_then(|raw| serde_json::from_str(raw.get()).ok()))
}

/// The same where it matters whether the field is there: what cannot be read counts as not reported.
fn lenient_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Told<String>, D::Error> {
    let raw: Option<Box<RawValue>> = Option::deserialize(deserializer)?;
    Ok(match raw.map(|raw| serde_json::from_str(raw.get())) {
        None => Told::Null,
        Some(Ok(text)) => Told::Value(text),
        Some(Err(_)) => Told::Absent,
    })
}

/// Units of a kind that older answers lack. `null` is no count: nothing is known of the row then.
fn units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Int>, D::Error> {
    Int::deserialize(deserializer).map(Some)
}

/// A value in a row that is worth reading without it, and of which it matters whether it was damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Loose<T> {
    /// Absent, `null`, or the empty text in place of an amount.
    #[default]
    None,
    /// Told.
    Some(T),
    /// Told, and not readable.
    Lost,
}

/// An amount of money.
pub(super) type Amount = Loose<Decimal>;

impl<'de> Deserialize<'de> for Loose<Decimal> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Option<Box<RawValue>> = Option::deserialize(deserializer)?;
        Ok(loose(raw.filter(|raw| raw.get() != "\"\"")))
    }
}

impl<'de> Deserialize<'de> for Loose<Int> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(loose)
    }
}

fn loose<T: DeserializeOwned>(raw: Option<Box<RawValue>>) -> Loose<T> {
    raw.map_or(Loose::None, |raw| {
        serde_json::from_str(raw.get()).map_or(Loose::Lost, Loose::Some)
    })
}

/// `POST /v3/product/list`, request.
#[derive(Serialize)]
pub(super) struct ProductListRequest<'a> {
    pub(super) filter: Visibility,
    pub(super) last_id: &'a str,
    pub(super) limit: u32,
}

/// `ALL` is all but the archived ones.
#[derive(Serialize)]
pub(super) struct Visibility {
    pub(super) visibility: &'static str,
}

/// The same, response.
#[derive(Debug, Deserialize)]
pub(super) struct ProductList {
    pub(super) result: ProductPage,
}

/// `total` is gone since 2026-11-23, `total_items` was not everywhere in March 2026: neither is required.
#[derive(Debug, Deserialize)]
pub(super) struct ProductPage {
    pub(super) items: RawRows,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) last_id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) total: Option<Int>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) total_items: Option<Int>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ProductRow {
    pub(super) product_id: Int,
}

/// `POST /v3/product/info/list`, request: ids as text, as documented.
#[derive(Serialize)]
pub(super) struct InfoRequest<'a> {
    pub(super) product_id: &'a [String],
}

/// The same by SKU; the vendor takes one kind of ids a request.
#[derive(Serialize)]
pub(super) struct SkuRequest<'a> {
    pub(super) sku: &'a [String],
}

/// The same by the seller's article.
#[derive(Serialize)]
pub(super) struct OfferRequest<'a> {
    pub(super) offer_id: &'a [String],
}

/// The same, response.
#[derive(Debug, Deserialize)]
pub(super) struct InfoList {
    pub(super) items: RawRows,
}

#[derive(Debug, Deserialize)]
pub(super) struct InfoRow {
    pub(super) id: Int,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(super) name: Told<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    pub(super) offer_id: Told<String>,
    /// 0 until moderation has given one; old cards have theirs in `sources` only, and so has every card.
    #[serde(default)]
    pub(super) sku: Loose<Int>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) barcodes: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) sources: Vec<InfoSource>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) updated_at: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) type_id: Option<Int>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) description_category_id: Option<Int>,
    #[serde(default)]
    pub(super) price: Amount,
    #[serde(default)]
    pub(super) old_price: Amount,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) currency_code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct InfoSource {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) sku: Int,
    /// `sds`, `fbo` or `fbs`.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) source: Option<String>,
}

/// `POST /v1/analytics/stocks`, request.
#[derive(Serialize)]
pub(super) struct AnalyticsRequest<'a> {
    pub(super) skus: &'a [String],
}

/// The same, response.
#[derive(Debug, Deserialize)]
pub(super) struct AnalyticsStocks {
    pub(super) items: RawRows,
}

/// Fields after `turnover_grade_cluster` came in August and September 2026.
#[derive(Debug, Deserialize)]
pub(super) struct AnalyticsRow {
    pub(super) sku: Int,
    /// The seller's article.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) offer_id: Option<String>,
    pub(super) warehouse_id: Int,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) warehouse_name: String,
    pub(super) cluster_id: Int,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) cluster_name: String,
    pub(super) available_stock_count: Int,
    pub(super) valid_stock_count: Int,
    pub(super) waiting_docs_stock_count: Int,
    pub(super) expiring_stock_count: Int,
    pub(super) transit_defect_stock_count: Int,
    pub(super) stock_defect_stock_count: Int,
    pub(super) excess_stock_count: Int,
    pub(super) other_stock_count: Int,
    pub(super) requested_stock_count: Int,
    pub(super) transit_stock_count: Int,
    pub(super) return_from_customer_stock_count: Int,
    pub(super) return_to_seller_stock_count: Int,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) ads: Option<Decimal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) ads_cluster: Option<Decimal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) idc: Option<Decimal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) idc_cluster: Option<Decimal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) days_without_sales: Option<Int>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) days_without_sales_cluster: Option<Int>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) turnover_grade: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) turnover_grade_cluster: Option<String>,
    #[serde(default, deserialize_with = "units")]
    pub(super) waiting_docs_to_export_stock_count: Option<Int>,
    #[serde(default, deserialize_with = "units")]
    pub(super) inbound_replenishment: Option<Int>,
    #[serde(default, deserialize_with = "units")]
    pub(super) outbound_pending_delivery: Option<Int>,
    #[serde(default, deserialize_with = "units")]
    pub(super) outbound_returns_picking: Option<Int>,
    #[serde(default, deserialize_with = "units")]
    pub(super) outbound_returns_ready_to_ship: Option<Int>,
    #[serde(default, deserialize_with = "units")]
    pub(super) outbound_returns_return_to_seller: Option<Int>,
    #[serde(default, deserialize_with = "units")]
    pub(super) stock_not_being_sold: Option<Int>,
}

/// `POST /v2/warehouse/list`, request.
#[derive(Serialize)]
pub(super) struct WarehousesRequest<'a> {
    pub(super) limit: u32,
    pub(super) cursor: &'a str,
}

/// The same, response.
#[derive(Debug, Deserialize)]
pub(super) struct Warehouses {
    pub(super) warehouses: RawRows,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) cursor: String,
    pub(super) has_next: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct WarehouseRow {
    pub(super) warehouse_id: Int,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) name: String,
}

/// `POST /v2/product/info/stocks-by-warehouse/fbs`, request.
#[derive(Serialize)]
pub(super) struct FbsRequest<'a> {
    pub(super) sku: &'a [String],
    pub(super) limit: u32,
    pub(super) cursor: &'a str,
}

/// The same, response.
#[derive(Debug, Deserialize)]
pub(super) struct FbsStocks {
    pub(super) products: RawRows,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) cursor: String,
    pub(super) has_next: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct FbsRow {
    pub(super) sku: Int,
    /// The seller's article.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) offer_id: Option<String>,
    pub(super) warehouse_id: Int,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) warehouse_name: String,
    pub(super) free_stock: Int,
    pub(super) reserved: Int,
}

/// `POST /v3/posting/fbo/list` and `POST /v4/posting/fbs/list`, request.
#[derive(Serialize)]
pub(super) struct PostingsRequest<'a> {
    pub(super) filter: PostingsFilter,
    pub(super) limit: u32,
    pub(super) cursor: &'a str,
    pub(super) sort_dir: &'static str,
    pub(super) with: PostingsWith,
}

#[derive(Serialize, Clone)]
pub(super) struct PostingsFilter {
    pub(super) since: String,
    pub(super) to: String,
}

/// Only what names the warehouse and its region.
#[derive(Serialize)]
pub(super) struct PostingsWith {
    pub(super) analytics_data: bool,
    pub(super) financial_data: bool,
}

/// The same, response. The examples of April wrap it into `result`, the schemas and October do not. The shape
/// is looked at first, because a decoder that tries both could not name the field that is wrong.
pub(super) fn postings(body: &[u8]) -> Result<PostingsPage, CallFailure> {
    let shape: PostingsShape = json::decode(body)?;
    if shape.postings.is_none() && shape.result.is_some() {
        let result = json::decode::<PostingsWrapped>(body)?.result;
        return Ok(PostingsPage {
            wrapped: true,
            ..result
        });
    }
    json::decode(body)
}

#[derive(Deserialize)]
struct PostingsShape {
    postings: Option<IgnoredAny>,
    result: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct PostingsWrapped {
    result: PostingsPage,
}

#[derive(Debug, Deserialize)]
pub(super) struct PostingsPage {
    pub(super) postings: RawRows,
    /// Whether it came inside of `result`.
    #[serde(skip)]
    pub(super) wrapped: bool,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) cursor: String,
    pub(super) has_next: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Posting {
    pub(super) posting_number: String,
    pub(super) status: String,
    pub(super) created_at: Option<String>,
    pub(super) in_process_at: Option<String>,
    pub(super) delivering_date: Option<String>,
    pub(super) products: RawRows,
    pub(super) analytics_data: Option<PostingAnalytics>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) financial_data: Option<PostingFinances>,
    pub(super) delivery_method: Option<DeliveryMethod>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PostingProduct {
    pub(super) sku: Int,
    /// The seller's article.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) offer_id: Option<String>,
    pub(super) quantity: Int,
    pub(super) price: Option<Price>,
    pub(super) currency: Option<String>,
    pub(super) currency_code: Option<String>,
}

/// The mirror of October says an object, the example of April a text, old answers a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Price {
    Money {
        amount: Decimal,
        currency: Option<String>,
    },
    Bare(Decimal),
}

#[derive(Debug, Deserialize)]
pub(super) struct PostingAnalytics {
    pub(super) warehouse_id: Option<Int>,
    pub(super) warehouse_name: Option<String>,
    pub(super) warehouse: Option<String>,
}

/// Where the parcel came from; where it went is the buyer's.
#[derive(Debug, Deserialize)]
pub(super) struct PostingFinances {
    pub(super) cluster_from: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DeliveryMethod {
    pub(super) warehouse_id: Option<Int>,
    pub(super) warehouse: Option<String>,
}

/// `POST /v1/roles`, response.
#[derive(Debug, Deserialize)]
pub(super) struct Roles {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) expires_at: Option<String>,
    pub(super) roles: RawRows,
}

#[derive(Debug, Deserialize)]
pub(super) struct Role {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) methods: Vec<String>,
}

/// `POST /v1/seller/info`, response.
#[derive(Debug, Deserialize)]
pub(super) struct SellerInfo {
    pub(super) company: Company,
}

#[derive(Debug, Deserialize)]
pub(super) struct Company {
    pub(super) name: String,
}

/// A body that has nothing to say.
#[derive(Serialize)]
pub(super) struct Nothing {}

#[cfg(test)]
pub(super) mod samples;
#[cfg(test)]
mod tests;
