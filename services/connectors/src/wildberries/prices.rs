//! What the products are sold for.

use std::collections::HashSet;

use bytes::Bytes;

use super::client::Wildberries;
use super::limits::{Category, Group};
use super::token::Scope;
use super::wire::{Goods, GoodsPage, GoodsSize, minor_units};
use crate::error::{CallError, CallFailure};
use crate::json::{self, RawRows};
use crate::marketplace::{Fetched, PriceLost, PriceObservation};
use crate::payload::GOODS;

const LIST: &str = "GET /api/v2/list/goods/filter";
const PLACE: &str = "data.listGoods[]";

impl Wildberries {
    /// Every product's price, page by page.
    ///
    /// Page: <https://dev.wildberries.ru/docs/openapi/work-with-products>, `GET
    /// /api/v2/list/goods/filter`; ten requests in 6 s, with a base token four an hour; 1000 products a page.
    ///
    /// Where the next page is further away than our patience, what came so far is taken, and is not
    /// complete: a price that is not told stays as it was.
    ///
    /// # Errors
    /// The first page that failed; `Inconsistent` when a page repeats the one before, which would page for
    /// ever.
    pub(super) async fn fetch_prices(&self) -> Result<Fetched<Vec<PriceObservation>>, CallError> {
        self.require(Scope::Prices, LIST)?;
        let limit = self.options.price_page.max(1);
        let mut tally = self.tally("wb.prices", GOODS);
        let mut prices: Vec<PriceObservation> = Vec::new();
        let mut seen = HashSet::new();
        let (mut complete, mut before_it) = (true, Bytes::new());
        for offset in (0..).step_by(limit) {
            if offset > 0 && self.seller.bucket(Group::Prices).wait().await > self.patience() {
                complete = false;
                break;
            }
            let call = self
                .report_call(LIST, Category::Prices, "/api/v2/list/goods/filter")?
                .deadline(self.options.deadline)
                .query(&[("limit", &limit.to_string()), ("offset", &offset.to_string())]);
            let reply = self.fetch(Group::Prices, &call).await?;
            let page: GoodsPage =
                json::decode(&reply.body).map_err(|failure| CallError::new(LIST, failure))?;
            let rows = page.data.list.as_ref().map_or(0, RawRows::len);
            tally.page(&reply.body, rows, reply.date());
            let Some(goods) = page.data.list else {
                tally.trouble("no list of prices");
                complete = false;
                break;
            };
            let before = seen.len();
            let read = goods.read(PLACE, &[], &mut tally.left_out, Ok::<Goods, _>);
            let read_all = read.len() == rows;
            for row in read {
                if seen.insert(row.nm_id) {
                    match price(row) {
                        Ok(told) => prices.extend(told),
                        Err(PriceLost) => {
                            tally.trouble(PriceLost::SAID);
                            complete = false;
                        }
                    }
                }
            }
            if rows < limit {
                break;
            }
            // A full page of damaged rows is not one that was there before.
            if seen.len() == before && (read_all || before_it == reply.body) {
                let what = "a full page of prices repeats products that were there before".to_owned();
                return Err(CallError::new(LIST, CallFailure::Inconsistent { what }));
            }
            before_it = reply.body;
        }
        let drift = tally.left_out.is_drift();
        drift.map_err(|failure| CallError::new(LIST, failure))?;
        complete &= tally.left_out.count() == 0;
        prices.sort_unstable_by_key(|price| price.nm_id);
        Ok(Fetched {
            items: prices,
            outcome: tally.finish("wb.prices"),
            complete,
        })
    }
}

/// Sizes may have prices of their own; the product's is the highest. None without a price.
fn price(row: Goods) -> Result<Option<PriceObservation>, PriceLost> {
    let mut dearest: Option<(i64, Option<i64>)> = None;
    for size in &row.sizes {
        let told = of_size(size)?;
        if told.map(|told| told.0) > dearest.map(|known| known.0) {
            dearest = told;
        }
    }
    let Some((price_minor, discounted_minor)) = dearest else {
        return Ok(None);
    };
    Ok(Some(PriceObservation {
        nm_id: row.nm_id,
        price_minor,
        discounted_minor,
        currency: row.currency.filter(|code| !code.is_empty()).ok_or(PriceLost)?,
    }))
}

/// Before and after the discount. No price and a price of nothing are none, but what is left of a price after
/// the discount says that there is one.
fn of_size(size: &GoodsSize) -> Result<Option<(i64, Option<i64>)>, PriceLost> {
    let minor = |price: f64| minor_units(price).filter(|minor| *minor >= 0).ok_or(PriceLost);
    let asked = size.price.map(minor).transpose()?.filter(|minor| *minor > 0);
    let discounted = size.discounted_price.map(minor).transpose()?;
    match asked {
        None if discounted.is_some_and(|minor| minor > 0) => Err(PriceLost),
        None => Ok(None),
        Some(asked) => Ok(Some((asked, discounted))),
    }
}

#[cfg(test)]
mod tests {
    use super::{PLACE, PriceLost, price};
    use crate::json::{self, LeftOut};
    use crate::wildberries::wire::{Goods, GoodsPage};

    fn goods(page: GoodsPage) -> Vec<Goods> {
        let rows = page.data.list.unwrap();
        rows.read(PLACE, &[], &mut LeftOut::default(), Ok)
    }

    fn prices(list: &str) -> Vec<(i64, Option<i64>)> {
        let body = format!(r#"{{"data":{{"listGoods":[{list}]}},"error":false,"errorText":""}}"#);
        let page: GoodsPage = json::decode(body.as_bytes()).unwrap();
        let told = goods(page).into_iter().filter_map(|row| price(row).unwrap());
        told.map(|price| (price.price_minor, price.discounted_minor))
            .collect()
    }

    #[test]
    fn a_price_that_cannot_be_taken_is_lost_and_not_none() {
        let code = r#","currencyIsoCode4217":"RUB""#;
        for (sizes, currency) in [
            (r#"[{"price":500}]"#, ""),
            (r#"[{"price":500}]"#, r#","currencyIsoCode4217":"""#),
            (r#"[{"price":-500}]"#, code),
            (r#"[{"price":1e300}]"#, code),
            (r#"[{"price":500,"discountedPrice":-1e300}]"#, code),
            (r#"[{"priceNew":500,"discountedPrice":350}]"#, code),
            (r#"[{"price":500},{"price":-1}]"#, code),
        ] {
            let body = format!(r#"{{"data":{{"listGoods":[{{"nmID":1,"sizes":{sizes}{currency}}}]}}}}"#);
            let page: GoodsPage = json::decode(body.as_bytes()).unwrap();
            let told: Vec<_> = goods(page).into_iter().map(price).collect();
            assert_eq!(told, [Err(PriceLost)], "{body}");
        }
    }

    #[test]
    fn the_documented_product_is_read_and_the_dearest_of_its_sizes_counts() {
        let documented = r#"{"nmID":100000001,"vendorCode":"PL-001/красный","sizes":[{"sizeID":316399238,"price":5000,
            "discountedPrice":3500.5,"clubDiscountedPrice":3325,"techSizeName":"42"},{"sizeID":316399239,"price":4000,
            "discountedPrice":2800,"techSizeName":"44"}],"currencyIsoCode4217":"RUB","discount":30,"clubDiscount":5,
            "editableSizePrice":true,"wholesaleDiscountThreshold":[]}"#;
        assert_eq!(prices(documented), [(500_000, Some(350_050))]);
    }

    #[test]
    fn a_product_without_a_price_has_none() {
        for sizes in ["null", "[]", r#"[{"price":null}]"#, r#"[{"price":0}]"#] {
            let row = format!(r#"{{"nmID":1,"sizes":{sizes},"currencyIsoCode4217":"RUB"}}"#);
            assert_eq!(prices(&row), [], "{sizes}");
        }
    }

    #[test]
    fn a_page_without_its_list_is_drift_and_named() {
        let error = json::decode::<GoodsPage>(br#"{"data":{},"error":false}"#).unwrap_err();
        assert!(error.to_string().contains("listGoods"), "{error}");
    }
}
