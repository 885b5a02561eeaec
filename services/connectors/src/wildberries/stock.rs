//! Stock at the marketplace by the synchronous report, and the choice between it and the background report.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, de};

use super::client::Wildberries;
use super::limits::{Category, Group};
use super::token::Scope;
use super::wire::{WbWarehousesRequest, WbWarehousesRow};
use super::{MASKED_ID, is_masked_name};
use crate::error::{CallError, CallFailure};
use crate::json;
use crate::marketplace::{Fetched, Fulfilment, StockBuilder, StockLevel, StockSnapshot, Tally, WarehouseRef};

const REPORT: &str = "POST /api/analytics/v1/stocks-report/wb-warehouses";

impl Wildberries {
    /// Stock at the marketplace: the synchronous report, or the background one where the token is not allowed
    /// the first. What was refused once is not tried again by this process.
    ///
    /// # Errors
    /// Those of the report that was taken. When both refuse, the refusal of the second.
    pub(super) async fn fetch_fbo_stock(&self) -> Result<Fetched<StockSnapshot>, CallError> {
        if !self.seller.no_sync_report.is_set() {
            match Box::pin(self.sync_report()).await {
                Err(error) if matches!(error.failure, CallFailure::Forbidden { .. }) => {
                    tracing::info!("the synchronous stock report is refused, the background report is taken");
                    self.seller.no_sync_report.set();
                }
                other => return other,
            }
        }
        Box::pin(self.remains()).await
    }

    /// Page: <https://dev.wildberries.ru/docs/openapi/analytics>,
    /// `POST /api/analytics/v1/stocks-report/wb-warehouses`; 3 requests a minute, 250,000 rows a page, refreshed
    /// every 30 minutes, not for plain base tokens.
    ///
    /// An account without stock gives 204. A 200 without a body or without a list was seen as well; it is taken
    /// as empty but not as complete, because a broken answer looks the same.
    async fn sync_report(&self) -> Result<Fetched<StockSnapshot>, CallError> {
        self.require(Scope::Analytics, REPORT)?;
        let mut tally = Tally::default();
        let mut gathered = Gathered::default();
        let limit = self.options.stock_page;
        let mut complete = true;
        for offset in (0..).step_by(usize::try_from(limit).unwrap_or(usize::MAX)) {
            let body = WbWarehousesRequest {
                nm_ids: [],
                chrt_ids: [],
                limit,
                offset,
            };
            let call = self
                .report_call(
                    REPORT,
                    Category::Analytics,
                    "/api/analytics/v1/stocks-report/wb-warehouses",
                )?
                .json(&body)?;
            let opened = self.open(Group::WbWarehouses, &call).await?;
            if opened.status() == 204 {
                let reply = opened.read().await?;
                tally.page(&reply.body, 0, reply.date());
                break;
            }
            gathered.begin_page();
            let streamed = opened
                .decode(&mut tally.hasher, move |reader| {
                    let mut gathered = gathered;
                    decode_page(reader, &mut gathered)?;
                    Ok(gathered)
                })
                .await?;
            gathered = streamed.value;
            let rows = gathered.page_rows;
            tally.streamed(streamed.bytes, rows, streamed.date);
            if !gathered.has_list {
                complete = false;
                break;
            }
            if rows < limit {
                break;
            }
        }
        if let Some(what) = gathered.contradiction {
            return Err(CallError::new(REPORT, CallFailure::Inconsistent { what }));
        }
        let outcome = tally.finish("wb.stock.sync");
        Ok(Fetched {
            items: gathered.builder.finish(),
            outcome,
            complete,
        })
    }
}

/// What the pages have given so far.
#[derive(Default)]
struct Gathered {
    builder: StockBuilder,
    by_id: std::collections::HashMap<i64, u32>,
    page_rows: u64,
    has_list: bool,
    /// Hashes of the rows' keys of the pages before this one, and of this one. The report is refreshed every
    /// half hour: when that happens between two pages, rows move across the border and would count twice.
    before: HashSet<u64>,
    page: HashSet<u64>,
    contradiction: Option<String>,
}

impl Gathered {
    fn begin_page(&mut self) {
        self.page_rows = 0;
        self.has_list = false;
        let page = std::mem::take(&mut self.page);
        if self.before.is_empty() {
            self.before = page;
        } else {
            self.before.extend(page);
        }
    }

    fn row(&mut self, row: &WbWarehousesRow) -> Result<(), String> {
        self.page_rows += 1;
        let mut hasher = DefaultHasher::new();
        (row.nm_id, row.chrt_id, row.warehouse_id, &row.warehouse_name).hash(&mut hasher);
        let key = hasher.finish();
        if self.before.contains(&key) {
            self.contradiction = Some(
                "the same size and warehouse on two pages: the report was refreshed meanwhile".to_owned(),
            );
        }
        self.page.insert(key);
        let level = StockLevel {
            warehouse: self.warehouse(row)?,
            available: row.quantity,
            in_way_to_client: row.in_way_to_client,
            in_way_from_client: row.in_way_from_client,
        };
        self.builder
            .add(row.nm_id, level)
            .map_err(|overflow| overflow.to_string())
    }

    fn warehouse(&mut self, row: &WbWarehousesRow) -> Result<u32, String> {
        if row.warehouse_id == Some(MASKED_ID) || is_masked_name(&row.warehouse_name) {
            return Ok(self.builder.warehouse(WarehouseRef::masked()));
        }
        let Some(id) = row.warehouse_id else {
            if row.warehouse_name.is_empty() {
                return Err("a row without warehouseId and warehouseName".to_owned());
            }
            return Ok(self
                .builder
                .warehouse(WarehouseRef::named(&row.warehouse_name, Fulfilment::Fbo)));
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
            .warehouse(WarehouseRef::with_id(id, name, Fulfilment::Fbo, region));
        self.by_id.insert(id, index);
        Ok(index)
    }
}

/// Decodes `{"data":{"items":[…]}}` row by row. An empty body is a page without a list.
fn decode_page(reader: &mut dyn std::io::Read, gathered: &mut Gathered) -> Result<(), serde_json::Error> {
    json::visit(
        reader,
        Level {
            gathered,
            keys: &["data", "items"],
        },
    )?;
    Ok(())
}

/// Walks down the named keys to the list of rows.
struct Level<'a> {
    gathered: &'a mut Gathered,
    keys: &'static [&'static str],
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.keys.is_empty() {
            "a list of rows"
        } else {
            "an object"
        })
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        // `null` in place of the object or the list: no list.
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((wanted, rest)) = self.keys.split_first() else {
            return Err(A::Error::invalid_type(de::Unexpected::Map, &"a list of rows"));
        };
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == *wanted {
                found = true;
                map.next_value_seed(Level {
                    gathered: &mut *self.gathered,
                    keys: rest,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found {
            Ok(())
        } else {
            Err(A::Error::missing_field(wanted))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        if !self.keys.is_empty() {
            return Err(A::Error::invalid_type(de::Unexpected::Seq, &"an object"));
        }
        self.gathered.has_list = true;
        while let Some(row) = rows.next_element::<WbWarehousesRow>()? {
            self.gathered.row(&row).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
