//! The catalogue: every product that is not archived. The other sources need it as well, because stock can
//! only be asked for by SKU, so it is read once per sync and kept by the client.

mod row;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use self::row::{card, price, skus};
use super::client::Ozon;
use super::description::Ids;
use super::limits::Group;
use super::wire::{
    InfoList, InfoRequest, InfoRow, Int, Loose, OfferRequest, ProductList, ProductListRequest, ProductRow,
    SkuRequest, Visibility,
};
use crate::error::{CallError, CallFailure};
use crate::json::{self, LeftOut};
use crate::marketplace::{Card, CardSize, Fetched, PriceLost, PriceObservation, SourceOutcome, Tally};
use crate::payload::GOODS;

const LIST: &str = "POST /v3/product/list";
const INFO: &str = "POST /v3/product/info/list";
/// Where the rows of both stand.
const LISTED: &str = "result.items[]";
const DETAILS: &str = "items[]";

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

impl Catalogue {
    /// The article of a seller's article, where only one product has it.
    pub(super) fn by_offer(&self, offer: &str) -> Option<i64> {
        *self.offers.get(offer)?
    }
}

/// Products that were read, by everything that leads to them.
#[derive(Debug, Default)]
pub(super) struct Listed {
    cards: Vec<Card>,
    ids: Vec<Ids>,
    pub(super) articles: HashMap<i64, i64>,
    pub(super) offers: HashMap<String, Option<i64>>,
    prices: Vec<PriceObservation>,
    price_lost: bool,
    /// Ids of all products that have a row, those without a SKU and those that could not be read included.
    told: HashSet<i64>,
    /// Whether any row told these; single ones may not.
    told_name: bool,
    told_offer: bool,
}

/// What products are asked for by that the catalogue does not show.
pub(super) enum Unlisted {
    /// The vendor's SKUs.
    Skus(BTreeSet<i64>),
    /// The seller's own articles.
    Offers(BTreeSet<String>),
}

impl Listed {
    /// Takes a row of details. One that cannot be read is counted; false where it does not even say which
    /// article it is about, so that no absence is proven.
    fn take(&mut self, index: usize, row: &[u8], tally: &mut Tally) -> bool {
        let read = json::decode_in(DETAILS, row).and_then(|row: InfoRow| {
            // A new product has none; one whose SKU cannot be read is no new product.
            if row.sku == Loose::Lost && skus(&row).is_empty() {
                return Err(json::malformed(format!("field `{DETAILS}.sku` is no number")));
            }
            Ok(row)
        });
        match read {
            Ok(row) => {
                tally.left_out.read(DETAILS, 1);
                self.add(row);
                true
            }
            Err(failure) => {
                tally.left_out.add(DETAILS, &[index], &failure);
                self.told.extend(json::whole_number(row, "id"));
                let Some(sku) = json::whole_number(row, "sku").filter(|sku| *sku > 0) else {
                    return false;
                };
                // Its stock and its orders can be read all the same.
                self.articles.insert(sku, sku);
                self.offered(&json::text(row, "offer_id").unwrap_or_default(), sku);
                self.price_lost = true;
                tally.unread(sku);
                true
            }
        }
    }

    fn add(&mut self, row: InfoRow) {
        self.told.insert(row.id.0);
        self.told_name |= row.name.is_there();
        self.told_offer |= row.offer_id.is_there();
        match price(&row) {
            Ok(price) => self.prices.extend(price),
            Err(PriceLost) => self.price_lost = true,
        }
        let number = |id: Option<Int>| id.map_or(0, |Int(id)| id);
        let ids = Ids {
            product_id: row.id.0,
            type_id: number(row.type_id),
            category_id: number(row.description_category_id),
            updated_at: row.updated_at.as_deref().and_then(time),
        };
        let Some(card) = card(row) else { return };
        let sku = |size: &CardSize| i64::try_from(size.chrt_id).unwrap_or_default();
        self.articles
            .extend(card.sizes.iter().map(|size| (sku(size), card.nm_id)));
        self.offered(&card.vendor_code, card.nm_id);
        self.ids.push(ids);
        self.cards.push(card);
    }

    /// A seller's article that two products share leads to neither.
    fn offered(&mut self, offer: &str, nm_id: i64) {
        if !offer.is_empty() {
            self.offers
                .entry(offer.to_owned())
                .and_modify(|known| *known = known.filter(|known| *known == nm_id))
                .or_insert(Some(nm_id));
        }
    }

    /// What single rows may lack, not all of them lack: then it was renamed, and everything that it told
    /// would silently stand still.
    fn is_whole(&self, left_out: &LeftOut) -> Result<(), CallFailure> {
        left_out.is_drift()?;
        let missing = match (self.ids.is_empty(), self.told_name, self.told_offer) {
            (true, ..) | (_, true, true) => return Ok(()),
            (_, false, _) => "name",
            (_, true, false) => "offer_id",
        };
        Err(json::malformed(format!(
            "field `{DETAILS}.{missing}` is missing in every row"
        )))
    }
}

impl Ozon {
    /// All products, page by page.
    ///
    /// Pages: <https://docs.ozon.ru/api/seller/#operation/ProductAPI_GetProductList> and
    /// `#operation/ProductAPI_GetProductInfoList`; 1000 products a page. A product without a SKU is not for
    /// sale yet, can have neither stock nor orders at the vendor's, and is left out until it has one.
    ///
    /// A list that repeats itself or is shorter than it says, and a row that does not say which article it is
    /// about, leave the catalogue incomplete.
    ///
    /// # Errors
    /// The first page that failed; `Malformed` when not one row could be read.
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
        let described = Box::pin(self.described(&catalogue.ids, catalogue.complete)).await;
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

    /// The catalogue if this client has read it.
    pub(super) async fn kept_catalogue(&self) -> Option<Arc<Catalogue>> {
        let kept = self.catalogue.lock().await;
        kept.0.as_ref().map(|(_, catalogue)| Arc::clone(catalogue))
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
        let mut left_out = LeftOut::default();
        let (ids, mut complete) = self.product_ids(&mut tally, &mut left_out).await?;
        let drift = left_out.is_drift();
        drift.map_err(|failure| CallError::new(LIST, failure))?;
        tally.left_out.join(left_out);
        let mut listed = Listed::default();
        for batch in ids.chunks(page_size(self.options.product_page)) {
            let reply = self
                .ask(Group::All, INFO, &InfoRequest { product_id: batch })
                .await?;
            let page: InfoList =
                json::decode(&reply.body).map_err(|failure| CallError::new(INFO, failure))?;
            tally.page(&reply.body, page.items.len(), reply.date());
            let from = listed.cards.len();
            for (index, row) in page.items.iter().enumerate() {
                complete &= listed.take(index, row, &mut tally);
            }
            on_page(listed.cards.get(from..).unwrap_or_default().to_vec());
        }
        listed
            .is_whole(&tally.left_out)
            .map_err(|failure| CallError::new(INFO, failure))?;
        if !ids
            .iter()
            .all(|id| id.parse().is_ok_and(|id: i64| listed.told.contains(&id)))
        {
            complete = false;
            tally.trouble("the details leave out a product that the list names");
        }
        Ok(Catalogue {
            cards: listed.cards,
            ids: listed.ids,
            articles: listed.articles,
            offers: listed.offers,
            prices: listed.prices,
            price_lost: listed.price_lost,
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
            for (index, row) in page.items.iter().enumerate() {
                listed.take(index, row, tally);
            }
        }
        Ok(listed)
    }

    /// The ids of all products, as texts: that is how they are sent back; and whether they are all.
    ///
    /// The end is a page without a next one. Some answers give the last page again and again instead, which
    /// ends the list as well. A count, where one is told, has the last word.
    async fn product_ids(
        &self,
        tally: &mut Tally,
        left_out: &mut LeftOut,
    ) -> Result<(Vec<String>, bool), CallError> {
        let mut ids = Vec::new();
        let (mut seen, mut places) = (HashSet::new(), HashSet::new());
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
            let before = (ids.len(), left_out.count());
            for row in page.items.read(LISTED, &[], left_out, Ok::<ProductRow, _>) {
                let Int(id) = row.product_id;
                if seen.insert(id) {
                    ids.push(id.to_string());
                }
            }
            let stands = (ids.len(), left_out.count()) == before || !places.insert(page.last_id.clone());
            if !page.items.is_empty() && !page.last_id.is_empty() && !stands {
                last_id = page.last_id;
                continue;
            }
            let total = page.total_items.or(page.total).map(|Int(total)| total);
            let named = total.and_then(|total| usize::try_from(total).ok());
            let is_short = page.items.len() < page_size(self.options.product_page);
            let is_all = named.map_or(is_short, |named| ids.len() >= named);
            if !is_all {
                tally.trouble(named.map_or_else(
                    || "the list of products ends with a full page and tells no count".to_owned(),
                    |named| format!("the list names {named} products and gives {}", ids.len()),
                ));
            }
            return Ok((ids, is_all && left_out.count() == 0));
        }
    }
}

fn page_size(limit: u32) -> usize {
    usize::try_from(limit.max(1)).unwrap_or(usize::MAX)
}

/// RFC 3339, the vendor's only form.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}
