//! Stock at the vendor's warehouses, with every kind of units and the vendor's own figures of turnover.

use std::collections::{HashMap, HashSet};

use super::catalogue::Catalogue;
use super::client::Ozon;
use super::limits::Group;
use super::wire::{AnalyticsRequest, AnalyticsRow, AnalyticsStocks, Decimal, Int};
use crate::error::{CallError, CallFailure};
use crate::json;
use crate::marketplace::{
    Bucket, Cluster, Fetched, Fulfilment, Grade, InWay, StockBuilder, StockLevel, StockOverflow,
    StockSnapshot, Turnover, WarehouseRef,
};
use crate::payload::GOODS;

const STOCKS: &str = "POST /v1/analytics/stocks";

impl Ozon {
    /// Stock of every SKU of the catalogue at every warehouse.
    ///
    /// Page: <https://docs.ozon.ru/api/seller/#operation/AnalyticsAPI_AnalyticsStocks>; 1 to 100 SKUs a
    /// request, no pages. A SKU without stock may have no row. Rows without a warehouse are sums over a
    /// cluster and would count everything twice.
    ///
    /// # Errors
    /// The first answer that failed; `Inconsistent` for a SKU that was not asked for, or a SKU twice at one
    /// warehouse.
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
            gathered
                .page(batch, &page.items)
                .map_err(|failure| CallError::new(STOCKS, failure))?;
        }
        if !catalogue.complete {
            tally.trouble("the catalogue is not complete");
        }
        Ok(Fetched {
            items: gathered.builder.finish(),
            outcome: tally.finish("ozon.stock.fbo"),
            complete: catalogue.complete,
        })
    }
}

/// What the answers have given so far.
struct Gathered<'a> {
    catalogue: &'a Catalogue,
    builder: StockBuilder,
    by_id: HashMap<i64, u32>,
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
        })
    }

    /// Takes the answer to one question; `asked` is sorted.
    fn page(&mut self, asked: &[i64], rows: &[AnalyticsRow]) -> Result<(), CallFailure> {
        let mut seen = HashSet::with_capacity(rows.len());
        for row in rows {
            let Int(sku) = row.sku;
            let article = self.catalogue.articles.get(&sku);
            let Some(nm_id) = article.filter(|_| asked.binary_search(&sku).is_ok()).copied() else {
                return Err(contradiction("stock of a SKU that was not asked for"));
            };
            self.turnover(nm_id, row);
            if row.warehouse_id.0 == 0 && row.warehouse_name.is_empty() {
                continue;
            }
            if !seen.insert((sku, row.warehouse_id, row.warehouse_name.as_str())) {
                return Err(contradiction("one SKU twice at one warehouse"));
            }
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
        }
        Ok(())
    }

    fn warehouse(&mut self, row: &AnalyticsRow) -> u32 {
        let Int(id) = row.warehouse_id;
        if let Some(index) = self.by_id.get(&id).filter(|_| id != 0) {
            return *index;
        }
        let reference = if id == 0 {
            WarehouseRef::named(&row.warehouse_name, Fulfilment::Fbo)
        } else {
            let name = match row.warehouse_name.as_str() {
                "" => id.to_string(),
                name => name.to_owned(),
            };
            let region = Some(row.cluster_name.clone()).filter(|name| !name.is_empty());
            WarehouseRef::with_id(id, name, Fulfilment::Fbo, region)
        };
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

fn contradiction(what: &str) -> CallFailure {
    CallFailure::Inconsistent {
        what: what.to_owned(),
    }
}

fn overflow(overflow: StockOverflow) -> CallFailure {
    contradiction(&overflow.to_string())
}

#[cfg(test)]
mod tests;
