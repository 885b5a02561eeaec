//! Stock by the synchronous reports, at the marketplace and at the seller's own warehouses, and the choice
//! between the first and the background report.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::client::Wildberries;
use super::limits::{Category, Group};
use super::token::Scope;
use super::wire::{WbWarehousesEnvelope, WbWarehousesRequest, WbWarehousesRow};
use super::{MASKED_ID, is_masked_name};
use crate::error::{CallError, CallFailure};
use crate::json::{self, LeftOut, Rows};
use crate::marketplace::{
    Fetched, Fulfilment, InWay, SizeLabel, StockBuilder, StockLevel, StockOverflow, StockSnapshot,
    WarehouseRef,
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
const PLACE: &str = "data.items[]";

impl Wildberries {
    /// Stock at the marketplace: the synchronous report, or the background one where the token is not allowed
    /// the first. What was refused is left alone for a while.
    ///
    /// A report of several pages that do not fit each other is read in the background as well, where it comes
    /// in one piece: the vendor nowhere promises one order of rows over pages.
    ///
    /// # Errors
    /// Those of the report that was taken. When both refuse, the refusal of the second.
    pub(super) async fn fetch_fbo_stock(&self) -> Result<Fetched<StockSnapshot>, CallError> {
        if !self.is_closed(&self.seller.no_sync_report) {
            match Box::pin(self.sync_report(&OF_MARKETPLACE)).await {
                Err(error) if matches!(error.failure, CallFailure::Forbidden { .. }) => {
                    tracing::info!("the synchronous stock report is refused, the background report is taken");
                    self.close(&self.seller.no_sync_report);
                }
                Err(error) if do_not_fit(&error.failure) => {
                    tracing::info!(
                        class = error.class().as_str(),
                        "pages of stock do not fit, the background report is taken"
                    );
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
        let (mut complete, mut is_silent) = (true, false);
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
                // An end of a list that does not come is no missing list.
                is_silent = tally.rows == 0;
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
        complete &= gathered.is_proven;
        let is_unlisted = is_silent && gathered.is_proven;
        tally.left_out.join(gathered.left_out);
        let mut outcome = tally.finish(report.source);
        outcome.is_unlisted = is_unlisted;
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
    left_out: LeftOut,
    /// False when a row was left out that does not say whose it is.
    is_proven: bool,
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
            left_out: LeftOut::default(),
            is_proven: true,
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
        self.left_out.is_drift()?;
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

    fn row(&mut self, bytes: &[u8]) -> Result<(), CallFailure> {
        self.page_rows += 1;
        let row: WbWarehousesRow = match json::decode_in(PLACE, bytes) {
            Ok(row) => row,
            Err(failure) => {
                let failure = json::row_is_json(bytes, failure)?;
                // A row that is sent again is the same text again.
                if !self.repeats(hash(bytes)) {
                    self.lose(bytes, &failure);
                }
                return Ok(());
            }
        };
        let size = (row.nm_id, row.chrt_id, row.warehouse_id, &row.warehouse_name);
        if self.repeats(hash(size)) {
            return Ok(());
        }
        self.told_to_client |= row.in_way_to_client.is_there();
        self.told_from_client |= row.in_way_from_client.is_there();
        match self.take(&row) {
            Ok(()) => self.left_out.read(PLACE, 1),
            Err(failure) => self.lose(bytes, &failure),
        }
        Ok(())
    }

    /// Whether this row stood on the page before already, as the last one there.
    fn repeats(&mut self, key: u64) -> bool {
        if let Some(border) = self.border.take() {
            if border == key {
                self.repeated += 1;
                // This page's last row may be this one again.
                self.page.push(key);
                return true;
            }
            self.contradiction = Some(REFRESHED.to_owned());
        }
        if self.before.binary_search(&key).is_ok() {
            self.contradiction = Some(format!("the same size and warehouse on two pages: {REFRESHED}"));
        }
        self.page.push(key);
        false
    }

    fn take(&mut self, row: &WbWarehousesRow) -> Result<(), CallFailure> {
        let counts = [
            ("quantity", row.quantity),
            ("inWayToClient", row.in_way_to_client.or_zero()),
            ("inWayFromClient", row.in_way_from_client.or_zero()),
        ];
        if let Some((field, _)) = counts.iter().find(|(_, units)| *units < 0) {
            return Err(json::malformed(format!("field `{PLACE}.{field}` is negative")));
        }
        let [available, to_client, from_client] = counts.map(|(_, units)| units);
        if row.warehouse_id.is_some_and(|id| !is_id(id)) {
            return Err(json::malformed(format!(
                "field `{PLACE}.warehouseId` is negative"
            )));
        }
        // «Остальные»: no warehouse, but units on the way that belong to none.
        if row.warehouse_id == Some(0) && available == 0 {
            let in_way = InWay {
                to_client,
                from_client,
            };
            return self.builder.add_in_way(row.nm_id, in_way).map_err(overflow);
        }
        let warehouse = self.warehouse(row.warehouse_id, &row.warehouse_name, row.region_name.as_deref());
        let Some(warehouse) = warehouse else {
            return Err(json::malformed("a row without warehouseId and warehouseName"));
        };
        let level = StockLevel {
            warehouse,
            available,
            in_way_to_client: to_client,
            in_way_from_client: from_client,
        };
        self.builder.add(row.nm_id, level).map_err(overflow)?;
        // 0 is no size: the vendor's ids begin far above.
        match u64::try_from(row.chrt_id).ok().filter(|id| *id > 0) {
            Some(id) => self
                .builder
                .add_size(row.nm_id, warehouse, SizeLabel::Id(id), available)
                .map_err(overflow),
            None => Ok(()),
        }
    }

    /// Leaves out a row. The level that it is part of is unknown then, or all levels of the article where the
    /// row does not say by an id which one: by its name alone it would be another warehouse than the one
    /// that the article's other sizes are at. Where it does not even say whose it is, no absence is proven
    /// any more.
    fn lose(&mut self, bytes: &[u8], failure: &CallFailure) {
        let index = usize::try_from(self.page_rows - 1).unwrap_or(usize::MAX);
        self.left_out.add(PLACE, &[index], failure);
        let Some(nm_id) = json::whole_number(bytes, "nmId") else {
            self.is_proven = false;
            return;
        };
        let name = json::text(bytes, "warehouseName").unwrap_or_default();
        let id = json::whole_number(bytes, "warehouseId").filter(|id| is_id(*id));
        let warehouse = id.and_then(|id| self.warehouse(Some(id), &name, None));
        self.builder.unread(nm_id, warehouse);
    }

    /// The warehouse of a row; none where it has neither an id nor a name.
    fn warehouse(&mut self, id: Option<i64>, name: &str, region: Option<&str>) -> Option<u32> {
        let masked = id == Some(MASKED_ID) || is_masked_name(name);
        if masked && self.fulfilment == Fulfilment::Fbo {
            return Some(self.builder.warehouse(WarehouseRef::masked()));
        }
        let Some(id) = id else {
            return (!name.is_empty())
                .then(|| self.builder.warehouse(WarehouseRef::named(name, self.fulfilment)));
        };
        if let Some(index) = self.by_id.get(&id) {
            return Some(*index);
        }
        let name = if name.is_empty() {
            id.to_string()
        } else {
            name.to_owned()
        };
        let region = region.filter(|region| !region.is_empty()).map(str::to_owned);
        let index = self
            .builder
            .warehouse(WarehouseRef::with_id(id, name, self.fulfilment, region));
        self.by_id.insert(id, index);
        Some(index)
    }
}

/// Ids are positive but for that of the mask; 0 stands for no warehouse.
fn is_id(id: i64) -> bool {
    id >= 0 || id == MASKED_ID
}

fn do_not_fit(failure: &CallFailure) -> bool {
    matches!(failure, CallFailure::Inconsistent { what } if what.ends_with(REFRESHED))
}

fn overflow(overflow: StockOverflow) -> CallFailure {
    CallFailure::Inconsistent {
        what: overflow.to_string(),
    }
}

fn hash(key: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
