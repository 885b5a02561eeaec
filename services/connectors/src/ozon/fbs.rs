//! Stock in the seller's own warehouses.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use super::catalogue::Catalogue;
use super::client::Ozon;
use super::limits::Group;
use super::pages::{End, Pages};
use super::wire::{FbsRequest, FbsRow, FbsStocks, Int, WarehouseRow, Warehouses, WarehousesRequest};
use crate::error::{CallError, CallFailure};
use crate::json::{self, LeftOut, RawRows};
use crate::marketplace::{
    Bucket, Fetched, Fulfilment, InWay, SizeRef, StockBuilder, StockLevel, StockOverflow, StockSnapshot,
    Tally, WarehouseRef,
};
use crate::payload::GOODS;

const WAREHOUSES: &str = "POST /v2/warehouse/list";
const STOCKS: &str = "POST /v2/product/info/stocks-by-warehouse/fbs";

/// Where the rows of stock stand.
const ROWS: &str = "products[]";

/// The vendor's most warehouses per page.
const WAREHOUSE_PAGE: u32 = 200;

impl Ozon {
    /// Every SKU at every warehouse of the seller. A SKU without a row there holds nothing.
    ///
    /// Pages: <https://docs.ozon.ru/api/seller/#operation/WarehouseListV2> and
    /// `#operation/ProductAPI_ProductStocksByWarehouseFbsV2`; 1000 rows a page.
    ///
    /// A list of warehouses that is empty is not believed alone: stock is asked for all the same, and where
    /// that names warehouses, nothing that is absent counts as gone. A cabinet that never had a warehouse
    /// refuses that question, which says the same as the empty list.
    ///
    /// # Errors
    /// The first answer that failed; `Malformed` when not one row could be read.
    pub(super) async fn fetch_fbs_stock(
        &self,
        sizes: &[SizeRef],
    ) -> Result<Fetched<StockSnapshot>, CallError> {
        let mut tally = self.tally("ozon.stock.fbs", GOODS);
        let mut gathered = Gathered::new(sizes, self.kept_catalogue().await)?;
        let (listed, mut complete) = self.seller_warehouses(&mut tally).await?;
        if gathered
            .catalogue
            .as_ref()
            .is_some_and(|catalogue| !catalogue.complete)
        {
            complete = false;
            tally.trouble("the catalogue is not complete");
        }
        for (id, name) in &listed {
            gathered.warehouse(*id, name);
        }
        let mut skus: Vec<String> = gathered.articles.keys().map(i64::to_string).collect();
        skus.sort_unstable();
        for batch in skus.chunks(self.options.fbs_batch.max(1)) {
            match self.seller_stocks(batch, &mut gathered, &mut tally).await {
                Ok(whole) => complete &= whole,
                Err(error) if listed.is_empty() && says_none(&error) => break,
                Err(error) => return Err(error),
            }
        }
        if listed.is_empty() && !gathered.by_id.is_empty() {
            complete = false;
            tally.trouble("stock lies in the seller's own warehouses, and the list of them is empty");
        }
        let drift = gathered.left_out.is_drift();
        drift.map_err(|failure| CallError::new(STOCKS, failure))?;
        tally.left_out.join(gathered.left_out);
        Ok(Fetched {
            items: gathered.builder.finish(),
            outcome: tally.finish("ozon.stock.fbs"),
            complete: complete && gathered.is_proven,
        })
    }

    /// Ids and names of the seller's warehouses, and whether they are all.
    pub(super) async fn seller_warehouses(
        &self,
        tally: &mut Tally,
    ) -> Result<(Vec<(i64, String)>, bool), CallError> {
        let mut warehouses = Vec::new();
        let mut left_out = LeftOut::default();
        let mut pages = Pages::new(WAREHOUSE_PAGE);
        let end = loop {
            let request = WarehousesRequest {
                limit: WAREHOUSE_PAGE,
                cursor: pages.cursor(),
            };
            let reply = self.ask(Group::All, WAREHOUSES, &request).await?;
            let page: Warehouses =
                json::decode(&reply.body).map_err(|failure| CallError::new(WAREHOUSES, failure))?;
            let rows = page.warehouses.len();
            tally.page(&reply.body, rows, reply.date());
            let has_id = |row: WarehouseRow| match row.warehouse_id.0 {
                ..=0 => Err(json::malformed("field `warehouses[].warehouse_id` is no id")),
                _ => Ok(row),
            };
            let read = page.warehouses.read("warehouses[]", &[], &mut left_out, has_id);
            warehouses.extend(read.into_iter().map(|row| (row.warehouse_id.0, row.name)));
            if let Some(end) = pages.next(rows, page.has_next, page.cursor) {
                break end;
            }
        };
        let drift = left_out.is_drift();
        drift.map_err(|failure| CallError::new(WAREHOUSES, failure))?;
        tally.left_out.join(left_out);
        Ok((warehouses, end.is_proven(tally)))
    }

    /// Stock of these SKUs, and whether it is all.
    ///
    /// A full page that calls itself the last one is believed when the same question in other pages gives as
    /// many rows: a server that cuts pages off gives fewer.
    async fn seller_stocks(
        &self,
        skus: &[String],
        gathered: &mut Gathered,
        tally: &mut Tally,
    ) -> Result<bool, CallError> {
        let most = self.options.fbs_page.max(1);
        let (mut end, rows) = self.stock_pages(skus, most, gathered, tally).await?;
        if end == End::Full && most > 1 {
            let (again, counted) = self.stock_pages(skus, most - 1, gathered, tally).await?;
            end = if counted == rows { End::Proven } else { again };
        }
        Ok(end.is_proven(tally))
    }

    async fn stock_pages(
        &self,
        skus: &[String],
        limit: u32,
        gathered: &mut Gathered,
        tally: &mut Tally,
    ) -> Result<(End, usize), CallError> {
        let mut pages = Pages::new(limit);
        let mut all = 0;
        loop {
            let request = FbsRequest {
                sku: skus,
                limit,
                cursor: pages.cursor(),
            };
            let reply = self.ask(Group::All, STOCKS, &request).await?;
            let page: FbsStocks =
                json::decode(&reply.body).map_err(|failure| CallError::new(STOCKS, failure))?;
            let rows = page.products.len();
            all += rows;
            tally.page(&reply.body, rows, reply.date());
            gathered.page(&page.products);
            if let Some(end) = pages.next(rows, page.has_next, page.cursor) {
                return Ok((end, all));
            }
        }
    }
}

/// Whether a refusal says that there is nothing: seen at cabinets without a warehouse of their own.
fn says_none(error: &CallError) -> bool {
    matches!(
        error.failure,
        CallFailure::Rejected { status: 400, .. } | CallFailure::NotFound { .. }
    )
}

struct Gathered {
    builder: StockBuilder,
    /// The article of every SKU that is asked for.
    articles: HashMap<i64, i64>,
    catalogue: Option<Arc<Catalogue>>,
    by_id: HashMap<i64, u32>,
    /// A hash of what was told of a SKU at a warehouse.
    seen: HashMap<(i64, i64), u64>,
    left_out: LeftOut,
    /// False when a row was left out that does not say whose it is.
    is_proven: bool,
}

impl Gathered {
    /// `catalogue` is the one of this sync: it knows SKUs of cards that could not be read as well.
    fn new(sizes: &[SizeRef], catalogue: Option<Arc<Catalogue>>) -> Result<Self, CallError> {
        let mut builder = StockBuilder::default();
        let sku = |size: &SizeRef| Some((i64::try_from(size.chrt_id).ok()?, size.nm_id));
        let mut articles: HashMap<i64, i64> = sizes.iter().filter_map(sku).collect();
        for nm_id in catalogue
            .iter()
            .flat_map(|catalogue| catalogue.outcome.unread.iter())
        {
            articles.entry(*nm_id).or_insert(*nm_id);
        }
        for nm_id in articles.values() {
            // Makes the product known, so that nothing in stock is a zero and not a gap.
            builder
                .add_in_way(*nm_id, InWay::default())
                .map_err(|failure| CallError::new(STOCKS, overflow(&failure)))?;
        }
        Ok(Self {
            builder,
            articles,
            catalogue,
            by_id: HashMap::new(),
            seen: HashMap::new(),
            left_out: LeftOut::default(),
            is_proven: true,
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

    fn article(&self, sku: Option<i64>, offer: Option<&str>) -> Option<i64> {
        let by_sku = sku.and_then(|sku| self.articles.get(&sku).copied());
        by_sku.or_else(|| self.catalogue.as_ref()?.by_offer(offer?))
    }

    fn page(&mut self, rows: &RawRows) {
        for (index, bytes) in rows.iter().enumerate() {
            match json::decode_in(ROWS, bytes).and_then(|row| self.take(&row, bytes)) {
                Ok(()) => self.left_out.read(ROWS, 1),
                Err(failure) => {
                    self.left_out.add(ROWS, &[index], &failure);
                    self.lose(bytes);
                }
            }
        }
    }

    fn take(&mut self, row: &FbsRow, bytes: &[u8]) -> Result<(), CallFailure> {
        let (Int(sku), Int(warehouse_id)) = (row.sku, row.warehouse_id);
        let nm_id = self
            .article(Some(sku), row.offer_id.as_deref())
            .ok_or_else(|| json::malformed("stock of a SKU that was not asked for"))?;
        if warehouse_id <= 0 {
            return Err(json::malformed(format!("field `{ROWS}.warehouse_id` is no id")));
        }
        if row.free_stock.0 < 0 || row.reserved.0 < 0 {
            return Err(json::malformed(format!("a count in `{ROWS}` is negative")));
        }
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let told = hasher.finish();
        match self.seen.insert((sku, warehouse_id), told) {
            None => {}
            // The same row once more is no more stock.
            Some(before) if before == told => return Ok(()),
            Some(_) => return Err(json::malformed("one SKU twice at one warehouse")),
        }
        let warehouse = self.warehouse(warehouse_id, &row.warehouse_name);
        let level = StockLevel {
            warehouse,
            available: row.free_stock.0,
            in_way_to_client: 0,
            in_way_from_client: 0,
        };
        let added = self.builder.add(nm_id, level);
        added.map_err(|failure| overflow(&failure))?;
        self.builder
            .add_bucket(nm_id, warehouse, Bucket::Reserved, row.reserved.0)
            .map_err(|failure| overflow(&failure))
    }

    /// As in the vendor's own warehouses.
    fn lose(&mut self, bytes: &[u8]) {
        let offer = json::text(bytes, "offer_id");
        let Some(nm_id) = self.article(json::whole_number(bytes, "sku"), offer.as_deref()) else {
            self.is_proven = false;
            return;
        };
        let name = json::text(bytes, "warehouse_name").unwrap_or_default();
        let id = json::whole_number(bytes, "warehouse_id").filter(|id| *id > 0);
        let warehouse = id.map(|id| self.warehouse(id, &name));
        self.builder.unread(nm_id, warehouse);
    }
}

fn overflow(overflow: &StockOverflow) -> CallFailure {
    CallFailure::Inconsistent {
        what: overflow.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::Gathered;
    use crate::json::{self, RawRows};
    use crate::marketplace::{Bucket, SizeRef};
    use crate::ozon::wire::{FbsStocks, samples};

    fn gathered() -> Gathered {
        let size = SizeRef {
            chrt_id: 800_000_001,
            nm_id: 800_000_001,
        };
        Gathered::new(&[size], None).unwrap()
    }

    #[test]
    fn a_row_gives_what_is_free_and_what_is_reserved_and_a_repeated_one_nothing_more() {
        let mut gathered = gathered();
        let page: FbsStocks = json::decode(samples::FBS.as_bytes()).unwrap();
        gathered.page(&page.products);
        gathered.page(&page.products);
        assert_eq!((gathered.left_out.count(), gathered.is_proven), (0, true));
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
    fn a_row_that_contradicts_another_leaves_its_level_unknown() {
        let mut gathered = gathered();
        let rows = r#"[{"sku":800000001,"warehouse_id":5,"warehouse_name":"A","free_stock":4,"reserved":0},
            {"sku":800000001,"warehouse_id":5,"warehouse_name":"A","free_stock":9,"reserved":0},
            {"sku":800000001,"warehouse_id":6,"warehouse_name":"B","free_stock":-1,"reserved":0},
            {"sku":800000001,"warehouse_id":7,"warehouse_name":"C","free_stock":2,"reserved":0},
            {"sku":1,"warehouse_id":7,"warehouse_name":"C","free_stock":2,"reserved":0}]"#;
        let rows: RawRows = json::decode(rows.as_bytes()).unwrap();
        gathered.page(&rows);
        assert_eq!((gathered.left_out.count(), gathered.is_proven), (3, false));
        let stock = gathered.builder.finish();
        assert_eq!(stock.products[0].available(), 2);
        let unread: Vec<&str> = stock.unread_warehouses(&stock.products[0]).collect();
        assert_eq!(unread, ["fbs:5", "fbs:6"]);
    }
}
