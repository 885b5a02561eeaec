//! Stock by the synchronous reports, at the marketplace and at the seller's own warehouses, and the choice
//! between the first and the background report.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::client::Wildberries;
use super::limits::{Category, Group};
use super::token::Scope;
use super::wire::{WbWarehousesEnvelope, WbWarehousesRequest, WbWarehousesRow};
use super::{MASKED_ID, is_masked_name};
use crate::error::{CallError, CallFailure};
use crate::json::{self, Rows};
use crate::marketplace::{
    Fetched, Fulfilment, SizeLabel, StockBuilder, StockLevel, StockOverflow, StockSnapshot, WarehouseRef,
};
use crate::payload::GOODS;

/// One of the two synchronous reports: same question, same rows, other warehouses.
pub(super) struct SyncReport {
    endpoint: &'static str,
    path: &'static str,
    group: Group,
    fulfilment: Fulfilment,
    source: &'static str,
}

/// The marketplace's warehouses.
const OF_MARKETPLACE: SyncReport = SyncReport {
    endpoint: "POST /api/analytics/v1/stocks-report/wb-warehouses",
    path: "/api/analytics/v1/stocks-report/wb-warehouses",
    group: Group::WbWarehouses,
    fulfilment: Fulfilment::Fbo,
    source: "wb.stock.sync",
};

/// The seller's warehouses; since 2026-08-24, for personal and service tokens.
pub(super) const OF_SELLER: SyncReport = SyncReport {
    endpoint: "POST /api/analytics/v1/stocks-report/seller-warehouses",
    path: "/api/analytics/v1/stocks-report/seller-warehouses",
    group: Group::SellerWarehouses,
    fulfilment: Fulfilment::Fbs,
    source: "wb.stock.seller",
};

/// Rows with which a page repeats the one before it: where the report was refreshed in between, they differ.
const OVERLAP: u64 = 1;
/// What is said then.
const REFRESHED: &str = "the report was refreshed while its pages were read";

/// Where its rows are.
const LIST: &[&str] = &["data", "items"];

impl Wildberries {
    /// Stock at the marketplace: the synchronous report, or the background one where the token is not allowed
    /// the first. What was refused once is not tried again by this process.
    ///
    /// # Errors
    /// Those of the report that was taken. When both refuse, the refusal of the second.
    pub(super) async fn fetch_fbo_stock(&self) -> Result<Fetched<StockSnapshot>, CallError> {
        if !self.seller.no_sync_report.is_set() {
            match Box::pin(self.sync_report(&OF_MARKETPLACE)).await {
                Err(error) if matches!(error.failure, CallFailure::Forbidden { .. }) => {
                    tracing::info!("the synchronous stock report is refused, the background report is taken");
                    self.seller.no_sync_report.set();
                }
                other => return other,
            }
        }
        Box::pin(self.remains()).await
    }

    /// Page: <https://dev.wildberries.ru/docs/openapi/analytics>, `POST
    /// /api/analytics/v1/stocks-report/wb-warehouses` and `…/seller-warehouses`; each 3 requests a minute,
    /// 250,000 rows a page, refreshed every 30 minutes, not for plain base tokens.
    ///
    /// An account without stock gives 204. A 200 without a body or without a list was seen as well; it is
    /// taken as empty but not as complete, because a broken answer looks the same.
    pub(super) async fn sync_report(&self, report: &SyncReport) -> Result<Fetched<StockSnapshot>, CallError> {
        self.require(Scope::Analytics, report.endpoint)?;
        let mut tally = self.tally(report.source, GOODS);
        let mut gathered = Gathered::of(report.fulfilment);
        // The smallest page that has room for a row beyond the overlap.
        let limit = self.options.stock_page.max(OVERLAP + 1);
        let step = usize::try_from(limit - OVERLAP).unwrap_or(usize::MAX);
        let mut complete = true;
        for offset in (0_u64..).step_by(step) {
            let body = WbWarehousesRequest {
                nm_ids: [],
                chrt_ids: [],
                limit,
                offset,
            };
            let call = self
                .report_call(report.endpoint, Category::Analytics, report.path)?
                .json(&body)?;
            let opened = self.open(report.group, &call).await?;
            gathered.begin_page();
            if opened.status() == 204 {
                let reply = opened.read().await?;
                tally.page(&reply.body, 0, reply.date());
                gathered.end_page();
                break;
            }
            let mut page = Rows::new(LIST);
            let streamed = opened
                .stream(&mut tally.meter, |chunk| {
                    page.push(chunk, &mut |row| gathered.row(row))
                })
                .await?;
            let has_list = page
                .finish::<Option<WbWarehousesEnvelope>>()
                .map_err(|failure| CallError::new(report.endpoint, failure))?;
            let rows = gathered.page_rows;
            tally.streamed(streamed.bytes, rows - gathered.repeated, streamed.date);
            if !has_list {
                tally.trouble(if streamed.bytes == 0 {
                    "an empty body"
                } else {
                    "no list of rows"
                });
                complete = false;
                break;
            }
            gathered.end_page();
            // A contradiction ends the paging too: an answer that repeats itself would page for ever.
            if rows < limit || gathered.contradiction.is_some() {
                break;
            }
        }
        if let Some(what) = gathered.contradiction {
            return Err(CallError::new(
                report.endpoint,
                CallFailure::Inconsistent { what },
            ));
        }
        gathered
            .is_whole()
            .map_err(|failure| CallError::new(report.endpoint, failure))?;
        let outcome = tally.finish(report.source);
        Ok(Fetched {
            items: gathered.builder.finish(),
            outcome,
            complete,
        })
    }
}

/// What the pages have given so far.
struct Gathered {
    fulfilment: Fulfilment,
    builder: StockBuilder,
    by_id: std::collections::HashMap<i64, u32>,
    page_rows: u64,
    /// Rows of this page that stood on the one before it.
    repeated: u64,
    /// Key of the row with which this page has to begin.
    border: Option<u64>,
    /// Hashes of the rows' keys of the pages before this one, sorted, and of this one. The report is
    /// refreshed every half hour: when that happens between two pages, rows move across the border and would
    /// count twice, or not at all. A large seller has a million rows, so the hashes lie side by side.
    before: Vec<u64>,
    page: Vec<u64>,
    contradiction: Option<String>,
    /// Whether any row told the units on the way; single rows may not.
    told_to_client: bool,
    told_from_client: bool,
}

impl Gathered {
    fn of(fulfilment: Fulfilment) -> Self {
        Self {
            fulfilment,
            builder: StockBuilder::default(),
            by_id: std::collections::HashMap::new(),
            page_rows: 0,
            repeated: 0,
            border: None,
            before: Vec::new(),
            page: Vec::new(),
            contradiction: None,
            told_to_client: false,
            told_from_client: false,
        }
    }

    fn begin_page(&mut self) {
        self.page_rows = 0;
        self.repeated = 0;
        self.border = self.page.last().copied();
        self.before.append(&mut self.page);
        self.before.sort_unstable();
    }

    /// A page that came to nothing did not begin where the one before it ended either.
    fn end_page(&mut self) {
        if self.border.is_some() {
            self.contradiction = Some(REFRESHED.to_owned());
        }
    }

    /// What single rows may lack, not all of them lack: it would silently become nothing.
    fn is_whole(&self) -> Result<(), CallFailure> {
        let path = match (self.told_to_client, self.told_from_client) {
            // The seller's warehouses know nothing of units on the way.
            _ if self.fulfilment == Fulfilment::Fbs => return Ok(()),
            _ if self.page.is_empty() && self.before.is_empty() => return Ok(()),
            (true, true) => return Ok(()),
            (false, _) => "data.items[].inWayToClient",
            (true, false) => "data.items[].inWayFromClient",
        };
        Err(json::malformed(format!("field `{path}` is missing in every row")))
    }

    fn row(&mut self, row: &[u8]) -> Result<(), CallFailure> {
        let row: WbWarehousesRow = json::decode_in("data.items[]", row)?;
        self.page_rows += 1;
        let mut hasher = DefaultHasher::new();
        (row.nm_id, row.chrt_id, row.warehouse_id, &row.warehouse_name).hash(&mut hasher);
        let key = hasher.finish();
        if let Some(border) = self.border.take() {
            if border == key {
                self.repeated += 1;
                // This page's last row may be this one again.
                self.page.push(key);
                return Ok(());
            }
            self.contradiction = Some(REFRESHED.to_owned());
        }
        if self.before.binary_search(&key).is_ok() {
            self.contradiction = Some(format!("the same size and warehouse on two pages: {REFRESHED}"));
        }
        self.page.push(key);
        self.told_to_client |= row.in_way_to_client.is_there();
        self.told_from_client |= row.in_way_from_client.is_there();
        let warehouse = self.warehouse(&row)?;
        let level = StockLevel {
            warehouse,
            available: row.quantity,
            in_way_to_client: row.in_way_to_client.or_default(),
            in_way_from_client: row.in_way_from_client.or_default(),
        };
        let overflow = |overflow: StockOverflow| CallFailure::Inconsistent {
            what: overflow.to_string(),
        };
        self.builder.add(row.nm_id, level).map_err(overflow)?;
        // 0 is no size: the vendor's ids begin far above.
        match u64::try_from(row.chrt_id).ok().filter(|id| *id > 0) {
            Some(id) => self
                .builder
                .add_size(row.nm_id, warehouse, SizeLabel::Id(id), row.quantity)
                .map_err(overflow),
            None => Ok(()),
        }
    }

    fn warehouse(&mut self, row: &WbWarehousesRow) -> Result<u32, CallFailure> {
        let masked = row.warehouse_id == Some(MASKED_ID) || is_masked_name(&row.warehouse_name);
        if masked && self.fulfilment == Fulfilment::Fbo {
            return Ok(self.builder.warehouse(WarehouseRef::masked()));
        }
        let Some(id) = row.warehouse_id else {
            if row.warehouse_name.is_empty() {
                return Err(json::malformed("a row without warehouseId and warehouseName"));
            }
            return Ok(self
                .builder
                .warehouse(WarehouseRef::named(&row.warehouse_name, self.fulfilment)));
        };
        if let Some(index) = self.by_id.get(&id) {
            return Ok(*index);
        }
        let name = if row.warehouse_name.is_empty() {
            id.to_string()
        } else {
            row.warehouse_name.clone()
        };
        let region = row.region_name.clone().filter(|region| !region.is_empty());
        let index = self
            .builder
            .warehouse(WarehouseRef::with_id(id, name, self.fulfilment, region));
        self.by_id.insert(id, index);
        Ok(index)
    }
}

#[cfg(test)]
mod tests;
