//! Stock at the vendor's warehouses, with every kind of units and the vendor's own figures of turnover.

use std::collections::HashMap;

use super::catalogue::Catalogue;
use super::client::Ozon;
use super::limits::Group;
use super::wire::{AnalyticsRequest, AnalyticsRow, AnalyticsStocks, Decimal, Int};
use crate::error::{CallError, CallFailure};
use crate::json::{self, LeftOut, RawRows};
use crate::marketplace::{
    Bucket, Cluster, Fetched, Fulfilment, Grade, InWay, StockBuilder, StockLevel, StockOverflow,
    StockSnapshot, Turnover, WarehouseRef,
};
use crate::payload::GOODS;

const STOCKS: &str = "POST /v1/analytics/stocks";
/// Where the rows stand.
const ROWS: &str = "items[]";

impl Ozon {
    /// Stock of every SKU of the catalogue at every warehouse.
    ///
    /// Page: <https://docs.ozon.ru/api/seller/#operation/AnalyticsAPI_AnalyticsStocks>; 1 to 100 SKUs a
    /// request, no pages. Stock is real time since 2026-08-17; the figures of turnover are averages over 28
    /// days. A SKU without stock may have no row. Rows without a warehouse are sums over a
    /// cluster and would count everything twice.
    ///
    /// A row that cannot be read, or that is of a SKU nobody asked for, is left out. Where it names its
    /// product, only that level is unknown; where it does not, no absence is proven.
    ///
    /// # Errors
    /// The first answer that failed; `Malformed` when not one row could be read.
    pub(super) async fn fetch_fbo_stock(&self) -> Result<Fetched<StockSnapshot>, CallError> {
        let catalogue = self.catalogue().await?;
        let mut skus: Vec<i64> = catalogue.articles.keys().copied().collect();
        skus.sort_unstable();
        let mut tally = self.tally("ozon.stock.fbo", GOODS);
        let mut gathered = Gathered::new(&catalogue).map_err(|failure| CallError::new(STOCKS, failure))?;
        for batch in skus.chunks(self.options.stock_batch.clamp(1, 100)) {
            let texts: Vec<String> = batch.iter().map(i64::to_string).collect();
            let reply = self
                .ask(Group::AnalyticsStocks, STOCKS, &AnalyticsRequest { skus: &texts })
                .await?;
            let page: AnalyticsStocks =
                json::decode(&reply.body).map_err(|failure| CallError::new(STOCKS, failure))?;
            tally.page(&reply.body, page.items.len(), reply.date());
            gathered.page(batch, &page.items);
        }
        let drift = gathered.left_out.is_drift();
        drift.map_err(|failure| CallError::new(STOCKS, failure))?;
        tally.left_out.join(gathered.left_out);
        if !catalogue.complete {
            tally.trouble("the catalogue is not complete");
        }
        Ok(Fetched {
            items: gathered.builder.finish(),
            outcome: tally.finish("ozon.stock.fbo"),
            complete: catalogue.complete && gathered.is_proven,
        })
    }
}

/// What the answers have given so far.
struct Gathered<'a> {
    catalogue: &'a Catalogue,
    builder: StockBuilder,
    by_id: HashMap<i64, u32>,
    left_out: LeftOut,
    /// False when a row was left out that does not say whose it is.
    is_proven: bool,
}

impl<'a> Gathered<'a> {
    fn new(catalogue: &'a Catalogue) -> Result<Self, CallFailure> {
        let mut builder = StockBuilder::default();
        for card in &catalogue.cards {
            // Makes the product known, so that nothing in stock is a zero and not a gap.
            builder
                .add_in_way(card.nm_id, InWay::default())
                .map_err(overflow)?;
        }
        Ok(Self {
            catalogue,
            builder,
            by_id: HashMap::new(),
            left_out: LeftOut::default(),
            is_proven: true,
        })
    }

    /// Takes the answer to one question; `asked` is sorted.
    fn page(&mut self, asked: &[i64], rows: &RawRows) {
        let mut seen = HashMap::with_capacity(rows.len());
        for (index, bytes) in rows.iter().enumerate() {
            let taken = json::decode_in(ROWS, bytes).and_then(|row| self.take(asked, &row, bytes, &mut seen));
            match taken {
                Ok(()) => self.left_out.read(ROWS, 1),
                Err(failure) => {
                    self.left_out.add(ROWS, &[index], &failure);
                    self.lose(bytes);
                }
            }
        }
    }

    fn take<'b>(
        &mut self,
        asked: &[i64],
        row: &AnalyticsRow,
        bytes: &'b [u8],
        seen: &mut HashMap<(i64, i64, String), &'b [u8]>,
    ) -> Result<(), CallFailure> {
        let Int(sku) = row.sku;
        let article = self.catalogue.articles.get(&sku);
        let article = article.filter(|_| asked.binary_search(&sku).is_ok()).copied();
        let nm_id = article
            .or_else(|| self.catalogue.by_offer(row.offer_id.as_deref()?))
            .ok_or_else(|| json::malformed("stock of a SKU that was not asked for"))?;
        if row.warehouse_id.0 == 0 && row.warehouse_name.is_empty() {
            self.turnover(nm_id, row);
            return Ok(());
        }
        if row.warehouse_id.0 < 0 {
            return Err(json::malformed(format!(
                "field `{ROWS}.warehouse_id` is negative"
            )));
        }
        let counts = buckets(row).map(|(_, units)| units.0).into_iter().chain([
            row.available_stock_count.0,
            row.outbound_pending_delivery.unwrap_or_default().0,
            row.return_from_customer_stock_count.0,
        ]);
        if counts.into_iter().any(|units| units < 0) {
            return Err(json::malformed(format!("a count in `{ROWS}` is negative")));
        }
        let place = (sku, row.warehouse_id.0, row.warehouse_name.clone());
        match seen.insert(place, bytes) {
            None => {}
            // The same row once more is no more stock.
            Some(before) if before == bytes => return Ok(()),
            Some(_) => return Err(json::malformed("one SKU twice at one warehouse")),
        }
        self.turnover(nm_id, row);
        let warehouse = self.warehouse(row);
        let level = StockLevel {
            warehouse,
            available: row.available_stock_count.0,
            in_way_to_client: row.outbound_pending_delivery.unwrap_or_default().0,
            in_way_from_client: row.return_from_customer_stock_count.0,
        };
        self.builder.add(nm_id, level).map_err(overflow)?;
        for (bucket, units) in buckets(row) {
            self.builder
                .add_bucket(nm_id, warehouse, bucket, units.0)
                .map_err(overflow)?;
        }
        Ok(())
    }

    /// The level that a row is part of is unknown when it is left out; where the row does not even say whose
    /// it is, no absence is proven any more.
    fn lose(&mut self, bytes: &[u8]) {
        let sku = json::whole_number(bytes, "sku").filter(|sku| *sku > 0);
        let by_sku = sku.and_then(|sku| self.catalogue.articles.get(&sku).copied());
        let by_offer = || self.catalogue.by_offer(&json::text(bytes, "offer_id")?);
        let Some(nm_id) = by_sku.or_else(by_offer) else {
            self.is_proven = false;
            return;
        };
        let id = json::whole_number(bytes, "warehouse_id");
        let name = json::text(bytes, "warehouse_name");
        if id == Some(0) && name.as_deref() == Some("") {
            return; // only the sum of a cluster
        }
        let warehouse = id
            .filter(|id| *id > 0)
            .map(|id| self.warehouse_of(id, name.as_deref().unwrap_or_default(), None));
        self.builder.unread(nm_id, warehouse);
    }

    fn warehouse(&mut self, row: &AnalyticsRow) -> u32 {
        let region = Some(row.cluster_name.clone()).filter(|name| !name.is_empty());
        self.warehouse_of(row.warehouse_id.0, &row.warehouse_name, region)
    }

    fn warehouse_of(&mut self, id: i64, name: &str, region: Option<String>) -> u32 {
        if id == 0 {
            return self.builder.warehouse(WarehouseRef::named(name, Fulfilment::Fbo));
        }
        if let Some(index) = self.by_id.get(&id) {
            return *index;
        }
        let name = match name {
            "" => id.to_string(),
            name => name.to_owned(),
        };
        let reference = WarehouseRef::with_id(id, name, Fulfilment::Fbo, region);
        let index = self.builder.warehouse(reference);
        self.by_id.insert(id, index);
        index
    }

    /// `ads`, `idc` and the grade count all clusters together, those with `_cluster` only this one.
    fn turnover(&mut self, nm_id: i64, row: &AnalyticsRow) {
        let everywhere = Turnover {
            daily_sales_milli: row.ads.and_then(Decimal::thousandths),
            days_of_stock_milli: row.idc.and_then(Decimal::thousandths),
            days_without_sales: days(row.days_without_sales),
            grade: row.turnover_grade.as_deref().and_then(grade),
        };
        self.builder.set_turnover(nm_id, None, everywhere);
        let here = Turnover {
            daily_sales_milli: row.ads_cluster.and_then(Decimal::thousandths),
            days_of_stock_milli: row.idc_cluster.and_then(Decimal::thousandths),
            days_without_sales: days(row.days_without_sales_cluster),
            grade: row.turnover_grade_cluster.as_deref().and_then(grade),
        };
        let cluster = Cluster {
            id: row.cluster_id.0,
            name: row.cluster_name.clone(),
        };
        self.builder.set_turnover(nm_id, Some(cluster), here);
    }
}

/// Everything that is neither for sale nor on the road to or from buyers.
fn buckets(row: &AnalyticsRow) -> [(Bucket, Int); 16] {
    let late = |units: Option<Int>| units.unwrap_or_default();
    [
        (Bucket::Preparing, row.valid_stock_count),
        (Bucket::Requested, row.requested_stock_count),
        (Bucket::SupplyTransit, row.transit_stock_count),
        (Bucket::Replenishment, late(row.inbound_replenishment)),
        (Bucket::InCheck, row.other_stock_count),
        (Bucket::Excess, row.excess_stock_count),
        (Bucket::Expiring, row.expiring_stock_count),
        (Bucket::SupplyDefective, row.transit_defect_stock_count),
        (Bucket::StockDefective, row.stock_defect_stock_count),
        (Bucket::WaitingForMarking, row.waiting_docs_stock_count),
        (
            Bucket::WaitingForExport,
            late(row.waiting_docs_to_export_stock_count),
        ),
        (Bucket::ReturnRequested, row.return_to_seller_stock_count),
        (Bucket::ReturnPicking, late(row.outbound_returns_picking)),
        (Bucket::ReturnReady, late(row.outbound_returns_ready_to_ship)),
        (Bucket::ReturnLeft, late(row.outbound_returns_return_to_seller)),
        (Bucket::NotSold, late(row.stock_not_being_sold)),
    ]
}

fn days(days: Option<Int>) -> Option<u32> {
    u32::try_from(days?.0).ok()
}

/// None where the vendor gives no grade.
fn grade(word: &str) -> Option<Grade> {
    Some(match word {
        "" | "UNSPECIFIED" | "TURNOVER_GRADE_NONE" => return None,
        "DEFICIT" => Grade::Deficit,
        "POPULAR" => Grade::Popular,
        "ACTUAL" => Grade::Actual,
        "SURPLUS" => Grade::Surplus,
        "NO_SALES" => Grade::NoSales,
        "WAS_NO_SALES" => Grade::WasNoSales,
        "RESTRICTED_NO_SALES" => Grade::RestrictedNoSales,
        "COLLECTING_DATA" => Grade::CollectingData,
        "WAITING_FOR_SUPPLY" => Grade::WaitingForSupply,
        "WAS_DEFICIT" => Grade::WasDeficit,
        "WAS_POPULAR" => Grade::WasPopular,
        "WAS_ACTUAL" => Grade::WasActual,
        "WAS_SURPLUS" => Grade::WasSurplus,
        _ => Grade::Other,
    })
}

fn overflow(overflow: StockOverflow) -> CallFailure {
    CallFailure::Inconsistent {
        what: overflow.to_string(),
    }
}

#[cfg(test)]
mod tests;
