//! Orders: postings of both schemes. A posting is a parcel of one or more products; each product of a parcel
//! is one order, which comes out once, in its last known state.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Days, SecondsFormat, Utc};

use super::catalogue::{Catalogue, Unlisted, time};
use super::client::Ozon;
use super::fbs::next;
use super::limits::Group;
use super::wire::{self, Int, Posting, PostingProduct, PostingsFilter, PostingsRequest, PostingsWith, Price};
use crate::error::{CallError, CallFailure};
use crate::json;
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
    /// # Errors
    /// The first page that failed.
    pub(super) async fn fetch_orders(
        &self,
        period: Period,
    ) -> Result<Fetched<Vec<OrderObservation>>, CallError> {
        let catalogue = self.catalogue().await?;
        let mut tally = self.tally("ozon.orders", ORDERS);
        let mut orders = Orders::new(&catalogue, period);
        self.postings(FBO, period, &mut orders, &mut tally).await?;
        match self.postings(FBS, period, &mut orders, &mut tally).await {
            Ok(()) => {}
            Err(error) if matches!(error.failure, CallFailure::Rejected { status: 400, .. }) => {
                if !self.seller_warehouses(&mut tally).await?.is_empty() {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        if !orders.strangers.is_empty() {
            self.introduce(&mut orders, &mut tally).await?;
        }
        let complete = !orders.saw_empty;
        if !complete {
            tally.trouble("a parcel without products is left out");
        }
        Ok(Fetched {
            items: orders.finish(),
            outcome: tally.finish("ozon.orders"),
            complete,
        })
    }

    /// Finds the cards of SKUs that the catalogue does not show. The vendor gives two things to find them by:
    /// the SKU, and the seller's article, which is also known of products that were archived since.
    async fn introduce(&self, orders: &mut Orders<'_>, tally: &mut Tally) -> Result<(), CallError> {
        let catalogue = orders.catalogue;
        let skus = Unlisted::Skus(orders.strangers.keys().copied().collect());
        let mut listed = self.unlisted(skus, tally).await?;
        orders.introduce(&listed.articles, &catalogue.offers);
        let offers: BTreeSet<String> = orders.strangers.values().flatten().cloned().collect();
        if !offers.is_empty() {
            listed = self.unlisted(Unlisted::Offers(offers), tally).await?;
            orders.introduce(&listed.articles, &listed.offers);
        }
        if !orders.strangers.is_empty() {
            tally.trouble("orders of SKUs that no card has stand under these SKUs");
        }
        Ok(())
    }

    async fn postings(
        &self,
        endpoint: &'static str,
        period: Period,
        orders: &mut Orders<'_>,
        tally: &mut Tally,
    ) -> Result<(), CallError> {
        let mut from = period.from;
        while from < period.to {
            let to = from
                .checked_add_days(Days::new(WINDOW_DAYS))
                .map_or(period.to, |end| end.min(period.to));
            let mut cursor = String::new();
            loop {
                let request = PostingsRequest {
                    filter: PostingsFilter {
                        since: text(from),
                        to: text(to),
                    },
                    limit: self.options.posting_page,
                    cursor: &cursor,
                    sort_dir: "ASC",
                    with: PostingsWith {
                        analytics_data: true,
                        financial_data: true,
                    },
                };
                let reply = self.ask(Group::All, endpoint, &request).await?;
                let page =
                    wire::postings(&reply.body).map_err(|failure| CallError::new(endpoint, failure))?;
                tally.page(&reply.body, page.postings.len(), reply.date());
                for posting in &page.postings {
                    orders
                        .add(endpoint == FBS, posting)
                        .map_err(|failure| CallError::new(endpoint, failure))?;
                }
                if !page.has_next {
                    break;
                }
                cursor = next(endpoint, &cursor, page.cursor)?;
            }
            from = to;
        }
        Ok(())
    }
}

/// RFC 3339 with `Z`.
fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
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

    fn add(&mut self, is_fbs: bool, posting: &Posting) -> Result<(), CallFailure> {
        if posting.posting_number.is_empty() {
            return Err(json::malformed("field `posting_number` is empty"));
        }
        let moments = moments(posting)?;
        if moments.ordered_at >= self.period.to {
            return Ok(());
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
        for product in &posting.products {
            let Int(sku) = product.sku;
            let quantity = quantity(product)?;
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
        Ok(())
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
