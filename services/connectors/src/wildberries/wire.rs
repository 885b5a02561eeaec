//! The vendor's JSON, only the fields that are needed. What is documented as always present is required, so
//! that drift is seen; what was seen missing or null is not. Buyers' data (city, region, sticker) has no
//! field here and so cannot get in.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::json::{RawRows, Told};

/// `null` where a list or a text is documented means none.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A list that has to be there, and of which it matters whether it is `null`.
fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RawRows>, D::Error> {
    Option::deserialize(deserializer)
}

/// `POST /content/v2/get/cards/list`, request.
#[derive(Serialize)]
pub(super) struct CardsRequest<'a> {
    pub(super) settings: CardsSettings<'a>,
}

#[derive(Serialize)]
pub(super) struct CardsSettings<'a> {
    pub(super) sort: CardsSort,
    pub(super) filter: CardsFilter,
    pub(super) cursor: CardsCursorOut<'a>,
}

#[derive(Serialize)]
pub(super) struct CardsSort {
    pub(super) ascending: bool,
}

/// −1: with and without photo; 0 has changed its meaning once.
#[derive(Serialize)]
pub(super) struct CardsFilter {
    #[serde(rename = "withPhoto")]
    pub(super) with_photo: i8,
}

#[derive(Serialize)]
pub(super) struct CardsCursorOut<'a> {
    pub(super) limit: u32,
    #[serde(rename = "updatedAt", skip_serializing_if = "Option::is_none")]
    pub(super) updated_at: Option<&'a str>,
    #[serde(rename = "nmID", skip_serializing_if = "Option::is_none")]
    pub(super) nm_id: Option<i64>,
}

/// The same, response.
#[derive(Debug, Deserialize)]
pub(super) struct CardsPage {
    #[serde(deserialize_with = "required")]
    pub(super) cards: Option<RawRows>,
    /// Read after the cards, which it must not take with it.
    pub(super) cursor: Box<RawValue>,
}

/// `updatedAt` is absent in an empty account.
#[derive(Debug, Deserialize, Clone, PartialEq, Eq, Hash)]
pub(super) struct CardsCursor {
    #[serde(rename = "updatedAt")]
    pub(super) updated_at: Option<String>,
    #[serde(rename = "nmID", default, deserialize_with = "null_is_default")]
    pub(super) nm_id: i64,
    pub(super) total: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct CardRow {
    #[serde(rename = "nmID")]
    pub(super) nm_id: i64,
    #[serde(rename = "vendorCode", default)]
    pub(super) vendor_code: Told<String>,
    #[serde(default)]
    pub(super) brand: Told<String>,
    #[serde(rename = "subjectName", default)]
    pub(super) subject_name: Told<String>,
    #[serde(default)]
    pub(super) title: Told<String>,
    #[serde(default)]
    pub(super) sizes: Told<Vec<SizeRow>>,
    #[serde(rename = "updatedAt")]
    pub(super) updated_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SizeRow {
    #[serde(rename = "chrtID")]
    pub(super) chrt_id: u64,
    #[serde(rename = "techSize", default, deserialize_with = "null_is_default")]
    pub(super) tech_size: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) skus: Vec<String>,
}

/// `POST /api/analytics/v1/stocks-report/wb-warehouses` and `…/seller-warehouses`, request. Empty lists
/// mean all.
#[derive(Serialize)]
pub(super) struct WbWarehousesRequest {
    #[serde(rename = "nmIds")]
    pub(super) nm_ids: [i64; 0],
    #[serde(rename = "chrtIds")]
    pub(super) chrt_ids: [i64; 0],
    pub(super) limit: u64,
    pub(super) offset: u64,
}

/// The same, response, around its rows. Both `null`s were seen.
#[derive(Debug, Deserialize)]
pub(super) struct WbWarehousesEnvelope {
    #[serde(rename = "data", deserialize_with = "null_is_default")]
    _data: WbWarehousesItems,
}

#[derive(Debug, Default, Deserialize)]
struct WbWarehousesItems {
    #[serde(rename = "items", deserialize_with = "null_is_default")]
    _items: Vec<IgnoredAny>,
}

/// One row: a size at a warehouse. The id is signed: masked rows have −999999.
#[derive(Debug, Deserialize)]
pub(super) struct WbWarehousesRow {
    #[serde(rename = "nmId")]
    pub(super) nm_id: i64,
    #[serde(rename = "chrtId", default, deserialize_with = "null_is_default")]
    pub(super) chrt_id: i64,
    #[serde(rename = "warehouseId")]
    pub(super) warehouse_id: Option<i64>,
    #[serde(rename = "warehouseName", default, deserialize_with = "null_is_default")]
    pub(super) warehouse_name: String,
    #[serde(rename = "regionName")]
    pub(super) region_name: Option<String>,
    pub(super) quantity: i64,
    #[serde(rename = "inWayToClient", default)]
    pub(super) in_way_to_client: Told<i64>,
    #[serde(rename = "inWayFromClient", default)]
    pub(super) in_way_from_client: Told<i64>,
}

/// `{"data":…}` around the answers of the background report.
#[derive(Debug, Deserialize)]
pub(super) struct Data<T> {
    pub(super) data: T,
}

#[derive(Debug, Deserialize)]
pub(super) struct RemainsTask {
    #[serde(rename = "taskId")]
    pub(super) task_id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct RemainsStatus {
    pub(super) status: String,
}

/// The background report around its rows.
pub(super) type RemainsEnvelope = Option<Vec<IgnoredAny>>;

/// One row of the background report: a size of a product.
#[derive(Debug, Deserialize)]
pub(super) struct RemainsRow {
    #[serde(rename = "nmId")]
    pub(super) nm_id: i64,
    #[serde(rename = "techSize", default, deserialize_with = "null_is_default")]
    pub(super) tech_size: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) warehouses: Vec<RemainsWarehouse>,
}

/// The same row where it cannot be read as a whole.
#[derive(Debug, Deserialize)]
pub(super) struct RemainsRowInPart {
    #[serde(rename = "nmId")]
    pub(super) nm_id: i64,
    #[serde(rename = "techSize", default, deserialize_with = "null_is_default")]
    pub(super) tech_size: String,
    pub(super) warehouses: RawRows,
}

#[derive(Debug, Deserialize)]
pub(super) struct RemainsWarehouse {
    #[serde(rename = "warehouseName")]
    pub(super) name: String,
    pub(super) quantity: i64,
}

/// `GET /api/v3/warehouses`.
#[derive(Debug, Deserialize)]
pub(super) struct SellerWarehouse {
    pub(super) id: i64,
    pub(super) name: String,
    #[serde(rename = "isDeleting", default, deserialize_with = "null_is_default")]
    pub(super) is_deleting: bool,
}

/// `POST /api/v3/stocks/{warehouseId}`, request.
#[derive(Serialize)]
pub(super) struct StocksRequest<'a> {
    #[serde(rename = "chrtIds")]
    pub(super) chrt_ids: &'a [u64],
}

/// The same, response: sizes without a record are absent.
#[derive(Debug, Deserialize)]
pub(super) struct Stocks {
    #[serde(deserialize_with = "required")]
    pub(super) stocks: Option<RawRows>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StockRow {
    #[serde(rename = "chrtId")]
    pub(super) chrt_id: u64,
    pub(super) amount: i64,
}

/// `POST /api/analytics/v1/order-feed`, request.
#[derive(Serialize)]
pub(super) struct FeedRequest<'a> {
    #[serde(rename = "selectedPeriod")]
    pub(super) period: FeedPeriod,
    pub(super) pagination: FeedPagination<'a>,
}

#[derive(Serialize)]
pub(super) struct FeedPeriod {
    pub(super) start: String,
    pub(super) end: String,
}

#[derive(Serialize)]
pub(super) struct FeedPagination<'a> {
    #[serde(rename = "snapshotTime", skip_serializing_if = "Option::is_none")]
    pub(super) snapshot_time: Option<&'a str>,
    pub(super) offset: u64,
    pub(super) limit: u64,
}

/// The same, response.
#[derive(Debug, Deserialize)]
pub(super) struct FeedPage {
    #[serde(rename = "snapshotTime")]
    pub(super) snapshot_time: Option<String>,
    pub(super) currency: Option<String>,
    #[serde(default)]
    pub(super) orders: Told<RawRows>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FeedRow {
    #[serde(rename = "nmId")]
    pub(super) nm_id: i64,
    pub(super) srid: String,
    #[serde(rename = "createdAt")]
    pub(super) created_at: String,
    #[serde(rename = "updatedAt")]
    pub(super) updated_at: Option<String>,
    pub(super) status: String,
    #[serde(rename = "warehouseName")]
    pub(super) warehouse_name: Option<String>,
    #[serde(rename = "isMp", default, deserialize_with = "null_is_default")]
    pub(super) is_mp: bool,
    #[serde(rename = "sellerPrice")]
    pub(super) seller_price: Option<f64>,
    #[serde(rename = "chrtId")]
    pub(super) chrt_id: Option<i64>,
    #[serde(rename = "warehouseRegion")]
    pub(super) warehouse_region: Option<String>,
}

/// `GET /api/v1/supplier/orders`.
#[derive(Debug, Deserialize)]
pub(super) struct SupplierOrder {
    pub(super) date: String,
    #[serde(rename = "lastChangeDate")]
    pub(super) last_change_date: String,
    #[serde(rename = "warehouseName")]
    pub(super) warehouse_name: Option<String>,
    #[serde(rename = "warehouseType")]
    pub(super) warehouse_type: Option<String>,
    #[serde(rename = "nmId")]
    pub(super) nm_id: i64,
    #[serde(rename = "priceWithDisc")]
    pub(super) price_with_disc: Option<f64>,
    #[serde(rename = "isCancel", deserialize_with = "null_is_default")]
    pub(super) is_cancel: bool,
    pub(super) srid: String,
}

/// `GET /api/v2/list/goods/filter`. The list is what the page is for, so it is required.
#[derive(Debug, Deserialize)]
pub(super) struct GoodsPage {
    pub(super) data: GoodsList,
}

#[derive(Debug, Deserialize)]
pub(super) struct GoodsList {
    #[serde(rename = "listGoods", deserialize_with = "required")]
    pub(super) list: Option<RawRows>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Goods {
    #[serde(rename = "nmID")]
    pub(super) nm_id: i64,
    #[serde(deserialize_with = "null_is_default")]
    pub(super) sizes: Vec<GoodsSize>,
    #[serde(rename = "currencyIsoCode4217")]
    pub(super) currency: Option<String>,
}

/// Whole roubles before the discount, up to kopecks after it.
#[derive(Debug, Deserialize)]
pub(super) struct GoodsSize {
    pub(super) price: Option<f64>,
    #[serde(rename = "discountedPrice")]
    pub(super) discounted_price: Option<f64>,
}

/// Roubles with a fraction to kopecks. Prices have at most two decimals, far inside what a double holds
/// exactly.
pub(super) fn minor_units(price: f64) -> Option<i64> {
    let minor = (price * 100.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and within 2^53"
    )]
    (minor.is_finite() && minor.abs() < 9.0e15).then_some(minor as i64)
}

/// `GET /api/v1/seller-info`.
#[derive(Debug, Deserialize)]
pub(super) struct SellerInfo {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) name: String,
    pub(super) sid: String,
}
