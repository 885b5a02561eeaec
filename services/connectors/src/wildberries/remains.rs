//! Stock at the marketplace by the background report: for tokens that the synchronous one refuses. With a
//! base token its three steps can take the better part of an hour, so an unfinished task is remembered per
//! seller and the next attempt goes on with it.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::sleep;

use super::client::Wildberries;
use super::limits::{Category, Group};
use super::pending::is_task_id;
use super::token::Scope;
use super::wire::{
    Data, RemainsEnvelope, RemainsRow, RemainsRowInPart, RemainsStatus, RemainsTask, RemainsWarehouse,
};
use crate::error::{CallError, CallFailure};
use crate::json::{self, LeftOut, Rows};
use crate::marketplace::{
    Fetched, Fulfilment, InWay, SizeLabel, StockBuilder, StockLevel, StockOverflow, StockSnapshot,
    WarehouseRef,
};
use crate::payload::GOODS;

const CREATE: &str = "GET /api/v1/warehouse_remains";
const STATUS: &str = "GET /api/v1/warehouse_remains/tasks/{task_id}/status";
const DOWNLOAD: &str = "GET /api/v1/warehouse_remains/tasks/{task_id}/download";
const SOURCE: &str = "wb.stock.remains";
/// Where its rows are, and their warehouses.
const PLACE: &str = "[]";
const ENTRIES: &str = "[].warehouses[]";

/// Entries of the list of warehouses that are none.
const TO_CLIENT: &str = "В пути до получателей";
const FROM_CLIENT: &str = "В пути возвраты на склад WB";
const TOTAL: &str = "Всего находится на складах";

impl Wildberries {
    /// Page: <https://dev.wildberries.ru/docs/openapi/reports>, `warehouse_remains`; create once a minute,
    /// status every 5 s, download once a minute; with a base token each of them four times an hour.
    ///
    /// Names are Russian on request, because they are matched by their exact text. A row is a size of a
    /// product, told by its name; barcodes are not asked for, since a size may have several.
    ///
    /// # Errors
    /// `ReportPending` when the next question is further away than the client's patience, `ReportLost` when
    /// the vendor dropped the task.
    pub(super) async fn remains(&self) -> Result<Fetched<StockSnapshot>, CallError> {
        self.require(Scope::Analytics, CREATE)?;
        let task = match self.seller.report.pending().await {
            Some(task) => task,
            None => {
                let task = self.create_report().await?;
                self.seller.report.begun(&task).await;
                task
            }
        };
        let finished = async {
            self.await_report(&task).await?;
            self.download_report(&task).await
        };
        let result = finished.await;
        if !matches!(&result, Err(error) if error.class().is_retryable() && !is_lost(&error.failure)) {
            self.seller.report.ended(task).await;
        }
        result
    }

    async fn create_report(&self) -> Result<String, CallError> {
        let call = self
            .call(CREATE, Category::Analytics, "/api/v1/warehouse_remains")?
            .query(&[("locale", "ru"), ("groupByNm", "true"), ("groupBySize", "true")]);
        let reply = self.fetch(Group::RemainsCreate, &call).await?;
        let answer: Data<RemainsTask> =
            json::decode(&reply.body).map_err(|failure| CallError::new(CREATE, failure))?;
        let task = answer.data.task_id;
        if !is_task_id(&task) {
            return Err(CallError::new(
                CREATE,
                json::malformed("field `taskId` is no task id"),
            ));
        }
        Ok(task)
    }

    async fn await_report(&self, task: &str) -> Result<(), CallError> {
        let path = format!("/api/v1/warehouse_remains/tasks/{task}/status");
        loop {
            let call = self.call(STATUS, Category::Analytics, &path)?;
            let reply = self
                .fetch(Group::RemainsStatus, &call)
                .await
                .map_err(lost_if_unknown)?;
            let answer: Data<RemainsStatus> =
                json::decode(&reply.body).map_err(|failure| CallError::new(STATUS, failure))?;
            match answer.data.status.as_str() {
                "done" => return Ok(()),
                "new" | "processing" => self.pause_between_questions().await?,
                "purged" | "canceled" => {
                    let failure = CallFailure::ReportLost {
                        status: answer.data.status,
                    };
                    return Err(CallError::new(STATUS, failure));
                }
                _ => {
                    return Err(CallError::new(
                        STATUS,
                        json::malformed("field `status` has an unknown value"),
                    ));
                }
            }
        }
    }

    /// The burst of the status method would allow to ask five times at once; that only wastes it.
    async fn pause_between_questions(&self) -> Result<(), CallError> {
        let bucket = self.seller.bucket(Group::RemainsStatus);
        let pause: Duration = bucket
            .wait()
            .await
            .max(bucket.limit().interval)
            .max(self.options.report_poll);
        if pause > self.patience() {
            return Err(CallError::new(
                STATUS,
                CallFailure::ReportPending { retry_after: pause },
            ));
        }
        sleep(pause).await;
        Ok(())
    }

    async fn download_report(&self, task: &str) -> Result<Fetched<StockSnapshot>, CallError> {
        let path = format!("/api/v1/warehouse_remains/tasks/{task}/download");
        let call = self.report_call(DOWNLOAD, Category::Analytics, &path)?;
        let opened = self
            .open(Group::RemainsDownload, &call)
            .await
            .map_err(lost_if_unknown)?;
        let mut tally = self.tally(SOURCE, GOODS);
        if opened.status() == 204 {
            let reply = opened.read().await?;
            tally.page(&reply.body, 0, reply.date());
            let outcome = tally.finish(SOURCE);
            return Ok(Fetched {
                items: StockSnapshot::default(),
                outcome,
                complete: true,
            });
        }
        let (mut report, mut rows) = (Report::default(), Rows::new(&[]));
        let streamed = opened
            .stream(&mut tally.meter, |chunk| {
                rows.push(chunk, &mut |row| report.row(row))
            })
            .await?;
        let has_list = rows
            .finish::<RemainsEnvelope>()
            .map_err(|failure| CallError::new(DOWNLOAD, failure))?;
        report
            .left_out
            .is_drift()
            .map_err(|failure| CallError::new(DOWNLOAD, failure))?;
        tally.streamed(streamed.bytes, report.rows, streamed.date);
        tally.left_out.join(report.left_out);
        if !has_list {
            tally.trouble(if streamed.bytes == 0 {
                "an empty body"
            } else {
                "no list of rows"
            });
        }
        let mut outcome = tally.finish(SOURCE);
        outcome.is_unlisted = !has_list && outcome.rows == 0;
        Ok(Fetched {
            items: report.builder.finish(),
            outcome,
            complete: has_list && !report.is_unproven,
        })
    }
}

/// A task that is not known any more has been purged.
fn lost_if_unknown(error: CallError) -> CallError {
    match error.failure {
        CallFailure::NotFound { .. } => CallError::new(
            error.endpoint,
            CallFailure::ReportLost {
                status: "unknown".to_owned(),
            },
        ),
        failure => CallError::new(error.endpoint, failure),
    }
}

fn is_lost(failure: &CallFailure) -> bool {
    // A finished report that contradicts itself will do so again: a new one is needed.
    matches!(
        failure,
        CallFailure::ReportLost { .. } | CallFailure::Inconsistent { .. }
    )
}

fn overflow(overflow: StockOverflow) -> CallFailure {
    CallFailure::Inconsistent {
        what: overflow.to_string(),
    }
}

#[derive(Default)]
struct Report {
    builder: StockBuilder,
    by_name: HashMap<String, u32>,
    rows: u64,
    left_out: LeftOut,
    /// True when a row was left out that does not say whose it is.
    is_unproven: bool,
}

impl Report {
    fn row(&mut self, bytes: &[u8]) -> Result<(), CallFailure> {
        self.rows += 1;
        match json::decode_in::<RemainsRow>(PLACE, bytes) {
            Ok(row) => {
                self.left_out.read(ENTRIES, row.warehouses.len());
                self.left_out.read(PLACE, 1);
                self.take(row.nm_id, &row.tech_size, row.warehouses, bytes);
            }
            Err(failure) => {
                let failure = json::row_is_json(bytes, failure)?;
                self.in_part(bytes, &failure);
            }
        }
        Ok(())
    }

    /// A row of which something cannot be read: its warehouses one by one.
    fn in_part(&mut self, bytes: &[u8], failure: &CallFailure) {
        let Ok(row) = json::decode_in::<RemainsRowInPart>(PLACE, bytes) else {
            self.lose(bytes, failure);
            return;
        };
        self.left_out.read(PLACE, 1);
        let index = self.index();
        let read = |entry: RemainsWarehouse| Ok(entry);
        let mut entries = Vec::with_capacity(row.warehouses.len());
        for (at, entry) in row.warehouses.iter().enumerate() {
            let result = json::decode_in(ENTRIES, entry).and_then(read);
            if let Some(entry) = self.left_out.take(ENTRIES, &[index, at], result) {
                entries.push(entry);
                continue;
            }
            match json::text(entry, "warehouseName").as_deref() {
                // The total is only there to be compared.
                Some(TOTAL) => {}
                Some(name) if name != TO_CLIENT && name != FROM_CLIENT => {
                    let warehouse = self.warehouse(name);
                    self.builder.unread(row.nm_id, Some(warehouse));
                }
                _ => self.builder.unread(row.nm_id, None),
            }
        }
        // Without one of its parts it adds up to no total.
        entries.retain(|entry| entry.name != TOTAL);
        self.take(row.nm_id, &row.tech_size, entries, bytes);
    }

    fn take(&mut self, nm_id: i64, size: &str, entries: Vec<RemainsWarehouse>, bytes: &[u8]) {
        if let Err(failure) = self.add(nm_id, size, entries) {
            self.lose(bytes, &failure);
        }
    }

    /// Leaves out a row: nothing is known of its article then, or, where it does not say whose it is, no
    /// absence is proven any more.
    fn lose(&mut self, bytes: &[u8], failure: &CallFailure) {
        self.left_out.add(PLACE, &[self.index()], failure);
        match json::whole_number(bytes, "nmId") {
            Some(nm_id) => self.builder.unread(nm_id, None),
            None => self.is_unproven = true,
        }
    }

    fn index(&self) -> usize {
        usize::try_from(self.rows - 1).unwrap_or(usize::MAX)
    }

    fn add(&mut self, nm_id: i64, size: &str, entries: Vec<RemainsWarehouse>) -> Result<(), CallFailure> {
        let mut in_way = InWay::default();
        let (mut total, mut counted) = (None, 0_i64);
        for entry in entries {
            if entry.quantity < 0 {
                let what = format!("field `{ENTRIES}.quantity` is negative");
                return Err(json::malformed(what));
            }
            match entry.name.as_str() {
                TO_CLIENT => in_way.to_client = in_way.to_client.saturating_add(entry.quantity),
                FROM_CLIENT => in_way.from_client = in_way.from_client.saturating_add(entry.quantity),
                TOTAL => total = Some(entry.quantity),
                name => {
                    counted = counted.saturating_add(entry.quantity);
                    let warehouse = self.warehouse(name);
                    let level = StockLevel {
                        warehouse,
                        available: entry.quantity,
                        in_way_to_client: 0,
                        in_way_from_client: 0,
                    };
                    self.builder.add(nm_id, level).map_err(overflow)?;
                    if !size.is_empty() {
                        let label = SizeLabel::Name(size.to_owned());
                        self.builder
                            .add_size(nm_id, warehouse, label, entry.quantity)
                            .map_err(overflow)?;
                    }
                }
            }
        }
        self.builder.add_in_way(nm_id, in_way).map_err(overflow)?;
        // A product with nothing in stock has no total; only a total that is there can contradict.
        match total.filter(|total| *total != counted) {
            Some(total) => Err(CallFailure::Inconsistent {
                what: format!("article {nm_id}: the total is {total}, its warehouses hold {counted}"),
            }),
            None => Ok(()),
        }
    }

    fn warehouse(&mut self, name: &str) -> u32 {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        let index = self.builder.warehouse(WarehouseRef::named(name, Fulfilment::Fbo));
        self.by_name.insert(name.to_owned(), index);
        index
    }
}

#[cfg(test)]
mod tests;
