//! Stock in the seller's own warehouses.

use std::collections::HashMap;

use super::client::Wildberries;
use super::limits::{Category, Group};
use super::stock::OF_SELLER;
use super::token::Scope;
use super::wire::{SellerWarehouse, Stocks, StocksRequest};
use crate::error::{CallError, CallFailure};
use crate::json;
use crate::marketplace::{
    Fetched, Fulfilment, InWay, SizeLabel, SizeRef, StockBuilder, StockLevel, StockSnapshot, Tally,
    WarehouseRef,
};
use crate::payload::GOODS;

const WAREHOUSES: &str = "GET /api/v3/warehouses";
const STOCKS: &str = "POST /api/v3/stocks/{warehouseId}";

/// The vendor's most sizes per request.
const BATCH: usize = 1000;

impl Wildberries {
    /// Stock at the seller's warehouses: by the synchronous report where the token is allowed it, else
    /// warehouse by warehouse. What was refused once is not tried again by this process.
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
                    self.seller.no_seller_report.set();
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
        let (warehouses, complete) = self.seller_warehouses(&mut tally).await?;
        let articles: HashMap<u64, i64> = sizes.iter().map(|size| (size.chrt_id, size.nm_id)).collect();
        let ids: Vec<u64> = sizes.iter().map(|size| size.chrt_id).collect();
        let mut builder = StockBuilder::default();
        for size in sizes {
            // Makes the product known, so that nothing in stock is a zero and not a gap.
            builder
                .add_in_way(size.nm_id, InWay::default())
                .map_err(overflow)?;
        }
        for warehouse in warehouses {
            let reference =
                WarehouseRef::with_id(warehouse.id, warehouse.name.as_str(), Fulfilment::Fbs, None);
            let index = builder.warehouse(reference);
            for batch in ids.chunks(BATCH) {
                let Some(stocks) = self.seller_stocks(&warehouse, batch, &mut tally).await? else {
                    break;
                };
                for row in stocks.stocks {
                    let Some(nm_id) = articles.get(&row.chrt_id) else {
                        let what = "stock of a size that was not asked for".to_owned();
                        return Err(CallError::new(STOCKS, CallFailure::Inconsistent { what }));
                    };
                    let level = StockLevel {
                        warehouse: index,
                        available: row.amount,
                        in_way_to_client: 0,
                        in_way_from_client: 0,
                    };
                    builder.add(*nm_id, level).map_err(overflow)?;
                    builder
                        .add_size(*nm_id, index, SizeLabel::Id(row.chrt_id), row.amount)
                        .map_err(overflow)?;
                }
            }
        }
        let outcome = tally.finish("wb.stock.fbs");
        Ok(Fetched {
            items: builder.finish(),
            outcome,
            complete,
        })
    }

    /// The warehouses, and whether the answer proves that there are no others.
    async fn seller_warehouses(&self, tally: &mut Tally) -> Result<(Vec<SellerWarehouse>, bool), CallError> {
        let call = self.call(WAREHOUSES, Category::Marketplace, "/api/v3/warehouses")?;
        let reply = self.fetch(Group::Marketplace, &call).await?;
        let date = reply.date();
        let list: Option<Vec<SellerWarehouse>> = match (reply.status, reply.body.trim_ascii().is_empty()) {
            (204, _) => Some(Vec::new()),
            (_, true) => None,
            (_, false) => json::decode(&reply.body).map_err(|failure| CallError::new(WAREHOUSES, failure))?,
        };
        let complete = list.is_some();
        if !complete {
            let empty = reply.body.trim_ascii().is_empty();
            tally.trouble(if empty {
                "an empty body"
            } else {
                "no list of warehouses"
            });
        }
        let list = list.unwrap_or_default();
        tally.page(&reply.body, list.len(), date);
        Ok((list, complete))
    }

    /// Stock of one batch; none when the warehouse was deleted meanwhile.
    async fn seller_stocks(
        &self,
        warehouse: &SellerWarehouse,
        chrt_ids: &[u64],
        tally: &mut Tally,
    ) -> Result<Option<Stocks>, CallError> {
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
        tally.page(&reply.body, stocks.stocks.len(), date);
        Ok(Some(stocks))
    }
}

fn overflow(overflow: crate::marketplace::StockOverflow) -> CallError {
    CallError::new(
        STOCKS,
        CallFailure::Inconsistent {
            what: overflow.to_string(),
        },
    )
}

#[cfg(test)]
mod tests {
    use crate::json;
    use crate::wildberries::wire::{SellerWarehouse, Stocks, StocksRequest};

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
        assert_eq!(
            (stocks.stocks[0].chrt_id, stocks.stocks[0].amount),
            (316_399_238, 10)
        );
        assert!(
            json::decode::<Stocks>(br#"{"stocks":null}"#)
                .unwrap()
                .stocks
                .is_empty()
        );
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
