//! Stock in the seller's own warehouses.

use std::collections::HashMap;

use super::client::Wildberries;
use super::limits::{Category, Group};
use super::stock::OF_SELLER;
use super::token::Scope;
use super::wire::{SellerWarehouse, StockRow, Stocks, StocksRequest};
use crate::error::{CallError, CallFailure};
use crate::json::{self, LeftOut, RawRows};
use crate::marketplace::{
    Fetched, Fulfilment, InWay, SizeLabel, SizeRef, StockBuilder, StockLevel, StockOverflow, StockSnapshot,
    Tally, WarehouseRef,
};
use crate::payload::GOODS;

const WAREHOUSES: &str = "GET /api/v3/warehouses";
const STOCKS: &str = "POST /api/v3/stocks/{warehouseId}";
/// Where the rows of the second are.
const ROWS: &str = "stocks[]";

/// The vendor's most sizes per request.
const BATCH: usize = 1000;

impl Wildberries {
    /// Stock at the seller's warehouses: by the synchronous report where the token is allowed it, else
    /// warehouse by warehouse. What was refused is left alone for a while.
    ///
    /// # Errors
    /// Those of the way that was taken.
    pub(super) async fn fetch_fbs_stock(
        &self,
        sizes: &[SizeRef],
    ) -> Result<Fetched<StockSnapshot>, CallError> {
        if self.has_seller_report() {
            match Box::pin(self.sync_report(&OF_SELLER)).await {
                Err(error)
                    if matches!(
                        error.failure,
                        CallFailure::Forbidden { .. } | CallFailure::NotFound { .. }
                    ) && self.token.scopes().has(Scope::Marketplace) =>
                {
                    tracing::info!("the report of the seller's stock is refused, its warehouses are asked");
                    self.close(&self.seller.no_seller_report);
                }
                other => return other,
            }
        }
        self.warehouse_by_warehouse(sizes).await
    }

    /// Every warehouse of the seller, asked for every size. A size without a record there holds nothing.
    ///
    /// Page: <https://dev.wildberries.ru/docs/openapi/work-with-products>, `GET /api/v3/warehouses` and
    /// `POST /api/v3/stocks/{warehouseId}`; together 300 requests a minute, 150 with a base token; a refused
    /// request counts as ten.
    ///
    /// # Errors
    /// The first answer that failed.
    async fn warehouse_by_warehouse(&self, sizes: &[SizeRef]) -> Result<Fetched<StockSnapshot>, CallError> {
        self.require(Scope::Marketplace, WAREHOUSES)?;
        let mut tally = self.tally("wb.stock.fbs", GOODS);
        let (warehouses, mut proof) = self.seller_warehouses(&mut tally).await?;
        let articles: HashMap<u64, i64> = sizes.iter().map(|size| (size.chrt_id, size.nm_id)).collect();
        let ids: Vec<u64> = sizes.iter().map(|size| size.chrt_id).collect();
        let mut builder = StockBuilder::default();
        for size in sizes {
            // Makes the product known, so that nothing in stock is a zero and not a gap.
            builder
                .add_in_way(size.nm_id, InWay::default())
                .map_err(|beyond| CallError::new(STOCKS, overflow(beyond)))?;
        }
        for warehouse in warehouses {
            let reference =
                WarehouseRef::with_id(warehouse.id, warehouse.name.as_str(), Fulfilment::Fbs, None);
            let index = builder.warehouse(reference);
            for batch in ids.chunks(BATCH) {
                let Some(rows) = self.seller_stocks(&warehouse, batch, &mut tally).await? else {
                    break;
                };
                let Some(rows) = rows else {
                    proof.is_listed = false;
                    continue;
                };
                let mut lines = Lines {
                    articles: &articles,
                    warehouse: index,
                    builder: &mut builder,
                    left_out: &mut tally.left_out,
                };
                proof.is_whole &= lines.read(&rows);
            }
        }
        tally
            .left_out
            .is_drift()
            .map_err(|failure| CallError::new(STOCKS, failure))?;
        let mut outcome = tally.finish("wb.stock.fbs");
        outcome.is_unlisted = proof.is_whole && !proof.is_listed;
        Ok(Fetched {
            items: builder.finish(),
            outcome,
            complete: proof.is_whole && proof.is_listed,
        })
    }

    /// The warehouses, and how far the answer proves that there are no others.
    ///
    /// An empty list is asked for a second time: one such answer was seen from accounts that have warehouses.
    async fn seller_warehouses(&self, tally: &mut Tally) -> Result<(Vec<SellerWarehouse>, Proof), CallError> {
        let (warehouses, proof) = self.seller_warehouses_once(tally).await?;
        if warehouses.is_empty() && proof.is_whole && proof.is_listed {
            return self.seller_warehouses_once(tally).await;
        }
        Ok((warehouses, proof))
    }

    async fn seller_warehouses_once(
        &self,
        tally: &mut Tally,
    ) -> Result<(Vec<SellerWarehouse>, Proof), CallError> {
        let call = self.call(WAREHOUSES, Category::Marketplace, "/api/v3/warehouses")?;
        let reply = self.fetch(Group::SellerWarehouseList, &call).await?;
        let date = reply.date();
        let list: Option<RawRows> = match (reply.status, reply.body.trim_ascii().is_empty()) {
            (204, _) => Some(RawRows::default()),
            (_, true) => None,
            (_, false) => json::decode(&reply.body).map_err(|failure| CallError::new(WAREHOUSES, failure))?,
        };
        tally.page(&reply.body, list.as_ref().map_or(0, RawRows::len), date);
        let Some(list) = list else {
            let empty = reply.body.trim_ascii().is_empty();
            tally.trouble(if empty {
                "an empty body"
            } else {
                "no list of warehouses"
            });
            let proof = Proof {
                is_whole: true,
                is_listed: false,
            };
            return Ok((Vec::new(), proof));
        };
        let mut left_out = LeftOut::default();
        let warehouses = list.read("[]", &[], &mut left_out, Ok::<SellerWarehouse, _>);
        left_out
            .is_drift()
            .map_err(|failure| CallError::new(WAREHOUSES, failure))?;
        // What lies in a warehouse that could not be read is not known.
        let proof = Proof {
            is_whole: left_out.count() == 0,
            is_listed: true,
        };
        tally.left_out.join(left_out);
        Ok((warehouses, proof))
    }

    /// Stock of one batch; none when the warehouse was deleted meanwhile.
    async fn seller_stocks(
        &self,
        warehouse: &SellerWarehouse,
        chrt_ids: &[u64],
        tally: &mut Tally,
    ) -> Result<Option<Option<RawRows>>, CallError> {
        let path = format!("/api/v3/stocks/{}", warehouse.id);
        let call = self
            .call(STOCKS, Category::Marketplace, &path)?
            .json(&StocksRequest { chrt_ids })?;
        let reply = match self.fetch(Group::Marketplace, &call).await {
            Err(error) if warehouse.is_deleting && matches!(error.failure, CallFailure::NotFound { .. }) => {
                return Ok(None);
            }
            other => other?,
        };
        let date = reply.date();
        let stocks: Stocks = json::decode(&reply.body).map_err(|failure| CallError::new(STOCKS, failure))?;
        let rows = stocks.stocks;
        tally.page(&reply.body, rows.as_ref().map_or(0, RawRows::len), date);
        if rows.is_none() {
            tally.trouble("no list of stock");
        }
        Ok(Some(rows))
    }
}

/// How far answers prove that what is not told is not there.
#[derive(Debug, Clone, Copy)]
struct Proof {
    /// Every row of the lists that came could be read.
    is_whole: bool,
    /// Every answer had its list.
    is_listed: bool,
}

/// Takes the rows of one warehouse.
struct Lines<'a> {
    articles: &'a HashMap<u64, i64>,
    warehouse: u32,
    builder: &'a mut StockBuilder,
    left_out: &'a mut LeftOut,
}

impl Lines<'_> {
    /// Whether the rows prove that sizes without one hold nothing.
    fn read(&mut self, rows: &RawRows) -> bool {
        let mut is_whole = true;
        for (index, bytes) in rows.iter().enumerate() {
            let result = json::decode_in(ROWS, bytes).and_then(|row| self.add(&row));
            if self.left_out.take(ROWS, &[index], result).is_some() {
                continue;
            }
            let size = json::whole_number(bytes, "chrtId").and_then(|id| u64::try_from(id).ok());
            match size.and_then(|id| self.articles.get(&id)) {
                Some(nm_id) => self.builder.unread(*nm_id, Some(self.warehouse)),
                // It may be any of those that were asked for.
                None => is_whole = false,
            }
        }
        is_whole
    }

    fn add(&mut self, row: &StockRow) -> Result<(), CallFailure> {
        let Some(nm_id) = self.articles.get(&row.chrt_id) else {
            let what = "stock of a size that was not asked for".to_owned();
            return Err(CallFailure::Inconsistent { what });
        };
        if row.amount < 0 {
            return Err(json::malformed(format!("field `{ROWS}.amount` is negative")));
        }
        let level = StockLevel {
            warehouse: self.warehouse,
            available: row.amount,
            in_way_to_client: 0,
            in_way_from_client: 0,
        };
        self.builder.add(*nm_id, level).map_err(overflow)?;
        self.builder
            .add_size(*nm_id, self.warehouse, SizeLabel::Id(row.chrt_id), row.amount)
            .map_err(overflow)
    }
}

fn overflow(overflow: StockOverflow) -> CallFailure {
    CallFailure::Inconsistent {
        what: overflow.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::json;
    use crate::wildberries::wire::{SellerWarehouse, StockRow, Stocks, StocksRequest};

    #[test]
    fn the_documented_warehouses_and_stocks_are_read() {
        let warehouses: Vec<SellerWarehouse> = json::decode(
            r#"[{"name":"Подольск","officeId":15,"id":1,"cargoType":1,"deliveryType":1,"isDeleting":false,
                "isProcessing":false}]"#
                .as_bytes(),
        )
        .unwrap();
        assert_eq!((warehouses[0].id, warehouses[0].name.as_str()), (1, "Подольск"));
        let stocks: Stocks = json::decode(br#"{"stocks":[{"chrtId":316399238,"amount":10}]}"#).unwrap();
        let rows = stocks.stocks.unwrap();
        let row: StockRow = json::decode(rows.iter().next().unwrap()).unwrap();
        assert_eq!((row.chrt_id, row.amount), (316_399_238, 10));
        let stocks: Stocks = json::decode(br#"{"stocks":null}"#).unwrap();
        assert!(stocks.stocks.is_none(), "no list proves nothing");
        assert!(json::decode::<Stocks>(b"{}").is_err());
    }

    #[test]
    fn sizes_are_asked_for_by_chrt_id() {
        let body = serde_json::to_string(&StocksRequest {
            chrt_ids: &[316_399_238],
        })
        .unwrap();
        assert_eq!(body, r#"{"chrtIds":[316399238]}"#);
    }
}
