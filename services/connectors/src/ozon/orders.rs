//! Orders: postings of both schemes. A posting is a parcel of one or more products; each product of a parcel
//! is one order, which comes out once, in its last known state.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Days, SecondsFormat, Utc};

use super::catalogue::{Catalogue, Unlisted, time};
use super::client::Ozon;
use super::limits::Group;
use super::pages::{End, Pages};
use super::wire::{self, Int, Posting, PostingProduct, PostingsFilter, PostingsRequest, PostingsWith, Price};
use crate::error::{CallError, CallFailure};
use crate::json::{self, LeftOut};
use crate::marketplace::{Fetched, OrderObservation, OrderStatus, Period, Tally};
use crate::payload::ORDERS;

const FBO: &str = "POST /v3/posting/fbo/list";
const FBS: &str = "POST /v4/posting/fbs/list";

/// Longest period of one request is a year; a day less keeps clear of what a year is.
const WINDOW_DAYS: u64 = 364;

impl Ozon {
    /// Postings of the period, the vendor's and the seller's.
    ///
    /// Pages: <https://docs.ozon.ru/api/seller/#operation/PostingFboList> and `#operation/PostingFbsList`; at
    /// most a year a request. FBO counts the period by creation, FBS by the start of processing, the only
    /// time it gives.
    ///
    /// A cabinet that never sold from its own warehouses gets 400 for the second list; with no warehouse of
    /// its own that means no such orders, otherwise it is the failure it looks like.
    ///
    /// A parcel or a product of one that cannot be read is left out and counted.
    ///
    /// # Errors
    /// The first page that failed; `Malformed` when not one parcel of a list could be read.
    pub(super) async fn fetch_orders(
        &self,
        period: Period,
    ) -> Result<Fetched<Vec<OrderObservation>>, CallError> {
        let catalogue = self.catalogue().await?;
        let mut tally = self.tally("ozon.orders", ORDERS);
        let mut orders = Orders::new(&catalogue, period);
        let mut complete = self.postings(FBO, period, &mut orders, &mut tally).await?;
        match self.postings(FBS, period, &mut orders, &mut tally).await {
            Ok(whole) => complete &= whole,
            Err(error) if matches!(error.failure, CallFailure::Rejected { status: 400, .. }) => {
                if !self.seller_warehouses(&mut tally).await?.0.is_empty() {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        if !orders.strangers.is_empty() {
            complete &= self.introduce(&mut orders, &mut tally).await;
        }
        if orders.saw_empty {
            tally.trouble("a parcel without products is left out");
        }
        Ok(Fetched {
            complete: complete && !orders.saw_empty && tally.left_out.count() == 0,
            items: orders.finish(),
            outcome: tally.finish("ozon.orders"),
        })
    }

    /// Finds the cards of SKUs that the catalogue does not show. The vendor gives two things to find them by:
    /// the SKU, and the seller's article, which is also known of products that were archived since. False
    /// where they could not be looked for; their orders are left out until they can.
    async fn introduce(&self, orders: &mut Orders<'_>, tally: &mut Tally) -> bool {
        let (catalogue, before) = (orders.catalogue, tally.left_out.count());
        let skus = Unlisted::Skus(orders.strangers.keys().copied().collect());
        let found = async {
            let listed = self.unlisted(skus, tally).await?;
            orders.introduce(&listed.articles, &catalogue.offers);
            let offers: BTreeSet<String> = orders.strangers.values().flatten().cloned().collect();
            if !offers.is_empty() {
                let listed = self.unlisted(Unlisted::Offers(offers), tally).await?;
                orders.introduce(&listed.articles, &listed.offers);
            }
            Ok::<(), CallError>(())
        };
        let found = found.await.inspect_err(|error| {
            tracing::info!(
                class = error.class().as_str(),
                "the cards of orders could not be looked for"
            );
        });
        let (skus, count) = (orders.strangers.len(), orders.of_strangers());
        // Where not every card was read, theirs may be one of those that were not.
        let all_read = catalogue.complete && catalogue.outcome.unread.is_empty();
        if skus > 0 && (found.is_err() || !all_read || tally.left_out.count() > before) {
            orders.leave_out_strangers();
            tally.trouble(format!(
                "{count} orders are left out, because the cards of their SKUs could not be looked for"
            ));
            return false;
        }
        if skus > 0 {
            tally.trouble(format!(
                "{count} orders of {skus} SKUs that no card has stand under these SKUs"
            ));
        }
        true
    }

    /// Postings of one scheme, and whether they are all.
    async fn postings(
        &self,
        endpoint: &'static str,
        period: Period,
        orders: &mut Orders<'_>,
        tally: &mut Tally,
    ) -> Result<bool, CallError> {
        let mut left_out = LeftOut::default();
        let mut whole = true;
        let mut from = period.from;
        while from < period.to {
            let to = from
                .checked_add_days(Days::new(WINDOW_DAYS))
                .map_or(period.to, |end| end.min(period.to));
            let mut since = from;
            // A full page that calls itself the last is not believed: the question is asked again from the
            // last parcel on.
            loop {
                let (latest, end) = self
                    .postings_since((endpoint, since, to), orders, tally, &mut left_out)
                    .await?;
                match latest.filter(|latest| end == End::Full && *latest > since) {
                    Some(latest) => since = latest,
                    None => {
                        whole &= end.is_proven(tally);
                        break;
                    }
                }
            }
            from = to;
        }
        let drift = left_out.is_drift();
        drift.map_err(|failure| CallError::new(endpoint, failure))?;
        tally.left_out.join(left_out);
        Ok(whole)
    }

    /// One list to its end, with the latest time of ordering in it.
    async fn postings_since(
        &self,
        (endpoint, since, to): (&'static str, DateTime<Utc>, DateTime<Utc>),
        orders: &mut Orders<'_>,
        tally: &mut Tally,
        left_out: &mut LeftOut,
    ) -> Result<(Option<DateTime<Utc>>, End), CallError> {
        let mut pages = Pages::new(self.options.posting_page);
        let mut latest = None;
        loop {
            let request = PostingsRequest {
                filter: PostingsFilter {
                    since: text(since),
                    to: text(to),
                },
                limit: self.options.posting_page,
                cursor: pages.cursor(),
                sort_dir: "ASC",
                with: PostingsWith {
                    analytics_data: true,
                    financial_data: true,
                },
            };
            let reply = self.ask(Group::All, endpoint, &request).await?;
            let page = wire::postings(&reply.body).map_err(|failure| CallError::new(endpoint, failure))?;
            let rows = page.postings.len();
            tally.page(&reply.body, rows, reply.date());
            latest = latest.max(orders.page(endpoint == FBS, &page, left_out));
            if let Some(end) = pages.next(rows, page.has_next, page.cursor) {
                return Ok((latest, end));
            }
        }
    }
}

/// RFC 3339 with `Z`.
fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Where the products of one parcel stand, and who counts those that cannot be read.
struct Lines<'a> {
    place: &'static str,
    parcel: usize,
    left_out: &'a mut LeftOut,
}

/// Orders by id. A posting that comes again on a later page replaces what was known of it.
struct Orders<'a> {
    catalogue: &'a Catalogue,
    period: Period,
    known: HashMap<String, OrderObservation>,
    /// SKUs that no card has been found for, with the seller's article that their orders tell: the product
    /// was archived since, or its card shows another SKU.
    strangers: BTreeMap<i64, Option<String>>,
    /// Whether a parcel of the period told no product, and so gave no order.
    saw_empty: bool,
}

impl<'a> Orders<'a> {
    fn new(catalogue: &'a Catalogue, period: Period) -> Self {
        Self {
            catalogue,
            period,
            known: HashMap::new(),
            strangers: BTreeMap::new(),
            saw_empty: false,
        }
    }

    /// Takes a page row by row, and gives the latest time of ordering in it.
    fn page(
        &mut self,
        is_fbs: bool,
        page: &wire::PostingsPage,
        left_out: &mut LeftOut,
    ) -> Option<DateTime<Utc>> {
        let (postings, products) = if page.wrapped {
            ("result.postings[]", "result.postings[].products[]")
        } else {
            ("postings[]", "postings[].products[]")
        };
        let mut latest = None;
        for (index, row) in page.postings.iter().enumerate() {
            let taken = json::decode_in(postings, row).and_then(|posting: Posting| {
                let lines = Lines {
                    place: products,
                    parcel: index,
                    left_out: &mut *left_out,
                };
                self.add(is_fbs, &posting, lines)
            });
            latest = latest.max(left_out.take(postings, &[index], taken));
        }
        latest
    }

    fn add(
        &mut self,
        is_fbs: bool,
        posting: &Posting,
        lines: Lines<'_>,
    ) -> Result<DateTime<Utc>, CallFailure> {
        if posting.posting_number.is_empty() {
            return Err(json::malformed("field `posting_number` is empty"));
        }
        let moments = moments(posting)?;
        if moments.ordered_at >= self.period.to {
            return Ok(moments.ordered_at);
        }
        self.saw_empty |= posting.products.is_empty();
        let place = place(posting);
        let cluster = posting
            .financial_data
            .as_ref()
            .and_then(|data| data.cluster_from.clone())
            .filter(|name| !name.is_empty());
        let status = status(&posting.status);
        // One SKU can be on two lines of a parcel, and is still one order of it.
        let mut parcel: HashMap<i64, OrderObservation> = HashMap::new();
        let with_quantity = |product: PostingProduct| quantity(&product).map(|quantity| (quantity, product));
        let Lines {
            place: list,
            parcel: index,
            left_out,
        } = lines;
        let products = posting.products.read(list, &[index], left_out, with_quantity);
        for (quantity, product) in &products {
            let (Int(sku), quantity) = (product.sku, *quantity);
            if let Some(line) = parcel.get_mut(&sku) {
                line.quantity = line.quantity.saturating_add(quantity);
                continue;
            }
            let (price_minor, currency) = price(product);
            let article = self.catalogue.articles.get(&sku).copied();
            if article.is_none() {
                let offer = product.offer_id.clone().filter(|offer| !offer.is_empty());
                let known = self.strangers.entry(sku).or_default();
                *known = known.take().or(offer);
            }
            let order = OrderObservation {
                srid: format!("{}:{sku}", posting.posting_number),
                // A SKU that nothing is known of is an article of its own.
                nm_id: article.unwrap_or(sku),
                ordered_at: moments.ordered_at,
                changed_at: moments.changed_at,
                warehouse_name: place.1.clone(),
                warehouse_id: place.0,
                is_fbs,
                quantity,
                cancelled: status == OrderStatus::Cancelled,
                status: status.clone(),
                price_minor,
                currency,
                // A SKU is an article here, not a size of one.
                size_id: None,
                cluster: cluster.clone(),
            };
            parcel.insert(sku, order);
        }
        let orders = parcel.into_values().map(|order| (order.srid.clone(), order));
        self.known.extend(orders);
        Ok(moments.ordered_at)
    }

    /// Orders that stand under a stranger's SKU.
    fn of_strangers(&self) -> usize {
        let is_strange = |order: &&OrderObservation| self.strangers.contains_key(&order.nm_id);
        self.known.values().filter(is_strange).count()
    }

    /// Gives up the orders of strangers, and says how many.
    fn leave_out_strangers(&mut self) -> usize {
        let before = self.known.len();
        let strangers = &self.strangers;
        self.known
            .retain(|_, order| !strangers.contains_key(&order.nm_id));
        before - self.known.len()
    }

    /// Gives the orders of strangers to the articles that these SKUs belong to, else to those whose seller's
    /// article they carry. Who was found is no stranger any more.
    fn introduce(&mut self, articles: &HashMap<i64, i64>, offers: &HashMap<String, Option<i64>>) {
        let mut found: HashMap<i64, i64> = HashMap::new();
        for (sku, offer) in &self.strangers {
            let by_offer = || *offers.get(offer.as_deref()?)?;
            if let Some(article) = articles.get(sku).copied().or_else(by_offer) {
                found.insert(*sku, article);
            }
        }
        for order in self.known.values_mut() {
            if let Some(article) = found.get(&order.nm_id) {
                order.nm_id = *article;
            }
        }
        self.strangers.retain(|sku, _| !found.contains_key(sku));
    }

    /// In the order of their changes, so that the same payload gives the same list.
    fn finish(self) -> Vec<OrderObservation> {
        let mut orders: Vec<OrderObservation> = self.known.into_values().collect();
        orders.sort_unstable_by(|a, b| (a.changed_at, &a.srid).cmp(&(b.changed_at, &b.srid)));
        orders
    }
}

struct Moments {
    ordered_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
}

/// FBO has `created_at`, FBS only the start of processing. The vendor gives no time of the last change; the
/// latest time it does give never goes back.
fn moments(posting: &Posting) -> Result<Moments, CallFailure> {
    let read = |field: &str, text: &Option<String>| match text.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => time(text)
            .map(Some)
            .ok_or_else(|| json::malformed(format!("field `{field}` is no time"))),
    };
    let created = read("created_at", &posting.created_at)?;
    let processed = read("in_process_at", &posting.in_process_at)?;
    let handed_over = read("delivering_date", &posting.delivering_date)?;
    let ordered_at = created
        .or(processed)
        .ok_or_else(|| json::malformed("field `in_process_at` is missing"))?;
    let latest = [processed, handed_over].into_iter().flatten();
    Ok(Moments {
        ordered_at,
        changed_at: latest.fold(ordered_at, DateTime::max),
    })
}

/// Id and name of the warehouse: FBO names it in its analytics, FBS in the way of delivery.
fn place(posting: &Posting) -> (Option<i64>, Option<String>) {
    let analytics = posting.analytics_data.as_ref();
    let delivery = posting.delivery_method.as_ref();
    let ids = [
        delivery.and_then(|method| method.warehouse_id),
        analytics.and_then(|data| data.warehouse_id),
    ];
    let names = [
        delivery.and_then(|method| method.warehouse.clone()),
        analytics.and_then(|data| data.warehouse_name.clone().or_else(|| data.warehouse.clone())),
    ];
    let id = ids.into_iter().flatten().map(|Int(id)| id).find(|id| *id != 0);
    (id, names.into_iter().flatten().find(|name| !name.is_empty()))
}

/// A parcel that was handed out is bought; everything before that is an order that stands.
fn status(word: &str) -> OrderStatus {
    match word {
        "awaiting_registration"
        | "awaiting registration"
        | "acceptance_in_progress"
        | "awaiting_approve"
        | "awaiting_verification"
        | "awaiting_packaging"
        | "awaiting_deliver"
        | "sent_by_seller"
        | "driver_pickup"
        | "delivering" => OrderStatus::Created,
        "delivered" => OrderStatus::Buyout,
        "cancelled" | "cancelled_from_split_pending" => OrderStatus::Cancelled,
        other => OrderStatus::Other(other.to_owned()),
    }
}

fn quantity(product: &PostingProduct) -> Result<u32, CallFailure> {
    u32::try_from(product.quantity.0)
        .ok()
        .ok_or_else(|| json::malformed("field `quantity` has another type or value"))
}

fn price(product: &PostingProduct) -> (Option<i64>, Option<String>) {
    let beside = product.currency.clone().or_else(|| product.currency_code.clone());
    match &product.price {
        Some(Price::Money { amount, currency }) => (Some(amount.minor_units()), currency.clone().or(beside)),
        Some(Price::Bare(amount)) => (Some(amount.minor_units()), beside),
        None => (None, None),
    }
}

#[cfg(test)]
mod tests;
