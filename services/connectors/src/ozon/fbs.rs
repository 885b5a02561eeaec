//! Stock in the seller's own warehouses.

use std::collections::HashMap;

use super::client::Ozon;
use super::limits::Group;
use super::wire::{FbsRequest, FbsStocks, Int, Warehouses, WarehousesRequest};
use crate::error::{CallError, CallFailure};
use crate::json;
use crate::marketplace::{
    Bucket, Fetched, Fulfilment, InWay, SizeRef, StockBuilder, StockLevel, StockSnapshot, Tally, WarehouseRef,
};
use crate::payload::GOODS;

const WAREHOUSES: &str = "POST /v2/warehouse/list";
const STOCKS: &str = "POST /v2/product/info/stocks-by-warehouse/fbs";

/// The vendor's most warehouses per page.
const WAREHOUSE_PAGE: u32 = 200;

impl Ozon {
    /// Every SKU at every warehouse of the seller. A SKU without a row there holds nothing.
    ///
    /// Pages: <https://docs.ozon.ru/api/seller/#operation/WarehouseListV2> and
    /// `#operation/ProductAPI_ProductStocksByWarehouseFbsV2`; 1000 rows a page.
    ///
    /// # Errors
    /// The first answer that failed.
    pub(super) async fn fetch_fbs_stock(
        &self,
        sizes: &[SizeRef],
    ) -> Result<Fetched<StockSnapshot>, CallError> {
        let mut tally = self.tally("ozon.stock.fbs", GOODS);
        let mut gathered = Gathered::new(sizes)?;
        for (id, name) in self.seller_warehouses(&mut tally).await? {
            gathered.warehouse(id, &name);
        }
        // Without a warehouse there is nothing to ask about.
        if !gathered.by_id.is_empty() {
            let mut skus: Vec<String> = sizes.iter().map(|size| size.chrt_id.to_string()).collect();
            skus.sort_unstable();
            skus.dedup();
            for batch in skus.chunks(self.options.fbs_batch.max(1)) {
                self.seller_stocks(batch, &mut gathered, &mut tally).await?;
            }
        }
        Ok(Fetched {
            items: gathered.builder.finish(),
            outcome: tally.finish("ozon.stock.fbs"),
            complete: true,
        })
    }

    /// Ids and names of the seller's warehouses.
    pub(super) async fn seller_warehouses(&self, tally: &mut Tally) -> Result<Vec<(i64, String)>, CallError> {
        let mut warehouses = Vec::new();
        let mut cursor = String::new();
        loop {
            let request = WarehousesRequest {
                limit: WAREHOUSE_PAGE,
                cursor: &cursor,
            };
            let reply = self.ask(Group::All, WAREHOUSES, &request).await?;
            let page: Warehouses =
                json::decode(&reply.body).map_err(|failure| CallError::new(WAREHOUSES, failure))?;
            tally.page(&reply.body, page.warehouses.len(), reply.date());
            warehouses.extend(
                page.warehouses
                    .into_iter()
                    .map(|row| (row.warehouse_id.0, row.name)),
            );
            if !page.has_next {
                return Ok(warehouses);
            }
            cursor = next(WAREHOUSES, &cursor, page.cursor)?;
        }
    }

    async fn seller_stocks(
        &self,
        skus: &[String],
        gathered: &mut Gathered,
        tally: &mut Tally,
    ) -> Result<(), CallError> {
        let mut cursor = String::new();
        loop {
            let request = FbsRequest {
                sku: skus,
                limit: self.options.fbs_page,
                cursor: &cursor,
            };
            let reply = self.ask(Group::All, STOCKS, &request).await?;
            let page: FbsStocks =
                json::decode(&reply.body).map_err(|failure| CallError::new(STOCKS, failure))?;
            tally.page(&reply.body, page.products.len(), reply.date());
            gathered
                .page(&page)
                .map_err(|what| CallError::new(STOCKS, CallFailure::Inconsistent { what }))?;
            if !page.has_next {
                return Ok(());
            }
            cursor = next(STOCKS, &cursor, page.cursor)?;
        }
    }
}

/// The cursor of the next page; one that is empty or does not move would page for ever.
pub(super) fn next(endpoint: &'static str, old: &str, new: String) -> Result<String, CallError> {
    if new.is_empty() || new == old {
        let what = "there is a next page, and the cursor does not lead to it".to_owned();
        return Err(CallError::new(endpoint, CallFailure::Inconsistent { what }));
    }
    Ok(new)
}

struct Gathered {
    builder: StockBuilder,
    articles: HashMap<i64, i64>,
    by_id: HashMap<i64, u32>,
    seen: std::collections::HashSet<(i64, i64)>,
}

impl Gathered {
    fn new(sizes: &[SizeRef]) -> Result<Self, CallError> {
        let mut builder = StockBuilder::default();
        for size in sizes {
            // Makes the product known, so that nothing in stock is a zero and not a gap.
            builder
                .add_in_way(size.nm_id, InWay::default())
                .map_err(|overflow| {
                    let what = overflow.to_string();
                    CallError::new(STOCKS, CallFailure::Inconsistent { what })
                })?;
        }
        let sku = |size: &SizeRef| Some((i64::try_from(size.chrt_id).ok()?, size.nm_id));
        Ok(Self {
            builder,
            articles: sizes.iter().filter_map(sku).collect(),
            by_id: HashMap::new(),
            seen: std::collections::HashSet::new(),
        })
    }

    fn warehouse(&mut self, id: i64, name: &str) -> u32 {
        let builder = &mut self.builder;
        *self.by_id.entry(id).or_insert_with(|| {
            let name = if name.is_empty() {
                id.to_string()
            } else {
                name.to_owned()
            };
            builder.warehouse(WarehouseRef::with_id(id, name, Fulfilment::Fbs, None))
        })
    }

    fn page(&mut self, page: &FbsStocks) -> Result<(), String> {
        for row in &page.products {
            let (Int(sku), Int(warehouse_id)) = (row.sku, row.warehouse_id);
            let Some(nm_id) = self.articles.get(&sku).copied() else {
                return Err("stock of a SKU that was not asked for".to_owned());
            };
            if !self.seen.insert((sku, warehouse_id)) {
                return Err("one SKU twice at one warehouse".to_owned());
            }
            let warehouse = self.warehouse(warehouse_id, &row.warehouse_name);
            let level = StockLevel {
                warehouse,
                available: row.free_stock.0,
                in_way_to_client: 0,
                in_way_from_client: 0,
            };
            let added = self.builder.add(nm_id, level);
            added.map_err(|overflow| overflow.to_string())?;
            self.builder
                .add_bucket(nm_id, warehouse, Bucket::Reserved, row.reserved.0)
                .map_err(|overflow| overflow.to_string())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Gathered, next};
    use crate::json;
    use crate::marketplace::{Bucket, SizeRef};
    use crate::ozon::wire::{FbsStocks, samples};

    #[test]
    fn a_row_gives_what_is_free_and_what_is_reserved() {
        let size = SizeRef {
            chrt_id: 800_000_001,
            nm_id: 800_000_001,
        };
        let mut gathered = Gathered::new(&[size]).unwrap();
        let page: FbsStocks = json::decode(samples::FBS.as_bytes()).unwrap();
        gathered.page(&page).unwrap();
        assert!(
            gathered.page(&page).is_err(),
            "the same row again is no other stock"
        );
        let stock = gathered.builder.finish();
        assert_eq!(stock.warehouses[0].key, "fbs:22142605386000");
        assert_eq!(stock.products[0].available(), 4);
        assert_eq!(
            (
                stock.products[0].buckets[0].bucket,
                stock.products[0].buckets[0].units
            ),
            (Bucket::Reserved, 1)
        );
    }

    #[test]
    fn a_cursor_that_leads_nowhere_is_a_contradiction() {
        assert!(next("x", "a", String::new()).is_err());
        assert!(next("x", "a", "a".to_owned()).is_err());
        assert_eq!(next("x", "a", "b".to_owned()).unwrap(), "b");
    }
}
