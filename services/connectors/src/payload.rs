//! Raw answers for audits: whoever keeps them is handed a copy of every answer that was read, page by page,
//! without anything that could be a buyer's. What is handed out are the fields of a list; the value of every
//! other field is replaced by `null`, so that its name is still seen and nothing a vendor adds gets through.

mod strip;

use std::fmt;
use std::sync::Arc;

pub(crate) use strip::Strip;

/// Keeps raw answers.
pub trait PayloadSink: Send + Sync {
    /// A source begins to answer; none when its answer shall not be kept.
    fn open(&self, source: &'static str) -> Option<Box<dyn PayloadWriter>>;
}

/// Takes one source's answer. Dropped without [`PayloadWriter::finish`], the answer was not read to its end.
pub trait PayloadWriter: Send {
    /// The next piece, without what was left out. Must not block.
    fn write(&mut self, piece: &[u8]);

    /// The end. `sha256` and `raw_bytes` are those of the answer as it came, before anything was left out.
    fn finish(self: Box<Self>, sha256: &str, raw_bytes: u64);
}

/// Where a client's answers are kept, if they are.
#[derive(Clone, Default)]
pub(crate) struct Payloads(Option<Arc<dyn PayloadSink>>);

impl fmt::Debug for Payloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "kept" } else { "not kept" })
    }
}

impl Payloads {
    pub(crate) fn to(sink: Arc<dyn PayloadSink>) -> Self {
        Self(Some(sink))
    }

    /// A copy of one source's answer; `fields` are those whose values are kept, sorted.
    pub(crate) fn copy(&self, source: &'static str, fields: &'static [&'static str]) -> Option<PayloadCopy> {
        let writer = self.0.as_ref()?.open(source)?;
        Some(PayloadCopy {
            strip: Strip::new(fields),
            writer,
            piece: Vec::new(),
        })
    }
}

/// A copy that is being made.
pub(crate) struct PayloadCopy {
    strip: Strip,
    writer: Box<dyn PayloadWriter>,
    piece: Vec<u8>,
}

impl fmt::Debug for PayloadCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayloadCopy")
    }
}

impl PayloadCopy {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.piece.clear();
        self.strip.push(bytes, &mut self.piece);
        self.writer.write(&self.piece);
    }

    /// The next bytes begin another page.
    pub(crate) fn end_page(&mut self) {
        self.piece.clear();
        self.strip.end_page(&mut self.piece);
        self.writer.write(&self.piece);
    }

    pub(crate) fn finish(self, sha256: &str, raw_bytes: u64) {
        self.writer.finish(sha256, raw_bytes);
    }
}

/// Fields of catalogues and stock: nothing in these answers is about buyers.
pub(crate) const GOODS: &[&str] = &[
    "ads",
    "ads_cluster",
    "amount",
    "attributes",
    "available_stock_count",
    "barcode",
    "barcodes",
    "brand",
    "cards",
    "category_name",
    "children",
    "chrtID",
    "chrtId",
    "cluster_id",
    "cluster_name",
    "currency",
    "currencyIsoCode4217",
    "currency_code",
    "cursor",
    "data",
    "days_without_sales",
    "days_without_sales_cluster",
    "description_category_id",
    "discountedPrice",
    "excess_stock_count",
    "expiring_stock_count",
    "free_stock",
    "has_next",
    "id",
    "idc",
    "idc_cluster",
    "inWayFromClient",
    "inWayToClient",
    "inbound_replenishment",
    "isDeleting",
    "items",
    "last_id",
    "listGoods",
    "name",
    "nmID",
    "nmId",
    "offer_id",
    "old_price",
    "other_stock_count",
    "outbound_pending_delivery",
    "outbound_returns_picking",
    "outbound_returns_ready_to_ship",
    "outbound_returns_return_to_seller",
    "price",
    "product_id",
    "products",
    "quantity",
    "regionName",
    "requested_stock_count",
    "reserved",
    "result",
    "return_from_customer_stock_count",
    "return_to_seller_stock_count",
    "sizeID",
    "sizes",
    "sku",
    "skus",
    "sources",
    "status",
    "stock_defect_stock_count",
    "stock_not_being_sold",
    "stocks",
    "subjectName",
    "techSize",
    "techSizeName",
    "title",
    "total",
    "total_items",
    "transit_defect_stock_count",
    "transit_stock_count",
    "turnover_grade",
    "turnover_grade_cluster",
    "type_id",
    "type_name",
    "updatedAt",
    "updated_at",
    "valid_stock_count",
    "value",
    "values",
    "vendorCode",
    "waiting_docs_stock_count",
    "waiting_docs_to_export_stock_count",
    "warehouseId",
    "warehouseName",
    "warehouse_id",
    "warehouse_name",
    "warehouses",
];

/// Fields of orders: the article, the time, the price, the seller's own or the vendor's warehouse with its
/// region, and where the order stands. The buyer's region, city, address, names, baskets and stickers are not
/// here.
pub(crate) const ORDERS: &[&str] = &[
    "amount",
    "analytics_data",
    "barcode",
    "cancelDate",
    "chrtId",
    "cluster_from",
    "createdAt",
    "created_at",
    "currency",
    "currency_code",
    "cursor",
    "data",
    "date",
    "delivering_date",
    "delivery_method",
    "financial_data",
    "has_next",
    "in_process_at",
    "isCancel",
    "isMp",
    "lastChangeDate",
    "nmId",
    "offer_id",
    "orders",
    "posting_number",
    "postings",
    "price",
    "priceWithDisc",
    "products",
    "quantity",
    "result",
    "sellerPrice",
    "sku",
    "snapshotTime",
    "srid",
    "status",
    "supplierArticle",
    "techSize",
    "updatedAt",
    "warehouse",
    "warehouseName",
    "warehouseRegion",
    "warehouseType",
    "warehouse_id",
    "warehouse_name",
];

#[cfg(test)]
mod tests {
    use super::{GOODS, ORDERS};

    #[test]
    fn the_lists_are_sorted_and_orders_keep_nothing_of_a_buyer() {
        for list in [GOODS, ORDERS] {
            assert!(list.is_sorted_by(|a, b| a < b));
        }
        for of_a_buyer in [
            "addressee",
            "city",
            "cluster_to",
            "countryName",
            "customer",
            "customer_email",
            "destinationCity",
            "destinationDistrict",
            "gNumber",
            "name",
            "oblastOkrugName",
            "phone",
            "region",
            "regionName",
            "sticker",
        ] {
            assert!(ORDERS.binary_search(&of_a_buyer).is_err(), "{of_a_buyer}");
        }
    }
}
