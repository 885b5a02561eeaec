//! The catalogue: every product that is not archived. The other sources need it as well, because stock can
//! only be asked for by SKU, so it is read once per sync and kept by the client.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::client::Ozon;
use super::description::Ids;
use super::limits::Group;
use super::wire::{
    Decimal, InfoList, InfoRequest, InfoRow, Int, OfferRequest, ProductList, ProductListRequest, SkuRequest,
    Visibility,
};
use crate::error::{CallError, CallFailure};
use crate::json;
use crate::marketplace::{
    Card, CardPart, CardSize, Fetched, PriceLost, PriceObservation, SourceOutcome, Tally,
};
use crate::payload::GOODS;

const LIST: &str = "POST /v3/product/list";
const INFO: &str = "POST /v3/product/info/list";

/// What was read, as long as it is young enough.
#[derive(Debug, Default)]
pub(super) struct Kept(Option<(Instant, Arc<Catalogue>)>);

/// The whole catalogue.
#[derive(Debug)]
pub(super) struct Catalogue {
    /// Products that have a SKU.
    pub(super) cards: Vec<Card>,
    /// What the brand and the kind of each are found by, in the same order.
    pub(super) ids: Vec<Ids>,
    /// The article of every SKU.
    pub(super) articles: HashMap<i64, i64>,
    /// The article of every seller's article; none where two products share one.
    pub(super) offers: HashMap<String, Option<i64>>,
    /// What the products are sold for; those without a price are absent.
    pub(super) prices: Vec<PriceObservation>,
    /// Whether one of them could not be taken.
    pub(super) price_lost: bool,
    pub(super) outcome: SourceOutcome,
    /// False when the vendor left out a product that its own list names.
    pub(super) complete: bool,
}

/// Products that were read, by everything that leads to them.
#[derive(Debug, Default)]
pub(super) struct Listed {
    cards: Vec<Card>,
    ids: Vec<Ids>,
    pub(super) articles: HashMap<i64, i64>,
    pub(super) offers: HashMap<String, Option<i64>>,
}

/// What products are asked for by that the catalogue does not show.
pub(super) enum Unlisted {
    /// The vendor's SKUs.
    Skus(BTreeSet<i64>),
    /// The seller's own articles.
    Offers(BTreeSet<String>),
}

impl Listed {
    fn add(&mut self, row: InfoRow) {
        let ids = Ids {
            product_id: row.id.0,
            type_id: row.type_id.0,
            category_id: row.description_category_id.0,
            updated_at: row.updated_at.as_deref().and_then(time),
        };
        let Some(card) = card(row) else { return };
        let sku = |size: &CardSize| i64::try_from(size.chrt_id).unwrap_or_default();
        self.articles
            .extend(card.sizes.iter().map(|size| (sku(size), card.nm_id)));
        if !card.vendor_code.is_empty() {
            self.offers
                .entry(card.vendor_code.clone())
                .and_modify(|known| *known = known.filter(|known| *known == card.nm_id))
                .or_insert(Some(card.nm_id));
        }
        self.ids.push(ids);
        self.cards.push(card);
    }
}

impl Ozon {
    /// All products, page by page.
    ///
    /// Pages: <https://docs.ozon.ru/api/seller/#operation/ProductAPI_GetProductList> and
    /// `#operation/ProductAPI_GetProductInfoList`; 1000 products a page. A product without a SKU is not for
    /// sale yet, can have neither stock nor orders at the vendor's, and is left out until it has one.
    ///
    /// # Errors
    /// The first page that failed; `Inconsistent` when the list repeats itself or is shorter than it says.
    pub(super) async fn fetch_cards(
        &self,
        on_page: &mut (dyn FnMut(Vec<Card>) + Send),
    ) -> Result<Fetched<()>, CallError> {
        let mut pages = Vec::new();
        let read = self.catalogue_with(&mut |page| pages.push(page)).await;
        let catalogue = match read {
            Ok(catalogue) => catalogue,
            Err(error) => {
                pages.into_iter().for_each(on_page);
                return Err(error);
            }
        };
        drop(pages);
        // Only here, where no other source of the sync waits for it.
        let described = self.described(&catalogue.ids, catalogue.complete).await;
        let size = page_size(self.options.product_page);
        for (cards, ids) in catalogue.cards.chunks(size).zip(catalogue.ids.chunks(size)) {
            let mut page = cards.to_vec();
            for (card, ids) in page.iter_mut().zip(ids) {
                described.put_into(card, ids);
            }
            on_page(page);
        }
        Ok(Fetched {
            items: (),
            outcome: SourceOutcome {
                trouble: catalogue
                    .outcome
                    .trouble
                    .clone()
                    .or_else(|| described.trouble.map(str::to_owned)),
                ..catalogue.outcome.clone()
            },
            complete: catalogue.complete,
        })
    }

    /// What the products are sold for, as the catalogue tells it: no further question is needed.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub(super) async fn fetch_prices(&self) -> Result<Fetched<Vec<PriceObservation>>, CallError> {
        let catalogue = self.catalogue().await?;
        Ok(Fetched {
            items: catalogue.prices.clone(),
            outcome: SourceOutcome {
                source: "ozon.prices",
                rows: catalogue.prices.len() as u64,
                trouble: catalogue
                    .outcome
                    .trouble
                    .clone()
                    .or_else(|| catalogue.price_lost.then(|| PriceLost::SAID.to_owned())),
                ..catalogue.outcome.clone()
            },
            complete: catalogue.complete && !catalogue.price_lost,
        })
    }

    /// The catalogue for those who only need the SKUs.
    pub(super) async fn catalogue(&self) -> Result<Arc<Catalogue>, CallError> {
        self.catalogue_with(&mut |_| {}).await
    }

    /// Sources of one sync run at once: the first one reads, the others wait for it.
    async fn catalogue_with(
        &self,
        on_page: &mut (dyn FnMut(Vec<Card>) + Send),
    ) -> Result<Arc<Catalogue>, CallError> {
        let mut kept = self.catalogue.lock().await;
        if let Some((read_at, catalogue)) = &kept.0
            && read_at.elapsed() < self.options.catalogue_age
        {
            catalogue
                .cards
                .chunks(page_size(self.options.product_page))
                .for_each(|page| on_page(page.to_vec()));
            return Ok(Arc::clone(catalogue));
        }
        let catalogue = Arc::new(Box::pin(self.read_catalogue(on_page)).await?);
        kept.0 = Some((Instant::now(), Arc::clone(&catalogue)));
        Ok(catalogue)
    }

    async fn read_catalogue(
        &self,
        on_page: &mut (dyn FnMut(Vec<Card>) + Send),
    ) -> Result<Catalogue, CallError> {
        let mut tally = self.tally("ozon.cards", GOODS);
        let ids = self.product_ids(&mut tally).await?;
        let mut listed = Listed::default();
        let mut told = HashSet::with_capacity(ids.len());
        let (mut prices, mut price_lost) = (Vec::with_capacity(ids.len()), false);
        for batch in ids.chunks(page_size(self.options.product_page)) {
            let reply = self
                .ask(Group::All, INFO, &InfoRequest { product_id: batch })
                .await?;
            let page: InfoList =
                json::decode(&reply.body).map_err(|failure| CallError::new(INFO, failure))?;
            tally.page(&reply.body, page.items.len(), reply.date());
            told.extend(page.items.iter().map(|row| row.id.0));
            for told in page.items.iter().map(price) {
                price_lost |= told.is_err();
                prices.extend(told.ok().flatten());
            }
            let from = listed.cards.len();
            page.items.into_iter().for_each(|row| listed.add(row));
            on_page(listed.cards.get(from..).unwrap_or_default().to_vec());
        }
        let complete = ids
            .iter()
            .all(|id| id.parse().is_ok_and(|id: i64| told.contains(&id)));
        if !complete {
            tally.trouble("the details leave out a product that the list names");
        }
        Ok(Catalogue {
            cards: listed.cards,
            ids: listed.ids,
            articles: listed.articles,
            offers: listed.offers,
            prices,
            price_lost,
            outcome: tally.finish("ozon.cards"),
            complete,
        })
    }

    /// The articles of what the catalogue does not show: also an archived product tells its details to who
    /// asks by SKU or by the seller's article. Without that, orders of an old card's second SKU would become
    /// another article's as soon as the card is archived.
    ///
    /// # Errors
    /// The first answer that failed.
    pub(super) async fn unlisted(&self, asked: Unlisted, tally: &mut Tally) -> Result<Listed, CallError> {
        let mut listed = Listed::default();
        let texts: Vec<String> = match &asked {
            Unlisted::Skus(skus) => skus.iter().map(i64::to_string).collect(),
            Unlisted::Offers(offers) => offers.iter().cloned().collect(),
        };
        for batch in texts.chunks(page_size(self.options.product_page)) {
            let reply = match &asked {
                Unlisted::Skus(_) => self.ask(Group::All, INFO, &SkuRequest { sku: batch }).await?,
                Unlisted::Offers(_) => {
                    let request = OfferRequest { offer_id: batch };
                    self.ask(Group::All, INFO, &request).await?
                }
            };
            let page: InfoList =
                json::decode(&reply.body).map_err(|failure| CallError::new(INFO, failure))?;
            tally.page(&reply.body, page.items.len(), reply.date());
            page.items.into_iter().for_each(|row| listed.add(row));
        }
        Ok(listed)
    }

    /// The ids of all products, as texts: that is how they are sent back.
    async fn product_ids(&self, tally: &mut Tally) -> Result<Vec<String>, CallError> {
        let contradiction = |what: String| CallError::new(LIST, CallFailure::Inconsistent { what });
        let mut ids = Vec::new();
        let mut seen = HashSet::new();
        let mut last_id = String::new();
        loop {
            let request = ProductListRequest {
                filter: Visibility { visibility: "ALL" },
                last_id: &last_id,
                limit: self.options.product_page,
            };
            let reply = self.ask(Group::All, LIST, &request).await?;
            let list: ProductList =
                json::decode(&reply.body).map_err(|failure| CallError::new(LIST, failure))?;
            let page = list.result;
            tally.page(&reply.body, page.items.len(), reply.date());
            let total = page.total_items.or(page.total);
            let (empty, before) = (page.items.is_empty(), ids.len());
            for Int(id) in page.items.into_iter().map(|row| row.product_id) {
                if seen.insert(id) {
                    ids.push(id.to_string());
                }
            }
            if empty || page.last_id.is_empty() {
                let named = total.map_or(0, |Int(total)| usize::try_from(total).unwrap_or(0));
                if ids.len() < named {
                    let what = format!("the list names {named} products and gives {}", ids.len());
                    return Err(contradiction(what));
                }
                return Ok(ids);
            }
            if ids.len() == before {
                return Err(contradiction("the list of products does not move on".to_owned()));
            }
            last_id = page.last_id;
        }
    }
}

fn page_size(limit: u32) -> usize {
    usize::try_from(limit.max(1)).unwrap_or(usize::MAX)
}

/// The product's own SKU first, then those of its schemes of sale: the one of the vendor's warehouses, then
/// the others by number. The vendor lists them in any order, and an article must not change with it.
fn skus(row: &InfoRow) -> Vec<u64> {
    let mut skus: Vec<u64> = Vec::new();
    let mut sources: Vec<(bool, Int)> = row
        .sources
        .iter()
        .map(|source| (source.source.as_deref() != Some("fbo"), source.sku))
        .collect();
    sources.sort_unstable_by_key(|(others, Int(sku))| (*others, *sku));
    let own = std::iter::once(row.sku).chain(sources.into_iter().map(|(_, sku)| sku));
    for sku in own.filter_map(|Int(sku)| u64::try_from(sku).ok().filter(|sku| *sku > 0)) {
        if !skus.contains(&sku) {
            skus.push(sku);
        }
    }
    skus
}

/// `old_price` is the one that is crossed out; without a discount it is empty or zero. None without a price.
/// One that is crossed out says that there is one.
fn price(row: &InfoRow) -> Result<Option<PriceObservation>, PriceLost> {
    let minor = |price: Option<Decimal>| match price.map_or(0, Decimal::minor_units) {
        ..0 => Err(PriceLost),
        0 => Ok(None),
        told => Ok(Some(told)),
    };
    let Some(nm_id) = skus(row).first().and_then(|sku| i64::try_from(*sku).ok()) else {
        return Ok(None);
    };
    let (asked, crossed_out) = (minor(row.price)?, minor(row.old_price)?);
    let Some(asked) = asked else {
        return if crossed_out.is_some() {
            Err(PriceLost)
        } else {
            Ok(None)
        };
    };
    Ok(Some(PriceObservation {
        nm_id,
        price_minor: crossed_out.map_or(asked, |old| old.max(asked)),
        discounted_minor: Some(asked),
        currency: row
            .currency_code
            .clone()
            .filter(|code| !code.is_empty())
            .ok_or(PriceLost)?,
    }))
}

/// None without any SKU.
fn card(row: InfoRow) -> Option<Card> {
    let skus = skus(&row);
    let nm_id = i64::try_from(*skus.first()?).ok()?;
    let sizes = skus
        .into_iter()
        .map(|chrt_id| CardSize {
            chrt_id,
            tech_size: String::new(),
            skus: row.barcodes.clone(),
        })
        .collect();
    Some(Card {
        nm_id,
        vendor_code: row.offer_id,
        // Two other methods tell them.
        brand: String::new(),
        subject: String::new(),
        title: row.name,
        barcodes: row.barcodes,
        sizes,
        updated_at: row.updated_at.as_deref().and_then(time),
        unreported: vec![CardPart::Brand, CardPart::Subject],
    })
}

/// RFC 3339, the vendor's only form.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    use super::{PriceLost, card, price};
    use crate::json;
    use crate::ozon::wire::InfoList;

    fn cards(body: &str) -> Vec<crate::marketplace::Card> {
        let list: InfoList = json::decode(body.as_bytes()).unwrap();
        list.items.into_iter().filter_map(card).collect()
    }

    #[test]
    fn the_documented_product_becomes_a_card() {
        let cards = cards(crate::ozon::wire::samples::INFO);
        assert_eq!(cards.len(), 1);
        assert_eq!(
            (cards[0].nm_id, cards[0].vendor_code.as_str()),
            (800_000_001, "ART-1")
        );
        assert_eq!((cards[0].sizes.len(), cards[0].title.as_str()), (1, "Товар"));
        assert_eq!(
            cards[0].updated_at.unwrap().to_rfc3339(),
            "2026-09-01T10:00:00+00:00"
        );
    }

    #[test]
    fn the_documented_price_is_the_crossed_out_one_and_the_one_that_is_asked() {
        let list: InfoList = json::decode(crate::ozon::wire::samples::INFO.as_bytes()).unwrap();
        let told = price(&list.items[0]).unwrap().unwrap();
        assert_eq!(
            (
                told.nm_id,
                told.price_minor,
                told.discounted_minor,
                told.currency.as_str()
            ),
            (800_000_001, 39_900, Some(27_300), "RUB")
        );
    }

    #[test]
    fn a_product_without_a_price_has_none() {
        for fields in [
            "",
            r#","price":"","old_price":"","currency_code":"RUB""#,
            r#","price":"0.00","currency_code":"RUB""#,
        ] {
            let body = format!(r#"{{"items":[{{"id":1,"name":"a","offer_id":"A","sku":11{fields}}}]}}"#);
            let list: InfoList = json::decode(body.as_bytes()).unwrap();
            assert_eq!(price(&list.items[0]), Ok(None), "{fields}");
        }
    }

    #[test]
    fn a_price_that_cannot_be_taken_is_lost_and_not_none() {
        for fields in [
            r#""price":"273.00""#,
            r#""price":"273.00","currency_code":"""#,
            r#""price":"-273.00","currency_code":"RUB""#,
            r#""price":"273.00","old_price":"-1","currency_code":"RUB""#,
            r#""priceNew":"273.00","old_price":"399.00","currency_code":"RUB""#,
        ] {
            let body = format!(r#"{{"items":[{{"id":1,"name":"a","offer_id":"A","sku":11,{fields}}}]}}"#);
            let list: InfoList = json::decode(body.as_bytes()).unwrap();
            assert_eq!(price(&list.items[0]), Err(PriceLost), "{fields}");
        }
    }

    #[test]
    fn an_old_card_has_a_size_per_scheme_and_a_new_one_without_a_sku_is_left_out() {
        let cards = cards(
            r#"{"items":[{"id":1,"name":"a","offer_id":"A","sku":"0","sources":[{"sku":11,"source":"fbo"},
                {"sku":"12","source":"fbs"}]},{"id":2,"name":"b","offer_id":"B","sku":0,"sources":[]}]}"#,
        );
        assert_eq!(cards.len(), 1);
        let skus: Vec<u64> = cards[0].sizes.iter().map(|size| size.chrt_id).collect();
        assert_eq!((cards[0].nm_id, skus), (11, vec![11, 12]));
    }
}
